"""Two consumers that commit after processing, while both, and the broker that coordinates them, are killed over and over: nothing is lost.

Each kill meets a group that has gone on in every partition since the one before.
"""

import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from confluent_kafka import Producer
from tests.support.cluster import RunningCluster, eventually, running
from tests.support.group_progress import QUICK_SESSIONS, GroupProgress

TOPIC, GROUP, PARTITIONS = "input", "processors", 6


class Processors:
    """Consumer processes, each killed and started again."""

    def __init__(self, bootstrap: str, protocol: str, folder: Path) -> None:
        self._arguments = [bootstrap, TOPIC, GROUP]
        self._protocol = protocol
        self._folder = folder
        self._processes = [self._start(number) for number in range(2)]

    def _start(self, number: int) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.support.processing_consumer", *self._arguments]
        with (self._folder / f"processor-{number}.log").open("ab") as log:
            return subprocess.Popen([*command, str(self.file(number)), self._protocol], stdout=log, stderr=log)

    def file(self, number: int) -> Path:
        return self._folder / f"processed-{number}"

    def kill(self, number: int) -> None:
        self._processes[number].kill()
        self._processes[number].wait()
        self._processes[number] = self._start(number)

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def processed(self) -> list[int]:
        """Everything that was written down, torn last lines left out."""
        lines = [line for number in range(2) if self.file(number).exists() for line in self.file(number).read_text().split("\n")[:-1]]
        return [int(line) for line in lines]


class Source(Thread):
    """Writes numbers until it is told to stop."""

    def __init__(self, bootstrap: str, rate: float) -> None:
        super().__init__()
        config: dict[str, Any] = {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 10}
        self._producer = Producer(config)
        self._rate = rate
        self.is_over = False
        self.acknowledged: list[int] = []
        self.start()

    def run(self) -> None:
        began, number = time.monotonic(), 0
        while not self.is_over:
            while number < (time.monotonic() - began) * self._rate:
                self._producer.produce(TOPIC, str(number), partition=number % PARTITIONS, on_delivery=self._delivered)
                number += 1
            self._producer.poll(0.05)
        assert self._producer.flush(60) == 0

    def _delivered(self, error: Any, message: Any) -> None:
        if error is None:
            self.acknowledged.append(int(message.value()))


def bounce(cluster: RunningCluster, processors: Processors, progress: GroupProgress, number: int) -> None:
    """A processor and the coordinator's broker, in turn one after the other and at once; each time until the group works again everywhere."""
    processors.kill(number % 2)
    if number % 3:
        progress.until_every_partition_advances()
    broker = cluster.coordinator(GROUP)
    cluster.kill(broker)
    time.sleep(2)  # down long enough that another broker coordinates the group before it is back
    cluster.start(broker)
    progress.until_every_partition_advances()


def live_through(tmp_path: Path, protocol: str, seconds: float) -> int:
    """Returns how many messages were processed again."""
    with running(tmp_path / "cluster", settings=QUICK_SESSIONS) as cluster:
        cluster.create_topic(TOPIC, PARTITIONS)
        source = Source(cluster.bootstrap, 300)
        processors = Processors(cluster.bootstrap, protocol, tmp_path)
        progress = GroupProgress(cluster.bootstrap, GROUP, TOPIC, PARTITIONS)
        try:
            deadline, rounds = time.monotonic() + seconds, 0
            while time.monotonic() < deadline:
                bounce(cluster, processors, progress, rounds)
                rounds += 1
            source.is_over = True
            source.join()
            acknowledged = source.acknowledged
            assert len(acknowledged) > 100 * rounds
            eventually(progress.committed, lambda offsets: sum(offsets) >= len(acknowledged), seconds=90)
        finally:
            source.is_over = True
            processors.end()
        processed = processors.processed()
        again = len(processed) - len({*processed})
        print(f"{rounds} rounds; {len(acknowledged)} acknowledged; {again} processed again")
        missing = sorted({*acknowledged} - {*processed})
        assert missing == [], f"{len(missing)} of {len(acknowledged)} were committed and never processed"
        return again


@pytest.mark.parametrize("protocol", [pytest.param("classic", marks=pytest.mark.slow), "consumer"])
def test_nothing_is_lost(tmp_path: Path, protocol: str) -> None:
    live_through(tmp_path, protocol, 15)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_nothing_is_lost_in_ten_minutes(tmp_path: Path, protocol: str) -> None:
    assert live_through(tmp_path, protocol, 600) > 0, "no kill fell between processing and commit"
