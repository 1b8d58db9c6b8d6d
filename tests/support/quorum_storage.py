"""A metadata log, snapshots and a vote in memory, with the difference between written and synced, for tests of the quorum.

``power_loss`` is the adversary: what was not synced is gone, or partly gone, and a truncation that was not synced is undone.
"""

from collections.abc import Callable
from typing import NamedTuple

from holdwater.kernel.ports import (
    AbortedTransaction,
    AppendResult,
    BatchHeader,
    CorruptRecords,
    EpochEnd,
    SnapshotId,
    TimestampedOffset,
    Vote,
)
from holdwater.kernel.rng import Rng
from holdwater.wire.records import batches, check_crc, place_batch


class Stored(NamedTuple):
    """One batch as stored."""

    base_offset: int
    last_offset: int
    epoch: int
    data: bytes


class ListLog:
    """``kernel.ports.Log`` over a list of batches."""

    def __init__(self) -> None:
        self.batches: list[Stored] = []
        self._start = 0
        self._synced: tuple[int, list[Stored]] = (0, [])
        self._synced_end = 0

    # -- the port ----------------------------------------------------------------------------------------------------------------------

    @property
    def log_start_offset(self) -> int:
        return self._start

    @property
    def log_end_offset(self) -> int:
        return self.batches[-1].last_offset + 1 if self.batches else self._start

    @property
    def synced_end_offset(self) -> int:
        return self._synced_end

    @property
    def latest_epoch(self) -> int:
        return self.batches[-1].epoch if self.batches else -1

    def append_as_leader(self, data: bytes, header: BatchHeader, leader_epoch: int, wall_ms: int) -> AppendResult:
        base = self.log_end_offset
        head, body = place_batch(data, base, leader_epoch)
        assert leader_epoch >= self.latest_epoch
        self.batches.append(Stored(base, base + header.last_offset_delta, leader_epoch, head + body))
        return AppendResult(0, base, base + header.last_offset_delta, -1, duplicate=False)

    def append_as_follower(self, data: bytes, wall_ms: int, gaps_end: int = 2**63 - 1) -> int:
        for position, header, end in batches(data):
            check_crc(data, position, header)
            if header.base_offset != self.log_end_offset:
                raise CorruptRecords(f"batch at {header.base_offset}, log ends at {self.log_end_offset}")
            last = header.base_offset + header.last_offset_delta
            self.batches.append(Stored(header.base_offset, last, header.partition_leader_epoch, data[position:end]))
        return self.log_end_offset

    def read(self, offset: int, max_bytes: int, upper_offset: int, *, at_least_one: bool) -> bytes:
        assert self._start <= offset <= self.log_end_offset
        out = b""
        for batch in self.batches:
            if batch.last_offset < offset:
                continue
            if batch.last_offset >= upper_offset or (len(out) + len(batch.data) > max_bytes and not (at_least_one and not out)):
                break
            out += batch.data
        return out

    def truncate_to(self, offset: int) -> None:
        kept = [batch for batch in self.batches if batch.last_offset < offset]
        assert all(batch.base_offset >= offset for batch in self.batches[len(kept) :]), "cut inside a batch"
        self.batches = kept
        self._synced_end = min(self._synced_end, self.log_end_offset)

    def truncate_fully_and_start_at(self, offset: int) -> None:
        self.batches = []
        self._start = offset
        self._synced_end = offset

    def advance_log_start(self, offset: int) -> None:
        assert self._start <= offset <= self.log_end_offset
        self.batches = [batch for batch in self.batches if batch.last_offset >= offset]
        self._start = offset

    def assign_epoch(self, leader_epoch: int) -> None:
        assert leader_epoch >= self.latest_epoch

    def end_offset_for_epoch(self, leader_epoch: int) -> EpochEnd | None:
        known = [batch for batch in self.batches if batch.epoch <= leader_epoch]
        if not known:
            return None
        epoch = known[-1].epoch
        return EpochEnd(epoch, known[-1].last_offset + 1)

    def epoch_at(self, offset: int) -> int:
        return next((batch.epoch for batch in self.batches if batch.base_offset <= offset <= batch.last_offset), -1)

    def last_stable_offset(self, high_watermark: int) -> int:
        return high_watermark

    def aborted_transactions(self, first_offset: int, end_offset: int) -> list[AbortedTransaction]:
        return []

    def offset_for_timestamp(self, timestamp_ms: int, upper_offset: int) -> TimestampedOffset | None:
        return None

    def max_timestamp_offset(self, upper_offset: int) -> TimestampedOffset | None:
        return None

    def sync(self) -> None:
        self._synced = (self._start, list(self.batches))
        self._synced_end = self.log_end_offset

    def size_bytes(self) -> int:
        return sum(len(batch.data) for batch in self.batches)

    # -- the adversary -----------------------------------------------------------------------------------------------------------------

    def power_loss(self, rng: Rng) -> None:
        """Back to what was synced, and as the disk pleases some of what was appended to it since."""
        start, synced = self._synced
        extends = self._start == start and self.batches[: len(synced)] == synced
        extra = self.batches[len(synced) :] if extends else []
        self._start = start
        self.batches = synced + extra[: rng.below(len(extra) + 1)]
        self._synced_end = start

    def durable_batches(self) -> list[Stored]:
        """What a power loss leaves for certain."""
        return self._synced[1]


class MemorySnapshots:
    """``kernel.ports.SnapshotStore``; a written snapshot is durable."""

    def __init__(self) -> None:
        self.contents: dict[SnapshotId, bytes] = {}

    def latest(self) -> SnapshotId | None:
        return max(self.contents, default=None)

    def size(self, snapshot: SnapshotId) -> int:
        if snapshot not in self.contents:
            raise FileNotFoundError(str(snapshot))
        return len(self.contents[snapshot])

    def read(self, snapshot: SnapshotId, position: int, max_bytes: int) -> bytes:
        return self.contents[snapshot][position : position + max_bytes]

    def write(self, snapshot: SnapshotId, content: bytes) -> None:
        self.contents[snapshot] = content

    def remove_older_than(self, snapshot: SnapshotId) -> None:
        self.contents = {kept: content for kept, content in self.contents.items() if kept >= snapshot}


class MemoryVotes:
    """``kernel.ports.VoteStore``. ``before_save`` lets a test crash the node inside ``save``, before it is durable."""

    def __init__(self) -> None:
        self.vote: Vote | None = None
        self.save_count = 0
        self.before_save: Callable[[Vote], None] = lambda vote: None
        self.after_save: Callable[[Vote], None] = lambda vote: None

    def load(self) -> Vote | None:
        return self.vote

    def save(self, vote: Vote) -> None:
        self.before_save(vote)
        self.vote = vote
        self.save_count += 1
        self.after_save(vote)


class MemoryStorage:
    """One node's disk, in memory: nothing needs recovering."""

    def __init__(self, bootstrap: bytes | None = None) -> None:
        self.log = ListLog()
        self.snapshots = MemorySnapshots()
        self.votes = MemoryVotes()
        if bootstrap is not None:
            self.snapshots.write(SnapshotId(0, 0), bootstrap)

    def open(self) -> None:
        """A process starts."""

    def crash(self) -> None:
        """A process ends, the page cache stays."""

    def power_loss(self, rng: Rng) -> None:
        """What was not synced is gone, or a part of it."""
        self.log.power_loss(rng)
