"""Brokers die under a workload: nothing acknowledged is lost, nothing is there twice, order is kept, and everybody comes back.

``Workload.finish`` waits for the cluster to be whole (every write answered, every ISR full, replicas equal, everything read) and judges the
history; the invariants are checked after each event on the way.
"""

import pytest

from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.workload import TOPIC, Workload

WHOLE_WITHIN_MS = 30_000


def begin(seed: int) -> tuple[SimCluster, Workload]:
    """A cluster with a topic of three partitions and clients at work."""
    cluster = SimCluster(seed)
    cluster.start()
    cluster.until("every broker is unfenced", cluster.all_unfenced, 5_000)
    workload = Workload(cluster, cluster.rng.fork(), consumers=2)
    workload.begin()
    cluster.run(3_000)
    return cluster, workload


def end(cluster: SimCluster, workload: Workload, *, at_least: int) -> None:
    workload.finish(WHOLE_WITHIN_MS)
    history = workload.history
    assert history.acknowledged_count >= at_least
    assert history.acknowledged_count == len(history.sent)
    assert history.read_count == len(workload.consumers) * history.acknowledged_count


def acknowledged_after(workload: Workload, moment_us: int) -> dict[int, int]:
    """When the first record that was sent after a moment was acknowledged, by partition."""
    first: dict[int, int] = {}
    for sent in workload.history.sent.values():
        if sent.sent_us > moment_us and sent.answered_us >= 0:
            first[sent.index] = min(first.get(sent.index, sent.answered_us), sent.answered_us)
    return first


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_leader_is_killed_and_comes_back(seed: int) -> None:
    cluster, workload = begin(seed)
    leader = cluster.leader_of(TOPIC, 0)
    assert leader is not None
    killed_us = cluster.scheduler.now_us
    cluster.nodes[leader].kill()
    cluster.run(10_000)
    assert cluster.leader_of(TOPIC, 0) not in {None, leader}
    first = acknowledged_after(workload, killed_us)
    assert len(first) == 3
    assert max(first.values()) - killed_us < 3_000_000
    cluster.nodes[leader].start()
    cluster.run(10_000)
    end(cluster, workload, at_least=150)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_active_controller_is_killed_and_comes_back(seed: int) -> None:
    cluster, workload = begin(seed)
    controller = cluster.active_controller()
    assert controller is not None
    cluster.nodes[controller].kill()
    cluster.until("another active controller", lambda: cluster.active_controller() not in {None, controller}, 3_000)
    cluster.run(5_000)
    cluster.nodes[controller].start()
    cluster.run(5_000)
    end(cluster, workload, at_least=100)


@pytest.mark.parametrize("seed", [1, 2])
def test_each_broker_is_killed_in_turn_as_soon_as_the_cluster_is_whole_again(seed: int) -> None:
    cluster, workload = begin(seed)
    for turn in range(9):
        node = cluster.nodes[turn % 3 + 1]
        node.kill()
        cluster.run(cluster.rng.uniform_ms(0, 4_000))
        node.start()
        cluster.until("whole again", lambda: is_back(cluster), WHOLE_WITHIN_MS)
    end(cluster, workload, at_least=50)


def is_back(cluster: SimCluster) -> bool:
    """Whether every ISR is full, though records are on their way."""
    return cluster.all_unfenced() and all(len(state.isr) == 3 for _, _, state in cluster.watch.newest.partitions())


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_follower_loses_power_with_a_random_part_of_what_it_had_not_synced(seed: int) -> None:
    cluster, workload = begin(seed)
    leader = cluster.leader_of(TOPIC, 0)
    follower = next(node_id for node_id in cluster.nodes if node_id != leader)
    cluster.lose_power(follower, survivors=Rng(seed) if seed % 2 else None)
    cluster.run(5_000)
    cluster.nodes[follower].start()
    cluster.run(5_000)
    end(cluster, workload, at_least=100)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_leader_loses_power_and_is_back_at_once(seed: int) -> None:
    cluster, workload = begin(seed)
    leader = cluster.leader_of(TOPIC, 0)
    assert leader is not None
    cluster.lose_power(leader)
    cluster.run(20)
    cluster.nodes[leader].start()
    cluster.run(5_000)
    end(cluster, workload, at_least=50)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_brokers_are_killed_at_once_and_are_back_within_seconds(seed: int) -> None:
    cluster, workload = begin(seed)
    for node in cluster.nodes.values():
        node.kill()
    cluster.run(200)
    cluster.start()
    assert cluster.until("whole again", lambda: is_back(cluster), WHOLE_WITHIN_MS) < 4_000
    end(cluster, workload, at_least=30)
