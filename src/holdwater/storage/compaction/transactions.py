"""Which batches of a log belong to aborted transactions, and which markers stand for nothing any more: found by walking over the log once.

All transactions met are decided, since compaction stays below the last stable offset. A marker must stay as long as any batch of its
transaction is there, an emptied one included: without its marker that would look like an open transaction.
"""

from collections.abc import Sequence

from holdwater.kernel.ports import BatchHeader
from holdwater.storage.txn_index import AbortedRange
from holdwater.wire.records import CONTROL_FLAG, TRANSACTIONAL_FLAG, TransactionMarker, read_transaction_marker


class _Aborted:
    """A transaction under way, as the walk sees it, that its marker will abort."""

    __slots__ = ("entry", "has_batches")

    def __init__(self, entry: AbortedRange) -> None:
        self.entry = entry
        self.has_batches = False


class Transactions:
    """``expect`` what the transaction indexes say of a stretch of the log, then call ``judge`` for each of its batches."""

    def __init__(self) -> None:
        self._expected: list[AbortedRange] = []
        """By first offset, falling."""
        self._aborted: dict[int, _Aborted] = {}
        self._committed: dict[int, None] = {}
        """Producer ids with batches of a transaction that is going to be committed."""
        self.retained: list[AbortedRange] = []
        """Aborted transactions whose marker was met and of which batches were met before it: what a new transaction index has to say."""

    def expect(self, entries: Sequence[AbortedRange]) -> None:
        """Add the aborted transactions that overlap the stretch that comes next; those known already may be among them."""
        merged = {(entry.first_offset, entry.producer_id): entry for entry in [*self._expected, *entries]}
        self._expected = [merged[key] for key in sorted(merged, reverse=True)]

    def judge(self, data: bytes, at: int, header: BatchHeader) -> bool:
        """Whether a batch may go: the records of an aborted transaction, or a marker of which no batch is left."""
        last_offset = header.base_offset + header.last_offset_delta
        while self._expected and self._expected[-1].first_offset <= last_offset:
            entry = self._expected.pop()
            self._aborted.setdefault(entry.producer_id, _Aborted(entry))
        producer_id = header.producer_id
        if header.attributes & CONTROL_FLAG:
            if not header.record_count:
                return True
            marker = read_transaction_marker(data, at, header) if producer_id >= 0 else None
            return marker is not None and self._ends(producer_id, marker)
        if not header.attributes & TRANSACTIONAL_FLAG:
            return False
        aborted = self._aborted.get(producer_id)
        if aborted is None:
            self._committed[producer_id] = None
            return False
        aborted.has_batches = True
        return True

    def _ends(self, producer_id: int, marker: TransactionMarker) -> bool:
        if marker.committed:
            had_batches = producer_id in self._committed
            self._committed.pop(producer_id, None)
            return not had_batches
        aborted = self._aborted.pop(producer_id, None)
        if aborted is None or not aborted.has_batches:
            return True
        self.retained.append(aborted.entry)
        return False
