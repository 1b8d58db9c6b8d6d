"""DescribeLogDirs (key 35), versions 1 to 5: what lies in this broker's log directories, and how far replicas lag (KIP-113).

Left out: the size of the volumes (KIP-827), told as unknown; moves between directories, so that there are no future replicas.
"""

from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.broker.partitions import HostedPartition
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import DescribeLogDirsRequest, DescribeLogDirsResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_Result = DescribeLogDirsResponse.DescribeLogDirsResult
_Topic = DescribeLogDirsResponse.DescribeLogDirsTopic
_Partition = DescribeLogDirsResponse.DescribeLogDirsPartition


def handle(broker: "Broker", call: Call, request: DescribeLogDirsRequest) -> None:
    """Answer at once."""
    wanted = None
    if request.topics is not None:
        wanted = {(topic.topic, index): None for topic in request.topics for index in topic.partitions}
    by_directory: dict[str, list[HostedPartition]] = {path: [] for path in broker.config.log_dirs}
    for partition in broker.replicas.hosted():
        name = partition.topic_partition
        path = broker.replicas.logs.directory_path(name)
        if path in by_directory and (wanted is None or (name.topic, name.partition) in wanted):
            by_directory[path].append(partition)
    results = [
        _Result(log_dir=path, error_code=ErrorCode.KAFKA_STORAGE_ERROR, topics=[])
        if path in broker.offline_directory_paths
        else _Result(log_dir=path, topics=_topics(partitions))
        for path, partitions in by_directory.items()
    ]
    call.reply(DescribeLogDirsResponse(results=results))


def _topics(partitions: list[HostedPartition]) -> list[DescribeLogDirsResponse.DescribeLogDirsTopic]:
    topics: dict[str, DescribeLogDirsResponse.DescribeLogDirsTopic] = {}
    for partition in partitions:
        name = partition.topic_partition
        topic = topics.setdefault(name.topic, _Topic(name=name.topic, partitions=[]))
        topic.partitions.append(
            _Partition(partition_index=name.partition, partition_size=partition.log.size_bytes(), offset_lag=_lag(partition))
        )
    return list(topics.values())


def _lag(partition: HostedPartition) -> int:
    """How far the log ends below the high watermark that it knows: more than 0 on a follower that is catching up."""
    replica = partition.replica
    return 0 if replica is None else max(replica.high_watermark - partition.log.log_end_offset, 0)


API = Api(DescribeLogDirsRequest, DescribeLogDirsResponse, handle, "Describe on Cluster")
