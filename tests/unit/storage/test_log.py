"""PartitionLog: appending, reading, rolling, cutting, leader epochs. Recovery and producers have files of their own."""

import pytest
from tests.support.logs import DIRECTORY, append, batch, fill, new_disk, new_log, raw, read_all, values

from holdwater.kernel.invariant import InvariantViolation
from holdwater.kernel.ports import CorruptRecords, DiskFailure, EpochEnd, Log
from holdwater.sim.disk import Fault, Operation, SimDisk
from holdwater.storage.config import LogConfig
from holdwater.storage.log import PartitionLog
from holdwater.storage.segment import TABLE_LIMIT
from holdwater.wire.records import Record, batches, build_batch, end_transaction_batch, parse_header


def offsets(data: bytes) -> list[tuple[int, int]]:
    """First and last offset of each batch; the bytes must be whole batches."""
    found = [(header.base_offset, header.base_offset + header.last_offset_delta, end) for _, header, end in batches(data)]
    assert not data or found[-1][2] == len(data)
    return [(first, last) for first, last, _ in found]


def test_a_log_is_a_log() -> None:
    log: Log = new_log()
    assert (log.log_start_offset, log.log_end_offset, log.synced_end_offset, log.latest_epoch) == (0, 0, 0, -1)
    assert log.size_bytes() == 0


def test_appends_get_the_next_offsets_and_the_epoch() -> None:
    log = new_log()
    assert append(log, batch("a", "b"), epoch=4) == (0, 0, 1, -1, False)
    assert append(log, batch("c", base_offset=77, leader_epoch=9), epoch=4) == (0, 2, 2, -1, False)
    data = log.read(0, 1 << 20, 3, at_least_one=True)
    headers = [header for _, header, _ in batches(data)]
    assert [(header.base_offset, header.partition_leader_epoch) for header in headers] == [(0, 4), (2, 4)]
    assert values(log) == ["a", "b", "c"]
    assert (log.log_end_offset, log.latest_epoch) == (3, 4)


@pytest.mark.parametrize("drop_table", [False, True])
def test_reads_return_whole_batches_within_their_bounds(drop_table: bool) -> None:
    log = new_log()
    fill(log, 3, 2, 4, 1)  # 0-2, 3-4, 5-8, 9
    size = len(batch("0", "1", "2"))
    if drop_table:
        log._active.drop_table()
    everything = 1 << 20
    assert offsets(log.read(0, everything, 10, at_least_one=True)) == [(0, 2), (3, 4), (5, 8), (9, 9)]
    assert offsets(log.read(4, everything, 10, at_least_one=True)) == [(3, 4), (5, 8), (9, 9)]
    assert offsets(log.read(8, everything, 10, at_least_one=True)) == [(5, 8), (9, 9)]
    assert log.read(10, everything, 10, at_least_one=True) == b""
    # below the upper offset, never part of a batch
    assert offsets(log.read(0, everything, 9, at_least_one=True)) == [(0, 2), (3, 4), (5, 8)]
    assert offsets(log.read(0, everything, 8, at_least_one=True)) == [(0, 2), (3, 4)]
    assert offsets(log.read(0, everything, 3, at_least_one=True)) == [(0, 2)]
    assert log.read(0, everything, 2, at_least_one=True) == b""
    assert log.read(5, everything, 5, at_least_one=True) == b""
    # within the bytes
    assert offsets(log.read(0, size, 10, at_least_one=False)) == [(0, 2)]
    assert offsets(log.read(0, size + 1, 10, at_least_one=False)) == [(0, 2)]
    assert log.read(0, size - 1, 10, at_least_one=False) == b""
    assert offsets(log.read(0, size - 1, 10, at_least_one=True)) == [(0, 2)]
    assert offsets(log.read(1, 0, 10, at_least_one=True)) == [(0, 2)]
    assert log.read(0, 0, 2, at_least_one=True) == b""


def test_reads_far_behind_the_tail_go_through_the_index() -> None:
    log = new_log(index_interval_bytes=300)
    fill(log, *[1] * (TABLE_LIMIT + 100))
    assert log._active.bases[0] > 1_000
    for offset in (0, 1, 57, 999, TABLE_LIMIT + 99):
        data = log.read(offset, 400, log.log_end_offset, at_least_one=True)
        assert offsets(data)[0] == (offset, offset)
    assert [record.offset for record in read_all(log, max_bytes=500)] == list(range(TABLE_LIMIT + 100))


def test_a_large_batch_between_small_ones_is_read_from_any_offset() -> None:
    log = new_log(index_interval_bytes=100)
    fill(log, 1, 2)
    append(log, build_batch([Record(0, 1_000, None, bytes(50_000)), Record(0, 1_000, None, bytes(50_000))]))
    fill(log, 1, 1)
    log._active.drop_table()
    assert offsets(log.read(4, 10, 7, at_least_one=True)) == [(3, 4)]
    assert offsets(log.read(5, 1 << 20, 7, at_least_one=True)) == [(5, 5), (6, 6)]
    assert offsets(log.read(0, 1 << 20, 7, at_least_one=True)) == [(0, 0), (1, 2), (3, 4), (5, 5), (6, 6)]


def test_segments_roll_by_size_and_reads_cross_them_one_by_one() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=200)
    fill(log, *[1] * 12)
    assert log.segment_count > 3
    names = [name for name in disk.list_directory(DIRECTORY) if name.endswith(".log")]
    assert len(names) == log.segment_count
    assert names[0] == "00000000000000000000.log"
    assert values(log) == [str(n) for n in range(12)]
    for offset in range(12):
        assert offsets(log.read(offset, 1 << 20, 12, at_least_one=True))[0] == (offset, offset)
        assert all(last < 5 for _, last in offsets(log.read(offset, 1 << 20, 5, at_least_one=True)))
    for name in names[:-1]:
        assert len(disk.read_file(f"{DIRECTORY}/{name}")) <= 200
        assert disk.exists(f"{DIRECTORY}/{name[:20]}.index")
        assert disk.exists(f"{DIRECTORY}/{name[:20]}.timeindex")


def test_a_batch_larger_than_a_segment_gets_one_of_its_own() -> None:
    log = new_log(segment_bytes=100)
    append(log, batch("x" * 500))
    append(log, batch("y" * 500))
    assert (log.segment_count, values(log)) == (2, ["x" * 500, "y" * 500])


def test_segments_roll_by_the_time_since_their_first_batch() -> None:
    log = new_log(segment_ms=1_000, message_timestamp_after_max_ms=1 << 60)
    for timestamp in (5_000, 6_000, 6_001, 6_500, 7_002):
        append(log, batch("x", timestamp_ms=timestamp), wall_ms=0)
    assert [segment.base_offset for segment in log._chain.segments] == [0, 2, 4]


def test_segments_roll_by_wall_time_when_records_have_no_timestamp() -> None:
    log = new_log(segment_ms=1_000)
    for wall_ms in (500, 1_000, 1_001, 1_500):
        append(log, batch("x", timestamp_ms=-1), wall_ms=wall_ms)
    assert [segment.base_offset for segment in log._chain.segments] == [0, 2]


def test_segments_roll_when_an_index_is_full_or_offsets_outgrow_32_bits() -> None:
    log = new_log(index_interval_bytes=1, segment_index_bytes=40)
    fill(log, *[1] * 9)
    assert [segment.base_offset for segment in log._chain.segments][:2] == [0, 6]
    log = new_log(compact=True)
    log.append_as_follower(batch("a", leader_epoch=0), 0)
    far = 2**31
    log.append_as_follower(batch("b", base_offset=far - 1, leader_epoch=0) + batch("c", base_offset=far, leader_epoch=0), 0)
    assert [segment.base_offset for segment in log._chain.segments] == [0, far]
    assert values(log) == ["a", "b", "c"]


def test_settings_can_be_replaced() -> None:
    log = new_log()
    fill(log, 1, 1)
    log.configure(LogConfig(segment_bytes=10, max_message_bytes=80))
    fill(log, 1, 1)
    assert log.segment_count == 3
    assert append(log, batch("x" * 100)).error_code == 10


def test_a_leader_refuses_what_the_topic_does_not_take() -> None:
    log = new_log(max_message_bytes=100, message_timestamp_after_max_ms=50, message_timestamp_before_max_ms=500)
    assert append(log, batch("x" * 100)).error_code == 10
    assert append(log, batch("x", timestamp_ms=1_051)).error_code == 32
    assert append(log, batch("x", timestamp_ms=499)).error_code == 32
    assert log.log_end_offset == 0
    for timestamp in (1_050, 500, -1):
        assert append(log, batch("x", timestamp_ms=timestamp)).error_code == 0


def test_log_append_time_is_stamped_by_the_leader() -> None:
    log = new_log(message_timestamp_type="LogAppendTime")
    assert append(log, batch("a", "b", timestamp_ms=5), wall_ms=900) == (0, 0, 1, 900, False)
    assert [record.timestamp_ms for record in read_all(log)] == [900, 900]
    data = log.read(0, 1 << 20, 2, at_least_one=True)
    follower = new_log()
    follower.append_as_follower(data, 0)
    assert raw(follower) == data


# Followers


def test_a_follower_takes_what_the_leader_has_byte_for_byte() -> None:
    leader, follower = new_log(segment_bytes=400), new_log(segment_bytes=250)
    fill(leader, 1, 3, 2, epoch=2)
    fill(leader, 1, 5, 1, 1, epoch=5)
    while follower.log_end_offset < leader.log_end_offset:
        data = leader.read(follower.log_end_offset, 350, leader.log_end_offset, at_least_one=True)
        follower.append_as_follower(data, 0)
    assert raw(follower) == raw(leader)
    assert follower.epoch_entries() == leader.epoch_entries() == [(2, 0), (5, 6)]


def test_a_torn_last_batch_is_ignored() -> None:
    leader, follower = new_log(), new_log()
    fill(leader, 2, 2)
    data = raw(leader)
    first = len(data) // 2
    for cut in range(first, len(data)):
        follower = new_log()
        assert follower.append_as_follower(data[:cut], 0) == 2
    assert follower.append_as_follower(raw(leader)[first:], 0) == 4
    assert raw(follower) == data


def test_a_damaged_batch_ends_a_follower_append_after_those_before_it() -> None:
    leader = new_log()
    fill(leader, 1, 1, 1)
    data = bytearray(raw(leader))
    data[-1] ^= 1
    follower = new_log()
    with pytest.raises(CorruptRecords, match="CRC"):
        follower.append_as_follower(bytes(data), 0)
    assert values(follower) == ["0", "1"]


@pytest.mark.parametrize("base_offset", [0, 2, 4, 100])
def test_a_batch_at_the_wrong_offset_is_refused(base_offset: int) -> None:
    follower = new_log()
    fill(follower, 3)
    with pytest.raises(CorruptRecords, match="ends at offset 3"):
        follower.append_as_follower(batch("x", base_offset=base_offset), 0)
    assert follower.log_end_offset == 3


def test_a_compacted_leader_may_skip_offsets_but_not_go_back() -> None:
    follower = new_log(compact=True)
    follower.append_as_follower(batch("a", base_offset=5, leader_epoch=0) + batch("b", base_offset=9, leader_epoch=0), 0)
    assert [record.offset for record in read_all(follower)] == [5, 9]
    assert offsets(follower.read(7, 1 << 20, 10, at_least_one=True))[-1] == (9, 9)
    with pytest.raises(CorruptRecords):
        follower.append_as_follower(batch("c", base_offset=9, leader_epoch=0), 0)


def test_leader_epochs_never_fall_along_a_follower_log() -> None:
    follower = new_log()
    follower.append_as_follower(batch("a", leader_epoch=5), 0)
    with pytest.raises(CorruptRecords, match="leader epoch 4"):
        follower.append_as_follower(batch("b", base_offset=1, leader_epoch=4), 0)
    follower.assign_epoch(7)  # led once, appended nothing
    follower.append_as_follower(batch("b", base_offset=1, leader_epoch=6), 0)
    assert follower.epoch_entries() == [(5, 0), (6, 1)]


@pytest.mark.parametrize("leader_epoch", [-1, -(2**31)])
def test_a_follower_refuses_a_batch_without_a_leader_epoch(leader_epoch: int) -> None:
    """No checksum covers it, and whoever led has stamped it."""
    follower = new_log()
    with pytest.raises(CorruptRecords, match=f"leader epoch {leader_epoch}"):
        follower.append_as_follower(batch("a", leader_epoch=0) + batch("b", base_offset=1, leader_epoch=leader_epoch), 0)
    assert follower.log_end_offset == 1


# Leader epochs


def test_epochs_answer_where_they_end() -> None:
    log = new_log()
    assert log.end_offset_for_epoch(3) is None
    fill(log, 2, epoch=1)
    fill(log, 3, epoch=4)
    log.assign_epoch(6)
    assert log.epoch_entries() == [(1, 0), (4, 2), (6, 5)]
    assert log.end_offset_for_epoch(0) is None
    assert log.end_offset_for_epoch(1) == EpochEnd(1, 2)
    assert log.end_offset_for_epoch(3) == EpochEnd(1, 2)
    assert log.end_offset_for_epoch(5) == EpochEnd(4, 5)
    assert log.end_offset_for_epoch(6) == EpochEnd(6, 5)
    assert log.end_offset_for_epoch(9) == EpochEnd(6, 5)
    assert [log.epoch_at(offset) for offset in (-1, 0, 1, 2, 4, 5)] == [-1, 1, 1, 4, 4, 6]
    with pytest.raises(InvariantViolation):
        log.assign_epoch(5)


def test_the_epoch_file_is_kafkas() -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, 2, epoch=1)
    fill(log, 2, epoch=3)
    assert disk.read_file(f"{DIRECTORY}/leader-epoch-checkpoint") == b"0\n2\n1 0\n3 2\n"


# Cutting


def test_truncation_removes_from_the_offset_on() -> None:
    for cut in range(13):
        disk = new_disk()
        log = new_log(disk, segment_bytes=300, index_interval_bytes=50)
        fill(log, *[1] * 6, epoch=1)
        fill(log, *[1] * 6, epoch=2)
        log.truncate_to(cut)
        assert log.log_end_offset == cut
        assert values(log) == [str(n) for n in range(cut)]
        assert log.latest_epoch == (-1 if cut == 0 else 1 if cut <= 6 else 2)
        fill(log, 1, 1, epoch=7)
        assert values(log) == [str(n) for n in range(cut + 2)]
        kept = {segment.path(suffix) for segment in log._chain.segments for suffix in (".log", ".index", ".timeindex")}
        assert {f"{DIRECTORY}/{name}" for name in disk.list_directory(DIRECTORY) if "index" in name} <= kept


def test_truncation_inside_a_batch_takes_the_whole_batch() -> None:
    log = new_log()
    fill(log, 3, 4)
    log.truncate_to(5)
    assert log.log_end_offset == 3
    fill(log, 1)
    assert values(log) == ["0", "1", "2", "3"]


def test_truncation_above_the_end_drops_epochs_without_records() -> None:
    log = new_log()
    fill(log, 3, epoch=1)
    log.assign_epoch(2)
    log.truncate_to(3)
    assert (log.log_end_offset, log.epoch_entries()) == (3, [(1, 0)])


def test_truncation_below_the_log_start_is_a_bug() -> None:
    log = new_log()
    fill(log, 1, 1, 1)
    log.advance_log_start(2)
    with pytest.raises(InvariantViolation):
        log.truncate_to(1)


def test_starting_over_leaves_nothing_of_the_old_log() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=200)
    fill(log, *[1] * 6, epoch=3)
    log.truncate_fully_and_start_at(100)
    assert (log.log_start_offset, log.log_end_offset, log.synced_end_offset, log.latest_epoch) == (100, 100, 0, -1)
    assert [name for name in disk.list_directory(DIRECTORY) if name.endswith(".log")] == ["00000000000000000100.log"]
    fill(log, 2, epoch=4)
    assert values(log) == ["100", "101"]


def test_the_log_start_rises_and_takes_segments_with_it() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=200)
    fill(log, *[1] * 4, epoch=1)
    fill(log, *[1] * 4, epoch=2)
    before = log.segment_count
    log.advance_log_start(5)
    assert log.log_start_offset == 5
    assert log.segment_count < before
    assert log.epoch_entries() == [(2, 5)]
    assert values(log) == ["5", "6", "7"]
    log.advance_log_start(3)
    assert log.log_start_offset == 5
    log.advance_log_start(8)
    assert log.epoch_entries() == [(2, 8)]
    with pytest.raises(InvariantViolation):
        log.advance_log_start(9)


# Durability


def test_the_synced_end_offset_is_what_a_power_loss_leaves() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=300)
    fill(log, *[1] * 5)
    assert log.synced_end_offset == 0
    log.sync()
    assert log.synced_end_offset == 5
    synced = raw(log)
    fill(log, 1, 1)
    assert log.synced_end_offset == 5
    disk.power_loss()
    content = b"".join(disk.read_file(f"{DIRECTORY}/{name}") for name in disk.list_directory(DIRECTORY) if name.endswith(".log"))
    assert content == synced
    assert disk.read_file(f"{DIRECTORY}/leader-epoch-checkpoint") == b"0\n1\n0 0\n"


def test_a_cut_lowers_the_synced_end_offset_and_says_so_first() -> None:
    log = new_log()
    fill(log, 1, 1, 1)
    log.sync()
    told: list[tuple[int, int]] = []
    log.before_cut = lambda offset: told.append((offset, log.log_end_offset))
    log.truncate_to(2)
    assert told == [(2, 3)]
    fill(log, 1)
    assert log.synced_end_offset == 2
    log.truncate_to(3)
    assert len(told) == 1, "nothing synced is cut"


def test_a_sync_off_the_loop_promises_only_what_it_began_with() -> None:
    log = new_log(segment_bytes=200)
    fill(log, 1, 1, 1)
    job = log.begin_sync()
    fill(log, 1, 1, 1)
    job.run()
    log.finish_sync(job)
    assert log.synced_end_offset == 3
    log.sync()
    assert log.synced_end_offset == 6


def test_a_sync_off_the_loop_promises_nothing_once_the_log_was_cut() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=200)
    fill(log, *[1] * 6)
    job = log.begin_sync()
    log.truncate_to(1)
    fill(log, *[1] * 6)
    job.run()
    log.finish_sync(job)
    assert log.synced_end_offset <= 1
    assert values(log) == [str(n) for n in range(7)]


def test_segments_may_be_removed_while_they_are_synced() -> None:
    log = new_log(segment_bytes=200)
    fill(log, *[1] * 6)
    job = log.begin_sync()
    log.advance_log_start(5)
    job.run()
    log.finish_sync(job)
    assert log.synced_end_offset == 6
    assert values(log) == ["5"]


def failing(disk: SimDisk, fault: Fault, name: str) -> None:
    """Let every operation of that name fail."""

    def on_operation(operation: Operation) -> Fault | None:
        return fault if operation.name == name else None

    disk.on_operation = on_operation


@pytest.mark.parametrize("fault", [Fault.FULL, Fault.IO_ERROR])
def test_a_failed_append_leaves_nothing_behind(fault: Fault) -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, 2)
    failing(disk, fault, "append")
    with pytest.raises(DiskFailure) as caught:
        append(log, batch("x"))
    assert caught.value.full == (fault is Fault.FULL)
    assert log.log_end_offset == 2
    disk.on_operation = None
    fill(log, 2)
    assert values(log) == ["0", "1", "2", "3"]


def test_a_failed_append_that_cannot_be_cut_ends_all_appends() -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, 2)
    disk.on_operation = lambda operation: {"append": Fault.FULL, "truncate": Fault.IO_ERROR}.get(operation.name)
    with pytest.raises(DiskFailure):
        append(log, batch("x"))
    disk.on_operation = None
    with pytest.raises(DiskFailure):
        append(log, batch("y"))
    assert values(log) == ["0", "1"]


def test_an_epoch_that_could_not_be_stored_is_not_assigned() -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, 1, epoch=1)
    failing(disk, Fault.FULL, "replace_file")
    with pytest.raises(DiskFailure):
        append(log, batch("x"), epoch=2)
    assert (log.log_end_offset, log.epoch_entries(), log.latest_epoch) == (1, [(1, 0)], 1)
    disk.on_operation = None
    fill(log, 1, epoch=2)
    assert disk.read_file(f"{DIRECTORY}/leader-epoch-checkpoint") == b"0\n2\n1 0\n2 1\n"


def test_a_cut_that_failed_half_way_ends_all_appends() -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, 1, 1, 1)
    failing(disk, Fault.IO_ERROR, "truncate")
    with pytest.raises(DiskFailure):
        log.truncate_to(1)
    disk.on_operation = None
    with pytest.raises(DiskFailure):
        append(log, batch("x"))


def test_control_batches_of_the_metadata_quorum_pass() -> None:
    log = new_log()
    data = build_batch([Record(0, 1, b"\0\0\0\2", b"")], control=True)
    assert append(log, data).error_code == 0
    assert (
        append(log, end_transaction_batch(committed=True, producer_id=1, producer_epoch=0, coordinator_epoch=0, timestamp_ms=1)).error_code
        == 0
    )
    assert log.log_end_offset == 2


def test_a_log_is_made_at_any_offset() -> None:
    log = PartitionLog.create(new_disk(), DIRECTORY, LogConfig(), 0, start_offset=40)
    assert (log.log_start_offset, log.log_end_offset) == (40, 40)
    fill(log, 1)
    assert parse_header(raw(log)).base_offset == 40


def test_a_gap_is_taken_only_where_compaction_may_have_been() -> None:
    """No checksum covers a base offset: a flipped bit in it looks like a gap."""
    log = new_log(compact=True)
    append(log, batch("a"))
    data = batch("b", base_offset=7, leader_epoch=0)
    with pytest.raises(CorruptRecords, match="ends at offset 1, the batch that came starts at 7"):
        log.append_as_follower(data, 1_000, gaps_end=6)
    assert log.append_as_follower(data, 1_000, gaps_end=7) == 8
