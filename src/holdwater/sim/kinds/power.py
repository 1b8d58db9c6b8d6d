"""What befalls machines: power losses, and a disk that has to be replaced."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from holdwater.sim.node import SimNode

if TYPE_CHECKING:
    from holdwater.sim.faults import Fault, Faults, Strike

_VOTERS_MIN = 3
"""With fewer of them the quorum would not survive the loss of one for good."""


def power_loss(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """One machine loses power, and what was not synced with it.

    Where acknowledgements are not durable this befalls one machine at a time, while every ISR is full.
    """
    if node.state != "RUNNING" or not faults.may_lose_tail(node):
        return False
    acted()
    faults.lost_tail(node)
    rng = faults.rng_of(fault)
    faults.cluster.lose_power(node.node_id, survivors=rng.fork() if fault.amount % 3 else None)
    faults.start_later(node, fault.duration_ms)
    return True


def power_loss_of_all(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """All machines lose power at once. Only where acknowledgements are durable: elsewhere they are lost, as they are with Kafka."""
    cluster = faults.cluster
    running = [one for one in cluster.nodes.values() if one.state != "OFF"]
    if not cluster.settings.is_durable or len(running) < len(cluster.nodes):
        return False
    acted()
    rng = faults.rng_of(fault)
    for one in running:
        cluster.lose_power(one.node_id, survivors=rng.fork() if fault.amount % 3 else None)
        faults.start_later(one, rng.uniform_ms(0, fault.duration_ms))
    return True


def disk_replaced(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """A machine loses its disk for good, and comes back with an empty one: a broker that has everything to fetch, and votes no more.

    One node in a seed, while every node runs and every ISR is full: the voters that are left must all be there for the quorum to decide.
    """
    cluster = faults.cluster
    if faults.has_replaced_disk or len(cluster.nodes) < _VOTERS_MIN or node.state != "RUNNING" or not faults.may_lose_disk():
        return False
    acted()
    faults.has_replaced_disk = True
    faults.lost_disk(node)
    cluster.replace_disk(node.node_id)
    faults.start_later(node, fault.duration_ms)
    return True


STRIKES: "dict[str, Strike]" = {
    "power loss": power_loss,
    "power loss of all": power_loss_of_all,
    "disk replaced": disk_replaced,
}
