"""kcat's balanced consumers (``-G``) and its transactional producer."""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
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


@pytest.mark.slow
def test_two_at_once_and_one_of_them_is_killed(kafka: Brokers, shared: str) -> None:
    with consumer(kafka, shared, shared) as (first, first_printed), consumer(kafka, shared, shared) as (_, second_printed):
        time.sleep(4)
        fill(kafka, shared, 60)
        time.sleep(3)
        first.send_signal(signal.SIGKILL)
        first.wait(10)
        time.sleep(8)  # its session ends
        fill(kafka, shared, 60)
        time.sleep(2)
    partitions = [{line.partition(":")[0] for line in printed} for printed in (first_printed, second_printed)]
    assert len(partitions[0]) == 3
    assert len(partitions[1]) == 6
    assert set(range(60)) <= {int(line.partition(":")[2]) for line in first_printed + second_printed}
    assert len([line for line in second_printed if line.startswith("0:")]) >= 10


def test_transactional_producer(kafka: Brokers, shared: str) -> None:
    command = ["kcat", "-b", bootstrap(kafka), "-P", "-t", shared, "-p", "0", "-X", f"transactional.id={shared}"]
    done = subprocess.run(command, input="a\nb\nc\n", capture_output=True, text=True, timeout=40)
    assert done.returncode == 0, done.stderr
    assert read_all(kafka, shared)[0] == ["a", "b", "c"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write("given up\n")
    process.stdin.flush()
    eventually(lambda: read_all(kafka, shared, isolation="read_uncommitted")[0], lambda found: len(found) == 4)
    process.send_signal(signal.SIGINT)  # aborts
    _, stderr = process.communicate(timeout=30)
    assert process.returncode != 0 or "bort" in stderr
    assert read_all(kafka, shared)[0] == ["a", "b", "c"]
