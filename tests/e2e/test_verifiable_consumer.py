"""verifiable-consumer in a real group: what it says of assignments, records and commits, and that the next one goes on behind the last commit."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.cluster import RunningCluster, eventually, running
from tests.support.refusing_coordinator import refuse_offsets

from holdwater.cluster.control import send, wait_until
from holdwater.kernel.errors import ErrorCode

TOPIC = "t"


def start(cluster: RunningCluster, name: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "holdwater", name, "-b", cluster.bootstrap, "--topic", TOPIC, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]") -> list[dict[str, Any]]:
    out, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def run_to_its_end(cluster: RunningCluster, *arguments: str) -> tuple[int, str, str]:
    """Exit code and output of a consumer that ends by itself, and may have something to say."""
    process = start(cluster, "verifiable-consumer", *arguments)
    try:
        out, error = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, error


@pytest.fixture(scope="module")
def one_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running(tmp_path_factory.mktemp("cluster"), brokers=1, settings={"group.initial.rebalance.delay.ms": "0"}) as cluster:
        cluster.create_topic(TOPIC)
        yield cluster


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


ENDINGS = {
    "no offset": (("--reset-policy", "none"), "no previously committed offset", "--reset-policy"),
    "no offset, KIP-848": (("--reset-policy", "none", "--group-protocol", "consumer"), "no previously committed offset", "--reset-policy"),
    "topic": (("--topic", "bad/topic"), "'bad/topic' is no topic name", "1 to 249 of"),
    "topic, KIP-848": (("--topic", "bad/topic", "--group-protocol", "consumer"), "'bad/topic' is no topic name", "1 to 249 of"),
    "session timeout": (("--session-timeout", "10"), "Invalid session timeout", "group.min.session.timeout.ms"),
    "assignor": (("--group-protocol", "consumer", "--group-remote-assignor", "nosuch"), "assignor", "--group-remote-assignor"),
}


@pytest.mark.parametrize("case", ENDINGS)
def test_it_ends_on_what_it_will_not_get_over(one_broker: RunningCluster, case: str) -> None:
    arguments, why, next_step = ENDINGS[case]
    begin = time.monotonic()
    ended(start(one_broker, "verifiable-consumer", "--group-id", f"ends: {case}", *arguments), why, next_step)
    assert time.monotonic() - begin < 20


def ended(process: "subprocess.Popen[str]", why: str, next_step: str) -> None:
    """It said in two lines what is wrong and what to do, and left in order."""
    try:
        out, error = process.communicate(timeout=30)
    finally:
        process.kill()
    what, after = error.splitlines()
    assert what.startswith("holdwater verifiable-consumer: ")
    assert why in what
    assert after.startswith("next: ")
    assert next_step in after
    assert process.returncode == 1
    said = [json.loads(line) for line in out.splitlines()]
    assert [line["name"] for line in said[-2:]] == ["shutdown_complete", "shutdown_requested"]
    assert len(of(said, "partitions_assigned")) <= len(of(said, "partitions_revoked"))


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_of_two_with_one_instance_id_one_ends(one_broker: RunningCluster, protocol: str) -> None:
    """The classic protocol fences the first, KIP-848 keeps the second out."""
    arguments = ("--group-id", f"static-{protocol}", "--group-instance-id", "i1", "--group-protocol", protocol, "--max-messages", "-1")
    first = start(one_broker, "verifiable-consumer", *arguments)
    assert first.stdout is not None
    before = [json.loads(first.stdout.readline()) for _ in range(2)]
    assert before[-1]["name"] == "partitions_assigned"
    second = start(one_broker, "verifiable-consumer", *arguments)
    try:
        if protocol == "classic":
            ended(first, "Static consumer fenced", "--group-instance-id")
        else:
            ended(second, "instance ID is still used", "--group-instance-id")
    finally:
        stays = second if protocol == "classic" else first
        stays.terminate()
        stays.communicate(timeout=30)
    assert stays.returncode == 143


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_it_waits_for_a_topic_that_is_not_there_yet(one_broker: RunningCluster, tmp_path: Path, protocol: str) -> None:
    (tmp_path / "c").write_text("topic.metadata.refresh.interval.ms=1000\n")
    topic = ("--topic", f"later-{protocol}", "--max-messages", "5")
    group = ("--group-id", f"waits-{protocol}", "--group-protocol", protocol, "--command-config", str(tmp_path / "c"))
    waiting = start(one_broker, "verifiable-consumer", *topic, *group)
    time.sleep(3)  # it must not give up meanwhile: nothing tells that it waits
    assert waiting.poll() is None
    finish(start(one_broker, "verifiable-producer", *topic))
    assert sum(line["count"] for line in of(finish(waiting), "records_consumed")) == 5


@pytest.mark.parametrize("error", [ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE])
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_it_asks_again_for_offsets_that_a_coordinator_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str, error: ErrorCode
) -> None:
    """librdkafka does not, and reads nothing for ever (confluentinc/librdkafka issue 5586)."""
    refuse_offsets(tmp_path / "patch", monkeypatch, error)
    with running(tmp_path / "cluster", brokers=1, settings={"group.initial.rebalance.delay.ms": "0"}) as cluster:
        cluster.create_topic(TOPIC)
        produce(cluster, 10)
        arguments = ("--group-id", "g", "--group-protocol", protocol, "--max-messages", "10")
        code, out, error_text = run_to_its_end(cluster, *arguments)
        assert cluster.log(1).count("refused to tell offsets of g") == 1
    said = [json.loads(line) for line in out.splitlines()]
    assert code == 0, error_text
    assert sum(line["count"] for line in of(said, "records_consumed")) == 10
    assert len(of(said, "partitions_assigned")) == 2
    assert error.name in error_text


def test_it_waits_for_its_own_instance_id_that_a_coordinator_on_the_move_did_not_hear_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_offsets(tmp_path / "patch", monkeypatch, ErrorCode.NOT_COORDINATOR, leaves=True)
    settings = {"group.consumer.session.timeout.ms": "5000", "group.consumer.min.session.timeout.ms": "5000"}
    with running(tmp_path / "cluster", brokers=1, settings=settings) as cluster:
        cluster.create_topic(TOPIC)
        produce(cluster, 10)
        arguments = ("--group-id", "g", "--group-protocol", "consumer", "--group-instance-id", "one", "--max-messages", "10")
        code, out, error_text = run_to_its_end(cluster, *arguments)
        assert cluster.log(1).count("refused to let go of g") == 1
    assert code == 0, error_text
    assert sum(line["count"] for line in of([json.loads(line) for line in out.splitlines()], "records_consumed")) == 10
    assert "its own last client may have it still" in error_text


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_it_lives_through_kills(tmp_path: Path, protocol: str) -> None:
    """Of the coordinator, of the leaders, and of all brokers at once."""
    group = ("--group-id", "g", "--group-protocol", protocol, "--max-messages", "60")
    with running(tmp_path / "cluster", settings={"group.initial.rebalance.delay.ms": "0"}) as cluster:
        cluster.create_topic(TOPIC, partitions=3)
        produce(cluster, 30)
        process = start(cluster, "verifiable-consumer", *group)
        try:
            kill_all(cluster, process)
            for number in range(3):  # Kafka's verifiable producer, and so ours, does not retry
                eventually(lambda number=number: len(cluster.partition(TOPIC, number).isr), lambda count: count == 3, seconds=40)
            produce(cluster, 30)
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    assert sum(line["count"] for line in of([json.loads(line) for line in out.splitlines()], "records_consumed")) >= 60


def kill_all(cluster: RunningCluster, process: "subprocess.Popen[str]") -> None:
    """One after another, then all at once; the consumer must outlive each."""
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["name"] == "startup_complete"
    for broker in sorted(cluster.ports):
        cluster.kill(broker)
        time.sleep(1)  # down long enough for the client to notice
        cluster.start(broker)
        assert process.poll() is None
    for broker in sorted(cluster.ports):
        cluster.kill(broker)
    time.sleep(2)  # the same with no broker left
    assert process.poll() is None
    for broker in sorted(cluster.ports):
        send(cluster.directory, "start", broker)
    for broker in sorted(cluster.ports):
        wait_until(cluster.directory, broker, ("ready",), 60)
    assert process.poll() is None
