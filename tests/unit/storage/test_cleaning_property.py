"""Random lives of a compacted log, beside a log that gets the same batches and is never compacted.

After every round of compaction, every restart and every power loss: the newest value of each key is the same, no offset, time or byte of a record
has changed, every offset can be read from, and what is known of the producers, also by a scan of the batches alone, is the same.
"""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.compaction import (
    committed,
    headers,
    keyed,
    look,
    newest,
    producer_state,
    read_everywhere,
    run,
    stored,
)
from tests.support.log_life import HOME, META, PARTITION, TOPIC_ID, new_disk
from tests.support.logs import append, marker, new_log, reopen

from holdwater.kernel.rng import Rng
from holdwater.sim.disk import Crashed, Fault, Operation, SimDisk
from holdwater.storage.compaction.cleaning import Cleaning
from holdwater.storage.config import LogConfig
from holdwater.storage.directories import LogDirectories
from holdwater.storage.log import PartitionLog
from holdwater.wire.records import Record

CONFIG = LogConfig(segment_bytes=400, index_interval_bytes=100, compact=True, delete_retention_ms=50)
PATH = f"{HOME}/t-0"

KEYS = st.sampled_from("abcde")
RECORDS = st.lists(st.tuples(KEYS, st.sampled_from(["1", "22", "x" * 40, None])), min_size=1, max_size=4)
PRODUCERS = st.sampled_from([5, 6, 7])
STEPS = st.one_of(
    st.tuples(st.just("put"), RECORDS, st.integers(0, 4)),
    st.tuples(st.just("put"), RECORDS, st.integers(0, 4)),
    st.tuples(st.just("produce"), PRODUCERS, RECORDS),
    st.tuples(st.just("transact"), PRODUCERS, RECORDS),
    st.tuples(st.just("transact"), PRODUCERS, RECORDS),
    st.tuples(st.just("end"), PRODUCERS, st.booleans()),
    st.tuples(st.just("end"), PRODUCERS, st.booleans()),
    st.tuples(st.just("lead")),
    st.tuples(st.just("expire"), PRODUCERS),
    st.tuples(st.just("compact"), st.sampled_from([1, 2, 3, 100]), st.integers(1, 60)),
    st.tuples(st.just("compact"), st.sampled_from([1, 2, 3, 100]), st.integers(1, 60)),
    st.tuples(st.just("interrupt"), st.integers(1, 60), st.integers(0, 99)),
    st.tuples(st.just("restart")),
)


class Beside:
    """The two logs."""

    def __init__(self) -> None:
        self.disk = new_disk()
        self.directories = self._open()
        self.directories.create(PARTITION, TOPIC_ID, CONFIG, 1_000)
        self.disk.settle()
        self.whole = new_log(compact=False)
        self.epoch = 0
        self.wall_ms = 2_000
        self.sequences: dict[int, int] = {}
        self.in_transaction: dict[int, None] = {}
        self.forgotten: dict[int, None] = {}

    def _open(self) -> LogDirectories:
        directories = LogDirectories(self.disk, [HOME], cluster_id=META.cluster_id, node_id=META.node_id)
        directories.open()
        for _ in directories.load(lambda partition: replace(CONFIG, compact=False), 1_000):
            pass
        if PARTITION in directories.logs:
            directories.logs[PARTITION].configure(CONFIG)
        return directories

    @property
    def log(self) -> PartitionLog:
        return self.directories.logs[PARTITION]

    def append(self, data: bytes) -> None:
        for log in (self.log, self.whole):
            assert append(log, data, epoch=self.epoch).error_code == 0

    def put(self, records: list[tuple[str, str | None]], codec: int) -> None:
        self.append(keyed(*records, timestamp_ms=self.wall_ms, compression=codec))

    def produce(self, producer_id: int, records: list[tuple[str, str | None]], *, transactional: bool = False) -> None:
        if not transactional and producer_id in self.in_transaction:
            return
        sequence = self.sequences.get(producer_id, 0)
        how = {"producer_id": producer_id, "producer_epoch": 0, "base_sequence": sequence, "transactional": transactional}
        self.append(keyed(*records, timestamp_ms=self.wall_ms, **how))
        self.sequences[producer_id] = sequence + len(records)
        self.forgotten.pop(producer_id, None)

    def transact(self, producer_id: int, records: list[tuple[str, str | None]]) -> None:
        self.produce(producer_id, records, transactional=True)
        self.in_transaction[producer_id] = None

    def end(self, producer_id: int, committed_: bool) -> None:
        if producer_id in self.in_transaction:
            self.append(marker(producer_id, committed=committed_, timestamp_ms=self.wall_ms))
            del self.in_transaction[producer_id]

    def lead(self) -> None:
        self.epoch += 1

    def expire(self, producer_id: int) -> None:
        if producer_id not in self.in_transaction:
            for log in (self.log, self.whole):
                log.producers.states.pop(producer_id, None)
            self.forgotten[producer_id] = None

    def compact(self, keys: int, passed_ms: int) -> None:
        self.wall_ms += passed_ms
        end = run(self.begin(keys))
        assert end is not None
        self.directories.checkpoint_cleaner(PARTITION, end)
        self.check()

    def begin(self, keys: int) -> Cleaning:
        found = look(self.log, self.directories.cleaner_offset(PARTITION), wall_ms=self.wall_ms)
        return Cleaning(self.log, found, map_limit_count=keys, wall_ms=self.wall_ms, slice_bytes=300)

    def interrupt(self, after: int, seed: int) -> None:
        """A power loss in the midst of a round."""
        self.log.sync()
        self.directories.checkpoint_recovery_points()
        self.directories.checkpoint_high_watermarks({PARTITION: self.log.log_end_offset})
        last = self.disk.operation_count + after

        def on_operation(operation: Operation) -> Fault | None:
            return Fault.CRASH_TORN if operation.number == last else None

        self.disk.on_operation = on_operation
        try:
            end = run(self.begin(100))
            assert end is not None
            self.directories.checkpoint_cleaner(PARTITION, end)
        except Crashed:
            pass
        self.disk.disarm_all()
        self.disk.power_loss(Rng(seed))
        self._reopened()

    def restart(self) -> None:
        self.directories.close(1, {PARTITION: self.log.log_end_offset})
        self.disk.crash()
        self._reopened()

    def _reopened(self) -> None:
        self.directories = self._open()
        assert PARTITION in self.directories.logs, self.directories.damaged
        for producer_id in self.forgotten:
            self.log.producers.states.pop(producer_id, None)  # what an emptied batch or an old snapshot brought back
        self.check()

    def check(self) -> None:
        log, whole = self.log, self.whole
        assert (log.log_start_offset, log.log_end_offset) == (0, whole.log_end_offset)
        stable = whole.last_stable_offset(whole.log_end_offset)
        assert log.last_stable_offset(log.log_end_offset) == stable
        assert newest(below(committed(log), stable)) == newest(below(committed(whole), stable))
        everything = {record.offset: record for record in stored(whole)}
        found = stored(log)
        assert [record.offset for record in found] == sorted({record.offset for record in found})
        assert all(everything[record.offset] == record for record in found)
        assert [one for one in found if one.offset >= stable] == [one for one in stored(whole) if one.offset >= stable]
        assert log.epoch_entries() == whole.epoch_entries()
        assert all(log.epoch_at(header.base_offset) == header.partition_leader_epoch for header, _ in headers(log))
        assert producer_state(log) == producer_state(whole)
        read_everywhere(log, step=7)
        read_everywhere(log, max_bytes=1_000, step=11)

    def check_scan(self) -> None:
        """The state of the producers from the batches alone."""
        copied = SimDisk()
        copied.make_directories("/data/t-0")
        for name in self.disk.list_directory(PATH):
            if name.endswith(".log"):
                copied.replace_file(f"/data/t-0/{name}", self.disk.read_file(f"{PATH}/{name}"), durable=True)
        scanned = reopen(copied, segment_bytes=400, compact=True, compacted_to=self.log.log_end_offset)
        known = producer_state(self.whole)
        assert {key: state for key, state in producer_state(scanned).items() if key in known} == known
        assert stored(scanned) == stored(self.log)
        # Not the same indexes: they may name a transaction of which only the marker is left, and where it once began.
        assert committed(scanned) == committed(self.log)


def below(records: list[Record], offset: int) -> list[Record]:
    return [one for one in records if one.offset < offset]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=10, max_size=40))
def test_a_compacted_log_says_what_the_whole_one_says(steps: list[tuple[object, ...]]) -> None:
    beside = Beside()
    for name, *arguments in steps:
        getattr(beside, str(name))(*arguments)
    beside.compact(100, 1)
    beside.check_scan()
    for _ in range(3):
        beside.compact(3, 60)
    beside.check_scan()
    read_everywhere(beside.log)
