"""One node as a process: open the directories, recover, let others connect, run until told to stop, close cleanly."""

import asyncio
import contextlib
import gc
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping

from holdwater.broker.broker import Broker
from holdwater.broker.opening import NotFormatted, OpenedNode
from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.kernel.configs.listeners import Listener
from holdwater.kernel.ports import CorruptRecords, DiskFailure
from holdwater.kernel.rng import Rng
from holdwater.node.disk import RealDisk
from holdwater.node.server import NodeStopped, Server, mono_ms, wall_ms
from holdwater.storage.checkpoints import DamagedFile
from holdwater.storage.directories import DirectoryRefused
from holdwater.wire.records import require_fast_crc


class NodeFailed(Exception):  # noqa: N818 - named for what happened
    """This node can't run, or go on. One line for a person: what is wrong and what to do."""


def note(line: str) -> None:
    """One line of this node's log, with the time."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    sys.stderr.write(f"{stamp},{int(now * 1000) % 1000:03d} {line}\n")
    sys.stderr.flush()


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 64 * 1024 * 1024


def keep_freed_memory() -> None:
    """Let glibc's allocator keep freed memory up to a bound, instead of giving megabyte buffers back to the system and faulting them in again.

    Record batches come and go by the megabyte; without this a third of the time of a loaded broker goes into page faults. Elsewhere than on
    glibc there is no such knob, and nothing happens.
    """
    try:
        import ctypes

        mallopt = ctypes.CDLL(None).mallopt
    except (ImportError, OSError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def run_node(
    config: BrokerConfig,
    sockets: Mapping[str, socket.socket],
    on_ready: Callable[[], object],
    *,
    wait_for_brokers: int = 0,
    cluster_id: str | None = None,
) -> None:
    """Run one node until SIGTERM or SIGINT. ``sockets`` are bound ones by listener name.

    ``on_ready`` is called once when this broker was unfenced and its listeners are open, and with ``wait_for_brokers`` when it sees that many
    unfenced brokers; on a node that is only a controller once its quorum has a leader.
    ``cluster_id`` is the cluster that the directories must belong to; ``None``: to whichever they do. Raises ``NodeFailed``.
    """
    require_fast_crc()
    try:
        import uvloop

        loop_factory = uvloop.new_event_loop
    except ImportError:
        loop_factory = asyncio.new_event_loop
    gc.set_threshold(50_000, 20, 100)
    keep_freed_memory()
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(_serve(config, sockets, on_ready, wait_for_brokers, cluster_id))
    except (DirectoryRefused, DamagedFile, NotFormatted, CorruptRecords, DiskFailure) as problem:
        raise NodeFailed(str(problem)) from problem
    except NodeStopped as problem:
        raise NodeFailed(f"stopped: {problem}") from problem


async def _serve(
    config: BrokerConfig,
    sockets: Mapping[str, socket.socket],
    on_ready: Callable[[], object],
    wait_for_brokers: int,
    cluster_id: str | None,
) -> None:
    loop = asyncio.get_running_loop()
    told = _ToldToStop(loop)
    rng = Rng(secrets.randbits(52))
    opened = OpenedNode(RealDisk(), config, rng.fork(), wall_ms, cluster_id)
    for _ in opened.load():
        await asyncio.sleep(0)
        if told.once.is_set():
            note("stopped before its data was loaded; the next start loads it from where it was")
            return
    for line in opened.events():
        note(line)
    note("data loaded; ready when a majority of controllers has let this node in")
    server = Server(loop, config.int("socket.request.max.bytes"), config.int("max.connections"), note)
    broker = Broker(
        config,
        opened.cluster_id,
        _with_ports(config.listener_plan.advertised, sockets),
        opened.stored,
        opened.make_quorum(_with_ports(config.listener_plan.advertised_controller, sockets)),
        server,
        rng,
        note,
        mono_ms(),
        wall_ms(),
    )
    server.run(broker)  # before anything is accepted: what came in for the controller has been waiting in its socket's queue
    await _listen(server, broker, sockets)
    ready = asyncio.ensure_future(_become_ready(server, broker, sockets, on_ready, wait_for_brokers))
    problem = await _until_stopped(told, server, ready)
    marks = {p.topic_partition: p.replica.high_watermark for p in broker.replicas.hosted() if p.replica is not None}
    server.shut()
    opened.close(broker.lifecycle.broker_epoch, marks)
    note("stopped cleanly")
    if problem is not None:
        raise problem


def _with_ports(listeners: tuple[Listener, ...], sockets: Mapping[str, socket.socket]) -> tuple[Listener, ...]:
    """Listeners that ask for any port are told with the one they got."""
    return tuple(at._replace(port=sockets[at.name].getsockname()[1]) if at.port == 0 and at.name in sockets else at for at in listeners)


async def _listen(server: Server, broker: Broker, sockets: Mapping[str, socket.socket]) -> None:
    """Let others connect where they may by now and could not before. Raises ``NodeFailed`` when something else has taken the port."""
    for name, sock in sockets.items():
        if broker.takes_connections(name) and not server.is_listening(name):
            try:
                await server.listen(sock, name)
            except OSError as problem:
                host, port = sock.getsockname()[:2]
                raise NodeFailed(f"can't listen on {host}:{port}: {problem.strerror or problem}; stop what uses it") from problem


async def _become_ready(
    server: Server, broker: Broker, sockets: Mapping[str, socket.socket], on_ready: Callable[[], object], wait_for_brokers: int
) -> None:
    await server.until(_is_in_its_cluster)
    await _listen(server, broker, sockets)
    await server.until(lambda broker: sum(not each.fenced for each in broker.image.brokers.values()) >= wait_for_brokers)
    with contextlib.suppress(OSError):
        on_ready()


def _is_in_its_cluster(broker: Broker) -> bool:
    return broker.lifecycle.was_unfenced if broker.config.is_broker else broker.metadata.quorum.leader_id >= 0


class _ToldToStop:
    """SIGTERM and SIGINT of this process, from the moment this is made; the second one ends it at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.once = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self.once.is_set():
            note("told to stop a second time: stopping at once")
            os._exit(1)
        self.once.set()


async def _until_stopped(told: _ToldToStop, server: Server, ready: asyncio.Future[None]) -> BaseException | None:
    """Until this node has stopped as it was told to, or the broker has failed, which is raised.

    A node that can't become ready stops in order too, as it may be a leader already; returns why it could not.
    """
    asked, stopped = asyncio.ensure_future(told.once.wait()), asyncio.Event()
    await asyncio.wait({asked, server.failed, ready}, return_when=asyncio.FIRST_COMPLETED)
    problem = None
    if ready.done():
        problem = ready.exception()
        if problem is None:
            await asyncio.wait({asked, server.failed}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    told.once.set()  # when it stops by itself, a signal is the second word
    if not server.failed.done():
        note("stopping: leaders move away first")
        server.stop(stopped.set)
        waiting = asyncio.ensure_future(stopped.wait())
        await asyncio.wait({waiting, server.failed}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
    if server.failed.done():
        server.failed.result()
    return problem
