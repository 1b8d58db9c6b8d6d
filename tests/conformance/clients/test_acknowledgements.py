"""What an acknowledgement promises while followers stand still: no acks=all before the commit, not even for a batch that was sent before."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.clients.test_idempotence import IdempotentProducer
from tests.support.cluster import RunningCluster, eventually, running
from tests.support.requests import produce

from holdwater.cluster import control
from holdwater.rpc import calls

NONE, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS = 0, 7, 19
SHORT_MS = 700


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningCluster]:
    """A cluster whose followers leave the ISR only after 20 s."""
    with running(tmp_path, settings={"replica.lag.time.max.ms": "20000"}) as cluster:
        cluster.create_topic("t")
        yield cluster


def act(cluster: RunningCluster, action: str, brokers: list[int]) -> None:
    for broker in brokers:
        control.send(cluster.directory, action, broker)


def followers(cluster: RunningCluster) -> list[int]:
    leader = cluster.leader("t")
    return [broker for broker in cluster.ports if broker != leader]


def latest(cluster: RunningCluster, leader: int) -> int:
    with cluster.connect(leader) as connection:
        return calls.list_offsets(connection, "t", {0: -1})[0]


def test_a_write_that_is_not_committed_in_time_is_unknown_and_a_retry_waits_as_well(own: RunningCluster) -> None:
    producer = IdempotentProducer(own, "t")
    assert producer.send(0) == (NONE, 0)
    leader, paused = own.leader("t"), followers(own)
    data = producer.batch(1)
    act(own, "pause", paused)
    try:
        for _ in range(2):  # the second is a duplicate of what is in the log, and not acknowledged either
            assert produce(own, "t", data, broker=leader, timeout_ms=SHORT_MS).error_code == REQUEST_TIMED_OUT
        early = produce(own, "t", data, broker=leader, acks=1)
        assert (early.error_code, early.base_offset) == (NONE, 1)
        assert latest(own, leader) == 1  # readers see nothing of it
    finally:
        act(own, "resume", paused)
    answer = eventually(lambda: produce(own, "t", data), lambda seen: seen.error_code == NONE)
    assert answer.base_offset == 1
    assert producer.send(2) == (NONE, 2)


def test_one_follower_is_enough_for_two_in_sync_replicas(tmp_path: Path) -> None:
    """It is not while the other still counts as in sync; once that has left the ISR, what waited is acknowledged."""
    with running(tmp_path, settings={"replica.lag.time.max.ms": "1500"}) as cluster:
        cluster.create_topic("t")
        producer = IdempotentProducer(cluster, "t")
        assert producer.send(0) == (NONE, 0)
        leader, paused = cluster.leader("t"), followers(cluster)[:1]
        act(cluster, "pause", paused)
        try:
            first = produce(cluster, "t", producer.batch(1), broker=leader, timeout_ms=300)
            assert first.error_code == REQUEST_TIMED_OUT
            answer = produce(cluster, "t", producer.batch(1), broker=leader, timeout_ms=20_000)
            assert (answer.error_code, answer.base_offset) == (NONE, 1)
            assert len(cluster.partition("t", broker=leader).isr) == 2
        finally:
            act(cluster, "resume", paused)
        eventually(lambda: cluster.partition("t", broker=leader).isr, lambda isr: len(isr) == 3)
        assert producer.send(2) == (NONE, 2)


def test_at_level_fsync_every_write_and_retry_is_acknowledged_once_it_is_synced(cluster: RunningCluster) -> None:
    """What the disk holds by then is for the simulator; here a real broker has to answer, with followers and without."""
    cluster.create_topic("durable", configs={"holdwater.durable.acks": "true"})
    producer = IdempotentProducer(cluster, "durable")
    for number in range(3):
        assert producer.send(number) == (NONE, number)
    data = producer.batch(3)
    for acks in (1, -1, 1):
        answer = produce(cluster, "durable", data, acks=acks)
        assert (answer.error_code, answer.base_offset) == (NONE, 3)
    leader = cluster.leader("durable")
    with cluster.connect(leader) as connection:
        assert eventually(lambda: calls.list_offsets(connection, "durable", {0: -1})[0], lambda end: end == 4) == 4
