"""DescribeCluster (key 60), versions 0 to 2: the brokers, or on a controllers' listener the controllers (KIP-919)."""

from typing import TYPE_CHECKING

from holdwater.broker.apis import BROKER, CONTROLLER, Api
from holdwater.broker.connection import Call
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import DescribeClusterRequest, DescribeClusterResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

BROKERS = 1
CONTROLLERS = 2
_Node = DescribeClusterResponse.DescribeClusterBroker


def handle(broker: "Broker", call: Call, request: DescribeClusterRequest) -> None:
    """Answer for the kind of endpoint that this listener is."""
    asked = request.endpoint_type if call.version >= 1 else BROKERS
    here = CONTROLLERS if broker.is_controller_listener(call.listener) else BROKERS
    if asked != here:
        error = ErrorCode.MISMATCHED_ENDPOINT_TYPE if asked in {BROKERS, CONTROLLERS} else ErrorCode.UNSUPPORTED_ENDPOINT_TYPE
        call.reply(DescribeClusterResponse(error_code=error, endpoint_type=here))
        return
    if here == CONTROLLERS:
        voters = broker.metadata.quorum.voters.voters
        nodes = [
            _Node(broker_id=voter.id, host=at.host, port=at.port) for voter in voters if (at := voter.endpoint(call.listener)) is not None
        ]
        controller_id = broker.metadata.quorum.leader_id
    else:
        nodes = [
            _Node(broker_id=b.broker_id, host=at.host, port=at.port, rack=b.rack, is_fenced=b.fenced)
            for b in broker.image.brokers.values()
            if (not b.fenced or (call.version >= 2 and request.include_fenced_brokers)) and (at := b.endpoint(call.listener)) is not None
        ]
        controller_id = broker.node_id
    call.reply(DescribeClusterResponse(endpoint_type=here, cluster_id=broker.cluster_id, controller_id=controller_id, brokers=nodes))


API = Api(DescribeClusterRequest, DescribeClusterResponse, handle, "Describe on Cluster for the operations", (BROKER, CONTROLLER))
