"""Reading a configured text by its row of the table."""

import pytest

from holdwater.kernel.configs.keys import InvalidValue, Synonym, Value, broker_keys, nearest, parse, topic_keys


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("num.partitions", " 6 ", 6),
        ("num.partitions", "+6", 6),
        ("log.retention.bytes", "-1", -1),
        ("log.retention.bytes", "9223372036854775807", 2**63 - 1),
        ("delete.topic.enable", "TRUE", True),
        ("delete.topic.enable", "false", False),
        ("log.cleaner.min.cleanable.ratio", "0.25", 0.25),
        ("log.cleaner.io.max.bytes.per.second", "1.7976931348623157E308", 1.7976931348623157e308),
        ("log.dirs", "/a , /b", ["/a", "/b"]),
        ("metric.reporters", "", []),
        ("broker.rack", " east ", "east"),
        ("group.consumer.migration.policy", "Upgrade", "Upgrade"),
    ],
)
def test_values(name: str, text: str, value: Value) -> None:
    assert parse(broker_keys()[name], text) == value


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("num.partitions", "six", "Invalid value six for configuration num.partitions: Not a number of type INT"),
        ("num.partitions", "2147483648", "Invalid value 2147483648 for configuration num.partitions: Not a number of type INT"),
        ("num.partitions", "9" * 4000, "Not a number of type INT"),
        ("num.partitions", "٣", "Not a number of type INT"),
        ("num.partitions", "0", "Invalid value 0 for configuration num.partitions: Value must be at least 1"),
        ("offsets.topic.replication.factor", "32768", "Not a number of type SHORT"),
        ("delete.topic.enable", "yes", "Expected value to be either true or false"),
        ("log.cleaner.min.cleanable.ratio", "1.5", "Value must be no more than 1"),
        ("log.cleaner.min.cleanable.ratio", "half", "Not a number of type DOUBLE"),
        ("ssl.client.auth", "maybe", "String must be one of: required, requested, none"),
        ("process.roles", "broker,zookeeper", "String must be one of: broker, controller"),
        ("process.roles", "", "Configuration 'process.roles' must not be empty."),
        ("log.dirs", "/a,/a", "Configuration 'log.dirs' values must not be duplicated."),
        ("log.dirs", "/a,", "Configuration 'log.dirs' values must not be empty."),
    ],
)
def test_refused(name: str, text: str, sentence: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse(broker_keys()[name], text)
    assert sentence in str(caught.value)


def test_every_key_says_what_it_means_and_where_it_stands() -> None:
    for keys in (broker_keys(), topic_keys()):
        for key in keys.values():
            assert len(key.meaning) > 10, key.name
            assert not key.meaning.endswith("."), key.name
            assert key.standing in {"acts", "later", "none"}, key.name


def test_secrets_are_known() -> None:
    assert broker_keys()["ssl.keystore.password"].sensitive
    assert not broker_keys()["ssl.keystore.location"].sensitive


def test_synonyms_carry_their_unit() -> None:
    assert topic_keys()["retention.ms"].synonyms == (
        Synonym("log.retention.ms", 1),
        Synonym("log.retention.minutes", 60_000),
        Synonym("log.retention.hours", 3_600_000),
    )


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("num.partitons", "num.partitions"), ("listener", "listeners"), ("min.insync.replica", "min.insync.replicas"), ("zzz", None)],
)
def test_nearest_name(typed: str, meant: str | None) -> None:
    assert nearest(typed, broker_keys()) == meant
