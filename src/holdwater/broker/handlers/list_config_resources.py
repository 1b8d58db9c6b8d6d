"""ListConfigResources (key 74), versions 0 and 1: what has a configuration (KIP-714, KIP-1142)."""

from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.core.metadata.image import (
    BROKER_LOGGER_RESOURCE,
    BROKER_RESOURCE,
    CLIENT_METRICS_RESOURCE,
    GROUP_RESOURCE,
    TOPIC_RESOURCE,
)
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import ListConfigResourcesRequest, ListConfigResourcesResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_EVERY_TYPE = (TOPIC_RESOURCE, BROKER_RESOURCE, BROKER_LOGGER_RESOURCE, CLIENT_METRICS_RESOURCE, GROUP_RESOURCE)
_Resource = ListConfigResourcesResponse.ConfigResource


def handle(broker: "Broker", call: Call, request: ListConfigResourcesRequest) -> None:
    """Answer at once."""
    kinds = [CLIENT_METRICS_RESOURCE] if call.version == 0 else list(dict.fromkeys(request.resource_types)) or list(_EVERY_TYPE)
    if any(kind not in _EVERY_TYPE for kind in kinds):
        call.reply(ListConfigResourcesResponse(error_code=ErrorCode.UNSUPPORTED_VERSION, config_resources=[]))
        return
    found = [_Resource(resource_name=name, resource_type=kind) for kind in kinds for name in _names(broker, kind)]
    call.reply(ListConfigResourcesResponse(config_resources=found))


def _names(broker: "Broker", kind: int) -> list[str]:
    image = broker.image
    if kind == TOPIC_RESOURCE:
        return sorted(image.topic_ids)
    if kind in {BROKER_RESOURCE, BROKER_LOGGER_RESOURCE}:
        return [str(broker_id) for broker_id, each in sorted(image.brokers.items()) if not each.fenced]
    return sorted(resource.name for resource in image.configs if resource.kind == kind)


API = Api(ListConfigResourcesRequest, ListConfigResourcesResponse, handle, "DescribeConfigs on Cluster")
