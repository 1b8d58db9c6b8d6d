"""What both verifiable clients share: the JSON lines, the properties file, the signals."""

import contextlib
import errno
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from confluent_kafka import KafkaError

from holdwater.prove.errors import UsageError
from holdwater.rpc import Connection, RpcError
from holdwater.rpc.calls import connect_to_any, parse_bootstrap

_JAVA_ONLY = ("key.serializer", "value.serializer", "key.deserializer", "value.deserializer", "interceptor.classes", "metric.reporters")
"""Properties of Java's clients that mean nothing here."""
_PLAINTEXT = "PLAINTEXT"


class Lines:
    """Writes one JSON object per line, each flushed: a reader learns of an acknowledgement when it happens.

    A reader that goes away ends nothing by itself, since librdkafka's callbacks write too and must not raise: what is said after that is
    dropped, and the loop of the client looks at ``unread``.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._gone = False
        self._watch = select.poll()
        with contextlib.suppress(OSError):  # one in memory has no descriptor, and its reader stays
            self._watch.register(self._out.fileno(), 0)

    def say(self, name: str, **values: Any) -> None:
        """One event. ``None`` is written as null, as Kafka does for an absent key."""
        if self._gone:
            return
        line = {"timestamp": time.time_ns() // 1_000_000, "name": name, **values}
        try:
            self._out.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")
            self._out.flush()
        except BrokenPipeError:
            self._gone = True

    @property
    def unread(self) -> bool:
        """Whether the reader is gone; also known when nothing was written since."""
        self._gone = self._gone or bool(self._watch.poll(0))
        return self._gone

    def check(self) -> None:
        """Raises ``BrokenPipeError`` when the reader is gone."""
        if self.unread:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


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


def connect(bootstrap_server: str) -> Connection:
    """A connection to one of the brokers, made before a client of librdkafka's is, which would look for them for ever. Raises ``UsageError``."""
    try:
        return connect_to_any(parse_bootstrap(bootstrap_server))
    except (RpcError, ValueError) as error:
        raise UsageError(f"no broker answers at {bootstrap_server}: {error}", "check --bootstrap-server") from error


def look_for_brokers(config: Mapping[str, Any]) -> None:
    """Say at once when none is there, as far as our own connections can tell, which know no encryption. Raises ``UsageError``."""
    if str(config.get("security.protocol", _PLAINTEXT)).upper() == _PLAINTEXT:
        connect(config["bootstrap.servers"]).close()


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
