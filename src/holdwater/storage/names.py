"""Names of files and directories in a log directory, as Apache Kafka gives them."""

import re

from holdwater.kernel.identifiers import TopicPartition, is_legal_topic_name

LOG_SUFFIX = ".log"
OFFSET_INDEX_SUFFIX = ".index"
TIME_INDEX_SUFFIX = ".timeindex"
TXN_INDEX_SUFFIX = ".txnindex"
PRODUCER_SNAPSHOT_SUFFIX = ".snapshot"
METADATA_SNAPSHOT_SUFFIX = ".checkpoint"
PART_SUFFIX = ".part"
TEMPORARY_SUFFIXES = (".tmp", ".deleted")
CLEANED_SUFFIX = ".cleaned"
"""Ends the names of files that compaction is writing."""
SWAP_SUFFIX = ".swap"
"""Ends the names of files that are to take the place of others."""
DELETE_SUFFIX = "-delete"
LEADER_EPOCH_FILE = "leader-epoch-checkpoint"
PARTITION_METADATA_FILE = "partition.metadata"
META_PROPERTIES_FILE = "meta.properties"
RECOVERY_POINT_FILE = "recovery-point-offset-checkpoint"
HIGH_WATERMARK_FILE = "replication-offset-checkpoint"
LOG_START_FILE = "log-start-offset-checkpoint"
CLEANER_FILE = "cleaner-offset-checkpoint"
CLEAN_SHUTDOWN_FILE = ".kafka_cleanshutdown"
LOCK_FILE = ".lock"
QUORUM_STATE_FILE = "quorum-state"

_SEGMENT_FILE = re.compile(r"(\d{20})(\.log|\.index|\.timeindex|\.txnindex|\.snapshot)", re.ASCII)
_PARTITION_DIRECTORY = re.compile(r"(.+)-(0|[1-9]\d{0,8})", re.ASCII)
_NAME_LIMIT = 255


def segment_file(base_offset: int, suffix: str) -> str:
    """File of a segment: the base offset in 20 digits, then the suffix."""
    return f"{base_offset:020d}{suffix}"


def parse_segment_file(name: str) -> tuple[int, str] | None:
    """``(base offset, suffix)`` of a segment's file, ``None`` for any other name."""
    match = _SEGMENT_FILE.fullmatch(name)
    return (int(match[1]), match[2]) if match else None


def partition_directory(partition: TopicPartition) -> str:
    """Directory of a partition. Raises ``ValueError`` for names that must never become paths: callers may have had them from a peer."""
    if not is_legal_topic_name(partition.topic):
        raise ValueError(f"'{partition.topic}' is no legal topic name (1 to 249 of a-z A-Z 0-9 . _ -, neither . nor ..)")
    if partition.partition < 0:
        raise ValueError(f"{partition.partition} is no partition number")
    return f"{partition.topic}-{partition.partition}"


def parse_partition_directory(name: str) -> TopicPartition | None:
    """The partition a directory belongs to; ``None`` for names that are no partition's (among them those being deleted)."""
    match = _PARTITION_DIRECTORY.fullmatch(name)
    if match is None or not is_legal_topic_name(match[1]):
        return None
    return TopicPartition(match[1], int(match[2]))


def deleted_directory(partition: TopicPartition, uuid: bytes) -> str:
    """Name that a partition's directory takes before it is removed: ``<topic>-<partition>.<32 hex digits>-delete``, the topic cut to fit."""
    suffix = f"-{partition.partition}.{uuid.hex()}{DELETE_SUFFIX}"
    return partition.topic[: _NAME_LIMIT - len(suffix)] + suffix
