"""What clients make of answers that no broker may give, and of those that it may: a broker that a test scripts answers them."""

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from tests.support.scripted_broker import TOPIC_ID, ScriptedBroker

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.activities import Extras, Trimming
from holdwater.sim.workloads.consumer import Consumer
from holdwater.sim.workloads.history import EXACTLY_ONCE, UNKNOWN, History, Sent
from holdwater.sim.workloads.idempotent import IdempotentProducer
from holdwater.sim.workloads.late import LateSender
from holdwater.sim.workloads.plain import PlainProducer
from holdwater.sim.workloads.plan import CHURN, LEADER, NONE, TOPIC, ConsumerPlan, ProducerPlan
from holdwater.sim.workloads.producer import Producer
from holdwater.wire.messages import (
    CreateTopicsRequest,
    CreateTopicsResponse,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    FetchRequest,
    FetchResponse,
    InitProducerIdRequest,
    InitProducerIdResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    ProduceRequest,
    ProduceResponse,
)
from holdwater.wire.records import batches, build_batch, parse_header, read_records

KEY = (TOPIC_ID, 0)
NEW_ID = b"\x22" * 16


class Stage:
    """A cluster that is not started, a scripted broker in its place, and a history with some records sent."""

    def __init__(self, records: int = 6, **topics: bytes) -> None:
        self.cluster = SimCluster(1)
        self.broker = ScriptedBroker(self.cluster, **(topics or {TOPIC: TOPIC_ID}))
        self.history = History()
        self.log = [Sent("p", number, TOPIC, 0, 1_000 * number, EXACTLY_ONCE, TOPIC_ID) for number in range(records)]
        for sent in self.log:
            self.history.send(sent)

    def batch(self, start: int, end: int) -> bytes:
        """The records at some offsets, in one batch."""
        return build_batch([sent.record() for sent in self.log[start:end]], base_offset=start, leader_epoch=self.broker.leader_epoch)

    def run(self, duration_ms: int = 3_000) -> None:
        self.cluster.run(duration_ms)


def whole(answer: Any) -> FetchResponse:
    """An answer about the one partition."""
    return FetchResponse(responses=[FetchResponse.FetchableTopicResponse(topic_id=TOPIC_ID, partitions=[answer])])


def served(data: bytes = b"", high_watermark: int = 6, **how: Any) -> FetchResponse:
    data_ = FetchResponse.PartitionData(
        partition_index=0, high_watermark=high_watermark, last_stable_offset=high_watermark, log_start_offset=0, records=data
    )
    for name, value in how.items():
        setattr(data_, name, value)
    return whole(data_)


def position(request: FetchRequest) -> int:
    return request.topics[0].partitions[0].fetch_offset


def consumer(stage: Stage, fetch: Callable[[FetchRequest], Any], **plan: Any) -> Consumer:
    stage.broker.answers[FetchRequest] = fetch
    made = Consumer(stage.cluster, "c", ConsumerPlan(**({"sessions": False} | plan)), Rng(1), stage.history)
    made.start()
    return made


class TestConsumer:
    def test_it_reads_on_and_counts(self) -> None:
        stage = Stage()
        made = consumer(stage, lambda request: served(stage.batch(position(request), 6) if position(request) < 6 else b""))
        stage.run(500)
        assert made.place(KEY).offset == 6
        assert stage.history.read_count == 6

    def test_damage_is_dropped_and_fetched_again(self) -> None:
        stage = Stage()
        flips = iter([2, 30, 70, 9])

        def fetch(request: FetchRequest) -> FetchResponse:
            data = bytearray(stage.batch(0, 6) if position(request) < 6 else b"")
            flip = next(flips, None)
            if flip is not None:
                data[flip] ^= 4
            return served(bytes(data))

        made = consumer(stage, fetch)
        stage.run()
        assert made.place(KEY).offset == 6
        assert made.damaged_count == 4
        assert stage.history.counters["read-damaged"] == 4
        assert [position(request) for request in stage.broker.asked(FetchRequest)][:5] == [0] * 5

    def test_records_that_were_deleted_are_passed_over(self) -> None:
        stage = Stage()
        stage.history.ask_deletion(KEY, 4)

        def fetch(request: FetchRequest) -> FetchResponse:
            if position(request) < 2:
                return served(error_code=int(ErrorCode.OFFSET_OUT_OF_RANGE))
            return served(stage.batch(0, 6) if position(request) < 6 else b"", log_start_offset=2)

        stage.broker.answers[ListOffsetsRequest] = lambda request: offsets(2)
        made = consumer(stage, fetch)
        stage.run(500)
        assert made.place(KEY).offset == 6
        assert stage.history.read_count == 4
        assert [position(request) for request in stage.broker.asked(FetchRequest)][:3] == [0, 2, 2]  # read twice inside a batch

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            pytest.param(lambda stage: served(error_code=1), "R5", id="out of range, and nobody asked to delete"),
            pytest.param(lambda stage: served(error_code=87), "R5", id="an error that no fetch may get"),
            pytest.param(lambda stage: served(stage.batch(0, 3), high_watermark=2), "R7", id="a record above the high watermark"),
            pytest.param(lambda stage: served(log_start_offset=3), "R14", id="served below the log start"),
            pytest.param(
                lambda stage: served(diverging_epoch=FetchResponse.EpochEndOffset(epoch=1, end_offset=0)), "R5", id="a truncation"
            ),
            pytest.param(lambda stage: FetchResponse(error_code=87), "protocol", id="an error of the whole"),
        ],
    )
    def test_answers_that_may_not_be(self, answer: Callable[[Stage], FetchResponse], code: str) -> None:
        stage = Stage()
        consumer(stage, lambda request: answer(stage))
        with pytest.raises(SafetyViolation) as caught:
            stage.run()
        assert caught.value.code == code

    @pytest.mark.parametrize("tells_epoch", [False, True])
    def test_a_leader_of_the_past_cannot_know_what_was_read(self, tells_epoch: bool) -> None:
        """A broker that stood still names a topic that is deleted, and then the leader that it knows. The seed was 231683."""
        stage = Stage()

        def fetch(request: FetchRequest) -> FetchResponse:
            topic, asked = request.topics[0], request.topics[0].partitions[0]
            if topic.topic_id == NEW_ID:
                stage.broker.topics[TOPIC] = TOPIC_ID
                gone = FetchResponse.PartitionData(partition_index=0, error_code=int(ErrorCode.UNKNOWN_TOPIC_ID))
                return FetchResponse(responses=[FetchResponse.FetchableTopicResponse(topic_id=NEW_ID, partitions=[gone])])
            assert (asked.last_fetched_epoch >= 0) == (tells_epoch and asked.fetch_offset > 0)
            if asked.fetch_offset == 0:
                return served(stage.batch(0, 3))
            if asked.current_leader_epoch == 4:
                stage.broker.topics[TOPIC], stage.broker.leader_epoch = NEW_ID, 2
                return served(error_code=int(ErrorCode.NOT_LEADER_OR_FOLLOWER))
            if asked.current_leader_epoch == 2:
                stage.broker.leader_epoch = 5
                diverging = FetchResponse.EpochEndOffset(epoch=1, end_offset=0)
                return served(diverging_epoch=diverging) if tells_epoch else served(error_code=int(ErrorCode.OFFSET_OUT_OF_RANGE))
            return served(stage.batch(3, 6) if asked.fetch_offset < 6 else b"")

        made = consumer(stage, fetch, tells_epoch=tells_epoch)
        stage.run()
        assert made.place(KEY).offset == 6
        assert stage.history.counters["read-on-at-a-deposed-leader"] == 1

    def test_a_record_that_is_not_committed_is_not_served(self) -> None:
        stage = Stage()
        replica = Mock(is_leader=True, leader_epoch=stage.broker.leader_epoch, high_watermark=5)
        stage.cluster.nodes[1].broker = Mock(replicas=Mock(by_id=lambda topic_id, index: Mock(replica=replica)))
        consumer(stage, lambda request: served(stage.batch(position(request), 6)))
        with pytest.raises(SafetyViolation, match=r"R7: c was given .*@5"):
            stage.run()

    def test_a_topic_that_is_another_one_is_read_from_its_start(self) -> None:
        stage = Stage()
        made = consumer(stage, lambda request: served(stage.batch(position(request), 6) if position(request) < 6 else b""))
        stage.run(500)
        stage.broker.topics[TOPIC] = NEW_ID
        stage.broker.answers[FetchRequest] = lambda request: FetchResponse(
            responses=[
                FetchResponse.FetchableTopicResponse(
                    topic_id=request.topics[0].topic_id,
                    partitions=[FetchResponse.PartitionData(partition_index=0, error_code=int(ErrorCode.UNKNOWN_TOPIC_ID))],
                )
            ]
        )
        stage.run(2_000)
        assert stage.broker.asked(FetchRequest)[-1].topics[0].topic_id == NEW_ID
        assert position(stage.broker.asked(FetchRequest)[-1]) == 0
        assert made.place(KEY).offset == 6


def offsets(offset: int, timestamp: int = -1, error_code: int = 0) -> ListOffsetsResponse:
    answer = ListOffsetsResponse.ListOffsetsPartitionResponse(
        partition_index=0, error_code=error_code, timestamp=timestamp, offset=offset, leader_epoch=4
    )
    return ListOffsetsResponse(topics=[ListOffsetsResponse.ListOffsetsTopicResponse(name=TOPIC, partitions=[answer])])


def true_offsets(request: ListOffsetsRequest) -> tuple[int, int]:
    """Offset and timestamp for a log with six records, a millisecond after each other."""
    asked = request.topics[0].partitions[0].timestamp
    return (6, -1) if asked == -1 else (0, -1) if asked == -2 else (asked - 1_700_000_000_000, asked)


def ends(end_offset: int, leader_epoch: int = 4) -> OffsetForLeaderEpochResponse:
    answer = OffsetForLeaderEpochResponse.EpochEndOffset(error_code=0, partition=0, leader_epoch=leader_epoch, end_offset=end_offset)
    return OffsetForLeaderEpochResponse(topics=[OffsetForLeaderEpochResponse.OffsetForLeaderTopicResult(topic=TOPIC, partitions=[answer])])


class TestOffsets:
    def reader(self, stage: Stage) -> Consumer:
        stage.broker.answers[OffsetForLeaderEpochRequest] = lambda request: ends(6)
        return consumer(
            stage,
            lambda request: served(stage.batch(position(request), 6) if position(request) < 6 else b""),
            asks_offsets=True,
        )

    def test_true_answers_are_taken(self) -> None:
        stage = Stage()
        stage.broker.answers[ListOffsetsRequest] = lambda request: offsets(*true_offsets(request))
        self.reader(stage)
        stage.run(60_000)
        assert {"offset-latest", "offset-earliest", "offset-by-time"} <= stage.history.counters.keys()

    @pytest.mark.parametrize(
        ("asked", "answer", "code"),
        [
            pytest.param(-1, offsets(5), "R5", id="the latest offset is below what was read"),
            pytest.param(-1, offsets(-1, error_code=1), "R5", id="an error that may not be"),
            pytest.param(-2, offsets(1), "R14", id="the earliest offset has risen, and nobody asked"),
            pytest.param(0, offsets(-1), "H", id="nothing at a time at which something was read"),
            pytest.param(0, offsets(6, timestamp=1_700_000_000_006), "H", id="a later record than the one that was read"),
            pytest.param(0, offsets(0, timestamp=5), "H", id="a record from before"),
        ],
    )
    def test_answers_that_may_not_be(self, asked: int, answer: ListOffsetsResponse, code: str) -> None:
        stage = Stage()

        def list_offsets(request: ListOffsetsRequest) -> ListOffsetsResponse:
            timestamp = request.topics[0].partitions[0].timestamp
            return answer if (timestamp == asked if asked else timestamp > 0) else offsets(*true_offsets(request))

        stage.broker.answers[ListOffsetsRequest] = list_offsets
        self.reader(stage)
        with pytest.raises(SafetyViolation) as caught:
            stage.run(120_000)
        assert caught.value.code == code

    def test_the_latest_offset_never_goes_back(self) -> None:
        stage = Stage()
        latest = iter([9, 9, 8])
        stage.broker.answers[ListOffsetsRequest] = lambda request: (
            offsets(next(latest)) if request.topics[0].partitions[0].timestamp == -1 else offsets(*true_offsets(request))
        )
        self.reader(stage)
        with pytest.raises(SafetyViolation, match=r"R5: c: the latest offset is .*@8, below 9"):
            stage.run(120_000)

    def test_an_offset_may_be_unavailable_for_a_while(self) -> None:
        stage = Stage()
        stage.broker.answers[ListOffsetsRequest] = lambda request: offsets(-1, error_code=int(ErrorCode.OFFSET_NOT_AVAILABLE))
        self.reader(stage)
        stage.run(20_000)
        assert stage.history.errors["offsets OFFSET_NOT_AVAILABLE"] > 0

    @pytest.mark.parametrize("answer", [ends(5), ends(6, leader_epoch=3), ends(-1, leader_epoch=-1)])
    def test_a_new_leader_that_lacks_what_was_read_is_found(self, answer: OffsetForLeaderEpochResponse) -> None:
        stage = Stage()
        stage.broker.answers[ListOffsetsRequest] = lambda request: offsets(*true_offsets(request))
        self.reader(stage)
        stage.run(1_000)
        stage.broker.answers[OffsetForLeaderEpochRequest] = lambda request: answer
        stage.broker.leader_epoch = 5
        with pytest.raises(SafetyViolation, match="R5: c has read up to"):
            stage.run(10_000)


def produced(base_offset: int = 0, error_code: int = 0) -> ProduceResponse:
    answer = ProduceResponse.PartitionProduceResponse(index=0, error_code=error_code, base_offset=base_offset)
    return ProduceResponse(responses=[ProduceResponse.TopicProduceResponse(topic_id=TOPIC_ID, partition_responses=[answer])])


class Appender:
    """Answers produce requests as a log would; ``errors`` come first, each instead of an append; ``None`` is no answer after one."""

    def __init__(self, *errors: int | None) -> None:
        self.errors = list(errors)
        self.batches: list[bytes] = []
        self.end = 0

    def __call__(self, request: ProduceRequest) -> ProduceResponse | None:
        data = request.topic_data[0].partition_data[0].records or b""
        error = self.errors.pop(0) if self.errors else 0
        if error:
            return produced(-1, error)
        base, count = self.end, parse_header(data).record_count
        self.batches.append(data)
        self.end += count
        return produced(base) if error == 0 else None

    def values(self) -> list[bytes | None]:
        return [record.value for data in self.batches for start, header, _ in batches(data) for record in read_records(data, start, header)]


def producer(stage: Stage, appender: Callable[[ProduceRequest], Any], **plan: Any) -> Producer:
    stage.broker.answers[ProduceRequest] = appender
    ids = iter(range(100, 200))
    stage.broker.answers[InitProducerIdRequest] = lambda request: InitProducerIdResponse(producer_id=next(ids), producer_epoch=0)
    given = ProducerPlan(**({"interval_us": 50_000, "batch_max": 1} | plan))
    kind = IdempotentProducer if given.idempotent else PlainProducer
    made = kind(stage.cluster, "q", given, Rng(2), stage.history)
    made.start()
    return made


def sequences(appender: Appender) -> list[tuple[int, int]]:
    return [(header.producer_id, header.base_sequence) for header in map(parse_header, appender.batches)]


class TestProducer:
    def test_what_is_acknowledged_is_in_the_history(self) -> None:
        stage, appender = Stage(records=0), Appender()
        producer(stage, appender)
        stage.run(1_000)
        assert stage.history.acknowledged_count >= 10
        assert sequences(appender)[:3] == [(100, 0), (100, 1), (100, 2)]

    def test_a_refused_batch_has_a_new_producer_id_behind_it(self) -> None:
        stage, appender = Stage(records=0), Appender(0, 0, int(ErrorCode.INVALID_TIMESTAMP))
        producer(stage, appender)
        stage.run(2_000)
        assert stage.history.refused_count == 1
        assert [at for at in sequences(appender) if at[1] == 0] == [(100, 0), (101, 0)]
        assert b"q-3" not in appender.values()

    def test_an_error_after_an_unanswered_attempt_leaves_the_outcome_unknown(self) -> None:
        stage, appender = Stage(records=0), Appender(0, None, int(ErrorCode.INVALID_TIMESTAMP))
        producer(stage, appender)
        stage.run(2_000)
        assert stage.history.refused_count == 0
        assert stage.history.sent[b"q-2"].outcome == UNKNOWN
        assert appender.values().count(b"q-2") == 1

    def test_what_was_certainly_not_written_is_sent_again_under_the_new_producer_id(self) -> None:
        stage = Stage(records=0)
        out_of_order = int(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
        appender = Appender(0, int(ErrorCode.MESSAGE_TOO_LARGE), out_of_order, out_of_order)
        producer(stage, appender, burst_max=1, interval_us=1_000)
        stage.run(1_000)
        assert stage.history.unknown_count == 0
        assert stage.history.refused_count == 1
        assert len(appender.values()) == len(dict.fromkeys(appender.values()))

    @pytest.mark.parametrize("idempotent", [True, False])
    def test_a_delivery_timeout_gives_up(self, idempotent: bool) -> None:
        stage = Stage(records=0)
        made = producer(
            stage, lambda request: produced(-1, int(ErrorCode.NOT_LEADER_OR_FOLLOWER)), idempotent=idempotent, delivery_timeout_us=2_000_000
        )
        stage.run(1_000)
        made.producing = False
        stage.run(10_000)
        assert made.waiting_count == 0
        assert stage.history.unknown_count > 0
        assert stage.history.unknown_count + stage.history.refused_count == len(stage.history.sent)

    @pytest.mark.parametrize("plan", [{"idempotent": False}, {"idempotent": False, "acks": LEADER, "version": 3}])
    def test_a_plain_producer_counts_how_often_it_sends(self, plan: dict[str, Any]) -> None:
        stage, appender = Stage(records=0), Appender(0, None, 0)
        producer(stage, appender, **plan)
        stage.run(1_000)
        assert stage.history.sent[b"q-2"].attempts == 2
        assert appender.values().count(b"q-2") == 2
        assert sequences(appender)[0] == (-1, -1)

    def test_without_acknowledgements_nothing_is_known(self) -> None:
        stage = Stage(records=0)
        sent: list[ProduceRequest] = []
        made = producer(stage, sent.append, idempotent=False, acks=NONE)
        stage.run(1_000)
        made.producing = False
        stage.run(500)
        assert made.waiting_count == 0
        assert stage.history.unknown_count == len(stage.history.sent) >= len(sent) > 5

    @pytest.mark.parametrize(
        ("idempotent", "error"),
        [(True, ErrorCode.INVALID_RECORD), (False, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER), (True, ErrorCode.CORRUPT_MESSAGE)],
    )
    def test_errors_that_may_not_be(self, idempotent: bool, error: ErrorCode) -> None:
        stage = Stage(records=0)
        producer(stage, Appender(int(error)), idempotent=idempotent)
        with pytest.raises(SafetyViolation, match=f"P: q: orders-0 answered {error.name}"):
            stage.run(1_000)

    def test_what_may_be_written_to_a_deleted_topic_stays_there(self) -> None:
        stage = Stage(records=0, **{CHURN: TOPIC_ID})
        appender = Appender(0, None, *[int(ErrorCode.UNKNOWN_TOPIC_ID)] * 3)
        producer(stage, appender, topic=CHURN, in_flight_max=1)
        stage.run(400)
        stage.broker.topics[CHURN] = NEW_ID
        stage.run(6_000)
        gone, moved = stage.history.sent[b"q-2"], stage.history.sent[b"q-3"]
        assert (gone.outcome, gone.topic_id) == (UNKNOWN, TOPIC_ID)
        assert moved.topic_id == NEW_ID
        assert appender.values().count(b"q-2") == 1


class TestLateRequests:
    def sender(self, stage: Stage) -> LateSender:
        made = LateSender(stage.cluster, "late", TOPIC, Rng(3), stage.history, 100_000)
        made.start()
        return made

    def test_a_duplicate_is_where_it_was(self) -> None:
        stage, appender = Stage(records=0), Appender()
        made = producer(stage, appender)
        late = self.sender(stage)
        made.on_leave = late.remember
        stage.run(500)
        made.stop()
        where = {data: offset for offset, data in enumerate(appender.batches)}
        stage.broker.answers[ProduceRequest] = lambda request: produced(where[request.topic_data[0].partition_data[0].records or b""])
        stage.run(3_000)
        assert stage.history.counters["zombie-answered-with-offset"] > 10
        stage.broker.answers[ProduceRequest] = lambda request: produced(77)
        with pytest.raises(SafetyViolation, match="P2"):
            stage.run(1_000)

    def test_it_may_be_refused_as_late(self) -> None:
        stage = Stage(records=0)
        made = producer(stage, Appender())
        late = self.sender(stage)
        made.on_leave = late.remember
        stage.run(500)
        made.stop()
        stage.broker.answers[ProduceRequest] = lambda request: produced(-1, int(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER))
        stage.run(1_000)
        assert stage.history.errors["late OUT_OF_ORDER_SEQUENCE_NUMBER"] > 3
        stage.broker.answers[ProduceRequest] = lambda request: produced(-1, int(ErrorCode.INVALID_RECORD))
        with pytest.raises(SafetyViolation, match="P: late"):
            stage.run(1_000)

    @pytest.mark.parametrize(("deleted_by", "heard_to"), [(50, 50), (50, 49), (None, 50)])
    def test_a_deleted_topic_serves_nothing(self, deleted_by: int | None, heard_to: int) -> None:
        stage = Stage(records=0)
        made = producer(stage, Appender())
        late = self.sender(stage)
        made.on_leave = late.remember
        stage.run(500)
        made.stop()
        stage.broker.topics[TOPIC] = NEW_ID
        stage.broker.answers[FetchRequest] = lambda request: served()
        stage.cluster.nodes[1].broker = Mock(image=Mock(topics={}, last_offset=heard_to))
        if deleted_by is not None:
            stage.cluster.watch.deleted[TOPIC_ID] = deleted_by
        if deleted_by == heard_to:
            with pytest.raises(SafetyViolation, match=r"M7: late: orders-0 .* is deleted, the broker knows it, and serves it"):
                stage.run(10_000)
        else:  # a broker that has not heard of it goes on, also one that has just started and knows of no topic
            stage.broker.answers[ProduceRequest] = lambda request: produced(-1, int(ErrorCode.UNKNOWN_TOPIC_ID))
            stage.run(10_000)
            assert stage.history.counters["late-fetch"] > 10


class TestAdmin:
    def test_a_topic_that_is_made_twice_is_found(self) -> None:
        stage = Stage(records=0)
        ids = iter([b"1" * 16, b"2" * 16])
        stage.broker.answers[CreateTopicsRequest] = lambda request: CreateTopicsResponse(
            topics=[CreateTopicsResponse.CreatableTopicResult(name=request.topics[0].name, topic_id=next(ids))]
        )
        Extras(stage.cluster, Rng(1), stage.history, 100_000, 1, 3).start()
        with pytest.raises(SafetyViolation, match="M7: topic extra-1 was created twice"):
            stage.run()

    @pytest.mark.parametrize(("low_watermark", "holds"), [(3, False), (4, True)])
    def test_deleted_records_are_deleted_everywhere(self, low_watermark: int, holds: bool) -> None:
        stage = Stage()
        answer = DeleteRecordsResponse.DeleteRecordsPartitionResult(partition_index=0, low_watermark=low_watermark)
        stage.broker.answers[DeleteRecordsRequest] = lambda request: DeleteRecordsResponse(
            topics=[DeleteRecordsResponse.DeleteRecordsTopicResult(name=TOPIC, partitions=[answer])]
        )
        Trimming(stage.cluster, Rng(1), stage.history, 100_000, TOPIC, lambda index: 4).start()
        if holds:
            stage.run()
            assert stage.history.deletion_asked(KEY) == 4
        else:
            with pytest.raises(SafetyViolation, match="R14"):
                stage.run()
