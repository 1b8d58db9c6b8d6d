"""A short run of each kind of workload on a cluster that nothing befalls: everything is acknowledged, read and judged."""

import pytest

from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workload import Workload
from holdwater.sim.workloads.plan import CHURN, LEADER, NONE, TOPIC, ConsumerPlan, ProducerPlan, WorkloadPlan, draw_workload

WHOLE_WITHIN_MS = 30_000
CONSUMER = ConsumerPlan()
BUSY = ProducerPlan(interval_us=100_000, burst_max=6)


def play(plan: WorkloadPlan, *, seed: int = 1, duration_ms: int = 4_000) -> Workload:
    cluster = SimCluster(seed)
    cluster.start()
    cluster.until("every broker is unfenced", cluster.all_unfenced, 5_000)
    workload = Workload.from_plan(cluster, Rng(seed), plan)
    workload.begin()
    cluster.run(duration_ms)
    workload.finish(WHOLE_WITHIN_MS)
    return workload


@pytest.mark.parametrize(
    "producer",
    [
        pytest.param(BUSY, id="idempotent"),
        pytest.param(ProducerPlan(interval_us=100_000, burst_max=6, version=3, in_flight_max=1), id="idempotent by name, one in flight"),
        pytest.param(ProducerPlan(interval_us=100_000, idempotent=False, version=9), id="plain"),
        pytest.param(ProducerPlan(interval_us=100_000, idempotent=False, in_flight_max=1), id="plain, one in flight"),
        pytest.param(ProducerPlan(interval_us=100_000, idempotent=False, acks=LEADER), id="acks 1"),
    ],
)
def test_every_producer_is_answered(producer: ProducerPlan) -> None:
    history = play(WorkloadPlan(producers=(producer,), consumers=(CONSUMER,))).history
    assert history.acknowledged_count == len(history.sent) == history.read_count >= 30


def test_without_acknowledgements_records_arrive_all_the_same() -> None:
    history = play(WorkloadPlan(producers=(ProducerPlan(interval_us=100_000, idempotent=False, acks=NONE),), consumers=(CONSUMER,))).history
    assert history.unknown_count == len(history.sent) == history.read_count >= 30


@pytest.mark.parametrize(
    "consumer",
    [
        pytest.param(ConsumerPlan(sessions=False), id="without sessions"),
        pytest.param(ConsumerPlan(version=12, tells_epoch=True), id="by name, with its leader epoch"),
        pytest.param(ConsumerPlan(max_bytes=300, partition_max_bytes=200, min_bytes=100), id="few bytes"),
        pytest.param(ConsumerPlan(rest_us=1_000_000, partition_max_bytes=200), id="slow"),
        pytest.param(ConsumerPlan(asks_offsets=True), id="asks about offsets"),
    ],
)
def test_every_consumer_reads_everything(consumer: ConsumerPlan) -> None:
    workload = play(WorkloadPlan(producers=(BUSY,), consumers=(consumer, CONSUMER)), duration_ms=12_000 if consumer.asks_offsets else 4_000)
    assert workload.history.read_count == 2 * workload.history.acknowledged_count > 100
    assert not consumer.asks_offsets or workload.counters["workload offset-latest"] > 0


def test_a_topic_is_deleted_and_created_anew() -> None:
    churn = (
        ProducerPlan(topic=CHURN, interval_us=100_000),
        ProducerPlan(topic=CHURN, interval_us=100_000, idempotent=False, version=9),
        ProducerPlan(topic=CHURN, interval_us=100_000, idempotent=False, acks=NONE),
    )
    plan = WorkloadPlan(
        producers=(BUSY, *churn),
        consumers=(CONSUMER, ConsumerPlan(topic=CHURN), ConsumerPlan(topic=CHURN, sessions=False)),
        churns=True,
        late_requests=True,
        admin_interval_us=1_000_000,
    )
    workload = play(plan, duration_ms=20_000)
    met = workload.counters
    assert met["workload topic-recreated"] == met["workload topic-deleted"] >= 4
    assert met["workload deleted-topic-refused"] > 0
    incarnations = [topic_id for topic_id, name in workload.history.topics.items() if name == CHURN]
    assert len(incarnations) > 4
    assert sum((topic_id, 0) in workload.history.reads for topic_id in incarnations) > 4


def test_partitions_are_added_and_used() -> None:
    plan = WorkloadPlan(partitions=1, producers=(BUSY,), consumers=(CONSUMER,), partitions_max=3, admin_interval_us=1_000_000)
    workload = play(plan, duration_ms=12_000)
    assert workload.counters["workload partitions-grown"] == 2
    assert sorted({index for _, index in workload.history.reads}) == [0, 1, 2]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_settings_are_changed(seed: int) -> None:
    plan = WorkloadPlan(producers=(BUSY,), consumers=(CONSUMER,), configures=True, admin_interval_us=500_000)
    workload = play(plan, seed=seed, duration_ms=15_000)
    assert workload.counters["workload config-changed"] > 10
    history = workload.history
    assert history.acknowledged_count + history.refused_count + history.unknown_count == len(history.sent)
    assert history.acknowledged_count > 100


def test_records_are_deleted() -> None:
    slow = ConsumerPlan(rest_us=2_000_000, partition_max_bytes=200, sessions=False)
    plan = WorkloadPlan(partitions=2, producers=(BUSY,), consumers=(CONSUMER, slow), trims=True, admin_interval_us=500_000)
    workload = play(plan, duration_ms=10_000)
    assert workload.counters["workload records-deleted"] > 5
    assert workload.counters["workload reset-to-earliest"] > 0
    assert workload.history.acknowledged_count < workload.history.read_count < 2 * workload.history.acknowledged_count


def test_new_topics_are_created() -> None:
    workload = play(WorkloadPlan(producers=(BUSY,), consumers=(CONSUMER,), extra_topics=2, admin_interval_us=500_000))
    assert workload.counters["workload topic-created"] == 2
    assert workload.counters["error admin TOPIC_ALREADY_EXISTS"] == 2


def test_late_requests_are_recognised() -> None:
    plan = WorkloadPlan(producers=(BUSY,), consumers=(CONSUMER,), late_requests=True, admin_interval_us=200_000)
    workload = play(plan)
    assert workload.counters["workload zombie-request"] > 10
    assert workload.counters["workload zombie-answered-with-offset"] > 0
    assert workload.counters["error late OUT_OF_ORDER_SEQUENCE_NUMBER"] > 0
    assert workload.history.read_count == workload.history.acknowledged_count


def test_damage_without_a_flipped_bit_is_found() -> None:
    cluster = SimCluster(1)
    cluster.start()
    cluster.until("every broker is unfenced", cluster.all_unfenced, 5_000)
    workload = Workload(cluster, Rng(1))
    workload.begin()
    workload.consumers[0].damaged_count = 1
    with pytest.raises(SafetyViolation, match="R13"):
        workload.finish(WHOLE_WITHIN_MS)


@pytest.mark.parametrize("seed", range(1, 6))
def test_what_a_seed_draws_is_enough_work(seed: int) -> None:
    plan = draw_workload(Rng(seed))
    assert plan == draw_workload(Rng(seed))
    history = play(plan, seed=seed, duration_ms=10_000).history
    assert history.acknowledged_count >= 100
    assert history.operation_count >= 200


def test_seeds_draw_every_kind() -> None:
    plans = [draw_workload(Rng(seed)) for seed in range(200)]
    producers = [producer for plan in plans for producer in plan.producers]
    assert {(producer.idempotent, producer.acks) for producer in producers} == {(True, -1), (False, -1), (False, 1), (False, 0)}
    assert {producer.in_flight_max for producer in producers} == {1, 5}
    assert {producer.topic for producer in producers} == {TOPIC, CHURN}
    assert all(producer.version == 13 for producer in producers if producer.topic == CHURN and producer.idempotent)
    for name in ("churns", "partitions_max", "configures", "trims", "extra_topics", "late_requests"):
        on = sum(bool(getattr(plan, name)) for plan in plans)
        assert 10 < on < 190, name
