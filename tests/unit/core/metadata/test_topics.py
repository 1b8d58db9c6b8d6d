"""Creating, deleting and growing topics, beyond what the stories tell."""

from typing import Any

import pytest
from tests.support.metadata_bench import Bench, config_of

from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest

Topic = CreateTopicsRequest.CreatableTopic


def bench_with(*topics: str, **keys: str) -> Bench:
    bench = Bench(config_of(**keys))
    bench.start(1, 2, 3)
    for name in topics:
        assert bench.create(name, 1, 1).error_code == 0
    return bench


def create(bench: Bench, *topics: Topic, **fields: Any) -> list[tuple[str, ErrorCode, str | None]]:
    response = bench.submit(bench.controller.handle_create_topics(CreateTopicsRequest(topics=list(topics), **fields)))
    return [(result.name, ErrorCode(result.error_code), result.error_message) for result in response.topics]


def one(name: str) -> Topic:
    return Topic(name=name, num_partitions=1, replication_factor=1)


def test_good_and_bad_topics_of_one_request_go_their_own_ways() -> None:
    bench = bench_with("old")
    results = create(bench, one("a"), one("old"), one("b"), one("b"), one("c.d"), one("c_d"))
    assert results == [
        ("a", ErrorCode.NONE, None),
        ("old", ErrorCode.TOPIC_ALREADY_EXISTS, "Topic 'old' already exists."),
        ("b", ErrorCode.INVALID_REQUEST, "Duplicate topic name."),
        ("c.d", ErrorCode.NONE, None),
        ("c_d", ErrorCode.INVALID_TOPIC_EXCEPTION, "Topic 'c_d' collides with existing topic: c.d"),
    ]
    assert list(bench.image.topic_ids) == ["old", "a", "c.d"]


def test_names_that_agree_but_for_other_characters_do_not_collide() -> None:
    assert create(bench_with("a-b"), one("a_b")) == [("a_b", ErrorCode.NONE, None)]


def test_a_deleted_name_collides_no_more() -> None:
    bench = bench_with("a.b")
    delete(bench, 6, name="a.b")
    assert create(bench, one("a_b")) == [("a_b", ErrorCode.NONE, None)]


def test_validate_only_writes_nothing() -> None:
    bench = bench_with()
    before = len(bench.log)
    assert create(bench, one("a"), validate_only=True) == [("a", ErrorCode.NONE, None)]
    assert len(bench.log) == before


def test_defaults_of_the_broker_apply() -> None:
    bench = bench_with(num_partitions="4", default_replication_factor="2")
    result = bench.create("t")
    assert (result.num_partitions, result.replication_factor) == (4, 2)
    assert len(bench.image.topics[result.topic_id].partitions) == 4


def test_the_response_tells_the_effective_configuration() -> None:
    bench = bench_with(log_retention_hours="1")
    result = bench.create("t", 1, 1, segment_bytes="2000000")
    told = {config.name: (config.value, config.config_source) for config in result.configs}
    assert told["segment.bytes"] == ("2000000", 1)
    assert told["retention.ms"] == ("3600000", 4)
    assert told["min.insync.replicas"] == ("1", 3)
    assert told["max.message.bytes"] == ("1048588", 5)
    assert "internal.segment.bytes" not in told


def test_a_client_that_may_not_see_it_is_not_told() -> None:
    bench = bench_with()
    request = CreateTopicsRequest(topics=[one("t")])
    result = bench.submit(bench.controller.handle_create_topics(request, lambda name: name != "t")).topics[0]
    assert (result.error_code, result.topic_config_error_code) == (0, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    assert (result.configs, result.num_partitions) == ([], -1)


@pytest.mark.parametrize(
    ("topic", "error"),
    [
        (Topic(name="t", num_partitions=2, replication_factor=-1, assignments=[(0, [1])]), ErrorCode.INVALID_REQUEST),
        (Topic(name="t", num_partitions=-1, replication_factor=1, assignments=[(0, [1])]), ErrorCode.INVALID_REQUEST),
        (Topic(name="t", num_partitions=-1, replication_factor=-1, assignments=[(0, [1]), (0, [2])]), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (Topic(name="t", num_partitions=-1, replication_factor=-1, assignments=[(0, [1]), (2, [2])]), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (Topic(name="t", num_partitions=-1, replication_factor=-1, assignments=[(0, [])]), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (Topic(name="t", num_partitions=10_001, replication_factor=1), ErrorCode.POLICY_VIOLATION),
        (Topic(name="t", num_partitions=10_000, replication_factor=1), ErrorCode.POLICY_VIOLATION),
        (Topic(name="", num_partitions=1, replication_factor=1), ErrorCode.INVALID_TOPIC_EXCEPTION),
        (Topic(name="x" * 250, num_partitions=1, replication_factor=1), ErrorCode.INVALID_TOPIC_EXCEPTION),
        (Topic(name="t", num_partitions=1, replication_factor=1, configs=[("retention.ms", None)]), ErrorCode.INVALID_CONFIG),
    ],
)
def test_refused(topic: Topic, error: ErrorCode) -> None:
    topic.assignments = [CreateTopicsRequest.CreatableReplicaAssignment(*entry) for entry in topic.assignments]  # type: ignore[misc]
    topic.configs = [CreateTopicsRequest.CreatableTopicConfig(*entry) for entry in topic.configs]  # type: ignore[misc]
    bench = bench_with()
    before = len(bench.log)
    assert create(bench, topic)[0][1] is error
    assert len(bench.log) == before


def test_a_topic_is_created_in_one_batch() -> None:
    bench = bench_with()
    result = bench.controller.handle_create_topics(CreateTopicsRequest(topics=[one("t")]))
    assert result.atomic
    assert result.wait_offset == bench.end_offset + len(result.records)


def test_ids_are_never_used_again() -> None:
    """M7."""
    bench = bench_with()
    seen = []
    for _ in range(20):
        seen.append(bench.create("t", 1, 1).topic_id)
        delete(bench, 6, name="t")
    assert len(set(seen)) == 20


# Deletion


def delete(bench: Bench, version: int, **topic: Any) -> ErrorCode:
    fields = {"topics": [DeleteTopicsRequest.DeleteTopicState(**topic)]} if version >= 6 else {"topic_names": [topic["name"]]}
    response = bench.submit(bench.controller.handle_delete_topics(DeleteTopicsRequest(**fields), version))
    return ErrorCode(response.responses[0].error_code)


def test_by_name_and_by_id() -> None:
    bench = bench_with("a", "b", "c")
    assert delete(bench, 5, name="a") is ErrorCode.NONE
    assert delete(bench, 6, name="b") is ErrorCode.NONE
    assert delete(bench, 6, topic_id=bench.image.topic_ids["c"]) is ErrorCode.NONE
    assert bench.image.topics == {}


@pytest.mark.parametrize(
    ("topic", "error"),
    [
        ({"name": "none"}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ({"topic_id": b"x" * 16}, ErrorCode.UNKNOWN_TOPIC_ID),
        ({"name": "a", "topic_id": b"x" * 16}, ErrorCode.INVALID_REQUEST),
        ({}, ErrorCode.INVALID_REQUEST),
    ],
)
def test_what_cannot_be_deleted(topic: dict[str, Any], error: ErrorCode) -> None:
    assert delete(bench_with("a"), 6, **topic) is error


def test_a_topic_named_twice_is_not_deleted() -> None:
    bench = bench_with("a")
    state = DeleteTopicsRequest.DeleteTopicState
    request = DeleteTopicsRequest(topics=[state(name="a"), state(topic_id=bench.image.topic_ids["a"])])
    response = bench.submit(bench.controller.handle_delete_topics(request, 6))
    assert [ErrorCode(result.error_code) for result in response.responses] == [ErrorCode.INVALID_REQUEST] * 2
    assert "a" in bench.image.topic_ids


@pytest.mark.parametrize(("version", "error"), [(2, ErrorCode.INVALID_REQUEST), (3, ErrorCode.TOPIC_DELETION_DISABLED)])
def test_deletion_can_be_switched_off(version: int, error: ErrorCode) -> None:
    assert delete(bench_with("a", delete_topic_enable="false"), version, name="a") is error


# More partitions


def grow(bench: Bench, name: str, count: int, assignments: list[list[int]] | None = None, **fields: Any) -> ErrorCode:
    request = CreatePartitionsRequest
    wanted = None if assignments is None else [request.CreatePartitionsAssignment(broker_ids=replicas) for replicas in assignments]
    topic = request.CreatePartitionsTopic(name=name, count=count, assignments=wanted)
    return ErrorCode(bench.submit(bench.controller.handle_create_partitions(request(topics=[topic], **fields))).results[0].error_code)


@pytest.mark.parametrize(
    ("count", "assignments", "error"),
    [
        (3, None, ErrorCode.NONE),
        (3, [[1], [2]], ErrorCode.NONE),
        (3, [[1]], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (2, [[1, 2]], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (2, [[9]], ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        (1, None, ErrorCode.INVALID_PARTITIONS),
        (0, None, ErrorCode.INVALID_PARTITIONS),
        (10_002, None, ErrorCode.POLICY_VIOLATION),
    ],
)
def test_growing(count: int, assignments: list[list[int]] | None, error: ErrorCode) -> None:
    bench = bench_with("t")
    assert grow(bench, "t", count, assignments) is error
    topic = bench.image.topic("t")
    assert topic is not None
    assert len(topic.partitions) == (count if error is ErrorCode.NONE else 1)


def test_growing_validate_only_and_without_brokers() -> None:
    bench = bench_with("t")
    assert grow(bench, "t", 2, validate_only=True) is ErrorCode.NONE
    for broker_id in (1, 2, 3):
        bench.heartbeat(broker_id, fence=True)
    assert grow(bench, "t", 2) is ErrorCode.INVALID_REPLICATION_FACTOR
    assert grow(bench, "t", 2, [[1]]) is ErrorCode.INVALID_REPLICA_ASSIGNMENT
