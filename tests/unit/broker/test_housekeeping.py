"""Retention and compaction as a broker schedules them: on leaders and followers alike, by its timers, over whole clusters on simulated machines."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from tests.support.compaction import keyed, pairs, read_everywhere, stored

from holdwater.broker.partitions import HostedPartition
from holdwater.core.replica import LeaderReplica
from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import Settings, SimCluster
from holdwater.sim.node import SimNode
from holdwater.sim.workload import TOPIC, Workload
from holdwater.storage.log import PartitionLog
from holdwater.wire.records import parse_header

SOON = {"log.initial.task.delay.ms": "500", "log.retention.check.interval.ms": "1000", "log.cleaner.backoff.ms": "500"}


class World:
    """A cluster with one partition, to whose leader batches are handed."""

    def __init__(self, topic: Mapping[str, str], broker: Mapping[str, str] | None = None, *, brokers: int = 1) -> None:
        self.cluster = SimCluster(1, Settings(brokers=brokers, broker={**SOON, **(broker or {})}))
        self.cluster.start()
        self.cluster.until("the brokers are unfenced", self.cluster.all_unfenced, 10_000)
        Workload(self.cluster, Rng(1), partitions=1, producers=0, consumers=0, texts=topic).begin()
        self.cluster.run(500)

    @property
    def nodes(self) -> list[SimNode]:
        return list(self.cluster.nodes.values())

    def partition(self, node: SimNode) -> HostedPartition:
        assert node.broker is not None
        found = node.broker.replicas.by_name(TOPIC, 0)
        assert found is not None
        return found

    def log(self, node: SimNode) -> PartitionLog:
        log = self.partition(node).log
        assert isinstance(log, PartitionLog)
        return log

    def write(self, *batches: tuple[str, str | None]) -> None:
        """One batch of one record each, half a second apart."""
        for pair in batches:
            node = self.cluster.nodes[self.cluster.leader_of(TOPIC, 0) or 1]
            partition, broker = self.partition(node), node.broker
            assert isinstance(partition.replica, LeaderReplica)
            assert broker is not None
            data = keyed(pair, timestamp_ms=broker.wall_ms)
            assert partition.replica.append(data, parse_header(data), -1, broker.wall_ms).error_code == 0
            broker.replicas.leader_appended(partition, partition.replica)
            broker.flush()
            self.cluster.run(500)


COMPACTED = {"cleanup.policy": "compact", "segment.ms": "1000", "min.cleanable.dirty.ratio": "0.01"}


def rounds(keys: int, count: int) -> list[tuple[str, str | None]]:
    return [(f"k{n % keys}", str(n)) for n in range(count)]


def test_every_replica_compacts_its_log() -> None:
    world = World(COMPACTED, brokers=3)
    world.write(*rounds(2, 20))
    world.cluster.run(3_000)
    for node in world.nodes:
        log = world.log(node)
        assert log.log_end_offset == 20
        found = pairs(stored(log))
        assert found[-2:] == [(18, "k0", "18"), (19, "k1", "19")]
        assert len(found) < 8, "only the newest of the inactive segments, and the active one"
        read_everywhere(log)


def test_a_new_replica_is_filled_over_the_gaps() -> None:
    world = World(COMPACTED, brokers=3)
    world.write(*rounds(2, 20))
    world.cluster.run(3_000)
    follower = next(node for node in world.nodes if node.node_id != world.cluster.leader_of(TOPIC, 0))
    world.cluster.replace_disk(follower.node_id)
    world.cluster.run(1_000)
    follower.start()
    world.cluster.run(8_000)
    log = world.log(follower)
    assert log.log_end_offset == 20
    assert pairs(stored(log))[-2:] == [(18, "k0", "18"), (19, "k1", "19")]
    follower.kill()
    follower.start()
    world.cluster.run(5_000)
    assert world.log(follower).log_end_offset == 20
    assert world.partition(follower).failure is None


def test_a_killed_broker_goes_on_where_compaction_was() -> None:
    world = World(COMPACTED)
    world.write(*rounds(2, 12))
    world.cluster.run(3_000)
    node = world.nodes[0]
    before = pairs(stored(world.log(node)))
    assert len(before) < 8
    node.kill()
    node.start()
    world.cluster.until("it leads again", lambda: world.cluster.leader_of(TOPIC, 0) == 1, 5_000)
    assert pairs(stored(world.log(node))) == before
    world.write(*rounds(2, 12))
    world.cluster.run(3_000)
    assert len(stored(world.log(node))) < 8


def test_compaction_can_be_switched_off() -> None:
    world = World(COMPACTED, {"log.cleaner.enable": "false"})
    world.write(*rounds(2, 10))
    world.cluster.run(20_000)
    assert len(stored(world.log(world.nodes[0]))) == 10


def test_a_slow_rate_is_kept_to() -> None:
    world = World(COMPACTED, {"log.cleaner.io.max.bytes.per.second": "100"})
    world.write(*rounds(2, 10))
    world.cluster.run(1_000)
    assert len(stored(world.log(world.nodes[0]))) > 6
    world.cluster.run(60_000)
    assert len(stored(world.log(world.nodes[0]))) < 6


def test_no_timer_of_compaction_runs_without_a_compacted_topic() -> None:
    quiet = World({})
    busy = World(COMPACTED)
    counts: list[int] = []
    for world in (quiet, busy):
        broker = world.nodes[0].broker
        assert broker is not None
        counts.append(broker.timers.pending_count)
    assert counts[1] == counts[0] + 1


def test_what_is_too_old_goes_on_every_replica_and_fetches_learn_of_it() -> None:
    world = World({"segment.ms": "1000", "retention.ms": "3000"}, brokers=3)
    world.write(*rounds(2, 10))
    starts = [world.log(node).log_start_offset for node in world.nodes]
    assert all(0 < start < 10 for start in starts)
    world.cluster.run(6_000)
    for node in world.nodes:
        assert (world.log(node).log_start_offset, world.log(node).log_end_offset) == (10, 10)
    world.write(("a", "after"))
    assert [pairs(stored(world.log(node))) for node in world.nodes] == [[(10, "a", "after")]] * 3


def test_fetch_sessions_are_told_of_the_new_start() -> None:
    world = World({"segment.ms": "1000", "retention.bytes": "0"})
    partition = world.partition(world.nodes[0])
    world.write(("a", "1"))
    context: Any = SimpleNamespace(dirty={}, parked=None)
    item: Any = _Item(context)
    partition.consumer_items[item] = None
    world.cluster.run(2_000)
    assert partition.log.log_start_offset == 1
    assert context.dirty == {item: None}


class _Item:
    def __init__(self, context: object) -> None:
        self.context = context


def test_what_is_too_much_goes() -> None:
    world = World({"segment.ms": "1000", "retention.bytes": "300"})
    world.write(*rounds(2, 12))
    world.cluster.run(2_000)
    log = world.log(world.nodes[0])
    assert 0 < log.log_start_offset < 12
    assert 300 <= log.size_bytes() < 600


def test_no_record_above_the_high_watermark_goes() -> None:
    world = World({"segment.ms": "1000", "retention.ms": "0", "min.insync.replicas": "2"}, brokers=3)
    leader_id = world.cluster.leader_of(TOPIC, 0)
    for node in world.nodes:
        if node.node_id != leader_id:
            node.kill()
    world.write(*rounds(2, 2))
    world.cluster.run(5_000)
    assert leader_id is not None
    log = world.log(world.cluster.nodes[leader_id])
    assert (log.log_start_offset, log.log_end_offset) == (0, 2)


def test_max_compaction_lag_ends_segments_and_needs_no_share_of_new_records() -> None:
    texts = {"cleanup.policy": "compact", "max.compaction.lag.ms": "1000", "min.cleanable.dirty.ratio": "1.0"}
    world = World(texts)
    world.write(*rounds(2, 12))
    world.cluster.run(3_000)
    assert world.log(world.nodes[0]).segment_count > 1
    assert len(stored(world.log(world.nodes[0]))) < 8


def test_a_damaged_log_is_left_as_it_is() -> None:
    world = World(COMPACTED)
    node = world.nodes[0]
    world.write(*rounds(2, 6))
    log = world.log(node)
    node.disk.damage(f"{log.path}/{0:020d}.log", 30, 1)
    before = node.disk.read_file(f"{log.path}/{0:020d}.log")
    world.write(*rounds(2, 6))
    world.cluster.run(5_000)
    assert node.disk.read_file(f"{log.path}/{0:020d}.log") == before
    assert world.partition(node).failure is None
    said = [line for line in world.cluster.trace.last if "cannot be compacted" in line]
    assert len(said) == 1, "it is tried again later, not at every look"
    assert not [name for name in node.disk.list_directory(log.path) if name.endswith((".cleaned", ".swap"))]
