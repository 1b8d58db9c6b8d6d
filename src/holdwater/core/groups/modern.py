"""What the shard needs of a group of the consumer protocol (KIP-848), and what it may hold under a group id."""

from collections.abc import Callable, Sequence
from typing import Protocol

from holdwater.core.coordinator import Caller, CoordinatorRecord, Decision, ShardHost
from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.member import JoinReply, SyncReply
from holdwater.core.groups.classic.sync import HeartbeatReply
from holdwater.core.groups.upgrade import Beginning
from holdwater.wire.codec.classes import Message
from holdwater.wire.messages import (
    ConsumerGroupDescribeResponse,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    HeartbeatRequest,
    JoinGroupRequest,
    LeaveGroupRequest,
    LeaveGroupResponse,
    SyncGroupRequest,
)

ConsumerHeartbeatReply = Callable[[ConsumerGroupHeartbeatResponse], None]


class ModernGroup(Protocol):
    """A consumer group. Its heartbeats only decide; ``replay`` alone changes it."""

    @property
    def is_empty(self) -> bool:
        """Whether it has no members."""
        ...

    @property
    def group_epoch(self) -> int:
        """Its group epoch."""
        ...

    @property
    def state_name(self) -> str:
        """Kafka's name of the state."""
        ...

    def heartbeat(self, request: ConsumerGroupHeartbeatRequest, caller: Caller, reply: ConsumerHeartbeatReply) -> Decision:
        """A member joins, lives, has changed its mind, or leaves."""
        ...

    def begin_with(self, beginning: Beginning) -> tuple[CoordinatorRecord, ...]:
        """Take in the epoch and the members of a classic group before anything else happens; the records say the same."""
        ...

    def join(self, request: JoinGroupRequest, caller: Caller, reply: JoinReply) -> Decision:
        """A member that speaks the classic protocol joins, or joins again."""
        ...

    def sync(self, request: SyncGroupRequest, reply: SyncReply) -> Decision:
        """Such a member asks for its assignment."""
        ...

    def classic_heartbeat(self, request: HeartbeatRequest, reply: HeartbeatReply) -> Decision:
        """Such a member lives."""
        ...

    def remove(self, identities: Sequence[LeaveGroupRequest.MemberIdentity], reply: Callable[[LeaveGroupResponse], None]) -> Decision:
        """LeaveGroup: members are removed, each by its id, by its instance, or both."""
        ...

    def describe(self) -> ConsumerGroupDescribeResponse.DescribedGroup:
        """Itself for ConsumerGroupDescribe."""
        ...

    def replay(self, key: Message, value: Message | None) -> None:
        """Take in one record."""
        ...

    def loaded(self) -> None:
        """This broker is the coordinator; deadlines may be set."""
        ...

    def unloaded(self, error_code: int) -> None:
        """It is used no more: cancel every deadline."""
        ...

    def topics_changed(self) -> None:
        """The topics of the cluster are others than before."""
        ...

    def is_subscribed_to(self, topic: str) -> bool:
        """Whether a member reads the topic."""
        ...

    def validate_commit(self, member_id: str, member_epoch: int, instance_id: str | None, version: int, is_transactional: bool) -> int:
        """Whether the member may commit every partition in this member epoch."""
        ...

    def commit_covers(self, member_id: str, member_epoch: int, topic: str, partition: int) -> bool:
        """After STALE_MEMBER_EPOCH: whether the partition may be committed all the same, since the member has owned it ever since (KIP-1251)."""
        ...

    def validate_fetch(self, member_id: str | None, member_epoch: int) -> int:
        """Whether the member may ask for committed offsets in this member epoch."""
        ...

    def tombstones(self) -> tuple[CoordinatorRecord, ...]:
        """The end of everything that is stored of it, in the order in which it has to go."""
        ...


MakeModernGroup = Callable[[str, ShardHost], ModernGroup]
Group = ClassicGroup | ModernGroup
Groups = dict[str, Group]
"""The groups of a shard by id."""
