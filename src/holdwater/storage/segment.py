"""One segment of a log: a file of record batches with its three indexes, and a table of its newest batches for reads at the tail.

Invariants: ``size`` bytes of the file are whole batches with rising offsets from ``base_offset`` on. ``bases`` and ``positions`` describe the
newest batches without a gap up to ``size`` (or are empty). The last byte of an inactive segment never changes.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from struct import Struct

from holdwater.kernel.ports import BatchHeader, CorruptRecords, Disk, DiskFailure, File
from holdwater.storage.config import LogConfig
from holdwater.storage.names import LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, segment_file
from holdwater.storage.offset_index import ENTRY_BYTES as OFFSET_ENTRY_BYTES
from holdwater.storage.offset_index import OffsetIndex
from holdwater.storage.scan import walk
from holdwater.storage.time_index import ENTRY_BYTES as TIME_ENTRY_BYTES
from holdwater.storage.time_index import TimeIndex
from holdwater.storage.txn_index import TxnIndex
from holdwater.wire.records import HEADER_BYTES, LENGTH_OVERHEAD

TABLE_LIMIT = 4096
"""Batches in the table of a segment; when full the older half is dropped. 16 bytes each."""
MAX_RELATIVE_OFFSET = 2**31 - 1
_SHORTEST_READ_BYTES = 4096
_MINIMUM_LENGTH = HEADER_BYTES - LENGTH_OVERHEAD
_OFFSET = Struct(">q")
_OFFSET_AND_LENGTH = Struct(">qi")
_LAST_OFFSET_DELTA = Struct(">i")
_LAST_OFFSET_DELTA_AT = 23
_PEEK_BYTES = 27
"""Up to the last offset delta: what a walk over batches reads of each."""

Range = tuple[int, int]
"""Start and end position in the file."""


class Segment:
    """Opened lazily: an inactive segment holds a file handle and its indexes only while it is read."""

    __slots__ = (
        "_cursor",
        "_disk",
        "_file",
        "_index_interval",
        "_unindexed",
        "base_offset",
        "bases",
        "created_ms",
        "directory",
        "has_gaps",
        "max_timestamp",
        "max_timestamp_offset",
        "offset_index",
        "positions",
        "roll_timestamp",
        "size",
        "state",
        "time_index",
        "txn_index",
    )

    def __init__(
        self, disk: Disk, directory: str, base_offset: int, config: LogConfig, wall_ms: int, *, fresh: bool, state: str = ""
    ) -> None:
        """``fresh``: the indexes start empty whatever is on disk, because the segment is new or about to be scanned.

        ``state``: what the names of the files end with, while the segment is not part of the log yet.
        """
        self._disk = disk
        self.directory = directory
        self.base_offset = base_offset
        self.state = state
        self._index_interval = config.index_interval_bytes
        self._file: File | None = None
        self.size = 0
        self.offset_index = OffsetIndex(disk, self.path(OFFSET_INDEX_SUFFIX), base_offset, fresh=fresh)
        self.time_index = TimeIndex(disk, self.path(TIME_INDEX_SUFFIX), base_offset, fresh=fresh)
        self.txn_index = TxnIndex(disk, self.path(TXN_INDEX_SUFFIX), fresh=fresh)
        self.bases = array("q")
        self.positions = array("q")
        self.has_gaps = False
        """Whether offsets are known to be missing between batches of the table, which is of no use for reads then."""
        self.created_ms = wall_ms
        self.roll_timestamp = -1
        """Largest timestamp of the first batch, from which ``segment.ms`` counts; -1 in an empty segment."""
        self.max_timestamp = -1
        self.max_timestamp_offset = base_offset
        """Last offset of the batch that has ``max_timestamp``."""
        self._unindexed = 0
        self._cursor = (-1, 0)

    def path(self, suffix: str) -> str:
        """Path of one of the segment's files."""
        return f"{self.directory}/{segment_file(self.base_offset, suffix)}{self.state}"

    @property
    def file(self) -> File:
        """The open ``.log`` file, created when absent."""
        if self._file is None:
            self._file = self._disk.open(self.path(LOG_SUFFIX))
        return self._file

    def must_roll(self, length: int, last_offset: int, max_timestamp: int, wall_ms: int, config: LogConfig) -> bool:
        """Whether a batch of ``length`` bytes has to go into a new segment (Kafka's ``LogSegment.shouldRoll``)."""
        if self.size == 0:
            return last_offset - self.base_offset > MAX_RELATIVE_OFFSET
        if self.size + length > config.segment_bytes or last_offset - self.base_offset > MAX_RELATIVE_OFFSET:
            return True
        age_ms = max_timestamp - self.roll_timestamp if self.roll_timestamp >= 0 else wall_ms - self.created_ms
        if age_ms > config.segment_ms:
            return True
        return self._unindexed > self._index_interval and (
            self.offset_index.entry_count >= config.segment_index_bytes // OFFSET_ENTRY_BYTES
            or self.time_index.entry_count >= config.segment_index_bytes // TIME_ENTRY_BYTES - 1
        )

    def note(self, base_offset: int, last_offset: int, length: int, max_timestamp: int) -> None:
        """Account for a batch that now lies at the end of the file."""
        position = self.size
        if position == 0:
            self.roll_timestamp = max_timestamp
        self.size = position + length
        bases = self.bases
        bases.append(base_offset)
        self.positions.append(position)
        if len(bases) > TABLE_LIMIT:
            del bases[: TABLE_LIMIT // 2]
            del self.positions[: TABLE_LIMIT // 2]
        if max_timestamp > self.max_timestamp:
            self.max_timestamp = max_timestamp
            self.max_timestamp_offset = last_offset
        if self._unindexed > self._index_interval:
            self.offset_index.append(last_offset, position)
            self.time_index.append(self.max_timestamp, self.max_timestamp_offset)
            self._unindexed = 0
        self._unindexed += length

    def note_header(self, header: BatchHeader) -> None:
        """``note`` for a batch that was read back."""
        self.note(header[0], header[0] + header[6], header[1] + LENGTH_OVERHEAD, header[8])

    def range_in_table(self, offset: int, max_bytes: int, upper_offset: int, end_offset: int, at_least_one: bool) -> Range | None:
        """Where to read whole batches from the one with ``offset`` on, below ``upper_offset``; ``None`` when the table cannot tell.

        ``end_offset`` ends the segment, and ``offset`` lies below both. An empty range: nothing fits.
        """
        bases = self.bases
        if not bases or offset < bases[0] or self.has_gaps:
            return None
        positions = self.positions
        index = bisect_right(bases, offset) - 1
        start = positions[index]
        limit = self.size if upper_offset >= end_offset else positions[bisect_right(bases, upper_offset) - 1]
        if limit - start > max_bytes:
            cut = positions[bisect_right(positions, start + max_bytes, index) - 1]
            if cut == start and at_least_one:
                cut = positions[index + 1] if index + 1 < len(positions) else self.size
            limit = cut
        return start, limit

    def scan_read(self, offset: int, max_bytes: int, upper_offset: int, at_least_one: bool) -> bytes | None:
        """Like ``range_in_table`` for any offset, and read: through the index, then over the headers; ``None`` when no batch reaches it."""
        found = self.find(offset, max_bytes)
        if found is None:
            return None
        position, data = found
        end, next_offset = _whole_batches(data, max_bytes, upper_offset)
        if end == 0 and at_least_one and len(data) >= _PEEK_BYTES:
            base, length, last = _peek(data, 0)
            end, next_offset = length, last + 1
            if last >= upper_offset or base >= upper_offset:
                return b""
            if length > len(data):
                data = self.file.read(position, length)
        self._cursor = (next_offset, position + end)
        return data[:end]

    def find(self, offset: int, max_bytes: int) -> tuple[int, bytes] | None:
        """Position of the first batch that ends at or above ``offset``, and up to ``max_bytes`` from there; ``None`` when there is none."""
        cursor_offset, cursor_position = self._cursor
        want = max(max_bytes, _SHORTEST_READ_BYTES)
        if cursor_offset == offset:
            found = self._at_cursor(offset, cursor_position, want)
            if found is not None:
                return found
        want += self._index_interval
        position, indexed_offset = self.offset_index.lookup(offset)
        if position and not self._ends_with(position, indexed_offset):
            position = 0  # a damaged index costs time, never records
        return self._walk_to(offset, position, want, max_bytes)

    def _at_cursor(self, offset: int, position: int, want: int) -> tuple[int, bytes] | None:
        """The batch that holds ``offset``, if it begins where the last read ended: a read that got wrong bits ends anywhere."""
        data = self.file.read(position, min(want, self.size - position)) if position + _PEEK_BYTES <= self.size else b""
        try:
            base, _, last = _peek(data, 0) if len(data) >= _PEEK_BYTES else (offset + 1, 0, offset)
        except CorruptRecords:
            return None
        return (position, data) if base <= offset <= last else None

    def _ends_with(self, position: int, last_offset: int) -> bool:
        """Whether the batch at an indexed position is the one that the index means."""
        data = self.file.read(position, _PEEK_BYTES)
        if len(data) < _PEEK_BYTES or position + len(data) > self.size:
            return False
        (base,) = _OFFSET.unpack_from(data)
        (delta,) = _LAST_OFFSET_DELTA.unpack_from(data, _LAST_OFFSET_DELTA_AT)
        return base + delta == last_offset

    def _walk_to(self, offset: int, position: int, want: int, max_bytes: int) -> tuple[int, bytes] | None:
        size = self.size
        while position < size:
            data = self.file.read(position, min(want, size - position))
            at = 0
            while at + _PEEK_BYTES <= len(data):
                _, length, last = _peek(data, at)
                if last >= offset:
                    rest = len(data) - at
                    if rest >= max_bytes or position + at + rest >= size:
                        return position + at, data[at:]
                    return position + at, self.file.read(position + at, min(max(max_bytes, _PEEK_BYTES), size - position - at))
                at += length
            if at == 0:
                raise CorruptRecords(f"{self.path(LOG_SUFFIX)}: {size - position} bytes at position {position} are no batch")
            position += at
        return None

    def batch_boundary(self, offset: int) -> int:
        """Where the batch that holds ``offset`` begins; ``offset`` itself when none does."""
        found = self.find(offset, _PEEK_BYTES)
        return min(offset, _peek(found[1], 0)[0]) if found is not None else offset

    def truncate_to(self, offset: int) -> int:
        """Cut from the batch that holds ``offset`` on; returns the offset at which the segment now ends."""
        found = self.find(offset, _PEEK_BYTES)
        if found is not None:
            position, data = found
            offset = min(offset, _peek(data, 0)[0])
            self.size = position
        if self.file.size > self.size:
            self.file.truncate(self.size)
        self.offset_index.truncate_to(offset)
        self.time_index.truncate_to(offset)
        self.txn_index.truncate_to(offset)
        keep = bisect_right(self.positions, self.size - 1)
        del self.bases[keep:]
        del self.positions[keep:]
        self._cursor = (-1, 0)
        self._unindexed = self.size - self.offset_index.last_position()
        self.load_timestamps(offset)
        return offset

    def take_over_indexes(self) -> None:
        """Continue a segment that was closed cleanly: its indexes say all that ``note`` would have."""
        self._unindexed = self.size - self.offset_index.last_position()
        self.max_timestamp, self.max_timestamp_offset = self.time_index.last_entry()
        if self.size and self.roll_timestamp < 0:
            self.roll_timestamp = _max_timestamp(self.file.read(0, HEADER_BYTES))

    def take_over(self, other: "Segment") -> None:
        """Stand for the same batches, whose files have got this segment's names."""
        self.size = other.size
        self.roll_timestamp = other.roll_timestamp
        self.max_timestamp = other.max_timestamp
        self.max_timestamp_offset = other.max_timestamp_offset

    def load_timestamps(self, end_offset: int) -> None:
        """Set the largest timestamp from the time index and the batches after its last entry, and the first batch's."""
        entry = self.time_index.last_entry()
        self.max_timestamp, self.max_timestamp_offset = entry
        self.roll_timestamp = -1
        if self.size == 0:
            return
        self.roll_timestamp = _max_timestamp(self.file.read(0, HEADER_BYTES))
        for header, _ in self.headers_from(entry.offset if entry.timestamp_ms >= 0 else self.base_offset):
            if header[0] + header[6] < end_offset and header[8] > self.max_timestamp:
                self.max_timestamp = header[8]
                self.max_timestamp_offset = header[0] + header[6]

    def largest_timestamp(self) -> int:
        """Largest timestamp of the segment's records, -1 when unknown or none."""
        if self.max_timestamp < 0:
            self.max_timestamp, self.max_timestamp_offset = self.time_index.last_entry()
        return self.max_timestamp

    def first_timestamp(self) -> int:
        """``roll_timestamp``, read from the file when it is not known."""
        if self.roll_timestamp < 0 and self.size:
            self.roll_timestamp = _max_timestamp(self.file.read(0, HEADER_BYTES))
        return self.roll_timestamp

    def headers_from(self, offset: int) -> list[tuple[BatchHeader, int]]:
        """Header and position of each batch from the one with ``offset`` to the end of the segment."""
        found = self.find(offset, _PEEK_BYTES)
        path = self.path(LOG_SUFFIX)
        return [(header, position) for position, _, _, header in walk(self.file, found[0], self.size, path)] if found else []

    def batches_from(self, offset: int) -> Iterator[tuple[bytes, int, BatchHeader]]:
        """Bytes that hold it, its position in them, and header of each batch from the one with ``offset`` to the end of the segment."""
        found = self.find(offset, _PEEK_BYTES)
        if found is not None:
            for _, data, at, header in walk(self.file, found[0], self.size, self.path(LOG_SUFFIX)):
                yield data, at, header

    def become_inactive(self) -> None:
        """Write the indexes, the largest timestamp last, as Kafka does when a segment is rolled or closed."""
        self.time_index.append(self.max_timestamp, self.max_timestamp_offset)
        self.flush_indexes()

    def flush_indexes(self) -> None:
        """Write the entries that are not on disk yet."""
        self.offset_index.flush()
        self.time_index.flush()
        self.txn_index.flush()

    def sync_indexes(self) -> None:
        """Make the index files of an inactive segment durable; touches nothing in memory, so it may run off the loop."""
        for suffix in (OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX):
            path = self.path(suffix)
            if self._disk.exists(path):
                sync_path(self._disk, path)

    def append(self, *parts: bytes | memoryview) -> None:
        """Append to the file. After a failure the file is cut back to the last whole batch, if the disk still lets us."""
        try:
            self.file.append(*parts)
        except DiskFailure:
            self.file.truncate(self.size)
            raise

    def drop_table(self) -> None:
        """Give the table's memory back; reads go through the index."""
        self.bases = array("q")
        self.positions = array("q")

    def release(self) -> None:
        """Close the file and forget the (flushed) indexes until the next use."""
        self.offset_index.release()
        self.time_index.release()
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def remove(self, *, close: bool = True) -> None:
        """Delete the segment's files, the log first: an index without its log is recognised as an orphan."""
        if close:
            self.close()
        self._disk.remove_file(self.path(LOG_SUFFIX))
        self.offset_index.remove()
        self.time_index.remove()
        self.txn_index.remove()


def sync_path(disk: Disk, path: str) -> None:
    """Make an existing file's content durable."""
    file = disk.open(path)
    try:
        file.sync()
    finally:
        file.close()


def _peek(data: bytes, at: int) -> tuple[int, int, int]:
    """``(base offset, whole length, last offset)`` of the batch at ``at``."""
    base, length = _OFFSET_AND_LENGTH.unpack_from(data, at)
    (delta,) = _LAST_OFFSET_DELTA.unpack_from(data, at + _LAST_OFFSET_DELTA_AT)
    if length < _MINIMUM_LENGTH or delta < 0:
        raise CorruptRecords(f"impossible batch: base offset {base}, length {length}, last offset delta {delta}")
    return base, length + LENGTH_OVERHEAD, base + delta


def _whole_batches(data: bytes, max_bytes: int, upper_offset: int) -> tuple[int, int]:
    """``(end, offset after it)`` of the batches at the start of ``data`` that are whole, within ``max_bytes`` and below ``upper_offset``."""
    end = 0
    next_offset = -1
    limit = min(len(data), max_bytes)
    while end + _PEEK_BYTES <= limit:
        _, length, last = _peek(data, end)
        if end + length > limit or last >= upper_offset:
            break
        end += length
        next_offset = last + 1
    return end, next_offset


def _max_timestamp(header: bytes) -> int:
    return int.from_bytes(header[35:43], "big", signed=True)
