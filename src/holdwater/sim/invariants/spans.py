"""Where transactions begin and end in one log, by its batches alone, without what the broker makes of them."""

from collections import deque

from holdwater.kernel.ports import BatchHeader
from holdwater.wire.records import CONTROL_FLAG, TRANSACTIONAL_FLAG


class Spans:
    """The transactions of one replica's log.

    The last stable offset at a high watermark HW is the first offset of the earliest transaction that has no marker below HW, else HW.
    """

    __slots__ = ("_ended", "_loaded_end", "_open", "is_used")

    def __init__(self) -> None:
        self.is_used = False
        """Whether there was any transaction yet."""
        self._open: dict[int, int] = {}
        self._ended: deque[tuple[int, int]] = deque()
        self._loaded_end = 0

    def clear(self) -> None:
        """The log is read anew."""
        self.is_used = False
        self._open.clear()
        self._ended.clear()

    def loaded(self, end: int) -> None:
        """The log was read up to ``end``. Transactions that ended below it may be missing in the snapshot of producers that the broker began with: it
        was written when the high watermark was higher than the one that the broker has now. Apache Kafka's snapshots name none that ended.
        """
        self._loaded_end = end

    def take(self, header: BatchHeader) -> None:
        """The next batch of the log."""
        if header.producer_id < 0 or not header.attributes & TRANSACTIONAL_FLAG:
            return
        self.is_used = True
        if header.attributes & CONTROL_FLAG:
            first_offset = self._open.pop(header.producer_id, None)
            if first_offset is not None:
                self._ended.append((first_offset, header.base_offset))
        else:
            self._open.setdefault(header.producer_id, header.base_offset)

    def last_stable_offset(self, high_watermark: int) -> int:
        """See the class. The high watermark never falls while the log is not cut."""
        while self._ended and self._ended[0][1] < high_watermark:
            self._ended.popleft()
        return min([high_watermark, *self._open.values(), *(first for first, _ in self._ended)])

    def may_be(self, last_stable_offset: int, high_watermark: int, committed_end: int) -> bool:
        """Whether that is the last stable offset, as far as a broker can know that has loaded the log.

        ``committed_end``: the highest high watermark that any replica ever had; what ended above it no snapshot may miss.
        """
        if last_stable_offset == self.last_stable_offset(high_watermark):
            return True
        known = min([high_watermark, *self._open.values()])
        for first, marker in reversed(self._ended):  # a snapshot misses those that ended first
            if marker < min(self._loaded_end, committed_end) and last_stable_offset == known:
                return True
            known = min(known, first)
        return False
