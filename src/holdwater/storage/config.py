"""Settings of one partition's log: Kafka's topic configs that storage itself obeys, with Kafka's defaults."""

from dataclasses import dataclass

LOG_APPEND_TIME = "LogAppendTime"
CREATE_TIME = "CreateTime"


@dataclass(frozen=True, slots=True)
class LogConfig:
    """Replaceable at run time as a whole (``PartitionLog.configure``). Names are Kafka's topic configs with ``_`` for ``.``."""

    segment_bytes: int = 1 << 30
    segment_ms: int = 7 * 24 * 3600 * 1000
    """For a compacted topic the smaller of ``segment.ms`` and ``max.compaction.lag.ms``: the active segment is never compacted."""
    segment_index_bytes: int = 10 << 20
    index_interval_bytes: int = 4096
    max_message_bytes: int = 1_048_588
    message_timestamp_type: str = CREATE_TIME
    message_timestamp_before_max_ms: int = 2**63 - 1
    message_timestamp_after_max_ms: int = 3_600_000
    delete: bool = True
    """Whether ``cleanup.policy`` has delete: old segments go by age and size."""
    retention_ms: int = 7 * 24 * 3600 * 1000
    """-1 for no limit."""
    retention_bytes: int = -1
    compact: bool = False
    """Whether ``cleanup.policy`` has compact: batches may then be missing between two offsets."""
    min_cleanable_dirty_ratio: float = 0.5
    min_compaction_lag_ms: int = 0
    max_compaction_lag_ms: int = 2**63 - 1
    delete_retention_ms: int = 24 * 3600 * 1000
    max_decompressed_bytes: int = 64 << 20
    """Largest size of a batch after decompression that compaction opens."""
    producer_id_expiration_ms: int = 24 * 3600 * 1000
    expansion_limit_bytes: int = 10 << 20
    """Largest size of a batch after decompression, where storage must open one (searches by timestamp)."""
