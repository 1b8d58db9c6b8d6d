"""What an event has changed, found and handed to the invariants.

After each event of a broker ``Watch`` compares what that broker's replicas, quorum member and image look like with what they looked like
before, and hands what has changed, and only that, to the invariants. On the way it counts what was met and tells the story.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from holdwater.broker.coordinators.hosted import HostedShard
from holdwater.broker.coordinators.kinds import BY_TOPIC, GROUPS
from holdwater.broker.partitions import HostedPartition
from holdwater.core.metadata.image import EMPTY_IMAGE, MetadataImage
from holdwater.core.replica import FollowerReplica, LeaderReplica
from holdwater.kernel.ports import Log
from holdwater.sim.invariants.images import IMAGE_INVARIANTS, ImageInvariant
from holdwater.sim.invariants.quorum import QUORUM_INVARIANTS, QuorumInvariant, QuorumSeen
from holdwater.sim.invariants.replicas import REPLICA_INVARIANTS, ReplicaInvariant
from holdwater.sim.invariants.tail import Tail
from holdwater.sim.invariants.unnoticed import Unnoticed
from holdwater.sim.ledger import CommittedLog, WrittenLog
from holdwater.sim.node import SimNode

Key = tuple[bytes, int]
"""A partition: topic id and number."""


class Seen(NamedTuple):
    """A replica after an event."""

    replica: LeaderReplica | FollowerReplica
    leader_epoch: int
    partition_epoch: int
    high_watermark: int
    end: int
    start: int
    isr: tuple[int, ...]
    """In-sync replicas as a leader knows them, committed; empty on a follower."""
    cut_count: int
    """How often the log was cut in this process."""


class Watch:
    """See the module. ``now_us`` is virtual time; ``excuse`` names replicas that have lost what they had acknowledged."""

    def __init__(self, nodes: dict[int, SimNode], now_us: Callable[[], int]) -> None:
        self.nodes = nodes
        self.now_us = now_us
        self.ledgers: dict[Key, CommittedLog] = {}
        self.written: dict[Key, WrittenLog] = {}
        self.metadata_ledger = CommittedLog("the metadata log")
        self.newest = EMPTY_IMAGE
        """The image with the highest offset that any node has had."""
        self.deleted: dict[bytes, int] = {}
        """Topics that are gone, with the offset of an image that has them no more."""
        self.excused_until_us: dict[int, int] = {}
        self.quorum_seen: dict[int, QuorumSeen] = {}
        """Each member as it was last seen, whether it runs or not."""
        self.counters: dict[str, int] = {}
        """What was met, by name: changes of role, of the ISR, cuts of logs."""
        self.tell: Callable[[str, str], None] = lambda where, what: None
        """Takes (where, what) of each line of the story."""
        self._views: dict[int, View] = {}
        self._of_replicas: Sequence[ReplicaInvariant] = [law() for law in REPLICA_INVARIANTS]
        self._of_quorum: Sequence[QuorumInvariant] = [law() for law in QUORUM_INVARIANTS]
        self._of_images: Sequence[ImageInvariant] = [law() for law in IMAGE_INVARIANTS]

    # --- what is known

    def excuse(self, node_id: int, until_us: int) -> None:
        """The node's disk has lost a tail that it had acknowledged: until then nobody counts on what it holds."""
        self.excused_until_us[node_id] = until_us

    def pardon(self, node_id: int) -> None:
        """The node has everything again."""
        self.excused_until_us.pop(node_id, None)

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

    def committed_end(self, topic_id: bytes, index: int) -> int | None:
        """Where the committed records of a partition end, by the highest high watermark that any replica ever had."""
        found = self.ledgers.get((topic_id, index))
        return found.end if found is not None else None

    def quorum_log(self, node: SimNode) -> Log:
        """A running node's metadata log."""
        return self._views[node.node_id].quorum_log

    def replica_on(self, node_id: int, topic_id: bytes, index: int) -> LeaderReplica | FollowerReplica | None:
        """The replica of a partition on a running node."""
        broker = self.nodes[node_id].broker
        partition = broker.replicas.by_id(topic_id, index) if broker is not None else None
        return partition.replica if partition is not None else None

    def group_coordinator(self, group_id: str) -> HostedShard | None:
        """The coordinator of a group by the newest committed metadata, when it has loaded the group and runs."""
        for node in self.nodes.values():
            found = node.broker.coordinators.find(GROUPS, group_id) if node.broker is not None else None
            if isinstance(found, HostedShard):
                partition = self.newest.partition(found.partition.topic_id, found.index)
                if partition is not None and (partition.leader, partition.leader_epoch) == (node.node_id, found.leader_epoch):
                    return found
        return None

    def count(self, name: str) -> None:
        """Something was met."""
        self.counters[name] = self.counters.get(name, 0) + 1

    # --- after each event

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
            log: Any = replica.log
            before = seen.get(partition)
            isr = replica.isr if isinstance(replica, LeaderReplica) else ()
            if (
                before is not None
                and before.replica is replica
                and before.high_watermark == replica.high_watermark
                and before.end == log.log_end_offset
                and before.start == log.log_start_offset
                and before.isr is isr
                and before.cut_count == log.cut_count
            ):
                continue
            now = Seen(
                replica,
                replica.leader_epoch,
                replica.partition_epoch,
                replica.high_watermark,
                log.log_end_offset,
                log.log_start_offset,
                isr,
                log.cut_count,
            )
            seen[partition] = now
            self._look_at_replica(node, view, partition, before, now)

    def _look_at_replica(self, node: SimNode, view: "View", partition: HostedPartition, before: Seen | None, now: Seen) -> None:
        if before is None or before.replica is not now.replica:
            was = "none" if before is None else "leader" if before.replica.is_leader else "follower"
            self.count(f"role {was} -> {'leader' if now.replica.is_leader else 'follower'}")
            kind = BY_TOPIC.get(partition.topic_partition.topic)
            if kind is not None and now.replica.is_leader:
                self.count(f"coordinator of {kind.name}s begins")
        key = (partition.topic_id, partition.topic_partition.partition)
        written = self.written.get(key)
        if written is None:
            written = self.written[key] = WrittenLog(str(partition.topic_partition))
        tail = view.tails.get(partition)
        if tail is None:
            tail = view.tails[partition] = Tail(written, self.ledger(partition))
        with Unnoticed(node):
            tail.follow(self, node, partition, before, now)
            for law in self._of_replicas:
                law.check(self, node, partition, before, now)

    def _look_at_image(self, node: SimNode, view: "View", image: MetadataImage) -> None:
        before, view.image = view.image, image
        if image.last_offset > self.newest.last_offset:
            self._tell_changes(self.newest, image)
            self.newest = image
        for law in self._of_images:
            law.check(self, node, before, image)

    def _look_at_quorum(self, node: SimNode, view: "View") -> None:
        quorum = view.quorum
        synced_end = view.quorum_log.synced_end_offset
        role, voters, high_watermark = quorum.role, quorum.voters, quorum.high_watermark
        known = view.quorum_known
        if known is not None and known[0] is role and known[1] is voters and known[2] == high_watermark and known[3] == synced_end:
            return  # nearly always, and cheap
        view.quorum_known = (role, voters, high_watermark, synced_end)
        before = self.quorum_seen.get(node.node_id) if view.quorum_looked_at else None
        now = QuorumSeen(quorum.role_name, quorum.epoch, quorum.voted, quorum.is_leader, quorum.high_watermark, synced_end, quorum.is_voter)
        if before == now:
            return
        view.quorum_looked_at = True
        self.quorum_seen[node.node_id] = now
        if before is None or (before.role, before.epoch) != (now.role, now.epoch):
            self.count(f"quorum {'none' if before is None else before.role} -> {now.role}")
            if now.is_leader:
                self.tell(str(node), f"leads the metadata quorum in quorum epoch {now.epoch}")
        with Unnoticed(node):
            for law in self._of_quorum:
                law.check(self, node, before, now)

    def at_end(self, node: SimNode) -> None:
        """A process ends, perhaps within an event: what it has synced in that one it may have told others."""
        view, seen = self._views.get(node.node_id), self.quorum_seen.get(node.node_id)
        if view is not None and view.incarnation == node.incarnation and seen is not None:
            self.quorum_seen[node.node_id] = seen._replace(synced_end=view.quorum_log.synced_end_offset)

    # --- the story

    def _tell_changes(self, before: MetadataImage, now: MetadataImage) -> None:
        if before.brokers is not now.brokers:
            for broker_id, broker in now.brokers.items():
                old = before.brokers.get(broker_id)
                if old is None or (old.fenced, old.broker_epoch) != (broker.fenced, broker.broker_epoch):
                    self.count("broker fenced" if broker.fenced else "broker unfenced")
                    state = "fenced" if broker.fenced else "unfenced"
                    self.tell("metadata", f"n{broker_id} is {state}, broker epoch {broker.broker_epoch}")
        if before.topics is now.topics:
            return
        for topic_id, topic in before.topics.items():
            if topic_id not in now.topics:
                self.deleted[topic_id] = now.last_offset
                self.tell("metadata", f"topic {topic.name} is deleted")
        for topic_id, topic in now.topics.items():
            if before.topics.get(topic_id) is not topic:
                for index, state in topic.partitions.items():
                    old = before.partition(topic_id, index)
                    if old != state:
                        self._tell_partition(f"{topic.name}-{index}", old, state)

    def _tell_partition(self, name: str, old: Any, now: Any) -> None:
        if old is None:
            self.tell("metadata", f"{name} is made: leader n{now.leader}, in-sync replicas {now.isr}")
            return
        if now.leader_epoch != old.leader_epoch:
            self.count("election none left" if now.leader < 0 else "election")
            if now.leader in old.elr:
                self.count("election from the eligible leader replicas")
            elif now.leader >= 0 and now.leader not in old.isr:
                self.count("election of the last known leader")
        if len(now.isr) < len(old.isr):
            self.count("isr shrunk")
        elif len(now.isr) > len(old.isr):
            self.count("isr grown")
        leader = f"leader n{now.leader}" if now.leader >= 0 else "no leader"
        self.tell("metadata", f"{name}: {leader} in leader epoch {now.leader_epoch}, in-sync replicas {now.isr}, eligible {now.elr}")


class View:
    """What was last seen of one process."""

    __slots__ = ("image", "incarnation", "quorum", "quorum_known", "quorum_log", "quorum_looked_at", "seen", "tails")

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
        self.quorum_known: tuple[object, ...] | None = None
        self.seen: dict[HostedPartition, Seen] = {}
        self.tails: dict[HostedPartition, Tail] = {}
