"""The rows of the result tables: which figure of which measurement, in which unit, and what it is to reach."""

from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.clusters import HOLDWATER, KAFKA
from benchmarks.figures import Spread, ratios, spread

Run = dict[str, Any]


class Aim(NamedTuple):
    """What a row is to reach; ``met`` takes our spread and the ratio's median."""

    text: str
    met: Callable[[Spread, float | None], bool]


class Row(NamedTuple):
    """One line of a table."""

    part: str
    mode: str
    workload: str
    metric: str
    label: str
    unit: str
    aim: Aim | None = None
    statistic: str = "median"
    ours_alone: bool = False
    """Whether the other side has nothing like it."""


class Figure(NamedTuple):
    """One line with its figures; a side that was not measured is ``None``."""

    row: Row
    ours: Spread | None
    theirs: Spread | None
    ratio: Spread | None
    met: bool | None
    """Whether the aim is reached; ``None`` without an aim, or when it can't be said."""


def _at_least(times: float) -> Aim:
    return Aim(f"≥ {times:g} × Kafka" if times != 1 else "≥ Kafka", lambda _, ratio: ratio is not None and ratio >= times)


def _at_most(times: float) -> Aim:
    return Aim(f"≤ {times:g} × Kafka" if times != 1 else "≤ Kafka", lambda _, ratio: ratio is not None and ratio <= times)


def _under(limit: float, unit: str) -> Aim:
    return Aim(f"< {limit:g} {unit}", lambda ours, _: ours.median < limit)


def _throughput(mode: str) -> list[Row]:
    fresh = mode == "fresh"
    rows: list[Row] = []
    for size, shown in (("1KiB", "1 KiB"), ("100B", "100 B")):
        write, read = f"write {size}", f"read {size}"
        rows += [
            Row("throughput", mode, write, "per_s", f"write {shown}, acks=all, RF 3", "records/s", _at_least(2 if fresh else 1)),
            Row("throughput", mode, write, "cpu_us", f"write {shown}: broker CPU per record", "µs", _at_most(0.5) if fresh else None),
            Row("throughput", mode, read, "per_s", f"read {shown}", "records/s", _at_least(1) if fresh else None),
            Row("throughput", mode, read, "cpu_us", f"read {shown}: broker CPU per record", "µs"),
        ]
    return rows


def _requests(mode: str) -> list[Row]:
    rows: list[Row] = []
    for workload, shown in (("acks=all RF 3", "acks=all, RF 3"), ("acks=1 RF 1", "acks=1, RF 1")):
        rows += [
            Row("requests", mode, workload, "per_s", f"{shown}", "requests/s", _at_least(1)),
            Row("requests", mode, workload, "p50_ms", f"{shown}: p50", "ms", _at_most(1)),
            Row("requests", mode, workload, "p99_ms", f"{shown}: p99", "ms", _at_most(1)),
        ]
    return rows


def _delivery(mode: str) -> list[Row]:
    return [Row("delivery", mode, "2,000/s", metric, f"delivery report: {metric[:3]}", "ms") for metric in ("p50_ms", "p99_ms")]


def _durability() -> list[Row]:
    rows: list[Row] = []
    for level in ("page-cache", "interval", "fsync"):
        write, ask, alone = f"write, {level}", f"one at a time, {level}", level == "interval"
        rows += [
            Row("durability", "", write, "per_s", f"{level}: write", "records/s", ours_alone=alone),
            Row("durability", "", ask, "p50_ms", f"{level}: one at a time, p50", "ms", ours_alone=alone),
            Row("durability", "", ask, "p99_ms", f"{level}: one at a time, p99", "ms", ours_alone=alone),
        ]
    return rows


TABLES: list[tuple[str, list[Row]]] = [
    (
        "Start and memory",
        [
            Row("cold-start", "", "", "acknowledged_s", "cold start to the first acknowledged write", "s", _under(1, "s")),
            Row("cold-start", "", "", "ready_s", "of it, until ready", "s"),
            Row("memory", "", "", "pss_mib", "memory of all processes (proportional set size)", "MiB", _under(150, "MiB")),
        ],
    ),
    ("Throughput, fresh against fresh", _throughput("fresh")),
    ("Throughput, warm against warm", _throughput("warm")),
    ("One at a time, fresh against fresh", _requests("fresh")),
    ("One at a time, warm against warm", _requests("warm")),
    ("Delivery reports at 2,000/s, fresh against fresh", _delivery("fresh")),
    ("Delivery reports at 2,000/s, warm against warm", _delivery("warm")),
    ("Levels of durability: 1 KiB, acks=all, RF 3, fresh against fresh", _durability()),
    (
        "Write pause after kill -9",
        [
            Row("pause", "", "kill", "pause_s", "longest gap between acknowledgements, median of kills", "s", _under(1.5, "s")),
            Row("pause", "", "kill", "pause_s", "longest gap between acknowledgements, longest of kills", "s", statistic="high"),
            Row("pause", "", "kill", "return_pause_s", "longest gap when the killed broker comes back, median", "s"),
            Row("pause", "", "kill", "full_isr_after_s", "from its start to full ISRs, median", "s"),
        ],
    ),
]


def figure(row: Row, runs: list[Run]) -> Figure | None:
    """The row's figures; ``None`` when it was not measured at all."""
    chosen = [run for run in runs if (run["part"], run.get("mode", ""), run.get("workload", "")) == (row.part, row.mode, row.workload)]
    mine = [run for run in chosen if run["system"] == HOLDWATER]
    other = [run for run in chosen if run["system"] == KAFKA]
    ours, theirs = (spread(run[row.metric] for run in side) for side in (mine, other))
    if ours is None and theirs is None:
        return None
    ratio = None
    if ours is not None and theirs is not None:
        if row.statistic == "high":
            ratio = spread([ours.high / theirs.high])
        elif row.part in ("cold-start", "pause"):  # rounds have no partner on the other side
            ratio = spread([ours.median / theirs.median])
        else:
            ratio = ratios(mine, other, row.metric)
    met = None
    if row.aim is not None and ours is not None and (ratio is not None or "Kafka" not in row.aim.text):
        met = row.aim.met(ours, ratio.median if ratio is not None else None)
    return Figure(row, ours, theirs, ratio, met)


def is_complete(runs: list[Run]) -> bool:
    """Whether every row has figures of both sides, or of the one that has it."""
    figures = [figure(row, runs) for _, rows in TABLES for row in rows]
    return all(one is not None and one.ours is not None and (one.theirs is not None or one.row.ours_alone) for one in figures)


def tables(runs: list[Run]) -> list[tuple[str, list[Figure]]]:
    """Every table that has figures."""
    found = [(title, [shown for row in rows if (shown := figure(row, runs)) is not None]) for title, rows in TABLES]
    return [(title, figures) for title, figures in found if figures]
