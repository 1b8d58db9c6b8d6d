"""``holdwater broker`` with Kafka's ``server.properties``: split roles, static voters, what it refuses."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from holdwater.cluster.plan import make_plan

CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"


def properties(folder: Path, node_id: int, roles: str, listener: str, voters: str) -> Path:
    path = folder / f"{node_id}.properties"
    path.write_text(
        f"process.roles={roles}\nnode.id={node_id}\nlisteners={listener}\ncontroller.listener.names=CONTROLLER\n"
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
        f"controller.quorum.voters={voters}\nlog.dirs={folder}/node-{node_id}-a,{folder}/node-{node_id}-b\n"
        "offsets.topic.replication.factor=1\n"
    )
    return path


def start(path: Path, *python: str, is_new: bool = True) -> "subprocess.Popen[bytes]":
    """A node, formatted when it is new, that writes its log beside its properties."""
    flags = ("broker", str(path), *(("--format", "--cluster-id", CLUSTER_ID) if is_new else ()))
    with path.with_suffix(".out").open("wb") as out:
        return subprocess.Popen([sys.executable, *(python or ("-m", "holdwater")), *flags], stdout=out, stderr=out)


@contextmanager
def running(path: Path, *, is_new: bool = True) -> Iterator[Path]:
    """A node, started; yields its log."""
    log = path.with_suffix(".out")
    process = start(path, is_new=is_new)
    try:
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0, log.read_text()


def wait_for(log: Path, line: str) -> None:
    deadline = time.monotonic() + 60
    while line not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def test_controllers_and_brokers_apart_with_static_voters_and_two_directories_each(tmp_path: Path) -> None:
    ports = [(node.port, node.controller_port) for node in make_plan(brokers=3, host="127.0.0.1", port=0, racks=[], settings={}).nodes]
    voters = ",".join(f"{index + 1}@127.0.0.1:{ports[index][1]}" for index in range(3))
    with ExitStack() as stack:
        for index in range(3):
            stack.enter_context(running(properties(tmp_path, index + 1, "controller", f"CONTROLLER://127.0.0.1:{ports[index][1]}", voters)))
        logs = [
            stack.enter_context(running(properties(tmp_path, index + 11, "broker", f"PLAINTEXT://127.0.0.1:{ports[index][0]}", voters)))
            for index in range(2)
        ]
        for log in logs:
            wait_for(log, " ready\n")
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{ports[0][0]}"})
        for future in admin.create_topics([NewTopic("t", 4, 2)]).values():
            future.result(30)
        producer = Producer({"bootstrap.servers": f"127.0.0.1:{ports[1][0]}", "acks": "all"})
        failed: list[object] = []
        for partition in range(4):
            producer.produce("t", b"x", partition=partition, on_delivery=lambda error, _: failed.append(error) if error else None)
        assert producer.flush(60) == 0
        assert not failed
    assert len(list(tmp_path.glob("node-11-a/t-*"))) == 2
    assert len(list(tmp_path.glob("node-11-b/t-*"))) == 2


PLAIN_ASYNCIO = ("-c", "import sys; sys.modules['uvloop'] = None; from holdwater.cli.main import main; sys.exit(main(sys.argv[1:]))")


@pytest.mark.parametrize("python", [(), PLAIN_ASYNCIO], ids=["uvloop", "asyncio"])
def test_a_port_that_another_took_before_the_broker_was_unfenced_is_named(tmp_path: Path, python: tuple[str, ...]) -> None:
    (node,) = make_plan(brokers=1, host="127.0.0.1", port=0, racks=[], settings={}).nodes
    voters = f"1@127.0.0.1:{node.controller_port}"
    path = properties(tmp_path, 11, "broker", f"PLAINTEXT://127.0.0.1:{node.port}", voters)
    process = start(path, *python)
    try:
        wait_for(path.with_suffix(".out"), "data loaded")  # bound its port, and waits for the controller
        with (
            socket.create_server(("127.0.0.1", node.port)),
            running(properties(tmp_path, 1, "controller", f"CONTROLLER://{voters[2:]}", voters)),
        ):
            assert process.wait(40) == 1
    finally:
        process.kill()
    said = path.with_suffix(".out").read_text()
    assert "Traceback" not in said
    assert f"can't listen on 127.0.0.1:{node.port}: Address already in use" in said
    assert "stopped cleanly" in said


def test_a_node_that_nobody_lets_in_stops_when_it_is_told_to(tmp_path: Path) -> None:
    (node,) = make_plan(brokers=1, host="127.0.0.1", port=0, racks=[], settings={}).nodes
    with running(properties(tmp_path, 11, "broker", f"PLAINTEXT://127.0.0.1:{node.port}", f"1@127.0.0.1:{node.controller_port}")) as log:
        wait_for(log, "data loaded")
    said = log.read_text()
    assert "stopped cleanly" in said
    assert " ready\n" not in said


TOLD_AT_ONCE = """
import os, signal, sys
if sys.argv[1] == "asyncio":
    sys.modules["uvloop"] = None
from holdwater.cli.main import main
from holdwater.node import main as node

def told():
    os.kill(os.getpid(), signal.SIGTERM)

def load(opened, really=node.OpenedNode.load):
    told()
    yield from (0, 0, 0)  # slices of a long load
    yield from really(opened)

def make(*given, really=node.Broker):
    told()
    return really(*given)

node.OpenedNode.load, node.Broker = (load, node.Broker) if sys.argv[2] == "load" else (node.OpenedNode.load, make)
sys.exit(main(sys.argv[3:]))
"""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize(("moment", "last"), [("load", "stopped before its data was loaded"), ("make", "stopped cleanly")])
def test_a_node_that_has_only_begun_stops_when_it_is_told_to(tmp_path: Path, loop: str, moment: str, last: str) -> None:
    (node,) = make_plan(brokers=1, host="127.0.0.1", port=0, racks=[], settings={}).nodes
    path = properties(tmp_path, 1, "controller", f"CONTROLLER://127.0.0.1:{node.controller_port}", f"1@127.0.0.1:{node.controller_port}")
    process = start(path, "-c", TOLD_AT_ONCE, loop, moment)
    try:
        assert process.wait(40) == 0
    finally:
        process.kill()
    said = path.with_suffix(".out").read_text()
    assert last in said.splitlines()[-1]
    with running(path, is_new=False) as log:
        wait_for(log, " ready\n")


def refused(*flags: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-m", "holdwater", "broker", *flags], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_what_can_not_be_is_said(tmp_path: Path) -> None:
    code, said = refused(str(tmp_path / "missing.properties"))
    assert (code, "can't read" in said) == (2, True)
    path = properties(tmp_path, 1, "controller", "CONTROLLER://127.0.0.1:19999", "1@127.0.0.1:19999")
    code, said = refused(str(path))
    assert (code, "is not formatted" in said) == (1, True)
    code, said = refused(str(path), "-c", "process.roles=king")
    assert (code, "process.roles" in said) == (2, True)
    code, said = refused(str(path), "--format", "--cluster-id", "short")
    assert (code, "--cluster-id" in said) == (2, True)
