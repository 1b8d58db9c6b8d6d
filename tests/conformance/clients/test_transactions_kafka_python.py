"""Transactions of kafka-python, which adds partitions by request (AddPartitionsToTxn) and keeps its producer epoch from one to the next."""

import time
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.structs import TopicPartition
from tests.conformance.clients.librdkafka import fill, read_all
from tests.conformance.clients.targets import bootstrap
from tests.support.cluster import Brokers, eventually


def producer(kafka: Brokers, transactional_id: str, **settings: Any) -> KafkaProducer:
    made = KafkaProducer(bootstrap_servers=bootstrap(kafka), transactional_id=transactional_id, **settings)
    made.init_transactions()
    return made


def send(made: KafkaProducer, topic: str, *values: str) -> None:
    """Produce to the partitions in turn, and wait until it is in the log."""
    futures = [made.send(topic, value.encode(), partition=partition) for partition, value in enumerate(values)]
    made.flush(20)
    for future in futures:
        future.get(20)


def test_committed_and_aborted(kafka: Brokers, shared: str) -> None:
    one = producer(kafka, shared)
    for number in range(4):
        one.begin_transaction()
        send(one, shared, *(f"{number}-{letter}" for letter in "abcdef"))
        one.commit_transaction() if number % 2 else one.abort_transaction()
    everything, committed = read_all(kafka, shared, isolation="read_uncommitted"), read_all(kafka, shared)
    for partition, letter in enumerate("abcdef"):
        assert everything[partition] == [f"{number}-{letter}" for number in range(4)]
        assert committed[partition] == [f"{number}-{letter}" for number in (1, 3)]
    admin = KafkaAdminClient(bootstrap_servers=bootstrap(kafka))
    described = admin.describe_transactions([shared])[shared]
    assert (described.state.name, described.producer_epoch) == ("COMPLETE_COMMIT", 0)
    admin.close()
    one.close()


def test_its_own_read_committed_consumer(kafka: Brokers, shared: str) -> None:
    one = producer(kafka, shared)
    for commit in (True, False, True):
        one.begin_transaction()
        send(one, shared, "kept" if commit else "gone")
        one.commit_transaction() if commit else one.abort_transaction()
    one.begin_transaction()
    send(one, shared, "open")
    for isolation, found in (("read_committed", ["kept", "kept"]), ("read_uncommitted", ["kept", "gone", "kept", "open"])):
        reader = KafkaConsumer(bootstrap_servers=bootstrap(kafka), group_id=None, isolation_level=isolation, consumer_timeout_ms=2500)
        reader.assign([TopicPartition(shared, 0)])
        reader.seek_to_beginning()
        assert [record.value.decode() for record in reader] == found
        reader.close()
    one.abort_transaction()
    one.close()


def test_a_second_producer_of_the_same_id_fences_the_first(kafka: Brokers, shared: str) -> None:
    first = producer(kafka, shared)
    first.begin_transaction()
    send(first, shared, "lost")
    second = producer(kafka, shared)
    assert read_all(kafka, shared)[0] == []
    with pytest.raises(KafkaError) as refused:
        first.commit_transaction()
    assert type(refused.value).__name__ in ("ProducerFencedError", "InvalidProducerEpochError")
    second.begin_transaction()
    send(second, shared, "kept")
    second.commit_transaction()
    assert read_all(kafka, shared)[0] == ["kept"]
    second.close()
    first.close(timeout=1)


@pytest.mark.slow
def test_offsets_in_transactions(kafka: Brokers, shared: str) -> None:
    fill(kafka, shared, 12)
    kafka.create_topic(f"{shared}-out", partitions=6)
    member = KafkaConsumer(
        shared, bootstrap_servers=bootstrap(kafka), group_id=shared, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    assert member.partitions_for_topic(shared)  # before it joins: a join that is answered while it asks is thrown away
    taken, deadline = 0, time.monotonic() + 60
    while taken < 12:
        assert time.monotonic() < deadline
        taken += sum(map(len, member.poll(timeout_ms=200).values()))
    one = producer(kafka, shared)
    offsets = {TopicPartition(shared, partition): OffsetAndMetadata(2, "inside", -1) for partition in range(4)}
    for commit in (False, True):
        one.begin_transaction()
        send(one, f"{shared}-out", *"abcdef")
        one.send_offsets_to_transaction(offsets, member.group_metadata())
        one.commit_transaction() if commit else one.abort_transaction()

        def committed() -> list[int | None]:
            return [member.committed(TopicPartition(shared, partition)) for partition in range(6)]

        if commit:  # the markers come after the answer, and this client takes offsets that are not stable yet for none
            eventually(committed, lambda found: found == [2, 2, 2, 2, None, None])
        else:
            assert committed() == [None] * 6
    member.close()
    one.close()
    assert list(read_all(kafka, f"{shared}-out").values()) == [[letter] for letter in "abcdef"]


@pytest.mark.slow
def test_a_transaction_left_open_is_aborted_when_its_time_is_over(kafka: Brokers, shared: str) -> None:
    one = producer(kafka, shared, transaction_timeout_ms=1500)
    one.begin_transaction()
    send(one, shared, "given up")
    fill(kafka, shared, 6)
    eventually(lambda: read_all(kafka, shared)[0], lambda found: found == ["0"])
    with pytest.raises(KafkaError):
        one.commit_transaction()
    one.close(timeout=1)
    assert read_all(kafka, shared, isolation="read_uncommitted")[0] == ["given up", "0"]
