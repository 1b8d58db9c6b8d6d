"""One step of a member towards its target: the cases of Kafka's CurrentAssignmentBuilderTest, as a table."""

from typing import NamedTuple

import pytest

from holdwater.core.groups.consumer.member import ConsumerMember, MemberState, Partitions
from holdwater.core.groups.consumer.reconcile import Goal, next_step

T1, T2 = b"\x01" * 16, b"\x02" * 16
STABLE, UNREVOKED, UNRELEASED, UNKNOWN = MemberState
ALL_OWNED: None = None
"""A heartbeat that does not say what the member has."""


class Case(NamedTuple):
    """Partitions are of topic 1 unless given as a mapping; epochs of assignment are left out."""

    state: MemberState
    epochs: tuple[int, int]
    """Member epoch, and the epoch before it."""
    assigned: tuple[int, ...]
    revoking: tuple[int, ...]
    target: tuple[int, tuple[int, ...]]
    """Assignment epoch and partitions."""
    taken: tuple[int, ...]
    """Partitions that others own."""
    owned: tuple[int, ...] | None
    then: tuple[MemberState, int, int, tuple[int, ...], tuple[int, ...]] | None
    subscription_changed: bool = False
    subscribed: tuple[bytes, ...] = (T1, T2)


CASES = {
    "settled": Case(STABLE, (10, 9), (1, 2), (), (10, (1, 2)), (), None, (STABLE, 10, 9, (1, 2), ())),
    "a newer epoch changes nothing for it": Case(STABLE, (10, 9), (1, 2), (), (11, (1, 2)), (), None, (STABLE, 11, 10, (1, 2), ())),
    "more, and it is free": Case(STABLE, (10, 9), (1, 2), (), (11, (1, 2, 4)), (), None, (STABLE, 11, 10, (1, 2, 4), ())),
    "more, and others have it": Case(STABLE, (10, 9), (1, 2), (), (11, (1, 2, 4)), (4,), None, (UNRELEASED, 11, 10, (1, 2), ())),
    "more, and some of it is free": Case(STABLE, (10, 9), (1,), (), (11, (1, 2, 4)), (4,), None, (UNRELEASED, 11, 10, (1, 2), ())),
    "it must give up": Case(STABLE, (10, 9), (1, 2, 3), (), (11, (2, 3, 4)), (), ALL_OWNED, (UNREVOKED, 10, 10, (2, 3), (1,))),
    "it must give up what it says it has not": Case(STABLE, (10, 9), (1, 2), (), (11, (2, 4)), (), (2,), (STABLE, 11, 10, (2, 4), ())),
    "it has not given up yet": Case(UNREVOKED, (10, 9), (2,), (1,), (11, (2, 4)), (), (1, 2), (UNREVOKED, 10, 9, (2,), (1,))),
    "it does not say": Case(UNREVOKED, (10, 9), (2,), (1,), (11, (2, 4)), (), ALL_OWNED, (UNREVOKED, 10, 9, (2,), (1,))),
    "it has given up": Case(UNREVOKED, (10, 9), (2,), (1,), (11, (2, 4)), (), (2,), (STABLE, 11, 10, (2, 4), ())),
    "it has given up, others have not": Case(UNREVOKED, (10, 9), (2,), (1,), (11, (2, 4)), (4,), (2,), (UNRELEASED, 11, 10, (2,), ())),
    "it has given up, and must give up more": Case(
        UNREVOKED, (10, 9), (2, 3), (1,), (12, (3,)), (), (2, 3), (UNREVOKED, 10, 10, (3,), (2,))
    ),
    "what it gives up comes back": Case(UNREVOKED, (10, 9), (2,), (1,), (12, (1, 2)), (), (2,), (STABLE, 12, 10, (1, 2), ())),
    "still waiting": Case(UNRELEASED, (11, 11), (2,), (), (11, (2, 4)), (4,), None, (UNRELEASED, 11, 11, (2,), ())),
    "released": Case(UNRELEASED, (11, 10), (2,), (), (11, (2, 4)), (), None, (STABLE, 11, 11, (2, 4), ())),
    "waiting, and it must give up": Case(UNRELEASED, (11, 10), (2, 3), (), (12, (3, 4)), (), None, (UNREVOKED, 11, 11, (3,), (2,))),
    "waiting for what it needs no more": Case(UNRELEASED, (11, 10), (2,), (), (12, (2,)), (4,), None, (STABLE, 12, 11, (2,), ())),
    "joining": Case(STABLE, (0, -1), (), (), (7, (1, 2)), (), (), (STABLE, 7, 0, (1, 2), ())),
    "a state of a newer Kafka": Case(UNKNOWN, (10, 9), (2,), (1,), (11, (2,)), (), (2,), None),
    "a state of a newer Kafka, not said": Case(UNKNOWN, (10, 9), (2,), (1,), (11, (2,)), (), None, None),
    "a state of a newer Kafka, it joins again": Case(UNKNOWN, (10, 9), (2,), (1,), (11, (2,)), (), (), (STABLE, 11, 10, (2,), ())),
    "unsubscribed, the target is older": Case(
        STABLE, (10, 9), (1, 2), (), (10, (1, 2)), (), None, (UNREVOKED, 10, 10, (), (1, 2)), subscription_changed=True, subscribed=(T2,)
    ),
    "unsubscribed, nothing in use": Case(
        STABLE, (10, 9), (1, 2), (), (10, (1, 2)), (), (), (STABLE, 10, 10, (), ()), subscription_changed=True, subscribed=()
    ),
    "unsubscribed while giving up": Case(
        UNREVOKED, (10, 9), (2,), (1,), (11, (2,)), (), (1, 2), (UNREVOKED, 10, 10, (), (1, 2)), subscription_changed=True, subscribed=()
    ),
    "the target has what is not subscribed to": Case(
        STABLE, (10, 9), (1,), (), (11, (1, 2)), (), None, (UNREVOKED, 10, 10, (), (1,)), subscription_changed=True, subscribed=(T2,)
    ),
    "nothing of the target is subscribed to": Case(
        STABLE, (10, 9), (), (), (11, (1, 2)), (), None, (STABLE, 11, 10, (), ()), subscribed=(T2,)
    ),
    "subscribed to more, the target is older": Case(
        STABLE, (10, 9), (1,), (), (10, (1,)), (), None, (STABLE, 10, 9, (1,), ()), subscription_changed=True
    ),
}


def of_topic(numbers: tuple[int, ...], epoch: int) -> Partitions:
    return {T1: dict.fromkeys(numbers, epoch)} if numbers else {}


def numbers_of(partitions: Partitions) -> tuple[int, ...]:
    return tuple(sorted(partitions.get(T1, {})))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_step(case: Case) -> None:
    member = ConsumerMember(
        "m", case.epochs[0], case.epochs[1], case.state, assigned=of_topic(case.assigned, 5), pending_revocation=of_topic(case.revoking, 5)
    )
    epoch, target = case.target
    goal = Goal(epoch, {T1: target} if target else {}, case.subscribed, lambda topic_id, number: number not in case.taken)
    owned = None if case.owned is None else ({T1: case.owned} if case.owned else {})
    after = next_step(member, goal, owned, subscription_changed=case.subscription_changed)
    if case.then is None:
        assert after is None
        return
    assert after is not None
    found = (after.state, after.member_epoch, after.previous_member_epoch, numbers_of(after.assigned), numbers_of(after.pending_revocation))
    assert found == case.then


def test_a_partition_keeps_the_epoch_in_which_it_was_assigned() -> None:
    member = ConsumerMember("m", 10, 9, assigned={T1: {1: 3, 2: 8, 3: 9}})
    goal = Goal(12, {T1: (1, 2, 4)}, (T1,), lambda topic_id, number: True)
    waiting = next_step(member, goal, None, subscription_changed=False)
    assert waiting is not None
    assert (waiting.assigned, waiting.pending_revocation) == ({T1: {1: 3, 2: 8}}, {T1: {3: 9}})
    after = next_step(waiting, goal, {T1: (1, 2)}, subscription_changed=False)
    assert after is not None
    assert after.assigned == {T1: {1: 3, 2: 8, 4: 12}}


def test_a_settled_member_is_the_very_same_object() -> None:
    member = ConsumerMember("m", 10, 9, assigned={T1: {1: 3}})
    goal = Goal(10, {T1: (1,)}, (T1,), lambda topic_id, number: True)
    assert next_step(member, goal, None, subscription_changed=True) is member
