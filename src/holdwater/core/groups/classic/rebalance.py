"""How a classic group goes from one generation to the next, and what time does to its members.

Members are called by the error REBALANCE_IN_PROGRESS; their joins are parked until all have come or the longest rebalance timeout is over. The
first rebalance of an empty group waits a little longer, for more members to come. Then the generation begins, every join is answered, and
whoever does not sync in time is removed.

Only an empty generation is stored here; one with members is stored with its assignment, when the group's leader brings it.
"""

from holdwater.core.coordinator import CoordinatorRecord, Decision, ShardHost
from holdwater.core.groups.answers import Answers
from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.member import ClassicMember
from holdwater.core.groups.classic.state import ClassicState
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.invariant import invariant
from holdwater.wire.messages import JoinGroupRequest, JoinGroupResponse, SyncGroupResponse

NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000
"""How long the first join of a member may be parked: a client that is gone would otherwise join again and again under new ids."""

_MAX_REASON_CHARACTERS = 100
"""Of what a client says, in a note."""

Records = tuple[CoordinatorRecord, ...]
NO_RECORDS: Records = ()

_JOIN = "join"
_SYNC = "sync"


class Rebalance:
    """The transitions that requests and deadlines share. Each returns the records that it asks for."""

    def __init__(self, host: ShardHost, answers: Answers) -> None:
        self.host = host
        self.answers = answers

    # Answers to parked requests

    def answer_join(self, group: ClassicGroup, member: ClassicMember, response: JoinGroupResponse) -> None:
        """Answer the member's parked join, if there is one."""
        reply = group.unpark_join(member)
        if reply is not None:
            self.answers.add(reply, response)

    def answer_sync(self, member: ClassicMember, response: SyncGroupResponse) -> bool:
        """Answer the member's parked sync; whether there was one."""
        reply, member.parked_sync = member.parked_sync, None
        if reply is not None:
            self.answers.add(reply, response)
        return reply is not None

    def refuse_all(self, group: ClassicGroup, error_code: int) -> None:
        """Answer every parked request with the error."""
        for member in group.members.values():
            self.answer_join(group, member, JoinGroupResponse(member_id=member.member_id, error_code=error_code))
            self.answer_sync(member, SyncGroupResponse(error_code=error_code))

    def give_out_assignments(self, group: ClassicGroup, error_code: int = ErrorCode.NONE) -> None:
        """Answer every parked sync with the member's assignment, or with the error."""
        told = error_code == ErrorCode.NONE
        for member in group.members.values():
            response = SyncGroupResponse(
                error_code=error_code,
                protocol_type=group.protocol_type if told else None,
                protocol_name=group.protocol_name if told else None,
                assignment=member.assignment,
            )
            if self.answer_sync(member, response):
                self.heard(group, member)  # its session may have ended unnoticed while the sync was parked

    # Sessions

    def heard(self, group: ClassicGroup, member: ClassicMember, within_ms: int | None = None) -> None:
        """The member is alive; it must be heard again within its session timeout."""
        self.watch(group, member.member_id, member.session_timeout_ms if within_ms is None else within_ms)

    def watch(self, group: ClassicGroup, member_id: str, within_ms: int) -> None:
        """The member, or the id that has yet to join, is removed unless it is heard in time."""
        group.deadlines.set(("member", member_id), within_ms, lambda: self.answers.decide(self._session_over(group, member_id)))

    def forget(self, group: ClassicGroup, member_id: str) -> None:
        """No deadline for the member any more."""
        group.deadlines.cancel(("member", member_id))

    def _session_over(self, group: ClassicGroup, member_id: str) -> Records:
        if member_id in group.pending_joins:
            group.remove(member_id)
            return self._complete_if_all_joined(group)
        member = group.members.get(member_id)
        if member is None or member.is_heard:
            return NO_RECORDS
        self.host.note(f"group {group.group_id}: member {member_id} was not heard in time and is removed")
        self.take_out(group, member)
        if group.state in (ClassicState.STABLE, ClassicState.COMPLETING_REBALANCE):
            return self.prepare_or_complete(group, f"member {member_id} was not heard in time")
        return self._complete_if_all_joined(group)

    def take_out(self, group: ClassicGroup, member: ClassicMember) -> None:
        """Remove a member. A parked join of it is answered so that a client that is still there joins anew."""
        self.forget(group, member.member_id)
        self.answer_join(group, member, JoinGroupResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID))
        self.answer_sync(member, SyncGroupResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID))
        group.remove(member.member_id)

    def _complete_if_all_joined(self, group: ClassicGroup) -> Records:
        if group.state is ClassicState.PREPARING_REBALANCE and group.has_all_joined:
            return self.complete_join(group)
        return NO_RECORDS

    # From call to generation

    def prepare_or_complete(self, group: ClassicGroup, reason: str) -> Records:
        """Begin a rebalance, or go on with the one that is under way."""
        return self.prepare(group, reason) if group.can_rebalance else self.maybe_complete(group)

    def prepare(self, group: ClassicGroup, reason: str) -> Records:
        """Call the members to join."""
        if group.state is ClassicState.COMPLETING_REBALANCE:
            self.take_back_assignments(group, ErrorCode.REBALANCE_IN_PROGRESS)
        group.pending_syncs.clear()
        group.deadlines.cancel(_SYNC)
        is_first = group.is_empty
        self.host.note(f"group {group.group_id}: rebalance after generation {group.generation} ({reason})")
        group.enter(ClassicState.PREPARING_REBALANCE)
        if is_first:
            delay_ms = self.host.config.int("group.initial.rebalance.delay.ms")
            self._wait_for_more(group, delay_ms, max(group.rebalance_timeout_ms - delay_ms, 0))
            return NO_RECORDS
        if group.has_all_joined:
            return self.complete_join(group)
        self._wait_for_joins(group)
        return NO_RECORDS

    def take_back_assignments(self, group: ClassicGroup, error_code: int) -> None:
        """Answer every parked sync with the error: the generation ends before it was stable."""
        invariant(group.state is ClassicState.COMPLETING_REBALANCE, "only an unfinished generation can be taken back")
        for member in group.members.values():
            member.assignment = b""
        self.give_out_assignments(group, error_code)

    def _wait_for_more(self, group: ClassicGroup, delay_ms: int, remaining_ms: int) -> None:
        """The initial delay. Each time that somebody came meanwhile it is prolonged, at most to the rebalance timeout."""

        def over() -> Decision:
            if not (group.new_member_joined and remaining_ms):
                return self.answers.decide(self.complete_join(group))
            group.new_member_joined = False
            next_ms = min(self.host.config.int("group.initial.rebalance.delay.ms"), remaining_ms)
            self._wait_for_more(group, next_ms, max(remaining_ms - delay_ms, 0))
            return self.answers.decide()

        group.deadlines.set(_JOIN, delay_ms, over)

    def _wait_for_joins(self, group: ClassicGroup) -> None:
        group.deadlines.set(_JOIN, group.rebalance_timeout_ms, lambda: self.answers.decide(self.complete_join(group)))

    def maybe_complete(self, group: ClassicGroup) -> Records:
        """Begin the generation if nobody has to be waited for. The first one of an empty group waits for its delay."""
        if group.state is ClassicState.PREPARING_REBALANCE and group.previous_state is not ClassicState.EMPTY and group.has_all_joined:
            return self.complete_join(group)
        return NO_RECORDS

    def complete_join(self, group: ClassicGroup) -> Records:
        """Time is up, or all have joined: without the members that did not come, begin the generation. Static members may stay away."""
        group.deadlines.cancel(_JOIN)
        absent = [member for member in group.members.values() if member.parked_join is None and not member.is_static]
        for member in absent:
            self.take_out(group, member)
        if absent:
            self.host.note(f"group {group.group_id}: removed {len(absent)} members that did not join in time")
        if group.members and not group.elect_joined_leader():
            self._wait_for_joins(group)  # only static members, none of which came: until their sessions end
            return NO_RECORDS
        group.begin_generation()
        if group.is_empty:
            self.host.note(f"group {group.group_id}: empty in generation {group.generation}")
            return (group.record(),)
        for member in group.members.values():
            self.answer_join(group, member, group.join_response(member.member_id))
            self.heard(group, member)
            member.is_new = False
            group.pending_syncs[member.member_id] = None
        self._wait_for_syncs(group)
        return NO_RECORDS

    # From generation to assignment

    def _wait_for_syncs(self, group: ClassicGroup) -> None:
        generation = group.generation
        group.deadlines.set(_SYNC, group.rebalance_timeout_ms, lambda: self.answers.decide(self._syncs_over(group, generation)))

    def _syncs_over(self, group: ClassicGroup, generation: int) -> Records:
        in_time = group.state not in (ClassicState.STABLE, ClassicState.COMPLETING_REBALANCE)
        if in_time or generation != group.generation or not group.pending_syncs:
            return NO_RECORDS
        silent = list(group.pending_syncs)
        for member_id in silent:
            self.take_out(group, group.members[member_id])
        return self.prepare(group, f"{len(silent)} members joined and did not sync in time")

    def synced(self, group: ClassicGroup, member_id: str) -> None:
        """A member has sent its sync; once all have, nobody has to be removed."""
        group.pending_syncs.pop(member_id, None)
        if not group.pending_syncs:
            group.deadlines.cancel(_SYNC)


def joins_because(what: str, request: JoinGroupRequest) -> str:
    """The reason for a rebalance, with what the client says about it."""
    return f"{what}; client says: {request.reason[:_MAX_REASON_CHARACTERS]}" if request.reason else what
