"""The time index of a segment (``.timeindex``): the largest timestamp so far and the last offset of the batch that has it.

Entry: timestamp in ms (int64), relative offset (int32), big-endian; timestamps strictly rise, offsets do not fall.
"""

from bisect import bisect_left, bisect_right
from itertools import pairwise
from struct import Struct
from typing import NamedTuple

from holdwater.kernel.ports import Disk
from holdwater.storage.index_file import IndexFile

ENTRY_BYTES = 12
_ENTRY = Struct(">qi")


class TimeEntry(NamedTuple):
    """``timestamp_ms`` is the largest of all records up to ``offset``, which ends the batch that has it."""

    timestamp_ms: int
    offset: int


class TimeIndex:
    """Loaded when first asked, written when flushed."""

    __slots__ = ("_base_offset", "_dirty", "_entries", "_file", "_loaded")

    def __init__(self, disk: Disk, path: str, base_offset: int, *, fresh: bool) -> None:
        """``fresh``: nothing on disk counts (a new segment, or one to be rebuilt)."""
        self._file = IndexFile(disk, path, ENTRY_BYTES)
        self._base_offset = base_offset
        self._entries: list[TimeEntry] = []
        self._loaded = fresh
        self._dirty = fresh

    @property
    def entry_count(self) -> int:
        """Entries, on disk or not yet."""
        self._load()
        return len(self._entries)

    def append(self, timestamp_ms: int, offset: int) -> None:
        """Note the largest timestamp so far; nothing happens unless it is larger than the last one noted."""
        self._load()
        entries = self._entries
        if timestamp_ms > (entries[-1].timestamp_ms if entries else -1):
            entries.append(TimeEntry(timestamp_ms, offset))
            self._dirty = True

    def last_entry(self) -> TimeEntry:
        """The entry with the largest timestamp; timestamp -1 when there is none."""
        self._load()
        return self._entries[-1] if self._entries else TimeEntry(-1, self._base_offset)

    def offset_before(self, timestamp_ms: int) -> int:
        """An offset such that no record before it has ``timestamp_ms`` or more."""
        self._load()
        index = bisect_left(self._entries, timestamp_ms, key=lambda entry: entry.timestamp_ms) - 1
        return self._entries[index].offset if index >= 0 else self._base_offset

    def truncate_to(self, offset: int) -> None:
        """Forget entries at or above ``offset``."""
        self._load()
        keep = bisect_right(self._entries, offset - 1, key=lambda entry: entry.offset)
        del self._entries[keep:]
        self._file.written_count = min(self._file.written_count, keep)
        self._dirty = True

    def is_sane(self) -> bool:
        """Whether a file is there and its entries rise."""
        if not self._file.exists():
            return False
        self._load()
        return all(a.timestamp_ms < b.timestamp_ms and a.offset <= b.offset for a, b in pairwise(self._entries))

    def flush(self) -> None:
        """Write what is not on disk yet; the file exists afterwards."""
        if not self._dirty:
            return
        self._load()
        self._dirty = False
        pending = self._entries[self._file.written_count :]
        self._file.write(b"".join([_ENTRY.pack(timestamp, offset - self._base_offset) for timestamp, offset in pending]))

    def release(self) -> None:
        """Forget a flushed index's entries until they are needed again."""
        self._entries = []
        self._loaded = False

    def remove(self) -> None:
        """Delete the file."""
        self._file.remove()

    def _load(self) -> None:
        if not self._loaded:
            self._loaded = True
            base = self._base_offset
            self._entries = [TimeEntry(timestamp, base + relative) for timestamp, relative in _ENTRY.iter_unpack(self._file.load())]
