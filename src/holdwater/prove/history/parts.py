"""The parts of an evidence folder that judging rests on, and whether all of them are there.

A run that came to its end has written ``final.json``, when its clients had closed their columns and the log was read, and noted its clocks
last: all is there, and whole. A run that broke off says so in its timeline; a final log that it began to read is no evidence, and clients
that were ended by force leave uneven columns. So it is with a run that was killed before it noted its clocks: whether times can be trusted
is not known. A run that was killed before ``final.json`` has no verdict: nobody knows what it would have written.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from holdwater.prove.history.columns import ANSWERS, LOG_BATCHES, LOG_RECORDS, READS, SENDS, Stream, damages
from holdwater.prove.history.damage import EvidenceDamaged
from holdwater.prove.history.model import Event

HISTORY = "history"
TIMELINE = "timeline.jsonl"
SAMPLES = "samples.jsonl"
FINAL = "final.json"
CONSUMER = f"{HISTORY}/consumer-0"
LOG = f"{HISTORY}/log"
_BROKE_OFF = frozenset({"failed", "interrupted"})
_CLOCK = "clock"
_STREAMS = (SENDS, ANSWERS, READS, LOG_BATCHES, LOG_RECORDS)


def producers(writers: int) -> list[str]:
    """The folders of the writers' columns."""
    return [f"{HISTORY}/producer-{writer}" for writer in range(writers)]


def recorded(folder: Path) -> Iterator[Path]:
    """The files that are there and could be taken for a part, whoever wrote them."""
    yield from (path for name in (TIMELINE, SAMPLES, FINAL) if (path := folder / name).exists())
    for stream in _STREAMS:
        yield from sorted(folder.glob(f"{HISTORY}/*/{stream.name}.*"))


def check_files(folder: Path, names: Iterable[str]) -> None:
    """Raises ``EvidenceDamaged`` with those that are missing."""
    missing = [f"{name} is missing" for name in names if not (folder / name).is_file()]
    if missing:
        raise EvidenceDamaged(missing)


def check_last_lines(folder: Path, names: Iterable[str]) -> None:
    """Raises ``EvidenceDamaged`` with the files whose last line is torn: a run that came to its end has left none."""
    torn = [f"{name} is cut short: its last line has no end" for name in names if (folder / name).read_bytes()[-1:] not in (b"", b"\n")]
    if torn:
        raise EvidenceDamaged(torn)


def was_recorded_whole(events: Iterable[Event]) -> bool:
    """Whether the run has noted all that it will: the clocks are its last word."""
    return any(event.kind == _CLOCK for event in events)


def came_to_its_end(folder: Path, events: Sequence[Event]) -> bool:
    """Whether the run did; not when it broke off. Raises ``EvidenceDamaged`` when there is no sign of either."""
    if (folder / FINAL).is_file():
        return was_recorded_whole(events)
    if not _says_why(events):
        raise EvidenceDamaged([f"{FINAL} is missing (a run that was killed before its end leaves none)"])
    return False


def _says_why(events: Iterable[Event]) -> bool:
    return any(event.kind in _BROKE_OFF for event in events)


def untold_end(events: Sequence[Event]) -> list[Event]:
    """What a run that broke off could not say itself, because it was killed at its very end; empty when it told why."""
    if _says_why(events):
        return []
    reason = (
        "the run was killed at its very end, before it had noted its clocks and whether it stood still; the log that it read is not used"
    )
    at_ns = events[-1].time_ns if events else 0
    return [Event(at_ns, "failed", {"step": "", "reason": reason, "next": "run the scenario again"})]


def _clients(writers: int) -> dict[str, tuple[Stream, ...]]:
    return dict.fromkeys(producers(writers), (SENDS, ANSWERS)) | {CONSUMER: (READS,)}


def written_rows(counted: Mapping[str, Mapping[str, int]], writers: int) -> dict[tuple[str, str], int]:
    """How many rows the clients wrote, by folder and stream, from what ``final.json`` says. Raises ``LookupError`` and the like."""
    names = [(folder, stream.name) for folder, streams in _clients(writers).items() for stream in streams]
    return {(folder, stream): int(counted[folder.removeprefix(f"{HISTORY}/")][stream]) for folder, stream in names}


def check_columns(folder: Path, events: Iterable[Event], writers: int, *, whole: bool, written: Mapping[tuple[str, str], int]) -> None:
    """Raises ``EvidenceDamaged`` with the columns that must be there and are not, or are cut short in a ``whole`` run.

    ``written`` says how many rows there must be, by folder and stream, where they were counted.
    """
    tables: dict[str, tuple[Stream, ...]] = {}
    if whole or any(event.kind == "phase" and event.detail.get("name") == "started" for event in events):
        tables = _clients(writers)
    if whole:
        tables[LOG] = (LOG_BATCHES, LOG_RECORDS)
    problems: list[str] = []
    for name, streams in tables.items():
        if not (folder / name).is_dir():
            problems.append(f"{name}/ is missing")
            continue
        for stream in streams:
            found = damages(folder / name, stream, even=whole, written=written.get((name, stream.name)))
            problems += [f"{name}/{file} {what}" for file, what in found.items()]
    if problems:
        raise EvidenceDamaged(problems)
