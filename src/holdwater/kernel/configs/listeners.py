"""Listeners: what a broker binds, what it tells others to connect to, with which security protocol, and who uses which.

The rules are those of Kafka's KRaft mode (KIP-103, KIP-631, KIP-853). Each broken rule is one sentence in the list of problems.
"""

import re
from typing import NamedTuple

PROTOCOLS = {"PLAINTEXT": 0, "SSL": 1, "SASL_PLAINTEXT": 2, "SASL_SSL": 3}
"""Security protocols by name, with their numbers on the wire."""

_ENDPOINT = re.compile(r"([^:/]+)://(\[[0-9a-zA-Z:%._-]*\]|[^:/\[\]]*):(-?[0-9]+)")


class Listener(NamedTuple):
    """One listener. ``host`` is empty when it binds every interface; ``port`` 0 asks for a free one."""

    name: str
    host: str
    port: int
    protocol: str

    @property
    def protocol_number(self) -> int:
        """The security protocol as registration requests write it."""
        return PROTOCOLS[self.protocol]


class ListenerPlan(NamedTuple):
    """Everything the listener keys say together."""

    bound: tuple[Listener, ...]
    """Listeners of this node, in the file's order."""
    advertised: tuple[Listener, ...]
    """What clients and other brokers are told; no controller listener among them."""
    advertised_controller: tuple[Listener, ...]
    """What other nodes are told about this node's controller listeners."""
    controller_names: tuple[str, ...]
    inter_broker_name: str


class ListenerKeys(NamedTuple):
    """The raw values that the plan is made from; ``None`` or empty where the file says nothing."""

    roles: tuple[str, ...]
    listeners: list[str]
    advertised: list[str] | None
    protocol_map: str
    protocol_map_given: bool
    controller_names: list[str]
    inter_broker_name: str | None
    inter_broker_protocol: str
    inter_broker_protocol_given: bool


def plan_listeners(keys: ListenerKeys, problems: list[str]) -> ListenerPlan:
    """The plan, with a sentence added to ``problems`` for every rule that the keys break."""
    protocols = _protocol_map(keys, problems)
    bound = _endpoints(keys.listeners, protocols, "listeners", problems)
    advertised = bound if keys.advertised is None else _endpoints(keys.advertised, protocols, "advertised.listeners", problems)
    _check_unique(bound, problems)
    inter_broker = _inter_broker_name(keys, advertised, problems)
    controllers = tuple(keys.controller_names)
    plan = ListenerPlan(
        bound,
        tuple(listener for listener in advertised if listener.name not in controllers),
        _advertised_controller(bound, advertised, controllers),
        controllers,
        inter_broker,
    )
    _check_roles(keys, plan, problems)
    return plan


def _protocol_map(keys: ListenerKeys, problems: list[str]) -> dict[str, str]:
    protocols: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in keys.protocol_map.split(","))):
        name, _, protocol = (part.strip() for part in entry.rpartition(":"))
        if protocol not in PROTOCOLS or not name:
            problems.append(f"listener.security.protocol.map: '{entry}' is not NAME:PROTOCOL with one of {', '.join(PROTOCOLS)}.")
        elif name.upper() in protocols:
            problems.append(f"listener.security.protocol.map: the listener {name} appears twice.")
        protocols[name.upper()] = protocol if protocol in PROTOCOLS else "PLAINTEXT"
    if not keys.protocol_map_given:
        for name in keys.controller_names:
            protocols.setdefault(name.upper(), "PLAINTEXT")
    return protocols


def _endpoints(entries: list[str], protocols: dict[str, str], key: str, problems: list[str]) -> tuple[Listener, ...]:
    found: list[Listener] = []
    for entry in entries:
        match = _ENDPOINT.fullmatch(entry)
        if match is None or not -1 <= int(match[3]) <= 65535:
            problems.append(f"{key}: '{entry}' is not NAME://HOST:PORT.")
            continue
        name = match[1].upper()
        protocol = protocols.get(name)
        if protocol is None:
            problems.append(
                f"{key}: the listener {name} has no security protocol; listener.security.protocol.map must give it one of"
                f" {', '.join(PROTOCOLS)}."
            )
            continue
        found.append(Listener(name, match[2].strip("[]"), int(match[3]), protocol))
        if key == "advertised.listeners" and found[-1].host in {"0.0.0.0", "::"}:
            problems.append(
                f"advertised.listeners: {found[-1].host} cannot be connected to; advertise an address or a name that others reach."
            )
    return tuple(found)


def _check_unique(bound: tuple[Listener, ...], problems: list[str]) -> None:
    names: dict[str, bool] = {}
    ports: dict[tuple[int, bool], bool] = {}
    for listener in bound:
        if listener.name in names:
            problems.append(f"listeners: each listener must have a different name; {listener.name} appears twice.")
        names[listener.name] = True
        place = (listener.port, ":" in listener.host)
        if listener.port != 0 and place in ports:
            problems.append(f"listeners: each listener must have a different port; {listener.port} appears twice.")
        ports[place] = True


def _inter_broker_name(keys: ListenerKeys, advertised: tuple[Listener, ...], problems: list[str]) -> str:
    if keys.inter_broker_name is not None:
        name = keys.inter_broker_name.upper()
        if keys.inter_broker_protocol_given:
            problems.append("Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.")
        if "broker" in keys.roles and name not in [listener.name for listener in advertised]:
            problems.append(f"inter.broker.listener.name: {name} is not among the advertised listeners.")
        if name in keys.controller_names:
            problems.append(f"inter.broker.listener.name: {name} is a controller listener; brokers need one of their own.")
        return name
    name = keys.inter_broker_protocol
    if "broker" in keys.roles and name not in [listener.name for listener in advertised]:
        problems.append(f"No listener is named {name} (the value of security.inter.broker.protocol); set inter.broker.listener.name.")
    return name


def _advertised_controller(
    bound: tuple[Listener, ...], advertised: tuple[Listener, ...], controllers: tuple[str, ...]
) -> tuple[Listener, ...]:
    """For each controller listener the advertised endpoint if there is one, else the bound one."""
    told = {listener.name: listener for listener in advertised}
    return tuple(told.get(listener.name, listener) for listener in bound if listener.name in controllers)


def _check_roles(keys: ListenerKeys, plan: ListenerPlan, problems: list[str]) -> None:
    names = [listener.name for listener in plan.bound]
    if "controller" in keys.roles:
        problems.extend(
            f"controller.listener.names: {name} is not among listeners, though process.roles has controller."
            for name in plan.controller_names
            if name not in names
        )
    else:
        problems.extend(
            f"listeners: {name} is a controller listener, but process.roles has no controller."
            for name in plan.controller_names
            if name in names
        )
    if "broker" in keys.roles and not plan.advertised:
        problems.append("A broker needs a listener that is not a controller listener.")
    elif "broker" not in keys.roles and any(name not in plan.controller_names for name in names):
        problems.append("listeners: a node that is only a controller binds only controller listeners.")
