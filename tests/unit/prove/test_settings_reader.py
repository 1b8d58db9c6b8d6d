"""What brokers tell of the run's topic: its settings and its id, also when they hear of it late."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.support.fake_broker import FakeBroker

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import uuid_to_text
from holdwater.prove.observe.settings_reader import read_topic_id, read_topic_settings, unlike_wanted
from holdwater.rpc.calls import Node
from holdwater.wire import messages

ID = b"\x07" * 16
SETTINGS = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1", "min.insync.replicas": "2"}


def topic(topic_id: bytes = ID, error: int = 0) -> Any:
    struct = messages.DescribeTopicPartitionsResponse
    return struct(topics=[struct.DescribeTopicPartitionsResponseTopic(name="t", topic_id=topic_id, error_code=error)])


def settings(error: int = 0) -> Any:
    struct = messages.DescribeConfigsResponse
    told = [struct.DescribeConfigsResourceResult(name=name, value=value) for name, value in SETTINGS.items()]
    return struct(
        results=[struct.DescribeConfigsResult(error_code=error, resource_type=2, resource_name="t", configs=told if not error else [])]
    )


@contextmanager
def brokers(request: str, *answers: Any) -> Iterator[list[Node]]:
    """A broker that gives one answer after the other, the last one from then on."""
    left = list(answers)

    def answer(_: Any, __: int) -> Any:
        return left.pop(0) if len(left) > 1 else left[0]

    with FakeBroker({request: answer}) as broker:
        yield [Node(1, "127.0.0.1", broker.port)]


@pytest.mark.parametrize("before", [[], [topic(error=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)], [topic(error=ErrorCode.LEADER_NOT_AVAILABLE)]])
def test_the_id_of_a_topic(before: list[Any]) -> None:
    with brokers("DescribeTopicPartitionsRequest", *before, topic()) as nodes:
        assert read_topic_id(nodes, "t") == uuid_to_text(ID)


def test_brokers_without_ids() -> None:
    with brokers("DescribeTopicPartitionsRequest", topic(bytes(16))) as nodes:
        assert read_topic_id(nodes, "t") == ""


def test_a_topic_that_nobody_knows() -> None:
    with brokers("DescribeTopicPartitionsRequest", topic(error=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)) as nodes:
        assert read_topic_id(nodes, "t", limit_s=0.0) == ""


@pytest.mark.parametrize("before", [[], [settings(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)]])
def test_the_settings_of_a_topic(before: list[Any]) -> None:
    with brokers("DescribeConfigsRequest", *before, settings()) as nodes:
        assert read_topic_settings(nodes, "t") == SETTINGS


def test_settings_that_nobody_tells() -> None:
    with brokers("DescribeConfigsRequest", settings(ErrorCode.TOPIC_AUTHORIZATION_FAILED)) as nodes:
        assert read_topic_settings(nodes, "t", limit_s=0.0) == {}


def test_only_settings_that_a_verdict_rests_on_must_be_as_wanted() -> None:
    wanted = SETTINGS | {"segment.bytes": "1048576"}
    assert unlike_wanted(SETTINGS | {"segment.bytes": "7"}, wanted) == {}
    assert unlike_wanted({}, wanted) == {}
    assert unlike_wanted(SETTINGS | {"retention.ms": "604800000", "cleanup.policy": "compact"}, wanted) == {
        "retention.ms": "604800000",
        "cleanup.policy": "compact",
    }
