"""How a consumer group takes in a member as it is to be, whichever protocol the member speaks: the records, each building on those before it.

Nothing here changes the group. The steps work on the state as it is and on the member as it will be: what it asks for is written down, the group
epoch rises when that changes what there is to assign, a target is worked out for a newer epoch, and the member comes one step nearer to it.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from holdwater.core.coordinator import CoordinatorRecord, ShardHost
from holdwater.core.coordinator.regex_names import NameRegex
from holdwater.core.coordinator.regex_tree import InvalidRegex
from holdwater.core.groups.consumer.checks import Refusal, invalid_regex, unknown_state
from holdwater.core.groups.consumer.late import LateAssignment
from holdwater.core.groups.consumer.member import ConsumerMember, Target
from holdwater.core.groups.consumer.reconcile import Goal, Owned, next_step
from holdwater.core.groups.consumer.records import (
    current_assignment_record,
    group_epoch_record,
    member_record,
    member_tombstones,
    partition_metadata_tombstone,
    regex_tombstone,
    target_record,
)
from holdwater.core.groups.consumer.regexes import RegexRefresh
from holdwater.core.groups.consumer.settings import ConsumerSettings
from holdwater.core.groups.consumer.state import ConsumerState
from holdwater.core.groups.consumer.subscriptions import MetadataHash, subscribed_after, topic_ids_of, topics_of
from holdwater.core.groups.consumer.target import Change, assignor_of_group, new_targets, preferred_assignor, target_after, target_records


@dataclass
class SeenTopics:
    """Whether the cluster's topics may be others than the group has seen: the next member that comes looks whether it is one of the group's."""

    may_have_changed: bool = True


class Taken(NamedTuple):
    """What taking in a member comes to."""

    records: list[CoordinatorRecord]
    member: ConsumerMember
    """The member after its step."""


class _RegexChange(Enum):
    """What happens to the member's regular expression."""

    NONE = "none"
    UNRESOLVED = "unresolved"
    """It has another one, whose topics are not known yet: the group epoch rises when they are."""
    RESOLVED = "resolved"
    """It has another one whose topics are known, or none any more."""


@dataclass
class MemberSteps:
    """See the module."""

    group_id: str
    state: ConsumerState
    host: ShardHost
    settings: ConsumerSettings
    metadata_hash: MetadataHash
    regexes: RegexRefresh
    late: LateAssignment
    assigns_at_once: bool = False
    """Whether a new target need not wait for the assignment interval."""

    def take_in(self, before: Change, member: ConsumerMember, owned: Owned | None, *, topics_may_have_changed: bool) -> Taken | Refusal:
        """Let ``member`` take the place of ``before``, which has what the state knows of it. ``owned``: what it says that it has, if it does."""
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
        return Taken(records, after)

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
        is_wanted = self.state.assignment_epoch < group_epoch
        if not is_wanted or not (self.assigns_at_once or self.late.may_assign()):
            if is_wanted:
                self.late.want()
            return self.state.assignment_epoch, target_after(self.state, change)
        assignor = assignor_of_group(self.state, change, self.settings.assignors)
        targets, so_far = new_targets(self.state, change, assignor, self.host.topics)
        records.extend(target_records(self.group_id, targets, so_far, group_epoch, self.host.wall_ms))
        return group_epoch, targets[change.member.member_id]

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
