"""Which segments may go by age or size (KIP-107 aside): how far a log's start may move up.

Both say the base offset of the first segment that stays, the log end offset when none does. Segments go from the oldest on, never one that
reaches above the high watermark (R14 in docs/invariants.md), so every replica decides for itself, as in Apache Kafka.
"""

from holdwater.storage.chain import SegmentChain
from holdwater.storage.config import LogConfig


def end_by_size(config: LogConfig, chain: SegmentChain, log_end_offset: int, high_watermark: int, wall_ms: int) -> int:
    """What ``retention.bytes`` lets go: as many whole segments as fit into what is too much."""
    del wall_ms
    end = chain.first_offset
    if not config.delete or config.retention_bytes < 0:
        return end
    surplus_bytes = sum(segment.size for segment in chain.segments) - config.retention_bytes
    for segment, segment_end in chain.with_ends(log_end_offset):
        surplus_bytes -= segment.size
        if segment_end > high_watermark or surplus_bytes < 0 or segment_end == segment.base_offset:
            break
        end = segment_end
    return end


def end_by_age(config: LogConfig, chain: SegmentChain, log_end_offset: int, high_watermark: int, wall_ms: int) -> int:
    """What ``retention.ms`` lets go: segments whose largest timestamp is older.

    Without timestamps the time counts at which the segment was made here, or opened.
    """
    end = chain.first_offset
    if not config.delete or config.retention_ms < 0:
        return end
    for segment, segment_end in chain.with_ends(log_end_offset):
        if segment_end > high_watermark or segment_end == segment.base_offset:
            break
        timestamp_ms = segment.largest_timestamp()
        chain.cool(segment)
        if wall_ms - (timestamp_ms if timestamp_ms >= 0 else segment.created_ms) <= config.retention_ms:
            break
        end = segment_end
    return end
