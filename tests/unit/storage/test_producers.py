"""Producers on one partition: idempotence, fencing, transactions, and their state across cuts and snapshots."""

import pytest
from tests.support.logs import DIRECTORY, append, batch, marker, new_disk, new_log, produced, raw

from holdwater.kernel.ports import AbortedTransaction, CorruptRecords
from holdwater.storage.log import PartitionLog
from holdwater.storage.producer_snapshot import decode_snapshot, encode_snapshot
from holdwater.storage.producers import COMPLETED_LIMIT, CompletedTransaction, ProducedBatch, Producers, ProducerState
from holdwater.wire.records import MAX_SEQUENCE


def code(log: PartitionLog, data: bytes, **how: int) -> int:
    """Error code of an append."""
    return append(log, data, **how).error_code


# Idempotence


def test_sequences_must_follow_one_another() -> None:
    log = new_log()
    assert code(log, produced(1, 0, "a", "b")) == 0
    assert code(log, produced(1, 3, "x")) == 45
    assert code(log, produced(1, 1, "x")) == 45
    assert code(log, produced(1, 2, "c")) == 0
    assert log.log_end_offset == 3


def test_a_retry_of_the_last_five_batches_returns_the_first_offset() -> None:
    log = new_log()
    sent = [produced(1, 2 * n, "a", "b") for n in range(6)]
    for data in sent:
        append(log, data)
    for n, data in enumerate(sent[1:], start=1):
        assert append(log, data) == (0, 2 * n, 2 * n + 1, -1, True)
    assert code(log, sent[0]) == 45, "six batches ago: no longer known"
    assert log.log_end_offset == 12


def test_a_retry_with_another_shape_is_no_retry() -> None:
    log = new_log()
    append(log, produced(1, 0, "a", "b"))
    assert code(log, produced(1, 0, "a")) == 45
    assert code(log, produced(1, 0, "a", "b", "c")) == 45


def test_an_unknown_producer_may_start_anywhere() -> None:
    log = new_log()
    assert code(log, produced(9, 500, "a")) == 0
    assert code(log, produced(9, 501, "b")) == 0
    assert code(log, produced(8, 7, "c", epoch=3)) == 0


def test_a_new_epoch_starts_at_sequence_zero_and_fences_the_old_one() -> None:
    log = new_log()
    append(log, produced(1, 0, "a", epoch=2))
    assert code(log, produced(1, 1, "b", epoch=3)) == 45
    assert code(log, produced(1, 0, "b", epoch=3)) == 0
    assert code(log, produced(1, 1, "c", epoch=2)) == 47
    assert code(log, produced(1, 0, "a", epoch=2)) == 47, "a retry in an old epoch is fenced, not answered"


def test_sequences_wrap_after_the_largest() -> None:
    log = new_log()
    append(log, produced(1, MAX_SEQUENCE - 1, "a", "b"))
    assert append(log, produced(1, MAX_SEQUENCE - 1, "a", "b")).duplicate
    assert code(log, produced(1, 1, "x")) == 45
    assert code(log, produced(1, 0, "c")) == 0
    log = new_log()
    straddling = produced(1, MAX_SEQUENCE, "a", "b", "c")
    append(log, straddling)
    assert append(log, straddling).duplicate
    assert code(log, produced(1, 2, "d")) == 0


def test_batches_without_sequences_are_a_coordinators() -> None:
    log = new_log()
    offsets_commit = batch("a", producer_id=1, producer_epoch=4, base_sequence=-1, transactional=True)
    assert code(log, offsets_commit) == 0
    assert code(log, offsets_commit) == 0, "no sequence, no duplicate"
    assert code(log, batch("a", producer_id=1, producer_epoch=3, base_sequence=-1, transactional=True)) == 47


def test_retries_of_a_topic_that_stamps_records_get_the_stamp_of_the_first_time() -> None:
    log = new_log(message_timestamp_type="LogAppendTime")
    data = produced(1, 0, "a")
    assert append(log, data, wall_ms=700) == (0, 0, 0, 700, False)
    assert append(log, data, wall_ms=900) == (0, 0, 0, 700, True)


def test_idle_producers_are_forgotten_unless_a_transaction_is_open() -> None:
    log = new_log(producer_id_expiration_ms=1_000)
    append(log, produced(1, 0, "a"))
    append(log, produced(2, 0, "a", transactional=True))
    append(log, produced(3, 0, "a", timestamp_ms=1_500))
    assert log.expire_producers(1_999, 1_000) == 0
    assert log.expire_producers(2_000, 1_000) == 1
    assert sorted(log.producers.states) == [2, 3]
    assert code(log, produced(1, 7, "b")) == 0


# Transactions


def test_the_last_stable_offset_stands_before_the_earliest_open_transaction() -> None:
    log = new_log()
    append(log, batch("0"))
    append(log, produced(1, 0, "1", transactional=True))
    append(log, produced(2, 0, "2", transactional=True))
    append(log, produced(1, 1, "3", transactional=True))
    assert log.last_stable_offset(4) == 1
    assert log.last_stable_offset(1) == 1
    assert log.last_stable_offset(0) == 0
    assert (log.open_transaction(1), log.open_transaction(2), log.open_transaction(3)) == (1, 2, -1)
    append(log, marker(1, committed=True))  # offset 4
    assert log.last_stable_offset(4) == 1, "its marker is not below the high watermark"
    assert log.last_stable_offset(5) == 2
    append(log, marker(2, committed=False))  # offset 5
    assert log.last_stable_offset(5) == 2
    assert log.last_stable_offset(6) == 6


def test_the_last_stable_offset_is_not_below_the_log_start() -> None:
    log = new_log()
    append(log, produced(1, 0, "a", transactional=True))
    append(log, batch("b"))
    log.advance_log_start(1)
    assert log.last_stable_offset(2) == 1


def test_a_plain_record_inside_a_transaction_is_refused() -> None:
    log = new_log()
    append(log, produced(1, 0, "a", transactional=True))
    assert code(log, produced(1, 1, "b")) == 48
    append(log, marker(1, committed=True))
    assert code(log, produced(1, 1, "b")) == 0


def test_aborted_transactions_are_found_by_the_range_they_overlap() -> None:
    log = new_log(segment_bytes=250)
    for producer_id, committed in ((1, False), (2, True), (3, False)):  # offsets 0-2, 3-5, 6-8
        append(log, produced(producer_id, 0, "a", transactional=True))
        append(log, produced(producer_id, 1, "b", transactional=True))
        append(log, marker(producer_id, committed=committed))
    assert log.segment_count > 2
    one, three = AbortedTransaction(1, 0), AbortedTransaction(3, 6)
    assert log.aborted_transactions(0, 9) == [one, three]
    assert log.aborted_transactions(2, 6) == [one]
    assert log.aborted_transactions(3, 6) == []
    assert log.aborted_transactions(3, 7) == [three]
    assert log.aborted_transactions(8, 9) == [three]


def test_interleaved_aborted_transactions_are_all_found() -> None:
    log = new_log()
    append(log, produced(1, 0, "a", transactional=True))  # 0
    append(log, produced(2, 0, "a", transactional=True))  # 1
    append(log, marker(2, committed=False))  # 2, last stable offset 0
    append(log, produced(2, 1, "b", transactional=True))  # 3
    append(log, marker(1, committed=False))  # 4, last stable offset 3
    append(log, marker(2, committed=False))  # 5
    assert log.aborted_transactions(0, 1) == [(1, 0)]
    assert log.aborted_transactions(0, 6) == [(2, 1), (1, 0), (2, 3)]
    assert log.aborted_transactions(1, 2) == [(2, 1), (1, 0)]


def test_markers_of_old_epochs_and_coordinators_are_fenced() -> None:
    log = new_log()
    append(log, produced(1, 0, "a", epoch=5, transactional=True))
    assert code(log, marker(1, committed=True, epoch=4)) == 47
    assert code(log, marker(1, committed=True, epoch=5, coordinator_epoch=8)) == 0
    append(log, produced(1, 1, "b", epoch=5, transactional=True))
    assert code(log, marker(1, committed=True, epoch=5, coordinator_epoch=7)) == 52
    assert code(log, marker(1, committed=True, epoch=5, coordinator_epoch=8)) == 0


def test_markers_of_transactions_version_2_come_with_the_next_epoch() -> None:
    log = new_log()
    append(log, produced(1, 0, "a", epoch=5, transactional=True))
    assert code(log, marker(1, committed=True, epoch=5), transaction_version=2) == 47
    assert code(log, marker(1, committed=True, epoch=6), transaction_version=2) == 0
    assert code(log, marker(1, committed=True, epoch=6), transaction_version=2) == 0, "the coordinator may repeat it"
    append(log, produced(1, 0, "b", epoch=6, transactional=True))
    assert code(log, marker(1, committed=False, epoch=6), transaction_version=2) == 47, "a late marker must not end the next transaction"
    assert log.open_transaction(1) == 3
    append(log, produced(2, 0, "a", epoch=32_767, transactional=True))
    assert code(log, marker(2, committed=True, epoch=32_767), transaction_version=2) == 0, "there is no next epoch"


def test_a_marker_bumps_the_epoch_and_the_next_batch_starts_at_zero() -> None:
    log = new_log()
    append(log, produced(1, 0, "a", "b", epoch=5, transactional=True))
    append(log, marker(1, committed=True, epoch=6), transaction_version=2)
    assert code(log, produced(1, 2, "c", epoch=5, transactional=True)) == 47
    assert code(log, produced(1, 2, "c", epoch=6, transactional=True)) == 45
    assert code(log, produced(1, 0, "c", epoch=6, transactional=True)) == 0


def test_a_marker_without_records_changes_no_stable_offset() -> None:
    log = new_log()
    append(log, marker(1, committed=False))
    assert log.last_stable_offset(1) == 1
    assert log.aborted_transactions(0, 1) == []
    assert log.producers.states[1].coordinator_epoch == 0


def test_many_transactions_above_the_high_watermark_are_kept_in_bounds_and_stay_unstable() -> None:
    log = new_log()
    append(log, batch("0"))
    for n in range(COMPLETED_LIMIT + 10):
        append(log, produced(n, 0, "a", transactional=True))
        append(log, marker(n, committed=True))
    assert len(log.producers.completed) <= COMPLETED_LIMIT
    assert log.last_stable_offset(2) == 1
    assert log.last_stable_offset(log.log_end_offset) == log.log_end_offset
    assert log.producers.completed == []


# Followers, cuts, snapshots


def story(log: PartitionLog) -> None:
    """Records of three producers and several transactions, over some segments."""
    for n in range(7):
        append(log, produced(1, n, "a"))
    append(log, produced(2, 0, "b", transactional=True))
    append(log, produced(3, 0, "c", transactional=True))
    append(log, marker(2, committed=False))
    append(log, produced(2, 1, "d", transactional=True))
    append(log, marker(3, committed=True, coordinator_epoch=2))
    append(log, produced(1, 7, "e"))
    append(log, produced(4, 40, "f", epoch=6))


def same(ours: Producers, theirs: Producers) -> bool:
    return (ours.states, ours.open, ours.completed, ours.end_offset) == (theirs.states, theirs.open, theirs.completed, theirs.end_offset)


def test_a_follower_knows_what_its_leader_knows() -> None:
    leader, follower = new_log(segment_bytes=300), new_log(segment_bytes=500)
    story(leader)
    follower.append_as_follower(raw(leader), 0)
    leader.producers.end_offset = follower.producers.end_offset = leader.log_end_offset
    assert same(follower.producers, leader.producers)
    assert follower.aborted_transactions(0, 99) == leader.aborted_transactions(0, 99) == [(2, 7)]


def test_a_follower_never_refuses_what_its_leader_took() -> None:
    follower = new_log()
    data = b"".join([produced(1, 5, "a", epoch=3), produced(1, 9, "b", epoch=2), produced(1, 9, "c", epoch=2)])
    position = 0
    for offset in range(3):
        size = len(data) // 3
        one = data[position : position + size]
        follower.append_as_follower(offset.to_bytes(8, "big") + one[8:12] + bytes(4) + one[16:], 0)  # as the leader of epoch 0 stored it
        position += size
    assert follower.log_end_offset == 3
    assert follower.producers.states[1].producer_epoch == 2


@pytest.mark.parametrize("segment_bytes", [100, 300, 1 << 20])
def test_after_a_cut_the_state_is_that_of_the_log_that_is_left(segment_bytes: int) -> None:
    whole = new_log()
    story(whole)
    for cut in range(whole.log_end_offset + 1):
        log, expected = new_log(segment_bytes=segment_bytes), new_log()
        story(log)
        log.truncate_to(cut)
        if cut:
            expected.append_as_follower(whole.read(0, 1 << 20, cut, at_least_one=True), 0)
        expected.producers.end_offset = cut
        assert same(log.producers, expected.producers), cut
        assert log.aborted_transactions(0, cut) == expected.aborted_transactions(0, cut)


def test_a_snapshot_brings_everything_back() -> None:
    log = new_log()
    story(log)
    log.producers.end_offset = log.log_end_offset
    assert same(decode_snapshot(encode_snapshot(log.producers), log.log_end_offset), log.producers)


def test_a_snapshot_of_apache_kafka_brings_the_last_batch_back() -> None:
    producers = Producers(10)
    state = ProducerState(7, 3)
    state.coordinator_epoch = 2
    state.last_timestamp_ms = 1_234
    state.transaction_start = 6
    state.batches = [ProducedBatch(4, 5, 1, 1_000), ProducedBatch(9, 8, 2, 1_234)]
    producers.states[7] = state
    ours = encode_snapshot(producers)
    kafkas_body = ours[6 : 6 + 4 + 46]
    from holdwater.wire.records import crc32c

    read = decode_snapshot(b"\0\1" + crc32c(kafkas_body).to_bytes(4, "big") + kafkas_body, 10)
    assert read.open == {6: 7}
    state.batches = state.batches[1:]
    assert read.states == {7: state}
    assert read.completed == []


@pytest.mark.parametrize("cut", range(0, 120, 7))
def test_damaged_snapshots_are_refused(cut: int) -> None:
    log = new_log()
    story(log)
    content = encode_snapshot(log.producers)
    with pytest.raises(CorruptRecords):
        decode_snapshot(content[:cut], 5)
    with pytest.raises(CorruptRecords):
        decode_snapshot(content[:cut] + bytes([content[cut] ^ 4]) + content[cut + 1 :], 5)


def test_a_damaged_snapshot_is_passed_over_for_an_older_one() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=300)
    story(log)
    names = [name for name in disk.list_directory(DIRECTORY) if name.endswith(".snapshot")]
    disk.damage(f"{DIRECTORY}/{names[-1]}", 20, 1)
    expected = new_log()
    end = log.log_end_offset - 1
    expected.append_as_follower(log.read(0, 1 << 20, end, at_least_one=True), 0)
    while expected.log_end_offset < end:
        expected.append_as_follower(log.read(expected.log_end_offset, 1 << 20, end, at_least_one=True), 0)
    log.truncate_to(end)
    expected.producers.end_offset = end
    assert same(log.producers, expected.producers)
    assert names[-1] not in disk.list_directory(DIRECTORY)


def test_completed_transactions_are_in_the_order_of_their_markers() -> None:
    log = new_log()
    story(log)
    assert log.producers.completed == [CompletedTransaction(2, 7, 9), CompletedTransaction(3, 8, 11)]
