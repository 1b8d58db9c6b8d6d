"""What ends every command alike: Ctrl-C, and a reader of the output that goes away."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdwater.cli import main as command
from holdwater.cli.main import main


def test_an_interrupted_import_is_no_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command.importlib, "import_module", interrupted)
    assert main(["up"]) == 130
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


@pytest.mark.parametrize("arguments", [["--help"], ["up", "--help"], ["prove", "--list"]])
def test_a_reader_that_is_gone_ends_it_quietly(arguments: list[str]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "holdwater", *arguments]
    buffered = os.environ | {"PYTHONUNBUFFERED": ""}
    done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, timeout=60, env=buffered)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (3, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["group", "--help"],
        ["simulate", "--bugs"],
        ["prove", "--list"],
        ["simulate", "--seed", "1"],
        ["up", "--port", "0"],
    ],
)
def test_what_cannot_be_written_is_said_once(arguments: list[str], unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "holdwater", *arguments]
        environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, env=environment)
    assert done.returncode == 3
    assert done.stderr.count("No space left on device") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", ["1", "2"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("--help", 0),
        ("group list -b 127.0.0.1:1", 1),
        ("simulate --seed 1 --fault-seconds 1", 0),
        ("prove nosuch", 2),
        ("prove 'n\\377'", 2),
        ("nosuch", 2),
    ],
)
def test_a_stream_that_was_closed_before_takes_nothing(arguments: str, code: int, closed: str) -> None:
    shell = f"{sys.executable} -m holdwater {arguments} {closed}>&-"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert (done.stdout if closed == "1" else done.stderr) == ""
    if closed == "2":
        assert "next:" not in done.stdout, "an error is no output"
