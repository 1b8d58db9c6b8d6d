"""What is done about refusals: asked again while a coordinator is not ready, and put into words that say what to do."""

import time
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupState, ConsumerGroupType, KafkaError, KafkaException
from confluent_kafka.admin import ConsumerGroupListing

from holdwater.admin import client as clients
from holdwater.admin.client import Client
from holdwater.admin.errors import PASSING, AdminError
from holdwater.admin.groups import Groups, Target, _state


def settled(outcome: Any) -> "Future[Any]":
    future: Future[Any] = Future()
    if isinstance(outcome, KafkaError):
        future.set_exception(KafkaException(outcome))
    else:
        future.set_result(outcome)
    return future


class Cluster:
    """Answers each name with the next of its outcomes, the last one for ever; remembers who was asked for."""

    def __init__(self, outcomes: Mapping[str, list[Any]]) -> None:
        self._outcomes = outcomes
        self.asked: list[list[str]] = []

    def send(self, names: list[str], limit_s: float) -> "dict[str, Future[Any]]":
        assert 1 <= limit_s <= clients.REQUEST_S
        self.asked.append(names)
        return {name: settled(self._outcomes[name].pop(0) if len(self._outcomes[name]) > 1 else self._outcomes[name][0]) for name in names}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(clients, "REQUEST_S", 1.0)
    monkeypatch.setattr(clients, "_PAUSE_S", 0.01)
    return Client({"bootstrap.servers": "127.0.0.1:1"})


@pytest.mark.parametrize("code", PASSING)
def test_a_coordinator_that_is_not_ready_is_asked_again(client: Client, code: int) -> None:
    cluster = Cluster({"a": ["described"], "b": [KafkaError(code), KafkaError(code), "described too"]})
    assert client.ask_each(["a", "b"], cluster.send) == {"a": "described", "b": "described too"}
    assert cluster.asked == [["a", "b"], ["b"], ["b"]]


def test_a_coordinator_that_stays_unready_ends_it_when_the_time_is_over(client: Client) -> None:
    cluster = Cluster({"a": ["described"], "b": [KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS)]})
    start = time.monotonic()
    found = client.ask_each(["a", "b"], cluster.send)
    assert 0.5 < time.monotonic() - start < 5
    assert found["a"] == "described"
    assert found["b"].code() == KafkaError.COORDINATOR_LOAD_IN_PROGRESS


def test_other_refusals_are_final(client: Client) -> None:
    cluster = Cluster({"a": [KafkaError(KafkaError.GROUP_ID_NOT_FOUND), "never asked"]})
    with pytest.raises(AdminError, match="GROUP_ID_NOT_FOUND") as refused:
        client.ask("deleting a", lambda limit_s: cluster.send(["a"], limit_s)["a"])
    assert refused.value.next_step == "holdwater group list"


@pytest.mark.parametrize("what", ["offsets", "plan", "describe"])
def test_offsets_are_asked_only_of_a_coordinator_that_has_described_the_group(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """librdkafka crashes when another one answers that it is not the coordinator."""
    groups = Groups({"bootstrap.servers": "127.0.0.1:1"})
    monkeypatch.setattr(groups, "_described", lambda ids: {name: KafkaError(KafkaError.NOT_COORDINATOR) for name in ids})
    asked: list[str] = []
    monkeypatch.setattr(groups, "_committed", lambda ids: asked.extend(ids) or {})
    if what == "describe":
        (row,) = groups.describe(["g"])
        assert (row["state"], row["next"]) == (None, "try again in a moment")
    else:
        with pytest.raises(AdminError, match=r"describing group g: .*NOT_COORDINATOR"):
            groups.offsets("g") if what == "offsets" else groups.plan("g", ["t"], Target("earliest"))
    assert asked == []


@pytest.mark.parametrize(
    ("error", "said", "next_step"),
    [
        (
            KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS, "ConsumerGroupDescribe: "),
            "ConsumerGroupDescribe: Broker: Coordinator load in progress (COORDINATOR_LOAD_IN_PROGRESS, 14)",
            "try again in a moment",
        ),
        (KafkaError(KafkaError.NON_EMPTY_GROUP), "Broker: The group is not empty (NON_EMPTY_GROUP, 68)", "stop its consumers first"),
        (KafkaError(KafkaError._TIMED_OUT), "Local: Timed out (_TIMED_OUT, -185)", "check that every broker is up, then try again"),
        (KafkaError(KafkaError.INVALID_REQUEST), "Broker: Invalid request (INVALID_REQUEST, 42)", "see the log of the broker"),
    ],
)
def test_every_error_has_a_reason_and_what_to_do(error: KafkaError, said: str, next_step: str) -> None:
    problem = AdminError.of("doing it", error)
    assert (str(problem), problem.next_step) == (f"doing it: {said}", next_step)


@pytest.mark.parametrize(
    ("state", "kind", "word"),
    [
        (ConsumerGroupState.UNKNOWN, ConsumerGroupType.CONSUMER, "rebalancing"),
        (ConsumerGroupState.UNKNOWN, ConsumerGroupType.CLASSIC, "unknown"),
        (ConsumerGroupState.UNKNOWN, ConsumerGroupType.UNKNOWN, "unknown"),
        (ConsumerGroupState.PREPARING_REBALANCING, ConsumerGroupType.CLASSIC, "preparing-rebalancing"),
        (ConsumerGroupState.STABLE, ConsumerGroupType.CONSUMER, "stable"),
    ],
)
def test_a_consumer_group_whose_state_librdkafka_does_not_know_is_in_a_rebalance(
    state: ConsumerGroupState, kind: ConsumerGroupType, word: str
) -> None:
    assert _state(ConsumerGroupListing("g", False, state, kind)) == word
