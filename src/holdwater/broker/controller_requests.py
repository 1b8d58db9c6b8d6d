"""Which method of the active controller answers which request."""

from collections.abc import Callable
from typing import Any

from holdwater.core.metadata.controller import Controller
from holdwater.core.metadata.result import Result
from holdwater.wire.messages import (
    AllocateProducerIdsRequest,
    AlterConfigsRequest,
    AlterPartitionRequest,
    AssignReplicasToDirsRequest,
    BrokerHeartbeatRequest,
    BrokerRegistrationRequest,
    ControllerRegistrationRequest,
    CreatePartitionsRequest,
    CreateTopicsRequest,
    DeleteTopicsRequest,
    ElectLeadersRequest,
    IncrementalAlterConfigsRequest,
    UnregisterBrokerRequest,
    UnregisterControllerRequest,
    UpdateFeaturesRequest,
)

_Handler = Callable[[Controller, Any, int, int], Result[Any]]

_HANDLERS: dict[type, _Handler] = {
    BrokerRegistrationRequest: lambda c, r, version, now: c.handle_broker_registration(r, now),
    BrokerHeartbeatRequest: lambda c, r, version, now: c.handle_broker_heartbeat(r, now),
    ControllerRegistrationRequest: lambda c, r, version, now: c.handle_controller_registration(r),
    UnregisterBrokerRequest: lambda c, r, version, now: c.handle_unregister_broker(r),
    UnregisterControllerRequest: lambda c, r, version, now: c.handle_unregister_controller(r),
    AllocateProducerIdsRequest: lambda c, r, version, now: c.handle_allocate_producer_ids(r),
    AlterPartitionRequest: lambda c, r, version, now: c.handle_alter_partition(r, version),
    AssignReplicasToDirsRequest: lambda c, r, version, now: c.handle_assign_replicas_to_dirs(r),
    CreateTopicsRequest: lambda c, r, version, now: c.handle_create_topics(r),
    DeleteTopicsRequest: lambda c, r, version, now: c.handle_delete_topics(r, version),
    CreatePartitionsRequest: lambda c, r, version, now: c.handle_create_partitions(r),
    ElectLeadersRequest: lambda c, r, version, now: c.handle_elect_leaders(r, version),
    IncrementalAlterConfigsRequest: lambda c, r, version, now: c.handle_incremental_alter_configs(r),
    AlterConfigsRequest: lambda c, r, version, now: c.handle_alter_configs(r),
    UpdateFeaturesRequest: lambda c, r, version, now: c.handle_update_features(r, version),
}


def local_handler(request: Any, version: int, mono_ms: int) -> Callable[[Controller], Result[Any]]:
    """The controller method for a request, with its arguments."""
    handler = _HANDLERS[type(request)]
    return lambda controller: handler(controller, request, version, mono_ms)
