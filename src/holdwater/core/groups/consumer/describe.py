"""What ConsumerGroupDescribe tells of a consumer group."""

from collections.abc import Iterable

from holdwater.core.coordinator import TopicsView
from holdwater.core.groups.consumer.member import ConsumerMember, Target
from holdwater.core.groups.consumer.state import ConsumerState
from holdwater.core.groups.consumer.target import preferred_assignor
from holdwater.wire.messages import ConsumerGroupDescribeResponse

_CLASSIC, _CONSUMER = 0, 1
"""Which protocol a member speaks."""


def state_name(state: ConsumerState) -> str:
    """Kafka's name of the group's state."""
    if state.is_dead:
        return "Dead"
    if not state.members:
        return "Empty"
    if state.group_epoch > state.assignment_epoch:
        return "Assigning"
    if all(member.is_reconciled_to(state.assignment_epoch) for member in state.members.values()):
        return "Stable"
    return "Reconciling"


def described(
    group_id: str, state: ConsumerState, topics: TopicsView, default_assignor: str
) -> ConsumerGroupDescribeResponse.DescribedGroup:
    """The group with all its members. Partitions of topics that are gone are left out."""
    return ConsumerGroupDescribeResponse.DescribedGroup(
        group_id=group_id,
        group_state=state_name(state),
        group_epoch=state.group_epoch,
        assignment_epoch=state.assignment_epoch,
        assignor_name=preferred_assignor(state, None, default_assignor),
        members=[_member(state.members[member_id], state.targets.get(member_id, {}), topics) for member_id in sorted(state.members)],
    )


def _member(member: ConsumerMember, target: Target, topics: TopicsView) -> ConsumerGroupDescribeResponse.Member:
    owned: dict[bytes, list[int]] = {}
    for partitions in (member.assigned, member.pending_revocation):
        for topic_id, numbers in partitions.items():
            owned.setdefault(topic_id, []).extend(numbers)
    return ConsumerGroupDescribeResponse.Member(
        member_id=member.member_id,
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        member_epoch=member.member_epoch,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=list(member.subscribed_topic_names),
        subscribed_topic_regex=member.subscribed_topic_regex,
        assignment=_assignment(owned.items(), topics),
        target_assignment=_assignment(target.items(), topics),
        member_type=_CLASSIC if member.speaks_classic else _CONSUMER,
    )


def _assignment(partitions: Iterable[tuple[bytes, Iterable[int]]], topics: TopicsView) -> ConsumerGroupDescribeResponse.Assignment:
    listed: list[ConsumerGroupDescribeResponse.TopicPartitions] = []
    for topic_id, numbers in sorted(partitions):
        name = topics.name(topic_id)
        if name is not None:
            listed.append(ConsumerGroupDescribeResponse.TopicPartitions(topic_id, name, sorted(numbers)))
    return ConsumerGroupDescribeResponse.Assignment(listed)
