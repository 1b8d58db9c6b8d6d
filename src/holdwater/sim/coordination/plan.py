"""What a seed has of groups and transactions. Each seed first draws whether it has any at all (swarm testing).

``jobs`` is what groups read; ``effects`` is what transactions write. Neither is ever deleted, trimmed or grown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from holdwater.kernel.rng import Rng
from holdwater.sim.workloads.plan import ProducerPlan

JOBS = "jobs"
EFFECTS = "effects"
OFFSETS_TOPIC = "__consumer_offsets"
TRANSACTIONS_TOPIC = "__transaction_state"
INTERNAL = (OFFSETS_TOPIC, TRANSACTIONS_TOPIC)

CLASSIC, MODERN = "classic", "modern"
"""The protocols that members of groups speak; the modern one is that of KIP-848."""
_PROTOCOLS = ((CLASSIC,), (MODERN,), (CLASSIC, MODERN))
_ALL_KINDS = ((True, True), (True, False), (False, True), (True, False))
"""Has it groups, has it writers of transactions: one of these, where a seed must have some. Members of groups may write transactions, too."""

_REPLICATION_MAX = 3


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """One group that reads all of ``jobs``."""

    name: str = "workers"
    protocols: tuple[str, ...] = (CLASSIC,)
    """What its members speak; with both, each member is of one of them, and the group moves between the protocols with those that come and go."""
    members: int = 2
    is_static: bool = False
    is_cooperative: bool = False
    """Whether those that speak the classic protocol keep what they have while they join (KIP-429)."""
    is_transactional: bool = False
    """Whether each member writes one effect for each job, and commits its offsets, in transactions (read-process-write)."""
    bumps: bool = True
    """Whether its producers are of transaction version 2 (KIP-890)."""
    session_timeout_ms: int = 5_000
    rebalance_timeout_ms: int = 6_000
    commit_interval_us: int = 1_000_000
    abuse_interval_us: int = 0
    """About how often something is done to one of its members; 0: never."""


@dataclass(frozen=True, slots=True)
class WriterPlan:
    """A producer that writes batches to several partitions in transactions."""

    name: str = "writer"
    bumps: bool = True
    has_twin: bool = False
    """Whether a second producer has the same transactional id, so that they fence each other again and again."""
    interval_us: int = 1_000_000
    timeout_ms: int = 5_000
    abort_chance: float = 0.25
    hang_chance: float = 0.0
    """How often a transaction is held open past its timeout."""


@dataclass(frozen=True, slots=True)
class CoordinationPlan:
    """Groups, transactions, and what brokers are told for them."""

    job_partitions: int = 2
    effect_partitions: int = 2
    groups: tuple[GroupPlan, ...] = ()
    writers: tuple[WriterPlan, ...] = ()
    echoes: bool = False
    """Whether requests of members and transactional producers come again, much later (F11)."""
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    jobs: ProducerPlan = field(default_factory=lambda: ProducerPlan(topic=JOBS))
    """Who writes ``jobs``."""

    @property
    def aims(self) -> tuple[str, ...]:
        """Topics whose leaders are worth a fault."""
        return (OFFSETS_TOPIC, *((TRANSACTIONS_TOPIC, TRANSACTIONS_TOPIC, EFFECTS) if self.writes_effects else ()))

    @property
    def writes_effects(self) -> bool:
        """Whether there are transactions."""
        return bool(self.writers) or any(group.is_transactional for group in self.groups)


def draw_coordination(rng: Rng, brokers: int, *, always: bool = False) -> CoordinationPlan | None:
    """What a seed has; ``None`` for one that has neither groups nor transactions, which ``always`` rules out."""
    has_groups, has_writers = _ALL_KINDS[rng.below(len(_ALL_KINDS))] if always else (rng.chance(0.25), rng.chance(0.15))
    if not has_groups and not has_writers:
        return None
    return CoordinationPlan(
        job_partitions=rng.uniform_ms(2, 3),
        effect_partitions=rng.uniform_ms(1, 2),
        groups=_groups(rng) if has_groups else (),
        writers=_writers(rng) if has_writers else (),
        echoes=rng.chance(0.6),
        texts=_texts(rng, brokers),
        jobs=ProducerPlan(
            topic=JOBS, in_flight_max=1, interval_us=rng.uniform_ms(1_000, 2_000) * 1000, burst_max=rng.uniform_ms(8, 16), batch_max=8
        ),
    )


def _groups(rng: Rng) -> tuple[GroupPlan, ...]:
    count = 2 if rng.chance(0.15) else 1
    return tuple(_group(rng, number) for number in range(1, count + 1))


def _group(rng: Rng, number: int) -> GroupPlan:
    protocols = _PROTOCOLS[rng.below(len(_PROTOCOLS))]
    return GroupPlan(
        name=f"workers-{number}",
        protocols=protocols,
        members=rng.uniform_ms(2, 3),
        # A classic member takes the place of a modern one of its instance id before that one has noticed, in Kafka too.
        is_static=rng.chance(0.25) and len(protocols) == 1,
        is_cooperative=rng.chance(0.4),
        is_transactional=rng.chance(0.4),
        bumps=rng.chance(0.6),
        session_timeout_ms=rng.uniform_ms(3_000, 6_000),
        rebalance_timeout_ms=rng.uniform_ms(4_000, 8_000),
        commit_interval_us=rng.uniform_ms(800, 2_500) * 1000,
        abuse_interval_us=rng.uniform_ms(3_000, 9_000) * 1000 if rng.chance(0.85) else 0,
    )


def _writers(rng: Rng) -> tuple[WriterPlan, ...]:
    return tuple(
        WriterPlan(
            name=f"writer-{number}",
            bumps=rng.chance(0.6),
            has_twin=rng.chance(0.4),
            interval_us=rng.uniform_ms(1_000, 2_500) * 1000,
            timeout_ms=rng.uniform_ms(3_000, 8_000),
            hang_chance=0.1 if rng.chance(0.5) else 0.0,
        )
        for number in range(1, 2 + rng.chance(0.3))
    )


def _texts(rng: Rng, brokers: int) -> dict[str, str]:
    """Small internal topics, and short times."""
    session_ms = rng.uniform_ms(3_000, 6_000)
    texts = {
        "log.cleaner.enable": "false",  # replicas that are compacted at different times are not equal byte for byte
        "replica.fetch.wait.max.ms": str(rng.uniform_ms(150, 500)),  # with more partitions than other seeds have
        "offsets.topic.num.partitions": str(rng.uniform_ms(1, 2)),
        "offsets.topic.replication.factor": str(min(_REPLICATION_MAX, brokers)),
        "transaction.state.log.num.partitions": str(rng.uniform_ms(1, 2)),
        "transaction.state.log.replication.factor": str(min(_REPLICATION_MAX, brokers)),
        "group.initial.rebalance.delay.ms": str(rng.below(500)),
        "group.min.session.timeout.ms": "1000",
        "group.consumer.min.session.timeout.ms": "1000",
        "group.consumer.session.timeout.ms": str(session_ms),
        "group.consumer.min.heartbeat.interval.ms": "100",
        "group.consumer.heartbeat.interval.ms": str(rng.uniform_ms(500, 1_000)),
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": str(rng.uniform_ms(500, 3_000)),
    }
    if rng.chance(0.3):
        texts["offsets.commit.timeout.ms"] = str(rng.uniform_ms(500, 3_000))
    if rng.chance(0.3):
        texts["offsets.topic.compression.codec"] = "1"
    return texts
