"""Reaching a running cluster from another terminal, or from a script: through its control socket.

A cluster is found by its data directory, by its ready file, or, when just one runs for this user, by itself: every running cluster leaves a
note in a directory of this user's.
"""

import contextlib
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from holdwater.cluster.plan import ClusterError
from holdwater.cluster.supervisor import CONTROL_SOCKET

_ANSWER_SECONDS = 10.0


def send(directory: Path, action: str, node_id: int | None = None) -> dict[str, Any]:
    """Have the cluster in ``directory`` do something; returns its status. Raises ``ClusterError``."""
    path = directory / CONTROL_SOCKET
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_ANSWER_SECONDS)
        try:
            client.connect(str(path))
            client.sendall((json.dumps({"action": action, "id": node_id}) + "\n").encode())
            received = b""
            while not received.endswith(b"\n") and (data := client.recv(65536)):
                received += data
        except OSError as problem:
            raise ClusterError(f"no cluster runs in {directory} ({problem.strerror or problem}); start one with: holdwater up") from problem
    if not received:
        raise ClusterError(f"the cluster in {directory} is stopping")
    answer = json.loads(received)
    if "error" in answer:
        raise ClusterError(answer["error"])
    return answer


def wait_until(directory: Path, node_id: int, states: tuple[str, ...], seconds: float) -> dict[str, Any]:
    """Wait until a broker's process is in one of the states; returns the status. Raises ``ClusterError`` when it takes too long."""
    deadline = time.monotonic() + seconds
    while True:
        status = send(directory, "status")
        state = next(broker["state"] for broker in status["brokers"] if broker["id"] == node_id)
        if state in states:
            return status
        if time.monotonic() > deadline:
            raise ClusterError(f"broker {node_id} is still {state} after {seconds:g} s; its log is {directory}/broker-{node_id}.log")
        time.sleep(0.01)


def find(data: str | None, ready_file: str | None) -> Path:
    """The data directory of the cluster that is meant. Raises ``ClusterError``."""
    if data is not None:
        return Path(data)
    if ready_file is not None:
        return Path(read_ready_file(Path(ready_file))["data"])
    running = sorted(_running())
    if len(running) == 1:
        return running[0]
    if not running:
        raise ClusterError("no cluster runs here; start one with: holdwater up")
    listed = ", ".join(str(path) for path in running)
    raise ClusterError(f"several clusters run here ({listed}); say which with --data DIR or --ready-file FILE")


def read_ready_file(path: Path) -> dict[str, Any]:
    """What a cluster has written for ``--ready-file``; ``data`` is in it, a text. Raises ``ClusterError``."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise ClusterError(f"can't read the ready file {path}: {problem.strerror or problem}; is the cluster ready?") from problem
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("data"), str):
        raise ClusterError(f"{path} is no ready file of a cluster; name the one that holdwater up has with --ready-file")
    return found


@contextlib.contextmanager
def announced(directory: Path) -> Iterator[None]:
    """Leave a note that a cluster runs in ``directory``, while it does."""
    notes = _notes()
    notes.mkdir(mode=0o700, exist_ok=True)
    note = notes / str(os.getpid())
    note.write_text(str(directory), encoding="utf-8")
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def _notes() -> Path:
    return Path(tempfile.gettempdir()) / f"holdwater-{os.getuid()}"


def _running() -> Iterator[Path]:
    try:
        notes = list(_notes().iterdir())
    except OSError:
        return
    for note in notes:
        try:
            os.kill(int(note.name), 0)
            yield Path(note.read_text(encoding="utf-8"))
        except ProcessLookupError:
            note.unlink(missing_ok=True)
        except (OSError, ValueError):
            continue
