"""Record batch v2 from outside: the 61 header bytes, without looking at the records (Kafka protocol guide, "Record Batch").

A batch is a head of 21 bytes that brokers rewrite (base offset, length, leader epoch, magic, CRC) and a body that stays as the producer
made it. The CRC covers the body only, so a damaged head must be noticed some other way: by rising offsets, by the length reaching the next
batch, by the leader-epoch cache (R13 in docs/invariants.md).
"""

from collections.abc import Iterator
from struct import Struct

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import BatchHeader, CorruptRecords
from holdwater.wire.records.crc import crc32c

MAGIC = 2
HEADER_BYTES = 61
HEAD_BYTES = 21
"""Base offset, length, leader epoch, magic, CRC: what precedes the bytes that the CRC covers."""
LENGTH_OVERHEAD = 12
"""Base offset and length field: the length counts what comes after itself."""
MINIMUM_LENGTH = HEADER_BYTES - LENGTH_OVERHEAD
MAGIC_POSITION = 16

COMPRESSION_MASK = 0x07
HIGHEST_COMPRESSION = 4
"""zstd; 5 to 7 have no meaning."""
LOG_APPEND_TIME_FLAG = 0x08
TRANSACTIONAL_FLAG = 0x10
CONTROL_FLAG = 0x20
DELETE_HORIZON_FLAG = 0x40

NO_PRODUCER_ID = -1
NO_PRODUCER_EPOCH = -1
NO_SEQUENCE = -1
NO_TIMESTAMP = -1
MAX_SEQUENCE = 2**31 - 1

_HEADER = Struct(">qiibIhiqqqhii")
_HEAD = Struct(">qiibI")
_OFFSET_AND_LENGTH = Struct(">qi")
_CRC = Struct(">I")
_unpack_header = _HEADER.unpack_from
_unpack_offset_and_length = _OFFSET_AND_LENGTH.unpack_from
_pack_head = _HEAD.pack


def parse_header(data: bytes, position: int = 0) -> BatchHeader:
    """The header at ``position``.

    Raises ``CorruptRecords`` when the bytes cannot be one: too few, an old magic (error 43, UNSUPPORTED_FOR_MESSAGE_FORMAT), an unknown
    magic, a length under the header's own, negative counts. The CRC and the bytes after the header are not looked at.
    """
    if len(data) - position < HEADER_BYTES:
        _refuse_short(data, position)
    header = BatchHeader._make(_unpack_header(data, position))
    if header[3] != MAGIC:
        refuse_magic(header[3])
    if header[1] < MINIMUM_LENGTH or header[6] < 0 or header[12] < 0 or header[0] < 0:
        raise CorruptRecords(
            f"impossible batch header: base offset {header.base_offset}, length {header.batch_length}, "
            f"last offset delta {header.last_offset_delta}, {header.record_count} records"
        )
    return header


def _refuse_short(data: bytes, position: int) -> None:
    """Old formats have shorter headers: tell them from a truncated batch."""
    if len(data) - position > MAGIC_POSITION and data[position + MAGIC_POSITION] in {0, 1}:
        refuse_magic(data[position + MAGIC_POSITION])
    raise CorruptRecords(f"{len(data) - position} bytes are no record batch: its header alone has {HEADER_BYTES}")


def refuse_magic(magic: int) -> None:
    """Raise ``CorruptRecords`` for a magic other than 2: error 43 for the old formats (KIP-724), error 2 for what never existed."""
    if magic in {0, 1}:
        raise CorruptRecords(
            f"message format v{magic} is not supported, only record batches v2 (magic 2)", ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT
        )
    raise CorruptRecords(f"unknown magic {magic}, a record batch v2 has magic {MAGIC}", ErrorCode.CORRUPT_MESSAGE)


def batches(data: bytes) -> Iterator[tuple[int, BatchHeader, int]]:
    """``(position, header, end)`` of each whole batch in turn; a torn last batch ends the walk. Raises as ``parse_header`` does."""
    position = 0
    size = len(data)
    while size - position >= LENGTH_OVERHEAD:
        _, length = _unpack_offset_and_length(data, position)
        end = position + LENGTH_OVERHEAD + length
        if end > size and length >= MINIMUM_LENGTH:
            return
        yield position, parse_header(data, position), end
        position = end


def check_crc(data: bytes, position: int, header: BatchHeader) -> None:
    """Raise ``CorruptRecords`` unless the CRC fits the batch at ``position``, which must be there whole."""
    end = position + LENGTH_OVERHEAD + header.batch_length
    if end > len(data):
        raise CorruptRecords(f"batch at offset {header.base_offset} ends {end - len(data)} bytes after its data")
    computed = crc32c(data[position + HEAD_BYTES : end])
    if computed != header.crc:
        raise CorruptRecords(f"batch at offset {header.base_offset} has CRC {header.crc:#010x}, its bytes have {computed:#010x}")


def check_produced(data: bytes, header: BatchHeader) -> None:
    """Check a batch that a producer sent as one partition's records, its CRC included; size limits and permissions are the caller's.

    Raises ``CorruptRecords`` with the error of Kafka's ``ProduceRequest`` and ``LogValidator``: exactly one batch, offsets from zero
    without gaps, a known compression, no control batch, an id that comes with a sequence, no transaction without an id.
    """
    if LENGTH_OVERHEAD + header.batch_length != len(data):
        if LENGTH_OVERHEAD + header.batch_length > len(data):
            raise CorruptRecords(
                f"the batch says {LENGTH_OVERHEAD + header.batch_length} bytes, {len(data)} came", ErrorCode.INVALID_RECORD
            )
        raise CorruptRecords("a produce request carries exactly one record batch for each partition", ErrorCode.INVALID_RECORD)
    check_crc(data, 0, header)
    if header.base_offset != 0:
        raise CorruptRecords(f"a produced batch starts at offset 0, not {header.base_offset}", ErrorCode.INVALID_RECORD)
    count = header.record_count
    if count <= 0 or count != header.last_offset_delta + 1:
        raise CorruptRecords(
            f"a batch of {count} records whose last offset delta is {header.last_offset_delta}, expected {count - 1}",
            ErrorCode.INVALID_RECORD,
        )
    attributes = header.attributes
    if attributes & CONTROL_FLAG:
        raise CorruptRecords("clients may not write control batches", ErrorCode.INVALID_RECORD)
    if attributes & COMPRESSION_MASK > HIGHEST_COMPRESSION:  # stored, it would stop every consumer
        raise CorruptRecords(f"there is no compression {attributes & COMPRESSION_MASK}", ErrorCode.INVALID_RECORD)
    if header.producer_id >= 0 and (header.base_sequence < 0 or header.producer_epoch < 0):
        raise CorruptRecords(
            f"producer id {header.producer_id} with producer epoch {header.producer_epoch} and base sequence {header.base_sequence}",
            ErrorCode.INVALID_RECORD,
        )
    if attributes & TRANSACTIONAL_FLAG and header.producer_id < 0:
        raise CorruptRecords("a transactional batch without a producer id", ErrorCode.INVALID_RECORD)


def place_batch(data: bytes, base_offset: int, leader_epoch: int) -> tuple[bytes, bytes]:
    """``(head, body)`` of the one batch in ``data``, moved to ``base_offset`` in ``leader_epoch``: 21 new bytes, the rest as it was."""
    _, length, _, magic, crc = _HEAD.unpack_from(data)
    return _pack_head(base_offset, length, leader_epoch, magic, crc), data[HEAD_BYTES:]


def stamp_batch(data: bytes, log_append_time_ms: int) -> bytes:
    """The batch with the time the broker appended it (LogAppendTime): flag set, largest timestamp replaced, CRC new."""
    stamped = bytearray(data)
    attributes = int.from_bytes(data[21:23], "big") | LOG_APPEND_TIME_FLAG
    stamped[21:23] = attributes.to_bytes(2, "big")
    stamped[35:43] = log_append_time_ms.to_bytes(8, "big", signed=True)
    _CRC.pack_into(stamped, 17, crc32c(bytes(stamped[HEAD_BYTES:])))
    return bytes(stamped)


def clear_append_time(data: bytes) -> bytes:
    """The batch without the LogAppendTime flag, which a producer has no business to set: its records keep their own times. CRC new."""
    cleared = bytearray(data)
    cleared[22] &= ~LOG_APPEND_TIME_FLAG & 0xFF
    _CRC.pack_into(cleared, 17, crc32c(bytes(cleared[HEAD_BYTES:])))
    return bytes(cleared)


def last_sequence(header: BatchHeader) -> int:
    """Sequence of the last record: sequences count up with offsets and wrap to 0 after 2^31 - 1; -1 without sequences."""
    base = header.base_sequence
    if base == NO_SEQUENCE:
        return NO_SEQUENCE
    return advance_sequence(base, header.last_offset_delta)


def advance_sequence(sequence: int, count: int) -> int:
    """``sequence`` plus ``count``, wrapped to 0 after 2^31 - 1."""
    return (sequence + count) & MAX_SEQUENCE
