"""Errors that librdkafka reports of itself (connections, resets, fatal states): a JSON lines file beside the history. Evidence, no verdict."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from confluent_kafka import KafkaError

KEPT = 10_000


class ErrorsFile:
    """At most ``KEPT`` lines; what comes after is counted in a last line."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", buffering=1)
        self._lock = Lock()
        self._lines = 0

    def note(self, who: str, error: KafkaError, **more: Any) -> None:
        """Keep one error with its time."""
        with self._lock:
            self._lines += 1
            if self._lines <= KEPT:
                line = {"t": time.monotonic_ns(), "who": who, "code": error.code(), "name": error.name(), "text": error.str(), **more}
                self._file.write(json.dumps(line) + "\n")

    def client_error(self, who: str) -> Callable[[KafkaError], None]:
        """A callback for ``error_cb``."""

        def callback(error: KafkaError) -> None:
            self.note(who, error)

        return callback

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._lines > KEPT:
                self._file.write(json.dumps({"t": time.monotonic_ns(), "left_out": self._lines - KEPT}) + "\n")
            self._file.close()
