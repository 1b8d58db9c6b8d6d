"""A scripted life of one partition, ended before every single disk operation, by a crash or by a power loss.

What must hold (R12): the recovered log is a prefix of a state that the log had, holds everything that was synced and not cut since, and
recovering it again, even after crashes inside recovery, changes nothing.
"""

from collections.abc import Callable

import pytest
from tests.support.logs import append, batch, marker, produced, producer_facts, raw, read_all

from holdwater.kernel.identifiers import TopicPartition
from holdwater.kernel.ports import DiskFailure
from holdwater.kernel.rng import Rng
from holdwater.sim.disk import Crashed, Fault, Operation, SimDisk
from holdwater.storage.config import LogConfig
from holdwater.storage.directories import LogDirectories, MetaProperties, format_directory
from holdwater.storage.log import PartitionLog
from holdwater.wire.records import Record

HOME = "/d"
PARTITION = TopicPartition("t", 0)
CONFIG = LogConfig(segment_bytes=420, index_interval_bytes=80)
META = MetaProperties("cluster", 1, Rng(3).uuid())

Log = list[Record]


class Life:
    """Runs the script on a disk and notes every state the log passed through since the last sync."""

    def __init__(self, disk: SimDisk) -> None:
        self.disk = disk
        self.directories = open_directories(disk)
        self.states: list[Log] = [[]]
        self.synced: Log = []
        self.next_sequence = 0
        self.epoch = 0

    @property
    def log(self) -> PartitionLog:
        return self.directories.logs[PARTITION]

    def run(self) -> None:
        self.directories.create(PARTITION, Rng(4).uuid(), CONFIG, 1_000)
        for step in SCRIPT:
            step(self)

    def produce(self, count: int, *, transactional: bool = True) -> None:
        for _ in range(count):
            data = produced(5, self.next_sequence, f"v{self.next_sequence}", epoch=0, transactional=transactional)
            self.next_sequence += 1
            self._expect(Record(self.end, 1_000, None, f"v{self.next_sequence - 1}".encode()))
            assert append(self.log, data, epoch=self.epoch).error_code == 0

    def plain(self) -> None:
        self._expect(Record(self.end, 1_000, None, b"plain"))
        append(self.log, batch("plain"), epoch=self.epoch)

    def end_transaction(self, committed: bool) -> None:
        self._expect(None)
        append(self.log, marker(5, committed=committed), epoch=self.epoch)

    @property
    def end(self) -> int:
        return len(self.states[-1])

    def _expect(self, record: Record | None) -> None:
        """The state that the next operation may lead to, noted before it begins: a crash inside may leave either."""
        marked = record if record is not None else Record(self.end, -1, None, None)
        self.states.append([*self.states[-1], marked])

    def sync(self) -> None:
        self.log.sync()
        self.synced = self.states[-1]
        self.states = [self.states[-1]]

    def cut(self, offset: int) -> None:
        self.synced = self.synced[:offset]
        self.states.append(self.states[-1][:offset])
        self.log.truncate_to(offset)
        state = self.log.producers.states.get(5)
        self.next_sequence = state.last_sequence + 1 if state else 0

    def lead(self) -> None:
        self.epoch += 1
        self.log.assign_epoch(self.epoch)

    def checkpoint(self) -> None:
        self.directories.checkpoint_recovery_points()

    def restart(self) -> None:
        self.synced = self.states[-1]  # promised once it is through; a crash inside finds the earlier promise below
        before = self.synced
        self.directories.close(7, {})
        self.states = [before]
        self.directories = open_directories(self.disk)


SCRIPT: list[Callable[[Life], None]] = [
    Life.plain,
    lambda life: life.produce(2),
    Life.sync,
    Life.checkpoint,
    Life.lead,
    lambda life: life.produce(3),
    lambda life: life.end_transaction(False),
    lambda life: life.produce(2),
    Life.sync,
    Life.plain,
    lambda life: life.cut(8),
    Life.lead,
    lambda life: life.produce(2),
    lambda life: life.cut(5),
    Life.checkpoint,
    Life.lead,
    Life.plain,
    lambda life: life.produce(4),
    Life.sync,
    Life.checkpoint,
    lambda life: life.end_transaction(True),
    Life.plain,
]


def open_directories(disk: SimDisk) -> LogDirectories:
    directories = LogDirectories(disk, [HOME], cluster_id=META.cluster_id, node_id=META.node_id)
    directories.open()
    for _ in directories.load(lambda partition: CONFIG, 1_000):
        pass
    return directories


def new_disk() -> SimDisk:
    disk = SimDisk()
    disk.make_directories(HOME)
    disk.sync_directory("/")
    format_directory(disk, HOME, META)
    return disk


def normal(records: Log) -> Log:
    """Markers without their bytes, as ``Life`` notes them."""
    return [Record(record.offset, -1, None, None) if record.key is not None else record for record in records]


def facts(directories: LogDirectories) -> tuple[object, ...]:
    log = directories.logs[PARTITION]
    return raw(log), log.epoch_entries(), producer_facts(log), log.aborted_transactions(0, 1 << 40)


def total_operations() -> int:
    disk = new_disk()
    Life(disk).run()
    return disk.operation_count


TOTAL = total_operations()
FIRST = Life(new_disk()).disk.operation_count + 1


def crashed_life(number: int, fault: Fault) -> Life:
    """The life that ended in one of its disk operations."""
    disk = new_disk()
    life = Life(disk)
    disk.on_operation = lambda operation: fault if operation.number == number else None
    try:
        life.run()
    except (Crashed, DiskFailure):
        pass
    else:
        assert number > disk.operation_count
    disk.on_operation = None
    return life


def check(life: Life, directories: LogDirectories, *, power_lost: bool) -> None:
    """The recovered log against what the life knows."""
    if PARTITION not in directories.logs:
        assert PARTITION not in directories.damaged, directories.damaged[PARTITION].damage
        assert life.synced == []
        return
    log = directories.logs[PARTITION]
    records = normal(read_all(log))
    assert records[: len(life.synced)] == life.synced
    assert any(records == state[: len(records)] for state in life.states), (records, life.states)
    if not power_lost:
        assert records in life.states[-2:], "a crash of the process alone loses nothing that was finished"
    for record in records:
        if record.timestamp_ms == -1:
            continue
        assert log.epoch_at(record.offset) >= 0
    life.epoch += 1
    append(log, batch("after"), epoch=life.epoch)
    log.truncate_to(log.log_end_offset - 1)


@pytest.mark.parametrize("fault", [Fault.CRASH, Fault.CRASH_TORN])
@pytest.mark.parametrize("power", ["kept", "lost", "random"])
def test_a_crash_at_every_disk_operation(fault: Fault, power: str) -> None:
    for number in range(FIRST, TOTAL + 2):
        seeds = range(4) if power == "random" else [0]
        for seed in seeds:
            life = crashed_life(number, fault)
            disk = life.disk
            if power == "kept":
                disk.crash()
            else:
                disk.power_loss(Rng(1_000 * number + seed) if power == "random" else None)
            directories = open_directories(disk)
            if PARTITION in directories.logs:
                first = facts(directories)
                disk.crash()
                directories = open_directories(disk)
                assert facts(directories) == first, "recovering twice is recovering once"
            check(life, directories, power_lost=power != "kept")


@pytest.mark.parametrize("fault", [Fault.IO_ERROR, Fault.FULL])
@pytest.mark.parametrize("power", [False, True])
def test_a_failure_of_every_disk_operation(fault: Fault, power: bool) -> None:
    """The broker takes the directory offline and ends; what it finds at its next start is no worse than after a crash."""
    for number in range(FIRST, TOTAL + 2):
        life = crashed_life(number, fault)
        if power:
            life.disk.power_loss(Rng(number))
        else:
            life.disk.crash()
        check(life, open_directories(life.disk), power_lost=power)


@pytest.mark.parametrize("fault", [Fault.IO_ERROR, Fault.FULL])
def test_a_log_goes_on_after_any_failed_append_or_refuses(fault: Fault) -> None:
    """A full disk is not the end: the next append either continues an intact log or fails too."""
    for number in range(FIRST, TOTAL + 2):
        life = crashed_life(number, fault)
        log = life.directories.logs.get(PARTITION)
        if log is None:
            continue
        try:
            append(log, batch("after"), epoch=life.epoch + 1)
        except DiskFailure:
            continue
        records = read_all(log)
        assert normal(records[:-1]) in life.states[-2:]
        assert records[-1] == Record(len(records) - 1, 1_000, None, b"after")
        known = log.epoch_entries(), producer_facts(log)
        life.disk.crash()
        again = open_directories(life.disk).logs[PARTITION]
        assert read_all(again) == records
        assert (again.epoch_entries(), producer_facts(again)) == known


def test_a_crash_at_every_operation_of_recovery() -> None:
    for number in range(FIRST, TOTAL + 2, 5):
        life = crashed_life(number, Fault.CRASH_TORN)
        disk = life.disk
        disk.power_loss(Rng(number))
        first: tuple[object, ...] | None = None
        at = 0
        while True:
            at += 1
            last = disk.operation_count + at
            disk.on_operation = lambda operation, last=last: Fault.CRASH if operation.number == last else None
            try:
                directories = open_directories(disk)
            except Crashed:
                disk.power_loss(Rng(at)) if at % 2 else disk.crash()
                continue
            disk.on_operation = None
            break
        if PARTITION in directories.logs:
            first = facts(directories)
            disk.crash()
            directories = open_directories(disk)
            assert facts(directories) == first
        check(life, directories, power_lost=True)


def test_a_crash_at_every_operation_of_a_clean_stop() -> None:
    reference = crashed_life(1 << 30, Fault.CRASH)
    before = reference.disk.operation_count
    reference.restart()
    for number in range(before + 1, reference.disk.operation_count + 1):
        for power in (False, True):
            life = crashed_life(1 << 30, Fault.CRASH)
            promised = life.synced

            def on_operation(operation: Operation, number: int = number) -> Fault | None:
                return Fault.CRASH_TORN if operation.number == number else None

            life.disk.on_operation = on_operation
            with pytest.raises(Crashed):
                life.restart()
            life.disk.on_operation = None
            clean = life.disk.exists(f"{HOME}/.kafka_cleanshutdown")
            if not clean:
                life.synced = promised
            if power:
                life.disk.power_loss()
            else:
                life.disk.crash()
            check(life, open_directories(life.disk), power_lost=power)
