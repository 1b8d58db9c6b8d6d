"""Any Kafka: an address, and the user's own commands (or pid files) to end and start its brokers."""

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdwater.prove.errors import RunFailed, UsageError
from holdwater.prove.target import KILL, PAUSE, RESUME, START, TERMINATE

_COMMAND_LIMIT_S = 60.0
_START_LOOK_S = 2.0
_FLAGS = {TERMINATE: "stop"}
"""Where a flag has another word than the verb."""
_SIGNALS = {KILL: signal.SIGKILL, TERMINATE: signal.SIGTERM, PAUSE: signal.SIGSTOP, RESUME: signal.SIGCONT}


@dataclass(frozen=True, slots=True)
class Commands:
    """Shell commands with ``{id}`` for the broker id, by what they do; ``pid_file`` is a path with ``{id}`` in it."""

    by_verb: Mapping[str, str]
    pid_file: str = ""

    def checked(self) -> "Commands":
        """The same, or ``UsageError`` when a command does not say which broker."""
        for verb, command in self.by_verb.items():
            if "{id}" not in command:
                raise UsageError(f"--{verb}-command '{command}' has no {{id}} in it", "write {id} where the broker id goes")
        if self.pid_file and "{id}" not in self.pid_file:
            raise UsageError(f"--pid-file-pattern '{self.pid_file}' has no {{id}} in it", "write {id} where the broker id goes")
        return self

    def abilities(self) -> frozenset[str]:
        """What can be done to a broker: by its command, or by a signal where there is a pid file."""
        return frozenset(self.by_verb) | (frozenset(_SIGNALS) if self.pid_file else frozenset[str]())


class CommandTarget:
    """Brokers handled by commands; where there is a pid file instead, signals go to that process. Starting always takes a command."""

    kind = "kafka"
    owned = False

    def __init__(self, bootstrap: str, commands: Commands, *, log_folder: Path) -> None:
        self._bootstrap = bootstrap
        self._commands = commands.checked()
        self._log_folder = log_folder
        self._started: list[subprocess.Popen[bytes]] = []
        self._ended: dict[int, int] = {}
        """The process of each broker that was ended last, by its pid file."""

    def bootstrap(self) -> str:
        return self._bootstrap

    def abilities(self) -> frozenset[str]:
        return self._commands.abilities()

    def start(self, broker: int) -> None:
        """Run the start command. It may stay in the foreground; one that fails at once is noticed."""
        command = self._command(START, broker)
        with (self._log_folder / f"start-command-{broker}.log").open("ab") as log:
            process = subprocess.Popen(command, shell=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self._started.append(process)
        try:
            code = process.wait(timeout=_START_LOOK_S)
        except subprocess.TimeoutExpired:
            return
        if code != 0:
            raise RunFailed(f"the start command of broker {broker} ended with exit code {code}: {command}", f"see {log.name}")

    def kill(self, broker: int) -> None:
        self._end(KILL, broker)

    def terminate(self, broker: int) -> None:
        self._end(TERMINATE, broker)

    def pause(self, broker: int) -> None:
        self._end(PAUSE, broker)

    def resume(self, broker: int) -> None:
        self._end(RESUME, broker)

    def ended_by_themselves(self) -> Mapping[int, str]:
        return {}

    def logs(self) -> Mapping[str, str]:
        return {}

    def describe(self) -> dict[str, object]:
        return {
            "bootstrap": self._bootstrap,
            "commands": dict(self._commands.by_verb),
            **({"pid_file": self._commands.pid_file} if self._commands.pid_file else {}),
        }

    def close(self) -> None:
        """Nothing: brokers that a start command brought back stay, since the cluster is not ours."""

    def _command(self, verb: str, broker: int) -> str:
        command = self._commands.by_verb.get(verb)
        if command is None:
            raise RunFailed(f"there is no way to {verb} broker {broker}", f"name a command with --{_FLAGS.get(verb, verb)}-command")
        return command.replace("{id}", str(broker))

    def _end(self, verb: str, broker: int) -> None:
        if verb not in self._commands.by_verb and self._commands.pid_file:
            self._signal(verb, broker)
            return
        command = self._command(verb, broker)
        try:
            done = subprocess.run(command, shell=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_LIMIT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise RunFailed(f"the command '{command}' did not end within {_COMMAND_LIMIT_S:g} s", "try it by hand") from error
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()[-1:]
            raise RunFailed(f"the command '{command}' ended with exit code {': '.join([str(done.returncode), *said])}", "try it by hand")

    def _signal(self, verb: str, broker: int) -> None:
        path = Path(self._commands.pid_file.replace("{id}", str(broker)))
        try:
            pid = int(path.read_text().split()[0])
            if pid <= 0:
                raise ValueError(f"{pid} is no process")  # to a system it means a whole group, or everybody
            if self._ended.get(broker) == pid:
                raise ValueError(f"it still names process {pid}, which was ended: by now it may be anybody's")
            os.kill(pid, _SIGNALS[verb])
        except (OSError, ValueError, IndexError) as error:
            raise RunFailed(f"broker {broker} could not be reached by its pid file {path}: {error}", "check --pid-file-pattern") from error
        if verb in (KILL, TERMINATE):
            self._ended[broker] = pid
