"""Record batch v2 from inside: records to bytes and back (Kafka protocol guide, "Record").

Brokers open batches only where Kafka itself must look inside; the coordinators, the metadata log and the tools read records all the time.
"""

from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import BatchHeader, CorruptRecords
from holdwater.wire.records.batch import (
    COMPRESSION_MASK,
    CONTROL_FLAG,
    DELETE_HORIZON_FLAG,
    HEAD_BYTES,
    HEADER_BYTES,
    LENGTH_OVERHEAD,
    LOG_APPEND_TIME_FLAG,
    MAGIC,
    NO_TIMESTAMP,
    TRANSACTIONAL_FLAG,
)
from holdwater.wire.records.compression import DEFAULT_EXPANSION_LIMIT_BYTES, compress, decompress
from holdwater.wire.records.crc import crc32c
from holdwater.wire.records.varint import read_varint, write_varint

_HEAD = Struct(">qiibI")
_REST = Struct(">hiqqqhii")


class Record(NamedTuple):
    """One record. ``headers`` keep their order, and a key may come twice."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


def read_records(
    data: bytes, position: int, header: BatchHeader, *, expansion_limit_bytes: int = DEFAULT_EXPANSION_LIMIT_BYTES
) -> list[Record]:
    """The records of the batch whose header stands at ``position`` of ``data``.

    Raises ``CorruptRecords`` for bytes that are no records, another number of them than the header says, or more than
    ``expansion_limit_bytes`` after decompression. The CRC is not checked here.
    """
    end = position + LENGTH_OVERHEAD + header.batch_length
    if end > len(data):
        raise CorruptRecords(f"batch at offset {header.base_offset} ends {end - len(data)} bytes after its data")
    codec = header.attributes & COMPRESSION_MASK
    if codec:
        body = decompress(codec, data[position + HEADER_BYTES : end], expansion_limit_bytes)
    else:
        body = data[position + HEADER_BYTES : end]
    fixed_timestamp = header.max_timestamp if header.attributes & LOG_APPEND_TIME_FLAG else None
    try:
        return _parse(body, header, fixed_timestamp)
    except (IndexError, UnicodeDecodeError) as error:
        raise CorruptRecords(f"batch at offset {header.base_offset}: unreadable record ({error})", ErrorCode.INVALID_RECORD) from error


def _parse(body: bytes, header: BatchHeader, fixed_timestamp: int | None) -> list[Record]:
    base_offset = header.base_offset
    base_timestamp = header.base_timestamp
    size = len(body)
    records: list[Record] = []
    position = 0
    for _ in range(header.record_count):
        length, position = read_varint(body, position)
        end = position + length
        if length < 0 or end > size:
            raise _broken(header, f"a record of {length} bytes where {size - position} are left")
        timestamp_delta, position = read_varint(body, position + 1)  # the attributes byte of a record is unused
        offset_delta, position = read_varint(body, position)
        key, position = _read_bytes(body, position, end, header)
        value, position = _read_bytes(body, position, end, header)
        count, position = read_varint(body, position)
        headers: list[tuple[str, bytes | None]] | tuple[()] = ()
        if count:
            if not 0 < count <= end - position:
                raise _broken(header, f"{count} headers in a record with {end - position} bytes left")
            headers = []
            for _ in range(count):
                name, position = _read_bytes(body, position, end, header)
                if name is None:
                    raise _broken(header, "a record header without a key")
                content, position = _read_bytes(body, position, end, header)
                headers.append((name.decode("utf-8"), content))
        if position != end:
            raise _broken(header, f"a record of {length} bytes ends at {position}, not {end}")
        timestamp = base_timestamp + timestamp_delta if fixed_timestamp is None else fixed_timestamp
        records.append(Record(base_offset + offset_delta, timestamp, key, value, headers))
    if position != size:
        raise _broken(header, f"{size - position} bytes after the last record")
    return records


def _read_bytes(body: bytes, position: int, end: int, header: BatchHeader) -> tuple[bytes | None, int]:
    length, position = read_varint(body, position)
    if length == -1:
        return None, position
    after = position + length
    if length < 0 or after > end:
        raise _broken(header, f"a field of {length} bytes where {end - position} are left")
    return body[position:after], after


def _broken(header: BatchHeader, why: str) -> CorruptRecords:
    return CorruptRecords(f"batch at offset {header.base_offset}: {why}", ErrorCode.INVALID_RECORD)


def build_batch(
    records: Sequence[Record],
    *,
    base_offset: int = 0,
    leader_epoch: int = -1,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    compression: int = 0,
    transactional: bool = False,
    control: bool = False,
    timestamp_type: int = 0,
    delete_horizon_ms: int | None = None,
    keep_offsets: bool = False,
) -> bytes:
    """A whole batch around ``records``, of which there is at least one.

    The offsets in ``records`` are ignored and the n-th one gets ``base_offset + n``, unless ``keep_offsets``: then they stay, gaps and all
    (compaction). ``timestamp_type`` 1 (LogAppendTime) gives every record the largest timestamp. ``delete_horizon_ms`` is KIP-534's.
    """
    if not records:
        raise ValueError("a batch holds at least one record")
    horizon = delete_horizon_ms is not None
    base_timestamp = records[0].timestamp_ms if delete_horizon_ms is None else delete_horizon_ms
    body = bytearray()
    max_timestamp = NO_TIMESTAMP
    for index, record in enumerate(records):
        max_timestamp = max(max_timestamp, record.timestamp_ms)
        _write_record(body, record, record.timestamp_ms - base_timestamp, record.offset - base_offset if keep_offsets else index)
    last_offset_delta = records[-1].offset - base_offset if keep_offsets else len(records) - 1
    attributes = (
        compression
        | (LOG_APPEND_TIME_FLAG if timestamp_type else 0)
        | (TRANSACTIONAL_FLAG if transactional else 0)
        | (CONTROL_FLAG if control else 0)
        | (DELETE_HORIZON_FLAG if horizon else 0)
    )
    rest = _REST.pack(
        attributes, last_offset_delta, base_timestamp, max_timestamp, producer_id, producer_epoch, base_sequence, len(records)
    ) + compress(compression, bytes(body))
    return _HEAD.pack(base_offset, HEAD_BYTES - LENGTH_OVERHEAD + len(rest), leader_epoch, MAGIC, crc32c(rest)) + rest


def _write_record(out: bytearray, record: Record, timestamp_delta: int, offset_delta: int) -> None:
    content = bytearray(1)
    write_varint(content, timestamp_delta)
    write_varint(content, offset_delta)
    _write_bytes(content, record.key)
    _write_bytes(content, record.value)
    write_varint(content, len(record.headers))
    for name, value in record.headers:
        _write_bytes(content, name.encode("utf-8"))
        _write_bytes(content, value)
    write_varint(out, len(content))
    out += content


def _write_bytes(out: bytearray, content: bytes | None) -> None:
    if content is None:
        out.append(1)  # zigzag of -1
    else:
        write_varint(out, len(content))
        out += content
