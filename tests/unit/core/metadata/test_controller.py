"""The controller as a whole: its start, its end, its clock, and how results are driven."""

import pytest
from tests.support.metadata_bench import CLUSTER_ID, Bench, config_of

from holdwater.core.metadata.builder import ImageBuilder
from holdwater.core.metadata.controller import Controller
from holdwater.core.metadata.image import EMPTY_IMAGE
from holdwater.core.metadata.producer_ids import BLOCK_SIZE
from holdwater.core.metadata.records import MAX_RECORDS_PER_BATCH, Versioned, versioned
from holdwater.core.metadata.result import PendingResponses, Result, batches
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.invariant import InvariantViolation
from holdwater.kernel.rng import Rng
from holdwater.wire.messages import (
    AllocateProducerIdsRequest,
    BeginTransactionRecord,
    BrokerRegistrationChangeRecord,
    FeatureLevelRecord,
    NoOpRecord,
    ProducerIdsRecord,
    TopicRecord,
)


def kinds(records: list[Versioned]) -> list[str]:
    return [type(record).__name__.removesuffix("Record") for record, _ in records]


def test_only_an_empty_log_gets_bootstrap_records() -> None:
    bench = Bench()
    assert kinds([record for _, record in bench.log]) == ["BeginTransaction", *["FeatureLevel"] * 4, "Config", "EndTransaction"]
    assert bench.new_controller().activate().records == []


def test_a_transaction_left_open_is_aborted_and_begun_again() -> None:
    builder = ImageBuilder(EMPTY_IMAGE)
    builder.apply(1, BeginTransactionRecord(name="Bootstrap records"))
    builder.apply(2, FeatureLevelRecord(name="metadata.version", feature_level=33))
    image, _ = builder.build(1)
    assert image is EMPTY_IMAGE
    controller = Controller(
        config_of(),
        image,
        cluster_id=CLUSTER_ID,
        quorum_epoch=2,
        next_offset=4,
        mono_ms=0,
        rng=Rng(1),
        open_transaction=builder.in_transaction,
    )
    result = controller.activate()
    assert kinds(result.records)[:3] == ["AbortTransaction", "BeginTransaction", "FeatureLevel"]
    for offset, (record, _) in enumerate(result.records, 4):
        controller.replay(offset, record, 0)
        builder.apply(offset, record)
    after, _ = builder.build(2)
    assert after.metadata_version == 33
    assert controller.metadata.content() == after.content()


def test_a_record_is_replayed_once_and_the_log_may_go_on_without_the_controller() -> None:
    bench = Bench()
    end = bench.end_offset
    bench.controller.next_offset = end + 3
    assert bench.controller.next_offset == end + 3
    bench.controller.next_offset = end
    assert bench.controller.next_offset == end + 3
    with pytest.raises(InvariantViolation, match="already replayed"):
        bench.controller.replay(end, NoOpRecord(), 0)


def test_handlers_see_what_is_appended_and_not_yet_committed() -> None:
    bench = Bench()
    bench.start(1)
    request = AllocateProducerIdsRequest(broker_id=1, broker_epoch=bench.epochs[1])
    starts: list[int] = []
    for _ in range(3):
        result = bench.controller.handle_allocate_producer_ids(request)
        bench.append(result)
        starts.append(result.response.producer_id_start)
    assert starts == [0, BLOCK_SIZE, 2 * BLOCK_SIZE]
    assert bench.image.next_producer_id == 0
    assert len(bench.pending) == 3
    bench.commit()
    assert bench.image.next_producer_id == 3 * BLOCK_SIZE
    assert len(bench.pending) == 0


def test_producer_ids_end_one_day() -> None:
    bench = Bench()
    bench.start(1)
    last = Result([versioned(ProducerIdsRecord(next_producer_id=2**63 - 1000))], None, bench.end_offset + 1, atomic=False)
    bench.submit(last)
    request = AllocateProducerIdsRequest(broker_id=1, broker_epoch=bench.epochs[1])
    assert bench.submit(bench.controller.handle_allocate_producer_ids(request)).error_code == ErrorCode.UNKNOWN_SERVER_ERROR


# The clock


def test_nothing_is_due_before_the_deadline_and_something_is_at_it() -> None:
    bench = Bench(config_of(metadata_max_idle_interval_ms="0"))
    bench.start(1)
    bench.tick()
    deadline = bench.controller.next_deadline()
    assert deadline == bench.mono_ms + 9000
    assert bench.tick(8999) == []
    assert kinds(bench.tick(1)) == ["BrokerRegistrationChange"]


def test_brokers_are_fenced_one_at_a_time() -> None:
    """The second must not inherit what the first had to give up."""
    bench = Bench(config_of(metadata_max_idle_interval_ms="0"))
    bench.start(1, 2, 3)
    bench.create("t", assignment=[[1, 2, 3]])
    bench.tick()
    bench.mono_ms += 9000
    first = bench.controller.tick(bench.mono_ms)
    assert first is not None
    assert kinds(first.records) == ["PartitionChange", "BrokerRegistrationChange"]
    assert isinstance(first.records[1].message, BrokerRegistrationChangeRecord)
    assert first.records[1].message.broker_id == 1
    bench.submit(first)
    bench.tick()
    assert bench.partition("t").leader == -1


def test_an_idle_log_gets_an_empty_record() -> None:
    """KIP-835."""
    bench = Bench(config_of(metadata_max_idle_interval_ms="500"))
    bench.tick()
    assert kinds(bench.tick(499)) == []
    assert kinds(bench.tick(1)) == ["NoOp"]
    assert bench.controller.next_deadline() == bench.mono_ms + 500


def test_leadership_goes_back_to_the_first_replica_in_time() -> None:
    bench = Bench(config_of(metadata_max_idle_interval_ms="0", leader_imbalance_check_interval_seconds="5"))
    bench.start(1, 2)
    bench.create("t", assignment=[[1, 2]])
    bench.heartbeat(1, fence=True)
    bench.heartbeat(1)
    bench.alter_isr("t", 0, [2, 1])
    assert bench.partition("t").leader == 2
    assert bench.tick(4999) == []
    bench.tick(1)
    assert bench.partition("t").leader == 1


def test_balancing_can_be_switched_off() -> None:
    bench = Bench(config_of(metadata_max_idle_interval_ms="0", auto_leader_rebalance_enable="false"))
    bench.tick()
    assert bench.controller.next_deadline() == bench.mono_ms + 300_000, "only unclean elections are looked for"


def test_more_elections_than_fit_in_one_go() -> None:
    bench = Bench(
        config_of(metadata_max_idle_interval_ms="0", leader_imbalance_check_interval_seconds="5", broker_session_timeout_ms="60000")
    )
    bench.start(1, 2)
    bench.create("t", assignment=[[1, 2]] * 1500)
    bench.heartbeat(1, fence=True)
    bench.heartbeat(1)
    for number in range(1500):
        bench.alter_isr("t", number, [2, 1])
    assert len(bench.tick(5000)) == 1500
    topic = bench.image.topic("t")
    assert topic is not None
    assert all(partition.leader == 1 for partition in topic.partitions.values())


@pytest.mark.parametrize(("lost", "deadline_ms"), [(-1, 9000), (2, 300), (9, 9000)])
def test_a_new_controller_trusts_everybody_but_the_lost_node(lost: int, deadline_ms: int) -> None:
    bench = Bench(config_of(metadata_max_idle_interval_ms="0"))
    bench.start(1, 2)
    bench.new_controller(lost)
    bench.tick()
    assert bench.controller.next_deadline() == bench.mono_ms + deadline_ms


def test_what_was_not_committed_is_forgotten_by_the_next_controller() -> None:
    bench = Bench()
    bench.start(1)
    request = AllocateProducerIdsRequest(broker_id=1, broker_epoch=bench.epochs[1])
    committed = len(bench.log)
    bench.append(bench.controller.handle_allocate_producer_ids(request))
    del bench.log[committed:]
    assert bench.pending.fail() == ["AllocateProducerIdsResponse"]
    bench.new_controller()
    assert bench.submit(bench.controller.handle_allocate_producer_ids(request)).producer_id_start == 0


# Results


def test_large_results_are_split_unless_they_are_atomic() -> None:
    records = [versioned(TopicRecord(name=f"t{number}")) for number in range(2 * MAX_RECORDS_PER_BATCH + 1)]
    assert [len(batch) for batch in batches(Result(records, None, 0, atomic=False))] == [10_000, 10_000, 1]
    assert batches(Result([], None, 0, atomic=True)) == []
    assert len(batches(Result(records[:10_000], None, 0, atomic=True))) == 1
    with pytest.raises(InvariantViolation):
        batches(Result(records, None, 0, atomic=True))


def test_responses_leave_in_order_when_they_are_committed() -> None:
    pending: PendingResponses[str] = PendingResponses()
    for token, offset in (("a", 3), ("b", 3), ("c", 5)):
        pending.add(token, Result([], token.upper(), offset, atomic=False))
    assert pending.release(2) == []
    assert pending.release(4) == [("a", "A"), ("b", "B")]
    assert pending.fail() == ["c"]
    assert pending.release(9) == []
    pending.add("late", Result([], "", 7, atomic=False))
    with pytest.raises(InvariantViolation, match="in the order of the log"):
        pending.add("early", Result([], "", 6, atomic=False))
