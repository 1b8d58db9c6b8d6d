"""The settings that a run was made with, as read from the target and given to the clients. Bounds are computed from these, never assumed."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

CLIENT_DEFAULTS = {
    "acks": "all",
    "enable.idempotence": "false",
    "max.in.flight.requests.per.connection": "1000000",
    "retry.backoff.max.ms": "1000",
    "reconnect.backoff.max.ms": "10000",
    "fetch.wait.max.ms": "500",
    "fetch.error.backoff.ms": "500",
}
"""librdkafka's own defaults for the settings that the judge looks at (its CONFIGURATION.md; ``acks`` -1 is spelled ``all``)."""

BROKER_DEFAULTS = {
    "broker.session.timeout.ms": "9000",
    "broker.heartbeat.interval.ms": "2000",
    "controller.quorum.fetch.timeout.ms": "2000",
    "controller.quorum.election.timeout.ms": "1000",
    "replica.lag.time.max.ms": "30000",
    "holdwater.quick.failover.ms": "300",
}
"""Defaults of the brokers for the same purpose; used only where the target did not tell, and then named as assumed."""

KEPT_FOR_EVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
"""What the topic of a run has: whatever is missing from it then was lost."""

_ALIASES = {
    "request.required.acks": "acks",
    "queue.buffering.max.ms": "linger.ms",
    "max.in.flight": "max.in.flight.requests.per.connection",
}
"""Other names that librdkafka takes for the same setting."""

_ACKS = {-1: "all"}
_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)", re.ASCII)

_FRACTION = re.compile(r"[ \t\n\v\f\r]*[+-]?(?!0[xX0-9])(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""A decimal number as C's strtod takes it from text, for what is no integer in another base."""


def client_number(text: str) -> int | None:
    """A number as librdkafka takes it from text; ``None`` for what it does not take.

    By C's strtol with base 0, cut to 32 bits: hexadecimal and octal by their prefix, a sign, and whatever comes behind the digits. So
    ``00``, ``0x0``, ``-0`` and ``08`` all are 0.
    """
    found = _NUMBER.match(text)
    if found is None:
        return None
    sign, digits = found.groups()
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits[0] == "0" else 10
    whole = int(sign + digits, base)
    long = max(-(2**63), min(whole, 2**63 - 1))
    return (long + 2**31) % 2**32 - 2**31


def client_acks(text: str) -> str:
    """``acks`` in one spelling: ``0``, ``1``, ``all``, or another number; text that librdkafka does not take stays as it is."""
    number = client_number(text)
    return text.lower() if number is None else _ACKS.get(number, str(number))


@dataclass(slots=True)
class Settings:
    """What applied in a run. Values are text, as Kafka's tools show them."""

    kind: str = "kafka"
    """``holdwater`` or ``kafka``: which failover rules the brokers follow."""
    version: str = ""
    broker: dict[str, str] = field(default_factory=dict[str, str])
    topic: dict[str, str] = field(default_factory=dict[str, str])
    producer: dict[str, str] = field(default_factory=dict[str, str])
    consumer: dict[str, str] = field(default_factory=dict[str, str])

    def client(self, key: str, role: str = "producer") -> str:
        """The value in force for a client setting, librdkafka's default included."""
        given = {_ALIASES.get(name, name): value for name, value in (self.producer if role == "producer" else self.consumer).items()}
        value = str(given.get(key, CLIENT_DEFAULTS.get(key, "")))
        return client_acks(value) if key == "acks" else value

    def client_int(self, key: str, role: str = "producer") -> int:
        """The same as a number, as librdkafka reads it."""
        number = client_number(self.client(key, role))
        if number is None:
            raise ValueError(f"{key} is no number: {self.client(key, role)}")
        return number

    def client_ms(self, key: str, role: str = "producer") -> int:
        """The same as a number of milliseconds, rounded up: ``linger.ms`` may be a fraction."""
        text = self.client(key, role)
        fraction = _FRACTION.match(text)
        return self.client_int(key, role) if fraction is None else math.ceil(float(fraction[0]))

    def broker_ms(self, key: str) -> tuple[int, bool]:
        """The target's value and whether it told us; else Kafka's default."""
        if key in self.broker:
            return int(self.broker[key]), True
        return int(BROKER_DEFAULTS[key]), False

    def as_json(self) -> dict[str, Any]:
        """For ``run.json`` and the report."""
        return {name: getattr(self, name) for name in ("kind", "version", "broker", "topic", "producer", "consumer")}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Settings":
        """The inverse of ``as_json``."""
        return Settings(**data)
