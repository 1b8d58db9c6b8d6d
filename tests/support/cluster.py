"""A real cluster for tests: ``holdwater up`` as a process of its own, stopped by its pid.

``running`` starts one and hands out a ``RunningCluster``, which also kills, stops and starts single brokers through ``holdwater cluster``'s
control socket, and reads what the brokers wrote into their logs.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from holdwater.cluster.control import send, wait_until
from holdwater.cluster.plan import load_plan
from holdwater.rpc import Connection, RpcError, calls
from holdwater.wire import messages as m

START_SECONDS = 60.0
STOP_SECONDS = 40.0


class Brokers:
    """Brokers on this machine that raw requests can be sent to, ours or others."""

    def __init__(self, ports: dict[int, int]) -> None:
        self.ports = ports

    def alive(self) -> list[int]:
        """The brokers that run."""
        return sorted(self.ports)

    def _any(self) -> int:
        alive = self.alive()
        assert alive, "no broker runs"
        return alive[0]

    def connect(self, broker: int | None = None, *, timeout_s: float = 10.0) -> Connection:
        """A raw connection to the given broker, or to one that runs."""
        return Connection("127.0.0.1", self.ports[self._any() if broker is None else broker], timeout_s=timeout_s)

    def create_topic(self, name: str, partitions: int = 1, replicas: int | None = None, configs: Mapping[str, str] | None = None) -> None:
        """Create a topic and wait until each broker knows a leader for every partition of it."""
        topic = m.CreateTopicsRequest.CreatableTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=min(3, len(self.ports)) if replicas is None else replicas,
            configs=[m.CreateTopicsRequest.CreatableTopicConfig(name=key, value=value) for key, value in (configs or {}).items()],
        )
        with self.connect() as connection:
            answer = connection.call(m.CreateTopicsRequest(topics=[topic], timeout_ms=30_000), m.CreateTopicsResponse).topics[0]
            assert answer.error_code == 0, (answer.error_code, answer.error_message)
        for each in self.alive():
            self.wait_for_topic(name, partitions, each)

    def wait_for_topic(self, name: str, partitions: int, broker: int) -> calls.TopicState:
        """Wait until a broker knows that many partitions of the topic, all with a leader."""
        with self.connect(broker) as connection:
            return eventually(
                lambda: calls.describe_topic(connection, name),
                lambda found: found is not None and len(found.partitions) == partitions and all(p.leader >= 0 for p in found.partitions),
            )

    def partition(self, topic: str, partition: int = 0, *, broker: int | None = None) -> calls.PartitionState:
        """Leader, ISR and so on of a partition, as a broker that runs (or the given one) sees them."""
        asked = self._any() if broker is None else broker
        with self.connect(asked) as connection:
            found = calls.describe_topic(connection, topic)
        assert found is not None, f"broker {asked} does not know {topic}"
        return next(each for each in found.partitions if each.partition == partition)

    def leader(self, topic: str, partition: int = 0) -> int:
        """The broker that leads a partition."""
        return eventually(lambda: self.partition(topic, partition).leader, lambda found: found >= 0)

    def coordinator(self, key: str, key_type: int = 0) -> int:
        """The broker that coordinates a group, or with key type 1 a transactional id."""
        request = m.FindCoordinatorRequest(key_type=key_type, coordinator_keys=[key])

        def look() -> m.FindCoordinatorResponse.Coordinator:
            with self.connect() as connection:
                return connection.call(request, m.FindCoordinatorResponse).coordinators[0]

        return eventually(look, lambda found: found.error_code == 0).node_id


class RunningCluster(Brokers):
    """A cluster that runs. ``directory`` holds its data and its logs."""

    def __init__(self, directory: Path, ready: dict[str, Any], process: "subprocess.Popen[bytes]") -> None:
        super().__init__({broker["id"]: broker["port"] for broker in ready["brokers"]})
        self.directory = directory
        self.bootstrap: str = ready["bootstrap"]
        self.cluster_id: str = ready["cluster_id"]
        self.process = process
        plan = load_plan(directory)
        assert plan is not None
        self.controller_ports = {node.node_id: node.controller_port for node in plan.nodes}

    def status(self) -> dict[int, dict[str, Any]]:
        """What the supervisor knows of each broker, by id."""
        return {broker["id"]: broker for broker in send(self.directory, "status")["brokers"]}

    def alive(self) -> list[int]:
        """The brokers that are ready."""
        return [broker for broker, state in self.status().items() if state["state"] == "ready"]

    def kill(self, broker: int) -> None:
        """SIGKILL, and wait until the process is gone."""
        send(self.directory, "kill", broker)
        wait_until(self.directory, broker, ("down",), STOP_SECONDS)

    def stop(self, broker: int) -> None:
        """An orderly stop."""
        send(self.directory, "stop", broker)
        wait_until(self.directory, broker, ("down",), STOP_SECONDS)

    def start(self, broker: int) -> None:
        """Start a broker that is down, and wait until it is unfenced."""
        send(self.directory, "start", broker)
        status = wait_until(self.directory, broker, ("ready", "down"), START_SECONDS)
        state = next(each["state"] for each in status["brokers"] if each["id"] == broker)
        assert state == "ready", f"broker {broker} did not start: {self.log(broker)[-2000:]}"

    def log(self, broker: int) -> str:
        """Everything that a broker has written to its log so far."""
        return (self.directory / f"broker-{broker}.log").read_text(encoding="utf-8")

    def logs(self) -> str:
        """The logs of all brokers."""
        return "".join(self.log(broker) for broker in self.ports)


def eventually(look: Any, good: Any, seconds: float = 15.0) -> Any:
    """Look until it is good, and return what was seen; fails with the last thing seen when it takes too long."""
    deadline = time.monotonic() + seconds
    seen: Any = None
    while time.monotonic() < deadline:
        try:
            seen = look()
        except (RpcError, AssertionError) as problem:
            seen = problem
        else:
            if good(seen):
                return seen
        time.sleep(0.02)
    raise AssertionError(f"still not so after {seconds:g} s: {seen!r}")


@contextlib.contextmanager
def running(directory: Path, *, brokers: int = 3, settings: Mapping[str, str] | None = None) -> Iterator[RunningCluster]:
    """Start a cluster in ``directory``; it is stopped in order at the end, and must then stop cleanly and without a traceback."""
    directory.mkdir(parents=True, exist_ok=True)
    ready_file = directory / "ready.json"
    command = [sys.executable, "-m", "holdwater", "up", "--brokers", str(brokers), "--port", "0"]
    command += ["--data", str(directory / "data"), "--ready-file", str(ready_file)]
    for key, value in (settings or {}).items():
        command += ["-c", f"{key}={value}"]
    output = directory / "up.log"
    with output.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        cluster = RunningCluster(directory / "data", _wait_ready(process, ready_file, output), process)
        yield cluster
    finally:
        process.terminate()
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
    said = cluster.logs()
    assert "Traceback" not in said, said[-5000:]
    assert code == 0, output.read_text(encoding="utf-8")


def _wait_ready(process: "subprocess.Popen[bytes]", ready_file: Path, output: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"the cluster did not start: {output.read_text(encoding='utf-8')}")
        with contextlib.suppress(OSError, ValueError):
            return json.loads(ready_file.read_text(encoding="utf-8"))
        time.sleep(0.02)
    raise AssertionError(f"the cluster was not ready after {START_SECONDS:g} s: {output.read_text(encoding='utf-8')}")
