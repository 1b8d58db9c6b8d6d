"""What a fetch looks at: one item per partition, in a context that is a fetch session (KIP-227) or lives for one request.

The work of a fetch is proportional to its *dirty* items, those that may have something new, never to all of them: an item becomes dirty when
its client names it, when its log grows or its high watermark moves, and clean when it was looked at and had nothing to say.
"""

from collections.abc import Callable
from typing import Any

from holdwater.broker.connection import Call
from holdwater.broker.partitions import HostedPartition
from holdwater.broker.timers import Timer
from holdwater.core.replica import LeaderReplica
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import AbortedTransaction, CorruptRecords, DiskFailure, EpochEnd, Log

READ_COMMITTED = 1


class FetchItem:
    """One partition of a fetch, with what its client last asked and was last told."""

    __slots__ = (
        "context",
        "fetch_offset",
        "index",
        "last_fetched_epoch",
        "leader_epoch",
        "max_bytes",
        "partition",
        "told_high_watermark",
        "told_log_start",
        "topic",
        "topic_id",
        "unknown_error",
    )

    def __init__(self, context: "FetchContext", topic: str, topic_id: bytes, index: int) -> None:
        self.context = context
        self.topic = topic
        self.topic_id = topic_id
        self.index = index
        self.partition: HostedPartition | None = None
        self.unknown_error = 0
        self.fetch_offset = 0
        self.max_bytes = 0
        self.leader_epoch = -1
        self.last_fetched_epoch = -1
        self.told_high_watermark = -2
        self.told_log_start = -2

    def bind(self, partition: HostedPartition | None, unknown_error: int) -> None:
        """Look at ``partition`` from now on; ``unknown_error`` says why there is none."""
        self.unknown_error = unknown_error
        if partition is self.partition:
            return
        self.release()
        self.partition = partition
        if partition is not None:
            watchers = partition.follower_items if self.context.replica_id >= 0 else partition.consumer_items
            watchers[self] = None

    def release(self) -> None:
        """Stop looking."""
        if self.partition is not None:
            self.partition.follower_items.pop(self, None)
            self.partition.consumer_items.pop(self, None)
            self.partition = None


class ParkedFetch:
    """A fetch that waits for data."""

    __slots__ = ("call", "min_bytes", "request", "timer")

    def __init__(self, call: Call, request: Any, min_bytes: int, timer: Timer) -> None:
        self.call = call
        self.request = request
        self.min_bytes = min_bytes
        self.timer = timer


class FetchContext:
    """The items of one session, or of one request without a session (``session_id`` 0)."""

    __slots__ = ("dirty", "items", "parked", "replica_id", "session_epoch", "session_id")

    def __init__(self, session_id: int, replica_id: int) -> None:
        self.session_id = session_id
        self.session_epoch = 1
        self.replica_id = replica_id
        """Broker id of a follower, or -1 for a consumer."""
        self.items: dict[tuple[str | bytes, int], FetchItem] = {}
        self.dirty: dict[FetchItem, None] = {}
        self.parked: ParkedFetch | None = None

    def forget(self, key: tuple[str | bytes, int]) -> None:
        """Drop one partition from the session."""
        item = self.items.pop(key, None)
        if item is not None:
            item.release()
            self.dirty.pop(item, None)

    def close(self) -> None:
        """The session is over."""
        for item in self.items.values():
            item.release()
        self.items = {}
        self.dirty = {}


class ItemResult:
    """What one look at an item found."""

    __slots__ = (
        "aborted",
        "disk_failure",
        "diverging",
        "error_code",
        "held_back",
        "high_watermark",
        "item",
        "last_stable_offset",
        "log_start_offset",
        "records",
        "replica",
    )

    def __init__(self, item: FetchItem, error_code: int) -> None:
        self.item = item
        self.error_code = error_code
        self.high_watermark = -1
        self.last_stable_offset = -1
        self.log_start_offset = -1
        self.records = b""
        self.held_back = False
        """There are records, and no room for them in this answer: the item stays dirty."""
        self.aborted: list[AbortedTransaction] | None = None
        self.diverging: EpochEnd | None = None
        self.disk_failure: DiskFailure | None = None
        """Why nothing could be read: the directory is to go offline."""
        self.replica: LeaderReplica | None = None


def look(item: FetchItem, isolation: int, max_bytes: int, *, at_least_one: bool) -> ItemResult:
    """Read what ``item`` may see: a follower everything, a consumer below the high watermark or the last stable offset [R7]."""
    partition = item.partition
    if partition is None:
        return ItemResult(item, item.unknown_error)
    if partition.deleted:
        return ItemResult(item, ErrorCode.UNKNOWN_TOPIC_ID if item.topic_id != bytes(16) else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    replica = partition.replica
    if not isinstance(replica, LeaderReplica):
        return ItemResult(item, partition.leadership_error())
    if item.leader_epoch >= 0 and item.leader_epoch != replica.leader_epoch:
        fenced = item.leader_epoch < replica.leader_epoch
        return ItemResult(item, ErrorCode.FENCED_LEADER_EPOCH if fenced else ErrorCode.UNKNOWN_LEADER_EPOCH)
    reader = item.context.replica_id
    if reader >= 0 and reader not in replica.followers:  # it may know of an assignment that this broker has not heard of yet
        return ItemResult(item, ErrorCode.UNKNOWN_LEADER_EPOCH if item.leader_epoch >= 0 else ErrorCode.NOT_LEADER_OR_FOLLOWER)
    result = ItemResult(item, 0)
    result.replica = replica
    log = replica.log
    high_watermark = result.high_watermark = replica.high_watermark
    result.log_start_offset = log.log_start_offset
    result.last_stable_offset = log.last_stable_offset(high_watermark)
    offset = item.fetch_offset
    end = log.log_end_offset
    if item.last_fetched_epoch >= 0:
        shared = end_of_epoch(log, item.last_fetched_epoch)
        if shared.leader_epoch < item.last_fetched_epoch or shared.end_offset < offset:
            result.diverging = shared
            return result
    if offset < result.log_start_offset or offset > end:
        result.error_code = ErrorCode.OFFSET_OUT_OF_RANGE
        return result
    if item.context.replica_id >= 0:
        upper = end
    else:
        upper = result.last_stable_offset if isolation == READ_COMMITTED else high_watermark
    if offset < upper:
        if max_bytes > 0:
            try:
                records = log.read(offset, min(item.max_bytes, max_bytes), upper, at_least_one=at_least_one)
                if isolation == READ_COMMITTED and records:
                    result.aborted = log.aborted_transactions(offset, upper)
                result.records = records
            except CorruptRecords as problem:
                result.error_code = problem.error_code
                return result
            except DiskFailure as failure:
                result.disk_failure = failure
                result.error_code = ErrorCode.KAFKA_STORAGE_ERROR
                return result
        result.held_back = not result.records
    return result


def end_of_epoch(log: Log, leader_epoch: int) -> EpochEnd:
    """Where this log's history and that of a log whose last leader epoch is ``leader_epoch`` part.

    An epoch before all that this log knows ended where the first that it knows starts (KIP-101; Kafka's leader epoch cache answers the same).
    That is not always where the log starts: after a power loss the log start may be an older one, of before records were deleted and their leader
    epochs forgotten, and to tell of that would be to tell of a cut that never was.
    """
    return log.end_offset_for_epoch(leader_epoch) or EpochEnd(leader_epoch, log.first_epoch_start)


class SessionCache:
    """Fetch sessions by id, at most ``max.incremental.fetch.session.cache.slots`` of them; followers always get one.

    When full, the session of a consumer that was used longest ago makes room if it has not been used for two minutes (KIP-227).
    """

    EVICTION_MS = 120_000

    def __init__(self, slots: int, new_id: Callable[[], int]) -> None:
        self._slots = slots
        self._new_id = new_id
        self._sessions: dict[int, FetchContext] = {}
        self._last_used_ms: dict[int, int] = {}

    def create(self, replica_id: int, mono_ms: int) -> FetchContext | None:
        """A new session, or ``None`` when there is no room."""
        if len(self._sessions) >= self._slots and not self._make_room(mono_ms, privileged=replica_id >= 0):
            return None
        session_id = self._new_id()
        while session_id == 0 or session_id in self._sessions:
            session_id = self._new_id()
        context = FetchContext(session_id, replica_id)
        self._sessions[session_id] = context
        self._last_used_ms[session_id] = mono_ms
        return context

    def find(self, session_id: int, mono_ms: int) -> FetchContext | None:
        """The session with that id; it counts as used."""
        context = self._sessions.get(session_id)
        if context is not None:
            del self._last_used_ms[session_id]  # keeps the dictionary in order of use
            self._last_used_ms[session_id] = mono_ms
        return context

    def remove(self, session_id: int) -> None:
        """Close a session, if there is one."""
        context = self._sessions.pop(session_id, None)
        if context is not None:
            del self._last_used_ms[session_id]
            context.close()

    def _make_room(self, mono_ms: int, *, privileged: bool) -> bool:
        for session_id, used_ms in self._last_used_ms.items():
            context = self._sessions[session_id]
            if context.parked is None and context.replica_id < 0 and (privileged or mono_ms - used_ms > self.EVICTION_MS):
                self.remove(session_id)
                return True
        return False
