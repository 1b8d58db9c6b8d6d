"""ListPartitionReassignments (key 46), version 0: partitions whose replicas are being moved (KIP-455).

Moves can't be asked for yet (AlterPartitionReassignments is not served), so that the list is empty unless the metadata come from elsewhere.
"""

from typing import TYPE_CHECKING

from holdwater.broker.apis import BROKER, CONTROLLER, Api
from holdwater.broker.connection import Call
from holdwater.core.metadata.partition import PartitionState
from holdwater.wire.messages import ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_Topic = ListPartitionReassignmentsResponse.OngoingTopicReassignment
_Partition = ListPartitionReassignmentsResponse.OngoingPartitionReassignment


def handle(broker: "Broker", call: Call, request: ListPartitionReassignmentsRequest) -> None:
    """Answer from the committed metadata that this node knows."""
    image = broker.image
    wanted = None if request.topics is None else {topic.name: topic.partition_indexes for topic in request.topics}
    response = ListPartitionReassignmentsResponse(error_message=None, topics=[])
    for topic in image.topics.values():
        if wanted is not None and topic.name not in wanted:
            continue
        indexes = topic.partitions if wanted is None else wanted[topic.name]
        moving = [
            _partition(index, state)
            for index, state in sorted(topic.partitions.items())
            if index in indexes and (state.adding or state.removing)
        ]
        if moving:
            response.topics.append(_Topic(name=topic.name, partitions=moving))
    call.reply(response)


def _partition(index: int, state: PartitionState) -> ListPartitionReassignmentsResponse.OngoingPartitionReassignment:
    return _Partition(
        partition_index=index,
        replicas=list(state.replicas),
        adding_replicas=list(state.adding),
        removing_replicas=list(state.removing),
    )


API = Api(ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, handle, "Describe on Cluster", (BROKER, CONTROLLER))
