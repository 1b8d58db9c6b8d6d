"""The target assignment of a group: what every member shall have, worked out by an assignor for one group epoch."""

from typing import NamedTuple

from holdwater.core.coordinator import CoordinatorRecord, TopicsView
from holdwater.core.groups.consumer.assignors import AssignorMember, assign
from holdwater.core.groups.consumer.member import ConsumerMember, Target
from holdwater.core.groups.consumer.records import target_epoch_record, target_record
from holdwater.core.groups.consumer.state import ConsumerState, add_to_counts
from holdwater.core.groups.consumer.subscriptions import topic_ids_of, topics_of


class Change(NamedTuple):
    """A member as it will be, beside what the state has of it: itself, or the static member whose place it takes, or nothing."""

    member: ConsumerMember
    known: ConsumerMember | None


def target_after(state: ConsumerState, change: Change) -> Target:
    """The target assignment so far, which a static member inherits from the one before it."""
    return state.targets.get((change.known or change.member).member_id, {})


def preferred_assignor(state: ConsumerState, change: Change | None, default: str) -> str:
    """What most members ask for; the one that comes first in the alphabet when several are asked for as often."""
    counts = state.assignor_counts
    if change is not None:
        counts = dict(counts)
        add_to_counts(counts, change.known, change.member, lambda member: (member.server_assignor,) if member.server_assignor else ())
    return min(counts, key=lambda name: (-counts[name], name), default=default)


def assignor_of_group(state: ConsumerState, change: Change | None, allowed: tuple[str, ...]) -> str:
    """What most members ask for, if it is allowed; else the default, which comes first."""
    preferred = preferred_assignor(state, change, allowed[0])
    return preferred if preferred in allowed else allowed[0]


def new_targets(
    state: ConsumerState, change: Change | None, assignor: str, topics: TopicsView
) -> tuple[dict[str, Target], dict[str, Target | None]]:
    """The new targets by member id, and the ones so far."""
    members = dict(state.members)
    so_far: dict[str, Target | None] = dict(state.targets)
    if change is not None:
        if change.known is not None and change.known.member_id != change.member.member_id:
            del members[change.known.member_id]
            so_far[change.member.member_id] = target_after(state, change)
        members[change.member.member_id] = change.member
    counts: dict[bytes, int] = {}
    ids: dict[tuple[str, ...], tuple[bytes, ...]] = {}
    specs: list[AssignorMember] = []
    for member_id in sorted(members):
        member = members[member_id]
        names = topics_of(member, state.resolved)
        if names not in ids:
            found = topic_ids_of(names, topics)
            counts.update(found)
            ids[names] = tuple(found)
        specs.append(AssignorMember(member_id, ids[names], member.instance_id, so_far.get(member_id) or {}))
    return assign(assignor, specs, counts), so_far


def target_records(
    group_id: str, targets: dict[str, Target], so_far: dict[str, Target | None], group_epoch: int, wall_ms: int
) -> list[CoordinatorRecord]:
    """Records for the members whose target has changed, then the one that makes it the target of the group epoch."""
    records = [
        target_record(group_id, member_id, targets[member_id]) for member_id in targets if targets[member_id] != so_far.get(member_id)
    ]
    records.append(target_epoch_record(group_id, group_epoch, wall_ms))
    return records
