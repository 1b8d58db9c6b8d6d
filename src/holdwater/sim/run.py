"""One seed from beginning to end: a cluster, a workload, faults, then peace, and the judgement."""

from dataclasses import dataclass, field

from holdwater.kernel.rng import Rng
from holdwater.sim.clock import Storm
from holdwater.sim.cluster import Settings, SimCluster
from holdwater.sim.faults import Fault, Faults, draw_schedule
from holdwater.sim.verdicts import LivenessViolation, SafetyViolation
from holdwater.sim.workload import TOPIC, Workload

HELD, SAFETY, LIVENESS, CRASH = "held", "safety", "liveness", "crash"
START_WITHIN_MS = 10_000
PEACE_WITHIN_MS = 90_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard. Virtual milliseconds."""

    fault_ms: int = 60_000
    mean_gap_ms: int = 4_000
    schedule: tuple[Fault, ...] | None = None
    """Faults to play instead of those that the seed draws."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a seed."""

    seed: int
    verdict: str
    why: str
    digest: str
    virtual_ms: int
    events: int
    recovered_ms: int
    """From the end of the faults until everything was as before."""
    acknowledged: int
    unknown: int
    schedule: tuple[Fault, ...]
    faults: dict[str, int] = field(default_factory=dict[str, int])
    errors: dict[str, int] = field(default_factory=dict[str, int])
    story: list[str] = field(default_factory=list[str])

    @property
    def held(self) -> bool:
        """Whether nothing was wrong."""
        return self.verdict == HELD


def simulate(seed: int, plan: Plan | None = None) -> Outcome:
    """Play one seed. Only a bug of the laboratory itself raises; what the cluster raises is the outcome ``crash``."""
    plan = plan if plan is not None else Plan()
    rng = Rng(seed)
    settings, workload_rng, schedule_rng, faults_rng = draw_settings(rng.fork()), rng.fork(), rng.fork(), rng.fork()
    schedule = plan.schedule
    if schedule is None:
        schedule = draw_schedule(schedule_rng, nodes=settings.brokers, length_ms=plan.fault_ms, mean_gap_ms=plan.mean_gap_ms)
    cluster = SimCluster(seed, settings)
    workload = Workload(
        cluster,
        workload_rng,
        partitions=workload_rng.uniform_ms(1, 4),
        consumers=2 if workload_rng.chance(0.3) else 1,
        texts={"min.insync.replicas": "1"} if workload_rng.chance(0.2) else {},
    )
    faults = Faults(cluster, schedule, TOPIC, faults_rng)
    recovered_ms = -1
    verdict, why = HELD, ""
    try:
        cluster.start()
        cluster.until("every broker is unfenced", cluster.all_unfenced, START_WITHIN_MS)
        workload.begin()
        faults.begin()
        cluster.run(plan.fault_ms)
        faults.end()
        recovered_ms = workload.finish(PEACE_WITHIN_MS)
    except SafetyViolation as problem:
        verdict, why = SAFETY, str(problem)
    except (LivenessViolation, Storm) as problem:
        verdict, why = LIVENESS, str(problem)
    except Exception as problem:  # noqa: BLE001 - whatever else a broker raises is what the run is to find
        verdict, why = CRASH, _where(problem)
    return Outcome(
        seed=seed,
        verdict=verdict,
        why=why,
        digest=cluster.trace.digest,
        virtual_ms=cluster.now_ms,
        events=cluster.scheduler.event_count,
        recovered_ms=recovered_ms,
        acknowledged=workload.history.acknowledged_count,
        unknown=workload.history.unknown_count,
        schedule=schedule,
        faults=dict(sorted(faults.counts.items())),
        errors=dict(sorted(workload.history.errors.items())),
        story=[] if verdict == HELD else cluster.trace.story(200),
    )


def draw_settings(rng: Rng) -> Settings:
    """The settings of a seed: real defaults, or small ones that make rare paths common."""
    texts: dict[str, str] = {}
    if rng.chance(0.3):
        texts["log.roll.ms"] = str(rng.uniform_ms(500, 10_000))
    if rng.chance(0.3):
        texts["metadata.log.max.record.bytes.between.snapshots"] = str(rng.uniform_ms(2, 20) * 1024)
    if rng.chance(0.3):
        texts["replica.lag.time.max.ms"] = str(rng.uniform_ms(1_000, 10_000))
    if rng.chance(0.3):
        texts["replica.fetch.max.bytes"] = str(rng.uniform_ms(200, 2_000))
    if rng.chance(0.3):
        texts["broker.session.timeout.ms"] = str(rng.uniform_ms(3_000, 9_000))
        texts["broker.heartbeat.interval.ms"] = "1000"
    if rng.chance(0.3):
        texts["replica.high.watermark.checkpoint.interval.ms"] = str(rng.uniform_ms(100, 5_000))
    if rng.chance(0.2):
        texts["max.incremental.fetch.session.cache.slots"] = "1"
    slow = rng.chance(0.3)
    return Settings(
        broker=texts,
        delay_us=(100, 20_000) if slow else (50, 1_000),
        rare_delay_us=200_000 if slow else 20_000,
        wake_delay_us=rng.below(5_000),
        drift_ppm_max=10_000 if rng.chance(0.3) else 100,
    )


def _where(problem: BaseException) -> str:
    """The exception, and the innermost places that it came from."""
    places: list[str] = []
    at = problem.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('holdwater/')[2]}:{at.tb_lineno} {code.co_name}")
        at = at.tb_next
    return f"{type(problem).__name__}: {problem} [{' < '.join(reversed(places[-6:]))}]"
