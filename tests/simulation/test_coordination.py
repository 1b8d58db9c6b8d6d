"""Groups and transactions whose coordinator dies: everything is done once, everybody agrees again, no transaction hangs.

``Workload.finish`` waits for groups to be stable, jobs to be done and transactions to have ended, and judges what everybody was told.
"""

import pytest

from holdwater.broker.coordinators.kinds import partition_for
from holdwater.sim.cluster import Settings, SimCluster
from holdwater.sim.coordination.plan import (
    CLASSIC,
    MODERN,
    OFFSETS_TOPIC,
    TRANSACTIONS_TOPIC,
    CoordinationPlan,
    GroupPlan,
    WriterPlan,
)
from holdwater.sim.workload import Workload
from holdwater.sim.workloads.plan import WorkloadPlan

TEXTS = {
    "offsets.topic.num.partitions": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.num.partitions": "2",
    "transaction.state.log.replication.factor": "3",
    "group.initial.rebalance.delay.ms": "100",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "4000",
    "group.consumer.min.heartbeat.interval.ms": "100",
    "group.consumer.heartbeat.interval.ms": "500",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
}
FINISHED_WITHIN_MS = 60_000


def begin(seed: int, *groups: GroupPlan, writers: tuple[WriterPlan, ...] = (), echoes: bool = False) -> tuple[SimCluster, Workload]:
    """A cluster whose clients have worked for five seconds."""
    cluster = SimCluster(seed, Settings(broker=TEXTS))
    cluster.start()
    cluster.until("every broker is unfenced", cluster.all_unfenced, 10_000)
    plan = CoordinationPlan(groups=groups, writers=writers, texts=TEXTS, echoes=echoes)
    workload = Workload.from_plan(cluster, cluster.rng.fork(), WorkloadPlan(partitions=1), plan)
    workload.begin()
    cluster.run(5_000)
    return cluster, workload


def kill_coordinator(cluster: SimCluster, topic: str, key: str) -> None:
    """Kill the coordinator of a key, and start it after two seconds."""
    made = cluster.watch.newest.topic(topic)
    assert made is not None
    leader = cluster.leader_of(topic, partition_for(key, len(made.partitions)))
    assert leader is not None
    cluster.nodes[leader].kill()
    cluster.run(2_000)
    cluster.nodes[leader].start()
    cluster.run(5_000)


@pytest.mark.parametrize("protocols", [(CLASSIC,), (MODERN,), (CLASSIC, MODERN)], ids=["classic", "modern", "mixed"])
def test_the_coordinator_of_a_group_dies_three_times(protocols: tuple[str, ...]) -> None:
    cluster, workload = begin(1, GroupPlan(protocols=protocols, members=2))
    for _ in range(3):
        kill_coordinator(cluster, OFFSETS_TOPIC, "workers")
    workload.finish(FINISHED_WITHIN_MS)
    assert workload.counters["error no answer"] > 0
    assert workload.history.read_count >= workload.history.acknowledged_count > 100


@pytest.mark.parametrize("is_cooperative", [False, True], ids=["eager", "cooperative"])
@pytest.mark.parametrize("protocols", [(CLASSIC,), (MODERN,), (CLASSIC, MODERN)], ids=["classic", "modern", "mixed"])
def test_members_come_and_go(protocols: tuple[str, ...], is_cooperative: bool) -> None:
    group = GroupPlan(protocols=protocols, members=3, is_cooperative=is_cooperative, abuse_interval_us=1_000_000)
    cluster, workload = begin(2, group, echoes=True)
    cluster.run(25_000)
    workload.finish(FINISHED_WITHIN_MS)
    met = workload.counters
    assert met["workload member-crashed"] > 0
    assert met["workload member-stood-still"] > 0
    assert met["workload member-left"] > 0
    assert met["error echo UNKNOWN_MEMBER_ID"] > 0


@pytest.mark.parametrize("bumps", [False, True], ids=["classic producers", "transaction version 2"])
def test_each_job_has_one_effect_when_both_coordinators_die(bumps: bool) -> None:
    cluster, workload = begin(3, GroupPlan(members=2, is_transactional=True, bumps=bumps))
    kill_coordinator(cluster, OFFSETS_TOPIC, "workers")
    kill_coordinator(cluster, TRANSACTIONS_TOPIC, "workers-t0")
    workload.finish(FINISHED_WITHIN_MS)
    assert workload.counters["workload transaction-with-offsets"] > 5
    assert workload.counters["workload transaction-committed"] > 5


@pytest.mark.parametrize("bumps", [False, True], ids=["classic producers", "transaction version 2"])
def test_two_producers_fence_each_other_while_their_coordinator_dies(bumps: bool) -> None:
    cluster, workload = begin(4, writers=(WriterPlan(bumps=bumps, has_twin=True, interval_us=400_000),), echoes=True)
    kill_coordinator(cluster, TRANSACTIONS_TOPIC, "writer")
    cluster.run(20_000)
    workload.finish(FINISHED_WITHIN_MS)
    met = workload.counters
    assert met["workload producer-fenced"] > 0
    assert met["workload transaction-committed"] > 10
    assert met["workload transaction-aborted"] > 0
    assert met["workload aborted-batch-left-out"] > 0


def test_a_transaction_that_nobody_ends_is_aborted_when_its_time_is_over() -> None:
    cluster, workload = begin(5, writers=(WriterPlan(hang_chance=1.0, timeout_ms=3_000, interval_us=400_000),))
    cluster.run(20_000)
    workload.finish(FINISHED_WITHIN_MS)
    assert workload.counters["workload transaction-held-too-long"] > 0
    assert "workload transaction-committed" not in workload.counters
