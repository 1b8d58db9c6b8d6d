"""Anomalies of writes: what was acknowledged against what the final log holds, how often, and in which order."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from holdwater.prove.history.model import NO_RECORD, Batch, History, PartitionLog, State
from holdwater.prove.judge.findings import Collector, Finding

_MAX_SEQUENCE = 2**31 - 1
_OK = int(State.OK)


@dataclass(slots=True)
class Occurrences:
    """How often each id is in the final log, saturating at 255."""

    seen: bytearray

    @staticmethod
    def of(history: History) -> "Occurrences":
        """Count them; the log is read once."""
        seen = bytearray(len(history.sends))
        for log in history.log.values():
            for identifier in log.ids:
                if identifier >= 0 and seen[identifier] < 255:
                    seen[identifier] += 1
        return Occurrences(seen)


def lost_write(history: History, occurrences: Occurrences) -> Finding:
    """R4. A write that was acknowledged (acks 1 or all) and is nowhere in the final log, though the final read reached the noted end.

    Stricter than Jepsen's lost write, which needs a later record to have been read. Partitions whose log was not read to its end add
    nothing here; ``validity`` reports them.
    """
    sends, collector = history.sends, Collector("lost-write")
    seen, state = occurrences.seen, sends.state
    complete = {partition for partition, log in history.log.items() if log.complete}
    # find() walks at C speed; only writes that are missing from the log are looked at one by one.
    missing: dict[int, list[int]] = {}
    identifier = seen.find(0)
    while identifier >= 0:
        if state[identifier] == _OK and sends.partition[identifier] in complete:
            missing.setdefault(sends.partition[identifier], []).append(identifier)
        identifier = seen.find(0, identifier + 1)
    for partition in sorted(missing):
        log = history.log[partition]
        for lost in sorted(missing[partition], key=lambda one: (sends.offset[one], one)):
            offset = sends.offset[lost]
            covering = log.batch_at(offset)
            collector.add(
                partition,
                offset,
                id=sends.name(lost),
                sent_s=history.seconds(sends.invoke_ns[lost]),
                acknowledged_s=history.seconds(sends.done_ns[lost]),
                in_its_place=sends.name(log.id_at(offset)),
                leader_epoch_in_its_place=covering.leader_epoch if covering else None,
            )
    return collector.finding()


def duplicate_by_cluster(history: History, occurrences: Occurrences) -> Finding:
    """P1. One id at two offsets of the final log with equal producer id, producer epoch and sequence: the broker let a retry in twice."""
    collector = Collector("duplicate-by-cluster")
    for duplicate in _duplicates(history, occurrences):
        if duplicate.same_slot():
            _add_duplicate(history, collector, duplicate, "")
    return collector.finding()


def duplicate_by_client(history: History, occurrences: Occurrences) -> Finding:
    """One id at two offsets of the final log that the broker could not know to be equal.

    ``by`` tells ``new sequence`` and ``new producer session`` (an idempotent client sent it again under another sequence, epoch or
    producer id) from ``not idempotent`` (no producer id: every retry may be stored twice, as asked for).
    """
    collector = Collector("duplicate-by-client")
    for duplicate in _duplicates(history, occurrences):
        if not duplicate.same_slot():
            _add_duplicate(history, collector, duplicate, duplicate.how())
    return collector.finding()


@dataclass(slots=True)
class _Duplicate:
    identifier: int
    first_log: PartitionLog
    first_index: int
    log: PartitionLog
    index: int

    def _batches(self) -> tuple[Batch, Batch]:
        return (
            self.first_log.batches[self.first_log.batch_of[self.first_index]],
            self.log.batches[self.log.batch_of[self.index]],
        )

    def slots(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """(producer id, producer epoch, sequence) of both."""
        first, again = self._batches()
        return _slot(first, self.first_log.offsets[self.first_index]), _slot(again, self.log.offsets[self.index])

    def same_slot(self) -> bool:
        first, again = self._batches()
        one, other = self.slots()
        return first.idempotent and again.idempotent and one == other and self.first_log.partition == self.log.partition

    def how(self) -> str:
        first, again = self._batches()
        if not (first.idempotent and again.idempotent):
            return "not idempotent"
        return "new sequence" if _slot(first, 0)[:2] == _slot(again, 0)[:2] else "new producer session"


def _slot(batch: Batch, offset: int) -> tuple[int, int, int]:
    sequence = batch.base_sequence + (offset - batch.base_offset)
    if sequence > _MAX_SEQUENCE:
        sequence -= _MAX_SEQUENCE + 1
    return batch.producer_id, batch.producer_epoch, sequence


def _duplicates(history: History, occurrences: Occurrences) -> Iterator[_Duplicate]:
    """Every occurrence after the first, in order of partition and offset. No second look at the log when nothing occurs twice."""
    seen = occurrences.seen
    if not seen or max(seen) < 2:
        return
    first: dict[int, tuple[PartitionLog, int]] = {}
    for partition in sorted(history.log):
        log = history.log[partition]
        for index, identifier in enumerate(log.ids):
            if identifier < 0 or seen[identifier] < 2:
                continue
            if identifier in first:
                yield _Duplicate(identifier, *first[identifier], log, index)
            else:
                first[identifier] = (log, index)


def _add_duplicate(history: History, collector: Collector, duplicate: _Duplicate, by: str) -> None:
    first_slot, slot = duplicate.slots()
    names = ("producer_id", "producer_epoch", "sequence")
    collector.add(
        duplicate.log.partition,
        duplicate.log.offsets[duplicate.index],
        by=by,
        id=history.sends.name(duplicate.identifier),
        first_partition=duplicate.first_log.partition,
        first_offset=duplicate.first_log.offsets[duplicate.first_index],
        first=dict(zip(names, first_slot, strict=True)),
        again=dict(zip(names, slot, strict=True)),
    )


def reorder(history: History) -> Finding:
    """P10. A record whose first occurrence in its partition comes after one that the same writer sent later to that partition.

    A key belongs to one partition here, so this holds the order per key as well. Second occurrences are duplicates, not disorder.
    """
    collector = Collector("reorder")
    placed = bytearray(len(history.sends))
    for partition in sorted(history.log):
        _reorder_in(history, history.log[partition], placed, collector)
    return collector.finding()


def _reorder_in(history: History, log: PartitionLog, placed: bytearray, collector: Collector) -> None:
    sends = history.sends
    bases = sends.bases
    highest = [-1] * len(bases)
    highest_offset = [-1] * len(bases)
    for index, identifier in enumerate(log.ids):
        if identifier < 0 or placed[identifier]:
            continue
        placed[identifier] = 1
        writer = bisect_right(bases, identifier) - 1
        if identifier > highest[writer]:
            highest[writer] = identifier
            highest_offset[writer] = log.offsets[index]
            continue
        collector.add(
            log.partition,
            log.offsets[index],
            weight=highest[writer] - identifier,
            id=sends.name(identifier),
            after=sends.name(highest[writer]),
            after_offset=highest_offset[writer],
        )


def acks_unlike_the_log(history: History) -> list[int]:
    """Ids of acknowledged writes that were told an offset where the final log holds something else, or nothing."""
    sends = history.sends
    tables = {partition: (log.start_offset, log.table(), log) for partition, log in history.log.items()}
    unlike: list[int] = []
    for identifier, (state, partition, offset) in enumerate(zip(sends.state, sends.partition, sends.offset, strict=True)):
        if state != _OK or offset < 0:
            continue
        if partition in tables:
            start, table, log = tables[partition]
            index = offset - start
            if not isinstance(table, dict) and 0 <= index < len(table) and table[index] == identifier:
                continue
            if log.id_at(offset) == identifier:
                continue
        unlike.append(identifier)
    return unlike


def shared_offset(history: History, unlike: list[int]) -> Finding:
    """P2. Two acknowledged writes that were told the same partition and offset.

    One of the two at most is what the log holds there, so the other is in ``unlike`` (``acks_unlike_the_log``).
    """
    collector = Collector("shared-offset")
    sends = history.sends
    holders = {(sends.partition[one], sends.offset[one]): -1 for one in unlike}
    pairs: list[tuple[int, int, int, int]] = []
    for identifier, (state, partition, offset) in enumerate(
        zip(sends.state, sends.partition, sends.offset, strict=True) if holders else ()
    ):
        holder = holders.get((partition, offset))
        if state != _OK or holder is None:
            continue
        if holder >= 0:
            pairs.append((partition, offset, holder, identifier))
        holders[partition, offset] = identifier
    for partition, offset, other, identifier in sorted(pairs):
        acknowledged_s = history.seconds(sends.done_ns[identifier])
        collector.add(partition, offset, id=sends.name(identifier), other=sends.name(other), acknowledged_s=acknowledged_s)
    return collector.finding()


def ack_elsewhere(history: History, occurrences: Occurrences, unlike: list[int]) -> Finding:
    """An acknowledged write that is in the log, but not at the offset it was told (Jepsen's inconsistent offset, ack against log).

    Lost writes are not counted again here. An acknowledgement of a retry that the broker knew as a duplicate may come without an offset.
    """
    collector = Collector("ack-at-other-offset")
    sends = history.sends
    for identifier in unlike:
        log = history.log.get(sends.partition[identifier])
        if log is None or not occurrences.seen[identifier]:
            continue
        there = log.id_at(sends.offset[identifier])
        named = sends.name(there) if there != NO_RECORD else None
        collector.add(log.partition, sends.offset[identifier], id=sends.name(identifier), there=named)
    return collector.finding()
