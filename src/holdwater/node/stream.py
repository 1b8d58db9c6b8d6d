"""A TCP stream cut into frames, for accepted connections and for links.

Memory grows only with bytes that have really come: the buffer starts small and doubles while a frame is longer than it, whatever length the
frame's first four bytes declare. A declared length beyond the limit, or a negative one, ends the connection.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from struct import Struct
from typing import cast

_LENGTH = Struct(">i")
_FIRST_BYTES = 8 * 1024
CLIENT_KEEP_BYTES = 2 * 1024 * 1024
PEER_KEEP_BYTES = 16 * 1024 * 1024
"""A buffer that has grown is kept up to this size between frames: growing it anew for each large frame costs as much as reading it."""
_MIN_ROOM_BYTES = 2048
_SLOW_READER_BYTES = 8 * 1024 * 1024
"""Unsent bytes at which nothing more is read from a peer that does not read."""


class FrameStream(asyncio.BufferedProtocol):
    """Calls ``on_frames`` with the whole frames of each read, without their lengths, and ``on_lost`` once when the connection is gone."""

    def __init__(
        self,
        max_frame_bytes: int,
        on_frames: "Callable[[list[bytes]], None]",
        on_lost: Callable[[str | None], None],
        keep_bytes: int = CLIENT_KEEP_BYTES,
    ) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._keep_bytes = keep_bytes
        self._on_frames = on_frames
        self._on_lost = on_lost
        self._buffer = bytearray(_FIRST_BYTES)
        self._filled = 0
        self._transport: asyncio.Transport | None = None
        self._pauses = 0
        self._undelivered: deque[bytes] = deque()
        """Frames of the last read that came while the owner had paused: at most one buffer of them, as nothing more is read meanwhile."""
        self._refused: str | None = None

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Small answers must not wait for each other."""
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in {socket.AF_INET, socket.AF_INET6}:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport.set_write_buffer_limits(high=_SLOW_READER_BYTES)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Room for the next bytes."""
        buffer = self._buffer
        if len(buffer) - self._filled < _MIN_ROOM_BYTES:
            grown = bytearray(len(buffer) * 2)
            grown[: self._filled] = memoryview(buffer)[: self._filled]
            self._buffer = buffer = grown
        return memoryview(buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come: hand on what is whole."""
        self._filled += nbytes
        filled = self._filled
        buffer = self._buffer
        start = 0
        frames: list[bytes] = []
        with memoryview(buffer) as view:
            while filled - start >= 4:
                length = _LENGTH.unpack_from(buffer, start)[0]
                if length < 0 or length > self._max_frame_bytes:
                    self._refuse(f"a frame of {length} bytes (the limit is {self._max_frame_bytes})")
                    break
                end = start + 4 + length
                if end > filled:
                    break
                frames.append(bytes(view[start + 4 : end]))
                start = end
        if start:
            self._keep(start)
        self._undelivered += frames
        self._deliver()

    def _deliver(self) -> None:
        """Hand on whole frames, one by one, until there are no more or the owner pauses: its answers may fill up while it works."""
        undelivered = self._undelivered
        while undelivered and self._pauses == 0 and self._transport is not None:
            self._on_frames([undelivered.popleft()])

    def _keep(self, start: int) -> None:
        """Move the torn frame at the end to the front; a large buffer is not kept for small frames."""
        rest = self._filled - start
        if len(self._buffer) > self._keep_bytes and rest < _FIRST_BYTES:
            kept = bytearray(self._keep_bytes)
            kept[:rest] = memoryview(self._buffer)[start : self._filled]
            self._buffer = kept
        elif rest:
            view = memoryview(self._buffer)
            view[:rest] = view[start : self._filled]  # the regions may overlap: memoryview moves as memmove does
        self._filled = rest

    def _refuse(self, why: str) -> None:
        self._refused = why
        if self._transport is not None:
            self._transport.abort()

    def eof_received(self) -> bool:
        """The peer is done; so are we."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner once, and why when it was our decision."""
        self._transport = None
        self._buffer = bytearray()
        self._undelivered.clear()
        self._on_lost(self._refused)

    def pause_writing(self) -> None:
        """The peer does not read: take no more requests from it."""
        self.pause()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self.resume()

    # --- the owner's side

    def pause(self) -> None:
        """Read nothing until ``resume`` was called as often."""
        self._pauses += 1
        if self._pauses == 1 and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Undo one ``pause``."""
        self._pauses -= 1
        if self._pauses == 0 and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            if self._undelivered:  # not from inside the owner's own work
                asyncio.get_running_loop().call_soon(self._deliver)

    def write(self, parts: list[bytes]) -> None:
        """Send; dropped when the connection is gone."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if len(parts) == 1:
            transport.write(parts[0])
        else:
            transport.writelines(parts)

    def close(self) -> None:
        """Close once what was written is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()
