"""Retention: which segments age and size let go, and what the log is afterwards."""

import pytest
from tests.support.compaction import keyed
from tests.support.logs import append, batch, fill, marker, new_disk, new_log, produced, producer_facts, read_all, reopen, values

from holdwater.kernel.ports import DiskFailure
from holdwater.sim.disk import Fault, Operation, SimDisk
from holdwater.storage.log import PartitionLog

NOW = 1_000_000


def make(disk: SimDisk | None = None, **settings: object) -> PartitionLog:
    """Four segments of two batches each, at offsets 0, 2, 4, 6; the timestamps of segment n are 1000 (n + 1) and 10 less."""
    log = new_log(disk, segment_bytes=170, retention_ms=-1, **settings)
    for n in range(4):
        for timestamp_ms in (1_000 * (n + 1), 1_000 * (n + 1) - 10):
            append(log, batch(f"{n}", timestamp_ms=timestamp_ms))
    assert [segment.base_offset for segment in log.chain.segments] == [0, 2, 4, 6]
    return log


def bases(log: PartitionLog) -> list[int]:
    return [segment.base_offset for segment in log.chain.segments]


SIZE = make().chain.segments[0].size
AGE_CASES = [
    (5_000 - 1_000, 5_000, 8, [0, 2, 4, 6]),
    (5_001 - 1_001, 5_001, 8, [2, 4, 6]),
    (1_999, 5_000, 8, [6]),
    (1_000, 5_000, 8, [6]),
    (999, 5_000, 8, [8]),
    (0, 5_000, 8, [8]),
    (0, 5_000, 7, [6]),
    (0, 5_000, 6, [6]),
    (0, 5_000, 5, [4, 6]),
    (0, 5_000, 0, [0, 2, 4, 6]),
    (-1, 10**15, 8, [0, 2, 4, 6]),
]


@pytest.mark.parametrize(("retention_ms", "wall_ms", "high_watermark", "left"), AGE_CASES)
def test_age(retention_ms: int, wall_ms: int, high_watermark: int, left: list[int]) -> None:
    log = make()
    log.configure(new_log(segment_bytes=170, retention_ms=retention_ms).config)
    assert log.delete_old_segments(high_watermark, wall_ms) == (left[0] > 0)
    assert bases(log) == left
    assert (log.log_start_offset, log.log_end_offset) == (left[0], 8)
    assert log.delete_old_segments(high_watermark, wall_ms) is False


SIZE_CASES = [
    (-1, 8, [0, 2, 4, 6]),
    (4 * SIZE, 8, [0, 2, 4, 6]),
    (4 * SIZE - 1, 8, [0, 2, 4, 6]),
    (3 * SIZE + 1, 8, [0, 2, 4, 6]),
    (3 * SIZE, 8, [2, 4, 6]),
    (SIZE, 8, [6]),
    (1, 8, [6]),
    (0, 8, [8]),
    (0, 7, [6]),
    (0, 3, [2, 4, 6]),
]


@pytest.mark.parametrize(("retention_bytes", "high_watermark", "left"), SIZE_CASES)
def test_size(retention_bytes: int, high_watermark: int, left: list[int]) -> None:
    log = make(retention_bytes=retention_bytes)
    assert log.delete_old_segments(high_watermark, NOW) == (left[0] > 0)
    assert bases(log) == left
    assert (log.log_start_offset, log.log_end_offset) == (left[0], 8)


def test_the_oldest_segment_that_must_stay_keeps_all_after_it() -> None:
    log = new_log(segment_bytes=170, retention_ms=1_000)
    for timestamp_ms in (9_000, 9_000, 1, 1, 1):
        append(log, batch("x", timestamp_ms=timestamp_ms))
    assert log.delete_old_segments(5, 9_500) is False
    assert log.delete_old_segments(5, 10_001) is True


def test_the_newest_record_of_a_segment_counts_wherever_it_stands() -> None:
    log = make()
    log.configure(new_log(segment_bytes=170, retention_ms=100).config)
    assert log.delete_old_segments(8, 1_095) is False, "the last record of the first segment is older than its first one"


def test_records_without_a_time_are_as_old_as_their_segment() -> None:
    log = new_log(segment_bytes=170, retention_ms=1_000)
    for wall_ms in (5_000, 5_000, 6_000):
        append(log, batch("x", timestamp_ms=-1), wall_ms=wall_ms)
    assert log.delete_old_segments(3, 1_000) is False
    assert log.delete_old_segments(3, 1_001) is True
    assert bases(log) == [2]
    assert log.delete_old_segments(3, 7_000) is False
    assert log.delete_old_segments(3, 7_001) is True


def test_a_topic_that_is_only_compacted_keeps_everything() -> None:
    log = make(delete=False, compact=True, retention_bytes=0)
    assert log.delete_old_segments(8, 10**15) is False


def test_compacted_and_deleted() -> None:
    log = new_log(segment_bytes=200, retention_ms=100, compact=True)
    for n in range(4):
        append(log, keyed(("a", str(n)), timestamp_ms=1_000 + n))
    assert log.delete_old_segments(4, 1_102) is True
    assert bases(log) == [2]


def test_an_emptied_log_goes_on_where_it_was() -> None:
    log = make(retention_bytes=0)
    log.assign_epoch(3)
    assert log.delete_old_segments(8, NOW)
    assert read_all(log) == []
    assert not log.delete_old_segments(8, NOW)
    fill(log, 1, epoch=3)
    assert values(log) == ["8"]
    assert log.epoch_entries() == [(3, 8)]


def test_producers_and_transactions_outlive_their_records() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=170, retention_ms=-1)
    for sequence in range(4):
        append(log, produced(5, sequence, "x", transactional=True))
    append(log, marker(5, committed=True))
    before = producer_facts(log)
    log.configure(new_log(segment_bytes=170, retention_bytes=0).config)
    assert log.delete_old_segments(4, NOW)
    assert log.log_start_offset == 4
    assert producer_facts(log) == before
    log.sync()
    disk.crash()
    again = reopen(disk, segment_bytes=170, log_start_offset=4)
    assert again.producers.states[5].last_sequence == 3


def test_the_new_start_is_stored_before_anything_goes() -> None:
    log = make(retention_bytes=SIZE)
    stored: list[tuple[int, list[int]]] = []
    log.before_removal = lambda offset: stored.append((offset, [base for base in (0, 2, 4) if exists(log, base)]))
    log.delete_old_segments(8, NOW)
    assert stored == [(6, [0, 2, 4])]
    assert not any(exists(log, base) for base in (0, 2, 4))


def exists(log: PartitionLog, base: int) -> bool:
    return log.disk.exists(f"{log.path}/{base:020d}.log")


def test_a_log_that_takes_nothing_more_loses_nothing_more() -> None:
    disk = new_disk()
    log = make(disk, retention_bytes=0)

    def on_operation(operation: Operation) -> Fault | None:
        return Fault.IO_ERROR if operation.name == "sync" else None

    disk.on_operation = on_operation
    with pytest.raises(DiskFailure):
        log.sync()
    disk.disarm_all()
    assert log.delete_old_segments(8, NOW) is False
    assert bases(log) == [0, 2, 4, 6]
