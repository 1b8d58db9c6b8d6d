"""Write pause: brokers are killed (SIGKILL) under a producer with stock settings, and what counts is the longest gap between acknowledgements.

Six partitions with a replica on every broker, min.insync.replicas 2, 600 records a second. Every third kill hits the active controller, the
others the broker that leads most partitions. The next kill comes when every ISR is full again and the preferred leaders lead.
"""

import time
from typing import NamedTuple

from benchmarks.clusters import BROKERS, HOLDWATER, Cluster
from benchmarks.figures import longest_gap
from benchmarks.options import PARTITIONS
from benchmarks.processes import LoadWatch
from benchmarks.session import Session, full_isr
from holdwater.rpc import RpcError, calls

_TOPIC = "pause"
_RATE = 600
_SIZE = 100
_STEADY_S = 2.0
_LIMIT_S = 120.0
_FLOWS_AFTER_S = 3.0
"""So long must every partition's records be answered at once before the killed broker is started again."""


class _View(NamedTuple):
    controller: int
    led: dict[int, int]
    """Partitions that each broker leads."""
    in_sync: dict[int, int]
    """Partitions that have each broker in their ISR."""


def run(session: Session) -> None:
    """All kills on one side, then all on the other; only one of them runs."""
    for system in session.systems:
        kills = session.sizes.kills if system == HOLDWATER else session.sizes.kafka_kills
        with session.fresh(system) as cluster:
            arguments = {"topic": _TOPIC, "partitions": PARTITIONS, "replicas": 3}
            session.driver.ask("create_topic", bootstrap=cluster.bootstrap(), **arguments)
            for turn in range(kills):
                _round(session, cluster, turn)


def _round(session: Session, cluster: Cluster, turn: int) -> None:
    session.driver.ask("elect_preferred", bootstrap=cluster.bootstrap(), topic=_TOPIC, partitions=PARTITIONS)
    session.driver.ask("forget", bootstrap=cluster.bootstrap())
    watch = LoadWatch()
    driver = session.driver
    driver.begin("steady", bootstrap=cluster.bootstrap(), topic=_TOPIC, partitions=PARTITIONS, size=_SIZE, rate=_RATE)
    time.sleep(_STEADY_S)
    view = _look(cluster)
    is_controller = turn % 3 == 1
    others = [broker for broker in BROKERS if broker != view.controller]
    victim = view.controller if is_controller else max(others, key=lambda broker: (view.led.get(broker, 0), (broker + turn) % 3))
    killed = cluster.kill(victim)
    _wait_until_it_flows(session, cluster, victim, killed)
    restarted = cluster.restart(victim)
    back = _wait_for_full_isr(cluster, restarted)
    time.sleep(1)
    ended = time.monotonic()
    driver.tell("stop")
    found = driver.finish()
    figures = {
        "controller": is_controller,
        "led": view.led.get(victim, 0),
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


def _look(cluster: Cluster) -> _View:
    with calls.connect_to_any(list(cluster.addresses().values()), timeout_s=5) as connection:
        state = calls.describe_topic(connection, _TOPIC)
        controller = calls.describe_quorum(connection).leader
    led: dict[int, int] = {}
    in_sync: dict[int, int] = {}
    for one in state.partitions if state is not None else ():
        led[one.leader] = led.get(one.leader, 0) + 1
        for broker in one.isr:
            in_sync[broker] = in_sync.get(broker, 0) + 1
    return _View(controller, led, in_sync)


def _wait_until_it_flows(session: Session, cluster: Cluster, victim: int, killed: float) -> None:
    """Until the dead broker is out of every ISR and all partitions answer at once."""
    deadline = killed + _LIMIT_S
    flows_since = out = 0.0
    while not flows_since or time.monotonic() - flows_since < _FLOWS_AFTER_S:
        if time.monotonic() > deadline:
            raise RuntimeError(f"writes did not go on within {_LIMIT_S:g} s after broker {victim} was killed")
        time.sleep(0.2)
        session.driver.tell("status")
        status = session.driver.finish()
        flows = min(status["last"]) > killed + 0.2 and max(status["oldest_s"]) < 0.3
        if flows and not out:
            out = time.monotonic() if _is_out(cluster, victim) else 0.0
        flows_since = (flows_since or time.monotonic()) if flows and out else 0.0


def _is_out(cluster: Cluster, victim: int) -> bool:
    addresses = [address for broker, address in cluster.addresses().items() if broker != victim]
    try:
        with calls.connect_to_any(addresses, timeout_s=2) as connection:
            state = calls.describe_topic(connection, _TOPIC)
    except RpcError:
        return False
    return state is not None and all(one.leader >= 0 and victim not in one.isr for one in state.partitions)


def _wait_for_full_isr(cluster: Cluster, restarted: float) -> float:
    while not full_isr(cluster, _TOPIC):
        if time.monotonic() > restarted + _LIMIT_S:
            raise RuntimeError(f"no full ISR within {_LIMIT_S:g} s after a killed broker was started again")
        time.sleep(0.1)
    return time.monotonic()
