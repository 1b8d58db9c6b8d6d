"""A replica's batches between its high watermark and its log end, as the watch knows them.

Each batch is read once per replica and process, when it is appended: it is compared with what any replica ever held at that offset in that
leader epoch (R1), and again with what is committed once the replica's own high watermark passes it (R2).
"""

from collections import deque
from typing import TYPE_CHECKING, Any

from holdwater.broker.partitions import HostedPartition
from holdwater.kernel.ports import BatchHeader
from holdwater.sim.ledger import READ_BYTES, CommittedLog, WrittenLog
from holdwater.sim.node import SimNode
from holdwater.sim.verdicts import SafetyViolation
from holdwater.storage.producers import Producers, replay
from holdwater.wire.records import batches

if TYPE_CHECKING:
    from holdwater.sim.invariants.watch import Seen, Watch


class Tail:
    """See the module."""

    __slots__ = ("_batches", "_committed", "_end", "_written")

    def __init__(self, written: WrittenLog, committed: CommittedLog) -> None:
        self._written = written
        self._committed = committed
        self._batches: deque[tuple[BatchHeader, bytes]] = deque()
        self._end = 0

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
        self._committed.may_begin_at(now.start)
        self._read(node, log, now.start, now.end)
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
                offset = header.base_offset + header.last_offset_delta + 1
        self._end = end

    def _hand_on(self, node: SimNode, now: "Seen") -> None:
        held = self._batches
        while held and held[0][0].base_offset + held[0][0].last_offset_delta < now.high_watermark:
            header, data = held.popleft()
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
