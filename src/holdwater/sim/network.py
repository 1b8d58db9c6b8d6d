"""A network in memory: connections between machines that carry bytes in order, with delay, and break as TCP's do.

- A process that ends closes its connections, and the other ends learn it after what was sent before. A machine without power says nothing:
  the other ends learn it when it is back, or by their own patience.
- A netsplit (per direction) holds bytes back, and what was held back arrives, in order, when the network is whole again and both ends still
  want it. Nobody learns of a netsplit as such.
- Whoever connects where nobody listens is refused. A connection attempt into a netsplit or to a machine without power is repeated, as TCP
  repeats its first packet, and given up in the end.

What is carried are frames, a length of four bytes before each; the receiver gets them cut, and without the length.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from holdwater.kernel.rng import Rng
from holdwater.sim.clock import Scheduler
from holdwater.sim.trace import Trace

_CONNECT_RETRY_US = 1_000_000
_CONNECT_ATTEMPTS_MAX = 7
_RARELY = 100
"""One message in so many takes longer than usual."""


class Handler(Protocol):
    """One end's owner. Nothing is called after ``closed``, nor after the owner has closed its end."""

    def opened(self) -> None:
        """The connection stands; only whoever connected is told."""
        ...

    def received(self, frames: list[bytes]) -> None:
        """Whole frames came in, without their lengths."""
        ...

    def closed(self) -> None:
        """The other end is gone, or was never reached."""
        ...


class End:
    """One end of a connection, and what is under way from it to the other one."""

    __slots__ = ("busy_until_us", "closed", "generation", "handler", "machine", "other", "peer", "queue", "stalled")

    def __init__(self, machine: str, peer: str) -> None:
        self.machine = machine
        self.peer = peer
        self.handler: Handler | None = None
        self.other: End | None = None
        self.closed = False
        self.queue: deque[bytes | None] = deque()
        """Under way, in order; ``None`` is the end of the connection."""
        self.busy_until_us = 0
        self.stalled = False
        """Whether a netsplit holds back what is in the queue."""
        self.generation = 0
        """Rises when arrivals that were scheduled are void."""


Acceptor = Callable[[End], Handler]


class Network:
    """See the module. ``delay_us`` bounds the usual delay of a message; one in a hundred takes up to ``rare_delay_us``."""

    def __init__(self, scheduler: Scheduler, rng: Rng, trace: Trace, *, delay_us: tuple[int, int], rare_delay_us: int) -> None:
        self._scheduler = scheduler
        self._rng = rng
        self._trace = trace
        self.delay_us = delay_us
        self.rare_delay_us = rare_delay_us
        self._listeners: dict[tuple[str, int], Acceptor] = {}
        self._cut: dict[tuple[str, str], None] = {}
        self._stalled: dict[End, None] = {}
        self._ends: dict[str, dict[End, None]] = {}
        self._without_power: dict[str, list[End]] = {}
        """Machine without power: the ends elsewhere that it has not answered."""
        self.delivery_count = 0
        self._slowness = 1

    # --- what a process does

    def listen(self, machine: str, port: int, acceptor: Acceptor) -> None:
        """Take connections at an address from now on."""
        self._listeners[machine, port] = acceptor

    def connect(self, machine: str, host: str, port: int, handler: Handler) -> End:
        """Open a connection; ``handler`` learns what becomes of it."""
        end = End(machine, host)
        end.handler = handler
        self._ends.setdefault(machine, {})[end] = None
        self._scheduler.after(self._delay(), self._attempt, end, port, 1)
        return end

    def send(self, end: End, data: bytes) -> None:
        """Send whole frames, each with its length."""
        if not end.closed and end.other is not None:
            self._push(end, data)

    def close(self, end: End) -> None:
        """Close one end: its owner hears no more of it, the other end learns it behind what was sent."""
        if end.closed:
            return
        self._forget(end)
        if end.other is not None:
            self._push(end, None)

    def process_ended(self, machine: str) -> None:
        """The operating system closes everything that a process had open."""
        for address in [address for address in self._listeners if address[0] == machine]:
            del self._listeners[address]
        for end in list(self._ends.get(machine, ())):
            self.close(end)

    # --- what befalls it

    def power_off(self, machine: str) -> None:
        """A machine falls silent: what it had sent and not delivered is gone, and nobody is told."""
        for address in [address for address in self._listeners if address[0] == machine]:
            del self._listeners[address]
        silent: list[End] = []
        for end in list(self._ends.get(machine, ())):
            self._forget(end)
            self._drop(end)
            if end.other is not None and not end.other.closed:
                self._drop(end.other)
                silent.append(end.other)
        self._without_power[machine] = silent

    def power_on(self, machine: str) -> None:
        """It answers again: it knows nothing of the old connections and says so to whoever goes on with them."""
        for end in self._without_power.pop(machine, []):
            if end.other is not None:
                self._push(end.other, None)

    def cut(self, source: str, target: str) -> None:
        """Hold back everything from ``source`` to ``target``."""
        self._cut[source, target] = None

    def heal(self) -> None:
        """No netsplit any more."""
        self._cut.clear()
        stalled, self._stalled = self._stalled, {}
        for end in stalled:
            end.stalled = False
            for _ in end.queue:
                self._schedule(end)

    def break_connections(self, machine: str, peer: str) -> int:
        """Break every connection between two machines, as a middlebox does: what is under way is lost and both ends are told."""
        broken = 0
        for end in list(self._ends.get(machine, ())):
            other = end.other
            if end.peer == peer and other is not None:
                for side in (end, other):
                    self._drop(side)
                    self._push(side, None)
                broken += 1
        return broken

    # --- how it works

    def slow_down(self, factor: int) -> None:
        """From now on messages take ``factor`` times as long as usual."""
        self._slowness = factor

    def _delay(self) -> int:
        """One draw: the usual range, and once in a hundred times the rare one."""
        low, high = self.delay_us
        width = high - low + 1
        draw = self._rng.below(_RARELY * width)
        delay = high + draw * max(self.rare_delay_us - high, 0) // width if draw < width else low + draw % width
        return delay * self._slowness

    def _is_cut(self, source: str, target: str) -> bool:
        return (source, target) in self._cut

    def _forget(self, end: End) -> None:
        end.closed = True
        self._ends[end.machine].pop(end, None)

    def _drop(self, end: End) -> None:
        """Lose what is under way from an end."""
        end.queue.clear()
        end.generation += 1
        end.stalled = False
        self._stalled.pop(end, None)

    def _push(self, end: End, item: bytes | None) -> None:
        end.queue.append(item)
        if not end.stalled:
            self._schedule(end)

    def _schedule(self, end: End) -> None:
        arrival_us = max(self._scheduler.now_us + self._delay(), end.busy_until_us)
        end.busy_until_us = arrival_us
        self._scheduler.at(arrival_us, self._arrive, end, end.generation)

    def _arrive(self, end: End, generation: int) -> None:
        if generation != end.generation:
            return
        if self._is_cut(end.machine, end.peer):
            end.stalled = True
            end.generation += 1
            self._stalled[end] = None
            return
        item = end.queue.popleft()
        other = end.other
        if other is None or other.closed or other.handler is None:
            return
        if other.machine in self._without_power:
            return
        if item is None:
            self._forget(other)
            self._trace.line(other.machine, f"connection with {end.machine} closed")
            other.handler.closed()
            return
        self.delivery_count += 1
        self._trace.delivery(end.machine, other.machine, item)
        other.handler.received(_frames(item))

    def _attempt(self, end: End, port: int, attempt: int) -> None:
        if end.closed:
            return
        machine, host = end.machine, end.peer
        if host in self._without_power or self._is_cut(machine, host) or self._is_cut(host, machine):
            if attempt < _CONNECT_ATTEMPTS_MAX:
                self._scheduler.after(_CONNECT_RETRY_US << (attempt - 1), self._attempt, end, port, attempt + 1)
            else:
                self._unreached(end)
            return
        acceptor = self._listeners.get((host, port))
        if acceptor is None:
            self._scheduler.after(self._delay(), self._unreached, end)
            return
        accepted = End(host, machine)
        accepted.other, end.other = end, accepted
        self._ends.setdefault(host, {})[accepted] = None
        accepted.busy_until_us = self._scheduler.now_us + self._delay()
        self._scheduler.at(accepted.busy_until_us, self._opened, end)
        accepted.handler = acceptor(accepted)

    def _opened(self, end: End) -> None:
        if not end.closed and end.handler is not None:
            end.handler.opened()

    def _unreached(self, end: End) -> None:
        if not end.closed:
            self._forget(end)
            self._trace.line(end.machine, f"can't connect to {end.peer}")
            if end.handler is not None:
                end.handler.closed()


def _frames(data: bytes) -> list[bytes]:
    frames: list[bytes] = []
    position = 0
    while position < len(data):
        start = position + 4
        position = start + int.from_bytes(data[position:start], "big")
        frames.append(data[start:position])
    return frames
