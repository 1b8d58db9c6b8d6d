"""LeaveGroup to a consumer group: how an administrator removes members that do not leave by themselves."""

import pytest
from tests.support.consumer_groups import Bench, Consumer, settled

from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import LeaveGroupRequest, LeaveGroupResponse

Identity = LeaveGroupRequest.MemberIdentity


def bench_of_three() -> tuple[Bench, list[Consumer]]:
    bench = Bench(topics={"orders": 6}, group_consumer_assignment_interval_ms="0")
    consumers = [
        Consumer(bench, "a", ["orders"], instance_id="one"),
        Consumer(bench, "b", ["orders"]),
        Consumer(bench, "c", [], regex="ord.*"),
    ]
    for consumer in consumers:
        consumer.settle()
    settled(bench, *consumers)
    return bench, consumers


def remove(bench: Bench, *identities: Identity) -> list[tuple[str, str | None, int]]:
    answers: list[LeaveGroupResponse] = []
    bench.host.run(bench.group.remove(identities, answers.append))
    (response,) = answers
    assert response.error_code == ErrorCode.NONE
    return [(left.member_id, left.group_instance_id, left.error_code) for left in response.members]


@pytest.mark.parametrize(
    ("member_id", "instance_id", "error"),
    [
        ("a", None, ErrorCode.NONE),
        ("", "one", ErrorCode.NONE),
        ("a", "one", ErrorCode.NONE),
        ("b", "one", ErrorCode.FENCED_INSTANCE_ID),
        ("", "two", ErrorCode.UNKNOWN_MEMBER_ID),
        ("a", "two", ErrorCode.UNKNOWN_MEMBER_ID),
        ("x", None, ErrorCode.UNKNOWN_MEMBER_ID),
        ("", None, ErrorCode.UNKNOWN_MEMBER_ID),
    ],
)
def test_who_is_meant(member_id: str, instance_id: str | None, error: ErrorCode) -> None:
    bench, _ = bench_of_three()
    group_epoch = bench.group.state.group_epoch
    assert remove(bench, Identity(member_id=member_id, group_instance_id=instance_id)) == [(member_id, instance_id, error)]
    removed = error == ErrorCode.NONE
    assert sorted(bench.group.state.members) == (["b", "c"] if removed else ["a", "b", "c"])
    assert bench.group.state.group_epoch == group_epoch + removed


def test_several_at_once_raise_the_group_epoch_once_and_the_rest_takes_over() -> None:
    bench, (_, b, _) = bench_of_three()
    group_epoch = bench.group.state.group_epoch
    left = remove(bench, Identity(member_id="c"), Identity(member_id="x"), Identity(group_instance_id="one", member_id=""))
    assert [error for _, _, error in left] == [ErrorCode.NONE, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.NONE]
    assert (sorted(bench.group.state.members), bench.group.state.group_epoch) == (["b"], group_epoch + 1)
    assert (bench.group.state.resolved, bench.group.state.static_members) == ({}, {})
    settled(bench, b)
    assert bench.owned_names("b") == {"orders": [0, 1, 2, 3, 4, 5]}
    assert bench.rebuilt().state == bench.group.state


def test_all_of_them_leave_an_empty_group_and_one_named_twice_goes_once() -> None:
    bench, _ = bench_of_three()
    names = ("a", "b", "c", "a")
    assert [error for _, _, error in remove(bench, *(Identity(member_id=name) for name in names))] == [ErrorCode.NONE] * 4
    assert (bench.group.is_empty, bench.group.state_name) == (True, "Empty")
    assert bench.rebuilt().state == bench.group.state


def test_what_could_not_be_stored_is_told_and_nobody_is_gone() -> None:
    bench, _ = bench_of_three()
    answers: list[LeaveGroupResponse] = []
    decision = bench.group.remove([Identity(member_id="a")], answers.append)
    assert decision.failed is not None
    decision.failed(ErrorCode.NOT_ENOUGH_REPLICAS)
    assert [answer.error_code for answer in answers] == [ErrorCode.COORDINATOR_NOT_AVAILABLE]
    assert sorted(bench.group.state.members) == ["a", "b", "c"]
