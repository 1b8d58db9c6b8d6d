"""Requests to other members: at most one outstanding for each peer, with a timeout, and a growing pause after each failure.

A change of role forgets what is outstanding, so that a vote need not wait for the fetch that the dead leader never answers; the answer to a
forgotten request is recognised by its number and ignored.
"""

from dataclasses import dataclass

from holdwater.core.quorum.config import QuorumConfig
from holdwater.core.quorum.effects import Request
from holdwater.core.quorum.roles import NO_DEADLINE


@dataclass(slots=True)
class _Link:
    outstanding: Request | None = None
    number: int = 0
    deadline_ms: int = NO_DEADLINE
    failure_count: int = 0
    ready_ms: int = 0


class Peers:
    """One link for each peer id ever addressed (voters, bootstrap servers, the leader)."""

    def __init__(self, config: QuorumConfig) -> None:
        self._config = config
        self._links: dict[int, _Link] = {}
        self._last_number = 0

    def _link(self, peer: int) -> _Link:
        link = self._links.get(peer)
        if link is None:
            link = self._links[peer] = _Link()
        return link

    def is_ready(self, peer: int, mono_ms: int) -> bool:
        """Whether a request may go out: none is outstanding, and no pause is on."""
        link = self._link(peer)
        return link.outstanding is None and mono_ms >= link.ready_ms

    def is_failing(self, peer: int) -> bool:
        """Whether the last request to the peer failed, or its connection closed."""
        return self._link(peer).failure_count > 0

    def sent(self, peer: int, request: Request, mono_ms: int) -> int:
        """Note a request; returns its number."""
        link = self._link(peer)
        self._last_number += 1
        link.outstanding = request
        link.number = self._last_number
        link.deadline_ms = mono_ms + self._config.request_timeout_ms
        return self._last_number

    def take(self, peer: int, number: int) -> bool:
        """Whether request ``number`` is the outstanding one; it is no longer."""
        link = self._link(peer)
        if link.outstanding is None or link.number != number:
            return False
        link.outstanding = None
        link.deadline_ms = NO_DEADLINE
        return True

    def succeeded(self, peer: int) -> None:
        """The peer answered: no pause before the next request."""
        link = self._link(peer)
        link.failure_count = 0
        link.ready_ms = 0

    def failed(self, peer: int, mono_ms: int) -> None:
        """No answer, or one that says to try later: pause, 20 ms and twice as long with each failure in a row."""
        link = self._link(peer)
        link.outstanding = None
        link.deadline_ms = NO_DEADLINE
        pause_ms = min(self._config.retry_backoff_ms << min(link.failure_count, 16), self._config.retry_backoff_max_ms)
        link.failure_count += 1
        link.ready_ms = mono_ms + pause_ms

    def disconnected(self, peer: int, mono_ms: int) -> None:
        """The connection closed. One failure, also when the request that it ended was reported before."""
        link = self._link(peer)
        if link.outstanding is not None or mono_ms >= link.ready_ms:
            self.failed(peer, mono_ms)

    def end_pause(self, peer: int) -> None:
        """The peer may be tried at once."""
        self._link(peer).ready_ms = 0

    def forget_outstanding(self) -> None:
        """Nothing outstanding matters any more, and every peer may be tried at once (the role changed)."""
        for link in self._links.values():
            link.outstanding = None
            link.deadline_ms = NO_DEADLINE
            link.ready_ms = 0

    def timed_out(self, mono_ms: int) -> list[int]:
        """Peers whose request is not answered in time."""
        return [peer for peer, link in self._links.items() if mono_ms >= link.deadline_ms]

    def ready_or_deadline_ms(self, peer: int) -> int:
        """When something may next be done about a peer that a request is meant for: its request times out, or its pause ends."""
        link = self._link(peer)
        return link.ready_ms if link.outstanding is None else link.deadline_ms

    def outstanding(self, peer: int) -> Request | None:
        """The request that waits for the peer's answer."""
        return self._link(peer).outstanding

    def next_deadline_ms(self) -> int:
        """When the next outstanding request times out."""
        return min((link.deadline_ms for link in self._links.values()), default=NO_DEADLINE)
