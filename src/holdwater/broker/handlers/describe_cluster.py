"""DescribeCluster (key 60), versions 0 to 2: the brokers, or on a controllers' listener the controllers (KIP-919)."""

from typing import TYPE_CHECKING

from holdwater.broker.apis import BROKER, CONTROLLER, Api
from holdwater.broker.connection import Call
from holdwater.broker.handlers.operations import ALL_ON_CLUSTER, NOT_ASKED
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import DescribeClusterRequest, DescribeClusterResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

BROKERS = 1
CONTROLLERS = 2
_NAMES = {BROKERS: "BROKER", CONTROLLERS: "CONTROLLER"}
_Node = DescribeClusterResponse.DescribeClusterBroker


def handle(broker: "Broker", call: Call, request: DescribeClusterRequest) -> None:
    """Answer for the kind of endpoint that this listener is."""
    asked = request.endpoint_type if call.version >= 1 else BROKERS
    here = CONTROLLERS if broker.is_controller_listener(call.listener) else BROKERS
    if asked != here:
        call.reply(_mismatch(call, asked, here))
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
    call.reply(
        DescribeClusterResponse(
            endpoint_type=here,
            cluster_id=broker.cluster_id,
            controller_id=controller_id,
            brokers=nodes,
            cluster_authorized_operations=ALL_ON_CLUSTER if request.include_cluster_authorized_operations else NOT_ASKED,
        )
    )


def _mismatch(call: Call, asked: int, here: int) -> DescribeClusterResponse:
    if asked not in _NAMES:
        return DescribeClusterResponse(error_code=ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, error_message=f"Unsupported endpoint type {asked}")
    error = ErrorCode.MISMATCHED_ENDPOINT_TYPE if call.version >= 1 else ErrorCode.INVALID_REQUEST  # which version 0 does not know
    message = f"The request was sent to an endpoint of type {_NAMES[here]}, but we wanted an endpoint of type {_NAMES[asked]}"
    return DescribeClusterResponse(error_code=error, error_message=message)


API = Api(DescribeClusterRequest, DescribeClusterResponse, handle, "Describe on Cluster for the operations", (BROKER, CONTROLLER))
