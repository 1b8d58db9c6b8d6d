"""Performs a scenario on a target and records everything as evidence. It never judges: the verdict is computed from the folder afterwards."""

import time
from collections.abc import Callable
from random import Random
from typing import Any, ClassVar

from holdwater.kernel.rng import Rng
from holdwater.prove.absence import STARTING
from holdwater.prove.conditions import CONDITIONS, World
from holdwater.prove.errors import RunFailed
from holdwater.prove.observe.final_log import FinalLogReader, Leaders, note_ends
from holdwater.prove.progress import Progress
from holdwater.prove.scenario import Await, Fault, Hold, Rounds, Scenario, Steady, Step, Undo
from holdwater.prove.session import Session
from holdwater.prove.target import KILL, PAUSE, RESUME, START, TERMINATE, Target
from holdwater.rpc import Connection, RpcError
from holdwater.rpc.calls import describe_quorum

TICK_S = 0.05
_FLUSH_LIMIT_S = 60.0
_CONSUMER_LIMIT_S = 60.0
_READ_LIMIT_S = 300.0
_GONE_LIMIT_S = 10.0


class _RoundsEnd(Exception):  # noqa: N818 - no error: the remaining rounds are left out
    """A condition of a round did not come about, so no further round may begin."""


class Run:
    """One performance of one scenario. ``session`` has the clients, the sampler and the evidence."""

    def __init__(self, scenario: Scenario, target: Target, session: Session, seed: int, progress: Progress) -> None:
        self._scenario = scenario
        self._target = target
        self._session = session
        self._rng = Rng(Random(seed ^ 0x5EED).getrandbits(52))
        self._progress = progress
        self._round = 0
        self._rounds = 0
        self._choose_controller: frozenset[int] = frozenset()
        self._victim = -1
        self._led: dict[int, int] = {}

    def perform(self) -> None:
        """All steps, then the final reading. Raises ``RunFailed``; what was recorded so far stays."""
        for step in self._scenario.steps:
            try:
                self._do(step)
            except _RoundsEnd:
                self._progress.note("no further round: the cluster did not become whole again")
        self._final()

    def restore(self) -> None:
        """Undo a fault that is still there, on a cluster that goes on without us. Never raises."""
        for broker, why in sorted(self._session.absences.down.items()):
            if why == STARTING or self._target.owned:
                continue
            verb = RESUME if why == PAUSE else START
            try:
                (self._target.resume if verb == RESUME else self._target.start)(broker)
                self._session.event("restored", broker=broker, how=verb)
            except RunFailed as failure:
                self._session.event("not-restored", broker=broker, why=str(failure))
                self._progress.note(f"broker {broker} could not be brought back: {failure}")

    # --- steps ---------------------------------------------------------------------------------------------------------------------

    def _do(self, step: Step) -> None:
        handler: Callable[[Any], None] = self._HANDLERS[type(step)].__get__(self)
        handler(step)

    def _steady(self, step: Steady) -> None:
        self._session.event("phase", name=step.name)
        self._progress.phase(f"{step.name}: {step.seconds:g} s of load, at least {step.acked} acknowledgements")
        before, start = sum(self._session.acknowledged()), time.monotonic()
        self._sleep(step.seconds)
        while sum(self._session.acknowledged()) - before < step.acked:
            if time.monotonic() - start > step.limit_s:
                got = sum(self._session.acknowledged()) - before
                self._session.event("condition", name="acknowledged", ok=False, step=step.name, limit_s=step.limit_s)
                self._progress.note(f"only {got} of {step.acked} writes were acknowledged within {step.limit_s:g} s")
                return
            self._tick()

    def _await(self, step: Await) -> None:
        self._progress.phase(f"waiting: {step.name}")
        start = time.monotonic()
        world = self._world(since_ns=time.monotonic_ns())
        world.acknowledged_before = self._session.acknowledged()
        condition = CONDITIONS[step.condition]
        while not condition(self._refreshed(world)):
            if time.monotonic() - start > step.limit_s:
                self._not_in_time(step)
                return
            self._tick()
        took_s = round(time.monotonic() - start, 3)
        self._session.event(
            "condition", name=step.condition, ok=True, step=step.name, took_s=took_s, limit_s=step.limit_s, round=self._round
        )
        self._progress.note(f"{step.name}: after {took_s:.2f} s")

    def _not_in_time(self, step: Await) -> None:
        self._session.event("condition", name=step.condition, ok=False, step=step.name, limit_s=step.limit_s, round=self._round)
        self._progress.note(f"{step.name}: not within {step.limit_s:g} s")
        if step.needed:
            raise RunFailed(
                f"the condition {step.condition} did not come about within {step.limit_s:g} s, before any fault",
                "see that the cluster is whole (every broker up, every ISR full), or raise --limit",
            )
        if step.condition == "isr-full":
            raise _RoundsEnd

    def _hold(self, step: Hold) -> None:
        self._sleep(step.seconds)

    def _rounds_step(self, step: Rounds) -> None:
        self._rounds = step.count
        wanted, count = min(step.controller_rounds, step.count), step.count
        self._choose_controller = frozenset(n for n in range(count) if (n + 1) * wanted // count > n * wanted // count)
        for number in range(step.count):
            self._round = number + 1
            for one in step.steps:
                self._do(one)

    def _fault(self, step: Fault) -> None:
        choose = "controller" if self._round - 1 in self._choose_controller else step.choose
        controller = self._active_controller()
        victim = self._choose(choose, controller)
        views = self._session.views(victim)
        self._victim = victim
        self._led = {view.partition: view.leader_epoch for view in views if view.leader == victim}
        replicated = [view.partition for view in views if victim in view.replicas]
        self._session.absences.fault_begins(victim, step.fault)
        self._session.event(
            step.fault,
            broker=victim,
            round=self._round,
            chosen=choose,
            controller=victim == controller,
            led=sorted(self._led),
            replicated=[partition for partition in replicated if partition not in self._led],
        )
        {KILL: self._target.kill, TERMINATE: self._target.terminate, PAUSE: self._target.pause}[step.fault](victim)
        role = ", the active controller," if victim == controller else ""
        of = f" {self._round} of {self._rounds}" if self._rounds > 1 else ""
        verb = {KILL: "killed", TERMINATE: "terminated", PAUSE: "paused"}[step.fault]
        self._progress.phase(f"round{of}: broker {victim}{role} {verb}; it led partitions {sorted(self._led)}")
        self._probe_gone(victim, step.fault)

    def _choose(self, choose: str, controller: int) -> int:
        brokers = self._session.brokers
        if choose == "controller":
            if controller not in brokers:
                raise RunFailed(
                    f"the active controller is node {controller}, which is no broker that can be killed",
                    "use --kill leader; dedicated controllers are not among the brokers",
                )
            return controller
        if choose == "random":
            return brokers[self._rng.below(len(brokers))]
        partition = (self._round - 1) % self._scenario.topic.partitions
        leader = self._session.leader_of(partition)
        if leader not in brokers:
            raise RunFailed(f"partition {partition} has no leader that could be killed", "see samples.jsonl in the evidence")
        return leader

    def _active_controller(self) -> int:
        """Asked of the brokers now, not taken from a sample: it may have moved since."""
        for node in self._session.nodes:
            try:
                with Connection(node.host, node.port, timeout_s=2) as connection:
                    return describe_quorum(connection).leader
            except RpcError:
                continue
        return -1

    def _probe_gone(self, broker: int, fault: str) -> None:
        """Whether the fault acted: the broker answers no more."""
        node = next(node for node in self._session.nodes if node.id == broker)
        deadline = time.monotonic() + _GONE_LIMIT_S
        while time.monotonic() < deadline:
            try:
                Connection(node.host, node.port, timeout_s=0.5).close()
            except RpcError:
                self._session.absences.is_gone(broker, time.monotonic_ns())
                self._session.event("probe", what=fault, broker=broker, ok=True)
                return
            self._tick()
        self._session.event("probe", what=fault, broker=broker, ok=False)
        self._progress.note(f"broker {broker} still answers")

    def _undo(self, _: Undo) -> None:
        fault = self._session.absences.down[self._victim]
        verb = RESUME if fault == PAUSE else START
        self._session.event(verb, broker=self._victim, round=self._round, own=self._target.owned)
        self._progress.phase(f"broker {self._victim} {'resumed' if verb == RESUME else 'started again'}")
        self._session.absences.is_undone(self._victim, time.monotonic_ns())
        (self._target.resume if verb == RESUME else self._target.start)(self._victim)

    _HANDLERS: ClassVar[dict[type, Any]] = {Steady: _steady, Await: _await, Hold: _hold, Rounds: _rounds_step, Fault: _fault, Undo: _undo}

    # --- the end -------------------------------------------------------------------------------------------------------------------

    def _final(self) -> None:
        """Stop the writers, note the ends twice, read the log raw, let the consumer get there."""
        session = self._session
        session.event("phase", name="final")
        self._progress.phase("final: waiting for the last answers, then reading the whole log")
        session.producer.command(do="stop", limit_s=_FLUSH_LIMIT_S)
        produced = session.producer.wait_done(_FLUSH_LIMIT_S + 10)
        session.note_stall("producer", produced["stall_ms"])
        self._await(Await("every ISR full", "whole-at-end", self._final_limit_s()))
        try:
            with Leaders(session.nodes, session.topic) as leaders:
                ends = note_ends(leaders, _READ_LIMIT_S, session.event)
                reader = FinalLogReader(leaders, session.run_id, session.evidence.history / "log", session.event)
                log = reader.read(ends, session.epochs_seen(), _READ_LIMIT_S)
        except RpcError as error:
            raise RunFailed(f"the log could not be read at the end: {error}", "see that every broker answers, and run it again") from error
        session.consumer.command(do="finish", ends=log.readable, limit_s=_CONSUMER_LIMIT_S)
        consumed = session.consumer.wait_done(_CONSUMER_LIMIT_S + 10)
        session.note_stall("consumer", consumed["stall_ms"])
        positions = {int(partition): position for partition, position in consumed["positions"].items()}
        rows = {**produced["rows"], "consumer-0": {"reads": consumed["read"]}}
        session.evidence.write_final(log.partitions, positions, log.topic_id, rows)
        self._progress.note(f"read {sum(log.readable.values())} offsets of {len(log.partitions)} partitions raw")

    def _final_limit_s(self) -> float:
        return max((step.limit_s for step in self._scenario.steps if isinstance(step, Await)), default=60.0)

    # --- the loop ------------------------------------------------------------------------------------------------------------------

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._tick()

    def _tick(self) -> None:
        """Wait a moment, or until something is new; look after everything; show it."""
        session = self._session
        session.wait(TICK_S)
        session.check()
        sent = session.producer.status.get("sent", 0)
        # The two clients tell their figures at different times: what was read is never shown as more than was sent.
        read = min(session.consumer.status.get("read", 0), sent)
        self._progress.figures(session.seconds(), sent, sum(session.acknowledged()), read, session.picture())

    def _world(self, since_ns: int) -> World:
        session = self._session
        return World(
            brokers=session.brokers,
            latest=session.sampler.latest,
            acknowledged=session.acknowledged(),
            down=frozenset(broker for broker, why in session.absences.down.items() if why != STARTING),
            since_ns=since_ns,
            victim=self._victim,
            led=self._led,
        )

    def _refreshed(self, world: World) -> World:
        world.acknowledged = self._session.acknowledged()
        return world
