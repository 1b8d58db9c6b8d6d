"""Links: connections that this broker opens to other nodes, one for each (node, purpose), so that a slow fetch never delays a vote.

A link connects when there is something to send, keeps the requests that wait for an answer in order, and tells every one of them when the
connection is lost or the answer takes too long. Nothing is ever resent here: whoever asked decides.
"""

from collections import deque
from collections.abc import Callable
from struct import Struct
from typing import Any

from holdwater.broker.timers import Timer, Timers
from holdwater.broker.transport import Transport
from holdwater.wire.codec import ProtocolError, decoder
from holdwater.wire.codec.frames import encode_request, response_header_version

INTER_BROKER_BUDGET = 2_000_000
"""Element budget for answers from other nodes of the cluster, which are trusted more than clients."""

_CORRELATION = Struct(">i")


class PendingRequest:
    """A request under way; ``on_reply`` gets the response, or ``None`` when there will be none."""

    __slots__ = ("correlation_id", "on_reply", "request", "response_class", "timer", "version")

    def __init__(self, request: Any, version: int, response_class: Any, on_reply: Callable[[Any], None]) -> None:
        self.request = request
        self.version = version
        self.response_class = response_class
        self.on_reply = on_reply
        self.correlation_id = 0
        self.timer: Timer | None = None


class Link:
    """One outgoing connection. ``DOWN -> CONNECTING -> UP -> DOWN``; it connects again at the next request."""

    def __init__(self, links: "Links", peer_id: int, purpose: str, link_id: int, host: str, port: int) -> None:
        self.links = links
        self.peer_id = peer_id
        self.purpose = purpose
        self.id = link_id
        self.host = host
        self.port = port
        self.state = "DOWN"
        self._pending: deque[PendingRequest] = deque()
        self._unsent: list[bytes] = []
        self._correlation_id = 0
        self.on_up: Callable[[], None] | None = None
        self.on_down: Callable[[], None] | None = None

    def request(self, request: Any, version: int, response_class: Any, timeout_ms: int, on_reply: Callable[[Any], None]) -> None:
        """Send ``request``; ``on_reply`` is called exactly once, later, with the response or ``None``."""
        pending = PendingRequest(request, version, response_class, on_reply)
        self._correlation_id = (self._correlation_id + 1) & 0x7FFFFFFF
        pending.correlation_id = self._correlation_id
        self._pending.append(pending)
        pending.timer = self.links.timers.at(self.links.now() + timeout_ms, self._timed_out)
        frame = encode_request(request, version, pending.correlation_id, self.links.client_id)
        if self.state == "UP":
            self.links.transport.send(self.id, frame)
            return
        self._unsent.append(frame)
        if self.state == "DOWN":
            self.state = "CONNECTING"
            self.links.transport.connect(self.id, self.host, self.port)

    def up(self) -> None:
        """The connection stands."""
        self.state = "UP"
        unsent, self._unsent = self._unsent, []
        for frame in unsent:
            self.links.transport.send(self.id, frame)
        if self.on_up is not None:
            self.on_up()

    def down(self) -> None:
        """The connection failed or was lost; everybody who waits is told."""
        was_down = self.state == "DOWN"
        self.state = "DOWN"
        self._unsent = []
        pending, self._pending = self._pending, deque()
        for entry in pending:
            if entry.timer is not None:
                entry.timer.cancel()
            entry.on_reply(None)
        if not was_down and self.on_down is not None:
            self.on_down()

    def frame(self, data: bytes) -> None:
        """A response came in. A malformed one, or one that nobody asked for, closes the link."""
        pending = self._pending
        if not pending or len(data) < 4 or _CORRELATION.unpack_from(data)[0] != pending[0].correlation_id:
            self.abort()
            return
        entry = pending[0]
        start = 5 if response_header_version(entry.request.API_KEY, entry.version) else 4
        try:
            response = decoder(entry.response_class, entry.version)(data, start, len(data), INTER_BROKER_BUDGET)
        except ProtocolError:
            self.abort()
            return
        pending.popleft()
        if entry.timer is not None:
            entry.timer.cancel()
        entry.on_reply(response)

    def abort(self) -> None:
        """Give the connection up from this side."""
        if self.state != "DOWN":
            self.links.transport.disconnect(self.id)
        self.down()

    def _timed_out(self) -> None:
        # Answers come in order, so one that is late makes all behind it late: the connection is of no more use.
        self.abort()


class Links:
    """All links of one broker."""

    def __init__(self, transport: Transport, timers: Timers, now: Callable[[], int], client_id: str) -> None:
        self.transport = transport
        self.timers = timers
        self.now = now
        self.client_id = client_id
        self._by_key: dict[tuple[int, str], Link] = {}
        self._by_id: dict[int, Link] = {}
        self._next_id = 0

    def to(self, peer_id: int, purpose: str, host: str, port: int) -> Link:
        """The link to a node for a purpose; one whose address has changed is dropped and made anew."""
        link = self._by_key.get((peer_id, purpose))
        if link is not None and link.host == host and link.port == port:
            return link
        if link is not None:
            self.drop(link)
        self._next_id += 1
        link = Link(self, peer_id, purpose, self._next_id, host, port)
        self._by_key[(peer_id, purpose)] = link
        self._by_id[link.id] = link
        return link

    def find(self, link_id: int) -> Link | None:
        """The link with that number, unless it was dropped."""
        return self._by_id.get(link_id)

    def drop(self, link: Link) -> None:
        """Close a link for good."""
        self._by_key.pop((link.peer_id, link.purpose), None)
        self._by_id.pop(link.id, None)
        link.abort()
