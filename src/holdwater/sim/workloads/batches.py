"""Records that travel together, and the queue of them that a producer keeps for each partition."""

from collections import deque

from holdwater.sim.workloads.history import Sent


class Batch:
    """``sequence`` is -1 until an idempotent producer first sends it; ``number`` counts the batches of a partition."""

    __slots__ = (
        "attempts",
        "deadline_us",
        "frame",
        "index",
        "leader_epoch",
        "maybe_written",
        "must_fit_epoch",
        "number",
        "records",
        "sequence",
        "settled",
        "under_way",
    )

    def __init__(self, index: int, number: int, deadline_us: int) -> None:
        self.index = index
        self.number = number
        self.records: list[Sent] = []
        self.sequence = -1
        self.attempts = 0
        self.under_way = False
        self.settled = False
        """Whether it has an outcome, be it that nobody knows."""
        self.maybe_written = False
        """Whether some attempt was not answered, or not with an error that says for sure that nothing was written."""
        self.must_fit_epoch = -1
        """Leader epoch of the true leader that it was last sent to after everything before it was acknowledged: that leader has it all, and
        must take this. -1 when it was sent too early, or to one that only believes that it leads."""
        self.leader_epoch = -1
        """Leader epoch of the true leader that it was last sent to, -1 when that one may not have led, or not have known it."""
        self.deadline_us = deadline_us
        self.frame = b""

    def start_over(self) -> None:
        """It was certainly not written: nothing tells it from one that was never sent."""
        self.sequence = -1
        self.attempts = 0
        self.frame = b""


class Lane:
    """One partition's unanswered batches, oldest first."""

    __slots__ = ("batch_count", "batches", "highest_end", "is_known", "lost_any", "next_sequence", "retry_us", "settled_end")

    def __init__(self) -> None:
        self.batches: deque[Batch] = deque()
        self.batch_count = 0
        self.next_sequence = 0
        self.retry_us = 0
        self.is_known = False
        """Whether a batch of the present producer id was acknowledged, so that every leader knows the id."""
        self.highest_end = 0
        self.lost_any = False
        self.settled_end = 0
        """Everything of this producer below this offset is acknowledged, and nothing of it that is unanswered can come to lie there."""

    def add(self, sent: Sent, batch_max: int, deadline_us: int) -> None:
        """A record joins the last batch, unless that one is full or was sent before."""
        last = self.batches[-1] if self.batches else None
        if last is None or last.attempts or len(last.records) >= batch_max:
            self.batch_count += 1
            last = Batch(sent.index, self.batch_count, deadline_us)
            self.batches.append(last)
        last.records.append(sent)

    def next_in_order(self, now_us: int, in_flight_max: int) -> Batch | None:
        """The next batch that an idempotent producer may send.

        A retried one only when nothing older is unanswered, a new one behind no retried one that waits. None is sent that is five or more
        after the oldest unanswered one, though some between may be acknowledged: a leader recognises the last five batches, no more. And
        the second one waits for the first: a leader takes any sequence of a producer that it does not know (KIP-360).
        """
        if now_us < self.retry_us:
            return None
        window = in_flight_max if self.is_known else 1
        for place, batch in enumerate(self.batches):
            if not batch.under_way:
                waits = (batch.attempts and place > 0) or batch.number >= self.batches[0].number + window
                return None if waits else batch
        return None

    def next_of_any(self, now_us: int, in_flight_max: int) -> Batch | None:
        """The next batch that a plain producer may send: the oldest that is not under way, while fewer than so many are."""
        if now_us < self.retry_us or sum(batch.under_way for batch in self.batches) >= in_flight_max:
            return None
        return next((batch for batch in self.batches if not batch.under_way), None)

    def acknowledged(self, batch: Batch, end: int) -> None:
        """A batch lies below ``end`` (-1: the answer did not say)."""
        is_first = self.batches[0] is batch
        self.batches.remove(batch)
        self.is_known = True
        self.highest_end = max(self.highest_end, end)
        if not self.lost_any and (is_first or not self.batches):
            self.settled_end = max(self.settled_end, end if self.batches else self.highest_end)

    def dropped(self, batch: Batch) -> None:
        """A batch will never be acknowledged; if it is written, it may lie anywhere behind what was acknowledged before it."""
        self.batches.remove(batch)
        self.lost_any |= batch.maybe_written
