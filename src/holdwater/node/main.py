"""One node as a process: open the directories, recover, bind, run until told to stop, close cleanly."""

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

    ``on_ready`` is called once when this broker is unfenced, and with ``wait_for_brokers`` when it sees that many unfenced brokers.
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
    rng = Rng(secrets.randbits(52))
    opened = OpenedNode(RealDisk(), config, rng.fork(), wall_ms, cluster_id)
    for _ in opened.load():
        await asyncio.sleep(0)
    for line in opened.events():
        note(line)
    note("data loaded; ready when a majority of controllers has let this node in")
    loop = asyncio.get_running_loop()
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
    server.on_settled = _watch_ready(server, broker, on_ready, wait_for_brokers)
    server.run(broker)  # before anything is accepted: what comes in has been waiting in the sockets' queues
    for name, sock in sockets.items():
        await server.listen(sock, name)
    await _until_stopped(loop, server)
    marks = {p.topic_partition: p.replica.high_watermark for p in broker.replicas.hosted() if p.replica is not None}
    server.shut()
    opened.close(broker.lifecycle.broker_epoch, marks)
    note("stopped cleanly")


def _with_ports(listeners: tuple[Listener, ...], sockets: Mapping[str, socket.socket]) -> tuple[Listener, ...]:
    """Listeners that ask for any port are told with the one they got."""
    return tuple(at._replace(port=sockets[at.name].getsockname()[1]) if at.port == 0 and at.name in sockets else at for at in listeners)


def _watch_ready(server: Server, broker: Broker, on_ready: Callable[[], object], wait_for_brokers: int) -> Callable[[], None]:
    def look() -> None:
        if broker.config.is_broker:
            unfenced = sum(not each.fenced for each in broker.image.brokers.values())
            if broker.lifecycle.state != "RUNNING" or unfenced < wait_for_brokers:
                return
        elif broker.metadata.quorum.leader_id < 0:
            return
        server.on_settled = None
        with contextlib.suppress(OSError):
            on_ready()

    return look


async def _until_stopped(loop: asyncio.AbstractEventLoop, server: Server) -> None:
    """Until a signal has been obeyed, or the broker has failed. Raises what stopped it."""
    stopped = asyncio.Event()
    stopping = False

    def on_signal() -> None:
        nonlocal stopping
        if stopping:
            note("told to stop a second time: stopping at once")
            os._exit(1)
        stopping = True
        note("stopping: leaders move away first")
        server.stop(stopped.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    waiting = asyncio.ensure_future(stopped.wait())
    await asyncio.wait({waiting, server.failed}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if server.failed.done():
        server.failed.result()
