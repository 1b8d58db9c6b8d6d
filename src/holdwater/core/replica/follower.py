"""A follower of one partition.

Purpose: become a byte-for-byte prefix of the leader's log and stay one.

What holds:

- The log is cut only where the leader, in the epoch that both agree on, said that histories part (KIP-101, KIP-279) [R8]; only an
  unclean election makes that point lie below the follower's own high watermark.
- The high watermark is the smaller of what the leader last said and the own log end offset [R5 within a leader epoch].
"""

from holdwater.kernel.ports import Log
from holdwater.wire.records import check_crc, parse_header


class FollowerReplica:
    """See the module."""

    is_leader = False

    def __init__(self, *, log: Log, leader_id: int, leader_epoch: int, partition_epoch: int, high_watermark: int) -> None:
        self.log = log
        self.leader_id = leader_id
        """-1 while the partition has no leader."""
        self.leader_epoch = leader_epoch
        self.partition_epoch = partition_epoch
        self.high_watermark = min(high_watermark, log.log_end_offset)

    def append(self, records: bytes, leader_high_watermark: int, leader_log_start: int, wall_ms: int) -> int:
        """Append what the leader sent (possibly nothing) and take over its watermarks; returns the log end offset.

        Raises ``CorruptRecords`` when the bytes are not the continuation of this log.
        """
        log = self.log
        log_start = max(leader_log_start, log.log_start_offset)
        if records and log.log_end_offset <= log_start:
            self._make_room_before_start(records)
        try:
            end = log.append_as_follower(records, wall_ms, leader_high_watermark) if records else log.log_end_offset
            high_watermark = min(leader_high_watermark, end)
            if high_watermark > self.high_watermark:
                self.high_watermark = high_watermark
        finally:  # also when a later batch is damaged
            if log_start > log.log_start_offset:
                log.advance_log_start(min(log_start, self.high_watermark, log.log_end_offset))
        return end

    def _make_room_before_start(self, records: bytes) -> None:
        """The leader's log may start inside a batch (DeleteRecords), which comes whole: a log that ends there starts over before it.

        The log start is there as soon as the batch is appended. Kafka does the same for an empty log (KAFKA-6975). One that is not empty has
        only what is deleted in the leader's history; its end may lie inside that batch when its last records are of an older leader epoch,
        and nothing is known any more of where that ended.
        """
        log = self.log
        header = parse_header(records)
        if header.base_offset < log.log_end_offset <= header.base_offset + header.last_offset_delta:
            check_crc(records, 0, header)
            log.truncate_fully_and_start_at(header.base_offset)
            self.high_watermark = max(self.high_watermark, header.base_offset)

    def truncate_after_divergence(self, epoch: int, end_offset: int) -> int:
        """The leader's log ends ``epoch``, the largest one both may share, at ``end_offset``: cut back to the common history.

        Returns the new log end offset. When this log knows no such epoch, the largest smaller one decides, and the next fetch asks again
        (KIP-279's iteration). When it knows larger ones only, nothing of what it knows is shared, and all of that goes; when it knows none
        at all, the leader's end is the only evidence. Even when no record goes, an epoch that was begun here and has none must be forgotten,
        or the next fetch would name it again, and be told the same, for ever.
        """
        own = self.log.end_offset_for_epoch(epoch)
        if own is None:
            target = end_offset if epoch < 0 or self.log.latest_epoch < 0 else min(end_offset, self.log.first_epoch_start)
        elif own.leader_epoch == epoch:
            target = min(end_offset, own.end_offset)
        else:
            target = own.end_offset
        self.log.truncate_to(max(min(target, self.log.log_end_offset), self.log.log_start_offset))
        self.high_watermark = min(self.high_watermark, self.log.log_end_offset)
        return self.log.log_end_offset

    def restart_at(self, offset: int) -> None:
        """The leader no longer has what follows this log: start empty at ``offset``, its log start."""
        self.log.truncate_fully_and_start_at(offset)
        self.high_watermark = offset
