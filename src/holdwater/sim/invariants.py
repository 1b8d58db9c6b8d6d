"""What must hold over all nodes at once, each as a small class with its code from INVARIANTS.md.

After each event of a broker ``Watch`` compares what that broker's replicas, quorum member and image look like with what they looked like
before, and hands what has changed, and only that, to the invariants. They look at logs without being noticed: no operation of theirs is
counted or fails.

Notation: ``r`` a replica, ``e`` a leader epoch, ``LEO`` log end offset, ``HW`` high watermark.
"""

from collections.abc import Callable
from typing import NamedTuple

from holdwater.broker.partitions import HostedPartition
from holdwater.core.metadata.image import EMPTY_IMAGE, MetadataImage
from holdwater.core.replica import FollowerReplica, LeaderReplica
from holdwater.kernel.ports import Log
from holdwater.sim.ledger import CommittedLog
from holdwater.sim.node import SimNode
from holdwater.sim.verdicts import SafetyViolation

Key = tuple[bytes, int]
_IMAGES_KEPT = 256


class Seen(NamedTuple):
    """A replica after an event."""

    replica: LeaderReplica | FollowerReplica
    leader_epoch: int
    high_watermark: int
    end: int
    start: int
    isr: tuple[int, ...]
    """In-sync replicas as a leader knows them, committed; empty on a follower."""


class QuorumSeen(NamedTuple):
    """A quorum member after an event."""

    epoch: int
    is_leader: bool
    high_watermark: int
    synced_end: int


class Watch:
    """See the module. ``now_us`` is virtual time; ``excuse`` names replicas that have lost what they had acknowledged."""

    def __init__(self, nodes: dict[int, SimNode], now_us: Callable[[], int]) -> None:
        self.nodes = nodes
        self.now_us = now_us
        self.ledgers: dict[Key, CommittedLog] = {}
        self.metadata_ledger = CommittedLog("the metadata log")
        self.newest = EMPTY_IMAGE
        """The image with the highest offset that any node has had."""
        self.excused_until_us: dict[int, int] = {}
        self.quorum_seen: dict[int, QuorumSeen] = {}
        """Each member as it was last seen, whether it runs or not."""
        self._views: dict[int, View] = {}
        self._of_replicas: tuple[ReplicaInvariant, ...] = (
            HighWatermarkNeverFalls(),
            HighWatermarkWithinLog(),
            LogStartNeverFalls(),
            OneAppender(),
            HighWatermarkOnInSyncReplicas(),
            JoinsWhenCaughtUp(),
            CommittedAgreement(),
            LeaderHasEverythingCommitted(),
        )
        self._of_quorum: tuple[QuorumInvariant, ...] = (OneQuorumLeader(), CommittedOnSyncedMajority(), MetadataAgreement())
        self._of_images: tuple[ImageInvariant, ...] = (ImageIsFold(), PartitionRegistrations())

    def excuse(self, node_id: int, until_us: int) -> None:
        """The node's disk has lost a tail that it had acknowledged: until then nobody counts on what it holds."""
        self.excused_until_us[node_id] = until_us

    def is_excused(self, node_id: int) -> bool:
        """Whether nobody may count on what the node holds."""
        return self.excused_until_us.get(node_id, -1) >= self.now_us()

    def ledger(self, partition: HostedPartition) -> CommittedLog:
        """What is committed of a partition."""
        key = (partition.topic_id, partition.topic_partition.partition)
        found = self.ledgers.get(key)
        if found is None:
            found = self.ledgers[key] = CommittedLog(str(partition.topic_partition))
        return found

    def after_event(self, node: SimNode) -> None:
        """Look at what an event has changed on a node. Raises ``SafetyViolation``."""
        broker = node.broker
        if broker is None:
            return
        view = self._views.get(node.node_id)
        if view is None or view.incarnation != node.incarnation:
            view = self._views[node.node_id] = View(node)
        if broker.image is not view.image:
            self._look_at_image(node, view, broker.image)
        self._look_at_quorum(node, view)
        seen = view.seen
        for partition in broker.replicas.hosted():
            replica = partition.replica
            if replica is None:
                continue
            log = replica.log
            before = seen.get(partition)
            isr = replica.isr if isinstance(replica, LeaderReplica) else ()
            if (
                before is not None
                and before.replica is replica
                and before.high_watermark == replica.high_watermark
                and before.end == log.log_end_offset
                and before.start == log.log_start_offset
                and before.isr is isr
            ):
                continue
            now = Seen(replica, replica.leader_epoch, replica.high_watermark, log.log_end_offset, log.log_start_offset, isr)
            seen[partition] = now
            with Unnoticed(node):
                for law in self._of_replicas:
                    law.check(self, node, partition, before, now)

    def _look_at_image(self, node: SimNode, view: "View", image: MetadataImage) -> None:
        before, view.image = view.image, image
        if image.last_offset > self.newest.last_offset:
            self.newest = image
        for law in self._of_images:
            law.check(self, node, before, image)

    def _look_at_quorum(self, node: SimNode, view: "View") -> None:
        quorum = view.quorum
        before = self.quorum_seen.get(node.node_id) if view.quorum_looked_at else None
        synced_end = view.quorum_log.synced_end_offset
        if (
            before is not None
            and before.high_watermark == quorum.high_watermark
            and before.synced_end == synced_end
            and before.epoch == quorum.epoch
            and before.is_leader == quorum.is_leader
        ):
            return
        view.quorum_looked_at = True
        now = QuorumSeen(quorum.epoch, quorum.is_leader, quorum.high_watermark, synced_end)
        self.quorum_seen[node.node_id] = now
        with Unnoticed(node):
            for law in self._of_quorum:
                law.check(self, node, before, now)

    def quorum_log(self, node: SimNode) -> Log:
        """A running node's metadata log."""
        return self._views[node.node_id].quorum_log

    def replica_on(self, node_id: int, topic_id: bytes, index: int) -> LeaderReplica | FollowerReplica | None:
        """The replica of a partition on a running node."""
        broker = self.nodes[node_id].broker
        partition = broker.replicas.by_id(topic_id, index) if broker is not None else None
        return partition.replica if partition is not None else None


class View:
    """What was last seen of one process."""

    __slots__ = ("image", "incarnation", "quorum", "quorum_log", "quorum_looked_at", "seen")

    def __init__(self, node: SimNode) -> None:
        assert node.broker is not None
        assert node.opened is not None
        log = node.opened.directories.metadata_log
        assert log is not None
        self.incarnation = node.incarnation
        self.image: MetadataImage = EMPTY_IMAGE
        self.quorum = node.broker.metadata.quorum
        self.quorum_log: Log = log
        self.quorum_looked_at = False
        self.seen: dict[HostedPartition, Seen] = {}


class Unnoticed:
    """While it is entered, reads of a node's disk neither count nor fail."""

    __slots__ = ("_count", "_disk", "_hook")

    def __init__(self, node: SimNode) -> None:
        self._disk = node.disk

    def __enter__(self) -> None:
        self._hook = self._disk.on_operation
        self._count = self._disk.operation_count
        self._disk.on_operation = None

    def __exit__(self, *_: object) -> None:
        self._disk.on_operation = self._hook
        self._disk.operation_count = self._count


# --- of replicas


class ReplicaInvariant:
    """Looks at one replica that has changed. Raises ``SafetyViolation``."""

    def check(self, watch: Watch, node: SimNode, partition: HostedPartition, before: Seen | None, now: Seen) -> None:
        """See the class."""
        raise NotImplementedError


class HighWatermarkNeverFalls(ReplicaInvariant):
    """R5: for a replica in one process and one leader epoch, HW_r at any moment <= HW_r at every later one."""

    def check(self, watch: Watch, node: SimNode, partition: HostedPartition, before: Seen | None, now: Seen) -> None:
        """See the class."""
        if before is not None and before.leader_epoch == now.leader_epoch and now.high_watermark < before.high_watermark:
            raise SafetyViolation(
                "R5",
                f"{partition.topic_partition} on {node}: high watermark fell from {before.high_watermark} to {now.high_watermark} "
                f"in leader epoch {now.leader_epoch}",
            )


class HighWatermarkWithinLog(ReplicaInvariant):
    """R6 (first part): start_r <= LEO_r and HW_r <= LEO_r."""

    def check(self, watch: Watch, node: SimNode, partition: HostedPartition, before: Seen | None, now: Seen) -> None:
        """See the class."""
        if now.high_watermark > now.end or now.start > now.end:
            raise SafetyViolation(
                "R6",
                f"{partition.topic_partition} on {node}: log start {now.start}, high watermark {now.high_watermark}, log end {now.end}",
            )


class LogStartNeverFalls(ReplicaInvariant):
    """R14: the log start offset of a replica in one process never decreases."""

    def check(self, watch: Watch, node: SimNode, partition: HostedPartition, before: Seen | None, now: Seen) -> None:
        """See the class."""
        if before is not None and now.start < before.start:
            raise SafetyViolation("R14", f"{partition.topic_partition} on {node}: log start fell from {before.start} to {now.start}")


class OneAppender(ReplicaInvariant):
    """R9: for every (partition, leader epoch) at most one broker ever appends as the leader."""

    def __init__(self) -> None:
        self._appenders: dict[tuple[bytes, int, int], int] = {}

    def check(self, watch: Watch, node: SimNode, partition: HostedPartition, before: Seen | None, now: Seen) -> None:
        """See the class."""
        if before is None or before.replica is not now.replica or now.end <= before.end or not isinstance(now.replica, LeaderReplica):
            return
        key = (partition.topic_id, partition.topic_partition.partition, now.leader_epoch)
        first = self._appenders.setdefault(key, node.node_id)
        if first != node.node_id:
            raise SafetyViolation("R9", f"{partition.topic_partition}: n{first} and {node} appended in leader epoch {now.leader_epoch}")


class HighWatermarkOnInSyncReplicas(ReplicaInvariant):
    """R6, R3: when a leader in e moves HW to h, |ISR| >= min(min.insync.replicas, RF), and LEO_r >= h for each r of the ISR in e."""

    def check(self, watch: Watch, node: SimNode, partition: HostedPartition, before: Seen | None, now: Seen) -> None:
        """See the class."""
        leader = now.replica
        if not isinstance(leader, LeaderReplica) or before is None or before.replica is not leader:
            return
        if now.high_watermark <= before.high_watermark:
            return
        if leader.under_min_isr:
            raise SafetyViolation("R6", f"{partition.topic_partition} on {node}: high watermark moved with in-sync replicas {leader.isr}")
        for member in leader.isr:
            other = watch.replica_on(member, partition.topic_id, partition.topic_partition.partition)
            if other is None or other.leader_epoch != now.leader_epoch or watch.is_excused(member):
                continue
            if other.log.log_end_offset < now.high_watermark:
                raise SafetyViolation(
                    "R6",
                    f"{partition.topic_partition} on {node}: high watermark {now.high_watermark}, "
                    f"in-sync replica n{member} ends at {other.log.log_end_offset}",
                )


class JoinsWhenCaughtUp(ReplicaInvariant):
    """R6 (last part): when r joins the ISR in e, LEO_r >= HW of the leader, and LEO_r >= where e began (KIP-207)."""

    def check(self, watch: Watch, node: SimNode, partition: HostedPartition, before: Seen | None, now: Seen) -> None:
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


class CommittedAgreement(ReplicaInvariant):
    """R2 (with R10 and P1): for all replicas r, s and o < min(HW_r, HW_s): log_r[o] = log_s[o], now and for ever."""

    def check(self, watch: Watch, node: SimNode, partition: HostedPartition, before: Seen | None, now: Seen) -> None:
        """See the class."""
        start = before.high_watermark if before is not None else 0
        if now.high_watermark > start:
            watch.ledger(partition).take_in(str(node), now.replica.log, start, now.high_watermark)


class LeaderHasEverythingCommitted(ReplicaInvariant):
    """R4: who begins to lead in the highest leader epoch that is committed has LEO >= every HW that any replica ever had."""

    def check(self, watch: Watch, node: SimNode, partition: HostedPartition, before: Seen | None, now: Seen) -> None:
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


# --- of the metadata quorum


class QuorumInvariant:
    """Looks at one quorum member that has changed. Raises ``SafetyViolation``."""

    def check(self, watch: Watch, node: SimNode, before: QuorumSeen | None, now: QuorumSeen) -> None:
        """See the class."""
        raise NotImplementedError


class OneQuorumLeader(QuorumInvariant):
    """M1: for every quorum epoch at most one member ever leads."""

    def __init__(self) -> None:
        self._leaders: dict[int, int] = {}

    def check(self, watch: Watch, node: SimNode, before: QuorumSeen | None, now: QuorumSeen) -> None:
        """See the class."""
        if now.is_leader:
            first = self._leaders.setdefault(now.epoch, node.node_id)
            if first != node.node_id:
                raise SafetyViolation("M1", f"n{first} and {node} lead the metadata quorum in epoch {now.epoch}")


class CommittedOnSyncedMajority(QuorumInvariant):
    """M4: when the quorum leader moves HW to h, a majority of the voters has synced everything below h."""

    def check(self, watch: Watch, node: SimNode, before: QuorumSeen | None, now: QuorumSeen) -> None:
        """See the class."""
        if not now.is_leader or before is None or not before.is_leader or now.high_watermark <= before.high_watermark:
            return
        holders = [seen for seen in watch.quorum_seen.values() if seen.synced_end >= now.high_watermark]
        if 2 * len(holders) <= len(watch.nodes):
            raise SafetyViolation("M4", f"{node}: metadata high watermark {now.high_watermark} synced on {len(holders)} voters")


class MetadataAgreement(QuorumInvariant):
    """M3: R2 for the metadata log; and HW never falls in one process."""

    def check(self, watch: Watch, node: SimNode, before: QuorumSeen | None, now: QuorumSeen) -> None:
        """See the class."""
        start = before.high_watermark if before is not None else 0
        if now.high_watermark < start:
            raise SafetyViolation("M3", f"{node}: metadata high watermark fell from {start} to {now.high_watermark}")
        if now.high_watermark > start:
            watch.metadata_ledger.take_in(str(node), watch.quorum_log(node), start, now.high_watermark)


# --- of metadata images


class ImageInvariant:
    """Looks at a new image of one node. Raises ``SafetyViolation``."""

    def check(self, watch: Watch, node: SimNode, before: MetadataImage, now: MetadataImage) -> None:
        """See the class."""
        raise NotImplementedError


class ImageIsFold(ImageInvariant):
    """M5, M8: images at the same offset are equal, whoever made them, from the log or from a snapshot."""

    def __init__(self) -> None:
        self._known: dict[int, MetadataImage] = {}

    def check(self, watch: Watch, node: SimNode, before: MetadataImage, now: MetadataImage) -> None:
        """See the class."""
        known = self._known.setdefault(now.last_offset, now)
        if known is now:
            if len(self._known) > _IMAGES_KEPT:
                del self._known[next(iter(self._known))]
        elif known.content() != now.content():
            raise SafetyViolation("M5", f"{node} has another image at metadata offset {now.last_offset} than another node had")


class PartitionRegistrations(ImageInvariant):
    """M6: the leader is in the ISR or there is none, ISR and ELR are disjoint parts of the replicas, leader and partition epochs never fall."""

    def check(self, watch: Watch, node: SimNode, before: MetadataImage, now: MetadataImage) -> None:
        """See the class."""
        if before.topics is now.topics:
            return
        for topic_id, topic in now.topics.items():
            if before.topics.get(topic_id) is topic:
                continue
            for index, state in topic.partitions.items():
                old = before.partition(topic_id, index)
                if state == old:
                    continue
                members = (*state.isr, *state.elr)
                if (
                    (state.has_leader and state.leader not in state.isr)
                    or any(member not in state.replicas for member in members)
                    or len(members) != len(dict.fromkeys(members))
                    or (old is not None and (state.leader_epoch < old.leader_epoch or state.partition_epoch <= old.partition_epoch))
                ):
                    raise SafetyViolation("M6", f"{topic.name}-{index} on {node}: {state} after {old}")
