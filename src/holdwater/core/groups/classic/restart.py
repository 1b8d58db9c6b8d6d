"""A static member that has restarted (KIP-345): it joins under its instance id without a member id, and takes the place of what it was.

In a stable group it keeps the assignment, and nobody else notices, as long as the group's protocol stays the same. The group is then stored
with the new member id before the member is answered. Whoever still uses the old member id is fenced.
"""

from typing import NamedTuple

from holdwater.core.coordinator import Decision
from holdwater.core.groups.append_errors import for_clients
from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.member import ClassicMember, JoinReply, Protocols, protocols_of
from holdwater.core.groups.classic.rebalance import Rebalance, joins_because
from holdwater.core.groups.classic.state import ClassicState
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import JoinGroupRequest, JoinGroupResponse, SyncGroupResponse

_SKIPS_ASSIGNMENT_FROM = 9
"""From this version on a leader can be told that the group needs no assignment."""


class _Before(NamedTuple):
    """The member as it was, to go back to when the change cannot be stored."""

    member_id: str
    protocols: Protocols
    rebalance_timeout_ms: int
    session_timeout_ms: int
    leader: str | None


class Restarts:
    """Handles one restart at a time; ``restart`` is the way in."""

    def __init__(self, rebalance: Rebalance) -> None:
        self._rebalance = rebalance
        self._answers = rebalance.answers

    def restart(self, group: ClassicGroup, request: JoinGroupRequest, new_id: str, version: int, reply: JoinReply) -> Decision:
        """Replace the member that has the request's instance id."""
        instance_id = request.group_instance_id or ""
        member = group.members[group.static_members[instance_id]]
        before = _Before(member.member_id, member.protocols, member.rebalance_timeout_ms, member.session_timeout_ms, group.leader)
        self._replace(group, instance_id, new_id)
        group.update(member, protocols_of(request), request.rebalance_timeout_ms, request.session_timeout_ms)
        group.park_join(member, reply)
        if group.state is ClassicState.STABLE and group.select_protocol() == group.protocol_name:
            return self._store(group, member, before, version, reply)
        why = joins_because(f"static member {instance_id} has restarted", request)
        return self._answers.decide(self._rebalance.prepare_or_complete(group, why))

    def _replace(self, group: ClassicGroup, instance_id: str, new_id: str) -> None:
        old_id = group.static_members[instance_id]
        old, fenced = group.members[old_id], ErrorCode.FENCED_INSTANCE_ID
        self._rebalance.answer_join(group, old, JoinGroupResponse(member_id=old_id, error_code=fenced))
        self._rebalance.answer_sync(old, SyncGroupResponse(error_code=fenced))
        self._rebalance.forget(group, old_id)
        self._rebalance.heard(group, group.replace(instance_id, new_id))

    def _store(self, group: ClassicGroup, member: ClassicMember, before: _Before, version: int, reply: JoinReply) -> Decision:
        generation, new_id = group.generation, member.member_id

        def is_undisturbed() -> bool:
            """Otherwise a rebalance has begun, which answers the join, or the member is gone and was answered."""
            is_current = group.members.get(new_id) is member and group.generation == generation
            return is_current and group.state is ClassicState.STABLE and member.parked_join is reply

        def stored() -> None:
            if is_undisturbed():
                group.unpark_join(member)
                reply(_keeps_assignment(group, new_id, before, version))

        def not_stored(error_code: int) -> None:
            if is_undisturbed():
                group.unpark_join(member)
                group.update(member, before.protocols, before.rebalance_timeout_ms, before.session_timeout_ms)
                self._replace(group, member.instance_id or "", before.member_id)
                reply(_not_stored(group, for_clients(error_code)))

        return self._answers.decide((group.record(),), stored, not_stored)


def _keeps_assignment(group: ClassicGroup, member_id: str, before: _Before, version: int) -> JoinGroupResponse:
    if version >= _SKIPS_ASSIGNMENT_FROM:
        return group.join_response(member_id, skip_assignment=group.leader == member_id)
    response = group.join_response(member_id)
    response.leader = before.leader or ""  # a restarted leader is not told that it leads: an old client would send an assignment for it
    response.members = []
    return response


def _not_stored(group: ClassicGroup, error_code: int) -> JoinGroupResponse:
    return JoinGroupResponse(
        generation_id=group.generation,
        protocol_type=group.protocol_type,
        protocol_name=group.protocol_name,
        leader=group.leader or "",
        error_code=error_code,
    )
