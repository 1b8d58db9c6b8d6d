"""JoinGroup to a classic group: new members, members that were given an id, members that come again, static members that have restarted."""

from holdwater.core.coordinator import Caller, Decision
from holdwater.core.groups.append_errors import for_clients
from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.member import ClassicMember, JoinReply, Protocols, protocols_of
from holdwater.core.groups.classic.rebalance import NEW_MEMBER_JOIN_TIMEOUT_MS, Rebalance, Records, joins_because
from holdwater.core.groups.classic.restart import Restarts
from holdwater.core.groups.classic.state import ClassicState
from holdwater.core.groups.ids import ID_FIRST_FROM, new_member_id
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import JoinGroupRequest, JoinGroupResponse


class Joins:
    """Handles one join at a time; ``join`` is the way in."""

    def __init__(self, rebalance: Rebalance) -> None:
        self._rebalance = rebalance
        self._host = rebalance.host
        self._answers = rebalance.answers
        self._restarts = Restarts(rebalance)

    def join(self, group: ClassicGroup, request: JoinGroupRequest, caller: Caller, reply: JoinReply) -> Decision:
        """Answer now, or park the join until the group's next generation."""
        protocols = protocols_of(request)
        if not self._has_room(group, request.member_id):
            group.remove(request.member_id)
            self._rebalance.forget(group, request.member_id)
            return self._refuse(reply, "", ErrorCode.GROUP_MAX_SIZE_REACHED)
        if not group.supports(request.protocol_type, protocols):
            return self._refuse(reply, request.member_id, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        if request.member_id:
            return self._join_again(group, request, protocols, caller, reply)
        return self._join_first(group, request, protocols, caller, reply)

    def _refuse(self, reply: JoinReply, member_id: str, error_code: int) -> Decision:
        self._answers.add(reply, JoinGroupResponse(member_id=member_id, error_code=error_code))
        return self._answers.decide()

    def _has_room(self, group: ClassicGroup, member_id: str) -> bool:
        """``group.max.size``. While a rebalance gathers members it limits how many have joined, so that the last to come are left out."""
        most = self._host.config.int("group.max.size")
        member = group.members.get(member_id)
        if group.is_empty:
            return True
        if group.state is ClassicState.PREPARING_REBALANCE:
            return (member is not None and member.parked_join is not None) or group.joined_count < most
        return member is not None or len(group.members) < most

    # First time

    def _join_first(
        self, group: ClassicGroup, request: JoinGroupRequest, protocols: Protocols, caller: Caller, reply: JoinReply
    ) -> Decision:
        instance_id = request.group_instance_id
        member_id = new_member_id(caller.client_id if instance_id is None else instance_id, self._host.rng.uuid())
        if instance_id is not None and instance_id in group.static_members:
            return self._restarts.restart(group, request, member_id, caller.version, reply)
        if instance_id is None and caller.version >= ID_FIRST_FROM:
            group.pending_joins[member_id] = None
            self._rebalance.watch(group, member_id, request.session_timeout_ms)
            return self._refuse(reply, member_id, ErrorCode.MEMBER_ID_REQUIRED)
        return self._answers.decide(self._add(group, request, protocols, member_id, caller, reply))

    def _add(
        self, group: ClassicGroup, request: JoinGroupRequest, protocols: Protocols, member_id: str, caller: Caller, reply: JoinReply
    ) -> Records:
        member = ClassicMember(
            member_id,
            request.group_instance_id,
            caller.client_id,
            caller.client_host,
            request.rebalance_timeout_ms,
            request.session_timeout_ms,
            request.protocol_type,
            protocols,
            is_new=True,
            parked_join=reply,
        )
        if group.state is ClassicState.PREPARING_REBALANCE and group.previous_state is ClassicState.EMPTY:
            group.new_member_joined = True
        group.add(member)
        self._rebalance.heard(group, member, NEW_MEMBER_JOIN_TIMEOUT_MS)
        return self._rebalance.prepare_or_complete(group, joins_because(f"member {member_id} joins", request))

    # Again

    def _join_again(
        self, group: ClassicGroup, request: JoinGroupRequest, protocols: Protocols, caller: Caller, reply: JoinReply
    ) -> Decision:
        member_id = request.member_id
        if member_id in group.pending_joins:
            if request.group_instance_id is not None:  # an id was given out to a dynamic member; only a confused client says otherwise
                return self._refuse(reply, member_id, ErrorCode.UNKNOWN_MEMBER_ID)
            return self._answers.decide(self._add(group, request, protocols, member_id, caller, reply))
        error = group.check_member(member_id, request.group_instance_id)
        if error != ErrorCode.NONE:
            return self._refuse(reply, member_id, error)
        member = group.members[member_id]
        if self._needs_rebalance(group, member, protocols):
            return self._answers.decide(self._update(group, member, request, protocols, reply))
        told = group.join_response(member_id)
        return self._answers.tell(reply, told, lambda code: JoinGroupResponse(member_id=member_id, error_code=for_clients(code)))

    def _needs_rebalance(self, group: ClassicGroup, member: ClassicMember, protocols: Protocols) -> bool:
        """Not when nothing has changed: then the member has only missed its answer. A leader comes again because topics have changed."""
        if group.state is ClassicState.COMPLETING_REBALANCE:
            return member.protocols != protocols
        return group.state is ClassicState.PREPARING_REBALANCE or group.leader == member.member_id or member.protocols != protocols

    def _update(
        self, group: ClassicGroup, member: ClassicMember, request: JoinGroupRequest, protocols: Protocols, reply: JoinReply
    ) -> Records:
        given_up = JoinGroupResponse(member_id=member.member_id, error_code=ErrorCode.REBALANCE_IN_PROGRESS)
        self._rebalance.answer_join(group, member, given_up)  # of an earlier request, if one is parked
        group.update(member, protocols, request.rebalance_timeout_ms, request.session_timeout_ms)
        group.park_join(member, reply)
        return self._rebalance.prepare_or_complete(group, joins_because(f"member {member.member_id} joins again", request))
