"""The committed offsets of all groups of a shard, and those that are pending in open transactions.

Invariants
- ``committed`` has, for each partition of a group, the offset of the last record that counts: of a plain commit at its record, of a
  transactional commit at its *record* as well, although it counts only from the marker on. So a plain commit that was written after a
  transactional one is not undone when the transaction commits later (C4).
- ``open`` names exactly the producers that have an entry in ``pending`` for the partition.
"""

from collections.abc import Iterator
from typing import NamedTuple

from holdwater.kernel.identifiers import ZERO_UUID
from holdwater.wire.messages import OffsetCommitKey, OffsetCommitValue

NO_EXPIRY = -1


class CommittedOffset(NamedTuple):
    """What was committed for one partition."""

    record_offset: int
    """Where the record lies in the coordinator's log; commits are ordered by it."""
    offset: int
    leader_epoch: int
    metadata: str
    commit_wall_ms: int
    expire_wall_ms: int
    """Set by clients that ask for a retention of their own (versions 2 to 4 of OffsetCommit), else ``NO_EXPIRY``."""
    topic_id: bytes
    """Zero when the record does not tell."""

    @staticmethod
    def of(record_offset: int, value: OffsetCommitValue) -> "CommittedOffset":
        """From a record."""
        return CommittedOffset(
            record_offset,
            value.offset,
            value.leader_epoch,
            value.metadata,
            value.commit_timestamp,
            value.expire_timestamp,
            value.topic_id,
        )

    def is_of(self, topic_id: bytes) -> bool:
        """Whether it was committed for this topic, and not for an earlier one of the same name; ids that are not known fit."""
        return ZERO_UUID in (topic_id, self.topic_id) or topic_id == self.topic_id


_Partitions = dict[int, CommittedOffset]
_NONE: _Partitions = {}


class OffsetTable:
    """Offsets by group, topic and partition. Empty levels are not kept."""

    __slots__ = ("_groups",)

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, _Partitions]] = {}

    def get(self, group_id: str, topic: str, partition: int) -> CommittedOffset | None:
        """One offset, if there is one."""
        return self._groups.get(group_id, {}).get(topic, _NONE).get(partition)

    def put(self, group_id: str, topic: str, partition: int, offset: CommittedOffset) -> None:
        """Set one."""
        self._groups.setdefault(group_id, {}).setdefault(topic, {})[partition] = offset

    def remove(self, group_id: str, topic: str, partition: int) -> None:
        """Remove one, if it is there."""
        topics = self._groups.get(group_id, {})
        partitions = topics.get(topic, dict[int, CommittedOffset]())
        partitions.pop(partition, None)
        if not partitions:
            topics.pop(topic, None)
        if not topics:
            self._groups.pop(group_id, None)

    def clear(self) -> None:
        """Forget everything."""
        self._groups.clear()

    def topics(self, group_id: str) -> dict[str, _Partitions]:
        """Those of a group, by topic and partition. To be read only."""
        return self._groups.get(group_id, {})

    def items(self) -> Iterator[tuple[str, str, int, CommittedOffset]]:
        """All of them: group, topic, partition, offset."""
        for group_id, topics in self._groups.items():
            for topic, partitions in topics.items():
                for partition, offset in partitions.items():
                    yield group_id, topic, partition, offset


class Offsets:
    """See the module. Changed only by ``replay`` and ``end_transaction``."""

    def __init__(self) -> None:
        self.committed = OffsetTable()
        self.pending: dict[int, OffsetTable] = {}
        """By the producer id of the open transaction."""
        self._open: dict[str, dict[str, dict[int, dict[int, None]]]] = {}
        """Group, topic, partition to the producer ids with a pending offset for it."""

    def clear(self) -> None:
        """Forget everything."""
        self.committed.clear()
        self.pending.clear()
        self._open.clear()

    def replay(self, record_offset: int, key: OffsetCommitKey, value: OffsetCommitValue | None, producer_id: int) -> None:
        """One record. A tombstone removes what is pending, too: the group or the topic is gone, or an administrator says so."""
        where = key.group, key.topic, key.partition
        if value is None:
            self.committed.remove(*where)
            for open_id in self._producers(*where):
                self.pending[open_id].remove(*where)
            self._close(*where)
        elif producer_id < 0:
            self.committed.put(*where, CommittedOffset.of(record_offset, value))
        else:
            self.pending.setdefault(producer_id, OffsetTable()).put(*where, CommittedOffset.of(record_offset, value))
            self._open.setdefault(key.group, {}).setdefault(key.topic, {}).setdefault(key.partition, {})[producer_id] = None

    def end_transaction(self, producer_id: int, committed: bool) -> None:
        """A marker: what is pending counts now, unless something newer was written, or never."""
        for group_id, topic, partition, offset in self.pending.pop(producer_id, OffsetTable()).items():
            producers = self._producers(group_id, topic, partition)
            del producers[producer_id]
            if not producers:
                self._close(group_id, topic, partition)
            if committed:
                existing = self.committed.get(group_id, topic, partition)
                if existing is None or offset.record_offset > existing.record_offset:
                    self.committed.put(group_id, topic, partition, offset)

    def is_pending(self, group_id: str, topic: str, partition: int) -> bool:
        """Whether an open transaction has an offset for the partition."""
        return bool(self._producers(group_id, topic, partition))

    def has_open_transactions(self, group_id: str) -> bool:
        """Whether an open transaction has an offset for any partition of the group."""
        return group_id in self._open

    def pending_partitions(self, group_id: str) -> Iterator[tuple[str, int]]:
        """Every partition of the group that has a pending offset, once."""
        for topic, partitions in self._open.get(group_id, {}).items():
            for partition in partitions:
                yield topic, partition

    def _producers(self, group_id: str, topic: str, partition: int) -> dict[int, None]:
        return self._open.get(group_id, {}).get(topic, {}).get(partition, {})

    def _close(self, group_id: str, topic: str, partition: int) -> None:
        topics = self._open.get(group_id, {})
        partitions = topics.get(topic, {})
        partitions.pop(partition, None)
        if not partitions:
            topics.pop(topic, None)
        if not topics:
            self._open.pop(group_id, None)
