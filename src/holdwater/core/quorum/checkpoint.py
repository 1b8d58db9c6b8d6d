"""Control records of the metadata log, and the snapshot files made of record batches (KIP-630, KIP-853).

A snapshot is a header batch, the control records of the voters, data batches, and a footer batch; offsets in it count from 0. The bootstrap
checkpoint 0-0 that ``kafka-storage format`` writes has the same form.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from holdwater.core.quorum.voters import VoterSet
from holdwater.kernel.identifiers import NO_OFFSET, ZERO_UUID
from holdwater.kernel.ports import BatchHeader, CorruptRecords
from holdwater.wire.messages import KRaftVersionRecord, LeaderChangeMessage, SnapshotFooterRecord, SnapshotHeaderRecord, VotersRecord
from holdwater.wire.records import CONTROL_FLAG, Record, batches, build_batch, check_crc, control_message, control_record, read_records

EXPANSION_LIMIT_BYTES = 64 * 1024 * 1024
BATCH_TARGET_BYTES = 1024 * 1024
"""A data batch of a snapshot ends after the record that reaches this size."""

Control: TypeAlias = LeaderChangeMessage | SnapshotHeaderRecord | SnapshotFooterRecord | KRaftVersionRecord | VotersRecord
_CONTROLS = (LeaderChangeMessage, SnapshotHeaderRecord, SnapshotFooterRecord, KRaftVersionRecord, VotersRecord)


class Located(NamedTuple):
    """A control record and its offset."""

    offset: int
    message: Control


def control_batch(messages: Sequence[Control], wall_ms: int, *, base_offset: int = 0, leader_epoch: int = 0) -> bytes:
    """One control batch of several records."""
    records = [
        control_record(message, wall_ms, version=message.version)._replace(offset=base_offset + delta)
        for delta, message in enumerate(messages)
    ]
    return build_batch(records, base_offset=base_offset, leader_epoch=leader_epoch, control=True)


def data_batch(values: Sequence[bytes], wall_ms: int, *, base_offset: int = 0, leader_epoch: int = 0) -> bytes:
    """One batch of metadata records, which have no keys."""
    records = [Record(base_offset + delta, wall_ms, None, value, []) for delta, value in enumerate(values)]
    return build_batch(records, base_offset=base_offset, leader_epoch=leader_epoch)


def control_messages(data: bytes, position: int, header: BatchHeader) -> Iterator[Located]:
    """The known control records of a control batch; unknown types are skipped. Raises ``CorruptRecords``."""
    for record in read_records(data, position, header, expansion_limit_bytes=EXPANSION_LIMIT_BYTES):
        message = control_message(record)
        if isinstance(message, _CONTROLS):
            yield Located(record.offset, message)


def is_control(header: BatchHeader) -> bool:
    """Whether a batch holds control records."""
    return header.attributes & CONTROL_FLAG != 0


def build_checkpoint(
    voters: VoterSet,
    kraft_version: int,
    records: Sequence[bytes],
    wall_ms: int,
    *,
    last_contained_log_timestamp_ms: int = 0,
    leader_epoch: int = 0,
) -> bytes:
    """The bytes of a snapshot: header, voters (from kraft.version 1 on), ``records`` (metadata records as encoded), footer."""
    header: list[Control] = [SnapshotHeaderRecord(version=0, last_contained_log_timestamp=last_contained_log_timestamp_ms)]
    if kraft_version > 0:
        header += [KRaftVersionRecord(version=0, kraft_version=kraft_version), voters.to_record()]
    parts = [control_batch(header, wall_ms, leader_epoch=leader_epoch)]
    offset = len(header)
    for values in _chunks(records):
        parts.append(data_batch(values, wall_ms, base_offset=offset, leader_epoch=leader_epoch))
        offset += len(values)
    parts.append(control_batch([SnapshotFooterRecord(version=0)], wall_ms, base_offset=offset, leader_epoch=leader_epoch))
    return b"".join(parts)


def _chunks(records: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    start = 0
    size = 0
    for position, record in enumerate(records):
        size += len(record)
        if size >= BATCH_TARGET_BYTES:
            yield records[start : position + 1]
            start = position + 1
            size = 0
    if start < len(records):
        yield records[start:]


def build_bootstrap_checkpoint(voters: VoterSet, records: Sequence[bytes], wall_ms: int) -> bytes:
    """The bytes of snapshot 0-0 for a new cluster: kraft.version 1, ``voters`` with their directory ids, and the first metadata records."""
    if any(voter.directory_id == ZERO_UUID for voter in voters.voters):
        raise ValueError("every voter of kraft.version 1 needs its directory id")
    return build_checkpoint(voters, 1, records, wall_ms, last_contained_log_timestamp_ms=wall_ms)


class Checkpoint(NamedTuple):
    """What a snapshot says of the quorum, and where its data is."""

    kraft_version: int | None
    voters: VoterSet | None
    last_contained_log_timestamp_ms: int
    batch_count: int


def read_checkpoint(content: bytes) -> Checkpoint:
    """Check a whole snapshot (every CRC, header first, footer last) and read its control records. Raises ``CorruptRecords``."""
    kraft_version: int | None = None
    voters: VoterSet | None = None
    timestamp_ms = NO_OFFSET
    batch_count = position_after = 0
    finished = False
    for position, header, end in batches(content):
        check_crc(content, position, header)
        if finished:
            raise CorruptRecords("a snapshot goes on after its footer")
        messages = [located.message for located in control_messages(content, position, header)] if is_control(header) else []
        if batch_count == 0 and not (messages and isinstance(messages[0], SnapshotHeaderRecord)):
            raise CorruptRecords("a snapshot does not begin with its header")
        for message in messages:
            if isinstance(message, SnapshotHeaderRecord):
                timestamp_ms = message.last_contained_log_timestamp
            elif isinstance(message, KRaftVersionRecord):
                kraft_version = message.kraft_version
            elif isinstance(message, VotersRecord):
                voters = VoterSet.from_record(message)
            elif isinstance(message, SnapshotFooterRecord):
                finished = True
        batch_count += 1
        position_after = end
    if not finished or position_after != len(content):
        raise CorruptRecords(f"a snapshot of {len(content)} bytes ends without its footer")
    return Checkpoint(kraft_version, voters, timestamp_ms, batch_count)


def checkpoint_records(content: bytes) -> Iterator[bytes]:
    """The metadata records of a snapshot, in order, control records left out."""
    for position, header, _ in batches(content):
        if not is_control(header):
            for record in read_records(content, position, header, expansion_limit_bytes=EXPANSION_LIMIT_BYTES):
                if record.value is None:
                    raise CorruptRecords(f"metadata record at offset {record.offset} has no value")
                yield record.value
