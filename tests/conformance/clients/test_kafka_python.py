"""kafka-python, a client without librdkafka's habits, against a live cluster: produce, consume by assignment, administer.

Snappy is left to the other clients: kafka-python wants a library for it that nothing else here needs.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import AlterConfigOp, ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic, OffsetSpec
from kafka.errors import InvalidReplicationFactorError, TopicAlreadyExistsError, UnknownTopicOrPartitionError
from kafka.structs import TopicPartition
from tests.support.cluster import RunningCluster, eventually

COUNT = 200


def send(cluster: RunningCluster, topic: str, values: list[bytes], *, partition: int = 0, **settings: Any) -> list[int]:
    """Produce, and return the offsets."""
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap, **settings)
    try:
        futures = [producer.send(topic, value, key=b"key", partition=partition, headers=[("h", b"1")]) for value in values]
        return [future.get(20).offset for future in futures]
    finally:
        producer.close()


def consumer(cluster: RunningCluster, **settings: Any) -> KafkaConsumer:
    return KafkaConsumer(bootstrap_servers=cluster.bootstrap, group_id=None, consumer_timeout_ms=5000, **settings)


def take(reader: KafkaConsumer, count: int) -> list[Any]:
    """So many records, after which no more come."""
    found = list(islice(reader, count))
    assert reader.poll(500) == {}
    return found


@pytest.mark.parametrize(
    "settings",
    [
        {"acks": 1},
        {"acks": "all", "enable_idempotence": True},
        {"acks": "all", "compression_type": "gzip"},
        {"acks": "all", "compression_type": "lz4"},
        {"acks": "all", "compression_type": "zstd"},
    ],
    ids=lambda settings: "-".join(str(value) for value in settings.values()),
)
def test_what_is_produced_is_consumed(cluster: RunningCluster, topic: str, settings: dict[str, Any]) -> None:
    values = [b"value %d" % number for number in range(COUNT)]
    assert send(cluster, topic, values, **settings) == list(range(COUNT))
    reader = consumer(cluster, auto_offset_reset="earliest")
    reader.assign([TopicPartition(topic, 0)])
    found = take(reader, COUNT)
    assert [(message.offset, message.value, message.key) for message in found] == [
        (offset, value, b"key") for offset, value in enumerate(values)
    ]
    assert found[0].headers == [("h", b"1")]
    reader.close()


def test_acks_0_are_stored_too(cluster: RunningCluster, topic: str) -> None:
    send(cluster, topic, [b"a", b"b"], acks=0, enable_idempotence=False)
    eventually(lambda: _offsets(cluster, topic)["latest"], lambda latest: latest == 2)


def _offsets(cluster: RunningCluster, topic: str) -> dict[str, int]:
    reader = consumer(cluster)
    partition = TopicPartition(topic, 0)
    try:
        return {"earliest": reader.beginning_offsets([partition])[partition], "latest": reader.end_offsets([partition])[partition]}
    finally:
        reader.close()


def test_consume_from_an_offset_the_end_and_a_time(cluster: RunningCluster, topic: str) -> None:
    partition = TopicPartition(topic, 0)
    send(cluster, topic, [b"%d" % number for number in range(10)])
    assert _offsets(cluster, topic) == {"earliest": 0, "latest": 10}
    reader = consumer(cluster)
    reader.assign([partition])
    reader.seek(partition, 8)
    found = take(reader, 2)
    assert [message.value for message in found] == [b"8", b"9"]
    by_time = reader.offsets_for_times({partition: found[0].timestamp})[partition]
    assert 0 <= by_time.offset <= 8
    assert reader.offsets_for_times({partition: found[1].timestamp + 60_000})[partition] is None
    reader.seek_to_end(partition)
    assert take(reader, 0) == []
    reader.close()


@pytest.fixture
def admin(cluster: RunningCluster) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    yield client
    client.close()


def test_topics_are_made_changed_and_deleted(admin: KafkaAdminClient, topic: str) -> None:
    name = f"{topic}-made"
    admin.create_topics([NewTopic(name, 2, 2)])
    with pytest.raises(TopicAlreadyExistsError):
        admin.create_topics([NewTopic(name, 2, 2)])
    with pytest.raises(InvalidReplicationFactorError):
        admin.create_topics([NewTopic(f"{name}-x", 1, 8)])
    admin.create_partitions({name: NewPartitions(5)})
    described = eventually(lambda: admin.describe_topics([name])[0], lambda found: len(found["partitions"]) == 5)
    assert all(len(partition["isr_nodes"]) == 2 for partition in described["partitions"][:2])
    admin.delete_topics([name])
    eventually(admin.list_topics, lambda names: name not in names)
    with pytest.raises(UnknownTopicOrPartitionError):
        admin.delete_topics([name])


def test_configs(admin: KafkaAdminClient, topic: str) -> None:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": (AlterConfigOp.SET, "98765")})
    admin.alter_configs([resource])
    asked = ConfigResource(ConfigResourceType.TOPIC, topic)
    eventually(lambda: str(admin.describe_configs([asked])), lambda text: "98765" in text)
    admin.reset_configs([ConfigResource(ConfigResourceType.TOPIC, topic, ["retention.ms"])])
    eventually(lambda: str(admin.describe_configs([asked])), lambda text: "98765" not in text)


def test_what_an_administrator_looks_at(cluster: RunningCluster, admin: KafkaAdminClient, topic: str) -> None:
    send(cluster, topic, [b"%d" % number for number in range(6)], enable_idempotence=True)
    described = admin.describe_cluster()
    assert described["cluster_id"] == cluster.cluster_id
    assert {broker["broker_id"]: broker["port"] for broker in described["brokers"]} == cluster.ports
    quorum = admin.describe_metadata_quorum()["topics"][0]["partitions"][0]
    assert sorted(voter["replica_id"] for voter in quorum["current_voters"]) == [1, 2, 3]
    assert admin.describe_features()["metadata.version"]["finalized"][1] >= 30
    assert admin.list_partition_reassignments() == {}
    sizes = {
        directory["topics"][0]["partitions"][0]["partition_size"]
        for broker in admin.describe_log_dirs({topic: [0]})
        for directory in broker["log_dirs"]
    }
    assert len(sizes) == 1  # three replicas of one size
    assert min(sizes) > 0
    partition = TopicPartition(topic, 0)
    (producers,) = admin.describe_producers([partition]).values()
    assert "last_sequence=5" in str(producers)
    assert admin.list_partition_offsets({partition: OffsetSpec.LATEST})[partition].offset == 6
    deleted = admin.delete_records({partition: 2})
    assert "2" in str(deleted)
    assert _offsets(cluster, topic) == {"earliest": 2, "latest": 6}
