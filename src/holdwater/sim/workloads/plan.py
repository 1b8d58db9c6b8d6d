"""What a seed's workload is made of. Each seed first draws which parts are on at all (swarm testing).

``orders`` is the steady topic: it is never deleted, its partition 0 is what faults aim at. ``churn`` is deleted and created again all the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from holdwater.kernel.rng import Rng

TOPIC = "orders"
CHURN = "churn"

ALL, LEADER, NONE = -1, 1, 0
"""``acks``."""
BY_ID = 13
"""First version of Produce and of Fetch that names topics by id."""
_PRODUCE_BY_NAME = (3, 7, 8, 9, 11, 12)
_FETCH_VERSIONS = (BY_ID, 16, 17)
_FETCH_BY_NAME = 12


@dataclass(frozen=True, slots=True)
class ProducerPlan:
    """One producer. About every ``interval_us`` it gets 1 to ``burst_max`` records for one partition; ``batch_max`` of them travel together."""

    topic: str = TOPIC
    idempotent: bool = True
    acks: int = ALL
    in_flight_max: int = 5
    """Batches of one partition that may be under way at once."""
    version: int = BY_ID
    interval_us: int = 200_000
    burst_max: int = 1
    batch_max: int = 3
    delivery_timeout_us: int = 120_000_000


@dataclass(frozen=True, slots=True)
class ConsumerPlan:
    """One consumer."""

    topic: str = TOPIC
    sessions: bool = True
    version: int = 17
    min_bytes: int = 1
    max_bytes: int = 1 << 20
    partition_max_bytes: int = 4096
    tells_epoch: bool = False
    """Whether its fetches name the leader epoch of the last record (KIP-595), so that a truncation would be told."""
    asks_offsets: bool = False
    """Whether it asks ListOffsets and OffsetForLeaderEpoch now and then."""
    rest_us: int = 0
    """How long it takes over an answer with records before it fetches from that broker again."""


@dataclass(frozen=True, slots=True)
class WorkloadPlan:
    """A whole workload: clients, the topic's settings, what is done to topics meanwhile."""

    partitions: int = 3
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    """The steady topic's own configuration when it is created."""
    producers: tuple[ProducerPlan, ...] = ()
    consumers: tuple[ConsumerPlan, ...] = ()
    churns: bool = False
    churn_partitions: int = 1
    partitions_max: int = 0
    """To how many partitions topics are grown; 0: not at all."""
    min_insync_replicas: int = 0
    """What the steady topic's ``min.insync.replicas`` is set to before anything befalls the cluster, and taken back from in the end; 0: left alone.

    Not in between: a change makes the controller forget eligible leader replicas (KIP-966), and a partition that has no in-sync replica at
    that moment has nobody left who may lead it. Apache Kafka does the same.
    """
    configures: bool = False
    trims: bool = False
    """Whether records of the steady topic are deleted (DeleteRecords)."""
    extra_topics: int = 0
    """Topics that are created under way and have no clients."""
    late_requests: bool = False
    """Whether requests of producers are sent again, much later (F11)."""
    admin_interval_us: int = 5_000_000

    def with_less(self) -> "WorkloadPlan":
        """One producer, half as busy, and one consumer of it, for a seed that has other clients, too."""
        producer = replace(self.producers[0], interval_us=2 * self.producers[0].interval_us)
        return replace(self, producers=(producer,), consumers=self.consumers[:1], churns=False, extra_topics=0)


def draw_workload(rng: Rng) -> WorkloadPlan:
    """The workload of one seed: fifteen to twenty records a virtual second in few requests, when nothing is broken."""
    churns = rng.chance(0.4)
    trims = rng.chance(0.3)
    producers = [_main_producer(rng, trims=trims)]
    producers += [_other_producer(rng, TOPIC, trims=trims) for _ in range(rng.below(3))]
    if churns:
        producers.append(_other_producer(rng, CHURN, trims=False))
    consumers = [_consumer(rng, TOPIC)]
    if rng.chance(0.3):
        consumers.append(_consumer(rng, TOPIC))
    if churns:
        consumers.append(_consumer(rng, CHURN))
    partitions = rng.uniform_ms(1, 4)
    return WorkloadPlan(
        partitions=partitions,
        texts={"min.insync.replicas": "1"} if rng.chance(0.2) else {},
        producers=tuple(producers),
        consumers=tuple(consumers),
        churns=churns,
        churn_partitions=rng.uniform_ms(1, 2),
        partitions_max=partitions + rng.uniform_ms(1, 2) if rng.chance(0.3) else 0,
        min_insync_replicas=rng.uniform_ms(1, 3) if rng.chance(0.3) else 0,
        configures=rng.chance(0.5),
        trims=trims,
        extra_topics=rng.uniform_ms(1, 2) if rng.chance(0.2) else 0,
        late_requests=rng.chance(0.5),
        admin_interval_us=rng.uniform_ms(3_000, 8_000) * 1000,
    )


def _main_producer(rng: Rng, *, trims: bool) -> ProducerPlan:
    """The busy one."""
    idempotent = rng.chance(0.7)
    return ProducerPlan(
        idempotent=idempotent,
        in_flight_max=_in_flight(rng, idempotent=idempotent, trims=trims),
        version=_produce_version(rng),
        interval_us=rng.uniform_ms(400, 650) * 1000,
        burst_max=rng.uniform_ms(12, 18),
        batch_max=rng.uniform_ms(3, 16),
        delivery_timeout_us=_delivery_timeout_us(rng, trims=trims, shortest_ms=30_000),
    )


def _other_producer(rng: Rng, topic: str, *, trims: bool) -> ProducerPlan:
    idempotent = rng.chance(0.3)
    acks = ALL if idempotent else (ALL, ALL, LEADER, NONE)[rng.below(4)]
    # The sequences of a producer belong to one incarnation of a topic, so it must be able to say which it means.
    version = BY_ID if idempotent and topic == CHURN else _produce_version(rng)
    return ProducerPlan(
        topic=topic,
        idempotent=idempotent,
        acks=acks,
        in_flight_max=_in_flight(rng, idempotent=idempotent, trims=trims),
        version=version,
        interval_us=rng.uniform_ms(1_000, 3_000) * 1000,
        burst_max=rng.uniform_ms(1, 6),
        batch_max=rng.uniform_ms(1, 6),
        delivery_timeout_us=_delivery_timeout_us(rng, trims=trims, shortest_ms=8_000),
    )


def _in_flight(rng: Rng, *, idempotent: bool, trims: bool) -> int:
    """A follower that begins anew above deleted records knows no producers; one batch at a time is safe even then, as in Kafka (KIP-360)."""
    return 1 if rng.chance(0.4) or (idempotent and trims) else 5


def _delivery_timeout_us(rng: Rng, *, trims: bool, shortest_ms: int) -> int:
    return rng.uniform_ms(shortest_ms, shortest_ms + 20_000) * 1000 if rng.chance(0.3) and not trims else 120_000_000


def _produce_version(rng: Rng) -> int:
    version = _PRODUCE_BY_NAME[rng.below(len(_PRODUCE_BY_NAME))]
    return version if rng.chance(0.3) else BY_ID


def _consumer(rng: Rng, topic: str) -> ConsumerPlan:
    version = _FETCH_VERSIONS[rng.below(len(_FETCH_VERSIONS))]
    steady = topic != CHURN
    return ConsumerPlan(
        topic=topic,
        sessions=rng.chance(0.6),
        version=_FETCH_BY_NAME if rng.chance(0.2) and steady else version,
        min_bytes=(1, 1, 100)[rng.below(3)],  # of a batch at most: else each answer would wait for more than it may hold
        max_bytes=(1 << 20, 10_000, 500)[rng.below(3)],
        partition_max_bytes=(65_536, 4_096, 300)[rng.below(3)],
        tells_epoch=rng.chance(0.5),
        asks_offsets=rng.chance(0.6) and steady,
        rest_us=(rng.uniform_ms(500, 3_000) if rng.chance(0.25) else rng.uniform_ms(100, 400)) * 1000,
    )
