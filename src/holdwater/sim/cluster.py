"""A whole cluster of brokers that are controllers too, in virtual time, and the words in which stories about it are told.

Everything comes from one seed: delays, timers, ids, what survives a power loss. Times in arguments and results are virtual milliseconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from holdwater.broker.opening import format_node
from holdwater.broker.partitions import HostedPartition
from holdwater.core.quorum import Endpoint, Voter
from holdwater.core.replica import LeaderReplica
from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.kernel.identifiers import uuid_to_text
from holdwater.kernel.rng import Rng
from holdwater.sim.clock import WALL_START_MS, NodeClock, Scheduler
from holdwater.sim.invariants import Unnoticed, Watch
from holdwater.sim.network import Network
from holdwater.sim.node import SimNode
from holdwater.sim.trace import Trace
from holdwater.sim.verdicts import LivenessViolation, SafetyViolation
from holdwater.storage.directories import MetaProperties, format_directory
from holdwater.wire.records import batches

PORT = 9092
CONTROLLER_PORT = 9093
_EXCUSE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What a cluster is made of. ``broker`` are broker keys that every node gets."""

    brokers: int = 3
    broker: Mapping[str, str] = field(default_factory=dict[str, str])
    delay_us: tuple[int, int] = (100, 1_000)
    rare_delay_us: int = 20_000
    drift_ppm_max: int = 100
    wall_offset_ms_max: int = 500
    wake_delay_us: int = 300
    """How late a process may be woken for a deadline."""
    gather_us: int = 0
    """How long a wake may take in events, see ``SimNode``."""
    log_dir_count: int = 1
    """Log directories of each node; the metadata log lies in the first."""

    def drawn(self) -> dict[str, str]:
        """What is not the default, by name."""
        defaults = Settings()
        own = {name: getattr(self, name) for name in ("brokers", "delay_us", "log_dir_count", "drift_ppm_max", "gather_us")}
        return {**self.broker, **{name: str(value) for name, value in own.items() if value != getattr(defaults, name)}}

    @property
    def is_durable(self) -> bool:
        """Whether what is acknowledged survives any number of power losses."""
        return self.broker.get("holdwater.durable.acks") == "true"


class SimCluster:
    """See the module."""

    def __init__(self, seed: int, settings: Settings | None = None) -> None:
        settings = settings if settings is not None else Settings()
        self.seed = seed
        self.settings = settings
        self.rng = Rng(seed)
        self.scheduler = Scheduler()
        self.trace = Trace(lambda: self.scheduler.now_us)
        self.network = Network(
            self.scheduler, self.rng.fork(), self.trace, delay_us=settings.delay_us, rare_delay_us=settings.rare_delay_us
        )
        self.nodes: dict[int, SimNode] = {}
        self.watch = Watch(self.nodes, lambda: self.scheduler.now_us)
        self._format(settings)

    def _format(self, settings: Settings) -> None:
        ids = range(1, settings.brokers + 1)
        cluster_id = self.cluster_id = uuid_to_text(b"\x40" + self.rng.uuid()[1:])
        directories = {node_id: self.rng.uuid() for node_id in ids}
        voters = [Voter(i, directories[i], (Endpoint("CONTROLLER", f"n{i}", CONTROLLER_PORT),)) for i in ids]
        for node_id in ids:
            config = BrokerConfig(_properties(node_id, settings))
            drift = self.rng.uniform_ms(-settings.drift_ppm_max, settings.drift_ppm_max)
            offset = self.rng.uniform_ms(-settings.wall_offset_ms_max, settings.wall_offset_ms_max)
            clock = NodeClock(self.rng.below(1_000_000), drift, offset)
            node = SimNode(config, self.scheduler, self.network, self.trace, clock, self.rng.fork(), settings.wake_delay_us)
            meta = MetaProperties(cluster_id, node_id, directories[node_id])
            format_node(node.disk, config, meta, voters, WALL_START_MS + offset)
            self._format_directories(node, config.log_dirs[1:])
            node.on_event = self.watch.after_event
            node.on_end = self.watch.at_end
            node.gather_us = settings.gather_us
            self.nodes[node_id] = node

    def _format_directories(self, node: SimNode, paths: list[str]) -> None:
        """Make empty directories a node's, each with a new directory id; the disk is settled afterwards."""
        for path in paths:
            format_directory(node.disk, path, MetaProperties(self.cluster_id, node.node_id, self.rng.uuid()))
        node.disk.settle()

    # --- time

    @property
    def now_ms(self) -> int:
        """Virtual time since the beginning."""
        return self.scheduler.now_us // 1000

    def run(self, duration_ms: int) -> None:
        """Let time pass."""
        self.scheduler.run(self.scheduler.now_us + duration_ms * 1000)

    def until(self, what: str, done: Callable[[], bool], limit_ms: int) -> int:
        """Let time pass until ``done()``; returns how long that took. Raises ``LivenessViolation`` after ``limit_ms``."""
        begin_us = self.scheduler.now_us
        if not done() and not self.scheduler.run(begin_us + limit_ms * 1000, done):
            raise LivenessViolation(f"not within {limit_ms} ms: {what}")
        return (self.scheduler.now_us - begin_us) // 1000

    # --- what happens to nodes

    def start(self) -> None:
        """Start every node that is off."""
        for node in self.nodes.values():
            if node.state == "OFF":
                node.start()

    def lose_power(self, node_id: int, *, survivors: Rng | None = None) -> None:
        """A node's machine loses power. What it had acknowledged it still has where acknowledgements are durable.

        Elsewhere nobody may count on it, until it had time to fetch it anew.
        """
        if not self.settings.is_durable:
            self.excuse(node_id)
        self.nodes[node_id].lose_power(survivors=survivors)

    def excuse(self, node_id: int) -> None:
        """Nobody may count on what a node had acknowledged, until it had time to fetch it anew."""
        self.watch.excuse(node_id, self.scheduler.now_us + _EXCUSE_MS * 1000)

    def replace_disk(self, node_id: int) -> None:
        """A node loses power, and then its disk: it gets an empty one, formatted as that of a node that joins the cluster.

        It has new directory ids, and so votes in the metadata quorum no more (KIP-853, ``kafka-storage format --no-initial-controllers``).
        """
        node = self.nodes[node_id]
        self.excuse(node_id)
        node.lose_power()
        node.disk.wipe()
        node.is_voter = False
        self.watch.quorum_seen.pop(node_id, None)
        self._format_directories(node, node.config.log_dirs)
        self.trace.line(node.machine, "has another disk, an empty one")

    def isolate(self, *node_ids: int, towards: bool = True, away: bool = True, owner: int = 0) -> None:
        """A netsplit: these nodes on one side, the other nodes on the other. Clients reach everybody."""
        inside = [self.nodes[node_id].machine for node_id in node_ids]
        outside = [node.machine for node in self.nodes.values() if node.machine not in inside]
        for one in inside:
            for other in outside:
                if away:
                    self.network.cut(one, other, owner=owner)
                if towards:
                    self.network.cut(other, one, owner=owner)

    # --- what can be asked

    def running(self) -> list[SimNode]:
        """Nodes whose broker runs."""
        return [node for node in self.nodes.values() if node.state == "RUNNING"]

    def active_controller(self) -> int | None:
        """The node that is the active controller in the highest quorum epoch."""
        found = [
            (node.broker.metadata.quorum.epoch, node.node_id)
            for node in self.running()
            if node.broker is not None and node.broker.controller_host.is_active
        ]
        return max(found)[1] if found else None

    def all_unfenced(self) -> bool:
        """Every node's image shows every broker unfenced, and every broker knows it."""
        return all(
            node.broker is not None
            and node.broker.lifecycle.state == "RUNNING"
            and sum(not each.fenced for each in node.broker.image.brokers.values()) == len(self.nodes)
            for node in self.nodes.values()
        )

    def metadata_is_settled(self) -> bool:
        """Whether no running node has metadata that are not committed: they may be yet, and ``Watch.newest`` does not show them."""
        running = [node for node in self.nodes.values() if node.broker is not None and node.opened is not None]
        committed = max((node.broker.metadata.quorum.high_watermark for node in running if node.broker is not None), default=-1)
        logs = [node.opened.directories.metadata_log for node in running if node.opened is not None]
        return all(log is None or log.log_end_offset <= committed for log in logs)

    def partitions(self, node: SimNode) -> list[HostedPartition]:
        """A running node's partitions."""
        return node.broker.replicas.hosted() if node.broker is not None else []

    def leader_of(self, topic: str, index: int) -> int | None:
        """The node that leads a partition in the highest leader epoch."""
        found: list[tuple[int, int]] = []
        for node in self.running():
            for partition in self.partitions(node):
                replica = partition.replica
                if partition.topic_partition == (topic, index) and isinstance(replica, LeaderReplica):
                    found.append((replica.leader_epoch, node.node_id))
        return max(found)[1] if found else None

    def is_whole(self) -> bool:
        """Every broker is unfenced, every partition has a leader whose ISR is full, and replicas are equal to the last byte."""
        if not self.all_unfenced():
            return False
        ends: dict[tuple[str, int], list[tuple[int, int]]] = {}
        for node in self.nodes.values():
            for partition in self.partitions(node):
                replica = partition.replica
                if replica is None:
                    return False
                if isinstance(replica, LeaderReplica) and (len(replica.isr) < len(replica.replicas) or replica.proposal is not None):
                    return False
                ends.setdefault(partition.topic_partition, []).append((replica.log.log_end_offset, replica.high_watermark))
        image = self.watch.newest
        for topic_id, index, state in image.partitions():
            if not state.has_leader or len(state.isr) < len(state.replicas):
                return False
            known = ends.get((image.topics[topic_id].name, index), [])
            if len(known) < len(state.replicas) or any(end != known[0][0] or mark != known[0][0] for end, mark in known):
                return False
        return True

    def bytes_below_high_watermark(self, node: SimNode, partition: HostedPartition) -> bytes:
        """A replica's committed bytes."""
        replica = partition.replica
        if replica is None:
            raise SafetyViolation("R2", f"{partition.topic_partition} has no replica on {node}")
        log = replica.log
        parts: list[bytes] = []
        with Unnoticed(node):
            offset = log.log_start_offset
            while offset < replica.high_watermark:
                data = log.read(offset, 1 << 24, replica.high_watermark, at_least_one=True)
                parts.append(data)
                offset = _end_of(data)
        return b"".join(parts)


def _end_of(data: bytes) -> int:
    end = 0
    for _, header, _ in batches(data):
        end = header.base_offset + header.last_offset_delta + 1
    return end


def _properties(node_id: int, settings: Settings) -> dict[str, str]:
    count = settings.brokers
    plain, controller = f"PLAINTEXT://n{node_id}:{PORT}", f"CONTROLLER://n{node_id}:{CONTROLLER_PORT}"
    given = {
        "process.roles": "broker,controller",
        "node.id": str(node_id),
        "controller.quorum.bootstrap.servers": ",".join(f"n{i}:{CONTROLLER_PORT}" for i in range(1, count + 1)),
        "listeners": f"{plain},{controller}",
        "advertised.listeners": f"{plain},{controller}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": ",".join([f"/data/broker-{node_id}", *(f"/data/disk{n}-{node_id}" for n in range(2, settings.log_dir_count + 1))]),
        "default.replication.factor": str(min(count, 3)),
        "min.insync.replicas": "2" if count >= 3 else "1",
    }
    return given | dict(settings.broker)
