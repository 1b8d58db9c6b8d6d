"""What both verifiable clients share: the JSON lines, the properties file, the signals."""

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from confluent_kafka import KafkaError

from holdwater.prove.errors import UsageError

_JAVA_ONLY = ("key.serializer", "value.serializer", "key.deserializer", "value.deserializer", "interceptor.classes", "metric.reporters")
"""Properties of Java's clients that mean nothing here."""


class Lines:
    """Writes one JSON object per line, each flushed: a reader learns of an acknowledgement when it happens."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout

    def say(self, name: str, **values: Any) -> None:
        """One event. ``None`` is written as null, as Kafka does for an absent key."""
        line = {"timestamp": time.time_ns() // 1_000_000, "name": name, **values}
        self._out.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")
        self._out.flush()


class Stop:
    """Set by SIGTERM and SIGINT; remembers which, for the exit code that a shell expects."""

    def __init__(self) -> None:
        self.signal = 0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.signal = number

    def __bool__(self) -> bool:
        return self.signal != 0

    @property
    def exit_code(self) -> int:
        """128 + the signal, or 0."""
        return 128 + self.signal if self.signal else 0


def read_properties(path: Path) -> dict[str, str]:
    """A Java properties file, as far as client configurations use it. Raises ``UsageError``."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "check --command-config") from error
    properties: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text[0] in "#!":
            continue
        key, separator, value = text.partition("=")
        if not separator:
            raise UsageError(f"{path}, line {number}: '{text}' is no key=value", "write one key=value per line")
        if key.strip() not in _JAVA_ONLY:
            properties[key.strip()] = value.strip()
    return properties


def exception_name(error: KafkaError) -> str:
    """What stands for Java's exception class: the name of the protocol error, or librdkafka's."""
    return error.name()


def text_of(data: bytes | str | None) -> str | None:
    """A key or value as text."""
    return data.decode(errors="replace") if isinstance(data, bytes) else data


def paced(rate: float) -> Callable[[int], float]:
    """Seconds to wait before the n-th of something that should happen ``rate`` times a second; 0 when late, or without a rate."""
    start = time.monotonic()

    def wait(number: int) -> float:
        return max(0.0, start + number / rate - time.monotonic()) if rate > 0 else 0.0

    return wait
