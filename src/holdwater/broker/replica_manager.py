"""Every replica on this broker: reaction to metadata, progress of followers, high watermarks, the in-sync replicas.

``react`` is the one place where a new metadata image changes what this broker does: from what it hosts and the new image follow, per
partition, create, lead, follow, stop or delete, with no fixed replica set in mind.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from holdwater.broker.coordinators.kinds import BY_TOPIC
from holdwater.broker.durability import LogSyncs
from holdwater.broker.fetch_context import FetchContext, end_of_epoch
from holdwater.broker.log_store import LogStore
from holdwater.broker.partitions import HostedPartition
from holdwater.broker.record_check import record_check
from holdwater.core.metadata.changes import ImageChanges
from holdwater.core.metadata.image import BROKER_RESOURCE, TOPIC_RESOURCE, MetadataImage
from holdwater.core.metadata.partition import PartitionState, is_reserved_directory
from holdwater.core.replica import FollowerReplica, LeaderReplica
from holdwater.kernel.configs.durability import durability_of
from holdwater.kernel.configs.topics import Layers, effective_int
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import ZERO_UUID, TopicPartition
from holdwater.kernel.invariant import invariant
from holdwater.kernel.ports import DiskFailure

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker
    from holdwater.broker.fetcher import Fetchers
    from holdwater.broker.isr import IsrChanges


class ReplicaManager:
    """See the module."""

    def __init__(self, broker: "Broker", logs: LogStore, fetchers: "Fetchers", isr: "IsrChanges") -> None:
        self.broker = broker
        self.node_id = broker.node_id
        self.logs = logs
        self.fetchers = fetchers
        self.isr = isr
        self.syncs = LogSyncs(broker)
        self.wake: dict[FetchContext, None] = {}
        self.live_brokers: dict[int, int] = {}
        """Broker epoch of every unfenced broker that is not shutting down."""
        self.lag_ms = broker.config.int("replica.lag.time.max.ms")
        self._by_id: dict[tuple[bytes, int], HostedPartition] = {}
        self._by_name: dict[tuple[str, int], HostedPartition] = {}

    # --- lookup

    def by_id(self, topic_id: bytes, index: int) -> HostedPartition | None:
        """A hosted partition by topic id."""
        return self._by_id.get((topic_id, index))

    def by_name(self, topic: str, index: int) -> HostedPartition | None:
        """A hosted partition by topic name."""
        return self._by_name.get((topic, index))

    def hosted(self) -> list[HostedPartition]:
        """Every hosted partition, in the order in which they came."""
        return list(self._by_id.values())

    def why_missing(self, topic: str, topic_id: bytes, index: int) -> int:
        """The error for a partition that is not hosted here. A topic is looked up by id, or by name when there is one and no id."""
        by_id = topic_id != ZERO_UUID or not topic
        state = self.broker.image.topics.get(topic_id) if by_id else self.broker.image.topic(topic)
        if state is None:
            return ErrorCode.UNKNOWN_TOPIC_ID if by_id else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        return ErrorCode.NOT_LEADER_OR_FOLLOWER if index in state.partitions else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION

    # --- the hot path

    def leader_appended(self, partition: HostedPartition, replica: LeaderReplica) -> None:
        """A batch is in the leader's log."""
        partition.records_appended()
        if partition.durability is not None:
            self.syncs.note(partition)
        if not replica.followers or len(replica.maximal_isr) == 1:
            self.advance(partition, replica)

    def follower_fetched(
        self,
        partition: HostedPartition,
        replica: LeaderReplica,
        broker_id: int,
        offset: int,
        log_start: int,
        broker_epoch: int,
        last_fetched_epoch: int,
    ) -> None:
        """A follower asks for ``offset``, and so has everything below it, if its history is ours."""
        if broker_id not in replica.followers:
            return
        log = replica.log
        if offset > log.log_end_offset or offset < log.log_start_offset:
            return
        if last_fetched_epoch >= 0:
            shared = end_of_epoch(log, last_fetched_epoch)
            if shared.leader_epoch < last_fetched_epoch or shared.end_offset < offset:
                return  # it will be told to cut its log first
        outside = replica.follower_fetched(broker_id, offset, log_start, broker_epoch, self.broker.mono_ms)
        if outside:
            proposal = replica.propose_expansion(broker_id)
            if proposal is not None:
                self.isr.propose(partition, proposal)
        self.advance(partition, replica)

    def advance(self, partition: HostedPartition, replica: LeaderReplica) -> None:
        """Move the high watermark if it can, and tell whoever waits for it."""
        if replica.advance_high_watermark(self.broker.mono_ms, self.lag_ms):
            replica.release_acknowledged()
            partition.high_watermark_moved()

    def shrink_lagging(self) -> None:
        """Propose that followers leave the ISR which have not caught up within ``replica.lag.time.max.ms``, and that others join it.

        Who may join is proposed as soon as it may; here those get another chance whose proposal was refused.
        """
        lag_ms = 0 if self.broker.buggify("isr shrinks early") else self.lag_ms
        for partition in self.hosted():
            replica = partition.replica
            if isinstance(replica, LeaderReplica):
                proposal = replica.propose_shrink(self.broker.mono_ms, lag_ms)
                if proposal is not None:
                    self.isr.propose(partition, proposal)
                else:
                    self._propose_expansion(partition, replica)
                self.advance(partition, replica)  # one that was about to join may have taken too long

    def checkpoint_high_watermarks(self) -> None:
        """Store the high watermarks."""
        marks = {p.topic_partition: p.replica.high_watermark for p in self._by_id.values() if p.replica is not None}
        self._checkpoint(lambda: self.logs.checkpoint_high_watermarks(marks))

    def checkpoint_recovery_points(self) -> None:
        """Store how far each log is synced, from where the next start after a crash will have to check it."""
        self._checkpoint(self.logs.checkpoint_recovery_points)

    def expire_producers(self) -> None:
        """Forget producers that have been silent for long."""
        expiration_ms = self.broker.config.int("producer.id.expiration.ms")
        for partition in self._by_id.values():
            partition.log.expire_producers(self.broker.wall_ms, expiration_ms)

    def checkpoint_log_starts(self) -> None:
        """Store the log start offsets."""
        self._checkpoint(self.logs.checkpoint_log_starts)

    def _checkpoint(self, store: Callable[[], None]) -> None:
        if self.broker.buggify("checkpoint skipped"):
            return
        try:
            store()
        except DiskFailure as failure:
            self.broker.disk_failed(failure)

    # --- reaction to metadata

    def react(self, image: MetadataImage, changes: ImageChanges) -> None:
        """Bring what this broker does into line with ``image``; ``changes`` says where to look."""
        if changes.brokers:
            self.live_brokers.clear()
            self.live_brokers.update((b.broker_id, b.broker_epoch) for b in image.brokers.values() if b.is_active)
        for topic in changes.deleted_topics:
            for index in topic.partitions:
                self._delete(topic.topic_id, index)
        for change in changes.partitions:
            if change.new is not None:
                self._apply(image, change.topic, change.topic_id, change.partition, change.new)
        if changes.configs:
            self._configure(image, [r.name for r in changes.configs if r.kind == TOPIC_RESOURCE], changes)
        self.fetchers.brokers_changed()
        if changes.brokers:
            for partition in self.hosted():  # eligibility may have changed
                replica = partition.replica
                if isinstance(replica, LeaderReplica):
                    self.advance(partition, replica)
                    self._propose_expansion(partition, replica)

    def _apply(self, image: MetadataImage, topic: str, topic_id: bytes, index: int, state: PartitionState) -> None:
        partition = self._by_id.get((topic_id, index))
        if self.node_id not in state.replicas:
            if partition is not None:
                self._delete(topic_id, index)
            return
        try:
            if partition is None:
                self._settle(TopicPartition(topic, index), topic_id)
                if self.broker.stop_requested is not None or self._lies_offline(TopicPartition(topic, index), state):
                    return
                partition = self._host(image, topic, topic_id, index)
            if partition.failure is not None and not self._fill_from_leader(partition, state):
                return
            if state.leader == self.node_id:
                self._lead(image, partition, state)
            else:
                self._follow(partition, state)
        except DiskFailure as failure:
            self.broker.disk_failed(failure)

    def _settle(self, name: TopicPartition, topic_id: bytes | None) -> None:
        """``LogStore.settle``, and once more without a directory that fails meanwhile."""
        for _ in self.broker.config.log_dirs:
            try:
                self.logs.settle(name, topic_id)
            except DiskFailure as failure:
                self.broker.disk_failed(failure)
            else:
                return

    def _lies_offline(self, name: TopicPartition, state: PartitionState) -> bool:
        """Whether a replica that can't be found here lies, or may lie, in a log directory that is offline: no other is made in its place.

        As Kafka has it (KIP-858): with a directory offline only replicas are made that have none yet, or one that works.
        """
        logs, broker = self.logs, self.broker
        if logs.find(name) is not None:
            return False
        online = [each for each in broker.directory_ids if each not in broker.offline_directory_ids]
        assigned = state.directory(self.node_id)
        is_settled = not is_reserved_directory(assigned) and assigned not in online
        return logs.directory_path(name) is not None or (len(online) < len(broker.config.log_dirs) and is_settled)

    def _host(self, image: MetadataImage, topic: str, topic_id: bytes, index: int) -> HostedPartition:
        name = TopicPartition(topic, index)
        stored = self.logs.find(name)
        if stored is not None and stored[0] == ZERO_UUID:
            self.logs.adopt_topic_id(name, topic_id)
        elif stored is not None and stored[0] != topic_id:
            self.logs.delete(name)  # of a topic that was deleted while this broker was away
            stored = None
        texts = self._config(image, topic)
        log = stored[1] if stored is not None else self.logs.create(name, topic_id, texts)
        if stored is not None:
            self.logs.configure(name, texts)
        self._tell_housekeeping(texts)
        partition = HostedPartition(name, topic_id, log, self.wake)
        partition.record_check = record_check(texts, self.broker.config)
        partition.durability = durability_of(texts)
        partition.failure = self.logs.damage(name)
        if partition.failure is not None:
            self.broker.note(f"{name} stays offline: its log is damaged: {partition.failure}")
        if topic in BY_TOPIC:
            partition.on_role = self.broker.coordinators.role_changed
        self._by_id[(topic_id, index)] = partition
        self._by_name[(topic, index)] = partition
        return partition

    def _fill_from_leader(self, partition: HostedPartition, state: PartitionState) -> bool:
        """Cut a damaged log and follow with it, once nobody counts on what it held: it is in neither the ISR nor the ELR [R13]."""
        name = partition.topic_partition
        if not state.has_leader or self.node_id in (*state.isr, *state.elr) or self.logs.damage(name) is None:
            return False
        self.logs.cut_damage(name)
        partition.failure = None
        self.broker.note(f"{name}: cut to {partition.log.log_end_offset}, where its damage began, to be filled from broker {state.leader}")
        return True

    def _lead(self, image: MetadataImage, partition: HostedPartition, state: PartitionState) -> None:
        replica = partition.replica
        if isinstance(replica, LeaderReplica) and replica.leader_epoch == state.leader_epoch:
            replica.update(state.partition_epoch, state.replicas, state.isr)
        else:
            invariant(
                replica is None or state.leader_epoch > replica.leader_epoch,
                f"{partition.topic_partition}: leader epoch {state.leader_epoch} after a later one",
            )
            log = partition.log
            if partition.is_fsync and log.synced_end_offset < log.log_end_offset:
                log.sync()  # else the high watermark falls to what was known to be synced, and too small an ISR would keep it there
            high_watermark = self._take_role(partition)
            replica = LeaderReplica(
                broker_id=self.node_id,
                log=log,
                leader_epoch=state.leader_epoch,
                partition_epoch=state.partition_epoch,
                replicas=state.replicas,
                isr=state.isr,
                min_isr=self._number(image, partition.topic_partition.topic, "min.insync.replicas"),
                high_watermark=high_watermark,
                live_brokers=self.live_brokers,
                mono_ms=self.broker.mono_ms,
                counts_synced=partition.is_fsync,
            )
            partition.replica = replica
            partition.role_changed()
        self.advance(partition, replica)
        self._propose_expansion(partition, replica)

    def _propose_expansion(self, partition: HostedPartition, replica: LeaderReplica) -> None:
        """Bring in a follower that may join now, though it may have nothing left to fetch: its session does not name what it has caught up on."""
        for broker_id in replica.followers:
            proposal = replica.propose_expansion(broker_id)
            if proposal is not None:
                self.isr.propose(partition, proposal)
                break

    def _follow(self, partition: HostedPartition, state: PartitionState) -> None:
        replica = partition.replica
        if isinstance(replica, FollowerReplica) and replica.leader_epoch == state.leader_epoch and replica.leader_id == state.leader:
            replica.partition_epoch = state.partition_epoch
            return
        high_watermark = self._take_role(partition)
        partition.replica = FollowerReplica(
            log=partition.log,
            leader_id=state.leader,
            leader_epoch=state.leader_epoch,
            partition_epoch=state.partition_epoch,
            high_watermark=high_watermark,
        )
        partition.role_changed()
        if state.leader >= 0:
            self.fetchers.follow(partition, state.leader)

    def _take_role(self, partition: HostedPartition) -> int:
        """End the role that the partition has, before it gets another or none; returns its high watermark."""
        replica = partition.replica
        self.fetchers.unfollow(partition)
        if partition.durability is not None:
            self.syncs.note(partition)
        if replica is None:
            return max(self.logs.high_watermark(partition.topic_partition), partition.log.log_start_offset)
        if isinstance(replica, LeaderReplica):
            replica.stop()
        return replica.high_watermark

    def _delete(self, topic_id: bytes, index: int) -> None:
        partition = self._by_id.pop((topic_id, index), None)
        if partition is None:
            return
        self._take_role(partition)
        partition.replica = None
        partition.deleted = True
        if self._by_name.get(partition.topic_partition) is partition:
            del self._by_name[partition.topic_partition]
        partition.role_changed()
        try:
            self.logs.delete(partition.topic_partition)
            self.broker.timers.at(self.broker.mono_ms + 1000, self._free_space)
        except DiskFailure as failure:
            self.broker.disk_failed(failure)

    def _free_space(self) -> None:
        """Remove the files of deleted logs, one log at a time between other work."""
        try:
            if self.logs.remove_deleted():
                self.broker.timers.at(self.broker.mono_ms + 10, self._free_space)
        except DiskFailure as failure:
            self.broker.disk_failed(failure)

    def delete_strays(self, image: MetadataImage) -> None:
        """Remove logs whose topics were deleted, or moved away, while this broker was away."""
        for name in self.logs.rivals():
            topic = image.topic(name.topic)
            state = None if topic is None else image.partition(topic.topic_id, name.partition)
            topic_id = topic.topic_id if topic is not None and state is not None and self.node_id in state.replicas else None
            self._settle(name, topic_id)
        for name, topic_id in self.logs.stored():
            state = image.partition(topic_id, name.partition)
            if state is None or self.node_id not in state.replicas:
                try:
                    self.logs.delete(name)
                except DiskFailure as failure:
                    self.broker.disk_failed(failure)

    def fail_partitions(self, directory: str, reason: str, names: list[TopicPartition]) -> None:
        """A log directory went offline: its replicas take no more part."""
        for name in names:
            partition = self._by_name.get(name)
            if partition is not None:
                if isinstance(partition.replica, LeaderReplica):
                    partition.replica.stop(ErrorCode.KAFKA_STORAGE_ERROR)
                self._take_role(partition)
                partition.replica = None
                partition.failure = f"{directory}: {reason}"
                partition.role_changed()

    def stop_leading(self) -> None:
        """The broker stops: whoever waits for a commit learns to ask elsewhere."""
        for partition in self.hosted():
            if isinstance(partition.replica, LeaderReplica):
                partition.replica.stop()

    # --- configuration

    def layers(self, image: MetadataImage) -> Layers:
        """What lies under a topic's own configuration on this broker."""
        return Layers(image.broker_config(self.node_id), image.cluster_config(), self.broker.static_texts)

    def _tell_housekeeping(self, texts: dict[str, str]) -> None:
        if "compact" in texts["cleanup.policy"]:
            self.broker.housekeeping.compacted_topic_hosted()

    def _number(self, image: MetadataImage, topic: str, key: str) -> int:
        return effective_int(key, image.topic_config(topic), self.layers(image))

    def _config(self, image: MetadataImage, topic: str) -> dict[str, str]:
        return self.broker.topic_texts(image, topic)

    def _configure(self, image: MetadataImage, topics: list[str], changes: ImageChanges) -> None:
        everywhere = any(resource.kind == BROKER_RESOURCE for resource in changes.configs)
        for partition in self.hosted():
            topic = partition.topic_partition.topic
            if not everywhere and topic not in topics:
                continue
            texts = self._config(image, topic)
            self.logs.configure(partition.topic_partition, texts)
            self._tell_housekeeping(texts)
            partition.record_check = record_check(texts, self.broker.config)
            self.syncs.configure(partition, texts)
            replica = partition.replica
            if isinstance(replica, LeaderReplica):
                replica.min_isr = self._number(image, topic, "min.insync.replicas")
                self.advance(partition, replica)
