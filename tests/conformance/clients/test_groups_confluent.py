"""Groups of librdkafka's consumers with both protocols: members come and go, commit, go on where another stopped."""

import json
import time
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from tests.conformance.clients.librdkafka import PROTOCOLS, Member, fill, together
from tests.conformance.clients.targets import bootstrap
from tests.support.cluster import Brokers, eventually

BOTH_PROTOCOLS = ["range", "consumer"]
SLOW_ROUNDROBIN = [pytest.param(name, marks=pytest.mark.slow) if name == "roundrobin" else name for name in PROTOCOLS]


@pytest.fixture
def admin(kafka: Brokers) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap(kafka)})


def all_places(topic: str) -> list[tuple[str, int]]:
    return [(topic, partition) for partition in range(6)]


@pytest.mark.parametrize("protocol", SLOW_ROUNDROBIN)
def test_members_share_the_partitions_as_they_come_and_go(kafka: Brokers, shared: str, protocol: str) -> None:
    settings = PROTOCOLS[protocol]
    first = Member(kafka, shared, [shared], **settings)
    first.until(lambda: first.assigned == all_places(shared))
    second = Member(kafka, shared, [shared], **settings)
    together([first, second], lambda: len(first.assigned) == len(second.assigned) == 3)
    assert sorted(first.assigned + second.assigned) == all_places(shared)
    given = sorted(set(all_places(shared)) - set(first.assigned))
    revoked = [one for what, partitions in first.events if what == "revoked" for one in partitions]
    incremental = protocol in {"cooperative-sticky", "consumer"}
    assert sorted(revoked) == (given if incremental else all_places(shared))
    third = Member(kafka, shared, [shared], **settings)
    three = [first, second, third]
    together(three, lambda: [len(member.assigned) for member in three] == [2, 2, 2])
    assert sorted(first.assigned + second.assigned + third.assigned) == all_places(shared)
    second.leave()
    together([first, third], lambda: len(first.assigned) == len(third.assigned) == 3)
    first.leave()
    third.until(lambda: third.assigned == all_places(shared))
    third.leave()
    assert not [what for member in three for what, _ in member.events if what == "lost"]


@pytest.mark.parametrize("protocol", BOTH_PROTOCOLS)
def test_the_next_member_goes_on_where_the_last_committed(kafka: Brokers, shared: str, protocol: str) -> None:
    values = fill(kafka, shared, 60)
    first = Member(kafka, shared, [shared], **PROTOCOLS[protocol])
    first.until(lambda: len(first.taken) == 60)
    assert first.committed(shared) == [-1] * 6
    kept = [TopicPartition(shared, partition, 4, "with a word") for partition in range(5)]
    assert [(place.offset, place.error) for place in first.consumer.commit(offsets=kept, asynchronous=False) or []] == [(4, None)] * 5
    assert first.committed(shared) == [4, 4, 4, 4, 4, -1]
    assert first.consumer.committed([TopicPartition(shared, 2)], 20)[0].metadata == "with a word"
    first.leave()
    second = Member(kafka, shared, [shared], **PROTOCOLS[protocol])
    second.until(lambda: len(second.taken) >= 40)
    assert sorted(second.values, key=int) == [value for value in values if int(value) % 6 == 5 or int(value) >= 24]
    second.leave()


@pytest.mark.parametrize("protocol", BOTH_PROTOCOLS)
def test_commit_of_what_was_consumed_seek_and_position(kafka: Brokers, shared: str, protocol: str) -> None:
    fill(kafka, shared, 30)
    member = Member(kafka, shared, [shared], **PROTOCOLS[protocol])
    member.until(lambda: len(member.taken) == 30)
    last = next(message for message in reversed(member.taken) if message.partition() == 1)
    member.consumer.commit(message=last, asynchronous=False)
    assert member.committed(shared) == [-1, 5, -1, -1, -1, -1]
    member.consumer.commit(asynchronous=False)
    assert member.committed(shared) == [5] * 6
    member.consumer.seek(TopicPartition(shared, 3, 2))
    member.until(lambda: len(member.taken) == 33)
    assert member.values[30:] == ["15", "21", "27"]
    assert member.consumer.position([TopicPartition(shared, 3)])[0].offset == 5
    assert member.committed(shared) == [5] * 6
    member.leave()


@pytest.mark.parametrize("protocol", BOTH_PROTOCOLS)
def test_auto_commit(kafka: Brokers, shared: str, protocol: str) -> None:
    fill(kafka, shared, 12)
    settings: dict[str, Any] = {**PROTOCOLS[protocol], "enable.auto.commit": True, "auto.commit.interval.ms": 200}
    first = Member(kafka, shared, [shared], **settings)
    first.until(lambda: len(first.taken) == 12)
    first.until(lambda: first.committed(shared) == [2] * 6)
    fill(kafka, shared, 6)
    first.until(lambda: len(first.taken) == 18)
    first.leave()  # commits what it has taken
    second = Member(kafka, shared, [shared], **settings)
    second.until(lambda: second.assigned == all_places(shared))
    assert second.committed(shared) == [3] * 6
    fill(kafka, shared, 6)
    second.until(lambda: len(second.taken) >= 6)
    assert sorted(second.values) == ["0", "1", "2", "3", "4", "5"]
    second.leave()


@pytest.mark.parametrize("protocol", ["range", pytest.param("consumer", marks=pytest.mark.slow)])
def test_a_static_member_comes_back_to_its_partitions(kafka: Brokers, shared: str, protocol: str) -> None:
    settings = PROTOCOLS[protocol] | ({"session.timeout.ms": 3_000} if protocol == "range" else {})
    first = Member(kafka, shared, [shared], **settings, **{"group.instance.id": "one"})
    second = Member(kafka, shared, [shared], **settings, **{"group.instance.id": "two"})
    together([first, second], lambda: len(first.assigned) == len(second.assigned) == 3)
    before, told = first.assigned, list(second.events)
    first.leave()  # a static member does not leave by that
    again = Member(kafka, shared, [shared], **settings, **{"group.instance.id": "one"})
    together([again, second], lambda: again.assigned == before)
    assert second.events == told
    again.leave()
    # Nobody comes: when its session has ended, the other takes over.
    second.until(lambda: second.assigned == all_places(shared))
    second.leave()


@pytest.mark.parametrize(("protocol", "error"), [("range", KafkaError.FENCED_INSTANCE_ID), ("consumer", KafkaError.UNRELEASED_INSTANCE_ID)])
def test_two_members_of_one_instance_id(kafka: Brokers, shared: str, protocol: str, error: int) -> None:
    """In a classic group the younger wins, in a consumer group the elder."""
    settings = PROTOCOLS[protocol]
    elder = Member(kafka, shared, [shared], **settings, **{"group.instance.id": "one"})
    elder.until(lambda: elder.assigned == all_places(shared))
    younger = Member(kafka, shared, [shared], **settings, **{"group.instance.id": "one"})
    loser, winner = (elder, younger) if protocol == "range" else (younger, elder)
    together([elder, younger], lambda: bool(loser.errors) and winner.assigned == all_places(shared))
    assert loser.errors[0].code() == KafkaError._FATAL or loser.errors[0].code() == error  # pyright: ignore[reportPrivateUsage]
    assert winner.errors == []
    winner.leave()
    loser.leave()


@pytest.mark.parametrize("protocol", BOTH_PROTOCOLS)
def test_topics_by_regular_expression(kafka: Brokers, shared: str, protocol: str) -> None:
    kafka.create_topic(f"{shared}-more")
    kafka.create_topic(f"not-{shared}")
    member = Member(kafka, shared, [f"^{shared}.*"], **PROTOCOLS[protocol])
    member.until(lambda: member.assigned == sorted([*all_places(shared), (f"{shared}-more", 0)]))
    fill(kafka, shared, 6)
    fill(kafka, f"{shared}-more", 1, 1)
    member.until(lambda: len(member.taken) == 7)
    member.leave()


@pytest.mark.slow
@pytest.mark.parametrize("protocol", BOTH_PROTOCOLS)
def test_a_topic_that_is_made_later_and_one_that_grows(kafka: Brokers, shared: str, protocol: str, admin: AdminClient) -> None:
    member = Member(kafka, shared, [f"^{shared}.*"], **PROTOCOLS[protocol])
    member.until(lambda: member.assigned == all_places(shared))
    if protocol == "consumer":
        time.sleep(10)  # regular expressions are looked up anew every 10 seconds at most
    kafka.create_topic(f"{shared}-more")
    member.until(lambda: (f"{shared}-more", 0) in member.assigned)
    admin.create_partitions([NewPartitions(shared, 8)])[shared].result(20)
    member.until(lambda: len(member.assigned) == 9)
    member.leave()


@pytest.mark.parametrize("protocol", BOTH_PROTOCOLS)
def test_what_an_administrator_sees_and_changes(kafka: Brokers, shared: str, protocol: str, admin: AdminClient) -> None:
    fill(kafka, shared, 12)
    member = Member(kafka, shared, [shared], **PROTOCOLS[protocol], **{"client.id": "a-client"})
    member.until(lambda: len(member.taken) == 12)
    member.consumer.commit(asynchronous=False)

    def described() -> Any:
        return admin.describe_consumer_groups([shared])[shared].result(20)

    member.until(lambda: described().state.name == "STABLE")
    found = described()
    assert (found.type.name, found.is_simple_consumer_group) == ("CLASSIC" if protocol == "range" else "CONSUMER", False)
    assert found.partition_assignor == ("range" if protocol == "range" else "uniform")
    (only,) = found.members
    assert (only.client_id, only.group_instance_id, only.host) == ("a-client", None, "/127.0.0.1")
    assert sorted((place.topic, place.partition) for place in only.assignment.topic_partitions) == all_places(shared)
    assert found.coordinator.id in kafka.ports
    listed = {group.group_id: group for group in admin.list_consumer_groups().result().valid}
    assert (listed[shared].state.name, listed[shared].type.name) == ("STABLE", found.type.name)
    with pytest.raises(KafkaException) as refused:
        admin.delete_consumer_groups([shared])[shared].result(20)
    assert refused.value.args[0].code() == KafkaError.NON_EMPTY_GROUP
    member.leave()
    eventually(described, lambda group: group.state.name == "EMPTY")
    moved = ConsumerGroupTopicPartitions(shared, [TopicPartition(shared, 0, 1), TopicPartition(shared, 5, 0)])
    admin.alter_consumer_group_offsets([moved])[shared].result(20)
    (everything,) = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(shared)]).values()
    offsets = {place.partition: place.offset for place in everything.result(20).topic_partitions}
    assert offsets == {0: 1, 1: 2, 2: 2, 3: 2, 4: 2, 5: 0}
    again = Member(kafka, shared, [shared], **PROTOCOLS[protocol])
    again.until(lambda: len(again.taken) == 3)
    assert sorted(again.values) == ["11", "5", "6"]
    again.leave()
    eventually(described, lambda group: group.state.name == "EMPTY")
    admin.delete_consumer_groups([shared])[shared].result(20)
    assert shared not in {group.group_id for group in admin.list_consumer_groups().result().valid}
    (gone,) = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(shared, [TopicPartition(shared, 0)])]).values()
    assert gone.result(20).topic_partitions[0].offset < 0


def test_a_group_that_only_commits(kafka: Brokers, shared: str, admin: AdminClient) -> None:
    """Assigned by hand: the group has no members, and its offsets are there all the same."""
    config: dict[str, Any] = {"bootstrap.servers": bootstrap(kafka), "group.id": shared, "enable.auto.commit": False}
    simple = Consumer(config)
    simple.assign([TopicPartition(shared, 0, 0)])
    simple.commit(offsets=[TopicPartition(shared, 0, 17)], asynchronous=False)
    assert simple.committed([TopicPartition(shared, 0)], 20)[0].offset == 17
    simple.close()
    found: Any = admin.describe_consumer_groups([shared])[shared].result(20)
    assert (found.state.name, found.type.name, found.is_simple_consumer_group, found.members) == ("EMPTY", "CLASSIC", True, [])


def test_statistics_name_the_coordinator_and_the_state(kafka: Brokers, shared: str) -> None:
    seen: list[dict[str, Any]] = []
    settings: dict[str, Any] = {"statistics.interval.ms": 200, "stats_cb": lambda text: seen.append(json.loads(text)["cgrp"])}
    member = Member(kafka, shared, [shared], **PROTOCOLS["range"], **settings)
    member.until(lambda: bool(seen) and seen[-1].get("join_state") == "steady" and seen[-1]["assignment_size"] == 6)
    assert (seen[-1]["state"], seen[-1]["rebalance_cnt"]) == ("up", 1)
    member.leave()
