"""The parent's side of a workload process: start it, command it, know its latest status, and end it."""

import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from holdwater.prove.errors import RunFailed

START_LIMIT_S = 30.0


class WorkloadProcess:
    """One running workload. ``status`` is its latest message of figures; ``changed`` is notified with each message."""

    def __init__(self, name: str, module: str, config: dict[str, Any], log: Path, changed: threading.Condition) -> None:
        self.name = name
        self.log = log
        self.status: dict[str, Any] = {}
        self._said: set[str] = set()
        self._changed = changed
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            # A session of its own: Ctrl-C in the terminal reaches the runner only, which then stops the workload in order.
            self._process = subprocess.Popen(
                [sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                text=True,
            )
        self._write(config)
        self._listener = threading.Thread(target=self._listen, name=f"{name}-status", daemon=True)
        self._listener.start()

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._ended() from error

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            with self._changed:
                self._said.add(message.pop("say"))
                self.status = self.status | message
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _ended(self) -> RunFailed:
        code = self._process.poll()
        tail = self.log.read_text(errors="replace").strip().splitlines()[-3:]
        return RunFailed(
            f"the {self.name} ended by itself (exit code {code}): {' | '.join(tail) or 'no output'}", f"its output is in {self.log}"
        )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def check(self) -> None:
        """Raises ``RunFailed`` when it is gone before its history was complete."""
        if self.alive:
            return
        self._listener.join(timeout=5)  # what it said last may still be in the pipe
        if "done" not in self._said:
            raise self._ended()

    def wait_ready(self) -> None:
        """Wait until its client exists. Raises ``RunFailed``."""
        self._wait_for("ready", START_LIMIT_S)

    def command(self, **command: Any) -> None:
        """Tell it to do something. Raises ``RunFailed`` when it is gone."""
        self._write(command)

    def wait_done(self, limit_s: float) -> dict[str, Any]:
        """Its last figures, when its history is complete. Raises ``RunFailed``."""
        self._wait_for("done", limit_s)
        return self.status

    def _wait_for(self, word: str, limit_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: word in self._said or not self.alive, timeout=limit_s)
        if not self.alive:
            self._listener.join(timeout=5)
        if word not in self._said:
            if not self.alive:
                raise self._ended()
            raise RunFailed(f"the {self.name} was not {word} within {limit_s:g} s", f"its output is in {self.log}")

    def end(self) -> None:
        """Close its standard input, which ends it; kill it when that does not help."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(timeout=1)
        if self._process.stdout is not None:
            self._process.stdout.close()
