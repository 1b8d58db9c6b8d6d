"""Cold start: from the exec of the first process to the first acknowledged write, with a client that is loaded already.

holdwater formats its directories within that time; Apache Kafka's are formatted before, by a Java program each, which is not counted.
"""

from benchmarks.clusters import HOLDWATER, KAFKA
from benchmarks.processes import LoadWatch
from benchmarks.session import Session


def run(session: Session) -> None:
    """One start of holdwater that is not counted (it compiles what is not compiled yet), then starts in turn."""
    if HOLDWATER in session.systems:
        _start(session, HOLDWATER, -1)
    sizes = session.sizes
    every = max(1, sizes.cold_starts // max(1, sizes.kafka_cold_starts))
    kafka_starts = 0
    for turn in range(sizes.cold_starts):
        if HOLDWATER in session.systems:
            _start(session, HOLDWATER, turn)
        if KAFKA in session.systems and turn % every == 0 and kafka_starts < sizes.kafka_cold_starts:
            _start(session, KAFKA, kafka_starts)
            kafka_starts += 1


def _start(session: Session, system: str, turn: int) -> None:
    cluster = session.make(system)
    cluster.prepare()
    watch = LoadWatch()
    ready_file = cluster.ready_file()
    bootstrap = None if ready_file else cluster.bootstrap()
    session.driver.begin("first_write", topic="first", ready_file=ready_file, bootstrap=bootstrap)
    launched = cluster.launch()
    answer = session.driver.finish()
    load = watch.read()
    session.discard(cluster)
    figures = {f"{step}_s": answer[step] - launched for step in ("ready", "created", "acknowledged")}
    if turn >= 0:
        said = f"{figures['acknowledged_s']:.3f} s (ready {figures['ready_s']:.3f}, topic {figures['created_s']:.3f})"
        session.keep({"part": "cold-start", "system": system, "round": turn, **figures}, load, said)
