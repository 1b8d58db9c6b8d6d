"""The metadata log as the quorum sees it: a log that continues a snapshot, compared by (offset, epoch) with another replica's.

Invariants:

- the log starts at 0, or at the end offset of a snapshot that is stored;
- the last epoch is that of the last record, or of the snapshot when no record follows it;
- nothing is promised of records above the synced end offset.
"""

from holdwater.kernel.identifiers import NO_EPOCH
from holdwater.kernel.invariant import invariant
from holdwater.kernel.ports import BatchHeader, EpochEnd, Log, SnapshotId, SnapshotStore
from holdwater.wire.records import parse_header

BOOTSTRAP_SNAPSHOT = SnapshotId(0, 0)
"""What ``kafka-storage format`` writes: never replicated, never served."""


class MetadataLog:
    """Log and snapshots of one replica together."""

    def __init__(self, log: Log, snapshots: SnapshotStore) -> None:
        self.log = log
        self._snapshots = snapshots
        self.latest_snapshot = snapshots.latest()
        if self.latest_snapshot is not None:
            self._agree_with(self.latest_snapshot)
        # A process that was killed finds in the page cache what it never synced; the next fetch would promise it.
        log.sync()

    def _agree_with(self, snapshot: SnapshotId) -> None:
        """Finish what a stop interrupted: the log continues a snapshot."""
        log = self.log
        last_epoch = max(log.latest_epoch, 0)
        if snapshot.epoch > last_epoch or (snapshot.epoch == last_epoch and snapshot.end_offset > log.log_end_offset):
            # The node stopped between storing a downloaded snapshot and cutting its log, or lost an unsynced tail below its own snapshot.
            log.truncate_fully_and_start_at(snapshot.end_offset)
        elif log.log_start_offset < snapshot.end_offset and log.epoch_at(log.log_start_offset) == NO_EPOCH:
            # The log start was raised, the epochs below it were forgotten, and then the log start came back lower: its checkpoint is lazy.
            log.advance_log_start(snapshot.end_offset)

    @property
    def start_offset(self) -> int:
        """First offset in the log."""
        return self.log.log_start_offset

    @property
    def end_offset(self) -> int:
        """Offset of the next record."""
        return self.log.log_end_offset

    @property
    def synced_end_offset(self) -> int:
        """Records below it survive a power loss; those in the snapshot do."""
        return self.log.synced_end_offset

    @property
    def last_epoch(self) -> int:
        """Leader epoch of the last record, of the snapshot when none follows it, 0 when there is neither."""
        epoch = self.log.latest_epoch
        if epoch != NO_EPOCH:
            return epoch
        return self.latest_snapshot.epoch if self.latest_snapshot is not None else 0

    @property
    def replicated_snapshot(self) -> SnapshotId | None:
        """The newest snapshot that followers may be given."""
        snapshot = self.latest_snapshot
        return None if snapshot is None or snapshot.end_offset == 0 else snapshot

    def is_up_to_date(self, last_epoch: int, end_offset: int) -> bool:
        """Whether a log that ends so is at least as good as this one (Raft section 5.4.1)."""
        return (last_epoch, end_offset) >= (self.last_epoch, self.end_offset)

    def compare(self, offset: int, last_epoch: int) -> EpochEnd | SnapshotId | None:
        """What a follower whose log ends at ``offset`` with ``last_epoch`` must do: nothing (``None``), truncate, or load a snapshot.

        Where the logs part below the log start, nothing tells where: the follower loads the snapshot. So it does at the log start itself,
        unless the newest snapshot ends there and has the follower's epoch.
        """
        snapshot = self.replicated_snapshot
        start = self.start_offset
        if offset < start or (offset == 0 and snapshot is not None):
            invariant(snapshot is not None, f"the metadata log starts at {start}, so a snapshot must be stored")
            return snapshot
        if offset == start:
            if start == 0 or (snapshot is not None and snapshot == SnapshotId(start, last_epoch)):
                return None
            return snapshot
        end = self.log.end_offset_for_epoch(last_epoch)
        if end is None:
            known = start == 0 or (snapshot is not None and snapshot == SnapshotId(start, last_epoch))
            return EpochEnd(last_epoch, start) if known else snapshot
        if end.leader_epoch != last_epoch or end.end_offset < offset:
            return end
        return None

    def truncation_offset(self, diverging: EpochEnd) -> int:
        """Where this log must be cut when the leader's says that ``diverging`` is its largest epoch not above ours, and where it ends."""
        local = self.log.end_offset_for_epoch(diverging.leader_epoch)
        if local is None:
            return self.start_offset
        if local.leader_epoch == diverging.leader_epoch:
            return self._batch_start(min(local.end_offset, diverging.end_offset))
        return local.end_offset

    def _batch_start(self, offset: int) -> int:
        """The start of the batch that holds ``offset``: a cut takes whole batches, wherever a leader says that histories part."""
        if not self.start_offset <= offset < self.end_offset:
            return offset
        return parse_header(self.log.read(offset, 1, self.end_offset, at_least_one=True)).base_offset

    def epoch_before(self, end_offset: int) -> int:
        """Leader epoch of the record before ``end_offset``: the epoch of a snapshot that ends there."""
        snapshot = self.latest_snapshot
        if snapshot is not None and snapshot.end_offset == end_offset:
            return snapshot.epoch
        return self.log.epoch_at(end_offset - 1)

    def is_batch_boundary(self, offset: int) -> bool:
        """Whether a batch starts at ``offset``, or the log ends there. A log that starts elsewhere could not be continued from another's."""
        if offset == self.end_offset:
            return True
        data = self.log.read(offset, 1, self.end_offset, at_least_one=True)
        return parse_header(data).base_offset == offset

    def append_as_leader(self, data: bytes, header: BatchHeader, leader_epoch: int, wall_ms: int) -> int:
        """Append one batch of our own; returns its last offset."""
        result = self.log.append_as_leader(data, header, leader_epoch, wall_ms)
        invariant(result.error_code == 0 and not result.duplicate, f"the metadata log refused its leader's batch: {result}")
        return result.last_offset

    def read(self, offset: int, max_bytes: int) -> bytes:
        """Whole batches from ``offset``, committed or not."""
        return self.log.read(offset, max_bytes, self.end_offset, at_least_one=True)

    def store_snapshot(self, snapshot_id: SnapshotId, content: bytes) -> None:
        """Keep a snapshot; returns when it is durable."""
        self._snapshots.write(snapshot_id, content)
        latest = self.latest_snapshot
        if latest is None or snapshot_id > latest:
            self.latest_snapshot = snapshot_id

    def restart_at(self, snapshot_id: SnapshotId, content: bytes) -> None:
        """Replace the log by a snapshot. A crash between the two steps is repaired at the next start."""
        self.store_snapshot(snapshot_id, content)
        self.log.truncate_fully_and_start_at(snapshot_id.end_offset)
        self.log.sync()
        self._snapshots.remove_older_than(snapshot_id)

    def discard_before(self, snapshot_id: SnapshotId) -> None:
        """Drop the log and the snapshots that ``snapshot_id`` stands for."""
        self.log.advance_log_start(snapshot_id.end_offset)
        self._snapshots.remove_older_than(snapshot_id)

    def snapshot_size(self, snapshot_id: SnapshotId) -> int | None:
        """Bytes of a stored snapshot, or ``None``."""
        try:
            return self._snapshots.size(snapshot_id)
        except FileNotFoundError:
            return None

    def read_snapshot(self, snapshot_id: SnapshotId, position: int, max_bytes: int) -> bytes:
        """A slice of a stored snapshot."""
        return self._snapshots.read(snapshot_id, position, max_bytes)
