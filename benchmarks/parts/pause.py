"""Write pause: brokers are killed (SIGKILL) under a producer with stock settings, and what counts is the longest gap between acknowledgements.

Six partitions with a replica on every broker, min.insync.replicas 2, 150 records a second. Every third kill hits the active controller. Each kill
has a topic of its own, made when all brokers are in every ISR again, so that each broker leads two partitions when one of them is killed.
"""

import time
from collections import Counter

from benchmarks.clusters import BROKERS, HOLDWATER, Cluster
from benchmarks.figures import longest_gap
from benchmarks.options import PARTITIONS
from benchmarks.processes import LoadWatch
from benchmarks.session import Session, full_isr
from holdwater.rpc import RpcError, calls

_RATE = 150
_SIZE = 100
_STEADY_S = 2.0
_LIMIT_S = 120.0
_FLOWS_S = 3.0
"""So long must records of every partition be acknowledged again before the killed broker is started again."""
_SLOW_S = 2.0
"""A record that waits longer, or a partition that is silent longer, is not yet through the failure."""


def run(session: Session) -> None:
    """All kills on one side, then all on the other; only one of them runs."""
    for system in session.systems:
        kills = session.sizes.kills if system == HOLDWATER else session.sizes.kafka_kills
        with session.fresh(system) as cluster:
            _warm_up(session, cluster)
            for turn in range(kills):
                _round(session, cluster, turn)


def _warm_up(session: Session, cluster: Cluster) -> None:
    """Requests that are not counted: a broker that still compiles its code would need longer for each, and that is no part of a failover."""
    session.say(f"pause: load that is not counted on {cluster.name}")
    topic = session.topic(cluster, "pause-warm-up")
    arguments = {"topic": topic, "partitions": PARTITIONS, "size": _SIZE, "seconds": session.sizes.warm_up_s, "client": {}}
    session.driver.ask("one_at_a_time", bootstrap=cluster.bootstrap(), **arguments)
    session.delete(cluster, topic)


def _round(session: Session, cluster: Cluster, turn: int) -> None:
    topic = session.topic(cluster, f"pause-{turn}")
    session.driver.ask("forget", bootstrap=cluster.bootstrap())
    watch = LoadWatch()
    driver = session.driver
    driver.begin("steady", bootstrap=cluster.bootstrap(), topic=topic, partitions=PARTITIONS, size=_SIZE, rate=_RATE)
    time.sleep(_STEADY_S)
    controller, led = _look(cluster, topic)
    is_controller = turn % 3 == 1
    others = [broker for broker in BROKERS if broker != controller]
    victim = controller if is_controller else others[turn // 3 % 2]
    killed = cluster.kill(victim)
    _wait_until_it_flows(session, cluster, topic, victim, killed)
    restarted = cluster.restart(victim)
    back = _wait_for_full_isr(cluster, topic, restarted)
    time.sleep(1)
    ended = time.monotonic()
    driver.tell("stop")
    found = driver.finish()
    session.delete(cluster, topic)
    figures = {
        "controller": is_controller,
        "led": led[victim],
        "pause_s": longest_gap(found["acknowledged"], killed, restarted),
        "return_pause_s": longest_gap(found["acknowledged"], restarted, ended),
        "full_isr_after_s": back - restarted,
        "failed": found["failed"],
    }
    said = (
        f"broker {victim}{' (active controller)' if is_controller else ''}, which led {figures['led']}: writes paused {figures['pause_s']:.2f} s; "
        f"back in every ISR after {figures['full_isr_after_s']:.1f} s, longest gap on its return {figures['return_pause_s']:.2f} s"
    )
    keys = {"part": "pause", "workload": "kill", "system": cluster.name, "round": turn}
    session.keep({**keys, **figures}, watch.read(), said)


def _look(cluster: Cluster, topic: str) -> tuple[int, Counter[int]]:
    """The active controller, and how many partitions each broker leads."""
    with calls.connect_to_any(list(cluster.addresses().values()), timeout_s=5) as connection:
        state = calls.describe_topic(connection, topic)
        controller = calls.describe_quorum(connection).leader
    return controller, Counter(one.leader for one in state.partitions) if state is not None else Counter()


def _wait_until_it_flows(session: Session, cluster: Cluster, topic: str, victim: int, killed: float) -> None:
    """Until the dead broker is out of every ISR and all partitions answer at once."""
    deadline = killed + _LIMIT_S
    flows_since = 0.0
    out = False
    status: dict[str, list[float]] = {}
    while not flows_since or time.monotonic() - flows_since < _FLOWS_S:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{_LIMIT_S:g} s after broker {victim} was killed: {_stand(status, out=out)}")
        time.sleep(0.2)
        session.driver.tell("status")
        status = session.driver.finish()
        flows = min(status["last"]) > time.monotonic() - _SLOW_S and max(status["oldest_s"]) < _SLOW_S
        out = out or _is_out(cluster, topic, victim)
        flows_since = (flows_since or time.monotonic()) if flows and out else 0.0


def _stand(status: dict[str, list[float]], *, out: bool) -> str:
    """What is still missing, in words."""
    silent = max(time.monotonic() - last for last in status["last"])
    gone = "out of every ISR" if out else "still in an ISR"
    return f"a partition is silent for {silent:.1f} s, the oldest record waits for {max(status['oldest_s']):.1f} s, the broker is {gone}"


def _is_out(cluster: Cluster, topic: str, victim: int) -> bool:
    addresses = [address for broker, address in cluster.addresses().items() if broker != victim]
    try:
        with calls.connect_to_any(addresses, timeout_s=2) as connection:
            state = calls.describe_topic(connection, topic)
    except RpcError:
        return False
    return state is not None and all(one.leader >= 0 and victim not in one.isr for one in state.partitions)


def _wait_for_full_isr(cluster: Cluster, topic: str, restarted: float) -> float:
    while not full_isr(cluster, topic):
        if time.monotonic() > restarted + _LIMIT_S:
            raise RuntimeError(f"no full ISR within {_LIMIT_S:g} s after a killed broker was started again")
        time.sleep(0.1)
    return time.monotonic()
