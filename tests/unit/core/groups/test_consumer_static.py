"""Static members (KIP-345): away for a while, back with another member id, or gone."""

from tests.support.consumer_groups import Bench, Consumer, settled

from holdwater.kernel.errors import ErrorCode

HEARTBEAT_MS = 5_000
SESSION_MS = 45_000


class TestStaticMembers:
    def bench(self) -> tuple[Bench, Consumer, Consumer]:
        bench = Bench(topics={"orders": 4}, group_consumer_assignment_interval_ms="0")
        a, b = Consumer(bench, "a", ["orders"], instance_id="one"), Consumer(bench, "b", ["orders"], instance_id="two")
        a.settle()
        b.settle()
        settled(bench, a, b)
        return bench, a, b

    def test_back_in_time_with_another_member_id_everything_is_as_it_was(self) -> None:
        bench, a, b = self.bench()
        had = bench.owned_names("a")
        assert a.leave(-2).member_epoch == -2
        assert bench.group.state.members["a"].member_epoch == -2
        again = Consumer(bench, "a2", ["orders"], instance_id="one")
        response = again.beat()
        assert (response.error_code, response.member_epoch, bench.names(response.assignment)) == (0, 3, had)
        assert (sorted(bench.group.state.members), bench.group.state.group_epoch) == (["a2", "b"], 3)
        assert b.beat().assignment is None

    def test_its_partitions_are_kept_until_the_session_times_out(self) -> None:
        bench, a, b = self.bench()
        a.leave(-2)
        for _ in range(SESSION_MS // HEARTBEAT_MS):
            assert bench.owned_names("b") == {"orders": [2, 3]}
            b.beat()
            bench.wait(HEARTBEAT_MS)
        b.settle()
        assert bench.owned_names("b") == {"orders": [0, 1, 2, 3]}

    def test_an_instance_id_in_use_is_not_given_away(self) -> None:
        bench, _, _ = self.bench()
        assert bench.join("c", "orders", instance_id="one").error_code == ErrorCode.UNRELEASED_INSTANCE_ID

    def test_the_one_who_was_replaced_is_fenced(self) -> None:
        bench, a, _ = self.bench()
        a.leave(-2)
        Consumer(bench, "a2", ["orders"], instance_id="one").settle()
        assert bench.answered(member_id="a", member_epoch=3, instance_id="one").error_code == ErrorCode.FENCED_INSTANCE_ID
        assert bench.answered(member_id="a", member_epoch=-1, instance_id="one").error_code == ErrorCode.FENCED_INSTANCE_ID

    def test_unknown_instance(self) -> None:
        bench, _, _ = self.bench()
        assert bench.answered(member_id="a", member_epoch=3, instance_id="three").error_code == ErrorCode.UNKNOWN_MEMBER_ID
        assert bench.answered(member_id="a", member_epoch=-2, instance_id="three").error_code == ErrorCode.UNKNOWN_MEMBER_ID

    def test_leaving_for_good(self) -> None:
        bench, a, b = self.bench()
        a.leave(-1)
        b.settle()
        assert bench.owned_names("b") == {"orders": [0, 1, 2, 3]}
        assert bench.group.state.static_members == {"two": "b"}

    def test_what_it_was_giving_up_when_it_left_is_free(self) -> None:
        bench = Bench(topics={"orders": 4}, group_consumer_assignment_interval_ms="0")
        a, b = Consumer(bench, "a", ["orders"], instance_id="one"), Consumer(bench, "b", ["orders"])
        a.settle()
        b.settle()
        a.beat()
        assert bench.group.state.members["a"].pending_revocation
        a.leave(-2)
        assert bench.names(b.beat().assignment) == {"orders": [2, 3]}

    def test_back_with_another_subscription(self) -> None:
        bench, a, b = self.bench()
        bench.put_topic("returns", 2)
        a.leave(-2)
        again = Consumer(bench, "a2", ["returns"], instance_id="one")
        again.settle()
        settled(bench, again, b)
        assert (bench.owned_names("a2"), bench.owned_names("b")) == ({"returns": [0, 1]}, {"orders": [0, 1, 2, 3]})
        assert sorted(bench.group.state.targets) == ["a2", "b"]

    def test_while_it_is_away_its_old_epochs_are_fenced(self) -> None:
        bench, a, _ = self.bench()
        a.leave(-2)
        for epoch in (2, 3):
            assert bench.answered(member_id="a", member_epoch=epoch, topic_partitions=[]).error_code == ErrorCode.FENCED_MEMBER_EPOCH

    def test_when_it_is_back_it_commits_with_any_epoch_what_was_kept_for_it(self) -> None:
        bench, a, _ = self.bench()
        a.leave(-2)
        Consumer(bench, "a2", ["orders"], instance_id="one").settle()
        assert bench.group.commit_covers("a2", 0, "orders", 0)
        assert not bench.group.commit_covers("a2", 0, "orders", 2)

    def test_the_same_member_id_may_come_back_too(self) -> None:
        bench, a, _ = self.bench()
        a.leave(-2)
        assert a.beat().member_epoch == 3
        assert bench.owned_names("a") == {"orders": [0, 1]}
        assert bench.rebuilt().state == bench.group.state
