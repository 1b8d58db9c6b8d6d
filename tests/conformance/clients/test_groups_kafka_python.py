"""Classic groups of kafka-python, alone and together with librdkafka, and its administration of groups."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from kafka import KafkaConsumer, OffsetAndMetadata
from kafka.admin import KafkaAdminClient, MemberToRemove
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.structs import TopicPartition
from tests.conformance.clients.librdkafka import PROTOCOLS, Member, fill
from tests.conformance.clients.targets import bootstrap
from tests.support.cluster import Brokers

ASSIGNORS = {
    "range": RangePartitionAssignor,
    "roundrobin": RoundRobinPartitionAssignor,
    "cooperative-sticky": CooperativeStickyAssignor,
}


class PythonMember:
    """A consumer of kafka-python, polled by the test."""

    def __init__(self, kafka: Brokers, group: str, topics: list[str] | None = None, pattern: str | None = None, **settings: Any) -> None:
        self.consumer = KafkaConsumer(
            bootstrap_servers=bootstrap(kafka),
            group_id=group,
            auto_offset_reset="earliest",
            session_timeout_ms=6_000,
            heartbeat_interval_ms=300,
            **{"enable_auto_commit": False, **settings},
        )
        for topic in topics or ():
            self.consumer.partitions_for_topic(topic)  # otherwise it joins twice, and may then stop to take part (kafka-python 3.0.12)
        self.consumer.subscribe(topics=topics or (), pattern=pattern)
        self.values: list[str] = []

    @property
    def assigned(self) -> list[tuple[str, int]]:
        return sorted((place.topic, place.partition) for place in self.consumer.assignment())

    def poll(self) -> None:
        for records in self.consumer.poll(timeout_ms=500).values():
            self.values += [record.value.decode() for record in records]

    # All at once: a join that is answered between two polls is thrown away by kafka-python 3.0.12, which then joins again and again.
    def until(self, good: Callable[[], bool], *others: "PythonMember | Member", seconds: float = 40.0) -> None:
        deadline = time.monotonic() + seconds
        while not good():
            told = [(member.assigned, len(member.values)) for member in (self, *others)]
            assert time.monotonic() < deadline, f"still not so after {seconds:g} s: {told}"
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda member: member.poll(), (self, *others)))

    def committed(self, topic: str) -> list[int | None]:
        return [self.consumer.committed(TopicPartition(topic, partition)) for partition in range(6)]

    def leave(self) -> None:
        self.consumer.close()


@pytest.mark.parametrize(
    "assignor", ["cooperative-sticky", *(pytest.param(name, marks=pytest.mark.slow) for name in ("range", "roundrobin"))]
)
def test_members_share_the_partitions_as_they_come_and_go(kafka: Brokers, shared: str, assignor: str) -> None:
    settings = {"partition_assignment_strategy": (ASSIGNORS[assignor],)}
    first = PythonMember(kafka, shared, [shared], **settings)
    first.until(lambda: len(first.assigned) == 6)
    second = PythonMember(kafka, shared, [shared], **settings)
    first.until(lambda: len(first.assigned) == len(second.assigned) == 3, second)
    assert not set(first.assigned) & set(second.assigned)
    other = Member(kafka, shared, [shared], **PROTOCOLS[assignor])
    first.until(lambda: len(first.assigned) == len(second.assigned) == len(other.assigned) == 2, second, other)
    first.leave()
    second.until(lambda: len(second.assigned) == len(other.assigned) == 3, other)
    other.leave()
    second.until(lambda: len(second.assigned) == 6)
    second.leave()


def test_commits_seek_and_the_next_member(kafka: Brokers, shared: str) -> None:
    values = fill(kafka, shared, 60)
    first = PythonMember(kafka, shared, [shared])
    first.until(lambda: len(first.values) == 60)
    assert first.committed(shared) == [None] * 6
    first.consumer.commit({TopicPartition(shared, partition): OffsetAndMetadata(4, "a word", 0) for partition in range(5)})
    assert first.committed(shared) == [4, 4, 4, 4, 4, None]
    assert first.consumer.committed(TopicPartition(shared, 1), metadata=True).metadata == "a word"
    first.consumer.seek(TopicPartition(shared, 5), 9)
    first.until(lambda: len(first.values) == 61)
    assert first.values[-1] == "59"
    first.leave()
    second = PythonMember(kafka, shared, [shared])
    second.until(lambda: len(second.values) == 40)
    assert sorted(second.values, key=int) == [value for value in values if int(value) % 6 == 5 or int(value) >= 24]
    second.consumer.commit()
    assert second.committed(shared) == [10] * 6
    second.leave()


def test_auto_commit_and_topics_by_pattern(kafka: Brokers, shared: str) -> None:
    kafka.create_topic(f"{shared}-more", partitions=6)
    fill(kafka, shared, 12)
    fill(kafka, f"{shared}-more", 12)
    first = PythonMember(kafka, shared, pattern=f"^{shared}.*", enable_auto_commit=True, auto_commit_interval_ms=200)
    first.until(lambda: len(first.values) == 24)
    first.until(lambda: first.committed(shared) == first.committed(f"{shared}-more") == [2] * 6)
    fill(kafka, shared, 6)
    first.until(lambda: len(first.values) == 30)
    first.leave()
    second = PythonMember(kafka, shared, [shared])
    second.until(lambda: len(second.assigned) == 6)
    assert second.committed(shared) == [3] * 6
    second.leave()


@pytest.mark.slow
def test_static_members(kafka: Brokers, shared: str) -> None:
    one = PythonMember(kafka, shared, [shared], group_instance_id="one")
    two = PythonMember(kafka, shared, [shared], group_instance_id="two")
    one.until(lambda: len(one.assigned) == len(two.assigned) == 3, two)
    before = one.assigned
    one.leave()
    again = PythonMember(kafka, shared, [shared], group_instance_id="one")
    again.until(lambda: again.assigned == before, two)
    again.leave()
    two.until(lambda: len(two.assigned) == 6)
    two.leave()


def test_what_an_administrator_sees_and_changes(kafka: Brokers, shared: str) -> None:
    fill(kafka, shared, 12)
    admin = KafkaAdminClient(bootstrap_servers=bootstrap(kafka))
    member = PythonMember(kafka, shared, [shared], group_instance_id="one", client_id="a-client")
    member.until(lambda: len(member.values) == 12)
    member.consumer.commit()
    described = admin.describe_groups([shared])[shared]
    assert (described["error"], described["group_state"], described["protocol_type"], described["protocol_data"]) == (
        None,
        "Stable",
        "consumer",
        "range",
    )
    (only,) = described["members"]
    assert (only["client_id"], only["client_host"], only["group_instance_id"]) == ("a-client", "/127.0.0.1", "one")
    listed = {group["group_id"]: group for group in admin.list_groups()}
    assert (listed[shared]["group_state"], listed[shared]["protocol_type"]) == ("Stable", "consumer")
    assert shared not in {group["group_id"] for group in admin.list_groups(states_filter=["Empty"])}
    places = [TopicPartition(shared, partition) for partition in range(6)]
    assert {place: found.offset for place, found in admin.list_group_offsets([shared])[shared].items()} == dict.fromkeys(places, 2)
    assert "NonEmptyGroup" in str(admin.delete_groups([shared]))
    member.leave()
    removed = admin.remove_group_members(shared, [MemberToRemove(group_instance_id="one")])
    assert [error.__name__ for error in removed.values()] == ["NoError"]
    assert admin.describe_groups([shared])[shared]["group_state"] == "Empty"
    admin.alter_group_offsets(shared, {places[0]: OffsetAndMetadata(1, "", -1)})
    admin.delete_group_offsets(shared, places[1:3])
    found = {place.partition: offset.offset for place, offset in admin.list_group_offsets([shared])[shared].items()}
    assert found == {0: 1, 3: 2, 4: 2, 5: 2}
    admin.delete_groups([shared])
    assert shared not in {group["group_id"] for group in admin.list_groups()}
    admin.close()
