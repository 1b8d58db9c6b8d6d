"""One at a time: a record of 100 bytes, its acknowledgement, the next. acks=all with three replicas, and acks=1 with one."""

from benchmarks.clusters import Cluster
from benchmarks.options import PARTITIONS
from benchmarks.session import Session

WORKLOADS = {"acks=all RF 3": ("all", 3), "acks=1 RF 1": ("1", 1)}
_SIZE = 100


def run(session: Session) -> None:
    """Fresh: both kinds after each other on a new cluster. Warm: as in ``throughput``."""
    if "fresh" in session.modes:
        for turn in range(session.sizes.rounds):
            for system in session.ordered(turn):
                with session.fresh(system) as cluster:
                    for workload in WORKLOADS:
                        _ask(session, cluster, workload, "fresh", turn)
    if "warm" in session.modes:
        for workload in WORKLOADS:
            for system in session.systems:
                with session.warm(system) as cluster:
                    session.say(f"requests: {workload} warm, load that is not counted on {cluster.name}")
                    _ask(session, cluster, workload, "warm", -1)
            for turn in range(session.sizes.rounds):
                for system in session.ordered(turn):
                    with session.warm(system) as cluster:
                        _ask(session, cluster, workload, "warm", turn)


def _ask(session: Session, cluster: Cluster, workload: str, mode: str, turn: int) -> None:
    acks, replicas = WORKLOADS[workload]
    topic = session.topic(cluster, f"requests-{acks}-{mode}-{turn if turn >= 0 else 'discarded'}", replicas=replicas)
    seconds = session.sizes.run_s if turn >= 0 else session.sizes.warm_up_s
    arguments = {"topic": topic, "partitions": PARTITIONS, "size": _SIZE, "seconds": seconds, "client": {"acks": acks}}
    found, load = session.load(cluster, "one_at_a_time", **arguments)
    session.delete(cluster, topic)
    if turn < 0:
        return
    figures = {
        "per_s": found["acknowledged"] / found["seconds"],
        "cpu_us": found["broker_cpu_s"] * 1e6 / max(1, found["acknowledged"]),
        **{key: found[key] for key in ("p50_ms", "p99_ms", "max_ms", "failed")},
    }
    said = (
        f"{figures['per_s']:,.0f}/s, p50 {found['p50_ms']:.3f} ms, p99 {found['p99_ms']:.3f} ms, broker CPU {figures['cpu_us']:.0f} us each"
    )
    session.keep({"part": "requests", "mode": mode, "workload": workload, "system": cluster.name, "round": turn, **figures}, load, said)
