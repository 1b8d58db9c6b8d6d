"""DescribeProducers (key 61), version 0: the producers that a replica here knows of, leader or follower (KIP-664)."""

from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import ZERO_UUID, is_legal_topic_name
from holdwater.storage.log import PartitionLog
from holdwater.wire.messages import DescribeProducersRequest, DescribeProducersResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_Topic = DescribeProducersResponse.TopicResponse
_Partition = DescribeProducersResponse.PartitionResponse
_Producer = DescribeProducersResponse.ProducerState


def handle(broker: "Broker", call: Call, request: DescribeProducersRequest) -> None:
    """Answer at once."""
    topics = [
        _Topic(name=topic.name, partitions=[_one(broker, topic.name, index) for index in topic.partition_indexes])
        for topic in request.topics
    ]
    call.reply(DescribeProducersResponse(topics=topics))


def _one(broker: "Broker", topic: str, index: int) -> DescribeProducersResponse.PartitionResponse:
    answer = _Partition(partition_index=index, active_producers=[])
    partition = broker.replicas.by_name(topic, index)
    if not is_legal_topic_name(topic):
        answer.error_code = ErrorCode.INVALID_TOPIC_EXCEPTION
    elif partition is None:
        answer.error_code = broker.replicas.why_missing(topic, ZERO_UUID, index)
    elif partition.failure is not None:
        answer.error_code = ErrorCode.KAFKA_STORAGE_ERROR
    elif isinstance(partition.log, PartitionLog):
        answer.active_producers = [
            _Producer(
                producer_id=state.producer_id,
                producer_epoch=state.producer_epoch,
                last_sequence=state.last_sequence,
                last_timestamp=state.last_timestamp_ms,
                coordinator_epoch=state.coordinator_epoch,
                current_txn_start_offset=state.transaction_start,
            )
            for state in partition.log.producers.states.values()
        ]
    return answer


API = Api(DescribeProducersRequest, DescribeProducersResponse, handle, "Read on Topic")
