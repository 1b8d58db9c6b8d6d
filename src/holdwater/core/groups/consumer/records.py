"""The records of a consumer group, in the order of fields that makes equal states equal bytes."""

from collections.abc import Sequence

from holdwater.core.coordinator import CoordinatorRecord
from holdwater.core.groups.consumer.member import ConsumerMember, Partitions, Target
from holdwater.wire.messages import (
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMemberMetadataValue,
    ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue,
    ConsumerGroupPartitionMetadataKey,
    ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue,
)


def group_epoch_record(group_id: str, group_epoch: int, metadata_hash: int) -> CoordinatorRecord:
    """The group has a new epoch."""
    return CoordinatorRecord(ConsumerGroupMetadataKey(group_id), ConsumerGroupMetadataValue(group_epoch, metadata_hash))


def group_epoch_tombstone(group_id: str) -> CoordinatorRecord:
    """The group is gone."""
    return CoordinatorRecord(ConsumerGroupMetadataKey(group_id), None)


def member_record(group_id: str, member: ConsumerMember) -> CoordinatorRecord:
    """What the member asks for."""
    value = ConsumerGroupMemberMetadataValue(
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=list(member.subscribed_topic_names),
        subscribed_topic_regex=member.subscribed_topic_regex,
        rebalance_timeout_ms=member.rebalance_timeout_ms,
        server_assignor=member.server_assignor,
        classic_member_metadata=member.classic_metadata,
    )
    return CoordinatorRecord(ConsumerGroupMemberMetadataKey(group_id, member.member_id), value)


def member_tombstones(group_id: str, member_id: str) -> tuple[CoordinatorRecord, ...]:
    """The member is gone, and what it owned is free. Its metadata goes last, as replay expects."""
    return (
        CoordinatorRecord(ConsumerGroupCurrentMemberAssignmentKey(group_id, member_id), None),
        CoordinatorRecord(ConsumerGroupTargetAssignmentMemberKey(group_id, member_id), None),
        CoordinatorRecord(ConsumerGroupMemberMetadataKey(group_id, member_id), None),
    )


def current_assignment_record(group_id: str, member: ConsumerMember) -> CoordinatorRecord:
    """How far the member has come."""
    value = ConsumerGroupCurrentMemberAssignmentValue(
        member_epoch=member.member_epoch,
        previous_member_epoch=member.previous_member_epoch,
        state=int(member.state),
        assigned_partitions=_with_epochs(member.assigned),
        partitions_pending_revocation=_with_epochs(member.pending_revocation),
    )
    return CoordinatorRecord(ConsumerGroupCurrentMemberAssignmentKey(group_id, member.member_id), value)


def target_record(group_id: str, member_id: str, target: Target) -> CoordinatorRecord:
    """What the member shall have."""
    topics = [ConsumerGroupTargetAssignmentMemberValue.TopicPartition(topic_id, list(target[topic_id])) for topic_id in sorted(target)]
    return CoordinatorRecord(ConsumerGroupTargetAssignmentMemberKey(group_id, member_id), ConsumerGroupTargetAssignmentMemberValue(topics))


def target_epoch_record(group_id: str, assignment_epoch: int, wall_ms: int) -> CoordinatorRecord:
    """The target assignment belongs to this group epoch, and was worked out at that time (0: the next one need not wait)."""
    value = ConsumerGroupTargetAssignmentMetadataValue(assignment_epoch, wall_ms)
    return CoordinatorRecord(ConsumerGroupTargetAssignmentMetadataKey(group_id), value)


def target_epoch_tombstone(group_id: str) -> CoordinatorRecord:
    """There is no target assignment any more."""
    return CoordinatorRecord(ConsumerGroupTargetAssignmentMetadataKey(group_id), None)


def first_records(group_id: str, group_epoch: int, members: Sequence[ConsumerMember]) -> tuple[CoordinatorRecord, ...]:
    """A group that begins with members. They have what is their target for now: without a hash of the topics the group epoch rises at once."""
    return (
        *(member_record(group_id, member) for member in members),
        group_epoch_record(group_id, group_epoch, 0),
        *(target_record(group_id, member.member_id, {topic: tuple(has) for topic, has in member.assigned.items()}) for member in members),
        target_epoch_record(group_id, group_epoch, 0),
        *(current_assignment_record(group_id, member) for member in members),
    )


def partition_metadata_tombstone(group_id: str) -> CoordinatorRecord:
    """Ends a record that Kafka wrote before 4.0; a hash in the group's record has taken its place."""
    return CoordinatorRecord(ConsumerGroupPartitionMetadataKey(group_id), None)


def regex_record(group_id: str, regex: str, topics: tuple[str, ...], version: int, wall_ms: int) -> CoordinatorRecord:
    """The topics that a regular expression has matched."""
    value = ConsumerGroupRegularExpressionValue(list(topics), version, wall_ms)
    return CoordinatorRecord(ConsumerGroupRegularExpressionKey(group_id, regex), value)


def regex_tombstone(group_id: str, regex: str) -> CoordinatorRecord:
    """No member subscribes with the regular expression any more."""
    return CoordinatorRecord(ConsumerGroupRegularExpressionKey(group_id, regex), None)


def _with_epochs(partitions: Partitions) -> list[ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions]:
    listed: list[ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions] = []
    for topic_id in sorted(partitions):
        numbers = sorted(partitions[topic_id])
        epochs = [partitions[topic_id][number] for number in numbers]
        listed.append(ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions(topic_id, numbers, epochs))
    return listed
