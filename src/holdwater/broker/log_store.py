"""What the broker asks of its log directories: the port that ``opening`` fills with ``storage``."""

from typing import Protocol

from holdwater.kernel.identifiers import TopicPartition
from holdwater.kernel.ports import Log
from holdwater.storage.compaction.cleanable import Cleanable
from holdwater.storage.compaction.cleaning import Cleaning


class LogStore(Protocol):
    """The logs of this broker over all its directories (``storage`` implements it)."""

    def find(self, topic_partition: TopicPartition) -> tuple[bytes, Log] | None:
        """Topic id and log of a partition that is stored here."""
        ...

    def directory_path(self, topic_partition: TopicPartition) -> str | None:
        """Path of the log directory that the partition lies in, also of one that is offline."""
        ...

    def directory_id(self, topic_partition: TopicPartition) -> bytes | None:
        """Id of the log directory that the partition lies in, ``None`` when it is offline."""
        ...

    def damage(self, topic_partition: TopicPartition) -> str | None:
        """What is wrong with a stored log below what was committed, ``None`` when it is sound (R13 in docs/invariants.md)."""
        ...

    def cut_damage(self, topic_partition: TopicPartition) -> None:
        """Cut a damaged log where it stops being intact, and use it again."""
        ...

    def adopt_topic_id(self, topic_partition: TopicPartition, topic_id: bytes) -> None:
        """Give a stored log the topic id that a power loss has taken from it."""
        ...

    def rivals(self) -> list[TopicPartition]:
        """Partitions of which several are stored: of a topic that is gone, and of another of its name."""
        ...

    def settle(self, topic_partition: TopicPartition, topic_id: bytes | None) -> None:
        """Keep the one with that topic id, and remove the others; ``None``: all of them. Nothing happens where there are not several."""
        ...

    def remove_deleted(self) -> bool:
        """Free the space of one deleted log; whether there was one."""
        ...

    def stored(self) -> list[tuple[TopicPartition, bytes]]:
        """Every stored partition with its topic id, sorted."""
        ...

    def create(self, topic_partition: TopicPartition, topic_id: bytes, config: dict[str, str]) -> Log:
        """A new, empty log. ``config`` holds the topic's effective configuration texts."""
        ...

    def configure(self, topic_partition: TopicPartition, config: dict[str, str]) -> None:
        """Change the configuration of a log."""
        ...

    def delete(self, topic_partition: TopicPartition) -> None:
        """Remove a log for good."""
        ...

    def delete_old_segments(self, topic_partition: TopicPartition, high_watermark: int) -> bool:
        """Delete what retention by age and size lets go, below the high watermark; whether there was anything."""
        ...

    def cleanable(self, topic_partition: TopicPartition, high_watermark: int) -> Cleanable | None:
        """What compaction would find in a log; ``None`` when its topic is not compacted, or it is not here."""
        ...

    def clean(self, topic_partition: TopicPartition, found: Cleanable, map_limit_count: int) -> Cleaning | None:
        """A round of compaction, to be stepped through; ``None`` when the log is not here. ``map_limit_count``: keys it may remember."""
        ...

    def checkpoint_cleaner(self, topic_partition: TopicPartition, offset: int) -> None:
        """Store up to where a log is compacted."""
        ...

    def high_watermark(self, topic_partition: TopicPartition) -> int:
        """The high watermark of the last checkpoint; 0 when there is none."""
        ...

    def checkpoint_high_watermarks(self, high_watermarks: dict[TopicPartition, int]) -> None:
        """Store the high watermarks of the partitions that are named."""
        ...

    def checkpoint_recovery_points(self) -> None:
        """Store how far each log is synced."""
        ...

    def checkpoint_log_starts(self) -> None:
        """Store the log start offsets."""
        ...
