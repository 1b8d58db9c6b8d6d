"""Sessions and rebalance timeouts: who is fenced, when, and when not."""

from tests.support.consumer_groups import REBALANCE_TIMEOUT_MS, Bench, Consumer, settled

from holdwater.kernel.errors import ErrorCode

HEARTBEAT_MS = 5_000
SESSION_MS = 45_000


class TestTimeouts:
    def test_a_silent_member_loses_its_partitions_and_is_told(self) -> None:
        bench = Bench(topics={"orders": 2}, group_consumer_assignment_interval_ms="0")
        a, b = Consumer(bench, "a", ["orders"]), Consumer(bench, "b", ["orders"])
        a.settle()
        b.settle()
        settled(bench, a, b)
        for _ in range(SESSION_MS // HEARTBEAT_MS):
            bench.wait(HEARTBEAT_MS)
            b.settle()
        assert bench.owned_names("b") == {"orders": [0, 1]}
        assert a.beat().error_code == ErrorCode.UNKNOWN_MEMBER_ID

    def test_a_heartbeat_just_in_time_is_in_time(self) -> None:
        bench = Bench(topics={"orders": 2})
        a = Consumer(bench, "a", ["orders"])
        a.settle()
        for _ in range(5):
            bench.wait(SESSION_MS - 1)
            assert a.beat().error_code == 0
        bench.wait(SESSION_MS)
        assert bench.group.is_empty

    def test_whoever_does_not_give_up_in_time_is_fenced(self) -> None:
        bench = Bench(topics={"orders": 2}, group_consumer_assignment_interval_ms="0")
        a, b = Consumer(bench, "a", ["orders"]), Consumer(bench, "b", ["orders"])
        a.settle()
        b.settle()
        a.beat()
        assert bench.group.state.members["a"].pending_revocation
        for _ in range(REBALANCE_TIMEOUT_MS // HEARTBEAT_MS):
            assert bench.answered(member_id="a", member_epoch=2).error_code == 0
            b.beat()
            bench.wait(HEARTBEAT_MS)
        assert "a" not in bench.group.state.members
        b.settle()
        assert bench.owned_names("b") == {"orders": [0, 1]}

    def test_whoever_gives_up_in_time_is_not(self) -> None:
        bench = Bench(topics={"orders": 2}, group_consumer_assignment_interval_ms="0")
        a, b = Consumer(bench, "a", ["orders"]), Consumer(bench, "b", ["orders"])
        a.settle()
        b.settle()
        a.beat()
        a.beat()
        for _ in range(2 * REBALANCE_TIMEOUT_MS // HEARTBEAT_MS):
            a.beat()
            b.beat()
            bench.wait(HEARTBEAT_MS)
        assert sorted(bench.group.state.members) == ["a", "b"]

    def test_a_heartbeat_soon_after_the_first_counts_too(self) -> None:
        bench = Bench(topics={"orders": 2})
        a = Consumer(bench, "a", ["orders"])
        a.settle()
        bench.wait(500)
        a.beat()
        bench.wait(SESSION_MS - 1)
        assert not bench.group.is_empty
        bench.wait(1)
        assert bench.group.is_empty

    def test_a_static_member_that_is_away_need_not_give_up_anything(self) -> None:
        bench = Bench(topics={"orders": 2}, group_consumer_assignment_interval_ms="0")
        bench.join("a", "orders", instance_id="one", rebalance_timeout_ms=10_000)
        bench.join("b", "orders")
        bench.answered(member_id="a", member_epoch=2)
        assert bench.group.state.members["a"].pending_revocation
        bench.answered(member_id="a", member_epoch=-2, instance_id="one")
        bench.wait(11_000)
        bench.reload()
        bench.wait(11_000)
        assert "a" in bench.group.state.members

    def test_a_member_that_cannot_be_fenced_is_tried_again(self) -> None:
        bench = Bench(topics={"orders": 2})
        bench.join("a", "orders")
        bench.host.fail_next(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        bench.wait(SESSION_MS)
        assert not bench.group.is_empty
        bench.wait(1_000)
        assert bench.group.is_empty

    def test_a_fence_that_comes_to_nothing_late_says_nothing_against_who_has_joined_again(self) -> None:
        """Its records were appended, and not committed in time: they count all the same. Seed 212039."""
        bench = Bench(topics={"orders": 2})
        bench.join("a", "orders")
        bench.host.hold()
        bench.wait(SESSION_MS)
        assert bench.group.is_empty
        bench.send(member_id="a", member_epoch=0, rebalance_timeout_ms=10_000, subscribed_topic_names=["orders"], topic_partitions=[])
        bench.host.lose(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        bench.wait(SESSION_MS - 1)
        assert not bench.group.is_empty
        bench.wait(1)
        assert bench.group.is_empty

    def test_nor_does_one_of_a_member_that_did_not_give_up_in_time(self) -> None:
        bench = Bench(topics={"orders": 2}, group_consumer_assignment_interval_ms="0")
        bench.join("a", "orders", rebalance_timeout_ms=10_000)
        bench.join("b", "orders")
        bench.answered(member_id="a", member_epoch=2)
        assert bench.group.state.members["a"].pending_revocation
        bench.host.hold()
        bench.wait(10_000)
        assert "a" not in bench.group.state.members
        bench.send(member_id="a", member_epoch=0, rebalance_timeout_ms=10_000, subscribed_topic_names=["orders"], topic_partitions=[])
        bench.host.lose(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        bench.wait(HEARTBEAT_MS)
        assert "a" in bench.group.state.members

    def test_a_new_coordinator_gives_everybody_the_whole_time_again(self) -> None:
        bench = Bench(topics={"orders": 2}, group_consumer_assignment_interval_ms="0")
        bench.join("a", "orders")
        bench.wait(SESSION_MS - 1)
        bench.reload()
        bench.wait(SESSION_MS - 1)
        assert not bench.group.is_empty
        bench.wait(1)
        assert bench.group.is_empty

    def test_a_new_coordinator_also_waits_for_what_is_to_be_given_up(self) -> None:
        bench = Bench(topics={"orders": 2}, group_consumer_assignment_interval_ms="0")
        a, b = Consumer(bench, "a", ["orders"]), Consumer(bench, "b", ["orders"])
        a.settle()
        b.settle()
        a.beat()
        bench.reload()
        for _ in range(REBALANCE_TIMEOUT_MS // HEARTBEAT_MS):
            assert bench.answered(member_id="a", member_epoch=2).error_code == 0
            bench.wait(HEARTBEAT_MS)
        assert "a" not in bench.group.state.members

    def test_an_unloaded_group_has_no_deadlines(self) -> None:
        bench = Bench(topics={"orders": 2}, group_consumer_assignment_interval_ms="0")
        a, b = Consumer(bench, "a", ["orders"]), Consumer(bench, "b", ["orders"], regex="o.*")
        a.settle()
        b.settle()
        a.beat()
        assert bench.host.pending_timers() == 4, "two sessions, a's rebalance timeout, b's expression"
        bench.group.unloaded(ErrorCode.NOT_COORDINATOR)
        assert bench.host.pending_timers() == 0
