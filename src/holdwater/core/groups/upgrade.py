"""A classic group into which a member of the new protocol comes becomes a consumer group, with all its members in it (KIP-848).

The group generation becomes group epoch, assignment epoch and the epoch of every member; what the group's leader had given them is their target,
and what they may use. Each of them learns with its next heartbeat that it has to join again.
"""

from typing import NamedTuple

from holdwater.core.coordinator import ShardHost, TopicsView
from holdwater.core.groups.classic_group import ClassicGroup
from holdwater.core.groups.classic_member import ClassicMember
from holdwater.core.groups.consumer_classic_join import ClassicMetadata
from holdwater.core.groups.consumer_member import ConsumerMember, Partitions
from holdwater.core.groups.consumer_state import FIRST_EPOCH
from holdwater.core.groups.subscriptions import assignment_of, subscription_of
from holdwater.wire.codec import ProtocolError
from holdwater.wire.messages import ConsumerGroupMemberMetadataValue

_POLICY = "group.consumer.migration.policy"
_ALLOWS = ("upgrade", "bidirectional")
_Owners = dict[tuple[bytes, int], str]


class Beginning(NamedTuple):
    """What a consumer group begins with."""

    group_epoch: int
    members: tuple[ConsumerMember, ...]


NEW = Beginning(FIRST_EPOCH, ())
"""A consumer group in place of nothing, or of a classic group without members."""


def upgraded(group: ClassicGroup, host: ShardHost) -> Beginning | str:
    """The members as a consumer group has them, or why the group stays a classic one."""
    cannot = f"Cannot upgrade classic group {group.group_id} to consumer group because"
    if host.config.string(_POLICY).lower() not in _ALLOWS:
        return f"{cannot} online upgrade is disabled."
    if not group.uses_consumer_protocol:
        return f"{cannot} the group does not use the consumer embedded protocol."
    if len(group.members) > host.config.int("group.consumer.max.size"):
        return f"{cannot} the group size exceeds the consumer group maximum size."
    epoch = max(group.generation, FIRST_EPOCH)
    owners: _Owners = {}
    try:
        members = tuple(_as_consumer(member, group.protocol_name, epoch, owners, host.topics) for member in group.members.values())
    except ProtocolError:
        return f"{cannot} the embedded consumer protocol is malformed."
    except _CustomAssignor:
        return (
            f"{cannot} an unsupported custom assignor is in use."
            " Please refer to the documentation or switch to a default assignor before re-attempting the upgrade."
        )
    return Beginning(epoch, members)


class _CustomAssignor(Exception):  # noqa: N818 - named for what was found
    """An assignment has data of an assignor's own, which would be lost."""


def _as_consumer(member: ClassicMember, protocol_name: str | None, epoch: int, owners: _Owners, topics: TopicsView) -> ConsumerMember:
    names = [name for name, _ in member.protocols]
    subscription = subscription_of(member.metadata(protocol_name if protocol_name in names else names[0]))
    assignment = assignment_of(member.assignment)
    if assignment.user_data:
        raise _CustomAssignor
    # Without an assignment it may have kept what it had in an earlier generation (cooperative rebalancing), and says so.
    listed = assignment.assigned_partitions if member.assignment else subscription.owned_partitions
    has = _free_partitions(member.member_id, [(topic.topic, topic.partitions) for topic in listed], epoch, owners, topics)
    supported = [ConsumerGroupMemberMetadataValue.ClassicProtocol(name, metadata) for name, metadata in member.protocols]
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
        assigned=has,
        classic_metadata=ClassicMetadata(member.session_timeout_ms, supported),
    )


def _free_partitions(member_id: str, listed: list[tuple[str, list[int]]], epoch: int, owners: _Owners, topics: TopicsView) -> Partitions:
    """What there is of the partitions listed. One that an assignor has given to two members goes to the first of them (C2)."""
    found: Partitions = {}
    for name, numbers in listed:
        topic_id = topics.topic_id(name)
        if topic_id is None:
            continue
        for number in numbers:
            if 0 <= number < topics.partition_count(name) and owners.setdefault((topic_id, number), member_id) == member_id:
                found.setdefault(topic_id, {})[number] = epoch
    return found
