"""A cluster that is handled by commands and pid files: here a sleeping process stands for each broker."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdwater.prove.errors import RunFailed, UsageError
from holdwater.prove.targets.command import Commands, CommandTarget


@pytest.fixture
def broker(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(["sleep", "600"])
    (tmp_path / "7.pid").write_text(f"{process.pid}\n")
    yield process
    process.kill()
    process.wait()


def target(tmp_path: Path, pid_file: str = "", **by_verb: str) -> CommandTarget:
    return CommandTarget("h:1", Commands(by_verb, pid_file), log_folder=tmp_path)


def state(process: "subprocess.Popen[bytes]") -> str:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2][0]


def test_signals_by_pid_file(tmp_path: Path, broker: "subprocess.Popen[bytes]") -> None:
    cluster = target(tmp_path, str(tmp_path / "{id}.pid"))
    assert cluster.abilities() == {"kill", "terminate", "pause", "resume"}
    cluster.pause(7)
    os.waitid(os.P_PID, broker.pid, os.WSTOPPED)
    assert state(broker) == "T"
    cluster.resume(7)
    os.waitid(os.P_PID, broker.pid, os.WCONTINUED)
    cluster.kill(7)
    assert broker.wait(timeout=10) == -signal.SIGKILL


def test_commands_get_the_broker_id(tmp_path: Path) -> None:
    cluster = target(tmp_path, kill=f"echo killed {{id}} > {tmp_path}/said", start=f"echo started {{id}} >> {tmp_path}/said")
    assert cluster.abilities() == {"kill", "start"}
    cluster.kill(3)
    cluster.start(3)
    assert (tmp_path / "said").read_text() == "killed 3\nstarted 3\n"


def test_a_command_comes_before_the_pid_file(tmp_path: Path, broker: "subprocess.Popen[bytes]") -> None:
    target(tmp_path, str(tmp_path / "{id}.pid"), kill="true {id}").kill(7)
    assert broker.poll() is None


def test_a_start_command_may_stay_in_the_foreground(tmp_path: Path) -> None:
    cluster = target(tmp_path, start=f"echo $$ > {tmp_path}/{{id}}.started; exec sleep 600")
    cluster.start(2)
    os.kill(int((tmp_path / "2.started").read_text()), signal.SIGKILL)
    cluster._started[0].wait()


@pytest.mark.parametrize(
    ("verb", "command", "why"),
    [
        ("kill", "echo no such broker {id} >&2; exit 4", "ended with exit code 4: no such broker 5"),
        ("kill", "false {id}", r"exit code 1$"),
        ("start", "exit {id}", "start command of broker 5 ended with exit code 5"),
    ],
)
def test_a_command_that_fails(verb: str, command: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=why):
        getattr(target(tmp_path, **{verb: command}), verb)(5)


def test_no_way_to_do_it(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="there is no way to terminate broker 5") as failure:
        target(tmp_path, kill="true {id}").terminate(5)
    assert failure.value.next_step == "name a command with --stop-command"


@pytest.mark.parametrize("content", [None, "", "nobody", "999999999", "0", "-1"])
def test_a_pid_file_that_leads_nowhere(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "5.pid").write_text(content)
    with pytest.raises(RunFailed, match="could not be reached by its pid file"):
        target(tmp_path, str(tmp_path / "{id}.pid")).kill(5)


def test_a_pid_file_that_was_not_written_anew(tmp_path: Path, broker: "subprocess.Popen[bytes]") -> None:
    """The process that it names was ended: by now the system may have given its number to anybody."""
    one = target(tmp_path, str(tmp_path / "{id}.pid"))
    one.kill(7)
    assert broker.wait(timeout=10) == -signal.SIGKILL
    with pytest.raises(RunFailed, match=f"it still names process {broker.pid}, which was ended"):
        one.kill(7)
    with subprocess.Popen(["sleep", "60"]) as again:
        (tmp_path / "7.pid").write_text(str(again.pid))
        one.kill(7)
        assert again.wait(timeout=10) == -signal.SIGKILL


@pytest.mark.parametrize("commands", [Commands({"kill": "pkill kafka"}), Commands({}, "/run/kafka.pid")])
def test_commands_must_name_the_broker(commands: Commands) -> None:
    with pytest.raises(UsageError, match=r"has no \{id\} in it"):
        commands.checked()
