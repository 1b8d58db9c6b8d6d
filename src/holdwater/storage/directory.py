"""One log directory: its identity, the partitions found in it, its checkpoint files."""

from collections.abc import Mapping
from contextlib import closing

from holdwater.kernel.identifiers import METADATA_TOPIC, ZERO_UUID, TopicPartition, uuid_to_text
from holdwater.kernel.ports import Disk, DiskFailure
from holdwater.storage.checkpoints import DamagedFile, read_offsets, write_offsets
from holdwater.storage.log import PartitionLog
from holdwater.storage.names import (
    CLEANER_FILE,
    DELETE_SUFFIX,
    HIGH_WATERMARK_FILE,
    LOG_START_FILE,
    LOG_SUFFIX,
    META_PROPERTIES_FILE,
    PARTITION_METADATA_FILE,
    RECOVERY_POINT_FILE,
    deleted_directory,
    parse_partition_directory,
    partition_directory,
)
from holdwater.storage.properties import (
    read_meta_properties,
    read_partition_metadata,
    take_clean_shutdown,
    write_clean_shutdown,
    write_partition_metadata,
)
from holdwater.storage.recovery import Checkpoints

_CHECKPOINT_FILES = (RECOVERY_POINT_FILE, LOG_START_FILE, HIGH_WATERMARK_FILE, CLEANER_FILE)
COMPACTED_TOPICS = frozenset({"__consumer_offsets", "__transaction_state", "__share_group_state"})
"""Topics that are always compacted, whose logs may come from Apache Kafka with gaps and without an entry in the cleaner's file."""
_LOST_DIRECTORY_ID = ZERO_UUID[:-1] + b"\x64"
"""Kafka reserves the ids 0 to 100."""

Offsets = dict[TopicPartition, int]


class DirectoryRefused(Exception):  # noqa: N818 - named for what became of the directory
    """A directory that must not be used as it is; the message says which, what was found, what was expected, and what to do."""


class LogDirectory:
    """Opened, closed and failed by ``LogDirectories``."""

    def __init__(self, disk: Disk, path: str, *, takes_partitions: bool) -> None:
        self._disk = disk
        self.path = path
        self.takes_partitions = takes_partitions
        """False for a metadata.log.dir outside of log.dirs."""
        self.directory_id = ZERO_UUID
        self.is_open = False
        self.failure: DiskFailure | None = None
        self.clean_broker_epoch: int | None = None
        """Of the session that stopped cleanly here; ``None`` after a crash."""
        self.found: list[TopicPartition] = []
        """Partitions whose directory is here."""
        self.events: list[str] = []
        self.logs: dict[TopicPartition, PartitionLog] = {}
        self._deleted: list[str] = []
        self._stored: dict[str, Offsets] = {}
        """What each checkpoint file says, by its name."""

    @property
    def is_clean(self) -> bool:
        """Whether the last session stopped cleanly."""
        return self.clean_broker_epoch is not None

    def open(self, cluster_id: str, node_id: int) -> None:
        """Check whose directory it is, list it, read and take away what the last session left."""
        if not self._disk.exists(self.path):
            raise DirectoryRefused(f"{self.path} does not exist: format it first, or mount the disk it is on")
        self._check_identity(cluster_id, node_id)
        self._list()
        self.clean_broker_epoch = take_clean_shutdown(self._disk, self.path)
        for name in _CHECKPOINT_FILES:
            try:
                self._stored[name] = read_offsets(self._disk, f"{self.path}/{name}")
            except DamagedFile as damaged:
                # Without recovery points every log is scanned from its start; without the others a log starts and ends where its files do.
                self.events.append(str(damaged))
                self._stored[name] = {}
                if name == CLEANER_FILE:
                    self._renew_cleaner_offsets()
                else:
                    self.clean_broker_epoch = None
        self.is_open = True

    def _renew_cleaner_offsets(self) -> None:
        """The file is damaged, or empty, as Apache Kafka leaves it until it compacts something: any log may have gaps now."""
        self._store(CLEANER_FILE, dict.fromkeys([one for one in self.found if one.topic != METADATA_TOPIC], 0))

    def _check_identity(self, cluster_id: str, node_id: int) -> None:
        path = self.path
        try:
            meta = read_meta_properties(self._disk, path)
        except DamagedFile as damaged:
            raise DirectoryRefused(str(damaged)) from damaged
        if meta is None:
            raise DirectoryRefused(
                f"{path} has no {META_PROPERTIES_FILE}: format it if it is new; if it held data, its disk may not be mounted or not be the right one"
            )
        if meta.cluster_id != cluster_id:
            raise DirectoryRefused(
                f"{path} belongs to cluster {meta.cluster_id}, this is cluster {cluster_id}: correct log.dirs, or use an empty directory"
            )
        if meta.node_id != node_id:
            raise DirectoryRefused(f"{path} belongs to node {meta.node_id}, this is node {node_id}: correct node.id or log.dirs")
        if meta.directory_id <= _LOST_DIRECTORY_ID:
            raise DirectoryRefused(f"{path} has the reserved directory.id {uuid_to_text(meta.directory_id)}: give it a random one")
        self.directory_id = meta.directory_id

    def _list(self) -> None:
        for name in self._disk.list_directory(self.path):
            if not self._disk.is_directory(f"{self.path}/{name}"):
                continue
            partition = parse_partition_directory(name)
            if name.endswith(DELETE_SUFFIX):
                self._deleted.append(name)
            elif partition is not None:
                self.found.append(partition)

    # Partitions

    def path_of(self, partition: TopicPartition) -> str:
        """Directory of a partition. Raises ``ValueError`` for an illegal name."""
        return f"{self.path}/{partition_directory(partition)}"

    def read_topic_id(self, partition: TopicPartition) -> bytes | None:
        """From ``partition.metadata``."""
        return read_partition_metadata(self._disk, self.path_of(partition))

    def has_records(self, partition: TopicPartition) -> bool:
        """Whether a log is not empty, or damaged."""
        path = self.path_of(partition)
        for name in self._disk.list_directory(path):
            if name.endswith(LOG_SUFFIX):
                with closing(self._disk.open(f"{path}/{name}")) as file:
                    if file.size:
                        return True
        return False

    def topic_id_file(self, partition: TopicPartition) -> str:
        """Path of ``partition.metadata``."""
        return f"{self.path_of(partition)}/{PARTITION_METADATA_FILE}"

    def write_topic_id(self, partition: TopicPartition, topic_id: bytes) -> str:
        """Into ``partition.metadata``, unsynced; returns the file."""
        return write_partition_metadata(self._disk, self.path_of(partition), topic_id)

    def delete(self, partition: TopicPartition, uuid: bytes) -> None:
        """Rename its directory out of the way. The checkpoints forget it first."""
        self.forget_checkpoints(partition)
        name = deleted_directory(partition, uuid)
        self._disk.rename(self.path_of(partition), f"{self.path}/{name}")
        self._disk.sync_directory(self.path)
        self.found.remove(partition)
        self._deleted.append(name)

    def remove_one_deleted(self) -> bool:
        """Remove the files of one deleted partition; whether there was one."""
        if not self._deleted:
            return False
        self._disk.remove_tree(f"{self.path}/{self._deleted.pop()}")
        return True

    # Checkpoints

    def checkpoints_of(self, partition: TopicPartition) -> Checkpoints:
        """What the files say of a partition."""
        starts, high_watermarks = self._stored[LOG_START_FILE], self._stored[HIGH_WATERMARK_FILE]
        # A log without a stored high watermark is younger than the last checkpoint, and began at 0 unless the file says otherwise. Of the
        # metadata log no high watermark is ever stored, and Apache Kafka stores no start either: it follows from the snapshots.
        young = partition not in high_watermarks and partition.topic != METADATA_TOPIC
        return Checkpoints(
            self._stored[RECOVERY_POINT_FILE].get(partition, 0),
            starts.get(partition, 0),
            high_watermarks.get(partition, 0),
            has_log_start=young or partition in starts,
            compacted_to=self._stored[CLEANER_FILE].get(partition, 0),
        )

    def prepare_cut(self, partition: TopicPartition, offset: int) -> None:
        """Store a lower recovery point and high watermark, and where compaction goes on, before the log is cut; a lower log start, too, when it
        is to start over below its own.
        """
        for name in (RECOVERY_POINT_FILE, HIGH_WATERMARK_FILE, CLEANER_FILE, LOG_START_FILE):
            stored = self._stored[name]
            if stored.get(partition, 0) > offset:
                self._store(name, {**stored, partition: offset})

    def raise_log_start(self, partition: TopicPartition, offset: int) -> None:
        """Store a higher log start before the segments below it go."""
        stored = self._stored[LOG_START_FILE]
        if stored.get(partition, 0) < offset:
            self._store(LOG_START_FILE, {**stored, partition: offset})

    def may_have_gaps(self, partition: TopicPartition) -> bool:
        """Whether offsets may be missing between a log's batches: compaction has been here, or at the leader that this log was copied from."""
        return partition in self._stored[CLEANER_FILE] or partition.topic in COMPACTED_TOPICS

    def prepare_gap(self, partition: TopicPartition) -> None:
        """Say that there may be gaps in a log before it gets its first one, and how far it is synced: recovery takes other gaps for damage."""
        log = self.logs[partition]
        if partition not in self._stored[CLEANER_FILE]:
            self.write_cleaner_offset(partition, log.log_start_offset)
        stored = self._stored[RECOVERY_POINT_FILE]
        if stored.get(partition, 0) < log.synced_end_offset:
            self._store(RECOVERY_POINT_FILE, {**stored, partition: log.synced_end_offset})

    def cleaner_offset(self, partition: TopicPartition) -> int | None:
        """Up to where a log is compacted, ``None`` when it never was."""
        return self._stored[CLEANER_FILE].get(partition)

    def write_cleaner_offset(self, partition: TopicPartition, offset: int) -> None:
        """Store up to where a log is compacted now."""
        self._store(CLEANER_FILE, {**self._stored[CLEANER_FILE], partition: offset})

    def forget_checkpoints(self, partition: TopicPartition) -> None:
        """Take a partition out of every file."""
        for name in _CHECKPOINT_FILES:
            if partition in self._stored[name]:
                self._store(name, {key: offset for key, offset in self._stored[name].items() if key != partition})

    def write_recovery_points(self) -> None:
        """Store how far each log is synced. A damaged log keeps what was stored, by which the next start finds it damaged again."""
        self._store(RECOVERY_POINT_FILE, self._updated(RECOVERY_POINT_FILE, {key: log.synced_end_offset for key, log in self._intact()}))

    def write_log_starts(self) -> None:
        """Store where each log starts."""
        self._store(LOG_START_FILE, self._updated(LOG_START_FILE, {key: log.log_start_offset for key, log in self._intact()}))

    def write_high_watermarks(self, high_watermarks: Mapping[TopicPartition, int]) -> None:
        """Store the high watermarks of the partitions that are here."""
        here = {key: high_watermarks[key] for key, _ in self._intact() if key in high_watermarks}
        if any(partition not in self._stored[HIGH_WATERMARK_FILE] for partition in here):
            self.write_log_starts()  # ``checkpoints_of`` takes a log with a high watermark and no start for one of Apache Kafka's
        self._store(HIGH_WATERMARK_FILE, self._updated(HIGH_WATERMARK_FILE, here))

    def _intact(self) -> list[tuple[TopicPartition, PartitionLog]]:
        return [(partition, log) for partition, log in self.logs.items() if log.damage is None]

    def _updated(self, name: str, offsets: Offsets) -> Offsets:
        return {**self._stored[name], **offsets}

    def _store(self, name: str, offsets: Offsets) -> None:
        if offsets != self._stored[name]:
            write_offsets(self._disk, f"{self.path}/{name}", sorted(offsets.items()))
            self._stored[name] = offsets

    def close(self, broker_epoch: int, high_watermarks: Mapping[TopicPartition, int]) -> None:
        """Close every log and leave the mark of a clean stop, unless a log is damaged (the next start must look again)."""
        for log in self.logs.values():
            log.close()
        self.write_recovery_points()
        self.write_log_starts()
        self.write_high_watermarks(high_watermarks)
        if len(self._intact()) == len(self.logs) == len(self.found):
            write_clean_shutdown(self._disk, self.path, broker_epoch)
        self.logs.clear()
