"""What a group subscribes to, now and after the change of a member, and the hash by which it notices that those topics have changed."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from holdwater.core.coordinator import TopicsView
from holdwater.core.groups.consumer.member import ConsumerMember
from holdwater.core.groups.consumer.state import ConsumerState, ResolvedRegex, add_to_counts
from holdwater.core.groups.consumer.topic_hash import group_hash, topic_hash


def topics_of(member: ConsumerMember, resolved: dict[str, ResolvedRegex]) -> tuple[str, ...]:
    """The topic names that a member subscribes to, sorted. A regular expression that is not resolved yet matches nothing."""
    found = resolved.get(member.subscribed_topic_regex) if member.subscribed_topic_regex else None
    if found is None:
        return member.subscribed_topic_names
    if not member.subscribed_topic_names:
        return found.topics
    return tuple(sorted(dict.fromkeys(member.subscribed_topic_names + found.topics)))


def topic_ids_of(names: Iterable[str], topics: TopicsView) -> dict[bytes, int]:
    """Partition counts by topic id, in ascending order of the ids, of those topics that there are."""
    found: dict[bytes, int] = {}
    for name in names:
        topic_id = topics.topic_id(name)
        if topic_id is not None:
            found[topic_id] = topics.partition_count(name)
    return dict(sorted(found.items()))


Changes = Sequence[tuple[ConsumerMember | None, ConsumerMember | None]]
"""Members as the state has them, each with what takes its place."""


def regex_counts_after(state: ConsumerState, changes: Changes) -> dict[str, int]:
    """How many members subscribe with each expression after the changes."""
    counts = dict(state.regex_counts)
    for old, new in changes:
        add_to_counts(counts, old, new, lambda member: (member.subscribed_topic_regex,) if member.subscribed_topic_regex else ())
    return counts


def subscribed_after(state: ConsumerState, changes: Changes, resolved: dict[str, ResolvedRegex] | None = None) -> list[str]:
    """The topic names that the group subscribes to after the changes, sorted.

    ``resolved`` are the regular expressions with their topics, those of the state unless given; one that nobody subscribes with any more counts no
    longer.
    """
    names = dict(state.name_counts)
    regexes = regex_counts_after(state, changes)
    for old, new in changes:
        add_to_counts(names, old, new, lambda member: member.subscribed_topic_names)
    for regex, found in (state.resolved if resolved is None else resolved).items():
        if regex in regexes:
            names.update(dict.fromkeys(found.topics, 1))
    return sorted(names)


class MetadataHash:
    """The hash of a group's topics. A topic's own hash is worked out again only when it is another topic than it was."""

    def __init__(self, topics: TopicsView) -> None:
        self._topics = topics
        self._version = -1
        self._known: dict[str, _KnownTopic] = {}

    def of(self, names: Iterable[str]) -> int:
        """The hash over the named topics that there are; 0 when there is none of them."""
        is_current = self._topics.version == self._version
        known, self._known, self._version = self._known, {}, self._topics.version
        for name in names:
            old = known.get(name)
            found = old if old is not None and is_current else self._look_at(name, old)
            if found is not None:
                self._known[name] = found
        return group_hash({name: found.hash for name, found in self._known.items()})

    def _look_at(self, name: str, old: "_KnownTopic | None") -> "_KnownTopic | None":
        topic_id = self._topics.topic_id(name)
        if topic_id is None:
            return None
        racks = [self._topics.racks(name, number) for number in range(self._topics.partition_count(name))]
        if old is not None and (old.topic_id, old.racks) == (topic_id, racks):
            return old
        return _KnownTopic(topic_id, racks, topic_hash(topic_id, name, racks))


class _KnownTopic(NamedTuple):
    """A topic when it was looked at, with the racks of each partition's replicas."""

    topic_id: bytes
    racks: list[tuple[str, ...]]
    hash: int
