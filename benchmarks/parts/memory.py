"""Memory: the proportional set size of every process of a cluster, some time after its start, with one topic of three replicas in it."""

import time

from benchmarks.processes import LoadWatch, memory_bytes
from benchmarks.session import Session

_MIB = 1024 * 1024


def run(session: Session) -> None:
    """Start, create the topic, wait, look."""
    for turn in range(session.sizes.memory_rounds):
        for system in session.ordered(turn):
            with session.fresh(system) as cluster:
                watch = LoadWatch()
                started = time.monotonic()
                session.topic(cluster, "memory")
                session.driver.ask("forget", bootstrap=cluster.bootstrap())
                time.sleep(max(0.0, session.sizes.memory_wait_s - (time.monotonic() - started)))
                sizes = [memory_bytes(pid) for pid in cluster.all_pids()]
                pss, rss = (sum(column) / _MIB for column in zip(*sizes, strict=True))
            figures = {"pss_mib": pss, "rss_mib": rss, "processes": len(sizes)}
            said = f"{pss:.0f} MiB in {len(sizes)} processes (resident, shared pages counted each time: {rss:.0f} MiB)"
            session.keep({"part": "memory", "system": system, "round": turn, **figures}, watch.read(), said)
