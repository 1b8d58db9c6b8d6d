"""The log directories of one broker: whose they are, which partitions lie in them, and what they remember across a restart.

Life of a broker's directories: ``format_directory`` once; ``LogDirectories(...)``; ``open`` (checks, checkpoints, the mark of a clean stop);
``load`` (a stepper over all logs); then ``create``, ``delete``, ``checkpoint_*``; ``close`` at a clean stop.

Invariants: a partition lies in one directory only; where a topic was deleted and made again while a directory was offline, two may hold a
partition of that name, with different topic ids: both wait until ``settle`` says which one is meant. A directory that failed stays failed
until the process ends: its logs are released and its partitions are nobody's here (KIP-112, KIP-858). The checkpoints of recovery
points and high watermarks are lowered before a log is cut below its own, and forget a partition before its directory goes, so that they never
speak of bytes that came later. A log is synced when it has been recovered after a crash.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace

from holdwater.kernel.identifiers import METADATA_TOPIC, TopicPartition, is_legal_topic_name, uuid_to_text
from holdwater.kernel.ports import Disk, DiskFailure
from holdwater.storage.checkpoints import DamagedFile
from holdwater.storage.config import LogConfig
from holdwater.storage.directory import DirectoryRefused, LogDirectory
from holdwater.storage.facts import Damage
from holdwater.storage.log import PartitionLog
from holdwater.storage.names import partition_directory
from holdwater.storage.properties import MetaProperties, read_meta_properties, write_meta_properties
from holdwater.storage.recovery import SLICE_BYTES, Checkpoints, load_log
from holdwater.storage.snapshots import SnapshotFiles
from holdwater.storage.votes import QuorumStateFile

METADATA_PARTITION = TopicPartition(METADATA_TOPIC, 0)
_IGNORED_NAMES = frozenset({"lost+found", ".lock"})

ConfigOf = Callable[[TopicPartition], LogConfig]


def is_empty_directory(disk: Disk, path: str) -> bool:
    """Whether nothing is in it that matters, or it does not exist."""
    try:
        return all(name in _IGNORED_NAMES for name in disk.list_directory(path))
    except FileNotFoundError:
        return True


def format_directory(disk: Disk, path: str, meta: MetaProperties) -> None:
    """Make an empty directory a log directory. Raises ``DirectoryRefused`` for one that holds anything."""
    if not is_empty_directory(disk, path):
        existing = read_meta_properties(disk, path)
        belongs = f"it belongs to node {existing.node_id} of cluster {existing.cluster_id}" if existing else "it holds other files"
        raise DirectoryRefused(f"{path} is not empty ({belongs}): choose an empty directory, or empty this one if its data may go")
    disk.make_directories(path)
    write_meta_properties(disk, path, meta)
    disk.sync_directory(path.rpartition("/")[0] or "/")


class LogDirectories:
    """All of them. ``logs`` holds the partitions that can be used; ``damaged`` those whose log has ``damage`` and belongs offline."""

    def __init__(self, disk: Disk, paths: Sequence[str], *, cluster_id: str, node_id: int, metadata_path: str | None = None) -> None:
        """``paths``: log.dirs. ``metadata_path``: metadata.log.dir, the first of them by default; it may lie outside of them."""
        self._disk = disk
        self._cluster_id = cluster_id
        self._node_id = node_id
        self.metadata_path = metadata_path if metadata_path is not None else paths[0]
        extra = [] if self.metadata_path in paths else [self.metadata_path]
        self.directories = [LogDirectory(disk, path, takes_partitions=path in paths) for path in [*paths, *extra]]
        self.logs: dict[TopicPartition, PartitionLog] = {}
        self.damaged: dict[TopicPartition, PartitionLog] = {}
        self.topic_ids: dict[TopicPartition, bytes | None] = {}
        """From ``partition.metadata``; ``None`` when a power loss took the file of a log that was empty still (``set_topic_id`` then)."""
        self.metadata_log: PartitionLog | None = None
        self.rivals: dict[TopicPartition, list[LogDirectory]] = {}
        """Partitions found in several directories, with different topic ids. Until ``settle`` they are in none."""
        self._home: dict[TopicPartition, LogDirectory] = {}

    # Opening

    def open(self) -> None:
        """Check every directory and read its checkpoints.

        Raises ``DirectoryRefused`` when a person has to decide: a directory of another cluster or node, one without meta.properties, two with
        one id, one and the same partition in two of them. A directory that cannot be read goes offline instead (unless it holds the metadata log).
        """
        paths = [directory.path for directory in self.directories]
        for path in paths:
            if paths.count(path) > 1:
                raise DirectoryRefused(f"log.dirs names {path} twice: remove one")
        for directory in self.directories:
            try:
                directory.open(self._cluster_id, self._node_id)
            except DiskFailure as failure:
                if directory.path == self.metadata_path:
                    raise
                directory.failure = failure
        self._refuse_equal_ids()
        self._refuse_two_homes()

    def _refuse_equal_ids(self) -> None:
        seen: dict[bytes, str] = {}
        for directory in self.online():
            other = seen.setdefault(directory.directory_id, directory.path)
            if other != directory.path:
                raise DirectoryRefused(
                    f"{other} and {directory.path} have the same directory.id {uuid_to_text(directory.directory_id)}: one is a copy of the "
                    "other; take the copy out of log.dirs, or delete its meta.properties and its data and format it"
                )

    def _refuse_two_homes(self) -> None:
        for directory in self.online():
            for partition in directory.found:
                other = self._home.setdefault(partition, directory)
                if other is directory:
                    continue
                if _may_be_the_same(other, directory, partition):
                    raise DirectoryRefused(
                        f"partition {partition} is in {other.path} and in {directory.path}: look which one is newer, and move the other away"
                    )
                self.rivals.setdefault(partition, [other]).append(directory)
        for partition in self.rivals:
            del self._home[partition]

    def online(self) -> list[LogDirectory]:
        """The directories that work."""
        return [directory for directory in self.directories if directory.failure is None and directory.is_open]

    @property
    def clean_broker_epoch(self) -> int:
        """Broker epoch of the session that stopped cleanly in every directory, else -1 (for the registration, KIP-966)."""
        epochs = [-1 if directory.clean_broker_epoch is None else directory.clean_broker_epoch for directory in self.directories]
        return min(epochs)

    def load(self, config_of: ConfigOf, wall_ms: int, *, slice_bytes: int = SLICE_BYTES) -> Generator[int, None, None]:
        """Open the logs of all partitions found, in slices of about ``slice_bytes``; the metadata log is opened by ``open_metadata_log``."""
        for directory in self.directories:
            for partition in list(directory.found):
                if partition != METADATA_PARTITION and partition not in self.rivals and directory.failure is None:
                    try:
                        yield from self._load_one(directory, partition, config_of(partition), wall_ms, slice_bytes)
                    except DiskFailure as failure:
                        self.fail(directory.path, failure)

    def _load_one(
        self, directory: LogDirectory, partition: TopicPartition, config: LogConfig, wall_ms: int, slice_bytes: int
    ) -> Generator[int, None, None]:
        self.topic_ids[partition] = directory.read_topic_id(partition)
        config = replace(config, compact=config.compact or directory.may_have_gaps(partition))
        log = yield from load_log(
            self._disk,
            directory.path_of(partition),
            config,
            clean=directory.is_clean,
            checkpoints=directory.checkpoints_of(partition),
            wall_ms=wall_ms,
            slice_bytes=slice_bytes,
        )
        is_empty = log.log_start_offset == log.log_end_offset
        is_known = self.topic_ids[partition] is not None
        if not directory.is_clean and not is_empty and not is_known and log.damage is None:
            reason = "the file that names the topic's id is gone, and nobody can say whether these records are of the topic of that name"
            log.damage = Damage(directory.topic_id_file(partition), 0, log.log_start_offset, reason)
        self._adopt(directory, partition, log)
        if not directory.is_clean and log.damage is None:
            if is_empty and is_known:
                log.belong_by(directory.topic_id_file(partition))  # it may never have been synced
            log.sync()  # nor any cut that the last session made: until it is, a power loss could undo it

    def settle(self, partition: TopicPartition, topic_id: bytes | None, wall_ms: int, uuid: bytes) -> None:
        """Of the logs of one name keep that of the topic that there is, which is read now, and delete the others. ``None``: there is none.

        One whose topic id a power loss has taken is kept when no other fits. ``uuid`` makes the deleted names unique. Raises ``DiskFailure``;
        the partition then has its home already, if that could be told, and another call, without the directory that failed, does the rest.
        """
        rivals = [one for one in self.rivals.get(partition, []) if one.failure is None and partition in one.found]
        ids = [directory.read_topic_id(partition) for directory in rivals]
        kept = None
        if topic_id is not None and topic_id in ids:
            kept = rivals[ids.index(topic_id)]
        elif topic_id is not None:
            unknown = [directory for directory, found in zip(rivals, ids, strict=True) if found is None]
            kept = next((one for one in unknown if one.has_records(partition)), unknown[0] if unknown else None)
        home = self._home.get(partition)  # from an earlier call that did not come to its end
        if home in rivals and home is not kept:
            self.delete(partition, uuid)
            rivals.remove(home)
        if kept is not None and partition not in self._home:
            self._home[partition] = kept
            for _ in self._load_one(kept, partition, LogConfig(), wall_ms, SLICE_BYTES):
                pass
        for directory in rivals:
            if directory is not kept:
                directory.delete(partition, uuid)
        self.rivals.pop(partition, None)

    def _adopt(self, directory: LogDirectory, partition: TopicPartition, log: PartitionLog) -> None:
        self._attach(directory, partition, log)
        if log.damage is None:
            self.logs[partition] = log
        else:
            self.damaged[partition] = log

    def cut_damage(self, partition: TopicPartition) -> None:
        """Cut a damaged log where it stops being intact, and use it again: what follows comes from a replica that has it."""
        log = self.damaged.pop(partition)
        if log.damage is not None:
            log.truncate_to(log.damage.offset)
        self.logs[partition] = log

    def _attach(self, directory: LogDirectory, partition: TopicPartition, log: PartitionLog) -> None:
        directory.logs[partition] = log
        log.before_cut = lambda offset: directory.prepare_cut(partition, offset)
        log.before_removal = lambda offset: directory.raise_log_start(partition, offset)
        log.before_gap = lambda: directory.prepare_gap(partition)

    # The metadata quorum's part

    def open_metadata_log(self, config: LogConfig, wall_ms: int) -> PartitionLog:
        """The metadata log, made when there is none. Raises ``DirectoryRefused`` when it is damaged: no vote may rest on it."""
        directory = next(one for one in self.directories if one.path == self.metadata_path)
        path = directory.path_of(METADATA_PARTITION)
        if METADATA_PARTITION not in directory.found:
            self._disk.make_directories(path)
            log = PartitionLog.create(self._disk, path, config, wall_ms)
            log.sync()
            directory.found.append(METADATA_PARTITION)
        else:
            steps = load_log(
                self._disk,
                path,
                config,
                clean=directory.is_clean,
                checkpoints=directory.checkpoints_of(METADATA_PARTITION),
                wall_ms=wall_ms,
            )
            log = _run(steps)
        if log.damage is not None:
            raise DirectoryRefused(
                f"the metadata log is damaged: {log.damage.path}, position {log.damage.position}: {log.damage.reason}; remove this voter from "
                f"the quorum, move {path} away, format the directory with a new directory id, and add the voter again"
            )
        self._attach(directory, METADATA_PARTITION, log)
        self.metadata_log = log
        return log

    @property
    def metadata_log_path(self) -> str:
        """Where the metadata log, its snapshots and the vote lie."""
        return f"{self.metadata_path}/{partition_directory(METADATA_PARTITION)}"

    def snapshot_store(self) -> SnapshotFiles:
        """The metadata snapshots, beside the metadata log (which is opened first)."""
        return SnapshotFiles(self._disk, self.metadata_log_path)

    def vote_store(self) -> QuorumStateFile:
        """The durable vote, beside the metadata log (which is opened first)."""
        return QuorumStateFile(self._disk, self.metadata_log_path)

    # Partitions

    def create(
        self, partition: TopicPartition, topic_id: bytes, config: LogConfig, wall_ms: int, *, directory_id: bytes | None = None
    ) -> PartitionLog:
        """A new, empty log, in the given directory or else in the one with the fewest partitions.

        Raises ``ValueError`` for an illegal name, ``DirectoryRefused`` when the partition is there already, ``DiskFailure`` (the caller then
        reports the directory with ``fail``) and ``LookupError`` when no directory is left.
        """
        name = partition_directory(partition)
        home = self._home.get(partition)
        if home is not None:
            raise DirectoryRefused(f"{home.path}/{name} exists already, with topic id {_id_text(self.topic_ids.get(partition))}")
        directory = self._choose(directory_id)
        directory.forget_checkpoints(partition)
        path = directory.path_of(partition)
        self._disk.make_directories(path)
        log = PartitionLog.create(self._disk, path, config, wall_ms)
        log.belong_by(directory.write_topic_id(partition, topic_id))
        directory.found.append(partition)
        self._home[partition] = directory
        self.topic_ids[partition] = topic_id
        self._adopt(directory, partition, log)
        return log

    def _choose(self, directory_id: bytes | None) -> LogDirectory:
        candidates = [one for one in self.online() if one.takes_partitions]
        if directory_id is not None:
            candidates = [one for one in candidates if one.directory_id == directory_id]
        if not candidates:
            which = "no log directory" if directory_id is None else f"no log directory with id {uuid_to_text(directory_id)}"
            raise LookupError(f"{which} is online")
        return min(candidates, key=lambda one: len(one.found))

    def set_topic_id(self, partition: TopicPartition, topic_id: bytes) -> None:
        """Write the topic id of a partition whose file was lost with an unsynced creation."""
        directory = self._home[partition]
        directory.logs[partition].belong_by(directory.write_topic_id(partition, topic_id))
        self.topic_ids[partition] = topic_id

    def directory_of(self, partition: TopicPartition) -> LogDirectory | None:
        """Where the partition lies, also while that directory is offline."""
        return self._home.get(partition)

    def delete(self, partition: TopicPartition, uuid: bytes) -> None:
        """Give the partition's directory its deleted name, at once; ``remove_deleted`` then frees the space. ``uuid`` makes the name unique."""
        if not is_legal_topic_name(partition.topic) or partition not in self._home:
            raise LookupError(f"partition {partition} has no log here")
        directory = self._home.pop(partition)
        log = directory.logs.pop(partition, None)
        if log is not None:
            log.release()
        self.logs.pop(partition, None)
        self.damaged.pop(partition, None)
        self.topic_ids.pop(partition, None)
        directory.delete(partition, uuid)

    def remove_deleted(self) -> bool:
        """Remove one deleted directory's files; whether there was one. For the caller's background work."""
        return any(directory.remove_one_deleted() for directory in self.online())

    # Failures, checkpoints, the end

    def directory_at(self, path: str) -> LogDirectory | None:
        """The directory that a path lies in (from ``DiskFailure.path``)."""
        for directory in self.directories:
            if path == directory.path or path.startswith(directory.path + "/"):
                return directory
        return None

    def fail(self, path: str, failure: DiskFailure) -> list[TopicPartition]:
        """Take the directory that ``path`` lies in offline; returns the partitions that were lost with it."""
        directory = self.directory_at(path)
        if directory is None or directory.failure is not None:
            return []
        directory.failure = failure
        lost = [partition for partition in directory.logs if partition != METADATA_PARTITION]
        for partition in lost:
            self.logs.pop(partition, None)
            self.damaged.pop(partition, None)
        for log in directory.logs.values():
            _release_quietly(log)
        directory.logs.clear()
        return lost

    def checkpoint_recovery_points(self) -> None:
        """Store how far each log is synced. Raises ``DiskFailure``, as the next two do."""
        for directory in self.online():
            directory.write_recovery_points()

    def checkpoint_log_starts(self) -> None:
        """Store the log start offsets. Nobody waits for it: the leader-epoch file tells of one that was not stored yet, and
        only a power loss may take both.
        """
        for directory in self.online():
            directory.write_log_starts()

    def checkpoint_high_watermarks(self, high_watermarks: Mapping[TopicPartition, int]) -> None:
        """Store the replicas' high watermarks; partitions that are not named keep the one stored."""
        for directory in self.online():
            directory.write_high_watermarks(high_watermarks)

    def cleaner_offset(self, partition: TopicPartition) -> int | None:
        """Up to where the partition's log is compacted, ``None`` when it never was."""
        home = self._home.get(partition)
        return home.cleaner_offset(partition) if home is not None else None

    def checkpoint_cleaner(self, partition: TopicPartition, offset: int) -> None:
        """Store up to where the partition's log is compacted now."""
        home = self._home.get(partition)
        if home is not None and home.failure is None:
            home.write_cleaner_offset(partition, offset)

    def high_watermark(self, partition: TopicPartition) -> int:
        """The stored high watermark, 0 when there is none."""
        home = self._home.get(partition)
        return home.checkpoints_of(partition).high_watermark if home is not None else 0

    def close(self, broker_epoch: int, high_watermarks: Mapping[TopicPartition, int]) -> None:
        """A clean stop: sync and close every log, store the checkpoints, and leave the mark in directories where all of it went well."""
        for directory in self.online():
            try:
                directory.close(broker_epoch, high_watermarks)
            except DiskFailure as failure:
                self.fail(directory.path, failure)


def _may_be_the_same(one: LogDirectory, other: LogDirectory, partition: TopicPartition) -> bool:
    """Whether two directories of one name may hold one and the same partition. Without a topic id there is none yet, unless there are records."""
    topic_id = one.read_topic_id(partition)
    if topic_id != other.read_topic_id(partition):
        return False
    return topic_id is not None or (one.has_records(partition) and other.has_records(partition))


def _run(steps: Generator[int, None, PartitionLog]) -> PartitionLog:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def _release_quietly(log: PartitionLog) -> None:
    try:
        log.release()
    except DiskFailure:
        return  # the directory failed already; its handles are all that was to be given back


def _id_text(topic_id: bytes | None) -> str:
    return uuid_to_text(topic_id) if topic_id is not None else "unknown"


__all__ = [
    "METADATA_PARTITION",
    "Checkpoints",
    "DamagedFile",
    "DirectoryRefused",
    "LogDirectories",
    "LogDirectory",
    "MetaProperties",
    "format_directory",
    "is_empty_directory",
]
