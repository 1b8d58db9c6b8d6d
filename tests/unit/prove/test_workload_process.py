"""A client's process as its parent sees it; here a few lines of Python stand for the client."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdwater.prove.errors import RunFailed
from holdwater.prove.workload.process import WorkloadProcess

STATUS = '{"say": "status", "read": 7, "positions": {"0": 7}, "stall_ms": 0}'
DONE = '{"say": "done", "read": 9, "positions": {"0": 9}, "stall_ms": 0}'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def client(folder: Path, body: str) -> WorkloadProcess:
    (folder / "a_client.py").write_text(f'import sys\nsys.stdin.readline()\nprint(\'{{"say": "ready"}}\', flush=True)\n{body}\n')
    return WorkloadProcess("consumer", "a_client", {}, folder / "consumer.log", threading.Condition())


@pytest.fixture
def ended(folder: Path) -> Iterator[list[WorkloadProcess]]:
    started: list[WorkloadProcess] = []
    yield started
    for process in started:
        process.end()


def test_one_that_dies_in_the_middle_is_noticed_at_once(folder: Path, ended: list[WorkloadProcess]) -> None:
    process = client(folder, f"print('{STATUS}', flush=True)\nsys.exit('it broke')")
    ended.append(process)
    process.wait_ready()
    process._process.wait(timeout=30)
    with pytest.raises(RunFailed, match=r"the consumer ended by itself \(exit code 1\): it broke"):
        process.check()
    assert process.status["positions"] == {"0": 7}


def test_one_that_is_done_may_be_gone(folder: Path, ended: list[WorkloadProcess]) -> None:
    process = client(folder, f"print('{STATUS}')\nprint('{DONE}')")
    ended.append(process)
    process._process.wait(timeout=30)
    process.check()
    assert process.wait_done(1)["read"] == 9


def test_one_that_runs(folder: Path, ended: list[WorkloadProcess]) -> None:
    process = client(folder, "sys.stdin.read()")
    ended.append(process)
    process.check()
    process.wait_ready()
    process.check()
