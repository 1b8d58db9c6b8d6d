"""The settings that a run was made with, as read from the target and given to the clients. Bounds are computed from these, never assumed."""

from dataclasses import dataclass, field
from typing import Any

CLIENT_DEFAULTS = {
    "acks": "all",
    "enable.idempotence": "false",
    "max.in.flight.requests.per.connection": "1000000",
    "message.timeout.ms": "300000",
    "retry.backoff.max.ms": "1000",
    "reconnect.backoff.max.ms": "10000",
    "socket.timeout.ms": "60000",
    "fetch.wait.max.ms": "500",
    "fetch.error.backoff.ms": "500",
    "isolation.level": "read_committed",
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

_ALIASES = {
    "delivery.timeout.ms": "message.timeout.ms",
    "request.required.acks": "acks",
    "max.in.flight": "max.in.flight.requests.per.connection",
}
"""Other names that librdkafka takes for the same setting."""


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
        value = given.get(key, CLIENT_DEFAULTS.get(key, ""))
        return "all" if key == "acks" and value == "-1" else value

    def client_ms(self, key: str, role: str = "producer") -> int:
        """The same as a number."""
        return int(self.client(key, role))

    def broker_ms(self, key: str) -> tuple[int, bool]:
        """The target's value and whether it told us; else Kafka's default."""
        if key in self.broker:
            return int(self.broker[key]), True
        return int(BROKER_DEFAULTS[key]), False

    @property
    def idempotent(self) -> bool:
        """Whether the producer numbers its batches, so that a broker can tell a retry from a new one."""
        return self.client("enable.idempotence").lower() in ("true", "1", "t")

    def as_json(self) -> dict[str, Any]:
        """For ``run.json`` and the report."""
        return {name: getattr(self, name) for name in ("kind", "version", "broker", "topic", "producer", "consumer")}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Settings":
        """The inverse of ``as_json``."""
        return Settings(**data)
