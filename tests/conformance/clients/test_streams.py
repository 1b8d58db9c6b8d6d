"""Kafka Streams, exactly once (``exactly_once_v2``): a word count whose totals are exact, although a broker is killed and started again."""

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from tests.conformance.clients.java_clients import Programs
from tests.conformance.clients.targets import APACHE, OURS, QUICK_COORDINATORS, bootstrap
from tests.support.apache_kafka import ApacheCluster
from tests.support.cluster import Brokers, running

pytestmark = [pytest.mark.java, pytest.mark.slow]

PARTITIONS = 4
WORDS = [f"word-{number}" for number in range(40)]
LINES = 12_000


class Bounced(NamedTuple):
    """A cluster whose brokers can be killed and started."""

    kafka: Brokers
    control: Any


@contextmanager
def cluster(kind: str, folder: Path) -> Iterator[Bounced]:
    if kind == OURS:
        with running(folder / "holdwater", settings=QUICK_COORDINATORS) as ours:
            yield Bounced(ours, ours)
        return
    with ApacheCluster(folder / "apache", nodes=3, settings=QUICK_COORDINATORS) as apache:
        plan = json.loads((folder / "apache" / "plan.json").read_text())
        yield Bounced(Brokers(dict(zip(apache.nodes, plan["ports"], strict=True))), apache)


class Application:
    """The word count as a process, with an empty state directory.

    An application that was killed begins with another one: it would not believe what stands in the old one, and RocksDB refuses a store that
    was killed while it was made.
    """

    def __init__(self, programs: Programs, kafka: Brokers, folder: Path) -> None:
        folder.mkdir()
        command = programs.command("WordCount", bootstrap(kafka), "word-count", "lines", "counts", str(folder / "state"))
        self._error_log = folder / "streams.err"
        self._errors = self._error_log.open("ab")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True)
        self.states: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.states.append(line.strip())

    def check_alive(self) -> None:
        assert self.process.poll() is None, f"the application has ended: {self._error_log.read_text()[-3000:]}"

    def stop(self) -> None:
        """End its standard input; it must stop in order."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(90) == 0
        self._close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        self._reader.join(10)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self._errors.close()


def line(number: int) -> str:
    """Three words."""
    return " ".join(WORDS[(number * factor + factor) % len(WORDS)] for factor in (1, 7, 11))


def write_lines(kafka: Brokers, numbers: range) -> None:
    config: dict[str, Any] = {"bootstrap.servers": bootstrap(kafka), "enable.idempotence": True, "linger.ms": 5}
    producer = Producer(config)
    for number in numbers:
        producer.produce("lines", line(number), partition=number % PARTITIONS)
        producer.poll(0)
    assert producer.flush(90) == 0


class Counts:
    """What a read_committed reader sees of the counts: each count of a word once, one after the other."""

    def __init__(self, kafka: Brokers) -> None:
        config: dict[str, Any] = {"bootstrap.servers": bootstrap(kafka), "group.id": "judge", "enable.auto.commit": False}
        self._consumer = Consumer(config | {"isolation.level": "read_committed"})
        self._consumer.assign([TopicPartition("counts", partition, 0) for partition in range(PARTITIONS)])
        self.last: dict[str, int] = {}

    def until(self, expected: dict[str, int], seconds: float, application: Application) -> None:
        deadline = time.monotonic() + seconds
        while self.last != expected:
            application.check_alive()
            wrong = {word: (self.last.get(word), count) for word, count in expected.items() if self.last.get(word) != count}
            assert time.monotonic() < deadline, f"{len(wrong)} words are not at their count: {list(wrong.items())[:5]}"
            self._take()
        for _ in range(20):  # nothing more comes, so no word was counted twice
            self._take()
        assert self.last == expected

    def _take(self) -> None:
        for message in self._consumer.consume(1000, 0.1):
            if message.error() is None:
                word, count = (message.key() or b"").decode(), int(message.value() or b"0")
                assert count > self.last.get(word, 0), f"{word} goes from {self.last.get(word)} to {count}"
                self.last[word] = count

    def close(self) -> None:
        self._consumer.close()


def _bounce(bounced: Bounced, broker: int) -> None:
    bounced.control.kill(broker)
    time.sleep(3)
    bounced.control.start(broker)
    if isinstance(bounced.control, ApacheCluster):
        bounced.control.wait_started(broker)


@pytest.mark.parametrize("kind", [OURS, APACHE])
def test_words_are_counted_exactly_once_though_brokers_and_the_application_are_killed(
    programs: Programs, tmp_path: Path, kind: str
) -> None:
    expected = Counter(word for number in range(LINES) for word in line(number).split())
    with cluster(kind, tmp_path) as bounced:
        kafka = bounced.kafka
        kafka.create_topic("lines", PARTITIONS)
        kafka.create_topic("counts", PARTITIONS)
        application = Application(programs, kafka, tmp_path / "first")
        try:
            writer = threading.Thread(target=_write_slowly, args=(kafka,))
            writer.start()
            deadline = time.monotonic() + 90
            while "READY" not in application.states:
                application.check_alive()
                assert time.monotonic() < deadline, "the application did not start in time"
                time.sleep(0.1)
            _bounce(bounced, 1)
            application.kill()
            application = Application(programs, kafka, tmp_path / "second")
            _bounce(bounced, 2)
            writer.join()
            counts = Counts(kafka)
            counts.until(dict(expected), 180, application)
            counts.close()
        except BaseException:
            application.kill()
            raise
        application.stop()


def _write_slowly(kafka: Brokers) -> None:
    for start in range(0, LINES, 500):
        write_lines(kafka, range(start, start + 500))
        time.sleep(0.5)
