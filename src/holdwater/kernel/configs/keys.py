"""Rows of the table as values, and the reading of a configured text by its row (Kafka's ``ConfigDef`` rules)."""

import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple, TypeAlias

from holdwater.kernel.configs import table

Value: TypeAlias = bool | int | float | str | list[str] | None

STATIC = "static"
PER_BROKER = "broker"
CLUSTER_WIDE = "cluster"

_INTEGER_LIMITS = {"short": 2**15, "int": 2**31, "long": 2**63}
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_COMMA = re.compile(r"\s*,\s*")
_THROTTLED = re.compile(r"[0-9]+:[0-9]+", re.ASCII)
_SHARE_RESET = re.compile(r"latest|earliest|by_duration:P(?=.)([0-9]+D)?(T(?=.)([0-9]+H)?([0-9]+M)?([0-9]+(\.[0-9]+)?S)?)?", re.IGNORECASE)


class InvalidValue(ValueError):  # noqa: N818 - reads as a sentence: the value is invalid
    """A configured text that its key does not take. The message is one sentence in Kafka's form."""


class Synonym(NamedTuple):
    """A broker key that gives a topic key its default; ``unit_ms`` scales it (``log.retention.hours`` gives ``retention.ms``)."""

    name: str
    unit_ms: int


class Key(NamedTuple):
    """One row of the table; its module says what the fields hold."""

    name: str
    type: str
    default: str | None
    required: bool
    valid: str
    scope: str
    synonyms: tuple[Synonym, ...]
    standing: str
    meaning: str
    kafka_default: str | None
    """Kafka's own default; differs from ``default`` only where we deviate on purpose."""

    @property
    def sensitive(self) -> bool:
        """Whether the value is a secret, shown to nobody."""
        return self.type == "password"

    @property
    def deviates(self) -> bool:
        """Whether our default is not Kafka's."""
        return self.default != self.kafka_default


@cache
def broker_keys() -> Mapping[str, Key]:
    """Every key of a broker, sorted by name."""
    return _parse(table.BROKER_KEYS)


@cache
def topic_keys() -> Mapping[str, Key]:
    """Every key of a topic, sorted by name."""
    return _parse(table.TOPIC_KEYS)


@cache
def group_keys() -> Mapping[str, Key]:
    """Every key of a group, sorted by name."""
    return _parse(table.GROUP_KEYS)


@cache
def client_metrics_keys() -> Mapping[str, Key]:
    """Every key of a client metrics subscription, sorted by name."""
    return _parse(table.CLIENT_METRICS_KEYS)


def _parse(text: str) -> dict[str, Key]:
    keys: dict[str, Key] = {}
    for line in text.splitlines():
        name, kind, defaults, valid, scope, standing, meaning = line.split("\t")
        ours, _, kafkas = defaults.partition("<")
        scope, _, synonyms = scope.partition(" ")
        keys[name] = Key(
            name,
            kind,
            None if ours in {"~", "!"} else ours,
            ours == "!",
            valid,
            scope,
            tuple(_synonym(part) for part in synonyms.split(",") if part),
            standing,
            meaning,
            None if ours in {"~", "!"} else kafkas or ours,
        )
    return keys


def _synonym(text: str) -> Synonym:
    name, _, unit = text.partition("*")
    return Synonym(name, int(unit or 1))


def parse(key: Key, text: str | None) -> Value:
    """The value that ``text`` stands for, checked against the key's valid values. Raises ``InvalidValue``."""
    value = None if text is None else _READERS[key.type](key, text.strip())
    _check(key, value)
    return value


def _boolean(key: Key, text: str) -> bool:
    lowered = text.lower()
    if lowered not in {"true", "false"}:
        raise InvalidValue(f"Invalid value {text} for configuration {key.name}: Expected value to be either true or false")
    return lowered == "true"


def _integer(key: Key, text: str) -> int:
    limit = _INTEGER_LIMITS[key.type]
    if _INTEGER.fullmatch(text) is None or not -limit <= int(text[:20]) < limit or len(text) > 20:
        raise InvalidValue(f"Invalid value {text} for configuration {key.name}: Not a number of type {key.type.upper()}")
    return int(text)


def _double(key: Key, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidValue(f"Invalid value {text} for configuration {key.name}: Not a number of type DOUBLE") from None


def _string(key: Key, text: str) -> str:
    return text


def _list(key: Key, text: str) -> list[str]:
    return _COMMA.split(text) if text else []


_READERS = {
    "boolean": _boolean,
    "short": _integer,
    "int": _integer,
    "long": _integer,
    "double": _double,
    "string": _string,
    "class": _string,
    "password": _string,
    "list": _list,
}


def _check(key: Key, value: Value) -> None:
    if not key.valid or value is None:
        return
    rule, _, argument = key.valid.partition(":")
    if isinstance(value, list):
        _check_list(key, value, rule, argument)
    elif ".." in rule:
        _check_range(key, value, rule)
    elif rule in {"one", "any-case"}:
        _check_choice(key, str(value), argument.split(","), ignore_case=rule == "any-case")
    elif rule == "nonempty" and value == "":
        raise InvalidValue(f"Invalid value {value} for configuration {key.name}: String must be non-empty")
    elif rule == "gzip-level" and not (value == -1 or (isinstance(value, int) and 1 <= value <= 9)):
        raise InvalidValue(f"Invalid value {value} for configuration {key.name}: Value must be between 1 and 9 or equal to -1")
    elif rule == "share-reset" and _SHARE_RESET.fullmatch(str(value)) is None:
        raise InvalidValue(f"Invalid value {value} for configuration {key.name}: must be latest, earliest or by_duration:PnDTnHnMn.nS")


def _check_range(key: Key, value: Value, rule: str) -> None:
    low, _, high = rule.partition("..")
    number = float(value) if isinstance(value, float) else int(str(value))
    if low and number < float(low):
        raise InvalidValue(f"Invalid value {value} for configuration {key.name}: Value must be at least {low}")
    if high and number > float(high):
        raise InvalidValue(f"Invalid value {value} for configuration {key.name}: Value must be no more than {high}")


def _check_choice(key: Key, value: str, choices: list[str], *, ignore_case: bool) -> None:
    found = value.lower() in [choice.lower() for choice in choices] if ignore_case else value in choices
    if not found:
        raise InvalidValue(f"Invalid value {value} for configuration {key.name}: String must be one of: {', '.join(choices)}")


def _check_list(key: Key, values: list[str], rule: str, argument: str) -> None:
    shown = ",".join(values)
    if rule == "throttled":
        if values != ["*"] and not all(_THROTTLED.fullmatch(part) for part in values):
            raise InvalidValue(
                f"Invalid value {shown} for configuration {key.name}: {key.name} must be the literal '*' or a list of replicas"
                " in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."
            )
        return
    choices, _, nonempty = argument.partition(" ")
    members = choices.split(",") if choices else []
    if not values and nonempty:
        raise InvalidValue(f"Configuration '{key.name}' must not be empty." + (f" Valid values include: {members}" if members else ""))
    if len(dict.fromkeys(values)) != len(values):
        raise InvalidValue(f"Configuration '{key.name}' values must not be duplicated.")
    for value in values:
        if value == "":
            raise InvalidValue(f"Configuration '{key.name}' values must not be empty.")
        if members and value not in members:
            raise InvalidValue(f"Invalid value {value} for configuration {key.name}: String must be one of: {', '.join(members)}")


def nearest(name: str, known: Mapping[str, Key]) -> str | None:
    """The known key that a mistyped name most likely meant, or ``None`` when nothing is near."""
    from difflib import get_close_matches

    found = get_close_matches(name, list(known), n=1, cutoff=0.75)
    return found[0] if found else None
