"""verifiable-consumer in a real group: what it says of assignments, records and commits, and that the next one goes on behind the last commit."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.cluster import RunningCluster, eventually, running

TOPIC = "t"


def start(cluster: RunningCluster, name: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "holdwater", name, "-b", cluster.bootstrap, "--topic", TOPIC, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]") -> list[dict[str, Any]]:
    out, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def produce(cluster: RunningCluster, count: int) -> None:
    said = finish(start(cluster, "verifiable-producer", "--max-messages", str(count), "--acks", "-1"))
    assert said[-1]["acked"] == count


def of(said: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [line for line in said if line["name"] == name]


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_group_and_its_commits(tmp_path: Path, protocol: str) -> None:
    group = ("--group-id", "g", "--group-protocol", protocol)
    with running(tmp_path / "cluster", settings={"group.initial.rebalance.delay.ms": "500"}) as cluster:
        cluster.create_topic(TOPIC, partitions=3)
        produce(cluster, 90)
        first = finish(start(cluster, "verifiable-consumer", *group, "--max-messages", "90"))
        assigned = of(first, "partitions_assigned")[0]["partitions"]
        assert assigned == [{"topic": TOPIC, "partition": number} for number in range(3)]
        assert sum(line["count"] for line in of(first, "records_consumed")) == 90
        commits = of(first, "offsets_committed")
        assert commits
        assert all(line["success"] for line in commits)
        produce(cluster, 30)
        second = finish(start(cluster, "verifiable-consumer", *group, "--max-messages", "30", "--verbose"))
        assert second[0]["name"] == "startup_complete"
        assert len(of(second, "record_data")) == 30
        committed = {each["partition"]: each["offset"] for line in commits for each in line["offsets"]}
        assert sum(committed.values()) == 90
        assert all(line["offset"] >= committed.get(line["partition"], 0) for line in of(second, "record_data"))


def test_two_members_share_the_partitions(tmp_path: Path) -> None:
    with running(tmp_path / "cluster", settings={"group.initial.rebalance.delay.ms": "0"}) as cluster:
        cluster.create_topic(TOPIC, partitions=4)
        both = [start(cluster, "verifiable-consumer", "--group-id", "g", "--session-timeout", "6000") for _ in range(2)]

        def shares() -> list[int]:
            command = [sys.executable, "-m", "holdwater", "group", "describe", "g", "-b", cluster.bootstrap, "--format", "json"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=30)
            assert done.returncode == 0, done.stderr
            return sorted(len(member["assignment"]) for member in json.loads(done.stdout)["members"])

        eventually(shares, lambda found: found == [2, 2], seconds=40)
        for process in both:
            process.terminate()
        for process in both:
            out, _ = process.communicate(timeout=30)
            said = [json.loads(line) for line in out.splitlines()]
            assert process.returncode == 143
            assert of(said, "partitions_revoked")
            assert said[-1]["name"] == "shutdown_complete"
