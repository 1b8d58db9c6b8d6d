"""OffsetForLeaderEpoch (key 23), versions 2 to 4: where a leader epoch ends in this leader's log (KIP-101, KIP-279, KIP-320)."""

from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.broker.fetch_context import end_of_epoch
from holdwater.core.replica import LeaderReplica
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_Answer = OffsetForLeaderEpochResponse.EpochEndOffset


def handle(broker: "Broker", call: Call, request: OffsetForLeaderEpochRequest) -> None:
    """Answer at once."""
    response = OffsetForLeaderEpochResponse(topics=[])
    for topic in request.topics:
        answers = [_one(broker, topic.topic, asked) for asked in topic.partitions]
        response.topics.append(OffsetForLeaderEpochResponse.OffsetForLeaderTopicResult(topic=topic.topic, partitions=answers))
    call.reply(response)


def _one(
    broker: "Broker", topic: str, asked: OffsetForLeaderEpochRequest.OffsetForLeaderPartition
) -> OffsetForLeaderEpochResponse.EpochEndOffset:
    answer = _Answer(partition=asked.partition, error_code=0, leader_epoch=-1, end_offset=-1)
    partition = broker.replicas.by_name(topic, asked.partition)
    if partition is None:
        answer.error_code = broker.replicas.why_missing(topic, bytes(16), asked.partition)
    elif not isinstance(replica := partition.replica, LeaderReplica):
        answer.error_code = partition.leadership_error()
    elif asked.current_leader_epoch >= 0 and asked.current_leader_epoch != replica.leader_epoch:
        fenced = asked.current_leader_epoch < replica.leader_epoch
        answer.error_code = ErrorCode.FENCED_LEADER_EPOCH if fenced else ErrorCode.UNKNOWN_LEADER_EPOCH
    elif 0 <= asked.leader_epoch <= replica.leader_epoch:
        end = end_of_epoch(replica.log, asked.leader_epoch)
        answer.leader_epoch, answer.end_offset = end.leader_epoch, end.end_offset
    return answer


API = Api(OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, handle, "Describe on Topic")
