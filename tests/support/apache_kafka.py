"""A real Apache Kafka beside us: its jars from Maven's registry, three combined nodes on loopback, killed and started at will.

Jars are resolved once, into ``.peers/`` of the repository or the folder that HOLDWATER_PEERS names. The server is 4.4.0; the tools' jars end
at 4.3.1 and work against it. Where Java 17 or Maven is missing, ``missing()`` says so, and tests that need it are skipped with that reason.

As a program it is what a user would write as start and kill command:

    python -m tests.support.apache_kafka start RUN_FOLDER ID
    python -m tests.support.apache_kafka kill RUN_FOLDER ID
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SERVER_VERSION, TOOLS_VERSION, LOG4J_VERSION = "4.4.0", "4.3.1", "2.25.1"
_CLUSTER_ID = "hw4J3nShT-eMCtK--X86sw"
_START_LIMIT_S = 120.0
_DEPENDENCY = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>peers</groupId><artifactId>{name}</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>{dependencies}</dependencies></project>
"""
_LOG4J = """<Configuration status="WARN"><Appenders><Console name="out" target="SYSTEM_OUT"><PatternLayout pattern="[%d] %p %m (%c)%n"/>
</Console></Appenders><Loggers><Root level="{level}"><AppenderRef ref="out"/></Root></Loggers></Configuration>
"""
_ARTIFACTS = {
    "server": [("org.apache.kafka", "kafka_2.13", SERVER_VERSION)],
    "tools": [
        ("org.apache.kafka", "kafka_2.13", TOOLS_VERSION),
        ("org.apache.kafka", "kafka-tools", TOOLS_VERSION),
        ("org.apache.kafka", "trogdor", TOOLS_VERSION),
    ],
    "streams": [("org.apache.kafka", "kafka-streams", SERVER_VERSION)],
}
_LOGGING = [("org.apache.logging.log4j", name, LOG4J_VERSION) for name in ("log4j-slf4j-impl", "log4j-core")]


def peers_folder() -> Path:
    """Where the jars are."""
    return Path(os.environ.get("HOLDWATER_PEERS", REPOSITORY / ".peers"))


def missing() -> str | None:
    """Why Apache Kafka cannot run here; ``None`` when it can."""
    java = shutil.which("java")
    if java is None:
        return "no java on this machine (Apache Kafka needs 17 or newer)"
    said = subprocess.run([java, "-version"], capture_output=True, text=True).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < 17:
        return f"java is too old for Apache Kafka (17 or newer): {said.splitlines()[0] if said else 'no version'}"
    if not all((peers_folder() / f"{name}-libs").is_dir() for name in _ARTIFACTS) and shutil.which("mvn") is None:
        return "no mvn on this machine to fetch Apache Kafka's jars"
    return None


def require_apache_kafka() -> None:
    """Skip the test, with the reason in pytest's summary, where Apache Kafka cannot run."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)


def server_libs() -> Path:
    """The folder of the server's jars; resolved first when it is not there."""
    return _libs("server")


def tools_libs() -> Path:
    """The folder of the tools' jars; resolved first when it is not there."""
    return _libs("tools")


def streams_libs() -> Path:
    """The folder of the jars of Kafka Streams and of the Java client that it runs on; resolved first when it is not there."""
    return _libs("streams")


def _libs(name: str) -> Path:
    libs = peers_folder() / f"{name}-libs"
    if libs.is_dir():
        return libs
    peers_folder().mkdir(parents=True, exist_ok=True)
    with (peers_folder() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may want it at once
        if not libs.is_dir():
            _resolve(name, libs)
    return libs


def _resolve(name: str, libs: Path) -> None:
    work = peers_folder() / f".{name}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    wanted = "".join(_DEPENDENCY.format(*artifact) for artifact in _ARTIFACTS[name] + _LOGGING)
    (work / "pom.xml").write_text(_POM.format(name=name, dependencies=wanted))
    command = ["mvn", "-B", "-q", "-f", str(work / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={work / 'libs'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        raise RuntimeError(f"Maven could not fetch Apache Kafka's jars: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    (work / "libs").rename(libs)


def tool(main_class: str, *arguments: str, timeout_s: float = 120, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run one of Kafka's own tools to its end."""
    return subprocess.run(tool_command(main_class, *arguments), capture_output=True, text=True, timeout=timeout_s, input=stdin)


def tool_command(main_class: str, *arguments: str) -> list[str]:
    """The command line of one of Kafka's own tools."""
    return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{tools_libs()}/*", main_class, *arguments]


class ApacheCluster:
    """Combined nodes 1..n in one folder. Use as a context manager: it is stopped by the recorded pids, and its folder removed.

    ``settings`` are added to every node's server.properties. Matches prove's ``Target`` by shape.
    """

    kind = "kafka"
    owned = True

    def __init__(self, folder: Path, nodes: int = 3, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.nodes = list(range(1, nodes + 1))
        self._settings = dict(settings or {})

    @staticmethod
    def existing(folder: Path) -> "ApacheCluster":
        """The cluster that another process started in a folder."""
        plan = json.loads((folder / "plan.json").read_text())
        return ApacheCluster(folder, len(plan["ports"]), {})

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Format and start all nodes, and wait until each says that it has started."""
        self.format()
        for node in self.nodes:
            self.start(node)
        for node in self.nodes:
            self.wait_started(node)

    def format(self) -> None:
        """Write the nodes' configurations and format their directories."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ports, controller_ports = free_ports(len(self.nodes)), free_ports(len(self.nodes))
        (self.folder / "plan.json").write_text(json.dumps({"ports": ports, "controllers": controller_ports}))
        (self.folder / "log4j2.xml").write_text(_LOG4J.format(level="INFO"))
        (self.folder / "quiet.xml").write_text(_LOG4J.format(level="WARN"))
        for node in self.nodes:
            self._write_properties(node, ports, controller_ports)
        formatting = [self._format(node) for node in self.nodes]
        for process in formatting:
            said, _ = process.communicate(timeout=60)
            if process.returncode != 0:
                raise RuntimeError(f"formatting failed: {said.decode(errors='replace')[-2000:]}")

    def _write_properties(self, node: int, ports: list[int], controller_ports: list[int]) -> None:
        count = len(self.nodes)
        voters = ",".join(f"{one}@127.0.0.1:{port}" for one, port in zip(self.nodes, controller_ports, strict=True))
        listener = f"PLAINTEXT://127.0.0.1:{ports[node - 1]}"
        replicas = min(count, 3)
        settings = {
            "process.roles": "broker,controller",
            "node.id": str(node),
            "controller.quorum.voters": voters,
            "listeners": f"{listener},CONTROLLER://127.0.0.1:{controller_ports[node - 1]}",
            "advertised.listeners": listener,
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.folder / str(node) / "data"),
            "default.replication.factor": str(replicas),
            "min.insync.replicas": str(max(1, replicas - 1)),
            "offsets.topic.replication.factor": str(replicas),
            "offsets.topic.num.partitions": "3",
            "transaction.state.log.replication.factor": str(replicas),
            "transaction.state.log.min.isr": str(max(1, replicas - 1)),
            "transaction.state.log.num.partitions": "3",
            "group.initial.rebalance.delay.ms": "0",
        } | self._settings
        (self.folder / str(node)).mkdir(exist_ok=True)
        text = "".join(f"{key}={value}\n" for key, value in settings.items())
        (self.folder / str(node) / "server.properties").write_text(text)

    def _java(self, logging: str) -> list[str]:
        flags = ["-Xms96m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"]
        return ["java", *flags, f"-Dlog4j2.configurationFile={self.folder / logging}", "-cp", f"{server_libs()}/*"]

    def _format(self, node: int) -> "subprocess.Popen[bytes]":
        properties = str(self.folder / str(node) / "server.properties")
        command = [*self._java("quiet.xml"), "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", properties]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    # --- prove's Target ------------------------------------------------------------------------------------------------------------

    def bootstrap(self) -> str:
        """``host:port,...`` of all nodes."""
        return ",".join(f"127.0.0.1:{port}" for port in json.loads((self.folder / "plan.json").read_text())["ports"])

    def abilities(self) -> frozenset[str]:
        """Everything that signals can do."""
        return frozenset({"start", "kill", "terminate", "pause", "resume"})

    def start(self, broker: int) -> None:
        """Start a node; returns at once."""
        home = self.folder / str(broker)
        with (home / "out.log").open("wb") as log:
            process = subprocess.Popen(
                [*self._java("log4j2.xml"), "kafka.Kafka", str(home / "server.properties")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (home / "pid").write_text(str(process.pid))
        # Python warns of a child that was not waited for; this one is ended by its pid.
        process.returncode = 0

    def wait_started(self, broker: int, limit_s: float = _START_LIMIT_S) -> None:
        """Until the node says that it has started."""
        log, deadline = self.folder / str(broker) / "out.log", time.monotonic() + limit_s
        while "Kafka Server started" not in log.read_text(errors="replace"):
            if not self.running(broker):
                raise RuntimeError(f"Apache Kafka node {broker} ended: {log.read_text(errors='replace')[-3000:]}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"Apache Kafka node {broker} did not start within {limit_s:g} s")
            time.sleep(0.1)

    def running(self, broker: int) -> bool:
        """Whether the node's process lives. Reaps it when it is a child of this process."""
        pid = self._pid(broker)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _pid(self, broker: int) -> int:
        return int((self.folder / str(broker) / "pid").read_text())

    def kill(self, broker: int) -> None:
        """SIGKILL."""
        os.kill(self._pid(broker), signal.SIGKILL)

    def terminate(self, broker: int) -> None:
        """SIGTERM."""
        os.kill(self._pid(broker), signal.SIGTERM)

    def pause(self, broker: int) -> None:
        """SIGSTOP."""
        os.kill(self._pid(broker), signal.SIGSTOP)

    def resume(self, broker: int) -> None:
        """SIGCONT."""
        os.kill(self._pid(broker), signal.SIGCONT)

    def ended_by_themselves(self) -> Mapping[int, str]:
        """Nodes whose process is gone."""
        return {node: "its process is gone" for node in self.nodes if not self.running(node)}

    def logs(self) -> Mapping[str, str]:
        """The nodes' output."""
        return {f"broker-{node}.log": str(self.folder / str(node) / "out.log") for node in self.nodes}

    def describe(self) -> dict[str, object]:
        """For reports."""
        return {"nodes": len(self.nodes), "version": SERVER_VERSION, "settings": self._settings}

    def close(self) -> None:
        """Kill every node by its recorded pid and remove the folder."""
        for node in self.nodes:
            with contextlib.suppress(OSError, ValueError):
                os.kill(self._pid(node), signal.SIGKILL)
                while self.running(node):
                    time.sleep(0.02)
        shutil.rmtree(self.folder, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Ports that could be bound just now, below those that Linux gives to clients."""
    found: list[int] = []
    sockets: list[socket.socket] = []
    candidate = 20_000 + (os.getpid() * 37 + time.monotonic_ns() // 1000) % 10_000
    while len(found) < count:
        candidate = candidate + 1 if candidate < 32_000 else 20_000
        one = socket.socket()
        try:
            one.bind(("127.0.0.1", candidate))
        except OSError:
            one.close()
            continue
        sockets.append(one)
        found.append(candidate)
    for one in sockets:
        one.close()
    return found


def _main(verb: str, folder: str, broker: str) -> None:
    cluster = ApacheCluster.existing(Path(folder))
    {"start": cluster.start, "kill": cluster.kill, "terminate": cluster.terminate}[verb](int(broker))


if __name__ == "__main__":
    _main(*sys.argv[1:4])
