"""``holdwater group`` where a cluster could be harmed or misread: topics and groups that there are not, and groups with members.

The same is expected of our cluster and of Apache Kafka.
"""

import json
from typing import Any, NamedTuple

import pytest
from confluent_kafka.admin import AdminClient
from tests.conformance.clients.librdkafka import PROTOCOLS, Member, fill, together
from tests.conformance.clients.targets import bootstrap
from tests.support.cluster import Brokers

from holdwater.cli.main import main


class Told(NamedTuple):
    """What a command has printed."""

    code: int
    rows: list[Any]
    errors: str


class Command:
    """``holdwater group`` on a cluster."""

    def __init__(self, kafka: Brokers, capsys: pytest.CaptureFixture[str]) -> None:
        self._at, self._capsys = bootstrap(kafka), capsys

    def __call__(self, *arguments: str) -> Told:
        code = main(["group", *arguments, "-b", self._at, "--format", "json"])
        said = self._capsys.readouterr()
        return Told(code, [json.loads(line) for line in said.out.splitlines()], said.err)

    def topics(self) -> set[str]:
        return set(AdminClient({"bootstrap.servers": self._at}).list_topics(timeout=20).topics)


@pytest.fixture
def group(kafka: Brokers, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(kafka, capsys)


def test_a_topic_that_there_is_not_is_not_created(group: Command, shared: str) -> None:
    """Both create topics by themselves when a client asks for one by its name (auto.create.topics.enable)."""
    typo = f"{shared}-typo"
    for execute in ((), ("--execute",)):
        told = group("offsets", "typos", "--to", "earliest", "--topic", typo, *execute)
        assert told == (1, [], f"holdwater group: there is no topic {typo}\nnext: check --topic\n")
    assert typo not in group.topics()
    assert group("describe", "typos").code == 1


def test_a_group_that_there_is_not(group: Command, shared: str) -> None:
    missing = "holdwater group: there is no group nope\nnext: holdwater group list\n"
    error = {"error": "there is no group nope", "next": "holdwater group list"}
    assert group("describe", "nope", "nope") == (1, [{"group": "nope", "state": "dead", **error}], missing)
    assert group("offsets", "nope") == (1, [], missing)
    told = group("delete", "nope", "nope")
    assert (told.code, [row["deleted"] for row in told.rows]) == (1, [False])
    assert "GROUP_ID_NOT_FOUND" in told.errors
    assert told.errors.endswith("\nnext: holdwater group list\n")
    for execute in ((), ("--execute",)):
        told = group("offsets", "nope", "--to", "earliest", *execute)
        assert (told.code, told.rows) == (1, [])
        assert told.errors.endswith("so there is nothing to move\nnext: name a topic with --topic\n")
    told = group("offsets", "nope", "--to", "+1", "--topic", shared, "--execute")
    assert (told.code, told.rows) == (1, [])
    assert "there is no offset of group nope that could be moved there" in told.errors


def test_offsets_of_a_group_that_there_is_not_yet_make_it(group: Command, kafka: Brokers, shared: str) -> None:
    fill(kafka, shared, 60)
    told = group("offsets", shared, "--to", "100", "--topic", shared, "--execute")
    assert (told.code, [(row["asked"], row["target"]) for row in told.rows]) == (0, [(100, 10)] * 6)
    assert f"warning: offset 100 is beyond the end of {shared}-0; 10 is taken instead\n" in told.errors
    told = group("offsets", shared, "--to", "-20")
    assert [row["target"] for row in told.rows] == [0] * 6
    assert f"warning: offset -10 is before the start of {shared}-0; 0 is taken instead\n" in told.errors
    assert [(row["committed"], row["lag"], row["member"]) for row in group("offsets", shared).rows] == [(10, 0, "")] * 6
    assert group("delete", shared, shared) == (0, [{"group": shared, "deleted": True}], "")


@pytest.mark.parametrize("protocol", ["range", "consumer"])
def test_a_group_with_members(group: Command, kafka: Brokers, shared: str, protocol: str) -> None:
    member = Member(kafka, shared, [shared], **PROTOCOLS[protocol])
    together([member], lambda: len(member.assigned) == 6)
    told = group("offsets", shared)
    assert [(row["committed"], row["member"]) for row in told.rows] == [(None, member.consumer.memberid())] * 6
    told = group("offsets", shared, "--to", "latest", "--topic", shared, "--execute")
    refused = f"holdwater group: group {shared} has members, so its offsets were not moved\nnext: stop its consumers first\n"
    assert told == (1, [], refused)
    told = group("delete", shared)
    assert told.code == 1
    assert "NON_EMPTY_GROUP" in told.errors
    assert told.errors.endswith("\nnext: stop its consumers first\n")
    member.leave()
