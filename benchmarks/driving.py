"""The near side of the client program: starts it, asks it, and reads its answers."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from benchmarks.processes import die_with_parent


class DriverFailed(Exception):  # noqa: N818 - an outcome, told to the person who runs the benchmark
    """The client program could not do what it was asked for; the message says why."""


class Driver:
    """One client process. ``ask`` for a single answer; ``begin`` and ``finish`` around a load that runs meanwhile."""

    def __init__(self, log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.driver"],
                cwd=Path(__file__).resolve().parents[1],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - there are no threads here
            )
        self._log = log
        self._received = b""
        self.versions: dict[str, Any] = self.ask("versions")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, op: str, *, limit_s: float = 240.0, **arguments: Any) -> dict[str, Any]:
        """Let the client do one thing and wait for the answer. Raises ``DriverFailed``."""
        self.begin(op, **arguments)
        return self.finish(limit_s)

    def begin(self, op: str, **arguments: Any) -> None:
        """Let the client do one thing."""
        self.tell(json.dumps({"op": op, **arguments}))

    def tell(self, line: str) -> None:
        """Write one line to the client."""
        stdin = self._process.stdin
        if stdin is None or self._process.poll() is not None:
            raise DriverFailed(self._ended())
        stdin.write(line.encode() + b"\n")
        stdin.flush()

    def finish(self, limit_s: float = 240.0) -> dict[str, Any]:
        """The next answer. Raises ``DriverFailed``."""
        answer = json.loads(self._line(limit_s))
        if "error" in answer:
            raise DriverFailed(answer["error"])
        return answer

    def _line(self, limit_s: float) -> bytes:
        stdout = self._process.stdout
        if stdout is None:
            raise DriverFailed("the client program has no output")
        deadline = time.monotonic() + limit_s
        while b"\n" not in self._received:
            if not select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise DriverFailed(f"the client program gave no answer within {limit_s:g} s")
            data = os.read(stdout.fileno(), 1 << 20)
            if not data:
                raise DriverFailed(self._ended())
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _ended(self) -> str:
        return f"the client program has ended: {self._log.read_text(errors='replace')[-1500:]}"

    def close(self) -> None:
        """End the client."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
