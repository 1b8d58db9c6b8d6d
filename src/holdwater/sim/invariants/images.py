"""What must hold of metadata images, and of the changes that they show."""

from typing import TYPE_CHECKING

from holdwater.core.metadata.image import MetadataImage
from holdwater.core.metadata.partition import PartitionState
from holdwater.sim.node import SimNode
from holdwater.sim.verdicts import SafetyViolation

if TYPE_CHECKING:
    from holdwater.sim.invariants.watch import Watch

_IMAGES_KEPT = 256


class ImageInvariant:
    """Looks at a new image of one node. Raises ``SafetyViolation``."""

    def check(self, watch: "Watch", node: SimNode, before: MetadataImage, now: MetadataImage) -> None:
        """See the class."""
        raise NotImplementedError


class ImageIsFold(ImageInvariant):
    """M5, M8: images at the same offset are equal, whoever made them, from the log or from a snapshot."""

    def __init__(self) -> None:
        self._known: dict[int, MetadataImage] = {}

    def check(self, watch: "Watch", node: SimNode, before: MetadataImage, now: MetadataImage) -> None:
        """See the class."""
        known = self._known.setdefault(now.last_offset, now)
        if known is now:
            if len(self._known) > _IMAGES_KEPT:
                del self._known[next(iter(self._known))]
        elif known.content() != now.content():
            raise SafetyViolation("M5", f"{node} has another image at metadata offset {now.last_offset} than another node had")


class PartitionRegistrations(ImageInvariant):
    """M6: the leader is in the ISR or there is none, ISR and ELR are disjoint parts of the replicas, leader and partition epochs never fall.

    A partition epoch names one state, and a leader epoch one leader, for ever.
    """

    def __init__(self) -> None:
        self._states: dict[tuple[bytes, int, int], PartitionState] = {}
        self._leaders: dict[tuple[bytes, int, int], int] = {}

    def check(self, watch: "Watch", node: SimNode, before: MetadataImage, now: MetadataImage) -> None:
        """See the class."""
        if before.topics is now.topics:
            return
        for topic_id, topic in now.topics.items():
            if before.topics.get(topic_id) is topic:
                continue
            for index, state in topic.partitions.items():
                old = before.partition(topic_id, index)
                if state != old:
                    self._check_one(f"{topic.name}-{index} on {node}", topic_id, index, old, state)

    def _check_one(self, where: str, topic_id: bytes, index: int, old: PartitionState | None, state: PartitionState) -> None:
        members = (*state.isr, *state.elr)
        if (
            (state.has_leader and state.leader not in state.isr)
            or any(member not in state.replicas for member in members)
            or len(members) != len(dict.fromkeys(members))
            or (old is not None and (state.leader_epoch < old.leader_epoch or state.partition_epoch <= old.partition_epoch))
        ):
            raise SafetyViolation("M6", f"{where}: {state} after {old}")
        known = self._states.setdefault((topic_id, index, state.partition_epoch), state)
        if known != state:
            raise SafetyViolation("M6", f"{where}: partition epoch {state.partition_epoch} is {state}, and was {known}")
        leader = self._leaders.setdefault((topic_id, index, state.leader_epoch), state.leader)
        if leader != state.leader:
            raise SafetyViolation("M6", f"{where}: leader epoch {state.leader_epoch} has leader n{state.leader}, and had n{leader}")


class LastReplicaStanding(ImageInvariant):
    """R11: a new leader comes from the ISR before the change, or if that is empty from the ELR; else it is the last known leader, alone.

    Looked at where the image shows one change of a partition at a time (its partition epoch rose by one).
    """

    def check(self, watch: "Watch", node: SimNode, before: MetadataImage, now: MetadataImage) -> None:
        """See the class."""
        if before.topics is now.topics:
            return
        for topic_id, topic in now.topics.items():
            earlier = before.topics.get(topic_id)
            if earlier is None or earlier is topic:
                continue
            for index, state in topic.partitions.items():
                old = earlier.partitions.get(index)
                if old is None or state.partition_epoch != old.partition_epoch + 1 or not state.has_leader or state.leader == old.leader:
                    continue
                from_elr = state.leader in old.elr and not any(member in state.isr for member in old.isr)
                in_line = state.leader in old.isr or from_elr
                # An eligible replica may lose its place in the very change that elects: its broker registers after an unclean stop, or its
                # directory has failed.
                nobody = not old.isr and not any(_may_have_everything(watch.nodes[member]) for member in old.elr)
                alone = nobody and state.leader in old.last_known_elr and state.isr == (state.leader,) and not state.elr
                if not in_line and not alone:
                    raise SafetyViolation("R11", f"{topic.name}-{index}: n{state.leader} was elected, it was not in line: {old} -> {state}")


class UncleanStopLosesItsPlace(ImageInvariant):
    """R11: a broker that registers again after it did not stop cleanly is in no ISR and no ELR at that moment (KIP-966).

    What really happened is the laboratory's knowledge: ``SimNode.started_after_clean_stop``.
    """

    def check(self, watch: "Watch", node: SimNode, before: MetadataImage, now: MetadataImage) -> None:
        """See the class."""
        if before.brokers is now.brokers:
            return
        for broker_id, registered in now.brokers.items():
            old = before.brokers.get(broker_id)
            if old is None or old.broker_epoch == registered.broker_epoch:
                continue
            machine = watch.nodes[broker_id]
            if machine.broker is None or machine.started_after_clean_stop or not machine.broker.lifecycle.is_registered_in(now):
                continue
            self._check_one(machine, before, now)

    def _check_one(self, machine: SimNode, before: MetadataImage, now: MetadataImage) -> None:
        for topic_id, topic in now.topics.items():
            for index, state in topic.partitions.items():
                old = before.partition(topic_id, index)
                if old is None or state.partition_epoch > old.partition_epoch + 1:
                    continue  # made since, or changed again since
                if machine.node_id in (*state.isr, *state.elr) and machine.node_id in (*old.isr, *old.elr):
                    raise SafetyViolation(
                        "R11", f"{topic.name}-{index}: {machine} registered after an unclean stop and is in line still: {state}"
                    )


class MembersAreAlive(ImageInvariant):
    """M9, KIP-841, KIP-903: who joins an ISR is an unfenced broker that is not shutting down; a broker epoch never falls."""

    def check(self, watch: "Watch", node: SimNode, before: MetadataImage, now: MetadataImage) -> None:
        """See the class."""
        if before.brokers is not now.brokers:
            for broker_id, broker in now.brokers.items():
                old = before.brokers.get(broker_id)
                if old is not None and broker.broker_epoch < old.broker_epoch:
                    raise SafetyViolation("M9", f"{node}: the broker epoch of n{broker_id} fell from {old.broker_epoch}: {broker}")
        if before.topics is now.topics:
            return
        for topic_id, topic in now.topics.items():
            earlier = before.topics.get(topic_id)
            if earlier is None or earlier is topic:
                continue
            for index, state in topic.partitions.items():
                old = earlier.partitions.get(index)
                if old is None or state.partition_epoch != old.partition_epoch + 1 or state.isr == old.isr:
                    continue
                for member in state.isr:
                    if member not in old.isr and not now.is_active_broker(member):
                        raise SafetyViolation(
                            "M9", f"{topic.name}-{index}: n{member} joined the in-sync replicas, and is {now.brokers.get(member)}"
                        )


class TopicIdsAreNeverReused(ImageInvariant):
    """M7: a topic id stands for one topic; once that is deleted, no image from then on has it."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}
        self._deleted_at: dict[bytes, int] = {}

    def check(self, watch: "Watch", node: SimNode, before: MetadataImage, now: MetadataImage) -> None:
        """See the class."""
        if before.topics is now.topics:
            return
        for topic_id in before.topics:
            if topic_id not in now.topics and now.last_offset > before.last_offset:
                self._deleted_at.setdefault(topic_id, now.last_offset)
        for topic_id, topic in now.topics.items():
            name = self._names.setdefault(topic_id, topic.name)
            if name != topic.name:
                raise SafetyViolation("M7", f"{node}: topic id {topic_id.hex()} is {topic.name}, and was {name}")
            if self._deleted_at.get(topic_id, now.last_offset + 1) <= now.last_offset:
                raise SafetyViolation("M7", f"{node}: topic {name} was deleted before metadata offset {now.last_offset} and is there")
            if now.topic_ids.get(name) != topic_id:
                raise SafetyViolation("M7", f"{node}: two topics are called {name}")


def _may_have_everything(node: SimNode) -> bool:
    """Whether nothing is known that a node's process and its disks have lost."""
    return node.started_after_clean_stop and node.state != "OFF" and not node.has_failed_directory


IMAGE_INVARIANTS: tuple[type[ImageInvariant], ...] = (
    ImageIsFold,
    PartitionRegistrations,
    LastReplicaStanding,
    UncleanStopLosesItsPlace,
    MembersAreAlive,
    TopicIdsAreNeverReused,
)
