"""DescribeConfigs (key 32), versions 1 to 4: topics, this broker, the cluster's defaults, client metrics subscriptions and groups, with where
each value comes from and what lies under it (KIP-226).

Left out: broker loggers, of which there are none; Kafka's internal keys are not shown, as Kafka does not show them.
"""

from collections.abc import Mapping
from itertools import dropwhile
from typing import TYPE_CHECKING

from holdwater.broker.apis import BROKER, CONTROLLER, Api
from holdwater.broker.connection import Call
from holdwater.core.metadata.image import BROKER_RESOURCE, CLIENT_METRICS_RESOURCE, GROUP_RESOURCE, TOPIC_RESOURCE, ConfigResource
from holdwater.kernel.configs.keys import STATIC, Key, broker_keys, client_metrics_keys, group_keys, topic_keys
from holdwater.kernel.configs.topics import (
    BROKER_SOURCE,
    CLIENT_METRICS_SOURCE,
    CLUSTER_SOURCE,
    DEFAULT_SOURCE,
    GROUP_SOURCE,
    STATIC_SOURCE,
    TOPIC_SOURCE,
    effective_all,
)
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import is_legal_topic_name
from holdwater.wire.messages import DescribeConfigsRequest, DescribeConfigsResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_Entry = DescribeConfigsResponse.DescribeConfigsResourceResult
_Result = DescribeConfigsResponse.DescribeConfigsResult
_Synonym = DescribeConfigsResponse.DescribeConfigsSynonym
_TYPES = {"boolean": 1, "string": 2, "int": 3, "short": 4, "long": 5, "double": 6, "list": 7, "class": 8, "password": 9}
_INTERNAL_PREFIX = "internal."


def handle(broker: "Broker", call: Call, request: DescribeConfigsRequest) -> None:
    """Answer at once."""
    call.reply(DescribeConfigsResponse(results=[_one(broker, request, resource) for resource in request.resources]))


def _one(
    broker: "Broker", request: DescribeConfigsRequest, asked: DescribeConfigsRequest.DescribeConfigsResource
) -> DescribeConfigsResponse.DescribeConfigsResult:
    result = _Result(resource_type=asked.resource_type, resource_name=asked.resource_name, error_message="", configs=[])
    error, message = _refusal(broker, asked.resource_type, asked.resource_name)
    if error:
        result.error_code, result.error_message = error, message
        return result
    wanted = dict.fromkeys(asked.configuration_keys or ())
    for entry in _entries(broker, asked.resource_type, asked.resource_name):
        if entry.name.startswith(_INTERNAL_PREFIX) or (wanted and entry.name not in wanted):
            continue
        if not request.include_synonyms:
            entry.synonyms = []
        if request.include_documentation:
            entry.documentation = _meaning(asked.resource_type, entry.name)
        result.configs.append(entry)
    return result


def _refusal(broker: "Broker", kind: int, name: str) -> tuple[int, str]:
    if kind == TOPIC_RESOURCE:
        if not is_legal_topic_name(name):
            return ErrorCode.INVALID_TOPIC_EXCEPTION, f"Topic name is invalid: '{name}'"
        return (0, "") if broker.image.topic(name) is not None else (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "")
    if kind == BROKER_RESOURCE:
        if name in {"", str(broker.node_id)}:
            return 0, ""
        if not name.lstrip("-").isdecimal():
            return ErrorCode.INVALID_REQUEST, f"Broker id must be an integer, but it is: {name}"
        return ErrorCode.INVALID_REQUEST, f"Unexpected broker id, expected {broker.node_id} or empty string, but received {name}"
    if kind in {CLIENT_METRICS_RESOURCE, GROUP_RESOURCE}:
        return (0, "") if name else (ErrorCode.INVALID_REQUEST, "The resource name must not be empty")
    return ErrorCode.INVALID_REQUEST, f"Configurations of resource type {kind} are not served"


def _entries(broker: "Broker", kind: int, name: str) -> list[DescribeConfigsResponse.DescribeConfigsResourceResult]:
    if kind == TOPIC_RESOURCE:
        return _topic_entries(broker, name)
    if kind == BROKER_RESOURCE:
        return _broker_entries(broker) if name else _cluster_entries(broker)
    own = broker.image.config(ConfigResource(kind, name))
    metrics = kind == CLIENT_METRICS_RESOURCE
    source = CLIENT_METRICS_SOURCE if metrics else GROUP_SOURCE
    keys = client_metrics_keys() if metrics else group_keys()
    return [_plain(key, own, source) for key in keys.values()]


def _plain(key: Key, own: Mapping[str, str], source: int) -> DescribeConfigsResponse.DescribeConfigsResourceResult:
    """A key with nothing between its own value and the default."""
    if key.name not in own:
        return _entry(key, key.default, DEFAULT_SOURCE)
    entry = _entry(key, own[key.name], source)
    entry.synonyms = [_Synonym(name=key.name, value=entry.value, source=source)]
    return entry


def _topic_entries(broker: "Broker", topic: str) -> list[DescribeConfigsResponse.DescribeConfigsResourceResult]:
    image = broker.image
    own = image.topic_config(topic)
    entries: list[DescribeConfigsResponse.DescribeConfigsResourceResult] = []
    for each in effective_all(own, broker.replicas.layers(image)):
        entry = _entry(each.key, each.text, each.source)
        entry.synonyms = _underneath(broker, [synonym.name for synonym in each.key.synonyms])
        if each.key.name in own:
            entry.synonyms.insert(0, _Synonym(name=each.key.name, value=own[each.key.name], source=TOPIC_SOURCE))
        entries.append(entry)
    return entries


def _cluster_entries(broker: "Broker") -> list[DescribeConfigsResponse.DescribeConfigsResourceResult]:
    return [_plain(broker_keys()[name], broker.image.cluster_config(), CLUSTER_SOURCE) for name in _known(broker.image.cluster_config())]


def _known(config: Mapping[str, str]) -> list[str]:
    return [name for name in config if name in broker_keys()]


def _broker_entries(broker: "Broker") -> list[DescribeConfigsResponse.DescribeConfigsResourceResult]:
    own, cluster = broker.image.broker_config(broker.node_id), broker.image.cluster_config()
    groups = {key.synonyms[0].name: [each.name for each in key.synonyms] for key in topic_keys().values() if key.synonyms}
    entries: list[DescribeConfigsResponse.DescribeConfigsResourceResult] = []
    for key in broker_keys().values():
        text, source = key.default, DEFAULT_SOURCE
        for layer, layer_source in ((own, BROKER_SOURCE), (cluster, CLUSTER_SOURCE), (broker.static_texts, STATIC_SOURCE)):
            if key.name in layer:
                text, source = layer[key.name], layer_source
                break
        entry = _entry(key, text, source)
        entry.read_only = key.scope == STATIC
        entry.synonyms = _underneath(broker, groups.get(key.name, [key.name]))
        entries.append(entry)
    return entries


def _underneath(broker: "Broker", names: list[str]) -> list[DescribeConfigsResponse.DescribeConfigsSynonym]:
    """The configured values and the default that one of several broker keys gives, strongest first, in Kafka's order.

    What stands above the first mention of the first key is left out: it takes no part while that one is set, and Kafka does not show it.
    """
    own, cluster = broker.image.broker_config(broker.node_id), broker.image.cluster_config()
    keys = broker_keys()
    chain: list[DescribeConfigsResponse.DescribeConfigsSynonym] = []
    defaults = {name: text for name in names if (text := keys[name].default) is not None}
    for layer, source in (
        (own, BROKER_SOURCE),
        (cluster, CLUSTER_SOURCE),
        (broker.static_texts, STATIC_SOURCE),
        (defaults, DEFAULT_SOURCE),
    ):
        chain += [
            _Synonym(name=name, value=None if keys[name].sensitive else layer[name], source=source) for name in names if name in layer
        ]
    return list(dropwhile(lambda synonym: synonym.name != names[0], chain))


def _entry(key: Key, text: str | None, source: int) -> DescribeConfigsResponse.DescribeConfigsResourceResult:
    return _Entry(
        name=key.name,
        value=None if key.sensitive else text,
        read_only=False,
        config_source=source,
        is_sensitive=key.sensitive,
        config_type=_TYPES.get(key.type, 0),
        synonyms=[],
    )


def _meaning(kind: int, name: str) -> str:
    tables = {TOPIC_RESOURCE: topic_keys, BROKER_RESOURCE: broker_keys, CLIENT_METRICS_RESOURCE: client_metrics_keys}
    return tables.get(kind, group_keys)()[name].meaning


API = Api(DescribeConfigsRequest, DescribeConfigsResponse, handle, "DescribeConfigs on Cluster or Topic", (BROKER, CONTROLLER))
