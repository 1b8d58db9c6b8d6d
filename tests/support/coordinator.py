"""A host for one coordinator shard in virtual time: an append, its commit and the answer are three moments that a test can hold apart.

    host = FakeHost()
    host.shard = shard = GroupShard(host)
    host.run(shard.join(request, caller, replies.append))
    host.hold(); ...; host.release()       # the high watermark stands still in between
    host.fail_next(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    host.advance(3_000)                    # runs what is due, and what that decides

Every record goes through its bytes, so a field that the value version does not have is lost here as it is in a real log.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, NamedTuple

from holdwater.core.coordinator import CoordinatorRecord, Decision, Shard
from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.kernel.rng import Rng
from holdwater.wire.coordinator_records import decode_key, decode_value, encode_key, encode_value

WALL_MS = 1_700_000_000_000
"""The wall clock when the monotonic clock stands at 0."""


@dataclass
class FakeTopics:
    """A ``TopicsView`` that tests fill with ``put`` and ``drop``."""

    version: int = 0
    counts: dict[str, int] = field(default_factory=dict[str, int])
    ids: dict[str, bytes] = field(default_factory=dict[str, bytes])
    racks_of: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict[tuple[str, int], tuple[str, ...]])

    def put(self, name: str, partitions: int = 1, topic_id: bytes | None = None) -> bytes:
        """Create a topic or change it; returns its id, which is made from the name unless given."""
        self.version += 1
        self.counts[name] = partitions
        self.ids[name] = topic_id or self.ids.get(name) or name.encode().ljust(16, b"\x01")[:16]
        return self.ids[name]

    def drop(self, name: str) -> None:
        """Delete a topic."""
        self.version += 1
        del self.counts[name], self.ids[name]

    def names(self) -> Sequence[str]:
        return sorted(self.counts)

    def topic_id(self, name: str) -> bytes | None:
        return self.ids.get(name)

    def name(self, topic_id: bytes) -> str | None:
        return next((name for name, known in self.ids.items() if known == topic_id), None)

    def partition_count(self, name: str) -> int:
        return self.counts.get(name, 0)

    def racks(self, name: str, partition: int) -> tuple[str, ...]:
        return self.racks_of.get((name, partition), ())


class Entry(NamedTuple):
    """One record of the log as a loading shard would read it; a marker has no key."""

    offset: int
    key: Any
    value: Any
    value_version: int = 0
    producer_id: int = -1
    producer_epoch: int = -1
    marker: bool | None = None
    """A marker: True commits, False aborts."""


@dataclass
class _Timer:
    work: Callable[[], Decision]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class FakeHost:
    """See the module. ``shard`` must be set before the first ``run``."""

    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    """The broker's configuration, by Kafka's keys."""
    table: str = "group"
    """``group`` or ``transaction``: which record types the log has."""
    shard: Shard | None = None
    topics: FakeTopics = field(default_factory=FakeTopics)
    rng: Rng = field(default_factory=lambda: Rng(7))
    mono_ms: int = 0
    wall_base_ms: int = WALL_MS
    log: list[Entry] = field(default_factory=list[Entry])
    notes: list[str] = field(default_factory=list[str])
    group_configs: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    held: bool = False

    def __post_init__(self) -> None:
        self.config = BrokerConfig({"node.id": "1", "process.roles": "broker", **self.texts}, check=False)
        self._timers: list[tuple[int, int, _Timer]] = []
        self._timer_count = 0
        self._failure: int | None = None
        self._parked: list[Decision] = []

    # What a shard asks for

    @property
    def wall_ms(self) -> int:
        return self.wall_base_ms + self.mono_ms

    def group_texts(self, group_id: str) -> dict[str, str]:
        return self.group_configs.get(group_id, {})

    def at(self, due_ms: int, work: Callable[[], Decision]) -> _Timer:
        timer = _Timer(work)
        self._timer_count += 1
        heappush(self._timers, (max(due_ms, self.mono_ms), self._timer_count, timer))
        return timer

    def note(self, line: str) -> None:
        self.notes.append(line)

    # What a test does

    def run(self, decision: Decision) -> None:
        """Carry out what a handler decided: append and replay, then answer, or park the answer while commits are held."""
        if decision.records and self._failure is not None:
            failure, self._failure = self._failure, None
            decision.failed(failure)
            return
        self._append(decision)
        if self.held and (decision.records or decision.waits):
            self._parked.append(decision)
        else:
            decision.committed()

    def end_transaction(self, producer_id: int, producer_epoch: int, committed: bool) -> None:
        """Append a marker."""
        self.log.append(Entry(len(self.log), None, None, 0, producer_id, producer_epoch, committed))
        assert self.shard is not None
        self.shard.end_transaction(producer_id, producer_epoch, committed)

    def advance(self, ms: int) -> None:
        """Let time pass and run everything that becomes due, in order."""
        target_ms = self.mono_ms + ms
        while self._timers and self._timers[0][0] <= target_ms:
            due_ms, _, timer = heappop(self._timers)
            self.mono_ms = max(self.mono_ms, due_ms)
            if not timer.cancelled:
                self.run(timer.work())
        self.mono_ms = target_ms

    def fail_next(self, error_code: int) -> None:
        """The next decision with records cannot be appended."""
        self._failure = error_code

    def hold(self) -> None:
        """The high watermark stands still from now on."""
        self.held = True

    def release(self) -> None:
        """It moves again, over everything that was appended."""
        self.held = False
        parked, self._parked = self._parked, []
        for decision in parked:
            decision.committed()

    def lose(self, error_code: int) -> None:
        """What is appended and not committed will never be: its answers fail. The log keeps it; a test that loads from it may cut it."""
        self.held = False
        parked, self._parked = self._parked, []
        for decision in parked:
            decision.failed(error_code)

    def load(self, shard: Shard) -> None:
        """Replay the whole log into another shard, which is then the coordinator; the old one's deadlines are gone."""
        self._timers.clear()
        self.shard = shard
        for entry in self.log:
            self._replay(entry)
        shard.loaded()

    def pending_timers(self) -> int:
        """Deadlines that are set and not cancelled."""
        return sum(not timer.cancelled for _, _, timer in self._timers)

    def with_topics(self, **partition_counts: int) -> "FakeHost":
        """This host with topics in it."""
        for name, count in partition_counts.items():
            self.topics.put(name, count)
        return self

    def compacted(self) -> list[Entry]:
        """The log as compaction leaves it: the last entry of each key, without tombstones. Only for logs without transactions."""
        last = {encode_key(entry.key): entry for entry in self.log if entry.key is not None}
        return sorted((entry for entry in last.values() if entry.value is not None), key=lambda entry: entry.offset)

    def _append(self, decision: Decision) -> None:
        for record in decision.records:
            entry = self._entry(record, decision)
            self.log.append(entry)
            if decision.replays:
                self._replay(entry)

    def _entry(self, record: CoordinatorRecord, decision: Decision) -> Entry:
        key_bytes = encode_key(record.key)
        key = decode_key(self.table, key_bytes)
        entry = Entry(len(self.log), key, None, record.value_version, decision.producer_id, decision.producer_epoch)
        if record.value is None:
            return entry
        value = decode_value(self.table, key.API_KEY, encode_value(record.value, record.value_version))
        return entry._replace(value=value)

    def _replay(self, entry: Entry) -> None:
        assert self.shard is not None
        if entry.marker is not None:
            self.shard.end_transaction(entry.producer_id, entry.producer_epoch, entry.marker)
        elif entry.key is not None:
            self.shard.replay(entry.offset, entry.key, entry.value, entry.producer_id, entry.producer_epoch)
