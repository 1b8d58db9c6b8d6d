"""One request at a time to each peer; timeouts; growing pauses."""

import pytest

from holdwater.core.quorum.config import QuorumConfig
from holdwater.core.quorum.peers import Peers
from holdwater.core.quorum.roles import NO_DEADLINE
from holdwater.wire.messages import FetchRequest

CONFIG = QuorumConfig(1, b"d" * 16, "cluster", request_timeout_ms=2000, retry_backoff_ms=20, retry_backoff_max_ms=1000)


@pytest.fixture
def peers() -> Peers:
    return Peers(CONFIG)


def test_one_request_at_a_time(peers: Peers) -> None:
    number = peers.sent(2, FetchRequest(), 0)
    assert not peers.is_ready(2, 0)
    assert peers.is_ready(3, 0)
    assert peers.take(2, number)
    assert peers.is_ready(2, 0)


def test_only_the_outstanding_request_has_an_answer(peers: Peers) -> None:
    first = peers.sent(2, FetchRequest(), 0)
    peers.forget_outstanding()
    second = peers.sent(2, FetchRequest(), 0)
    assert not peers.take(2, first)
    assert peers.take(2, second)
    assert not peers.take(2, second)


def test_a_request_times_out(peers: Peers) -> None:
    peers.sent(2, FetchRequest(), 100)
    assert peers.next_deadline_ms() == 2100
    assert peers.timed_out(2099) == []
    assert peers.timed_out(2100) == [2]
    peers.failed(2, 2100)
    assert peers.next_deadline_ms() == NO_DEADLINE


def test_pauses_double_up_to_their_limit_and_end_with_success(peers: Peers) -> None:
    pauses: list[int] = []
    for _ in range(8):
        peers.failed(2, 0)
        pauses.append(peers.ready_or_deadline_ms(2))
    assert pauses == [20, 40, 80, 160, 320, 640, 1000, 1000]
    assert peers.is_failing(2)
    assert not peers.is_ready(2, 999)
    peers.succeeded(2)
    assert not peers.is_failing(2)
    assert peers.is_ready(2, 0)


def test_a_new_role_waits_for_nobody(peers: Peers) -> None:
    peers.failed(2, 0)
    peers.sent(3, FetchRequest(), 0)
    peers.forget_outstanding()
    assert peers.is_ready(2, 0)
    assert peers.is_ready(3, 0)
    assert peers.is_failing(2), "what is known of the peer stays known"


def test_an_open_connection_ends_the_pause(peers: Peers) -> None:
    peers.failed(2, 0)
    peers.end_pause(2)
    assert peers.is_ready(2, 0)


def test_a_closed_connection_is_one_failure_whoever_tells_it_first(peers: Peers) -> None:
    peers.sent(2, FetchRequest(), 0)
    peers.failed(2, 0)
    peers.disconnected(2, 0)
    assert peers.ready_or_deadline_ms(2) == 20
    peers.sent(2, FetchRequest(), 30)
    peers.disconnected(2, 30)
    assert peers.ready_or_deadline_ms(2) == 30 + 40
    peers.disconnected(3, 5)
    assert peers.ready_or_deadline_ms(3) == 25, "also without a request"
