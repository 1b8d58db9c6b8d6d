"""The target's settings in force, as its brokers tell them (DescribeConfigs), and the features that it has finalized (ApiVersions)."""

from collections.abc import Iterable

from holdwater.prove.evidence import without_secrets
from holdwater.prove.settings import BROKER_DEFAULTS
from holdwater.rpc import Connection, RpcError
from holdwater.rpc.calls import Node, describe_broker_configs, describe_topic_configs

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


def read_topic_settings(nodes: Iterable[Node], topic: str) -> dict[str, str]:
    """The topic's settings from the first broker that tells them; empty when none does."""
    for node in nodes:
        try:
            with Connection(node.host, node.port) as connection:
                return describe_topic_configs(connection, topic)
        except RpcError:
            continue
    return {}
