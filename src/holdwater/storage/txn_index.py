"""The transaction index of a segment (``.txnindex``): the aborted transactions whose ABORT marker lies in it (KIP-98).

Entry: version 0 (int16), producer id, first offset, last offset (of the marker), last stable offset after it (all int64), big-endian.
"""

from struct import Struct
from typing import NamedTuple

from holdwater.kernel.ports import Disk
from holdwater.storage.index_file import IndexFile

ENTRY_BYTES = 34
_ENTRY = Struct(">hqqqq")
_VERSION = 0


class AbortedRange(NamedTuple):
    """One aborted transaction. ``last_stable_offset``: where the earliest transaction open at that moment began, else after the marker."""

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int


class TxnIndex:
    """Loaded when first asked; a segment without aborted transactions has no file."""

    __slots__ = ("_dirty", "_entries", "_file", "_loaded")

    def __init__(self, disk: Disk, path: str, *, fresh: bool) -> None:
        """``fresh``: nothing on disk counts (a new segment, or one to be rebuilt)."""
        self._file = IndexFile(disk, path, ENTRY_BYTES)
        self._entries: list[AbortedRange] = []
        self._loaded = fresh
        self._dirty = fresh

    @property
    def path(self) -> str:
        """Path of the file, which need not exist."""
        return self._file.path

    def append(self, entry: AbortedRange) -> None:
        """Add a transaction; its marker comes after those of all others in the index."""
        self._load()
        self._entries.append(entry)
        self._dirty = True

    def entries(self) -> list[AbortedRange]:
        """All of them, in the order of their markers."""
        self._load()
        return self._entries

    def truncate_to(self, offset: int) -> None:
        """Forget transactions whose marker lies at or above ``offset``."""
        self._load()
        keep = len(self._entries)
        while keep and self._entries[keep - 1].last_offset >= offset:
            keep -= 1
        del self._entries[keep:]
        self._file.written_count = min(self._file.written_count, keep)
        self._dirty = True

    def is_sane(self, base_offset: int) -> bool:
        """Whether the entries' markers rise from ``base_offset`` on."""
        self._load()
        at = base_offset - 1
        for entry in self._entries:
            if entry.last_offset <= at or not 0 <= entry.first_offset <= entry.last_offset:
                return False
            at = entry.last_offset
        return True

    def flush(self) -> None:
        """Write what is not on disk yet."""
        self._load()
        if self._dirty and not self._entries:
            self._file.remove()
        elif self._dirty:
            pending = self._entries[self._file.written_count :]
            self._file.write(b"".join([_ENTRY.pack(_VERSION, *entry) for entry in pending]))
        self._dirty = False

    def release(self) -> None:
        """Forget a flushed index's entries until they are needed again."""
        self._entries = []
        self._loaded = False

    def remove(self) -> None:
        """Delete the file."""
        self._file.remove()

    def _load(self) -> None:
        if not self._loaded:
            self._entries = [AbortedRange(*fields) for version, *fields in _ENTRY.iter_unpack(self._file.load()) if version >= 0]
            self._loaded = True
