"""Searches by timestamp (ListOffsets), for which a batch of records is opened.

A batch that cannot be opened (its records were never checked) counts as one record with the batch's largest timestamp.
"""

from typing import TYPE_CHECKING

from holdwater.kernel.ports import BatchHeader, CorruptRecords, TimestampedOffset
from holdwater.storage.chain import SegmentChain
from holdwater.storage.segment import Segment
from holdwater.wire.records import LENGTH_OVERHEAD, LOG_APPEND_TIME_FLAG, Record, read_records

if TYPE_CHECKING:
    from holdwater.storage.log import PartitionLog


def offset_for_timestamp(log: "PartitionLog", chain: SegmentChain, timestamp_ms: int, upper_offset: int) -> TimestampedOffset | None:
    """First record at or above the log start and below ``upper_offset`` whose timestamp is at least ``timestamp_ms``."""
    start_offset = log.log_start_offset
    for segment in list(chain.segments):
        if segment.base_offset >= upper_offset:
            return None
        if segment.largest_timestamp() < timestamp_ms:
            chain.cool(segment)
            continue
        from_offset = max(segment.time_index.offset_before(timestamp_ms), start_offset)
        for header, position in segment.headers_from(from_offset):
            if header.base_offset >= upper_offset:
                return None
            if header.max_timestamp < timestamp_ms:
                continue
            for record in _records(log, segment, header, position):
                if record.timestamp_ms >= timestamp_ms and start_offset <= record.offset < upper_offset:
                    chain.cool(segment)
                    return TimestampedOffset(record.timestamp_ms, record.offset, log.epoch_at(record.offset))
        chain.cool(segment)
    return None


def max_timestamp_offset(log: "PartitionLog", chain: SegmentChain, upper_offset: int) -> TimestampedOffset | None:
    """The first of the records with the largest timestamp, between the log start and ``upper_offset``."""
    best: tuple[int, Segment, BatchHeader, int] | None = None
    segments = list(chain.segments)
    for index, segment in enumerate(segments):
        if segment.base_offset >= upper_offset:
            break
        whole = index + 1 < len(segments) and segments[index + 1].base_offset <= upper_offset
        if whole and best is not None and segment.largest_timestamp() <= best[0]:
            continue
        from_offset = max(segment.base_offset, log.log_start_offset)
        for header, position in segment.headers_from(from_offset):
            if not header.record_count:
                continue  # emptied by compaction
            if header.base_offset + header.last_offset_delta < upper_offset and (best is None or header.max_timestamp > best[0]):
                best = (header.max_timestamp, segment, header, position)
        chain.cool(segment)
    if best is None:
        return None
    _, segment, header, position = best
    record = max(_records(log, segment, header, position), key=lambda record: record.timestamp_ms)
    chain.cool(segment)
    return TimestampedOffset(record.timestamp_ms, record.offset, log.epoch_at(record.offset))


def _records(log: "PartitionLog", segment: Segment, header: BatchHeader, position: int) -> list[Record]:
    """Timestamps and offsets of a batch's records; keys and values only as far as they come along.

    Where one record stands for all of them it is the first at or above the log start, which may lie inside the batch.
    """
    first_offset = max(header.base_offset, log.log_start_offset)
    if header.attributes & LOG_APPEND_TIME_FLAG and header.record_count > header.last_offset_delta:
        return [Record(first_offset, header.max_timestamp, None, None)]
    data = segment.file.read(position, header.batch_length + LENGTH_OVERHEAD)
    try:
        return read_records(data, 0, header, expansion_limit_bytes=log.config.expansion_limit_bytes)
    except CorruptRecords:
        return [Record(first_offset, header.max_timestamp, None, None)]
