"""Transactions of librdkafka's producers: what read_committed readers see, fencing, offsets in transactions, time-outs."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from tests.conformance.clients.librdkafka import PROTOCOLS, Member, fill, read_all
from tests.conformance.clients.targets import bootstrap
from tests.support.cluster import Brokers, eventually


class Transactor:
    """A transactional producer. ``delivered`` is what the brokers have acknowledged."""

    def __init__(self, kafka: Brokers, transactional_id: str, **settings: Any) -> None:
        self.delivered: list[Message] = []
        self.refused: list[KafkaError] = []
        config: dict[str, Any] = {"bootstrap.servers": bootstrap(kafka), "transactional.id": transactional_id, "linger.ms": 0, **settings}
        self.producer = Producer(config)
        self.producer.init_transactions(30)

    def send(self, topic: str, *values: str, partitions: int = 6) -> None:
        """Produce, and wait until it is in the log (or refused)."""
        for number, value in enumerate(values):
            self.producer.produce(topic, value, partition=number % partitions, on_delivery=self._note)
        assert self.producer.flush(30) == 0

    def _note(self, error: KafkaError | None, message: Message) -> None:
        self.refused.append(error) if error is not None else self.delivered.append(message)

    def transaction(self, topic: str, *values: str, commit: bool) -> None:
        """A whole one, really flushed before it ends."""
        self.producer.begin_transaction()
        self.send(topic, *values)
        (self.producer.commit_transaction if commit else self.producer.abort_transaction)(30)


def refused_with(ask: Callable[[], object]) -> KafkaError:
    with pytest.raises(KafkaException) as refused:
        ask()
    return refused.value.args[0]


def ends(kafka: Brokers, topic: str, isolation: IsolationLevel) -> list[int]:
    admin = AdminClient({"bootstrap.servers": bootstrap(kafka)})
    asked = {TopicPartition(topic, partition): OffsetSpec.latest() for partition in range(6)}
    found = admin.list_offsets(asked, isolation_level=isolation)
    by_partition = {place.partition: future.result(20).offset for place, future in found.items()}
    return [by_partition[partition] for partition in range(6)]


def test_committed_and_aborted(kafka: Brokers, shared: str) -> None:
    one = Transactor(kafka, shared)
    for number in range(6):
        one.transaction(shared, *(f"{'kept' if number % 2 else 'gone'}-{number}-{letter}" for letter in "abcdef"), commit=number % 2 == 1)
    assert (len(one.delivered), one.refused) == (36, [])
    everything = read_all(kafka, shared, isolation="read_uncommitted")
    committed = read_all(kafka, shared)
    for partition, letter in enumerate("abcdef"):
        assert everything[partition] == [f"{'kept' if number % 2 else 'gone'}-{number}-{letter}" for number in range(6)]
        assert committed[partition] == [f"kept-{number}-{letter}" for number in (1, 3, 5)]
    # Six records and six markers, the last of them committed: nothing is open.
    assert ends(kafka, shared, IsolationLevel.READ_UNCOMMITTED) == ends(kafka, shared, IsolationLevel.READ_COMMITTED) == [12] * 6


def test_readers_stop_at_an_open_transaction(kafka: Brokers, shared: str) -> None:
    fill(kafka, shared, 6)
    one, other = Transactor(kafka, shared), Transactor(kafka, f"{shared}-other")
    one.producer.begin_transaction()
    one.send(shared, "a", "b")
    other.transaction(shared, "c", "d", "e", commit=True)
    assert read_all(kafka, shared) == {0: ["0"], 1: ["1"], 2: ["2", "e"], 3: ["3"], 4: ["4"], 5: ["5"]}
    assert ends(kafka, shared, IsolationLevel.READ_COMMITTED) == [1, 1, 3, 1, 1, 1]
    assert ends(kafka, shared, IsolationLevel.READ_UNCOMMITTED) == [4, 4, 3, 1, 1, 1]
    one.producer.abort_transaction(30)
    assert read_all(kafka, shared) == {0: ["0", "c"], 1: ["1", "d"], 2: ["2", "e"], 3: ["3"], 4: ["4"], 5: ["5"]}
    assert ends(kafka, shared, IsolationLevel.READ_COMMITTED) == [5, 5, 3, 1, 1, 1]


def test_several_topics_and_transactions_without_records(kafka: Brokers, shared: str) -> None:
    kafka.create_topic(f"{shared}-2", partitions=6)
    one = Transactor(kafka, shared)
    one.transaction(shared, commit=True)
    one.transaction(shared, commit=False)
    for commit in (True, False):
        one.producer.begin_transaction()
        one.send(shared, *"abcdef")
        one.send(f"{shared}-2", *"ghijkl")
        (one.producer.commit_transaction if commit else one.producer.abort_transaction)(30)
    assert list(read_all(kafka, shared).values()) == [[letter] for letter in "abcdef"]
    assert list(read_all(kafka, f"{shared}-2").values()) == [[letter] for letter in "ghijkl"]


def test_a_second_producer_of_the_same_id_fences_the_first(kafka: Brokers, shared: str) -> None:
    first = Transactor(kafka, shared)
    first.transaction(shared, "kept", commit=True)
    first.producer.begin_transaction()
    first.send(shared, "lost with its producer")
    second = Transactor(kafka, shared)  # aborts what the first has open
    assert read_all(kafka, shared)[0] == ["kept"]
    second.transaction(shared, "from the second", commit=True)
    error = refused_with(lambda: first.producer.commit_transaction(30))
    assert error.fatal()
    assert error.code() == KafkaError._FENCED  # pyright: ignore[reportPrivateUsage]
    assert read_all(kafka, shared)[0] == ["kept", "from the second"]
    assert read_all(kafka, shared, isolation="read_uncommitted")[0] == ["kept", "lost with its producer", "from the second"]


def test_a_fenced_producer_writes_nothing(kafka: Brokers, shared: str) -> None:
    first = Transactor(kafka, shared)
    first.producer.begin_transaction()
    first.send(shared, "lost with its producer")
    Transactor(kafka, shared)
    # What serves callbacks raises a fatal error, now and then without its text: another call of the same producer says which it was.
    with pytest.raises((KafkaException, SystemError)):
        first.send(shared, "not even stored")
    error = refused_with(lambda: first.producer.commit_transaction(30))
    assert error.fatal()
    assert error.code() == KafkaError._FENCED  # pyright: ignore[reportPrivateUsage]
    assert read_all(kafka, shared, isolation="read_uncommitted")[0] == ["lost with its producer"]


def test_a_transaction_left_open_is_aborted_when_its_time_is_over(kafka: Brokers, shared: str) -> None:
    one = Transactor(kafka, shared, **{"transaction.timeout.ms": 6000})
    one.producer.begin_transaction()
    one.send(shared, "given up")
    fill(kafka, shared, 6)
    assert read_all(kafka, shared)[0] == []
    eventually(lambda: read_all(kafka, shared)[0], lambda found: found == ["0"])
    error = refused_with(lambda: one.producer.commit_transaction(30))
    assert error.fatal() or error.txn_requires_abort()
    assert read_all(kafka, shared)[0] == ["0"]
    Transactor(kafka, shared).transaction(shared, "the next one", commit=True)
    assert read_all(kafka, shared)[0] == ["0", "the next one"]


@pytest.mark.parametrize("protocol", [pytest.param("range", marks=pytest.mark.slow), "consumer"])
def test_offsets_are_committed_with_the_transaction(kafka: Brokers, shared: str, protocol: str) -> None:
    fill(kafka, shared, 12)
    kafka.create_topic(f"{shared}-out", partitions=6)
    one = Transactor(kafka, shared)
    member = Member(kafka, shared, [shared], **PROTOCOLS[protocol])
    member.until(lambda: len(member.taken) == 12)
    taken = [TopicPartition(shared, partition, 2, "inside") for partition in range(4)]
    for commit in (False, True):
        one.producer.begin_transaction()
        one.send(f"{shared}-out", *"abcdef")
        one.producer.send_offsets_to_transaction(taken, member.consumer.consumer_group_metadata(), 30)
        assert one.producer.flush(10) == 0
        if commit:
            # Until the transaction ends the offsets are not there, and a reader that wants stable ones waits.
            stable: dict[str, Any] = {"isolation.level": "read_committed"}
            reader = Consumer({"bootstrap.servers": bootstrap(kafka), "group.id": shared, **stable})
            with pytest.raises(KafkaException):
                reader.committed([TopicPartition(shared, 0)], 1)
            reader.close()
            one.producer.commit_transaction(30)
            eventually(lambda: member.committed(shared), lambda found: found == [2, 2, 2, 2, -1, -1])
        else:
            one.producer.abort_transaction(30)
            assert member.committed(shared) == [-1] * 6
    assert member.consumer.committed([TopicPartition(shared, 0)], 20)[0].metadata == "inside"
    member.leave()
    after = Member(kafka, shared, [shared], **PROTOCOLS[protocol])
    after.until(lambda: len(after.taken) == 4)
    assert sorted(after.values) == ["10", "11", "4", "5"]
    after.leave()
    assert list(read_all(kafka, f"{shared}-out").values()) == [[letter] for letter in "abcdef"]


@pytest.mark.parametrize("protocol", ["range", "consumer"])
def test_a_member_that_has_left_commits_no_offsets(kafka: Brokers, shared: str, protocol: str) -> None:
    fill(kafka, shared, 6)
    one = Transactor(kafka, shared)
    member = Member(kafka, shared, [shared], **PROTOCOLS[protocol])
    member.until(lambda: len(member.taken) == 6)
    metadata = member.consumer.consumer_group_metadata()
    member.leave()
    other = Member(kafka, shared, [shared], **PROTOCOLS[protocol])
    other.until(lambda: len(other.taken) == 6)
    one.producer.begin_transaction()
    error = refused_with(lambda: one.producer.send_offsets_to_transaction([TopicPartition(shared, 0, 1)], metadata, 30))
    assert error.txn_requires_abort()
    assert error.code() == KafkaError.UNKNOWN_MEMBER_ID
    one.producer.abort_transaction(30)
    assert other.committed(shared) == [-1] * 6
    other.leave()


def test_many_short_transactions(kafka: Brokers, shared: str) -> None:
    one = Transactor(kafka, shared)
    started = time.monotonic()
    for number in range(60):
        one.transaction(shared, str(number), commit=number % 3 > 0)
    assert read_all(kafka, shared)[0] == [str(number) for number in range(60) if number % 3]
    assert time.monotonic() - started < 60


@pytest.mark.slow
def test_a_producer_that_was_started_again_aborts_what_it_had_open(kafka: Brokers, shared: str) -> None:
    for number in range(5):
        one = Transactor(kafka, shared)
        one.transaction(shared, f"kept-{number}", commit=True)
        one.producer.begin_transaction()
        one.send(shared, f"gone-{number}")
        del one  # without a word
    Transactor(kafka, shared)
    assert read_all(kafka, shared)[0] == [f"kept-{number}" for number in range(5)]
    assert len(read_all(kafka, shared, isolation="read_uncommitted")[0]) == 10
