"""Requests of classic members that are refused, and by which error."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.support.classic_groups import Bench, Member

from holdwater.kernel.errors import ErrorCode


@pytest.mark.parametrize("operation", ["join", "sync", "heartbeat", "leave"])
def test_requests_without_group_id(operation: str) -> None:
    bench = Bench()
    member = Member("", "m")
    errors: dict[str, Callable[[], ErrorCode]] = {
        "join": lambda: bench.join("").error,
        "sync": lambda: bench.sync(member).error,
        "heartbeat": lambda: bench.heartbeat(member),
        "leave": lambda: bench.leave(member).error,
    }
    assert errors[operation]() is ErrorCode.INVALID_GROUP_ID


@pytest.mark.parametrize(("session_ms", "fits"), [(5_999, False), (6_000, True), (1_800_000, True), (1_800_001, False)])
def test_session_timeout_has_limits(session_ms: int, fits: bool) -> None:
    told = Bench().join(session_ms=session_ms).error
    assert told is (ErrorCode.MEMBER_ID_REQUIRED if fits else ErrorCode.INVALID_SESSION_TIMEOUT)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ErrorCode.NONE),
        ({"generation_id": 0}, ErrorCode.ILLEGAL_GENERATION),
        ({"generation_id": 2}, ErrorCode.ILLEGAL_GENERATION),
        ({"member_id": "nobody"}, ErrorCode.UNKNOWN_MEMBER_ID),
        ({"group_instance_id": "i1"}, ErrorCode.UNKNOWN_MEMBER_ID),
        ({"group_id": "none"}, ErrorCode.UNKNOWN_MEMBER_ID),
    ],
)
@pytest.mark.parametrize("operation", ["heartbeat", "sync"])
def test_who_is_no_member_of_the_generation(operation: str, change: dict[str, Any], told: ErrorCode) -> None:
    bench = Bench()
    (member,) = bench.stable()
    assert (bench.heartbeat(member, **change) if operation == "heartbeat" else bench.sync(member, **change).error) is told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"protocol_type": "consumer", "protocol_name": "range"}, ErrorCode.NONE),
        ({"protocol_type": "connect"}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocol_name": "sticky"}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
    ],
)
def test_sync_names_the_protocol_that_was_chosen(change: dict[str, Any], told: ErrorCode) -> None:
    bench = Bench()
    (member,) = bench.stable()
    assert bench.sync(member, **change).error is told


def test_sync_while_members_are_called() -> None:
    bench = Bench()
    first, second = bench.stable(2)
    bench.rejoin(first)
    assert bench.sync(second).error is ErrorCode.REBALANCE_IN_PROGRESS
