"""Transactions through whole brokers in virtual time: verification before the append, markers after the end, both protocol generations (KIP-890)."""

from collections.abc import Callable

import pytest
from tests.support.logs import produced
from tests.support.simulated_requests import Client
from tests.unit.broker.coordinators.test_hosting import find, started

from holdwater.broker.handlers.write_txn_markers import write
from holdwater.core.replica import LeaderReplica
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    EndTxnRequest,
    InitProducerIdRequest,
    OffsetFetchRequest,
    ProduceRequest,
    TxnOffsetCommitRequest,
    WriteTxnMarkersRequest,
)

ID = "tx"
OLD, NEW = 11, 13
"""Produce without and with the addition of its partitions to the transaction."""


class Producer:
    """A transactional producer, as far as requests go."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.node = find(client, key_type=1, key=ID)
        answer = client.ask(self.node, InitProducerIdRequest(transactional_id=ID, transaction_timeout_ms=60_000), 5)
        while answer.error_code:
            assert answer.error_code in (ErrorCode.CONCURRENT_TRANSACTIONS, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
            client.cluster.run(50)
            answer = client.ask(self.node, InitProducerIdRequest(transactional_id=ID, transaction_timeout_ms=60_000), 5)
        self.producer_id = answer.producer_id
        self.producer_epoch = answer.producer_epoch
        self.sequences = [0, 0]

    def request(self, index: int, sequence: int | None = None) -> ProduceRequest:
        first = self.sequences[index] if sequence is None else sequence
        broker = self.client.cluster.nodes[1].broker
        assert broker is not None
        data = produced(self.producer_id, first, "v", epoch=self.producer_epoch, transactional=True, timestamp_ms=broker.wall_ms)
        structs = [ProduceRequest.PartitionProduceData(index=index, records=data)]
        topic = ProduceRequest.TopicProduceData(name="t", topic_id=broker.image.topic_ids["t"], partition_data=structs)
        return ProduceRequest(transactional_id=ID, acks=-1, timeout_ms=5_000, topic_data=[topic])

    def produce(self, index: int = 0, version: int = NEW, sequence: int | None = None) -> int:
        leader = self.client.cluster.leader_of("t", index)
        assert leader is not None
        answer = self.client.ask(leader, self.request(index, sequence), version).responses[0].partition_responses[0]
        if not answer.error_code:
            self.sequences[index] += 1
        return answer.error_code

    def add(self, *indexes: int) -> int:
        topic = AddPartitionsToTxnRequest.AddPartitionsToTxnTopic(name="t", partitions=list(indexes))
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=ID,
            v3_and_below_producer_id=self.producer_id,
            v3_and_below_producer_epoch=self.producer_epoch,
            v3_and_below_topics=[topic],
        )
        answer = self.client.ask(self.node, request, 3)
        return answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code

    def end(self, committed: bool, version: int = 5) -> int:
        request = EndTxnRequest(transactional_id=ID, producer_id=self.producer_id, producer_epoch=self.producer_epoch, committed=committed)
        answer = self.client.ask(self.node, request, version)
        if not answer.error_code and version >= 5:
            self.producer_id, self.producer_epoch, self.sequences = answer.producer_id, answer.producer_epoch, [0, 0]
        return answer.error_code


def leader(client: Client, index: int = 0) -> LeaderReplica:
    node = client.cluster.leader_of("t", index)
    assert node is not None
    partition = client.cluster.nodes[node].broker.replicas.by_name("t", index)  # pyright: ignore[reportOptionalMemberAccess]
    replica = partition.replica  # pyright: ignore[reportOptionalMemberAccess]
    assert isinstance(replica, LeaderReplica)
    return replica


def stable(client: Client, index: int = 0) -> tuple[int, int]:
    """Last stable offset and log end offset."""
    replica = leader(client, index)
    return replica.log.last_stable_offset(replica.high_watermark), replica.log.log_end_offset


@pytest.mark.parametrize("committed", [True, False])
def test_a_transaction_of_the_second_version(committed: bool) -> None:
    client = started()
    producer = Producer(client)
    epoch = producer.producer_epoch
    assert (producer.produce(0), producer.produce(0), producer.produce(1)) == (0, 0, 0)
    assert stable(client) == (0, 2)
    assert producer.end(committed) == 0
    assert producer.producer_epoch == epoch + 1
    client.cluster.until("the markers are there", lambda: stable(client) == (3, 3) and stable(client, 1) == (2, 2), 2_000)
    assert len(leader(client).log.aborted_transactions(0, 3)) == (0 if committed else 1)
    assert producer.produce(0) == 0
    assert stable(client) == (3, 4)


def test_a_transaction_of_the_first_version() -> None:
    client = started()
    producer = Producer(client)
    assert producer.produce(0, OLD) == ErrorCode.TRANSACTION_ABORTABLE, "the partition was never added"
    assert producer.produce(0, 10) == ErrorCode.INVALID_TXN_STATE, "older clients do not know the other word"
    assert stable(client) == (0, 0)
    assert producer.add(0) == 0
    assert producer.produce(0, OLD) == 0
    assert producer.end(True, 3) == 0
    client.cluster.until("the marker is there", lambda: stable(client) == (2, 2), 2_000)
    client.cluster.run(500)
    assert producer.produce(0, OLD) in (ErrorCode.TRANSACTION_ABORTABLE, ErrorCode.INVALID_TXN_STATE)


def test_one_question_for_requests_that_come_together_and_they_keep_their_order() -> None:
    client = started()
    producer = Producer(client)
    node = client.cluster.leader_of("t", 0)
    assert node is not None
    asked = [client.send(node, producer.request(0, sequence), NEW) for sequence in range(4)]
    client.cluster.until("all are answered", lambda: all(each.answer is not None for each in asked), 5_000)
    answers = [each.answer.responses[0].partition_responses[0] for each in asked]
    assert [(each.error_code, each.base_offset) for each in answers] == [(0, number) for number in range(4)]


def test_a_producer_of_the_second_version_begins_at_sequence_zero() -> None:
    client = started()
    producer = Producer(client)
    assert producer.produce(0, NEW, sequence=3) == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert producer.produce(0, NEW, sequence=0) == 0


def test_a_marker_that_comes_between_makes_the_answer_void() -> None:
    """The record would be left in a transaction that nobody ends (a hanging transaction)."""
    client = started()
    producer = Producer(client)
    assert producer.add(0) == 0
    node = client.cluster.leader_of("t", 0)
    broker = client.cluster.nodes[node].broker  # pyright: ignore[reportArgumentType]
    assert broker is not None
    asked = client.send(node, producer.request(0), OLD)
    assert asked.answer is None, "the coordinator is asked first"
    topic = WriteTxnMarkersRequest.WritableTxnMarkerTopic(name="t", partition_indexes=[0])
    marker = WriteTxnMarkersRequest.WritableTxnMarker(
        producer_id=producer.producer_id, producer_epoch=producer.producer_epoch, transaction_result=False, topics=[topic]
    )
    client.send(node, WriteTxnMarkersRequest(markers=[marker]), 1)
    client.cluster.until("it is answered", lambda: asked.answer is not None, 5_000)
    assert asked.answer.responses[0].partition_responses[0].error_code == ErrorCode.INVALID_TXN_STATE
    assert stable(client) == (1, 1)


def test_a_second_producer_fences_the_first_and_ends_its_transaction() -> None:
    client = started()
    first = Producer(client)
    assert first.produce(0) == 0
    second = Producer(client)
    assert second.producer_epoch > first.producer_epoch
    client.cluster.until("the first one's is aborted", lambda: stable(client) == (2, 2), 2_000)
    assert first.produce(0) == ErrorCode.INVALID_PRODUCER_EPOCH
    assert first.end(True) in (ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_PRODUCER_EPOCH)
    assert second.produce(0) == 0
    assert second.end(True) == 0


def test_a_transaction_that_is_left_open_is_aborted() -> None:
    client = started(transaction_abort_timed_out_transaction_cleanup_interval_ms="1000")
    producer = Producer(client)
    assert producer.produce(0) == 0
    client.cluster.run(50_000)
    assert stable(client) == (0, 1)
    client.cluster.until("it is aborted", lambda: stable(client) == (2, 2), 15_000)
    assert producer.produce(0) == ErrorCode.INVALID_PRODUCER_EPOCH


@pytest.mark.parametrize("what", ["leader", "coordinator"])
def test_markers_are_written_whoever_dies(what: str) -> None:
    client = started()
    producer = Producer(client)
    for index in (0, 1):
        assert producer.produce(index) == 0
    victim = client.cluster.leader_of("t", 0) if what == "leader" else producer.node
    assert victim is not None
    client.send(producer.node, EndTxnRequest(transactional_id=ID, producer_id=producer.producer_id, producer_epoch=0, committed=True), 5)
    client.cluster.nodes[victim].kill()
    client.cluster.run(3_000)
    client.cluster.nodes[victim].start()
    client.cluster.until("it is back", client.cluster.all_unfenced, 20_000)
    producer.node = find(client, key_type=1, key=ID)
    code = producer.end(True)
    while code in (ErrorCode.CONCURRENT_TRANSACTIONS, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.NOT_COORDINATOR):
        client.cluster.run(100)
        code = producer.end(True)
    assert code == 0, "sent again, it is answered as the first time"
    client.cluster.until("both are stable", lambda: stable(client)[0] == stable(client)[1] == 2 and stable(client, 1) == (2, 2), 10_000)
    assert not leader(client).log.aborted_transactions(0, 10)


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("version", [3, 5])
def test_offsets_count_when_their_transaction_is_committed(committed: bool, version: int) -> None:
    client = started()
    producer = Producer(client)
    group_node = find(client)
    partition = TxnOffsetCommitRequest.TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=42, committed_leader_epoch=-1)
    topic = TxnOffsetCommitRequest.TxnOffsetCommitRequestTopic(name="t", partitions=[partition])
    request = TxnOffsetCommitRequest(
        transactional_id=ID,
        group_id="my-group",
        producer_id=producer.producer_id,
        producer_epoch=producer.producer_epoch,
        generation_id_or_member_epoch=-1,
        topics=[topic],
    )
    if version < 5:
        refused = client.ask(group_node, request, version).topics[0].partitions[0].error_code
        assert refused == ErrorCode.INVALID_TXN_STATE, "the group was never added"
        added = AddOffsetsToTxnRequest(
            transactional_id=ID, producer_id=producer.producer_id, producer_epoch=producer.producer_epoch, group_id="my-group"
        )
        assert client.ask(producer.node, added, 3).error_code == 0
    assert client.ask(group_node, request, version).topics[0].partitions[0].error_code == 0
    assert told(client, group_node, require_stable=True) == (-1, ErrorCode.UNSTABLE_OFFSET_COMMIT)
    assert told(client, group_node) == (-1, 0)
    assert producer.end(committed, 5 if version == 5 else 3) == 0
    client.cluster.run(1_000)
    assert told(client, group_node, require_stable=True) == (42 if committed else -1, 0)


def told(client: Client, node: int, *, require_stable: bool = False) -> tuple[int, int]:
    topic = OffsetFetchRequest.OffsetFetchRequestTopics(name="t", partition_indexes=[0])
    group = OffsetFetchRequest.OffsetFetchRequestGroup(group_id="my-group", member_epoch=-1, topics=[topic])
    answer = client.ask(node, OffsetFetchRequest(groups=[group], require_stable=require_stable), 9).groups[0]
    found = answer.topics[0].partitions[0]
    return found.committed_offset, found.error_code


def test_a_marker_for_what_is_not_here_is_refused() -> None:
    client = started()
    node = client.cluster.leader_of("t", 0)
    other = next(each for each in (1, 2, 3) if each != node)
    topics = [
        WriteTxnMarkersRequest.WritableTxnMarkerTopic(name="t", partition_indexes=[0, 9]),
        WriteTxnMarkersRequest.WritableTxnMarkerTopic(name="nowhere", partition_indexes=[0]),
    ]
    marker = WriteTxnMarkersRequest.WritableTxnMarker(producer_id=1, producer_epoch=0, transaction_result=True, topics=topics)
    answer = client.ask(other, WriteTxnMarkersRequest(markers=[marker]), 1).markers[0]
    assert [[each.error_code for each in topic.partitions] for topic in answer.topics] == [
        [ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
        [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    ]


def test_a_transaction_may_begin_while_the_markers_of_the_one_before_are_under_way() -> None:
    """The coordinator says CONCURRENT_TRANSACTIONS, then the marker comes, then it says yes: that the marker came between harms nothing."""
    client = started()
    producer = Producer(client)
    node = client.cluster.leader_of("t", 0)
    assert node is not None
    broker = client.cluster.nodes[node].broker
    assert broker is not None
    assert producer.produce(0) == 0
    answers = [ErrorCode.CONCURRENT_TRANSACTIONS, 0]
    asked: list[int] = []

    def coordinator(_: str, request: AddPartitionsToTxnRequest, on_reply: Callable[[AddPartitionsToTxnResponse], None]) -> None:
        code = answers[len(asked)]
        asked.append(code)
        if code:
            marker = WriteTxnMarkersRequest.WritableTxnMarker(
                producer_id=producer.producer_id,
                producer_epoch=producer.producer_epoch,
                transaction_result=True,
                topics=[WriteTxnMarkersRequest.WritableTxnMarkerTopic(name="t", partition_indexes=[0])],
                transaction_version=2,
            )
            broker.soon(lambda: write(broker, WriteTxnMarkersRequest(markers=[marker]), lambda _: None))
        result = AddPartitionsToTxnResponse.AddPartitionsToTxnPartitionResult(partition_index=0, partition_error_code=code)
        topic = AddPartitionsToTxnResponse.AddPartitionsToTxnTopicResult(name="t", results_by_partition=[result])
        answer = AddPartitionsToTxnResponse.AddPartitionsToTxnResult(transactional_id=ID, topic_results=[topic])
        broker.soon(lambda: on_reply(AddPartitionsToTxnResponse(results_by_transaction=[answer])))

    broker.verifications.to_coordinator = coordinator
    producer.producer_epoch += 1
    producer.sequences = [0, 0]
    assert producer.produce(0) == 0
    assert asked == answers
