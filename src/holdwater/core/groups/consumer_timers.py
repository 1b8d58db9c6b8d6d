"""The deadlines of a group's members: a session timeout for each, and a rebalance timeout for each that must give up partitions. A member that
speaks the classic protocol must also join within its rebalance timeout once it is told to, and then sync.

They are soft state: they follow from the members' records while this broker is the coordinator, and begin anew when it becomes that. A heartbeat
only writes a number down; the timer looks at it when it comes due, and is set again for what is left.
"""

from collections.abc import Callable

from holdwater.core.coordinator import NOTHING, Cancellable, Decision, ShardHost
from holdwater.core.groups.consumer_member import ConsumerMember, MemberState
from holdwater.core.groups.deadlines import Deadlines

RETRY_MS = 500
"""Until a member that could not be fenced, because the append was refused, is tried again."""

Fence = Callable[[str, str], Decision]
"""Decides to remove a member, by id, for the reason given."""


class _Session:
    """A member's session: when it ends, and the timer that will look."""

    __slots__ = ("due_ms", "timer")

    def __init__(self, due_ms: int, timer: Cancellable) -> None:
        self.due_ms = due_ms
        self.timer = timer


class MemberTimers:
    """See the module. ``fence`` is called by timers only, never by these methods."""

    def __init__(self, host: ShardHost, fence: Fence, session_timeout_ms: Callable[[], int]) -> None:
        self._host = host
        self._fence = fence
        self._session_timeout_ms = session_timeout_ms
        self._sessions: dict[str, _Session] = {}
        self._rebalances: dict[str, Cancellable] = {}
        self._joins = Deadlines(host)
        self._syncs = Deadlines(host)

    def touch(self, member_id: str, session_timeout_ms: int) -> None:
        """The member is alive. One that has no session yet gets it with its record."""
        session = self._sessions.get(member_id)
        if session is not None:
            session.due_ms = self._host.mono_ms + session_timeout_ms

    def follow(self, member: ConsumerMember) -> None:
        """Set the member's deadlines as its current assignment asks for."""
        if member.member_id not in self._sessions:
            classic = member.classic_metadata
            due_ms = self._host.mono_ms + (self._session_timeout_ms() if classic is None else classic.session_timeout_ms)
            self._sessions[member.member_id] = _Session(due_ms, self._session_timer(member.member_id, due_ms))
        self._cancel_rebalance(member.member_id)
        if member.state is MemberState.UNREVOKED_PARTITIONS and member.member_epoch >= 0:
            due_ms = self._host.mono_ms + member.rebalance_timeout_ms
            self._rebalances[member.member_id] = self._rebalance_timer(member.member_id, due_ms, member.rebalance_timeout_ms)

    def forget(self, member_id: str) -> None:
        """The member is gone."""
        session = self._sessions.pop(member_id, None)
        if session is not None:
            session.timer.cancel()
        self._cancel_rebalance(member_id)
        self._joins.cancel(member_id)
        self._syncs.cancel(member_id)

    def clear(self) -> None:
        """This broker is the coordinator no more. Who has a rebalance timeout has a session too."""
        for member_id in list(self._sessions):
            self.forget(member_id)

    def must_join(self, member: ConsumerMember) -> None:
        """The member was told to join. Told again, it has no more time for it."""
        why = f"it has not joined within {member.rebalance_timeout_ms} ms"
        if not self._joins.has(member.member_id):
            self._joins.set(member.member_id, member.rebalance_timeout_ms, lambda: self._fence(member.member_id, why))

    def must_sync(self, member: ConsumerMember) -> None:
        """The member has joined, and was answered."""
        why = f"it has joined and not synced within {member.rebalance_timeout_ms} ms"
        self._joins.cancel(member.member_id)
        self._syncs.set(member.member_id, member.rebalance_timeout_ms, lambda: self._fence(member.member_id, why))

    def synced(self, member_id: str) -> None:
        """The member has its assignment."""
        self._syncs.cancel(member_id)

    def try_again(self, member_id: str) -> None:
        """A member could not be fenced; its session ends a little later instead."""
        session = self._sessions.get(member_id)
        if session is not None:
            session.timer.cancel()
            session.due_ms = self._host.mono_ms + RETRY_MS
            session.timer = self._session_timer(member_id, session.due_ms)

    def _cancel_rebalance(self, member_id: str) -> None:
        timer = self._rebalances.pop(member_id, None)
        if timer is not None:
            timer.cancel()

    def _session_timer(self, member_id: str, due_ms: int) -> Cancellable:
        return self._host.at(due_ms, lambda: self._session_is_due(member_id))

    def _session_is_due(self, member_id: str) -> Decision:
        session = self._sessions.get(member_id)
        if session is None:
            return NOTHING
        if session.due_ms > self._host.mono_ms:
            session.timer = self._session_timer(member_id, session.due_ms)
            return NOTHING
        return self._fence(member_id, "its session has expired")

    def _rebalance_timer(self, member_id: str, due_ms: int, timeout_ms: int) -> Cancellable:
        why = f"it has not given up its partitions within {timeout_ms} ms"
        return self._host.at(due_ms, lambda: self._fence(member_id, why) if self._rebalances.pop(member_id, None) else NOTHING)
