"""What a broker does about the logs that it finds when the first metadata come."""

from types import SimpleNamespace
from typing import Any, cast

from tests.support.logs import batch

from holdwater.broker.replica_manager import ReplicaManager
from holdwater.kernel.identifiers import TopicPartition
from holdwater.kernel.ports import DiskFailure
from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import Settings, SimCluster
from holdwater.sim.disk import Fault
from holdwater.sim.workload import TOPIC, Workload
from holdwater.storage.config import LogConfig
from holdwater.storage.directories import LogDirectories
from holdwater.wire.records import parse_header

TOPIC_ID = bytes(15) + b"\x07"


def test_of_several_logs_of_one_name_that_of_the_topic_that_there_is_is_no_stray() -> None:
    """Though it is not hosted yet: a disk failed while the others were deleted."""
    here, elsewhere, unknown, gone = (TopicPartition(*name) for name in (("t", 0), ("t", 1), ("t", 2), ("gone", 0)))
    settled: list[tuple[TopicPartition, bytes | None]] = []
    failures: list[DiskFailure] = []

    def settle(name: TopicPartition, topic_id: bytes | None) -> None:
        settled.append((name, topic_id))
        if len(settled) == 1:
            raise DiskFailure("/one/t-0", "rename", "Input/output error")

    logs = SimpleNamespace(
        rivals=lambda: [here, elsewhere, unknown, gone],  # pyright: ignore[reportUnknownLambdaType]
        settle=settle,
        stored=list,
    )
    states = {(TOPIC_ID, 0): SimpleNamespace(replicas=(1, 2)), (TOPIC_ID, 1): SimpleNamespace(replicas=(2, 3))}
    image = SimpleNamespace(
        topic=lambda name: SimpleNamespace(topic_id=TOPIC_ID) if name == "t" else None,  # pyright: ignore[reportUnknownLambdaType]
        partition=lambda topic_id, index: states.get((topic_id, index)),  # pyright: ignore[reportUnknownLambdaType]
    )
    config = SimpleNamespace(int=lambda _: 0, log_dirs=["/one", "/two"])  # pyright: ignore[reportUnknownLambdaType]
    broker = SimpleNamespace(node_id=1, config=config, disk_failed=failures.append)
    manager = ReplicaManager(cast(Any, broker), cast(Any, logs), cast(Any, None), cast(Any, None))
    manager.delete_strays(cast(Any, image))
    assert settled == [(here, TOPIC_ID), (here, TOPIC_ID), (elsewhere, None), (unknown, None), (gone, None)]
    assert len(failures) == 1, "and the directory that failed is left out of the second attempt"


def test_a_replica_is_taken_up_though_the_disk_with_a_rival_of_it_fails() -> None:
    cluster = SimCluster(1, Settings(brokers=1, log_dir_count=2))
    node = cluster.nodes[1]
    cluster.start()
    cluster.until("the broker is unfenced", cluster.all_unfenced, 5_000)
    Workload(cluster, Rng(1), partitions=4, producers=0, consumers=0).begin()
    cluster.run(200)
    assert node.broker is not None
    logs = node.broker.replicas.logs
    first, second = node.config.log_dirs
    name = next(name for name, _ in logs.stored() if name.topic == TOPIC and logs.directory_path(name) == first)
    before = node.broker.replicas.by_name(name.topic, name.partition)
    assert before is not None
    before.log.append_as_leader(data := batch("v"), parse_header(data), 0, 1_000)
    node.kill()
    other = LogDirectories(node.disk, [second], cluster_id=cluster.cluster_id, node_id=1)
    other.open()
    other.create(name, Rng(2).uuid(), LogConfig(), 0)
    rival = other.logs[name].path
    node.disk.arm(lambda operation: Fault.IO_ERROR if operation.name == "rename" and operation.path == rival else None)
    node.start()
    cluster.until("it leads again", lambda: cluster.leader_of(name.topic, name.partition) == 1, 5_000)
    assert node.broker.offline_directory_paths == (second,)
    hosted = node.broker.replicas.by_name(name.topic, name.partition)
    assert hosted is not None
    assert hosted.leader() is not None
    assert hosted.log.log_end_offset == 1
    assert node.broker.replicas.logs.directory_path(name) == first
