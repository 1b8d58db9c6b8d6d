"""What happened, one line per event, and a digest of all of it: equal digests mean equal runs.

A line says when (microseconds), where and what. Bytes that a compression library made differ from one of its versions to the next, so lines
tell of a frame its size and checksum only while nothing in the run is compressed.
"""

from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from zlib import crc32

_KEPT_COUNT = 4000
_HASHED_TOGETHER = 256


class Trace:
    """See the module. ``on_line`` sees every line, the last few thousand are kept."""

    def __init__(self, now_us: Callable[[], int], *, compressed: bool = False) -> None:
        self._now_us = now_us
        self._hash = blake2b(digest_size=16)
        self._compressed = compressed
        self._unhashed: list[str] = []
        self.last: deque[str] = deque(maxlen=_KEPT_COUNT)
        self.on_line: Callable[[str], None] | None = None

    def line(self, where: str, what: str) -> None:
        """One event."""
        text = f"{self._now_us()} {where} {what}"
        self._unhashed.append(text)
        if len(self._unhashed) == _HASHED_TOGETHER:
            self._take_in()
        self.last.append(text)
        if self.on_line is not None:
            self.on_line(text)

    def delivery(self, source: str, target: str, data: bytes) -> None:
        """Bytes arrived."""
        if self._compressed:
            self.line(target, f"< {source}")
        else:
            self.line(target, f"< {source} {len(data)} {crc32(data):08x}")

    def _take_in(self) -> None:
        if not self._unhashed:
            return
        self._unhashed.append("")
        self._hash.update("\n".join(self._unhashed).encode())
        self._unhashed.clear()

    @property
    def digest(self) -> str:
        """Of every line so far."""
        self._take_in()
        return self._hash.hexdigest()

    def story(self, count: int, *, deliveries: bool = False) -> list[str]:
        """The last lines, oldest first, without the deliveries unless they are asked for."""
        told = [text for text in self.last if deliveries or " < " not in text]
        return told[-count:]
