"""Our own cluster: ``holdwater up`` as a process of its own, handled from outside like anybody could, by its ready file and its commands."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from holdwater.prove.errors import RunFailed, UsageError

_WRONG_USAGE = 2
"""Exit code of ``holdwater up`` for settings that can't be."""
_READY_LIMIT_S = 60.0
_STOP_LIMIT_S = 5.0
_COMMAND_LIMIT_S = 30.0
_HOLDWATER = (sys.executable, "-m", "holdwater.cli.main")
# A child that does nothing but wait: when this program dies without a word, its pipe ends, and it stops the cluster.
_GUARD = 'read -r word; [ "$word" = done ] || kill -TERM "$1" 2>/dev/null'


class OwnCluster:
    """A cluster of brokers on this machine for one run. Its data and logs are in a temporary folder unless ``data`` is given."""

    kind = "holdwater"
    owned = True

    def __init__(self, brokers: int, configs: Sequence[str], *, log: Path, data: Path | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="holdwater-prove-"))
        self._data = data or self._folder / "data"
        self._ready_file = self._folder / "ready.json"
        self._log = log
        self._count = brokers
        self._configs = list(configs)
        self._paused: set[int] = set()
        self._up: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        """Start the cluster and wait until it is ready. Raises ``UsageError`` or ``RunFailed`` with what it said."""
        command = [
            *_HOLDWATER,
            "up",
            "--brokers",
            str(self._count),
            "--port",
            "0",
            "--data",
            str(self._data),
            "--ready-file",
            str(self._ready_file),
        ]
        for config in self._configs:
            command += ["-c", config]
        with self._log.open("ab") as log:
            self._up = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self._guard = subprocess.Popen(["sh", "-c", _GUARD, "guard", str(self._up.pid)], stdin=subprocess.PIPE, start_new_session=True)
        deadline = time.monotonic() + _READY_LIMIT_S
        while not self._ready_file.exists():
            if self._up.poll() is not None:
                said = self._log.read_text(errors="replace").strip().splitlines()[-3:]
                if self._up.returncode == _WRONG_USAGE:
                    raise UsageError(" | ".join(said), "correct it in --brokers or -c key=value")
                raise RunFailed(
                    f"holdwater up ended with exit code {self._up.returncode}: {' | '.join(said)}", f"its output is in {self._log}"
                )
            if time.monotonic() > deadline:
                raise RunFailed(f"holdwater up was not ready within {_READY_LIMIT_S:g} s", f"its output is in {self._log}")
            time.sleep(0.01)

    def _ready(self) -> dict[str, Any]:
        try:
            return json.loads(self._ready_file.read_text())
        except (OSError, json.JSONDecodeError) as error:
            raise RunFailed(f"the ready file of holdwater up cannot be read: {error}", f"its output is in {self._log}") from error

    def _pid(self, broker: int) -> int:
        for one in self._ready()["brokers"]:
            if one["id"] == broker and one["pid"]:
                return int(one["pid"])
        raise RunFailed(f"broker {broker} does not run", f"see {self._log}")

    def bootstrap(self) -> str:
        bootstrap = self._ready()["bootstrap"]
        return bootstrap if isinstance(bootstrap, str) else ",".join(bootstrap)

    def abilities(self) -> frozenset[str]:
        return frozenset({"start", "kill", "terminate", "pause", "resume"})

    def start(self, broker: int) -> None:
        self._command("start", broker)

    def kill(self, broker: int) -> None:
        self._signal(broker, signal.SIGKILL)

    def terminate(self, broker: int) -> None:
        self._signal(broker, signal.SIGTERM)

    def pause(self, broker: int) -> None:
        self._signal(broker, signal.SIGSTOP)
        self._paused.add(broker)

    def resume(self, broker: int) -> None:
        self._signal(broker, signal.SIGCONT)
        self._paused.discard(broker)

    def ended_by_themselves(self) -> Mapping[int, str]:
        brokers = self._ready()["brokers"] if self._ready_file.exists() else []
        if self._up is not None and self._up.poll() is not None:
            return dict.fromkeys((int(one["id"]) for one in brokers), f"holdwater up ended with exit code {self._up.returncode}")
        return {int(one["id"]): "its process is gone" for one in brokers if one["state"] == "down"}

    def logs(self) -> Mapping[str, str]:
        return {path.name: str(path) for path in sorted(self._data.glob("broker-*.log"))}

    def describe(self) -> dict[str, object]:
        return {"brokers": self._count, "configs": self._configs}

    def _signal(self, broker: int, number: signal.Signals) -> None:
        try:
            os.kill(self._pid(broker), number)
        except OSError as error:
            raise RunFailed(f"broker {broker} could not be signalled: {error.strerror}", f"see {self._log}") from error

    def _command(self, verb: str, broker: int) -> None:
        command = [*_HOLDWATER, "cluster", verb, str(broker), "--no-wait", "--data", str(self._data)]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_LIMIT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise RunFailed(f"'holdwater cluster {verb} {broker}' did not end within {_COMMAND_LIMIT_S:g} s", f"see {self._log}") from error
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()[-1:]
            raise RunFailed(
                f"'holdwater cluster {verb} {broker}' ended with exit code {done.returncode}: {' '.join(said)}", f"see {self._log}"
            )

    def close(self) -> None:
        """Stop the cluster and remove its temporary folder."""
        for broker in sorted(self._paused):
            with contextlib.suppress(RunFailed):
                self.resume(broker)
        if self._up is not None and self._up.poll() is None:
            self._up.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._up.wait(timeout=_STOP_LIMIT_S)
        if self._up is not None:
            # Its brokers are in its process group: none may outlive the run, however it ended.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._up.pid, signal.SIGKILL)
            self._up.wait()
        if self._guard is not None and self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.write(b"done\n")
                self._guard.stdin.close()
            self._guard.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
