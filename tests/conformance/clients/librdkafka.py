"""librdkafka's members and producers as the tests of groups and transactions use them, polled in turn by one thread."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from tests.conformance.clients.targets import bootstrap
from tests.support.cluster import Brokers

CLASSIC = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 300}
PROTOCOLS: dict[str, dict[str, Any]] = {
    "range": {**CLASSIC, "partition.assignment.strategy": "range"},
    "roundrobin": {**CLASSIC, "partition.assignment.strategy": "roundrobin"},
    "cooperative-sticky": {**CLASSIC, "partition.assignment.strategy": "cooperative-sticky"},
    "consumer": {"group.protocol": "consumer"},
}
Place = tuple[str, int]


class Member:
    """One member of a group. ``events`` are what its callbacks were told, ``taken`` what it has consumed, ``errors`` what it complained of."""

    def __init__(self, kafka: Brokers, group: str, topics: Iterable[str], **settings: Any) -> None:
        config: dict[str, Any] = {
            "bootstrap.servers": bootstrap(kafka),
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "topic.metadata.refresh.interval.ms": 500,
            **settings,
        }
        self.consumer = Consumer(config)
        self.events: list[tuple[str, list[Place]]] = []
        self.taken: list[Message] = []
        self.errors: list[KafkaError] = []
        self.consumer.subscribe(list(topics), on_assign=self._told("assigned"), on_revoke=self._told("revoked"), on_lost=self._told("lost"))

    def _told(self, what: str) -> Callable[[Consumer, list[TopicPartition]], None]:
        def note(_: Consumer, partitions: list[TopicPartition]) -> None:
            self.events.append((what, places(partitions)))

        return note

    @property
    def assigned(self) -> list[Place]:
        """What is assigned to it now."""
        return places(self.consumer.assignment())

    @property
    def values(self) -> list[str]:
        """The values that it has consumed, in order."""
        return [(message.value() or b"").decode() for message in self.taken]

    def poll(self) -> None:
        """Serve the callbacks, and take what has come."""
        for message in self.consumer.consume(100, 0.05):
            error = message.error()
            self.errors.append(error) if error is not None else self.taken.append(message)

    def until(self, good: Callable[[], bool], seconds: float = 30.0) -> None:
        """Poll until it is so."""
        together([self], good, seconds)

    def committed(self, topic: str, partitions: int = 6) -> list[int]:
        """The committed offsets by partition; -1 where there is none."""
        found = self.consumer.committed([TopicPartition(topic, partition) for partition in range(partitions)], 20)
        return [place.offset if place.offset >= 0 else -1 for place in found]

    def leave(self) -> None:
        """Close it; a dynamic member leaves its group by that."""
        self.consumer.close()


def places(partitions: Iterable[TopicPartition]) -> list[Place]:
    """Topics and partitions, sorted."""
    return sorted((partition.topic, partition.partition) for partition in partitions)


def together(members: list[Member], good: Callable[[], bool], seconds: float = 30.0) -> None:
    """Poll all of them in turn until it is so."""
    deadline = time.monotonic() + seconds
    while not good():
        told = [(member.assigned, len(member.taken), member.events[-3:], member.errors[:3]) for member in members]
        assert time.monotonic() < deadline, f"still not so after {seconds:g} s: {told}"
        for member in members:
            member.poll()


def fill(kafka: Brokers, topic: str, count: int, partitions: int = 6, **settings: Any) -> list[str]:
    """Produce the numbers from 0, one partition after the other; returns them as they will be read."""
    producer = Producer({"bootstrap.servers": bootstrap(kafka), "enable.idempotence": True, **settings})
    values = [str(number) for number in range(count)]
    for number, value in enumerate(values):
        producer.produce(topic, value, partition=number % partitions)
    assert producer.flush(30) == 0
    return values


def read_all(
    kafka: Brokers, topic: str, partitions: int = 6, isolation: str = "read_committed", seconds: float = 30.0
) -> dict[int, list[str]]:
    """What a reader of that isolation finds in each partition from its start to its end."""
    config: dict[str, Any] = {
        "bootstrap.servers": bootstrap(kafka),
        "group.id": "unused",
        "isolation.level": isolation,
        "enable.partition.eof": True,
        "enable.auto.commit": False,
    }
    reader = Consumer(config)
    reader.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    found: dict[int, list[str]] = {partition: [] for partition in range(partitions)}
    ended: set[int] = set()
    deadline = time.monotonic() + seconds
    while len(ended) < partitions:
        assert time.monotonic() < deadline, f"only {sorted(ended)} were read to their end"
        for message in reader.consume(500, 0.2):
            partition = message.partition()
            assert partition is not None
            if message.error() is None:
                found[partition].append((message.value() or b"").decode())
            else:
                ended.add(partition)
    reader.close()
    return found
