"""Where the value of a topic key comes from, and which configurations of a topic are refused."""

import pytest

from holdwater.kernel.configs.keys import InvalidValue
from holdwater.kernel.configs.topics import (
    BROKER_SOURCE,
    CLUSTER_SOURCE,
    DEFAULT_SOURCE,
    STATIC_SOURCE,
    TOPIC_SOURCE,
    Layers,
    check_topic_config,
    effective,
    effective_all,
    effective_bool,
    effective_int,
)

NOTHING: dict[str, str] = {}


@pytest.mark.parametrize(
    ("own", "broker", "cluster", "static", "text", "source"),
    [
        ({}, {}, {}, {}, "604800000", DEFAULT_SOURCE),
        ({}, {}, {}, {"log.retention.hours": "2"}, "7200000", STATIC_SOURCE),
        ({}, {}, {}, {"log.retention.hours": "2", "log.retention.minutes": "3"}, "180000", STATIC_SOURCE),
        ({}, {}, {}, {"log.retention.hours": "-1"}, "-1", STATIC_SOURCE),
        ({}, {}, {"log.retention.ms": "5"}, {"log.retention.ms": "6"}, "5", CLUSTER_SOURCE),
        ({}, {"log.retention.ms": "4"}, {"log.retention.ms": "5"}, {}, "4", BROKER_SOURCE),
        ({"retention.ms": "3"}, {"log.retention.ms": "4"}, {}, {}, "3", TOPIC_SOURCE),
        ({"retention.ms": "bad"}, {"log.retention.ms": "4"}, {}, {}, "4", BROKER_SOURCE),
    ],
)
def test_layers(
    own: dict[str, str], broker: dict[str, str], cluster: dict[str, str], static: dict[str, str], text: str, source: int
) -> None:
    found = effective("retention.ms", own, Layers(broker, cluster, static))
    assert (found.text, found.source) == (text, source)


def test_typed_values() -> None:
    layers = Layers(NOTHING, {"min.insync.replicas": "2"}, {"unclean.leader.election.enable": "true"})
    assert effective_int("min.insync.replicas", {}, layers) == 2
    assert effective_bool("unclean.leader.election.enable", {}, layers) is True
    assert effective_bool("unclean.leader.election.enable", {"unclean.leader.election.enable": "false"}, layers) is False


def test_every_key_has_a_value_or_none() -> None:
    names = [found.key.name for found in effective_all({}, Layers(NOTHING, NOTHING, NOTHING))]
    assert names == sorted(names)
    assert "cleanup.policy" in names


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ({"retention": "1"}, "Unknown topic config name: retention"),
        ({"retention.ms": "-2"}, "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
        ({"cleanup.policy": "shred"}, "String must be one of: compact, delete"),
        ({"min.compaction.lag.ms": "9", "max.compaction.lag.ms": "8"}, "min.compaction.lag.ms (9) > max.compaction.lag.ms (8)"),
        ({"remote.storage.enable": "true"}, "Tiered Storage functionality is disabled in the broker."),
    ],
)
def test_refused(own: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        check_topic_config(own)
    assert sentence in str(caught.value)


def test_accepted() -> None:
    check_topic_config({"cleanup.policy": "compact,delete", "retention.ms": "-1", "remote.storage.enable": "false"})
    check_topic_config({"cleanup.policy": ""})
