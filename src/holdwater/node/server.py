"""The loop of one node: asyncio (uvloop where it has a wheel) around ``broker.Broker``."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

from holdwater.broker.broker import Broker
from holdwater.broker.timers import NEVER
from holdwater.node.stream import PEER_KEEP_BYTES, FrameStream

PIPELINED_MAX = 256
"""Requests of one connection that may wait for their answers; beyond it nothing is read until half of them are answered."""

_BACKLOG = 512
"""Connections that may wait to be accepted."""


def mono_ms() -> int:
    """The monotonic clock in milliseconds."""
    return time.monotonic_ns() // 1_000_000


def wall_ms() -> int:
    """The wall clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Accepted:
    """One accepted connection."""

    __slots__ = ("held", "id", "stream")

    def __init__(self, connection_id: int) -> None:
        self.id = connection_id
        self.stream: FrameStream | None = None
        self.held = False
        """Whether reading is paused because too many requests wait."""


class Server:
    """Runs a broker on sockets; implements ``broker.transport.Transport``."""

    def __init__(self, loop: asyncio.AbstractEventLoop, max_frame_bytes: int, max_connections: int, note: Callable[[str], None]) -> None:
        self._loop = loop
        self._max_frame_bytes = max_frame_bytes
        self._max_connections = max_connections
        self._note = note
        self._broker: Broker | None = None
        self._listening: dict[str, asyncio.AbstractServer] = {}
        self._accepted: dict[int, Accepted] = {}
        self._links: dict[int, FrameStream | None] = {}
        self._next_id = 0
        self._settle_scheduled = False
        self._armed_ms = NEVER
        self._timer: asyncio.TimerHandle | None = None
        self.failed: asyncio.Future[None] = loop.create_future()
        """Ends with the exception that stops this node, or with the broker's own wish to stop."""
        self._awaited: tuple[asyncio.Future[None], Callable[[Broker], bool]] | None = None
        self._tasks: dict[asyncio.Task[None], None] = {}

    # --- life

    def run(self, broker: Broker) -> None:
        """Start the broker."""
        self._broker = broker
        self._enter(broker.start)

    async def listen(self, sock: socket.socket, name: str) -> None:
        """Accept connections of a listener on a bound socket. Raises ``OSError`` when another process listens on its port by now."""
        sock.listen(_BACKLOG)  # here, as uvloop would close the socket and say nothing
        server = await self._loop.create_server(lambda: self._accept(name), sock=sock, backlog=_BACKLOG)
        self._listening[name] = server

    def is_listening(self, name: str) -> bool:
        """Whether connections of a listener are accepted."""
        return name in self._listening

    async def until(self, condition: Callable[[Broker], bool]) -> None:
        """Wait until ``condition`` holds of the broker, now or at the end of a wake. For one who waits at a time."""
        if self._broker is not None and condition(self._broker):
            return
        future = self._loop.create_future()
        self._awaited = (future, condition)
        await future

    def stop(self, on_stopped: Callable[[], None]) -> None:
        """Stop the broker in order."""
        broker = self._broker
        if broker is not None:
            self._enter(lambda: broker.stop(on_stopped))

    def shut(self) -> None:
        """Close every socket."""
        for server in self._listening.values():
            server.close()
        for accepted in self._accepted.values():
            if accepted.stream is not None:
                accepted.stream.close()
        for link in self._links.values():
            if link is not None:
                link.close()
        if self._timer is not None:
            self._timer.cancel()

    # --- events in

    def _enter(self, event: Callable[[], None]) -> None:
        """Give an event to the broker, with the time; what it leaves behind is settled once this wake's events are through."""
        broker = self._broker
        if broker is None or self.failed.done():
            return
        try:
            broker.clocks(mono_ms(), wall_ms())
            event()
        except Exception as problem:  # noqa: BLE001 - any bug of ours stops this node; the loop would swallow it and go on wrong
            self._fail(problem)
            return
        if not self._settle_scheduled:
            self._settle_scheduled = True
            self._loop.call_soon(self._settle)

    def _settle(self) -> None:
        """End of a wake: due deadlines, parked fetches, then the timer for what comes next."""
        self._settle_scheduled = False
        broker = self._broker
        if broker is None or self.failed.done():
            return
        try:
            broker.flush()
            due = broker.next_deadline()
            if due <= broker.mono_ms:
                broker.tick()
                broker.flush()
                due = broker.next_deadline()
            if self._awaited is not None:
                self._tell_who_waits(broker, *self._awaited)
        except Exception as problem:  # noqa: BLE001 - as above
            self._fail(problem)
            return
        if broker.stop_requested is not None:
            self._fail(NodeStopped(broker.stop_requested))
            return
        if due < self._armed_ms:
            self._arm(due)

    def _tell_who_waits(self, broker: Broker, future: "asyncio.Future[None]", condition: Callable[[Broker], bool]) -> None:
        if condition(broker):
            self._awaited = None
            if not future.done():
                future.set_result(None)

    def _arm(self, due_ms: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_ms = due_ms
        self._timer = self._loop.call_later(max(0, due_ms - mono_ms()) / 1000, self._alarm)

    def _alarm(self) -> None:
        self._armed_ms = NEVER
        self._timer = None
        self._enter(_nothing)

    def _fail(self, problem: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(problem)

    def _accept(self, listener: str) -> asyncio.BaseProtocol:
        self._next_id += 1
        accepted = Accepted(self._next_id)
        return _AcceptedStream(self, accepted, listener)

    def opened(self, accepted: Accepted, stream: FrameStream, listener: str, transport: asyncio.BaseTransport) -> None:
        """A connection was accepted."""
        if len(self._accepted) >= self._max_connections:
            self._note(f"refusing a connection: max.connections ({self._max_connections}) are open")
            stream.abort()
            return
        accepted.stream = stream
        self._accepted[accepted.id] = accepted
        peer: Any = transport.get_extra_info("peername")
        address = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "?"
        broker = self._broker
        if broker is not None:
            self._enter(lambda: broker.connection_opened(accepted.id, listener, address))

    def frames(self, accepted: Accepted, frames: list[bytes]) -> None:
        """Requests came in."""
        broker = self._broker
        if broker is None or accepted.id not in self._accepted:
            return

        def deliver() -> None:
            for frame in frames:
                broker.frame(accepted.id, frame)

        self._enter(deliver)
        connection = broker.connections.get(accepted.id)
        if connection is not None and not accepted.held and len(connection.slots) > PIPELINED_MAX and accepted.stream is not None:
            accepted.held = True
            accepted.stream.pause()

    def lost(self, accepted: Accepted, refused: str | None) -> None:
        """An accepted connection is gone."""
        if self._accepted.pop(accepted.id, None) is None:
            return
        if refused is not None:
            self._note(f"closed a connection that sent {refused}")
        broker = self._broker
        if broker is not None:
            self._enter(lambda: broker.connection_closed(accepted.id))

    # --- Transport

    def write(self, connection_id: int, parts: list[bytes]) -> None:
        """See ``Transport``."""
        accepted = self._accepted.get(connection_id)
        if accepted is None or accepted.stream is None:
            return
        accepted.stream.write(parts)
        if accepted.held and self._broker is not None and len(self._broker.connections[connection_id].slots) < PIPELINED_MAX // 2:
            accepted.held = False
            accepted.stream.resume()

    def close(self, connection_id: int) -> None:
        """See ``Transport``."""
        accepted = self._accepted.get(connection_id)
        if accepted is not None and accepted.stream is not None:
            accepted.stream.close()

    def connect(self, link_id: int, host: str, port: int) -> None:
        """See ``Transport``."""
        self._links[link_id] = None
        task = self._loop.create_task(self._connect(link_id, host, port))
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def _connect(self, link_id: int, host: str, port: int) -> None:
        stream = FrameStream(
            self._max_frame_bytes,
            lambda frames: self._link_frames(link_id, frames),
            lambda refused: self._link_lost(link_id, stream),
            PEER_KEEP_BYTES,
        )
        try:
            await self._loop.create_connection(lambda: stream, host, port)
        except OSError:
            self._link_lost(link_id, None)
            return
        if link_id in self._links and self._links[link_id] is None:
            self._links[link_id] = stream
            broker = self._broker
            if broker is not None:
                self._enter(lambda: broker.link_up(link_id))
        else:
            stream.abort()

    def _link_frames(self, link_id: int, frames: list[bytes]) -> None:
        broker = self._broker
        if broker is None:
            return

        def deliver() -> None:
            for frame in frames:
                broker.link_frame(link_id, frame)

        self._enter(deliver)

    def _link_lost(self, link_id: int, stream: FrameStream | None) -> None:
        if link_id not in self._links or self._links[link_id] is not stream:
            return
        del self._links[link_id]
        broker = self._broker
        if broker is not None:
            self._enter(lambda: broker.link_down(link_id))

    def send(self, link_id: int, data: bytes) -> None:
        """See ``Transport``."""
        stream = self._links.get(link_id)
        if stream is not None:
            stream.write([data])

    def disconnect(self, link_id: int) -> None:
        """See ``Transport``."""
        stream = self._links.pop(link_id, None)
        if stream is not None:
            stream.abort()


class NodeStopped(Exception):  # noqa: N818 - an event, not an error of a caller
    """The broker itself says that this node must stop, and why."""


class _AcceptedStream(FrameStream):
    """A ``FrameStream`` that introduces itself once it is connected."""

    def __init__(self, server: Server, accepted: Accepted, listener: str) -> None:
        super().__init__(
            server._max_frame_bytes, lambda frames: server.frames(accepted, frames), lambda refused: server.lost(accepted, refused)
        )
        self._server = server
        self._accepted = accepted
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell the server."""
        super().connection_made(transport)
        self._server.opened(self._accepted, self, self._listener, transport)


def _nothing() -> None:
    pass
