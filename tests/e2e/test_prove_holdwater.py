"""``holdwater prove leader-election`` on a cluster of our own: the command that a new user types, and what happens when it is broken off."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from tests.support.cluster import running

QUICK = ("--steady", "2", "--down", "0.5", "--after", "1")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "holdwater.cli.main", "prove", "leader-election", *arguments]


def test_a_killed_leader_loses_nothing(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    flags = ("--kills", "2", "--min-controller-kills", "1", "--seed", "7", "--format", "json", "--evidence", str(evidence))
    done = subprocess.run(command(*QUICK, *flags), capture_output=True, text=True, timeout=240)
    report = json.loads(done.stdout) if done.stdout else {}
    told = {key: report.get(key) for key in ("verdict", "invalid", "summary", "findings")}
    assert done.returncode == 0, json.dumps(told, indent=1) + done.stderr[-3000:]
    assert (report["verdict"], report["target"]["kind"], report["seed"]) == ("held", "holdwater", 7)
    figures = report["figures"]
    assert figures["ok"] == figures["in_log"] == figures["read"] > 4000
    assert figures["kills_of_active_controller"] >= 1
    assert [one["fault"] for one in figures["rounds"]] == ["kill", "kill"]
    assert all(one["whole_after_start_ms"] for one in figures["rounds"])
    # Somebody noticed each kill: a leader was gone, so a write had to wait.
    assert any(one["write_pause_ms"] > 0 for one in figures["rounds"] if one["partitions_led"])
    assert "Traceback" not in done.stderr

    sums = dict(reversed(line.split("  ")) for line in (evidence / "SHA256SUMS").read_text().splitlines())
    assert {"run.json", "timeline.jsonl", "samples.jsonl", "final.json", "verdict.json", "report.html", "report.txt"} <= sums.keys()
    assert {"logs/up.log", "logs/broker-1.log", "logs/producer.log"} <= sums.keys()
    for name, value in sums.items():
        assert hashlib.sha256((evidence / name).read_bytes()).hexdigest() == value, name


def test_a_cluster_that_is_not_ours_and_a_broker_that_never_comes_back(tmp_path: Path) -> None:
    with running(tmp_path / "cluster") as cluster:
        act = f"{sys.executable} -m holdwater cluster {{}} {{{{id}}}} --data {cluster.directory}"
        flags = ("--bootstrap-server", cluster.bootstrap, "--limit", "5", "--format", "json", "--evidence", str(tmp_path / "evidence"))
        commands = ("--kill-command", act.format("kill"), "--start-command", "true {id}")
        done = subprocess.run(command(*QUICK, *flags, *commands), capture_output=True, text=True, timeout=240)
        report = json.loads(done.stdout)
        assert (done.returncode, report["verdict"]) == (3, "invalid")
        assert "did not answer any more after it was started" in report["invalid"][0]["reason"]
        assert "stays on the cluster" not in done.stderr
        left = AdminClient({"bootstrap.servers": cluster.bootstrap}).list_topics(timeout=30).topics
        assert not [name for name in left if name.startswith("holdwater-")]


def test_a_disk_that_forgets_is_found_and_the_topic_stays_to_be_looked_at(tmp_path: Path) -> None:
    """A cluster that is not ours, whose only replica loses its log while its broker is down."""
    with running(tmp_path / "cluster") as cluster:
        act = f"{sys.executable} -m holdwater cluster {{}} {{{{id}}}} --data {cluster.directory}"
        forget = f"rm -r {cluster.directory}/broker-{{id}}/forgotten-*"
        flags = ("--bootstrap-server", cluster.bootstrap, "--topic", "forgotten", "--replication-factor", "1", "--limit", "10")
        commands = ("--kill-command", f"{act.format('kill')} && {forget}", "--start-command", act.format("start"))
        evidence = ("--format", "json", "--evidence", str(tmp_path / "evidence"), "--junit", str(tmp_path / "junit.xml"))
        done = subprocess.run(command(*QUICK, *flags, *commands, *evidence), capture_output=True, text=True, timeout=240)
        report = json.loads(done.stdout) if done.stdout else {}
        assert (done.returncode, report.get("verdict")) == (1, "broken"), done.stdout + done.stderr
        lost = next(one for one in report["expectations"] if one["name"] == "acknowledged writes lost")
        assert (lost["verdict"], lost["actual"] > 0) == ("broken", True)
        assert "<failure" in (tmp_path / "junit.xml").read_text()
        assert "the topic forgotten stays on the cluster to be looked at" in done.stderr
        assert "forgotten" in AdminClient({"bootstrap.servers": cluster.bootstrap}).list_topics(timeout=30).topics


def processes_of(marker: str) -> list[int]:
    """Processes whose command line or open standard output names the marker: everything that a run started, and its brokers."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            status = (entry / "stat").read_text().rpartition(") ")[2][0]
            texts = [(entry / "cmdline").read_bytes().decode(errors="replace")] + [os.readlink(entry / "fd" / fd) for fd in ("1", "2")]
        except OSError:
            continue
        if status != "Z" and any(marker in text for text in texts):
            found.append(int(entry.name))
    return found


@pytest.fixture
def started(tmp_path: Path) -> Iterator["tuple[subprocess.Popen[str], Path]"]:
    """A run under load, with its evidence folder."""
    evidence = tmp_path / "evidence"
    arguments = command("--steady", "60", "--evidence", str(evidence))
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if "steady" in line:
            break
    answers, deadline = evidence / "history" / "producer-0" / "answers.error.i32", time.monotonic() + 30
    while process.poll() is None and not (answers.exists() and answers.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.poll() is None, "".join(said)
    yield process, evidence
    if process.poll() is None:
        process.kill()
    process.communicate()


def wait_until_gone(marker: str, limit_s: float = 20) -> list[int]:
    deadline = time.monotonic() + limit_s
    while (left := processes_of(marker)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_breaking_off_stops_everything_and_keeps_what_there_is(number: int, started: "tuple[subprocess.Popen[str], Path]") -> None:
    process, evidence = started
    assert len(processes_of(str(evidence))) >= 3, "the cluster and the clients should be running"
    process.send_signal(number)
    if number == signal.SIGINT:
        time.sleep(0.05)
        process.send_signal(number)  # an impatient user
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "Traceback" not in err
    assert out.startswith("INVALID in this run")
    assert "the run was interrupted" in out
    assert wait_until_gone(str(evidence)) == []
    assert json.loads((evidence / "verdict.json").read_text())["figures"]["ok"] > 0


def test_a_run_that_is_killed_leaves_nothing_running(started: "tuple[subprocess.Popen[str], Path]") -> None:
    process, evidence = started
    process.kill()
    process.wait()
    assert wait_until_gone(str(evidence), 60) == []
