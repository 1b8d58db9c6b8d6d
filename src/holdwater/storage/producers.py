"""What a partition knows of its producers: idempotence (KIP-98, KIP-360), fencing, and which transactions are open (KIP-890).

For each producer id: the highest producer epoch, the last five batches, the epoch of the coordinator that wrote the last marker, and where its
open transaction began. A leader asks ``check_data`` or ``check_marker`` before it appends; ``apply_data`` and ``apply_marker`` follow every
append, on leaders, on followers and in recovery alike, and never refuse, since the leader has judged.

Invariants: stored sequences of one (producer id, producer epoch) are consecutive (P1). ``open`` holds one entry for each producer with an open
transaction, by first offset, rising. The state is a function of the batches below ``end_offset`` (P9).
"""

from typing import NamedTuple

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import BatchHeader
from holdwater.storage.txn_index import AbortedRange
from holdwater.wire.records import (
    CONTROL_FLAG,
    MAX_SEQUENCE,
    NO_PRODUCER_EPOCH,
    NO_SEQUENCE,
    TRANSACTIONAL_FLAG,
    TransactionMarker,
    last_sequence,
    read_transaction_marker,
)

BATCHES_KEPT = 5
"""Batches a retry is recognised by: producers keep at most five requests in flight."""
COMPLETED_LIMIT = 1024
"""Transactions kept one by one until the high watermark passes them; past that the older half is kept as one range, which is as safe."""
_EXHAUSTED_EPOCH = 2**15 - 1
_TRANSACTIONS_V2 = 2


class ProducedBatch(NamedTuple):
    """A batch by which a retry is recognised."""

    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp_ms: int

    @property
    def first_sequence(self) -> int:
        """Sequence of its first record."""
        return (self.last_sequence - self.offset_delta) & MAX_SEQUENCE if self.last_sequence != NO_SEQUENCE else NO_SEQUENCE

    @property
    def first_offset(self) -> int:
        """Offset of its first record."""
        return self.last_offset - self.offset_delta


class ProducerState:
    """One producer id."""

    __slots__ = ("batches", "coordinator_epoch", "last_timestamp_ms", "producer_epoch", "producer_id", "transaction_start")

    def __init__(self, producer_id: int, producer_epoch: int = NO_PRODUCER_EPOCH) -> None:
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.coordinator_epoch = -1
        self.last_timestamp_ms = -1
        self.transaction_start = -1
        """First offset of the open transaction, or -1."""
        self.batches: list[ProducedBatch] = []
        """At most ``BATCHES_KEPT`` of ``producer_epoch``, oldest first."""

    @property
    def last_sequence(self) -> int:
        """Sequence of the last record, -1 when none is known in this epoch."""
        return self.batches[-1].last_sequence if self.batches else NO_SEQUENCE

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ProducerState) and all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # pyright: ignore[reportAssignmentType] - mutable

    def __repr__(self) -> str:
        return f"ProducerState({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"


class CompletedTransaction(NamedTuple):
    """A transaction whose marker may still lie above the high watermark: until then its records stay unstable."""

    producer_id: int
    first_offset: int
    last_offset: int


class Producers:
    """All producers of one partition."""

    __slots__ = ("completed", "end_offset", "open", "states")

    def __init__(self, end_offset: int = 0) -> None:
        self.states: dict[int, ProducerState] = {}
        self.open: dict[int, int] = {}
        """First offset of each open transaction, rising, and its producer id."""
        self.completed: list[CompletedTransaction] = []
        """Those not known to lie below the high watermark, in the order of their markers."""
        self.end_offset = end_offset
        """The state speaks of every batch below it."""

    def is_empty(self) -> bool:
        """Whether no producer is known."""
        return not self.states and not self.completed

    def check_data(self, header: BatchHeader) -> tuple[int, ProducedBatch | None]:
        """``(error code, duplicate)`` for a batch of records with a producer id, before it is appended.

        Batches without a sequence are a coordinator's (offset commits in a transaction): only their producer epoch is checked.
        """
        state = self.states.get(header.producer_id)
        if state is None:
            return 0, None  # Kafka takes an unknown producer with any sequence: its state may have expired (KIP-360)
        epoch = header.producer_epoch
        first = header.base_sequence
        if first != NO_SEQUENCE and epoch == state.producer_epoch:
            last = last_sequence(header)
            for batch in state.batches:
                if batch.last_sequence == last and batch.first_sequence == first:
                    return 0, batch
        if epoch < state.producer_epoch:
            return ErrorCode.INVALID_PRODUCER_EPOCH, None
        if first != NO_SEQUENCE and not _follows(state, epoch, first):
            return ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, None
        if state.transaction_start >= 0 and not header.attributes & TRANSACTIONAL_FLAG:
            return ErrorCode.INVALID_TXN_STATE, None
        return 0, None

    def check_marker(self, header: BatchHeader, marker: TransactionMarker, transaction_version: int) -> int:
        """Error code for a transaction marker before it is appended.

        With transactions of version 2 a marker comes with the epoch after the transaction's, so that a late one is told from the present one
        (KIP-890, KIP-1228); the coordinator's retry of a marker that is already there passes.
        """
        state = self.states.get(header.producer_id)
        if state is None:
            return 0
        epoch, known = header.producer_epoch, state.producer_epoch
        if transaction_version >= _TRANSACTIONS_V2:
            retried = epoch == known and (state.transaction_start < 0 or epoch == _EXHAUSTED_EPOCH)
            if epoch <= known and not retried:
                return ErrorCode.INVALID_PRODUCER_EPOCH
        elif epoch < known:
            return ErrorCode.INVALID_PRODUCER_EPOCH
        if marker.coordinator_epoch < state.coordinator_epoch:
            return ErrorCode.TRANSACTION_COORDINATOR_FENCED
        return 0

    def apply_data(self, header: BatchHeader, base_offset: int) -> None:
        """Take in an appended batch of records."""
        state = self._state(header.producer_id, header.producer_epoch)
        last_offset = base_offset + header.last_offset_delta
        batches = state.batches
        if len(batches) == BATCHES_KEPT:
            del batches[0]
        batches.append(ProducedBatch(last_sequence(header), last_offset, header.last_offset_delta, header.max_timestamp))
        state.last_timestamp_ms = header.max_timestamp
        if header.attributes & TRANSACTIONAL_FLAG and state.transaction_start < 0:
            state.transaction_start = base_offset
            self.open[base_offset] = header.producer_id
        self.end_offset = last_offset + 1

    def apply_marker(self, header: BatchHeader, base_offset: int, marker: TransactionMarker) -> AbortedRange | None:
        """Take in an appended marker; returns the transaction if it was open and is aborted now (for the transaction index)."""
        state = self._state(header.producer_id, header.producer_epoch)
        first_offset = state.transaction_start
        state.transaction_start = -1
        state.coordinator_epoch = marker.coordinator_epoch
        state.last_timestamp_ms = header.max_timestamp
        self.end_offset = base_offset + header.last_offset_delta + 1
        if first_offset < 0:
            return None  # a marker without records moves no stable offset and is in no index
        self.open.pop(first_offset, None)
        self.completed.append(CompletedTransaction(header.producer_id, first_offset, base_offset))
        if len(self.completed) > COMPLETED_LIMIT:
            self._merge_completed()
        if marker.committed:
            return None
        return AbortedRange(header.producer_id, first_offset, base_offset, next(iter(self.open), base_offset + 1))

    def apply_emptied_marker(self, header: BatchHeader, base_offset: int) -> None:
        """Take in what compaction left of a marker: the transaction and its outcome are gone, the producer epoch still fences."""
        state = self._state(header.producer_id, header.producer_epoch)
        state.last_timestamp_ms = header.max_timestamp
        self.end_offset = base_offset + header.last_offset_delta + 1

    def _merge_completed(self) -> None:
        half = self.completed[: COMPLETED_LIMIT // 2]
        self.completed[: COMPLETED_LIMIT // 2] = [CompletedTransaction(-1, min(one.first_offset for one in half), half[-1].last_offset)]

    def _state(self, producer_id: int, producer_epoch: int) -> ProducerState:
        state = self.states.get(producer_id)
        if state is None:
            state = self.states[producer_id] = ProducerState(producer_id, producer_epoch)
        elif state.producer_epoch != producer_epoch:
            state.producer_epoch = producer_epoch
            state.batches.clear()
        return state

    def first_unstable_offset(self, high_watermark: int) -> int | None:
        """Where the earliest transaction begins that is open, or whose marker is not below ``high_watermark``; ``None`` without any.

        The high watermark never falls, so transactions that end below it are forgotten.
        """
        completed = self.completed
        while completed and completed[0].last_offset < high_watermark:
            del completed[0]
        first = next(iter(self.open), None)
        for transaction in completed:
            if first is None or transaction.first_offset < first:
                first = transaction.first_offset
        return first

    def expire(self, wall_ms: int, expiration_ms: int) -> int:
        """Forget producers without an open transaction whose last record is ``expiration_ms`` old or older; returns how many."""
        expired = [
            producer_id
            for producer_id, state in self.states.items()
            if state.transaction_start < 0 and wall_ms - state.last_timestamp_ms >= expiration_ms
        ]
        for producer_id in expired:
            del self.states[producer_id]
        return len(expired)


def take_in(producers: Producers, header: BatchHeader, base_offset: int, marker: TransactionMarker | None) -> AbortedRange | None:
    """Let the state follow an appended batch that has a producer id."""
    if marker is not None:
        return producers.apply_marker(header, base_offset, marker)
    if not header.attributes & CONTROL_FLAG:
        producers.apply_data(header, base_offset)
    elif not header.record_count:
        producers.apply_emptied_marker(header, base_offset)
    return None


def replay(producers: Producers, data: bytes, at: int, header: BatchHeader) -> AbortedRange | None:
    """``take_in`` for a stored batch, whose marker is still to be read."""
    if header.producer_id < 0:
        return None
    marker = read_transaction_marker(data, at, header) if header.attributes & CONTROL_FLAG else None
    return take_in(producers, header, header.base_offset, marker)


def _follows(state: ProducerState, epoch: int, first_sequence: int) -> bool:
    """Whether a batch may be the producer's next one."""
    if epoch != state.producer_epoch:
        return first_sequence == 0 or state.producer_epoch == NO_PRODUCER_EPOCH
    last = state.last_sequence
    return first_sequence == last + 1 or (first_sequence == 0 and last == MAX_SEQUENCE)
