"""What befalls processes: ends of every sort, pauses, late timers."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from holdwater.sim.disk import Fault as DiskFault
from holdwater.sim.disk import Operation
from holdwater.sim.kinds.network import cut_replication
from holdwater.sim.node import SimNode

if TYPE_CHECKING:
    from holdwater.sim.faults import Fault, Faults, Strike

_STOP_PATIENCE_MS = 5_000
_LOOK_MS = 250
_LONG_PAUSE_MS = 15_000
_SOON_MS = 2_000
_STEP_PATIENCE_MS = 9_000
_LATE_WAKE_US = 2_000_000


def kill(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """Kill -9, and a restart after the duration."""
    if node.state == "OFF":
        return False
    acted()
    node.kill()
    faults.start_later(node, fault.duration_ms)
    return True


def kill_several(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """Two at once, and their restarts at different times."""
    return _kill_at_once(faults, fault, [node, faults.other(fault, node)], acted)


def kill_all(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """All at once, and their restarts at different times."""
    return _kill_at_once(faults, fault, list(faults.cluster.nodes.values()), acted)


def fail_back_without_replication(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """A leader is killed and comes back. Once it is in sync no broker fetches from another any more; when it is given leadership back, as the
    first replica, it is killed again. Two leaders, one after the other, then have records that nobody else has, and the first leads anew.
    """
    leader = faults.leader()
    if leader is None or leader.state == "OFF":
        return False
    acted()
    leader.kill()
    faults.start_later(leader, _SOON_MS // 10)

    def has_it(wanted: bool) -> bool:
        found = faults.leader()
        return found is not None and (found is leader) == wanted

    def cut() -> None:
        owner = cut_replication(faults, list(faults.cluster.nodes.values()))
        _wait(faults, lambda: has_it(True), lambda: faults.later(fault.duration_ms % _SOON_MS, lambda: fall(owner)))

    def fall(owner: int) -> None:
        if leader.state != "OFF" and not faults.recovers():
            leader.kill()
            faults.start_later(leader, _SOON_MS)
        faults.later(_LOOK_MS, lambda: faults.cluster.network.heal(owner))

    _wait(faults, lambda: has_it(False) and faults.is_in_sync(leader), cut)
    return True


def _wait(faults: "Faults", condition: Callable[[], bool], then: Callable[[], None], left_ms: int = _STEP_PATIENCE_MS) -> None:
    """Go on when the condition holds, or after a while in any case."""
    if condition() or left_ms <= 0:
        then()
    else:
        faults.later(_LOOK_MS // 5, lambda: _wait(faults, condition, then, left_ms - _LOOK_MS // 5))


def _kill_at_once(faults: "Faults", fault: "Fault", nodes: list[SimNode], acted: Callable[[], None]) -> bool:
    rng = faults.rng_of(fault)
    running = [node for node in nodes if node.state != "OFF"]
    if len(running) < 2:
        return False
    acted()
    for node in running:
        node.kill()
        faults.start_later(node, rng.uniform_ms(0, fault.duration_ms))
    return True


def kill_at_disk_operation(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """The process ends before or in the middle of one of its next operations on disk."""
    if node.state == "OFF" or node.paused:
        return False
    _end_at_operation(faults, fault, node, acted, 1 + fault.amount)
    return True


def kill_in_recovery(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """Kill -9, and the next process ends at one of its first operations on disk, most of which are those of recovery."""
    if node.state == "OFF":
        return False
    node.kill()

    def start() -> None:
        if node.state == "OFF":
            _end_at_operation(faults, fault, node, acted, 1 + faults.rng_of(fault).below(120))
            node.start()

    faults.later(min(fault.duration_ms, 1_000), start)
    return True


def _end_at_operation(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None], count: int) -> None:
    end = node.disk.operation_count + count
    how = DiskFault.CRASH_TORN if fault.other % 2 else DiskFault.CRASH

    def on_operation(operation: Operation) -> DiskFault | None:
        if operation.number < end or faults.must_wait(node):
            return None
        acted()
        faults.start_later(node, fault.duration_ms)
        return how

    node.disk.arm(on_operation)


def stop(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """An orderly stop, and a restart; killed when it takes too long."""
    if not _can_be_stopped(node):
        return False
    acted()
    node.stop()
    incarnation = node.incarnation

    def start() -> None:
        if node.incarnation == incarnation:
            if node.state != "OFF":
                node.kill()
            node.start()

    faults.later(max(fault.duration_ms, 3_000), start)
    return True


def _can_be_stopped(node: SimNode) -> bool:
    return node.state == "RUNNING" and not node.paused and not node.stopping


def rolling_restart(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """Each node in turn is stopped in order and started again, the next one when the one before is back, or has had its time."""
    if not _can_be_stopped(node):
        return False
    acted()
    nodes = list(faults.cluster.nodes.values())
    first = nodes.index(node)
    _restart_in_turn(faults, nodes[first:] + nodes[:first])
    return True


def _restart_in_turn(faults: "Faults", turns: list[SimNode]) -> None:
    while turns and not _can_be_stopped(turns[0]):
        turns = turns[1:]
    if not turns:
        return
    node = turns[0]
    incarnation = node.incarnation
    node.stop()

    def look(waited_ms: int) -> None:
        if node.incarnation == incarnation and node.state != "OFF" and waited_ms >= _STOP_PATIENCE_MS:
            node.kill()
        if node.state == "OFF":
            node.start()
        broker = node.broker
        is_back = node.incarnation > incarnation and broker is not None and broker.lifecycle.state == "RUNNING"
        if is_back or waited_ms >= 2 * _STOP_PATIENCE_MS:
            _restart_in_turn(faults, turns[1:])
        else:
            faults.later(_LOOK_MS, lambda: look(waited_ms + _LOOK_MS))

    faults.later(_LOOK_MS, lambda: look(_LOOK_MS))


def pause(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """The process stands still for a while."""
    return _pause(faults, node, fault.duration_ms, acted)


def long_pause(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """The process stands still for 15 to 60 seconds, longer than any session lasts; one process at a time."""
    if any(one.paused for one in faults.cluster.nodes.values()):
        return False
    return _pause(faults, node, _LONG_PAUSE_MS + 760 * (fault.amount % 60), acted)


def _pause(faults: "Faults", node: SimNode, duration_ms: int, acted: Callable[[], None]) -> bool:
    if node.state == "OFF" or node.paused:
        return False
    acted()
    node.pause()
    incarnation = node.incarnation
    faults.later(duration_ms, lambda: node.resume() if node.incarnation == incarnation else None)
    return True


def late_timers(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """The process is woken up to two seconds late for its deadlines, though it takes in what comes in time."""
    if node.state == "OFF" or node.paused:
        return False
    node.wake_late(faults.until_us(fault), _LATE_WAKE_US, acted)
    return True


STRIKES: "dict[str, Strike]" = {
    "kill": kill,
    "kill several": kill_several,
    "kill all": kill_all,
    "kill at disk operation": kill_at_disk_operation,
    "kill in recovery": kill_in_recovery,
    "fail-back without replication": fail_back_without_replication,
    "stop": stop,
    "rolling restart": rolling_restart,
    "pause": pause,
    "long pause": long_pause,
    "late timers": late_timers,
}
