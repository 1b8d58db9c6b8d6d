"""From an evidence folder to a ``History``. The inverse is spread over those who record: workloads, sampler, raw reader, runner."""

import json
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from holdwater.prove.history.columns import ANSWERS, LOG_BATCHES, LOG_RECORDS, READS, SENDS, read_columns
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
    producers,
)
from holdwater.prove.history.payload import FOREIGN
from holdwater.prove.settings import Settings

_Row = TypeVar("_Row")


def load_history(folder: Path, settings: Settings, origin_ns: int, *, writers: int = 1) -> History:
    """Everything that an evidence folder recorded. Of a run that broke off there is no final log. Raises ``EvidenceDamaged``."""
    check_files(folder, (TIMELINE, SAMPLES))
    events = read_events(folder)
    whole = came_to_its_end(folder, events)
    check_columns(folder, events, writers, whole=whole)
    with reading(HISTORY):
        sends = _load_sends([folder / name for name in producers(writers)], settings)
        reads = _load_reads([folder / CONSUMER], sends)
    history = History(sends, reads, samples=_read_lines(folder, SAMPLES, _sample), events=events, origin_ns=origin_ns)
    if whole:
        with reading(FINAL):
            final = json.loads((folder / FINAL).read_bytes())
            history.log = {int(name): _ends(int(name), noted) for name, noted in final["partitions"].items()}
            history.final_positions = {int(partition): int(position) for partition, position in final["positions"].items()}
        with reading(LOG):
            _load_log(folder / LOG, history.log, sends)
    return history


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


def _load_sends(folders: list[Path], settings: Settings) -> Sends:
    rows = read_columns(folders, SENDS)
    writers = max(rows["writer"], default=-1) + 1
    counts = [0] * writers
    for writer, sequence in zip(rows["writer"], rows["sequence"], strict=True):
        if sequence >= counts[writer]:
            counts[writer] = sequence + 1
    bases = [sum(counts[:writer]) for writer in range(writers)]
    total = sum(counts)
    sends = Sends(
        bases=bases,
        counts=counts,
        partition=array("H", bytes(2 * total)),
        invoke_ns=array("q", bytes(8 * total)),
        done_ns=array("q", bytes(8 * total)),
        offset=array("q", [-1]) * total,
        error=array("i", bytes(4 * total)),
        state=bytearray(total),
    )
    for writer, sequence, partition, invoke_ns in zip(*(rows[name] for name, _ in SENDS.columns), strict=True):
        identifier = bases[writer] + sequence
        sends.partition[identifier] = partition
        sends.invoke_ns[identifier] = invoke_ns
    _load_answers(folders, settings, sends)
    return sends


def _load_answers(folders: list[Path], settings: Settings, sends: Sends) -> None:
    acks = settings.client("acks")
    retries = int(settings.client("retries") or str(2**31 - 1), 0)
    states = {0: int(state_of(0, acks=acks, retries=retries))}
    rows = read_columns(folders, ANSWERS)
    for writer, sequence, offset, error, done_ns in zip(*(rows[name] for name, _ in ANSWERS.columns), strict=True):
        if error not in states:
            states[error] = int(state_of(error, acks=acks, retries=retries))
        identifier = sends.id_of(writer, sequence)
        if identifier < 0 or sends.state[identifier] != State.UNKNOWN:
            continue
        sends.state[identifier] = states[error]
        sends.done_ns[identifier] = done_ns
        sends.error[identifier] = error
        sends.offset[identifier] = offset


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
    """Add the batches and records to the partitions."""
    batches = read_columns([folder], LOG_BATCHES)
    first_row: dict[int, int] = {}
    columns = [batches[name] for name, _ in LOG_BATCHES.columns]
    for row, (partition, *fields) in enumerate(zip(*columns, strict=True)):
        first_row.setdefault(partition, row)
        logs[partition].batches.append(Batch(*fields))
    rows = read_columns([folder], LOG_RECORDS)
    ids = _ids(rows, sends)
    start = 0
    while start < len(ids):
        # Records lie partition by partition, so each partition is one slice.
        partition = rows["partition"][start]
        end = _end_of_run(rows["partition"], start)
        log, first = logs[partition], first_row.get(partition, 0)
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
    return Sample(int(row["t"]), row["broker"], row["reachable"], row.get("controller", -1), row.get("quorum_epoch", -1), views)


def sample_row(sample: Sample) -> dict[str, Any]:
    """One line of ``samples.jsonl``."""
    return {
        "t": sample.time_ns,
        "broker": sample.broker,
        "reachable": sample.reachable,
        "controller": sample.controller,
        "quorum_epoch": sample.quorum_epoch,
        "partitions": [list(view) for view in sample.partitions],
    }
