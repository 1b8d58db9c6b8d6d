"""The bytes that a consumer is given, before anything of them is handed out (R13).

The checksum of a batch leaves its first 21 bytes uncovered. What a consumer can tell of them: in a topic that is not compacted the batches of
an answer follow each other without a gap from the position that was asked for, and fill the answer to its last byte.
"""

from typing import NamedTuple

from holdwater.kernel.ports import CorruptRecords
from holdwater.wire.records import LOG_APPEND_TIME_FLAG, Record, batches, check_crc, read_records


class ReadBatch(NamedTuple):
    """One batch of an answer."""

    leader_epoch: int
    stamped: bool
    """Whether it has the broker's time (LogAppendTime)."""
    base_offset: int
    end_offset: int
    data: bytes
    records: list[Record]


def read_batches(data: bytes, position: int, *, is_boundary: bool) -> list[ReadBatch]:
    """The batches of an answer to a fetch at ``position``, where a batch begins if ``is_boundary``. Raises ``CorruptRecords`` for damage."""
    found: list[ReadBatch] = []
    expected = position
    read_to = 0
    for start, header, end in batches(data):
        base, after = header.base_offset, header.base_offset + header.last_offset_delta + 1
        if base != expected and (is_boundary or found or not base <= position < after):
            raise CorruptRecords(f"a batch at {base} where one at {expected} was to come")
        check_crc(data, start, header)
        records = read_records(data, start, header)
        if [record.offset for record in records] != list(range(base, after)):
            raise CorruptRecords(f"the batch at {base} has offsets {[record.offset for record in records]}")
        stamped = bool(header.attributes & LOG_APPEND_TIME_FLAG)
        found.append(ReadBatch(header.partition_leader_epoch, stamped, base, after, data[start:end], records))
        expected = after
        read_to = end
    if read_to != len(data):
        raise CorruptRecords(f"{len(data) - read_to} bytes behind the last whole batch")
    return found
