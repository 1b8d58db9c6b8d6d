"""The offset index of a segment (``.index``): every so many bytes, the last offset of a batch and the batch's position in the file.

Entry: relative offset, position, both int32 big-endian, both rising.
"""

import sys
from array import array
from bisect import bisect_left, bisect_right
from itertools import pairwise

from holdwater.kernel.ports import Disk
from holdwater.storage.index_file import IndexFile

ENTRY_BYTES = 8


class OffsetIndex:
    """Loaded when first asked, written when flushed."""

    __slots__ = ("_base_offset", "_dirty", "_file", "_loaded", "_offsets", "_positions")

    def __init__(self, disk: Disk, path: str, base_offset: int, *, fresh: bool) -> None:
        """``fresh``: nothing on disk counts (a new segment, or one to be rebuilt)."""
        self._file = IndexFile(disk, path, ENTRY_BYTES)
        self._base_offset = base_offset
        self._offsets = array("i")
        self._positions = array("i")
        self._loaded = fresh
        self._dirty = fresh

    @property
    def entry_count(self) -> int:
        """Entries, on disk or not yet."""
        self._load()
        return len(self._offsets)

    def append(self, last_offset: int, position: int) -> None:
        """Note that the batch at ``position`` ends with ``last_offset``."""
        self._load()
        self._offsets.append(last_offset - self._base_offset)
        self._positions.append(position)
        self._dirty = True

    def lookup(self, offset: int) -> tuple[int, int]:
        """``(position, last offset of the batch there)`` from which a walk over the batches meets the one with ``offset``."""
        self._load()
        index = bisect_right(self._offsets, offset - self._base_offset) - 1
        return (self._positions[index], self._base_offset + self._offsets[index]) if index >= 0 else (0, -1)

    def last_position(self) -> int:
        """Position of the last batch noted, or 0."""
        self._load()
        return self._positions[-1] if self._positions else 0

    def truncate_to(self, offset: int) -> None:
        """Forget batches that end at or above ``offset``."""
        self._load()
        keep = bisect_left(self._offsets, offset - self._base_offset)
        del self._offsets[keep:]
        del self._positions[keep:]
        self._file.written_count = min(self._file.written_count, keep)
        self._dirty = True

    def exists(self) -> bool:
        """Whether there is a file."""
        return self._file.exists()

    def is_sane(self, log_bytes: int) -> bool:
        """Whether a file is there, and its entries rise and stay inside a log file of ``log_bytes``."""
        if not self._file.exists():
            return False
        self._load()
        offsets, positions = self._offsets, self._positions
        rising = all(a < b for a, b in pairwise(offsets)) and all(a < b for a, b in pairwise(positions))
        return rising and (not offsets or (offsets[0] >= 0 and positions[0] >= 0 and positions[-1] < log_bytes))

    def flush(self) -> None:
        """Write what is not on disk yet; the file exists afterwards."""
        if not self._dirty:
            return
        self._load()
        self._dirty = False
        start = self._file.written_count
        interleaved = array("i", bytes((len(self._offsets) - start) * ENTRY_BYTES))
        interleaved[0::2] = self._offsets[start:]
        interleaved[1::2] = self._positions[start:]
        if sys.byteorder == "little":
            interleaved.byteswap()
        self._file.write(interleaved.tobytes())

    def release(self) -> None:
        """Forget a flushed index's entries until they are needed again."""
        self._offsets = array("i")
        self._positions = array("i")
        self._loaded = False

    def remove(self) -> None:
        """Delete the file."""
        self._file.remove()

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        content = array("i", self._file.load())
        if sys.byteorder == "little":
            content.byteswap()
        self._offsets = content[0::2]
        self._positions = content[1::2]
