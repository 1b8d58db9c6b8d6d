"""``holdwater up`` and ``holdwater cluster`` as a person or a script uses them: real processes, a real client."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

HOLDWATER = [sys.executable, "-m", "holdwater"]


@contextmanager
def running(tmp_path: Path, *flags: str) -> Iterator[Path]:
    """A cluster on free ports; yields its ready file."""
    ready = tmp_path / "ready.json"
    with (tmp_path / "up.out").open("ab") as out:
        process = subprocess.Popen([*HOLDWATER, "up", "--port", "0", "--ready-file", str(ready), *flags], stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert process.poll() is None, (tmp_path / "up.out").read_text()
            assert time.monotonic() < deadline, (tmp_path / "up.out").read_text()
            time.sleep(0.02)
        yield ready
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0, (tmp_path / "up.out").read_text()


def status(ready: Path) -> dict[str, Any]:
    return json.loads(ready.read_text())


def cluster(action: str, broker: int, ready: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HOLDWATER, "cluster", action, str(broker), "--ready-file", str(ready)], capture_output=True, text=True, timeout=90, check=False
    )


def write(bootstrap: str, topic: str, *values: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True})
    failed: list[object] = []
    for value in values:
        producer.produce(topic, value, partition=0, on_delivery=lambda error, _: failed.append(error) if error else None)
    assert producer.flush(60) == 0
    assert not failed


def read(bootstrap: str, topic: str, count: int) -> list[str]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[str] = []
    deadline = time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline:
        found += [message.value().decode() for message in consumer.consume(100, 0.5) if message.error() is None]
    consumer.close()
    return found


def make_topic(bootstrap: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(topic, 1, 3)]).values():
        try:
            future.result(30)
        except KafkaException as problem:  # carried out, its answer lost with a connection, and asked again by the client
            if problem.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def wait_for_isr(bootstrap: str, topic: str, size: int) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    deadline = time.monotonic() + 60
    while len(admin.list_topics(topic, timeout=10).topics[topic].partitions[0].isrs) != size:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_every_way_to_make_a_broker_fail_and_come_back(tmp_path: Path) -> None:
    with running(tmp_path) as ready:
        found = status(ready)
        assert [set(broker) >= {"id", "port", "pid"} for broker in found["brokers"]] == [True] * 3
        bootstrap = found["bootstrap"]
        make_topic(bootstrap, "t")
        write(bootstrap, "t", "one")
        for down, up, broker in (("kill", "start", 1), ("stop", "start", 2), ("pause", "resume", 3)):
            done = cluster(down, broker, ready)
            assert done.returncode == 0, done.stderr
            if down != "pause":
                write(bootstrap, "t", down)
            done = cluster(up, broker, ready)
            assert done.returncode == 0, done.stderr
            wait_for_isr(bootstrap, "t", 3)
        assert read(bootstrap, "t", 3) == ["one", "kill", "stop"]
        assert cluster("start", 1, ready).returncode == 1
        wrong = cluster("kill", 9, ready)
        assert wrong.returncode == 1
        assert "there is no broker 9" in wrong.stderr
    assert not ready.exists()
    for broker in found["brokers"]:
        with pytest.raises(ProcessLookupError):
            os.kill(broker["pid"], 0)


def test_a_cluster_with_a_directory_is_the_same_after_a_restart(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    with running(tmp_path, "--data", data) as ready:
        first = status(ready)
        make_topic(first["bootstrap"], "t")
        write(first["bootstrap"], "t", "a", "b")
        again = subprocess.run([*HOLDWATER, "up", "--data", data], capture_output=True, text=True, timeout=60, check=False)
        assert again.returncode == 1
        assert "already runs" in again.stderr
    with running(tmp_path, "--data", data) as ready:
        second = status(ready)
        assert (second["bootstrap"], second["cluster_id"]) == (first["bootstrap"], first["cluster_id"])
        write(second["bootstrap"], "t", "c")
        assert read(second["bootstrap"], "t", 3) == ["a", "b", "c"]


def test_all_brokers_killed_at_once_keep_what_they_acknowledged(tmp_path: Path) -> None:
    with running(tmp_path) as ready:
        found = status(ready)
        make_topic(found["bootstrap"], "t")
        write(found["bootstrap"], "t", *map(str, range(50)))
        for broker in found["brokers"]:
            os.kill(broker["pid"], signal.SIGKILL)
        for broker in found["brokers"]:
            deadline = time.monotonic() + 10
            while (done := cluster("start", broker["id"], ready)).returncode and time.monotonic() < deadline:
                time.sleep(0.1)  # its end may not have been noticed yet
            assert done.returncode == 0 or broker is not found["brokers"][-1], done.stderr
        write(found["bootstrap"], "t", "after")
        assert read(found["bootstrap"], "t", 51) == [*map(str, range(50)), "after"]


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--brokers", "0"], 2, "--brokers takes 1 to 32"),
        (["--port", "80"], 2, "--port takes"),
        (["-c", "num.partitons=3"], 2, "did you mean num.partitions?"),
        (["-c", "num.partitions"], 2, "KEY=VALUE"),
        (["-c", "num.partitions=many", "--port", "0"], 2, "num.partitions"),
        (["--host", "0.0.0.0"], 2, "--insecure-listen"),
        (["--data", "/proc/nowhere"], 2, "can't create"),
    ],
)
def test_what_can_not_be_is_said_in_one_line(flags: list[str], code: int, said: str) -> None:
    done = subprocess.run([*HOLDWATER, "up", *flags], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run([*HOLDWATER, "up", "--port", str(min(port, 65_000))], capture_output=True, text=True, timeout=60, check=False)
    if port > 65_000:
        pytest.skip(f"the system gave a port ({port}) that --port does not take")
    assert done.returncode == 1
    assert f":{port}" in done.stderr
    assert "--port" in done.stderr


def test_a_directory_of_another_cluster_is_refused(tmp_path: Path) -> None:
    for name in ("one", "other"):
        with running(tmp_path, "--brokers", "1", "--data", str(tmp_path / name)):
            pass
    (tmp_path / "one" / "broker-1").rename(tmp_path / "away")
    (tmp_path / "other" / "broker-1").rename(tmp_path / "one" / "broker-1")
    done = subprocess.run([*HOLDWATER, "up", "--data", str(tmp_path / "one")], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "belongs to" in done.stderr or "cluster" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_cluster_goes_on_when_nobody_reads_its_lines_any_more(tmp_path: Path, unbuffered: str) -> None:
    ready = tmp_path / "ready.json"
    command = [*HOLDWATER, "up", "--brokers", "2", "--port", "0", "--ready-file", str(ready)]
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert any("Ctrl-C" in line for line in process.stdout)
            process.stdout.close()
            for action, state in (("pause", "paused"), ("resume", "ready"), ("kill", "down"), ("start", "ready")):
                done = cluster(action, 2, ready)
                assert done.returncode == 0, done.stderr
                assert state in done.stdout.splitlines()[-1], done.stdout
                assert status(ready)["brokers"][1]["state"] == state
            assert process.poll() is None
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0
        assert process.stderr.read() == ""


def test_a_cluster_outlives_the_folder_of_its_ready_file(tmp_path: Path) -> None:
    folder, data = tmp_path / "folder", tmp_path / "data"
    folder.mkdir()
    command = [*HOLDWATER, "up", "--brokers", "1", "--port", "0", "--data", str(data), "--ready-file", str(folder / "ready.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert any("Ctrl-C" in line for line in process.stdout)
            shutil.rmtree(folder)
            for action in ("pause", "resume", "kill", "start"):
                done = subprocess.run([*HOLDWATER, "cluster", action, "1", "--data", str(data)], capture_output=True, text=True, timeout=90)
                assert done.returncode == 0, done.stderr
        finally:
            process.send_signal(signal.SIGINT)
        said, error = process.communicate(timeout=40)
    assert (process.returncode, error) == (0, "")
    assert "No such file or directory" in said


def test_a_broker_that_waits_for_others_says_so(tmp_path: Path) -> None:
    with running(tmp_path, "--brokers", "2") as ready:
        for broker in (1, 2):
            assert cluster("kill", broker, ready).returncode == 0
        command = [*HOLDWATER, "cluster", "start", "1", "--ready-file", str(ready)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
            assert waiting.stderr is not None
            assert "1 of 2 brokers run, and none is ready without a majority" in waiting.stderr.readline()
            assert cluster("start", 2, ready).returncode == 0
            assert waiting.wait(60) == 0
        assert [broker["state"] for broker in status(ready)["brokers"]] == ["ready", "ready"]


def test_no_broker_outlives_a_supervisor_that_can_not_go_on(tmp_path: Path) -> None:
    """The folder of its ready file is there at first, and is gone when the cluster is ready."""
    ready, log = tmp_path / "folder" / "ready.json", tmp_path / "data" / "broker-1.log"
    ready.parent.mkdir()
    command = [*HOLDWATER, "up", "--brokers", "1", "--port", "0", "--data", str(tmp_path / "data"), "--ready-file", str(ready)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not log.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)  # the folder must be gone before the cluster is ready, some 300 ms later
        ready.parent.rmdir()
        try:
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 1
    assert str(ready) in said
    assert "Traceback" not in said
    assert "stopped cleanly" in log.read_text()


def test_a_ready_file_may_be_in_the_folder_of_a_new_cluster(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    command = [*HOLDWATER, "up", "--brokers", "1", "--port", "0", "--data", str(data), "--ready-file", str(data / "ready.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert any("Ctrl-C" in line for line in process.stdout)
            assert json.loads((data / "ready.json").read_text())["brokers"]
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0


def test_a_ready_file_that_cannot_be_written_starts_nothing(tmp_path: Path) -> None:
    nowhere = tmp_path / "missing" / "ready.json"
    command = [*HOLDWATER, "up", "--port", "0", "--data", str(tmp_path / "data"), "--ready-file", str(nowhere)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"can't write the ready file {nowhere}: No such file or directory" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent is gone")
def test_no_broker_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    with (tmp_path / "up.out").open("ab") as out:
        process = subprocess.Popen([*HOLDWATER, "up", "--port", "0", "--ready-file", str(ready)], stdout=out, stderr=out)
    deadline = time.monotonic() + 60
    while not ready.exists():
        assert time.monotonic() < deadline, (tmp_path / "up.out").read_text()
        time.sleep(0.02)
    left = status(ready)
    pids = [broker["pid"] for broker in left["brokers"]]
    process.kill()
    process.wait(10)
    while any(Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1][:3] for pid in pids):
        assert time.monotonic() < deadline + 40, "a broker lives on"
        time.sleep(0.1)
    shutil.rmtree(left["data"])
