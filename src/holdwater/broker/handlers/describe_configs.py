"""DescribeConfigs (key 32), versions 1 to 4: topics, this broker, the cluster's defaults, with where each value comes from (KIP-226)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.core.metadata.image import BROKER_RESOURCE, TOPIC_RESOURCE
from holdwater.kernel.configs.keys import STATIC, Key, broker_keys
from holdwater.kernel.configs.topics import BROKER_SOURCE, CLUSTER_SOURCE, DEFAULT_SOURCE, STATIC_SOURCE, effective_all
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import DescribeConfigsRequest, DescribeConfigsResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_Entry = DescribeConfigsResponse.DescribeConfigsResourceResult
_Result = DescribeConfigsResponse.DescribeConfigsResult
_TYPES = {"boolean": 1, "string": 2, "int": 3, "short": 4, "long": 5, "double": 6, "list": 7, "class": 8, "password": 9}


def handle(broker: "Broker", call: Call, request: DescribeConfigsRequest) -> None:
    """Answer at once."""
    call.reply(DescribeConfigsResponse(results=[_one(broker, request, resource) for resource in request.resources]))


def _one(
    broker: "Broker", request: DescribeConfigsRequest, asked: DescribeConfigsRequest.DescribeConfigsResource
) -> DescribeConfigsResponse.DescribeConfigsResult:
    result = _Result(resource_type=asked.resource_type, resource_name=asked.resource_name, configs=[])
    if asked.resource_type == TOPIC_RESOURCE:
        if broker.image.topic(asked.resource_name) is None:
            result.error_code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            return result
        entries = _topic_entries(broker, asked.resource_name)
    elif asked.resource_type == BROKER_RESOURCE and asked.resource_name in {"", str(broker.node_id)}:
        entries = _broker_entries(broker, asked.resource_name)
    else:
        result.error_code = ErrorCode.INVALID_REQUEST
        result.error_message = f"Unexpected resource: type {asked.resource_type}, name '{asked.resource_name}', asked of {broker.node_id}"
        return result
    wanted = asked.configuration_keys
    result.configs = [entry for entry in entries if wanted is None or entry.name in wanted]
    for entry in result.configs:
        if request.include_synonyms:
            entry.synonyms = [
                DescribeConfigsResponse.DescribeConfigsSynonym(name=entry.name, value=entry.value, source=entry.config_source)
            ]
    return result


def _topic_entries(broker: "Broker", topic: str) -> list[DescribeConfigsResponse.DescribeConfigsResourceResult]:
    image = broker.image
    found = effective_all(image.topic_config(topic), broker.replicas.layers(image))
    return [_entry(each.key, each.text, each.source, read_only=False) for each in found]


def _broker_entries(broker: "Broker", name: str) -> list[DescribeConfigsResponse.DescribeConfigsResourceResult]:
    cluster: Mapping[str, str] = broker.image.cluster_config()
    if name == "":
        return [_entry(broker_keys()[key], text, CLUSTER_SOURCE, read_only=False) for key, text in cluster.items() if key in broker_keys()]
    own = broker.image.broker_config(broker.node_id)
    entries: list[DescribeConfigsResponse.DescribeConfigsResourceResult] = []
    for key in broker_keys().values():
        static = broker.static_texts.get(key.name)
        for text, source in (
            (own.get(key.name), BROKER_SOURCE),
            (cluster.get(key.name), CLUSTER_SOURCE),
            (static, STATIC_SOURCE),
            (key.default, DEFAULT_SOURCE),
        ):
            if text is not None or source == DEFAULT_SOURCE:
                entries.append(_entry(key, text, source, read_only=key.scope == STATIC))
                break
    return entries


def _entry(key: Key, text: str | None, source: int, *, read_only: bool) -> DescribeConfigsResponse.DescribeConfigsResourceResult:
    return _Entry(
        name=key.name,
        value=None if key.sensitive else text,
        read_only=read_only,
        config_source=source,
        is_sensitive=key.sensitive,
        config_type=_TYPES.get(key.type, 0),
    )


API = Api(DescribeConfigsRequest, DescribeConfigsResponse, handle, "DescribeConfigs on Cluster or Topic")
