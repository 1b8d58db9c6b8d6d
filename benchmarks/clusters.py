"""The two sides: holdwater and Apache Kafka, three combined nodes each, started and handled alike.

holdwater is started as a user would, by its command. Apache Kafka runs with its stock configuration, the Java flags of its own start script and
a heap of 1 GiB; only addresses, directories and the replication settings of a three-node cluster are set, as ``holdwater up`` sets them.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tests.support.apache_kafka import SERVER_VERSION, ApacheCluster

from benchmarks.processes import descendants, die_with_parent

HOLDWATER, KAFKA = "holdwater", "kafka"
TITLES = {HOLDWATER: "holdwater", KAFKA: "Apache Kafka"}
BROKERS = (1, 2, 3)
KAFKA_HEAP = "1 GiB"
_JAVA_FLAGS = (
    "-Xms1g",
    "-Xmx1g",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
)
_STOCK = {"offsets.topic.num.partitions": "50", "transaction.state.log.num.partitions": "50", "group.initial.rebalance.delay.ms": "3000"}
_START_LIMIT_S = 120.0
_STOP_LIMIT_S = 30.0


class ClusterFailed(Exception):  # noqa: N818 - an outcome, told to the person who runs the benchmark
    """A cluster did not start, or ended; the message says where to look."""


class Cluster(Protocol):
    """One cluster. ``name`` is ``holdwater`` or ``kafka``."""

    name: str

    def prepare(self) -> None:
        """Everything before the first exec of a broker that a user would do once: nothing for holdwater, formatting for Kafka."""

    def launch(self) -> float:
        """Start it and return at once; the answer is the monotonic time just before the first exec."""

    def wait_ready(self) -> None:
        """Until all brokers have started."""

    def ready_file(self) -> str | None:
        """The file that says that it is ready, if it writes one."""

    def bootstrap(self) -> str:
        """Addresses for clients."""

    def addresses(self) -> dict[int, tuple[str, int]]:
        """Where each broker is."""

    def broker_pids(self) -> dict[int, int]:
        """The brokers' processes."""

    def all_pids(self) -> list[int]:
        """Every process that belongs to it."""

    def kill(self, broker: int) -> float:
        """SIGKILL; the answer is the monotonic time just before."""

    def restart(self, broker: int) -> float:
        """Start a killed broker; returns at once, with the monotonic time just before."""

    def pause(self) -> None:
        """SIGSTOP to all of it."""

    def resume(self) -> None:
        """SIGCONT to all of it."""

    def stop(self) -> None:
        """End it and remove its data."""


class Holdwater:
    """``holdwater up --brokers 3``."""

    name = HOLDWATER

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._ready_file = folder / "ready.json"
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Nothing: ``up`` formats its directories itself, and that is part of its start."""

    def launch(self) -> float:
        """See ``Cluster``."""
        command = [*holdwater_command(), "up", "--brokers", "3", "--port", "0"]
        command += ["--data", str(self._folder / "data"), "--ready-file", str(self._ready_file)]
        with (self._folder / "up.log").open("wb") as log:
            before = time.monotonic()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - there are no threads here
            )
        return before

    def wait_ready(self) -> None:
        """See ``Cluster``."""
        deadline = time.monotonic() + _START_LIMIT_S
        while not self._ready_file.exists():
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                raise ClusterFailed(f"holdwater up did not start: {(self._folder / 'up.log').read_text()[-2000:]}")
            time.sleep(0.01)

    def ready_file(self) -> str | None:
        """See ``Cluster``."""
        return str(self._ready_file)

    def bootstrap(self) -> str:
        """See ``Cluster``."""
        return json.loads(self._ready_file.read_text())["bootstrap"]

    def addresses(self) -> dict[int, tuple[str, int]]:
        """See ``Cluster``."""
        return {one["id"]: ("127.0.0.1", one["port"]) for one in json.loads(self._ready_file.read_text())["brokers"]}

    def broker_pids(self) -> dict[int, int]:
        """See ``Cluster``."""
        return {one["id"]: one["pid"] for one in json.loads(self._ready_file.read_text())["brokers"] if one["pid"]}

    def all_pids(self) -> list[int]:
        """See ``Cluster``."""
        return descendants(self._process.pid) if self._process is not None else []

    def kill(self, broker: int) -> float:
        """See ``Cluster``."""
        return _signal_at(self.broker_pids()[broker], signal.SIGKILL)

    def restart(self, broker: int) -> float:
        """See ``Cluster``."""
        before = time.monotonic()
        command = [*holdwater_command(), "cluster", "start", str(broker), "--data", str(self._folder / "data"), "--no-wait"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise ClusterFailed(f"broker {broker} could not be started again: {done.stderr.strip()}")
        return before

    def pause(self) -> None:
        """See ``Cluster``."""
        _signal_all(self.all_pids(), signal.SIGSTOP)

    def resume(self) -> None:
        """See ``Cluster``."""
        _signal_all(self.all_pids(), signal.SIGCONT)

    def stop(self) -> None:
        """See ``Cluster``. Killed rather than stopped in order: its data goes anyway."""
        if self._process is None:
            return
        pids = self.all_pids()
        _signal_all(pids, signal.SIGKILL)
        self._process.wait()
        _wait_gone(pids)
        self._process = None
        remove_tree(self._folder)


class _Kafka(ApacheCluster):
    """The test suite's Apache Kafka with the Java flags of Kafka's own start script."""

    def _java(self, logging: str) -> list[str]:
        from tests.support.apache_kafka import server_libs

        return ["java", *_JAVA_FLAGS, f"-Dlog4j2.configurationFile={self.folder / logging}", "-cp", f"{server_libs()}/*"]


class Kafka:
    """Three combined nodes of Apache Kafka."""

    name = KAFKA

    def __init__(self, folder: Path) -> None:
        self._cluster = _Kafka(folder, len(BROKERS), _STOCK)
        self._started = False

    def prepare(self) -> None:
        """Write the configuration and format the directories."""
        self._cluster.format()

    def launch(self) -> float:
        """See ``Cluster``."""
        before = time.monotonic()
        self._started = True
        for broker in BROKERS:
            self._cluster.start(broker)
        return before

    def wait_ready(self) -> None:
        """See ``Cluster``."""
        for broker in BROKERS:
            self._cluster.wait_started(broker, _START_LIMIT_S)

    def ready_file(self) -> str | None:
        """It writes none."""
        return None

    def bootstrap(self) -> str:
        """See ``Cluster``."""
        return self._cluster.bootstrap()

    def addresses(self) -> dict[int, tuple[str, int]]:
        """See ``Cluster``."""
        ports = (address.rpartition(":")[2] for address in self.bootstrap().split(","))
        return {broker: ("127.0.0.1", int(port)) for broker, port in zip(BROKERS, ports, strict=True)}

    def broker_pids(self) -> dict[int, int]:
        """See ``Cluster``."""
        return {broker: self._cluster._pid(broker) for broker in BROKERS if self._cluster.running(broker)}

    def all_pids(self) -> list[int]:
        """See ``Cluster``."""
        return list(self.broker_pids().values())

    def kill(self, broker: int) -> float:
        """See ``Cluster``."""
        return _signal_at(self._cluster._pid(broker), signal.SIGKILL)

    def restart(self, broker: int) -> float:
        """See ``Cluster``."""
        while self._cluster.running(broker):
            time.sleep(0.01)
        before = time.monotonic()
        self._cluster.start(broker)
        return before

    def pause(self) -> None:
        """See ``Cluster``."""
        _signal_all(self.all_pids(), signal.SIGSTOP)

    def resume(self) -> None:
        """See ``Cluster``."""
        _signal_all(self.all_pids(), signal.SIGCONT)

    def stop(self) -> None:
        """See ``Cluster``."""
        if self._started:
            self._started = False
            self._cluster.close()


MAKERS: dict[str, Callable[[Path], Cluster]] = {HOLDWATER: Holdwater, KAFKA: Kafka}


def kafka_version() -> str:
    """The version of Apache Kafka that is measured."""
    return SERVER_VERSION


def holdwater_command() -> list[str]:
    """The installed command, as a user runs it."""
    installed = Path(sys.executable).parent / "holdwater"
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "holdwater"]


def _signal_at(pid: int, number: signal.Signals) -> float:
    before = time.monotonic()
    os.kill(pid, number)
    return before


def _signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _wait_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + _STOP_LIMIT_S
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)


def remove_tree(folder: Path) -> None:
    """Remove a folder whose owner may still be closing files in it."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
