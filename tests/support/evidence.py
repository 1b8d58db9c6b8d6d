"""Writes a history as an evidence folder, the way a run leaves it: for tests of everything that starts from such a folder."""

import json
from pathlib import Path
from typing import Any

from holdwater.prove.history.columns import ANSWERS, LOG_BATCHES, LOG_RECORDS, READS, SENDS, ColumnWriter
from holdwater.prove.history.load import sample_row
from holdwater.prove.history.model import Event, History, State
from holdwater.prove.judge.verdict import Plan
from holdwater.prove.scenarios import CATALOGUE
from holdwater.prove.scenarios.options import Options
from holdwater.prove.settings import Settings

_ERRORS = {State.FAIL: -184}


def write_evidence(folder: Path, history: History, settings: Settings, plan: Plan | None = None) -> Path:
    """Everything of a history; ``plan`` defaults to the one of leader-election with few acknowledgements asked for."""
    scenario = CATALOGUE["leader-election"].build(Options())
    base = scenario.plan()
    plan = plan or Plan(base.scenario, base.expectations, base.rounds, 50, 5)
    folder.mkdir(parents=True, exist_ok=True)
    workload = {**scenario.as_json()["workload"], "writers": _writers(history)}
    run: dict[str, Any] = {
        "schema": 1,
        "argv": ["prove", "leader-election"],
        "repeat": "holdwater prove leader-election --seed 7",
        "versions": {"holdwater": "0", "python": "3", "librdkafka": "2", "platform": "test"},
        "seed": 7,
        "run_id": 1,
        "topic": "t",
        "origin_ns": history.origin_ns,
        "target": {"name": "3 brokers of a Kafka cluster at 127.0.0.1:9092", "kind": settings.kind, "brokers": [1, 2, 3]},
        "scenario": {**scenario.as_json(), "workload": workload},
        "plan": plan.as_json(),
        "settings": settings.as_json(),
        "notes": [],
    }
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "timeline.jsonl").write_text(
        "".join(json.dumps({"t": event.time_ns, "kind": event.kind, **event.detail}) + "\n" for event in _to_its_end(history))
    )
    (folder / "samples.jsonl").write_text("".join(json.dumps(sample_row(sample)) + "\n" for sample in history.samples))
    rows = {f"producer-{writer}": _write_producer(folder / "history", history, writer) for writer in range(_writers(history))}
    rows |= {"consumer-0": _write_consumer(folder / "history", history)}
    _write_log(folder, history, rows)
    return folder


def _writers(history: History) -> int:
    return max(1, len(history.sends.bases))


def _to_its_end(history: History) -> list[Event]:
    """The clocks are what a run notes last."""
    if history.events_of("clock"):
        return history.events
    last_ns = history.events[-1].time_ns if history.events else history.origin_ns
    return [*history.events, Event(last_ns, "clock", {"step_ms": 0.1})]


def _write_producer(folder: Path, history: History, writer: int) -> dict[str, int]:
    sends = history.sends
    name = f"producer-{writer}"
    with ColumnWriter(folder / name, SENDS) as rows, ColumnWriter(folder / name, ANSWERS) as answers:
        for sequence in range(sends.counts[writer] if sends.counts else 0):
            identifier = sends.bases[writer] + sequence
            rows.append(writer, sequence, sends.partition[identifier], sends.invoke_ns[identifier])
            state = State(sends.state[identifier])
            error = sends.error[identifier] or _ERRORS.get(state, 0)
            if state != State.UNKNOWN or error:
                answers.append(writer, sequence, sends.offset[identifier], error, sends.done_ns[identifier])
    return {"sends": rows.rows, "answers": answers.rows}


def _write_consumer(folder: Path, history: History) -> dict[str, int]:
    with ColumnWriter(folder / "consumer-0", READS) as reads:
        rows_of = history.reads
        for index, (session, partition, offset, identifier, time_ns) in enumerate(rows_of.rows()):
            writer, sequence = _stamp(history, identifier)
            reads.append(session, partition, offset, writer, sequence, rows_of.leader_epoch[index], rows_of.flags[index], time_ns)
    return {"reads": reads.rows}


def _stamp(history: History, identifier: int) -> tuple[int, int]:
    if identifier < 0:
        return 65_000, 0
    writer = history.sends.writer_of(identifier)
    return writer, identifier - history.sends.bases[writer]


def _write_log(folder: Path, history: History, rows: dict[str, dict[str, int]]) -> None:
    partitions: dict[int, dict[str, Any]] = {}
    with ColumnWriter(folder / "history" / "log", LOG_BATCHES) as batches, ColumnWriter(folder / "history" / "log", LOG_RECORDS) as records:
        for partition, log in sorted(history.log.items()):
            first = batches.rows
            for batch in log.batches:
                batches.append(partition, *batch)
            for index, offset in enumerate(log.offsets):
                records.append(partition, offset, first + log.batch_of[index], *_stamp(history, log.ids[index]), log.flags[index])
            ends = {"start_offset": log.start_offset, "end_offset": log.end_offset, "read_to": log.read_to, "epoch_ends": log.epoch_ends}
            partitions[partition] = ends
    (folder / "final.json").write_text(json.dumps({"partitions": partitions, "positions": history.final_positions, "rows": rows}))
