"""Removal of what nobody needs any more: offsets after their retention, empty groups without offsets, offsets of deleted topics.

Offsets live as long as somebody may come back to them:
- a group with members keeps those of the topics that the members read, and a classic group in a rebalance keeps all;
- an empty classic group keeps them for the retention from when it became empty;
- otherwise the retention counts from the commit.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from holdwater.core.coordinator import CoordinatorRecord, Decision, ShardHost
from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.state import ClassicState
from holdwater.core.groups.modern import Group, Groups
from holdwater.core.groups.offsets.committed import NO_EXPIRY, CommittedOffset, Offsets
from holdwater.core.groups.offsets.requests import offset_tombstone

_BATCH_BYTES = 256 * 1024
"""Keys that one batch of tombstones may hold, far below any limit of a topic's batches; what is left follows in the next batch."""
_KEY_OVERHEAD_BYTES = 32
_MINUTE_MS = 60_000


class DeletedTopic(NamedTuple):
    """A topic that is gone; a zero id fits any of that name."""

    name: str
    topic_id: bytes


class _Batch:
    """Tombstones up to the limit, at least one record."""

    def __init__(self) -> None:
        self.records: list[CoordinatorRecord] = []
        self.is_full = False
        self._bytes = 0

    def add(self, *records: CoordinatorRecord) -> bool:
        """Take in all of them or none."""
        self._bytes += sum(_key_bytes(record) for record in records)
        self.is_full = bool(self.records) and self._bytes > _BATCH_BYTES
        if not self.is_full:
            self.records.extend(records)
        return not self.is_full


def _key_bytes(record: CoordinatorRecord) -> int:
    texts = (getattr(record.key, name) for name in record.key.__slots__)
    return _KEY_OVERHEAD_BYTES + sum(len(text.encode()) for text in texts if isinstance(text, str))


class Expiry:
    """Decides on tombstones; the shard says when."""

    def __init__(self, host: ShardHost, groups: Groups, offsets: Offsets) -> None:
        self._host = host
        self._groups = groups
        self._offsets = offsets

    def expire(self, go_on: Callable[[], None]) -> Decision:
        """The next tombstones of expired offsets and empty groups; ``go_on`` is called once they are committed, if there are more."""
        batch = _Batch()
        for group_id, group in self._groups.items():
            if not self._expire_group(group_id, group, batch):
                break
        return self._decide(batch, go_on)

    def _decide(self, batch: _Batch, go_on: Callable[[], None]) -> Decision:
        if batch.records:
            self._host.note(f"{len(batch.records)} tombstones for offsets and groups that are needed no more")
        records = tuple(batch.records)
        return Decision(records, go_on, waits=bool(records)) if batch.is_full else Decision(records, waits=bool(records))

    def _expire_group(self, group_id: str, group: Group, batch: _Batch) -> bool:
        """Whether there was room for all of the group's tombstones."""
        topics = self._offsets.committed.topics(group_id)
        total, expired = sum(len(partitions) for partitions in topics.values()), 0
        for topic, partition in self._expired(group_id, group):
            if not batch.add(offset_tombstone(group_id, topic, partition)):
                return False
            expired += 1
        if expired < total or not group.is_empty or self._offsets.has_open_transactions(group_id):
            return True
        return batch.add(*group.tombstones())

    def _expired(self, group_id: str, group: Group) -> Iterator[tuple[str, int]]:
        since = _retention_start(group)
        if since is None:
            return
        now_ms = self._host.wall_ms
        retention_ms = self._host.config.int("offsets.retention.minutes") * _MINUTE_MS
        for topic, partitions in self._offsets.committed.topics(group_id).items():
            if group.is_subscribed_to(topic):
                continue
            for partition, offset in partitions.items():
                end_ms = since(offset) + retention_ms if offset.expire_wall_ms == NO_EXPIRY else offset.expire_wall_ms
                if now_ms >= end_ms and not self._offsets.is_pending(group_id, topic, partition):
                    yield topic, partition

    def topics_deleted(self, deleted: Sequence[DeletedTopic], later: Callable[[Callable[[], Decision]], None]) -> Decision:
        """Tombstones of the topics' offsets, committed and pending; ``later`` is given the rest to do, once these are committed."""
        ids: dict[str, list[bytes]] = {}
        for topic in deleted:
            ids.setdefault(topic.name, []).append(topic.topic_id)
        found: dict[tuple[str, str, int], CommittedOffset] = {}
        for table in (self._offsets.committed, *self._offsets.pending.values()):
            for group_id, topic, partition, offset in table.items():
                if any(offset.is_of(topic_id) for topic_id in ids.get(topic, ())):
                    found[group_id, topic, partition] = offset
        return self._remove(list(found), later)

    def _remove(self, places: list[tuple[str, str, int]], later: Callable[[Callable[[], Decision]], None]) -> Decision:
        batch = _Batch()
        while places and batch.add(offset_tombstone(*places[-1])):
            places.pop()
        return self._decide(batch, lambda: later(lambda: self._remove(places, later)))


def _retention_start(group: Group) -> Callable[[CommittedOffset], int] | None:
    """From when the retention of an offset counts; ``None``: nothing of the group expires now."""
    if not isinstance(group, ClassicGroup) or group.protocol_type is None:
        return _committed
    if group.state is ClassicState.EMPTY:
        since_ms = group.state_since_wall_ms
        return _committed if since_ms == -1 else lambda _: since_ms
    if group.state is ClassicState.STABLE and group.topics is not None:
        return _committed
    return None


def _committed(offset: CommittedOffset) -> int:
    return offset.commit_wall_ms


def tombstones_of_group(group_id: str, group: Group, offsets: Offsets) -> list[CoordinatorRecord]:
    """The end of a whole group: each of its offsets once, whether committed or pending, then the group."""
    places = {(topic, partition): None for topic, partitions in offsets.committed.topics(group_id).items() for partition in partitions}
    places.update(dict.fromkeys(offsets.pending_partitions(group_id)))
    return [*(offset_tombstone(group_id, *place) for place in places), *group.tombstones()]
