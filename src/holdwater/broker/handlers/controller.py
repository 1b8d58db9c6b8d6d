"""What brokers ask of the active controller: BrokerRegistration (62), BrokerHeartbeat (63), AlterPartition (56), AllocateProducerIds (67),
AssignReplicasToDirs (73), ControllerRegistration (70). One idea, a hand-over to ``core.metadata``, and so one file.

The connection that carries heartbeats is the broker's session: its end shortens the broker's lease.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdwater.broker.apis import CONTROLLER, Api
from holdwater.broker.connection import Call
from holdwater.broker.controller_requests import local_handler
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    AllocateProducerIdsRequest,
    AllocateProducerIdsResponse,
    AlterPartitionRequest,
    AlterPartitionResponse,
    AssignReplicasToDirsRequest,
    AssignReplicasToDirsResponse,
    BrokerHeartbeatRequest,
    BrokerHeartbeatResponse,
    BrokerRegistrationRequest,
    BrokerRegistrationResponse,
    ControllerRegistrationRequest,
    ControllerRegistrationResponse,
)

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_SESSION = "broker session"


def _answer(response_class: Any) -> "Callable[[Broker, Call, Any], None]":
    def handle(broker: "Broker", call: Call, request: Any) -> None:
        def reply(response: Any) -> None:
            call.reply(response if response is not None else response_class(error_code=ErrorCode.NOT_CONTROLLER))

        broker.controller_host.submit(local_handler(request, call.version, broker.mono_ms), reply)

    return handle


_heartbeat = _answer(BrokerHeartbeatResponse)


def heartbeat(broker: "Broker", call: Call, request: BrokerHeartbeatRequest) -> None:
    """A broker lives; remember which broker this connection belongs to."""
    broker_id = request.broker_id
    call.connection.on_close[_SESSION] = lambda: broker.controller_host.broker_disconnected(broker_id)
    _heartbeat(broker, call, request)


_ACCESS = "ClusterAction on Cluster"
_ON = (CONTROLLER,)
BROKER_HEARTBEAT = Api(BrokerHeartbeatRequest, BrokerHeartbeatResponse, heartbeat, _ACCESS, _ON)
BROKER_REGISTRATION = Api(BrokerRegistrationRequest, BrokerRegistrationResponse, _answer(BrokerRegistrationResponse), _ACCESS, _ON)
ALTER_PARTITION = Api(AlterPartitionRequest, AlterPartitionResponse, _answer(AlterPartitionResponse), _ACCESS, _ON)
ALLOCATE_PRODUCER_IDS = Api(AllocateProducerIdsRequest, AllocateProducerIdsResponse, _answer(AllocateProducerIdsResponse), _ACCESS, _ON)
ASSIGN_REPLICAS_TO_DIRS = Api(
    AssignReplicasToDirsRequest, AssignReplicasToDirsResponse, _answer(AssignReplicasToDirsResponse), _ACCESS, _ON
)
CONTROLLER_REGISTRATION = Api(
    ControllerRegistrationRequest, ControllerRegistrationResponse, _answer(ControllerRegistrationResponse), _ACCESS, _ON
)
