"""How a member gets from the assignment it has to the one it shall have, one step per heartbeat, so that no partition has two users (C2).

Per step, with ``target`` cut down to what the member still subscribes to:

1. It keeps what it has and shall keep. What it has and shall not keep it must give up first: it stays in its member epoch, in
   UNREVOKED_PARTITIONS, until a heartbeat that lists its partitions lists none of them.
2. Then it moves to the target's epoch and gets what is free. While something is still owned by another member it is in
   UNRELEASED_PARTITIONS and tries again with each heartbeat.

A partition that was only pending revocation from this very member counts as free for it.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

from holdwater.core.groups.consumer.member import ConsumerMember, MemberState, Partitions, Target

Owned = dict[bytes, tuple[int, ...]]
"""What a heartbeat says that the member has."""


class Goal(NamedTuple):
    """What a member is reconciled with."""

    assignment_epoch: int
    target: Target
    subscribed_topic_ids: Collection[bytes]
    """What it may have at all: the target may be older than its subscription."""
    is_free: Callable[[bytes, int], bool]
    """Whether no other member may still use the partition."""


def next_step(member: ConsumerMember, goal: Goal, owned: Owned | None, *, subscription_changed: bool) -> ConsumerMember | None:
    """The member after one step, the same one when there is nothing to do. ``None``: it is in a state of a newer Kafka, so it must join again.

    ``owned`` is ``None`` when the heartbeat does not say.
    """
    if member.state is MemberState.UNKNOWN:
        return None if owned is None or owned else _advance(member, goal, owned)
    if member.state is MemberState.STABLE and member.member_epoch == goal.assignment_epoch:
        return _drop_unsubscribed(member, goal, owned) if subscription_changed else member
    if member.state is MemberState.UNREVOKED_PARTITIONS and _still_has(owned, member.pending_revocation):
        return _drop_unsubscribed(member, goal, owned) if subscription_changed else member
    return _advance(member, goal, owned)


def _still_has(owned: Owned | None, partitions: Partitions) -> bool:
    """Whether the member may still use one of the partitions. One that does not say is taken to have them all."""
    if owned is None:
        return True
    return any(number in partitions.get(topic_id, ()) for topic_id, numbers in owned.items() for number in numbers)


def _advance(member: ConsumerMember, goal: Goal, owned: Owned | None) -> ConsumerMember:
    kept: Partitions = {}
    given_up: Partitions = {}
    for topic_id, epochs in member.assigned.items():
        wanted = goal.target.get(topic_id, ()) if topic_id in goal.subscribed_topic_ids else ()
        _split(topic_id, epochs, frozenset(wanted), kept, given_up)
    if given_up and _still_has(owned, given_up):
        return _moved(member, member.member_epoch, MemberState.UNREVOKED_PARTITIONS, kept, given_up)
    waits = False
    for topic_id, numbers in goal.target.items():
        if topic_id not in goal.subscribed_topic_ids:
            continue
        has = kept.get(topic_id, {})
        free = [number for number in numbers if number not in has and goal.is_free(topic_id, number)]
        waits = waits or len(has) + len(free) < len(numbers)
        if free:
            kept[topic_id] = {**has, **dict.fromkeys(free, goal.assignment_epoch)}
    state = MemberState.UNRELEASED_PARTITIONS if waits else MemberState.STABLE
    return _moved(member, goal.assignment_epoch, state, kept, {})


def _split(topic_id: bytes, epochs: dict[int, int], wanted: Collection[int], kept: Partitions, given_up: Partitions) -> None:
    stay = {number: epoch for number, epoch in epochs.items() if number in wanted}
    go = {number: epoch for number, epoch in epochs.items() if number not in wanted}
    if stay:
        kept[topic_id] = stay
    if go:
        given_up[topic_id] = go


def _drop_unsubscribed(member: ConsumerMember, goal: Goal, owned: Owned | None) -> ConsumerMember:
    """The target is not worked out for the new subscription yet, but what is no longer subscribed to goes at once."""
    kept = {topic_id: epochs for topic_id, epochs in member.assigned.items() if topic_id in goal.subscribed_topic_ids}
    if len(kept) == len(member.assigned):
        return member
    pending = dict(member.pending_revocation)
    for topic_id, epochs in member.assigned.items():
        if topic_id not in kept:
            pending[topic_id] = {**pending.get(topic_id, {}), **epochs}
    if _still_has(owned, pending):
        return _moved(member, member.member_epoch, MemberState.UNREVOKED_PARTITIONS, kept, pending)
    return _moved(member, member.member_epoch, member.state, kept, member.pending_revocation)


def _moved(
    member: ConsumerMember, member_epoch: int, state: MemberState, assigned: Partitions, pending_revocation: Partitions
) -> ConsumerMember:
    return member._replace(
        member_epoch=member_epoch,
        previous_member_epoch=member.member_epoch,
        state=state,
        assigned=assigned,
        pending_revocation=pending_revocation,
    )
