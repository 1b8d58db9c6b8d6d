"""ListOffsets (key 2), versions 1 to 11: earliest, latest, by timestamp, largest timestamp.

Latest offsets are told only once the high watermark has reached the start of the leader epoch (KIP-207). Left out: tiered storage, for which
"latest tiered" and "earliest pending upload" answer that there is nothing.
"""

from collections import Counter
from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.core.replica import LeaderReplica
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import CorruptRecords, DiskFailure
from holdwater.wire.messages import ListOffsetsRequest, ListOffsetsResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

LATEST = -1
EARLIEST = -2
MAX_TIMESTAMP = -3
EARLIEST_LOCAL = -4
LATEST_TIERED = -5
EARLIEST_PENDING_UPLOAD = -6
_SINCE_VERSION = {LATEST: 0, EARLIEST: 0, MAX_TIMESTAMP: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9, EARLIEST_PENDING_UPLOAD: 11}
"""First version of each special timestamp; any other negative one, and an early one, is answered UNSUPPORTED_VERSION."""
_NEVER = 2**15
_EPOCH_VERSION = 4
READ_COMMITTED = 1

_Partition = ListOffsetsResponse.ListOffsetsPartitionResponse


def handle(broker: "Broker", call: Call, request: ListOffsetsRequest) -> None:
    """Answer at once."""
    response = ListOffsetsResponse(topics=[])
    for topic in request.topics:
        times = Counter(asked.partition_index for asked in topic.partitions)
        answers = [
            _one(broker, call, request, topic.name, asked) if times[asked.partition_index] == 1 else _refused(asked.partition_index)
            for asked in {asked.partition_index: asked for asked in topic.partitions}.values()
        ]
        response.topics.append(ListOffsetsResponse.ListOffsetsTopicResponse(name=topic.name, partitions=answers))
    call.reply(response)


def _one(
    broker: "Broker", call: Call, request: ListOffsetsRequest, topic: str, asked: ListOffsetsRequest.ListOffsetsPartition
) -> ListOffsetsResponse.ListOffsetsPartitionResponse:
    answer = _Partition(partition_index=asked.partition_index, error_code=0, timestamp=-1, offset=-1, leader_epoch=-1)
    if asked.timestamp < 0 and call.version < _SINCE_VERSION.get(asked.timestamp, _NEVER):
        answer.error_code = ErrorCode.UNSUPPORTED_VERSION
        return answer
    partition = broker.replicas.by_name(topic, asked.partition_index)
    if partition is None:
        answer.error_code = broker.replicas.why_missing(topic, bytes(16), asked.partition_index)
        return answer
    replica = partition.replica
    if not isinstance(replica, LeaderReplica):
        answer.error_code = partition.leadership_error()
        return answer
    if asked.current_leader_epoch >= 0 and asked.current_leader_epoch != replica.leader_epoch:
        fenced = asked.current_leader_epoch < replica.leader_epoch
        answer.error_code = ErrorCode.FENCED_LEADER_EPOCH if fenced else ErrorCode.UNKNOWN_LEADER_EPOCH
        return answer
    try:
        _find(request, asked.timestamp, replica, answer)
    except CorruptRecords as problem:
        answer.error_code = problem.error_code
    except DiskFailure as failure:
        broker.disk_failed(failure)
        answer.error_code = ErrorCode.KAFKA_STORAGE_ERROR
    if answer.error_code == ErrorCode.OFFSET_NOT_AVAILABLE and call.version < 5:
        answer.error_code = ErrorCode.LEADER_NOT_AVAILABLE
    if call.version < _EPOCH_VERSION:
        answer.leader_epoch = -1
    return answer


def _refused(index: int) -> ListOffsetsResponse.ListOffsetsPartitionResponse:
    """The answer for a partition that the request names more than once."""
    return _Partition(partition_index=index, error_code=ErrorCode.INVALID_REQUEST, timestamp=-1, offset=-1, leader_epoch=-1)


def _find(
    request: ListOffsetsRequest, timestamp: int, replica: LeaderReplica, answer: ListOffsetsResponse.ListOffsetsPartitionResponse
) -> None:
    log = replica.log
    consumer = request.replica_id < 0
    if not consumer:
        upper = log.log_end_offset
    elif request.isolation_level == READ_COMMITTED:
        upper = log.last_stable_offset(replica.high_watermark)
    else:
        upper = replica.high_watermark
    if timestamp in {EARLIEST, EARLIEST_LOCAL}:
        answer.offset = log.log_start_offset
        answer.leader_epoch = log.epoch_at(answer.offset)
        return
    if timestamp in {LATEST_TIERED, EARLIEST_PENDING_UPLOAD}:
        return
    if consumer and replica.high_watermark < replica.epoch_start_offset:
        answer.error_code = ErrorCode.OFFSET_NOT_AVAILABLE
        return
    if timestamp == LATEST:
        answer.offset = upper
        answer.leader_epoch = replica.leader_epoch
        return
    found = log.max_timestamp_offset(upper) if timestamp == MAX_TIMESTAMP else log.offset_for_timestamp(timestamp, upper)
    if found is not None:
        answer.timestamp, answer.offset, answer.leader_epoch = found.timestamp_ms, found.offset, found.leader_epoch


API = Api(ListOffsetsRequest, ListOffsetsResponse, handle, "Describe on Topic")
