"""Anomalies that the final log and the samples show by themselves, without any client."""

from holdwater.prove.history.model import History, PartitionLog
from holdwater.prove.judge.findings import Collector, Finding

_SEQUENCES = 2**31


def sequence_gap(history: History) -> Finding:
    """P1. Batches of one (producer id, producer epoch) in one partition whose sequence numbers are not consecutive.

    A gap means that the broker took a batch without the one before it, or that one was lost from the middle. Repeats are duplicates and
    are counted there. A log whose start was moved (retention) is judged from its first batch on.
    """
    collector = Collector("sequence-gap")
    for partition in sorted(history.log):
        following: dict[tuple[int, int], int] = {}
        for batch in history.log[partition].batches:
            if not batch.idempotent:
                continue
            session = (batch.producer_id, batch.producer_epoch)
            expected = following.get(session)
            if expected is not None and batch.base_sequence != expected and before_on_the_circle(expected, batch.base_sequence):
                collector.add(
                    partition,
                    batch.base_offset,
                    weight=(batch.base_sequence - expected) % _SEQUENCES,
                    producer_id=batch.producer_id,
                    producer_epoch=batch.producer_epoch,
                    expected_sequence=expected,
                    sequence=batch.base_sequence,
                )
            if expected is None or before_on_the_circle(expected - 1, batch.base_sequence):
                following[session] = (batch.base_sequence + batch.last_offset - batch.base_offset + 1) % _SEQUENCES
    return collector.finding()


def before_on_the_circle(one: int, other: int) -> bool:
    """Whether ``other`` comes after ``one`` on the circle of sequence numbers."""
    return 0 < (other - one) % _SEQUENCES < _SEQUENCES // 2


def log_order(history: History) -> Finding:
    """R10, M6. Offsets or leader epochs that do not rise along the final log. ``by`` tells ``offset`` from ``leader epoch``."""
    collector = Collector("log-order")
    for partition in sorted(history.log):
        _log_order_in(history.log[partition], collector)
    return collector.finding()


def _log_order_in(log: PartitionLog, collector: Collector) -> None:
    next_offset, epoch = log.start_offset, -1
    for index, batch in enumerate(log.batches):
        # The first batch may begin below the start: DeleteRecords and retention by size cut inside a batch.
        if (batch.base_offset < next_offset and index > 0) or batch.last_offset < batch.base_offset:
            collector.add(log.partition, batch.base_offset, by="offset", expected_at_least=next_offset)
        if batch.leader_epoch < epoch:
            collector.add(log.partition, batch.base_offset, by="leader epoch", leader_epoch=batch.leader_epoch, before=epoch)
        next_offset = max(next_offset, batch.last_offset + 1)
        epoch = max(epoch, batch.leader_epoch)


def high_watermark_back(history: History) -> Finding:
    """R5. A high watermark that a leader showed falls within one leader epoch."""
    collector = Collector("high-watermark-back")
    highest: dict[tuple[int, int], tuple[int, int]] = {}
    for sample in history.samples:
        for view in sample.partitions:
            if view.high_watermark < 0 or view.leader != sample.broker:
                continue
            before, at_ns = highest.get((view.partition, view.leader_epoch), (-1, 0))
            if view.high_watermark < before:
                collector.add(
                    view.partition,
                    view.high_watermark,
                    weight=before - view.high_watermark,
                    leader=sample.broker,
                    leader_epoch=view.leader_epoch,
                    before=before,
                    before_s=history.seconds(at_ns),
                    seen_s=history.seconds(sample.time_ns),
                )
            else:
                highest[view.partition, view.leader_epoch] = (view.high_watermark, sample.time_ns)
    return collector.finding()
