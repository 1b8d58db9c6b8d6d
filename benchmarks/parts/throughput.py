"""Writing and reading as fast as it goes: acks=all, three replicas, six partitions, records of 1 KiB and of 100 bytes; CPU of the brokers per record.

Fresh: a new cluster each time, the first load that it sees is the one that counts, then its records are read. Warm: two clusters that have had
load before, each round in a new topic, the other cluster paused.
"""

import contextlib

from benchmarks.clusters import Cluster
from benchmarks.hot_memory import hot_memory
from benchmarks.options import PARTITIONS
from benchmarks.session import Session

SIZES = {"1KiB": 1024, "100B": 100}
_CLIENT = {"acks": "all"}


def run(session: Session) -> None:
    """Both sizes, in each mode that is wanted."""
    if "fresh" in session.modes:
        for workload in SIZES:
            for turn in range(session.sizes.rounds):
                for system in session.ordered(turn):
                    with session.fresh(system) as cluster:
                        _write_and_read(session, cluster, workload, "fresh", turn)
    if "warm" in session.modes:
        for workload in SIZES:
            for system in session.systems:
                with session.warm(system) as cluster:
                    session.say(f"throughput: {workload} warm, load that is not counted on {cluster.name}")
                    _write_and_read(session, cluster, workload, "warm", -1)
            for turn in range(session.sizes.rounds):
                for system in session.ordered(turn):
                    with session.warm(system) as cluster:
                        _write_and_read(session, cluster, workload, "warm", turn)


def _write_and_read(session: Session, cluster: Cluster, workload: str, mode: str, turn: int) -> None:
    counted = turn >= 0
    sizes = session.sizes
    topic = session.topic(cluster, f"throughput-{workload}-{mode}-{turn if counted else 'discarded'}")
    keys = {"part": "throughput", "mode": mode, "system": cluster.name, "round": turn}
    seconds = sizes.run_s if counted else sizes.warm_up_s
    with hot_memory() if counted else contextlib.nullcontext():
        wrote, load = session.load(
            cluster, "produce", topic=topic, partitions=PARTITIONS, size=SIZES[workload], seconds=seconds, client=_CLIENT
        )
    rate = wrote["acknowledged"] / wrote["seconds"]
    cpu = wrote["broker_cpu_s"] * 1e6 / max(1, wrote["acknowledged"])
    if counted:
        figures = {"per_s": rate, "cpu_us": cpu, "failed": wrote["failed"], "records": wrote["acknowledged"]}
        said = f"{rate:,.0f}/s, broker CPU {cpu:.2f} us each" + (f", {wrote['failed']} FAILED" if wrote["failed"] else "")
        session.keep({**keys, "workload": f"write {workload}", **figures}, load, said)
    seconds = sizes.read_s if counted else sizes.warm_up_s / 2
    read, load = session.load(cluster, "consume", topic=topic, partitions=PARTITIONS, seconds=seconds)
    rate = read["records"] / read["seconds"]
    cpu = read["broker_cpu_s"] * 1e6 / max(1, read["records"])
    if counted:
        figures = {"per_s": rate, "cpu_us": cpu, "records": read["records"], "passes": read["passes"]}
        session.keep({**keys, "workload": f"read {workload}", **figures}, load, f"{rate:,.0f}/s, broker CPU {cpu:.2f} us each")
    session.delete(cluster, topic)
