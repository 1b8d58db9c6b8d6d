"""When logs are synced while the broker runs: levels ``interval`` and ``fsync`` of ``kernel.configs.durability``.

Why it is done so stands in docs/decisions/0005-durability.md.

A partition at one of these levels is *noted* when its log grows, and when it takes a role (who begins to lead at level fsync has synced before).
At the end of the wake one sync of each noted log that is due covers all that the wake appended to it (group commit); a log at level ``interval``
that is not due yet gets a timer.

What holds at level ``fsync``, besides the rules of ``core.replica``:

- a fetch leaves only when all that it acknowledges is synced (``before_fetch``), whenever and by which process it was appended;
- nothing that a failed sync covered is acknowledged: the directory is offline then, or the node stops.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from holdwater.broker.partitions import HostedPartition
from holdwater.core.replica import LeaderReplica
from holdwater.kernel.configs.durability import durability_of
from holdwater.kernel.ports import DiskFailure

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker


class LogSyncs:
    """See the module."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self.noted: dict[HostedPartition, None] = {}
        """Partitions to look at when the wake is over."""

    def note(self, partition: HostedPartition) -> None:
        """The log of a partition at level interval or fsync may hold what is not synced."""
        self.noted[partition] = None

    def settle(self) -> None:
        """The wake is over: sync what is due."""
        noted = list(self.noted)
        self.noted.clear()
        for partition in noted:
            if self._broker.stop_requested is not None:
                return  # a disk failed, and nothing more is promised
            self._settle(partition)

    def _settle(self, partition: HostedPartition) -> None:
        durability = partition.durability
        unsynced_count = _unsynced_count(partition)
        if durability is None or unsynced_count == 0:
            return
        if unsynced_count >= durability.messages:
            self.sync(partition)
        elif durability.ms is not None and partition.sync_timer is None:
            due_ms = self._broker.mono_ms + durability.ms
            partition.sync_timer = self._broker.timers.at(due_ms, lambda: self._due(partition))

    def _due(self, partition: HostedPartition) -> None:
        """The oldest unsynced record has waited ``flush.ms``."""
        partition.sync_timer = None
        if _unsynced_count(partition):
            self.sync(partition)

    def sync(self, partition: HostedPartition) -> None:
        """Sync a log and let go what waited for that. When its disk fails, the replica is offline afterwards, or the node about to stop."""
        try:
            partition.log.sync()
        except DiskFailure as failure:
            self._broker.disk_failed(failure)
            return
        _cancel_timer(partition)
        replica = partition.replica
        if isinstance(replica, LeaderReplica) and replica.counts_synced:
            replica.release_synced()
            self._broker.replicas.advance(partition, replica)

    def before_fetch(self, partition: HostedPartition) -> None:
        """A follower is about to acknowledge, by its next fetch, all that its log holds.

        At level ``interval`` the count is looked at here too, so that with ``flush.messages=1`` a follower acknowledges what it has flushed,
        as Apache Kafka's does.
        """
        durability = partition.durability
        if durability is not None and _unsynced_count(partition) >= durability.messages:
            self.sync(partition)

    def configure(self, partition: HostedPartition, texts: Mapping[str, str]) -> None:
        """Take over a topic's effective configuration. A log whose level becomes fsync, or ceases to be, is synced at once.

        What was acknowledged before a change has the durability of the level before it, on each replica until that takes over the change.
        """
        durability = durability_of(texts)
        if durability == partition.durability:
            return
        is_fsync = durability is not None and durability.is_fsync
        if is_fsync != partition.is_fsync and _unsynced_count(partition):
            self.sync(partition)
        partition.durability = durability
        _cancel_timer(partition)
        replica = partition.replica
        if isinstance(replica, LeaderReplica):
            replica.counts_synced = is_fsync
        if durability is not None:
            self.note(partition)


def _unsynced_count(partition: HostedPartition) -> int:
    """Records above the synced end offset; 0 when the partition is offline or gone."""
    log = partition.log
    return log.log_end_offset - log.synced_end_offset if partition.replica is not None else 0


def _cancel_timer(partition: HostedPartition) -> None:
    timer, partition.sync_timer = partition.sync_timer, None
    if timer is not None:
        timer.cancel()
