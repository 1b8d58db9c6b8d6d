"""What befalls a cluster: a schedule of faults, drawn from a seed before the run begins, so that a run can be played again with fewer of them.

Each seed first draws which kinds of fault are on at all (swarm testing). A fault names its victim by node id, or by what it is at that
moment: the leader of partition 0, the active controller. One that makes no sense when it comes (a kill of what is off) does nothing.

What is lost stays recoverable, so that a run that fails shows a bug: power is lost by one machine, while every ISR is full, and nothing else
happens until every ISR is full again.
"""

from collections.abc import Callable
from typing import NamedTuple

from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.disk import Fault as DiskFault
from holdwater.sim.disk import Operation
from holdwater.sim.node import SimNode

LEADER = -1
CONTROLLER = -2


class Fault(NamedTuple):
    """``at_ms`` after the faults begin; ``amount`` and ``other`` mean what the kind says."""

    at_ms: int
    kind: str
    victim: int
    duration_ms: int
    amount: int
    other: int


KINDS = (
    "kill",
    "kill several",
    "kill at disk operation",
    "power loss",
    "stop",
    "pause",
    "break connections",
    "netsplit",
    "one-way netsplit",
    "pair netsplit",
    "slow network",
)


def draw_schedule(rng: Rng, *, nodes: int, length_ms: int, mean_gap_ms: int) -> tuple[Fault, ...]:
    """The faults of one seed."""
    kinds = [kind for kind in KINDS if rng.chance(0.5)] or ["kill"]
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
    """Plays a schedule on a cluster. ``counts`` says what really happened, by kind."""

    def __init__(self, cluster: SimCluster, schedule: tuple[Fault, ...], topic: str, rng: Rng) -> None:
        self.schedule = schedule
        self.counts: dict[str, int] = {}
        self._cluster = cluster
        self._topic = topic
        self._rng = rng
        self._over = False
        self._dark: int | None = None
        """The node that lost power and may not have everything back yet."""

    def begin(self) -> None:
        """From now on."""
        for fault in self.schedule:
            self._cluster.scheduler.after(fault.at_ms * 1000, self._strike, fault)

    def end(self) -> None:
        """No more of it: everything that was broken is mended."""
        self._over = True
        cluster = self._cluster
        cluster.trace.line("faults", "end")
        cluster.network.heal()
        cluster.network.slow_down(1)
        for node in cluster.nodes.values():
            node.disk.on_operation = None
            node.resume()
            if node.stopping:
                node.kill()
            if node.state == "OFF":
                node.start()

    def _strike(self, fault: Fault) -> None:
        if self._over or self._recovers():
            return
        node = self._find(fault.victim)
        if node is None:
            return
        strike = _STRIKES[fault.kind]
        if strike(self, fault, node):
            self.counts[fault.kind] = self.counts.get(fault.kind, 0) + 1
            self._cluster.trace.line("faults", f"{fault.kind} {node} for {fault.duration_ms}")

    def _recovers(self) -> bool:
        """Whether a machine lost power and the cluster is not whole since."""
        if self._dark is not None and self._is_full():
            self._dark = None
        return self._dark is not None

    def _is_full(self) -> bool:
        image = self._cluster.watch.newest
        return self._cluster.all_unfenced() and all(len(state.isr) == len(state.replicas) for _, _, state in image.partitions())

    def _find(self, victim: int) -> SimNode | None:
        if victim == LEADER:
            found = self._cluster.leader_of(self._topic, 0)
        elif victim == CONTROLLER:
            found = self._cluster.active_controller()
        else:
            found = victim
        return self._cluster.nodes.get(found) if found is not None else None

    def _later(self, duration_ms: int, what: Callable[[], None]) -> None:
        def unless_over() -> None:
            if not self._over:
                what()

        self._cluster.scheduler.after(duration_ms * 1000, unless_over)

    def _start_later(self, node: SimNode, duration_ms: int) -> None:
        def start() -> None:
            if node.state == "OFF":
                node.start()

        self._later(duration_ms, start)

    # --- the kinds

    def kill(self, fault: Fault, node: SimNode) -> bool:
        """Kill -9, and a restart after the duration."""
        if node.state == "OFF":
            return False
        node.kill()
        self._start_later(node, fault.duration_ms)
        return True

    def kill_several(self, fault: Fault, node: SimNode) -> bool:
        """Two or all at once, and their restarts at different times."""
        struck = False
        for other in self._cluster.nodes.values():
            if other is node or other.node_id == fault.other or fault.amount % 2:
                struck |= self.kill(fault._replace(duration_ms=self._rng.uniform_ms(0, fault.duration_ms)), other)
        return struck

    def kill_at_disk_operation(self, fault: Fault, node: SimNode) -> bool:
        """The process ends before or in the middle of one of its next operations on disk."""
        if node.state == "OFF":
            return False
        end = node.disk.operation_count + 1 + fault.amount
        how = DiskFault.CRASH_TORN if fault.other % 2 else DiskFault.CRASH

        def on_operation(operation: Operation) -> DiskFault | None:
            if operation.number < end:
                return None
            self._start_later(node, fault.duration_ms)
            return how

        node.disk.on_operation = on_operation
        return True

    def power_loss(self, fault: Fault, node: SimNode) -> bool:
        """See the module."""
        if node.state != "RUNNING" or not self._is_full():
            return False
        self._dark = node.node_id
        self._cluster.lose_power(node.node_id, survivors=self._rng.fork() if fault.amount % 3 else None)
        self._start_later(node, fault.duration_ms)
        return True

    def stop(self, fault: Fault, node: SimNode) -> bool:
        """An orderly stop, and a restart; killed when it takes too long."""
        if node.state != "RUNNING" or node.paused or node.stopping:
            return False
        node.stop()
        incarnation = node.incarnation

        def start() -> None:
            if node.incarnation == incarnation:
                if node.state != "OFF":
                    node.kill()
                node.start()

        self._later(max(fault.duration_ms, 3_000), start)
        return True

    def pause(self, fault: Fault, node: SimNode) -> bool:
        """The process stands still for a while."""
        if node.state == "OFF" or node.paused:
            return False
        node.pause()
        incarnation = node.incarnation
        self._later(fault.duration_ms, lambda: node.resume() if node.incarnation == incarnation else None)
        return True

    def break_connections(self, fault: Fault, node: SimNode) -> bool:
        """Every connection between two nodes breaks."""
        other = self._other(fault, node)
        return self._cluster.network.break_connections(node.machine, other.machine) > 0

    def netsplit(self, fault: Fault, node: SimNode) -> bool:
        """One node is cut off from the others, both ways."""
        self._cluster.isolate(node.node_id)
        self._later(fault.duration_ms, self._cluster.network.heal)
        return True

    def one_way_netsplit(self, fault: Fault, node: SimNode) -> bool:
        """One node is heard and hears nobody, or the other way round."""
        self._cluster.isolate(node.node_id, towards=fault.amount % 2 == 0, away=fault.amount % 2 == 1)
        self._later(fault.duration_ms, self._cluster.network.heal)
        return True

    def pair_netsplit(self, fault: Fault, node: SimNode) -> bool:
        """Two nodes don't reach each other; the third reaches both."""
        other = self._other(fault, node)
        self._cluster.network.cut(node.machine, other.machine)
        self._cluster.network.cut(other.machine, node.machine)
        self._later(fault.duration_ms, self._cluster.network.heal)
        return True

    def slow_network(self, fault: Fault, node: SimNode) -> bool:
        """Every message takes much longer."""
        self._cluster.network.slow_down(5 + fault.amount)
        self._later(fault.duration_ms, lambda: self._cluster.network.slow_down(1))
        return True

    def _other(self, fault: Fault, node: SimNode) -> SimNode:
        nodes = self._cluster.nodes
        return nodes[fault.other] if fault.other != node.node_id else nodes[node.node_id % len(nodes) + 1]


_STRIKES: dict[str, Callable[[Faults, Fault, SimNode], bool]] = {
    "kill": Faults.kill,
    "kill several": Faults.kill_several,
    "kill at disk operation": Faults.kill_at_disk_operation,
    "power loss": Faults.power_loss,
    "stop": Faults.stop,
    "pause": Faults.pause,
    "break connections": Faults.break_connections,
    "netsplit": Faults.netsplit,
    "one-way netsplit": Faults.one_way_netsplit,
    "pair netsplit": Faults.pair_netsplit,
    "slow network": Faults.slow_network,
}
