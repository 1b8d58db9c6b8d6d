"""From an evidence folder to a ``History``. The inverse is spread over those who record: workloads, sampler, raw reader, runner."""

import json
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from holdwater.prove.history.columns import ANSWERS, LOG_BATCHES, LOG_RECORDS, READS, SENDS, read_columns
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
from holdwater.prove.history.payload import FOREIGN
from holdwater.prove.settings import Settings

HISTORY = "history"
TIMELINE = "timeline.jsonl"
SAMPLES = "samples.jsonl"
FINAL = "final.json"


def load_history(folder: Path, settings: Settings, origin_ns: int) -> History:
    """Everything that an evidence folder recorded. Parts that a broken-off run has not written are empty."""
    sends = _load_sends(_folders(folder, "producer-"), settings)
    final = _read_json(folder / FINAL)
    history = History(
        sends=sends,
        reads=_load_reads(_folders(folder, "consumer-"), sends),
        log=_load_log(folder / HISTORY / "log", final, sends),
        samples=[_sample(row) for row in _read_lines(folder / SAMPLES)],
        events=[Event(row["t"], row["kind"], {k: v for k, v in row.items() if k not in ("t", "kind")}) for row in _events(folder)],
        origin_ns=origin_ns,
        final_positions={int(partition): position for partition, position in final.get("positions", {}).items()},
    )
    history.events.sort(key=lambda event: event.time_ns)
    return history


def _folders(folder: Path, prefix: str) -> list[Path]:
    return sorted(one for one in (folder / HISTORY).glob(f"{prefix}*") if one.is_dir())


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    yield from _read_lines(folder / TIMELINE)


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON lines file; a torn last line, left by a killed writer, is left out."""
    if not path.exists():
        return
    for line in path.read_text().split("\n")[:-1]:
        yield json.loads(line)


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
    retries = int(settings.client("retries") or 2**31 - 1)
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


def _load_log(folder: Path, final: dict[str, Any], sends: Sends) -> dict[int, PartitionLog]:
    logs: dict[int, PartitionLog] = {}
    for name, noted in final.get("partitions", {}).items():
        epoch_ends = {int(epoch): end for epoch, end in noted.pop("epoch_ends", {}).items()}
        logs[int(name)] = PartitionLog(partition=int(name), epoch_ends=epoch_ends, **noted)
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
    return logs


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
    return Sample(row["t"], row["broker"], row["reachable"], row.get("controller", -1), row.get("quorum_epoch", -1), views)


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
