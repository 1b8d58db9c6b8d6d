"""The server-side assignors of consumer groups (KIP-848): from members and topics to who shall have what.

``uniform`` balances over all topics and keeps what members have; ``range`` gives members with the same place in the order the same partitions
of every topic, so that topics with equal partition counts are joined locally, and keeps nothing on purpose. Both are functions of their input
alone: members come sorted by id, topic ids are gone through in ascending order. As in Kafka 4.4 neither looks at racks.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from holdwater.core.groups.consumer.balance import balanced
from holdwater.core.groups.consumer.member import Target
from holdwater.kernel.invariant import invariant


class AssignorMember(NamedTuple):
    """What an assignor knows of a member. ``topic_ids`` are the topics that it subscribes to and that there are, in ascending order."""

    member_id: str
    topic_ids: tuple[bytes, ...]
    instance_id: str | None = None
    target: Target = {}  # noqa: RUF012 - never written to
    """Its target assignment so far."""


PartitionCounts = Mapping[bytes, int]
Assignor = Callable[[Sequence[AssignorMember], PartitionCounts], dict[str, Target]]


def assign(name: str, members: Sequence[AssignorMember], partition_counts: PartitionCounts) -> dict[str, Target]:
    """The new target assignment, with an entry for every member; ``members`` are sorted by id, and every topic has its count."""
    targets = ASSIGNORS[name](members, partition_counts)
    _check_owners(targets)
    return targets


def _check_owners(targets: Mapping[str, Target]) -> None:
    seen: dict[tuple[bytes, int], str] = {}
    for member_id, target in targets.items():
        for topic_id, numbers in target.items():
            for number in numbers:
                other = seen.setdefault((topic_id, number), member_id)
                invariant(other == member_id, f"partition {number} of {topic_id.hex()} is meant for {other} and for {member_id}")


def _range(members: Sequence[AssignorMember], partition_counts: PartitionCounts) -> dict[str, Target]:
    """Static members come first, by instance id, so that a restart with another member id moves nothing."""
    ordered = sorted(members, key=_range_order)
    subscribers: dict[bytes, int] = {}
    for member in ordered:
        for topic_id in member.topic_ids:
            subscribers[topic_id] = subscribers.get(topic_id, 0) + 1
    places = dict.fromkeys(subscribers, 0)
    targets: dict[str, Target] = {}
    for member in ordered:
        target: Target = {}
        for topic_id in member.topic_ids:
            numbers = _nth_range(partition_counts[topic_id], subscribers[topic_id], places[topic_id])
            places[topic_id] += 1
            if numbers:
                target[topic_id] = tuple(numbers)
        targets[member.member_id] = target
    return targets


def _range_order(member: AssignorMember) -> tuple[bool, str]:
    dynamic = member.instance_id is None
    return dynamic, member.member_id if member.instance_id is None else member.instance_id


def _nth_range(partition_count: int, subscriber_count: int, place: int) -> range:
    """The first ``partition_count % subscriber_count`` places get one partition more than the others."""
    quota, extra = divmod(partition_count, subscriber_count)
    start = place * quota + min(place, extra)
    return range(start, start + quota + (place < extra))


def _uniform(members: Sequence[AssignorMember], partition_counts: PartitionCounts) -> dict[str, Target]:
    if not members:
        return {}
    topic_ids = members[0].topic_ids
    if all(member.topic_ids == topic_ids for member in members):
        return _uniform_homogeneous(members, topic_ids, partition_counts)
    return balanced([(member.member_id, member.topic_ids, member.target) for member in members], partition_counts)


def _uniform_homogeneous(
    members: Sequence[AssignorMember], topic_ids: tuple[bytes, ...], partition_counts: PartitionCounts
) -> dict[str, Target]:
    """Everybody may have everything: sizes differ by one at most, and no more moves than that needs.

    The members that have more than the quota already keep one more, as long as there are such places; what places are left over go to the
    last members in the order.
    """
    quota, extra = divmod(sum(partition_counts[topic_id] for topic_id in topic_ids), len(members))
    kept: list[list[tuple[bytes, int]]] = []
    wanting: list[tuple[int, int]] = []
    taken: set[tuple[bytes, int]] = set()
    subscribed = frozenset(topic_ids)
    for place, member in enumerate(members):
        has = [each for each in _flat(member.target) if each[0] in subscribed and each[1] < partition_counts[each[0]] and each not in taken]
        has_more = extra > 0 and (len(has) > quota or len(members) - place <= extra)
        limit = quota + has_more
        extra -= has_more
        has = has[:limit]
        taken.update(has)
        kept.append(has)
        if len(has) < limit:
            wanting.append((place, limit - len(has)))
    free = iter([(topic_id, n) for topic_id in topic_ids for n in range(partition_counts[topic_id]) if (topic_id, n) not in taken])
    for place, count in wanting:
        kept[place].extend(next(free) for _ in range(count))
    invariant(next(free, None) is None, "the quotas of the members do not add up to the partitions")
    return {member.member_id: _by_topic(kept[place]) for place, member in enumerate(members)}


def _flat(target: Target) -> Iterable[tuple[bytes, int]]:
    return [(topic_id, number) for topic_id in sorted(target) for number in target[topic_id]]


def _by_topic(partitions: Iterable[tuple[bytes, int]]) -> Target:
    grouped: dict[bytes, list[int]] = {}
    for topic_id, number in partitions:
        grouped.setdefault(topic_id, []).append(number)
    return {topic_id: tuple(sorted(grouped[topic_id])) for topic_id in sorted(grouped)}


ASSIGNORS: dict[str, Assignor] = {"uniform": _uniform, "range": _range}
"""By the names that Kafka gives them."""
