"""A connection that others opened, and one request on it.

Responses leave in the order of the requests, as Kafka's brokers keep it, though later requests may be ready first: each request takes a
``Slot`` in its connection's queue, and a filled slot leaves when it reaches the head.
"""

from collections import deque
from collections.abc import Callable
from struct import Struct
from typing import Any

from holdwater.broker.transport import Transport
from holdwater.wire.codec import EncodeError
from holdwater.wire.codec.classes import Message
from holdwater.wire.codec.frames import encode_response, encode_response_segments, response_header_version

_PREFIX_V0 = Struct(">ii")
_PREFIX_V1 = Struct(">iib")


class Slot:
    """The place of one response in its connection's queue."""

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts: list[bytes] | None = None


class Connection:
    """An accepted connection. ``listener`` is the name of the listener that accepted it."""

    __slots__ = ("address", "client_software", "closed", "id", "listener", "note", "on_close", "slots", "transport")

    def __init__(self, connection_id: int, listener: str, address: str, transport: Transport, note: Callable[[str], None]) -> None:
        self.id = connection_id
        self.listener = listener
        self.address = address
        self.transport = transport
        self.note = note
        self.slots: deque[Slot] = deque()
        self.closed = False
        self.client_software: tuple[str, str] = ("unknown", "unknown")
        self.on_close: dict[Any, Any] = {}
        """Callbacks, by name or by what they are for, that run once when the connection is gone."""

    def fill(self, slot: Slot, parts: list[bytes]) -> None:
        """The response of ``slot`` is ready; send it, and those behind it that are, unless an earlier one is still missing."""
        slot.parts = parts
        slots = self.slots
        if self.closed or slots[0] is not slot:
            return
        slots.popleft()
        while slots:
            ready = slots[0].parts
            if ready is None:
                break
            parts = parts + ready
            slots.popleft()
        if parts:
            self.transport.write(self.id, parts)

    def close(self) -> None:
        """Close it from this side."""
        if not self.closed:
            self.closed = True
            self.transport.close(self.id)


class Call:
    """One request that waits for its response: what the header said, and where the response goes."""

    __slots__ = ("api_key", "client_id", "connection", "correlation_id", "frame", "principal", "slot", "version")

    def __init__(self, connection: Connection, api_key: int, version: int, correlation_id: int, client_id: str | None) -> None:
        self.connection = connection
        self.api_key = api_key
        self.version = version
        self.correlation_id = correlation_id
        self.client_id = client_id
        self.principal = "User:ANONYMOUS"
        self.frame = b""
        """The request as it came, kept only where it may have to be forwarded."""
        self.slot = Slot()
        connection.slots.append(self.slot)

    @property
    def listener(self) -> str:
        """Name of the listener that the request came in by."""
        return self.connection.listener

    def reply(self, response: Message) -> None:
        """Send the response message."""
        try:
            parts = [encode_response(response, self.version, self.correlation_id)]
        except EncodeError as problem:
            self._unanswerable(problem)
        else:
            self.connection.fill(self.slot, parts)

    def reply_segments(self, response: Message) -> None:
        """Send a response whose record bytes are handed on without being copied."""
        try:
            parts = encode_response_segments(response, self.version, self.correlation_id)
        except EncodeError as problem:
            self._unanswerable(problem)
        else:
            self.connection.fill(self.slot, parts)

    def _unanswerable(self, problem: EncodeError) -> None:
        """A handler answered with what the request's version cannot say.

        That is our mistake, yet nothing is half done, and no client may be able to stop a broker by asking in an old version.
        """
        self.connection.note(f"closing the connection from {self.connection.address}: its answer can't be encoded: {problem}")
        self.connection.close()

    def reply_bytes(self, body: bytes) -> None:
        """Send a body that is already encoded for this request's version."""
        if response_header_version(self.api_key, self.version):
            prefix = _PREFIX_V1.pack(len(body) + 5, self.correlation_id, 0)
        else:
            prefix = _PREFIX_V0.pack(len(body) + 4, self.correlation_id)
        self.connection.fill(self.slot, [prefix + body])

    def no_reply(self) -> None:
        """This request has no response (Produce with acks=0)."""
        self.connection.fill(self.slot, [])
