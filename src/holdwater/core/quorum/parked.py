"""Fetches that wait on the leader for data, for a higher high watermark, or for their time to run out."""

from dataclasses import dataclass

from holdwater.core.quorum.roles import NO_DEADLINE
from holdwater.core.quorum.rpc import HIGH_WATERMARK_UNSUPPORTED
from holdwater.core.quorum.voters import ReplicaKey
from holdwater.wire.messages import FetchRequest


@dataclass(frozen=True, slots=True)
class ParkedFetch:
    """One waiting fetch, by the tag its host gave it."""

    tag: object
    key: ReplicaKey
    request: FetchRequest
    fetch_offset: int
    high_watermark: int
    """What the follower knows; ``HIGH_WATERMARK_UNSUPPORTED`` when it did not say."""
    deadline_ms: int

    def is_served_by(self, log_end_offset: int, high_watermark: int) -> bool:
        """Whether there is news for it: records, or a high watermark above its own (KIP-1166)."""
        if self.fetch_offset < log_end_offset:
            return True
        return self.high_watermark != HIGH_WATERMARK_UNSUPPORTED and self.high_watermark < high_watermark


class ParkedFetches:
    """At most one fetch for each replica (its newest), in the order they came, at most ``count_max`` in all."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._by_key: dict[ReplicaKey, ParkedFetch] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    @property
    def is_full(self) -> bool:
        """Whether one more would be too many."""
        return len(self._by_key) >= self._count_max

    def add(self, fetch: ParkedFetch) -> ParkedFetch | None:
        """Park a fetch; returns the older one of the same replica, which is to be answered now."""
        older = self._by_key.pop(fetch.key, None)
        self._by_key[fetch.key] = fetch
        return older

    def forget(self, tag: object) -> None:
        """The connection that waited under ``tag`` is gone."""
        self._by_key = {key: fetch for key, fetch in self._by_key.items() if fetch.tag != tag}

    def take_served(self, log_end_offset: int, high_watermark: int) -> list[ParkedFetch]:
        """Those there is news for."""
        return self._take([fetch for fetch in self._by_key.values() if fetch.is_served_by(log_end_offset, high_watermark)])

    def take_expired(self, mono_ms: int) -> list[ParkedFetch]:
        """Those whose time is over."""
        return self._take([fetch for fetch in self._by_key.values() if mono_ms >= fetch.deadline_ms])

    def take_all(self) -> list[object]:
        """The tags of all: the leader leads no more."""
        return [fetch.tag for fetch in self._take(list(self._by_key.values()))]

    def next_deadline_ms(self) -> int:
        """When the next one's time is over."""
        return min((fetch.deadline_ms for fetch in self._by_key.values()), default=NO_DEADLINE)

    def _take(self, fetches: list[ParkedFetch]) -> list[ParkedFetch]:
        for fetch in fetches:
            del self._by_key[fetch.key]
        return fetches
