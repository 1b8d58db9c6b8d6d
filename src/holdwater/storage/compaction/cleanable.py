"""How much of a compacted log is new, and whether that is enough to compact it (Apache Kafka's rules).

Compaction stays below the active segment, the last stable offset and the first segment with a record younger than ``min.compaction.lag.ms``.
"""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from holdwater.storage.log import PartitionLog
    from holdwater.storage.segment import Segment


class Cleanable(NamedTuple):
    """What compaction would find in a log."""

    first_dirty_offset: int
    """Everything below it was compacted before."""
    end_offset: int
    """Base offset of the first segment that must be left alone."""
    clean_bytes: int
    dirty_bytes: int
    is_overdue: bool
    """Whether a new record has waited longer than ``max.compaction.lag.ms``."""
    min_ratio: float

    @property
    def ratio(self) -> float:
        """Share of what could be compacted that is new."""
        total_bytes = self.clean_bytes + self.dirty_bytes
        return self.dirty_bytes / total_bytes if total_bytes else 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is to be compacted."""
        return self.dirty_bytes > 0 and (self.is_overdue or self.ratio > self.min_ratio)


def cleanable(log: "PartitionLog", cleaner_offset: int | None, high_watermark: int, wall_ms: int) -> Cleanable:
    """Look at a log. ``cleaner_offset``: up to where it was compacted, as it was stored."""
    config, chain = log.config, log.chain
    start = log.log_start_offset
    first_dirty = start if cleaner_offset is None or not start <= cleaner_offset <= log.log_end_offset else cleaner_offset
    inactive = chain.segments[:-1]
    end = min(log.last_stable_offset(high_watermark), chain.active.base_offset)
    dirty = [segment for segment in chain.since(first_dirty) if segment is not chain.active]
    if config.min_compaction_lag_ms > 0:
        young_ms = wall_ms - config.min_compaction_lag_ms
        end = min([end, *[segment.base_offset for segment in dirty if _newest_ms(log, segment) > young_ms]])
    end = chain.since(max(end, first_dirty))[0].base_offset
    return Cleanable(
        first_dirty_offset=first_dirty,
        end_offset=end,
        clean_bytes=sum(segment.size for segment in inactive if segment.base_offset < first_dirty and segment not in dirty),
        dirty_bytes=sum(segment.size for segment in dirty if segment.base_offset < end),
        is_overdue=_is_overdue(log, dirty, wall_ms),
        min_ratio=config.min_cleanable_dirty_ratio,
    )


def _newest_ms(log: "PartitionLog", segment: "Segment") -> int:
    timestamp_ms = segment.largest_timestamp()
    log.chain.cool(segment)
    return timestamp_ms if timestamp_ms >= 0 else segment.created_ms


def _is_overdue(log: "PartitionLog", dirty: "list[Segment]", wall_ms: int) -> bool:
    late_ms = wall_ms - log.config.max_compaction_lag_ms
    if late_ms <= 0:
        return False
    for segment in dirty:
        is_late = 0 < segment.first_timestamp() < late_ms
        log.chain.cool(segment)
        if is_late:
            return True
    return False
