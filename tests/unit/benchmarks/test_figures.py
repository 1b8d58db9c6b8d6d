"""What the benchmarks make of their measurements: gaps between acknowledgements, ratios, verdicts, the page."""

from typing import Any

import pytest
from benchmarks.figures import longest_gap, ratios, spread
from benchmarks.parts import PARTS, durability
from benchmarks.parts.durability import LEVELS
from benchmarks.report import markdown, number, text
from benchmarks.rows import TABLES, figure, is_complete, tables

from holdwater.kernel.configs.durability import FSYNC, INTERVAL, Durability, durability_of

STEADY = [11.0 + second for second in range(10)]


@pytest.mark.parametrize(
    ("acknowledged", "expected"),
    [
        ([[9.0, 10.5, *STEADY]], 1.5),  # a gap counts whole, from before the kill at 10
        ([[9.9, 10.1, 10.2, 14.0, *STEADY[3:]]], 3.8),
        ([[9.9, 10.1], [9.9, 19.9]], 10.0),  # the worst partition counts; still silent at the end
        ([[1.0, 5.0, 9.9, 10.1, 19.9]], 9.8),  # what ended before the kill does not count
        ([[10.1, 19.5, 30.0]], 10.5),  # reaches over the end: whole
        ([[10.1, 20.5, 40.0]], 10.4),  # began after the end: not counted
        ([[]], 10.0),
    ],
)
def test_the_longest_gap_between_acknowledgements(acknowledged: list[list[float]], expected: float) -> None:
    assert longest_gap(acknowledged, 10.0, 20.0) == pytest.approx(expected)


def test_ratios_are_formed_round_by_round() -> None:
    ours = [{"round": 0, "x": 10.0}, {"round": 1, "x": 30.0}, {"round": 2, "x": 8.0}]
    theirs = [{"round": 1, "x": 10.0}, {"round": 0, "x": 5.0}, {"round": 2, "x": 8.0}]
    found = ratios(ours, theirs, "x")
    assert found is not None
    assert (found.median, found.low, found.high, found.count) == (2.0, 1.0, 3.0, 3)


def test_without_common_rounds_the_ratio_is_that_of_the_medians() -> None:
    found = ratios([{"round": 0, "x": 4.0}, {"round": 1, "x": 6.0}], [{"round": 0, "x": 10.0}], "x")
    assert found == spread([0.5])


def _run(system: str, turn: int, **figures: Any) -> dict[str, Any]:
    load = {"seconds": 1.0, "other_cores": 0.0, "steal_cores": 0.0, "average": 0.5}
    return {"system": system, "round": turn, "at": f"2030-01-0{turn + 1} 00:00", "load": load, **figures}


def _writes(ours: float, theirs: float) -> list[dict[str, Any]]:
    keys = {"part": "throughput", "mode": "fresh", "workload": "write 1KiB", "cpu_us": 1.0}
    return [_run("holdwater", 0, per_s=ours, **keys), _run("kafka", 0, per_s=theirs, **keys)]


@pytest.mark.parametrize(("ours", "met"), [(2000.0, True), (1999.0, False)])
def test_an_aim_in_times_of_the_other_side(ours: float, met: bool) -> None:
    row = next(row for _, rows in TABLES for row in rows if (row.mode, row.workload, row.metric) == ("fresh", "write 1KiB", "per_s"))
    found = figure(row, _writes(ours, 1000.0))
    assert found is not None
    assert found.met is met


def test_an_aim_without_the_other_side_is_not_judged() -> None:
    row = next(row for _, rows in TABLES for row in rows if row.workload == "write 1KiB")
    found = figure(row, _writes(5.0, 1.0)[:1])
    assert found is not None
    assert found.met is None


def test_a_limit_in_seconds_needs_no_other_side() -> None:
    pauses = [_run("holdwater", turn, part="pause", workload="kill", pause_s=seconds) for turn, seconds in enumerate((0.9, 1.0, 3.0))]
    row = next(row for _, rows in TABLES for row in rows if row.metric == "pause_s" and row.aim is not None)
    found = figure(row, pauses)
    assert found is not None
    assert found.met is True
    assert found.ours == spread([0.9, 1.0, 3.0])


def test_what_was_not_measured_has_no_row() -> None:
    found = tables(_writes(2.0, 1.0))
    assert [title for title, _ in found] == ["Throughput, fresh against fresh"]


def test_every_level_of_durability_has_its_rows_and_settings() -> None:
    measured = {workload for level in LEVELS for workload in (f"write, {level}", f"one at a time, {level}")}
    rows = [row for _, rows in TABLES for row in rows if row.part == "durability"]
    assert {row.workload for row in rows} == measured
    assert {row.workload for row in rows if row.ours_alone} == {"write, interval", "one at a time, interval"}
    for level, sides in LEVELS.items():
        assert durability_of({**DEFAULTS, **sides["holdwater"]}) == EXPECTED[level]
    assert PARTS["durability"] is durability.run


EXPECTED = {"page-cache": None, "interval": Durability(INTERVAL, 2**63 - 1, 100), "fsync": Durability(FSYNC, 1, None)}
DEFAULTS = {"holdwater.durable.acks": "false", "flush.messages": str(2**63 - 1), "flush.ms": str(2**63 - 1)}


def _everything() -> list[dict[str, Any]]:
    """A measurement for every row, without those that the other side has not."""
    runs: list[dict[str, Any]] = []
    for row in (row for _, rows in TABLES for row in rows):
        for system in ("holdwater",) if row.ours_alone else ("holdwater", "kafka"):
            keys = {"part": row.part, "mode": row.mode, "workload": row.workload, "controller": False, "led": 2, "return_pause_s": 1.0}
            runs.append(_run(system, 0, **{**keys, row.metric: 1.0, "pause_s": 1.0}))
    return runs


def test_a_page_is_complete_without_what_the_other_side_has_not() -> None:
    runs = merged(_everything())
    assert is_complete(runs)
    for missing in ("holdwater", "kafka"):
        some = [run for run in runs if not (run["part"] == "durability" and run["workload"] == "write, fsync" and run["system"] == missing)]
        assert not is_complete(some)


def merged(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One measurement for each side of each workload, with all its figures."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for run in runs:
        key = (run["part"], run["mode"], run["workload"], run["system"])
        found[key] = {**found.get(key, {}), **run}
    return list(found.values())


def test_what_the_other_side_has_not_is_left_out_of_its_columns() -> None:
    row = next(row for _, rows in TABLES for row in rows if row.ours_alone and row.metric == "per_s")
    page = text({"runs": [_run("holdwater", 0, part=row.part, workload=row.workload, per_s=5.0)]})
    assert "interval: write [records/s]  5.00" in page
    assert "not measured" not in page


def test_the_page_names_verdicts_and_a_machine_that_was_not_idle() -> None:
    runs = _writes(1500.0, 1000.0)
    runs[0]["load"]["other_cores"] = 0.7
    sizes = {"run_s": 20, "read_s": 10, "warm_up_s": 30, "rounds": 3, "memory_wait_s": 30}
    versions = {"summary": "versions", "kafka": "4.4.0", "confluent_kafka": "2", "librdkafka": "2"}
    results = {"runs": runs, "machine": {"summary": "a machine"}, "versions": versions, "sizes": sizes, "command": "python -m benchmarks"}
    page = markdown(results)
    assert "| write 1 KiB, acks=all, RF 3 [records/s] | 1,500 | 1,000 | 1.50 | ≥ 2 × Kafka | **no** |" in page
    assert "not idle during 1 of 2 measurements" in page
    assert "Measured: 2030-01-01 00:00" in page
    assert "≥ 2 × Kafka" in text(results)


@pytest.mark.parametrize(("value", "shown"), [(0.123, "0.12"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346")])
def test_numbers_have_the_digits_that_matter(value: float, shown: str) -> None:
    assert number(value) == shown
