"""A follower of one partition.

Purpose: become a byte-for-byte prefix of the leader's log and stay one.

What holds:

- The log is cut only where the leader, in the epoch that both agree on, said that histories part (KIP-101, KIP-279) [R8]; only an
  unclean election makes that point lie below the follower's own high watermark, or its log start.
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
        if log.log_end_offset <= log_start:
            self._start_over(records, leader_log_start)
        try:
            end = log.append_as_follower(records, wall_ms, leader_high_watermark) if records else log.log_end_offset
            high_watermark = min(leader_high_watermark, end)
            if high_watermark > self.high_watermark:
                self.high_watermark = high_watermark
        finally:  # also when a later batch is damaged
            if log_start > log.log_start_offset:
                log.advance_log_start(min(log_start, self.high_watermark, log.log_end_offset))
        return end

    def _start_over(self, records: bytes, leader_log_start: int) -> None:
        """Nothing of this log lies above where it is to start. It may have to start over, before what the leader sent is appended:

        - The leader's log may start inside a batch (DeleteRecords), which comes whole, and this log ends inside it. The log start is there again
          as soon as the batch is appended. Kafka does the same for an empty log (KAFKA-6975).
        - Records above the high watermark, of an older leader epoch, may be of an election that was lost: the leader knows no more where that
          epoch ended. They are deleted in any case, and must not come back with a log start that a crash has forgotten.
        """
        log = self.log
        start = end = log.log_end_offset
        if records:
            header = parse_header(records)
            if header.base_offset < end <= header.base_offset + header.last_offset_delta:
                check_crc(records, 0, header)
                start = header.base_offset
        is_unsure = log.log_start_offset < end <= leader_log_start and self.high_watermark < end and log.latest_epoch != self.leader_epoch
        if start < end or is_unsure:
            log.truncate_fully_and_start_at(start)
            self.high_watermark = max(self.high_watermark, start)

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
        target = min(target, self.log.log_end_offset)
        if target < self.log.log_start_offset:  # the leader will commit other records from there on; the log start falls, as in Kafka
            self.log.truncate_fully_and_start_at(target)
        else:
            self.log.truncate_to(target)
        self.high_watermark = min(self.high_watermark, self.log.log_end_offset)
        return self.log.log_end_offset

    def restart_at(self, offset: int) -> None:
        """The leader no longer has what follows this log: start empty at ``offset``, its log start."""
        self.log.truncate_fully_and_start_at(offset)
        self.high_watermark = offset
