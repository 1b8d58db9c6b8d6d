"""A request of a transactional producer that was given up, and comes in the producer's next transaction: the same on our cluster and on Apache Kafka.

Of classic producers it does there what was meant for the transaction before (the weakness that KIP-890 describes), which is why the simulated
ones initialise themselves anew once an answer stayed away. Requests of transaction version 2 carry a producer epoch for each transaction.
"""

import time

import pytest
from confluent_kafka import Consumer, TopicPartition
from tests.conformance.clients.targets import bootstrap
from tests.support.cluster import Brokers, Connection, eventually
from tests.support.requests import produce

from holdwater.kernel.errors import ErrorCode
from holdwater.wire import messages as m
from holdwater.wire.records import Record, build_batch

NOT_NOW = {
    ErrorCode.CONCURRENT_TRANSACTIONS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.NOT_COORDINATOR,
}
CLASSIC_END, END = 4, 5
CLASSIC_WRITE, WRITE = 11, 12


class RawProducer:
    """A transactional producer, request by request; each is sent on a connection of its own."""

    def __init__(self, brokers: Brokers, topic: str, *, classic: bool) -> None:
        brokers.create_topic(topic)
        self.brokers, self.topic, self.classic = brokers, topic, classic
        self.sequence = 0
        self.initialise()

    def _coordinator(self) -> Connection:
        return self.brokers.connect(self.brokers.coordinator(self.topic, key_type=1))

    def initialise(self) -> None:
        """The next producer epoch, which fences the ones before."""
        request = m.InitProducerIdRequest(transactional_id=self.topic, transaction_timeout_ms=30_000)
        with self._coordinator() as connection:
            answer = eventually(
                lambda: connection.call(request, m.InitProducerIdResponse, highest=4), lambda seen: seen.error_code not in NOT_NOW
            )
        assert answer.error_code == ErrorCode.NONE
        self.producer_id, self.epoch, self.sequence = answer.producer_id, answer.producer_epoch, 0

    def write(self, value: bytes) -> None:
        """A record of the transaction that is open or, with this, begins."""
        if self.classic:
            self._add_partition()
        batch = build_batch(
            [Record(0, int(time.time() * 1000), None, value)],
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            base_sequence=self.sequence,
            transactional=True,
        )
        self.sequence += 1
        version = CLASSIC_WRITE if self.classic else WRITE
        answer = eventually(
            lambda: produce(self.brokers, self.topic, batch, version=version, transactional_id=self.topic),
            lambda seen: seen.error_code not in NOT_NOW,
        )
        assert answer.error_code == ErrorCode.NONE

    def _add_partition(self) -> None:
        topic = m.AddPartitionsToTxnRequest.AddPartitionsToTxnTopic(name=self.topic, partitions=[0])
        request = m.AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self.topic,
            v3_and_below_producer_id=self.producer_id,
            v3_and_below_producer_epoch=self.epoch,
            v3_and_below_topics=[topic],
        )
        with self._coordinator() as connection:
            code = eventually(
                lambda: (
                    connection.call(request, m.AddPartitionsToTxnResponse, highest=3)
                    .results_by_topic_v3_and_below[0]
                    .results_by_partition[0]
                    .partition_error_code
                ),
                lambda seen: seen not in NOT_NOW,
            )
        assert code == ErrorCode.NONE

    def end_request(self, *, committed: bool) -> m.EndTxnRequest:
        """What ends the transaction that is open."""
        return m.EndTxnRequest(transactional_id=self.topic, producer_id=self.producer_id, producer_epoch=self.epoch, committed=committed)

    def end(self, request: m.EndTxnRequest) -> int:
        """Send it; the error code."""
        with self._coordinator() as connection:
            answer = eventually(
                lambda: connection.call(request, m.EndTxnResponse, highest=CLASSIC_END if self.classic else END),
                lambda seen: seen.error_code not in NOT_NOW,
            )
        if answer.error_code == ErrorCode.NONE and not self.classic:
            self.producer_id, self.epoch, self.sequence = answer.producer_id, answer.producer_epoch, 0
        return answer.error_code

    def committed(self) -> list[bytes | None]:
        """What a read_committed consumer finds once nothing is open."""
        consumer = Consumer(
            {
                "bootstrap.servers": bootstrap(self.brokers),
                "group.id": "nobody",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
            }
        )
        consumer.assign([TopicPartition(self.topic, 0, 0)])
        found: list[bytes | None] = []
        while (message := consumer.poll(20)) is not None and message.error() is None:
            found.append(message.value())
        consumer.close()
        return found


def test_a_late_end_of_a_classic_producer_commits_its_next_transaction(kafka: Brokers) -> None:
    producer = RawProducer(kafka, "late-classic", classic=True)
    producer.write(b"first")
    first_end = producer.end_request(committed=True)
    assert producer.end(first_end) == ErrorCode.NONE
    producer.write(b"second")
    assert producer.end(first_end) == ErrorCode.NONE
    assert producer.end(producer.end_request(committed=False)) == ErrorCode.INVALID_TXN_STATE
    assert producer.committed() == [b"first", b"second"]


@pytest.mark.parametrize("classic", [True, False], ids=["classic-initialised-anew", "version-2"])
def test_not_once_the_producer_epoch_is_another(kafka: Brokers, classic: bool) -> None:
    producer = RawProducer(kafka, f"late-{'initialised' if classic else 'version-2'}", classic=classic)
    producer.write(b"first")
    first_end = producer.end_request(committed=True)
    assert producer.end(first_end) == ErrorCode.NONE
    if classic:
        producer.initialise()
    producer.write(b"second")
    assert producer.end(first_end) == ErrorCode.PRODUCER_FENCED
    assert producer.end(producer.end_request(committed=False)) == ErrorCode.NONE
    assert producer.committed() == [b"first"]
