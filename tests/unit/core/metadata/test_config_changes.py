"""Changes of configurations: what is written, what is refused."""

from typing import Any

import pytest
from tests.support.metadata_bench import Bench

from holdwater.core.metadata.config_changes import APPEND, DELETE, SET, SUBTRACT
from holdwater.core.metadata.image import BROKER_RESOURCE, CLIENT_METRICS_RESOURCE, GROUP_RESOURCE, TOPIC_RESOURCE, ConfigResource
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import AlterConfigsRequest, IncrementalAlterConfigsRequest

TOPIC = (TOPIC_RESOURCE, "t")
CLUSTER = (BROKER_RESOURCE, "")
ONE = (BROKER_RESOURCE, "1")


def started() -> Bench:
    bench = Bench()
    bench.start(1)
    bench.create("t", 1, 1)
    return bench


def alter(bench: Bench, resource: tuple[int, str], *operations: tuple[str, int, str | None], **fields: Any) -> tuple[ErrorCode, str]:
    request = IncrementalAlterConfigsRequest
    configs = [request.AlterableConfig(*operation) for operation in operations]
    wanted = request(resources=[request.AlterConfigsResource(*resource, configs)], **fields)
    response = bench.submit(bench.controller.handle_incremental_alter_configs(wanted)).responses[0]
    assert (response.resource_type, response.resource_name) == resource
    return ErrorCode(response.error_code), response.error_message or ""


@pytest.mark.parametrize(
    ("resource", "operations", "after"),
    [
        (TOPIC, [("retention.ms", SET, "5")], {"retention.ms": "5"}),
        (TOPIC, [("retention.ms", SET, "5"), ("retention.ms", DELETE, None)], {}),
        (TOPIC, [("retention.ms", DELETE, None)], {}),
        (TOPIC, [("cleanup.policy", APPEND, "compact")], {"cleanup.policy": "delete,compact"}),
        (TOPIC, [("cleanup.policy", APPEND, "delete")], {"cleanup.policy": "delete"}),
        (TOPIC, [("cleanup.policy", SET, "compact,delete"), ("cleanup.policy", SUBTRACT, "delete")], {"cleanup.policy": "compact"}),
        (CLUSTER, [("log.retention.ms", SET, "5")], {"min.insync.replicas": "1", "log.retention.ms": "5"}),
        (CLUSTER, [("min.insync.replicas", SET, "2")], {"min.insync.replicas": "2"}),
        (ONE, [("log.retention.ms", SET, "5"), ("listeners", SET, "PLAINTEXT://:9092")], {"log.retention.ms": "5", "listeners": "PLAINTEXT://:9092"}),
        (ONE, [("my.plugin.key", SET, "x")], {"my.plugin.key": "x"}),
        ((GROUP_RESOURCE, "g"), [("consumer.session.timeout.ms", SET, "50000")], {"consumer.session.timeout.ms": "50000"}),
        ((CLIENT_METRICS_RESOURCE, "m"), [("interval.ms", SET, "1000")], {"interval.ms": "1000"}),
    ],
)  # fmt: skip
def test_changes(resource: tuple[int, str], operations: list[tuple[str, int, str | None]], after: dict[str, str]) -> None:
    bench = started()
    assert alter(bench, resource, *operations) == (ErrorCode.NONE, "")
    assert bench.image.config(ConfigResource(*resource)) == after


@pytest.mark.parametrize(
    ("resource", "operations", "error", "words"),
    [
        (TOPIC, [("retention.ms", SET, "soon")], ErrorCode.INVALID_CONFIG, "Not a number of type LONG"),
        (TOPIC, [("retention.ms", SET, "5"), ("no.such.key", SET, "1")], ErrorCode.INVALID_CONFIG, "Unknown topic config name: no.such.key"),
        (TOPIC, [("retention.ms", SET, None)], ErrorCode.INVALID_CONFIG, "Null value not supported for topic configs: retention.ms"),
        (TOPIC, [("retention.ms", APPEND, "5")], ErrorCode.INVALID_CONFIG, "Can't APPEND to key retention.ms because its type is not LIST."),
        (TOPIC, [("retention.ms", 9, "5")], ErrorCode.INVALID_REQUEST, "Unknown operation type 9."),
        ((TOPIC_RESOURCE, "none"), [("retention.ms", SET, "5")], ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "does not exist"),
        ((TOPIC_RESOURCE, ""), [("retention.ms", SET, "5")], ErrorCode.INVALID_REQUEST, "Default topic resources are not allowed."),
        ((TOPIC_RESOURCE, "a*"), [("retention.ms", SET, "5")], ErrorCode.INVALID_TOPIC_EXCEPTION, "Topic name is invalid"),
        (CLUSTER, [("num.partitions", SET, "5")], ErrorCode.INVALID_REQUEST, "Cannot update these configs dynamically: [num.partitions]"),
        (CLUSTER, [("listeners", SET, "A://:1")], ErrorCode.INVALID_REQUEST, "broker id must be specified: [listeners]"),
        (CLUSTER, [("log.retention.ms", SET, "soon")], ErrorCode.INVALID_CONFIG, "Not a number"),
        (CLUSTER, [("min.insync.replicas", DELETE, None)], ErrorCode.INVALID_CONFIG, "cannot be removed while ELR is enabled"),
        (ONE, [("min.insync.replicas", SET, "2")], ErrorCode.INVALID_CONFIG, "cannot be altered while ELR is enabled"),
        ((BROKER_RESOURCE, "one"), [("log.retention.ms", SET, "5")], ErrorCode.INVALID_REQUEST, "as a base 10 number"),
        ((BROKER_RESOURCE, "7"), [("log.retention.ms", SET, "5")], ErrorCode.BROKER_ID_NOT_REGISTERED, "No node with id 7 found."),
        ((GROUP_RESOURCE, "g"), [("retention.ms", SET, "5")], ErrorCode.INVALID_CONFIG, "Unknown group config name: retention.ms"),
        ((GROUP_RESOURCE, ""), [("consumer.session.timeout.ms", SET, "5")], ErrorCode.INVALID_REQUEST, "Default group resources"),
        ((CLIENT_METRICS_RESOURCE, "m"), [("interval.ms", SET, "x")], ErrorCode.INVALID_CONFIG, "Not a number of type INT"),
        ((8, "1"), [("kafka", SET, "DEBUG")], ErrorCode.INVALID_REQUEST, "Unexpected resource type 8."),
    ],
)  # fmt: skip
def test_refused_as_a_whole(resource: tuple[int, str], operations: list[tuple[str, int, str | None]], error: ErrorCode, words: str) -> None:
    bench = started()
    before = len(bench.log)
    found, message = alter(bench, resource, *operations)
    assert found is error
    assert words in message
    assert len(bench.log) == before


def test_a_topic_s_unchanged_text_writes_nothing_but_a_broker_s_does() -> None:
    """A broker reloads on the record: a file may have changed under an unchanged name."""
    bench = started()
    for resource, key, records in ((TOPIC, "retention.ms", 0), (ONE, "log.retention.ms", 1)):
        alter(bench, resource, (key, SET, "5"))
        before = len(bench.log)
        alter(bench, resource, (key, SET, "5"))
        assert len(bench.log) - before == records


def test_validate_only_writes_nothing() -> None:
    bench = started()
    before = len(bench.log)
    assert alter(bench, TOPIC, ("retention.ms", SET, "5"), validate_only=True) == (ErrorCode.NONE, "")
    assert alter(bench, TOPIC, ("retention.ms", SET, "x"), validate_only=True)[0] is ErrorCode.INVALID_CONFIG
    assert len(bench.log) == before


def test_resources_of_one_request_go_their_own_ways_and_a_repeated_one_goes_nowhere() -> None:
    bench = started()
    request = IncrementalAlterConfigsRequest

    def resource(kind: int, name: str, value: str) -> Any:
        return request.AlterConfigsResource(kind, name, [request.AlterableConfig("retention.ms", SET, value)])

    bench.create("u", 1, 1)
    wanted = request(resources=[resource(*TOPIC, "1"), resource(2, "u", "x"), resource(2, "v", "1"), resource(2, "v", "2")])
    response = bench.submit(bench.controller.handle_incremental_alter_configs(wanted))
    assert [(answer.resource_name, ErrorCode(answer.error_code)) for answer in response.responses] == [
        ("t", ErrorCode.NONE),
        ("u", ErrorCode.INVALID_CONFIG),
        ("v", ErrorCode.INVALID_REQUEST),
    ]
    assert bench.image.topic_config("t") == {"retention.ms": "1"}


def replace(bench: Bench, resource: tuple[int, str], **texts: str) -> ErrorCode:
    request = AlterConfigsRequest
    configs = [request.AlterableConfig(name.replace("_", "."), text) for name, text in texts.items()]
    wanted = request(resources=[request.AlterConfigsResource(*resource, configs)])
    return ErrorCode(bench.submit(bench.controller.handle_alter_configs(wanted)).responses[0].error_code)


def test_the_older_request_replaces_everything() -> None:
    bench = started()
    alter(bench, TOPIC, ("retention.ms", SET, "5"), ("segment.ms", SET, "6"))
    assert replace(bench, TOPIC, retention_ms="7") is ErrorCode.NONE
    assert bench.image.topic_config("t") == {"retention.ms": "7"}
    assert replace(bench, TOPIC) is ErrorCode.NONE
    assert bench.image.topic_config("t") == {}


def test_the_older_request_may_not_drop_the_cluster_s_minimum_isr_either() -> None:
    assert replace(started(), CLUSTER, log_retention_ms="7") is ErrorCode.INVALID_CONFIG
