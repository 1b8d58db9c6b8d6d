"""A group whose members move from the classic protocol to the one of KIP-848 and back, one by one, while it works."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from tests.conformance.clients.java_clients import JavaMember
from tests.conformance.clients.librdkafka import PROTOCOLS, Member, fill, together
from tests.conformance.clients.targets import bootstrap
from tests.conformance.clients.test_groups_java import FLAGS
from tests.support.apache_kafka import require_apache_kafka
from tests.support.cluster import Brokers


@pytest.fixture
def admin(kafka: Brokers) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap(kafka)})


def kind_of(admin: AdminClient, group: str) -> str:
    found: Any = admin.describe_consumer_groups([group])[group].result(20)
    return found.type.name


def commit(member: Member) -> None:
    """Commit what the member has taken since it was assigned its partitions, if that is anything."""
    try:
        member.consumer.commit(asynchronous=False)
    except KafkaException as problem:
        if problem.args[0].code() != KafkaError._NO_OFFSET:  # pyright: ignore[reportPrivateUsage]
            raise


def shared_out(*members: Member) -> bool:
    """Whether the members have the six partitions, each its even share and each partition one member."""
    has = [place for member in members for place in member.assigned]
    return len(has) == len(set(has)) == 6 and all(len(member.assigned) == 6 // len(members) for member in members)


def test_librdkafka_members_move_and_come_back(kafka: Brokers, shared: str, admin: AdminClient) -> None:
    values = fill(kafka, shared, 60)
    members = [Member(kafka, shared, [shared], **PROTOCOLS["range"]) for _ in range(2)]
    everybody = list(members)

    def replace_one_after_the_other(protocol: str) -> None:
        for _ in range(2):
            members.append(Member(kafka, shared, [shared], **PROTOCOLS[protocol]))
            everybody.append(members[-1])
            together(members, lambda: shared_out(*members), 60)
            assert kind_of(admin, shared) == "CONSUMER"
            for member in members:
                commit(member)
            members.pop(0).leave()
            together(members, lambda: shared_out(*members), 60)

    together(members, lambda: shared_out(*members))
    assert kind_of(admin, shared) == "CLASSIC"
    replace_one_after_the_other("consumer")
    assert kind_of(admin, shared) == "CONSUMER"
    values += fill(kafka, shared, 30)
    replace_one_after_the_other("range")
    assert kind_of(admin, shared) == "CLASSIC"
    together(members, lambda: sum(len(member.taken) for member in everybody) >= len(values))
    assert {message.offset() for member in everybody for message in member.taken} == set(range(15))
    for member in members:
        member.leave()
    assert not [what for member in everybody for what, _ in member.events if what == "lost"]
    assert not [error for member in everybody for error in member.errors]


def test_what_librdkafkas_sticky_assignor_writes_for_itself_keeps_the_group_classic(
    kafka: Brokers, shared: str, admin: AdminClient
) -> None:
    members: list[Member] = []
    for _ in range(2):
        members.append(Member(kafka, shared, [shared], **PROTOCOLS["cooperative-sticky"]))
        together(members, lambda: shared_out(*members))
    newcomer = Member(kafka, shared, [shared], **PROTOCOLS["consumer"])
    together([*members, newcomer], lambda: bool(newcomer.errors))
    assert "group id does not exist" in str(newcomer.errors[0])
    assert kind_of(admin, shared) == "CLASSIC"
    assert shared_out(*members)
    for member in (newcomer, *members):
        member.leave()


@pytest.mark.java
@pytest.mark.slow
@pytest.mark.parametrize(("java", "other"), [("range", "consumer"), ("cooperative-sticky", "consumer"), ("consumer", "range")])
def test_java_and_librdkafka_with_a_protocol_each(kafka: Brokers, shared: str, java: str, other: str, admin: AdminClient) -> None:
    require_apache_kafka()
    values = fill(kafka, shared, 60)
    first = Member(kafka, shared, [shared], **PROTOCOLS[other])
    first.until(lambda: len(first.assigned) == 6)
    with JavaMember(kafka, shared, shared, *FLAGS[java]) as second:
        first.until(lambda: len(first.assigned) == len(second.assigned) == 3, 60)
        assert not second.assigned & set(first.assigned)
        assert kind_of(admin, shared) == "CONSUMER"
        first.until(lambda: len(first.taken) + len(second.values) >= 60)
        assert set(first.values + second.values) == set(values)
        second.stop()
        first.until(lambda: len(first.assigned) == 6)
    assert kind_of(admin, shared) == ("CLASSIC" if other != "consumer" else "CONSUMER")
    first.leave()
