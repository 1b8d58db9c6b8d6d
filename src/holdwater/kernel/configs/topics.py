"""What a topic's configuration is: its own keys, over its broker's dynamic keys, over the file, over the defaults (KIP-226)."""

from collections.abc import Mapping
from typing import NamedTuple

from holdwater.kernel.configs.keys import InvalidValue, Key, Value, broker_keys, parse, topic_keys

UNKNOWN_SOURCE = 0
TOPIC_SOURCE = 1
BROKER_SOURCE = 2
CLUSTER_SOURCE = 3
STATIC_SOURCE = 4
DEFAULT_SOURCE = 5
BROKER_LOGGER_SOURCE = 6
CLIENT_METRICS_SOURCE = 7
GROUP_SOURCE = 8
"""Where a value comes from, as DescribeConfigs and CreateTopics write it."""


class Layers(NamedTuple):
    """Configured texts that lie under a topic's own, strongest first: one broker's, the cluster's default, the file's."""

    broker: Mapping[str, str]
    cluster: Mapping[str, str]
    static: Mapping[str, str]


NO_LAYERS = Layers({}, {}, {})


class Effective(NamedTuple):
    """One key as it holds for one topic."""

    key: Key
    text: str | None
    source: int


def effective(name: str, own: Mapping[str, str], layers: Layers) -> Effective:
    """The value of one topic key, with where it comes from. A text that its key does not take is passed over."""
    key = topic_keys()[name]
    if name in own and _takes(key, own[name]):
        return Effective(key, own[name], TOPIC_SOURCE)
    sources = ((layers.broker, BROKER_SOURCE), (layers.cluster, CLUSTER_SOURCE), (layers.static, STATIC_SOURCE))
    for layer, source in sources:
        for synonym in key.synonyms:
            text = layer.get(synonym.name)
            if text is not None and _takes(broker_keys()[synonym.name], text):
                return Effective(key, _scaled(text, synonym.unit_ms), source)
    return Effective(key, key.default, DEFAULT_SOURCE)


def effective_all(own: Mapping[str, str], layers: Layers) -> list[Effective]:
    """Every topic key as it holds, sorted by name."""
    return [effective(name, own, layers) for name in topic_keys()]


def effective_value(name: str, own: Mapping[str, str], layers: Layers) -> Value:
    """The typed value of one topic key."""
    found = effective(name, own, layers)
    return parse(found.key, found.text)


def effective_int(name: str, own: Mapping[str, str], layers: Layers) -> int:
    """The value of a topic key that is a number."""
    value = effective_value(name, own, layers)
    assert isinstance(value, int), f"{name} is not a number: {value!r}"
    return value


def effective_bool(name: str, own: Mapping[str, str], layers: Layers) -> bool:
    """The value of a topic key that is a boolean."""
    value = effective_value(name, own, layers)
    assert isinstance(value, bool), f"{name} is not a boolean: {value!r}"
    return value


def check_topic_config(own: Mapping[str, str], layers: Layers = NO_LAYERS) -> None:
    """Check the keys of one topic, alone and together. Raises ``InvalidValue`` with one sentence."""
    for name, text in own.items():
        key = topic_keys().get(name)
        if key is None:
            raise InvalidValue(f"Unknown topic config name: {name}")
        parse(key, text)
    low = effective_int("min.compaction.lag.ms", own, layers)
    high = effective_int("max.compaction.lag.ms", own, layers)
    if low > high and ("min.compaction.lag.ms" in own or "max.compaction.lag.ms" in own):
        raise InvalidValue(f"conflict topic config setting min.compaction.lag.ms ({low}) > max.compaction.lag.ms ({high})")
    if own.get("remote.storage.enable", "false").strip().lower() == "true":
        raise InvalidValue("Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.")


def _takes(key: Key, text: str) -> bool:
    try:
        parse(key, text)
    except InvalidValue:
        return False
    return True


def _scaled(text: str, unit_ms: int) -> str:
    """``log.retention.hours=168`` is ``retention.ms=604800000``; a negative number stays what it is: no limit."""
    if unit_ms == 1:
        return text
    return str(int(text) * unit_ms) if int(text) >= 0 else text
