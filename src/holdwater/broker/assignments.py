"""Tells the controller in which log directory each replica lies, where the metadata say otherwise (AssignReplicasToDirs, KIP-858).

A new replica on a broker with several directories has none in the metadata until its broker has chosen; a replica whose disk was replaced is
still written down in the lost one, and can neither lead nor join an ISR before that is corrected.
"""

from typing import TYPE_CHECKING

from holdwater.broker.partitions import HostedPartition
from holdwater.core.metadata.image import MetadataImage
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import AssignReplicasToDirsRequest, AssignReplicasToDirsResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_RETRY_MS = 100
_AT_ONCE_MAX = 2250
"""Replicas in one request (Kafka's limit)."""

_Directory = AssignReplicasToDirsRequest.DirectoryData
_Topic = AssignReplicasToDirsRequest.TopicData
_Partition = AssignReplicasToDirsRequest.PartitionData


class Assignments:
    """See the module. One request at a time; what is still wrong afterwards is found by looking at the image again."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._under_way = False
        self._scheduled = False

    def image_changed(self) -> None:
        """Look whether something is written down wrongly."""
        if not self._under_way and not self._scheduled and self._wrong(self._broker.image, 1):
            self._schedule(0)

    def _schedule(self, delay_ms: int) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._broker.timers.at(self._broker.mono_ms + delay_ms, self._send)

    def _wrong(self, image: MetadataImage, limit: int) -> list[tuple[bytes, HostedPartition]]:
        """Replicas whose directory in the image is not the one they are in, with that one's id."""
        found: list[tuple[bytes, HostedPartition]] = []
        for partition in self._broker.replicas.hosted():
            state = image.partition(partition.topic_id, partition.topic_partition.partition)
            here = self._broker.replicas.logs.directory_id(partition.topic_partition)
            if state is None or here is None or self._broker.node_id not in state.replicas:
                continue
            if state.directory(self._broker.node_id) != here:
                found.append((here, partition))
                if len(found) >= limit:
                    break
        return found

    def _send(self) -> None:
        self._scheduled = False
        broker = self._broker
        wrong = self._wrong(broker.image, _AT_ONCE_MAX)
        if not wrong or self._under_way:
            return
        if broker.lifecycle.broker_epoch < 0:
            self._schedule(_RETRY_MS)
            return
        directories: dict[bytes, AssignReplicasToDirsRequest.DirectoryData] = {}
        topics: dict[tuple[bytes, bytes], AssignReplicasToDirsRequest.TopicData] = {}
        for directory_id, partition in wrong:
            directory = directories.setdefault(directory_id, _Directory(id=directory_id, topics=[]))
            topic = topics.get((directory_id, partition.topic_id))
            if topic is None:
                topic = topics[(directory_id, partition.topic_id)] = _Topic(topic_id=partition.topic_id, partitions=[])
                directory.topics.append(topic)
            topic.partitions.append(_Partition(partition_index=partition.topic_partition.partition))
        request = AssignReplicasToDirsRequest(
            broker_id=broker.node_id, broker_epoch=broker.lifecycle.broker_epoch, directories=list(directories.values())
        )
        self._under_way = True
        broker.controller.request(request, 0, AssignReplicasToDirsResponse, self._answered)

    def _answered(self, response: AssignReplicasToDirsResponse | None) -> None:
        self._under_way = False
        if response is None or response.error_code:
            if response is not None:
                self._broker.note(f"directories of replicas not taken down: {ErrorCode.describe(response.error_code)}")
            self._schedule(_RETRY_MS)
        elif self._wrong(self._broker.image, 1):
            self._schedule(_RETRY_MS)  # some were refused, or there were more than fit
