"""Opening logs after crashes, power losses and damage: what is cut, what is reported, what is rebuilt."""

from struct import pack

import pytest
from tests.support.logs import DIRECTORY, append, batch, fill, marker, new_disk, new_log, produced, producer_facts, raw, reopen, values

from holdwater.kernel.invariant import InvariantViolation
from holdwater.kernel.rng import Rng
from holdwater.sim.disk import SimDisk
from holdwater.storage.config import LogConfig
from holdwater.storage.log import PartitionLog
from holdwater.storage.recovery import Checkpoints, load_log

FIRST = f"{DIRECTORY}/00000000000000000000.log"


def overwrite(disk: SimDisk, path: str, content: bytes) -> None:
    disk.replace_file(path, content, durable=True)


def patch(disk: SimDisk, path: str, position: int, content: bytes) -> None:
    data = disk.read_file(path)
    overwrite(disk, path, data[:position] + content + data[position + len(content) :])


def facts(log: PartitionLog) -> tuple[object, ...]:
    return raw(log), log.epoch_entries(), log.log_start_offset, producer_facts(log), log.damage


# Clean stops


@pytest.mark.parametrize("segment_bytes", [200, 1 << 20])
def test_a_clean_stop_brings_everything_back_without_a_scan(segment_bytes: int) -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=segment_bytes, index_interval_bytes=100)
    fill(log, 1, 2, epoch=1)
    for n in range(6):
        append(log, produced(5, n, "a", transactional=True), epoch=3)
    append(log, marker(5, committed=False), epoch=3)
    append(log, produced(5, 6, "b", transactional=True), epoch=3)
    before = facts(log)
    aborted = log.aborted_transactions(0, 99)
    log.close()
    disk.power_loss()
    reads = disk.operation_count
    again = reopen(disk, clean=True, recovery_point=log.log_end_offset, segment_bytes=segment_bytes, index_interval_bytes=100)
    assert disk.operation_count - reads < 12 + 3 * again.segment_count
    assert facts(again) == before
    assert again.aborted_transactions(0, 99) == aborted
    assert again.events == []
    assert again.synced_end_offset == again.log_end_offset
    append(again, produced(5, 7, "c", transactional=True), epoch=3)
    assert append(again, produced(5, 2, "a", transactional=True), epoch=3).error_code == 45
    assert append(again, produced(5, 4, "a", transactional=True), epoch=3).duplicate


def test_a_clean_log_goes_on_as_if_it_had_never_stopped() -> None:
    stopped, other = new_disk(), new_disk()
    settings = {"segment_bytes": 400, "index_interval_bytes": 90, "segment_ms": 5_000, "message_timestamp_after_max_ms": 1 << 50}
    one, two = new_log(stopped, **settings), new_log(other, **settings)
    for n in range(40):
        for log in (one, two):
            append(log, batch(f"{n}", timestamp_ms=1_000 + 700 * n))
        if n % 3 == 0:
            one.close()
            one = reopen(stopped, clean=True, recovery_point=one.log_end_offset, **settings)
    one.close()
    two.close()
    assert raw(one) == raw(two)
    for name in other.list_directory(DIRECTORY):
        if name.endswith((".log", ".index")):
            assert stopped.read_file(f"{DIRECTORY}/{name}") == other.read_file(f"{DIRECTORY}/{name}"), name


def test_an_empty_directory_becomes_an_empty_log() -> None:
    log = reopen(new_disk())
    assert (log.log_start_offset, log.log_end_offset, log.damage) == (0, 0, None)
    log = reopen(new_disk(), log_start_offset=7, recovery_point=7)
    assert (log.log_start_offset, log.log_end_offset, log.damage) == (7, 7, None)


def test_a_missing_or_foreign_index_is_rebuilt() -> None:
    for name, damage in ((".index", b""), (".index", b"\0\0\0\1\xff\xff\xff\xff"), (".timeindex", None), (".index", None)):
        disk = new_disk()
        log = new_log(disk, segment_bytes=300, index_interval_bytes=50)
        fill(log, *[1] * 9)
        log.close()
        expected = {path: disk.read_file(f"{DIRECTORY}/{path}") for path in disk.list_directory(DIRECTORY) if "index" in path}
        active = [path for path in expected if path.endswith(name)][-1]
        if damage is None:
            disk.remove_file(f"{DIRECTORY}/{active}")
        else:
            overwrite(disk, f"{DIRECTORY}/{active}", damage)
        again = reopen(disk, clean=True, recovery_point=9, segment_bytes=300, index_interval_bytes=50)
        assert values(again) == [str(n) for n in range(9)]
        again.close()
        if damage != b"":  # an empty index is a legal one
            assert {path: disk.read_file(f"{DIRECTORY}/{path}") for path in expected} == expected


def test_a_wrong_entry_of_an_old_index_costs_time_not_records() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=700, index_interval_bytes=50)
    fill(log, *[1] * 20)
    log.close()
    overwrite(disk, f"{DIRECTORY}/00000000000000000000.index", pack(">iiii", 1, 10, 3, 200))
    again = reopen(disk, clean=True, recovery_point=20, segment_bytes=700, index_interval_bytes=50)
    assert values(again) == [str(n) for n in range(20)]
    for offset in range(20):
        assert int.from_bytes(again.read(offset, 10, 20, at_least_one=True)[:8], "big") == offset


def test_the_zeros_of_a_preallocated_index_are_no_entries() -> None:
    disk = new_disk()
    log = new_log(disk, index_interval_bytes=50)
    fill(log, *[1] * 9)
    log.close()
    for name in (".index", ".timeindex"):
        path = f"{DIRECTORY}/{0:020d}{name}"
        overwrite(disk, path, disk.read_file(path) + bytes(12 * 8 * 10))
    again = reopen(disk, clean=True, recovery_point=9, index_interval_bytes=50)
    assert again.events == []
    fill(again, 1, 1, 1)
    assert values(again) == [str(n) for n in range(12)]
    again.close()
    assert len(disk.read_file(f"{DIRECTORY}/{0:020d}.index")) < 100


# Torn tails


def test_the_last_batch_torn_at_every_byte() -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, 2, 3, epoch=1)
    append(log, produced(7, 0, "a", "b", transactional=True), epoch=2)
    whole = disk.read_file(FIRST)
    log.truncate_to(5)
    intact = len(disk.read_file(FIRST))
    expected = facts(log)
    for cut in range(intact, len(whole)):
        overwrite(disk, FIRST, whole[:cut])
        for high_watermark in (0, 5):
            again = reopen(disk, recovery_point=5, high_watermark=high_watermark)
            assert facts(again) == expected, cut
            assert [event.kind for event in again.events] == ([] if cut == intact else ["torn"])
            assert disk.read_file(FIRST) == whole[:intact]
            overwrite(disk, FIRST, whole[:cut])
    overwrite(disk, FIRST, whole)
    assert reopen(disk, recovery_point=5).log_end_offset == 7


def test_a_torn_tail_may_be_zeros_or_garbage() -> None:
    for tail in (bytes(10), bytes(5_000), b"\x02" * 300, b"\xff" * 100, Rng(5).uuid() * 50):
        disk = new_disk()
        log = new_log(disk)
        fill(log, 2, 3)
        overwrite(disk, FIRST, disk.read_file(FIRST) + tail)
        again = reopen(disk, high_watermark=5)
        assert (again.log_end_offset, again.damage) == (5, None)
        fill(again, 2)
        assert values(again) == [str(n) for n in range(7)]


def test_a_torn_tail_below_the_high_watermark_says_what_is_lost() -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, 2, 3)
    overwrite(disk, FIRST, disk.read_file(FIRST)[:-1])
    again = reopen(disk, recovery_point=1, high_watermark=5)
    assert (again.log_end_offset, again.damage) == (2, None)
    assert [event.kind for event in again.events] == ["torn", "shorter"]
    assert "3 records below the high watermark" in again.events[0].detail


def test_a_torn_tail_before_later_segments_takes_them_with_it() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=200)
    fill(log, *[1] * 9)
    second = log._chain.segments[1].path(".log")
    disk.damage(second, 30, 1)
    again = reopen(disk, high_watermark=2, segment_bytes=200)
    assert values(again) == ["0", "1"]
    assert [name for name in disk.list_directory(DIRECTORY) if name.endswith(".log")] == [
        "00000000000000000000.log",
        second.rpartition("/")[2],
    ]
    fill(again, 1)
    assert values(again) == ["0", "1", "2"]


@pytest.mark.parametrize("known", [{}, {"recovery_point": 4}, {"compacted_to": 4}])
def test_a_segment_that_a_power_loss_has_taken_is_missing_unless_compaction_took_it(known: dict[str, int]) -> None:
    """A log is synced, and that is stored, before compaction takes anything out of it (seed 312099)."""
    disk = new_disk()
    log = new_log(disk, segment_bytes=200, compact=True)
    fill(log, *[1] * 9)
    assert [segment.base_offset for segment in log.chain.segments][:3] == [0, 2, 4]
    for suffix in (".log", ".index", ".timeindex", ".snapshot"):
        disk.remove_file(f"{DIRECTORY}/{2:020}{suffix}")
    disk.damage(f"{DIRECTORY}/leader-epoch-checkpoint", 0, 1)  # so that all segments are scanned
    again = reopen(disk, segment_bytes=200, compact=True, **known)
    assert values(again) == ["0", "1", *("45678" if known else "")]
    assert [event.kind for event in again.events] == ["epochs-rebuilt", *([] if known else ["torn"])]


# Damage


@pytest.mark.parametrize(("recovery_point", "high_watermark"), [(0, 4), (6, 0), (9, 9)])
def test_damage_below_the_high_watermark_or_what_was_synced_is_kept_and_reported(recovery_point: int, high_watermark: int) -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, *[1] * 9)
    size = len(disk.read_file(FIRST)) // 9
    position = 3 * size + 65
    disk.damage(FIRST, position, 1)
    before = disk.read_file(FIRST)
    checkpoints = {"recovery_point": recovery_point, "high_watermark": high_watermark}
    for _ in range(2):
        again = reopen(disk, **checkpoints)
        assert again.damage is not None
        assert (again.damage.path, again.damage.position, again.damage.offset) == (FIRST, 3 * size, 3)
        assert "CRC" in again.damage.reason
        assert values(again) == ["0", "1", "2"]
        assert again.log_end_offset == 3
        with pytest.raises(InvariantViolation, match="damaged"):
            append(again, batch("x"))
        again.close()
        assert disk.read_file(FIRST) == before, "nothing was cut"
    again.truncate_to(3)
    assert again.damage is None
    fill(again, 1)
    assert values(reopen(disk, **{**checkpoints, "recovery_point": 3})) == ["0", "1", "2", "3"]


def test_damage_above_both_is_a_torn_tail_even_with_intact_batches_after_it() -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, *[1] * 9)
    size = len(disk.read_file(FIRST)) // 9
    disk.damage(FIRST, 3 * size + 65, 1)
    again = reopen(disk, recovery_point=3, high_watermark=3)
    assert (again.log_end_offset, again.damage) == (3, None)


@pytest.mark.parametrize(("high_watermark", "damaged"), [(0, False), (9, True)])
def test_a_log_whose_first_segment_is_gone_has_nothing_intact(high_watermark: int, *, damaged: bool) -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=200)
    fill(log, *[1] * 9, epoch=2)
    disk.remove_file(FIRST)
    for _ in range(2):
        again = reopen(disk, high_watermark=high_watermark, segment_bytes=200)
        assert (again.log_start_offset, again.log_end_offset) == (0, 0)
        assert (again.damage is not None) == damaged
        again.close()
    again.truncate_to(0)
    assert [name for name in disk.list_directory(DIRECTORY) if name.endswith(".log")] == ["00000000000000000000.log"]
    fill(again, 1)
    assert values(again) == ["0"]


def test_damage_in_an_earlier_segment_keeps_the_later_ones() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=200)
    fill(log, *[1] * 9, epoch=2)
    second = log._chain.segments[1].path(".log")
    disk.damage(second, 8, 1)  # its length
    fill(log, 1, epoch=3)
    kept = (".log", "leader-epoch-checkpoint")
    before = {name: disk.read_file(f"{DIRECTORY}/{name}") for name in disk.list_directory(DIRECTORY) if name.endswith(kept)}
    again = reopen(disk, high_watermark=9, segment_bytes=200)
    assert again.damage is not None
    assert again.damage.offset == 2
    assert {name: disk.read_file(f"{DIRECTORY}/{name}") for name in before} == before
    again.truncate_fully_and_start_at(9)
    assert [name for name in disk.list_directory(DIRECTORY) if name.endswith(".log")] == ["00000000000000000009.log"]


@pytest.mark.parametrize("stale", ["0\n1\n1 0\n", "0\n3\n1 0\n2 2\n3 4\n"])
@pytest.mark.parametrize("clean", [True, False])
def test_a_cut_of_damage_brings_the_epoch_file_to_what_the_batches_say(stale: str, clean: bool) -> None:
    """A power loss has left an older file, or a newer one; the damaged log stayed as it was found, and then it is cut: seed 321570."""
    disk = new_disk()
    log = new_log(disk)
    fill(log, 1, 1, epoch=1)
    fill(log, 1, 1, 1, epoch=2)
    size = len(disk.read_file(FIRST)) // 5
    disk.damage(FIRST, 3 * size + 65, 1)
    overwrite(disk, f"{DIRECTORY}/leader-epoch-checkpoint", stale.encode())
    again = reopen(disk, recovery_point=1, high_watermark=5)
    assert again.damage is not None
    assert disk.read_file(f"{DIRECTORY}/leader-epoch-checkpoint") == stale.encode()
    again.truncate_to(3)
    fill(again, 1, 1, epoch=2)
    if clean:
        again.close()
    else:
        again.sync()
    disk.power_loss()
    last = reopen(disk, clean=clean, recovery_point=5, high_watermark=5)
    assert last.damage is None
    assert last.epoch_entries() == again.epoch_entries() == [(1, 0), (2, 2)]


def test_a_log_that_ends_below_what_was_synced_is_damaged() -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, 1, 1, 1)
    overwrite(disk, FIRST, disk.read_file(FIRST)[: len(disk.read_file(FIRST)) // 3 * 2])
    for clean in (False, True):
        again = reopen(disk, clean=clean, recovery_point=3)
        assert again.damage is not None
        assert "below 3 had been synced" in again.damage.reason
    disk.remove_file(FIRST)
    assert reopen(disk, recovery_point=3).damage is not None


HEAD = [
    ("base offset", 7, 1),
    ("base offset", 0, 0x40),
    ("length", 11, 1),
    ("length", 8, 0x80),
    ("length", 10, 1),
    ("magic", 16, 1),
    ("CRC", 20, 1),
]


@pytest.mark.parametrize(("field", "byte", "mask"), HEAD)
@pytest.mark.parametrize("index", [0, 4, 8])
def test_a_flip_in_the_head_that_no_crc_covers_is_noticed(field: str, byte: int, mask: int, index: int) -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, *[1] * 9)
    size = len(disk.read_file(FIRST)) // 9
    disk.damage(FIRST, index * size + byte, mask)
    again = reopen(disk, recovery_point=9, high_watermark=9)
    assert again.damage is not None, field
    assert again.damage.offset == index


@pytest.mark.parametrize(("byte", "mask"), [(15, 1), (15, 2), (15, 4), (14, 1), (12, 0x40), (12, 0x80)])
@pytest.mark.parametrize("index", [0, 1, 5, 8])
def test_a_flipped_leader_epoch_is_noticed_below_the_recovery_point(byte: int, mask: int, index: int) -> None:
    """The topmost bit makes it negative: seed 337688."""
    disk = new_disk()
    log = new_log(disk)
    fill(log, *[1] * 4, epoch=2)
    fill(log, *[1] * 5, epoch=3)
    size = len(disk.read_file(FIRST)) // 9
    disk.damage(FIRST, index * size + byte, mask)
    again = reopen(disk, recovery_point=9)
    assert again.damage is not None
    assert again.damage.offset == index


def test_a_leader_epoch_too_high_is_noticed_below_a_log_start_that_was_raised_and_is_forgotten() -> None:
    """The leader-epoch file begins at the log start that a crash took back. Seed 50074."""
    disk = new_disk()
    log = new_log(disk)
    fill(log, *[1] * 4, epoch=2)
    fill(log, *[1] * 5, epoch=3)
    log.advance_log_start(6)
    size = len(disk.read_file(FIRST)) // 9
    assert reopen(disk, recovery_point=9).damage is None
    disk.damage(FIRST, 1 * size + 14, 0x40)
    again = reopen(disk, recovery_point=9)
    assert again.damage is not None
    assert again.damage.offset == 1


@pytest.mark.parametrize(("byte", "mask"), [(15, 1), (12, 0x80)])
def test_a_leader_epoch_that_falls_is_noticed_anywhere(byte: int, mask: int) -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, *[1] * 4, epoch=2)
    fill(log, *[1] * 5, epoch=3)
    size = len(disk.read_file(FIRST)) // 9
    disk.damage(FIRST, 6 * size + byte, mask)  # 3 becomes 2, or negative
    assert reopen(disk).log_end_offset == 6


# What is derived is rebuilt


def test_a_damaged_epoch_file_is_rebuilt_from_the_batches() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=300)
    fill(log, *[1] * 6, epoch=2)
    fill(log, *[1] * 6, epoch=5)
    log.close()
    for content in (b"", b"0\n2\n2 0\n", b"0\n2\n5 0\n2 4\n", b"1\n0\n", b"\0\0\0", b"0\n1\nx 0\n"):
        overwrite(disk, f"{DIRECTORY}/leader-epoch-checkpoint", content)
        again = reopen(disk, clean=True, recovery_point=12, segment_bytes=300)
        assert again.epoch_entries() == [(2, 0), (5, 6)], content
        assert again.events[0].kind == "epochs-rebuilt"


def test_epochs_beyond_the_recovered_end_are_dropped_and_missing_ones_found() -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, 2, epoch=1)
    fill(log, 2, epoch=2)
    content = disk.read_file(FIRST)
    old = disk.read_file(f"{DIRECTORY}/leader-epoch-checkpoint")
    fill(log, 2, epoch=3)
    assert reopen(disk).epoch_entries() == [(1, 0), (2, 2), (3, 4)]
    after = disk.read_file(FIRST)
    overwrite(disk, FIRST, content)
    assert reopen(disk).epoch_entries() == [(1, 0), (2, 2)]
    overwrite(disk, FIRST, after)
    overwrite(disk, f"{DIRECTORY}/leader-epoch-checkpoint", old)
    assert reopen(disk).epoch_entries() == [(1, 0), (2, 2), (3, 4)]


def test_leftovers_of_interrupted_work_are_tidied_away() -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, 1)
    for name in (
        "00000000000000000050.index",
        "00000000000000000050.timeindex",
        "leader-epoch-checkpoint.tmp",
        "00000000000000000000.log.deleted",
    ):
        overwrite(disk, f"{DIRECTORY}/{name}", b"x")
    reopen(disk)
    assert disk.list_directory(DIRECTORY) == ["00000000000000000000.log", "leader-epoch-checkpoint"]


def test_an_index_that_is_missing_costs_no_aborted_transaction() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=300, index_interval_bytes=50)
    append(log, produced(5, 0, "a", transactional=True))
    append(log, marker(5, committed=False))
    fill(log, *[1] * 9)
    log.sync()
    expected = log.aborted_transactions(0, 99)
    assert expected
    disk.remove_file(f"{DIRECTORY}/{0:020d}.index")
    again = reopen(disk, recovery_point=log.log_end_offset, segment_bytes=300, index_interval_bytes=50)
    assert again.events[0].kind == "index-rebuilt"
    assert again.aborted_transactions(0, 99) == expected


def test_indexes_that_were_built_again_are_synced_before_the_recovery_point_moves() -> None:
    """The segment ends where the recovery point was: its log was synced, its indexes may not have been. Seed 214611."""
    disk = new_disk()
    log = new_log(disk, segment_bytes=300, index_interval_bytes=50)
    fill(log, *[1] * 4, timestamp_ms=1_000)
    log.sync()
    fill(log, 1, timestamp_ms=2_000)
    assert log.segment_count == 2
    disk.crash()
    log = reopen(disk, recovery_point=4, segment_bytes=300, index_interval_bytes=50)
    fill(log, *[1] * 4, timestamp_ms=3_000)
    log.sync()
    end = log.log_end_offset
    disk.power_loss()
    again = reopen(disk, recovery_point=end, segment_bytes=300, index_interval_bytes=50)
    assert again.events == []
    found = again.offset_for_timestamp(500, end)
    assert found is not None
    assert found.offset == 0


@pytest.mark.parametrize("survives", [True, False])
def test_an_index_that_was_built_again_below_what_recovery_scans_is_synced_at_once(survives: bool) -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=300, index_interval_bytes=50)
    fill(log, *[1] * 9)
    log.sync()
    expected = disk.read_file(f"{DIRECTORY}/{0:020d}.timeindex")
    if survives:  # one index of it is missing
        disk.remove_file(f"{DIRECTORY}/{0:020d}.index")
        overwrite(disk, f"{DIRECTORY}/{0:020d}.timeindex", b"")
    else:  # all of it is scanned
        overwrite(disk, f"{DIRECTORY}/{0:020d}.timeindex", b"")
        overwrite(disk, f"{DIRECTORY}/leader-epoch-checkpoint", b"nonsense")
    reopen(disk, recovery_point=9, segment_bytes=300, index_interval_bytes=50)
    disk.power_loss()
    assert disk.read_file(f"{DIRECTORY}/{0:020d}.timeindex") == expected


def test_only_segments_from_the_recovery_point_on_are_read() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=300)
    fill(log, *[1] * 30)
    log.sync()
    touched: set[str] = set()

    def on_operation(operation: object) -> None:
        if operation.name == "read":  # pyright: ignore[reportAttributeAccessIssue]
            touched.add(operation.path)  # pyright: ignore[reportAttributeAccessIssue]

    disk.on_operation = on_operation  # pyright: ignore[reportAttributeAccessIssue]
    again = reopen(disk, recovery_point=25, segment_bytes=300)
    disk.on_operation = None
    bases = [segment.base_offset for segment in again._chain.segments]
    first = max(base for base in bases if base <= 25)
    assert {path for path in touched if path.endswith(".log")} == {f"{DIRECTORY}/{base:020d}.log" for base in bases if base >= first}
    assert values(again) == [str(n) for n in range(30)]


def test_recovery_pauses_after_each_slice() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=5_000)
    fill(log, *[1] * 300)
    size = log.size_bytes()
    steps = load_log(disk, DIRECTORY, LogConfig(segment_bytes=5_000), clean=False, checkpoints=Checkpoints(), wall_ms=0, slice_bytes=2_000)
    slices = []
    while True:
        try:
            slices.append(next(steps))
        except StopIteration as done:
            again = done.value
            break
    assert size // 2_500 <= len(slices) <= size // 1_900
    assert max(slices) < 2_200
    assert raw(again) == raw(log)


def test_stale_producer_snapshots_of_an_undone_past_are_not_believed() -> None:
    """A cut that a power loss partly undoes may bring back a snapshot of records that are no longer in the log."""
    disk = new_disk()
    log = new_log(disk, segment_bytes=300)
    for n in range(12):
        append(log, produced(1, n, "a"))
    snapshots = {name: disk.read_file(f"{DIRECTORY}/{name}") for name in disk.list_directory(DIRECTORY) if name.endswith(".snapshot")}
    log.truncate_to(2)
    for n in range(12):
        append(log, produced(2, n, "b"))
    for name, content in snapshots.items():
        overwrite(disk, f"{DIRECTORY}/{name}", content)
    again = reopen(disk, recovery_point=2, segment_bytes=300)
    assert producer_facts(again) == producer_facts(log)
    bases = {f"{segment.base_offset:020d}.snapshot" for segment in again._chain.segments}
    assert {name for name in disk.list_directory(DIRECTORY) if name.endswith(".snapshot")} <= bases


def test_a_stale_snapshot_between_two_segments_is_not_there_for_a_later_cut() -> None:
    disk = new_disk()
    log = new_log(disk)
    for n in range(8):
        append(log, produced(1, n, "a"))
    log.close()
    stale = disk.read_file(f"{DIRECTORY}/{8:020d}.snapshot")
    log = reopen(disk, clean=True, recovery_point=8)
    log.truncate_to(2)
    for n in range(8):
        append(log, produced(2, n, "b"))
    overwrite(disk, f"{DIRECTORY}/{8:020d}.snapshot", stale)
    again = reopen(disk, recovery_point=2)
    again.truncate_to(9)
    twin = new_log()
    for n in range(2):
        append(twin, produced(1, n, "a"))
    for n in range(7):
        append(twin, produced(2, n, "b"))
    assert producer_facts(again) == producer_facts(twin)


def test_what_lies_below_the_recovery_point_keeps_its_indexes_through_a_power_loss() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=400, index_interval_bytes=80)
    for n in range(4):
        append(log, produced(n, 0, "a", transactional=True))
        append(log, marker(n, committed=False))
    fill(log, *[1] * 8)
    log.sync()
    before = log.aborted_transactions(0, 99)
    assert len(before) == 4
    indexes = {name: disk.read_file(f"{DIRECTORY}/{name}") for name in disk.list_directory(DIRECTORY) if "index" in name}
    assert len(indexes) >= 6
    disk.power_loss()
    again = reopen(disk, recovery_point=log.log_end_offset, segment_bytes=400, index_interval_bytes=80)
    assert again.aborted_transactions(0, 99) == before
    assert again.events == []
    assert {name: disk.read_file(f"{DIRECTORY}/{name}") for name in indexes} == indexes
