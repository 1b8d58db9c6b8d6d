"""What befalls a cluster: a schedule of faults, drawn from a seed before the run begins, so that a run can be played again with fewer of them.

Each seed first draws which kinds of fault are on at all (swarm testing, Groce et al., ISSTA 2012). A fault names its victim by node id, or by
what it is at that moment: the leader of partition 0, the active controller. One that makes no sense when it comes (a kill of what is off)
changes nothing and is tried again for a few seconds.

What is lost stays recoverable, so that a run that fails shows a bug: what was acknowledged is lost by one machine, while every ISR is full,
and until every ISR is full again nothing happens that ends a process or takes something from a disk. Where acknowledgements are durable (level
fsync), power losses and failed syncs lose nothing that was acknowledged, and come at any time.
"""

from collections.abc import Callable
from typing import NamedTuple

from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.kinds import clock, damage, disk, network, power, process
from holdwater.sim.node import SimNode

LEADER = -1
CONTROLLER = -2
_TRY_AGAIN_MS = 500
_TRIES_MAX = 9
_RENEW_MS = 200


class Fault(NamedTuple):
    """``at_ms`` after the faults begin; ``amount`` and ``other`` mean what the kind says."""

    at_ms: int
    kind: str
    victim: int
    duration_ms: int
    amount: int
    other: int


Strike = Callable[["Faults", Fault, SimNode, Callable[[], None]], bool]
"""See ``sim.kinds``."""

STRIKES: dict[str, Strike] = {
    **process.STRIKES,
    **power.STRIKES,
    **network.STRIKES,
    **disk.STRIKES,
    **damage.STRIKES,
    **clock.STRIKES,
}
KINDS = tuple(STRIKES)
ONLY_DURABLE = ("power loss of all",)
"""Kinds that lose what was acknowledged unless acknowledgements are durable."""
SURE = ("kill", "stop", "pause", "netsplit", "one-way netsplit", "break all connections", "slow network")
"""Kinds that act whenever they come, nearly. Each seed has one or two of them on."""
HARMLESS = (*network.STRIKES, *clock.STRIKES, "pause", "late timers", "disk stall", "slow sync")
"""Kinds that end no process and take nothing from a disk: they may come while a node is without what it had acknowledged."""
_SHARES = (0.1, 0.2, 0.35)


def draw_schedule(rng: Rng, *, nodes: int, length_ms: int, mean_gap_ms: int, durable: bool = False) -> tuple[Fault, ...]:
    """The faults of one seed. ``durable``: the cluster's settings say that acknowledgements survive any power loss."""
    share = _SHARES[rng.below(len(_SHARES))]
    drawn = [kind for kind in KINDS if rng.chance(share)]
    kinds = [SURE[rng.below(len(SURE))], SURE[rng.below(len(SURE))], *(kind for kind in drawn if durable or kind not in ONLY_DURABLE)]
    quick = rng.chance(0.5)
    schedule: list[Fault] = []
    at_ms = rng.uniform_ms(0, mean_gap_ms)
    while at_ms < length_ms:
        kind = kinds[rng.below(len(kinds))]
        victim = (LEADER, CONTROLLER, 1 + rng.below(nodes))[rng.below(3)]
        duration_ms = rng.uniform_ms(0, 500) if quick or rng.chance(0.3) else rng.uniform_ms(500, 15_000)
        schedule.append(Fault(at_ms, kind, victim, duration_ms, rng.below(60), 1 + rng.below(nodes)))
        at_ms += rng.uniform_ms(mean_gap_ms // 10, 2 * mean_gap_ms)
    return tuple(schedule)


class Faults:
    """Plays a schedule on a cluster. ``counts`` says what really happened, by kind.

    Faults aim at partition 0 of the first of ``topics`` that there is: an internal topic is made by who needs it first, if anybody does.
    """

    def __init__(self, cluster: SimCluster, schedule: tuple[Fault, ...], topics: tuple[str, ...], rng: Rng) -> None:
        self.schedule = schedule
        self.cluster = cluster
        self.counts: dict[str, int] = {}
        self.has_replaced_disk = False
        self._topics = topics
        self._base = rng.below(1 << 48)
        self._owner = 0
        self._over = False
        self._dark: int | None = None
        """The node that lost what it had acknowledged and may not have everything back yet."""

    def begin(self) -> None:
        """From now on."""
        for node in self.cluster.nodes.values():
            node.on_disk_stop = self._restart_stopped
        for fault in self.schedule:
            self.cluster.scheduler.after(fault.at_ms * 1000, self._strike, fault, 1)

    def add(self, fault: Fault) -> None:
        """One more, now."""
        self.cluster.scheduler.after(0, self._strike, fault, 1)

    def end(self) -> None:
        """No more of it: everything that was broken is mended. What a disk has lost, and its vote, stay lost."""
        self._over = True
        cluster = self.cluster
        cluster.trace.line("faults", "end")
        cluster.network.mend()
        for node in cluster.nodes.values():
            node.disk.disarm_all()
            node.clock.put_right()
            node.wake_late(0, 1, _nothing)
            node.resume()
            if node.stopping or node.has_failed_directory:
                node.kill()
            if node.state == "OFF":
                node.start()

    def _strike(self, fault: Fault, attempt: int) -> None:
        if self._over:
            return
        node = self._find(fault.victim)
        if node is not None and attempt > _TRIES_MAX // 2:
            node = self.other(fault, node)  # the first choice may be down or paused for long
        may_strike = fault.kind in HARMLESS or not self.recovers()
        struck = may_strike and node is not None and self._struck(fault, node)
        if not struck and attempt < _TRIES_MAX:
            self.later(_TRY_AGAIN_MS, lambda: self._strike(fault, attempt + 1))

    def _struck(self, fault: Fault, node: SimNode) -> bool:
        has_acted = False

        def acted() -> None:
            nonlocal has_acted
            if not has_acted:
                has_acted = True
                self.counts[fault.kind] = self.counts.get(fault.kind, 0) + 1
                self.cluster.trace.line("faults", f"{fault.kind} {node} for {fault.duration_ms}")

        struck = STRIKES[fault.kind](self, fault, node, acted)
        if struck and not has_acted:
            self.cluster.trace.line("faults", f"{fault.kind} waits for {node}")
        return struck

    def _find(self, victim: int) -> SimNode | None:
        if victim == LEADER:
            found = self.cluster.leader_of(self._topic(), 0)
        elif victim == CONTROLLER:
            found = self.cluster.active_controller()
        else:
            found = victim
        return self.cluster.nodes.get(found) if found is not None else None

    # --- what the kinds use

    def leader(self) -> SimNode | None:
        """Who leads the partition that faults aim at."""
        return self._find(LEADER)

    def is_in_sync(self, node: SimNode) -> bool:
        """Whether a node is in the ISR of that partition."""
        topic = self.cluster.watch.newest.topic(self._topic())
        return topic is not None and 0 in topic.partitions and node.node_id in topic.partitions[0].isr

    def _topic(self) -> str:
        newest = self.cluster.watch.newest
        return next((topic for topic in self._topics if newest.topic(topic) is not None), self._topics[-1])

    def rng_of(self, fault: Fault) -> Rng:
        """Randomness of a fault's own: the same whatever other faults there are."""
        numbers = (fault.at_ms, fault.victim + 2, fault.duration_ms, fault.amount, fault.other)
        mixed = self._base
        for number in numbers:
            mixed = (mixed * 1_000_003 + number) % (1 << 52)
        return Rng(mixed)

    def new_owner(self) -> int:
        """A number for what is done to the network, by which it is undone."""
        self._owner += 1
        return self._owner

    def until_us(self, fault: Fault) -> int:
        """The moment at which a fault ends that begins now."""
        return self.cluster.scheduler.now_us + fault.duration_ms * 1000

    def later(self, duration_ms: int, what: Callable[[], None]) -> None:
        """Do ``what`` after a while, unless the faults are over by then."""

        def unless_over() -> None:
            if not self._over:
                what()

        self.cluster.scheduler.after(duration_ms * 1000, unless_over)

    def start_later(self, node: SimNode, duration_ms: int) -> None:
        """Start a node that is off, after a while."""

        def start() -> None:
            if node.state == "OFF":
                node.start()

        self.later(duration_ms, start)

    def renew(self, node: SimNode) -> None:
        """End a process that has lost a log directory, and start another: the directory works again."""
        if node.has_failed_directory and not node.stopping:
            node.kill()
            self.start_later(node, _RENEW_MS)

    def other(self, fault: Fault, node: SimNode) -> SimNode:
        """Another node than ``node``."""
        nodes = self.cluster.nodes
        return nodes[fault.other] if fault.other != node.node_id else nodes[node.node_id % len(nodes) + 1]

    # --- what may be lost

    def may_lose_tail(self, node: SimNode) -> bool:
        """Whether a node may lose what it has not synced."""
        return self.cluster.settings.is_durable or self._dark == node.node_id or self.may_lose_disk()

    def may_lose_disk(self) -> bool:
        """Whether one node may lose whatever it has: every other one has all of it."""
        return self._dark is None and self._is_full()

    def lost_tail(self, node: SimNode) -> None:
        """A node has lost what it had not synced."""
        if not self.cluster.settings.is_durable:
            self.lost_disk(node)

    def lost_disk(self, node: SimNode) -> None:
        """A node has lost what it had acknowledged: nothing else happens until it has everything back."""
        self._dark = node.node_id
        self.cluster.excuse(node.node_id)

    def recovers(self) -> bool:
        """Whether a node has lost what it had acknowledged, and the cluster is not whole since."""
        if self._dark is not None and self._is_full():
            self.cluster.watch.pardon(self._dark)
            self._dark = None
        return self._dark is not None

    def must_wait(self, node: SimNode) -> bool:
        """Whether another node has lost what it had acknowledged: what waits on the disk of ``node`` may not end its process or directory yet.

        After unclean ends of all replicas the last known leader leads, as in Kafka, and it may be the one that has lost something.
        """
        return self._dark not in (None, node.node_id) and not self._is_full()

    def _is_full(self) -> bool:
        cluster = self.cluster
        image = cluster.watch.newest
        return (
            cluster.all_unfenced()
            and cluster.metadata_is_settled()
            and not any(node.has_failed_directory for node in cluster.nodes.values())
            and all(len(state.isr) == len(state.replicas) for _, _, state in image.partitions())
        )

    def _restart_stopped(self, node: SimNode) -> None:
        """A process has ended because its disk failed, and somebody sees to that."""
        self.start_later(node, Rng(self._base + 1_000_003 * node.incarnation + node.node_id).uniform_ms(100, 5_000))


def _nothing() -> None:
    pass
