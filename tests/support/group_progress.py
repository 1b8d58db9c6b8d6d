"""How far a group has committed, seen from outside; and that it goes on in every partition, so that what bounces it meets a group at work."""

import time

from confluent_kafka import Consumer, KafkaException, TopicPartition
from tests.support.cluster import eventually

QUICK_SESSIONS = {
    "group.consumer.session.timeout.ms": "5000",
    "group.consumer.min.session.timeout.ms": "5000",
    "group.consumer.heartbeat.interval.ms": "1000",
    "group.consumer.min.heartbeat.interval.ms": "1000",
}
"""For brokers: a killed member of a KIP-848 group makes way in 5 s instead of 45. A new coordinator gives every member its whole session
timeout again, so with more time than there is between two bounces the killed ones would keep their partitions, and nobody would work."""


class GroupProgress:
    """The committed offsets of one group in one topic."""

    def __init__(self, bootstrap: str, group: str, topic: str, partitions: int) -> None:
        self._config = {"bootstrap.servers": bootstrap, "group.id": group}
        self._places = [TopicPartition(topic, partition) for partition in range(partitions)]

    def committed(self) -> list[int]:
        """By partition; 0 where nothing is committed. Asks again while the group has no coordinator that answers."""
        deadline = time.monotonic() + 60
        while True:
            consumer = Consumer(self._config)
            try:
                return [max(place.offset, 0) for place in consumer.committed(self._places, 10)]
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)  # a refusal may come at once, and each look makes a client
            finally:
                consumer.close()

    def until_every_partition_advances(self, seconds: float = 90.0) -> None:
        """From what is committed now on."""
        before = self.committed()
        eventually(self.committed, lambda now: all(offset > old for offset, old in zip(now, before, strict=True)), seconds)
