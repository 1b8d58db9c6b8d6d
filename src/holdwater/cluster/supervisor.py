"""The supervisor: imports once, forks one process per node, watches them, and does as the control socket says.

It has no threads and no client library in it, so that a fork is safe and cheap; the children share its pages. A killed broker is a killed
process: it stays down until it is started again.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdwater.cluster.plan import ClusterError, ClusterPlan, NodePlan, bind
from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.node.main import NodeFailed, run_node

CONTROL_SOCKET = "control.sock"
STOP_SECONDS = 20.0
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGTERM, "pause": signal.SIGSTOP, "resume": signal.SIGCONT}


class Child:
    """One node's process."""

    def __init__(self, node: NodePlan) -> None:
        self.node = node
        self.pid = 0
        self.state = "down"
        """``down``, ``starting``, ``ready`` or ``paused``."""
        self.pipe = -1
        self.said = ""
        """The last thing it told: why it failed, if it did."""
        self.expected_end = False


class Supervisor:
    """Runs the nodes of one plan. ``say`` takes lines for the person in front of the terminal."""

    def __init__(self, plan: ClusterPlan, directory: Path, say: Callable[[str], None]) -> None:
        self.plan = plan
        self.directory = directory
        self._say = say
        self._children = {node.node_id: Child(node) for node in plan.nodes}
        self._by_pid: dict[int, Child] = {}
        self._poll = select.poll()
        self._control = self._open_control()
        self._clients: dict[int, tuple[socket.socket, bytes]] = {}
        self._wakeup_read, self._wakeup_write = os.pipe()
        os.set_blocking(self._wakeup_read, False)
        os.set_blocking(self._wakeup_write, False)
        self._stopping: int | None = None
        self.problems: list[str] = []
        """Why the cluster did not start, a line for each broker."""
        self._on_ready: Callable[[], None] | None = None
        self._on_change: Callable[[], None] = _nothing

    def _open_control(self) -> socket.socket:
        path = self.directory / CONTROL_SOCKET
        control = socket.socket(socket.AF_UNIX)
        if path.exists():
            try:
                control.connect(str(path))
            except OSError:
                path.unlink()
                control.close()
                control = socket.socket(socket.AF_UNIX)
            else:
                control.close()
                raise ClusterError(f"a cluster already runs in {self.directory}; stop it first, or use another --data directory")
        previous = os.umask(0o077)
        try:
            control.bind(str(path))
        except OSError as problem:
            raise ClusterError(f"can't create {path}: {problem.strerror}; choose a shorter --data path") from problem
        finally:
            os.umask(previous)
        control.listen(8)
        control.setblocking(False)
        return control

    # --- life

    def run(self, on_ready: Callable[[], None], on_change: Callable[[], None] | None = None) -> int:
        """Start every node, call ``on_ready`` when all are, and serve until told to stop; returns the exit code.

        ``on_change`` is called when all are ready, and after that whenever a process has started or ended.
        """
        self._on_ready = on_ready
        self._on_change = on_change or _nothing
        sockets = self._bind_all()
        gc.collect()
        gc.freeze()
        self._install_signals()
        for fd in (self._control.fileno(), self._wakeup_read):
            self._poll.register(fd, select.POLLIN)
        try:
            for child in self._children.values():
                self._fork(child, sockets.pop(child.node.node_id), sockets)
            return self._serve()
        except BaseException:
            self._end_children()
            raise
        finally:
            self._close()

    def _serve(self) -> int:
        """Until every node has ended; returns the exit code."""
        code = 0
        deadline = 0.0
        while True:
            for fd, _ in self._poll.poll(200 if self._stopping is not None else None):
                self._on_event(fd)
            if self._on_ready is not None and self._stopping is None:
                code = self._look_whether_ready()
            if self._stopping is not None:
                if not self._by_pid:
                    break
                deadline = deadline or time.monotonic() + STOP_SECONDS
                if time.monotonic() > deadline:
                    self._signal_all(signal.SIGKILL)
        return code

    def _end_children(self) -> None:
        """The supervisor itself can't go on: no node may outlive it, holding ports and directories that nobody answers for."""
        self.stop()
        deadline = time.monotonic() + STOP_SECONDS
        while self._by_pid:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            self._by_pid.pop(pid, None)
            if pid == 0:
                time.sleep(0.02)
            if time.monotonic() > deadline:
                self._signal_all(signal.SIGKILL)

    def _look_whether_ready(self) -> int:
        states = [child.state for child in self._children.values()]
        if all(state == "ready" for state in states):
            on_ready, self._on_ready = self._on_ready, None
            self._on_change()
            if on_ready is not None:
                on_ready()
            return 0
        failed = [child for child in self._children.values() if child.state == "down"]
        if failed:
            for child in failed:
                self.problems.append(f"broker {child.node.node_id} did not start: {child.said or 'its process ended'}")
            self.stop()
            return 1
        return 0

    def stop(self) -> None:
        """Stop every node in order."""
        self._stopping = 0
        for child in self._children.values():
            child.expected_end = True
        self._signal_all(signal.SIGTERM)
        self._signal_all(signal.SIGCONT)  # one that was paused, by us or by hand, must hear it

    def _close(self) -> None:
        self._control.close()
        with contextlib.suppress(OSError):
            (self.directory / CONTROL_SOCKET).unlink()

    def _install_signals(self) -> None:
        signal.set_wakeup_fd(self._wakeup_write, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)

    def _bind_all(self) -> dict[int, list[socket.socket]]:
        bound: dict[int, list[socket.socket]] = {}
        try:
            for node in self.plan.nodes:
                bound[node.node_id] = self._bind(node)
        except ClusterError:
            for sockets in bound.values():
                for sock in sockets:
                    sock.close()
            self._close()
            raise
        return bound

    def _bind(self, node: NodePlan) -> list[socket.socket]:
        return [bind(self.plan.host, node.port), bind(self.plan.host, node.controller_port, queues=True)]

    # --- children

    def _fork(self, child: Child, sockets: list[socket.socket], others: dict[int, list[socket.socket]]) -> None:
        read_end, write_end = os.pipe()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):  # nobody reads it any more
                stream.flush()
        pid = os.fork()
        if pid == 0:
            os.close(read_end)
            for unused in others.values():
                for sock in unused:
                    sock.close()
            self._become(child.node, sockets, write_end)
        os.close(write_end)
        for sock in sockets:
            sock.close()
        os.set_blocking(read_end, False)
        child.pid = pid
        child.state = "starting"
        child.pipe = read_end
        child.said = ""
        child.expected_end = False
        self._by_pid[pid] = child
        self._poll.register(read_end, select.POLLIN)

    def _become(self, node: NodePlan, sockets: list[socket.socket], pipe: int) -> None:
        """The child's life; never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
            self._control.close()
            os.close(self._wakeup_read)
            os.close(self._wakeup_write)
            _end_with_parent()
            os.setpgid(0, 0)  # Ctrl-C is for the supervisor, which stops the nodes in order
            log = self.directory / f"broker-{node.node_id}.log"
            log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(log_fd, 1)
            os.dup2(log_fd, 2)
            config = BrokerConfig(self.plan.properties(node, self.directory))
            by_name = {"PLAINTEXT": sockets[0], "CONTROLLER": sockets[1]}
            first_start = self._on_ready is not None
            run_node(
                config,
                by_name,
                lambda: os.write(pipe, b"ready\n"),
                wait_for_brokers=len(self.plan.nodes) if first_start else 0,
                cluster_id=self.plan.cluster_id,
            )
            code = 0
        except NodeFailed as problem:
            os.write(pipe, f"failed {problem}\n".encode())
            sys.stderr.write(f"{problem}\n")
        except BaseException as problem:  # noqa: BLE001 - the last line of defence of a process that ends here anyway
            traceback.print_exc()
            os.write(pipe, f"failed {type(problem).__name__}: {problem} (see broker-{node.node_id}.log)\n".encode())
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _on_event(self, fd: int) -> None:
        if fd == self._wakeup_read:
            self._on_signals(os.read(fd, 512))
        elif fd == self._control.fileno():
            client, _ = self._control.accept()
            client.setblocking(False)
            self._clients[client.fileno()] = (client, b"")
            self._poll.register(client.fileno(), select.POLLIN)
        elif fd in self._clients:
            self._on_client(fd)
        else:
            self._on_pipe(fd)

    def _on_signals(self, numbers: bytes) -> None:
        if signal.SIGCHLD in numbers:
            self._reap()
        if any(number in numbers for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):
            if self._stopping is None:
                self.stop()
            else:
                self._signal_all(signal.SIGKILL)  # asked a second time: at once

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._by_pid.pop(pid, None)
            if child is None:
                continue
            self._on_pipe(child.pipe)
            self._poll.unregister(child.pipe)
            os.close(child.pipe)
            child.pipe = -1
            child.state = "down"
            child.pid = 0
            if self._on_ready is None and self._stopping is None:
                self._tell_change()
            if not child.expected_end and self._on_ready is None:
                self._say(f"broker {child.node.node_id} (pid {pid}) {_ending(status)}{': ' + child.said if child.said else ''}")

    def _on_pipe(self, fd: int) -> None:
        child = next((each for each in self._children.values() if each.pipe == fd), None)
        if child is None:
            return
        try:
            data = os.read(fd, 4096)
        except BlockingIOError:
            return
        for line in data.decode("utf-8", "replace").splitlines():
            if line == "ready":
                child.state = "ready"
                if self._on_ready is None:
                    self._tell_change()
            elif line.startswith("failed "):
                child.said = line.removeprefix("failed ")

    def _signal_all(self, number: int) -> None:
        for child in self._children.values():
            self._signal(child, number)

    def _signal(self, child: Child, number: int) -> None:
        if child.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, number)

    def _tell_change(self) -> None:
        """That the ready file can be written was seen when the cluster became ready; what it says later is not worth the cluster."""
        try:
            self._on_change()
        except ClusterError as problem:
            self._say(str(problem))

    # --- control

    def status(self) -> dict[str, Any]:
        """The cluster as the ready file and ``holdwater cluster status`` show it."""
        return {
            "bootstrap": self.plan.bootstrap,
            "cluster_id": self.plan.cluster_id,
            "data": str(self.directory),
            "pid": os.getpid(),
            "brokers": [
                {"id": child.node.node_id, "port": child.node.port, "pid": child.pid, "state": child.state}
                for child in self._children.values()
            ],
        }

    def _on_client(self, fd: int) -> None:
        client, received = self._clients[fd]
        try:
            data = client.recv(4096)
        except OSError:
            data = b""
        received += data
        if data and b"\n" not in received and len(received) < 4096:
            self._clients[fd] = (client, received)
            return
        self._poll.unregister(fd)
        del self._clients[fd]
        client.setblocking(True)
        client.settimeout(2)
        with client, contextlib.suppress(OSError):
            if data:
                client.sendall((json.dumps(self._obey(received)) + "\n").encode())

    def _obey(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            action, node_id = request["action"], request.get("id")
        except (ValueError, KeyError, TypeError, AttributeError):
            return {"error": "a control request is one JSON object with an action"}
        if action == "status":
            return self.status()
        try:
            child = self._children[self.plan.node(node_id).node_id]
            if self._stopping is not None:
                raise ClusterError("the cluster is stopping")
            self._act(child, action)
        except ClusterError as problem:
            return {"error": str(problem)}
        return self.status()

    def _act(self, child: Child, action: str) -> None:
        name = f"broker {child.node.node_id}"
        if action == "start":
            if child.pid:
                raise ClusterError(f"{name} runs already (pid {child.pid})")
            self._fork(child, self._bind(child.node), {})
            self._tell_change()
            self._say(f"{name} starts (pid {child.pid})")
            return
        number = _SIGNALS.get(action)
        if number is None:
            raise ClusterError(f"'{action}' is none of status, start, {', '.join(_SIGNALS)}")
        if not child.pid:
            raise ClusterError(f"{name} is down; start it first")
        child.expected_end = action in {"kill", "stop"}
        self._signal(child, number)
        if action == "stop":
            self._signal(child, signal.SIGCONT)
        if action in ("pause", "resume"):
            child.state = "paused" if action == "pause" else "ready"
            self._tell_change()
        self._say(f"{name} (pid {child.pid}): {action}")


_PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    """On Linux: an orderly stop of this node when the supervisor is killed, which leaves nobody else to end it."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _nothing() -> None:
    pass
