"""One machine of the laboratory, and the broker process on it: what ``node.server`` and ``node.main`` are to a real one.

``OFF -> LOADING -> RUNNING -> OFF``, and a running process may be paused: what comes in meanwhile waits, its clocks go on, and it resumes
with its old beliefs. A process ends by ``kill``, by ``lose_power``, inside a disk operation (``disk.Crashed``), or in order by ``stop``.

The disk is synchronous, and so a disk operation that takes its time stops the process inside an event: what the event sends after the
operation leaves so much later, what comes in waits, and then the process goes on with its old beliefs, as after a pause.

A process may also end because its disk has failed. That is no fault of the broker when the failure was made here (``SimDisk.injected``);
any other failure that ends a process is raised.
"""

from collections.abc import Callable, Iterator
from typing import Any

from holdwater.broker.broker import Broker
from holdwater.broker.opening import OpenedNode
from holdwater.broker.timers import NEVER
from holdwater.kernel.buggify import Buggify, never
from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.kernel.configs.listeners import Listener
from holdwater.kernel.ports import DiskFailure
from holdwater.kernel.rng import Rng
from holdwater.sim.clock import NodeClock, Scheduler
from holdwater.sim.disk import Crashed, SimDisk
from holdwater.sim.network import End, Network
from holdwater.sim.node_connections import Accepted, Link
from holdwater.sim.trace import Trace
from holdwater.storage.names import CLEAN_SHUTDOWN_FILE

_BYTES_PER_US = 500
"""What recovery reads in a microsecond."""
_SLICE_US = 200
_FETCH_OR_PRODUCE = (b"\0\0", b"\0\1")
"""API keys, with which a frame begins."""


class NodeStopped(Exception):  # noqa: N818 - an event that the run did not ask for
    """A broker said that its node must stop."""


class SimNode:
    """See the module; implements ``broker.transport.Transport``."""

    def __init__(
        self, config: BrokerConfig, scheduler: Scheduler, network: Network, trace: Trace, clock: NodeClock, rng: Rng, wake_delay_us: int
    ) -> None:
        self.config = config
        self.node_id = config.node_id
        self.machine = f"n{config.node_id}"
        self.disk = SimDisk()
        self.clock = clock
        self.broker: Broker | None = None
        self.opened: OpenedNode | None = None
        self.state = "OFF"
        self.is_voter = True
        """Whether the disk that it has now is the one that votes in the metadata quorum."""
        self.paused = False
        self.stopping = False
        """Whether an orderly stop is under way."""
        self.incarnation = 0
        """Counts the processes that this machine has had."""
        self.started_after_clean_stop = False
        """Whether the process before the present one stopped in order."""
        self._stopped_cleanly = False
        self.is_serving = False
        """Whether the present event are requests to fetch or produce, and what is read is read for fetches."""
        self.on_event: Callable[[SimNode], None] = lambda node: None
        """Called after each event of the broker."""
        self.on_end: Callable[[SimNode], None] = lambda node: None
        """Called when the process ends, while its broker can still be looked at: an event that ends it may have sent something before."""
        self.buggify: Buggify = never
        """What the brokers of this machine are given."""
        self.on_disk_stop: Callable[[SimNode], None] = lambda node: None
        """Called when the process has ended because its disk failed."""
        self._scheduler = scheduler
        self._network = network
        self._trace = trace
        self._rng = rng
        self._wake_delay_us = wake_delay_us
        self._wake_us = NEVER
        self._armed_ms = NEVER
        self._wakes_late_until_us = 0
        self._wakes_late_by_us = 0
        self._on_late_wake: Callable[[], None] = _nothing
        self._stands_still = False
        """Whether the disk holds the process up."""
        self.stalls_until_us = 0
        """When the disk lets, or has let, the process go on."""
        self._held = False
        """Whether events wait: it is paused, or stands still."""
        self._inbox: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.gather_us = 0
        """How long a wake may take in events before it is settled; 0: each is a wake of its own."""
        self._settles_soon = False
        self._closed_listeners: list[Listener] = []
        """Where nobody may connect yet."""
        self._accepted: dict[int, End] = {}
        self._links: dict[int, End] = {}
        self._next_id = 0

    def __repr__(self) -> str:
        return self.machine

    # --- life

    def start(self) -> None:
        """Begin a process: recovery first, a slice at a time, then the broker."""
        self.incarnation += 1
        self.started_after_clean_stop = self._stopped_cleanly and self._has_clean_marks()
        self.state = "LOADING"
        self._trace.line(self.machine, "process starts")
        self._network.power_on(self.machine)
        now = self._scheduler.now_us
        try:
            self.opened = OpenedNode(self.disk, self.config, self._rng.fork(), lambda: self.clock.wall_ms(self._scheduler.now_us))
        except (Crashed, DiskFailure) as problem:
            self._end_in_disk(problem)
            return
        self._stopped_cleanly = False
        self._scheduler.at(now + _SLICE_US + self._take_stall(), self._load, self.incarnation, self.opened.load())

    def _has_clean_marks(self) -> bool:
        """Whether the marks of a clean stop are all there still: a process that ended while it opened the directories may have taken some."""
        return all(self.disk.exists(f"{directory}/{CLEAN_SHUTDOWN_FILE}") for directory in self.config.log_dirs)

    def _load(self, incarnation: int, slices: Iterator[int]) -> None:
        if incarnation != self.incarnation or self.state != "LOADING":
            return
        if self._held:
            self._inbox.append((self._load, (incarnation, slices)))
            return
        try:
            read_bytes = next(slices)
        except StopIteration:
            self._run_broker()
            return
        except (Crashed, DiskFailure) as problem:
            self._end_in_disk(problem)
            return
        self._scheduler.after(_SLICE_US + read_bytes // _BYTES_PER_US + self._take_stall(), self._load, incarnation, slices)

    def _run_broker(self) -> None:
        opened, plan = self.opened, self.config.listener_plan
        assert opened is not None
        for text in opened.events():
            self._trace.line(self.machine, text)
        now = self._scheduler.now_us
        try:
            self.broker = Broker(
                self.config,
                opened.cluster_id,
                plan.advertised,
                opened.stored,
                opened.make_quorum(plan.advertised_controller),
                self,
                self._rng.fork(),
                lambda text: self._trace.line(self.machine, text),
                self.clock.mono_ms(now),
                self.clock.wall_ms(now),
            )
        except (Crashed, DiskFailure) as problem:
            self._end_in_disk(problem)
            return
        self.broker.buggify = self.buggify
        self.state = "RUNNING"
        self._closed_listeners = list(plan.bound)
        self._open_listeners(self.broker)
        self._enter(self.broker.start)

    def _open_listeners(self, broker: Broker) -> None:
        closed, self._closed_listeners = self._closed_listeners, []
        for listener in closed:
            if broker.takes_connections(listener.name):
                self._network.listen(self.machine, listener.port, lambda end, name=listener.name: self._accept(end, name))
            else:
                self._closed_listeners.append(listener)

    def kill(self) -> None:
        """Kill -9: the process is gone, what it wrote to the page cache stays."""
        self._ended("process killed")

    def lose_power(self, *, survivors: Rng | None = None) -> None:
        """The machine loses power: so does what was not synced, but for what ``survivors`` lets through."""
        self._network.power_off(self.machine)
        self._ended("power lost")
        self.disk.power_loss(survivors)

    def _ended(self, how: str) -> None:
        self._trace.line(self.machine, how)
        self.disk.crash()
        self.disk.disarm_all()
        self._gone()

    def _end_in_disk(self, problem: Crashed | DiskFailure) -> None:
        """The process ends inside a disk operation. Raises ``problem`` when that is a failure that was not made here."""
        if isinstance(problem, Crashed):
            self._ended(f"process ends {problem}")
        else:
            self._end_for_disk(str(problem), problem)

    def _end_for_disk(self, why: str, problem: Exception) -> None:
        """The process ends because its disk failed. Raises ``problem`` when that was no failure that was made here."""
        if not any(message in why for message in self.disk.injected):
            raise problem
        self._ended(f"process ends: {why}")
        self.on_disk_stop(self)

    def _gone(self) -> None:
        self.on_end(self)
        self.broker = None
        self.opened = None
        self.state = "OFF"
        self.paused = False
        self.stopping = False
        self._stands_still = False
        self._held = False
        self._settles_soon = False
        self._wake_us = NEVER
        self._armed_ms = NEVER
        self._inbox.clear()
        self._accepted.clear()
        self._links.clear()
        self._network.process_ended(self.machine)

    def stop(self) -> None:
        """Stop in order, as on SIGTERM."""
        broker = self.broker
        if broker is not None and not self.stopping:
            self.stopping = True
            self._trace.line(self.machine, "stopping")
            self._enter(broker.stop, self._stopped)

    def _stopped(self) -> None:
        broker, opened = self.broker, self.opened
        assert broker is not None
        assert opened is not None
        marks = {p.topic_partition: p.replica.high_watermark for p in broker.replicas.hosted() if p.replica is not None}
        opened.close(broker.lifecycle.broker_epoch, marks)
        # One that never registered proves nothing of the process before it, whose broker epoch the metadata still have.
        self._stopped_cleanly = not self.has_failed_directory and broker.lifecycle.broker_epoch >= 0
        self._trace.line(self.machine, "stopped cleanly")
        self.disk.crash()
        self._gone()

    def pause(self) -> None:
        """Stop the process where it is, as SIGSTOP or a long garbage collection does."""
        if self.state != "OFF" and not self.paused:
            self.paused = self._held = True
            self._trace.line(self.machine, "paused")

    def resume(self) -> None:
        """Go on: first with what came in meanwhile, then with what is due."""
        if not self.paused:
            return
        self.paused = False
        self._trace.line(self.machine, "resumed")
        if not self._stands_still:
            self._work_off()

    def _work_off(self) -> None:
        """Take in what has waited; what comes after an event in which the disk holds the process up goes on waiting."""
        self._held = False
        inbox, self._inbox = self._inbox, []
        incarnation = self.incarnation
        for event, arguments in inbox:
            if self.incarnation == incarnation and self.state != "OFF":
                event(*arguments) if event == self._load else self._enter(event, *arguments)
        if self.broker is not None and not self._held:
            self._enter(_nothing)

    def wake_late(self, until_us: int, up_to_us: int, told: Callable[[], None]) -> None:
        """Let the process be woken for its deadlines up to ``up_to_us`` late. ``told`` hears of each time."""
        self._wakes_late_until_us, self._wakes_late_by_us, self._on_late_wake = until_us, up_to_us, told

    @property
    def has_failed_directory(self) -> bool:
        """Whether the process runs without one of its log directories."""
        opened = self.opened
        return opened is not None and any(directory.failure is not None for directory in opened.directories.directories)

    def _take_stall(self) -> int:
        """How long the disk has held the process up since it was last asked."""
        stall_us, self.disk.stall_us = self.disk.stall_us, 0
        self.stalls_until_us = self._scheduler.now_us + stall_us
        return stall_us

    def _stand_still(self) -> None:
        """The operations of the present event have taken their time: until it is over nothing happens here."""
        self._stands_still = self._held = True
        stall_us = self._take_stall()
        self._trace.line(self.machine, f"its disk takes {stall_us // 1000} ms")
        self._scheduler.after(stall_us, self._go_on, self.incarnation)

    def _go_on(self, incarnation: int) -> None:
        if incarnation != self.incarnation or not self._stands_still:
            return
        self._stands_still = False
        if not self.paused:
            self._work_off()

    # --- events

    def _enter(self, event: Callable[..., None], *arguments: Any) -> None:
        """Give one event to the broker. What it leaves behind is settled at once, or with that of the events that come soon after."""
        if self._held:
            self._inbox.append((event, arguments))
            return
        broker = self.broker
        if broker is None:
            return
        now = self._scheduler.now_us
        broker.clocks(self.clock.mono_ms(now), self.clock.wall_ms(now))
        try:
            event(*arguments)
        except (Crashed, DiskFailure) as problem:
            self._end_in_disk(problem)
            return
        if self.broker is not broker:
            return
        if not self.gather_us:
            self._settle(broker)
            return
        if broker.stop_requested is None:
            self.on_event(self)
        else:
            self.on_end(self)  # it ends with the wake, and what it has sent before may arrive first
        if not self._settles_soon:
            self._settles_soon = True
            self._scheduler.after(1 + self._rng.below(self.gather_us), self._settle_soon, self.incarnation)

    def _settle_soon(self, incarnation: int) -> None:
        """End of a wake that took in several events, as that of a real node may."""
        broker = self.broker
        if incarnation != self.incarnation or broker is None:
            return
        self._settles_soon = False
        if self._held:
            self._inbox.append((_nothing, ()))
        else:
            self._settle(broker)

    def _settle(self, broker: Broker) -> None:
        """End of a wake: parked fetches, syncs, due deadlines, then the timer for what comes next."""
        now = self._scheduler.now_us
        try:
            broker.flush()
            due_ms = broker.next_deadline()
            if due_ms <= broker.mono_ms and self.broker is broker:
                broker.tick()
                broker.flush()
                due_ms = broker.next_deadline()
        except (Crashed, DiskFailure) as problem:
            self._end_in_disk(problem)
            return
        if self.broker is not broker:
            return
        if broker.stop_requested is not None:  # what it has in memory is void: an operation may have ended half way
            self._end_for_disk(broker.stop_requested, NodeStopped(f"{self.machine}: {broker.stop_requested}"))
            return
        if self._closed_listeners:
            self._open_listeners(broker)
        self.on_event(self)
        if self.disk.stall_us:
            self._stand_still()
        self._arm(now, due_ms)

    def _arm(self, now: int, due_ms: int) -> None:
        if due_ms >= self._armed_ms:
            return
        self._armed_ms = due_ms
        at_us = max(now + 1, self.clock.moment_us(due_ms))
        if at_us < self._wake_us:
            self._wake_us = at_us + self._rng.below(self._wake_delay_us) if self._wake_delay_us else at_us
            if now < self._wakes_late_until_us:
                self._wake_us += self._rng.below(self._wakes_late_by_us)
                self._on_late_wake()
            self._scheduler.at(self._wake_us, self._wake, self._wake_us, self.incarnation)

    def _wake(self, at_us: int, incarnation: int) -> None:
        if incarnation == self.incarnation and at_us == self._wake_us:
            self._wake_us = self._armed_ms = NEVER
            if not self._held:
                self._enter(_nothing)

    def _accept(self, end: End, listener: str) -> Accepted:
        self._next_id += 1
        accepted = Accepted(self, self._next_id)
        self._accepted[accepted.id] = end
        assert self.broker is not None
        self._enter(self.broker.connection_opened, accepted.id, listener, end.peer)
        return accepted

    def frames(self, connection_id: int, frames: list[bytes]) -> None:
        """Requests came in on an accepted connection."""
        self.is_serving = all(frame[:2] in _FETCH_OR_PRODUCE for frame in frames)
        self._enter(self._take_frames, connection_id, frames)
        self.is_serving = False

    def _take_frames(self, connection_id: int, frames: list[bytes]) -> None:
        broker = self.broker
        assert broker is not None
        if connection_id in self._accepted:
            for frame in frames:
                broker.frame(connection_id, frame)

    def connection_lost(self, connection_id: int) -> None:
        """An accepted connection is gone."""
        self._enter(self._lose_connection, connection_id)

    def _lose_connection(self, connection_id: int) -> None:
        broker = self.broker
        assert broker is not None
        if self._accepted.pop(connection_id, None) is not None:
            broker.connection_closed(connection_id)

    def _close_connection(self, incarnation: int, connection_id: int) -> None:
        if incarnation == self.incarnation:
            self._enter(self._lose_connection, connection_id)

    def link_event(self, link_id: int, end: End | None, event: "Callable[[Broker, int], None]") -> None:
        """Something happened on a link; it no longer counts once the broker has given that connection up."""
        self._enter(self._take_link_event, link_id, end, event)

    def _take_link_event(self, link_id: int, end: End | None, event: "Callable[[Broker, int], None]") -> None:
        broker = self.broker
        assert broker is not None
        if end is not None and self._links.get(link_id) is end:
            event(broker, link_id)

    def link_lost(self, link_id: int, end: End | None) -> None:
        """A link is gone, or could not be made."""
        self._enter(self._lose_link, link_id, end)

    def _lose_link(self, link_id: int, end: End | None) -> None:
        broker = self.broker
        assert broker is not None
        if end is not None and self._links.get(link_id) is end:
            del self._links[link_id]
            broker.link_down(link_id)

    # --- Transport

    def write(self, connection_id: int, parts: list[bytes]) -> None:
        """See ``Transport``."""
        end = self._accepted.get(connection_id)
        if end is not None:
            self._send(end, b"".join(parts))

    def close(self, connection_id: int) -> None:
        """See ``Transport``."""
        end = self._accepted.get(connection_id)
        if end is not None:
            self._close(end)
            self._scheduler.after(0, self._close_connection, self.incarnation, connection_id)

    def connect(self, link_id: int, host: str, port: int) -> None:
        """See ``Transport``."""
        link = Link(self, link_id)
        self._links[link_id] = link.end = self._network.connect(self.machine, host, port, link, after_us=self.disk.stall_us)

    def send(self, link_id: int, data: bytes) -> None:
        """See ``Transport``."""
        end = self._links.get(link_id)
        if end is not None:
            self._send(end, data)

    def disconnect(self, link_id: int) -> None:
        """See ``Transport``."""
        end = self._links.pop(link_id, None)
        if end is not None:
            self._close(end)

    def _send(self, end: End, data: bytes) -> None:
        """Send, after what the disk has taken so far in this event; a process that has ended by then has closed the connection."""
        stall_us = self.disk.stall_us
        if stall_us:
            self._scheduler.after(stall_us, self._network.send, end, data)
        else:
            self._network.send(end, data)

    def _close(self, end: End) -> None:
        stall_us = self.disk.stall_us
        if stall_us:
            self._scheduler.after(stall_us, self._network.close, end)
        else:
            self._network.close(end)


def _nothing() -> None:
    pass
