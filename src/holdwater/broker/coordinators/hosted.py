"""One coordinator partition that this broker leads: its shard is loaded from the log, and what it decides is appended, replayed and awaited.

Life: LOADING (the log is read in slices up to its end) -> ACTIVE -> OVER (the replica has another role, or its directory failed).

Invariants:

- Records reach the shard in the order of the log, live and while loading, and each exactly once.
- An append is one batch: all records of a decision, or none. They are replayed before anything else happens.
- A decision that waits is carried through only when the high watermark has passed all that the shard held when it was made. Otherwise it fails,
  once: the partition is lost, or ``offsets.commit.timeout.ms`` have passed (the records stay, whoever asked has to ask again).
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from holdwater.broker.coordinators.kinds import Kind
from holdwater.broker.partitions import HostedPartition
from holdwater.broker.timers import Timer
from holdwater.core.coordinator import CoordinatorRecord, Decision, Shard, ShardHost, TopicsView
from holdwater.core.metadata.image import GROUP_RESOURCE, ConfigResource
from holdwater.core.replica import LeaderReplica
from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.invariant import invariant
from holdwater.kernel.ports import BatchHeader, CorruptRecords, DiskFailure
from holdwater.kernel.rng import Rng
from holdwater.wire.codec import EncodeError, ProtocolError
from holdwater.wire.coordinator_records import decode_key, decode_value, encode_key, encode_value
from holdwater.wire.records import (
    CONTROL_FLAG,
    TRANSACTIONAL_FLAG,
    Record,
    batches,
    build_batch,
    check_crc,
    parse_header,
    read_records,
    read_transaction_marker,
)

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

LOADING, ACTIVE, OVER = "LOADING", "ACTIVE", "OVER"
SLICE_BYTES = 64 * 1024
"""Read between two other events while loading: some twenty milliseconds for small records."""
RECORD_BUDGET = 2_000_000
"""Structs and elements that one record of a coordinator's log may hold; brokers alone write them."""

_UNAVAILABLE = (ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND, ErrorCode.REQUEST_TIMED_OUT)
_MOVED = (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.KAFKA_STORAGE_ERROR)


class HostedShard(ShardHost):
    """See the module."""

    def __init__(
        self,
        broker: "Broker",
        kind: Kind,
        topics: TopicsView,
        partition: HostedPartition,
        replica: LeaderReplica,
        make: Callable[["HostedShard"], Shard],
    ) -> None:
        self.broker = broker
        self.kind = kind
        self.partition = partition
        self.replica = replica
        self.state = LOADING
        self._topics = topics
        self._rng = broker.rng.fork()
        self._timeout_ms = broker.config.int("offsets.commit.timeout.ms")
        self._waiting: dict[_Wait, None] = {}
        self._missed: list[Callable[[], Decision]] = []
        self._slices = self._load()
        self.shard = make(self)

    @property
    def index(self) -> int:
        """Number of the partition."""
        return self.partition.topic_partition.partition

    @property
    def leader_epoch(self) -> int:
        """Leader epoch of the partition, which is the coordinator epoch."""
        return self.replica.leader_epoch

    # --- ShardHost

    @property
    def mono_ms(self) -> int:
        """See ``ShardHost``."""
        return self.broker.mono_ms

    @property
    def wall_ms(self) -> int:
        """See ``ShardHost``."""
        return self.broker.wall_ms

    @property
    def rng(self) -> Rng:
        """See ``ShardHost``."""
        return self._rng

    @property
    def config(self) -> BrokerConfig:
        """See ``ShardHost``."""
        return self.broker.config

    @property
    def topics(self) -> TopicsView:
        """See ``ShardHost``."""
        return self._topics

    def group_texts(self, group_id: str) -> dict[str, str]:
        """See ``ShardHost``."""
        return dict(self.broker.image.config(ConfigResource(GROUP_RESOURCE, group_id)))

    def at(self, due_ms: int, work: Callable[[], Decision]) -> Timer:
        """See ``ShardHost``."""

        def run() -> None:
            if self.state == ACTIVE:
                self.carry_out(work())

        return self.broker.timers.at(due_ms, run)

    def note(self, line: str) -> None:
        """See ``ShardHost``."""
        self.broker.note(line)

    # --- loading

    def load_slice(self) -> bool:
        """Read on; whether there is more to read."""
        if self.state != LOADING:
            return False
        try:
            more = next(self._slices, None)
        except DiskFailure as failure:
            self.broker.disk_failed(failure)
            return False
        except (CorruptRecords, ProtocolError) as problem:
            self.broker.note(f"{self.partition.topic_partition} can't be loaded, its {self.kind.name} coordinator stays away: {problem}")
            self.end(ErrorCode.NOT_COORDINATOR)
            return False
        if more is not None:
            return True
        self.state = ACTIVE
        self.shard.loaded()
        missed, self._missed = self._missed, []
        for work in missed:
            self.carry_out(work())
        return False

    def when_loaded(self, work: Callable[[], Decision]) -> None:
        """Carry out what ``work`` decides: now, or once everything is loaded."""
        if self.state == ACTIVE:
            self.carry_out(work())
        elif self.state == LOADING:
            self._missed.append(work)

    def _load(self) -> Iterator[int]:
        log = self.replica.log
        offset = log.log_start_offset
        while offset < log.log_end_offset:  # which may move: markers of transactions are appended meanwhile
            data = log.read(offset, SLICE_BYTES, log.log_end_offset, at_least_one=True)
            if not data:
                return  # the rest was compacted away
            for position, header, _ in batches(data):
                last_offset = header.base_offset + header.last_offset_delta
                if last_offset < offset:
                    continue
                check_crc(data, position, header)
                self._replay_batch(data, position, header, offset)
                offset = last_offset + 1
            if offset < log.log_end_offset:
                yield len(data)

    def _replay_batch(self, data: bytes, position: int, header: BatchHeader, from_offset: int) -> None:
        if header.attributes & CONTROL_FLAG:
            marker = read_transaction_marker(data, position, header) if header.producer_id >= 0 else None
            if marker is not None:
                self.shard.end_transaction(header.producer_id, header.producer_epoch, marker.committed)
            return
        transactional = bool(header.attributes & TRANSACTIONAL_FLAG)
        producer_id, producer_epoch = (header.producer_id, header.producer_epoch) if transactional else (-1, -1)
        for record in read_records(data, position, header):
            if record.offset < from_offset or record.key is None:
                continue
            try:
                key = decode_key(self.kind.table, record.key, RECORD_BUDGET)
                value = None if record.value is None else decode_value(self.kind.table, key.API_KEY, record.value, RECORD_BUDGET)
                self.shard.replay(record.offset, key, value, producer_id, producer_epoch)
            except ProtocolError as problem:  # no coordinator wrote it; one that stopped at it would stop each that comes after it
                self.broker.note(f"{self.partition.topic_partition} at offset {record.offset}: passed over: {problem}")

    # --- decisions

    def carry_out(self, decision: Decision) -> None:
        """Append and replay what a handler has decided; answer now, or when it is committed."""
        if self.state == OVER:  # the handler has seen a shard that has forgotten everything
            decision.failed(ErrorCode.NOT_COORDINATOR)
            return
        if decision.records:
            error = self._append(decision)
            if error or self.state == OVER:
                decision.failed(_as_coordinator(error or ErrorCode.NOT_LEADER_OR_FOLLOWER))
                return
        if not decision.waits and not decision.records:
            decision.committed()
            return
        replica = self.replica
        end = replica.log.log_end_offset
        if replica.high_watermark >= end:
            decision.committed()
            return
        wait = _Wait(self, decision)
        self._waiting[wait] = None
        wait.timer = self.broker.timers.at(self.broker.mono_ms + self._timeout_ms, wait.timed_out)
        replica.wait_for(end, wait)

    def _append(self, decision: Decision) -> int:
        """Write a decision's records as one batch and replay them; the error when nothing was written."""
        broker, replica = self.broker, self.replica
        try:
            data = self._batch(decision)
        except EncodeError as problem:  # what a client has sent fits into its request and into no record: that request alone fails
            broker.note(f"{self.partition.topic_partition}: not written: {problem}")
            return ErrorCode.UNKNOWN_SERVER_ERROR
        try:
            result = replica.append(data, parse_header(data), -1, broker.wall_ms)
        except DiskFailure as failure:
            broker.disk_failed(failure)
            return ErrorCode.KAFKA_STORAGE_ERROR
        if result.error_code:
            return result.error_code
        if decision.replays:
            for offset, record in enumerate(decision.records, result.base_offset):
                self.shard.replay(offset, record.key, record.value, decision.producer_id, decision.producer_epoch)
        broker.replicas.leader_appended(self.partition, replica)
        return 0

    def _batch(self, decision: Decision) -> bytes:
        at_ms = self.broker.wall_ms
        records = [Record(0, at_ms, encode_key(each.key), _value(each)) for each in decision.records]
        return build_batch(
            records,
            producer_id=decision.producer_id,
            producer_epoch=decision.producer_epoch,
            compression=self._compression(),
            transactional=decision.producer_id >= 0,
        )

    def _compression(self) -> int:
        return self.broker.config.int("offsets.topic.compression.codec") if self.kind.table == "group" else 0

    def marker_appended(self, producer_id: int, producer_epoch: int, committed: bool) -> None:
        """The marker of a transaction was appended to the partition."""
        self.shard.end_transaction(producer_id, producer_epoch, committed)

    def settled(self, wait: "_Wait") -> None:
        """A wait is over."""
        self._waiting.pop(wait, None)

    # --- the end

    def end(self, error_code: int = ErrorCode.NOT_COORDINATOR) -> None:
        """This broker is the coordinator no more. Whoever waits is told so."""
        if self.state == OVER:
            return
        self.state = OVER
        for wait in list(self._waiting):
            wait.fail(error_code)
        invariant(not self._waiting, "a failed wait is settled")
        self.shard.unloaded(error_code)


class _Wait:
    """A decision that waits for the high watermark (``AcknowledgementWait``)."""

    __slots__ = ("_decision", "_hosted", "_over", "timer")

    def __init__(self, hosted: HostedShard, decision: Decision) -> None:
        self._hosted = hosted
        self._decision = decision
        self._over = False
        self.timer: Timer | None = None

    def acknowledged(self, error_code: int) -> None:
        """The leader is done with this wait."""
        if error_code:
            self.fail(_as_coordinator(error_code))
        elif self._settle():
            self._decision.committed()

    def timed_out(self) -> None:
        """The replicas are too slow, or too few."""
        self.fail(ErrorCode.COORDINATOR_NOT_AVAILABLE)

    def fail(self, error_code: int) -> None:
        """No commit is known."""
        if self._settle():
            self._decision.failed(error_code)

    def _settle(self) -> bool:
        """Whether it is this call that ends it."""
        if self._over:
            return False
        self._over = True
        self._hosted.settled(self)
        if self.timer is not None:
            self.timer.cancel()
        return True


def _value(record: CoordinatorRecord) -> bytes | None:
    return None if record.value is None else encode_value(record.value, record.value_version)


def _as_coordinator(error_code: int) -> int:
    """An error of the log, as who asked the coordinator is told it (Kafka's CoordinatorOperationExceptionHelper)."""
    if error_code in _UNAVAILABLE:
        return ErrorCode.COORDINATOR_NOT_AVAILABLE
    if error_code in _MOVED:
        return ErrorCode.NOT_COORDINATOR
    return error_code
