"""Members of a consumer group that speak the classic protocol, while the group's members move from one protocol to the other (KIP-848).

They join, sync and heartbeat as in a classic group, with the member epoch as their generation. Nobody is parked: a join is answered at once, the
sync after it fetches what the member may use, and a heartbeat says REBALANCE_IN_PROGRESS when there is a reason to join again:

- the group epoch has risen above the member epoch;
- the member must give up partitions, which its next join does by not listing them;
- what others had to give up for it is free.
"""

from collections.abc import Callable
from typing import NamedTuple

from holdwater.core.coordinator import Caller, Decision, ShardHost, answer
from holdwater.core.groups.append_errors import for_clients
from holdwater.core.groups.classic.member import JoinReply, SyncReply
from holdwater.core.groups.classic.sync import HeartbeatReply
from holdwater.core.groups.consumer.classic_join import classic_assignment, plan_join, read_join
from holdwater.core.groups.consumer.member import ConsumerMember, MemberState
from holdwater.core.groups.consumer.settings import SettingsOfGroup
from holdwater.core.groups.consumer.state import ConsumerState
from holdwater.core.groups.consumer.steps import MemberSteps, SeenTopics
from holdwater.core.groups.consumer.timers import MemberTimers
from holdwater.core.groups.downgrade import Downgrades, Replaced
from holdwater.core.groups.ids import uuid_text
from holdwater.core.groups.subscriptions import CONSUMER_PROTOCOL_TYPE
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    HeartbeatRequest,
    HeartbeatResponse,
    JoinGroupRequest,
    JoinGroupResponse,
    SyncGroupRequest,
    SyncGroupResponse,
)


class ClassicMembers(NamedTuple):
    """Their requests, to one consumer group."""

    state: ConsumerState
    host: ShardHost
    settings: SettingsOfGroup
    timers: MemberTimers
    seen: SeenTopics
    downgrades: Downgrades
    steps: Callable[[], MemberSteps]
    """What takes a member in, with a target assignment at once when there is a new group epoch."""

    # Join

    def join(self, request: JoinGroupRequest, caller: Caller, reply: JoinReply) -> Decision:
        """JoinGroup. The last member that speaks the new protocol may be replaced by this one: then the group is a classic one again."""
        member_id = request.member_id or uuid_text(self.host.rng.uuid())
        join = read_join(self.state, request, caller, member_id, self.settings.now().max_size, self.host.topics)
        if isinstance(join, JoinGroupResponse):
            return answer(reply, join)
        downgrade = self.downgrades.by_replacement(join)
        if downgrade is not None:
            return self._replace_last(downgrade, reply)
        plan = plan_join(self.steps(), join, self.seen.may_have_changed)
        if isinstance(plan, JoinGroupResponse):
            return answer(reply, plan)
        self.seen.may_have_changed = False
        self.timers.touch(member_id, request.session_timeout_ms)

        def joined() -> None:
            self.timers.must_sync(plan.member)
            reply(plan.response)

        def failed(error_code: int) -> None:
            self.seen.may_have_changed = True
            _failed_join(reply)(error_code)

        return Decision(tuple(plan.records), joined, failed)

    def _replace_last(self, downgrade: Replaced, reply: JoinReply) -> Decision:
        def failed(error_code: int) -> None:
            self.downgrades.failed(error_code)
            _failed_join(reply)(error_code)

        return Decision(downgrade.records, lambda: reply(downgrade.response), failed)

    # Sync

    def sync(self, request: SyncGroupRequest, reply: SyncReply) -> Decision:
        """SyncGroup: the partitions that the member may use."""
        member = self._find(request.member_id, request.group_instance_id, request.generation_id)
        error = member if isinstance(member, ErrorCode) else self._sync_error(member, request)
        if isinstance(member, ErrorCode) or error != ErrorCode.NONE:
            return answer(reply, SyncGroupResponse(error_code=error))
        self._hear(member)
        assignment = classic_assignment(member, self.host.topics)
        told = SyncGroupResponse(protocol_type=request.protocol_type, protocol_name=request.protocol_name, assignment=assignment)

        def synced() -> None:
            self.timers.synced(member.member_id)
            reply(told)

        def failed(error_code: int) -> None:
            reply(SyncGroupResponse(error_code=for_clients(error_code)))

        return Decision((), synced, failed)

    def _sync_error(self, member: ConsumerMember, request: SyncGroupRequest) -> ErrorCode:
        """A member that has partitions to give up has joined, and finishes that first."""
        if self.state.group_epoch > member.member_epoch and member.state is not MemberState.UNREVOKED_PARTITIONS:
            self.timers.must_join(member)
            return ErrorCode.REBALANCE_IN_PROGRESS
        known = (CONSUMER_PROTOCOL_TYPE, member.classic_protocols[0][0])
        asked = (request.protocol_type, request.protocol_name)
        if any(one is not None and one != other for one, other in zip(asked, known, strict=True)):
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        return ErrorCode.NONE

    # Heartbeat

    def heartbeat(self, request: HeartbeatRequest, reply: HeartbeatReply) -> Decision:
        """Heartbeat: whether the member has to join again."""
        member = self._find(request.member_id, request.group_instance_id, request.generation_id)
        if isinstance(member, ErrorCode):
            return answer(reply, HeartbeatResponse(error_code=member))
        self._hear(member)
        error = ErrorCode.NONE
        if self._must_join(member):
            self.timers.must_join(member)
            error = ErrorCode.REBALANCE_IN_PROGRESS
        return answer(reply, HeartbeatResponse(error_code=error))

    def _must_join(self, member: ConsumerMember) -> bool:
        if member.member_epoch < self.state.group_epoch or member.state is MemberState.UNREVOKED_PARTITIONS:
            return True
        return member.state is MemberState.UNRELEASED_PARTITIONS and not self._waits_for_others(member)

    def _waits_for_others(self, member: ConsumerMember) -> bool:
        """Whether another member still owns something of its target."""
        target = self.state.targets.get(member.member_id, {})
        owners = (self.state.owner(topic_id, number) for topic_id, numbers in target.items() for number in numbers)
        return any(owner not in (None, member.member_id) for owner in owners)

    # Both

    def _find(self, member_id: str, instance_id: str | None, generation: int) -> ConsumerMember | ErrorCode:
        if instance_id is not None:
            holder = self.state.static_member(instance_id)
            if holder is None:
                return ErrorCode.UNKNOWN_MEMBER_ID
            if holder.member_id != member_id:
                return ErrorCode.FENCED_INSTANCE_ID
        member = self.state.members.get(member_id)
        if member is None or not member.speaks_classic:
            return ErrorCode.UNKNOWN_MEMBER_ID
        return member if generation == member.member_epoch else ErrorCode.ILLEGAL_GENERATION

    def _hear(self, member: ConsumerMember) -> None:
        if member.classic_metadata is not None:
            self.timers.touch(member.member_id, member.classic_metadata.session_timeout_ms)


def _failed_join(reply: JoinReply) -> Callable[[int], None]:
    return lambda error_code: reply(JoinGroupResponse(error_code=for_clients(error_code)))
