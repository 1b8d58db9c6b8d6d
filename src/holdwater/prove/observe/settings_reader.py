"""The target's settings in force as its brokers tell them (DescribeConfigs), and the id that the run's topic was given."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeVar

from holdwater.prove.evidence import without_secrets
from holdwater.prove.settings import BROKER_DEFAULTS, KEPT_FOR_EVER
from holdwater.rpc import Connection, RpcError
from holdwater.rpc.calls import Node, describe_broker_configs, describe_topic, describe_topic_configs

KEPT = (
    *BROKER_DEFAULTS,
    "unclean.leader.election.enable",
    "min.insync.replicas",
    "default.replication.factor",
    "auto.leader.rebalance.enable",
    "leader.imbalance.check.interval.seconds",
    "log.flush.interval.messages",
    "process.roles",
)
"""Broker settings that matter to a verdict; those that begin with ``holdwater.`` are kept as well."""
TOPIC_JUDGED_BY = (*KEPT_FOR_EVER, "min.insync.replicas")
"""Settings of the topic that a verdict rests on: whether records may go, and whether writes may be refused."""
TOLD_LIMIT_S = 10.0
"""How long brokers may take to know a topic that was just created."""
_AGAIN_S = 0.2
"""Between two rounds of asking all brokers."""

_Told = TypeVar("_Told")


def read_broker_settings(nodes: Iterable[Node]) -> tuple[dict[str, str], list[str]]:
    """Settings, and notes on what the brokers don't agree on or don't tell. Where they differ, the largest number stands: bounds stay true."""
    merged: dict[str, str] = {}
    notes: list[str] = []
    for node in nodes:
        try:
            with Connection(node.host, node.port) as connection:
                told = describe_broker_configs(connection, node.id)
        except RpcError as error:
            notes.append(f"broker {node.id} does not tell its settings: {error}")
            continue
        for key, value in told.items():
            if key not in KEPT and not key.startswith("holdwater."):
                continue
            if key in merged and merged[key] != value:
                notes.append(f"{key} differs between brokers: {merged[key]} and {value}")
                value = max(merged[key], value, key=lambda text: int(text) if text.lstrip("-").isdecimal() else -1)
            merged[key] = value
    return without_secrets(merged), notes


def read_topic_settings(nodes: Collection[Node], topic: str, limit_s: float = TOLD_LIMIT_S) -> dict[str, str]:
    """All of the topic's settings in force, its own and inherited ones, from the first broker that tells them.

    Empty when none does within the limit: a broker may hear of a new topic a little later than the one that created it.
    """

    def ask(connection: Connection) -> dict[str, str] | None:
        return describe_topic_configs(connection, topic)

    return _asked_until_told(nodes, ask, limit_s) or {}


def read_topic_id(nodes: Collection[Node], topic: str, limit_s: float = TOLD_LIMIT_S) -> str:
    """The topic's id in Kafka's text form, from the first broker that knows the topic; empty when none tells it within the limit."""

    def ask(connection: Connection) -> str | None:
        described = describe_topic(connection, topic)
        return described.id_text if described is not None else None

    return _asked_until_told(nodes, ask, limit_s) or ""


def unlike_wanted(told: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Settings that the verdict rests on and that the topic has otherwise than it was created with; what nobody tells is left out."""
    asked = {key: wanted[key] for key in TOPIC_JUDGED_BY if key in wanted and key in told}
    return {key: told[key] for key, value in asked.items() if _plain(told[key]) != _plain(value)}


def _plain(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text.strip()


def _asked_until_told(nodes: Collection[Node], ask: Callable[[Connection], _Told | None], limit_s: float) -> _Told | None:
    deadline = time.monotonic() + limit_s
    while True:
        for node in nodes:
            try:
                with Connection(node.host, node.port) as connection:
                    told = ask(connection)
            except RpcError:
                continue
            if told is not None:
                return told
        if time.monotonic() > deadline:
            return None
        time.sleep(_AGAIN_S)
