"""Opening a partition's log: after a clean stop in a few reads, after a crash by scanning, in slices that the caller schedules.

What a crash leaves is an intact prefix and possibly a torn tail. The scan starts with the segment that holds the last record below the
recovery point, since everything before it was synced, and checks what can go wrong with a batch: its CRC, its offset (the next one), its
leader epoch (neither negative nor falling; below the recovery point the very one of the leader-epoch file). These cover the 21 head bytes
that the CRC leaves out (R13 in docs/invariants.md).

At the first batch that fails, one of two things happens. Bytes that were never synced and hold nothing committed that is known of are a torn
tail: cut away, with a ``LogEvent``. But when the place lies below the recovery point, or below the high watermark with intact batches after
it, this is damage: nothing is cut, and the log opens with ``damage`` set, for the caller to take the replica offline.
So it is with a log whose first segments are missing: a power loss takes entries of a directory in any order.

Opening twice gives the same log as opening once, whatever was interrupted (R12).
"""

from collections.abc import Generator
from itertools import pairwise
from typing import NamedTuple

from holdwater.kernel.ports import BatchHeader, CorruptRecords, Disk, File
from holdwater.storage import swap
from holdwater.storage.config import LogConfig
from holdwater.storage.epochs import LeaderEpochs
from holdwater.storage.facts import Damage, LogEvent
from holdwater.storage.log import PartitionLog
from holdwater.storage.names import LOG_SUFFIX, PRODUCER_SNAPSHOT_SUFFIX, TEMPORARY_SUFFIXES, parse_segment_file, segment_file
from holdwater.storage.producer_files import ProducerFiles
from holdwater.storage.producers import Producers, replay
from holdwater.storage.scan import CHUNK_BYTES, walk
from holdwater.storage.segment import MAX_RELATIVE_OFFSET, Segment
from holdwater.wire.records import HEADER_BYTES, LENGTH_OVERHEAD, check_crc, parse_header
from holdwater.wire.records.batch import MAGIC, MAGIC_POSITION

SLICE_BYTES = 4 << 20
"""Bytes read between two pauses, unless the caller says otherwise."""

Slices = Generator[int, None, None]


class Checkpoints(NamedTuple):
    """What the log directory's checkpoint files say about one partition."""

    recovery_point: int = 0
    log_start_offset: int = 0
    high_watermark: int = 0
    has_log_start: bool = False
    """Whether ``log_start_offset`` is known: Kafka stores it only where it lies inside a segment."""
    compacted_to: int = 0


def load_log(
    disk: Disk,
    path: str,
    config: LogConfig,
    *,
    clean: bool,
    checkpoints: Checkpoints,
    wall_ms: int,
    slice_bytes: int = SLICE_BYTES,
) -> Generator[int, None, PartitionLog]:
    """Open the log in ``path``: a generator that yields the bytes read since the last pause and returns the log.

    ``clean``: the directory was closed by ``PartitionLog.close`` and not touched since, so nothing is scanned.
    """
    loading = _Loading(disk, path, config, clean, checkpoints, wall_ms, slice_bytes)
    yield from loading.run()
    return loading.finish()


def load_now(disk: Disk, path: str, config: LogConfig, *, clean: bool, checkpoints: Checkpoints, wall_ms: int) -> PartitionLog:
    """``load_log`` without pauses."""
    steps = load_log(disk, path, config, clean=clean, checkpoints=checkpoints, wall_ms=wall_ms)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


class _BadBatch(Exception):  # noqa: N818 - named for what was met
    """A batch that does not belong where it is. ``__str__`` says why."""


class _Loading:
    """One log being opened."""

    def __init__(
        self, disk: Disk, path: str, config: LogConfig, clean: bool, checkpoints: Checkpoints, wall_ms: int, slice_bytes: int
    ) -> None:
        self.disk = disk
        self.path = path
        self.config = config
        self.clean = clean
        self.checkpoints = checkpoints
        self.wall_ms = wall_ms
        self.slice_bytes = slice_bytes
        self.events: list[LogEvent] = []
        self.damage: Damage | None = None
        self.damaged_segments: list[Segment] = []
        self.segments: list[Segment] = []
        self.indexed_anew: list[Segment] = []
        self.end = 0
        """Offset after the last intact batch so far."""
        self.read_bytes = 0
        self.epochs_trusted = True
        self.last_epoch = -1
        """Leader epoch of the last batch checked."""
        self.epochs = LeaderEpochs(disk, path)
        self.stored_epochs = self.epochs
        """As the file had them; ``epochs`` follows the batches."""
        self.producers = Producers()
        self.producer_files = ProducerFiles(disk, path)

    # The steps

    def run(self) -> Slices:
        names = self._tidy(self.disk.list_directory(self.path))
        self.producer_files = ProducerFiles(self.disk, self.path, names)
        bases = self._drop_below_start(
            sorted(entry[0] for entry in map(parse_segment_file, names) if entry is not None and entry[1] == LOG_SUFFIX)
        )
        self.epochs_trusted = self.epochs.load() or not any(self._segment(base, fresh=True).size for base in bases)
        self.stored_epochs = self.epochs.copy()
        self.epochs.defer()
        if not self.epochs_trusted:
            self._event("epochs-rebuilt", 0, "leader-epoch-checkpoint is missing or damaged: it is rebuilt from all batches")
        if not bases:
            return
        if self.clean and self.epochs_trusted and (yield from self._load_clean(bases)):
            return
        self.clean = False
        if self._begins_late(bases[0]):
            self._drop_what_begins_late(bases)
            return
        scan_from = self._scan_from(bases)
        try:
            yield from self._load_unscanned(bases, scan_from)
        except CorruptRecords as error:
            self._event("full-scan", bases[0], f"{error}: the log is scanned from its start")
            scan_from = 0
            yield from self._load_unscanned(bases, scan_from)
        self.producer_files.remove_above(bases[scan_from])
        self.end = bases[scan_from]
        self.last_epoch = self.epochs.epoch_at(self.end - 1)
        yield from self._scan(bases[scan_from:])
        if self.epochs.first_start < self.end:
            self.epochs.drop_from(self.end)
        else:
            self.epochs.drop_from(self.end + 1)  # the log is empty, and the entry tells where it starts

    def _begins_late(self, first: int) -> bool:
        """Whether the log once began below its first segment."""
        if self.checkpoints.has_log_start:
            return first > self.checkpoints.log_start_offset
        epochs = self.epochs.entries()
        return bool(epochs) and epochs[0][1] < first

    def _drop_what_begins_late(self, bases: list[int]) -> None:
        """Nothing is intact: the log ends where it starts, and what follows the gap goes, or stays as damage when it was synced or committed."""
        recovery_point, start, high_watermark = self.checkpoints[:3]
        after = [self._segment(base, fresh=True) for base in bases]
        problem = f"the log began at offset {start}, its first segment begins at {bases[0]}"
        self.end = start
        if max(recovery_point, high_watermark) > start:
            self.damage = Damage(f"{self.path}/{segment_file(start, LOG_SUFFIX)}", 0, start, problem)
            self.damaged_segments = after
            return
        for one in reversed(after):
            one.remove()
        self._event("torn", start, f"{problem}: {len(after)} segments cut away")

    def _load_unscanned(self, bases: list[int], scan_from: int) -> Slices:
        """Take over the segments below the recovery point, and the producers' state at their end."""
        self.segments = [self._segment(base, fresh=False) for base in bases[:scan_from]]
        yield from self._load_producers(bases[scan_from])

    def finish(self) -> PartitionLog:
        """The log, once ``run`` is through."""
        start = self.checkpoints.log_start_offset
        if not self.segments:
            if self.damage is None:
                self.epochs.clear()
            self.producer_files.remove_all()
            log = PartitionLog.create(self.disk, self.path, self.config, self.wall_ms, start_offset=start)
            return self._hand_over(log)
        self.producers.end_offset = self.end
        self.producer_files.remove_above(self.end)
        first = self.segments[0].base_offset
        start = min(max(start, first, self._start_by_epochs()), self.end)
        self.epochs.start_at(start)
        log = PartitionLog(
            self.disk,
            self.path,
            self.config,
            segments=self.segments,
            epochs=self.epochs,
            producers=self.producers,
            producer_files=self.producer_files,
            log_start_offset=start,
            log_end_offset=self.end,
            synced_end_offset=min(max(self.end if self.clean else self.checkpoints.recovery_point, first), self.end),
            unsynced=self.indexed_anew,
        )
        if self.clean:
            log.mark_durable()
        return self._hand_over(log)

    def _start_by_epochs(self) -> int:
        """Where the leader epochs say that the log starts, or -1. A raised log start waits for the next checkpoint, the leader epochs below it are
        forgotten at once: their records were deleted, and a replica that had them back without their epochs would tell others of wrong ends.
        """
        begin = self.stored_epochs.first_start if not self.clean else -1
        return begin if begin <= self.end else -1  # beyond the end, the file is ahead of records that a power loss has taken

    def _hand_over(self, log: PartitionLog) -> PartitionLog:
        recovery_point, start, high_watermark = self.checkpoints[:3]
        log.events = self.events
        if self.damage is None and max(log.log_end_offset, start) < recovery_point:
            path = f"{self.path}/{segment_file(log.log_end_offset, LOG_SUFFIX)}"
            reason = f"the log ends at offset {log.log_end_offset}, but everything below {recovery_point} had been synced"
            self.damage = Damage(path, 0, log.log_end_offset, reason)
        log.damage = self.damage
        if log.damage is None and (self.epochs.is_behind or not self.epochs_trusted):
            self.epochs.store()
        else:
            self.epochs.keep_file()  # what is damaged stays as it was found
        log.damaged_segments = self.damaged_segments
        if log.damage is None and log.log_end_offset < start:
            self._event("restarted", start, f"the log ended at offset {log.log_end_offset}, below its start {start}: it starts over there")
            log.truncate_fully_and_start_at(start)
        elif log.log_end_offset < high_watermark:
            lost = (
                f"the log ends at offset {log.log_end_offset}, records up to the high watermark {high_watermark} are gone from this replica"
            )
            self._event("shorter", log.log_end_offset, lost)
        return log

    # Files

    def _tidy(self, names: list[str]) -> list[str]:
        """Remove what an interrupted operation left; returns the names that stay."""
        names = swap.recover(self.disk, self.path, names)
        kept: list[str] = []
        logs = {entry[0] for entry in map(parse_segment_file, names) if entry is not None and entry[1] == LOG_SUFFIX}
        for name in names:
            entry = parse_segment_file(name)
            orphan = entry is not None and entry[1] not in {LOG_SUFFIX, PRODUCER_SNAPSHOT_SUFFIX} and entry[0] not in logs
            if orphan or name.endswith(TEMPORARY_SUFFIXES):
                self.disk.remove_file(f"{self.path}/{name}")
            else:
                kept.append(name)
        return kept

    def _drop_below_start(self, bases: list[int]) -> list[int]:
        """Remove again the segments that lie below the log start: a power loss may bring some of them back, with gaps between."""
        start = self.checkpoints.log_start_offset
        dropped = [base for base, following in pairwise(bases) if following <= start]
        for base in dropped:
            Segment(self.disk, self.path, base, self.config, self.wall_ms, fresh=True).remove()
        return [base for base in bases if base not in dropped]

    def _segment(self, base_offset: int, *, fresh: bool) -> Segment:
        segment = Segment(self.disk, self.path, base_offset, self.config, self.wall_ms, fresh=fresh)
        segment.size = segment.file.size
        segment.close()
        return segment

    def _scan_from(self, bases: list[int]) -> int:
        """Index of the first segment to scan: the one that was active when the recovery point was stored.

        That is the one with the last synced record. A segment that starts at the recovery point came later, and the indexes of the one before
        it may not have been synced yet. An earlier one that has lost an index is scanned too: what was aborted in it is nowhere else.
        """
        if not self.epochs_trusted:
            return 0
        last = max([index for index, base in enumerate(bases) if base < self.checkpoints.recovery_point], default=0)
        for index, base in enumerate(bases[:last]):
            if not self._segment(base, fresh=False).offset_index.exists():
                self._event("index-rebuilt", base, "an index file was missing: this segment and those after it are scanned")
                return index
        return last

    def _event(self, kind: str, offset: int, detail: str) -> None:
        self.events.append(LogEvent(kind, self.path, offset, detail))

    def _pause(self, read_bytes: int) -> bool:
        """Whether the slice is used up."""
        self.read_bytes += read_bytes
        return self.read_bytes >= self.slice_bytes

    def _take_slice(self) -> int:
        read_bytes, self.read_bytes = self.read_bytes, 0
        return read_bytes

    # After a clean stop

    def _load_clean(self, bases: list[int]) -> Generator[int, None, bool]:
        """Take over what the clean stop left; false when it does not fit together, and a scan has to tell."""
        segments = [self._segment(base, fresh=False) for base in bases]
        active = segments[-1]
        if not all(segment.offset_index.exists() for segment in segments[:-1]) or not self._indexes_fit(active):
            self._event("not-clean", active.base_offset, "an index is missing or contradicts its log: the log is scanned")
            return False
        end = active.base_offset
        try:
            for position, _, _, header in walk(active.file, active.offset_index.last_position(), active.size, active.path(LOG_SUFFIX)):
                end = header.base_offset + header.last_offset_delta + 1
                if self._pause(header.batch_length):
                    yield self._take_slice()
                if position == 0:
                    active.roll_timestamp = header.max_timestamp
        except CorruptRecords as error:
            self._event("not-clean", end, f"{error}: the log is scanned")
            return False
        active.take_over_indexes()
        self.segments = segments
        self.end = end
        yield from self._load_producers(end)
        return True

    def _indexes_fit(self, active: Segment) -> bool:
        if active.size == 0:
            return True
        return active.offset_index.is_sane(active.size) and active.time_index.is_sane() and active.txn_index.is_sane(active.base_offset)

    def _load_producers(self, end_offset: int) -> Slices:
        """The producers' state at ``end_offset``, the end of ``self.segments``: from the newest snapshot, and the batches after it."""
        first = self.segments[0].base_offset if self.segments else end_offset
        self.producers = self.producer_files.load(first, end_offset)
        self.producers.expire(self.wall_ms, self.config.producer_id_expiration_ms)
        bounds = [segment.base_offset for segment in self.segments[1:]] + [end_offset]
        for segment, segment_end in zip(self.segments, bounds, strict=bool(self.segments)):
            if segment_end <= self.producers.end_offset:
                continue
            for data, at, header in segment.batches_from(max(self.producers.end_offset, segment.base_offset)):
                replay(self.producers, data, at, header)
                if self._pause(header.batch_length):
                    yield self._take_slice()
            self.producers.end_offset = segment_end

    def _sync_indexes(self, segment: Segment) -> None:
        """At once: the next start would not look whether a power loss has torn them."""
        segment.sync_indexes()
        self.disk.sync_directory(self.path)

    # After a crash

    def _scan(self, bases: list[int]) -> Slices:
        """Check every batch of the segments from ``bases[0]`` on, up to the first that fails, and rebuild what is derived from them."""
        for base, following in pairwise([*bases, -1]):
            segment = self._segment(base, fresh=True)
            file_bytes, segment.size = segment.size, 0
            problem = "" if base == self.end or self._is_compacted_before(base) else f"a segment starts at offset {base}"
            if not problem:
                if self.segments and base > self.segments[0].base_offset:
                    self.producers.end_offset = base
                    self.producer_files.write(self.producers)
                self.segments.append(segment)
                self.end = base
                problem = yield from self._scan_segment(segment, file_bytes)
            if problem:
                yield from self._stop_at(segment, file_bytes, problem, [one for one in bases if one > base])
                return
            if following >= 0:
                segment.become_inactive()
                self.indexed_anew.append(segment)
                if following < self.checkpoints.recovery_point:
                    self._sync_indexes(segment)
                segment.drop_table()
                segment.close()

    def _is_compacted_before(self, base: int) -> bool:
        """Whether offsets may be missing before a segment. A log is synced, and that is stored, before compaction takes anything out of it: so a
        hole above what was synced or compacted is a file that a power loss has taken.
        """
        return self.config.compact and self.end < base <= max(self.checkpoints.recovery_point, self.checkpoints.compacted_to)

    def _scan_segment(self, segment: Segment, file_bytes: int) -> Generator[int, None, str]:
        """Take in the segment's batches; returns why the first bad one is bad, or nothing."""
        path = segment.path(LOG_SUFFIX)
        try:
            for _, data, at, header in walk(segment.file, 0, file_bytes, path):
                self._check(segment, data, at, header)
                self._take_in(segment, data, at, header)
                if self._pause(header.batch_length):
                    yield self._take_slice()
        except (CorruptRecords, _BadBatch) as bad:
            return str(bad)
        return ""

    def _check(self, segment: Segment, data: bytes, at: int, header: BatchHeader) -> None:
        """Raise when the batch does not belong here."""
        check_crc(data, at, header)
        base = header.base_offset
        if base != self.end and not (self.config.compact and base > self.end):
            raise _BadBatch(f"a batch has base offset {base}, expected {self.end}")
        if base + header.last_offset_delta - segment.base_offset > MAX_RELATIVE_OFFSET:
            raise _BadBatch(f"offset {base + header.last_offset_delta} is too far from its segment's base {segment.base_offset}")
        epoch = header.partition_leader_epoch
        if epoch < 0:
            raise _BadBatch(f"a batch has leader epoch {epoch}")
        known = self.stored_epochs.epoch_at(base)
        if known != epoch and base < self.checkpoints.recovery_point:
            if known >= 0:
                raise _BadBatch(f"a batch has leader epoch {epoch}, the leader-epoch file says {known}")
            first = next(iter(self.stored_epochs.entries()), None)
            if first is not None and epoch > first[0]:
                raise _BadBatch(f"a batch has leader epoch {epoch}, the leader-epoch file has {first[0]} for what follows it")
        if epoch < self.last_epoch:
            raise _BadBatch(f"a batch has leader epoch {epoch} after records of leader epoch {self.last_epoch}")

    def _take_in(self, segment: Segment, data: bytes, at: int, header: BatchHeader) -> None:
        base = header.base_offset
        aborted = replay(self.producers, data, at, header)
        if aborted is not None:
            segment.txn_index.append(aborted)
        self._follow_epoch(header.partition_leader_epoch, base)
        if base != self.end and segment.size:
            segment.has_gaps = True
        segment.note_header(header)
        self.end = base + header.last_offset_delta + 1

    def _follow_epoch(self, epoch: int, base: int) -> None:
        self.last_epoch = epoch
        known = self.epochs.epoch_at(base)
        first = next(iter(self.epochs.entries()), None)
        trimmed = known < 0 and first is not None and epoch <= first[0]  # below a log start that was raised: the cache forgot it rightly
        if epoch != known and not trimmed:
            self.epochs.drop_from(base)
            self.epochs.assign(epoch, base)

    def _stop_at(self, segment: Segment, file_bytes: int, problem: str, later: list[int]) -> Slices:
        """The log is intact up to ``self.end``, and something else follows in ``segment``: cut a torn tail, keep damage."""
        path = segment.path(LOG_SUFFIX)
        position = segment.size
        recovery_point, start, high_watermark = self.checkpoints[:3]
        at = max(self.end, start)  # what lies below the log start is nobody's loss
        after = [self._segment(base, fresh=True) for base in later]
        in_log = segment in self.segments
        continues = any(one.size >= HEADER_BYTES for one in after) or (not in_log and file_bytes >= HEADER_BYTES)
        if not continues and at < high_watermark:
            continues = yield from self._finds_batch(segment.file, position, file_bytes)
        if self.end < recovery_point or (continues and self.end < high_watermark):
            why = (
                f"synced up to offset {recovery_point}"
                if self.end < recovery_point
                else f"committed up to offset {high_watermark} at least"
            )
            self.damage = Damage(path, position, self.end, f"{problem}; records were {why}")
            self.damaged_segments = after if in_log else [segment, *after]
        else:
            for one in reversed(after):
                one.remove()
            if in_log:
                segment.file.truncate(position)
            else:
                segment.remove()
            below = f", {high_watermark - self.end} records below the high watermark were lost" if self.end < high_watermark else ""
            self._event("torn", self.end, f"{problem}: {file_bytes - position} bytes and {len(after)} later segments cut away{below}")

    def _finds_batch(self, file: File, position: int, end: int) -> Generator[int, None, bool]:
        """Whether an intact batch of later offsets lies anywhere between two positions."""
        while position < end:
            data = file.read(position, min(CHUNK_BYTES, end - position))
            if self._pause(len(data)):
                yield self._take_slice()
            at = data.find(MAGIC, MAGIC_POSITION)
            while at >= 0:
                if self._is_batch(file, data, at - MAGIC_POSITION, position, end):
                    return True
                at = data.find(MAGIC, at + 1)
            if position + len(data) >= end:
                return False
            position += max(len(data) - HEADER_BYTES, 1)
        return False

    def _is_batch(self, file: File, data: bytes, at: int, position: int, end: int) -> bool:
        """Whether an intact batch of later offsets starts at ``at`` of ``data``, which lies at ``position`` in the file."""
        start = position + at
        try:
            header = parse_header(data, at) if at + HEADER_BYTES <= len(data) else parse_header(file.read(start, HEADER_BYTES))
            length = header.batch_length + LENGTH_OVERHEAD
            if not self.end < header.base_offset <= self.end + MAX_RELATIVE_OFFSET or start + length > end:
                return False
            check_crc(file.read(start, length), 0, header)
        except CorruptRecords:
            return False
        return True
