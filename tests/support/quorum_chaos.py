"""One seed of disorder for a quorum: crashes, power losses, netsplits, snapshots, then peace, in which everything must converge.

Faults keep the data recoverable: disks survive, and a power loss takes only what was not synced.
"""

from typing import Any

from tests.support.quorum_cluster import Cluster

from holdwater.core.quorum import NotLeader
from holdwater.kernel.rng import Rng

PEACE_LIMIT_MS = 30_000


def chaos(seed: int, *, steps: int = 40, **options: Any) -> Cluster:
    """Run the seed; the cluster's watch has checked M1 to M4 after every step. Returns it for more questions."""
    rng = Rng(seed * 7919 + 1)
    size = [1, 3, 3, 3, 5][rng.below(5)]
    cluster = Cluster(
        seed=seed,
        voters=size,
        observers=rng.below(3),
        static=rng.chance(0.2),
        tick_delay_ms=[0, 5, 60][rng.below(3)],
        latency_ms=[(1, 3), (1, 40), (5, 200)][rng.below(3)],
        fetch_max_bytes=[200, 8 * 1024 * 1024][rng.below(2)],
        snapshot_slice_bytes=[100, 8 * 1024 * 1024][rng.below(2)],
        **options,
    )
    actions = [_append, _append, _append, _kill, _start, _power_loss, _isolate, _cut_one_way, _heal, _snapshot, _close, _resign]
    chosen = [action for action in actions if rng.chance(0.75)]
    for _ in range(steps):
        cluster.run(rng.uniform_ms(1, 400 if rng.chance(0.8) else 4000))
        if chosen:
            chosen[rng.below(len(chosen))](cluster, rng)
    make_peace(cluster)
    return cluster


def make_peace(cluster: Cluster) -> None:
    """Heal and start everything; a leader must be found and every log become the same within the limit."""
    cluster.heal()
    for node_id, machine in cluster.machines.items():
        if machine.quorum is None:
            cluster.start(node_id)
    cluster.run_until(cluster.converged, PEACE_LIMIT_MS)
    cluster.append(1)
    cluster.run_until(cluster.converged, PEACE_LIMIT_MS)
    cluster.watch.check_logs()


def _some(rng: Rng, nodes: list[int]) -> int | None:
    return nodes[rng.below(len(nodes))] if nodes else None


def _append(cluster: Cluster, rng: Rng) -> None:
    for node_id in cluster.running():
        if cluster.quorum(node_id).is_leader:
            try:
                cluster.append(1 + rng.below(4), node_id, value=bytes(rng.below(60)))
            except NotLeader:
                raise AssertionError("a leader refused to append") from None


def _kill(cluster: Cluster, rng: Rng) -> None:
    node_id = _some(rng, cluster.running())
    if node_id is not None:
        cluster.kill(node_id)


def _power_loss(cluster: Cluster, rng: Rng) -> None:
    node_id = _some(rng, list(cluster.machines))
    if node_id is not None:
        cluster.power_loss(node_id)


def _start(cluster: Cluster, rng: Rng) -> None:
    node_id = _some(rng, [n for n, machine in cluster.machines.items() if machine.quorum is None])
    if node_id is not None:
        cluster.start(node_id)


def _isolate(cluster: Cluster, rng: Rng) -> None:
    nodes = [n for n in cluster.machines if rng.chance(0.35)]
    if nodes:
        cluster.isolate(*nodes)


def _cut_one_way(cluster: Cluster, rng: Rng) -> None:
    source, target = _some(rng, list(cluster.machines)), _some(rng, list(cluster.machines))
    if source is not None and target is not None and source != target:
        cluster.block(source, target)


def _heal(cluster: Cluster, rng: Rng) -> None:
    cluster.heal()


def _snapshot(cluster: Cluster, rng: Rng) -> None:
    node_id = _some(rng, cluster.running())
    if node_id is None:
        return
    quorum = cluster.quorum(node_id)
    latest = quorum.latest_snapshot
    log = cluster.machines[node_id].log
    floor = max(log.log_start_offset, latest.end_offset if latest else 0)
    ends = [batch.last_offset + 1 for batch in log.batches if floor < batch.last_offset + 1 <= quorum.high_watermark]
    if ends:
        cluster.snapshot(node_id, ends[rng.below(len(ends))], [bytes(50)] * 5)
        if rng.chance(0.7):
            quorum.discard_before_snapshot()


def _close(cluster: Cluster, rng: Rng) -> None:
    one, other = _some(rng, cluster.running()), _some(rng, cluster.running())
    if one is not None and other is not None and one != other:
        cluster.close_connection(one, other)
        cluster.close_connection(other, one)


def _resign(cluster: Cluster, rng: Rng) -> None:
    leader = cluster.leader()
    if leader is not None:
        cluster.resign(leader)
        cluster.run(rng.uniform_ms(0, 300))
        if cluster.machines[leader].quorum is not None:
            cluster.kill(leader)
