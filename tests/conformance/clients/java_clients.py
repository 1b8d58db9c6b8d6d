"""Java programs against a cluster: Kafka's own tools, members that run on as processes, and the small programs in ``java/``."""

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from tests.conformance.clients.targets import bootstrap
from tests.support.apache_kafka import require_apache_kafka, streams_libs, tool, tool_command
from tests.support.cluster import Brokers

SOURCES = Path(__file__).parent / "java"
TOOLS = "org.apache.kafka.tools"
GROUP_COMMAND = f"{TOOLS}.consumer.group.ConsumerGroupCommand"


def run_tool(kafka: Brokers, name: str, *arguments: str, stdin: str | None = None) -> str:
    """Run a tool; it must succeed. Returns what it printed."""
    done = tool(name, "--bootstrap-server", bootstrap(kafka), *arguments, stdin=stdin)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def said(kafka: Brokers, name: str, *arguments: str) -> str:
    """Run a tool, and return everything that it printed, whether it succeeds or not."""
    done = tool(name, "--bootstrap-server", bootstrap(kafka), *arguments)
    return done.stdout + done.stderr


def rows(printed: str) -> list[list[str]]:
    """The words of each line that is not empty."""
    return [line.split() for line in printed.splitlines() if line.strip()]


class Programs:
    """The programs in ``java/``, compiled."""

    def __init__(self, classes: Path) -> None:
        self._path = f"{classes}:{streams_libs()}/*"
        done = subprocess.run(
            ["javac", "-d", str(classes), "-cp", f"{streams_libs()}/*", *map(str, sorted(SOURCES.glob("*.java")))],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        (classes / "log4j2.properties").write_text("rootLogger.level=off\n")

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command line of a program."""
        return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", self._path, program, *arguments]

    def run(self, kafka: Brokers, program: str, *arguments: str, limit_s: float = 120) -> list[str]:
        """Run a program to its end; it must succeed. Returns the lines that it printed."""
        command = self.command(program, bootstrap(kafka), *arguments)
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout.splitlines()


def compiled(folder: Path) -> Programs:
    """Compile the programs; skips where there is no compiler or no Apache Kafka."""
    require_apache_kafka()
    if shutil.which("javac") is None:
        pytest.skip("no javac on this machine")
    return Programs(folder)


class JavaMember:
    """A VerifiableConsumer, which commits after each poll. Use as a context manager: it is killed at the end."""

    def __init__(self, kafka: Brokers, group: str, topic: str, *flags: str) -> None:
        arguments = ["--bootstrap-server", bootstrap(kafka), "--group-id", group, "--topic", topic, "--verbose", *flags]
        self.process = subprocess.Popen(
            tool_command(f"{TOOLS}.VerifiableConsumer", *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.assigned: set[tuple[str, int]] = set()
        self.values: list[str] = []
        self.commits: list[dict[str, Any]] = []
        self.rebalances: list[tuple[str, int]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if re.match(r'\{"timestamp"|\{"name"', line):
                self._take(json.loads(line))

    def _take(self, event: dict[str, Any]) -> None:
        if event["name"] in ("partitions_assigned", "partitions_revoked"):
            places = {(place["topic"], place["partition"]) for place in event["partitions"]}
            self.rebalances.append((event["name"].removeprefix("partitions_"), len(places)))
            self.assigned = self.assigned | places if event["name"] == "partitions_assigned" else self.assigned - places
        elif event["name"] == "record_data":
            self.values.append(event["value"])
        elif event["name"] == "offsets_committed":
            self.commits.append(event)

    def stop(self) -> None:
        """SIGTERM: it commits and leaves its group (unless it is a static member)."""
        self.process.terminate()
        self.process.wait(30)
        self._reader.join(10)
        self.assigned = set()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(30)
        self._reader.join(10)
        self.assigned = set()


def wait_until(good: Callable[[], bool], members: list[JavaMember], seconds: float = 60.0) -> None:
    """Wait for what the members tell."""
    deadline = time.monotonic() + seconds
    while not good():
        for member in members:
            if member.process.poll() is not None and member.process.returncode not in (0, -9, 143):
                assert member.process.stderr is not None
                raise AssertionError(f"a member ended: {member.process.stderr.read()[-3000:]}")
        told = [(sorted(member.assigned), member.rebalances, len(member.values), member.commits[-1:]) for member in members]
        assert time.monotonic() < deadline, f"still not so after {seconds:g} s: {told}"
        time.sleep(0.05)
