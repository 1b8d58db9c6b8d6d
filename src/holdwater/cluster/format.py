"""Makes the directories of a new cluster's nodes: each node's id, the cluster's id, and the first voters of the metadata quorum (KIP-853)."""

from pathlib import Path

from holdwater.broker.opening import format_node
from holdwater.cluster.plan import PLAN_FILE, ClusterError, ClusterPlan, new_id
from holdwater.core.quorum import Endpoint, Voter
from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.kernel.identifiers import uuid_from_text, uuid_to_text
from holdwater.kernel.ports import DiskFailure
from holdwater.node.disk import RealDisk
from holdwater.node.server import wall_ms
from holdwater.storage.directories import DirectoryRefused, MetaProperties, format_directory, is_empty_directory


def require_empty(directory: Path) -> None:
    """Raises ``ClusterError`` when a directory without a plan has something in it: what lies there is not ours to build on."""
    try:
        empty = is_empty_directory(RealDisk(), str(directory))
    except DiskFailure as problem:
        raise ClusterError(str(problem)) from problem
    if not empty:
        raise ClusterError(
            f"{directory} is not empty and has no {PLAN_FILE}, so no cluster of holdwater up is in it; name an empty directory with --data"
        )


def format_cluster(plan: ClusterPlan, directory: Path) -> None:
    """Format every node's directory. Raises ``ClusterError`` when one can't be used."""
    disk = RealDisk()
    voters = [
        Voter(node.node_id, uuid_from_text(node.directory_id), (Endpoint("CONTROLLER", plan.host, node.controller_port),))
        for node in plan.nodes
    ]
    for node in plan.nodes:
        config = BrokerConfig(plan.properties(node, directory))
        meta = MetaProperties(plan.cluster_id, node.node_id, uuid_from_text(node.directory_id))
        try:
            format_node(disk, config, meta, voters, wall_ms())
        except (DirectoryRefused, DiskFailure) as problem:
            raise ClusterError(str(problem)) from problem


def format_single(config: BrokerConfig, cluster_id: str | None = None) -> None:
    """Format a node's empty directories. Raises ``ClusterError``.

    Without ``cluster_id`` a new cluster begins, with this node as its only voter. With it the node joins that cluster: as a broker, or as one
    of the static voters of ``controller.quorum.voters``.
    """
    disk = RealDisk()
    controllers = config.listener_plan.advertised_controller
    begins = cluster_id is None
    if begins and (not config.is_controller or not controllers):
        raise ClusterError("only a node with the controller role can begin a cluster by itself; name the cluster to join with --cluster-id")
    cluster_id = cluster_id or uuid_to_text(new_id())
    try:
        for path in config.log_dirs:
            meta = MetaProperties(cluster_id, config.node_id, new_id())
            if path == config.metadata_log_dir and begins and not config.voters:
                endpoints = tuple(Endpoint(at.name, at.host, at.port) for at in controllers)
                format_node(disk, config, meta, [Voter(config.node_id, meta.directory_id, endpoints)], wall_ms())
            else:
                format_directory(disk, path, meta)
    except (DirectoryRefused, DiskFailure) as problem:
        raise ClusterError(str(problem)) from problem
