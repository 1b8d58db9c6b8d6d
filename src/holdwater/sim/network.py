"""A network in memory: connections between machines that carry bytes in order, with delay, and break as TCP's do.

- A process that ends closes its connections, and the other ends learn it after what was sent before. A machine without power says nothing:
  the other ends learn it when it is back, or by their own patience.
- A netsplit (per direction) holds bytes back, and what was held back arrives, in order, when the network is whole again and both ends still
  want it. Nobody learns of a netsplit as such.
- Cuts and hindrances have an owner, a number: several may lie on one link, and each is taken away by its own owner only.
- Whoever connects where nobody listens is refused. A connection attempt into a netsplit or to a machine without power is repeated, as TCP
  repeats its first packet, and given up in the end.

What is carried are frames, a length of four bytes before each; the receiver gets them cut, and without the length.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from holdwater.kernel.rng import Rng
from holdwater.sim.clock import Scheduler
from holdwater.sim.trace import Trace

_CONNECT_RETRY_US = 1_000_000
_CONNECT_ATTEMPTS_MAX = 7
_RARELY = 100
"""One message in so many takes longer than usual."""
_REFUSED_SHARE = 0.3
_JOINED_US = 300_000
ANY_PORT = 0


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

    __slots__ = ("busy_until_us", "closed", "generation", "handler", "machine", "other", "peer", "port", "queue", "stalled")

    def __init__(self, machine: str, peer: str, port: int) -> None:
        self.machine = machine
        self.peer = peer
        self.port = port
        """Where whoever accepted the connection listened: the same for both ends."""
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


class Hindrance(NamedTuple):
    """What makes a link slow: messages take ``factor`` times as long, and ``bytes_per_ms`` go through it at most (0: any number)."""

    factor: int = 1
    bytes_per_ms: int = 0


class _Link:
    """One direction between two machines, hindered."""

    __slots__ = ("by_owner", "free_us")

    def __init__(self) -> None:
        self.by_owner: dict[int, Hindrance] = {}
        self.free_us = 0
        """When the last byte that was given to it is through."""

    def pass_through(self, now_us: int, delay_us: int, size: int) -> int:
        """When a message of ``size`` bytes arrives that would usually take ``delay_us``."""
        begin_us = max(now_us, self.free_us)
        factor = 1
        for hindrance in self.by_owner.values():
            factor = max(factor, hindrance.factor)
            if hindrance.bytes_per_ms:
                self.free_us = max(self.free_us, begin_us + size * 1000 // hindrance.bytes_per_ms)
        return max(now_us, self.free_us) + delay_us * factor


class Network:
    """See the module. ``delay_us`` bounds the usual delay of a message; one in a hundred takes up to ``rare_delay_us``."""

    def __init__(self, scheduler: Scheduler, rng: Rng, trace: Trace, *, delay_us: tuple[int, int], rare_delay_us: int) -> None:
        self._scheduler = scheduler
        self._rng = rng
        self._trace = trace
        self.delay_us = delay_us
        self.rare_delay_us = rare_delay_us
        self._listeners: dict[tuple[str, int], Acceptor] = {}
        self._cut: dict[tuple[str, str, int], dict[int, None]] = {}
        """Owners of the cuts of a direction, for one port or for all of them."""
        self._stalled: dict[End, None] = {}
        self._ends: dict[str, dict[End, None]] = {}
        self._without_power: dict[str, list[End]] = {}
        """Machine without power: the ends elsewhere that it has not answered."""
        self.delivery_count = 0
        self._slowness_by_owner: dict[int, int] = {}
        self._slowness = 1
        self._hindered: dict[tuple[str, str], _Link] = {}
        self._refuses_until_us = 0
        self._connects_late_until_us = 0
        self._late_by_us = 0
        self._joins_until_us = 0
        self._on_odd: dict[str, Callable[[], None]] = {}

    # --- what a process does

    def listen(self, machine: str, port: int, acceptor: Acceptor) -> None:
        """Take connections at an address from now on."""
        self._listeners[machine, port] = acceptor

    def connect(self, machine: str, host: str, port: int, handler: Handler, *, after_us: int = 0) -> End:
        """Open a connection, in ``after_us``; ``handler`` learns what becomes of it."""
        end = End(machine, host, port)
        end.handler = handler
        self._ends.setdefault(machine, {})[end] = None
        delay_us = self._delay()
        if self._scheduler.now_us < self._connects_late_until_us:
            delay_us += self._rng.below(self._late_by_us)
            self._odd("late")
        self._scheduler.after(after_us + delay_us, self._attempt, end, port, 1)
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

    def cut(self, source: str, target: str, *, port: int = ANY_PORT, owner: int = 0) -> None:
        """Hold back everything from ``source`` to ``target``, or only what belongs to connections that were made to one port."""
        self._cut.setdefault((source, target, port), {})[owner] = None

    def heal(self, owner: int | None = None) -> None:
        """No netsplit any more, or none of this owner's: what no other one holds back goes on."""
        if owner is None:
            self._cut.clear()
        else:
            for direction, owners in list(self._cut.items()):
                owners.pop(owner, None)
                if not owners:
                    del self._cut[direction]
        for end in list(self._stalled):
            if not self._is_cut(end.machine, end.peer, end.port):
                del self._stalled[end]
                end.stalled = False
                for item in end.queue:
                    self._schedule(end, item)

    def machines(self) -> list[str]:
        """Every machine that has had a connection, in the order in which they came."""
        return list(self._ends)

    def break_connections(self, machine: str, peer: str | None = None) -> int:
        """Break every connection between two machines, or of one with any, as a middlebox does: what is under way is lost, both ends are told."""
        broken = 0
        for end in list(self._ends.get(machine, ())):
            other = end.other
            if (peer is None or end.peer == peer) and other is not None:
                for side in (end, other):
                    self._drop(side)
                    self._push(side, None)
                broken += 1
        return broken

    def slow_down(self, factor: int, owner: int = 0) -> None:
        """From now on messages take ``factor`` times as long as usual, everywhere; of several owners' factors the largest holds."""
        self._slowness_by_owner[owner] = factor
        self._slowness = max(self._slowness_by_owner.values())

    def hinder(self, source: str, target: str, hindrance: Hindrance, owner: int) -> None:
        """Make one direction slow, or narrow."""
        self._hindered.setdefault((source, target), _Link()).by_owner[owner] = hindrance

    def unhinder(self, owner: int) -> None:
        """Take away what ``hinder`` and ``slow_down`` did for an owner."""
        for direction, link in list(self._hindered.items()):
            link.by_owner.pop(owner, None)
            if not link.by_owner:
                del self._hindered[direction]
        self._slowness_by_owner.pop(owner, None)
        self._slowness = max(self._slowness_by_owner.values(), default=1)

    def refuse_some(self, until_us: int, told: Callable[[], None]) -> None:
        """Refuse some of the connections that could be made, as a full queue of them does. ``told`` hears of each."""
        self._refuses_until_us, self._on_odd["refused"] = until_us, told

    def connect_late(self, until_us: int, up_to_us: int, told: Callable[[], None]) -> None:
        """Let new connections take up to ``up_to_us`` longer, as when nobody accepts them at once."""
        self._connects_late_until_us, self._late_by_us, self._on_odd["late"] = until_us, up_to_us, told

    def join(self, until_us: int, told: Callable[[], None]) -> None:
        """Let what is under way on a connection arrive later and together, in one piece: only the order of bytes is TCP's promise."""
        self._joins_until_us, self._on_odd["joined"] = until_us, told

    def mend(self) -> None:
        """Everything is as usual again."""
        self.heal()
        self._hindered.clear()
        self._slowness_by_owner.clear()
        self._slowness = 1
        self._refuses_until_us = self._connects_late_until_us = self._joins_until_us = 0

    # --- how it works

    def _odd(self, what: str) -> None:
        self._on_odd[what]()

    def _delay(self) -> int:
        """One draw: the usual range, and once in a hundred times the rare one."""
        low, high = self.delay_us
        width = high - low + 1
        draw = self._rng.below(_RARELY * width)
        delay = high + draw * max(self.rare_delay_us - high, 0) // width if draw < width else low + draw % width
        return delay * self._slowness

    def _is_cut(self, source: str, target: str, port: int) -> bool:
        return (source, target, ANY_PORT) in self._cut or (source, target, port) in self._cut

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
            self._schedule(end, item)

    def _schedule(self, end: End, item: bytes | None) -> None:
        now_us = self._scheduler.now_us
        delay_us = self._delay()
        if now_us < self._joins_until_us:
            delay_us += self._rng.below(_JOINED_US)
        link = self._hindered.get((end.machine, end.peer)) if self._hindered else None
        arrival_us = now_us + delay_us if link is None else link.pass_through(now_us, delay_us, len(item) if item is not None else 0)
        arrival_us = max(arrival_us, end.busy_until_us)
        end.busy_until_us = arrival_us
        self._scheduler.at(arrival_us, self._arrive, end, end.generation)

    def _arrive(self, end: End, generation: int) -> None:
        if generation != end.generation:
            return
        if self._cut and self._is_cut(end.machine, end.peer, end.port):
            end.stalled = True
            end.generation += 1
            self._stalled[end] = None
            return
        item = end.queue.popleft()
        if item is not None and end.queue and self._scheduler.now_us < self._joins_until_us and (following := end.queue[0]) is not None:
            end.queue[0] = item + following
            self._odd("joined")
            return
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
        if host in self._without_power or self._is_cut(machine, host, port) or self._is_cut(host, machine, port):
            if attempt < _CONNECT_ATTEMPTS_MAX:
                self._scheduler.after(_CONNECT_RETRY_US << (attempt - 1), self._attempt, end, port, attempt + 1)
            else:
                self._unreached(end)
            return
        acceptor = self._listeners.get((host, port))
        if acceptor is not None and self._scheduler.now_us < self._refuses_until_us and self._rng.chance(_REFUSED_SHARE):
            acceptor = None
            self._odd("refused")
        if acceptor is None:
            self._scheduler.after(self._delay(), self._unreached, end)
            return
        accepted = End(host, machine, port)
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
