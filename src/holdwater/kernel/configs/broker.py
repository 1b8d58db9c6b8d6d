"""``BrokerConfig``: one broker's configuration, read from a ``server.properties`` mapping, checked as a whole, typed by key."""

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

from holdwater.kernel.configs.keys import InvalidValue, Key, Value, broker_keys, nearest, parse
from holdwater.kernel.configs.listeners import Listener, ListenerKeys, ListenerPlan, plan_listeners

_LISTENER_PREFIX = "listener.name."
_NO_EFFECT = {
    "later": "is accepted but has no effect yet.",
    "none": "is accepted, but there is nothing in this implementation that it steers.",
}
_PLUGIN_PREFIXES = ("config.providers.", "rsm.config.", "rlmm.config.", "metrics.")


class InvalidConfig(ValueError):  # noqa: N818 - reads as a sentence: the configuration is invalid
    """A configuration that no broker may start with. ``problems`` has one sentence per broken rule."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Voter(NamedTuple):
    """One entry of ``controller.quorum.voters``."""

    node_id: int
    host: str
    port: int


class BrokerConfig:
    """A checked configuration. Values come by Kafka's key and the type of its row; a wrong key or type is our bug and raises.

    Static values only: dynamic ones (per broker, cluster-wide) lie over it through ``overlaid``.
    """

    def __init__(self, given: Mapping[str, str], *, check: bool = True) -> None:
        """Read ``given``. Raises ``InvalidConfig`` with every problem at once, unless ``check`` is off."""
        self._given = dict(given)
        self._values: dict[str, Value] = {}
        self._unknown: list[str] = []
        problems: list[str] = []
        self._read(problems)
        if not problems:
            _fill_in_synonyms(self._values)
            problems = [f"{key.name} must be set." for key in broker_keys().values() if key.required and key.name not in self._values]
        if not problems:
            _check_rules(self, problems)
        if problems and check:
            raise InvalidConfig(problems)

    def _read(self, problems: list[str]) -> None:
        known = broker_keys()
        for name, text in self._given.items():
            key = known.get(name) or _listener_key(name, known)
            if key is None:
                if not name.startswith(_PLUGIN_PREFIXES):
                    self._unknown.append(name)
                continue
            try:
                self._values[name] = parse(key, text)
            except InvalidValue as problem:
                problems.append(f"{problem}." if not str(problem).endswith(".") else str(problem))

    def overlaid(self, *layers: Mapping[str, str]) -> "BrokerConfig":
        """This configuration with dynamic values over it, the last layer strongest. A value that does not parse is left out."""
        merged = dict(self._given)
        for layer in layers:
            for name, text in layer.items():
                key = broker_keys().get(name)
                if key is not None and _parses(key, text):
                    merged[name] = text
        return BrokerConfig(merged, check=False)

    # Values by key

    def value(self, name: str) -> Value:
        """The value of any key, its default when the file says nothing."""
        if name in self._values:
            return self._values[name]
        key = broker_keys()[name]
        return parse(key, key.default)

    def is_set(self, name: str) -> bool:
        """Whether the file gives the key."""
        return name in self._given

    def text(self, name: str) -> str | None:
        """The text that the file gives, unparsed, or ``None``."""
        return self._given.get(name)

    def int(self, name: str) -> int:
        """A short, int or long that has a value."""
        value = self.value(name)
        assert isinstance(value, int), f"{name} is not a number: {value!r}"
        return value

    def optional_int(self, name: str) -> "int | None":
        """A short, int or long that may have no value."""
        value = self.value(name)
        assert value is None or isinstance(value, int), f"{name} is not a number: {value!r}"
        return value

    def float(self, name: str) -> float:
        """A double."""
        value = self.value(name)
        assert isinstance(value, float), f"{name} is not a double: {value!r}"
        return value

    def bool(self, name: str) -> bool:
        """A boolean."""
        value = self.value(name)
        assert isinstance(value, bool), f"{name} is not a boolean: {value!r}"
        return value

    def string(self, name: str) -> str:
        """A string, class or password that has a value."""
        value = self.value(name)
        assert isinstance(value, str), f"{name} is not a string: {value!r}"
        return value

    def optional_string(self, name: str) -> str | None:
        """A string, class or password that may have no value."""
        value = self.value(name)
        assert value is None or isinstance(value, str), f"{name} is not a string: {value!r}"
        return value

    def list(self, name: str) -> list[str]:
        """A list; empty when it has no value."""
        value = self.value(name)
        assert value is None or isinstance(value, list), f"{name} is not a list: {value!r}"
        return value or []

    def items(self) -> "list[tuple[Key, str | None]]":
        """Every known key with the text given for it (``None``: its default applies), secrets left out."""
        return [(key, None if key.sensitive else self._given.get(name)) for name, key in broker_keys().items()]

    # What the values mean together

    @property
    def node_id(self) -> "int":
        """``node.id``."""
        return self.int("node.id")

    @property
    def is_broker(self) -> "bool":
        """Whether ``process.roles`` has broker."""
        return "broker" in self.list("process.roles")

    @property
    def is_controller(self) -> "bool":
        """Whether ``process.roles`` has controller."""
        return "controller" in self.list("process.roles")

    @property
    def log_dirs(self) -> "list[str]":
        """``log.dirs``, or ``log.dir`` when that is all there is."""
        return self.list("log.dirs") or self.list("log.dir")

    @property
    def metadata_log_dir(self) -> str:
        """Where ``__cluster_metadata`` lies: ``metadata.log.dir``, else the first log directory."""
        return self.optional_string("metadata.log.dir") or self.log_dirs[0]

    @cached_property
    def listener_plan(self) -> ListenerPlan:
        """Listeners, advertised listeners, controller listeners."""
        return plan_listeners(self.listener_keys(), [])

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Every listener this node binds."""
        return self.listener_plan.bound

    @cached_property
    def voters(self) -> tuple[Voter, ...]:
        """``controller.quorum.voters``, in the file's order."""
        return tuple(_voter(entry, []) for entry in self.list("controller.quorum.voters"))

    @cached_property
    def warnings(self) -> "list[str]":
        """One sentence per key that is unknown, or accepted without any effect in this implementation."""
        sentences: list[str] = []
        for name in self._unknown:
            near = nearest(name, broker_keys())
            sentences.append(f"{name} is not a key of Kafka 4.4 or of ours and is ignored" + (f"; did you mean {near}?" if near else "."))
        for name, text in self._given.items():
            key = broker_keys().get(name)
            if key is not None and key.standing in _NO_EFFECT and text.strip() != (key.default or ""):
                sentences.append(f"{name} {_NO_EFFECT[key.standing]}")
        return sentences

    def __repr__(self) -> str:
        return f"BrokerConfig(node.id={self._values.get('node.id')}, {len(self._given)} keys given)"

    def listener_keys(self) -> ListenerKeys:
        """The raw values that the listener plan is made from."""
        return ListenerKeys(
            roles=tuple(self.list("process.roles")),
            listeners=self.list("listeners"),
            advertised=self.list("advertised.listeners") if self.is_set("advertised.listeners") else None,
            protocol_map=self.string("listener.security.protocol.map"),
            protocol_map_given=self.is_set("listener.security.protocol.map"),
            controller_names=[name.upper() for name in self.list("controller.listener.names")],
            inter_broker_name=self.optional_string("inter.broker.listener.name"),
            inter_broker_protocol=self.string("security.inter.broker.protocol"),
            inter_broker_protocol_given=self.is_set("security.inter.broker.protocol"),
        )


def _listener_key(name: str, known: Mapping[str, Key]) -> Key | None:
    """The row behind ``listener.name.<listener>.<key>``, if it is one (``<mechanism>.`` may stand before a SASL key)."""
    if not name.startswith(_LISTENER_PREFIX):
        return None
    _, _, rest = name.removeprefix(_LISTENER_PREFIX).partition(".")
    return known.get(rest) or known.get(rest.partition(".")[2])


def _parses(key: Key, text: str) -> bool:
    try:
        parse(key, text)
    except InvalidValue:
        return False
    return True


def _fill_in_synonyms(values: dict[str, Value]) -> None:
    """``node.id`` and ``broker.id`` stand for each other."""
    if "node.id" not in values and "broker.id" in values:
        values["node.id"] = values["broker.id"]
    elif "node.id" in values:
        values.setdefault("broker.id", values["node.id"])


def _voter(entry: str, problems: list[str]) -> Voter:
    node_id, _, address = entry.partition("@")
    host, _, port = address.rpartition(":")
    if not (node_id.isdecimal() and port.isdecimal() and host):
        problems.append(f"controller.quorum.voters: '{entry}' is not ID@HOST:PORT.")
        return Voter(-1, "", 0)
    return Voter(int(node_id), host.strip("[]"), int(port))


def _check_rules(config: BrokerConfig, problems: list[str]) -> None:
    if config.node_id != config.int("broker.id"):
        problems.append("node.id and broker.id must have the same value when both are set.")
    plan_listeners(config.listener_keys(), problems)
    _check_quorum(config, problems)
    _check_pairs(config, problems)
    if config.list("log.dirs") == [] and config.is_set("log.dirs"):
        problems.append("log.dirs must name at least one directory.")


def _check_quorum(config: BrokerConfig, problems: list[str]) -> None:
    voters = [_voter(entry, problems) for entry in config.list("controller.quorum.voters")]
    ids = [voter.node_id for voter in voters]
    if not voters and not config.list("controller.quorum.bootstrap.servers"):
        problems.append("controller.quorum.bootstrap.servers or controller.quorum.voters must say where the controllers are.")
    if voters and config.is_controller and config.node_id not in ids:
        problems.append(f"controller.quorum.voters must contain this node ({config.node_id}), since process.roles has controller.")
    if voters and not config.is_controller and config.node_id in ids:
        problems.append(f"controller.quorum.voters contains this node ({config.node_id}), but process.roles has no controller.")


_PAIRS = (
    ("broker.heartbeat.interval.ms", 2, "broker.session.timeout.ms", "must be at most half of"),
    ("replica.fetch.wait.max.ms", 1, "replica.socket.timeout.ms", "must be at most"),
    ("replica.fetch.wait.max.ms", 1, "replica.lag.time.max.ms", "must be at most"),
    ("group.min.session.timeout.ms", 1, "group.max.session.timeout.ms", "must be at most"),
    ("group.consumer.min.session.timeout.ms", 1, "group.consumer.session.timeout.ms", "must be at most"),
    ("group.consumer.session.timeout.ms", 1, "group.consumer.max.session.timeout.ms", "must be at most"),
    ("group.consumer.min.heartbeat.interval.ms", 1, "group.consumer.heartbeat.interval.ms", "must be at most"),
    ("group.consumer.heartbeat.interval.ms", 1, "group.consumer.max.heartbeat.interval.ms", "must be at most"),
    ("log.cleaner.min.compaction.lag.ms", 1, "log.cleaner.max.compaction.lag.ms", "must be at most"),
)
"""Rules of the form: this key, times a factor, is at most that key."""


def _check_pairs(config: BrokerConfig, problems: list[str]) -> None:
    for low, factor, high, words in _PAIRS:
        if config.int(low) * factor > config.int(high):
            problems.append(f"{low} ({config.int(low)}) {words} {high} ({config.int(high)}).")
    queued = config.int("queued.max.request.bytes")
    if 0 < queued < config.int("socket.request.max.bytes"):
        problems.append("queued.max.request.bytes must be at least socket.request.max.bytes, or one request alone could never be read.")
