"""A classic group into which a member of the new protocol comes becomes a consumer group, with all its members in it (KIP-848).

The group generation becomes the epoch of the group and of every member, and each has what the group's leader had given it. That is the end of
that generation: whoever comes next finds a higher group epoch, and each of them learns with its next heartbeat that it has to join again.
"""

from typing import NamedTuple

from holdwater.core.coordinator import ShardHost, TopicsView
from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.member import ClassicMember, Protocols
from holdwater.core.groups.consumer.classic_join import ClassicMetadata
from holdwater.core.groups.consumer.member import ConsumerMember, Partitions
from holdwater.core.groups.consumer.settings import may_move
from holdwater.core.groups.consumer.state import FIRST_EPOCH
from holdwater.core.groups.subscriptions import assignment_of, subscription_of
from holdwater.wire.codec import ProtocolError
from holdwater.wire.messages import ConsumerGroupMemberMetadataValue, ConsumerProtocolAssignment, ConsumerProtocolSubscription


class Beginning(NamedTuple):
    """What a consumer group begins with."""

    group_epoch: int
    members: tuple[ConsumerMember, ...]


NEW = Beginning(FIRST_EPOCH, ())
"""A consumer group in place of nothing."""


def following(group: ClassicGroup) -> Beginning:
    """A consumer group in place of a classic group without members: it counts on."""
    return Beginning(group.generation + 1, ()) if group.generation else NEW


def upgraded(group: ClassicGroup, host: ShardHost) -> Beginning | str:
    """The members as a consumer group has them, or why the group stays a classic one."""
    cannot = f"Cannot upgrade classic group {group.group_id} to consumer group because"
    if not may_move(host.config, "upgrade"):
        return f"{cannot} online upgrade is disabled."
    if not group.uses_consumer_protocol:
        return f"{cannot} the group does not use the consumer embedded protocol."
    if len(group.members) > host.config.int("group.consumer.max.size"):
        return f"{cannot} the group size exceeds the consumer group maximum size."
    epoch = max(group.generation, FIRST_EPOCH)
    try:
        found = [_read(member, group.protocol_name) for member in group.members.values()]
    except ProtocolError:
        return f"{cannot} the embedded consumer protocol is malformed."
    if any(one.assignment.user_data for one in found):
        return (
            f"{cannot} an unsupported custom assignor is in use."
            " Please refer to the documentation or switch to a default assignor before re-attempting the upgrade."
        )
    owned = _owned(found, epoch, host.topics)
    return Beginning(epoch, tuple(_as_consumer(one, epoch, owned[one.member.member_id]) for one in found))


class _Found(NamedTuple):
    """A member, and what its bytes say. Its ``protocols`` begin with the one that the group uses."""

    member: ClassicMember
    protocols: Protocols
    subscription: ConsumerProtocolSubscription
    assignment: ConsumerProtocolAssignment


def _read(member: ClassicMember, protocol_name: str | None) -> _Found:
    """Raises ``ProtocolError``."""
    protocols = tuple(sorted(member.protocols, key=lambda protocol: protocol[0] != protocol_name))
    return _Found(member, protocols, subscription_of(protocols[0][1]), assignment_of(member.assignment))


def _owned(found: list[_Found], epoch: int, topics: TopicsView) -> dict[str, Partitions]:
    """What each member may use, by member id; no partition has two owners (C2).

    First what they were assigned; of a partition that an assignor has given to two of them one is the owner. Then what they had when they joined,
    and nobody was assigned: in a cooperative rebalance a member may not have given it up yet.
    """
    owned: dict[str, Partitions] = {one.member.member_id: {} for one in found}
    taken: dict[tuple[bytes, int], None] = {}

    def take(member_id: str, name: str, numbers: list[int]) -> None:
        topic_id = topics.topic_id(name)
        for number in numbers:
            if topic_id is not None and 0 <= number < topics.partition_count(name) and (topic_id, number) not in taken:
                taken[topic_id, number] = None
                owned[member_id].setdefault(topic_id, {})[number] = epoch

    for one in found:
        for topic in one.assignment.assigned_partitions:
            take(one.member.member_id, topic.topic, topic.partitions)
    for one in sorted(found, key=lambda one: -one.subscription.generation_id):
        for topic in one.subscription.owned_partitions:
            take(one.member.member_id, topic.topic, topic.partitions)
    return owned


def _as_consumer(one: _Found, epoch: int, owned: Partitions) -> ConsumerMember:
    member, subscription = one.member, one.subscription
    supported = [ConsumerGroupMemberMetadataValue.ClassicProtocol(name, metadata) for name, metadata in one.protocols]
    return ConsumerMember(
        member.member_id,
        member_epoch=epoch,
        previous_member_epoch=epoch,
        instance_id=member.instance_id,
        rack_id=subscription.rack_id,
        rebalance_timeout_ms=member.rebalance_timeout_ms,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=tuple(sorted(dict.fromkeys(subscription.topics))),
        assigned=owned,
        classic_metadata=ClassicMetadata(member.session_timeout_ms, supported),
    )
