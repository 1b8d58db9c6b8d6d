"""What must hold of replicas, besides what ``tail`` and the ledgers say of their batches (R1, R2, R8, R10, R13, P1, P9)."""

from typing import TYPE_CHECKING

from holdwater.broker.partitions import HostedPartition
from holdwater.core.replica import LeaderReplica
from holdwater.sim.node import SimNode
from holdwater.sim.verdicts import SafetyViolation

if TYPE_CHECKING:
    from holdwater.sim.invariants.watch import Seen, Watch


class ReplicaInvariant:
    """Looks at one replica that has changed. Raises ``SafetyViolation``."""

    def check(self, watch: "Watch", node: SimNode, partition: HostedPartition, before: "Seen | None", now: "Seen") -> None:
        """See the class."""
        raise NotImplementedError


class HighWatermarkNeverFalls(ReplicaInvariant):
    """R5: for a replica in one process and one leader epoch, HW_r at any moment <= HW_r at every later one."""

    def check(self, watch: "Watch", node: SimNode, partition: HostedPartition, before: "Seen | None", now: "Seen") -> None:
        """See the class."""
        if before is not None and before.leader_epoch == now.leader_epoch and now.high_watermark < before.high_watermark:
            raise SafetyViolation(
                "R5",
                f"{partition.topic_partition} on {node}: high watermark fell from {before.high_watermark} to {now.high_watermark} "
                f"in leader epoch {now.leader_epoch}",
            )


class HighWatermarkWithinLog(ReplicaInvariant):
    """R6 (first part): start_r <= LEO_r and HW_r <= LEO_r."""

    def check(self, watch: "Watch", node: SimNode, partition: HostedPartition, before: "Seen | None", now: "Seen") -> None:
        """See the class."""
        if now.high_watermark > now.end or now.start > now.end:
            raise SafetyViolation(
                "R6",
                f"{partition.topic_partition} on {node}: log start {now.start}, high watermark {now.high_watermark}, log end {now.end}",
            )


class LogStartNeverFalls(ReplicaInvariant):
    """R14: the log start offset of a replica in one process never decreases, and never passes the committed records."""

    def check(self, watch: "Watch", node: SimNode, partition: HostedPartition, before: "Seen | None", now: "Seen") -> None:
        """See the class."""
        if before is not None and now.start < before.start:
            raise SafetyViolation("R14", f"{partition.topic_partition} on {node}: log start fell from {before.start} to {now.start}")
        if now.start > watch.ledger(partition).end:
            raise SafetyViolation(
                "R14", f"{partition.topic_partition} on {node}: log start {now.start}, committed is up to {watch.ledger(partition).end}"
            )


class OneAppender(ReplicaInvariant):
    """R9: for every (partition, leader epoch) at most one broker ever appends as the leader."""

    def __init__(self) -> None:
        self._appenders: dict[tuple[bytes, int, int], int] = {}

    def check(self, watch: "Watch", node: SimNode, partition: HostedPartition, before: "Seen | None", now: "Seen") -> None:
        """See the class."""
        if before is None or before.replica is not now.replica or now.end <= before.end or not isinstance(now.replica, LeaderReplica):
            return
        key = (partition.topic_id, partition.topic_partition.partition, now.leader_epoch)
        first = self._appenders.setdefault(key, node.node_id)
        if first != node.node_id:
            raise SafetyViolation("R9", f"{partition.topic_partition}: n{first} and {node} appended in leader epoch {now.leader_epoch}")


class LeadsByMetadata(ReplicaInvariant):
    """R9: who leads in e was named the leader of e by committed metadata."""

    def check(self, watch: "Watch", node: SimNode, partition: HostedPartition, before: "Seen | None", now: "Seen") -> None:
        """See the class."""
        if not isinstance(now.replica, LeaderReplica) or (before is not None and before.replica is now.replica):
            return
        assert node.broker is not None
        state = node.broker.image.partition(partition.topic_id, partition.topic_partition.partition)
        if state is None or state.leader != node.node_id or state.leader_epoch != now.leader_epoch:
            raise SafetyViolation(
                "R9", f"{partition.topic_partition}: {node} leads in leader epoch {now.leader_epoch}, its metadata say {state}"
            )


class HighWatermarkOnInSyncReplicas(ReplicaInvariant):
    """R6, R3: when a leader in e moves HW to h, |ISR| >= min(min.insync.replicas, RF), and LEO_r >= h for each r of the ISR in e.

    At level fsync the end is that of what r has synced.

    The ISR is the one that the leader knows to be committed, what it has proposed beside it, and, while it leads in the newest committed
    leader epoch, the ISR of the newest committed metadata: any of their members may be elected.
    """

    def check(self, watch: "Watch", node: SimNode, partition: HostedPartition, before: "Seen | None", now: "Seen") -> None:
        """See the class."""
        leader = now.replica
        if not isinstance(leader, LeaderReplica) or before is None or before.replica is not leader:
            return
        if now.high_watermark <= before.high_watermark:
            return
        is_one_change = now.partition_epoch <= before.partition_epoch + 1  # else it may have moved between two of them
        if leader.under_min_isr and is_one_change:
            raise SafetyViolation("R6", f"{partition.topic_partition} on {node}: high watermark moved with in-sync replicas {leader.isr}")
        index = partition.topic_partition.partition
        state = watch.newest.partition(partition.topic_id, index)
        is_newest = state is not None and state.leader == node.node_id and state.leader_epoch == now.leader_epoch
        committed = state.isr if state is not None and is_newest else ()
        for member in dict.fromkeys((*leader.maximal_isr, *committed)):
            other = watch.replica_on(member, partition.topic_id, index)
            if other is None or watch.is_excused(member) or (member not in committed and other.leader_epoch != now.leader_epoch):
                continue
            end = other.log.synced_end_offset if leader.counts_synced else other.log.log_end_offset
            if end < now.high_watermark:
                raise SafetyViolation(
                    "R6",
                    f"{partition.topic_partition} on {node}: high watermark {now.high_watermark}, "
                    f"in-sync replica n{member} {'is synced up to' if leader.counts_synced else 'ends at'} {end}",
                )


class JoinsWhenCaughtUp(ReplicaInvariant):
    """R6 (last part): when r joins the ISR in e, LEO_r >= HW of the leader, and LEO_r >= where e began (KIP-207)."""

    def check(self, watch: "Watch", node: SimNode, partition: HostedPartition, before: "Seen | None", now: "Seen") -> None:
        """See the class."""
        leader = now.replica
        if not isinstance(leader, LeaderReplica) or before is None or before.replica is not leader or before.isr is now.isr:
            return
        for member in now.isr:
            other = watch.replica_on(member, partition.topic_id, partition.topic_partition.partition)
            if member in before.isr or other is None or other.leader_epoch != now.leader_epoch or watch.is_excused(member):
                continue
            if other.log.log_end_offset < max(now.high_watermark, leader.epoch_start_offset):
                raise SafetyViolation(
                    "R6",
                    f"{partition.topic_partition}: n{member} joined the in-sync replicas of {node} with a log that ends at "
                    f"{other.log.log_end_offset}; high watermark {now.high_watermark}, start of the leader epoch {leader.epoch_start_offset}",
                )


class LeaderHasEverythingCommitted(ReplicaInvariant):
    """R4: who begins to lead in the highest leader epoch that is committed has LEO >= every HW that any replica ever had."""

    def check(self, watch: "Watch", node: SimNode, partition: HostedPartition, before: "Seen | None", now: "Seen") -> None:
        """See the class."""
        if not isinstance(now.replica, LeaderReplica) or (before is not None and before.replica is now.replica):
            return
        state = watch.newest.partition(partition.topic_id, partition.topic_partition.partition)
        if state is None or state.leader != node.node_id or state.leader_epoch != now.leader_epoch:
            return
        committed = watch.ledger(partition).end
        if now.end < committed:
            raise SafetyViolation(
                "R4",
                f"{partition.topic_partition}: {node} leads in leader epoch {now.leader_epoch} with a log that ends at {now.end}, "
                f"committed was everything below {committed}",
            )


REPLICA_INVARIANTS: tuple[type[ReplicaInvariant], ...] = (
    HighWatermarkNeverFalls,
    HighWatermarkWithinLog,
    LogStartNeverFalls,
    OneAppender,
    LeadsByMetadata,
    HighWatermarkOnInSyncReplicas,
    JoinsWhenCaughtUp,
    LeaderHasEverythingCommitted,
)
