"""One replica's log of one partition: kernel.ports.Log over segments, leader epochs and producers.

Invariants (codes: docs/invariants.md), besides those of ``kernel.ports.Log``:
- segments are contiguous and rising; all but the last (the active one) never change; ``log_start_offset`` lies in the first one or after it;
- what a failed append left behind is cut away before anything else is written, or the log refuses every later append;
- a log whose sync failed takes and syncs nothing more: the kernel may have dropped what was to be written, and would call it written;
- ``synced_end_offset`` never passes what the files, their directory entries and the leader-epoch file hold durably; before a cut,
  ``before_cut`` has stored where, so that a recovery point or high watermark on disk never speaks of bytes that came later (R12);
- a cut is durable before anything is written in its place: a power loss could else bring back what it removed, and keep what came behind it;
- before segments below a new log start go, ``before_removal`` has stored it: some may come back after a power loss, and not all (R14).

Not in here: the high watermark, who may append, when to sync. ``recovery`` builds a ``PartitionLog``; ``PartitionLog.create`` makes a new one.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from struct import Struct

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.invariant import invariant
from holdwater.kernel.ports import (
    AbortedTransaction,
    AppendResult,
    BatchHeader,
    CorruptRecords,
    Disk,
    DiskFailure,
    EpochEnd,
    TimestampedOffset,
)
from holdwater.storage import retention, search, swap
from holdwater.storage.chain import SegmentChain
from holdwater.storage.config import LOG_APPEND_TIME, LogConfig
from holdwater.storage.epochs import LeaderEpochs
from holdwater.storage.facts import Damage, LogEvent
from holdwater.storage.producer_files import ProducerFiles
from holdwater.storage.producers import Producers, replay, take_in
from holdwater.storage.segment import MAX_RELATIVE_OFFSET, Segment, sync_path
from holdwater.storage.sync import SyncJob, Unsynced
from holdwater.storage.txn_index import AbortedRange
from holdwater.wire.records import (
    CONTROL_FLAG,
    HEAD_BYTES,
    HEADER_BYTES,
    LENGTH_OVERHEAD,
    MAGIC,
    TransactionMarker,
    batches,
    check_crc,
    parse_header,
    read_transaction_marker,
    stamp_batch,
)

_pack_head = Struct(">qiibI").pack
_new_result = AppendResult._make


class PartitionLog:
    """See the module. ``partition`` names it in messages; ``path`` is its directory."""

    def __init__(
        self,
        disk: Disk,
        path: str,
        config: LogConfig,
        *,
        segments: list[Segment],
        epochs: LeaderEpochs,
        producers: Producers,
        producer_files: ProducerFiles,
        log_start_offset: int,
        log_end_offset: int,
        synced_end_offset: int,
        unsynced: Sequence[Segment] = (),
    ) -> None:
        """For ``create`` and ``recovery``; the parts agree with each other. ``unsynced``: whose indexes may not be on disk, wherever they lie."""
        self.path = path
        self.damage: Damage | None = None
        self.damaged_segments: list[Segment] = []
        """Segments after ``damage``: kept on disk, not part of the log, removed by the next cut."""
        self.events: list[LogEvent] = []
        self.before_cut: Callable[[int], None] | None = None
        """Called with the offset before the log is cut there; must store durably that no recovery point or high watermark is above it."""
        self.before_removal: Callable[[int], None] | None = None
        """Called with the log start offset before segments below it are removed; must store it durably."""
        self.before_gap: Callable[[], None] | None = None
        """Called before offsets go missing between batches (compaction); must store durably that this log may have such gaps."""
        self.may_have_gaps = False
        """Whether offsets may be missing between batches: the topic is compacted, or once was."""
        self._disk = disk
        self._chain = SegmentChain(segments)
        self._active = segments[-1]
        self._epochs = epochs
        self._producers = producers
        self._producer_files = producer_files
        self._start = log_start_offset
        self._end = log_end_offset
        self._synced = synced_end_offset
        self._unsynced = Unsynced(
            [one for one, following in pairwise(segments) if one in unsynced or following.base_offset > synced_end_offset]
        )
        self._cut_count = 0
        self._failure: DiskFailure | None = None
        self._failed_sync: DiskFailure | None = None
        self._identity: str | None = None
        self._latest_epoch = epochs.latest
        self.configure(config)

    @classmethod
    def create(cls, disk: Disk, path: str, config: LogConfig, wall_ms: int, *, start_offset: int = 0) -> "PartitionLog":
        """A new, empty log in the existing directory ``path``."""
        segment = Segment(disk, path, start_offset, config, wall_ms, fresh=True)
        segment.file  # noqa: B018 - creates the file
        return cls(
            disk,
            path,
            config,
            segments=[segment],
            epochs=LeaderEpochs(disk, path),
            producers=Producers(start_offset),
            producer_files=ProducerFiles(disk, path),
            log_start_offset=start_offset,
            log_end_offset=start_offset,
            synced_end_offset=start_offset,
        )

    def mark_durable(self) -> None:
        """Note that all of it is on disk durably, as after a clean stop."""
        self._unsynced.settle()
        self._synced = self._end
        self._epochs.begin_sync()

    def belong_by(self, path: str) -> None:
        """Let the first append make a file of the directory durable before it writes: no record may outlive the file that says whose it is."""
        self._identity = path

    def sync_with(self, path: str) -> None:
        """Let the next sync make another file of the directory durable too, before the recovery point moves."""
        self._unsynced.paths.append(path)

    def configure(self, config: LogConfig) -> None:
        """Replace the settings; segments already written stay as they are."""
        self.config = config
        self.may_have_gaps = self.may_have_gaps or config.compact
        self._stamps = config.message_timestamp_type == LOG_APPEND_TIME
        self._max_bytes = config.max_message_bytes
        self._after_max_ms = config.message_timestamp_after_max_ms
        self._before_max_ms = config.message_timestamp_before_max_ms

    # Where it starts and ends

    @property
    def log_start_offset(self) -> int:
        """First offset a reader may ask for."""
        return self._start

    @property
    def log_end_offset(self) -> int:
        """Offset the next record gets."""
        return self._end

    @property
    def synced_end_offset(self) -> int:
        """Every record below it survives a power loss."""
        return self._synced

    @property
    def latest_epoch(self) -> int:
        """Largest leader epoch, or -1."""
        return self._latest_epoch

    @property
    def cut_count(self) -> int:
        """How often the log was cut since it was opened."""
        return self._cut_count

    @property
    def failure(self) -> DiskFailure | None:
        """Why nothing is ever appended here again, or ``None``."""
        return self._failure

    def size_bytes(self) -> int:
        """Bytes of records on disk."""
        return sum(segment.size for segment in self._chain.segments)

    @property
    def segment_count(self) -> int:
        """Files the records lie in."""
        return len(self._chain.segments)

    # Append

    def append_as_leader(
        self, data: bytes, header: BatchHeader, leader_epoch: int, wall_ms: int, transaction_version: int = 0
    ) -> AppendResult:
        """Append one whole batch at the log end offset.

        ``transaction_version`` is that of WriteTxnMarkers (KIP-1228), for markers only. Error codes in the result, nothing written then:
        MESSAGE_TOO_LARGE, INVALID_TIMESTAMP, INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_TXN_STATE,
        TRANSACTION_COORDINATOR_FENCED. Raises ``DiskFailure``.
        """
        length = len(data)
        _, batch_length, _, _, crc, attributes, last_offset_delta, base_timestamp, max_timestamp, producer_id, _, _, _ = header
        invariant(batch_length == length - LENGTH_OVERHEAD, "append_as_leader takes exactly one batch")
        marker = None
        if attributes & CONTROL_FLAG:
            if producer_id >= 0:
                marker = read_transaction_marker(data, 0, header)
        elif length > self._max_bytes:
            return _refused(ErrorCode.MESSAGE_TOO_LARGE)
        elif not self._stamps and (
            max_timestamp - wall_ms > self._after_max_ms or (wall_ms - base_timestamp > self._before_max_ms and base_timestamp >= 0)
        ):
            return _refused(ErrorCode.INVALID_TIMESTAMP)
        if producer_id >= 0:
            judged = self._judge(header, marker, transaction_version)
            if judged is not None:
                return judged
        log_append_time = -1
        if self._stamps and not attributes & CONTROL_FLAG:
            log_append_time = wall_ms
            data = stamp_batch(data, wall_ms)
            header = parse_header(data)
            crc, max_timestamp = header.crc, wall_ms

        base_offset = self._end
        last_offset = base_offset + last_offset_delta
        if leader_epoch != self._latest_epoch:
            self.assign_epoch(leader_epoch)
        segment = self._active
        if segment.must_roll(length, last_offset, max_timestamp, wall_ms, self.config):
            segment = self._roll(wall_ms)
        self._write(segment, _pack_head(base_offset, batch_length, leader_epoch, MAGIC, crc), memoryview(data)[HEAD_BYTES:])
        segment.note(base_offset, last_offset, length, max_timestamp)
        self._end = last_offset + 1
        if producer_id >= 0:
            self._take_in(segment, header, base_offset, marker)
        return _new_result((0, base_offset, last_offset, log_append_time, False))

    def _judge(self, header: BatchHeader, marker: TransactionMarker | None, transaction_version: int) -> AppendResult | None:
        """The answer to a batch of a known producer that is not to be appended; ``None`` for one that is."""
        if marker is not None:
            code = self._producers.check_marker(header, marker, transaction_version)
            return _refused(code) if code else None
        code, known = self._producers.check_data(header)
        if known is not None:
            return AppendResult(0, known.first_offset, known.last_offset, known.timestamp_ms if self._stamps else -1, True)
        return _refused(code) if code else None

    def _take_in(self, segment: Segment, header: BatchHeader, base_offset: int, marker: TransactionMarker | None) -> None:
        aborted = take_in(self._producers, header, base_offset, marker)
        if aborted is not None:
            segment.txn_index.append(aborted)

    def _write(self, segment: Segment, *parts: bytes | memoryview) -> None:
        """Append to a segment's file. If what a failure left behind cannot be cut away, nothing is ever appended again."""
        if self._failure is not None:
            raise self._failure
        invariant(self.damage is None, f"{self.path} is damaged ({self.damage}): nothing may be appended to it")
        if self._identity is not None:
            self._keep_identity(self._identity)
        try:
            segment.append(*parts)
        except DiskFailure as failure:
            if segment.file.size != segment.size:
                self._failure = failure
            raise

    def _keep_identity(self, path: str) -> None:
        try:
            sync_path(self._disk, path)
            self._disk.sync_directory(self.path)
        except DiskFailure as failure:
            self._failure = self._failed_sync = failure
            raise
        self._identity = None

    def append_as_follower(self, data: bytes, wall_ms: int, gaps_end: int = 2**63 - 1) -> int:
        """Append whole batches as the leader stored them; see ``kernel.ports.Log``. Batches before a bad one are written."""
        run: list[tuple[BatchHeader, TransactionMarker | None]] = []
        run_start = run_end = 0
        expected = self._end
        segment = self._active
        try:
            for position, header, end in batches(data):
                marker = self._check_replicated(data, position, header, expected, gaps_end)
                last_offset = header.base_offset + header.last_offset_delta
                if segment.must_roll(end - run_start, last_offset, header.max_timestamp, wall_ms, self.config):
                    self._append_run(segment, data[run_start:run_end], run)
                    segment = self._roll(wall_ms, last_offset)
                    run_start, run = position, []
                self._follow_epoch(header)
                run.append((header, marker))
                run_end = end
                expected = last_offset + 1
        except CorruptRecords:
            self._append_run(segment, data[run_start:run_end], run)
            raise
        self._append_run(segment, data[run_start:run_end], run)
        return self._end

    def _check_replicated(self, data: bytes, position: int, header: BatchHeader, expected: int, gaps_end: int) -> TransactionMarker | None:
        """Raise ``CorruptRecords`` unless the batch is intact and continues the log; returns the marker if it is one."""
        check_crc(data, position, header)
        base_offset = header.base_offset
        is_gap = expected < base_offset <= gaps_end and (self.may_have_gaps or self._learn_of_gaps(data, position, header))
        if base_offset != expected and not is_gap:
            raise CorruptRecords(f"{self.path} ends at offset {expected}, the batch that came starts at {base_offset}")
        if header.partition_leader_epoch < 0:
            raise CorruptRecords(
                f"{self.path}: the batch that came at offset {base_offset} has leader epoch {header.partition_leader_epoch}"
            )
        if header.attributes & CONTROL_FLAG and header.producer_id >= 0:
            return read_transaction_marker(data, position, header)
        return None

    def _learn_of_gaps(self, data: bytes, position: int, header: BatchHeader) -> bool:
        """Whether a gap in what the leader sent may stand, though nothing says that the topic was ever compacted: its policy may have changed.

        If the batch behind it goes on after it, it does: a wrong base offset (no checksum covers it) would contradict that one.
        """
        end = position + header.batch_length + LENGTH_OVERHEAD
        if end + HEADER_BYTES > len(data):
            return False
        self.may_have_gaps = parse_header(data, end).base_offset > header.base_offset + header.last_offset_delta
        return self.may_have_gaps

    def _append_run(self, segment: Segment, content: bytes, run: list[tuple[BatchHeader, TransactionMarker | None]]) -> None:
        """Write checked batches that fit one segment, in one write, then account for them."""
        if not run:
            return
        if self.may_have_gaps:
            self._announce_gaps(segment, run)
        skips = segment.base_offset > self._end
        self._write(segment, content)
        for header, marker in run:
            base_offset = header.base_offset
            last_offset = base_offset + header.last_offset_delta
            segment.note(base_offset, last_offset, header.batch_length + LENGTH_OVERHEAD, header.max_timestamp)
            self._end = last_offset + 1
            if header.producer_id >= 0:
                self._take_in(segment, header, base_offset, marker)
        if skips:
            self.sync()
            self._gap_comes()

    def _announce_gaps(self, segment: Segment, run: list[tuple[BatchHeader, TransactionMarker | None]]) -> None:
        expected = self._end
        for header, _ in run:
            if header.base_offset != expected:
                segment.has_gaps = True
                self._gap_comes()
                return
            expected = header.base_offset + header.last_offset_delta + 1

    def _gap_comes(self) -> None:
        if self.before_gap is not None:
            self.before_gap()

    def _follow_epoch(self, header: BatchHeader) -> None:
        """Take a batch's leader epoch into the cache. Epochs never fall along a log, except over an epoch that has no records here."""
        epoch = header.partition_leader_epoch
        if epoch == self._latest_epoch:
            return
        if epoch < self._latest_epoch:
            self._epochs.drop_from(header.base_offset)
            self._latest_epoch = self._epochs.latest
            if epoch < self._latest_epoch:
                raise CorruptRecords(
                    f"{self.path}: a batch of leader epoch {epoch} at offset {header.base_offset}, after records of epoch {self._latest_epoch}"
                )
        self._epochs.assign(epoch, header.base_offset)
        self._latest_epoch = self._epochs.latest

    def _roll(self, wall_ms: int, up_to: int = -1) -> Segment:
        """Start a new active segment at the log end offset, or, where an offset to come would be too far from that, as near to it as need be.

        So a gap lies inside a segment: one between two could be a segment that a power loss has taken.
        """
        base_offset = max(up_to - MAX_RELATIVE_OFFSET, self._end)
        previous = self._active
        if previous.size == 0 and previous.base_offset == base_offset:
            return previous
        previous.become_inactive()
        self._producers.end_offset = self._end
        self._producer_files.write(self._producers)
        segment = Segment(self._disk, self.path, base_offset, self.config, wall_ms, fresh=True)
        segment.file  # noqa: B018 - creates the file
        self._unsynced.segments.append(previous)
        self._chain.add(segment)
        self._active = segment
        self._unsynced.directory_changed = True
        return segment

    # Read

    def read(self, offset: int, max_bytes: int, upper_offset: int, *, at_least_one: bool) -> bytes:
        """Whole batches from the one that holds ``offset``; see ``kernel.ports.Log``."""
        if offset >= upper_offset:
            return b""
        segment = self._active
        found = segment.range_in_table(offset, max_bytes, upper_offset, self._end, at_least_one)
        if found is None:
            return self._chain.read(offset, max_bytes, upper_offset, self._end, at_least_one, self.may_have_gaps)
        start, limit = found
        return segment.file.read(start, limit - start) if limit > start else b""

    def offset_for_timestamp(self, timestamp_ms: int, upper_offset: int) -> TimestampedOffset | None:
        """First record below ``upper_offset`` whose timestamp is at least ``timestamp_ms``."""
        return search.offset_for_timestamp(self, self._chain, timestamp_ms, min(upper_offset, self._end))

    def max_timestamp_offset(self, upper_offset: int) -> TimestampedOffset | None:
        """The record with the largest timestamp below ``upper_offset`` (KIP-734)."""
        return search.max_timestamp_offset(self, self._chain, min(upper_offset, self._end))

    # Leader epochs

    def assign_epoch(self, leader_epoch: int) -> None:
        """Note that ``leader_epoch`` starts at the log end offset."""
        invariant(leader_epoch >= self._latest_epoch, f"{self.path} has leader epoch {self._latest_epoch}, {leader_epoch} is older")
        self._epochs.assign(leader_epoch, self._end)
        self._latest_epoch = self._epochs.latest

    def end_offset_for_epoch(self, leader_epoch: int) -> EpochEnd | None:
        """Where the largest known epoch not above ``leader_epoch`` ends; the latest ends at the log end offset."""
        return self._epochs.end_offset_for(leader_epoch, self._end)

    @property
    def first_epoch_start(self) -> int:
        """Where the first known leader epoch starts; the log start offset when none is known."""
        first = self._epochs.first_start
        return first if first >= 0 else self._start

    def epoch_at(self, offset: int) -> int:
        """Leader epoch of the record at ``offset``, or -1."""
        return self._epochs.epoch_at(offset)

    def epoch_entries(self) -> list[tuple[int, int]]:
        """All (leader epoch, start offset), rising."""
        return self._epochs.entries()

    # Transactions and producers

    @property
    def producers(self) -> Producers:
        """What is known of the producers; read it only (DescribeProducers, transaction verification)."""
        return self._producers

    def last_stable_offset(self, high_watermark: int) -> int:
        """First offset of the earliest open transaction, at least the log start and at most ``high_watermark``."""
        producers = self._producers
        if not producers.open and not producers.completed:
            return high_watermark
        first = producers.first_unstable_offset(high_watermark)
        return high_watermark if first is None else min(max(first, self._start), high_watermark)

    def has_open_transaction(self, producer_id: int, producer_epoch: int) -> bool:
        """Whether the producer has an open transaction under that epoch."""
        state = self._producers.states.get(producer_id)
        return state is not None and state.transaction_start >= 0 and state.producer_epoch == producer_epoch

    def producer_epoch(self, producer_id: int) -> int:
        """The producer's epoch, -1 when nothing is known of it."""
        state = self._producers.states.get(producer_id)
        return -1 if state is None else state.producer_epoch

    def open_transaction(self, producer_id: int) -> int:
        """First offset of the producer's open transaction, or -1."""
        state = self._producers.states.get(producer_id)
        return state.transaction_start if state is not None else -1

    def aborted_transactions(self, first_offset: int, end_offset: int) -> list[AbortedTransaction]:
        """Aborted transactions that overlap the range."""
        return [AbortedTransaction(each.producer_id, each.first_offset) for each in self.aborted_between(first_offset, end_offset)]

    def aborted_between(self, offset: int, end_offset: int) -> list[AbortedRange]:
        """Aborted transactions that overlap the range, as their indexes have them."""
        found: list[AbortedRange] = []
        for segment in self._chain.since(offset):
            for entry in segment.txn_index.entries():
                if entry.last_offset >= offset and entry.first_offset < end_offset:
                    found.append(entry)
                if entry.last_stable_offset >= end_offset:
                    return found  # every later marker belongs to a transaction that began at or above the end
        return found

    def expire_producers(self, wall_ms: int, expiration_ms: int) -> int:
        """Forget producers idle for ``expiration_ms``; returns how many. For the caller's periodic round."""
        return self._producers.expire(wall_ms, expiration_ms)

    # Cut

    def truncate_to(self, offset: int) -> None:
        """Remove every record at or above ``offset``. A batch that begins below it goes as a whole, and the log then ends where it began.

        Clears ``damage``: whoever cuts a damaged log has decided where the truth lies.
        """
        invariant(offset >= self._start, f"{self.path} starts at offset {self._start}, it cannot be cut to {offset}")
        if offset >= self._end and self.damage is None:
            self._epochs.drop_from(offset)
            self._latest_epoch = self._epochs.latest
            return
        with self._cutting():
            offset = min(offset, self._end)
            offset = self._chain.since(offset)[0].batch_boundary(offset)
            self._prepare_cut(offset)
            if offset <= self._start and self.before_removal is not None:
                self.before_removal(self._start)  # no leader epoch is left to tell it
            self._chain.remove_from(offset)
            self._active = self._chain.active
            self._end = self._active.truncate_to(offset)
            if self._end >= self._start:
                self._follow_cut()
        if self._end < self._start:
            self.truncate_fully_and_start_at(self._start)  # the start lay inside the batch that went
        else:
            self._sync_cut()

    def truncate_fully_and_start_at(self, offset: int) -> None:
        """Remove everything; the log starts and ends at ``offset``."""
        with self._cutting():
            self._prepare_cut(min(offset, self._start))
            if self.before_removal is not None:  # whether it rises, stays or falls: what is stored may be lower
                self.before_removal(offset)
            self._epochs.clear()
            self._active = Segment(self._disk, self.path, offset, self.config, self._active.created_ms, fresh=True)
            self._chain.replace_all(self._active)
            self._start = self._end = offset
            self._producer_files.remove_all()
            self._producers = Producers(offset)
            self._follow_cut()
        self._sync_cut()

    @contextmanager
    def _cutting(self) -> Generator[None, None, None]:
        """A cut heals an earlier failed append and clears ``damage``; one that fails half way ends all appends."""
        try:
            yield
        except DiskFailure as failure:
            self._failure = failure
            raise
        self._failure = self._failed_sync
        self.damage = None

    def _prepare_cut(self, offset: int) -> None:
        self._cut_count += 1
        if self.before_cut is not None:
            self.before_cut(offset)
        self._synced = min(self._synced, offset)
        for segment in reversed(self.damaged_segments):
            segment.remove()
        self.damaged_segments = []

    def _follow_cut(self) -> None:
        self._unsynced.keep(self._chain.segments, self._active)
        self._synced = min(self._synced, self._end)
        self._epochs.drop_from(self._end)
        self._latest_epoch = self._epochs.latest
        self._reload_producers()

    def _sync_cut(self) -> None:
        """Make the cut durable, and nothing else: segments that were rolled before it may wait."""
        if self._failed_sync is not None:
            raise self._failed_sync
        try:
            self._active.file.sync()
            if self._epochs.begin_sync():
                self._epochs.sync()
            self._disk.sync_directory(self.path)
        except DiskFailure as failure:
            self._failure = self._failed_sync = failure
            raise

    def _reload_producers(self) -> None:
        """Producer state at the log end offset, after a cut: the newest snapshot that is not above it, and the batches since."""
        self._producer_files.remove_above(self._end)
        if self._producers.is_empty():
            self._producers.end_offset = self._end
            return
        self._producers = self._producer_files.load(self._chain.first_offset, self._end)
        for segment in self._chain.since(self._producers.end_offset):
            for data, at, header in segment.batches_from(self._producers.end_offset):
                replay(self._producers, data, at, header)
            self._chain.cool(segment)
        self._producers.end_offset = self._end

    def advance_log_start(self, offset: int) -> None:
        """Raise the log start offset and delete the segments below it; a lower offset changes nothing."""
        if offset <= self._start:
            return
        invariant(offset <= self._end, f"{self.path} ends at offset {self._end}, its start cannot move to {offset}")
        self._start = offset
        if self.before_removal is not None and self._chain.has_below(offset):
            self.before_removal(offset)
        if self._chain.remove_below(offset):
            self._unsynced.keep(self._chain.segments, self._active)
        self._producer_files.remove_below(self._chain.first_offset)
        self._epochs.start_at(offset)

    # Retention and compaction

    @property
    def disk(self) -> Disk:
        """Where it lies."""
        return self._disk

    @property
    def chain(self) -> SegmentChain:
        """The segments, for ``compaction``; read them only."""
        return self._chain

    def delete_old_segments(self, high_watermark: int, wall_ms: int) -> bool:
        """Delete the segments that ``retention.bytes`` and ``retention.ms`` let go, of those below ``high_watermark``; whether there were any.

        An active segment that may go is rolled first.
        """
        if self._failure is not None or self.damage is not None:
            return False
        start = self._chain.first_offset
        for expired_end in (retention.end_by_size, retention.end_by_age):
            end = expired_end(self.config, self._chain, self._end, high_watermark, wall_ms)
            if end == self._end and self._active.size:
                self._roll(wall_ms)
            self.advance_log_start(end)
        return self._chain.first_offset > start

    def replace_segments(self, old: list[Segment], cleaned: Segment) -> None:
        """Put a cleaned segment in the place of those that it was made from. Its files are synced, all but the log named as ``swap`` says.

        Raises ``DiskFailure``; the log takes nothing more then, since the disk may hold either.
        """
        following = self._chain.since(old[-1].base_offset)[1].base_offset
        invariant(self._synced >= following, f"{self.path} is synced up to offset {self._synced}, and compacted up to {following}")
        self._gap_comes()
        try:
            swap.commit(self._disk, self.path, cleaned.base_offset)
            cleaned.close()
            for segment in reversed(old[1:]):
                segment.remove()
            swap.complete(self._disk, self.path, cleaned.base_offset)
            for segment in old[1:]:
                self._producer_files.remove_at(segment.base_offset)
        except DiskFailure as failure:
            self._failure = failure
            raise
        replacement = Segment(self._disk, self.path, cleaned.base_offset, self.config, old[-1].created_ms, fresh=False)
        replacement.take_over(cleaned)
        self._chain.replace(old, replacement)
        self._unsynced.segments = [one for one in self._unsynced.segments if one not in old]

    # Durability

    def unsynced_segments(self) -> list[Segment]:
        """The inactive ones that were not synced since they were rolled."""
        return list(self._unsynced.segments)

    def sync(self) -> None:
        """Make everything appended so far durable. One that failed is not tried again: what it was to write may be lost without a trace."""
        if self._failed_sync is not None:
            raise self._failed_sync
        try:
            job = self.begin_sync()
            job.run()
        except DiskFailure as failure:
            self._failure = self._failed_sync = failure
            raise
        self.finish_sync(job)

    def begin_sync(self) -> SyncJob:
        """The first of three steps of a sync off the loop: ``begin_sync`` here, ``run`` anywhere, ``finish_sync`` here.

        Between them the log may be used and cut, not closed.
        """
        invariant(self.damage is not None or not self._epochs.is_behind, f"{self.path}: its leader-epoch file is behind what it holds")
        job = SyncJob(self._disk, self.path, self._end, self._cut_count)
        self._unsynced.fill(job, self._active, self._epochs, has_records=self._end > self._synced)
        self._chain.hold_open()
        return job

    def finish_sync(self, job: SyncJob) -> None:
        """Note that a job's ``run`` came back without an error."""
        self._chain.let_close()
        if job.cut_count == self._cut_count:  # else what was synced may be gone, and what is there now came later
            self._synced = max(self._synced, job.end_offset)
            self._unsynced.segments = [one for one in self._unsynced.segments if one not in job.rolled]
        for segment in job.rolled:
            self._chain.cool(segment)

    def close(self) -> None:
        """Sync, write indexes and a producer snapshot, and release the files: what a clean start needs to read nothing.

        Raises the ``DiskFailure`` that ended appends, if one did: a stop is not clean then.
        """
        if self._failure is not None:
            raise self._failure
        if self.damage is None:
            self._active.become_inactive()
            self._producers.end_offset = self._end
            for path in (self._producer_files.write(self._producers), self._active.txn_index.path, self._identity):
                if path is not None and self._disk.exists(path):
                    self.sync_with(path)
            self.sync()
        self.release()

    def release(self) -> None:
        """Close the files without a sync, as before the directory is removed or after it failed."""
        for segment in self._chain.segments:
            segment.close()


def _refused(code: int) -> AppendResult:
    return AppendResult(int(code), -1, -1, -1, False)
