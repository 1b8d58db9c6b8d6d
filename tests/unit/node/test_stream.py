"""A TCP stream cut into frames, however the bytes come, and with memory that follows the bytes, not the claims."""

import asyncio
import random
from struct import pack
from typing import cast

import pytest

from holdwater.node.stream import CLIENT_KEEP_BYTES, FrameStream


class FakeTransport:
    """What a stream does to its transport."""

    def __init__(self) -> None:
        self.aborted = False
        self.reading = True

    def get_extra_info(self, name: str) -> None:
        return None

    def set_write_buffer_limits(self, high: int) -> None:
        return None

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Reader:
    """A stream with what it handed on."""

    def __init__(self, limit: int = 100_000_000) -> None:
        self.frames: list[bytes] = []
        self.lost: list[str | None] = []
        self.transport = FakeTransport()
        self.stream = FrameStream(limit, self.frames.extend, self.lost.append)
        self.stream.connection_made(cast(asyncio.BaseTransport, self.transport))

    def feed(self, data: bytes) -> None:
        while data:
            room = self.stream.get_buffer(-1)
            size = min(len(room), len(data))
            room[:size] = data[:size]
            self.stream.buffer_updated(size)
            data = data[size:]

    @property
    def buffered_bytes(self) -> int:
        return len(self.stream._buffer)


def frame(body: bytes) -> bytes:
    return pack(">i", len(body)) + body


@pytest.mark.parametrize("piece", [1, 2, 3, 5, 7, 64, 4096, 10**7])
def test_frames_come_out_whole_however_they_come_in(piece: int) -> None:
    rng = random.Random(piece)
    bodies = [rng.randbytes(rng.choice((0, 1, 3, 100, 8190, 20_000))) for _ in range(8)]
    data = b"".join(map(frame, bodies))
    reader = Reader()
    for start in range(0, len(data), piece):
        reader.feed(data[start : start + piece])
    assert reader.frames == bodies


@pytest.mark.parametrize("length", [-1, -(2**31), 1001, 2**31 - 1])
def test_an_impossible_length_ends_the_connection(length: int) -> None:
    reader = Reader(limit=1000)
    reader.feed(pack(">i", length) + b"x" * 10)
    assert reader.transport.aborted
    assert reader.frames == []
    reader.stream.connection_lost(None)
    assert reader.lost[0] is not None
    assert str(length) in reader.lost[0]


def test_a_claimed_length_allocates_nothing() -> None:
    reader = Reader()
    reader.feed(pack(">i", 99_000_000) + b"x" * 100)
    assert reader.buffered_bytes < 64 * 1024


def test_a_large_buffer_is_given_back() -> None:
    reader = Reader()
    reader.feed(frame(bytes(20_000_000)))
    assert len(reader.frames[0]) == 20_000_000
    reader.feed(frame(b"small"))
    assert reader.buffered_bytes <= CLIENT_KEEP_BYTES


def test_pauses_add_up() -> None:
    reader = Reader()
    reader.stream.pause()
    reader.stream.pause_writing()
    reader.stream.resume()
    assert not reader.transport.reading
    reader.stream.resume_writing()
    assert reader.transport.reading


def test_a_pause_holds_back_what_was_read_already() -> None:
    """Answers may fill up while the requests of one read are worked off: what is left waits until the owner goes on."""

    async def run() -> None:
        reader = Reader()
        taken: list[bytes] = []

        def take(frames: list[bytes]) -> None:
            taken.extend(frames)
            if len(taken) == 2:
                reader.stream.pause()

        reader.stream._on_frames = take
        reader.feed(b"".join(frame(bytes([number])) for number in range(5)))
        assert taken == [b"\0", b"\1"]
        reader.stream.resume()
        await asyncio.sleep(0)
        assert taken == [bytes([number]) for number in range(5)]

    asyncio.run(run())
