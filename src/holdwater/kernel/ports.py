"""Ports through which the pure half reaches bytes that outlive the process: disk, file, log, snapshot store, vote store.

Calls are synchronous. ``append`` and ``read`` go to the page cache; ``sync`` returns when the bytes are durable. A failed call raises
``DiskFailure``; a failed ``sync`` is never retried, since the kernel may have dropped the dirty pages (the directory goes offline instead).
Paths are plain strings with ``/``, relative to nothing: the caller composes them from ``log.dirs``.
"""

from typing import NamedTuple, Protocol


class DiskFailure(Exception):  # noqa: N818 - named for what happened to the disk
    """A disk operation failed. ``full`` tells a full disk (ENOSPC, EDQUOT, EFBIG) from an I/O error; ``path`` names the file."""

    def __init__(self, path: str, operation: str, reason: str, *, full: bool = False) -> None:
        super().__init__(f"{operation} {path}: {reason}")
        self.path = path
        self.operation = operation
        self.reason = reason
        self.full = full


class File(Protocol):
    """One open file. Appends go to its end; positions are bytes from its start."""

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    def append(self, *parts: bytes | memoryview) -> None:
        """Write all parts at the end as one operation, in full or with ``DiskFailure`` (a torn tail may remain)."""
        ...

    def read(self, position: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``position``; shorter only at the end of the file."""
        ...

    def truncate(self, length: int) -> None:
        """Cut the file to ``length`` bytes."""
        ...

    def sync(self) -> None:
        """Return when every byte appended or cut before the call is durable."""
        ...

    def close(self) -> None:
        """Release the handle; not a sync."""
        ...


class Disk(Protocol):
    """A file system, real or simulated. Both pass one contract test (``tests/unit/test_disk_contract.py``)."""

    def make_directories(self, path: str) -> None:
        """Create the directory and its parents; no error if it exists."""
        ...

    def list_directory(self, path: str) -> list[str]:
        """Names in the directory, sorted. Raises ``FileNotFoundError``."""
        ...

    def exists(self, path: str) -> bool:
        """Whether a file or directory is there."""
        ...

    def is_directory(self, path: str) -> bool:
        """Whether the path is a directory."""
        ...

    def open(self, path: str) -> File:
        """Open for reading and appending, created empty when absent."""
        ...

    def read_file(self, path: str) -> bytes:
        """The whole file. Raises ``FileNotFoundError``."""
        ...

    def replace_file(self, path: str, content: bytes, *, durable: bool) -> None:
        """Write to a temporary name beside ``path`` and rename over it; ``durable``: file and directory are synced."""
        ...

    def rename(self, source: str, target: str) -> None:
        """Atomic rename within one file system."""
        ...

    def remove_file(self, path: str) -> None:
        """Remove a file; no error if it is gone."""
        ...

    def remove_tree(self, path: str) -> None:
        """Remove a directory with what is in it; no error if it is gone."""
        ...

    def sync_directory(self, path: str) -> None:
        """Make creations, renames and removals in the directory durable."""
        ...


class BatchHeader(NamedTuple):
    """The 61 header bytes of a record batch v2 (Kafka protocol guide, "Record Batch"), as numbers."""

    base_offset: int
    batch_length: int
    partition_leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int


class AppendResult(NamedTuple):
    """What became of one batch handed to ``Log.append_as_leader``."""

    error_code: int
    """0, or the Kafka error; nothing was written unless it is 0."""
    base_offset: int
    """Offset of the first record: the new one, or the original one of a duplicate."""
    last_offset: int
    """Offset of the last record."""
    log_append_time_ms: int
    """Wall time when the topic stamps records itself (LogAppendTime), else -1."""
    duplicate: bool
    """True when the batch was already in the log and was not written again."""


class EpochEnd(NamedTuple):
    """Answer to OffsetForLeaderEpoch (KIP-101, KIP-279): the largest known leader epoch not above the one asked, and where it ends."""

    leader_epoch: int
    end_offset: int


class TimestampedOffset(NamedTuple):
    """Answer to ListOffsets by time."""

    timestamp_ms: int
    offset: int
    leader_epoch: int


class AbortedTransaction(NamedTuple):
    """One aborted transaction that overlaps a fetched range."""

    producer_id: int
    first_offset: int


class Log(Protocol):
    """One replica's log of one partition: record batches at rising offsets.

    ``log_start_offset <= log_end_offset``; ``synced_end_offset <= log_end_offset``. The high watermark is the replica's, not the log's.
    """

    @property
    def log_start_offset(self) -> int:
        """First offset a reader may ask for; never decreases."""
        ...

    @property
    def log_end_offset(self) -> int:
        """Offset the next record gets."""
        ...

    @property
    def synced_end_offset(self) -> int:
        """Every record below it survives a power loss."""
        ...

    @property
    def latest_epoch(self) -> int:
        """Largest leader epoch in the epoch cache, or -1."""
        ...

    def append_as_leader(
        self, data: bytes, header: BatchHeader, leader_epoch: int, wall_ms: int, transaction_version: int = 0
    ) -> AppendResult:
        """Check one batch (CRC already checked) against its producer's state, give it the next offsets and the epoch, and append it.

        ``transaction_version``: of the transaction that a marker ends.
        """
        ...

    def append_as_follower(self, data: bytes, wall_ms: int, gaps_end: int = 2**63 - 1) -> int:
        """Append whole batches as the leader stored them (a torn last batch is ignored); returns the new log end offset.

        ``gaps_end``: compaction has left no gap between batches at or above it (no checksum covers a base offset, and a wrong one looks like a gap).

        Raises ``CorruptRecords`` on a wrong CRC or an offset that is not the log end offset; nothing of that batch and after is written.
        """
        ...

    def read(self, offset: int, max_bytes: int, upper_offset: int, *, at_least_one: bool) -> bytes:
        """Whole batches from the one that holds ``offset``, none reaching ``upper_offset`` or beyond, in one contiguous read.

        At most ``max_bytes``, except that with ``at_least_one`` the first batch comes whole. Empty when there is none.
        The caller has checked ``log_start_offset <= offset <= log_end_offset``.
        """
        ...

    def truncate_to(self, offset: int) -> None:
        """Remove every record at or above ``offset``; epoch cache and producer state follow."""
        ...

    def truncate_fully_and_start_at(self, offset: int) -> None:
        """Remove everything; the log starts and ends at ``offset``."""
        ...

    def advance_log_start(self, offset: int) -> None:
        """Raise the log start offset (DeleteRecords, a leader whose log starts higher)."""
        ...

    def assign_epoch(self, leader_epoch: int) -> None:
        """Note that ``leader_epoch`` starts at the log end offset (a new leader does this before its first append)."""
        ...

    def end_offset_for_epoch(self, leader_epoch: int) -> EpochEnd | None:
        """Where the largest known epoch not above ``leader_epoch`` ends; ``None`` when the log knows no such epoch."""
        ...

    @property
    def first_epoch_start(self) -> int:
        """Where the first known leader epoch starts; the log start offset when none is known."""
        ...

    def epoch_at(self, offset: int) -> int:
        """Leader epoch of the record at ``offset`` by the epoch cache, or -1."""
        ...

    def has_open_transaction(self, producer_id: int, producer_epoch: int) -> bool:
        """Whether the log holds records of the producer's transaction under that epoch, and no marker after them."""
        ...

    def producer_epoch(self, producer_id: int) -> int:
        """The producer epoch under which the producer last wrote, -1 when nothing is known of it."""
        ...

    def last_stable_offset(self, high_watermark: int) -> int:
        """First offset of the earliest open transaction, at most ``high_watermark``."""
        ...

    def aborted_transactions(self, first_offset: int, end_offset: int) -> list[AbortedTransaction]:
        """Aborted transactions that overlap the range, for a read_committed fetch."""
        ...

    def offset_for_timestamp(self, timestamp_ms: int, upper_offset: int) -> TimestampedOffset | None:
        """First record below ``upper_offset`` whose timestamp is at least ``timestamp_ms``."""
        ...

    def max_timestamp_offset(self, upper_offset: int) -> TimestampedOffset | None:
        """The record with the largest timestamp below ``upper_offset`` (KIP-734)."""
        ...

    def sync(self) -> None:
        """Make everything appended so far durable."""
        ...

    def expire_producers(self, wall_ms: int, expiration_ms: int) -> int:
        """Forget producers that have been silent for ``expiration_ms`` and have no open transaction; returns how many."""
        ...

    def size_bytes(self) -> int:
        """Bytes of records on disk."""
        ...


class CorruptRecords(Exception):  # noqa: N818 - named for what the bytes are
    """Record bytes that fail their checksum or contradict the log; ``error_code`` is what a client is told."""

    def __init__(self, message: str, error_code: int = 2) -> None:
        super().__init__(message)
        self.error_code = error_code


class SnapshotId(NamedTuple):
    """A metadata snapshot: it stands for every record below ``end_offset``, the last of which has ``epoch``."""

    end_offset: int
    epoch: int


class SnapshotStore(Protocol):
    """The snapshot files (``<end offset>-<epoch>.checkpoint``) beside the metadata log."""

    def latest(self) -> SnapshotId | None:
        """The newest complete snapshot."""
        ...

    def size(self, snapshot: SnapshotId) -> int:
        """Bytes of a snapshot. Raises ``FileNotFoundError``."""
        ...

    def read(self, snapshot: SnapshotId, position: int, max_bytes: int) -> bytes:
        """A slice of a snapshot's bytes (whole record batches when read from start to end)."""
        ...

    def write(self, snapshot: SnapshotId, content: bytes) -> None:
        """Store a complete snapshot durably, under its final name only when whole."""
        ...

    def remove_older_than(self, snapshot: SnapshotId) -> None:
        """Remove every snapshot older than the given one."""
        ...


class Vote(NamedTuple):
    """The durable part of a voter: Kafka's ``quorum-state`` file, data version 1 (KIP-853)."""

    epoch: int
    leader_id: int
    voted_id: int
    voted_directory_id: bytes


class VoteStore(Protocol):
    """Keeps a voter's ``Vote``. ``save`` returns only when it is durable: persist, then speak."""

    def load(self) -> Vote | None:
        """The stored vote, or ``None`` on a fresh directory."""
        ...

    def save(self, vote: Vote) -> None:
        """Replace the stored vote durably."""
        ...
