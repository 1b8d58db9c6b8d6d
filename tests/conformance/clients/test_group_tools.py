"""Apache Kafka's tools for groups and transactions: kafka-consumer-groups, kafka-groups, kafka-transactions.

What they print is compared word by word, without ids and times; the same is expected of our cluster and of Apache Kafka.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from tests.conformance.clients.java_clients import GROUP_COMMAND, TOOLS, rows, run_tool, said
from tests.conformance.clients.librdkafka import PROTOCOLS, Member, fill, together
from tests.conformance.clients.targets import bootstrap
from tests.support.apache_kafka import require_apache_kafka
from tests.support.cluster import Brokers, eventually

pytestmark = [pytest.mark.java, pytest.mark.slow]

TOPIC, OPEN, ENDED = "tools-topic", "tools-open", "tools-ended"
OFFSETS_HEAD = ["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST", "CLIENT-ID"]
NEW_HEAD = ["GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"]


class Scene(NamedTuple):
    """A topic with 10, 11 and 12 offsets in its partitions, groups of each kind, and two transactional ids."""

    kafka: Brokers
    members: list[Member]
    ids: dict[str, str]
    """Member id by client id."""

    def groups(self, *arguments: str) -> list[list[str]]:
        return rows(run_tool(self.kafka, GROUP_COMMAND, *arguments))

    def transactions(self, *arguments: str) -> list[list[str]]:
        return rows(run_tool(self.kafka, f"{TOOLS}.TransactionsCommand", *arguments))


@pytest.fixture(scope="module")
def scene(kafka: Brokers) -> Iterator[Scene]:
    require_apache_kafka()
    kafka.create_topic(TOPIC, partitions=3)
    fill(kafka, TOPIC, 30, 3)
    _leave_offsets(kafka, "tools-idle", "range")
    _leave_offsets(kafka, "tools-idle-modern", "consumer")
    config = {"bootstrap.servers": bootstrap(kafka), "group.id": "tools-simple"}
    simple = Consumer(config)
    simple.commit(offsets=[TopicPartition(TOPIC, 0, 5)], asynchronous=False)
    simple.close()
    left_open = Producer({"bootstrap.servers": bootstrap(kafka), "transactional.id": OPEN, "transaction.timeout.ms": 900_000})
    left_open.init_transactions(30)
    left_open.begin_transaction()
    left_open.produce(TOPIC, "open", partition=1)
    assert left_open.flush(30) == 0
    ended = Producer({"bootstrap.servers": bootstrap(kafka), "transactional.id": ENDED})
    ended.init_transactions(30)
    ended.begin_transaction()
    ended.produce(TOPIC, "ended", partition=2)
    ended.commit_transaction(30)
    members = [
        Member(kafka, "tools-classic", [TOPIC], **PROTOCOLS["range"], **{"client.id": "c1"}),
        Member(kafka, "tools-classic", [TOPIC], **PROTOCOLS["range"], **{"client.id": "c2", "group.instance.id": "i2"}),
        Member(kafka, "tools-modern", [TOPIC], **PROTOCOLS["consumer"], **{"client.id": "c3"}),
        Member(kafka, "tools-modern", [TOPIC], **PROTOCOLS["consumer"], **{"client.id": "c4", "group.instance.id": "i4"}),
    ]
    for pair in (members[:2], members[2:]):
        together(members, lambda pair=pair: sorted(len(member.assigned) for member in pair) == [1, 2])
    members[0].consumer.commit(offsets=[TopicPartition(TOPIC, partition, 7) for partition in range(3)], asynchronous=False)
    members[2].consumer.commit(offsets=[TopicPartition(*place, 6) for place in members[2].assigned], asynchronous=False)
    yield Scene(kafka, members, {f"c{number}": member.consumer.memberid() or "" for number, member in enumerate(members, 1)})
    for member in members:
        member.leave()


def _leave_offsets(kafka: Brokers, group: str, protocol: str) -> None:
    member = Member(kafka, group, [TOPIC], **PROTOCOLS[protocol])
    member.until(lambda: len(member.taken) >= 30)
    member.consumer.commit(offsets=[TopicPartition(TOPIC, partition, 10) for partition in range(3)], asynchronous=False)
    member.leave()


def test_list(scene: Scene) -> None:
    types = {"classic": "Classic", "modern": "Consumer", "idle": "Classic", "idle-modern": "Consumer", "simple": "Classic"}
    states = {name: "Stable" if name in ("classic", "modern") else "Empty" for name in types}

    def ours(found: list[list[str]]) -> list[list[str]]:
        return sorted([row[0].removeprefix("tools-"), *row[1:]] for row in found if row[0].startswith("tools-"))

    assert ours(scene.groups("--list")) == sorted([name] for name in types)
    assert scene.groups("--list", "--state", "--type")[0] == ["GROUP", "TYPE", "STATE"]
    assert ours(scene.groups("--list", "--state", "--type")) == sorted([name, types[name], states[name]] for name in types)
    assert ours(scene.groups("--list", "--state", "stable")) == [["classic", "Stable"], ["modern", "Stable"]]
    assert ours(scene.groups("--list", "--type", "consumer")) == [["idle-modern", "Consumer"], ["modern", "Consumer"]]
    assert ours(rows(run_tool(scene.kafka, f"{TOOLS}.GroupsCommand", "--list"))) == sorted(
        [name, types[name], *(["consumer"] if name != "simple" else [])] for name in types
    )
    assert ours(rows(run_tool(scene.kafka, f"{TOOLS}.GroupsCommand", "--list", "--group-type", "classic"))) == [
        ["classic", "Classic", "consumer"],
        ["idle", "Classic", "consumer"],
        ["simple", "Classic"],
    ]


def _one_by_one(scene: Scene, number: int, group: str, partition: int, offset: str, end: int) -> list[str]:
    owner = next(name for name in (f"c{number}", f"c{number + 1}") if (TOPIC, partition) in scene.members[int(name[1]) - 1].assigned)
    lag = "-" if offset == "-" else str(end - int(offset))
    return [group, TOPIC, str(partition), offset, str(end), lag, scene.ids[owner], "/127.0.0.1", owner]


def test_describe_offsets(scene: Scene) -> None:
    ends = [10, 11, 12]
    assert scene.groups("--describe", "--group", "tools-classic") == [
        OFFSETS_HEAD,
        *sorted(_one_by_one(scene, 1, "tools-classic", partition, "7", ends[partition]) for partition in range(3)),
    ]
    committed = {place[1] for place in scene.members[2].assigned}
    found = scene.groups("--describe", "--group", "tools-modern", "--offsets", "--verbose")
    assert found[0] == [*OFFSETS_HEAD[:3], "LEADER-EPOCH", *OFFSETS_HEAD[3:]]
    assert {row.pop(3) for row in found[1:]} == {"-"}
    assert sorted(found[1:]) == sorted(
        _one_by_one(scene, 3, "tools-modern", partition, "6" if partition in committed else "-", ends[partition]) for partition in range(3)
    )
    idle = scene.groups("--describe", "--group", "tools-idle")
    assert idle[0] == OFFSETS_HEAD
    assert idle[1:] == [["tools-idle", TOPIC, str(n), "10", str(ends[n]), str(ends[n] - 10), "-", "-", "-"] for n in range(3)]


def test_describe_members_and_state(scene: Scene) -> None:
    found = scene.groups("--describe", "--group", "tools-modern", "--members", "--verbose")
    columns = ["#PARTITIONS", "CURRENT-EPOCH", "CURRENT-ASSIGNMENT", "TARGET-EPOCH", "TARGET-ASSIGNMENT"]
    assert found[0] == ["GROUP", "CONSUMER-ID", "GROUP-INSTANCE-ID", "HOST", "CLIENT-ID", *columns]
    for name, instance in (("c3", []), ("c4", ["i4"])):
        parts = [str(partition) for _, partition in scene.members[int(name[1]) - 1].assigned]
        assigned = f"{TOPIC}:{','.join(parts)}"
        row = ["tools-modern", scene.ids[name], *instance, "/127.0.0.1", name, str(len(parts)), "3", assigned, "3", assigned]
        assert row in found[1:]
    found = scene.groups("--describe", "--group", "tools-classic", "--members", "--verbose")
    for name, instance in (("c1", []), ("c2", ["i2"])):
        parts = [str(partition) for _, partition in scene.members[int(name[1]) - 1].assigned]
        row = ["tools-classic", scene.ids[name], *instance, "/127.0.0.1", name, str(len(parts)), "-", f"{TOPIC}:{','.join(parts)}"]
        assert [*row, "-", "-"] in found[1:]
    states = {
        "tools-classic": ["range", "Stable", "-", "-", "2"],
        "tools-modern": ["uniform", "Stable", "3", "3", "2"],
        "tools-idle": ["-", "Empty", "-", "-", "0"],
        "tools-idle-modern": ["uniform", "Empty", "3", "3", "0"],
        "tools-simple": ["-", "Empty", "-", "-", "0"],
    }
    flags = [flag for group in states for flag in ("--group", group)]
    found = scene.groups("--describe", *flags, "--state", "--verbose")
    told = {row[0]: row for row in found if row[0] in states}
    assert {group: row[3:] for group, row in told.items()} == states
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+", row[1]) and row[2] in ("(1)", "(2)", "(3)") for row in told.values())


RESETS = {
    "--to-earliest": [0, 0, 0],
    "--to-latest": [10, 11, 12],
    "--to-offset 4": [4, 4, 4],
    "--to-offset 11": [10, 11, 11],
    "--shift-by -3": [7, 7, 7],
    "--shift-by 100": [10, 11, 12],
    "--to-current": [10, 10, 10],
    "--to-datetime 2020-01-01T00:00:00.000": [0, 0, 0],
    "--to-datetime 2090-01-01T00:00:00.000": [10, 11, 12],
    "--by-duration PT1H": [0, 0, 0],
}


@pytest.mark.parametrize("how", RESETS)
def test_reset_offsets_dry_run(scene: Scene, how: str) -> None:
    found = scene.groups("--reset-offsets", "--group", "tools-idle", "--topic", TOPIC, *how.split(), "--dry-run")
    found = [row for row in found if row[0] != "Warn:"]
    assert found[0] == NEW_HEAD
    assert sorted(found[1:]) == [["tools-idle", TOPIC, str(partition), str(RESETS[how][partition])] for partition in range(3)]


def test_reset_offsets_execute_and_from_file(scene: Scene, tmp_path: Path) -> None:
    _leave_offsets(scene.kafka, "tools-moved", "consumer")

    def offsets() -> list[str]:
        return [row[3] for row in sorted(scene.groups("--describe", "--group", "tools-moved")[1:])]

    def reset(*how: str) -> list[list[str]]:
        return sorted(scene.groups("--reset-offsets", "--group", "tools-moved", *how))

    assert reset("--topic", f"{TOPIC}:0,2", "--to-offset", "3", "--execute") == [
        NEW_HEAD,
        ["tools-moved", TOPIC, "0", "3"],
        ["tools-moved", TOPIC, "2", "3"],
    ]
    assert offsets() == ["3", "10", "3"]
    assert sorted(reset("--all-topics", "--shift-by", "1", "--execute", "--export")) == [
        [f"{TOPIC},0,4"],
        [f"{TOPIC},1,11"],
        [f"{TOPIC},2,4"],
    ]
    assert offsets() == ["4", "11", "4"]
    plan = tmp_path / "plan.csv"
    plan.write_text(f"{TOPIC},0,8\n{TOPIC},1,2\n")
    assert reset("--from-file", str(plan), "--execute") == [NEW_HEAD, ["tools-moved", TOPIC, "0", "8"], ["tools-moved", TOPIC, "1", "2"]]
    assert offsets() == ["8", "2", "4"]
    refused = said(scene.kafka, GROUP_COMMAND, "--reset-offsets", "--group", "tools-modern", "--topic", TOPIC, "--to-earliest", "--execute")
    assert "Assignments can only be reset if the group 'tools-modern' is inactive, but the current state is Stable." in refused


def test_delete_and_delete_offsets(scene: Scene) -> None:
    _leave_offsets(scene.kafka, "tools-gone", "range")
    _leave_offsets(scene.kafka, "tools-gone-modern", "consumer")
    some = scene.groups("--delete-offsets", "--group", "tools-gone", "--topic", f"{TOPIC}:1", "--topic", "no-such-topic")
    assert some[:2] == [
        ["Request", "succeeded", "for", "deleting", "offsets", "from", "group", "tools-gone."],
        ["TOPIC", "PARTITION", "STATUS"],
    ]
    unknown = "Error: org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host this topic-partition."
    assert some[2:] == [["no-such-topic", "-", *unknown.split()], [TOPIC, "1", "Successful"]]
    assert [row[2] for row in scene.groups("--describe", "--group", "tools-gone")[1:]] == ["0", "2"]
    for group in ("tools-classic", "tools-modern"):
        refused = said(scene.kafka, GROUP_COMMAND, "--delete-offsets", "--group", group, "--topic", f"{TOPIC}:0")
        assert "Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it." in refused
    refused = said(scene.kafka, GROUP_COMMAND, "--delete", "--group", "tools-modern", "--group", "tools-nobody")
    assert "* Group 'tools-modern' could not be deleted due to: org.apache.kafka.common.errors.GroupNotEmptyException" in refused
    assert "* Group 'tools-nobody' could not be deleted due to: org.apache.kafka.common.errors.GroupIdNotFoundException" in refused
    deleted = " ".join(scene.groups("--delete", "--group", "tools-gone", "--group", "tools-gone-modern")[0])
    assert re.fullmatch(r"Deletion of requested consumer groups \('tools-gone[^)]*'tools-gone[^)]*'\) was successful\.", deleted)
    for group in ("tools-gone", "tools-gone-modern"):
        assert f"GroupIdNotFoundException: Group {group} not found." in said(scene.kafka, GROUP_COMMAND, "--describe", "--group", group)


def test_transactions(scene: Scene) -> None:
    listed = {row[0]: row for row in scene.transactions("list")}
    assert listed["TransactionalId"] == ["TransactionalId", "Coordinator", "ProducerId", "TransactionState"]
    assert (listed[OPEN][3], listed[ENDED][3]) == ("Ongoing", "CompleteCommit")
    found = scene.transactions("list", "--transactional-id-pattern", "tools-o.*", "--duration-filter", "1")
    assert [row[0] for row in found[1:]] == [OPEN]
    assert len(scene.transactions("list", "--transactional-id-pattern", "tools-.*", "--duration-filter", "3600000")) == 1
    (described,) = scene.transactions("describe", "--transactional-id", OPEN)[1:]
    producer_id = listed[OPEN][2]
    assert [described[0], *described[2:6], *described[8:]] == [listed[OPEN][1], producer_id, "0", "Ongoing", "900000", f"{TOPIC}-1"]
    (described,) = scene.transactions("describe", "--transactional-id", ENDED)[1:]
    assert described[4:6] == ["CompleteCommit", "60000"]
    assert len(described) == 8
    unknown = said(scene.kafka, f"{TOOLS}.TransactionsCommand", "describe", "--transactional-id", "tools-unknown")
    assert "DescribeTransactions request for transactionalId `tools-unknown` failed because the ID could not be found" in unknown
    producers = scene.transactions("describe-producers", "--topic", TOPIC, "--partition", "1")
    assert [row[1:4] + row[5:] for row in producers if row[0] == producer_id] == [["0", "-1", "0", "10"]]
    assert [row[5] for row in producers if row[0] not in (producer_id, "ProducerId")] == ["None"]
    assert (
        len(scene.transactions("find-hanging", "--topic", TOPIC, "--max-transaction-timeout", "0")) == 1
    )  # it has a coordinator that knows it


def test_a_transaction_is_aborted_by_an_administrator(scene: Scene) -> None:
    name = "tools-aborted"
    scene.kafka.create_topic(name)
    producer = Producer({"bootstrap.servers": bootstrap(scene.kafka), "transactional.id": name, "transaction.timeout.ms": 900_000})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(name, "open", partition=0)
    assert producer.flush(30) == 0
    (before,) = scene.transactions("describe-producers", "--topic", name, "--partition", "0")[1:]
    assert before[5] == "0"
    scene.transactions("abort", "--topic", name, "--partition", "0", "--start-offset", "0")
    (after,) = scene.transactions("describe-producers", "--topic", name, "--partition", "0")[1:]
    assert (after[0], after[5]) == (before[0], "None")
    assert _lag(scene, name) == 2
    (described,) = scene.transactions("describe", "--transactional-id", name)[1:]
    assert described[4] == "Ongoing"  # the coordinator was not asked
    scene.transactions("forceTerminateTransaction", "--transactionalId", name)
    eventually(lambda: scene.transactions("describe", "--transactional-id", name)[1][4], lambda state: state == "Empty", 60)


def _lag(scene: Scene, topic: str) -> int:
    printed = run_tool(scene.kafka, f"{TOOLS}.GetOffsetShell", "--topic", topic, "--time", "latest")
    return int(printed.strip().rsplit(":", 1)[1])
