"""Records as they are found in a log, and those that must never be taken in."""

import pytest
from tests.support.consumer_groups import GROUP, Bench

from holdwater.kernel.invariant import InvariantViolation
from holdwater.wire.messages import (
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMetadataKey,
    GroupMetadataKey,
)


class TestWhatMustNeverBe:
    """A live group stops the node rather than take in what would break C1 or C2."""

    def current(self, bench: Bench, member_id: str, epoch: int, partitions: list[int]) -> None:
        listed = [ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions(bench.host.topics.ids["orders"], partitions, partitions)]
        value = ConsumerGroupCurrentMemberAssignmentValue(member_epoch=epoch, previous_member_epoch=2, assigned_partitions=listed)
        bench.group.replay(ConsumerGroupCurrentMemberAssignmentKey(GROUP, member_id), value)

    def test_two_owners_of_a_partition(self) -> None:
        bench = Bench(topics={"orders": 2})
        bench.join("a", "orders")
        bench.join("b", "orders")
        with pytest.raises(InvariantViolation, match="for b is owned by a"):
            self.current(bench, "b", 3, [1])

    def test_a_member_epoch_that_falls(self) -> None:
        bench = Bench(topics={"orders": 2})
        bench.join("a", "orders")
        with pytest.raises(InvariantViolation, match="member epoch 1 after 2"):
            self.current(bench, "a", 1, [0, 1])

    def test_a_group_epoch_that_does_not_rise(self) -> None:
        bench = Bench(topics={"orders": 2})
        bench.join("a", "orders")
        with pytest.raises(InvariantViolation, match="group epoch 2 after 2"):
            bench.group.replay(ConsumerGroupMetadataKey(GROUP), ConsumerGroupMetadataValue(2, 0))

    def test_a_record_of_something_else(self) -> None:
        with pytest.raises(InvariantViolation, match="no record of a consumer group"):
            Bench().group.replay(GroupMetadataKey(GROUP), None)


def test_while_loading_the_last_owner_of_a_partition_stays_its_owner() -> None:
    """Compaction has taken away the record with which ``a`` let go."""
    bench = Bench()
    topic_id = bench.host.topics.put("orders", 1)
    one = ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions(topic_id, [0], [2])
    for member_id, assigned in (("a", [one]), ("b", [one]), ("a", [])):
        value = ConsumerGroupCurrentMemberAssignmentValue(member_epoch=3, previous_member_epoch=2, assigned_partitions=assigned)
        bench.group.replay(ConsumerGroupCurrentMemberAssignmentKey(GROUP, member_id), value)
    assert bench.group.state.owner(topic_id, 0) == "b"


def test_a_record_without_assignment_epochs_has_its_member_epoch() -> None:
    bench = Bench()
    topic_id = bench.host.topics.put("orders", 2)
    before = ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions(topic_id, [0, 1], None)
    value = ConsumerGroupCurrentMemberAssignmentValue(member_epoch=3, previous_member_epoch=2, assigned_partitions=[before])
    bench.group.replay(ConsumerGroupCurrentMemberAssignmentKey(GROUP, "a"), value)
    assert bench.group.state.members["a"].assigned == {topic_id: {0: 3, 1: 3}}


def test_records_that_this_group_never_writes_do_no_harm() -> None:
    """Tombstones of members that are not there: what compaction has left of them."""
    bench = Bench()
    for key in (
        ConsumerGroupCurrentMemberAssignmentKey(GROUP, "a"),
        ConsumerGroupTargetAssignmentMemberKey(GROUP, "a"),
        ConsumerGroupMemberMetadataKey(GROUP, "a"),
        ConsumerGroupTargetAssignmentMetadataKey(GROUP),
        ConsumerGroupMetadataKey(GROUP),
    ):
        bench.group.replay(key, None)
    assert (bench.group.is_empty, bench.group.state_name) == (True, "Dead")
