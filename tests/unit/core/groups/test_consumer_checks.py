"""What is wrong with a heartbeat by itself, and which error says so."""

from typing import Any

import pytest
from tests.support.consumer_groups import GROUP

from holdwater.core.groups.consumer.checks import request_refusal
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import ConsumerGroupHeartbeatRequest

TOPIC = ConsumerGroupHeartbeatRequest.TopicPartitions(b"\x01" * 16, [0])
JOIN: dict[str, Any] = {
    "member_id": "a",
    "member_epoch": 0,
    "rebalance_timeout_ms": 5,
    "topic_partitions": [],
    "subscribed_topic_names": [],
}
STAY: dict[str, Any] = {"member_id": "a", "member_epoch": 3}

CASES: list[tuple[str, dict[str, Any], int, ErrorCode]] = [
    ("joins", JOIN, 1, ErrorCode.NONE),
    ("joins with an expression only", {**JOIN, "subscribed_topic_names": None, "subscribed_topic_regex": "a.*"}, 1, ErrorCode.NONE),
    ("stays", STAY, 1, ErrorCode.NONE),
    ("leaves", {"member_id": "a", "member_epoch": -1}, 1, ErrorCode.NONE),
    ("leaves for a while", {"member_id": "a", "member_epoch": -2, "instance_id": "one"}, 1, ErrorCode.NONE),
    ("no member id", {**JOIN, "member_id": ""}, 1, ErrorCode.INVALID_REQUEST),
    ("no member id, the server makes it up", {**JOIN, "member_id": ""}, 0, ErrorCode.NONE),
    ("a blank member id", {**STAY, "member_id": " "}, 0, ErrorCode.INVALID_REQUEST),
    ("leaves without a member id", {"member_id": "", "member_epoch": -1}, 0, ErrorCode.INVALID_REQUEST),
    ("no group id", {**STAY, "group_id": ""}, 1, ErrorCode.INVALID_REQUEST),
    ("a blank instance id", {**STAY, "instance_id": ""}, 1, ErrorCode.INVALID_REQUEST),
    ("a blank rack", {**STAY, "rack_id": " "}, 1, ErrorCode.INVALID_REQUEST),
    ("joins without a rebalance timeout", {**JOIN, "rebalance_timeout_ms": -1}, 1, ErrorCode.INVALID_REQUEST),
    ("joins and does not say what it has", {**JOIN, "topic_partitions": None}, 1, ErrorCode.INVALID_REQUEST),
    ("joins with partitions", {**JOIN, "topic_partitions": [TOPIC]}, 1, ErrorCode.INVALID_REQUEST),
    ("joins without a subscription", {**JOIN, "subscribed_topic_names": None}, 1, ErrorCode.INVALID_REQUEST),
    ("leaves for a while without an instance id", {"member_id": "a", "member_epoch": -2}, 1, ErrorCode.INVALID_REQUEST),
    ("an epoch that there is not", {"member_id": "a", "member_epoch": -3}, 1, ErrorCode.INVALID_REQUEST),
    ("an assignor that there is", {**STAY, "server_assignor": "range"}, 1, ErrorCode.NONE),
    ("an assignor that there is not", {**STAY, "server_assignor": "sticky"}, 1, ErrorCode.UNSUPPORTED_ASSIGNOR),
]


@pytest.mark.parametrize(("fields", "version", "error"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_request(fields: dict[str, Any], version: int, error: ErrorCode) -> None:
    request = ConsumerGroupHeartbeatRequest(**{"group_id": GROUP, **fields})
    refusal = request_refusal(request, version, ("uniform", "range"))
    found = ErrorCode.NONE if refusal is None else refusal.error_code
    assert found == error
    if refusal is not None:
        assert refusal.response().error_message == refusal.message
