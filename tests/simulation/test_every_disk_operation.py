"""A cluster that has one thing to do, and something befalls it at the Nth operation of one broker's disk, for every N until nothing happens.

A few idempotent writes with ``acks=all`` are acknowledged and read. Then, by the level of durability (docs/decisions/0005-durability.md):

- a crash of processes loses nothing acknowledged, at any level;
- a power loss of one replica of three loses nothing, at any level;
- a power loss of every replica at once loses nothing at level ``fsync``, at level ``interval`` nothing that is older than ``flush.ms``, and at
  level ``page-cache`` whatever was not synced;
- a disk that fails or is full ends its broker; what a failed sync was to write is as good as lost with the power.

The fast tests take every so many operations, each case others; the slow ones take all.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

import pytest
from tests.support.logs import read_all

from holdwater.broker.opening import OpenedNode
from holdwater.kernel.identifiers import TopicPartition
from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import Settings, SimCluster
from holdwater.sim.disk import Fault, Operation
from holdwater.sim.node import SimNode
from holdwater.sim.verdicts import LivenessViolation, SafetyViolation
from holdwater.sim.workload import TOPIC, Workload

FLUSH_MS = 150
FLUSH_MESSAGES = 4
PAGE_CACHE, INTERVAL, FSYNC = "page-cache", "interval", "fsync"
LEVELS: dict[str, dict[str, str]] = {
    PAGE_CACHE: {},
    INTERVAL: {"log.flush.interval.messages": str(FLUSH_MESSAGES), "log.flush.interval.ms": str(FLUSH_MS)},
    FSYNC: {"holdwater.durable.acks": "true"},
}
SMALL = {
    "metadata.max.idle.interval.ms": "0",
    "log.roll.ms": "200",
    "log.flush.offset.checkpoint.interval.ms": "150",
    "replica.high.watermark.checkpoint.interval.ms": "100",
}
"""Segments and checkpoints within the scene, and no operation that it does not need."""
STRIDES = {1: 7, 3: 29}
"""Of the fast tests, by the number of brokers."""
_WRITES = 12
_OUT_MS = 30


class Scene:
    """The cluster and its clients. ``victim`` is the broker whose disk counts."""

    def __init__(self, level: str, brokers: int, victim: int = 1) -> None:
        self.level = level
        self.cluster = SimCluster(1, Settings(brokers=brokers, broker={**SMALL, **LEVELS[level]}))
        self.victim = self.cluster.nodes[victim]
        self.workload = Workload(self.cluster, Rng(1), partitions=1, producers=1, consumers=1, interval_us=30_000)
        self.struck: Operation | None = None
        self.struck_us = 0

    def strike_at(self, number: int, fault: Fault, then: "Callable[[Scene], None]") -> None:
        """Let the victim's operation of that number, counted from now on, meet a fault, and something happen after it."""
        number += self.victim.disk.operation_count

        def on_operation(operation: Operation) -> Fault | None:
            if operation.number != number:
                return None
            self.struck = operation
            self.struck_us = self.cluster.scheduler.now_us
            self.cluster.scheduler.after(0, then, self)
            return fault

        self.victim.disk.on_operation = on_operation

    def begin(self) -> None:
        """Up to the first write."""
        self.cluster.start()
        self.cluster.until("every broker is unfenced", self.cluster.all_unfenced, 20_000)
        self.workload.begin()

    def play(self) -> None:
        """From the first start to the judgement. Raises what is wrong."""
        self.begin()
        self.write()
        self.workload.finish(60_000)
        assert self.workload.history.unknown_count == 0

    def write(self) -> None:
        """Until enough is acknowledged."""
        history = self.workload.history
        self.cluster.until("writes are acknowledged", lambda: history.acknowledged_count >= _WRITES, 60_000)

    @property
    def struck_a_sync_of_records(self) -> bool:
        struck = self.struck
        return struck is not None and struck.name == "sync" and f"/{TOPIC}-" in struck.path

    def survivors(self) -> Rng | None:
        """What keeps a random part of the unsynced writes through a power loss, every other time."""
        assert self.struck is not None
        return Rng(self.struck.number) if self.struck.number % 2 else None

    def start_soon(self) -> None:
        """Start whatever is off."""
        self.cluster.scheduler.after(_OUT_MS * 1000, self.cluster.start)


# --- what happens when the operation has ended its process


def restart(scene: Scene) -> None:
    """Another process is started."""
    scene.start_soon()


def restart_after_failure(scene: Scene) -> None:
    """As ``restart``. What a failed sync was to write is lost; nobody counts on it, unless acknowledgements waited for it."""
    if scene.struck_a_sync_of_records and scene.level != FSYNC:
        scene.cluster.excuse(scene.victim.node_id)
    scene.start_soon()


def kill_all(scene: Scene) -> None:
    """Every process ends at that moment."""
    for node in scene.cluster.nodes.values():
        node.kill()
    scene.start_soon()


def lose_power(scene: Scene) -> None:
    """The machine loses power."""
    scene.cluster.lose_power(scene.victim.node_id, survivors=scene.survivors())
    scene.start_soon()


def lose_power_everywhere(scene: Scene) -> None:
    """Every machine loses power at that moment."""
    for node in scene.cluster.nodes.values():
        node.lose_power(survivors=scene.survivors())
    scene.start_soon()


def lose_power_one_after_another(scene: Scene) -> None:
    """First the victim, and when what it has sent has arrived, the others; it comes back last, when the others have left the ISR."""
    scene.victim.lose_power()
    after = scene.cluster.scheduler.after
    for node in scene.cluster.nodes.values():
        if node is not scene.victim:
            after(3_000, node.lose_power)
            after(_OUT_MS * 1000, node.start)
    after(2_000_000, scene.victim.start)


def stay_dark(scene: Scene) -> None:
    """Every machine loses power with all that was not synced, and that is the end."""
    for node in scene.cluster.nodes.values():
        node.lose_power()


# --- nothing acknowledged is lost


class Case(NamedTuple):
    """What happens to which cluster."""

    level: str
    brokers: int
    fault: Fault
    then: Callable[[Scene], None]
    victim: int = 1

    def __str__(self) -> str:
        return f"{self.level}, n{self.victim} of {self.brokers}, {self.fault.name}, {self.then.__name__}"


def _cases() -> list[Case]:
    cases: list[Case] = []
    for level in LEVELS:
        for brokers in (1, 3):
            cases += [Case(level, brokers, fault, restart) for fault in (Fault.CRASH, Fault.CRASH_TORN)]
            cases += [Case(level, brokers, fault, restart_after_failure) for fault in (Fault.IO_ERROR, Fault.FULL)]
        cases += [Case(level, 3, Fault.CRASH_TORN, kill_all), Case(level, 3, Fault.CRASH, lose_power)]
    cases += [Case(FSYNC, brokers, Fault.CRASH, lose_power_everywhere) for brokers in (1, 3)]
    return cases + [Case(FSYNC, 3, Fault.CRASH, lose_power_one_after_another, victim) for victim in (1, 2, 3)]


CASES = _cases()


def nothing_is_lost(case: Case, *, first: int = 1, stride: int = 1) -> None:
    """Play the scene with a strike at one operation after the other, until it passes untouched."""
    number = first
    while True:
        scene = Scene(case.level, case.brokers, case.victim)
        scene.strike_at(number, case.fault, case.then)
        try:
            scene.play()
        except (SafetyViolation, LivenessViolation) as problem:
            alone = case.brokers == 1 and case.then is restart_after_failure and case.level == INTERVAL
            if not (alone and scene.struck_a_sync_of_records):  # the only replica has lost what it had acknowledged before
                story = "\n".join(scene.cluster.trace.story(80))
                raise AssertionError(f"{story}\n{case}: operation {number}, {scene.struck}: {problem}") from problem
        if scene.struck is None:
            assert number > 60
            return
        number += stride


@pytest.mark.parametrize("case", CASES, ids=str)
def test_nothing_is_lost_at_every_so_many_operations(case: Case) -> None:
    stride = STRIDES[case.brokers]
    nothing_is_lost(case, first=1 + CASES.index(case) * 5 % stride, stride=stride)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_nothing_is_lost_at_any_operation(case: Case) -> None:
    nothing_is_lost(case)


# --- what a level does not promise


def lost_with_the_power(level: str, number: int) -> list[int] | None:
    """How old what was lost had become, since its acknowledgement, in us, when the only broker lost power; ``None``: it did not."""
    scene = Scene(level, 1)
    scene.begin()
    scene.strike_at(number, Fault.CRASH, stay_dark)
    history = scene.workload.history
    scene.cluster.until("the end", lambda: scene.struck is not None or history.acknowledged_count >= _WRITES, 60_000)
    if scene.struck is None:
        return None
    scene.cluster.run(1)
    kept = stored_values(scene.victim)
    return [
        scene.struck_us - sent.answered_us
        for sent in history.sent.values()
        if 0 <= sent.answered_us < scene.struck_us and sent.value not in kept
    ]


def stored_values(node: SimNode) -> list[bytes]:
    """The records that the next process finds on a machine."""
    opened = OpenedNode(deepcopy(node.disk), node.config, Rng(0), lambda: 0)
    for _ in opened.load():
        pass
    log = opened.directories.logs.get(TopicPartition(TOPIC, 0))
    return [record.value or b"" for record in read_all(log)] if log is not None else []


@pytest.mark.parametrize("level", LEVELS)
def test_how_much_the_only_broker_loses_with_its_power(level: str) -> None:
    """Records are acknowledged every 30 ms and segments roll meanwhile; what is lost is the end of the log."""
    oldest_us = most = number = 0
    while True:
        number += 1
        lost = lost_with_the_power(level, number)
        if lost is None:
            break
        oldest_us, most = max([oldest_us, *lost]), max(most, len(lost))
    assert number > 20
    if level == FSYNC:
        assert most == 0
    elif level == INTERVAL:
        assert 0 < most <= FLUSH_MESSAGES
        assert oldest_us <= (FLUSH_MS + 10) * 1000
    else:
        assert oldest_us > (FLUSH_MS + 50) * 1000


def test_at_level_page_cache_a_power_loss_of_all_three_loses_what_was_acknowledged() -> None:
    scene = Scene(PAGE_CACHE, 3)
    scene.begin()
    scene.write()
    stay_dark(scene)
    scene.start_soon()
    with pytest.raises(SafetyViolation):
        scene.workload.finish(60_000)
