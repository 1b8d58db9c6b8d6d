"""The deadlines of a group's members: a session timeout for each, and a rebalance timeout for each that must give up partitions. A member that
speaks the classic protocol must also join within its rebalance timeout once it is told to, and then sync.

They are soft state: they follow from the members' records while this broker is the coordinator, and begin anew when it becomes that. A heartbeat
only writes a number down; the timer looks at it when it comes due, and is set again for what is left.
"""

from collections.abc import Callable

from holdwater.core.coordinator import NOTHING, Cancellable, Decision, ShardHost
from holdwater.core.groups.consumer.member import ConsumerMember, MemberState
from holdwater.core.groups.deadlines import Deadlines

RETRY_MS = 500
"""Until a member that could not be fenced, because the append was refused, is tried again."""

Fence = Callable[[str, str, Callable[[], None]], Decision]
"""Decides to remove a member, by id, for the reason given; the last is called when that cannot be stored, so that it is tried again. It may be
called late, when the member is gone all the same, and another has joined under its id.
"""


class _Session:
    """A member's session: when it ends, and the timer that will look."""

    __slots__ = ("due_ms", "timer", "timer_due_ms")

    def __init__(self, due_ms: int) -> None:
        self.due_ms = due_ms
        self.timer: Cancellable
        self.timer_due_ms = due_ms


class MemberTimers:
    """See the module. ``fence`` is called by timers only, never by these methods."""

    def __init__(self, host: ShardHost, fence: Fence, session_timeout_ms: Callable[[], int]) -> None:
        self._host = host
        self._fence = fence
        self._session_timeout_ms = session_timeout_ms
        self._sessions: dict[str, _Session] = {}
        self._rebalances = Deadlines(host)
        self._joins = Deadlines(host)
        self._syncs = Deadlines(host)

    def touch(self, member_id: str, session_timeout_ms: int) -> None:
        """The member is alive. One that has no session yet gets it with its record."""
        session = self._sessions.get(member_id)
        if session is not None:
            session.due_ms = self._host.mono_ms + session_timeout_ms
            if session.due_ms < session.timer_due_ms:  # it has another session timeout, with the other protocol
                session.timer.cancel()
                self._set_timer(member_id, session)

    def follow(self, member: ConsumerMember) -> None:
        """Set the member's deadlines as its current assignment asks for."""
        if member.member_id not in self._sessions:
            classic = member.classic_metadata
            due_ms = self._host.mono_ms + (self._session_timeout_ms() if classic is None else classic.session_timeout_ms)
            self._sessions[member.member_id] = session = _Session(due_ms)
            self._set_timer(member.member_id, session)
        self._rebalances.cancel(member.member_id)
        if member.state is MemberState.UNREVOKED_PARTITIONS and member.member_epoch >= 0:
            why = f"it has not given up its partitions within {member.rebalance_timeout_ms} ms"
            self._fence_after(self._rebalances, member.member_id, member.rebalance_timeout_ms, why)
        if not member.speaks_classic:
            self._joins.cancel(member.member_id)
            self._syncs.cancel(member.member_id)

    def forget(self, member_id: str) -> None:
        """The member is gone."""
        session = self._sessions.pop(member_id, None)
        if session is not None:
            session.timer.cancel()
        for deadlines in (self._rebalances, self._joins, self._syncs):
            deadlines.cancel(member_id)

    def clear(self) -> None:
        """This broker is the coordinator no more. Who has another deadline has a session too."""
        for member_id in list(self._sessions):
            self.forget(member_id)

    def must_join(self, member: ConsumerMember) -> None:
        """The member was told to join. The first time counts, however often it is told."""
        self._syncs.cancel(member.member_id)
        if not self._joins.has(member.member_id):
            why = f"it has not joined within {member.rebalance_timeout_ms} ms"
            self._fence_after(self._joins, member.member_id, member.rebalance_timeout_ms, why)

    def must_sync(self, member: ConsumerMember) -> None:
        """The member has joined, and was answered."""
        self._joins.cancel(member.member_id)
        why = f"it has joined and not synced within {member.rebalance_timeout_ms} ms"
        self._fence_after(self._syncs, member.member_id, member.rebalance_timeout_ms, why)

    def synced(self, member_id: str) -> None:
        """The member has its assignment."""
        self._syncs.cancel(member_id)

    def _fence_after(self, deadlines: Deadlines, member_id: str, after_ms: int, why: str) -> None:
        session = self._sessions.get(member_id)

        def again() -> None:
            if self._sessions.get(member_id) is session:
                self._fence_after(deadlines, member_id, RETRY_MS, why)

        if session is not None:
            deadlines.set(member_id, after_ms, lambda: self._fence(member_id, why, again))

    def _set_timer(self, member_id: str, session: _Session) -> None:
        session.timer_due_ms = session.due_ms
        session.timer = self._host.at(session.due_ms, lambda: self._session_is_due(member_id))

    def _session_is_due(self, member_id: str) -> Decision:
        session = self._sessions.get(member_id)
        if session is None:
            return NOTHING
        if session.due_ms > self._host.mono_ms:
            self._set_timer(member_id, session)
            return NOTHING
        return self._fence(member_id, "its session has expired", lambda: self._try_again(member_id, session))

    def _try_again(self, member_id: str, session: _Session) -> None:
        """Unless the member has come back since, with a heartbeat or as a new one."""
        if self._sessions.get(member_id) is session:
            session.due_ms = max(self._host.mono_ms + RETRY_MS, session.due_ms)
            self._set_timer(member_id, session)
