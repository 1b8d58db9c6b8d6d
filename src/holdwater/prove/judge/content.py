"""Anomalies of content: records that changed, lie in the wrong place, were never sent, or were refused and are there all the same."""

from holdwater.prove.history.model import FOREIGN_ID, PHANTOM_ID, History, State
from holdwater.prove.history.payload import ALTERED, FOREIGN, MISPLACED
from holdwater.prove.judge.findings import Collector, Finding
from holdwater.prove.judge.writes import Occurrences


def altered(history: History) -> Finding:
    """R13. A record whose checksum over header, key and padding is wrong; or a batch of the final log whose CRC-32C is wrong.

    ``by`` tells where it was seen: ``final log``, ``batch`` or ``read``.
    """
    collector = Collector("altered")
    for partition in sorted(history.log):
        log = history.log[partition]
        for index, flags in enumerate(log.flags):
            if flags & ALTERED:
                collector.add(partition, log.offsets[index], by="final log", claims=history.sends.name(log.ids[index]))
        for batch in log.batches:
            if not batch.sound:
                collector.add(partition, batch.base_offset, by="batch", last_offset=batch.last_offset, records=batch.records)
    _flagged_reads(history, ALTERED, collector)
    return collector.finding()


def misplaced(history: History) -> Finding:
    """A sound record of this run in a partition that it was not written for, in the final log or handed to a consumer."""
    collector = Collector("misplaced")
    for partition in sorted(history.log):
        log = history.log[partition]
        for index, flags in enumerate(log.flags):
            if flags & MISPLACED and not flags & ALTERED:
                collector.add(partition, log.offsets[index], by="final log", id=history.sends.name(log.ids[index]))
    _flagged_reads(history, MISPLACED, collector)
    return collector.finding()


def _flagged_reads(history: History, flag: int, collector: Collector) -> None:
    reads = history.reads
    if not any(reads.flags):
        return
    for index, flags in enumerate(reads.flags):
        if flags & flag and not (flag == MISPLACED and flags & ALTERED):
            collector.add(
                reads.partition[index],
                reads.offset[index],
                by="read",
                session=reads.session[index],
                claims=history.sends.name(reads.ids[index]),
                read_s=history.seconds(reads.time_ns[index]),
            )


def phantom(history: History) -> Finding:
    """A record in the final log that nobody of this run sent: by its stamp ours but never sent, or no record of ours at all.

    What lies in sound batches that hold nothing of ours is somebody else's writing (``foreign``), and not counted here.
    """
    collector = Collector("phantom")
    strange = {(partition, base) for partition, base in foreign(history)}
    for partition in sorted(history.log):
        log = history.log[partition]
        for index, identifier in enumerate(log.ids):
            if identifier >= 0 or (partition, log.batches[log.batch_of[index]].base_offset) in strange:
                continue
            if identifier == PHANTOM_ID and not log.flags[index] & ALTERED:
                collector.add(partition, log.offsets[index], by="never sent")
            elif identifier == FOREIGN_ID or log.flags[index] & FOREIGN:
                collector.add(partition, log.offsets[index], by="foreign")
    return collector.finding()


def foreign(history: History) -> list[tuple[int, int]]:
    """Partition and base offset of the batches that are sound and hold no record of this run: somebody else wrote to the topic."""
    found: list[tuple[int, int]] = []
    for partition in sorted(history.log):
        log = history.log[partition]
        if not any(identifier == FOREIGN_ID for identifier in log.ids):
            continue
        with_ours = {number for number, identifier in zip(log.batch_of, log.ids, strict=True) if identifier != FOREIGN_ID}
        with_any = set(log.batch_of)
        found += [
            (partition, batch.base_offset)
            for number, batch in enumerate(log.batches)
            if batch.sound and number in with_any and number not in with_ours
        ]
    return found


def refused_but_written(history: History, occurrences: Occurrences) -> Finding:
    """G1a in Jepsen's words. A write with a definite failure that is in the final log, so somebody may have read it."""
    collector = Collector("refused-but-written")
    sends, seen = history.sends, occurrences.seen
    refused = {identifier for identifier, state in enumerate(sends.state) if state == State.FAIL and seen[identifier]}
    for partition in sorted(history.log) if refused else ():
        log = history.log[partition]
        for offset, identifier in zip(log.offsets, log.ids, strict=True):
            if identifier in refused:
                collector.add(partition, offset, id=sends.name(identifier), error=sends.error[identifier])
    return collector.finding()
