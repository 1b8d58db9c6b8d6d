"""A cluster's disks: several directories, and one that is replaced."""

import pytest

from holdwater.sim.cluster import Settings, SimCluster
from holdwater.sim.disk import Fault, Operation
from holdwater.sim.workload import TOPIC, Workload

WITHIN_MS = 30_000


def begin(log_dirs: int) -> tuple[SimCluster, Workload]:
    cluster = SimCluster(3, Settings(log_dir_count=log_dirs))
    cluster.start()
    cluster.until("every broker is unfenced", cluster.all_unfenced, 10_000)
    workload = Workload(cluster, cluster.rng.fork())
    workload.begin()
    cluster.run(3_000)
    return cluster, workload


def directories_of(cluster: SimCluster, node_id: int) -> list[bytes]:
    """Directory ids of a node's replicas, as the metadata have them."""
    image = cluster.watch.newest
    return [state.directory(node_id) for _, _, state in image.partitions()]


def test_partitions_lie_in_every_directory() -> None:
    cluster, workload = begin(3)
    for node_id in cluster.nodes:
        assert len(dict.fromkeys(directories_of(cluster, node_id))) == 3
    workload.finish(WITHIN_MS)


@pytest.mark.parametrize("log_dirs", [1, 2])
def test_a_node_with_another_disk_is_a_broker_as_before_and_no_voter(log_dirs: int) -> None:
    """It must say in which directory its replicas lie now: no ISR takes one that is written down in a directory that is gone (KIP-858)."""
    cluster, workload = begin(log_dirs)
    node = cluster.nodes[cluster.leader_of(TOPIC, 0) or 1]
    before = directories_of(cluster, node.node_id)
    cluster.replace_disk(node.node_id)
    cluster.run(1_000)
    node.start()
    cluster.run(5_000)
    workload.finish(WITHIN_MS)
    assert not set(before) & set(directories_of(cluster, node.node_id))
    assert node.broker is not None
    assert not node.is_voter
    assert not node.broker.metadata.quorum.is_voter
    assert cluster.active_controller() != node.node_id


def fail_in_recovery(cluster: SimCluster, node_id: int, directory: str, file: str) -> None:
    """Kill a node, and let reading a file in one of its directories fail when it starts."""
    node = cluster.nodes[node_id]
    node.kill()

    def on_operation(operation: Operation) -> Fault | None:
        fails = operation.path.startswith(directory) and operation.path.endswith(file) and operation.name in {"read", "read_file"}
        return Fault.IO_ERROR if fails else None

    node.disk.arm(on_operation)
    node.start()


@pytest.mark.parametrize("file", ["meta.properties", ".log"])
def test_a_directory_that_fails_at_the_start_is_offline_and_nothing_takes_its_place(file: str) -> None:
    """A replica that lies in it must not be made anew elsewhere: with the directory back there would be two of it."""
    cluster, workload = begin(2)
    node = cluster.nodes[2]
    known = len(cluster.partitions(node))
    fail_in_recovery(cluster, 2, node.config.log_dirs[1], file)
    cluster.run(8_000)
    assert node.state == "RUNNING"
    assert node.has_failed_directory
    assert 0 < len(cluster.partitions(node)) < known
    node.kill()
    node.start()
    cluster.run(5_000)
    workload.finish(WITHIN_MS)
    assert len(cluster.partitions(node)) == known


@pytest.mark.parametrize("file", ["meta.properties", ".log"])
def test_a_node_whose_only_directory_fails_at_the_start_ends(file: str) -> None:
    cluster, workload = begin(1)
    node = cluster.nodes[2]
    fail_in_recovery(cluster, 2, f"{node.config.log_dirs[0]}/{TOPIC}" if file == ".log" else node.config.log_dirs[0], file)
    cluster.run(1_000)
    assert node.state == "OFF"
    node.start()
    cluster.run(5_000)
    workload.finish(WITHIN_MS)


def test_a_read_that_fails_takes_its_directory_offline_and_not_the_node() -> None:
    cluster, workload = begin(2)
    leader, index = next(
        (node, partition.topic_partition.partition)
        for node in cluster.nodes.values()
        for partition in cluster.partitions(node)
        if partition.leader() is not None and partition.log.path.startswith(node.config.log_dirs[1])
    )
    leader.disk.arm(lambda each: Fault.IO_ERROR if each.name == "read" and each.path.startswith(leader.config.log_dirs[1]) else None)
    cluster.run(8_000)
    assert (leader.state, leader.incarnation) == ("RUNNING", 1)
    assert leader.has_failed_directory
    assert cluster.leader_of(TOPIC, index) not in {None, leader.node_id}
    leader.kill()
    leader.start()
    cluster.run(5_000)
    workload.finish(WITHIN_MS)


def test_metadata_that_only_the_controller_has_are_not_settled() -> None:
    """They may be committed yet: a machine loses power only where everybody has everything (seed 241415)."""
    cluster, _ = begin(1)
    assert cluster.metadata_is_settled()
    for node in cluster.nodes.values():
        if node.node_id != cluster.active_controller():
            node.kill()
    cluster.run(1_000)
    assert not cluster.metadata_is_settled()
