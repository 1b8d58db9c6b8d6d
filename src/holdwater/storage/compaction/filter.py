"""What compaction keeps of one batch, and the bytes of it.

Offsets, timestamps, producer, sequence, leader epoch and compression stay what they were; a batch that loses nothing stays byte for byte. One
that keeps a record without value (a tombstone), or a marker of which no batch is left, gets a delete horizon (KIP-534): the time from which on
they may go, in the place of the base timestamp.

The last batch of each known producer stays, empty if need be, so that its sequence and producer epoch can be read from the log; so does the last
batch of the cleaned part, so that a follower can reach the offset after it.
"""

from collections.abc import Mapping, Sequence

from holdwater.kernel.ports import BatchHeader, CorruptRecords
from holdwater.storage.compaction.key_map import OffsetMap
from holdwater.storage.compaction.transactions import Transactions
from holdwater.storage.producers import ProducerState
from holdwater.wire.records import (
    COMPRESSION_MASK,
    CONTROL_FLAG,
    DELETE_HORIZON_FLAG,
    HEAD_BYTES,
    LENGTH_OVERHEAD,
    LOG_APPEND_TIME_FLAG,
    NO_TIMESTAMP,
    TRANSACTIONAL_FLAG,
    Record,
    build_batch,
    crc32c,
    read_records,
)

_COUNT_AT = 57
_HEADER_BYTES = 61


class BatchFilter:
    """For one pass over a log."""

    def __init__(
        self,
        newest: OffsetMap,
        transactions: Transactions,
        producers: Mapping[int, ProducerState],
        *,
        end_offset: int,
        wall_ms: int,
        delete_retention_ms: int,
        expansion_limit_bytes: int,
    ) -> None:
        """``end_offset``: where the part of the log ends that may be cleaned at all. ``producers``: as they are known at the log end."""
        self._newest = newest
        self._transactions = transactions
        self._producers = producers
        self._end_offset = end_offset
        self._wall_ms = wall_ms
        self._horizon_ms = wall_ms + delete_retention_ms
        self._expansion_limit_bytes = expansion_limit_bytes

    def keep(self, data: bytes, at: int, header: BatchHeader) -> bytes:
        """What is kept of the batch at ``at``; nothing at all when it goes. Raises ``CorruptRecords``."""
        attributes = header.attributes
        may_go = self._transactions.judge(data, at, header)
        is_control = bool(attributes & CONTROL_FLAG)
        horizon_ms = header.base_timestamp if attributes & DELETE_HORIZON_FLAG else None
        goes = may_go and (not is_control or (horizon_ms is not None and horizon_ms <= self._wall_ms))
        records: list[Record] = []
        if not goes:
            found = read_records(data, at, header, expansion_limit_bytes=self._expansion_limit_bytes)
            records = found if is_control else [one for one in found if self._stays(one, horizon_ms)]
        if not records:
            return _emptied(data, at, header) if self._must_stay(header) else b""
        starts_horizon = horizon_ms is None and (may_go if is_control else any(one.value is None for one in records))
        if len(records) == header.record_count and not starts_horizon:
            return data[at : at + header.batch_length + LENGTH_OVERHEAD]
        return _rebuilt(header, records, self._horizon_ms if starts_horizon else horizon_ms)

    def _stays(self, record: Record, horizon_ms: int | None) -> bool:
        if record.offset >= self._newest.end_offset:
            return True
        if record.key is None:
            return False
        if record.offset < self._newest.newest(record.key):
            return False
        return record.value is not None or horizon_ms is None or self._wall_ms < horizon_ms

    def _must_stay(self, header: BatchHeader) -> bool:
        last_offset = header.base_offset + header.last_offset_delta
        if last_offset + 1 == self._end_offset:
            return True
        state = self._producers.get(header.producer_id)
        if state is None:
            return False
        if state.batches:
            return state.batches[-1].last_offset == last_offset
        return bool(header.attributes & CONTROL_FLAG) and header.producer_epoch == state.producer_epoch


def _rebuilt(header: BatchHeader, records: Sequence[Record], horizon_ms: int | None) -> bytes:
    """The batch with fewer records or another horizon. It still ends where it ended, so that its last sequence stays known."""
    attributes = header.attributes
    built = build_batch(
        records,
        base_offset=header.base_offset,
        leader_epoch=header.partition_leader_epoch,
        producer_id=header.producer_id,
        producer_epoch=header.producer_epoch,
        base_sequence=header.base_sequence,
        compression=attributes & COMPRESSION_MASK,
        transactional=bool(attributes & TRANSACTIONAL_FLAG),
        control=bool(attributes & CONTROL_FLAG),
        timestamp_type=1 if attributes & LOG_APPEND_TIME_FLAG else 0,
        delete_horizon_ms=horizon_ms,
        keep_offsets=True,
    )
    return _with(built, last_offset_delta=header.last_offset_delta)


def _emptied(data: bytes, at: int, header: BatchHeader) -> bytes:
    """The batch without records: its header, uncompressed, without a horizon."""
    kept = bytearray(data[at : at + _HEADER_BYTES])
    kept[8:12] = (_HEADER_BYTES - LENGTH_OVERHEAD).to_bytes(4, "big")
    kept[21:23] = (header.attributes & ~(COMPRESSION_MASK | DELETE_HORIZON_FLAG)).to_bytes(2, "big")
    kept[27:35] = NO_TIMESTAMP.to_bytes(8, "big", signed=True)
    kept[_COUNT_AT:_HEADER_BYTES] = bytes(4)
    return _with(bytes(kept), last_offset_delta=header.last_offset_delta)


def _with(batch: bytes, *, last_offset_delta: int) -> bytes:
    changed = bytearray(batch)
    changed[23:27] = last_offset_delta.to_bytes(4, "big")
    changed[17:21] = crc32c(bytes(changed[HEAD_BYTES:])).to_bytes(4, "big")
    return bytes(changed)


def check_place(header: BatchHeader, expected: int, limit: int, known_epoch: int) -> None:
    """Raise ``CorruptRecords`` for a batch that cannot stand where it was read; the CRC does not cover its offset and leader epoch."""
    base_offset, epoch = header.base_offset, header.partition_leader_epoch
    if base_offset < expected or base_offset + header.last_offset_delta >= limit:
        raise CorruptRecords(f"a batch of offsets {base_offset} to {base_offset + header.last_offset_delta} between {expected} and {limit}")
    if epoch < 0 or 0 <= known_epoch != epoch:
        raise CorruptRecords(f"the batch at offset {base_offset} has leader epoch {epoch}, the leader-epoch file says {known_epoch}")
