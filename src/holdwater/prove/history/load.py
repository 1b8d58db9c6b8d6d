"""From an evidence folder to a ``History``. The inverse is spread over those who record: workloads, sampler, raw reader, runner."""

import json
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from holdwater.prove.history.agreement import check_answers, check_ends, check_place, check_records, check_sends
from holdwater.prove.history.columns import ANSWERS, LOG_BATCHES, LOG_RECORDS, READS, REFUSED_BY_CLIENT, SENDS, read_columns
from holdwater.prove.history.damage import reading
from holdwater.prove.history.model import (
    FOREIGN_ID,
    Batch,
    Event,
    History,
    PartitionLog,
    PartitionView,
    Reads,
    Sample,
    Sends,
    State,
)
from holdwater.prove.history.outcome import state_of
from holdwater.prove.history.parts import (
    CONSUMER,
    FINAL,
    HISTORY,
    LOG,
    SAMPLES,
    TIMELINE,
    came_to_its_end,
    check_columns,
    check_files,
    check_last_lines,
    producers,
    untold_end,
    written_rows,
)
from holdwater.prove.history.payload import FOREIGN
from holdwater.prove.settings import Settings

_Row = TypeVar("_Row")


def load_history(folder: Path, settings: Settings, origin_ns: int, *, writers: int = 1, topic_id: str = "") -> History:
    """Everything that an evidence folder recorded. Of a run that broke off there is no final log. Raises ``EvidenceDamaged``.

    ``topic_id``: the one that ``run.json`` has from the start.
    """
    check_files(folder, (TIMELINE, SAMPLES))
    events = read_events(folder)
    whole = came_to_its_end(folder, events)
    if whole:
        check_last_lines(folder, (TIMELINE, SAMPLES))
    else:
        events = [*events, *untold_end(events)]
    final = _read_final(folder, writers) if whole else _Final({}, {}, {})
    check_columns(folder, events, writers, whole=whole, written=final.written)
    with reading(HISTORY):
        sends = _load_sends(folder, writers, settings, whole=whole)
        reads = _load_reads([folder / CONSUMER], sends)
    samples = _read_lines(folder, SAMPLES, _sample)
    history = History(sends, reads, samples=samples, events=events, origin_ns=origin_ns, topic_id=topic_id)
    if whole:
        history.log, history.final_positions, history.final_topic_id = final.log, final.positions, final.topic_id
        with reading(LOG):
            _load_log(folder / LOG, history.log, sends)
    return history


class _Final(NamedTuple):
    """``final.json``: the partitions still without their content, and how many rows the clients wrote, where they were counted."""

    log: dict[int, PartitionLog]
    positions: dict[int, int]
    written: dict[tuple[str, str], int]
    topic_id: str = ""


def _read_final(folder: Path, writers: int) -> _Final:
    with reading(FINAL):
        final = json.loads((folder / FINAL).read_bytes())
        return _Final(
            log={int(name): _ends(int(name), noted) for name, noted in final["partitions"].items()},
            positions={int(partition): int(position) for partition, position in final["positions"].items()},
            written=written_rows(final["rows"], writers) if "rows" in final else {},
            topic_id=str(final.get("topic_id", "")),
        )


def read_events(folder: Path) -> list[Event]:
    """The timeline in order of time. Raises ``EvidenceDamaged``."""
    return sorted(_read_lines(folder, TIMELINE, _event), key=lambda event: event.time_ns)


def _read_lines(folder: Path, name: str, parse: Callable[[dict[str, Any]], _Row]) -> list[_Row]:
    """The rows of a JSON lines file; a torn last line, left by a killed writer, is left out. Raises ``EvidenceDamaged``."""
    with reading(name):
        lines = (folder / name).read_bytes().split(b"\n")[:-1]
    rows: list[_Row] = []
    for number, line in enumerate(lines, 1):
        with reading(f"{name}, line {number},"):
            rows.append(parse(json.loads(line)))
    return rows


def _event(row: dict[str, Any]) -> Event:
    return Event(int(row["t"]), row["kind"], {key: value for key, value in row.items() if key not in ("t", "kind")})


def _ends(partition: int, noted: dict[str, Any]) -> PartitionLog:
    """A partition as ``final.json`` has it, still without its batches and records."""
    start, end, read_to = (int(noted[key]) for key in ("start_offset", "end_offset", "read_to"))
    epoch_ends = {int(epoch): int(end) for epoch, end in noted["epoch_ends"].items()}
    return PartitionLog(partition, start_offset=start, end_offset=end, read_to=read_to, epoch_ends=epoch_ends)


def _load_sends(folder: Path, writers: int, settings: Settings, *, whole: bool) -> Sends:
    """The sends of each writer lie in its folder in the order of their numbers, so that they only need to be strung together."""
    sends = Sends()
    for writer, name in enumerate(producers(writers)):
        rows = read_columns([folder / name], SENDS)
        check_sends(name, writer, rows)
        count = len(rows["sequence"])
        check_answers(name, writer, read_columns([folder / name], ANSWERS), count if whole else None)
        sends.bases.append(len(sends.partition))
        sends.counts.append(count)
        sends.partition.extend(rows["partition"])
        sends.invoke_ns.extend(rows["invoke_ns"])
    total = len(sends.partition)
    sends.done_ns = array("q", bytes(8 * total))
    sends.offset = array("q", [-1]) * total
    sends.error = array("i", bytes(4 * total))
    sends.state = bytearray(total)
    _load_answers([folder / name for name in producers(writers)], settings, sends)
    return sends


def _load_answers(folders: list[Path], settings: Settings, sends: Sends) -> None:
    """Add the answers to the sends. What produce() refused has no offset, as all that is no acknowledgement."""
    acks = settings.client("acks")
    states: dict[tuple[int, bool], int] = {}
    rows = read_columns(folders, ANSWERS)
    for writer, sequence, offset, error, done_ns in zip(*(rows[name] for name, _ in ANSWERS.columns), strict=True):
        answer = (error, offset == REFUSED_BY_CLIENT)
        if answer not in states:
            states[answer] = int(state_of(error, acks=acks, by_client=answer[1]))
        identifier = sends.id_of(writer, sequence)
        if identifier < 0 or sends.state[identifier] != State.UNKNOWN:
            continue
        sends.state[identifier] = states[answer]
        sends.done_ns[identifier] = done_ns
        sends.error[identifier] = error
        sends.offset[identifier] = max(offset, -1)


def _ids(rows: "dict[str, array[int]]", sends: Sends) -> "array[int]":
    bases, counts = sends.bases, sends.counts
    writers = len(counts)
    return array(
        "q",
        [
            FOREIGN_ID
            if flags & FOREIGN
            else (bases[writer] + sequence if writer < writers and sequence < counts[writer] else sends.id_of(writer, sequence))
            for writer, sequence, flags in zip(rows["writer"], rows["sequence"], rows["flags"], strict=True)
        ],
    )


def _load_reads(folders: list[Path], sends: Sends) -> Reads:
    rows = read_columns(folders, READS)
    return Reads(
        session=rows["session"],
        partition=rows["partition"],
        offset=rows["offset"],
        ids=_ids(rows, sends),
        leader_epoch=rows["leader_epoch"],
        flags=bytearray(rows["flags"].tobytes()),
        time_ns=rows["time_ns"],
    )


def _load_log(folder: Path, logs: dict[int, PartitionLog], sends: Sends) -> None:
    """Add the batches and records to the partitions. Raises ``EvidenceDamaged`` when they don't belong together."""
    batches = read_columns([folder], LOG_BATCHES)
    first_row: dict[int, int] = {}
    columns = [batches[name] for name, _ in LOG_BATCHES.columns]
    for row, (partition, *fields) in enumerate(zip(*columns, strict=True)):
        first_row.setdefault(partition, row)
        logs[partition].batches.append(Batch(*fields))
    check_ends(logs.values())
    rows = read_columns([folder], LOG_RECORDS)
    check_records(batches, rows)
    ids = _ids(rows, sends)
    start = 0
    while start < len(ids):
        # Records lie partition by partition, so each partition is one slice.
        partition = rows["partition"][start]
        end = _end_of_run(rows["partition"], start)
        log, first = logs[partition], first_row.get(partition, 0)
        check_place(partition, range(first, first + len(log.batches)), rows["batch"][start:end])
        log.offsets.extend(rows["offset"][start:end])
        log.ids.extend(ids[start:end])
        log.batch_of.extend(array("I", [row - first for row in rows["batch"][start:end]]))
        log.flags.extend(rows["flags"][start:end].tobytes())
        start = end


def _end_of_run(column: "array[int]", start: int) -> int:
    """Where the run of equal values that begins at ``start`` ends, by doubling steps and halving."""
    value, step, low = column[start], 1, start
    while low + step < len(column) and column[low + step] == value:
        low += step
        step *= 2
    high = min(low + step, len(column))
    while low + 1 < high:
        middle = (low + high) // 2
        if column[middle] == value:
            low = middle
        else:
            high = middle
    return low + 1


def _sample(row: dict[str, Any]) -> Sample:
    views = tuple(
        PartitionView(partition, leader, epoch, tuple(isr), tuple(elr), tuple(replicas), high_watermark)
        for partition, leader, epoch, isr, elr, replicas, high_watermark in row.get("partitions", ())
    )
    controller, quorum_epoch, topic_id = row.get("controller", -1), row.get("quorum_epoch", -1), str(row.get("topic_id", ""))
    return Sample(int(row["t"]), row["broker"], row["reachable"], controller, quorum_epoch, views, topic_id)


def sample_row(sample: Sample) -> dict[str, Any]:
    """One line of ``samples.jsonl``."""
    return {
        "t": sample.time_ns,
        "broker": sample.broker,
        "reachable": sample.reachable,
        "controller": sample.controller,
        "quorum_epoch": sample.quorum_epoch,
        "topic_id": sample.topic_id,
        "partitions": [list(view) for view in sample.partitions],
    }
