"""confluent-kafka (librdkafka) against a live cluster: produce in every way, consume by assignment, administer."""

import time
from typing import Any

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    IsolationLevel,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)
from tests.support.cluster import RunningCluster, eventually

COUNT = 300


def producer(cluster: RunningCluster, **settings: Any) -> Producer:
    return Producer({"bootstrap.servers": cluster.bootstrap, "message.timeout.ms": 20_000, **settings})


def consumer(cluster: RunningCluster, **settings: Any) -> Consumer:
    """A consumer that only assigns, and so must not want to commit."""
    return Consumer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "group.id": "unused",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            **settings,
        }
    )


def send(cluster: RunningCluster, topic: str, messages: list[dict[str, Any]], **settings: Any) -> list[Message]:
    """Produce, and return the delivered messages; any that failed fails the test."""
    delivered: list[Message] = []
    failed: list[Any] = []

    def report(error: Any, message: Message) -> None:
        (failed.append(error) if error is not None else delivered.append(message))

    made = producer(cluster, **settings)
    for message in messages:
        made.produce(topic, on_delivery=report, **message)
        made.poll(0)
    assert made.flush(30) == 0
    assert not failed, failed[:3]
    return delivered


def read(cluster: RunningCluster, positions: list[TopicPartition], count: int, seconds: float = 20.0, **settings: Any) -> list[Message]:
    """Consume ``count`` messages from the given positions, and check that no more come."""
    reader = consumer(cluster, **settings)
    try:
        reader.assign(positions)
        found: list[Message] = []
        deadline = time.monotonic() + seconds
        while len(found) < count and time.monotonic() < deadline:
            found += _sound(reader.consume(count, 0.2))
        found += _sound(reader.consume(1, 0.3))
    finally:
        reader.close()
    return found


def _sound(messages: list[Message]) -> list[Message]:
    for message in messages:
        assert message.error() is None, message.error()
    return messages


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_acks(cluster: RunningCluster, topic: str, acks: str) -> None:
    messages = [{"value": b"%d" % number, "key": b"key", "partition": 0} for number in range(COUNT)]
    send(cluster, topic, messages, acks=acks)
    found = read(cluster, [TopicPartition(topic, 0, OFFSET_BEGINNING)], COUNT)
    assert [message.value() for message in found] == [message["value"] for message in messages]
    assert [message.offset() for message in found] == list(range(COUNT))


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("idempotent", [False, True])
def test_compression(cluster: RunningCluster, topic: str, compression: str, idempotent: bool) -> None:
    messages = [{"value": b"some words that repeat " * 20 + b"%d" % number, "partition": number % 3} for number in range(COUNT)]
    settings = {"compression.type": compression, "enable.idempotence": idempotent, "linger.ms": 20}
    delivered = send(cluster, topic, messages, **settings)
    assert sorted((message.partition(), message.offset()) for message in delivered) == [
        (partition, offset) for partition in range(3) for offset in range(COUNT // 3)
    ]
    found = read(cluster, [TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(3)], COUNT)
    for partition in range(3):
        values = [message.value() for message in found if message.partition() == partition]
        assert values == [message["value"] for message in messages if message["partition"] == partition]


def test_everything_that_a_message_can_carry(cluster: RunningCluster, topic: str) -> None:
    carried: list[dict[str, Any]] = [
        {"value": b"", "key": b""},
        {"value": None, "key": b"only a key"},
        {"value": b"only a value", "key": None},
        {"value": b"\x00\xff" * 1000, "key": "schlüssel".encode()},
        {"value": b"v", "headers": [("h", b"1"), ("h", b"2"), ("empty", b""), ("none", None)]},
        {"value": b"v", "timestamp": 1_600_000_000_123},
    ]
    send(cluster, topic, [{**each, "partition": 1} for each in carried])
    found = read(cluster, [TopicPartition(topic, 1, OFFSET_BEGINNING)], len(carried))
    for message, each in zip(found, carried, strict=True):
        assert (message.value(), message.key()) == (each.get("value"), each.get("key"))
        assert message.headers() == each.get("headers")
    assert found[5].timestamp() == (1, 1_600_000_000_123)


def test_the_largest_message_and_one_that_is_too_large(cluster: RunningCluster, topic: str) -> None:
    limit = 1_048_588
    send(cluster, topic, [{"value": b"x" * (limit - 200), "partition": 0}], **{"message.max.bytes": 4_000_000})
    with pytest.raises(AssertionError, match="MSG_SIZE_TOO_LARGE"):
        send(cluster, topic, [{"value": b"x" * (limit + 200), "partition": 0}], **{"message.max.bytes": 4_000_000})
    assert [len(message.value()) for message in read(cluster, [TopicPartition(topic, 0, OFFSET_BEGINNING)], 1)] == [limit - 200]


def test_consume_from_the_end_from_an_offset_and_from_a_time(cluster: RunningCluster, topic: str) -> None:
    start = 1_700_000_000_000
    for number in range(10):  # one batch each
        send(cluster, topic, [{"value": b"%d" % number, "partition": 0, "timestamp": start + number * 1000}])
    assert [m.value() for m in read(cluster, [TopicPartition(topic, 0, 7)], 3)] == [b"7", b"8", b"9"]
    reader = consumer(cluster)
    try:
        asked = [TopicPartition(topic, 0, start + offset) for offset in (-5, 0, 3_500, 9_000, 9_001)]
        found = [reader.offsets_for_times([each], timeout=10)[0].offset for each in asked]
        assert found == [0, 0, 4, 9, OFFSET_END]
        assert reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=10) == (0, 10)
        reader.assign([TopicPartition(topic, 0, OFFSET_END)])
        assert reader.consume(1, 1.0) == []
        send(cluster, topic, [{"value": b"new", "partition": 0}])
        assert [message.value() for message in reader.consume(1, 10)] == [b"new"]
        reader.seek(TopicPartition(topic, 0, 2))
        assert [message.value() for message in reader.consume(1, 10)] == [b"2"]
        assert [each.offset for each in reader.position([TopicPartition(topic, 0)])] == [3]
    finally:
        reader.close()


def test_an_offset_that_is_not_there(cluster: RunningCluster, topic: str) -> None:
    send(cluster, topic, [{"value": b"a", "partition": 0}])
    with pytest.raises(AssertionError, match=r"OFFSET_OUT_OF_RANGE|AUTO_OFFSET_RESET|Offset out of range"):
        read(cluster, [TopicPartition(topic, 0, 100)], 1)
    found = read(cluster, [TopicPartition(topic, 0, 100)], 1, **{"auto.offset.reset": "earliest"})
    assert [message.value() for message in found] == [b"a"]


def test_read_committed_and_checked_checksums(cluster: RunningCluster, topic: str) -> None:
    messages = [{"value": b"%d" % number, "partition": 2} for number in range(COUNT)]
    send(cluster, topic, messages, **{"enable.idempotence": True, "compression.type": "lz4"})
    settings = {"isolation.level": "read_committed", "check.crcs": True}
    found = read(cluster, [TopicPartition(topic, 2, OFFSET_BEGINNING)], COUNT, **settings)
    assert [message.value() for message in found] == [message["value"] for message in messages]


def test_the_first_message_creates_its_topic(cluster: RunningCluster, topic: str) -> None:
    name = f"{topic}-not-yet"
    send(cluster, name, [{"value": b"first"}])
    described = AdminClient({"bootstrap.servers": cluster.bootstrap}).list_topics(name, 10).topics[name]
    assert {partition: len(each.replicas) for partition, each in described.partitions.items()} == {0: 3}


# --- administration


@pytest.fixture
def admin(cluster: RunningCluster) -> AdminClient:
    return AdminClient({"bootstrap.servers": cluster.bootstrap})


def done(futures: dict[Any, Any]) -> list[Any]:
    """The results of futures; raises the first failure."""
    return [future.result(20) for future in futures.values()]


def refused(futures: dict[Any, Any]) -> str:
    """The name of the error with which the only future fails."""
    with pytest.raises(KafkaException) as caught:
        done(futures)
    return caught.value.args[0].name()


def test_create_and_delete_topics(cluster: RunningCluster, admin: AdminClient, topic: str) -> None:
    name = f"{topic}-made"
    done(admin.create_topics([NewTopic(name, 4, 2, config={"retention.ms": "60000"})], validate_only=True))
    assert name not in admin.list_topics(timeout=10).topics
    done(admin.create_topics([NewTopic(name, 4, 2, config={"retention.ms": "60000"})]))
    described = _wait_for_partitions(admin, name, 4)
    assert all(len(each.replicas) == 2 for each in described.values())
    assert refused(admin.create_topics([NewTopic(name, 1, 1)])) == "TOPIC_ALREADY_EXISTS"
    assert refused(admin.create_topics([NewTopic("not legal", 1, 1)])) == "TOPIC_EXCEPTION"
    assert refused(admin.create_topics([NewTopic(f"{name}-x", 1, 9)])) == "INVALID_REPLICATION_FACTOR"
    assert refused(admin.create_topics([NewTopic(f"{name}-x", 1, 1, config={"no.such.key": "1"})])) == "INVALID_CONFIG"
    done(admin.create_topics([NewTopic(f"{name}-placed", 2, replica_assignment=[[3, 1], [2, 3]])]))
    placed = _wait_for_partitions(admin, f"{name}-placed", 2)
    assert [placed[partition].replicas for partition in (0, 1)] == [[3, 1], [2, 3]]
    done(admin.delete_topics([name, f"{name}-placed"]))
    eventually(lambda: admin.list_topics(timeout=10).topics, lambda topics: name not in topics)
    assert refused(admin.delete_topics([name])) == "UNKNOWN_TOPIC_OR_PART"


def _wait_for_partitions(admin: AdminClient, name: str, count: int) -> dict[int, Any]:
    def look() -> dict[int, Any]:
        found = admin.list_topics(timeout=10).topics.get(name)
        return {} if found is None else found.partitions

    return eventually(look, lambda found: len(found) == count and all(each.leader > 0 for each in found.values()))


def test_a_topic_made_again_is_another(cluster: RunningCluster, admin: AdminClient, topic: str) -> None:
    send(cluster, topic, [{"value": b"old", "partition": 0}])
    done(admin.delete_topics([topic]))
    eventually(lambda: admin.list_topics(timeout=10).topics, lambda topics: topic not in topics)
    done(admin.create_topics([NewTopic(topic, 1, 3)]))
    _wait_for_partitions(admin, topic, 1)
    delivered = send(cluster, topic, [{"value": b"new", "partition": 0}])
    assert [message.offset() for message in delivered] == [0]
    assert [message.value() for message in read(cluster, [TopicPartition(topic, 0, OFFSET_BEGINNING)], 1)] == [b"new"]


def test_add_partitions(cluster: RunningCluster, admin: AdminClient, topic: str) -> None:
    done(admin.create_partitions([NewPartitions(topic, 5)]))
    for broker in cluster.alive():  # a new producer asks any of them, and gives up what the answer does not name
        cluster.wait_for_topic(topic, 5, broker)
    send(cluster, topic, [{"value": b"in the new one", "partition": 4}])
    assert refused(admin.create_partitions([NewPartitions(topic, 2)])) == "INVALID_PARTITIONS"


def _config(admin: AdminClient, kind: ResourceType, name: str) -> dict[str, Any]:
    (found,) = done(admin.describe_configs([ConfigResource(kind, name)]))
    return found


def test_describe_and_alter_configs(admin: AdminClient, topic: str) -> None:
    def alter(key: str, value: str | None, operation: AlterConfigOpType) -> None:
        entry = ConfigEntry(key, value, incremental_operation=operation)
        done(admin.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])]))

    assert _config(admin, ResourceType.TOPIC, topic)["retention.ms"].value == "604800000"
    alter("retention.ms", "1234567", AlterConfigOpType.SET)
    alter("cleanup.policy", "compact", AlterConfigOpType.APPEND)
    found = eventually(lambda: _config(admin, ResourceType.TOPIC, topic), lambda c: c["cleanup.policy"].value == "delete,compact")
    assert (found["retention.ms"].value, found["retention.ms"].is_default) == ("1234567", False)
    alter("retention.ms", None, AlterConfigOpType.DELETE)
    alter("cleanup.policy", "compact", AlterConfigOpType.SUBTRACT)
    found = eventually(lambda: _config(admin, ResourceType.TOPIC, topic), lambda c: c["cleanup.policy"].value == "delete")
    assert found["retention.ms"].value == "604800000"
    with pytest.raises(KafkaException, match="INVALID_CONFIG"):
        alter("retention.ms", "soon", AlterConfigOpType.SET)


def test_configs_of_brokers(cluster: RunningCluster, admin: AdminClient) -> None:
    for broker in cluster.ports:
        found = _config(admin, ResourceType.BROKER, str(broker))
        assert found["node.id"].value == str(broker)
        assert found["node.id"].is_read_only
    entry = ConfigEntry("log.retention.ms", "7654321", incremental_operation=AlterConfigOpType.SET)
    done(admin.incremental_alter_configs([ConfigResource(ResourceType.BROKER, "2", incremental_configs=[entry])]))
    eventually(lambda: _config(admin, ResourceType.BROKER, "2")["log.retention.ms"].value, lambda value: value == "7654321")
    assert _config(admin, ResourceType.BROKER, "1")["log.retention.ms"].value is None
    entry = ConfigEntry("log.retention.ms", None, incremental_operation=AlterConfigOpType.DELETE)
    done(admin.incremental_alter_configs([ConfigResource(ResourceType.BROKER, "2", incremental_configs=[entry])]))


def test_describe_cluster_and_topics(cluster: RunningCluster, admin: AdminClient, topic: str) -> None:
    found = admin.describe_cluster(request_timeout=10, include_authorized_operations=True).result(20)
    assert found.cluster_id == cluster.cluster_id
    assert {node.id: node.port for node in found.nodes} == cluster.ports
    assert found.controller is not None
    assert found.authorized_operations
    (described,) = done(admin.describe_topics(TopicCollection([topic]), include_authorized_operations=True))
    assert [len(partition.isr) for partition in described.partitions] == [3, 3, 3]
    assert described.authorized_operations


def test_list_offsets(cluster: RunningCluster, admin: AdminClient, topic: str) -> None:
    start = 1_700_000_000_000
    for number in range(5):
        send(cluster, topic, [{"value": b"x", "partition": 0, "timestamp": start + 1000 * (5 - abs(number - 3))}])

    def ask(spec: OffsetSpec) -> tuple[int, int]:
        asked = {TopicPartition(topic, 0): spec}
        (found,) = done(admin.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=10))
        return found.offset, found.timestamp

    assert ask(OffsetSpec.earliest())[0] == 0
    assert ask(OffsetSpec.latest())[0] == 5
    assert ask(OffsetSpec.max_timestamp()) == (3, start + 5000)
    assert ask(OffsetSpec.for_timestamp(start + 3500)) == (2, start + 4000)


def test_delete_records(cluster: RunningCluster, admin: AdminClient, topic: str) -> None:
    send(cluster, topic, [{"value": b"%d" % number, "partition": 0} for number in range(10)])
    (deleted,) = done(admin.delete_records([TopicPartition(topic, 0, 4)]))
    assert deleted.low_watermark == 4
    assert [m.value() for m in read(cluster, [TopicPartition(topic, 0, OFFSET_BEGINNING)], 6)] == [b"%d" % n for n in range(4, 10)]
    (deleted,) = done(admin.delete_records([TopicPartition(topic, 0, OFFSET_END)]))
    assert deleted.low_watermark == 10
    assert refused(admin.delete_records([TopicPartition(topic, 0, 11)])) == "OFFSET_OUT_OF_RANGE"
    assert [message.offset() for message in send(cluster, topic, [{"value": b"next", "partition": 0}])] == [10]
