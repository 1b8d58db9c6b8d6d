"""A replica's batches between its high watermark and its log end, as the watch knows them.

Each batch is read once per replica and process, when it is appended: it is compared with what any replica ever held at that offset in that
leader epoch (R1), and again with what is committed once the replica's own high watermark passes it (R2), unless it lies below the log start by
then: what nobody can read may differ. (A leader whose log start was raised no longer knows which leader epochs lie below it.)
"""

from collections import deque
from typing import TYPE_CHECKING, Any

from holdwater.broker.partitions import HostedPartition
from holdwater.kernel.ports import BatchHeader
from holdwater.sim.invariants.spans import Spans
from holdwater.sim.ledger import READ_BYTES, CommittedLog, WrittenLog
from holdwater.sim.node import SimNode
from holdwater.sim.verdicts import SafetyViolation
from holdwater.storage.producers import Producers, replay
from holdwater.wire.records import batches

if TYPE_CHECKING:
    from holdwater.sim.invariants.watch import Seen, Watch


class Tail:
    """See the module."""

    __slots__ = ("_batches", "_committed", "_end", "_spans", "_stable", "_written")

    def __init__(self, written: WrittenLog, committed: CommittedLog) -> None:
        self._written = written
        self._committed = committed
        self._batches: deque[tuple[BatchHeader, bytes]] = deque()
        self._end = 0
        self._spans = Spans()
        self._stable = (-1, 0)
        """Leader epoch and last stable offset, as last seen."""

    def follow(self, watch: "Watch", node: SimNode, partition: HostedPartition, before: "Seen | None", now: "Seen") -> None:
        """Take in what the replica has appended, and hand on what it holds to be committed. Raises ``SafetyViolation``."""
        log: Any = now.replica.log
        if before is None or before.cut_count != now.cut_count:
            if before is not None:
                self._judge_cut(watch, node, partition, before, now)
            self._begin(node, log, now)
        elif now.end > self._end:
            self._read(node, log, self._end, now.end)
        self._hand_on(node, now)
        if self._spans.is_used:
            self._judge_stable(node, log, now)

    def _judge_stable(self, node: SimNode, log: Any, now: "Seen") -> None:
        """P6: LSO = first offset of the earliest transaction without a marker below HW, else HW; it never falls in one leader epoch, unless the log
        is cut: what is worked out anew then may know of transactions that a snapshot did not name (``Spans.loaded``).
        """
        found = log.last_stable_offset(now.high_watermark)
        where = f"{self._written.name} on {node}: last stable offset {found}"
        if not self._spans.may_be(found, now.high_watermark, self._committed.end):
            expected = self._spans.last_stable_offset(now.high_watermark)
            raise SafetyViolation("P6", f"{where}, by its batches it is {expected}; high watermark {now.high_watermark}")
        if self._stable[0] == now.leader_epoch and found < self._stable[1]:
            raise SafetyViolation("P6", f"{where}, it was {self._stable[1]} in leader epoch {now.leader_epoch}")
        self._stable = (now.leader_epoch, found)

    def _judge_cut(self, watch: "Watch", node: SimNode, partition: HostedPartition, before: "Seen", now: "Seen") -> None:
        """R8: a log is never cut below its own high watermark. (One that starts over further on ends further on.)"""
        watch.count("log cut")
        watch.tell(str(node), f"{partition.topic_partition} is cut from {before.end} to {now.end}")
        if now.end < before.high_watermark:
            raise SafetyViolation(
                "R8", f"{partition.topic_partition} on {node}: cut to {now.end}, below its own high watermark {before.high_watermark}"
            )

    def _begin(self, node: SimNode, log: Any, now: "Seen") -> None:
        """Read the whole log: after a start, and after a cut. Its producer state must be what its batches add up to (P9)."""
        self._batches.clear()
        self._spans.clear()
        self._stable = (-1, 0)
        self._committed.may_begin_at(now.start)
        self._read(node, log, now.start, now.end)
        self._spans.loaded(now.end)
        if now.start == 0:
            expected = Producers()
            for header, data in self._batches:
                if header.producer_id >= 0:
                    replay(expected, data, 0, header)
            _compare_producers(f"{self._written.name} on {node}", expected, log.producers)

    def _read(self, node: SimNode, log: Any, start: int, end: int) -> None:
        offset = start
        while offset < end:
            found = log.read(offset, READ_BYTES, end, at_least_one=True)
            if not found:
                raise SafetyViolation("R2", f"{node} can't read {self._written.name} at {offset}, its log ends at {end}")
            for position, header, behind in batches(found):
                data = found[position:behind]
                self._written.take(str(node), header, data)
                self._batches.append((header, data))
                self._spans.take(header)
                offset = header.base_offset + header.last_offset_delta + 1
        self._end = end

    def _hand_on(self, node: SimNode, now: "Seen") -> None:
        held = self._batches
        while held and held[0][0].base_offset + held[0][0].last_offset_delta < now.high_watermark:
            header, data = held.popleft()
            behind = header.base_offset + header.last_offset_delta + 1
            if behind <= now.start:
                self._committed.may_begin_at(behind)
            else:
                self._committed.take(str(node), header, data)
        if now.high_watermark > now.end:
            raise SafetyViolation(
                "R2", f"{node}: the high watermark of {self._written.name} is {now.high_watermark}, its log ends at {now.end}"
            )


def _compare_producers(where: str, expected: Producers, found: Producers) -> None:
    """P9: what a snapshot of the producers and the batches behind it add up to is what all batches add up to."""
    for producer_id in sorted({**expected.states, **found.states}):
        wanted, got = expected.states.get(producer_id), found.states.get(producer_id)
        if wanted is None or got is None or (wanted.producer_epoch, wanted.last_sequence) != (got.producer_epoch, got.last_sequence):
            raise SafetyViolation("P9", f"{where}: producer {producer_id} is known as {got}, its batches say {wanted}")
