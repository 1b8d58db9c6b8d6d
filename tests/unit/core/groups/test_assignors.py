"""The assignors: what Kafka's answer for the same groups, and what must hold for any group."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdwater.core.groups.consumer.assignors import AssignorMember, assign
from holdwater.core.groups.consumer.member import Target

Plain = dict[str, dict[int, tuple[int, ...]]]
T1, T2, T3, T4 = 1, 2, 3, 4


def topic(number: int) -> bytes:
    return number.to_bytes(16, "big")


def target_of(plain: dict[int, tuple[int, ...]]) -> Target:
    return {topic(number): partitions for number, partitions in sorted(plain.items())}


def member(
    name: str, topics: tuple[int, ...], so_far: dict[int, tuple[int, ...]] | None = None, instance: str | None = None
) -> AssignorMember:
    return AssignorMember(name, tuple(topic(number) for number in sorted(topics)), instance, target_of(so_far or {}))


def run(name: str, counts: dict[int, int], members: list[AssignorMember]) -> Plain:
    assigned = assign(name, members, {topic(number): count for number, count in counts.items()})
    return {who: {int.from_bytes(topic_id, "big"): partitions for topic_id, partitions in what.items()} for who, what in assigned.items()}


def sizes(assigned: Plain) -> dict[str, int]:
    return {who: sum(len(partitions) for partitions in what.values()) for who, what in assigned.items()}


def moves(members: list[AssignorMember], assigned: Plain) -> int:
    """Partitions that a member had and has no more."""
    return sum(
        number not in assigned[each.member_id].get(int.from_bytes(topic_id, "big"), ())
        for each in members
        for topic_id, numbers in each.target.items()
        for number in numbers
    )


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split("."))


def topics_and_numbers(text: str) -> dict[int, tuple[int, ...]]:
    return {int(number): numbers(rest) for number, _, rest in (each.partition(":") for each in text.split(",") if each)}


def kafka_cases() -> list[tuple[str, str]]:
    lines = [line for line in (Path(__file__).parent / "kafka_assignments.txt").read_text().splitlines() if not line.startswith("#")]
    return list(zip(lines[::2], lines[1::2], strict=True))


@pytest.mark.parametrize(("case", "answer"), kafka_cases())
def test_the_answer_is_kafkas(case: str, answer: str) -> None:
    name, topics, *rest = case.split("|")
    members: list[AssignorMember] = []
    for text in rest:
        member_id, instance, subscribed, so_far = text.split(";")
        subscribed_topics = tuple(int(number) for number in subscribed.split(",") if number)
        members.append(member(member_id, subscribed_topics, topics_and_numbers(so_far), instance or None))
    expected = {who: topics_and_numbers(what) for who, _, what in (each.partition(";") for each in answer.removeprefix("= ").split("|"))}

    found = run(name, {number: count for number, (count,) in topics_and_numbers(topics).items()}, members)

    if name == "uniform" and len({each.topic_ids for each in members}) == 1:
        # Which partition goes where depends there on the order of a hash table; how many each gets, and how many move, does not.
        assert sizes(found) == sizes(expected)
        assert moves(members, found) <= moves(members, expected)
    else:
        assert found == expected


RANGE = [
    pytest.param(
        {T1: 3, T3: 2},
        [member("A", (T1, T3)), member("B", (T1, T3))],
        {"A": {T1: (0, 1), T3: (0,)}, "B": {T1: (2,), T3: (1,)}},
        id="the first members get what does not divide",
    ),
    pytest.param(
        {T1: 3, T2: 3, T3: 2},
        [member("A", (T1, T2)), member("B", (T3,)), member("C", (T2, T3))],
        {"A": {T1: (0, 1, 2), T2: (0, 1)}, "B": {T3: (0,)}, "C": {T2: (2,), T3: (1,)}},
        id="different subscriptions",
    ),
    pytest.param(
        {T1: 3, T3: 2},
        [member("A", (T1, T3)), member("B", (T1, T3)), member("C", (T1, T3))],
        {"A": {T1: (0,), T3: (0,)}, "B": {T1: (1,), T3: (1,)}, "C": {T1: (2,)}},
        id="more members than partitions",
    ),
    pytest.param(
        {T1: 3, T2: 3},
        [member("A", (T1, T2), {T1: (0, 1), T2: (0, 1)}), member("B", (T1, T2), {T1: (2,), T2: (2,)}), member("C", (T1, T2))],
        {"A": {T1: (0,), T2: (0,)}, "B": {T1: (1,), T2: (1,)}, "C": {T1: (2,), T2: (2,)}},
        id="co-partitioning comes before stickiness",
    ),
    pytest.param(
        {T1: 4},
        [member("B", (T1,), instance="i2"), member("C", (T1,), instance="i1"), member("A", (T1,))],
        {"C": {T1: (0, 1)}, "B": {T1: (2,)}, "A": {T1: (3,)}},
        id="static members first, by instance id",
    ),
]


@pytest.mark.parametrize(("counts", "members", "expected"), RANGE)
def test_range(counts: dict[int, int], members: list[AssignorMember], expected: Plain) -> None:
    assert run("range", counts, members) == expected


def test_range_moves_nothing_when_a_static_member_is_back_with_another_id() -> None:
    before = run("range", {T1: 5}, [member("aaa", (T1,), instance="i1"), member("bbb", (T1,), instance="i2")])
    after = run("range", {T1: 5}, [member("bbb", (T1,), instance="i2"), member("zzz", (T1,), instance="i1")])
    assert (before["aaa"], before["bbb"]) == (after["zzz"], after["bbb"])


UNIFORM = [
    pytest.param({}, [member("A", ()), member("B", ())], {"A": {}, "B": {}}, id="nobody subscribes to anything"),
    pytest.param(
        {T1: 3, T3: 6},
        [member("A", (T1, T3)), member("B", (T3,))],
        {"A": {T1: (0, 1, 2), T3: (4,)}, "B": {T3: (0, 1, 2, 3, 5)}},
        id="what only one can have comes off its share of the rest",
    ),
    pytest.param(
        {T1: 2, T3: 1},
        [member("A", (T3,)), member("B", (T3,)), member("C", (T1,))],
        {"A": {T3: (0,)}, "B": {}, "C": {T1: (0, 1)}},
        id="more members than partitions",
    ),
    pytest.param(
        {T1: 6, T2: 4, T3: 4},
        [
            member("A", (T1,), {T1: (0, 1, 2)}),
            member("B", (T1, T2), {T1: (3,), T2: (0,)}),
            member("C", (T1, T2, T3), {T1: (4, 5), T2: (1, 2, 3), T3: (0, 1, 2, 3)}),
        ],
        {"A": {T1: (0, 1, 2, 5)}, "B": {T1: (3,), T2: (0, 1, 2, 3)}, "C": {T1: (4,), T3: (0, 1, 2, 3)}},
        id="evened out over several topics",
    ),
    pytest.param(
        {T1: 3, T2: 5},
        [member("A", (T1,), {T1: (0, 2), T2: (1, 3)}), member("B", (T1, T2), {T1: (1,), T2: (0, 2, 4)})],
        {"A": {T1: (0, 1, 2)}, "B": {T2: (0, 1, 2, 3, 4)}},
        id="a topic that is not subscribed to any more",
    ),
    pytest.param(
        {T1: 3, T2: 3},
        [member("A", (T1, T2), {T1: (0, 1), T2: (0, 1)}), member("B", (T1, T2), {T1: (2,), T2: (2,)})],
        {"A": {T1: (0, 1), T2: (0,)}, "B": {T1: (2,), T2: (1, 2)}},
        id="unbalanced before",
    ),
    pytest.param(
        {T1: 6, T2: 5},
        [member("A", (T1, T2), {T1: (0, 2), T2: (0,)}), member("B", (T1, T2), {T1: (1,), T2: (1, 2)})],
        {"A": {T1: (0, 2, 3, 4), T2: (0,)}, "B": {T1: (1, 5), T2: (1, 2, 3, 4)}},
        id="partitions added",
    ),
    pytest.param(
        {T1: 3, T2: 3},
        [member("A", (T1, T2), {T1: (0,), T2: (0,)}), member("B", (T1, T2), {T1: (1,), T2: (1,)})],
        {"A": {T1: (0, 2), T2: (0,)}, "B": {T1: (1,), T2: (1, 2)}},
        id="a member has gone",
    ),
]


@pytest.mark.parametrize(("counts", "members", "expected"), UNIFORM)
def test_uniform(counts: dict[int, int], members: list[AssignorMember], expected: Plain) -> None:
    assert run("uniform", counts, members) == expected


@st.composite
def groups(draw: st.DrawFn, *, same_topics: bool) -> tuple[dict[int, int], list[AssignorMember]]:
    counts = draw(st.dictionaries(st.integers(1, 5), st.integers(1, 12), min_size=1))
    subsets = st.sets(st.sampled_from(sorted(counts))).map(lambda chosen: tuple(sorted(chosen)))
    shared = draw(st.sets(st.sampled_from(sorted(counts)), min_size=1).map(lambda chosen: tuple(sorted(chosen))))
    owners = {(number, partition): draw(st.integers(-1, 5)) for number in counts for partition in range(counts[number])}
    members: list[AssignorMember] = []
    for place in range(draw(st.integers(1, 6))):
        had: dict[int, tuple[int, ...]] = {}
        for (number, partition), owner in owners.items():
            if owner == place:
                had[number] = (*had.get(number, ()), partition)
        members.append(member(f"m{place}", shared if same_topics else draw(subsets), had))
    return counts, members


def check_validity(counts: dict[int, int], members: list[AssignorMember], assigned: Plain) -> None:
    """Everything that somebody subscribes to has exactly one owner, who subscribes to it."""
    subscribed = {each.member_id: {int.from_bytes(topic_id, "big") for topic_id in each.topic_ids} for each in members}
    given_out = sorted((number, p) for what in assigned.values() for number, partitions in what.items() for p in partitions)
    wanted = sorted((number, p) for number in set().union(*subscribed.values()) for p in range(counts[number]))
    assert given_out == wanted
    assert all(set(what) <= subscribed[who] for who, what in assigned.items())


@given(groups(same_topics=True))
def test_uniform_is_balanced_within_one_and_moves_no_more_than_that_needs(group: tuple[dict[int, int], list[AssignorMember]]) -> None:
    counts, members = group
    assigned = run("uniform", counts, members)
    check_validity(counts, members, assigned)
    loads = sizes(assigned).values()
    assert max(loads) - min(loads) <= 1
    topics = {int.from_bytes(topic_id, "big") for topic_id in members[0].topic_ids}
    quota, extra = divmod(sum(counts[number] for number in topics), len(members))
    had = sorted((sum(len(p) for t, p in each.target.items() if int.from_bytes(t, "big") in topics) for each in members), reverse=True)
    lost = [each.target for each in members]
    unsubscribed = sum(len(p) for target in lost for t, p in target.items() if int.from_bytes(t, "big") not in topics)
    least = sum(max(0, count - quota - (place < extra)) for place, count in enumerate(had))
    assert moves(members, assigned) == least + unsubscribed


@given(groups(same_topics=False))
def test_uniform_leaves_no_move_that_would_even_out(group: tuple[dict[int, int], list[AssignorMember]]) -> None:
    counts, members = group
    assigned = run("uniform", counts, members)
    check_validity(counts, members, assigned)
    loads = sizes(assigned)
    for taker in members:
        for giver in members:
            shared = [t for t in assigned[giver.member_id] if topic(t) in taker.topic_ids]
            assert not shared or loads[giver.member_id] - loads[taker.member_id] <= 1


@given(groups(same_topics=False))
def test_range_is_contiguous_and_even_per_topic(group: tuple[dict[int, int], list[AssignorMember]]) -> None:
    counts, members = group
    assigned = run("range", counts, members)
    check_validity(counts, members, assigned)
    for number in counts:
        lengths = [len(assigned[each.member_id].get(number, ())) for each in members if topic(number) in each.topic_ids]
        assert not lengths or max(lengths) - min(lengths) <= 1
    for what in assigned.values():
        assert all(partitions == tuple(range(partitions[0], partitions[-1] + 1)) for partitions in what.values())


@settings(max_examples=50)
@given(groups(same_topics=False), st.sampled_from(["uniform", "range"]))
def test_a_second_time_moves_nothing(group: tuple[dict[int, int], list[AssignorMember]], name: str) -> None:
    counts, members = group
    assigned = run(name, counts, members)
    again = [each._replace(target=target_of(assigned[each.member_id])) for each in members]
    assert run(name, counts, again) == assigned
