"""kcat's balanced consumers (``-G``) and its transactional producer."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient
from tests.conformance.clients.librdkafka import fill, read_all
from tests.conformance.clients.targets import bootstrap
from tests.support.cluster import Brokers, eventually

pytestmark = [pytest.mark.kcat, pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed")]
_READ = ["-X", "auto.offset.reset=earliest", "-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=300", "-u", "-f", "%p:%s\n"]


@contextmanager
def consumer(kafka: Brokers, group: str, *topics: str) -> Iterator[tuple["subprocess.Popen[str]", list[str]]]:
    """A kcat that consumes until it is ended, and what it has printed by then."""
    command = ["kcat", "-b", bootstrap(kafka), "-G", group, *_READ, *topics]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    printed: list[str] = []
    try:
        yield process, printed
    finally:
        if process.poll() is None:
            process.terminate()
        out, _ = process.communicate(timeout=20)
        printed += out.split()


@pytest.mark.parametrize("assignor", ["range", "cooperative-sticky"])
def test_one_after_the_other(kafka: Brokers, shared: str, assignor: str) -> None:
    values = fill(kafka, shared, 30)
    read: list[str] = []
    for _ in range(2):
        command = ["kcat", "-b", bootstrap(kafka), "-G", shared, *_READ, "-X", f"partition.assignment.strategy={assignor}", "-c", "15"]
        done = subprocess.run([*command, shared], capture_output=True, text=True, timeout=40)
        assert done.returncode == 0, done.stderr
        assert f"% Group {shared} rebalanced" in done.stderr
        read += [line.partition(":")[2] for line in done.stdout.split()]
    assert sorted(read, key=int) == values


def _shares(admin: AdminClient, group: str) -> list[int]:
    """How many partitions each member of the group has; nothing while it is rebalancing."""
    found: Any = admin.describe_consumer_groups([group])[group].result(20)
    members = [len(member.assignment.topic_partitions) for member in found.members]
    return sorted(members) if found.state.name == "STABLE" else []


@pytest.mark.slow
def test_two_at_once_and_one_of_them_is_killed(kafka: Brokers, shared: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap(kafka)})
    with consumer(kafka, shared, shared) as (first, first_printed), consumer(kafka, shared, shared) as (_, second_printed):
        eventually(lambda: _shares(admin, shared), lambda found: found == [3, 3], 40)
        first.send_signal(signal.SIGKILL)
        first.wait(10)
        eventually(lambda: _shares(admin, shared), lambda found: found == [6], 40)  # when its session is over
        values = fill(kafka, shared, 60)
        reader = AdminClient({"bootstrap.servers": bootstrap(kafka)})
        asked = [ConsumerGroupTopicPartitions(shared)]
        eventually(lambda: _committed(reader, asked), lambda found: found == [10] * 6, 40)
    assert first_printed == []
    assert sorted((line.partition(":")[2] for line in second_printed), key=int) == values


def _committed(admin: AdminClient, asked: list[ConsumerGroupTopicPartitions]) -> list[int]:
    (found,) = admin.list_consumer_group_offsets(asked).values()
    return [place.offset for place in found.result(20).topic_partitions]


def test_transactional_producer(kafka: Brokers, shared: str) -> None:
    command = ["kcat", "-b", bootstrap(kafka), "-P", "-t", shared, "-p", "0", "-X", f"transactional.id={shared}"]
    done = subprocess.run(command, input="a\nb\nc\n", capture_output=True, text=True, timeout=40)
    assert done.returncode == 0, done.stderr
    assert read_all(kafka, shared)[0] == ["a", "b", "c"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write("given up\n" * 30_000)  # it looks at its input in large pieces
    process.stdin.flush()
    eventually(lambda: read_all(kafka, shared, isolation="read_uncommitted")[0], lambda found: len(found) > 3, 30)
    process.send_signal(signal.SIGINT)  # it aborts
    process.communicate(timeout=30)
    assert read_all(kafka, shared)[0] == ["a", "b", "c"]
