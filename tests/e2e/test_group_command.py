"""``holdwater group`` on a real cluster."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from tests.support.cluster import RunningCluster, running

from holdwater.admin import client
from holdwater.cli.main import main
from holdwater.cluster.control import send

TOPIC, GROUP = "t", "workers"


def group(cluster: RunningCluster, *arguments: str, code: int = 0, text: bool = False) -> Any:
    """What the command printed: rows, or the text; the error, where it failed."""
    command = [sys.executable, "-m", "holdwater", "group", *arguments, "-b", cluster.bootstrap, *(["--format", "text"] if text else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    if code:
        return done.stderr
    return done.stdout if text else [json.loads(line) for line in done.stdout.splitlines()]


def test_a_group_from_its_first_commit_to_its_end(tmp_path: Path) -> None:
    with running(tmp_path / "cluster", settings={"group.initial.rebalance.delay.ms": "0"}) as cluster:
        cluster.create_topic(TOPIC, partitions=2)
        producer = Producer({"bootstrap.servers": cluster.bootstrap})
        for number in range(20):
            producer.produce(TOPIC, str(number), partition=number % 2)
        assert producer.flush(30) == 0
        config = {"bootstrap.servers": cluster.bootstrap, "group.id": GROUP, "client.id": "me", "enable.auto.commit": False}
        consumer = Consumer({**config, "auto.offset.reset": "earliest"})
        consumer.subscribe([TOPIC])
        assert len(consumer.consume(20, 30)) == 20
        consumer.commit(offsets=[TopicPartition(TOPIC, 0, 7)], asynchronous=False)

        assert group(cluster, "list") == [{"group": GROUP, "state": "stable", "type": "classic", "simple": False}]
        (described,) = group(cluster, "describe", GROUP)
        (member,) = described["members"]
        assert (described["state"], described["assignor"], member["client"]) == ("stable", "range", "me")
        assert [each["partition"] for each in member["assignment"]] == [0, 1]
        assert [(row["partition"], row["committed"], row["end"], row["lag"]) for row in described["offsets"]] == [
            (0, 7, 10, 3),
            (1, None, 10, None),
        ]
        assert [row["member"] for row in group(cluster, "offsets", GROUP)] == [member["member"]] * 2
        live = group(cluster, "offsets", GROUP, "--to", "earliest", "--execute", code=1)
        assert live == "holdwater group: group workers has members, so its offsets were not moved\nnext: stop its consumers first\n"
        live = group(cluster, "delete", GROUP, GROUP, code=1)
        assert live.count("NON_EMPTY_GROUP") == live.count("next: stop its consumers first") == 1
        consumer.close()

        assert "workers: empty, classic" in group(cluster, "describe", GROUP, text=True)
        moves = {"earliest": [0], "latest": [10], "4": [4], "-2": [5], "+100": [10], "@9999999999999": [10]}
        for where, targets in moves.items():
            assert [row["target"] for row in group(cluster, "offsets", GROUP, "--to", where)] == targets, where
        everywhere = group(cluster, "offsets", GROUP, "--to", "earliest", "--topic", TOPIC, "--execute")
        assert [row["target"] for row in everywhere] == [0, 0]
        assert [row["committed"] for row in group(cluster, "offsets", GROUP)] == [0, 0]
        assert "topic  partition  committed  end  lag  member" in group(cluster, "offsets", GROUP, text=True)
        assert group(cluster, "delete", GROUP) == [{"group": GROUP, "deleted": True}]
        assert group(cluster, "list") == []
        assert group(cluster, "list", text=True) == "none\n"
        gone = group(cluster, "delete", GROUP, code=1)
        assert "GROUP_ID_NOT_FOUND" in gone
        assert "next: holdwater group list" in gone


@pytest.mark.parametrize(
    ("address", "why"), [("127.0.0.1:1", "Connection refused"), ("nohost.invalid:9092", "Failed to resolve 'nohost.invalid:9092'")]
)
@pytest.mark.parametrize("arguments", [("list",), ("describe", "g"), ("offsets", "g"), ("offsets", "g", "--to", "1"), ("delete", "g")])
def test_nobody_answers(arguments: tuple[str, ...], address: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    start = time.monotonic()
    assert main(["group", *arguments, "-b", address]) == 1
    assert time.monotonic() - start < 10
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"holdwater group: no broker answers at {address}: ")
    assert why in said.err
    assert said.err.endswith("\nnext: check --bootstrap-server\n")


def test_brokers_that_do_not_answer_hide_nothing_of_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "REQUEST_S", 3.0)

    def tell(*arguments: str, at: str = "") -> tuple[int, list[Any], str]:
        code = main(["group", *arguments, "-b", at or cluster.bootstrap, "--format", "json"])
        said = capsys.readouterr()
        return code, [json.loads(line) for line in said.out.splitlines()], said.err

    groups = [f"g{number}" for number in range(8)]
    with running(tmp_path / "cluster") as cluster:
        cluster.create_topic(TOPIC)
        for each in groups:
            assert tell("offsets", each, "--to", "0", "--topic", TOPIC, "--execute")[0] == 0
        assert tell("list")[0] == 0
        send(cluster.directory, "pause", 3)
        try:
            code, rows, said = tell("list")
            assert code == 1
            assert {row["group"] for row in rows} < set(groups)
            assert rows
            assert f"broker 3 (127.0.0.1:{cluster.ports[3]}) did not list its groups" in said
            assert "next: check that every broker is up" in said
            silent = f"127.0.0.1:{cluster.ports[3]}"
            code, rows, said = tell("list", at=silent)
            assert (code, rows) == (1, [])
            assert said == f"holdwater group: no broker answers at {silent}\nnext: check --bootstrap-server\n"
        finally:
            send(cluster.directory, "resume", 3)

        monkeypatch.setattr(client, "REQUEST_S", 15.0)
        code, rows, said = tell("describe", *groups)
        assert (code, said) == (0, "")
        cluster.kill(rows[0]["coordinator"]["id"])
        code, rows, said = tell("describe", "nope", *groups)  # while the groups of the killed broker move to others
        assert code == 1
        assert [row["group"] for row in rows if "error" not in row] == groups
        assert said == "holdwater group: there is no group nope\nnext: holdwater group list\n"


def test_a_leader_that_stands_still_leaves_no_offset_half_moved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once after a broker has stopped, everybody still takes it for the leader; librdkafka reports no error when it does not answer."""
    monkeypatch.setattr(client, "REQUEST_S", 3.0)
    with running(tmp_path / "cluster") as cluster:
        cluster.create_topic(TOPIC, partitions=3, replicas=1)
        assert group(cluster, "offsets", GROUP, "--to", "0", "--topic", TOPIC, "--execute")
        (described,) = group(cluster, "describe", GROUP)
        held = next(number for number in range(3) if cluster.leader(TOPIC, number) != described["coordinator"]["id"])
        broker = cluster.leader(TOPIC, held)
        send(cluster.directory, "pause", broker)
        try:
            for flags in (("--to", "latest", "--execute"), ()):
                assert main(["group", "offsets", GROUP, *flags, "-b", cluster.bootstrap, "--format", "json"]) == 1
                said = capsys.readouterr()
                assert f"the leader of {TOPIC}-{held} does not answer" in said.err or f"{TOPIC}-{held} has no leader" in said.err
                assert len(said.out.splitlines()) == (0 if flags else 3)
        finally:
            send(cluster.directory, "resume", broker)


def test_what_cannot_be_written_is_said_once() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", _WRITES, "group", "list", "-b", "h:1"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 3
    assert done.stderr == "holdwater: cannot write: No space left on device\nnext: make room where the output goes\n"


_WRITES = """
import sys
from holdwater.admin.groups import Groups, Listed
from holdwater.cli.main import main
Groups.list_all = lambda self: Listed([{"group": "g", "state": "empty", "type": "classic", "simple": True}] * 5000, None)
sys.exit(main())
"""
