"""An unclean election of a replica that had not got as far as records were deleted: everybody follows it, and what it commits is kept."""

from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from tests.support.cluster import RunningCluster, eventually, running

TOPIC = "payments"
SETTINGS = {
    "unclean.leader.election.enable": "true",
    "replica.lag.time.max.ms": "1500",
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
}


def write(cluster: RunningCluster, *values: str) -> None:
    """Acknowledged by all in-sync replicas."""
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all", "delivery.timeout.ms": 30_000})
    failures: list[Any] = []
    for value in values:
        producer.produce(TOPIC, value, partition=0, on_delivery=lambda error, _: failures.append(error) if error else None)
    assert producer.flush(40) == 0
    assert not failures


def read(cluster: RunningCluster, offset: int, end: int) -> list[tuple[int, str]]:
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "reader", "auto.offset.reset": "error"})
    consumer.assign([TopicPartition(TOPIC, 0, offset)])
    found: list[tuple[int, str]] = []
    try:
        while offset < end:
            message = consumer.poll(20)
            assert message is not None, f"nothing came at offset {offset}"
            assert message.error() is None, message.error()
            offset = message.offset() + 1
            found.append((message.offset(), message.value().decode()))
    finally:
        consumer.close()
    return found


def wait_for_isr(cluster: RunningCluster, *brokers: int) -> None:
    eventually(lambda: sorted(cluster.partition(TOPIC).isr), lambda isr: isr == sorted(brokers), 30)


def test_records_that_an_unclean_leader_commits_below_the_old_log_start_reach_its_followers(tmp_path: Path) -> None:
    with running(tmp_path, settings=SETTINGS) as cluster:
        cluster.create_topic(TOPIC, replicas=2, configs={"min.insync.replicas": "1"})
        before = cluster.leader(TOPIC)
        behind = next(each for each in cluster.partition(TOPIC).replicas if each != before)
        wait_for_isr(cluster, before, behind)
        write(cluster, "a", "b", "c")
        cluster.kill(behind)
        wait_for_isr(cluster, before)
        write(cluster, *"defghij")
        admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
        deleted = admin.delete_records([TopicPartition(TOPIC, 0, 8)])
        assert [future.result(30).low_watermark for future in deleted.values()] == [8]
        cluster.kill(before)
        cluster.start(behind)
        eventually(lambda: cluster.partition(TOPIC).leader, lambda leader: leader == behind, 30)
        write(cluster, *"DEFG")
        cluster.start(before)
        wait_for_isr(cluster, before, behind)
        cluster.kill(behind)
        eventually(lambda: cluster.partition(TOPIC).leader, lambda leader: leader == before, 30)
        assert read(cluster, 3, 7) == [(3, "D"), (4, "E"), (5, "F"), (6, "G")]
        cluster.kill(before)
        cluster.start(before)
        eventually(lambda: cluster.partition(TOPIC).leader, lambda leader: leader == before, 30)
        assert read(cluster, 3, 7) == [(3, "D"), (4, "E"), (5, "F"), (6, "G")]
        cluster.start(behind)
