"""The ``uniform`` assignor for members that subscribe to different topics.

Three passes: members keep what they have and still subscribe to; what nobody has goes to the least loaded of its subscribers, the topics with
the most partitions per subscriber first; then, topic by topic, partitions move from the most loaded to the least loaded subscriber while their
loads differ by more than one. Moves in one topic may unbalance another, so topics are gone through again until a whole round has moved
nothing, ``_ROUNDS_MAX`` times at most.
"""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush, heapreplace

from holdwater.core.groups.consumer.member import Target

_ROUNDS_MAX = 16

Spec = tuple[str, tuple[bytes, ...], Target]
"""Member id, topic ids that it subscribes to, target so far."""


def balanced(members: Sequence[Spec], partition_counts: Mapping[bytes, int]) -> dict[str, Target]:
    """The new target of every member."""
    balancer = _Balancer(members, partition_counts)
    balancer.assign_free_partitions()
    balancer.even_out()
    return balancer.targets()


class _Balancer:
    """Members are known by their place in the order, which breaks ties."""

    def __init__(self, members: Sequence[Spec], partition_counts: Mapping[bytes, int]) -> None:
        self._member_ids = [member_id for member_id, _, _ in members]
        self._load = [0] * len(members)
        self._subscribers: dict[bytes, list[int]] = {}
        for place, (_, topic_ids, _) in enumerate(members):
            for topic_id in topic_ids:
                self._subscribers.setdefault(topic_id, []).append(place)
        self._counts = {topic_id: partition_counts[topic_id] for topic_id in self._subscribers}
        self._owner: dict[bytes, list[int | None]] = {topic_id: [None] * count for topic_id, count in self._counts.items()}
        for place, (_, topic_ids, target) in enumerate(members):
            self._keep(place, topic_ids, target)
        self._topics = sorted(self._subscribers, key=self._topic_order)

    def _keep(self, place: int, topic_ids: tuple[bytes, ...], target: Target) -> None:
        for topic_id in target:
            if topic_id not in topic_ids:
                continue
            owners = self._owner[topic_id]
            for number in target[topic_id]:
                if number < len(owners) and owners[number] is None:
                    owners[number] = place
                    self._load[place] += 1

    def _topic_order(self, topic_id: bytes) -> tuple[float, int, bytes]:
        """Those that need the most of each subscriber first, then those with the least choice."""
        subscribers = len(self._subscribers[topic_id])
        return -self._counts[topic_id] / subscribers, subscribers, topic_id

    def assign_free_partitions(self) -> None:
        """What nobody has goes to the least loaded subscriber."""
        for topic_id in self._topics:
            owners = self._owner[topic_id]
            if None not in owners:
                continue
            ranked = self._ranked(topic_id)
            least = [(self._load[place], rank) for rank, place in enumerate(ranked)]
            for number, owner in enumerate(owners):
                if owner is None:
                    load, rank = least[0]
                    owners[number] = ranked[rank]
                    self._load[ranked[rank]] = load + 1
                    heapreplace(least, (load + 1, rank))

    def _ranked(self, topic_id: bytes) -> list[int]:
        """The topic's subscribers, the least loaded first. Where loads become equal, who had less before counts as less loaded."""
        return sorted(self._subscribers[topic_id], key=lambda place: (self._load[place], place))

    def even_out(self) -> None:
        """Go through the topics until one whole round has moved nothing."""
        topics = [topic_id for topic_id in self._topics if len(self._subscribers[topic_id]) > 1]
        quiet = 0
        for _ in range(_ROUNDS_MAX):
            for topic_id in topics:
                quiet = 0 if self._even_out_topic(topic_id) else quiet + 1
                if quiet == len(topics):
                    return

    def _even_out_topic(self, topic_id: bytes) -> bool:
        """Whether something was moved. A member gives its partitions of the topic with the highest numbers first."""
        ranked = self._ranked(topic_id)
        if self._load[ranked[-1]] - self._load[ranked[0]] <= 1:
            return False
        owners = self._owner[topic_id]
        held: dict[int, list[int]] = {}
        for number, owner in enumerate(owners):
            if owner is not None:
                held.setdefault(owner, []).append(number)
        least = [(self._load[place], rank) for rank, place in enumerate(ranked)]
        most = [(-self._load[place], -rank) for rank, place in enumerate(ranked) if place in held]
        heapify(most)
        moved = False
        while most:
            load, giver = -most[0][0], -most[0][1]
            if load != self._load[ranked[giver]] or not held[ranked[giver]]:
                heappop(most)
                continue
            while least[0][0] != self._load[ranked[least[0][1]]]:
                heappop(least)
            lowest, taker = least[0]
            if load - lowest <= 1:
                break
            owners[held[ranked[giver]].pop()] = ranked[taker]
            self._load[ranked[giver]] = load - 1
            self._load[ranked[taker]] = lowest + 1
            heapreplace(most, (1 - load, -giver))
            heapreplace(least, (lowest + 1, taker))
            heappush(least, (load - 1, giver))
            moved = True
        return moved

    def targets(self) -> dict[str, Target]:
        """The outcome, by member id."""
        found: list[Target] = [{} for _ in self._member_ids]
        for topic_id in sorted(self._owner):
            numbers: dict[int, list[int]] = {}
            for number, owner in enumerate(self._owner[topic_id]):
                if owner is not None:
                    numbers.setdefault(owner, []).append(number)
            for place, held in numbers.items():
                found[place][topic_id] = tuple(held)
        return dict(zip(self._member_ids, found, strict=True))
