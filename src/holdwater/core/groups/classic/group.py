"""A classic group: members, the protocol they have in common, the generation. When what happens is decided in the files beside it.

Invariants
- The group generation only rises while the group exists; it rises by one with each rebalance that completes (C1).
- ``leader`` is a member, or there are no members. A static member is in ``static_members`` under its current member id, and nowhere else.
- ``supporters[p]`` is the number of members that support protocol ``p``; while there are members, at least one protocol has them all.
- Parked syncs exist only while the state is CompletingRebalance.
"""

from holdwater.core.coordinator import CoordinatorRecord, ShardHost
from holdwater.core.groups.classic.member import ClassicMember, JoinReply, Protocols
from holdwater.core.groups.classic.state import PREVIOUS_STATES, ClassicState
from holdwater.core.groups.deadlines import Deadlines
from holdwater.core.groups.subscriptions import CONSUMER_PROTOCOL_TYPE, subscribed_topics
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.invariant import invariant
from holdwater.wire.codec import ProtocolError
from holdwater.wire.messages import GroupMetadataKey, GroupMetadataValue, JoinGroupResponse

RECORD_VERSION = 3
"""Of the group's record: the highest that Kafka 4.4 writes."""


class ClassicGroup:
    """See the module. A group without protocol type holds only committed offsets (a *simple* group, whose consumers assign partitions themselves)."""

    group_type = "classic"

    def __init__(self, group_id: str, host: ShardHost) -> None:
        self.group_id = group_id
        self._host = host
        self.state = ClassicState.EMPTY
        self.previous_state = ClassicState.DEAD
        self.state_since_wall_ms = host.wall_ms
        """When the state was entered, -1 when an old record does not tell; stored, since offsets of an empty group expire by it."""
        self.generation = 0
        self._recorded_generation = 0
        self.protocol_type: str | None = None
        self.protocol_name: str | None = None
        self.leader: str | None = None
        self.must_call_members = False
        """Whether it is stored without a leader: nobody has shared out its partitions, so its members have to be called."""
        self.members: dict[str, ClassicMember] = {}
        self.static_members: dict[str, str] = {}
        self.supporters: dict[str, int] = {}
        self.joined_count = 0
        """Members whose join is parked."""
        self.pending_joins: dict[str, None] = {}
        """Member ids that were given out and have yet to join with (KIP-394); their deadline is the session timeout they asked for."""
        self.pending_syncs: dict[str, None] = {}
        """Members of the generation that have yet to sync."""
        self.generation_under_way = -1
        """The generation whose assignment has been appended, until it is committed or fails."""
        self.new_member_joined = False
        """Whether somebody came during the initial delay, which is then prolonged."""
        self.topics: frozenset[str] | None = None
        """What the members of the generation subscribe to; ``None`` when that is not known."""
        self.deadlines = Deadlines(host)

    # State

    @property
    def is_empty(self) -> bool:
        """Whether it has no members."""
        return self.state is ClassicState.EMPTY

    @property
    def is_simple(self) -> bool:
        """Whether nothing but committed offsets is known of it: no record of its own stands behind it."""
        return self.protocol_type is None and self.is_empty and not self.pending_joins

    @property
    def state_name(self) -> str:
        """Kafka's name of the state."""
        return self.state.value

    @property
    def can_rebalance(self) -> bool:
        """Whether a rebalance may begin now."""
        return self.state in PREVIOUS_STATES[ClassicState.PREPARING_REBALANCE]

    @property
    def uses_consumer_protocol(self) -> bool:
        """Whether the members are consumers, so that their metadata can be read."""
        return self.protocol_type == CONSUMER_PROTOCOL_TYPE

    def enter(self, state: ClassicState) -> None:
        """Change the state."""
        invariant(self.state in PREVIOUS_STATES[state], f"group {self.group_id} must not go from {self.state} to {state}")
        self.previous_state, self.state = self.state, state
        self.state_since_wall_ms = self._host.wall_ms

    def begin_generation(self) -> None:
        """Begin the next generation with the members that there are, or without any."""
        self.generation += 1
        self.protocol_name = self.select_protocol() if self.members else None
        self.topics = self._subscriptions()
        self.enter(ClassicState.COMPLETING_REBALANCE if self.members else ClassicState.EMPTY)
        self.pending_syncs.clear()

    def is_subscribed_to(self, topic: str) -> bool:
        """Whether a member reads the topic, as far as is known; a group of consumers that cannot be read counts as subscribed."""
        return self.uses_consumer_protocol if self.topics is None else topic in self.topics

    # Members

    def add(self, member: ClassicMember) -> None:
        """Take in a member that supports at least one protocol that all others support."""
        invariant(self.supports(member.protocol_type, member.protocols), f"member {member.member_id} must fit into group {self.group_id}")
        if member.instance_id is not None:
            invariant(member.instance_id not in self.static_members, f"static member {member.instance_id} must not be there twice")
            self.static_members[member.instance_id] = member.member_id
        if not self.members:
            self.protocol_type = member.protocol_type
        self.leader = self.leader or member.member_id
        self.members[member.member_id] = member
        self._count(member, 1)
        self.joined_count += member.parked_join is not None
        self.pending_joins.pop(member.member_id, None)

    def remove(self, member_id: str) -> None:
        """Let go of a member, or of an id that has yet to join."""
        member = self.members.pop(member_id, None)
        if member is not None:
            self._count(member, -1)
            self.joined_count -= member.parked_join is not None
            if member.instance_id is not None:
                del self.static_members[member.instance_id]
        if self.leader == member_id:
            self.leader = next(iter(self.members), None)
        self.pending_joins.pop(member_id, None)
        self.pending_syncs.pop(member_id, None)

    def replace(self, instance_id: str, new_member_id: str) -> ClassicMember:
        """Give a static member another id: it has restarted. Requests of the old one must have been answered."""
        old_id = self.static_members[instance_id]
        member = self.members.pop(old_id)
        invariant(member.parked_join is None and member.parked_sync is None, "requests of a replaced member must be answered")
        member.member_id = new_member_id
        member.is_new = False
        self.members[new_member_id] = member
        self.static_members[instance_id] = new_member_id
        if old_id in self.pending_syncs:
            del self.pending_syncs[old_id]
            self.pending_syncs[new_member_id] = None
        if self.leader == old_id:
            self.leader = new_member_id
        return member

    def update(self, member: ClassicMember, protocols: Protocols, rebalance_timeout_ms: int, session_timeout_ms: int) -> None:
        """A member has joined again, perhaps with other wishes."""
        self._count(member, -1)
        member.protocols = protocols
        self._count(member, 1)
        member.rebalance_timeout_ms = rebalance_timeout_ms
        member.session_timeout_ms = session_timeout_ms

    def _count(self, member: ClassicMember, change: int) -> None:
        for name, _ in member.protocols:
            self.supporters[name] = self.supporters.get(name, 0) + change
            if not self.supporters[name]:
                del self.supporters[name]

    def check_member(self, member_id: str, instance_id: str | None) -> ErrorCode:
        """Whether the member is in the group, under the id that its instance has now."""
        if instance_id is not None:
            current = self.static_members.get(instance_id)
            if current is None:
                return ErrorCode.UNKNOWN_MEMBER_ID
            if current != member_id:
                return ErrorCode.FENCED_INSTANCE_ID
        return ErrorCode.NONE if member_id in self.members else ErrorCode.UNKNOWN_MEMBER_ID

    def park_join(self, member: ClassicMember, reply: JoinReply) -> None:
        """The member has joined and waits for its answer, in place of an earlier join of it that is given up."""
        self.joined_count += member.parked_join is None
        member.parked_join = reply

    def unpark_join(self, member: ClassicMember) -> JoinReply | None:
        """Where to answer the member's join, if it waits; it waits no more."""
        reply, member.parked_join = member.parked_join, None
        self.joined_count -= reply is not None
        return reply

    @property
    def has_all_joined(self) -> bool:
        """Whether nobody has to be waited for."""
        return not self.pending_joins and self.joined_count == len(self.members)

    @property
    def rebalance_timeout_ms(self) -> int:
        """The longest that any member asks for."""
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    def elect_joined_leader(self) -> bool:
        """Make sure that the group's leader is a member that has joined; False when there is none."""
        if self.leader is None:
            return False
        if self.members[self.leader].parked_join is None:
            joined = next((member.member_id for member in self.members.values() if member.parked_join is not None), None)
            if joined is None:
                return False
            self.leader = joined
        return True

    # Protocols

    def supports(self, protocol_type: str, protocols: Protocols) -> bool:
        """Whether somebody with these protocols fits in: at least one is supported by every member."""
        if self.is_empty:
            return bool(protocol_type and protocols)
        return self.protocol_type == protocol_type and any(self.supporters.get(name, 0) == len(self.members) for name, _ in protocols)

    def select_protocol(self) -> str:
        """The protocol of the next generation: among those that all members support, the one most of them like best."""
        candidates = [name for name, count in self.supporters.items() if count == len(self.members)]
        votes: dict[str, int] = {}
        for member in self.members.values():
            choice = member.vote(candidates)
            votes[choice] = votes.get(choice, 0) + 1
        return max(votes, key=lambda name: votes[name])

    def _subscriptions(self) -> frozenset[str] | None:
        if not self.uses_consumer_protocol:
            return None
        topics: list[str] = []
        for member in self.members.values():
            named = subscribed_topics(member.metadata(self.protocol_name or ""))
            if named is None:
                return None
            topics.extend(named)
        return frozenset(topics)

    # What is told and stored

    def join_response(self, member_id: str, *, skip_assignment: bool = False) -> JoinGroupResponse:
        """The current generation for a member; its leader learns who the members are."""
        invariant(self.state not in (ClassicState.DEAD, ClassicState.PREPARING_REBALANCE), "there must be a generation to tell of")
        members = [
            JoinGroupResponse.JoinGroupResponseMember(
                member_id=member.member_id, group_instance_id=member.instance_id, metadata=member.metadata(self.protocol_name or "")
            )
            for member in (self.members.values() if self.leader == member_id else ())
        ]
        return JoinGroupResponse(
            generation_id=self.generation,
            protocol_type=self.protocol_type,
            protocol_name=self.protocol_name,
            leader=self.leader or "",
            skip_assignment=skip_assignment,
            member_id=member_id,
            members=members,
        )

    def record(self, assignments: dict[str, bytes] | None = None) -> CoordinatorRecord:
        """The group as it is stored; ``assignments`` by member id where they differ from what the members have."""
        invariant(self.generation >= self._recorded_generation, f"generation {self.generation} of {self.group_id} must not fall in the log")
        self._recorded_generation = self.generation
        members = [
            member.recorded(self.protocol_name or "", member.assignment if assignments is None else assignments.get(member.member_id, b""))
            for member in self.members.values()
        ]
        value = GroupMetadataValue(
            protocol_type=self.protocol_type or "",
            generation=self.generation,
            protocol=self.protocol_name,
            leader=self.leader,
            current_state_timestamp=self.state_since_wall_ms,
            members=members,
        )
        return CoordinatorRecord(GroupMetadataKey(group=self.group_id), value, RECORD_VERSION)

    def empty_record(self) -> CoordinatorRecord:
        """The group as it is stored when it is new, whoever may be joining just now: members are stored with their first assignment."""
        value = GroupMetadataValue(generation=self.generation, protocol=None, leader=None, current_state_timestamp=self.state_since_wall_ms)
        return CoordinatorRecord(GroupMetadataKey(group=self.group_id), value, RECORD_VERSION)

    def tombstones(self) -> tuple[CoordinatorRecord, ...]:
        """The end of what is stored."""
        return (CoordinatorRecord(GroupMetadataKey(group=self.group_id), None),)

    @staticmethod
    def restored(group_id: str, value: GroupMetadataValue, host: ShardHost) -> "ClassicGroup":
        """A group as its record has it: stable, or empty. Raises ``ProtocolError`` for members that no group can have."""
        group = ClassicGroup(group_id, host)
        for stored in value.members:
            member = ClassicMember.restored(value, stored)
            if member.member_id in group.members or member.instance_id in group.static_members:
                raise ProtocolError(f"group {group_id} has member {member.member_id} (instance {member.instance_id}) twice")
            if not group.supports(member.protocol_type, member.protocols):
                raise ProtocolError(f"member {member.member_id} does not fit into group {group_id}")
            group.add(member)
        group.state = ClassicState.STABLE if value.members else ClassicState.EMPTY
        group.state_since_wall_ms = value.current_state_timestamp
        group.generation = group._recorded_generation = value.generation
        group.protocol_type = value.protocol_type or None
        group.protocol_name = value.protocol
        group.leader = value.leader if value.leader in group.members else group.leader
        group.must_call_members = bool(value.members) and value.leader is None
        group.topics = group._subscriptions()
        return group
