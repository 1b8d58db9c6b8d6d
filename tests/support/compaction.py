"""Short words for tests about compaction: keyed batches, a whole round at once, and what a consumer sees of a log."""

from collections.abc import Iterable

from tests.support.logs import append

from holdwater.kernel.ports import BatchHeader, Log
from holdwater.storage.compaction.cleanable import Cleanable, cleanable
from holdwater.storage.compaction.cleaning import Cleaning
from holdwater.storage.log import PartitionLog
from holdwater.wire.records import CONTROL_FLAG, TRANSACTIONAL_FLAG, Record, batches, build_batch, read_records

MANY_KEYS = 10_000
Keyed = tuple[str, str | None]
Producer = tuple[int, int, int]


def keyed(*pairs: Keyed, timestamp_ms: int = 1_000, **how: int | bool) -> bytes:
    """A batch with one record for each key and value; no value is a tombstone."""
    records = [Record(0, timestamp_ms, key.encode(), None if value is None else value.encode()) for key, value in pairs]
    return build_batch(records, **how)  # pyright: ignore[reportArgumentType]


def put(log: PartitionLog, *pairs: Keyed, epoch: int = 0, **how: int | bool) -> int:
    """Append them in one batch; returns the offset of the first."""
    result = append(log, keyed(*pairs, **how), epoch=epoch)
    assert result.error_code == 0
    return result.base_offset


def transact(log: PartitionLog, producer_id: int, sequence: int, *pairs: Keyed, producer_epoch: int = 0, **how: int) -> int:
    """Append them in a transaction, which stays open."""
    return put(log, *pairs, producer_id=producer_id, producer_epoch=producer_epoch, base_sequence=sequence, transactional=True, **how)


def look(log: PartitionLog, cleaner_offset: int | None = None, *, high_watermark: int | None = None, wall_ms: int = 5_000) -> Cleanable:
    """What there is to compact."""
    return cleanable(log, cleaner_offset, log.log_end_offset if high_watermark is None else high_watermark, wall_ms)


def compact(
    log: PartitionLog,
    cleaner_offset: int | None = None,
    *,
    high_watermark: int | None = None,
    wall_ms: int = 5_000,
    keys: int = MANY_KEYS,
    slice_bytes: int = 1 << 20,
) -> int | None:
    """One whole round; returns up to where the log is compacted."""
    found = look(log, cleaner_offset, high_watermark=high_watermark, wall_ms=wall_ms)
    return run(Cleaning(log, found, map_limit_count=keys, wall_ms=wall_ms, slice_bytes=slice_bytes))


def run(cleaning: Cleaning) -> int | None:
    """Step through a round."""
    steps = cleaning.steps()
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def headers(log: Log) -> list[tuple[BatchHeader, list[Record]]]:
    """Every batch from the log start on, with its records."""
    found: list[tuple[BatchHeader, list[Record]]] = []
    offset = log.log_start_offset
    while offset < log.log_end_offset:
        data = log.read(offset, 1 << 20, log.log_end_offset, at_least_one=True)
        if not data:
            break
        for position, header, _ in batches(data):
            assert header.base_offset + header.last_offset_delta >= offset, "a read gives no batch below the offset"
            found.append((header, read_records(data, position, header)))
            offset = header.base_offset + header.last_offset_delta + 1
    return found


def stored(log: Log) -> list[Record]:
    """Every record, markers and aborted ones included."""
    return [record for _, records in headers(log) for record in records if record.offset >= log.log_start_offset]


def committed(log: Log) -> list[Record]:
    """What a read_committed consumer is given up to the log end, by its own rule of the aborted transactions."""
    pending = sorted(log.aborted_transactions(log.log_start_offset, log.log_end_offset), key=lambda one: one.first_offset)
    aborted: dict[int, None] = {}
    found: list[Record] = []
    for header, records in headers(log):
        last_offset = header.base_offset + header.last_offset_delta
        while pending and pending[0].first_offset <= last_offset:
            aborted[pending.pop(0).producer_id] = None
        if header.attributes & CONTROL_FLAG:
            if records and records[0].key == bytes(4):
                aborted.pop(header.producer_id, None)
        elif not (header.attributes & TRANSACTIONAL_FLAG and header.producer_id in aborted):
            found += records
    return found


def newest(records: Iterable[Record]) -> dict[bytes, tuple[int, bytes]]:
    """Offset and value of each key's newest record; deleted keys are not there."""
    values: dict[bytes, tuple[int, bytes]] = {}
    for record in records:
        assert record.key is not None
        values.pop(record.key, None)
        if record.value is not None:
            values[record.key] = (record.offset, record.value)
    return values


def pairs(records: Iterable[Record]) -> list[tuple[int, str, str | None]]:
    """Offset, key and value, for tables."""
    return [(one.offset, (one.key or b"").decode(), None if one.value is None else one.value.decode()) for one in records]


def producer_state(log: PartitionLog) -> dict[int, Producer]:
    """Of each producer what decides about its next batch: producer epoch, last sequence, where its open transaction began."""
    states = sorted(log.producers.states.items())
    return {producer_id: (state.producer_epoch, state.last_sequence, state.transaction_start) for producer_id, state in states}


def read_everywhere(log: Log, *, max_bytes: int = 1, step: int = 1) -> None:
    """From every offset, or every ``step``-th one, a read gives the first batch that ends at or above it."""
    ends = [header.base_offset + header.last_offset_delta for header, _ in headers(log)]
    for offset in range(log.log_start_offset, log.log_end_offset, step):
        wanted = next((end for end in ends if end >= offset), None)
        data = log.read(offset, max_bytes, log.log_end_offset, at_least_one=True)
        found = next((header.base_offset + header.last_offset_delta for _, header, _ in batches(data)), None)
        assert found == wanted, (offset, found, wanted)
