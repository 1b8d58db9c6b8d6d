"""Produce (key 0), versions 3 to 13.

Batches stay closed: header, size, checksum and producer state are checked, the records inside are not (docs/compatibility.md), with the
exceptions in ``record_check``. Before a transaction's first batch on a partition its coordinator is asked (``broker.verification``). Versions
0 to 2 are advertised, as Kafka does for librdkafka (KAFKA-18659), and refused.
"""

from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.broker.partitions import HostedPartition
from holdwater.broker.record_check import check_records
from holdwater.broker.timers import Timer
from holdwater.broker.verification import Place, Question, Refused
from holdwater.core.replica import LeaderReplica
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import ZERO_UUID
from holdwater.kernel.ports import BatchHeader, CorruptRecords, DiskFailure
from holdwater.wire.messages import ProduceRequest, ProduceResponse
from holdwater.wire.records import (
    LOG_APPEND_TIME_FLAG,
    TRANSACTIONAL_FLAG,
    check_produced,
    clear_append_time,
    parse_header,
)

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

BY_ID_VERSION = 13
ADDS_VERSION = 12
"""From here on a produce request adds its partitions to the transaction (KIP-890)."""
ABORTABLE_VERSION = 11
"""From here on clients know TRANSACTION_ABORTABLE."""
_Topic = ProduceResponse.TopicProduceResponse
_Partition = ProduceResponse.PartitionProduceResponse


class ProduceWait:
    """A produce request that waits for the high watermarks of its partitions (``acks=all``), or for the disk (``acks=1`` at level fsync)."""

    __slots__ = ("call", "missing", "response", "timer")

    def __init__(self, call: Call, response: ProduceResponse) -> None:
        self.call = call
        self.response = response
        self.missing: dict[PartitionWait, None] = {}
        self.timer: Timer | None = None

    def timed_out(self) -> None:
        """``timeout_ms`` has passed: whatever is still missing may be committed later, or not."""
        self.timer = None
        for wait in self.missing:
            wait.fail(ErrorCode.REQUEST_TIMED_OUT)
        self.missing = {}
        self.call.reply(self.response)


class PartitionWait:
    """One partition of a ``ProduceWait``."""

    __slots__ = ("partition", "whole")

    def __init__(self, whole: ProduceWait, partition: ProduceResponse.PartitionProduceResponse) -> None:
        self.whole = whole
        self.partition = partition

    def fail(self, error_code: int) -> None:
        """No acknowledgement for this partition."""
        self.partition.error_code = error_code
        self.partition.base_offset = -1
        self.partition.log_start_offset = -1

    def acknowledged(self, error_code: int) -> None:
        """The leader is done with this wait (``AcknowledgementWait``)."""
        whole = self.whole
        if self not in whole.missing:  # timed out before
            return
        if error_code:
            self.fail(error_code)
        del whole.missing[self]
        if not whole.missing:
            if whole.timer is not None:
                whole.timer.cancel()
            whole.call.reply(whole.response)


def handle(broker: "Broker", call: Call, request: ProduceRequest) -> None:
    """Make sure of the transaction if there is one, then append."""
    transactional_id = request.transactional_id
    if transactional_id is None:
        _append_all(broker, call, request, None)
        return
    if not broker.verifications.enabled:
        _append_all(broker, call, request, {})
        return
    asked = broker.verifications.ask(
        transactional_id,
        lambda: _question(broker, call, request, transactional_id),
        lambda refused: _append_all(broker, call, request, refused),
    )
    if not asked:
        found = [_hosted(broker, call, topic, asked.index) for topic in request.topic_data for asked in topic.partition_data]
        places: list[Place] = [partition.topic_partition for partition in found if partition is not None]
        _append_all(broker, call, request, dict.fromkeys(places, int(ErrorCode.NOT_ENOUGH_REPLICAS)))


def _hosted(broker: "Broker", call: Call, topic: ProduceRequest.TopicProduceData, index: int) -> HostedPartition | None:
    by_id = call.version >= BY_ID_VERSION
    return broker.replicas.by_id(topic.topic_id, index) if by_id else broker.replicas.by_name(topic.name, index)


def _question(broker: "Broker", call: Call, request: ProduceRequest, transactional_id: str) -> Question | None:
    """What the transaction coordinator has to be asked; ``None`` when every log here holds the open transaction already."""
    places: list[Place] = []
    producer: tuple[int, int] | None = None
    for topic in request.topic_data:
        for asked in topic.partition_data:
            partition = _hosted(broker, call, topic, asked.index)
            header = None if partition is None or partition.leader() is None else _transactional_header(asked.records)
            if partition is None or header is None:
                continue
            if producer is None:
                producer = (header.producer_id, header.producer_epoch)
            if producer == (header.producer_id, header.producer_epoch) and partition.expect_transaction(*producer, header.base_sequence):
                places.append(partition.topic_partition)
    if producer is None or not places:
        return None
    return Question(
        transactional_id, *producer, places, adds=call.version >= ADDS_VERSION, knows_abortable=call.version >= ABORTABLE_VERSION
    )


def _transactional_header(records: bytes | None) -> BatchHeader | None:
    """Header of a transactional batch; ``None`` for anything else, which is judged when it is appended."""
    try:
        header = parse_header(records) if records else None
    except CorruptRecords:
        return None
    return header if header is not None and header.attributes & TRANSACTIONAL_FLAG and header.producer_id >= 0 else None


def _append_all(broker: "Broker", call: Call, request: ProduceRequest, refused: Refused | None) -> None:
    """Append what can be appended, then answer, or wait for the followers or the disk. ``refused``: by the transaction's coordinator."""
    acks = request.acks
    by_id = call.version >= BY_ID_VERSION
    response = ProduceResponse(responses=[])
    whole = ProduceWait(call, response)
    waits: list[tuple[HostedPartition, LeaderReplica, int, PartitionWait]] = []
    failed = False
    for topic in request.topic_data:
        answers: list[ProduceResponse.PartitionProduceResponse] = []
        for asked in topic.partition_data:
            partition = broker.replicas.by_id(topic.topic_id, asked.index) if by_id else broker.replicas.by_name(topic.name, asked.index)
            answer = _Partition(index=asked.index)
            answers.append(answer)
            if partition is None:
                answer.error_code = broker.replicas.why_missing(topic.name, topic.topic_id, asked.index)
                answer.base_offset = end = -1
            else:
                end = _append(broker, call, partition, asked.records, acks, refused, answer)
            if answer.error_code:
                failed = True
                if answer.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER:
                    _explain(broker, call, topic, answer, response)
            elif acks == -1 and partition is not None:
                replica = partition.replica
                if isinstance(replica, LeaderReplica) and replica.high_watermark < end:
                    waits.append((partition, replica, end, PartitionWait(whole, answer)))
            elif acks == 1 and partition is not None and partition.is_fsync:
                replica = partition.replica
                if isinstance(replica, LeaderReplica) and replica.log.synced_end_offset < end:
                    waits.append((partition, replica, end, PartitionWait(whole, answer)))
        response.responses.append(_Topic(name=topic.name, topic_id=topic.topic_id, partition_responses=answers))
    if acks == 0:
        _nothing_to_say(call, failed=failed)
    elif not waits:
        call.reply(response)
    else:
        whole.missing = dict.fromkeys(wait for _, _, _, wait in waits)
        timeout_ms = 1 if broker.buggify("produce times out") else request.timeout_ms
        whole.timer = broker.timers.at(broker.mono_ms + timeout_ms, whole.timed_out)
        for partition, replica, end, wait in waits:
            if partition.replica is not replica:  # a later append has taken the directory offline
                wait.acknowledged(ErrorCode.KAFKA_STORAGE_ERROR)
            elif acks == -1:
                replica.wait_for(end, wait)
            else:
                replica.wait_for_sync(end, wait)


def _append(
    broker: "Broker",
    call: Call,
    partition: HostedPartition,
    records: bytes | None,
    acks: int,
    refused: Refused | None,
    answer: ProduceResponse.PartitionProduceResponse,
) -> int:
    """Append one batch and fill in the answer; returns the offset behind it."""
    answer.base_offset = -1
    if acks not in {-1, 0, 1}:
        answer.error_code = ErrorCode.INVALID_REQUIRED_ACKS
        return -1
    replica = partition.replica
    if not isinstance(replica, LeaderReplica):
        answer.error_code = partition.leadership_error()
        return -1
    if partition.on_role is not None:
        answer.error_code = ErrorCode.INVALID_TOPIC_EXCEPTION
        answer.error_message = f"{partition.topic_partition.topic} is written by coordinators alone"
        return -1
    try:
        records, header = _checked(partition, records, refused)
        if refused is not None and header.attributes & TRANSACTIONAL_FLAG and broker.verifications.enabled:
            _check_transaction(partition, header, refused, begins_at_zero=call.version >= ADDS_VERSION)
        result = replica.append(records, header, acks, broker.wall_ms)
    except CorruptRecords as problem:
        answer.error_code = problem.error_code
        answer.error_message = str(problem)
        return -1
    except DiskFailure as failure:
        broker.disk_failed(failure)
        answer.error_code = ErrorCode.KAFKA_STORAGE_ERROR
        return -1
    if result.error_code:
        answer.error_code = result.error_code
        return -1
    answer.base_offset = result.base_offset
    answer.log_append_time_ms = result.log_append_time_ms
    answer.log_start_offset = partition.log.log_start_offset
    if refused is not None:
        partition.verified.pop(header.producer_id, None)
    if not result.duplicate:
        broker.replicas.leader_appended(partition, replica)
    return result.last_offset + 1


def _checked(partition: HostedPartition, records: bytes | None, refused: Refused | None) -> tuple[bytes, BatchHeader]:
    """The one batch that a partition was sent, as it may be appended, and its header. Raises ``CorruptRecords`` with Kafka's error.

    ``refused``: ``None`` for a request without a transactional id.
    """
    if not records:
        raise CorruptRecords("a produce request without records", ErrorCode.INVALID_RECORD)
    try:
        header = parse_header(records)
    except CorruptRecords as problem:
        if problem.error_code == ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT:  # Kafka's word for it since version 3 of this API
            raise CorruptRecords(str(problem), ErrorCode.INVALID_RECORD) from None
        raise
    attributes = header.attributes
    if attributes & TRANSACTIONAL_FLAG and refused is None:
        message = "a transactional batch in a request without a transactional id"
        raise CorruptRecords(message, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    check_produced(records, header)
    if partition.record_check is not None:
        check_records(partition.record_check, records, header)
    if attributes & LOG_APPEND_TIME_FLAG:  # only a broker may say so: it sets the flag anew where the topic asks for it
        records = clear_append_time(records)
        header = parse_header(records)
    return records, header


def _check_transaction(partition: HostedPartition, header: BatchHeader, refused: Refused, *, begins_at_zero: bool) -> None:
    """Raise ``CorruptRecords`` unless the batch belongs to an open transaction (KIP-890)."""
    code = refused.get(partition.topic_partition, 0)
    if code:
        if code != ErrorCode.NOT_ENOUGH_REPLICAS:  # after that the producer comes again, and in order
            partition.verified.pop(header.producer_id, None)
        raise CorruptRecords(f"the transaction's coordinator refuses: {ErrorCode.describe(code)}", code)
    code = partition.transaction_error(header.producer_id, header.producer_epoch, header.base_sequence, begins_at_zero=begins_at_zero)
    if code:
        raise CorruptRecords("the batch belongs to no open transaction, or comes before others of it", code)


def _explain(
    broker: "Broker",
    call: Call,
    topic: ProduceRequest.TopicProduceData,
    answer: ProduceResponse.PartitionProduceResponse,
    response: ProduceResponse,
) -> None:
    """Name the leader, so that the client need not ask for metadata first (KIP-951)."""
    if call.version < 10:
        return
    topic_id = topic.topic_id if topic.topic_id != ZERO_UUID else broker.image.topic_ids.get(topic.name, ZERO_UUID)
    state = broker.image.partition(topic_id, answer.index)
    endpoint = broker.endpoint_for(state.leader, call.listener) if state is not None else None
    if state is None or endpoint is None:
        return
    answer.current_leader = ProduceResponse.LeaderIdAndEpoch(leader_id=state.leader, leader_epoch=state.leader_epoch)
    if all(hint.node_id != state.leader for hint in response.node_endpoints):
        response.node_endpoints.append(
            ProduceResponse.NodeEndpoint(node_id=state.leader, host=endpoint.host, port=endpoint.port, rack=broker.rack_of(state.leader))
        )


def _nothing_to_say(call: Call, *, failed: bool) -> None:
    """``acks=0`` has no response; the only way to tell of an error is to close the connection, after which the client asks for metadata."""
    call.no_reply()
    if failed:
        call.connection.close()


API = Api(ProduceRequest, ProduceResponse, handle, "Write on Topic")
