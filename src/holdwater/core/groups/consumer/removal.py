"""The records with which members leave a consumer group, and those with which the group itself ends."""

from collections.abc import Sequence

from holdwater.core.coordinator import CoordinatorRecord
from holdwater.core.groups.consumer.member import ConsumerMember
from holdwater.core.groups.consumer.records import (
    group_epoch_record,
    group_epoch_tombstone,
    member_tombstones,
    partition_metadata_tombstone,
    regex_tombstone,
    target_epoch_record,
    target_epoch_tombstone,
)
from holdwater.core.groups.consumer.state import ConsumerState
from holdwater.core.groups.consumer.subscriptions import MetadataHash, subscribed_after
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import LeaveGroupRequest


def member_to_remove(state: ConsumerState, identity: LeaveGroupRequest.MemberIdentity) -> ConsumerMember | ErrorCode:
    """The member that a LeaveGroup names: by its id, by its instance (an administrator knows only that), or by both."""
    if identity.group_instance_id is None:
        return state.members.get(identity.member_id) or ErrorCode.UNKNOWN_MEMBER_ID
    member = state.static_member(identity.group_instance_id)
    if member is None:
        return ErrorCode.UNKNOWN_MEMBER_ID
    return member if identity.member_id in ("", member.member_id) else ErrorCode.FENCED_INSTANCE_ID


def removal_records(
    group_id: str, state: ConsumerState, members: Sequence[ConsumerMember], metadata_hash: MetadataHash
) -> list[CoordinatorRecord]:
    """The members go, and what they owned is free; a higher group epoch asks for a target without them.

    The last ones to go leave an empty target for that epoch, so that the group does not look as if something were still to be assigned.
    """
    records: list[CoordinatorRecord] = []
    for member in members:
        records.extend(member_tombstones(group_id, member.member_id))
    regexes = [member.subscribed_topic_regex for member in members]
    unused = (regex for regex in dict.fromkeys(regexes) if state.regex_counts.get(regex) == regexes.count(regex))
    records.extend(regex_tombstone(group_id, regex) for regex in unused)
    group_epoch = state.group_epoch + 1
    subscribed = subscribed_after(state, [(member, None) for member in members])
    records.append(group_epoch_record(group_id, group_epoch, metadata_hash.of(subscribed)))
    if len(state.members) == len(members):
        records.append(target_epoch_record(group_id, group_epoch, 0))
    return records


def group_tombstones(group_id: str, state: ConsumerState) -> tuple[CoordinatorRecord, ...]:
    """Everything that the log has of the group, the group itself last."""
    records: list[CoordinatorRecord] = []
    for member_id in sorted(state.members):
        records.extend(member_tombstones(group_id, member_id))
    records.append(target_epoch_tombstone(group_id))
    records.extend(regex_tombstone(group_id, regex) for regex in sorted(state.resolved))
    records.append(partition_metadata_tombstone(group_id))
    records.append(group_epoch_tombstone(group_id))
    return tuple(records)
