"""Kafka's producer snapshot files (``<end offset>.snapshot``, version 1): the producers' state at an offset, so that a reload need not
replay the whole log.

Layout: version (int16), CRC-32C of the rest (uint32), then one entry for each producer with its last batch only. Ours go on after Kafka's
entries with what Kafka forgets, the older batches of each producer and the transactions that may end above the high watermark, so that a
retry is still recognised after a restart (P2, P9). Kafka's readers check the CRC over the whole file and stop after their entries.
"""

import struct
from struct import Struct

from holdwater.kernel.ports import CorruptRecords
from holdwater.storage.producers import BATCHES_KEPT, CompletedTransaction, ProducedBatch, Producers, ProducerState
from holdwater.wire.records import crc32c

VERSION = 1
_PREFIX = Struct(">hI")
_COUNT = Struct(">i")
_ENTRY = Struct(">qhiqiqiq")
_MORE_MAGIC = b"holdwater\x01"
_BATCH = Struct(">iqiq")
_COMPLETED = Struct(">qqq")


def encode_snapshot(producers: Producers) -> bytes:
    """The file's content."""
    states = list(producers.states.values())
    body = bytearray(_COUNT.pack(len(states)))
    for state in states:
        last = state.batches[-1] if state.batches else ProducedBatch(-1, -1, 0, -1)
        body += _ENTRY.pack(
            state.producer_id,
            state.producer_epoch,
            last.last_sequence,
            last.last_offset,
            last.offset_delta,
            state.last_timestamp_ms,
            state.coordinator_epoch,
            state.transaction_start,
        )
    body += _MORE_MAGIC
    for state in states:
        body.append(len(state.batches))
        for batch in state.batches:
            body += _BATCH.pack(*batch)
    body += _COUNT.pack(len(producers.completed))
    for transaction in producers.completed:
        body += _COMPLETED.pack(*transaction)
    return _PREFIX.pack(VERSION, crc32c(bytes(body))) + body


def decode_snapshot(content: bytes, end_offset: int) -> Producers:
    """The state at ``end_offset``. Raises ``CorruptRecords`` when the content is not what was written."""
    try:
        return _decode(content, end_offset)
    except (struct.error, IndexError) as error:
        raise CorruptRecords(f"producer snapshot at offset {end_offset} is cut short ({error})") from error


def _decode(content: bytes, end_offset: int) -> Producers:
    version, crc = _PREFIX.unpack_from(content)
    if version != VERSION:
        raise CorruptRecords(f"producer snapshot at offset {end_offset} has version {version}, expected {VERSION}")
    if crc32c(content[_PREFIX.size :]) != crc:
        raise CorruptRecords(f"producer snapshot at offset {end_offset} fails its CRC")
    (count,) = _COUNT.unpack_from(content, _PREFIX.size)
    position = _PREFIX.size + _COUNT.size
    if not 0 <= count <= (len(content) - position) // _ENTRY.size:
        raise CorruptRecords(f"producer snapshot at offset {end_offset} announces {count} producers")
    producers = Producers(end_offset)
    states: list[ProducerState] = []
    for _ in range(count):
        states.append(_decode_entry(content, position))
        position += _ENTRY.size
    if content.startswith(_MORE_MAGIC, position):
        _decode_more(content, position + len(_MORE_MAGIC), states, producers)
    for state in states:
        producers.states[state.producer_id] = state
    for state in sorted(states, key=lambda state: state.transaction_start):
        if state.transaction_start >= 0:
            producers.open[state.transaction_start] = state.producer_id
    return producers


def _decode_entry(content: bytes, position: int) -> ProducerState:
    producer_id, epoch, sequence, offset, delta, timestamp, coordinator_epoch, transaction_start = _ENTRY.unpack_from(content, position)
    state = ProducerState(producer_id, epoch)
    state.coordinator_epoch = coordinator_epoch
    state.last_timestamp_ms = timestamp
    state.transaction_start = transaction_start
    if offset >= 0:
        state.batches.append(ProducedBatch(sequence, offset, delta, timestamp))
    return state


def _decode_more(content: bytes, position: int, states: list[ProducerState], producers: Producers) -> None:
    for state in states:
        count = content[position]
        position += 1
        if count > BATCHES_KEPT:
            raise CorruptRecords(f"producer snapshot at offset {producers.end_offset} holds {count} batches of one producer")
        state.batches = [ProducedBatch(*_BATCH.unpack_from(content, position + n * _BATCH.size)) for n in range(count)]
        position += count * _BATCH.size
    (count,) = _COUNT.unpack_from(content, position)
    position += _COUNT.size
    if not 0 <= count <= (len(content) - position) // _COMPLETED.size:
        raise CorruptRecords(f"producer snapshot at offset {producers.end_offset} announces {count} completed transactions")
    producers.completed = [CompletedTransaction(*_COMPLETED.unpack_from(content, position + n * _COMPLETED.size)) for n in range(count)]
