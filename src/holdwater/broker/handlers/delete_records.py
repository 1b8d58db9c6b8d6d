"""DeleteRecords (key 21), versions 0 to 2: raise the log start offset of partitions that this broker leads (KIP-107).

Answered once every replica on a live broker has raised its own, so that no change of leader brings the records back, or after ``timeout_ms``.
"""

from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.broker.handlers.metadata import INTERNAL_TOPICS
from holdwater.broker.partitions import HostedPartition
from holdwater.core.replica import LeaderReplica
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import ZERO_UUID
from holdwater.kernel.ports import DiskFailure
from holdwater.wire.messages import DeleteRecordsRequest, DeleteRecordsResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

TO_HIGH_WATERMARK = -1
_LOOK_MS = 10
_Topic = DeleteRecordsResponse.DeleteRecordsTopicResult
_Answer = DeleteRecordsResponse.DeleteRecordsPartitionResult


class _Deletion:
    """One partition whose followers have not all raised their log start offset yet."""

    __slots__ = ("answer", "offset", "partition", "replica")

    def __init__(
        self, partition: HostedPartition, replica: LeaderReplica, offset: int, answer: DeleteRecordsResponse.DeleteRecordsPartitionResult
    ) -> None:
        self.partition = partition
        self.replica = replica
        self.offset = offset
        self.answer = answer

    def look(self) -> bool:
        """Whether it is over, one way or the other."""
        if self.partition.replica is not self.replica:
            self.answer.error_code = self.partition.leadership_error() or ErrorCode.NOT_LEADER_OR_FOLLOWER
            self.answer.low_watermark = -1
            return True
        self.answer.low_watermark = self.replica.low_watermark
        return self.answer.low_watermark >= self.offset


def handle(broker: "Broker", call: Call, request: DeleteRecordsRequest) -> None:
    """Delete here, then wait for the followers."""
    response = DeleteRecordsResponse(topics=[])
    waiting: list[_Deletion] = []
    for topic in request.topics:
        answers: list[DeleteRecordsResponse.DeleteRecordsPartitionResult] = []
        for asked in topic.partitions:
            answer = _Answer(partition_index=asked.partition_index, low_watermark=-1, error_code=0)
            deletion = _delete(broker, topic.name, asked, answer)
            if deletion is not None:
                waiting.append(deletion)
            answers.append(answer)
        response.topics.append(_Topic(name=topic.name, partitions=answers))
    deadline_ms = broker.mono_ms + request.timeout_ms

    def look() -> None:
        left = [deletion for deletion in waiting if not deletion.look()]
        if left and broker.mono_ms < deadline_ms:
            if not call.connection.closed:
                broker.timers.at(broker.mono_ms + _LOOK_MS, look)
            return
        for deletion in left:
            deletion.answer.error_code = ErrorCode.REQUEST_TIMED_OUT
        call.reply(response)

    look()


def _delete(
    broker: "Broker",
    topic: str,
    asked: DeleteRecordsRequest.DeleteRecordsPartition,
    answer: DeleteRecordsResponse.DeleteRecordsPartitionResult,
) -> _Deletion | None:
    """Raise the leader's own log start offset. ``None`` when the answer is an error."""
    partition = broker.replicas.by_name(topic, asked.partition_index)
    if partition is None:
        answer.error_code = broker.replicas.why_missing(topic, ZERO_UUID, asked.partition_index)
        return None
    replica = partition.replica
    if not isinstance(replica, LeaderReplica):
        answer.error_code = partition.leadership_error()
        return None
    if topic in INTERNAL_TOPICS:
        answer.error_code = ErrorCode.INVALID_TOPIC_EXCEPTION
        return None
    if "delete" not in broker.topic_texts(broker.image, topic)["cleanup.policy"]:
        answer.error_code = ErrorCode.POLICY_VIOLATION
        return None
    offset = replica.high_watermark if asked.offset == TO_HIGH_WATERMARK else asked.offset
    if not 0 <= offset <= replica.high_watermark:
        answer.error_code = ErrorCode.OFFSET_OUT_OF_RANGE
        return None
    try:
        partition.log.advance_log_start(offset)
    except DiskFailure as failure:
        broker.disk_failed(failure)
        answer.error_code = ErrorCode.KAFKA_STORAGE_ERROR
        return None
    partition.log_start_moved()
    return _Deletion(partition, replica, offset, answer)


API = Api(DeleteRecordsRequest, DeleteRecordsResponse, handle, "Delete on Topic")
