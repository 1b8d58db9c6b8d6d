"""What one heartbeat of a member changes: the records, in the order in which they build on each other, and the answer.

Nothing here changes the group. The steps work on the state as it is and on the member as it will be.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from holdwater.core.coordinator import Caller, CoordinatorRecord, ShardHost
from holdwater.core.coordinator.regex_names import NameRegex
from holdwater.core.coordinator.regex_tree import InvalidRegex
from holdwater.core.groups.consumer_checks import (
    Refusal,
    epoch_refusal,
    fenced_instance,
    group_is_full,
    invalid_regex,
    unknown_instance,
    unknown_member,
    unknown_state,
    unreleased_instance,
)
from holdwater.core.groups.consumer_member import JOIN_EPOCH, STATIC_LEAVE_EPOCH, ConsumerMember, Target
from holdwater.core.groups.consumer_reconcile import Goal, Owned, next_step
from holdwater.core.groups.consumer_records import (
    current_assignment_record,
    group_epoch_record,
    member_record,
    member_tombstones,
    partition_metadata_tombstone,
    regex_tombstone,
    target_record,
)
from holdwater.core.groups.consumer_regexes import RegexRefresh
from holdwater.core.groups.consumer_settings import ConsumerSettings
from holdwater.core.groups.consumer_state import ConsumerState
from holdwater.core.groups.consumer_subscriptions import MetadataHash, subscribed_after, topic_ids_of, topics_of
from holdwater.core.groups.consumer_target import Change, new_targets, preferred_assignor, target_after, target_records
from holdwater.wire.messages import ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse


class Plan(NamedTuple):
    """What a heartbeat comes to."""

    records: list[CoordinatorRecord]
    response: ConsumerGroupHeartbeatResponse


class _RegexChange(Enum):
    """What a heartbeat does to the member's regular expression."""

    NONE = "none"
    UNRESOLVED = "unresolved"
    """It has another one, whose topics are not known yet: the group epoch rises when they are."""
    RESOLVED = "resolved"
    """It has another one whose topics are known, or none any more."""


@dataclass
class HeartbeatPlanner:
    """See the module."""

    group_id: str
    state: ConsumerState
    host: ShardHost
    settings: ConsumerSettings
    metadata_hash: MetadataHash
    regexes: RegexRefresh

    def plan(self, request: ConsumerGroupHeartbeatRequest, caller: Caller, member_id: str, topics_may_have_changed: bool) -> Plan | Refusal:
        """Decide. ``member_id`` is that of the request, or the one made up for it."""
        if self._is_full(request, member_id):
            return group_is_full(self.settings.max_size)
        owned = _owned(request)
        before = self._find(request, member_id, owned)
        if isinstance(before, Refusal):
            return before
        member = _asked_for(before.member, request, caller)
        change = Change(member, before.known)
        records = self._takeover_records(before)
        if member != before.member:
            records.append(member_record(self.group_id, member))
        regex = self._regex_change(change, records)
        if isinstance(regex, Refusal):
            return regex
        names_changed = member.subscribed_topic_names != before.member.subscribed_topic_names
        bump = names_changed or regex is _RegexChange.RESOLVED or self._assignor_changed(change)
        group_epoch = self.state.group_epoch
        if bump or topics_may_have_changed:
            group_epoch = self._group_epoch(change, bump, records)
        assignment_epoch, target = self._target(change, group_epoch, records)
        subscription_changed = names_changed or regex is not _RegexChange.NONE
        after = self._step(change, assignment_epoch, target, owned, subscription_changed)
        if after is None:
            return unknown_state()
        if after != member:
            records.append(current_assignment_record(self.group_id, after))
        return Plan(records, self._response(request, before.member, after))

    # Who it is

    def _is_full(self, request: ConsumerGroupHeartbeatRequest, member_id: str) -> bool:
        if len(self.state.members) < self.settings.max_size or self.state.static_member(request.instance_id) is not None:
            return False
        return member_id not in self.state.members

    def _find(self, request: ConsumerGroupHeartbeatRequest, member_id: str, owned: Owned | None) -> "Change | Refusal":
        """The member as it is before the request, and what the state has of it."""
        if request.instance_id is not None:
            return self._find_static(request, request.instance_id, member_id, owned)
        known = self.state.members.get(member_id)
        if known is None:
            if request.member_epoch != JOIN_EPOCH:
                return unknown_member(member_id, self.group_id)
            self.host.note(f"group {self.group_id}: member {member_id} joins")
            return Change(ConsumerMember(member_id), None)
        return epoch_refusal(known, request.member_epoch, owned) or Change(known, known)

    def _find_static(
        self, request: ConsumerGroupHeartbeatRequest, instance_id: str, member_id: str, owned: Owned | None
    ) -> "Change | Refusal":
        holder = self.state.static_member(instance_id)
        if request.member_epoch != JOIN_EPOCH:
            if holder is None:
                return unknown_instance(instance_id)
            if holder.member_id != member_id:
                return fenced_instance(member_id, holder)
            return epoch_refusal(holder, request.member_epoch, owned) or Change(holder, holder)
        if holder is None:
            known = self.state.members.get(member_id)
            self.host.note(f"group {self.group_id}: member {member_id} joins with instance id {instance_id}")
            return Change(known or ConsumerMember(member_id), known)
        if holder.member_epoch != STATIC_LEAVE_EPOCH:
            return unreleased_instance(member_id, holder)
        self.host.note(f"group {self.group_id}: member {member_id} takes the place of {holder.member_id} with instance id {instance_id}")
        return Change(holder._replace(member_id=member_id, member_epoch=JOIN_EPOCH, previous_member_epoch=0), holder)

    def _takeover_records(self, before: Change) -> list[CoordinatorRecord]:
        """A static member that is back has another member id, and all that was kept for it. Its new epoch begins at 0."""
        holder = before.known
        if holder is None or holder is before.member:
            return []
        return [
            *member_tombstones(self.group_id, holder.member_id),
            member_record(self.group_id, before.member),
            target_record(self.group_id, before.member.member_id, self.state.targets.get(holder.member_id, {})),
            current_assignment_record(self.group_id, before.member),
        ]

    # What it asks for

    def _regex_change(self, change: Change, records: list[CoordinatorRecord]) -> _RegexChange | Refusal:
        """``change.known`` has the expression so far, also of the static member before this one."""
        old = "" if change.known is None else change.known.subscribed_topic_regex
        new = change.member.subscribed_topic_regex
        is_first = bool(new) and new not in self.state.regex_counts
        if is_first:
            try:
                NameRegex(new)
            except InvalidRegex as problem:
                return invalid_regex(new, str(problem))
        if old and old != new and self.state.regex_counts.get(old) == 1:
            records.append(regex_tombstone(self.group_id, old))
        if is_first or self.state.regex_counts:
            self.regexes.consider(change.known, change.member, self.settings, is_first=is_first)
        if old == new:
            return _RegexChange.NONE
        return _RegexChange.RESOLVED if not new or new in self.state.resolved else _RegexChange.UNRESOLVED

    def _assignor_changed(self, change: Change) -> bool:
        default = self.settings.assignors[0]
        return preferred_assignor(self.state, None, default) != preferred_assignor(self.state, change, default)

    def _group_epoch(self, change: Change, bump: bool, records: list[CoordinatorRecord]) -> int:
        """The group epoch rises when something asks for another target, and when the subscribed topics are not what they were."""
        metadata_hash = self.metadata_hash.of(subscribed_after(self.state, [(change.known, change.member)]))
        group_epoch = self.state.group_epoch
        if bump or metadata_hash != self.state.metadata_hash:
            group_epoch += 1
            records.append(group_epoch_record(self.group_id, group_epoch, metadata_hash))
        if self.state.has_partition_metadata:
            records.append(partition_metadata_tombstone(self.group_id))
        return group_epoch

    # What it gets

    def _target(self, change: Change, group_epoch: int, records: list[CoordinatorRecord]) -> tuple[int, Target]:
        """The member's target and its assignment epoch. The last one will do until the assignment interval has passed."""
        if self.state.assignment_epoch >= group_epoch or not self._may_assign():
            return self.state.assignment_epoch, target_after(self.state, change)
        assignor = preferred_assignor(self.state, change, self.settings.assignors[0])
        if assignor not in self.settings.assignors:
            assignor = self.settings.assignors[0]
        targets, so_far = new_targets(self.state, change, assignor, self.host.topics)
        records.extend(target_records(self.group_id, targets, so_far, group_epoch, self.host.wall_ms))
        return group_epoch, targets[change.member.member_id]

    def _may_assign(self) -> bool:
        """A wall clock that was set back since must not keep the group waiting."""
        last_wall_ms = self.state.assignment_wall_ms
        return last_wall_ms == 0 or not 0 <= self.host.wall_ms - last_wall_ms < self.settings.assignment_interval_ms

    def _step(
        self, change: Change, assignment_epoch: int, target: Target, owned: Owned | None, subscription_changed: bool
    ) -> ConsumerMember | None:
        member = change.member
        if not subscription_changed and member.is_reconciled_to(assignment_epoch):
            return member

        def is_free(topic_id: bytes, partition: int) -> bool:
            return self.state.owner(topic_id, partition) in (None, member.member_id)

        goal = Goal(
            assignment_epoch,
            target,
            topic_ids_of(topics_of(member, self.state.resolved), self.host.topics),
            is_free,
        )
        return next_step(member, goal, owned, subscription_changed=subscription_changed)

    def _response(
        self, request: ConsumerGroupHeartbeatRequest, before: ConsumerMember, after: ConsumerMember
    ) -> ConsumerGroupHeartbeatResponse:
        response = ConsumerGroupHeartbeatResponse(
            member_id=after.member_id, member_epoch=after.member_epoch, heartbeat_interval_ms=self.settings.heartbeat_interval_ms
        )
        if request.member_epoch == JOIN_EPOCH or _is_full_request(request) or before.assigned != after.assigned:
            response.assignment = _assignment(after)
        return response


def _is_full_request(request: ConsumerGroupHeartbeatRequest) -> bool:
    """A member sends everything when it joins and after it has missed an answer."""
    has_subscription = request.subscribed_topic_names is not None or request.subscribed_topic_regex is not None
    return request.rebalance_timeout_ms != -1 and has_subscription and request.topic_partitions is not None


def _owned(request: ConsumerGroupHeartbeatRequest) -> Owned | None:
    if request.topic_partitions is None:
        return None
    owned: Owned = {}
    for topic in request.topic_partitions:
        if topic.partitions:
            owned[topic.topic_id] = (*owned.get(topic.topic_id, ()), *topic.partitions)
    return owned


def _asked_for(member: ConsumerMember, request: ConsumerGroupHeartbeatRequest, caller: Caller) -> ConsumerMember:
    """The member with what the request gives; what it leaves out stays."""
    names, regex = request.subscribed_topic_names, request.subscribed_topic_regex
    return member._replace(
        instance_id=member.instance_id if request.instance_id is None else request.instance_id,
        rack_id=member.rack_id if request.rack_id is None else request.rack_id,
        rebalance_timeout_ms=member.rebalance_timeout_ms if request.rebalance_timeout_ms == -1 else request.rebalance_timeout_ms,
        server_assignor=member.server_assignor if request.server_assignor is None else request.server_assignor,
        subscribed_topic_names=member.subscribed_topic_names if names is None else tuple(sorted(dict.fromkeys(names))),
        subscribed_topic_regex=member.subscribed_topic_regex if regex is None else regex,
        client_id=caller.client_id,
        client_host=caller.client_host,
        classic_metadata=None,
    )


def _assignment(member: ConsumerMember) -> ConsumerGroupHeartbeatResponse.Assignment:
    listed = [
        ConsumerGroupHeartbeatResponse.TopicPartitions(topic_id, sorted(member.assigned[topic_id])) for topic_id in sorted(member.assigned)
    ]
    return ConsumerGroupHeartbeatResponse.Assignment(listed)
