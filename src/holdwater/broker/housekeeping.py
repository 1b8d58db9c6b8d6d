"""Old records go: retention by age and size, and compaction, on every replica by itself, in slices between other work.

Retention looks at all logs every ``log.retention.check.interval.ms``, some of them in each event. Compaction works on one log at a time, the one
with the largest new part; while no compacted topic is hosted here it sets no timer. A log that cannot be compacted, since it holds what it
should not, is left alone for a while.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING

from holdwater.broker.partitions import HostedPartition
from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.kernel.ports import CorruptRecords, DiskFailure
from holdwater.storage.compaction.cleanable import Cleanable
from holdwater.storage.compaction.cleaning import Cleaning
from holdwater.storage.compaction.key_map import limit_count

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_LOGS_AT_ONCE = 20
"""Logs that retention looks at in one event."""
_PAUSE_MS = 10
"""Between two slices of compaction."""
_SET_ASIDE_MS = 600_000
"""How long a log that could not be compacted is left alone."""


class Housekeeping:
    """See the module."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._to_check: list[HostedPartition] = []
        self._looks = False
        """Whether a timer of compaction is set."""
        self._set_aside: dict[HostedPartition, int] = {}
        """Logs that could not be compacted, and until when they are left alone."""

    def start(self) -> None:
        """Set the first timer."""
        self._broker.timers.at(self._broker.mono_ms + self._broker.config.int("log.initial.task.delay.ms"), self._check_all)

    # Retention

    def _check_all(self) -> None:
        self._to_check = self._broker.replicas.hosted()
        self._check_some()

    def _check_some(self) -> None:
        broker = self._broker
        now, self._to_check = self._to_check[:_LOGS_AT_ONCE], self._to_check[_LOGS_AT_ONCE:]
        for partition in now:
            self._check(partition)
        if self._to_check:
            broker.soon(self._check_some)
        else:
            broker.timers.at(broker.mono_ms + broker.config.int("log.retention.check.interval.ms"), self._check_all)

    def _check(self, partition: HostedPartition) -> None:
        replica = partition.replica
        if replica is None:
            return
        broker = self._broker
        try:
            has_deleted = broker.replicas.logs.delete_old_segments(partition.topic_partition, replica.high_watermark)
        except DiskFailure as failure:
            broker.disk_failed(failure)
            return
        except CorruptRecords as problem:
            broker.note(f"retention of {partition.topic_partition}: {problem}")
            return
        if has_deleted:
            partition.log_start_moved()

    # Compaction

    def compacted_topic_hosted(self) -> None:
        """A log of this broker belongs to a compacted topic: from now on look whether there is something to compact."""
        if not self._looks and self._broker.config.bool("log.cleaner.enable"):
            self._looks = True
            self._look_later()

    def _config(self) -> BrokerConfig:
        broker = self._broker
        return broker.config.overlaid(broker.image.cluster_config(), broker.image.broker_config(broker.node_id))

    def _look_later(self) -> None:
        self._broker.timers.at(self._broker.mono_ms + max(self._config().int("log.cleaner.backoff.ms"), _PAUSE_MS), self._look)

    def _look(self) -> None:
        """Begin with the log that has the largest share of new records, if any has enough of them."""
        broker = self._broker
        self._set_aside = {key: until_ms for key, until_ms in self._set_aside.items() if until_ms > broker.mono_ms and not key.deleted}
        best: tuple[HostedPartition, Cleanable] | None = None
        for partition in broker.replicas.hosted():
            found = None if partition in self._set_aside else self._cleanable(partition)
            if found is not None and found.is_due and (best is None or found.ratio > best[1].ratio):
                best = (partition, found)
        if best is None:
            self._look_later()
            return
        partition, found = best
        config = self._config()
        keys = limit_count(config.int("log.cleaner.dedupe.buffer.size"))
        cleaning = broker.replicas.logs.clean(partition.topic_partition, found, keys)
        if cleaning is None:
            self._look_later()
            return
        self._step(partition, found, cleaning, cleaning.steps(), config.float("log.cleaner.io.max.bytes.per.second"))

    def _cleanable(self, partition: HostedPartition) -> Cleanable | None:
        replica = partition.replica
        if replica is None:
            return None
        try:
            return self._broker.replicas.logs.cleanable(partition.topic_partition, replica.high_watermark)
        except DiskFailure as failure:
            self._broker.disk_failed(failure)
        except CorruptRecords as problem:
            self._leave_alone(partition, problem)
        return None

    def _leave_alone(self, partition: HostedPartition, problem: CorruptRecords) -> None:
        self._set_aside[partition] = self._broker.mono_ms + _SET_ASIDE_MS
        self._broker.note(f"{partition.topic_partition} cannot be compacted: {problem}")

    def _step(
        self,
        partition: HostedPartition,
        found: Cleanable,
        cleaning: Cleaning,
        steps: Generator[int, None, int | None],
        bytes_per_s: float,
    ) -> None:
        broker = self._broker
        if partition.deleted or partition.replica is None:
            cleaning.abandon()
            self._look_later()
            return
        try:
            worked_bytes = next(steps)
        except StopIteration as done:
            self._finish(partition, found, done.value)
        except CorruptRecords as problem:
            self._leave_alone(partition, problem)
            self._look_later()
        except DiskFailure as failure:
            cleaning.abandon()
            broker.disk_failed(failure)
            self._look_later()
        else:
            pause_ms = max(_PAUSE_MS, int(worked_bytes * 1000 / bytes_per_s) if bytes_per_s > 0 else _PAUSE_MS)
            broker.timers.at(broker.mono_ms + pause_ms, lambda: self._step(partition, found, cleaning, steps, bytes_per_s))

    def _finish(self, partition: HostedPartition, found: Cleanable, end_offset: int | None) -> None:
        """A round is over; ``None``: something came between."""
        broker = self._broker
        if end_offset is not None:
            try:
                broker.replicas.logs.checkpoint_cleaner(partition.topic_partition, end_offset)
            except DiskFailure as failure:
                broker.disk_failed(failure)
        if end_offset is None or end_offset <= found.first_dirty_offset:
            self._look_later()
        else:
            broker.soon(self._look)
