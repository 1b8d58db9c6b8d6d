"""The timeouts of one consumer group: the group's own configuration where it has any, kept within the broker's limits, else the broker's."""

from typing import NamedTuple

from holdwater.core.coordinator import ShardHost
from holdwater.core.groups.consumer.assignors import ASSIGNORS
from holdwater.kernel.configs.broker import BrokerConfig

_DEFAULT_ASSIGNORS = ("uniform", "range")
_JAVA_NAMES = {
    "org.apache.kafka.coordinator.group.assignor.UniformAssignor": "uniform",
    "org.apache.kafka.coordinator.group.assignor.RangeAssignor": "range",
}


class _Keys(NamedTuple):
    """Where one setting stands: the group's own, the broker's, and the broker's limits of the former."""

    of_group: str
    of_broker: str
    least: str
    most: str


_SESSION = _Keys(
    "consumer.session.timeout.ms",
    "group.consumer.session.timeout.ms",
    "group.consumer.min.session.timeout.ms",
    "group.consumer.max.session.timeout.ms",
)
_HEARTBEAT = _Keys(
    "consumer.heartbeat.interval.ms",
    "group.consumer.heartbeat.interval.ms",
    "group.consumer.min.heartbeat.interval.ms",
    "group.consumer.max.heartbeat.interval.ms",
)
_ASSIGNMENT = _Keys(
    "consumer.assignment.interval.ms",
    "group.consumer.assignment.interval.ms",
    "group.consumer.min.assignment.interval.ms",
    "group.consumer.max.assignment.interval.ms",
)


class ConsumerSettings(NamedTuple):
    """See the module."""

    session_timeout_ms: int
    heartbeat_interval_ms: int
    assignment_interval_ms: int
    regex_refresh_interval_ms: int
    max_size: int
    assignors: tuple[str, ...]
    """What members may ask for, the default first."""


def may_move(config: BrokerConfig, way: str) -> bool:
    """Whether groups with members may move to the consumer protocol (``upgrade``), or back (``downgrade``)."""
    return config.string("group.consumer.migration.policy").lower() in (way, "bidirectional")


class SettingsOfGroup:
    """Reads the settings again only when the broker's configuration or the group's has changed."""

    def __init__(self, group_id: str, host: ShardHost) -> None:
        self._group_id = group_id
        self._host = host
        self._config: BrokerConfig | None = None
        self._texts: dict[str, str] = {}
        self._settings: ConsumerSettings

    def now(self) -> ConsumerSettings:
        """The settings of this moment."""
        config = self._host.config
        texts = self._host.group_texts(self._group_id)
        if config is not self._config or texts != self._texts:
            self._config = config
            self._texts = dict(texts)
            self._settings = _read(config, texts)
        return self._settings


def _read(config: BrokerConfig, texts: dict[str, str]) -> ConsumerSettings:
    return ConsumerSettings(
        session_timeout_ms=_own_or_broker(config, texts, _SESSION),
        heartbeat_interval_ms=_own_or_broker(config, texts, _HEARTBEAT),
        assignment_interval_ms=_own_or_broker(config, texts, _ASSIGNMENT),
        regex_refresh_interval_ms=config.int("group.consumer.regex.refresh.interval.ms"),
        max_size=config.int("group.consumer.max.size"),
        assignors=_assignors(config),
    )


def _own_or_broker(config: BrokerConfig, texts: dict[str, str], keys: _Keys) -> int:
    text = texts.get(keys.of_group, "").strip()
    if not text.isdecimal():
        return config.int(keys.of_broker)
    return min(max(int(text), config.int(keys.least)), config.int(keys.most))


def _assignors(config: BrokerConfig) -> tuple[str, ...]:
    """Java classes of others cannot be had here; when nothing else is named, Kafka's own two are there."""
    names = [_JAVA_NAMES.get(name, name) for name in config.list("group.consumer.assignors")]
    return tuple(name for name in names if name in ASSIGNORS) or _DEFAULT_ASSIGNORS
