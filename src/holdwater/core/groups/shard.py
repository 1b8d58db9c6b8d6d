"""The group coordinator of one partition of ``__consumer_offsets``: every group that hashes to it, and their committed offsets.

It hands each request to what can answer it, and each record to what it tells of. A group id has one group at a time, classic or of the
consumer protocol; an empty one of either kind gives way to the other. One with members becomes a consumer group when a member of the new
protocol comes into it, and a classic group again when the last of them goes (KIP-848, ``group.consumer.migration.policy``).

- Committed offsets and consumer groups change only by ``replay`` and ``end_transaction``, live and while loading alike.
- A classic group is ahead of its record: members that join and parked requests are not stored. It comes back from a load as its last record
  has it, stable or empty, and members of a later generation find out by their next heartbeat.
- Topics come by name in every request; the caller has resolved ids, and refused what may not be seen.
"""

from collections.abc import Callable, Sequence

from holdwater.core.coordinator import NOTHING, Caller, Decision, ShardHost, answer
from holdwater.core.groups.admin import ConsumerDescribeReply, DeleteReply, DescribeReply, GroupAdmin, ListReply
from holdwater.core.groups.answers import Answers
from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.member import JoinReply, SyncReply
from holdwater.core.groups.classic.rebalance import Rebalance
from holdwater.core.groups.classic.requests import ClassicRequests
from holdwater.core.groups.classic.sync import HeartbeatReply, LeaveReply
from holdwater.core.groups.consumer.group import ConsumerGroup
from holdwater.core.groups.deadlines import Deadlines
from holdwater.core.groups.modern import ConsumerHeartbeatReply, Groups, MakeModernGroup
from holdwater.core.groups.offsets.committed import Offsets
from holdwater.core.groups.offsets.expiry import DeletedTopic, Expiry
from holdwater.core.groups.offsets.requests import CommitReply, FetchReply, OffsetDeleteReply, OffsetRequests, TxnCommitReply
from holdwater.core.groups.registry import Registry
from holdwater.core.groups.upgrade import NEW, Beginning, following, upgraded
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.codec.classes import Message
from holdwater.wire.messages import (
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMetadataKey,
    ConsumerGroupPartitionMetadataKey,
    ConsumerGroupRegularExpressionKey,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMetadataKey,
    GroupMetadataKey,
    GroupMetadataValue,
    HeartbeatRequest,
    JoinGroupRequest,
    LeaveGroupRequest,
    ListGroupsRequest,
    OffsetCommitKey,
    OffsetCommitRequest,
    OffsetCommitValue,
    OffsetDeleteRequest,
    OffsetFetchRequest,
    SyncGroupRequest,
    TxnOffsetCommitRequest,
)

_CONSUMER_GROUP_KEYS = (
    ConsumerGroupMetadataKey,
    ConsumerGroupPartitionMetadataKey,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupRegularExpressionKey,
)
_EXPIRE = "expire"


class GroupShard:
    """Implements ``core.coordinator.Shard``; see the module."""

    def __init__(self, host: ShardHost, make_modern: MakeModernGroup = ConsumerGroup) -> None:
        rebalance = Rebalance(host, Answers())
        self._host = host
        self._answers = rebalance.answers
        self._registry = Registry(host, rebalance, make_modern)
        self._deadlines = Deadlines(host)
        self._is_active = False
        self._removal_count = 0
        self.offsets = Offsets()
        self._classic = ClassicRequests(host, self._registry, rebalance)
        self._offset_requests = OffsetRequests(host, self.groups, self.offsets, rebalance)
        self._expiry = Expiry(host, self.groups, self.offsets)
        self._admin = GroupAdmin(self.groups, self.offsets)

    @property
    def groups(self) -> Groups:
        """Every group by id; for reading only."""
        return self._registry.groups

    # What the host tells

    def replay(self, offset: int, key: Message, value: Message | None, producer_id: int, producer_epoch: int) -> None:
        """Take in one record. Those of share and streams groups are passed over."""
        if isinstance(key, OffsetCommitKey):
            assert value is None or isinstance(value, OffsetCommitValue)
            if value is not None:
                self._registry.replay_commit(key.group)
            self.offsets.replay(offset, key, value, producer_id)
        elif isinstance(key, GroupMetadataKey):
            assert value is None or isinstance(value, GroupMetadataValue)
            self._registry.replay_classic(key.group, value)
        elif isinstance(key, _CONSUMER_GROUP_KEYS):
            self._registry.replay_modern(key.group_id, key, value)

    def end_transaction(self, producer_id: int, producer_epoch: int, committed: bool) -> None:
        """A marker: the producer's pending offsets count now, or never."""
        self.offsets.end_transaction(producer_id, committed)

    def loaded(self) -> None:
        """This broker is the coordinator from now on: sessions begin, and what is expired is looked for from time to time."""
        self._is_active = True
        self._registry.loaded()
        self._schedule_expiry()

    def unloaded(self, error_code: int) -> None:
        """This broker is the coordinator no more: every parked join and sync is refused, and everything forgotten."""
        self._is_active = False
        self._deadlines.cancel_all()
        self._registry.unloaded(error_code)
        self.offsets.clear()
        self._answers.take()()

    def topics_changed(self) -> None:
        """The host's topics are others than before."""
        self._registry.topics_changed()

    # Members of classic groups

    def join(self, request: JoinGroupRequest, caller: Caller, reply: JoinReply) -> Decision:
        """JoinGroup."""
        return self._classic.join(request, caller, reply)

    def sync(self, request: SyncGroupRequest, caller: Caller, reply: SyncReply) -> Decision:
        """SyncGroup."""
        return self._classic.sync(request, reply)

    def heartbeat(self, request: HeartbeatRequest, caller: Caller, reply: HeartbeatReply) -> Decision:
        """Heartbeat."""
        return self._classic.heartbeat(request, reply)

    def leave(self, request: LeaveGroupRequest, caller: Caller, reply: LeaveReply) -> Decision:
        """LeaveGroup."""
        return self._classic.leave(request, caller, reply)

    # Members of consumer groups

    def consumer_heartbeat(self, request: ConsumerGroupHeartbeatRequest, caller: Caller, reply: ConsumerHeartbeatReply) -> Decision:
        """ConsumerGroupHeartbeat; the one that joins (member epoch 0) makes the group."""
        group_id = request.group_id
        group = self.groups.get(group_id)
        if group is not None and not isinstance(group, ClassicGroup):
            return group.heartbeat(request, caller, reply)
        beginning: Beginning | str = NEW
        if request.member_epoch != 0:
            beginning = f"Consumer group {group_id} not found." if group is None else f"Group {group_id} is not a consumer group."
        elif group is not None:
            beginning = following(group) if group.is_empty else upgraded(group, self._host)
            if isinstance(beginning, str):
                self._host.note(f"group {group_id}: {beginning}")
        if isinstance(beginning, str):
            return answer(reply, ConsumerGroupHeartbeatResponse(error_code=ErrorCode.GROUP_ID_NOT_FOUND, error_message=beginning))
        candidate = self._registry.begin_modern(group_id)
        taken_over = candidate.begin_with(beginning)
        return self._registry.adopt(group_id, candidate, candidate.heartbeat(request, caller, reply), taken_over)

    # Offsets

    def commit(self, request: OffsetCommitRequest, caller: Caller, reply: CommitReply) -> Decision:
        """OffsetCommit."""
        return self._offset_requests.commit(request, caller, reply)

    def txn_commit(self, request: TxnOffsetCommitRequest, caller: Caller, reply: TxnCommitReply) -> Decision:
        """TxnOffsetCommit."""
        return self._offset_requests.txn_commit(request, caller, reply)

    def fetch_offsets(
        self, request: OffsetFetchRequest.OffsetFetchRequestGroup, require_stable: bool, caller: Caller, reply: FetchReply
    ) -> Decision:
        """OffsetFetch, one group; ``topics`` of ``None`` asks for all. The topic ids of the request come back in the response."""
        return self._offset_requests.fetch(request, require_stable, caller, reply)

    def delete_offsets(self, request: OffsetDeleteRequest, caller: Caller, reply: OffsetDeleteReply) -> Decision:
        """OffsetDelete."""
        return self._offset_requests.delete(request, reply)

    # Administration

    def describe(self, group_ids: Sequence[str], caller: Caller, reply: DescribeReply) -> Decision:
        """DescribeGroups, the groups of this shard."""
        return self._admin.describe(group_ids, caller, reply)

    def consumer_describe(self, group_ids: Sequence[str], caller: Caller, reply: ConsumerDescribeReply) -> Decision:
        """ConsumerGroupDescribe, the groups of this shard."""
        return self._admin.describe_consumers(group_ids, reply)

    def list(self, request: ListGroupsRequest, caller: Caller, reply: ListReply) -> Decision:
        """ListGroups, this shard's part."""
        return self._admin.list_groups(request, reply)

    def delete(self, group_ids: Sequence[str], caller: Caller, reply: DeleteReply) -> Decision:
        """DeleteGroups, the groups of this shard."""
        return self._admin.delete(group_ids, reply)

    # Removal

    def expire(self) -> Decision:
        """Remove expired offsets and groups that nobody needs, in batches one after the other; then again after a while."""
        self._schedule_expiry()
        return self._expiry.expire(lambda: self._schedule_expiry(0))

    def _schedule_expiry(self, after_ms: int | None = None) -> None:
        if self._is_active:
            check_ms = self._host.config.int("offsets.retention.check.interval.ms")
            self._deadlines.set(_EXPIRE, check_ms if after_ms is None else after_ms, self.expire)

    def topics_deleted(self, deleted: Sequence[DeletedTopic]) -> Decision:
        """Remove the offsets of topics that are gone; those of a new topic of the same name stay."""
        return self._expiry.topics_deleted(deleted, self._later) if self._is_active else NOTHING

    def _later(self, work: Callable[[], Decision]) -> None:
        if self._is_active:
            self._removal_count += 1
            self._deadlines.set(("removal", self._removal_count), 0, work)
