"""``holdwater prove leader-election`` on a real Apache Kafka, through the command line that a user types."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from tests.support.apache_kafka import REPOSITORY, ApacheCluster

pytestmark = [pytest.mark.java, pytest.mark.xdist_group("apache-kafka")]


def holdwater(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "holdwater.cli.main", *arguments], capture_output=True, text=True, timeout=400, cwd=REPOSITORY
    )


def topics(bootstrap: str) -> set[str]:
    return set(AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=30).topics)


def test_a_killed_leader_loses_nothing(apache_kafka: ApacheCluster, tmp_path: Path) -> None:
    command = f"{sys.executable} -m tests.support.apache_kafka"
    evidence = tmp_path / "evidence"
    done = holdwater(
        *("prove", "leader-election", "--bootstrap-server", apache_kafka.bootstrap(), "--format", "json", "--seed", "42"),
        *(
            "--kill-command",
            f"{command} kill {apache_kafka.folder} {{id}}",
            "--start-command",
            f"{command} start {apache_kafka.folder} {{id}}",
        ),
        *(
            "--steady",
            "4",
            "--rate",
            "1000",
            "--down",
            "1",
            "--after",
            "2",
            "--evidence",
            str(evidence),
            "--junit",
            str(tmp_path / "junit.xml"),
        ),
    )
    report = json.loads(done.stdout) if done.stdout else {}
    assert done.returncode == 0, (
        json.dumps({key: report.get(key) for key in ("verdict", "invalid", "summary", "expectations")}) + done.stderr
    )
    assert (report["scenario"], report["verdict"], report["seed"]) == ("leader-election", "held", 42)
    figures = report["figures"]
    assert figures["ok"] == figures["in_log"] == figures["read"] > 4000
    assert figures["unknown"] == figures["fail"] == 0
    (round_one,) = figures["rounds"]
    # The broker was really gone: with these settings no election can come before S - H, so somebody had to wait.
    assert round_one["partitions_led"]
    assert round_one["write_pause_ms"] > 1000
    pause = next(one for one in report["expectations"] if one["name"] == "longest write pause")
    assert pause["bound"]["from"]["broker.session.timeout.ms"] == 4000
    assert pause["bound"]["assumed"] == []
    assert pause["actual"] <= pause["expected"]

    assert not [name for name in topics(apache_kafka.bootstrap()) if name.startswith("holdwater-leader-election-")]

    again = holdwater("prove", "--judge", str(evidence), "--format", "json")
    assert again.returncode == 0
    places = {"evidence", "evidence_sha256"}
    assert {k: v for k, v in json.loads(again.stdout).items() if k not in places} == {k: v for k, v in report.items() if k not in places}
