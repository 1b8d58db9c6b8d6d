"""Stories of one consumer group: who joins, what the group makes of it, what the answers say, and what is in the log."""

from typing import Any

import pytest
from tests.support.consumer_groups import GROUP, Bench, Consumer, Wanted, settled

from holdwater.core.coordinator import Caller
from holdwater.kernel.errors import ErrorCode

HEARTBEAT_MS = 5_000


def kinds(bench: Bench, since: int = 0) -> list[str]:
    """Kinds of the records since an offset; a tombstone has a minus."""
    names = ((type(entry.key).__name__.removeprefix("ConsumerGroup").removesuffix("Key"), entry.value) for entry in bench.host.log[since:])
    return [name if value is not None else "-" + name for name, value in names]


def test_the_first_member_gets_everything_at_once() -> None:
    bench = Bench(topics={"orders": 3})
    response = bench.join("a", "orders")
    assert (response.error_code, response.member_id, response.member_epoch) == (0, "a", 2)
    assert response.heartbeat_interval_ms == HEARTBEAT_MS
    assert bench.names(response.assignment) == {"orders": [0, 1, 2]}
    assert kinds(bench) == ["MemberMetadata", "Metadata", "TargetAssignmentMember", "TargetAssignmentMetadata", "CurrentMemberAssignment"]
    assert bench.group.state_name == "Stable"


def test_a_second_member_gets_its_part_when_the_first_has_given_it_up() -> None:
    bench = Bench(topics={"orders": 4}, group_consumer_assignment_interval_ms="0")
    a, b = Consumer(bench, "a", ["orders"]), Consumer(bench, "b", ["orders"])
    a.settle()
    b.settle()
    assert (bench.owned_names("b"), bench.group.state.members["b"].member_epoch) == ({}, 3)
    assert bench.group.state_name == "Reconciling"
    told = a.beat()
    assert (told.member_epoch, bench.names(told.assignment)) == (2, {"orders": [0, 1]})
    assert bench.names(b.beat().assignment) is None, "a has not confirmed yet"
    assert a.beat().member_epoch == 3
    assert bench.names(b.beat().assignment) == {"orders": [2, 3]}
    assert bench.group.state_name == "Stable"


def test_a_topic_that_is_listed_twice_counts_twice() -> None:
    bench = Bench(topics={"orders": 4}, group_consumer_assignment_interval_ms="0")
    a, b = Consumer(bench, "a", ["orders"]), Consumer(bench, "b", ["orders"])
    a.settle()
    b.settle()
    a.beat()
    orders = bench.host.topics.ids["orders"]
    still = bench.answered(member_id="a", member_epoch=2, topic_partitions=[Wanted(orders, [2, 3]), Wanted(orders, [0, 1])])
    assert (still.member_epoch, bench.names(b.beat().assignment)) == (2, None)


def test_a_quiet_heartbeat_writes_nothing_and_tells_no_assignment() -> None:
    bench = Bench(topics={"orders": 4})
    a = Consumer(bench, "a", ["orders"])
    a.settle()
    length = len(bench.host.log)
    response = a.beat()
    assert (response.member_epoch, response.assignment, len(bench.host.log)) == (2, None, length)


def test_a_full_request_is_told_its_assignment_again() -> None:
    bench = Bench(topics={"orders": 2})
    a = Consumer(bench, "a", ["orders"])
    a.settle()
    length = len(bench.host.log)
    a.sends_all = True
    assert bench.names(a.beat().assignment) == {"orders": [0, 1]}
    assert len(bench.host.log) == length


def test_the_server_makes_up_a_member_id_for_version_0() -> None:
    bench = Bench(topics={"orders": 1})
    fields: dict[str, Any] = {"subscribed_topic_names": ["orders"], "topic_partitions": [], "rebalance_timeout_ms": 1000}
    first = bench.answered(caller=Caller(0), member_id="", member_epoch=0, **fields)
    second = bench.answered(caller=Caller(0), member_id="", member_epoch=0, **fields)
    assert len(first.member_id or "") == 22
    assert first.member_id != second.member_id
    assert sorted(bench.group.state.members) == sorted([first.member_id, second.member_id])


def test_no_member_id_begins_with_a_dash() -> None:
    bench = Bench()
    fields: dict[str, Any] = {"subscribed_topic_names": ["orders"], "topic_partitions": [], "rebalance_timeout_ms": 1000}
    ids = [bench.answered(caller=Caller(0), member_id="", member_epoch=0, **fields).member_id or "-" for _ in range(200)]
    assert not [member_id for member_id in ids if member_id.startswith("-")]


def test_an_answer_waits_for_the_commit_and_fails_with_it() -> None:
    bench = Bench(topics={"orders": 1})
    fields: dict[str, Any] = {"member_id": "a", "subscribed_topic_names": ["orders"], "topic_partitions": [], "rebalance_timeout_ms": 1000}
    bench.host.hold()
    assert bench.send(member_epoch=0, **fields) is None
    assert bench.send(member_id="a", member_epoch=2) is None, "the heartbeat has seen what is not committed"
    bench.host.release()
    assert [answer.member_epoch for answer in bench.answers] == [2, 2]
    bench.host.hold()
    bench.send(member_epoch=0, **fields)
    bench.host.lose(ErrorCode.NOT_COORDINATOR)
    assert bench.answers[-1].error_code == ErrorCode.NOT_COORDINATOR


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (ErrorCode.NOT_COORDINATOR, ErrorCode.NOT_COORDINATOR),
        (ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.COORDINATOR_NOT_AVAILABLE),
        (ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.UNKNOWN_SERVER_ERROR),
    ],
)
def test_a_refused_append_leaves_nothing_behind(failure: ErrorCode, told: ErrorCode) -> None:
    bench = Bench(topics={"orders": 1})
    bench.host.fail_next(failure)
    assert bench.join("a", "orders").error_code == told
    assert (bench.group.is_empty, bench.host.log, bench.host.pending_timers()) == (True, [], 0)
    assert bench.join("a", "orders").member_epoch == 2


def test_a_topic_that_grew_while_an_append_was_refused_is_not_forgotten() -> None:
    bench = Bench(topics={"orders": 1}, group_consumer_assignment_interval_ms="0")
    a = Consumer(bench, "a", ["orders"])
    a.settle()
    bench.put_topic("orders", 2)
    bench.host.fail_next(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    a.beat()
    a.settle()
    assert bench.owned_names("a") == {"orders": [0, 1]}


class TestEpochs:
    def test_joining_again_with_epoch_0_keeps_the_member_and_what_it_has(self) -> None:
        bench = Bench(topics={"orders": 2})
        bench.join("a", "orders")
        length = len(bench.host.log)
        response = bench.join("a", "orders")
        assert (response.member_epoch, bench.names(response.assignment)) == (2, {"orders": [0, 1]})
        assert len(bench.host.log) == length

    def test_a_lost_answer_is_made_good(self) -> None:
        bench = Bench(topics={"orders": 4}, group_consumer_assignment_interval_ms="0")
        a, b = Consumer(bench, "a", ["orders"]), Consumer(bench, "b", ["orders"])
        a.settle()
        b.settle()
        a.beat()
        assert a.beat(lose_answer=True).member_epoch == 3
        assert (a.beat().error_code, a.epoch, len(a.uses)) == (0, 3, 2)

    @pytest.mark.parametrize(
        ("epoch", "owned", "error"),
        [
            pytest.param(4, None, ErrorCode.FENCED_MEMBER_EPOCH, id="greater"),
            pytest.param(3, None, ErrorCode.NONE, id="current"),
            pytest.param(2, [0, 1], ErrorCode.NONE, id="the one before, with what it has"),
            pytest.param(2, [], ErrorCode.NONE, id="the one before, with less"),
            pytest.param(2, [0, 3], ErrorCode.FENCED_MEMBER_EPOCH, id="the one before, with more than it has"),
            pytest.param(2, None, ErrorCode.FENCED_MEMBER_EPOCH, id="the one before, and it does not say"),
            pytest.param(1, [], ErrorCode.FENCED_MEMBER_EPOCH, id="older"),
        ],
    )
    def test_member_epoch(self, epoch: int, owned: list[int] | None, error: ErrorCode) -> None:
        bench = Bench(topics={"orders": 4}, group_consumer_assignment_interval_ms="0")
        a, b = Consumer(bench, "a", ["orders"]), Consumer(bench, "b", ["orders"])
        a.settle()
        b.settle()
        settled(bench, a, b)
        member = bench.group.state.members["a"]
        assert (member.member_epoch, member.previous_member_epoch, bench.owned_names("a")) == (3, 2, {"orders": [0, 1]})
        listed = None if owned is None else [Wanted(bench.host.topics.ids["orders"], owned)] if owned else []
        response = bench.answered(member_id="a", member_epoch=epoch, topic_partitions=listed)
        assert response.error_code == error

    def test_an_unknown_member_is_told_so(self) -> None:
        bench = Bench(topics={"orders": 4})
        bench.join("a", "orders")
        assert bench.answered(member_id="b", member_epoch=2).error_code == ErrorCode.UNKNOWN_MEMBER_ID
        assert bench.answered(member_id="b", member_epoch=-1).error_code == ErrorCode.UNKNOWN_MEMBER_ID

    def test_epochs_rise_over_leaving_and_a_new_coordinator(self) -> None:
        bench = Bench(topics={"orders": 4}, group_consumer_assignment_interval_ms="0")
        epochs: list[int] = []
        for _ in range(3):
            a = Consumer(bench, "a", ["orders"])
            a.settle()
            epochs.append(a.epoch)
            a.leave()
            epochs.append(bench.group.state.group_epoch)
            bench.reload()
        assert epochs == sorted(set(epochs))


class TestLeaving:
    def test_partitions_are_free_at_once(self) -> None:
        bench = Bench(topics={"orders": 2}, group_consumer_assignment_interval_ms="0")
        a, b = Consumer(bench, "a", ["orders"]), Consumer(bench, "b", ["orders"])
        a.settle()
        b.settle()
        settled(bench, a, b)
        length = len(bench.host.log)
        left = a.leave()
        assert (left.error_code, left.member_id, left.member_epoch) == (0, "a", -1)
        assert kinds(bench, length) == ["-CurrentMemberAssignment", "-TargetAssignmentMember", "-MemberMetadata", "Metadata"]
        assert bench.names(b.beat().assignment) == {"orders": [0, 1]}

    def test_the_last_one_leaves_an_empty_group_that_can_be_deleted(self) -> None:
        bench = Bench(topics={"orders": 2})
        bench.join("a", "orders")
        bench.answered(member_id="a", member_epoch=-1)
        state = bench.group.state
        assert (bench.group.is_empty, bench.group.state_name, state.group_epoch, state.assignment_epoch) == (True, "Empty", 3, 3)
        assert bench.host.pending_timers() == 0
        for record in bench.group.tombstones():
            bench.group.replay(record.key, record.value)
        assert bench.group.state_name == "Dead"

    def test_tombstones_end_every_key_of_the_log(self) -> None:
        bench = Bench(topics={"orders": 2})
        bench.join("a", "orders")
        bench.join("b", subscribed_topic_regex="ord.*", subscribed_topic_names=None)
        bench.wait()
        ended = {repr(record.key) for record in bench.group.tombstones()}
        assert {repr(entry.key) for entry in bench.host.log} <= ended

    def test_who_joins_next_need_not_wait_for_the_assignment_interval(self) -> None:
        bench = Bench(topics={"orders": 2})
        bench.join("a", "orders")
        bench.answered(member_id="a", member_epoch=-1)
        assert bench.names(bench.join("b", "orders").assignment) == {"orders": [0, 1]}


class TestLateAssignment:
    """Members that come within the assignment interval have one target together, when it is over."""

    def test_it_comes_by_itself(self) -> None:
        bench = Bench(topics={"orders": 6})
        for name in ("a", "b", "c"):
            bench.join(name, "orders")
        state = bench.group.state
        assert (bench.group.state_name, state.assignment_epoch) == ("Assigning", 2)
        bench.wait(999)
        assert state.assignment_epoch == 2
        bench.wait(1)
        assert (bench.group.state_name, state.assignment_epoch) == ("Reconciling", state.group_epoch)
        assert [sum(map(len, state.targets[name].values())) for name in ("a", "b", "c")] == [2, 2, 2]

    def test_one_round_of_heartbeats_is_enough_when_the_owner_comes_first(self) -> None:
        bench = Bench(topics={"orders": 6})
        consumers = [Consumer(bench, name, ["orders"]) for name in ("a", "b", "c")]
        for consumer in consumers:
            consumer.settle()
        bench.wait(5_000)
        for consumer in consumers:
            consumer.settle()
        assert bench.group.state_name == "Stable"
        assert [len(consumer.uses) for consumer in consumers] == [2, 2, 2]

    def test_not_when_everybody_has_left(self) -> None:
        bench = Bench(topics={"orders": 6})
        bench.join("a", "orders")
        bench.join("b", "orders")
        for name in ("a", "b"):
            bench.answered(member_id=name, member_epoch=-1)
        count = len(bench.host.log)
        bench.wait(2_000)
        assert len(bench.host.log) == count

    def test_not_after_another_has_become_the_coordinator(self) -> None:
        bench = Bench(topics={"orders": 6})
        bench.join("a", "orders")
        bench.join("b", "orders")
        bench.group.unloaded(ErrorCode.NOT_COORDINATOR)
        assert bench.host.pending_timers() == 0


def test_a_full_group_takes_nobody_else() -> None:
    bench = Bench(topics={"orders": 2}, group_consumer_max_size="2", group_consumer_assignment_interval_ms="0")
    bench.join("a", "orders", instance_id="one")
    bench.join("b", "orders")
    assert bench.join("c", "orders").error_code == ErrorCode.GROUP_MAX_SIZE_REACHED
    assert bench.join("b", "orders").error_code == 0
    bench.answered(member_id="a", member_epoch=-2, instance_id="one")
    assert bench.join("a2", "orders", instance_id="one").error_code == 0, "it takes a place that is taken"


def test_describe() -> None:
    bench = Bench(topics={"orders": 4, "returns": 1}, group_consumer_assignment_interval_ms="0")
    a, b = Consumer(bench, "a", ["orders", "returns"], instance_id="one"), Consumer(bench, "b", ["orders"])
    a.settle()
    b.settle()
    a.beat()
    bench.drop_topic("returns")
    found = bench.group.describe()
    assert (found.group_id, found.group_state, found.group_epoch, found.assignment_epoch) == (GROUP, "Reconciling", 3, 3)
    first, second = found.members
    assert (first.member_id, first.instance_id, first.member_epoch, first.subscribed_topic_names) == ("a", "one", 2, ["orders", "returns"])
    assert (first.client_id, first.client_host, first.member_type) == ("client", "/127.0.0.1", 1)
    assert [(each.topic_name, each.partitions) for each in first.assignment.topic_partitions] == [("orders", [0, 1, 2, 3])], (
        "what it gives up too"
    )
    assert [(each.topic_name, len(each.partitions)) for each in first.target_assignment.topic_partitions] == [("orders", 2)]
    assert (second.member_epoch, second.assignment.topic_partitions) == (3, [])


def test_is_subscribed_to() -> None:
    bench = Bench(topics={"orders": 1, "returns": 1, "other": 1})
    bench.join("a", "orders")
    bench.join("b", subscribed_topic_regex="ret.*", subscribed_topic_names=None)
    bench.wait()
    assert [bench.group.is_subscribed_to(name) for name in ("orders", "returns", "other")] == [True, True, False]


def test_an_answer_that_failed_may_have_been_written_all_the_same() -> None:
    bench = Bench(topics={"orders": 2})
    bench.host.hold()
    bench.send(member_id="a", member_epoch=0, subscribed_topic_names=["orders"], topic_partitions=[], rebalance_timeout_ms=1000)
    bench.host.lose(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    assert bench.answers[-1].error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    again = bench.join("a", "orders", rebalance_timeout_ms=1000)
    assert (again.member_epoch, bench.names(again.assignment), len(bench.group.state.members)) == (2, {"orders": [0, 1]}, 1)
