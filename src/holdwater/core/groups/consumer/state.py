"""The durable state of one consumer group: what its records say, and the counts and reverse maps that follow from them.

Only ``replay`` changes it, live and while loading, so a group that is built again from its records equals the one that wrote them.

- ``group_epoch`` rises with every change that asks for another target assignment; ``assignment_epoch`` is the group epoch for which the target
  assignment was worked out, so it is never above ``group_epoch``.
- ``owners`` names for each partition the one member that may still use it (C2). While loading the last record wins: compaction may have taken
  away the record with which an earlier owner let go.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from holdwater.core.groups.consumer.member import ConsumerMember, Partitions, Target
from holdwater.kernel.invariant import invariant
from holdwater.wire.codec.classes import Message
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

FIRST_EPOCH = 1
"""Group epoch and assignment epoch of a group without records: it has nothing to assign."""
_GONE = -1
"""Member epoch, or assignment epoch, after a tombstone."""


class ResolvedRegex(NamedTuple):
    """The topics that a regular expression matched, the version of the topics then, and the wall clock then."""

    topics: tuple[str, ...] = ()
    version: int = 0
    wall_ms: int = 0


@dataclass
class ConsumerState:
    """See the module."""

    group_epoch: int = FIRST_EPOCH
    metadata_hash: int = 0
    """Of the subscribed topics when the group epoch rose last."""
    assignment_epoch: int = FIRST_EPOCH
    assignment_wall_ms: int = 0
    members: dict[str, ConsumerMember] = field(default_factory=dict[str, ConsumerMember])
    static_members: dict[str, str] = field(default_factory=dict[str, str])
    """Member id by instance id."""
    targets: dict[str, Target] = field(default_factory=dict[str, Target])
    owners: dict[bytes, dict[int, str]] = field(default_factory=dict[bytes, dict[int, str]])
    """By topic id and partition, the member that has it assigned or has not given it up yet."""
    resolved: dict[str, ResolvedRegex] = field(default_factory=dict[str, ResolvedRegex])
    name_counts: dict[str, int] = field(default_factory=dict[str, int])
    """Members by the topic names that they subscribe to."""
    regex_counts: dict[str, int] = field(default_factory=dict[str, int])
    assignor_counts: dict[str, int] = field(default_factory=dict[str, int])
    has_partition_metadata: bool = False
    """Whether there is a record of the kind that Kafka before 4.0 wrote, to be ended with the next change."""
    is_dead: bool = False

    def replay(self, key: Message, value: Message | None) -> None:
        """Take in one record of this group. A value has the type of its key."""
        given: Any = value
        match key:
            case ConsumerGroupCurrentMemberAssignmentKey():
                self._current(key, given)
            case ConsumerGroupMemberMetadataKey():
                self._member(key, given)
            case ConsumerGroupTargetAssignmentMemberKey():
                self._target(key, given)
            case ConsumerGroupTargetAssignmentMetadataKey():
                self._target_epoch(given)
            case ConsumerGroupMetadataKey():
                self._group(given)
            case ConsumerGroupRegularExpressionKey():
                self._regex(key, given)
            case ConsumerGroupPartitionMetadataKey():
                self.has_partition_metadata = given is not None
            case _:
                invariant(False, f"{type(key).__name__} is no record of a consumer group")

    def static_member(self, instance_id: str | None) -> ConsumerMember | None:
        """The member that has the instance id."""
        member_id = self.static_members.get(instance_id) if instance_id is not None else None
        return self.members.get(member_id) if member_id is not None else None

    def is_full_for(self, member_id: str, instance_id: str | None, max_size: int) -> bool:
        """Whether the group has its members already, and this one is neither among them nor back as one of them."""
        if len(self.members) < max_size or self.static_member(instance_id) is not None:
            return False
        return member_id not in self.members

    def owner(self, topic_id: bytes, partition: int) -> str | None:
        """The member that may still use the partition."""
        return self.owners.get(topic_id, {}).get(partition)

    # One method per kind of record

    def _group(self, value: ConsumerGroupMetadataValue | None) -> None:
        if value is None:
            self.__init__()
            self.is_dead = True
            return
        self.is_dead = False
        self.group_epoch = value.epoch
        self.metadata_hash = value.metadata_hash

    def _member(self, key: ConsumerGroupMemberMetadataKey, value: ConsumerGroupMemberMetadataValue | None) -> None:
        old = self.members.get(key.member_id)
        if value is not None:
            self._put(old, (old or ConsumerMember(key.member_id)).with_metadata(value))
        elif old is not None:
            self._disown(old)
            self._count(old, None)
            self._forget_instance(old)
            del self.members[key.member_id]

    def _current(self, key: ConsumerGroupCurrentMemberAssignmentKey, value: ConsumerGroupCurrentMemberAssignmentValue | None) -> None:
        old = self.members.get(key.member_id)
        if value is not None:
            self._put(old, (old or ConsumerMember(key.member_id)).with_current_assignment(value))
        elif old is not None:
            self._put(old, old._replace(member_epoch=_GONE, previous_member_epoch=_GONE, assigned={}, pending_revocation={}))

    def _target(self, key: ConsumerGroupTargetAssignmentMemberKey, value: ConsumerGroupTargetAssignmentMemberValue | None) -> None:
        if value is None:
            self.targets.pop(key.member_id, None)
        else:
            self.targets[key.member_id] = {topic.topic_id: tuple(sorted(topic.partitions)) for topic in value.topic_partitions}

    def _target_epoch(self, value: ConsumerGroupTargetAssignmentMetadataValue | None) -> None:
        self.assignment_epoch = _GONE if value is None else value.assignment_epoch
        self.assignment_wall_ms = 0 if value is None else value.assignment_timestamp

    def _regex(self, key: ConsumerGroupRegularExpressionKey, value: ConsumerGroupRegularExpressionValue | None) -> None:
        if value is None:
            self.resolved.pop(key.regular_expression, None)
        else:
            self.resolved[key.regular_expression] = ResolvedRegex(tuple(sorted(value.topics)), value.version, value.timestamp)

    # What follows from a member

    def _put(self, old: ConsumerMember | None, new: ConsumerMember) -> None:
        self.is_dead = False
        if old is not None:
            self._disown(old)
            self._forget_instance(old)
        self.members[new.member_id] = new
        self._own(new.member_id, new.assigned)
        self._own(new.member_id, new.pending_revocation)
        self._count(old, new)
        if new.instance_id is not None:
            self.static_members[new.instance_id] = new.member_id

    def _own(self, member_id: str, partitions: Partitions) -> None:
        for topic_id, numbers in partitions.items():
            self.owners.setdefault(topic_id, {}).update(dict.fromkeys(numbers, member_id))

    def _disown(self, member: ConsumerMember) -> None:
        for partitions in (member.assigned, member.pending_revocation):
            for topic_id, numbers in partitions.items():
                owned = self.owners.get(topic_id, {})
                for number in numbers:
                    if owned.get(number) == member.member_id:
                        del owned[number]
                if not owned:
                    self.owners.pop(topic_id, None)

    def _forget_instance(self, member: ConsumerMember) -> None:
        if member.instance_id is not None and self.static_members.get(member.instance_id) == member.member_id:
            del self.static_members[member.instance_id]

    def _count(self, old: ConsumerMember | None, new: ConsumerMember | None) -> None:
        add_to_counts(self.name_counts, old, new, lambda member: member.subscribed_topic_names)
        add_to_counts(self.regex_counts, old, new, _regex_of)
        add_to_counts(self.assignor_counts, old, new, _assignor_of)


def _regex_of(member: ConsumerMember) -> tuple[str, ...]:
    return (member.subscribed_topic_regex,) if member.subscribed_topic_regex else ()


def _assignor_of(member: ConsumerMember) -> tuple[str, ...]:
    return (member.server_assignor,) if member.server_assignor is not None else ()


def add_to_counts(
    counts: dict[str, int],
    old: ConsumerMember | None,
    new: ConsumerMember | None,
    words: Callable[[ConsumerMember], tuple[str, ...]],
) -> None:
    """Let the words of the new member take the place of the old member's."""
    gone = words(old) if old is not None else ()
    come = words(new) if new is not None else ()
    if gone == come:
        return
    for word in gone:
        counts[word] -= 1
        if not counts[word]:
            del counts[word]
    for word in come:
        counts[word] = counts.get(word, 0) + 1
