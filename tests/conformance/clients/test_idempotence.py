"""Idempotent producers, in single requests: what is recognised as sent before, what is out of order, who is fenced (KIP-98, KIP-360).

The same on our cluster and on Apache Kafka. What survives a restart and a change of leader is looked at on clusters of their own.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.clients.targets import BOTH, start
from tests.support.cluster import Brokers, RunningCluster, eventually, running
from tests.support.requests import new_producer_id, produce

from holdwater.cluster import control
from holdwater.wire import messages as m
from holdwater.wire.records import MAX_SEQUENCE, Record, build_batch

NONE, NOT_ENOUGH_REPLICAS, OUT_OF_ORDER, INVALID_PRODUCER_EPOCH, INVALID_REQUEST = 0, 19, 45, 47, 42
KEPT = 5


class IdempotentProducer:
    """Sends batches with chosen sequences to one partition; each call returns ``(error code, base offset)``."""

    def __init__(self, brokers: Brokers, topic: str, producer_id: int | None = None) -> None:
        self.brokers = brokers
        self.topic = topic
        self.producer_id = new_producer_id(brokers) if producer_id is None else producer_id

    def batch(self, sequence: int, count: int = 1, *, epoch: int = 0) -> bytes:
        records = [Record(0, int(time.time() * 1000), None, b"%d" % number) for number in range(count)]
        return build_batch(records, producer_id=self.producer_id, producer_epoch=epoch, base_sequence=sequence)

    def send(self, sequence: int, count: int = 1, *, epoch: int = 0, acks: int = -1) -> tuple[int, int]:
        answer = produce(self.brokers, self.topic, self.batch(sequence, count, epoch=epoch), acks=acks)
        return answer.error_code, answer.base_offset


@pytest.fixture(scope="module", params=BOTH)
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    yield from start(request.param, tmp_path_factory.mktemp("idempotence"))


@pytest.fixture
def producer(target: Brokers, request: pytest.FixtureRequest) -> IdempotentProducer:
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    target.create_topic(name)
    return IdempotentProducer(target, name)


def test_producer_ids_differ_and_start_with_epoch_0(target: Brokers) -> None:
    found: list[int] = []
    for broker in target.alive():
        for version in range(6):
            with target.connect(broker) as connection:
                request = m.InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000)
                answer = eventually(
                    lambda c=connection, r=request, v=version: c.call(r, m.InitProducerIdResponse, highest=v),
                    lambda seen: seen.error_code == NONE,
                )
            assert answer.producer_epoch == 0
            found.append(answer.producer_id)
    assert len(set(found)) == len(found)


def test_half_of_an_identity_is_refused(target: Brokers) -> None:
    for producer_id, epoch in ((5, -1), (-1, 5)):
        with target.connect() as connection:
            request = m.InitProducerIdRequest(
                transactional_id=None, transaction_timeout_ms=1000, producer_id=producer_id, producer_epoch=epoch
            )
            assert connection.call(request, m.InitProducerIdResponse).error_code == INVALID_REQUEST


@pytest.mark.parametrize("acks", [1, -1])
def test_the_last_five_batches_are_recognised(producer: IdempotentProducer, acks: int) -> None:
    sent = [producer.send(sequence, acks=acks) for sequence in range(8)]
    assert sent == [(NONE, offset) for offset in range(8)]
    again = [producer.send(sequence, acks=acks) for sequence in range(8)]
    assert again == [(OUT_OF_ORDER, -1)] * (8 - KEPT) + [(NONE, offset) for offset in range(8 - KEPT, 8)]
    assert producer.send(8, acks=acks) == (NONE, 8)  # nothing was stored twice


def test_a_gap_an_overlap_and_parts_of_a_batch_are_out_of_order(producer: IdempotentProducer) -> None:
    assert producer.send(0, 10) == (NONE, 0)
    for sequence, count in ((11, 1), (9, 3), (0, 5), (5, 5), (0, 11), (1, 10)):
        assert producer.send(sequence, count) == (OUT_OF_ORDER, -1), (sequence, count)
    assert producer.send(0, 10) == (NONE, 0)
    assert producer.send(10) == (NONE, 10)


def test_a_new_epoch_starts_at_0_and_fences_the_old_one(producer: IdempotentProducer) -> None:
    assert producer.send(0, epoch=0) == (NONE, 0)
    assert producer.send(3, epoch=2) == (OUT_OF_ORDER, -1)
    assert producer.send(0, epoch=2) == (NONE, 1)
    assert producer.send(0, epoch=2) == (NONE, 1)
    assert producer.send(1, epoch=1) == (INVALID_PRODUCER_EPOCH, -1)
    assert producer.send(0, epoch=0) == (INVALID_PRODUCER_EPOCH, -1)
    assert producer.send(1, epoch=2) == (NONE, 2)


def test_an_unknown_producer_may_start_anywhere(producer: IdempotentProducer) -> None:
    assert producer.send(17) == (NONE, 0)
    assert producer.send(17) == (NONE, 0)
    assert producer.send(0) == (OUT_OF_ORDER, -1)
    assert producer.send(18) == (NONE, 1)


def test_sequences_wrap(producer: IdempotentProducer) -> None:
    assert producer.send(MAX_SEQUENCE - 2, 5) == (NONE, 0)  # the last two are 0 and 1
    assert producer.send(MAX_SEQUENCE - 2, 5) == (NONE, 0)
    assert producer.send(3) == (OUT_OF_ORDER, -1)
    assert producer.send(2) == (NONE, 5)
    other = IdempotentProducer(producer.brokers, producer.topic)
    assert other.send(MAX_SEQUENCE) == (NONE, 6)
    assert other.send(0) == (NONE, 7)


def test_producers_do_not_disturb_each_other(producer: IdempotentProducer) -> None:
    other = IdempotentProducer(producer.brokers, producer.topic)
    for round_number in range(4):
        assert producer.send(round_number) == (NONE, 2 * round_number)
        assert other.send(round_number) == (NONE, 2 * round_number + 1)
    assert [producer.send(number) for number in range(4)] == [(NONE, 2 * number) for number in range(4)]


# --- what survives


def _check_known(producer: IdempotentProducer, sent: int, base: int = 0) -> None:
    """The last five of ``sent`` batches are known still, the gap still is one, and the next goes on."""
    for sequence in range(sent - KEPT, sent):
        assert producer.send(sequence) == (NONE, base + sequence)
    assert producer.send(sent + 3) == (OUT_OF_ORDER, -1)
    assert producer.send(sent) == (NONE, base + sent)


def _wait_full_isr(cluster: RunningCluster, topic: str) -> None:
    eventually(lambda: cluster.partition(topic), lambda state: len(state.isr) == 3 and state.leader in cluster.alive())


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_state_follows_the_leadership(tmp_path: Path, how: str) -> None:
    with running(tmp_path) as cluster:
        cluster.create_topic("t")
        producer = IdempotentProducer(cluster, "t")
        sent = 7
        assert [producer.send(sequence) for sequence in range(sent)] == [(NONE, sequence) for sequence in range(sent)]
        for _ in range(3):
            leader = cluster.leader("t")
            getattr(cluster, how)(leader)
            eventually(lambda: cluster.partition("t").leader, lambda found, old=leader: found not in {-1, old})
            _check_known(producer, sent)
            sent += 1
            cluster.start(leader)
            _wait_full_isr(cluster, "t")


def test_the_state_survives_a_restart_of_everything(tmp_path: Path) -> None:
    with running(tmp_path) as cluster:
        cluster.create_topic("t")
        producer = IdempotentProducer(cluster, "t")
        for sequence in range(7):
            assert producer.send(sequence) == (NONE, sequence)
    with running(tmp_path) as cluster:
        _wait_full_isr(cluster, "t")
        _check_known(IdempotentProducer(cluster, "t", producer.producer_id), 7)
        assert new_producer_id(cluster) != producer.producer_id
        for broker in (1, 2, 3):  # and a crash of everything, one after the other without a pause
            cluster.kill(broker)
        for broker in (1, 2, 3):
            control.send(cluster.directory, "start", broker)
        _wait_full_isr(cluster, "t")
        _check_known(IdempotentProducer(cluster, "t", producer.producer_id), 8)


def test_too_few_in_sync_replicas_refuse_before_anything_is_written(tmp_path: Path) -> None:
    with running(tmp_path, settings={"replica.lag.time.max.ms": "1000"}) as cluster:
        cluster.create_topic("t", configs={"min.insync.replicas": "3"})
        producer = IdempotentProducer(cluster, "t")
        assert producer.send(0) == (NONE, 0)
        follower = next(broker for broker in (1, 2, 3) if broker != cluster.leader("t"))
        cluster.kill(follower)
        eventually(lambda: len(cluster.partition("t").isr), lambda size: size == 2)
        assert producer.send(1) == (NOT_ENOUGH_REPLICAS, -1)
        assert producer.send(1) == (NOT_ENOUGH_REPLICAS, -1)
        cluster.start(follower)
        _wait_full_isr(cluster, "t")
        assert producer.send(1) == (NONE, 1)  # sequence 1 was never used
        assert producer.send(0) == (NONE, 0)
