"""DescribeTopicPartitions (key 75), version 0: partitions with their eligible leader replicas, in pages (KIP-966)."""

from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.broker.handlers.metadata import INTERNAL_TOPICS, offline_replicas
from holdwater.broker.handlers.operations import ALL_ON_TOPIC
from holdwater.core.metadata.partition import PartitionState
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import is_legal_topic_name
from holdwater.wire.messages import DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_Topic = DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponseTopic
_Partition = DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponsePartition


def handle(broker: "Broker", call: Call, request: DescribeTopicPartitionsRequest) -> None:
    """Answer topics by name, from the cursor on, until the limit is reached."""
    image = broker.image
    everything = not request.topics
    names = sorted(image.topic_ids) if everything else sorted(dict.fromkeys(topic.name for topic in request.topics))
    start_index = 0
    if request.cursor is not None:
        if request.cursor.partition_index < 0 or not (everything or request.cursor.topic_name in names):
            call.reply(DescribeTopicPartitionsResponse(topics=[_Topic(error_code=ErrorCode.INVALID_REQUEST, name=name) for name in names]))
            return
        names = [name for name in names if name >= request.cursor.topic_name]
        start_index = request.cursor.partition_index if names and names[0] == request.cursor.topic_name else 0
    room = max(1, min(request.response_partition_limit, broker.config.int("max.request.partition.size.limit")))
    response = DescribeTopicPartitionsResponse(topics=[])
    for name in names:
        if room <= 0:
            response.next_cursor = DescribeTopicPartitionsResponse.Cursor(topic_name=name, partition_index=0)
            break
        topic = image.topic(name)
        if topic is None:
            error = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if is_legal_topic_name(name) else ErrorCode.INVALID_TOPIC_EXCEPTION
            response.topics.append(_Topic(error_code=error, name=name, topic_authorized_operations=ALL_ON_TOPIC))
            continue
        wanted = sorted(number for number in topic.partitions if number >= start_index)
        start_index = 0
        page, rest = wanted[:room], wanted[room:]
        room -= len(page)
        response.topics.append(
            _Topic(
                name=name,
                topic_id=topic.topic_id,
                is_internal=name in INTERNAL_TOPICS,
                topic_authorized_operations=ALL_ON_TOPIC,
                partitions=[_partition(broker, call, number, topic.partitions[number]) for number in page],
            )
        )
        if rest:
            response.next_cursor = DescribeTopicPartitionsResponse.Cursor(topic_name=name, partition_index=rest[0])
            break
    call.reply(response)


def _partition(
    broker: "Broker", call: Call, number: int, state: PartitionState
) -> DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponsePartition:
    reachable = broker.endpoint_for(state.leader, call.listener) is not None
    return _Partition(
        error_code=0 if reachable else ErrorCode.LEADER_NOT_AVAILABLE,
        partition_index=number,
        leader_id=state.leader if reachable else -1,
        leader_epoch=state.leader_epoch,
        replica_nodes=list(state.replicas),
        isr_nodes=list(state.isr),
        eligible_leader_replicas=list(state.elr),
        last_known_elr=list(state.last_known_elr),
        offline_replicas=offline_replicas(broker, call, state),
    )


API = Api(DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, handle, "Describe on Topic")
