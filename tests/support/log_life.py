"""A scripted life of one partition's log, for tests that end it, or let it fail, in every single disk operation.

``Life`` notes every state that the log may have passed through since its last sync, so that what a disk holds afterwards can be judged.
"""

from collections.abc import Callable

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
TOPIC_ID = Rng(4).uuid()
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
        self.lost_pages = False
        """Whether a sync failed: the pages that it was to write are as good as gone."""

    @property
    def log(self) -> PartitionLog:
        return self.directories.logs[PARTITION]

    def run(self) -> None:
        self.create()
        for step in SCRIPT:
            step(self)

    def create(self) -> None:
        self.directories.create(PARTITION, TOPIC_ID, CONFIG, 1_000)

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
        self._find_sequence()

    def _find_sequence(self) -> None:
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

    def attempt(self, step: "Callable[[Life], None]") -> bool:
        """Take a step on a disk that may fail. False when the log takes nothing more; else it is as before the step, or as after part of it."""
        before = len(self.states) - 1
        try:
            step(self)
        except DiskFailure:
            if PARTITION not in self.directories.logs:
                return False
            hook, self.disk.on_operation = self.disk.on_operation, None
            refuses = self.log.failure is not None
            if not refuses:
                found = normal(read_all(self.log))
                assert found in self.states[before:], (found, self.states[before:])
                self.states.append(found)
                self._find_sequence()
            self.disk.on_operation = hook
            return not refuses
        return True


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
    """The log directory as a new process finds it, its logs recovered."""
    directories = LogDirectories(disk, [HOME], cluster_id=META.cluster_id, node_id=META.node_id)
    directories.open()
    for _ in directories.load(lambda partition: CONFIG, 1_000):
        pass
    return directories


def new_disk() -> SimDisk:
    """A disk with an empty, formatted log directory."""
    disk = SimDisk()
    disk.make_directories(HOME)
    disk.sync_directory("/")
    format_directory(disk, HOME, META)
    return disk


def normal(records: Log) -> Log:
    """Markers without their bytes, as ``Life`` notes them."""
    return [Record(record.offset, -1, None, None) if record.key is not None else record for record in records]


def facts(directories: LogDirectories) -> tuple[object, ...]:
    """All that a log says of itself, for comparison."""
    log = directories.logs[PARTITION]
    return raw(log), log.epoch_entries(), producer_facts(log), log.aborted_transactions(0, 1 << 40)


def _total_operations() -> int:
    disk = new_disk()
    Life(disk).run()
    return disk.operation_count


TOTAL = _total_operations()
FIRST = Life(new_disk()).disk.operation_count + 1
"""Numbers of the script's first and last disk operation."""


def failing_at(life: Life, number: int, fault: Fault, *, count: int = 1) -> None:
    """Let ``count`` of the life's disk operations from ``number`` on meet a fault."""

    def on_operation(operation: Operation) -> Fault | None:
        if not number <= operation.number < number + count:
            return None
        if operation.name == "sync" and fault in {Fault.IO_ERROR, Fault.FULL}:
            life.lost_pages = True
        return fault

    life.disk.on_operation = on_operation


def life_until(number: int, fault: Fault) -> Life:
    """The life that ended in one of its disk operations; whole when there are not so many."""
    disk = new_disk()
    life = Life(disk)
    failing_at(life, number, fault)
    try:
        life.run()
    except (Crashed, DiskFailure):
        pass
    else:
        assert number > disk.operation_count
    disk.on_operation = None
    return life


def check(life: Life, directories: LogDirectories, *, power_lost: bool) -> None:
    """Compare the recovered log with what the life knows, and append to it."""
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
