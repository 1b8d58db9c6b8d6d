"""From directories on disk to what a ``Broker`` is made of; and formatting, which makes them. Over the ``Disk`` port, so real and simulated alike."""

from collections.abc import Callable, Iterator, Sequence

from holdwater.broker.broker import FailedDirectory, Stored
from holdwater.core.quorum import BOOTSTRAP_SNAPSHOT, Endpoint, Quorum, QuorumConfig, Voter, VoterSet, build_bootstrap_checkpoint
from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.kernel.configs.listeners import Listener
from holdwater.kernel.identifiers import TopicPartition
from holdwater.kernel.invariant import invariant
from holdwater.kernel.ports import Disk, DiskFailure, Log
from holdwater.kernel.rng import Rng
from holdwater.storage.compaction.cleanable import Cleanable, cleanable
from holdwater.storage.compaction.cleaning import Cleaning
from holdwater.storage.config import LogConfig
from holdwater.storage.directories import LogDirectories, MetaProperties, format_directory
from holdwater.storage.properties import read_meta_properties

UNKNOWN_TOPIC = bytes(16)


def format_node(disk: Disk, config: BrokerConfig, meta: MetaProperties, voters: Sequence[Voter], wall_ms: int) -> None:
    """Make an empty directory a node's, with the first voters (``kafka-storage format --initial-controllers``, KIP-853).

    Raises ``DirectoryRefused`` when the directory is not empty.
    """
    format_directory(disk, config.metadata_log_dir, meta)
    directories = LogDirectories(disk, [config.metadata_log_dir], cluster_id=meta.cluster_id, node_id=meta.node_id)
    directories.open()
    log = directories.open_metadata_log(metadata_log_config(config), wall_ms)
    directories.snapshot_store().write(BOOTSTRAP_SNAPSHOT, build_bootstrap_checkpoint(VoterSet(voters), [], wall_ms))
    log.close()


def metadata_log_config(config: BrokerConfig) -> LogConfig:
    """How the metadata log is kept."""
    return LogConfig(
        segment_bytes=config.int("metadata.log.segment.bytes"),
        segment_ms=config.int("metadata.log.segment.ms"),
        max_message_bytes=8 * 1024 * 1024,
    )


def log_config(texts: dict[str, str]) -> LogConfig:
    """A log's settings from its topic's effective configuration."""
    is_compacted = "compact" in texts["cleanup.policy"]
    segment_ms, max_lag_ms = int(texts["segment.ms"]), int(texts["max.compaction.lag.ms"])
    return LogConfig(
        segment_bytes=int(texts["segment.bytes"]),
        segment_ms=min(segment_ms, max_lag_ms) if is_compacted else segment_ms,
        segment_index_bytes=int(texts["segment.index.bytes"]),
        index_interval_bytes=int(texts["index.interval.bytes"]),
        max_message_bytes=int(texts["max.message.bytes"]),
        message_timestamp_type=texts["message.timestamp.type"],
        message_timestamp_before_max_ms=int(texts["message.timestamp.before.max.ms"]),
        message_timestamp_after_max_ms=int(texts["message.timestamp.after.max.ms"]),
        delete="delete" in texts["cleanup.policy"],
        retention_ms=int(texts["retention.ms"]),
        retention_bytes=int(texts["retention.bytes"]),
        compact=is_compacted,
        min_cleanable_dirty_ratio=float(texts["min.cleanable.dirty.ratio"]),
        min_compaction_lag_ms=int(texts["min.compaction.lag.ms"]),
        max_compaction_lag_ms=max_lag_ms,
        delete_retention_ms=int(texts["delete.retention.ms"]),
        max_decompressed_bytes=int(texts["max.decompressed.message.bytes"]),
    )


class DirectoryLogs:
    """``log_store.LogStore`` over the log directories."""

    def __init__(self, directories: LogDirectories, rng: Rng, wall_ms: Callable[[], int]) -> None:
        self._directories = directories
        self._rng = rng
        self._wall_ms = wall_ms

    def find(self, topic_partition: TopicPartition) -> tuple[bytes, Log] | None:
        """See ``LogStore``."""
        log = self._directories.logs.get(topic_partition) or self._directories.damaged.get(topic_partition)
        if log is None:
            return None
        return self._directories.topic_ids.get(topic_partition) or UNKNOWN_TOPIC, log

    def directory_path(self, topic_partition: TopicPartition) -> str | None:
        """See ``LogStore``."""
        directory = self._directories.directory_of(topic_partition)
        return None if directory is None else directory.path

    def directory_id(self, topic_partition: TopicPartition) -> bytes | None:
        """See ``LogStore``."""
        directory = self._directories.directory_of(topic_partition)
        return None if directory is None or directory.failure is not None else directory.directory_id

    def damage(self, topic_partition: TopicPartition) -> str | None:
        """See ``LogStore``."""
        log = self._directories.damaged.get(topic_partition)
        if log is None or log.damage is None:
            return None
        return f"{log.damage.path}, position {log.damage.position}: {log.damage.reason}"

    def cut_damage(self, topic_partition: TopicPartition) -> None:
        """See ``LogStore``."""
        self._directories.cut_damage(topic_partition)

    def adopt_topic_id(self, topic_partition: TopicPartition, topic_id: bytes) -> None:
        """See ``LogStore``."""
        self._directories.set_topic_id(topic_partition, topic_id)

    def stored(self) -> list[tuple[TopicPartition, bytes]]:
        """See ``LogStore``."""
        return sorted((name, topic_id or UNKNOWN_TOPIC) for name, topic_id in self._directories.topic_ids.items())

    def create(self, topic_partition: TopicPartition, topic_id: bytes, config: dict[str, str]) -> Log:
        """See ``LogStore``."""
        return self._directories.create(topic_partition, topic_id, log_config(config), self._wall_ms())

    def configure(self, topic_partition: TopicPartition, config: dict[str, str]) -> None:
        """See ``LogStore``."""
        log = self._directories.logs.get(topic_partition)
        if log is not None:
            log.configure(log_config(config))

    def delete(self, topic_partition: TopicPartition) -> None:
        """See ``LogStore``."""
        self._directories.delete(topic_partition, self._rng.uuid())

    def rivals(self) -> list[TopicPartition]:
        """See ``LogStore``."""
        return list(self._directories.rivals)

    def settle(self, topic_partition: TopicPartition, topic_id: bytes | None) -> None:
        """See ``LogStore``."""
        if topic_partition in self._directories.rivals:
            self._directories.settle(topic_partition, topic_id, self._wall_ms(), self._rng.uuid())

    def remove_deleted(self) -> bool:
        """See ``LogStore``."""
        return self._directories.remove_deleted()

    def delete_old_segments(self, topic_partition: TopicPartition, high_watermark: int) -> bool:
        """See ``LogStore``."""
        log = self._directories.logs.get(topic_partition)
        return log is not None and log.delete_old_segments(high_watermark, self._wall_ms())

    def cleanable(self, topic_partition: TopicPartition, high_watermark: int) -> Cleanable | None:
        """See ``LogStore``."""
        log = self._directories.logs.get(topic_partition)
        if log is None or not log.config.compact:
            return None
        return cleanable(log, self._directories.cleaner_offset(topic_partition), high_watermark, self._wall_ms())

    def clean(self, topic_partition: TopicPartition, found: Cleanable, map_limit_count: int) -> Cleaning | None:
        """See ``LogStore``."""
        log = self._directories.logs.get(topic_partition)
        return None if log is None else Cleaning(log, found, map_limit_count=map_limit_count, wall_ms=self._wall_ms())

    def checkpoint_cleaner(self, topic_partition: TopicPartition, offset: int) -> None:
        """See ``LogStore``."""
        self._directories.checkpoint_cleaner(topic_partition, offset)

    def high_watermark(self, topic_partition: TopicPartition) -> int:
        """See ``LogStore``."""
        return self._directories.high_watermark(topic_partition)

    def checkpoint_high_watermarks(self, high_watermarks: dict[TopicPartition, int]) -> None:
        """See ``LogStore``."""
        self._directories.checkpoint_high_watermarks(high_watermarks)

    def checkpoint_recovery_points(self) -> None:
        """See ``LogStore``."""
        self._directories.checkpoint_recovery_points()

    def checkpoint_log_starts(self) -> None:
        """See ``LogStore``."""
        self._directories.checkpoint_log_starts()


class OpenedNode:
    """A node's directories, opened. ``load`` first, then ``stored`` and ``make_quorum`` feed a ``Broker``; ``close`` after it has stopped."""

    def __init__(self, disk: Disk, config: BrokerConfig, rng: Rng, wall_ms: Callable[[], int], cluster_id: str | None = None) -> None:
        """``cluster_id``: which cluster the directories must belong to, when that is known from elsewhere.

        Raises ``DirectoryRefused`` or ``DiskFailure`` when a person has to look, ``NotFormatted`` for an empty directory."""
        meta = read_meta_properties(disk, config.metadata_log_dir)
        if meta is None:
            raise NotFormatted(config.metadata_log_dir)
        self.cluster_id = cluster_id or meta.cluster_id
        self._config = config
        self._wall_ms = wall_ms
        self.directory_id = meta.directory_id
        """Of the directory with the metadata log: what this node is known by in the quorum (KIP-853)."""
        self.directories = LogDirectories(
            disk, config.log_dirs, cluster_id=self.cluster_id, node_id=config.node_id, metadata_path=config.metadata_log_dir
        )
        self.directories.open()
        self._previous_epoch = self.directories.clean_broker_epoch
        self._metadata_log = self.directories.open_metadata_log(metadata_log_config(config), wall_ms())
        self._snapshots = self.directories.snapshot_store()
        self._logs = DirectoryLogs(self.directories, rng.fork(), wall_ms)

    def load(self) -> Iterator[int]:
        """Recover every partition's log, in slices; yields the bytes read since the last one.

        Raises ``DiskFailure`` when that leaves no directory for partitions, or takes the one with the metadata log.
        """
        default = LogConfig(producer_id_expiration_ms=self._config.int("producer.id.expiration.ms"))
        directories = self.directories
        yield from directories.load(lambda _: default, self._wall_ms())
        has_room = any(each.takes_partitions for each in directories.online())
        for each in directories.directories:
            if each.failure is not None and (each.path == directories.metadata_path or not has_room):
                raise each.failure

    def events(self) -> list[str]:
        """What recovery met, in lines for the log."""
        lines: list[str] = []
        for name, log in sorted({**self.directories.logs, **self.directories.damaged}.items()):
            lines += [f"recovery of {name}: {event}" for event in log.events]
        return lines

    @property
    def stored(self) -> Stored:
        """For the ``Broker``."""
        online = self.directories.online()
        return Stored(
            quorum_log=self._metadata_log,
            snapshots=self._snapshots,
            logs=self._logs,
            directory_ids=tuple(each.directory_id for each in online if each.takes_partitions),
            previous_broker_epoch=self._previous_epoch,
            fail_directory=self._fail,
        )

    def make_quorum(self, bound: Sequence[Listener]) -> Callable[[Rng, int, int], Quorum]:
        """What makes this node's member of the metadata quorum; ``bound`` are its listeners as others reach them."""
        config = self._config
        controllers = config.listener_plan.controller_names
        name = controllers[0] if controllers else "CONTROLLER"
        endpoints = tuple(Endpoint(at.name, at.host, at.port) for at in bound if at.name in controllers)
        quorum_config = QuorumConfig(
            node_id=config.node_id,
            directory_id=self.directory_id,
            cluster_id=self.cluster_id,
            listener_name=name,
            endpoints=endpoints if config.is_controller else (),
            bootstrap_servers=tuple(_host_and_port(text) for text in config.list("controller.quorum.bootstrap.servers")),
            static_voters=tuple(Voter(voter.node_id, bytes(16), (Endpoint(name, voter.host, voter.port),)) for voter in config.voters),
            election_timeout_ms=config.int("controller.quorum.election.timeout.ms"),
            election_backoff_max_ms=config.int("controller.quorum.election.backoff.max.ms"),
            fetch_timeout_ms=config.int("controller.quorum.fetch.timeout.ms"),
            request_timeout_ms=config.int("controller.quorum.request.timeout.ms"),
            quick_start_ms=config.int("holdwater.quick.start.ms"),
        )

        def make(rng: Rng, mono_ms: int, wall_ms: int) -> Quorum:
            directories = self.directories
            return Quorum(quorum_config, self._metadata_log, self._snapshots, directories.vote_store(), rng, mono_ms, wall_ms)

        return make

    def close(self, broker_epoch: int, high_watermarks: dict[TopicPartition, int]) -> None:
        """A clean stop: everything synced, closed and marked."""
        self.directories.close(broker_epoch, high_watermarks)

    def _fail(self, failure: DiskFailure) -> FailedDirectory | None:
        directory = self.directories.directory_at(failure.path)
        if directory is None or directory.failure is not None:
            return None
        lost = self.directories.fail(directory.path, failure)
        left = [each for each in self.directories.online() if each.takes_partitions]
        is_last = not left or directory.path == self.directories.metadata_path
        return FailedDirectory(directory.path, directory.directory_id, lost, is_last)


class NotFormatted(Exception):  # noqa: N818 - named for what the directory is
    """A log directory without ``meta.properties``: nobody has said which cluster it belongs to."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} is not formatted: it has no meta.properties; 'holdwater broker --format' writes it (with --cluster-id, to join a cluster)"
        )
        self.path = path


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    invariant(port.isdigit(), f"'{text}' was checked to be host:port")
    return host.strip("[]"), int(port)
