"""What a cluster on this machine consists of: ids, ports, directories, and each node's configuration. Kept as ``cluster.json`` in its directory.

The plan is made once. A cluster that is started again from its directory has the same cluster id, voters and ports.
"""

import json
import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from holdwater.kernel.identifiers import uuid_from_text, uuid_to_text

PLAN_FILE = "cluster.json"
_PLAN_VERSION = 1
_PORTS_TRIED = 200


class ClusterError(Exception):
    """Something a person can mend: one line that names what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node: broker and controller in one, as in Kafka's combined mode."""

    node_id: int
    port: int
    controller_port: int
    directory_id: str
    rack: str | None = None


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """A cluster. ``settings`` are broker keys that every node gets."""

    cluster_id: str
    host: str
    nodes: list[NodePlan]
    settings: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def bootstrap(self) -> str:
        """Addresses for clients."""
        return ",".join(f"{self.host}:{node.port}" for node in self.nodes)

    def node(self, node_id: int) -> NodePlan:
        """One node. Raises ``ClusterError``."""
        for node in self.nodes:
            if node.node_id == node_id:
                return node
        raise ClusterError(f"there is no broker {node_id}: this cluster has {', '.join(str(node.node_id) for node in self.nodes)}")

    def properties(self, node: NodePlan, directory: Path) -> dict[str, str]:
        """The node's ``server.properties``."""
        count = len(self.nodes)
        replicas = str(min(count, 3))
        min_isr = "2" if count >= 3 else "1"
        given = {
            "process.roles": "broker,controller",
            "node.id": str(node.node_id),
            "controller.quorum.bootstrap.servers": ",".join(f"{self.host}:{each.controller_port}" for each in self.nodes),
            "listeners": f"PLAINTEXT://{self.host}:{node.port},CONTROLLER://{self.host}:{node.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.host}:{node.port},CONTROLLER://{self.host}:{node.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(directory / f"broker-{node.node_id}"),
            "default.replication.factor": replicas,
            "min.insync.replicas": min_isr,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": min_isr,
        }
        if node.rack is not None:
            given["broker.rack"] = node.rack
        return given | self.settings

    def save(self, directory: Path) -> None:
        """Write ``cluster.json``."""
        text = json.dumps({"version": _PLAN_VERSION, **asdict(self)}, indent=2)
        (directory / PLAN_FILE).write_text(text + "\n", encoding="utf-8")


def load_plan(directory: Path) -> ClusterPlan | None:
    """The plan in a directory, ``None`` when there is none. Raises ``ClusterError`` when it can't be read."""
    path = directory / PLAN_FILE
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.pop("version") != _PLAN_VERSION:
            raise ClusterError(f"{path} was written by another version of holdwater; start with another --data directory")
        nodes = [NodePlan(**node) for node in found.pop("nodes")]
        for node in nodes:
            uuid_from_text(node.directory_id)
        return ClusterPlan(nodes=nodes, **found)
    except (ValueError, KeyError, TypeError) as problem:
        raise ClusterError(f"{path} can't be read ({problem}); restore it, or start with another --data directory") from problem


def make_plan(*, brokers: int, host: str, port: int, racks: list[str], settings: Mapping[str, str]) -> ClusterPlan:
    """A new cluster. With ``port`` 0 free ports are looked for below the range from which the system gives ports to clients."""
    ports = _free_ports(host, brokers) if port == 0 else [(port + index, port + 100 + index) for index in range(brokers)]
    nodes = [
        NodePlan(index + 1, ports[index][0], ports[index][1], uuid_to_text(new_id()), rack)
        for index, rack in enumerate(dealt(racks, brokers))
    ]
    return ClusterPlan(uuid_to_text(new_id()), host, nodes, dict(settings))


def dealt(racks: list[str], brokers: int) -> list[str | None]:
    """The rack of each broker in turn."""
    return [racks[index % len(racks)] if racks else None for index in range(brokers)]


def new_id() -> bytes:
    """A random id for a cluster or a directory."""
    while True:
        raw = secrets.token_bytes(16)
        if not uuid_to_text(raw).startswith("-") and raw[:8] != bytes(8):  # Kafka avoids both: a leading dash reads as a flag
            return raw


def _free_ports(host: str, count: int) -> list[tuple[int, int]]:
    for _ in range(_PORTS_TRIED):
        base = 10_000 + secrets.randbelow(21_000)
        wanted = [(base + index, base + 100 + index) for index in range(count)]
        if all(_is_free(host, port) for pair in wanted for port in pair):
            return wanted
    raise ClusterError(f"no free ports found on {host}; name one with --port")


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def bind(host: str, port: int, otherwise: str = "choose another with --port (0 takes free ones)", *, queues: bool = False) -> socket.socket:
    """A bound socket; who connects before the node listens on it waits with ``queues``, and is refused without.

    Without it another process may still come first and listen on the port, which shows when the node wants to. Raises ``ClusterError`` that
    names the port, and what else the user can do.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        if queues:
            sock.listen(512)
    except OSError as problem:
        sock.close()
        raise ClusterError(f"can't listen on {host}:{port}: {problem.strerror or problem}; stop what uses it, or {otherwise}") from problem
    return sock
