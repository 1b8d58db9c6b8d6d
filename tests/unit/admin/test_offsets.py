"""Ends of logs and where offsets are moved to: what is not known is never taken for something else."""

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError

from holdwater.admin.errors import AdminError
from holdwater.admin.groups import Groups, Target


class Ends:
    """In place of librdkafka's ``list_offsets``: an offset of each of two partitions for each time that it is asked."""

    UNKNOWN = -1001
    """What librdkafka gives, without an error, when the leader did not answer in time."""

    def __init__(self, groups: Groups, *answers: tuple[int, int]) -> None:
        self.answers = list(answers)
        stand_in: Any = SimpleNamespace(ask_each=self.ask_each)
        groups._asking = stand_in

    def ask_each(self, places: list[tuple[str, int]], _: object) -> dict[tuple[str, int], object]:
        answer = self.answers.pop(0)
        return {place: SimpleNamespace(offset=answer[place[1]]) for place in places}


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> Groups:
    """A group that has committed 5 of both partitions of a topic."""
    groups = Groups({"bootstrap.servers": "127.0.0.1:1"})
    committed = SimpleNamespace(
        topic_partitions=[SimpleNamespace(topic="t", partition=number, offset=5, error=None, metadata="") for number in range(2)]
    )
    monkeypatch.setattr(groups, "_described", lambda ids: dict.fromkeys(ids, SimpleNamespace(state=None, members=[])))
    monkeypatch.setattr(groups, "_committed", lambda ids: dict.fromkeys(ids, committed))
    monkeypatch.setattr(groups, "_partitions", lambda topics: {("t", 0): True, ("t", 1): True})
    return groups


def targets(groups: Groups, where: str) -> list[int]:
    return [row["target"] for row in groups.plan("g", [], Target(where))]


@pytest.mark.parametrize(
    ("where", "answers"),
    [
        ("earliest", [(0, Ends.UNKNOWN)]),
        ("earliest", [(0, 0), (Ends.UNKNOWN, 9)]),
        ("7", [(0, 0), (9, Ends.UNKNOWN)]),
        ("@1700000000000", [(0, 0), (9, 9), (3, Ends.UNKNOWN)]),
        ("earliest", [(0, -1), (9, 9)]),
    ],
)
def test_nothing_is_moved_when_a_leader_does_not_answer(where: str, answers: list[tuple[int, int]], groups: Groups) -> None:
    Ends(groups, *answers)
    with pytest.raises(AdminError, match=r"the leader of t-[01] does not answer"):
        targets(groups, where)


def test_where_offsets_are_moved_to(groups: Groups) -> None:
    for where, found in {"earliest": [0, 2], "latest": [9, 8], "7": [7, 7], "1": [1, 2]}.items():
        Ends(groups, (0, 2), (9, 8))
        assert targets(groups, where) == found, where
    Ends(groups, (0, 2), (9, 8), (4, -1))
    assert targets(groups, "@1700000000000") == [4, 8], "nothing so late: the end"


def test_a_leader_that_does_not_answer_is_named_beside_what_is_known(groups: Groups) -> None:
    Ends(groups, (9, Ends.UNKNOWN))
    known, unknown = groups.offsets("g")
    assert (known["end"], known["lag"], "error" in known) == (9, 4, False)
    assert (unknown["committed"], unknown["end"], unknown["lag"]) == (5, None, None)
    assert unknown["error"] == "the leader of t-1 does not answer"


def test_a_partition_without_a_leader_is_named(groups: Groups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "_partitions", lambda topics: {("t", 0): True, ("t", 1): False})
    Ends(groups, (9, 0))
    assert groups.offsets("g")[1]["error"] == "t-1 has no leader, which would know its offsets"
    monkeypatch.setattr(groups, "_partitions", lambda topics: {("t", 0): True})
    Ends(groups, (9, 0))
    gone = groups.offsets("g")[1]
    assert (gone["end"], "error" in gone) == (None, False), "a topic that was deleted has no end"


def answered(groups: Groups, *codes: int | None) -> AdminError:
    """What comes of a move when the coordinator answers with these errors, by partition."""
    places = [
        SimpleNamespace(topic="t", partition=number, error=None if code is None else KafkaError(code)) for number, code in enumerate(codes)
    ]
    stand_in: Any = SimpleNamespace(ask_each=lambda *_: {"g": SimpleNamespace(topic_partitions=places)})
    groups._asking = stand_in
    with pytest.raises(AdminError) as refused:
        groups.move("g", [{"topic": "t", "partition": number, "target": 0} for number in range(len(codes))])
    return refused.value


@pytest.mark.parametrize("code", [KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError._TIMED_OUT])  # pyright: ignore[reportPrivateUsage]
def test_what_may_have_been_moved_is_said_so(code: int, groups: Groups) -> None:
    refused = answered(groups, code)
    assert str(refused).startswith("nobody knows whether offsets were moved: moving t-0 of group g: ")
    assert refused.next_step.endswith("look before you try again: holdwater group offsets g")


def test_what_was_moved_beside_what_was_refused_is_said_so(groups: Groups) -> None:
    code = KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert str(answered(groups, None, code, code)).startswith("moving t-1, t-2 of group g (the others were moved): ")
