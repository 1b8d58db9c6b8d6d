"""A follower becomes, and stays, a prefix of its leader's log."""

import pytest
from tests.support.logs import append, batch, fill, new_log, raw, values

from holdwater.core.replica import FollowerReplica
from holdwater.kernel.ports import CorruptRecords
from holdwater.storage.log import PartitionLog
from holdwater.wire.records import parse_header


def follower(log: PartitionLog, high_watermark: int = 0) -> FollowerReplica:
    return FollowerReplica(log=log, leader_id=1, leader_epoch=3, partition_epoch=0, high_watermark=high_watermark)


def leaders_log(*epochs: tuple[int, int]) -> PartitionLog:
    """A log of one-record batches: (leader epoch, records) each; of a negative leader epoch nothing is known, as of records of old formats."""
    log = new_log()
    for epoch, count in epochs:
        if epoch >= 0:
            log.assign_epoch(epoch)
        fill(log, *([1] * count), epoch=epoch)
    return log


def test_what_the_leader_sends_is_stored_to_the_byte() -> None:
    source = leaders_log((0, 3), (2, 2))
    replica = follower(new_log())
    assert replica.append(raw(source), 4, 0, 1000) == 5
    assert raw(replica.log) == raw(source)
    assert replica.high_watermark == 4


def test_the_high_watermark_never_passes_the_own_end_nor_falls() -> None:
    source = leaders_log((0, 3))
    replica = follower(new_log())
    replica.append(raw(source), 99, 0, 1000)
    assert replica.high_watermark == 3
    replica.append(b"", 1, 0, 1000)
    assert replica.high_watermark == 3


def test_bytes_that_do_not_continue_the_log_are_refused() -> None:
    source = leaders_log((0, 2))
    replica = follower(source)
    with pytest.raises(CorruptRecords):
        replica.append(batch("x"), 2, 0, 1000)
    assert values(replica.log) == values(leaders_log((0, 2)))


@pytest.mark.parametrize(
    ("own", "diverging_epoch", "leader_end", "expected_end"),
    [
        pytest.param([(0, 3), (1, 2)], 1, 4, 4, id="the same epoch, the leader has less of it"),
        pytest.param([(0, 3), (1, 2)], 1, 9, 5, id="the same epoch, the leader has more of it: nothing to cut"),
        pytest.param([(0, 3), (2, 2)], 1, 4, 3, id="an epoch this log does not know: to the end of the one before (KIP-279)"),
        pytest.param([(2, 3)], 1, 3, 0, id="an epoch before all that this log knows, of the same length: nothing is shared"),
        pytest.param([(2, 5)], 1, 3, 0, id="an epoch before all that this log knows, the leader has less"),
        pytest.param([(0, 5)], 0, 3, 3, id="uncommitted records of an old leader"),
    ],
)
def test_the_log_is_cut_where_histories_part(own: list[tuple[int, int]], diverging_epoch: int, leader_end: int, expected_end: int) -> None:
    replica = follower(leaders_log(*own), high_watermark=min(2, expected_end))
    assert replica.truncate_after_divergence(diverging_epoch, leader_end) == expected_end
    assert replica.high_watermark == min(2, expected_end)


def test_records_before_the_first_known_epoch_are_kept_when_the_leader_names_an_earlier_one() -> None:
    log = leaders_log((-1, 3), (2, 2))
    replica = follower(log)
    assert replica.log.epoch_entries() == [(2, 3)]
    assert replica.truncate_after_divergence(1, 5) == 3


def test_without_any_known_epoch_the_leaders_end_decides() -> None:
    for epoch in (-1, 1):
        replica = follower(leaders_log((-1, 5)))
        assert replica.truncate_after_divergence(epoch, 4) == 4


def test_an_epoch_without_records_is_forgotten_though_nothing_is_cut() -> None:
    log = leaders_log((0, 3))
    log.assign_epoch(2)  # it led for a moment, and nobody wrote
    replica = follower(log)
    assert replica.truncate_after_divergence(0, 3) == 3
    assert replica.log.latest_epoch == 0


def test_an_unclean_election_may_cut_below_the_high_watermark_and_then_it_follows() -> None:
    replica = follower(leaders_log((0, 5)), high_watermark=5)
    assert replica.truncate_after_divergence(0, 2) == 2
    assert replica.high_watermark == 2


@pytest.mark.parametrize(("epoch", "leader_end"), [(0, 2), (-1, 2), (0, 3)])
def test_an_unclean_election_may_cut_below_the_log_start_and_then_it_follows(epoch: int, leader_end: int) -> None:
    """As in Apache Kafka: records that the new leader commits below the old log start would be missing here, and nobody would notice."""
    log = leaders_log((0, 3), (1, 4))
    log.advance_log_start(5)
    replica = follower(log, high_watermark=6)
    assert replica.truncate_after_divergence(epoch, leader_end) == leader_end
    assert (log.log_start_offset, log.log_end_offset, replica.high_watermark) == (leader_end, leader_end, leader_end)
    source = leaders_log((0, leader_end), (3, 6))
    replica.append(source.read(leader_end, 1 << 20, 9, at_least_one=True), leader_end + 6, 0, 1000)
    assert (log.log_start_offset, log.log_end_offset) == (leader_end, leader_end + 6)


def test_a_leader_that_has_moved_on_is_followed_from_its_start() -> None:
    replica = follower(leaders_log((0, 2)), high_watermark=2)
    replica.restart_at(40)
    assert (replica.log.log_start_offset, replica.log.log_end_offset, replica.high_watermark) == (40, 40, 40)


@pytest.mark.parametrize("start", [3, 4, 5])
def test_a_leaders_log_that_starts_inside_a_batch_is_followed_from_there(start: int) -> None:
    source = new_log()
    append(source, batch("a", "b", "c"))
    append(source, batch("d", "e", "f"))
    source.advance_log_start(start)
    replica = follower(leaders_log((0, 2)), high_watermark=2)
    replica.restart_at(start)
    assert replica.append(source.read(start, 1 << 20, 6, at_least_one=True), 6, start, 1000) == 6
    assert (replica.log.log_start_offset, replica.high_watermark) == (start, 6)
    assert replica.log.read(start, 1 << 20, 6, at_least_one=True) == source.read(start, 1 << 20, 6, at_least_one=True)


def test_an_empty_log_is_left_alone_when_the_batch_that_came_is_damaged_or_ends_before_it() -> None:
    source = new_log()
    append(source, batch("a", "b", "c"))
    data = bytearray(raw(source))
    replica = follower(leaders_log((0, 2)))
    replica.restart_at(3)
    with pytest.raises(CorruptRecords):
        replica.append(bytes(data), 3, 0, 1000)
    replica.restart_at(1)
    data[-1] ^= 1
    with pytest.raises(CorruptRecords):
        replica.append(bytes(data), 3, 1, 1000)
    assert (replica.log.log_start_offset, replica.log.log_end_offset) == (1, 1)


def test_a_log_that_ends_where_the_leaders_starts_inside_a_batch_gives_way_to_that_batch() -> None:
    """Its last records are of an election ago and were deleted in the leader's history; they are one batch here, and another there."""
    source = leaders_log((0, 2))
    source.assign_epoch(2)
    fill(source, 3, 1, epoch=2)
    source.advance_log_start(3)
    replica = follower(leaders_log((0, 3)), high_watermark=1)
    sent = source.read(3, 1 << 20, 6, at_least_one=True)
    assert parse_header(sent).base_offset == 2, "it comes whole"
    assert replica.append(sent, 6, 3, 1000) == 6
    assert (replica.log.log_start_offset, replica.high_watermark) == (3, 6)
    assert replica.log.read(3, 1 << 20, 6, at_least_one=True) == sent


@pytest.mark.parametrize(
    ("own", "high_watermark", "kept"),
    [
        pytest.param([(1, 2)], 1, False, id="above the high watermark, of an older leader epoch: it may be of an election that was lost"),
        pytest.param([(1, 2)], 2, True, id="committed"),
        pytest.param([(1, 1), (3, 1)], 1, True, id="the last of it came from this leader"),
    ],
)
@pytest.mark.parametrize("idle", [True, False])
def test_what_may_not_be_shared_goes_when_the_leader_has_deleted_all_of_it(
    own: list[tuple[int, int]], high_watermark: int, kept: bool, idle: bool
) -> None:
    """Seed 312822: it came back when a crash had forgotten the log start."""
    source = leaders_log((0, 2), (3, 2))
    source.advance_log_start(2)
    replica = follower(leaders_log(*own), high_watermark)
    replica.append(b"" if idle else source.read(2, 1 << 20, 4, at_least_one=True), 4, 2, 1000)
    assert (replica.log.log_start_offset, replica.log.log_end_offset, replica.high_watermark) == ((2, 2, 2) if idle else (2, 4, 4))
    assert isinstance(replica.log, PartitionLog)
    assert (replica.log.chain.segments[0].base_offset == 0) is kept


def test_a_log_that_reaches_beyond_the_leaders_start_stays_when_what_comes_does_not_fit() -> None:
    source = leaders_log((0, 2))
    source.assign_epoch(2)
    fill(source, 3, epoch=2)
    source.advance_log_start(2)
    replica = follower(leaders_log((0, 3)), high_watermark=1)
    with pytest.raises(CorruptRecords):
        replica.append(source.read(3, 1 << 20, 5, at_least_one=True), 5, 2, 1000)
    assert replica.log.log_end_offset == 3


def test_a_log_start_inside_a_batch_does_not_fall_when_the_batch_behind_it_is_damaged() -> None:
    source = new_log()
    append(source, batch("a", "b", "c"))
    append(source, batch("d"))
    data = bytearray(raw(source))
    data[-1] ^= 1
    replica = follower(leaders_log((0, 2)))
    replica.restart_at(1)
    with pytest.raises(CorruptRecords):
        replica.append(bytes(data), 4, 1, 1000)
    assert (replica.log.log_start_offset, replica.log.log_end_offset) == (1, 3)


def test_the_leaders_log_start_is_taken_over_below_the_high_watermark_only() -> None:
    log = new_log()
    append(log, batch("a", "b", "c"))
    replica = follower(log, high_watermark=3)
    replica.append(b"", 3, 2, 1000)
    assert log.log_start_offset == 2
