"""Control records: what brokers write into logs for themselves (transaction markers, and KRaft's leader changes, snapshots and voters).

A control batch holds records whose key names the type (version, type: two 16-bit numbers) and whose value is a message of that type.
"""

from enum import IntEnum, unique
from struct import Struct
from typing import NamedTuple

from holdwater.kernel.ports import BatchHeader, CorruptRecords
from holdwater.wire.codec.classes import Message
from holdwater.wire.records.batch import NO_SEQUENCE
from holdwater.wire.records.record import Record, build_batch, read_records

_KEY = Struct(">hh")
_MARKER_VALUE = Struct(">hi")
_MARKER_EXPANSION_LIMIT_BYTES = 64 * 1024


@unique
class ControlType(IntEnum):
    """Types of control records (KIP-98, KIP-595, KIP-630, KIP-853)."""

    ABORT = 0
    COMMIT = 1
    LEADER_CHANGE = 2
    SNAPSHOT_HEADER = 3
    SNAPSHOT_FOOTER = 4
    KRAFT_VERSION = 5
    KRAFT_VOTERS = 6


_TYPE_OF_MESSAGE = {
    "LeaderChangeMessage": ControlType.LEADER_CHANGE,
    "SnapshotHeaderRecord": ControlType.SNAPSHOT_HEADER,
    "SnapshotFooterRecord": ControlType.SNAPSHOT_FOOTER,
    "KRaftVersionRecord": ControlType.KRAFT_VERSION,
    "VotersRecord": ControlType.KRAFT_VOTERS,
}
_MESSAGE_OF_TYPE: dict[int, str] = {number: name for name, number in _TYPE_OF_MESSAGE.items()}


class TransactionMarker(NamedTuple):
    """The end of one producer's transaction on a partition."""

    committed: bool
    coordinator_epoch: int


def control_type(record: Record) -> int:
    """The type in a control record's key; types of later versions of Kafka come back as their number. Raises ``CorruptRecords``."""
    if record.key is None or len(record.key) < _KEY.size:
        raise CorruptRecords(f"control record at offset {record.offset} has no type in its key")
    version, number = _KEY.unpack_from(record.key)
    if version < 0:
        raise CorruptRecords(f"control record at offset {record.offset} has key version {version}")
    return number


def control_record(message: Message, timestamp_ms: int, *, version: int = 0) -> Record:
    """A KRaft control record around one of wire/messages' LeaderChangeMessage, SnapshotHeaderRecord, SnapshotFooterRecord,
    KRaftVersionRecord, VotersRecord, encoded in ``version`` of the message.
    """
    from holdwater.wire.codec import encode

    number = _TYPE_OF_MESSAGE[type(message).__name__]
    return Record(0, timestamp_ms, _KEY.pack(0, number), encode(message, version))


def control_message(record: Record) -> Message | None:
    """The message in a KRaft control record, or ``None`` for markers and types of later versions. Raises ``CorruptRecords``.

    The versions of these messages start with their own number, which is how a reader knows the layout.
    """
    from holdwater.wire import messages
    from holdwater.wire.codec import ProtocolError, decode

    name = _MESSAGE_OF_TYPE.get(control_type(record))
    if name is None:
        return None
    if record.value is None or len(record.value) < 2:
        raise CorruptRecords(f"control record at offset {record.offset} is empty")
    message_class: type[Message] = getattr(messages, name)
    version = min(int.from_bytes(record.value[:2], "big", signed=True), message_class.MAX_VERSION)
    try:
        return decode(message_class, version, record.value)
    except ProtocolError as error:
        raise CorruptRecords(f"control record at offset {record.offset}: unreadable {name} ({error})") from error


def end_transaction_batch(
    *,
    committed: bool,
    producer_id: int,
    producer_epoch: int,
    coordinator_epoch: int,
    timestamp_ms: int,
    base_offset: int = 0,
    leader_epoch: int = -1,
) -> bytes:
    """The batch that ends a producer's transaction on one partition: one COMMIT or ABORT record."""
    key = _KEY.pack(0, ControlType.COMMIT if committed else ControlType.ABORT)
    return build_batch(
        [Record(0, timestamp_ms, key, _MARKER_VALUE.pack(0, coordinator_epoch))],
        base_offset=base_offset,
        leader_epoch=leader_epoch,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=NO_SEQUENCE,
        transactional=True,
        control=True,
    )


def read_transaction_marker(data: bytes, position: int, header: BatchHeader) -> TransactionMarker | None:
    """The marker in a control batch of a producer; ``None`` in an emptied batch or for another type. Raises ``CorruptRecords``."""
    for record in read_records(data, position, header, expansion_limit_bytes=_MARKER_EXPANSION_LIMIT_BYTES):
        number = control_type(record)
        if number not in {ControlType.ABORT, ControlType.COMMIT}:
            return None
        if record.value is None or len(record.value) < _MARKER_VALUE.size:
            raise CorruptRecords(f"transaction marker at offset {record.offset} carries no coordinator epoch")
        version, coordinator_epoch = _MARKER_VALUE.unpack_from(record.value)
        if version < 0:
            raise CorruptRecords(f"transaction marker at offset {record.offset} has version {version}")
        return TransactionMarker(number == ControlType.COMMIT, coordinator_epoch)
    return None
