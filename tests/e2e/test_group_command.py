"""``holdwater group`` on a real cluster."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from tests.support.cluster import RunningCluster, running

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
        assert "stop the group's consumers first" in group(cluster, "offsets", GROUP, "--to", "earliest", "--execute", code=1)
        assert "NON_EMPTY_GROUP" in group(cluster, "delete", GROUP, code=1)
        consumer.close()

        assert "workers: empty, classic" in group(cluster, "describe", GROUP, text=True)
        moves = {"earliest": [0], "latest": [10], "4": [4], "-2": [5], "+100": [10], "@9999999999999": [10]}
        for where, targets in moves.items():
            assert [row["target"] for row in group(cluster, "offsets", GROUP, "--to", where)] == targets, where
        everywhere = group(cluster, "offsets", GROUP, "--to", "earliest", "--topic", TOPIC, "--execute")
        assert [row["target"] for row in everywhere] == [0, 0]
        assert [row["committed"] for row in group(cluster, "offsets", GROUP)] == [0, 0]
        assert "topic  partition  committed  end  lag" in group(cluster, "offsets", GROUP, text=True)
        assert group(cluster, "delete", GROUP) == [{"group": GROUP, "deleted": True}]
        assert group(cluster, "list") == []
        assert group(cluster, "list", text=True) == "none\n"
        assert "GROUP_ID_NOT_FOUND" in group(cluster, "delete", GROUP, code=1)
        assert "UNKNOWN_TOPIC" in group(cluster, "offsets", GROUP, "--to", "latest", "--topic", "nowhere", code=1)
