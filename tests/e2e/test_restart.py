"""A cluster that stopped in order and is started again on its data: every replica is back in its ISR, and the offsets go on."""

from pathlib import Path

from tests.support.cluster import RunningCluster, eventually, running
from tests.support.requests import produce

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
