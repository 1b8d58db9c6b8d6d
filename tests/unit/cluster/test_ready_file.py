"""The ready file: whose it is, and what is said of one that is none. A socket that answers stands for a cluster."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdwater.cluster.control import find
from holdwater.cluster.plan import ClusterError
from holdwater.cluster.ready_file import ReadyFile
from holdwater.cluster.supervisor import CONTROL_SOCKET

RUNNING_PID = 7


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """A directory where a cluster answers."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / CONTROL_SOCKET))
    server.listen()

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.recv(4096)
                client.sendall(json.dumps({"pid": RUNNING_PID}).encode() + b"\n")

    thread = threading.Thread(target=serve)
    thread.start()
    yield tmp_path
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(5)


def left(path: Path, data: Path, pid: int) -> Path:
    path.write_text(json.dumps({"data": str(data), "pid": pid}))
    return path


def test_it_goes_with_its_cluster(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    own = ReadyFile(str(path))
    own.claim()
    own.write({"data": str(tmp_path), "pid": os.getpid()})
    assert find(None, str(path)) == tmp_path
    own.remove()
    assert list(tmp_path.iterdir()) == []
    own.remove()


def test_none_is_asked_for(tmp_path: Path) -> None:
    nothing = ReadyFile(None)
    nothing.claim()
    nothing.write({})
    nothing.remove()


def test_that_of_a_running_cluster_is_refused(running: Path) -> None:
    path = left(running / "ready.json", running, RUNNING_PID)
    with pytest.raises(ClusterError, match=f"is the ready file of the cluster that runs in {running}; name another with --ready-file"):
        ReadyFile(str(path)).claim()
    assert path.exists()


def test_one_that_an_ended_cluster_left_is_removed(running: Path) -> None:
    """It would say that this cluster is ready. Another cluster may run in its directory by now."""
    for data, pid in ((running / "nowhere", RUNNING_PID), (running, RUNNING_PID + 1)):
        path = left(running / "ready.json", data, pid)
        ReadyFile(str(path)).claim()
        assert not path.exists()


def test_one_that_cannot_be_written_is_refused_before_the_cluster_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder, why in (("nowhere", "No such file or directory"), ("file", "Not a directory")):
        path = tmp_path / folder / "ready.json"
        with pytest.raises(ClusterError, match=f"can't write the ready file {path}: {why}; name another with --ready-file"):
            ReadyFile(str(path)).claim()


@pytest.mark.parametrize("path", [".", "/", "folder"])
def test_a_folder_is_no_ready_file(path: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ClusterError, match="is a folder; name a file with --ready-file"):
        ReadyFile(str(tmp_path / path) if path == "folder" else path).claim()


@pytest.mark.parametrize("content", ["", "[]", '{"pid": 1}', '"data"'])
def test_a_file_of_somebody_else_is_left_alone(content: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(content)
    ReadyFile(str(path)).claim()
    ReadyFile(str(path)).remove()
    assert path.read_text() == content
    with pytest.raises(ClusterError, match=r"mine.json is no ready file of a cluster; name the one that holdwater up has"):
        find(None, str(path))


def test_another_clusters_is_not_removed(tmp_path: Path) -> None:
    path = left(tmp_path / "ready.json", tmp_path, os.getpid() + 1)
    ReadyFile(str(path)).remove()
    assert path.exists()


def test_one_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "absent.json"
    with pytest.raises(ClusterError, match=r"can't read the ready file .*/absent.json: No such file or directory; is the cluster ready\?"):
        find(None, str(path))


def test_one_that_can_not_be_written_names_its_flag(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "ready.json"
    with pytest.raises(ClusterError, match=r"can't write the ready file .*: No such file or directory; name another with --ready-file"):
        ReadyFile(str(path)).write({})
