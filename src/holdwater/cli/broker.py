"""Run one broker in the foreground, from a server.properties file with Kafka's keys.

Its log directories must have been formatted (meta.properties). --format does that: for a new cluster with this node as its only voter, or,
with --cluster-id, for a node that joins: a broker, or one of the controllers that every node's controller.quorum.voters names.

Exit codes: 0 stopped as asked; 1 it cannot run; 2 usage, or a configuration that cannot be.
"""

import argparse
import socket
import sys
from pathlib import Path

from holdwater.cluster.plan import ClusterError, bind
from holdwater.kernel.configs.broker import BrokerConfig, InvalidConfig
from holdwater.kernel.configs.properties import parse_properties
from holdwater.kernel.identifiers import uuid_from_text
from holdwater.node.main import NodeFailed, note, run_node


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of ``holdwater broker``."""
    parser.add_argument("file", help="server.properties")
    parser.add_argument("-c", "--config", action="append", default=[], metavar="KEY=VALUE", help="override a setting; repeatable")
    parser.add_argument(
        "--format", action="store_true", help="format empty log directories first: for a new cluster, or for --cluster-id's"
    )
    parser.add_argument(
        "--cluster-id", metavar="ID", help="with --format: the cluster to join (it stands in another node's meta.properties)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 after an orderly stop, 1 when the broker can't run, 2 for wrong usage."""
    try:
        given = parse_properties(Path(arguments.file).read_text(encoding="utf-8"))
    except OSError as problem:
        return _refuse(f"can't read {arguments.file}: {problem.strerror}", 2)
    except ValueError as problem:
        return _refuse(f"{arguments.file}: {problem}", 2)
    for each in arguments.config:
        key, equals, value = each.partition("=")
        if not equals:
            return _refuse(f"-c takes KEY=VALUE, not '{each}'", 2)
        given[key.strip()] = value.strip()
    try:
        config = BrokerConfig(given)
    except InvalidConfig as problem:
        for line in problem.problems:
            _refuse(f"{arguments.file}: {line}", 2)
        return 2
    if arguments.cluster_id is not None and not _is_uuid(arguments.cluster_id):
        return _refuse(f"--cluster-id takes 22 characters as in meta.properties, not '{arguments.cluster_id}'", 2)
    for warning in config.warnings:
        note(f"warning: {warning}")
    return _run(config, format_first=arguments.format, cluster_id=arguments.cluster_id)


def _run(config: BrokerConfig, *, format_first: bool, cluster_id: str | None) -> int:
    sockets: dict[str, socket.socket] = {}
    try:
        if format_first:
            from holdwater.cluster.format import format_single

            format_single(config, cluster_id)
        for at in config.listeners:
            if at.protocol != "PLAINTEXT":
                raise ClusterError(f"listener {at.name} asks for {at.protocol}; this version serves PLAINTEXT only")
            if not at.host.startswith(("127.", "localhost", "::1")):
                note(f"warning: listener {at.name} may be reached from other machines, without encryption or passwords")
            sockets[at.name] = bind(
                at.host or "0.0.0.0",
                at.port,
                "give another port in listeners",
                queues=at.name in config.listener_plan.controller_names,
            )
        run_node(config, sockets, lambda: note("ready"))
    except (ClusterError, NodeFailed) as problem:
        return _refuse(str(problem), 1)
    return 0


def _is_uuid(text: str) -> bool:
    try:
        uuid_from_text(text)
    except ValueError:
        return False
    return True


def _refuse(why: str, code: int) -> int:
    print(f"holdwater broker: {why}", file=sys.stderr)
    return code
