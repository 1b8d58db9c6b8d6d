"""Compaction of one log: what is older than the newest record of its key goes, and the rest is written anew, segment by segment.

One round: the new part of the log (from where the last round ended, below ``Cleanable.end_offset``) is read into an ``OffsetMap``; then all
segments below the map's end are filtered by it, in groups that fit one segment, and each group is replaced as a whole (``swap``). When the map
is full the round ends earlier, and another one goes on.

Invariants: offsets never change; the active segment and what lies at or above the last stable offset are never touched; every batch is checked
(CRC, place, leader epoch) before it is written again, so that damage is never given a good CRC. Between two slices the log may be used freely: a
cut, or the removal of segments, ends the round, and nothing of it is left but groups that were replaced.
"""

from collections.abc import Generator, Iterator

from holdwater.kernel.ports import BatchHeader, CorruptRecords
from holdwater.storage import swap
from holdwater.storage.compaction.cleanable import Cleanable
from holdwater.storage.compaction.filter import BatchFilter, check_place
from holdwater.storage.compaction.key_map import OffsetMap
from holdwater.storage.compaction.transactions import Transactions
from holdwater.storage.log import PartitionLog
from holdwater.storage.names import CLEANED_SUFFIX, LOG_SUFFIX, TXN_INDEX_SUFFIX
from holdwater.storage.offset_index import ENTRY_BYTES as OFFSET_ENTRY_BYTES
from holdwater.storage.segment import MAX_RELATIVE_OFFSET, Segment
from holdwater.storage.time_index import ENTRY_BYTES as TIME_ENTRY_BYTES
from holdwater.wire.records import COMPRESSION_MASK, CONTROL_FLAG, LENGTH_OVERHEAD, batches, check_crc, parse_header, read_records

SLICE_BYTES = 256 << 10
"""Bytes read and written between two pauses, unless the caller says otherwise: about 10 ms of work."""
_CHUNK_BYTES = 64 << 10
_SYNC_BYTES = 4 << 20
"""Bytes written between two syncs: one of the whole segment could take seconds."""
_COMPRESSED_WEIGHT = 4
"""A compressed byte counts for so many."""

Slices = Generator[int, None, None]


class _Overtaken(Exception):  # noqa: N818 - named for what became of the round
    """The log has lost segments, or is no longer to be compacted."""


class Cleaning:
    """One round. Step through ``steps`` to its end; ``abandon`` it when the log is gone."""

    def __init__(self, log: PartitionLog, found: Cleanable, *, map_limit_count: int, wall_ms: int, slice_bytes: int = SLICE_BYTES) -> None:
        self._log = log
        self._found = found
        self._wall_ms = wall_ms
        self._slice_bytes = slice_bytes
        self._map = OffsetMap(found.first_dirty_offset, map_limit_count)
        self._was = self._state()
        self._worked_bytes = 0
        self._unsynced_bytes = 0
        self._cleaned: Segment | None = None
        """The segment that is being written."""

    def steps(self) -> Generator[int, None, int | None]:
        """Yields the bytes read and written since the last pause; returns up to where the log is compacted now, ``None`` if it was overtaken.

        Raises ``CorruptRecords`` when the log holds what it should not (nothing of that is replaced), and ``DiskFailure``.
        """
        try:
            yield from self._sync_log()
            yield from self._fill_map()
            transactions = Transactions()
            batch_filter = self._filter(transactions)
            for group in self._groups():
                yield from self._clean(group, batch_filter, transactions)
        except _Overtaken:
            self._discard()
            return None
        except CorruptRecords:
            self._discard()
            raise
        return self._map.end_offset

    def abandon(self) -> None:
        """Close what is open, and touch the disk no more: the directory is gone, or another log's."""
        cleaned, self._cleaned = self._cleaned, None
        if cleaned is not None:
            cleaned.close()

    def _discard(self) -> None:
        cleaned = self._cleaned
        if cleaned is not None:
            self.abandon()
            swap.discard(self._log.disk, self._log.path, cleaned.base_offset)

    # Pauses

    def _state(self) -> tuple[int, int, bool]:
        log = self._log
        return log.chain.removed_count, log.cut_count, log.config.compact and log.failure is None and log.damage is None

    def _pause(self) -> Slices:
        """Give way, now."""
        worked_bytes, self._worked_bytes = self._worked_bytes, 0
        yield worked_bytes
        if self._state() != self._was:
            raise _Overtaken

    def _worked(self, byte_count: int) -> Slices:
        """Give way when the slice is used up."""
        self._worked_bytes += byte_count
        if self._worked_bytes >= self._slice_bytes:
            yield from self._pause()

    def _sync_log(self) -> Slices:
        """Recovery tells what compaction took out from what a power loss has taken by how far the log was synced before."""
        log = self._log
        for segment in log.unsynced_segments():
            if segment in log.chain.segments:
                segment.file.sync()
                log.chain.cool(segment)
                yield from self._pause()
        if log.synced_end_offset < self._found.end_offset:
            log.sync()

    # The map

    def _fill_map(self) -> Slices:
        log, start, end = self._log, self._found.first_dirty_offset, self._found.end_offset
        transactions = Transactions()
        for segment, segment_end in log.chain.with_ends(log.log_end_offset):
            if segment_end <= start or segment.base_offset >= end:
                continue
            transactions.expect(log.aborted_between(max(segment.base_offset, start), segment_end))
            for data, at, header in _Walk(log, segment, segment_end, start):
                if (
                    not transactions.judge(data, at, header)
                    and not header.attributes & CONTROL_FLAG
                    and not self._take_in(data, at, header)
                ):
                    log.chain.cool(segment)
                    return
                self._map.end_offset = header.base_offset + header.last_offset_delta + 1
                yield from self._worked(_weight(header))
            self._map.end_offset = segment_end
            log.chain.cool(segment)

    def _take_in(self, data: bytes, at: int, header: BatchHeader) -> bool:
        """Note a batch's keys; false when they do not all fit. The first batch fits always."""
        newest, start = self._map, self._found.first_dirty_offset
        is_first = newest.end_offset == start
        for record in read_records(data, at, header, expansion_limit_bytes=self._log.config.max_decompressed_bytes):
            if record.key is not None and record.offset >= start and not newest.put(record.key, record.offset, force=is_first):
                return False
        return True

    def _filter(self, transactions: Transactions) -> BatchFilter:
        log = self._log
        return BatchFilter(
            self._map,
            transactions,
            log.producers.states,
            end_offset=self._found.end_offset,
            wall_ms=self._wall_ms,
            delete_retention_ms=log.config.delete_retention_ms,
            expansion_limit_bytes=log.config.max_decompressed_bytes,
        )

    # Groups

    def _groups(self) -> list[list[tuple[Segment, int]]]:
        """The segments below the map's end with their ends, in groups that are no larger than a segment may be."""
        log, config = self._log, self._log.config
        limits = (
            config.segment_bytes,
            config.segment_index_bytes // OFFSET_ENTRY_BYTES,
            config.segment_index_bytes // TIME_ENTRY_BYTES,
            MAX_RELATIVE_OFFSET,
        )
        groups: list[list[tuple[Segment, int]]] = []
        used = limits
        for segment, segment_end in log.chain.with_ends(log.log_end_offset):
            if segment.base_offset >= self._map.end_offset:
                break
            sizes = (segment.size, segment.offset_index.entry_count, segment.time_index.entry_count, segment_end - segment.base_offset)
            log.chain.cool(segment)
            together = tuple(have + more for have, more in zip(used, sizes, strict=True))
            if groups and all(have <= limit for have, limit in zip(together, limits, strict=True)):
                groups[-1].append((segment, segment_end))
                used = together
            else:
                groups.append([(segment, segment_end)])
                used = sizes
        return groups

    def _clean(self, group: list[tuple[Segment, int]], batch_filter: BatchFilter, transactions: Transactions) -> Slices:
        log = self._log
        base_offset = group[0][0].base_offset
        cleaned = Segment(log.disk, log.path, base_offset, log.config, self._wall_ms, fresh=True, state=CLEANED_SUFFIX)
        self._cleaned = cleaned
        if log.disk.exists(cleaned.path(LOG_SUFFIX)):
            swap.discard(log.disk, log.path, base_offset)
        cleaned.file  # noqa: B018 - creates the file
        for segment, segment_end in group:
            transactions.expect(log.aborted_between(segment.base_offset, segment_end))
            for data, at, header in _Walk(log, segment, segment_end, segment.base_offset):
                kept = batch_filter.keep(data, at, header)
                if kept:
                    self._write(cleaned, kept)
                for entry in transactions.retained:
                    cleaned.txn_index.append(entry)
                transactions.retained.clear()
                yield from self._worked(_weight(header) + len(kept))
            log.chain.cool(segment)
        yield from self._finish(cleaned)
        log.replace_segments([segment for segment, _ in group], cleaned)
        self._cleaned = None

    def _write(self, cleaned: Segment, batch: bytes) -> None:
        header = parse_header(batch)
        if header.base_offset != cleaned.base_offset or cleaned.size:
            cleaned.has_gaps = True  # nobody reads it by its table, which is dropped
        cleaned.append(batch)
        cleaned.note_header(header)
        self._unsynced_bytes += len(batch)
        if self._unsynced_bytes >= _SYNC_BYTES:
            self._unsynced_bytes = 0
            cleaned.file.sync()

    def _finish(self, cleaned: Segment) -> Slices:
        """Make the files durable, up to the step after which there is no way back."""
        log = self._log
        cleaned.drop_table()
        cleaned.become_inactive()
        log.disk.open(cleaned.path(TXN_INDEX_SUFFIX)).close()  # there, if only empty: ``swap`` tells by it what has been renamed
        cleaned.file.sync()
        self._unsynced_bytes = 0
        cleaned.sync_indexes()
        yield from self._pause()
        for _ in swap.prepare(log.disk, log.path, cleaned.base_offset):
            yield from self._pause()
        while log.chain.is_held:
            yield from self._pause()


def _weight(header: BatchHeader) -> int:
    length = header.batch_length + LENGTH_OVERHEAD
    return length * _COMPRESSED_WEIGHT if header.attributes & COMPRESSION_MASK else length


class _Walk:
    """The batches of one segment, checked, from the one that holds an offset on. Reads in chunks, so that the file may be closed meanwhile."""

    def __init__(self, log: PartitionLog, segment: Segment, segment_end: int, offset: int) -> None:
        self._log = log
        self._segment = segment
        self._end = segment_end
        found = segment.find(offset, 0) if offset > segment.base_offset else None
        self._position = found[0] if found is not None else 0
        self._at_end = offset > segment.base_offset and found is None

    def __iter__(self) -> Iterator[tuple[bytes, int, BatchHeader]]:
        """Bytes that hold it, its position in them, and header of each."""
        log, segment = self._log, self._segment
        expected = segment.base_offset
        try:
            while not self._at_end and self._position < segment.size:
                data = self._chunk()
                for at, header, end in batches(data):
                    check_crc(data, at, header)
                    check_place(header, expected, self._end, log.epoch_at(header.base_offset))
                    yield data, at, header
                    expected = header.base_offset + header.last_offset_delta + 1
                    self._chunk_end = end
                self._position += self._chunk_end
        except CorruptRecords as error:
            raise CorruptRecords(f"{segment.path(LOG_SUFFIX)}: {error}") from error

    def _chunk(self) -> bytes:
        """At least one whole batch."""
        file, position, size = self._segment.file, self._position, self._segment.size
        self._chunk_end = 0
        data = file.read(position, min(_CHUNK_BYTES, size - position))
        length = parse_header(data).batch_length + LENGTH_OVERHEAD
        if length > size - position:
            raise CorruptRecords(f"the batch at position {position} has {length} bytes, {size - position} are left")
        return data if length <= len(data) else file.read(position, length)
