"""Last stable offsets by batches alone."""

from holdwater.kernel.ports import BatchHeader
from holdwater.sim.invariants.spans import Spans
from holdwater.wire.records import Record, build_batch, end_transaction_batch, parse_header


def data(producer_id: int, base_offset: int, *, transactional: bool = True) -> BatchHeader:
    batch = build_batch(
        [Record(0, 0, None, b"v", [])], base_offset=base_offset, producer_id=producer_id, producer_epoch=0, transactional=transactional
    )
    return parse_header(batch)


def marker(producer_id: int, base_offset: int) -> BatchHeader:
    batch = end_transaction_batch(committed=True, producer_id=producer_id, producer_epoch=0, coordinator_epoch=0, timestamp_ms=0)
    return parse_header(base_offset.to_bytes(8, "big") + batch[8:])


def test_what_is_in_no_transaction_is_stable() -> None:
    spans = Spans()
    spans.take(data(1, 0, transactional=False))
    assert not spans.is_used
    assert spans.last_stable_offset(1) == 1


def test_an_open_transaction_is_where_it_ends() -> None:
    spans = Spans()
    for header in (data(1, 3), data(2, 4), data(1, 5)):
        spans.take(header)
    assert [spans.last_stable_offset(mark) for mark in (2, 3, 6)] == [2, 3, 3]
    spans.take(marker(1, 6))
    assert spans.last_stable_offset(6) == 3  # its marker is not committed yet
    assert spans.last_stable_offset(7) == 4
    spans.take(marker(2, 7))
    assert spans.last_stable_offset(8) == 8


def test_markers_without_records_change_nothing() -> None:
    spans = Spans()
    spans.take(marker(9, 0))
    spans.take(data(1, 1))
    assert spans.last_stable_offset(2) == 1


def test_a_log_that_is_read_anew_is_forgotten() -> None:
    spans = Spans()
    spans.take(data(1, 0))
    spans.clear()
    assert spans.last_stable_offset(4) == 4


def test_what_a_broker_has_loaded_may_be_stable_before_its_marker_is_committed() -> None:
    spans = Spans()
    for header in (data(1, 3), marker(1, 4)):
        spans.take(header)
    spans.loaded(5)
    assert [offset for offset in range(6) if spans.may_be(offset, 4, 5)] == [3, 4]
    assert [offset for offset in range(6) if spans.may_be(offset, 4, 4)] == [3], "no replica ever had the marker below its high watermark"
    for header in (data(2, 5), marker(2, 6)):
        spans.take(header)
    assert [offset for offset in range(8) if spans.may_be(offset, 5, 7)] == [5]
    assert [offset for offset in range(8) if spans.may_be(offset, 6, 7)] == [5]
    assert [offset for offset in range(8) if spans.may_be(offset, 7, 7)] == [7]


def test_a_snapshot_misses_only_what_ended_before_it() -> None:
    """It was written between the markers; the one behind it is read from the log. Seed 340571."""
    spans = Spans()
    for header in (data(1, 3), data(2, 4), marker(1, 5), marker(2, 6)):
        spans.take(header)
    spans.loaded(7)
    assert [offset for offset in range(8) if spans.may_be(offset, 5, 7)] == [3, 4, 5]
