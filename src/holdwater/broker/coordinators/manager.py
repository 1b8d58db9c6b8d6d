"""Which coordinators this broker is: one for each partition of a coordinator topic that it leads.

A partition's shard follows its replica: each time the replica gets a role (another leader epoch included) the old shard ends, and where this
broker leads a new one is loaded. Requests find theirs by the group id or transactional id.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from holdwater.broker.coordinators.hosted import ACTIVE, LOADING, OVER, HostedShard
from holdwater.broker.coordinators.kinds import BY_TOPIC, GROUPS, KINDS, Kind, partition_for
from holdwater.broker.coordinators.topics import ImageTopics, InternalTopics
from holdwater.broker.partitions import HostedPartition
from holdwater.core.coordinator import Shard
from holdwater.core.groups import DeletedTopic, GroupShard
from holdwater.core.metadata.changes import ImageChanges
from holdwater.core.metadata.image import TopicState
from holdwater.core.metadata.partition import PartitionState
from holdwater.core.replica import LeaderReplica
from holdwater.kernel.errors import ErrorCode

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

Make = Callable[[HostedShard], Shard]


class Coordinators:
    """See the module. ``makers``: what makes a kind's shard."""

    def __init__(self, broker: "Broker", makers: dict[Kind, Make]) -> None:
        self._broker = broker
        self._makers = makers
        self._loading: deque[HostedShard] = deque()
        self._shards: dict[Kind, dict[int, HostedShard]] = {kind: {} for kind in KINDS}
        self.topics = ImageTopics(broker)
        self.internal_topics = InternalTopics(broker)

    # --- whose it is

    def partition_of(self, kind: Kind, key: str) -> int | None:
        """The partition of the kind's topic that a key belongs to; ``None`` when there is no such topic yet."""
        topic = self._broker.image.topic(kind.topic)
        return None if topic is None or not topic.partitions else partition_for(key, len(topic.partitions))

    def state_of(self, kind: Kind, key: str) -> PartitionState | None:
        """The state of that partition."""
        index = self.partition_of(kind, key)
        topic = self._broker.image.topic(kind.topic)
        return None if index is None or topic is None else topic.partitions.get(index)

    def find(self, kind: Kind, key: str) -> HostedShard | ErrorCode:
        """The active shard for a key on this broker, or why there is none to ask."""
        index = self.partition_of(kind, key)
        if index is None:
            return ErrorCode.NOT_COORDINATOR
        return self.at(kind, index)

    def at(self, kind: Kind, index: int) -> HostedShard | ErrorCode:
        """The active shard of a partition, or why there is none to ask."""
        hosted = self._shards[kind].get(index)
        if hosted is None:
            return ErrorCode.NOT_COORDINATOR
        if hosted.state == LOADING:
            return ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        return hosted if hosted.state == ACTIVE else ErrorCode.NOT_COORDINATOR

    def all(self, kind: Kind) -> list[HostedShard]:
        """Every shard of the kind on this broker, by partition, loading ones too."""
        return [hosted for _, hosted in sorted(self._shards[kind].items()) if hosted.state != OVER]

    # --- what changes it

    def role_changed(self, partition: HostedPartition) -> None:
        """A replica of a coordinator topic has another role, or none."""
        kind = BY_TOPIC[partition.topic_partition.topic]
        shards = self._shards[kind]
        index = partition.topic_partition.partition
        before = shards.get(index)
        replica = partition.replica
        if before is not None and before.replica is replica:
            return
        if before is not None and (before.partition is partition or isinstance(replica, LeaderReplica)):
            del shards[index]
            before.end()
        if isinstance(replica, LeaderReplica):
            self._load(HostedShard(self._broker, kind, self.topics, partition, replica, self._makers[kind]))

    def _load(self, hosted: HostedShard) -> None:
        """Load a shard behind those that are loading: one slice of one of them between two other events."""
        self._shards[hosted.kind][hosted.index] = hosted
        self._loading.append(hosted)
        if len(self._loading) == 1:
            self._broker.soon(self._load_on)

    def _load_on(self) -> None:
        loading = self._loading
        if loading and not loading[0].load_slice():
            loading.popleft()
        else:
            loading.rotate(-1)
        if loading:
            self._broker.soon(self._load_on)

    def metadata_changed(self, changes: ImageChanges) -> None:
        """The committed metadata have changed."""
        if _change_topics(changes):
            self.topics.changed()
            for kind in KINDS:
                for hosted in self.all(kind):
                    if hosted.state == ACTIVE:
                        hosted.shard.topics_changed()
        if changes.deleted_topics:
            self._forget(changes.deleted_topics)
        self.internal_topics.look_again()

    def _forget(self, topics: Sequence[TopicState]) -> None:
        """Topics are gone, and with them the offsets committed for them."""
        deleted = [DeletedTopic(topic.name, topic.topic_id) for topic in topics if topic.name not in BY_TOPIC]
        for hosted in self.all(GROUPS) if deleted else ():
            shard = hosted.shard
            if isinstance(shard, GroupShard):
                hosted.when_loaded(partial(shard.topics_deleted, deleted))

    def stop(self) -> None:
        """This broker stops: whoever waits learns to ask elsewhere."""
        for kind in KINDS:
            for hosted in self.all(kind):
                hosted.end()
            self._shards[kind].clear()


def _change_topics(changes: ImageChanges) -> bool:
    """Whether groups have to know: partitions came or went, or replicas lie in other racks. Leaders and in-sync replicas are nothing to them."""
    for change in changes.partitions:
        if change.old is None or change.new is None or change.old.replicas != change.new.replicas:
            return True
    return any(change.old is None or change.new is None or change.old.rack != change.new.rack for change in changes.brokers)
