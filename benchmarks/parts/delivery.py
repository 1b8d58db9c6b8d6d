"""Delivery reports at a fixed 2,000 records of 1 KiB a second, acks=all, three replicas, round robin over six partitions, stock client settings."""

from benchmarks.clusters import Cluster
from benchmarks.options import PARTITIONS
from benchmarks.session import Session

RATE = 2000
_SIZE = 1024


def run(session: Session) -> None:
    """Fresh and warm, as in ``throughput``."""
    if "fresh" in session.modes:
        for turn in range(session.sizes.rounds):
            for system in session.ordered(turn):
                with session.fresh(system) as cluster:
                    _report(session, cluster, "fresh", turn)
    if "warm" in session.modes:
        for system in session.systems:
            with session.warm(system) as cluster:
                session.say(f"delivery: warm, load that is not counted on {cluster.name}")
                _report(session, cluster, "warm", -1)
        for turn in range(session.sizes.rounds):
            for system in session.ordered(turn):
                with session.warm(system) as cluster:
                    _report(session, cluster, "warm", turn)


def _report(session: Session, cluster: Cluster, mode: str, turn: int) -> None:
    topic = session.topic(cluster, f"delivery-{mode}-{turn if turn >= 0 else 'discarded'}")
    seconds = session.sizes.run_s if turn >= 0 else session.sizes.warm_up_s
    arguments = {"topic": topic, "partitions": PARTITIONS, "size": _SIZE, "seconds": seconds, "rate": RATE, "client": {"acks": "all"}}
    found, load = session.load(cluster, "fixed_rate", **arguments)
    session.delete(cluster, topic)
    if turn < 0:
        return
    cpu = found["broker_cpu_s"] * 1e6 / max(1, found["acknowledged"])
    figures = {**{key: found[key] for key in ("p50_ms", "p99_ms", "max_ms", "failed")}, "cpu_us": cpu}
    said = f"p50 {found['p50_ms']:.2f} ms, p99 {found['p99_ms']:.2f} ms, longest {found['max_ms']:.0f} ms, broker CPU {cpu:.0f} us each"
    session.keep({"part": "delivery", "mode": mode, "workload": "2,000/s", "system": cluster.name, "round": turn, **figures}, load, said)
