"""Partitions hosted by this broker, and who waits for news of them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from holdwater.broker.record_check import RecordCheck
from holdwater.broker.timers import Timer
from holdwater.core.replica import FollowerReplica, LeaderReplica
from holdwater.kernel.configs.durability import Durability
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import TopicPartition
from holdwater.kernel.ports import Log

if TYPE_CHECKING:
    from holdwater.broker.fetch_context import FetchContext, FetchItem


_EXPECTED_MAX = 10_000


class Expected(NamedTuple):
    """Transactional records that wait for their coordinator's word (KIP-890)."""

    producer_epoch: int
    lowest_sequence: int
    """Of those that came: one that came later must not be appended before it, though its own question is answered first."""


class HostedPartition:
    """One replica on this broker: its log, the role it plays, and the fetches that look at it.

    ``replica`` is ``None`` until the metadata has given it a role, and when its log directory is offline.
    """

    __slots__ = (
        "consumer_items",
        "deleted",
        "durability",
        "failure",
        "follower_items",
        "log",
        "on_role",
        "record_check",
        "replica",
        "sync_timer",
        "topic_id",
        "topic_partition",
        "verified",
        "wake",
    )

    def __init__(self, topic_partition: TopicPartition, topic_id: bytes, log: Log, wake: "dict[FetchContext, None]") -> None:
        self.topic_partition = topic_partition
        self.topic_id = topic_id
        self.log = log
        self.replica: LeaderReplica | FollowerReplica | None = None
        self.failure: str | None = None
        """Why the replica is offline, or ``None``."""
        self.deleted = False
        self.record_check: RecordCheck | None = None
        """How produced batches are opened; ``None``: they stay closed."""
        self.durability: Durability | None = None
        """When the log is synced; ``None`` at level page-cache."""
        self.sync_timer: Timer | None = None
        """When the oldest unsynced record will have waited ``flush.ms``."""
        self.on_role: Callable[[HostedPartition], None] | None = None
        """Is told of each change of role: a coordinator's partition has one."""
        self.verified: dict[int, Expected] = {}
        """By producer id, from when the coordinator is asked whether its transaction is open until records are appended. A marker that comes between
        makes the answer void."""
        self.wake = wake
        """Broker-wide: fetches to look at again when the current input has been worked off."""
        self.follower_items: dict[FetchItem, None] = {}
        self.consumer_items: dict[FetchItem, None] = {}

    def leader(self) -> LeaderReplica | None:
        """The leader's side, when this broker leads."""
        replica = self.replica
        return replica if isinstance(replica, LeaderReplica) else None

    @property
    def is_fsync(self) -> bool:
        """Whether acknowledgements wait for the disk (level fsync)."""
        durability = self.durability
        return durability is not None and durability.is_fsync

    def leadership_error(self) -> int:
        """Why a request that needs the leader can't be served here; 0 when it can."""
        if isinstance(self.replica, LeaderReplica):
            return 0
        return ErrorCode.KAFKA_STORAGE_ERROR if self.failure else ErrorCode.NOT_LEADER_OR_FOLLOWER

    def expect_transaction(self, producer_id: int, producer_epoch: int, sequence: int) -> bool:
        """Whether the coordinator has to be asked before the producer's transactional records are appended. If so, its word is expected now."""
        if self.log.has_open_transaction(producer_id, producer_epoch):
            return False
        verified = self.verified
        known = verified.get(producer_id)
        if known is None or known.producer_epoch < producer_epoch:
            if known is not None or len(verified) < _EXPECTED_MAX:
                verified[producer_id] = Expected(producer_epoch, sequence)
        elif known.producer_epoch == producer_epoch and sequence < known.lowest_sequence:
            verified[producer_id] = Expected(producer_epoch, sequence)
        return True

    def transaction_error(self, producer_id: int, producer_epoch: int, sequence: int, *, begins_at_zero: bool) -> int:
        """Why transactional records may not be appended: 0 where the log holds the open transaction, or the coordinator's word is there for it.

        ``begins_at_zero``: whether a producer that is new here must begin with sequence 0, as those of transaction version 2 do.
        """
        log = self.log
        known_epoch = log.producer_epoch(producer_id)
        if producer_epoch < known_epoch or log.has_open_transaction(producer_id, producer_epoch):
            return 0  # of the former the log itself says what is wrong
        expected = self.verified.get(producer_id)
        if expected is None and len(self.verified) >= _EXPECTED_MAX:
            return ErrorCode.NOT_ENOUGH_REPLICAS
        if expected is None or expected.producer_epoch != producer_epoch:
            return ErrorCode.INVALID_TXN_STATE
        if sequence > expected.lowest_sequence or (begins_at_zero and known_epoch < 0 and sequence > 0):
            return ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
        return 0

    def records_appended(self) -> None:
        """The leader's log has grown: followers that wait for it are woken."""
        wake = self.wake
        for item in self.follower_items:
            context = item.context
            context.dirty[item] = None
            if context.parked is not None:
                wake[context] = None

    def high_watermark_moved(self) -> None:
        """Consumers may read further. Followers learn of it with their next answer; nobody is woken for that."""
        wake = self.wake
        for item in self.consumer_items:
            context = item.context
            context.dirty[item] = None
            if context.parked is not None:
                wake[context] = None
        for item in self.follower_items:
            item.context.dirty[item] = None

    def log_start_moved(self) -> None:
        """The first records are gone: whoever fetches learns of it with the next answer."""
        for item in (*self.follower_items, *self.consumer_items):
            item.context.dirty[item] = None

    def role_changed(self) -> None:
        """Every fetch that looks at this partition is to be answered anew."""
        wake = self.wake
        for item in (*self.follower_items, *self.consumer_items):
            item.context.dirty[item] = None
            wake[item.context] = None
        self.verified.clear()
        if self.on_role is not None:
            self.on_role(self)
