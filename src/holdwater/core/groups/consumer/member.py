"""One member of a consumer group (KIP-848) as its records tell of it: a value, replaced whole with every change.

Two records make a member: what it asked for (its metadata), and how far it has come (its current assignment). ``assigned`` are the partitions
that it may use, ``pending_revocation`` those that it was told to give up and has not confirmed yet; both count as owned by it. Beside each
partition stands its assignment epoch: the member epoch with which this member was given it, which is as old as a commit for it may be.
"""

from enum import IntEnum, unique
from typing import NamedTuple

from holdwater.core.groups.classic.member import Protocols
from holdwater.wire.messages import ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataValue

Partitions = dict[bytes, dict[int, int]]
"""By topic id, each partition with its assignment epoch."""
Target = dict[bytes, tuple[int, ...]]
"""By topic id, partitions in ascending order."""

JOIN_EPOCH = 0
"""The member epoch of a request that joins, or joins again."""
LEAVE_EPOCH = -1
"""The member epoch of a request that leaves for good."""
STATIC_LEAVE_EPOCH = -2
"""The member epoch of a static member that has left and will be back: its partitions are kept for it until its session times out."""


@unique
class MemberState(IntEnum):
    """Where a member stands on its way to its target assignment."""

    STABLE = 0
    """It has reached the assignment of its member epoch."""
    UNREVOKED_PARTITIONS = 1
    """It must give up partitions before it gets a newer member epoch."""
    UNRELEASED_PARTITIONS = 2
    """It waits for partitions that others still own."""
    UNKNOWN = 127
    """A state of a newer Kafka."""


_STATES = {int(state): state for state in MemberState}


class ConsumerMember(NamedTuple):
    """See the module. ``subscribed_topic_names`` are sorted; an empty ``subscribed_topic_regex`` is none."""

    member_id: str
    member_epoch: int = 0
    previous_member_epoch: int = -1
    state: MemberState = MemberState.STABLE
    instance_id: str | None = None
    rack_id: str | None = None
    rebalance_timeout_ms: int = -1
    client_id: str = ""
    client_host: str = ""
    subscribed_topic_names: tuple[str, ...] = ()
    subscribed_topic_regex: str = ""
    server_assignor: str | None = None
    assigned: Partitions = {}  # noqa: RUF012 - never written to: a member is replaced, not changed
    pending_revocation: Partitions = {}  # noqa: RUF012
    classic_metadata: ConsumerGroupMemberMetadataValue.ClassicMemberMetadata | None = None
    """Of a member that speaks the classic protocol: its session timeout, and its protocols as its last join had them."""

    @property
    def speaks_classic(self) -> bool:
        """Whether it joins and syncs (the classic protocol) in a group whose assignment is worked out here."""
        return self.classic_metadata is not None

    @property
    def classic_protocols(self) -> Protocols:
        """Its protocols, the one it likes most first; none for a member that does not speak the classic protocol."""
        metadata = self.classic_metadata
        return () if metadata is None else tuple((protocol.name, protocol.metadata) for protocol in metadata.supported_protocols)

    def is_reconciled_to(self, assignment_epoch: int) -> bool:
        """Whether it has everything that the target assignment gives it."""
        return self.state is MemberState.STABLE and self.member_epoch == assignment_epoch

    def with_metadata(self, value: ConsumerGroupMemberMetadataValue) -> "ConsumerMember":
        """This member with what a metadata record says."""
        return self._replace(
            instance_id=value.instance_id,
            rack_id=value.rack_id,
            rebalance_timeout_ms=value.rebalance_timeout_ms,
            client_id=value.client_id,
            client_host=value.client_host,
            subscribed_topic_names=tuple(sorted(value.subscribed_topic_names)),
            subscribed_topic_regex=value.subscribed_topic_regex or "",
            server_assignor=value.server_assignor,
            classic_metadata=value.classic_member_metadata,
        )

    def with_current_assignment(self, value: ConsumerGroupCurrentMemberAssignmentValue) -> "ConsumerMember":
        """This member with what a current assignment record says."""
        return self._replace(
            member_epoch=value.member_epoch,
            previous_member_epoch=value.previous_member_epoch,
            state=_STATES.get(value.state, MemberState.UNKNOWN),
            assigned=_partitions(value.assigned_partitions, value.member_epoch),
            pending_revocation=_partitions(value.partitions_pending_revocation, value.member_epoch),
        )

    def assignment_epoch(self, topic_id: bytes, partition: int) -> int | None:
        """The assignment epoch of a partition that it owns."""
        found = self.assigned.get(topic_id, {}).get(partition)
        return found if found is not None else self.pending_revocation.get(topic_id, {}).get(partition)


def _partitions(topics: list[ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions], member_epoch: int) -> Partitions:
    """A record from before KIP-1251 has no assignment epochs: its member epoch stands for them, which is never too low."""
    read: Partitions = {}
    for topic in topics:
        epochs = topic.assignment_epochs
        if epochs is None or len(epochs) != len(topic.partitions):
            epochs = [max(member_epoch, 0)] * len(topic.partitions)
        read[topic.topic_id] = dict(zip(topic.partitions, epochs, strict=True))
    return read
