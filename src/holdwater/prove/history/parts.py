"""The parts of an evidence folder that judging rests on, and whether all of them are there.

A run that came to its end has written ``final.json`` last, when its clients had closed their columns and the log was read: all is there, and
whole. A run that broke off says so in its timeline and has none; a final log that it began to read is no evidence, and clients that were
ended by force leave uneven columns. A run that was killed has neither, and no verdict: nobody knows what it would have written.
"""

from collections.abc import Iterable, Iterator
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


def came_to_its_end(folder: Path, events: Iterable[Event]) -> bool:
    """Whether the run did; not when it broke off. Raises ``EvidenceDamaged`` when there is no sign of either."""
    if (folder / FINAL).is_file():
        return True
    if _BROKE_OFF.isdisjoint(event.kind for event in events):
        raise EvidenceDamaged([f"{FINAL} is missing (a run that was killed before its end leaves none)"])
    return False


def check_columns(folder: Path, events: Iterable[Event], writers: int, *, whole: bool) -> None:
    """Raises ``EvidenceDamaged`` with the columns that must be there and are not, or are cut short in a ``whole`` run."""
    tables: dict[str, tuple[Stream, ...]] = {}
    if whole or any(event.kind == "phase" and event.detail.get("name") == "started" for event in events):
        tables = dict.fromkeys(producers(writers), (SENDS, ANSWERS)) | {CONSUMER: (READS,)}
    if whole:
        tables[LOG] = (LOG_BATCHES, LOG_RECORDS)
    problems: list[str] = []
    for name, streams in tables.items():
        if not (folder / name).is_dir():
            problems.append(f"{name}/ is missing")
            continue
        for stream in streams:
            problems += [f"{name}/{file} {what}" for file, what in damages(folder / name, stream, even=whole).items()]
    if problems:
        raise EvidenceDamaged(problems)
