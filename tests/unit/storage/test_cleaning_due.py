"""When a log is due for compaction, and how far a round may go."""

import pytest
from tests.support.compaction import look, put
from tests.support.logs import new_log

SMALL = {"segment_bytes": 200, "index_interval_bytes": 60, "compact": True}
"""Two batches of one record each fill a segment."""


def test_bytes_below_and_above_the_last_round() -> None:
    log = new_log(**SMALL, min_cleanable_dirty_ratio=0.5)
    for n in range(8):
        put(log, (f"k{n}", "x" * 20))
    segments = [segment.base_offset for segment in log.chain.segments]
    assert segments == [0, 2, 4, 6]
    size = log.chain.segments[0].size
    found = look(log)
    assert found[:4] == (0, 6, 0, 3 * size)
    assert found.is_due
    found = look(log, 4)
    assert found[:4] == (4, 6, 2 * size, size)
    assert not found.is_due
    assert look(log, 2).is_due
    found = look(log, 6)
    assert found[:4] == (6, 6, 3 * size, 0)
    assert not found.is_due


@pytest.mark.parametrize("stale", [99, -1, 1], ids=["above the end", "below zero", "below the start"])
def test_an_offset_that_does_not_fit_starts_over(stale: int) -> None:
    log = new_log(**SMALL)
    for n in range(8):
        put(log, (f"k{n}", "x" * 20))
    log.advance_log_start(2)
    assert look(log, stale).first_dirty_offset == 2


def test_what_is_younger_than_min_compaction_lag_is_left_alone() -> None:
    log = new_log(**SMALL, min_compaction_lag_ms=1_000)
    for n in range(8):
        put(log, (f"k{n}", "x" * 20), timestamp_ms=1_000 + n)
    assert look(log, wall_ms=2_002).end_offset == 2
    assert look(log, wall_ms=2_003).end_offset == 4
    assert look(log, wall_ms=9_000).end_offset == 6
    assert look(log, high_watermark=3, wall_ms=9_000).end_offset == 2


def test_what_is_older_than_max_compaction_lag_is_due_at_any_ratio() -> None:
    log = new_log(**SMALL, max_compaction_lag_ms=500, min_cleanable_dirty_ratio=1.0)
    for n in range(8):
        put(log, (f"k{n}", "x" * 20), timestamp_ms=1_000 + n)
    assert not look(log, wall_ms=1_500).is_due
    assert look(log, wall_ms=1_501).is_due
    assert not look(log, 4, wall_ms=1_504).is_due
    assert look(log, 4, wall_ms=1_505).is_due
    assert not look(log, 6, wall_ms=99_999).is_due
