"""Admin requests on their way to the active controller."""

from types import SimpleNamespace
from typing import Any, cast

from holdwater.broker.handlers.admin import Forwarded
from holdwater.broker.timers import Timers
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import DescribeQuorumRequest


class FakeCall:
    """A request whose answer is kept."""

    version = 2
    api_key = 55
    frame = b""
    listener = "PLAINTEXT"

    def __init__(self) -> None:
        self.connection = SimpleNamespace(closed=False, address="test")
        self.answers: list[Any] = []

    def reply(self, response: Any) -> None:
        self.answers.append(response)


def elected_but_not_active() -> Any:
    """A broker whose node has just been elected: it leads the quorum, and its controller is not there yet."""
    return SimpleNamespace(
        mono_ms=0,
        node_id=1,
        timers=Timers(),
        controller=SimpleNamespace(leader_id=1, request=None),
        controller_host=SimpleNamespace(is_active=False),
        is_controller_listener=lambda _: False,
    )


def test_a_node_that_is_elected_and_not_yet_active_waits_for_itself() -> None:
    """Met in a run of kills: DescribeQuorum came between the election and the activation, was sent to this node itself in an envelope, and
    the broker stopped with a KeyError."""
    broker, call = elected_but_not_active(), FakeCall()
    Forwarded(broker, cast(Any, call), DescribeQuorumRequest()).attempt()
    assert call.answers == []
    broker.mono_ms = 60_000
    broker.timers.run(broker.mono_ms)
    assert [answer.error_code for answer in call.answers] == [ErrorCode.REQUEST_TIMED_OUT]
