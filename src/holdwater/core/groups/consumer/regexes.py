"""Subscriptions by regular expression: which topics each expression of a group matches, looked up by the coordinator and written to its log.

All expressions of a group are looked up together, outside the heartbeat that asks for it, when there is a new one, when the topics have changed,
or when the refresh interval has passed, but not again within ``_REFRESH_MIN_MS``. Kafka looks them up anew only when topics were created; here
any change of the topics is reason enough, so a deleted topic goes too.
"""

from holdwater.core.coordinator import NOTHING, Cancellable, CoordinatorRecord, Decision, ShardHost
from holdwater.core.coordinator.regex_names import NameRegex
from holdwater.core.coordinator.regex_tree import InvalidRegex
from holdwater.core.groups.consumer.member import ConsumerMember
from holdwater.core.groups.consumer.records import group_epoch_record, regex_record
from holdwater.core.groups.consumer.settings import ConsumerSettings
from holdwater.core.groups.consumer.state import ConsumerState, ResolvedRegex
from holdwater.core.groups.consumer.subscriptions import MetadataHash, regex_counts_after, subscribed_after

_REFRESH_MIN_MS = 10_000


class RegexRefresh:
    """See the module."""

    def __init__(self, group_id: str, host: ShardHost, state: ConsumerState, metadata_hash: MetadataHash) -> None:
        self._group_id = group_id
        self._host = host
        self._state = state
        self._hash = metadata_hash
        self._scheduled: Cancellable | None = None

    def is_due(self, settings: ConsumerSettings) -> bool:
        """Whether the expressions should be looked up, as far as the state tells."""
        count = len(self._state.regex_counts)
        return bool(count) and self._may_refresh() and self._is_stale(count, settings)

    def consider(self, known: ConsumerMember | None, member: ConsumerMember, settings: ConsumerSettings, *, is_first: bool) -> None:
        """A member replaces what is known of it. ``is_first``: nobody has subscribed with its expression yet.

        When there is reason to, the expressions are looked up as soon as this event is over.
        """
        counts = regex_counts_after(self._state, [(known, member)])
        if counts and self._may_refresh() and (is_first or self._is_stale(len(counts), settings)):
            self._scheduled = self._host.at(self._host.mono_ms, self._refresh)

    def cancel(self) -> None:
        """This broker is the coordinator no more."""
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None

    def _may_refresh(self) -> bool:
        """Whether it is not too soon."""
        if self._scheduled is not None:
            return False
        since_ms = self._host.wall_ms - self._last_wall_ms()
        return not 0 <= since_ms <= _REFRESH_MIN_MS

    def _is_stale(self, count: int, settings: ConsumerSettings) -> bool:
        resolved = self._state.resolved
        version = self._host.topics.version
        return (
            count != len(resolved)
            or any(found.version != version for found in resolved.values())
            or self._host.wall_ms > self._last_wall_ms() + settings.regex_refresh_interval_ms
        )

    def _last_wall_ms(self) -> int:
        return max((found.wall_ms for found in self._state.resolved.values()), default=-_REFRESH_MIN_MS - 1)

    def _refresh(self) -> Decision:
        self._scheduled = None
        state = self._state
        if not state.regex_counts:
            return NOTHING
        resolved = {regex: self._resolve(regex) for regex in sorted(state.regex_counts)}
        changed = [regex for regex, found in resolved.items() if found.topics != state.resolved.get(regex, ResolvedRegex()).topics]
        records = [regex_record(self._group_id, regex, *found) for regex, found in resolved.items()]
        self._add_epoch(records, resolved, bool(changed))
        return Decision(tuple(records))

    def _resolve(self, regex: str) -> ResolvedRegex:
        topics: tuple[str, ...] = ()
        try:
            topics = NameRegex(regex).matching(self._host.topics.names())
        except InvalidRegex as problem:
            self._host.note(f"group {self._group_id}: the regular expression {regex!r} of its log matches nothing here: {problem}")
        return ResolvedRegex(topics, self._host.topics.version, self._host.wall_ms)

    def _add_epoch(self, records: list[CoordinatorRecord], resolved: dict[str, ResolvedRegex], changed: bool) -> None:
        metadata_hash = self._hash.of(subscribed_after(self._state, (), resolved))
        if changed or metadata_hash != self._state.metadata_hash:
            records.append(group_epoch_record(self._group_id, self._state.group_epoch + 1, metadata_hash))
