"""One seed from beginning to end: a cluster, a workload, faults, then peace, and the judgement."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from holdwater.kernel.buggify import POINTS
from holdwater.kernel.rng import Rng
from holdwater.sim import museum
from holdwater.sim.clock import Storm
from holdwater.sim.cluster import Settings, SimCluster
from holdwater.sim.coordination.plan import draw_coordination
from holdwater.sim.faults import Fault, Faults, draw_schedule
from holdwater.sim.settings import draw_settings
from holdwater.sim.verdicts import LivenessViolation, SafetyViolation
from holdwater.sim.workload import TOPIC, Workload, draw_workload

HELD, SAFETY, LIVENESS, CRASH = "held", "safety", "liveness", "crash"
START_WITHIN_MS = 10_000
PEACE_WITHIN_MS = 90_000
WHOLE_SEED_MS = 60_000
"""Faults of at least so long make a seed that counts, which has ``LEAST_OPERATIONS`` and ``LEAST_FAULTS`` too."""
LEAST_OPERATIONS = 500
LEAST_FAULTS = 5
LATE_FAULT = "break all connections"
"""What acts whenever it comes, also while nothing may happen that ends a process."""
LATE_GAP_MS = 1_000
_LATE_FAULTS_MAX = 30
WORK_ON_WITHIN_MS = 60_000
TIMERS_MAX = 100
"""Timers of one broker when all is quiet: a dozen or two are usual."""
_BUGGIFY_CHANCES = (0.01, 0.03, 0.1)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard. Virtual milliseconds."""

    fault_ms: int = 60_000
    mean_gap_ms: int = 4_000
    schedule: tuple[Fault, ...] | None = None
    """Faults to play instead of those that the seed draws."""
    bugs: tuple[str, ...] = ()
    """Planted bugs, by their names in ``museum``."""
    coordination: bool = False
    """Whether every seed has groups, transactions or both, and not only some."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a seed."""

    seed: int
    verdict: str
    code: str
    """The invariant that was violated, empty unless the verdict is safety."""
    why: str
    digest: str
    virtual_ms: int
    events: int
    recovered_ms: int
    """From the end of the faults until everything was as before, -1 when it did not come to that."""
    operations: int
    """What clients did: records acknowledged and read, admin requests."""
    acknowledged: int
    unknown: int
    schedule: tuple[Fault, ...]
    settings: dict[str, str] = field(default_factory=dict[str, str])
    """What the seed drew, where it is not the default."""
    counters: dict[str, int] = field(default_factory=dict[str, int])
    """How often what was met: ``fault ...``, ``role ...``, ``quorum ...``, ``error ...``, ``workload ...``, ``buggify ...``, ``setting ...``."""
    story: list[str] = field(default_factory=list[str])

    @property
    def held(self) -> bool:
        """Whether nothing was wrong."""
        return self.verdict == HELD


class Seed:
    """A seed's cluster, workload and faults, drawn and ready to be played."""

    def __init__(self, seed: int, plan: Plan, tell: Callable[[str], None] | None) -> None:
        rng = Rng(seed)
        self.seed = seed
        self.plan = plan
        self.settings: Settings = draw_settings(rng.fork())
        workload_rng, schedule_rng, faults_rng, buggify_rng = rng.fork(), rng.fork(), rng.fork(), rng.fork()
        coordination_rng = rng.fork()
        coordination = draw_coordination(coordination_rng, self.settings.brokers, always=plan.coordination)
        if coordination is not None:
            self.settings = replace(self.settings, broker={**self.settings.broker, **coordination.texts})
        self.schedule: tuple[Fault, ...] = (
            plan.schedule
            if plan.schedule is not None
            else draw_schedule(
                schedule_rng,
                nodes=self.settings.brokers,
                length_ms=plan.fault_ms,
                mean_gap_ms=plan.mean_gap_ms,
                durable=self.settings.is_durable,
            )
        )
        self.cluster = SimCluster(seed, self.settings)
        self.cluster.watch.tell = self.cluster.trace.line
        if tell is not None:
            self.cluster.trace.on_line = _teller(tell)
        drawn = draw_workload(workload_rng.fork())
        if coordination is not None:
            drawn = drawn.with_less()
        self.workload = Workload.from_plan(self.cluster, workload_rng, drawn, coordination)
        aims = [TOPIC] if coordination is None else [TOPIC, *coordination.aims]
        self.faults = Faults(self.cluster, self.schedule, (aims[coordination_rng.below(len(aims))], TOPIC), faults_rng)
        if self.workload.coordination is not None:
            self.workload.coordination.ledger.clocks_are_right = lambda: not any("clock" in kind for kind in self.faults.counts)
        self.workload.bits_flipped = lambda: "bit flips" in self.faults.counts
        self._buggify(buggify_rng)

    def _buggify(self, rng: Rng) -> None:
        """Choose the points that are on in this seed, and how often they are taken."""
        on = dict.fromkeys(point for point in POINTS if rng.chance(0.2))
        chance = _BUGGIFY_CHANCES[rng.below(len(_BUGGIFY_CHANCES))]
        watch = self.cluster.watch
        for node in self.cluster.nodes.values():
            node_rng = rng.fork()

            def buggify(point: str, node_rng: Rng = node_rng) -> bool:
                if self.is_peace or point not in on or not node_rng.chance(chance):
                    return False
                watch.count(f"buggify {point}")
                return True

            node.buggify = buggify
        self.is_peace = False

    def play(self) -> int:
        """Raises what is found to be wrong; returns how long it took until everything was as before (virtual ms)."""
        cluster = self.cluster
        cluster.start()
        cluster.until("every broker is unfenced", cluster.all_unfenced, START_WITHIN_MS)
        self.workload.begin()
        self.faults.begin()
        cluster.run(self.plan.fault_ms)
        self._suffer_on()
        self.faults.end()
        self.is_peace = True
        healed_ms = cluster.now_ms
        session_ms = cluster.nodes[1].config.int("broker.session.timeout.ms")
        # A disk that takes its time does so to the end: until then its broker is away, and with it those who may lead.
        stall_ms = max(0, *(node.stalls_until_us // 1000 - healed_ms for node in cluster.nodes.values()))
        cluster.until("every partition is led (L1)", self._is_led, stall_ms + 2 * session_ms)
        self._work_on()
        self.workload.finish(PEACE_WITHIN_MS)
        self._look_for_leaks()
        return cluster.now_ms - healed_ms

    def _suffer_on(self) -> None:
        """Faults that had to wait until others were over have left a seed with few: the rest come late, and belong to its schedule."""
        plan, cluster = self.plan, self.cluster
        if plan.schedule is not None:
            cluster.run(
                max((fault.at_ms + LATE_GAP_MS - plan.fault_ms for fault in plan.schedule if fault.at_ms >= plan.fault_ms), default=0)
            )
            return
        if plan.fault_ms < WHOLE_SEED_MS:
            return
        for number in range(_LATE_FAULTS_MAX):
            if sum(self.faults.counts.values()) >= LEAST_FAULTS:
                return
            fault = Fault(plan.fault_ms + number * LATE_GAP_MS, LATE_FAULT, 1 + number % self.settings.brokers, 0, 0, 1)
            self.schedule = (*self.schedule, fault)
            self.faults.add(fault)
            cluster.run(LATE_GAP_MS)

    def _work_on(self) -> None:
        """Faults that kept clients from their work have left a seed with few operations: they do the rest in peace."""
        cluster, end_ms = self.cluster, self.cluster.now_ms + WORK_ON_WITHIN_MS
        if self.plan.fault_ms >= WHOLE_SEED_MS:
            while self.workload.history.operation_count < LEAST_OPERATIONS and cluster.now_ms < end_ms:
                cluster.run(1_000)

    def _is_led(self) -> bool:
        return all(state.has_leader for _, _, state in self.cluster.watch.newest.partitions())

    def _look_for_leaks(self) -> None:
        """L7: when nothing happens any more, no broker has many timers."""
        for node in self.cluster.nodes.values():
            pending_count = node.broker.timers.pending_count if node.broker is not None else 0
            if pending_count > TIMERS_MAX:
                raise LivenessViolation(f"{node} has {pending_count} timers when all is quiet (L7)")

    def counters(self) -> dict[str, int]:
        """Everything that was met."""
        met = dict(self.cluster.watch.counters)
        met |= {f"fault {kind}": count for kind, count in self.faults.counts.items()}
        met |= self.workload.counters
        met |= {f"setting {name}": 1 for name in self.settings.drawn()}
        return dict(sorted(met.items()))


def simulate(seed: int, plan: Plan | None = None, *, tell: Callable[[str], None] | None = None) -> Outcome:
    """Play one seed. Only a bug of the laboratory itself raises; what the cluster raises is the outcome ``crash``.

    ``tell`` takes each line of the story, as it happens. Raises ``ValueError`` for a planted bug that there is none of.
    """
    plan = plan if plan is not None else Plan()
    with museum.planted(plan.bugs):
        played = Seed(seed, plan, tell)
        recovered_ms = -1
        verdict, code, why = HELD, "", ""
        try:
            recovered_ms = played.play()
        except SafetyViolation as problem:
            verdict, code, why = SAFETY, problem.code, str(problem)
        except (LivenessViolation, Storm) as problem:
            verdict, why = LIVENESS, str(problem)
        except Exception as problem:  # noqa: BLE001 - whatever else a broker raises is what the run is to find
            verdict, why = CRASH, _where(problem)
    cluster, history = played.cluster, played.workload.history
    return Outcome(
        seed=seed,
        verdict=verdict,
        code=code,
        why=why,
        digest=cluster.trace.digest,
        virtual_ms=cluster.now_ms,
        events=cluster.scheduler.event_count,
        recovered_ms=recovered_ms,
        operations=history.operation_count,
        acknowledged=history.acknowledged_count,
        unknown=history.unknown_count,
        schedule=played.schedule,
        settings=played.settings.drawn(),
        counters=played.counters(),
        story=[] if verdict == HELD else cluster.trace.story(200),
    )


def _teller(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Leaves the deliveries of bytes out, and tells time in seconds."""

    def on_line(line: str) -> None:
        if " < " not in line:
            at_us, _, rest = line.partition(" ")
            tell(f"{int(at_us) / 1e6:10.3f} s  {rest}")

    return on_line


def _where(problem: BaseException) -> str:
    """The exception, and the innermost places that it came from."""
    places: list[str] = []
    at = problem.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('holdwater/')[2]}:{at.tb_lineno} {code.co_name}")
        at = at.tb_next
    return f"{type(problem).__name__}: {problem} [{' < '.join(reversed(places[-6:]))}]"
