"""A round of compaction, ended before every single disk operation by a crash or a power loss; also inside the recovery that follows.

What must hold: each segment's records are those before the round or those after it; nothing that a reader goes by has changed; recovering again
changes nothing more; and the next round leaves what an undisturbed one leaves.
"""

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from tests.support.compaction import committed, headers, newest, producer_state, put, read_everywhere, run, stored, transact
from tests.support.log_life import HOME, META, PARTITION, TOPIC_ID, new_disk
from tests.support.logs import append, marker, raw

from holdwater.kernel.ports import DiskFailure
from holdwater.kernel.rng import Rng
from holdwater.sim.disk import Crashed, Fault, Operation, SimDisk
from holdwater.storage.compaction.cleanable import cleanable
from holdwater.storage.compaction.cleaning import Cleaning
from holdwater.storage.config import LogConfig
from holdwater.storage.directories import LogDirectories
from holdwater.storage.log import PartitionLog
from holdwater.wire.records import Record

CONFIG = LogConfig(segment_bytes=330, index_interval_bytes=80, compact=True, delete_retention_ms=0)
WIDE = replace(CONFIG, segment_bytes=800)
"""Two or three of the segments fit one."""
PATH = f"{HOME}/t-0"


@dataclass
class Before:
    """A disk with a log that waits for compaction, all of it durable."""

    disk: SimDisk
    directories: LogDirectories

    @property
    def log(self) -> PartitionLog:
        return self.directories.logs[PARTITION]

    def compact(self, wall_ms: int = 6_000) -> None:
        log = self.log
        found = cleanable(log, self.directories.cleaner_offset(PARTITION), log.log_end_offset, wall_ms)
        end = run(Cleaning(log, found, map_limit_count=100, wall_ms=wall_ms))
        assert end is not None
        self.directories.checkpoint_cleaner(PARTITION, end)


def make(*, earlier_round: bool = True) -> Before:
    """Nine segments: keys written again, deletions of an earlier round, transactions of both kinds, several leader epochs."""
    disk = new_disk()
    directories = open_directories(disk)
    before = Before(disk, directories)
    directories.create(PARTITION, TOPIC_ID, CONFIG, 1_000)
    log = before.log
    times = iter(range(1_000, 2_000))
    put(log, ("old", "1"), ("deleted", "1"), timestamp_ms=next(times))
    put(log, ("deleted", None), ("kept", "1"), timestamp_ms=next(times))
    for n in range(4):
        put(log, ("first", str(n)), timestamp_ms=next(times))
    if earlier_round:
        before.compact(wall_ms=5_000)
    for n in range(3):
        transact(log, 5, 2 * n, ("a", f"aborted {n}"), ("x", "aborted"), epoch=1, timestamp_ms=next(times))
        put(log, (f"k{n}", "y" * 30), epoch=1, timestamp_ms=next(times))
    append(log, marker(5, committed=False, timestamp_ms=next(times)), epoch=1)
    transact(log, 5, 6, ("a", "committed"), epoch=2, timestamp_ms=next(times))
    append(log, marker(5, committed=True, timestamp_ms=next(times)), epoch=2)
    for n in range(4):
        put(log, ("b", str(n)), producer_id=6, producer_epoch=0, base_sequence=n, epoch=3, timestamp_ms=next(times))
        put(log, ("old", str(n)), epoch=3, timestamp_ms=next(times))
    put(log, ("k1", None), epoch=3, timestamp_ms=next(times))
    for n in range(3):
        put(log, ("b", f"z{n}"), epoch=3, timestamp_ms=next(times))
    log.configure(WIDE)
    log.sync()
    directories.checkpoint_recovery_points()
    directories.checkpoint_high_watermarks({PARTITION: log.log_end_offset})
    disk.settle()
    return before


def open_directories(disk: SimDisk) -> LogDirectories:
    """As a new process does: without knowing yet which topics are compacted."""
    directories = LogDirectories(disk, [HOME], cluster_id=META.cluster_id, node_id=META.node_id)
    directories.open()
    for _ in directories.load(lambda partition: LogConfig(segment_bytes=330, index_interval_bytes=80), 1_000):
        pass
    if PARTITION in directories.logs:
        directories.logs[PARTITION].configure(WIDE)
    return directories


BEFORE = make()
SEGMENTS = [*[segment.base_offset for segment in BEFORE.log.chain.segments], BEFORE.log.log_end_offset]
RECORDS_BEFORE = stored(BEFORE.log)
AFTER = make()
FIRST = AFTER.disk.operation_count + 1
AFTER.compact()
TOTAL = AFTER.disk.operation_count
RECORDS_AFTER = stored(AFTER.log)


def by_segment(records: list[Record]) -> list[list[Record]]:
    return [[one for one in records if low <= one.offset < high] for low, high in itertools.pairwise(SEGMENTS)]


def facts(log: PartitionLog) -> tuple[object, ...]:
    return (
        raw(log),
        log.epoch_entries(),
        producer_state(log),
        log.aborted_transactions(0, 1 << 40),
        log.log_start_offset,
        log.log_end_offset,
    )


def check(directories: LogDirectories) -> None:
    assert PARTITION in directories.logs, directories.damaged[PARTITION].damage if PARTITION in directories.damaged else "gone"
    log, expected = directories.logs[PARTITION], BEFORE.log
    found = by_segment(stored(log))
    assert all(one in (old, new) for one, old, new in zip(found, by_segment(RECORDS_BEFORE), by_segment(RECORDS_AFTER), strict=True)), found
    assert newest(committed(log)) == newest(committed(expected))
    assert (log.log_start_offset, log.log_end_offset) == (expected.log_start_offset, expected.log_end_offset)
    assert (log.epoch_entries(), producer_state(log)) == (expected.epoch_entries(), producer_state(expected))
    assert log.last_stable_offset(log.log_end_offset) == log.log_end_offset
    assert not [event for event in log.events if event.kind != "index-rebuilt"], log.events
    assert not [name for name in log.disk.list_directory(PATH) if name.endswith((".cleaned", ".swap"))]
    read_everywhere(log)
    check_indexes(log)
    for records in headers(log):
        assert log.epoch_at(records[0].base_offset) == records[0].partition_leader_epoch


def check_indexes(log: PartitionLog) -> None:
    """Every index speaks of the batches that are there."""
    for segment in log.chain.segments[:-1]:
        found = segment.headers_from(segment.base_offset)
        ends = {header.base_offset + header.last_offset_delta: (position, header.max_timestamp) for header, position in found}
        for end in range(segment.base_offset, max(ends, default=-1) + 1):
            position, noted = segment.offset_index.lookup(end)
            assert noted == -1 or ends[noted][0] == position, (segment.base_offset, noted, position)
        timestamp_ms, offset = segment.time_index.last_entry()
        assert timestamp_ms == max([latest_ms for _, latest_ms in ends.values()], default=-1)
        assert timestamp_ms < 0 or ends[offset][1] == timestamp_ms


def ended_at(number: int, fault: Fault) -> SimDisk:
    before = make()
    stop_at(before.disk, number, fault)
    try:
        before.compact()
    except (Crashed, DiskFailure):
        pass
    else:
        assert number > TOTAL
    before.disk.disarm_all()
    return before.disk


def stop_at(disk: SimDisk, number: int, fault: Fault) -> None:
    def on_operation(operation: Operation) -> Fault | None:
        return fault if operation.number == number else None

    disk.on_operation = on_operation


def lose(disk: SimDisk, power: str, seed: int) -> None:
    if power == "kept":
        disk.crash()
    else:
        disk.power_loss(Rng(seed) if power == "random" else None)


def test_the_round_has_something_to_do() -> None:
    assert len(SEGMENTS) > 8
    assert TOTAL - FIRST > 100
    changed = [old != new for old, new in zip(by_segment(RECORDS_BEFORE), by_segment(RECORDS_AFTER), strict=True)]
    assert changed.count(True) > 4
    assert len(AFTER.log.chain.segments) < len(SEGMENTS) - 1, "segments were put together, so that several are removed in one swap"
    check(AFTER.directories)


@pytest.mark.parametrize("fault", [Fault.CRASH, Fault.CRASH_TORN, Fault.IO_ERROR])
@pytest.mark.parametrize("power", ["kept", "lost", "random"])
def test_a_crash_at_every_disk_operation(fault: Fault, power: str) -> None:
    for number in range(FIRST, TOTAL + 2):
        for seed in range(2) if power == "random" else [0]:
            disk = ended_at(number, fault)
            lose(disk, power, 1_000 * number + seed)
            directories = open_directories(disk)
            check(directories)
            first = facts(directories.logs[PARTITION])
            disk.crash()
            directories = open_directories(disk)
            assert facts(directories.logs[PARTITION]) == first, "recovering twice is recovering once"


@pytest.mark.parametrize("power", ["kept", "lost", "random"])
def test_a_crash_at_every_operation_of_recovery(power: str) -> None:
    for number in range(FIRST, TOTAL + 2, 5):
        inner = 0
        while inner < 400:
            disk = ended_at(number, Fault.CRASH)
            lose(disk, power, number)
            stop_at(disk, disk.operation_count + 1 + inner, Fault.CRASH)
            try:
                open_directories(disk)
            except Crashed:
                ended = True
            else:
                ended = False
            disk.disarm_all()
            lose(disk, power, number + inner)
            check(open_directories(disk))
            if not ended:
                break
            inner += 11


def test_the_first_round_of_a_log_at_every_disk_operation() -> None:
    """Recovery does not know that the topic is compacted, and takes a gap for damage unless the log had its entry before."""
    whole = make(earlier_round=False)
    first = whole.disk.operation_count + 1
    whole.compact()
    for number in range(first, whole.disk.operation_count + 2):
        before = make(earlier_round=False)
        expected = newest(committed(before.log))
        before.directories.directories[0].write_recovery_points()
        stop_at(before.disk, number, Fault.CRASH)
        with contextlib.suppress(Crashed):
            before.compact()
        before.disk.disarm_all()
        before.disk.damage(f"{HOME}/{PARTITION}/leader-epoch-checkpoint", 0, 1)  # so that all segments are scanned
        before.disk.power_loss(Rng(number))
        log = open_directories(before.disk).logs[PARTITION]
        assert newest(committed(log)) == expected
        assert log.log_end_offset == whole.log.log_end_offset


def test_the_next_round_leaves_what_an_undisturbed_one_leaves() -> None:
    for number in range(FIRST, TOTAL + 2, 2):
        disk = ended_at(number, Fault.CRASH)
        disk.power_loss(Rng(number))
        again = Before(disk, open_directories(disk))
        if again.directories.cleaner_offset(PARTITION) == AFTER.directories.cleaner_offset(PARTITION):
            continue
        again.compact(wall_ms=7_000)
        assert newest(committed(again.log)) == newest(committed(AFTER.log))
        assert {one.offset for one in stored(again.log)} <= {one.offset for one in RECORDS_AFTER}


@pytest.mark.parametrize("break_it", [lambda disk: disk.remove_file(f"{HOME}/cleaner-offset-checkpoint"), None], ids=["lost", "damaged"])
def test_a_damaged_file_of_cleaner_offsets_costs_no_records(break_it: Callable[[SimDisk], None] | None) -> None:
    before = make()
    before.compact()
    records = stored(before.log)
    before.disk.crash()
    if break_it is None:
        before.disk.damage(f"{HOME}/cleaner-offset-checkpoint", 0, 1)
        for _ in range(2):
            directories = open_directories(before.disk)
            assert stored(directories.logs[PARTITION]) == records
            assert directories.cleaner_offset(PARTITION) == 0
            before.disk.crash()
    else:
        break_it(before.disk)
        directories = open_directories(before.disk)
        found = directories.logs.get(PARTITION) or directories.damaged[PARTITION]
        assert found.damage is not None or stored(found) == records, "nothing below the high watermark is cut away silently"
