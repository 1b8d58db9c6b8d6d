"""What befalls the network: broken connections, netsplits of every shape, slow and narrow links, and what is rare and legal."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from holdwater.sim.cluster import CONTROLLER_PORT, PORT
from holdwater.sim.network import ANY_PORT, Hindrance
from holdwater.sim.node import SimNode

if TYPE_CHECKING:
    from holdwater.sim.faults import Fault, Faults, Strike

_FLAP_MS = 2_000
_CONNECTS_LATE_US = 1_500_000
_NARROWEST_BYTES_PER_MS = 8
"""Wide enough for what the nodes must say: what a link can't carry piles up, and is still under way when the link is mended."""


def break_connections(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """Every connection between two nodes breaks."""
    return _broken(faults.cluster.network.break_connections(node.machine, faults.other(fault, node).machine), acted)


def break_all_connections(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """Every connection of a node breaks, with clients too."""
    return _broken(faults.cluster.network.break_connections(node.machine), acted)


def _broken(count: int, acted: Callable[[], None]) -> bool:
    if count == 0:
        return False
    acted()
    return True


def netsplit(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """One node is cut off from the others, both ways. Clients reach everybody."""
    acted()
    owner = faults.new_owner()
    faults.cluster.isolate(node.node_id, owner=owner)
    _heal_later(faults, owner, fault.duration_ms)
    return True


def one_way_netsplit(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """One node is heard and hears nobody, or the other way round."""
    acted()
    owner = faults.new_owner()
    faults.cluster.isolate(node.node_id, towards=fault.amount % 2 == 0, away=fault.amount % 2 == 1, owner=owner)
    _heal_later(faults, owner, fault.duration_ms)
    return True


def pair_netsplit(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """Two nodes don't reach each other; the third reaches both."""
    acted()
    owner = faults.new_owner()
    _cut(faults, [node.machine], faults.other(fault, node).machine, 0, owner)
    _heal_later(faults, owner, fault.duration_ms)
    return True


def flapping_netsplit(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """One node is cut off from the others and back again, several times."""
    acted()
    rng = faults.rng_of(fault)
    at_ms = 0
    for _ in range(3 + fault.amount % 6):
        owner = faults.new_owner()
        faults.later(at_ms, lambda owner=owner: faults.cluster.isolate(node.node_id, owner=owner))
        at_ms += rng.uniform_ms(10, _FLAP_MS)
        _heal_later(faults, owner, at_ms)
        at_ms += rng.uniform_ms(1, _FLAP_MS)
    return True


def client_netsplit(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """No client reaches one node, or hears it, or both; the nodes reach each other."""
    nodes = [one.machine for one in faults.cluster.nodes.values()]
    clients = [machine for machine in faults.cluster.network.machines() if machine not in nodes]
    if not clients:
        return False
    acted()
    owner = faults.new_owner()
    _cut(faults, clients, node.machine, fault.amount, owner)
    _heal_later(faults, owner, fault.duration_ms)
    return True


def controller_netsplit(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """The active controller and another node lose each other on the controllers' listener, in one direction or both; elsewhere they meet."""
    active = faults.cluster.active_controller()
    if active is None:
        return False
    acted()
    controller = faults.cluster.nodes[active]
    other = node if node is not controller else faults.other(fault, node)
    owner = faults.new_owner()
    _cut(faults, [controller.machine], other.machine, fault.amount, owner, port=CONTROLLER_PORT)
    _heal_later(faults, owner, fault.duration_ms)
    return True


def replication_netsplit(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """Brokers don't reach each other, or one of them none of the others, on the listener where they fetch. Leaders change all the same, since
    each broker reaches the controllers.
    """
    acted()
    owner = cut_replication(faults, [node] if fault.amount % 3 == 0 else list(faults.cluster.nodes.values()))
    _heal_later(faults, owner, fault.duration_ms)
    return True


def cut_replication(faults: "Faults", nodes: list[SimNode]) -> int:
    """Cut these nodes off from all others on the brokers' listener; returns by what the network heals it."""
    owner = faults.new_owner()
    for node in nodes:
        others = [other.machine for other in faults.cluster.nodes.values() if other is not node]
        _cut(faults, others, node.machine, 0, owner, port=PORT)
    return owner


def _cut(faults: "Faults", machines: list[str], other: str, direction: int, owner: int, *, port: int = ANY_PORT) -> None:
    """Cut machines off from another one: both ways, or only towards it, or only away from it."""
    network = faults.cluster.network
    for machine in machines:
        if direction % 3 != 2:
            network.cut(machine, other, port=port, owner=owner)
        if direction % 3 != 1:
            network.cut(other, machine, port=port, owner=owner)


def _heal_later(faults: "Faults", owner: int, duration_ms: int) -> None:
    faults.later(duration_ms, lambda: faults.cluster.network.heal(owner))


def slow_network(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """Every message takes much longer."""
    acted()
    owner = faults.new_owner()
    faults.cluster.network.slow_down(5 + fault.amount, owner)
    faults.later(fault.duration_ms, lambda: faults.cluster.network.unhinder(owner))
    return True


def slow_node(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """Messages to and from one node take much longer."""
    return _hinder(faults, fault, node, faults.cluster.network.machines(), Hindrance(factor=5 + fault.amount), acted)


def slow_link(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """Messages between two nodes take much longer."""
    return _hinder(faults, fault, node, [faults.other(fault, node).machine], Hindrance(factor=5 + fault.amount), acted)


def narrow_link(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """Few bytes go through between two nodes in a second."""
    hindrance = Hindrance(bytes_per_ms=_NARROWEST_BYTES_PER_MS + fault.amount)
    return _hinder(faults, fault, node, [faults.other(fault, node).machine], hindrance, acted)


def _hinder(faults: "Faults", fault: "Fault", node: SimNode, machines: list[str], hindrance: Hindrance, acted: Callable[[], None]) -> bool:
    acted()
    network = faults.cluster.network
    owner = faults.new_owner()
    for machine in machines:
        network.hinder(node.machine, machine, hindrance, owner)
        network.hinder(machine, node.machine, hindrance, owner)
    faults.later(fault.duration_ms, lambda: network.unhinder(owner))
    return True


def refused_connections(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """The connections of a node break, and for a while some are refused, everywhere, though somebody listens."""
    faults.cluster.network.break_connections(node.machine)
    faults.cluster.network.refuse_some(faults.until_us(fault), acted)
    return True


def late_connections(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """The connections of a node break, and for a while new ones, everywhere, take up to a second and a half longer to be made."""
    faults.cluster.network.break_connections(node.machine)
    faults.cluster.network.connect_late(faults.until_us(fault), _CONNECTS_LATE_US, acted)
    return True


def joined_deliveries(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """What is under way on a connection arrives together."""
    faults.cluster.network.join(faults.until_us(fault), acted)
    return True


STRIKES: "dict[str, Strike]" = {
    "break connections": break_connections,
    "break all connections": break_all_connections,
    "netsplit": netsplit,
    "one-way netsplit": one_way_netsplit,
    "pair netsplit": pair_netsplit,
    "flapping netsplit": flapping_netsplit,
    "client netsplit": client_netsplit,
    "controller netsplit": controller_netsplit,
    "replication netsplit": replication_netsplit,
    "slow network": slow_network,
    "slow node": slow_node,
    "slow link": slow_link,
    "narrow link": narrow_link,
    "refused connections": refused_connections,
    "late connections": late_connections,
    "joined deliveries": joined_deliveries,
}
