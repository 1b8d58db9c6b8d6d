"""A consumer notices damage before it hands anything out: any flipped bit but those of a leader epoch."""

import pytest

from holdwater.kernel.ports import CorruptRecords
from holdwater.sim.workloads.reading import read_batches
from holdwater.wire.records import Record, build_batch, stamp_batch

LEADER_EPOCH_BYTES = range(12, 16)


def batch(base_offset: int, *values: str, leader_epoch: int = 3) -> bytes:
    records = [Record(0, 1_000, b"k", value.encode(), [("h", b"x")]) for value in values]
    return build_batch(records, base_offset=base_offset, leader_epoch=leader_epoch)


def test_batches_follow_each_other_from_the_position() -> None:
    first, second = batch(5, "a", "b"), stamp_batch(batch(7, "c", leader_epoch=4), 99)
    found = read_batches(first + second, 5, is_boundary=True)
    assert [(each.base_offset, each.end_offset, each.leader_epoch, each.stamped, each.data) for each in found] == [
        (5, 7, 3, False, first),
        (7, 8, 4, True, second),
    ]
    assert [(record.offset, record.value, record.timestamp_ms) for each in found for record in each.records] == [
        (5, b"a", 1_000),
        (6, b"b", 1_000),
        (7, b"c", 99),
    ]


def test_the_position_may_lie_inside_the_first_batch_where_none_begins() -> None:
    assert read_batches(batch(5, "a", "b"), 6, is_boundary=False)[0].base_offset == 5
    for position in (4, 7):
        with pytest.raises(CorruptRecords):
            read_batches(batch(5, "a", "b"), position, is_boundary=False)


@pytest.mark.parametrize(
    ("data", "position"),
    [
        pytest.param(batch(5, "a", "b"), 6, id="the first batch begins before the position"),
        pytest.param(batch(5, "a"), 4, id="the first batch begins behind the position"),
        pytest.param(batch(5, "a") + batch(7, "b"), 5, id="a gap"),
        pytest.param(batch(5, "a") + batch(5, "b"), 5, id="an offset twice"),
        pytest.param(batch(5, "a") + b"\0" * 20, 5, id="something behind the last batch"),
        pytest.param(batch(5, "a")[:-1], 5, id="no whole batch"),
    ],
)
def test_answers_that_may_not_be(data: bytes, position: int) -> None:
    with pytest.raises(CorruptRecords):
        read_batches(data, position, is_boundary=True)


def test_any_flipped_bit_is_noticed() -> None:
    data = batch(5, "a", "b") + batch(7, "c")
    second = len(batch(5, "a", "b"))
    for position in range(len(data)):
        if position in LEADER_EPOCH_BYTES or position - second in LEADER_EPOCH_BYTES:
            continue
        for bit in range(8):
            damaged = data[:position] + bytes([data[position] ^ (1 << bit)]) + data[position + 1 :]
            with pytest.raises(CorruptRecords):
                read_batches(damaged, 5, is_boundary=True)
