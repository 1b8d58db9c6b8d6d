"""SyncGroup, Heartbeat and LeaveGroup to a classic group."""

from collections.abc import Callable

from holdwater.core.coordinator import Decision
from holdwater.core.groups.append_errors import for_clients
from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.member import SyncReply
from holdwater.core.groups.classic.rebalance import NO_RECORDS, Rebalance, Records
from holdwater.core.groups.classic.state import ClassicState
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.invariant import invariant
from holdwater.wire.messages import (
    HeartbeatRequest,
    HeartbeatResponse,
    LeaveGroupRequest,
    LeaveGroupResponse,
    SyncGroupRequest,
    SyncGroupResponse,
)

HeartbeatReply = Callable[[HeartbeatResponse], None]
LeaveReply = Callable[[LeaveGroupResponse], None]
Identity = LeaveGroupRequest.MemberIdentity
Left = LeaveGroupResponse.MemberResponse


class Syncs:
    """Hands out assignments: the group's leader brings them, they are stored, then every parked sync is answered."""

    def __init__(self, rebalance: Rebalance) -> None:
        self._rebalance = rebalance
        self._answers = rebalance.answers

    def sync(self, group: ClassicGroup, request: SyncGroupRequest, reply: SyncReply) -> Decision:
        """Answer now, or park the sync until the group's leader has brought the assignments and they are stored."""
        error = self._check(group, request)
        if error == ErrorCode.NONE and group.state is ClassicState.PREPARING_REBALANCE:
            error = ErrorCode.REBALANCE_IN_PROGRESS
        if error != ErrorCode.NONE:
            return self._answer(reply, SyncGroupResponse(error_code=error))
        member = group.members[request.member_id]
        self._rebalance.synced(group, request.member_id)
        if group.state is ClassicState.STABLE:
            told = SyncGroupResponse(protocol_type=group.protocol_type, protocol_name=group.protocol_name, assignment=member.assignment)
            return self._answers.tell(reply, told, lambda error_code: SyncGroupResponse(error_code=for_clients(error_code)))
        self._rebalance.answer_sync(member, SyncGroupResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS))  # an earlier one, given up
        member.parked_sync = reply
        brings_assignment = group.leader == member.member_id and group.generation_under_way != group.generation
        return self._store(group, request) if brings_assignment else self._answers.decide()

    def _answer(self, reply: SyncReply, response: SyncGroupResponse) -> Decision:
        self._answers.add(reply, response)
        return self._answers.decide()

    def _check(self, group: ClassicGroup, request: SyncGroupRequest) -> ErrorCode:
        error = group.check_member(request.member_id, request.group_instance_id)
        if error != ErrorCode.NONE:
            return error
        if request.generation_id != group.generation:
            return ErrorCode.ILLEGAL_GENERATION
        pairs = ((request.protocol_type, group.protocol_type), (request.protocol_name, group.protocol_name))
        if any(asked is not None and has is not None and asked != has for asked, has in pairs):
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        return ErrorCode.NONE

    def _store(self, group: ClassicGroup, request: SyncGroupRequest) -> Decision:
        assignments = {given.member_id: given.assignment for given in request.assignments}
        without = [member_id for member_id in group.members if member_id not in assignments]
        if without:
            self._rebalance.host.note(f"group {group.group_id}: {len(without)} members get an empty assignment from its leader")
        generation = group.generation_under_way = group.generation  # a sync that is sent again must not store another assignment

        def is_current() -> bool:
            """Otherwise a rebalance has begun while the record was under way, and the syncs were answered by that."""
            return group.state is ClassicState.COMPLETING_REBALANCE and group.generation == generation

        def stored() -> None:
            if is_current():
                for member in group.members.values():
                    member.assignment = assignments.get(member.member_id, b"")
                self._rebalance.give_out_assignments(group)
                group.generation_under_way = -1
                group.enter(ClassicState.STABLE)
                self._answers.take()()

        def not_stored(error_code: int) -> None:
            if is_current():
                group.generation_under_way = -1
                told = for_clients(error_code)
                self._rebalance.take_back_assignments(group, told)
                records = self._rebalance.prepare(group, f"error {told} when the assignment was stored")
                invariant(not records, "a group with members and without parked joins must wait for them")
                self._answers.take()()

        return self._answers.decide((group.record(assignments),), stored, not_stored)


class Sessions:
    """Heartbeats, and members that leave."""

    def __init__(self, rebalance: Rebalance) -> None:
        self._rebalance = rebalance
        self._answers = rebalance.answers

    def heartbeat(self, group: ClassicGroup, request: HeartbeatRequest, reply: HeartbeatReply) -> Decision:
        """The member lives; whether it has to join again."""
        error = group.check_member(request.member_id, request.group_instance_id)
        if error == ErrorCode.NONE and request.generation_id != group.generation:
            error = ErrorCode.ILLEGAL_GENERATION
        if error == ErrorCode.NONE:
            self._rebalance.heard(group, group.members[request.member_id])
            if group.state is ClassicState.PREPARING_REBALANCE:
                error = ErrorCode.REBALANCE_IN_PROGRESS
        self._answers.add(reply, HeartbeatResponse(error_code=error))
        return self._answers.decide()

    def leave(self, group: ClassicGroup, identities: list[Identity], reply: LeaveReply) -> Decision:
        """Remove members, each by its id, by its instance (an administrator knows only that), or both."""
        left = [
            Left(member_id=one.member_id, group_instance_id=one.group_instance_id, error_code=self._leave_one(group, one))
            for one in identities
        ]
        records = self._after_leaving(group, [one.member_id for one in left if one.error_code == ErrorCode.NONE])
        response = LeaveGroupResponse(members=left)
        if records:  # the group has no members any more, which is stored
            return self._answers.decide(
                records,
                lambda: reply(response),
                lambda error_code: reply(LeaveGroupResponse(error_code=for_clients(error_code))),
            )
        self._answers.add(reply, response)
        return self._answers.decide()

    def _leave_one(self, group: ClassicGroup, identity: Identity) -> ErrorCode:
        member_id = identity.member_id
        if not member_id:
            member_id = group.static_members.get(identity.group_instance_id or "", "")
            if not member_id:
                return ErrorCode.UNKNOWN_MEMBER_ID
        elif member_id in group.pending_joins:
            group.remove(member_id)
            self._rebalance.forget(group, member_id)
            return ErrorCode.NONE
        else:
            error = group.check_member(member_id, identity.group_instance_id)
            if error != ErrorCode.NONE:
                return error
        self._rebalance.take_out(group, group.members[member_id])
        return ErrorCode.NONE

    def _after_leaving(self, group: ClassicGroup, gone: list[str]) -> Records:
        if not gone or group.is_empty:
            return NO_RECORDS
        return self._rebalance.prepare_or_complete(group, f"{len(gone)} members leave")
