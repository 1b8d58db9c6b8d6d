"""The table of keys against Apache Kafka 4.4.0's own definitions.

``kafka-4.4.0.tsv`` has facts printed from its classes (AbstractKafkaConfig, LogConfig, GroupConfig, ClientMetricsConfigs,
DynamicBrokerConfig): kind, name, type, default (``~`` none, ``!`` must be given), validator, update mode.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from holdwater.kernel.configs.keys import InvalidValue, Key, broker_keys, client_metrics_keys, group_keys, parse, topic_keys

HERE = Path(__file__).parent
FACTS = [line.split("\t") for line in (HERE / "kafka-4.4.0.tsv").read_text().splitlines()]
SYNONYMS = [line.split("\t") for line in (HERE / "kafka-4.4.0-synonyms.tsv").read_text().splitlines()]
TABLES: dict[str, Mapping[str, Key]] = {
    "broker": broker_keys(),
    "topic": topic_keys(),
    "group": group_keys(),
    "client-metrics": client_metrics_keys(),
}
SCOPES = {"read-only": "static", "per-broker": "broker", "cluster-wide": "cluster"}


def takes(key: Key, text: str) -> bool:
    try:
        parse(key, text)
    except InvalidValue:
        return False
    return True


def test_names_are_kafkas_and_our_own() -> None:
    for kind, table in TABLES.items():
        theirs = sorted(fact[1] for fact in FACTS if fact[0] == kind)
        assert sorted(name for name in table if not name.startswith("holdwater.")) == theirs


@pytest.mark.parametrize(
    ("kind", "name", "type_name", "default", "validator", "mode"), FACTS, ids=[f"{fact[0]}-{fact[1]}" for fact in FACTS]
)
def test_key(kind: str, name: str, type_name: str, default: str, validator: str, mode: str) -> None:
    key = TABLES[kind][name]
    assert key.type == type_name.lower()
    assert key.required == (default == "!")
    assert key.kafka_default == (None if default in {"~", "!"} else default)
    if kind == "broker" and not name.endswith(("throttled.rate", "log.dirs.io.max.bytes.per.second")):
        assert key.scope == SCOPES[mode]
    parse(key, key.default)
    check_validator(key, validator)


def check_validator(key: Key, validator: str) -> None:
    if (bounds := re.fullmatch(r"(-?[0-9.]*)\.\.(-?[0-9.]*)", validator)) is not None:
        low, high = bounds.groups()
        assert key.valid == validator
        if low:
            assert takes(key, low)
            assert not takes(key, str(int(low) - 1))
        if high:
            assert takes(key, high)
            assert not takes(key, str(float(high) + 1) if key.type == "double" else str(int(high) + 1))
    elif validator.startswith(("ValidString:", "CaseInsensitiveValidString:")):
        choices = validator[validator.index("[") + 1 : -1].split(", ")
        assert all(takes(key, choice) for choice in choices)
        assert takes(key, choices[0].swapcase()) == validator.startswith("Case")
        assert not takes(key, "none of these")
    elif validator.startswith("list:"):
        members = validator[validator.index("[") + 1 : validator.index("]")].split(", ")
        assert takes(key, "") == ("isEmptyAllowed=true" in validator)
        assert takes(key, "no such member") == (members == [""])
        assert not takes(key, f"{members[0] or 'a'},{members[0] or 'a'}")
    elif validator.startswith("NonEmptyString"):
        assert not takes(key, "")
    else:
        assert validator.split(":", maxsplit=1)[0] in {
            "",
            "ControllerQuorumBootstrapServersValidator",
            "ControllerQuorumVotersValidator",
            "LambdaValidator",
            "NonNullValidator",
            "ThrottledReplicaListValidator",
            "Validator",
        }


@pytest.mark.parametrize(("name", "synonyms"), [(name, synonyms) for _, name, synonyms in SYNONYMS])
def test_broker_keys_that_give_a_topic_key_its_default(name: str, synonyms: str) -> None:
    ours = [f"{synonym.name}={synonym.unit_ms}" for synonym in topic_keys()[name].synonyms]
    assert ours == synonyms.split()


def test_every_topic_key_with_a_synonym_is_known() -> None:
    theirs = [name for name, key in topic_keys().items() if key.synonyms and not name.startswith("holdwater.")]
    assert sorted(theirs) == sorted(name for _, name, _ in SYNONYMS)


@pytest.mark.parametrize(("text", "taken"), [("-1", True), ("1", True), ("9", True), ("0", False), ("10", False), ("-2", False)])
def test_gzip_level(text: str, taken: bool) -> None:
    assert takes(topic_keys()["compression.gzip.level"], text) is taken


@pytest.mark.parametrize(
    ("text", "taken"), [("*", True), ("", True), ("0:1", True), ("0:1,2:3", True), ("0", False), ("0:a", False), ("*,0:1", False)]
)
def test_throttled_replicas(text: str, taken: bool) -> None:
    assert takes(topic_keys()["leader.replication.throttled.replicas"], text) is taken


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("latest", True),
        ("EARLIEST", True),
        ("by_duration:PT1H", True),
        ("by_duration:P1DT2.5S", True),
        ("by_duration:P", False),
        ("now", False),
    ],
)
def test_where_a_share_group_begins(text: str, taken: bool) -> None:
    assert takes(group_keys()["share.auto.offset.reset"], text) is taken


def test_our_defaults_differ_only_where_security_wants_limits() -> None:
    differ = {name: (key.default, key.kafka_default) for name, key in broker_keys().items() if key.deviates}
    assert differ == {
        "connection.failed.authentication.delay.ms": ("500", "100"),
        "max.connection.creation.rate": ("2000", "2147483647"),
        "max.connections": ("12000", "2147483647"),
        "max.connections.per.ip": ("6000", "2147483647"),
        "max.decompressed.message.bytes": ("67108864", "2147483639"),
        "queued.max.request.bytes": ("268435456", "-1"),
        "sasl.server.max.receive.size": ("65536", "524288"),
    }
