"""What durable acknowledgements cost: acks=all, three replicas, six partitions, records of 1 KiB, as fast as they go and then one at a time.

Each level of durability has a new cluster, whose first load is the one that counts; the level is the topic's. At level fsync Apache Kafka
stands beside with ``flush.messages=1``, the nearest thing that it has: each append is flushed before it returns, on leader and followers, and
so a follower acknowledges what it has flushed. It is not the same promise: nothing ties the high watermark to what is flushed, and a replica
that starts again counts what it finds in the page cache.
"""

from benchmarks.clusters import HOLDWATER, KAFKA, Cluster
from benchmarks.options import PARTITIONS
from benchmarks.session import Session

PAGE_CACHE, INTERVAL, FSYNC = "page-cache", "interval", "fsync"
LEVELS: dict[str, dict[str, dict[str, str]]] = {
    PAGE_CACHE: {HOLDWATER: {}, KAFKA: {}},
    INTERVAL: {HOLDWATER: {"flush.ms": "100"}},
    FSYNC: {HOLDWATER: {"holdwater.durable.acks": "true"}, KAFKA: {"flush.messages": "1"}},
}
"""Settings of the topic, by level and side."""
_SIZE = 1024
_CLIENT = {"acks": "all"}


def run(session: Session) -> None:
    """All levels in each round, the sides in turn."""
    for turn in range(session.sizes.rounds):
        for level, sides in LEVELS.items():
            for system in session.ordered(turn):
                if system in sides:
                    with session.fresh(system) as cluster:
                        _measure(session, cluster, level, turn)


def _measure(session: Session, cluster: Cluster, level: str, turn: int) -> None:
    topic = session.topic(cluster, f"durability-{level}-{turn}", config=LEVELS[level][cluster.name])
    sizes = session.sizes
    arguments = {"topic": topic, "partitions": PARTITIONS, "size": _SIZE, "client": _CLIENT}
    wrote, load = session.load(cluster, "produce", seconds=sizes.run_s, **arguments)
    cpu = wrote["broker_cpu_s"] * 1e6 / max(1, wrote["acknowledged"])
    figures = {"per_s": wrote["acknowledged"] / wrote["seconds"], "cpu_us": cpu, "failed": wrote["failed"]}
    keys = {"part": "durability", "system": cluster.name, "round": turn}
    said = f"{figures['per_s']:,.0f}/s, broker CPU {cpu:.2f} us each"
    session.keep({**keys, "workload": f"write, {level}", **figures}, load, said)
    asked, load = session.load(cluster, "one_at_a_time", seconds=sizes.read_s, **arguments)
    figures = {key: asked[key] for key in ("p50_ms", "p99_ms", "max_ms", "failed")}
    said = f"p50 {asked['p50_ms']:.3f} ms, p99 {asked['p99_ms']:.3f} ms"
    session.keep({**keys, "workload": f"one at a time, {level}", **figures}, load, said)
    session.delete(cluster, topic)
