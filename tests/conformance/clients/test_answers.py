"""Answers that a client library takes apart or hides, in single requests: the same on our cluster and on Apache Kafka."""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from tests.conformance.clients.targets import BOTH, start
from tests.support.cluster import Brokers, eventually
from tests.support.requests import produce

from holdwater.rpc import calls
from holdwater.wire import messages as m
from holdwater.wire.records import Record, build_batch

NONE, OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER, INVALID_TOPIC, POLICY_VIOLATION = 0, 1, 3, 6, 17, 44
UNSUPPORTED_VERSION, INVALID_REQUEST, UNKNOWN_TOPIC_ID, MISMATCHED_ENDPOINT, UNSUPPORTED_ENDPOINT = 35, 42, 100, 114, 115
TOPIC, COMPACTED, EMPTY, MANY, GONE = "answers", "answers-compacted", "answers-empty", "answers-many", "answers-gone"
NO_ID = bytes(16)
START_MS = int(time.time() * 1000) - 1_000_000
ALL_ON_TOPIC, ALL_ON_CLUSTER = 3576, 8096
NOT_ASKED = -(2**31)


class World(NamedTuple):
    brokers: Brokers
    topic_id: bytes
    leader: int

    def call(self, request: Any, response: Any, version: int, broker: int | None = None) -> Any:
        with self.brokers.connect(self.leader if broker is None else broker) as connection:
            return connection.call(request, response, highest=version)


@pytest.fixture(scope="module", params=BOTH)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Thirteen records in one partition: pairs at 0, 100 .. 400 ms, then three at 1000, 50 and 1000 ms."""
    for brokers in start(request.param, tmp_path_factory.mktemp("answers")):
        brokers.create_topic(TOPIC)
        brokers.create_topic(EMPTY)
        brokers.create_topic(MANY, partitions=5)
        brokers.create_topic(COMPACTED, configs={"cleanup.policy": "compact"})
        times = [[n * 100, n * 100 + 1] for n in range(5)] + [[1000, 50, 1000]]
        for batch in times:
            data = build_batch([Record(0, START_MS + offset, b"k", b"v") for offset in batch])
            assert produce(brokers, TOPIC, data).error_code == NONE
        assert produce(brokers, COMPACTED, build_batch([Record(0, START_MS, b"k", b"v")])).error_code == NONE
        with brokers.connect() as connection:
            described = calls.describe_topic(connection, TOPIC)
        assert described is not None
        yield World(brokers, described.topic_id, brokers.leader(TOPIC))


# --- ListOffsets


def list_offset(
    world: World, timestamp: int, version: int = 10, *, topic: str = TOPIC, partition: int = 0, epoch: int = -1, broker: int | None = None
) -> tuple[int, int, int, int]:
    """Error, milliseconds after ``START_MS`` (or -1), offset, leader epoch."""
    r = m.ListOffsetsRequest
    asked = r.ListOffsetsPartition(partition_index=partition, timestamp=timestamp)
    if version >= 4:
        asked.current_leader_epoch = epoch
    request = r(replica_id=-1, topics=[r.ListOffsetsTopic(name=topic, partitions=[asked])])
    answer = world.call(request, m.ListOffsetsResponse, version, broker or world.brokers.leader(topic if topic != GONE else TOPIC))
    found = answer.topics[0].partitions[0]
    return found.error_code, found.timestamp - START_MS if found.timestamp >= 0 else -1, found.offset, found.leader_epoch


@pytest.mark.parametrize("version", range(1, 12))
def test_ends_of_the_log_in_every_version(world: World, version: int) -> None:
    epoch = 0 if version >= 4 else -1
    assert list_offset(world, -1, version) == (NONE, -1, 13, epoch)
    assert list_offset(world, -2, version) == (NONE, -1, 0, epoch)


@pytest.mark.parametrize(("timestamp", "since"), [(-3, 7), (-4, 8), (-5, 9), (-6, 11), (-7, 99), (-99, 99)])
def test_special_timestamps_have_their_versions(world: World, timestamp: int, since: int) -> None:
    for version in range(1, 12):
        error = list_offset(world, timestamp, version)[0]
        assert error == (NONE if version >= since else UNSUPPORTED_VERSION), version


def test_special_timestamps(world: World) -> None:
    assert list_offset(world, -3) == (NONE, 1000, 10, 0)
    assert list_offset(world, -4) == (NONE, -1, 0, 0)
    assert list_offset(world, -5) == (NONE, -1, -1, -1)
    assert list_offset(world, -3, topic=EMPTY) == (NONE, -1, -1, -1)
    assert list_offset(world, -1, topic=EMPTY)[:3] == (NONE, -1, 0)


@pytest.mark.parametrize(
    ("after_ms", "at_ms", "offset"),
    [(-10, 0, 0), (0, 0, 0), (1, 1, 1), (50, 100, 2), (101, 101, 3), (102, 200, 4), (401, 401, 9), (402, 1000, 10), (1000, 1000, 10)],
)
def test_offset_of_a_time(world: World, after_ms: int, at_ms: int, offset: int) -> None:
    assert list_offset(world, START_MS + after_ms) == (NONE, at_ms, offset, 0)


def test_offset_of_a_time_that_has_not_come(world: World) -> None:
    assert list_offset(world, START_MS + 1001) == (NONE, -1, -1, -1)
    assert list_offset(world, START_MS, topic=EMPTY) == (NONE, -1, -1, -1)


def test_list_offsets_where_there_is_nothing(world: World) -> None:
    assert list_offset(world, -1, topic=GONE)[0] == UNKNOWN_TOPIC_OR_PARTITION
    assert list_offset(world, -1, partition=9)[0] == UNKNOWN_TOPIC_OR_PARTITION
    assert list_offset(world, -1, broker=world.leader % 3 + 1)[0] == NOT_LEADER
    assert list_offset(world, -1, epoch=0)[0] == NONE
    assert list_offset(world, -1, epoch=7)[0] == 75  # UNKNOWN_LEADER_EPOCH


def test_a_partition_that_is_asked_for_twice(world: World) -> None:
    r = m.ListOffsetsRequest
    request = r(replica_id=-1, topics=[r.ListOffsetsTopic(name=TOPIC, partitions=[r.ListOffsetsPartition(partition_index=0)] * 2)])
    found = world.call(request, m.ListOffsetsResponse, 10).topics[0].partitions
    assert [(each.partition_index, each.error_code) for each in found] == [(0, INVALID_REQUEST)]


# --- OffsetForLeaderEpoch


@pytest.mark.parametrize(("epoch", "expected"), [(-1, (-1, -1)), (0, (0, 13)), (1, (-1, -1)), (9, (-1, -1))])
@pytest.mark.parametrize("version", [2, 3, 4])
def test_end_of_a_leader_epoch(world: World, version: int, epoch: int, expected: tuple[int, int]) -> None:
    r = m.OffsetForLeaderEpochRequest
    asked = r.OffsetForLeaderPartition(partition=0, leader_epoch=epoch)
    answer = world.call(r(topics=[r.OffsetForLeaderTopic(topic=TOPIC, partitions=[asked])]), m.OffsetForLeaderEpochResponse, version)
    found = answer.topics[0].partitions[0]
    assert (found.error_code, found.leader_epoch, found.end_offset) == (NONE, *expected)


# --- Metadata


def metadata(world: World, names: list[str | None] | None, ids: list[bytes] | None = None, version: int = 12, **settings: bool) -> Any:
    r = m.MetadataRequest
    topics = None
    if names is not None:
        topics = [
            r.MetadataRequestTopic(name=name, topic_id=topic_id) for name, topic_id in zip(names, ids or [NO_ID] * len(names), strict=True)
        ]
    request = r(topics=topics, **settings)
    if version >= 4:
        request.allow_auto_topic_creation = False
    return world.call(request, m.MetadataResponse, version)


def seen(answer: Any) -> list[tuple[int, str | None]]:
    return [(topic.error_code, topic.name) for topic in answer.topics]


def test_topics_by_name_and_by_id(world: World) -> None:
    assert sorted(seen(metadata(world, [TOPIC, GONE, "not legal", ""]))) == [
        (NONE, TOPIC),
        (UNKNOWN_TOPIC_OR_PARTITION, GONE),
        (INVALID_TOPIC, ""),
        (INVALID_TOPIC, "not legal"),
    ]
    assert seen(metadata(world, [None], [world.topic_id])) == [(NONE, TOPIC)]
    assert seen(metadata(world, [None], [b"\x07" * 16])) == [(UNKNOWN_TOPIC_ID, None)]
    assert seen(metadata(world, [TOPIC, None], [NO_ID, b"\x07" * 16])) == [(UNKNOWN_TOPIC_ID, None)]  # one id: ids throughout
    assert seen(metadata(world, ["another"], [world.topic_id])) == [(NONE, TOPIC)]
    assert seen(metadata(world, [TOPIC, TOPIC])) == [(NONE, TOPIC)]
    assert seen(metadata(world, [])) == []


@pytest.mark.parametrize("version", range(14))
def test_all_topics(world: World, version: int) -> None:
    answer = metadata(world, [] if version == 0 else None, version=version)
    assert {TOPIC, EMPTY, MANY, COMPACTED} <= {topic.name for topic in answer.topics}
    assert len(answer.brokers) == 3


def test_operations_are_told_to_those_who_ask(world: World) -> None:
    (topic,) = metadata(world, [TOPIC], version=10).topics
    assert topic.topic_authorized_operations == NOT_ASKED
    answer = metadata(world, [TOPIC], version=10, include_topic_authorized_operations=True, include_cluster_authorized_operations=True)
    assert (answer.topics[0].topic_authorized_operations, answer.cluster_authorized_operations) == (ALL_ON_TOPIC, ALL_ON_CLUSTER)
    everything = metadata(world, None, version=10, include_topic_authorized_operations=True)
    assert {each.topic_authorized_operations for each in everything.topics} == {ALL_ON_TOPIC}
    assert {each.topic_authorized_operations for each in metadata(world, None, version=10).topics} == {NOT_ASKED}


# --- DescribeCluster and DescribeTopicPartitions


def test_describe_cluster(world: World) -> None:
    def ask(version: int, **settings: Any) -> Any:
        return world.call(m.DescribeClusterRequest(**settings), m.DescribeClusterResponse, version)

    for version in range(3):
        answer = ask(version, include_cluster_authorized_operations=True)
        assert (answer.error_code, answer.cluster_authorized_operations) == (NONE, ALL_ON_CLUSTER)
        assert sorted(broker.broker_id for broker in answer.brokers) == [1, 2, 3]
    assert ask(2).cluster_authorized_operations == NOT_ASKED
    assert (ask(2, endpoint_type=2).error_code, ask(2, endpoint_type=9).error_code) == (MISMATCHED_ENDPOINT, UNSUPPORTED_ENDPOINT)


def test_describe_topic_partitions_in_pages(world: World) -> None:
    r = m.DescribeTopicPartitionsRequest

    def ask(names: list[str], limit: int, cursor: tuple[str, int] | None = None) -> tuple[list[Any], Any]:
        request = r(
            topics=[r.TopicRequest(name=name) for name in names],
            response_partition_limit=limit,
            cursor=None if cursor is None else r.Cursor(topic_name=cursor[0], partition_index=cursor[1]),
        )
        answer = world.call(request, m.DescribeTopicPartitionsResponse, 0)
        found = [(topic.error_code, topic.name, [each.partition_index for each in topic.partitions]) for topic in answer.topics]
        following = answer.next_cursor
        return found, None if following is None else (following.topic_name, following.partition_index)

    assert ask([TOPIC, GONE], 100) == ([(NONE, TOPIC, [0]), (UNKNOWN_TOPIC_OR_PARTITION, GONE, [])], None)
    assert ask([TOPIC, MANY], 3) == ([(NONE, TOPIC, [0]), (NONE, MANY, [0, 1])], (MANY, 2))
    assert ask([TOPIC, MANY], 3, (MANY, 2)) == ([(NONE, MANY, [2, 3, 4])], None)
    assert [each[0] for each in ask([TOPIC, MANY], 3, (MANY, -2))[0]] == [INVALID_REQUEST] * 2
    assert [each[0] for each in ask([MANY, TOPIC], 3, ("answers-a", 2))[0]] == [INVALID_REQUEST] * 2


# --- DescribeConfigs


def configs(world: World, kind: int, name: str, keys: list[str] | None, broker: int | None = None) -> Any:
    resource = m.DescribeConfigsRequest.DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=keys)
    return world.call(m.DescribeConfigsRequest(resources=[resource], include_synonyms=True), m.DescribeConfigsResponse, 4, broker).results[
        0
    ]


def test_where_a_value_comes_from(world: World) -> None:
    (found,) = configs(world, 2, TOPIC, ["cleanup.policy"]).configs
    assert [(each.name, each.value, each.source) for each in found.synonyms] == [("log.cleanup.policy", "delete", 5)]
    (found,) = configs(world, 2, COMPACTED, ["cleanup.policy"]).configs
    assert [(each.name, each.value, each.source) for each in found.synonyms] == [
        ("cleanup.policy", "compact", 1),
        ("log.cleanup.policy", "delete", 5),
    ]
    (found,) = configs(world, 2, TOPIC, ["min.insync.replicas"]).configs
    assert [(each.name, each.value, each.source) for each in found.synonyms][-1] == ("min.insync.replicas", "1", 5)
    assert (found.value, found.synonyms[-2].value) == ("2", "2")
    assert len(configs(world, 2, TOPIC, []).configs) == len(configs(world, 2, TOPIC, None).configs) > 30
    assert not [each.name for each in configs(world, 2, TOPIC, None).configs if each.name.startswith("internal")]


def test_configurations_of_what_is_not_there(world: World) -> None:
    for kind, name, error in (
        (2, GONE, UNKNOWN_TOPIC_OR_PARTITION),
        (2, "not legal", INVALID_TOPIC),
        (2, "", INVALID_TOPIC),
        (4, str(world.leader % 3 + 1), INVALID_REQUEST),  # only a broker knows its own
        (4, "x", INVALID_REQUEST),
        (77, "x", INVALID_REQUEST),
    ):
        assert configs(world, kind, name, None).error_code == error, (kind, name)


# --- DeleteRecords, last: it changes what the others look at


def test_delete_records(world: World) -> None:
    def delete(offset: int, *, topic: str = TOPIC, partition: int = 0, broker: int | None = None, version: int = 2) -> tuple[int, int]:
        r = m.DeleteRecordsRequest
        asked = r.DeleteRecordsTopic(name=topic, partitions=[r.DeleteRecordsPartition(partition_index=partition, offset=offset)])
        at = broker or world.brokers.leader(topic if topic != GONE else TOPIC)
        found = world.call(r(topics=[asked], timeout_ms=5000), m.DeleteRecordsResponse, version, at).topics[0].partitions[0]
        return found.error_code, found.low_watermark

    assert delete(0) == (NONE, 0)
    assert delete(3) == (NONE, 3)
    for version in (0, 1, 2):
        assert delete(2, version=version) == (NONE, 3)
    assert delete(-2) == delete(100) == (OFFSET_OUT_OF_RANGE, -1)
    assert delete(0, topic=GONE) == delete(0, partition=7) == (UNKNOWN_TOPIC_OR_PARTITION, -1)
    assert delete(0, broker=world.leader % 3 + 1) == (NOT_LEADER, -1)
    assert delete(0, topic=COMPACTED) == (POLICY_VIOLATION, -1)
    assert list_offset(world, -2) == (NONE, -1, 3, 0)
    for broker in world.brokers.alive():  # every replica has forgotten them: none brings them back as a leader
        size = eventually(lambda b=broker: _log_size(world, b), lambda found: found >= 0)
        assert size == _log_size(world, world.leader)
    assert delete(-1) == (NONE, 13)
    assert produce(world.brokers, TOPIC, build_batch([Record(0, START_MS, None, b"next")])).base_offset == 13


def _log_size(world: World, broker: int) -> int:
    topic = m.DescribeLogDirsRequest.DescribableLogDirTopic(topic=TOPIC, partitions=[0])
    answer = world.call(m.DescribeLogDirsRequest(topics=[topic]), m.DescribeLogDirsResponse, 4, broker)
    found = [each for result in answer.results for named in result.topics for each in named.partitions]
    return found[0].partition_size if found else -1
