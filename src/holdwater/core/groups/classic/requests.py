"""JoinGroup, SyncGroup, Heartbeat and LeaveGroup: what is checked before a classic group sees them, and how old versions are answered."""

from holdwater.core.coordinator import Caller, Decision, ShardHost, answer
from holdwater.core.groups.answers import Once
from holdwater.core.groups.append_errors import for_clients
from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.join import Joins
from holdwater.core.groups.classic.member import JoinReply, SyncReply
from holdwater.core.groups.classic.rebalance import Rebalance
from holdwater.core.groups.classic.sync import HeartbeatReply, Identity, LeaveReply, Left, Sessions, Syncs
from holdwater.core.groups.registry import Registry
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    HeartbeatRequest,
    HeartbeatResponse,
    JoinGroupRequest,
    JoinGroupResponse,
    LeaveGroupRequest,
    LeaveGroupResponse,
    SyncGroupRequest,
    SyncGroupResponse,
)

_REBALANCE_TIMEOUT_FROM = 1
"""Version 0 of JoinGroup has only the session timeout, which then stands for both."""
_PROTOCOL_MAY_BE_NULL_FROM = 7
_MANY_LEAVE_FROM = 3


class ClassicRequests:
    """The handlers; see the module."""

    def __init__(self, host: ShardHost, registry: Registry, rebalance: Rebalance) -> None:
        self._host = host
        self._registry = registry
        self._groups = registry.groups
        self._answers = rebalance.answers
        self._joins = Joins(rebalance)
        self._syncs = Syncs(rebalance)
        self._sessions = Sessions(rebalance)

    # Join

    def join(self, request: JoinGroupRequest, caller: Caller, reply: JoinReply) -> Decision:
        """JoinGroup."""
        group = self._groups.get(request.group_id)
        error = self._check_join(request)
        if error != ErrorCode.NONE:
            return answer(reply, JoinGroupResponse(member_id=request.member_id, error_code=error))
        if caller.version < _REBALANCE_TIMEOUT_FROM:
            request.rebalance_timeout_ms = request.session_timeout_ms
        if caller.version < _PROTOCOL_MAY_BE_NULL_FROM:
            reply = _for_old_clients(reply)
        if isinstance(group, ClassicGroup):
            return self._joins.join(group, request, caller, reply)
        if group is not None and not group.is_empty:
            return group.join(request, caller, reply)
        if request.member_id:
            return answer(reply, JoinGroupResponse(member_id=request.member_id, error_code=ErrorCode.UNKNOWN_MEMBER_ID))
        return self._join_new(request, caller, Once(reply))

    def _check_join(self, request: JoinGroupRequest) -> ErrorCode:
        if not request.group_id:
            return ErrorCode.INVALID_GROUP_ID
        config = self._host.config
        low_ms, high_ms = config.int("group.min.session.timeout.ms"), config.int("group.max.session.timeout.ms")
        return ErrorCode.NONE if low_ms <= request.session_timeout_ms <= high_ms else ErrorCode.INVALID_SESSION_TIMEOUT

    def _join_new(self, request: JoinGroupRequest, caller: Caller, reply: Once) -> Decision:
        """The first join makes the group, and stores that there is one, whatever becomes of the join itself."""
        before = self._groups.get(request.group_id)
        assert not isinstance(before, ClassicGroup)
        tombstones = before.tombstones() if before is not None else ()
        group = self._registry.begin_classic(request.group_id, before)
        joined = self._joins.join(group, request, caller, reply)

        def stored() -> None:
            joined.committed()
            if before is not None:
                before.unloaded(ErrorCode.GROUP_ID_NOT_FOUND)

        def not_stored(error_code: int) -> None:
            told = for_clients(error_code)
            self._registry.give_up_classic(group, before, told)
            self._answers.take()()
            if not reply.answered:
                reply(JoinGroupResponse(error_code=told))

        return Decision((*tombstones, group.empty_record()), stored, not_stored, replays=False)

    # The others

    def sync(self, request: SyncGroupRequest, reply: SyncReply) -> Decision:
        """SyncGroup."""
        group = self._groups.get(request.group_id)
        if not request.group_id:
            return answer(reply, SyncGroupResponse(error_code=ErrorCode.INVALID_GROUP_ID))
        if group is None:
            return answer(reply, SyncGroupResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID))
        if not isinstance(group, ClassicGroup):
            return group.sync(request, reply)
        return self._syncs.sync(group, request, reply)

    def heartbeat(self, request: HeartbeatRequest, reply: HeartbeatReply) -> Decision:
        """Heartbeat."""
        group = self._groups.get(request.group_id)
        if not request.group_id:
            return answer(reply, HeartbeatResponse(error_code=ErrorCode.INVALID_GROUP_ID))
        if group is None:
            return answer(reply, HeartbeatResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID))
        if not isinstance(group, ClassicGroup):
            return group.classic_heartbeat(request, reply)
        return self._sessions.heartbeat(group, request, reply)

    def leave(self, request: LeaveGroupRequest, caller: Caller, reply: LeaveReply) -> Decision:
        """LeaveGroup. Before version 3 one member leaves, and its error is that of the whole response."""
        identities = request.members
        if caller.version < _MANY_LEAVE_FROM:
            identities = [Identity(member_id=request.member_id)]
            reply = _for_one_member(reply)
        group = self._groups.get(request.group_id)
        if not request.group_id:
            return answer(reply, LeaveGroupResponse(error_code=ErrorCode.INVALID_GROUP_ID))
        if group is not None and not isinstance(group, ClassicGroup):
            return group.remove(identities, reply)
        if group is None:
            unknown = [
                Left(member_id=one.member_id, group_instance_id=one.group_instance_id, error_code=ErrorCode.UNKNOWN_MEMBER_ID)
                for one in identities
            ]
            return answer(reply, LeaveGroupResponse(members=unknown))
        return self._sessions.leave(group, identities, reply)


def _for_old_clients(reply: JoinReply) -> JoinReply:
    def fitting(response: JoinGroupResponse) -> None:
        response.protocol_name = response.protocol_name or ""
        reply(response)

    return fitting


def _for_one_member(reply: LeaveReply) -> LeaveReply:
    def fitting(response: LeaveGroupResponse) -> None:
        error = response.error_code or next((one.error_code for one in response.members), ErrorCode.NONE)
        reply(LeaveGroupResponse(error_code=error))

    return fitting
