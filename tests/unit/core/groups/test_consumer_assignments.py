"""What makes a new target assignment, and when it is worked out."""

from tests.support.consumer_groups import GROUP, Bench, Consumer, settled

from holdwater.wire.messages import (
    ConsumerGroupPartitionMetadataKey,
    ConsumerGroupPartitionMetadataValue,
)

HEARTBEAT_MS = 5_000


def kinds(bench: Bench, since: int = 0) -> list[str]:
    """Kinds of the records since an offset; a tombstone has a minus."""
    names = ((type(entry.key).__name__.removeprefix("ConsumerGroup").removesuffix("Key"), entry.value) for entry in bench.host.log[since:])
    return [name if value is not None else "-" + name for name, value in names]


class TestAssignments:
    def test_changes_within_the_assignment_interval_wait_for_its_end(self) -> None:
        bench = Bench(topics={"orders": 4})
        consumers = [Consumer(bench, name, ["orders"]) for name in "abcd"]
        for consumer in consumers:
            consumer.settle()
        assert (bench.group.state.group_epoch, bench.group.state.assignment_epoch, bench.group.state_name) == (5, 2, "Assigning")
        bench.wait(999)
        consumers[1].settle()
        assert bench.group.state.assignment_epoch == 2
        bench.wait(1)
        consumers[1].settle()
        assert bench.group.state.assignment_epoch == 5
        settled(bench, *consumers)
        assert sorted(len(consumer.uses) for consumer in consumers) == [1, 1, 1, 1]

    def test_a_wall_clock_that_was_set_back_does_not_stop_assignments(self) -> None:
        bench = Bench(topics={"orders": 4})
        a, b = Consumer(bench, "a", ["orders"]), Consumer(bench, "b", ["orders"])
        a.settle()
        bench.host.wall_base_ms -= 86_400_000
        b.settle()
        assert bench.group.state.assignment_epoch == bench.group.state.group_epoch == 3

    def test_partitions_and_topics_that_come_and_go(self) -> None:
        bench = Bench(topics={"orders": 2}, group_consumer_assignment_interval_ms="0")
        a = Consumer(bench, "a", ["orders", "returns"])
        a.settle()
        bench.put_topic("orders", 3)
        a.settle()
        assert bench.owned_names("a") == {"orders": [0, 1, 2]}
        bench.put_topic("returns", 1)
        a.settle()
        assert bench.owned_names("a") == {"orders": [0, 1, 2], "returns": [0]}
        bench.drop_topic("orders")
        a.settle()
        assert bench.owned_names("a") == {"returns": [0]}
        epoch = bench.group.state.group_epoch
        bench.put_topic("something-else", 5)
        a.settle()
        assert bench.group.state.group_epoch == epoch, "it is no topic of this group"

    def test_another_rack_raises_the_group_epoch(self) -> None:
        bench = Bench(topics={"orders": 2}, group_consumer_assignment_interval_ms="0")
        a = Consumer(bench, "a", ["orders"])
        a.settle()
        bench.host.topics.racks_of["orders", 1] = ("east",)
        bench.host.topics.version += 1
        bench.group.topics_changed()
        a.settle()
        assert bench.group.state.group_epoch == 3

    def test_a_new_coordinator_sees_what_changed_in_between(self) -> None:
        bench = Bench(topics={"orders": 2}, group_consumer_assignment_interval_ms="0")
        a = Consumer(bench, "a", ["orders"])
        a.settle()
        bench.host.topics.put("orders", 4)
        bench.reload()
        a.settle()
        assert bench.owned_names("a") == {"orders": [0, 1, 2, 3]}

    def test_another_subscription(self) -> None:
        bench = Bench(topics={"orders": 2, "returns": 2}, group_consumer_assignment_interval_ms="0")
        a = Consumer(bench, "a", ["orders"])
        a.settle()
        a.subscribe("returns")
        told = a.beat()
        assert (told.member_epoch, bench.names(told.assignment)) == (2, {}), "first it must give up"
        assert bench.names(a.beat().assignment) == {"returns": [0, 1]}
        assert a.epoch == 3

    def test_most_members_choose_the_assignor(self) -> None:
        bench = Bench(topics={"orders": 3, "returns": 3}, group_consumer_assignment_interval_ms="0")
        a, b = Consumer(bench, "a", ["orders", "returns"]), Consumer(bench, "b", ["orders", "returns"], assignor="range")
        a.settle()
        b.settle()
        settled(bench, a, b)
        assert bench.group.describe().assignor_name == "range"
        assert bench.owned_names("a") == {"orders": [0, 1], "returns": [0, 1]}
        epoch = bench.group.state.group_epoch
        a.assignor, a.sends_all = "uniform", True
        c = Consumer(bench, "c", ["orders", "returns"], assignor="uniform")
        a.settle()
        assert bench.group.state.group_epoch == epoch, "one against one: range stays"
        c.settle()
        settled(bench, a, b, c)
        assert bench.group.describe().assignor_name == "uniform"
        assert sorted(len(consumer.uses) for consumer in (a, b, c)) == [2, 2, 2]

    def test_another_assignor_asks_for_another_assignment(self) -> None:
        bench = Bench(topics={"orders": 3}, group_consumer_assignment_interval_ms="0")
        a = Consumer(bench, "a", ["orders"])
        a.settle()
        a.assignor, a.sends_all = "range", True
        a.settle()
        assert (bench.group.state.group_epoch, a.epoch, bench.group.describe().assignor_name) == (3, 3, "range")

    def test_a_record_of_an_older_kafka_is_ended(self) -> None:
        bench = Bench(topics={"orders": 2})
        bench.group.replay(ConsumerGroupPartitionMetadataKey(GROUP), ConsumerGroupPartitionMetadataValue())
        bench.join("a", "orders")
        assert "-PartitionMetadata" in kinds(bench)
        assert not bench.group.state.has_partition_metadata

    def test_a_group_of_its_own_settings(self) -> None:
        bench = Bench(topics={"orders": 2})
        bench.host.group_configs[GROUP] = {"consumer.heartbeat.interval.ms": "7000", "consumer.session.timeout.ms": "999999"}
        assert bench.join("a", "orders").heartbeat_interval_ms == 7_000
        bench.wait(59_999)
        assert not bench.group.is_empty, "group.consumer.max.session.timeout.ms is 60 s"
        bench.wait(1)
        assert bench.group.is_empty
        bench.host.group_configs[GROUP] = {"consumer.heartbeat.interval.ms": "nonsense"}
        assert bench.join("a", "orders").heartbeat_interval_ms == HEARTBEAT_MS
