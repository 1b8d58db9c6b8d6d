"""A cluster that stopped and is started again on its data: every replica is back in its ISR, and the offsets go on."""

import socket
import time
from pathlib import Path

import pytest
from tests.support.cluster import RunningCluster, eventually, running
from tests.support.requests import produce

from holdwater.cluster.control import send
from holdwater.rpc import calls
from holdwater.wire.records import Record, build_batch


def _isr_sizes(cluster: RunningCluster) -> list[tuple[int, int]]:
    with cluster.connect() as connection:
        return [
            (len(partition.isr), len(partition.replicas))
            for topic in sorted(calls.describe_cluster(connection).topics)
            for partition in (calls.describe_topic(connection, topic) or calls.TopicState(b"", ())).partitions
        ]


def test_every_replica_returns_to_its_isr(tmp_path: Path) -> None:
    with running(tmp_path) as cluster:
        cluster.create_topic("idle-two", partitions=6, replicas=2)
        cluster.create_topic("idle-three", partitions=6, replicas=3)
        cluster.create_topic("used", partitions=3, replicas=3)
        for partition in range(3):
            assert produce(cluster, "used", build_batch([Record(0, 1, None, b"first")]), partition=partition).error_code == 0
    for round_number in (1, 2):  # leader epochs without records pile up with each restart
        with running(tmp_path) as cluster:
            eventually(lambda: _isr_sizes(cluster), lambda sizes: len(sizes) == 15 and all(size == want for size, want in sizes))
            for partition in range(3):
                answer = produce(cluster, "used", build_batch([Record(0, 1, None, b"next")]), partition=partition)
                assert (answer.error_code, answer.base_offset) == (0, round_number)


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("ends", ["kill", "stop"])
def test_clients_reach_a_broker_that_starts_only_once_it_was_unfenced(tmp_path: Path, ends: str) -> None:
    """As with Kafka. Before that it knows the metadata of the time it stopped, or none, and would tell clients that topics are unknown."""
    with running(tmp_path) as cluster:
        cluster.create_topic("t", partitions=3)
        for broker in (3, 2, 1):
            getattr(cluster, ends)(broker)
        send(cluster.directory, "start", 1)
        eventually(lambda: cluster.log(1).count("data loaded"), lambda times: times == 2)
        for _ in range(10):  # alone it finds no majority
            assert _connects(cluster.controller_ports[1])
            assert not _connects(cluster.ports[1])
            time.sleep(0.1)
        cluster.start(2)
        eventually(lambda: cluster.status()[1]["state"], lambda state: state == "ready")
        for broker in (1, 2):
            with cluster.connect(broker) as connection:
                told = calls.describe_cluster(connection)
                assert broker in [node.id for node in told.nodes]
                assert "t" in told.topics
        cluster.start(3)
        eventually(lambda: _isr_sizes(cluster), lambda sizes: sizes == [(3, 3)] * 3)
