"""Every kind of fault acts on a cluster at work, and the cluster recovers from it; and how schedules are drawn."""

import pytest

from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import Settings, SimCluster
from holdwater.sim.faults import CONTROLLER, KINDS, LEADER, ONLY_DURABLE, SURE, Fault, Faults, draw_schedule
from holdwater.sim.kinds import disk, process
from holdwater.sim.kinds.damage import place_of_damage
from holdwater.sim.kinds.disk import place_to_flip
from holdwater.sim.workload import TOPIC, Workload
from holdwater.wire.records import Record, build_batch

NODES = 3
STRIKES = 5
EACH_MS = 1_500
WITHIN_MS = 60_000
SMALL = {"log.index.interval.bytes": "200", "log.roll.ms": "2000"}


def faults_of(kind: str) -> tuple[Fault, ...]:
    """Faults of one kind, one after the other, on every sort of victim."""
    victims = [LEADER, 1, CONTROLLER, 2, 3]
    return tuple(
        Fault(EACH_MS * turn, kind, victims[turn % len(victims)], 400 * turn, (7 * turn) % 60, 1 + turn % NODES) for turn in range(STRIKES)
    )


def play(kind: str, seed: int) -> Faults:
    """A cluster under faults of one kind, and the judgement when they are over."""
    durable = {"holdwater.durable.acks": "true"} if kind in ONLY_DURABLE else {}
    cluster = SimCluster(seed, Settings(broker=SMALL | durable, log_dir_count=2))
    workload = Workload(cluster, Rng(seed), interval_us=100_000)
    faults = Faults(cluster, faults_of(kind), (TOPIC,), Rng(seed + 1))
    workload.bits_flipped = lambda: "bit flips" in faults.counts
    cluster.start()
    cluster.until("every broker is unfenced", cluster.all_unfenced, 10_000)
    workload.begin()
    cluster.run(3_000)
    faults.begin()
    cluster.run(EACH_MS * STRIKES)
    faults.end()
    workload.finish(WITHIN_MS)
    return faults


@pytest.mark.parametrize("kind", KINDS)
def test_it_acts_and_the_cluster_recovers(kind: str) -> None:
    faults = play(kind, 1)
    assert list(faults.counts) == [kind]
    assert faults.counts[kind] <= STRIKES


def test_the_same_faults_on_the_same_cluster_are_the_same_run() -> None:
    digests = [play(kind, 2).cluster.trace.digest for kind in ("flapping netsplit", "damaged log") for _ in range(2)]
    assert digests[0] == digests[1] != digests[2] == digests[3]


@pytest.mark.parametrize("kind", ["kill at disk operation", "read error", "write error", "full disk", "sync error"])
def test_what_waits_on_a_disk_waits_while_another_node_lacks_what_it_had_acknowledged(kind: str) -> None:
    cluster = SimCluster(3, Settings(broker=SMALL))
    workload = Workload(cluster, Rng(3), interval_us=100_000)
    faults = Faults(cluster, (), (TOPIC,), Rng(4))
    cluster.start()
    cluster.until("every broker is unfenced", cluster.all_unfenced, 10_000)
    workload.begin()
    cluster.run(3_000)
    acted: list[int] = []
    dark, other = cluster.nodes[3], cluster.nodes[2]
    faults.lost_disk(dark)
    dark.kill()
    kinds = process.STRIKES | disk.STRIKES
    assert kinds[kind](faults, Fault(0, kind, 2, 60_000, 0, 1), other, lambda: acted.append(cluster.scheduler.now_us))
    cluster.run(5_000)
    assert acted == []
    dark.start()
    cluster.run(20_000)
    assert acted != []


# --- what a fault has of its own


def test_randomness_of_a_fault_does_not_depend_on_the_others() -> None:
    cluster = SimCluster(1)
    one, other = faults_of("kill")[:2]
    alone, together = Faults(cluster, (one,), (TOPIC,), Rng(5)), Faults(cluster, (other, one), (TOPIC,), Rng(5))
    together.rng_of(other).below(1 << 40)
    assert alone.rng_of(one).below(1 << 40) == together.rng_of(one).below(1 << 40)
    assert alone.rng_of(one).below(1 << 40) != alone.rng_of(other).below(1 << 40)
    assert alone.rng_of(one).below(1 << 40) != Faults(cluster, (one,), (TOPIC,), Rng(6)).rng_of(one).below(1 << 40)


def test_faults_that_aim_at_a_topic_that_nobody_has_made_hit_the_next_one() -> None:
    cluster = SimCluster(1)
    workload = Workload(cluster, Rng(1), interval_us=100_000)
    cluster.start()
    cluster.until("every broker is unfenced", cluster.all_unfenced, 10_000)
    workload.begin()
    cluster.run(3_000)
    leaders = [Faults(cluster, (), topics, Rng(1)).leader() for topics in ((TOPIC,), ("not-made", TOPIC), ("not-made",))]
    assert leaders[0] is leaders[1] is not None
    assert leaders[2] is None


def batches_of(count: int) -> bytes:
    """Batches of one record."""
    return b"".join(build_batch([Record(offset, 1_000, None, b"value")], base_offset=offset, leader_epoch=3) for offset in range(count))


def test_bits_are_flipped_everywhere_but_in_leader_epochs() -> None:
    data = batches_of(3)
    length = len(data) // 3
    rng = Rng(1)
    places = {place_to_flip(data, rng) for _ in range(20_000)}
    epochs = {length * number + at for number in range(3) for at in range(12, 16)}
    assert places == set(range(len(data))) - epochs
    assert place_to_flip(data[7:], rng) is None
    assert place_to_flip(b"", rng) is None


def test_a_leader_epoch_is_damaged_only_where_recovery_knows_it() -> None:
    data = batches_of(3)
    length = len(data) // 3
    rng = Rng(1)
    places = {place_of_damage(data + b"torn", 1, rng) for _ in range(20_000)}
    epochs = {length * number + at for number in (1, 2) for at in range(12, 16)}
    assert places == set(range(len(data))) - epochs
    assert place_of_damage(b"torn", 1, rng) is None


# --- schedules


def drawn(seed: int, *, durable: bool = False) -> tuple[Fault, ...]:
    return draw_schedule(Rng(seed), nodes=NODES, length_ms=60_000, mean_gap_ms=4_000, durable=durable)


def test_a_schedule_comes_from_its_seed_alone() -> None:
    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_each_seed_has_some_kinds_on_and_one_at_least_that_is_sure_to_act() -> None:
    kinds = [{fault.kind for fault in drawn(seed)} for seed in range(200)]
    assert all(len(each) < len(KINDS) // 2 for each in kinds)
    assert {kind for each in kinds for kind in each} == set(KINDS) - set(ONLY_DURABLE)
    assert sum(bool(each & set(SURE)) for each in kinds) > 150


def test_power_losses_of_all_machines_are_for_durable_clusters() -> None:
    assert {fault.kind for seed in range(200) for fault in drawn(seed, durable=True)} == set(KINDS)


def test_a_minute_has_about_a_dozen_faults() -> None:
    counts = [len(drawn(seed)) for seed in range(200)]
    assert min(counts) >= 8
    assert 12 < sum(counts) / len(counts) < 17


def test_a_power_loss_of_all_machines_strikes_no_cluster_that_is_not_durable() -> None:
    cluster = SimCluster(1)
    cluster.start()
    cluster.until("every broker is unfenced", cluster.all_unfenced, 10_000)
    faults = Faults(cluster, faults_of("power loss of all"), (TOPIC,), Rng(1))
    faults.begin()
    cluster.run(EACH_MS * STRIKES)
    assert faults.counts == {}
    assert cluster.all_unfenced()
