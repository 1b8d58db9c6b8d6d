"""Lives of groups that Apache Kafka 4.4 has decided on, heartbeat by heartbeat: the same answers, the same records, the same hashes."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.support.consumer_groups import Bench, Wanted
from tests.support.coordinator import Entry

from holdwater.core.groups.consumer.late import LateAssignment
from holdwater.wire.messages import (
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupHeartbeatResponse,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMetadataKey,
    ConsumerGroupRegularExpressionKey,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMetadataKey,
)

LONG_MS = "2000000000"
"""A session that never ends here: Kafka's timers did not run."""


def lives() -> list[list[str]]:
    found: list[list[str]] = []
    for line in (Path(__file__).parent / "kafka_heartbeats.txt").read_text().splitlines():
        if line.startswith("NEW"):
            found.append([])
        if not line.startswith("#"):
            found[-1].append(line)
    return found


def text(value: str | None) -> str:
    return "~" if value is None else value


def numbers(partitions: Iterable[int]) -> str:
    return ".".join(str(number) for number in sorted(partitions))


def with_epochs(topics: list[ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions]) -> str:
    listed = ((each.topic_id.hex(), sorted(zip(each.partitions, each.assignment_epochs or [], strict=True))) for each in topics)
    return ",".join(f"{topic_id}:" + ".".join(f"{number}@{epoch}" for number, epoch in pairs) for topic_id, pairs in sorted(listed))


def told(entry: Entry) -> str:
    """A record as the file tells it."""
    key: Any = entry.key
    value: Any = entry.value
    letter, name = {
        ConsumerGroupMetadataKey: ("G", ""),
        ConsumerGroupMemberMetadataKey: ("M", " " + getattr(key, "member_id", "")),
        ConsumerGroupTargetAssignmentMemberKey: ("T", " " + getattr(key, "member_id", "")),
        ConsumerGroupTargetAssignmentMetadataKey: ("E", ""),
        ConsumerGroupCurrentMemberAssignmentKey: ("C", " " + getattr(key, "member_id", "")),
        ConsumerGroupRegularExpressionKey: ("R", " " + getattr(key, "regular_expression", "")),
    }[type(key)]
    if value is None:
        return f"-{letter}{name}"
    facts = {
        "G": lambda: f"{value.epoch} {value.metadata_hash}",
        "M": lambda: " ".join(
            (
                text(value.instance_id),
                text(value.rack_id),
                value.client_id,
                ";".join(value.subscribed_topic_names),
                text(value.subscribed_topic_regex),
                str(value.rebalance_timeout_ms),
                text(value.server_assignor),
            )
        ),
        "T": lambda: ",".join(sorted(f"{each.topic_id.hex()}:{numbers(each.partitions)}" for each in value.topic_partitions)),
        "E": lambda: f"{value.assignment_epoch} {value.assignment_timestamp}",
        "C": lambda: " ".join(
            (
                f"{value.member_epoch} {value.previous_member_epoch} {value.state}",
                with_epochs(value.assigned_partitions),
                with_epochs(value.partitions_pending_revocation),
            )
        ),
        "R": lambda: f"{';'.join(value.topics)} {value.version} {value.timestamp}",
    }
    return f"{letter}{name} {facts[letter]()}"


def answer_told(response: ConsumerGroupHeartbeatResponse) -> str:
    if response.error_code:
        return f"ERR {response.error_code}"
    assignment = "~"
    if response.assignment is not None:
        assignment = ",".join(sorted(f"{each.topic_id.hex()}:{numbers(each.partitions)}" for each in response.assignment.topic_partitions))
    return f"OK {response.member_id} {response.member_epoch} {response.heartbeat_interval_ms} {assignment}"


class Life:
    """Plays one life."""

    def __init__(self, begin: str) -> None:
        _, interval, assignors, wall_ms = begin.split("\t")
        self.bench = Bench(
            group_consumer_assignors=assignors,
            group_consumer_assignment_interval_ms=interval,
            group_consumer_session_timeout_ms=LONG_MS,
            group_consumer_max_session_timeout_ms=LONG_MS,
        )
        assert self.bench.host.wall_ms == int(wall_ms)

    def play(self, line: str) -> str:
        """Do what a line says; returns the answer and the records."""
        kind, *words = line.split("\t")
        since = len(self.bench.host.log)
        answer = "OK"
        if kind == "TOPICS":
            self.topics(int(words[0]), words[1])
        elif kind == "TIME":
            self.bench.wait(int(words[0]) - self.bench.host.wall_ms)
        elif kind == "EXEC":
            self.bench.wait()
        else:
            answer = answer_told(self.bench.answered(**self.fields(*words)))
        return "|".join([answer, *sorted(told(entry) for entry in self.bench.host.log[since:])])

    def topics(self, version: int, listed: str) -> None:
        host = self.bench.host
        host.topics.counts.clear()
        host.topics.ids.clear()
        for each in listed.split(",") if listed else []:
            name, count, topic_id = each.split(":")
            host.topics.put(name, int(count), bytes.fromhex(topic_id))
        host.topics.version = version
        self.bench.group.topics_changed()

    @staticmethod
    def fields(
        member: str, epoch: str, instance: str, rack: str, timeout: str, names: str, regex: str, assignor: str, owned: str
    ) -> dict[str, Any]:
        def optional(word: str) -> str | None:
            return None if word == "~" else word

        partitions = None if owned == "~" else [each.split(":") for each in owned.split(",") if each]
        return {
            "member_id": member,
            "member_epoch": int(epoch),
            "instance_id": optional(instance),
            "rack_id": optional(rack),
            "rebalance_timeout_ms": int(timeout),
            "subscribed_topic_names": None if names == "~" else [name for name in names.split(";") if name],
            "subscribed_topic_regex": optional(regex),
            "server_assignor": optional(assignor),
            "topic_partitions": None
            if partitions is None
            else [Wanted(bytes.fromhex(topic_id), [int(number) for number in listed.split(".")]) for topic_id, listed in partitions],
        }


@pytest.mark.parametrize("life", lives(), ids=lambda life: f"{len(life)} lines, {life[0].split(chr(9))[2]}")
def test_every_decision_is_kafkas(life: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LateAssignment, "want", lambda _: None)  # Kafka's timers did not run
    playing = Life(life[0])
    for place, line in enumerate(life[1:], 1):
        if line.startswith("<"):
            continue
        found = playing.play(line)
        if line.startswith(("HB", "EXEC")):
            assert found == life[place + 1].removeprefix("< "), f"line {place}: {line}"
        following = next((each for each in life[place + 1 :] if not each.startswith("<")), "")
        if following != "EXEC":
            assert playing.play("EXEC") == "OK", "nothing is to be looked up here"


def test_the_lives_are_not_empty() -> None:
    beats = [line for life in lives() for line in life if line.startswith("HB")]
    assert len(beats) > 400
