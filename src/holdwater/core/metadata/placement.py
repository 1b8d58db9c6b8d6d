"""Where the replicas of new partitions go: striped over racks, then over the brokers of a rack (KIP-36, KIP-631).

Racks take turns, and inside a rack brokers take turns, from a random start; each partition moves the start of both by one. Unfenced
brokers come first, fenced ones only when a rack has no other left; the first replica, the leader, is never fenced. After as many
partitions as there are unfenced brokers the order is shuffled, so that the same sets do not repeat.
"""

from typing import NamedTuple

from holdwater.kernel.rng import Rng


class UsableBroker(NamedTuple):
    """A broker that may take replicas."""

    broker_id: int
    rack: str | None
    fenced: bool


class CannotPlace(Exception):  # noqa: N818 - reads as a sentence
    """The brokers there are cannot take that many replicas; the message says why, in one sentence."""


class _Ring:
    """Brokers that take turns. In each round every broker is handed out once, and each round starts one further."""

    __slots__ = ("_given", "_members", "_round", "_start")

    def __init__(self, members: list[int], rng: Rng) -> None:
        self._members = sorted(members)
        self._start = rng.below(len(members)) if members else 0
        self._given = 0
        self._round = 0

    def shuffle(self, rng: Rng) -> None:
        _shuffle(self._members, rng)

    def take(self, current_round: int) -> int | None:
        """The next broker of this round, ``None`` when each has been handed out."""
        if not self._members:
            return None
        if self._round != current_round:
            self._round = current_round
            self._given = 0
            self._start = (self._start + 1) % len(self._members)
        if self._given == len(self._members):
            return None
        member = self._members[(self._start + self._given) % len(self._members)]
        self._given += 1
        return member


class _Rack:
    __slots__ = ("fenced", "unfenced")

    def __init__(self, unfenced: list[int], fenced: list[int], rng: Rng) -> None:
        self.fenced = _Ring(fenced, rng)
        self.unfenced = _Ring(unfenced, rng)

    def take(self, current_round: int) -> int | None:
        broker = self.unfenced.take(current_round)
        return self.fenced.take(current_round) if broker is None else broker


class _Racks:
    """All racks, in turn."""

    def __init__(self, brokers: list[UsableBroker], rng: Rng) -> None:
        self._rng = rng
        names = sorted(dict.fromkeys(broker.rack for broker in brokers), key=lambda name: (name is not None, name or ""))
        self._racks = [
            _Rack(
                [broker.broker_id for broker in brokers if broker.rack == name and not broker.fenced],
                [broker.broker_id for broker in brokers if broker.rack == name and broker.fenced],
                rng,
            )
            for name in names
        ]
        self._unfenced_count = sum(1 for broker in brokers if not broker.fenced)
        self._start = rng.below(len(self._racks))
        self._round = 0

    def place(self, replication_factor: int) -> list[int]:
        if self._round > 0 and self._round % self._unfenced_count == 0 and self._unfenced_count > 1:
            self._shuffle()
        first_rack, leader = self._take_leader()
        replicas = [leader]
        turn = self._start
        while len(replicas) < replication_factor:
            # The leader's rack has had its turn in the first pass.
            if turn % len(self._racks) == first_rack:
                first_rack = -1
            else:
                broker = self._racks[turn % len(self._racks)].take(self._round)
                if broker is not None:
                    replicas.append(broker)
            turn += 1
        self._round += 1
        self._start = (self._start + 1) % len(self._racks)
        return replicas

    def _take_leader(self) -> tuple[int, int]:
        """The rack and the broker of the first replica, which is unfenced."""
        turn = self._start
        while True:
            rack = turn % len(self._racks)
            broker = self._racks[rack].unfenced.take(self._round)
            if broker is not None:
                return rack, broker
            turn += 1

    def _shuffle(self) -> None:
        _shuffle(self._racks, self._rng)
        for rack in self._racks:
            rack.unfenced.shuffle(self._rng)
            rack.fenced.shuffle(self._rng)


def place_replicas(brokers: list[UsableBroker], partition_count: int, replication_factor: int, rng: Rng) -> list[list[int]]:
    """Replicas of each new partition, leader first. Raises ``CannotPlace``."""
    if replication_factor <= 0:
        raise CannotPlace(f"Invalid replication factor {replication_factor}: the replication factor must be positive.")
    if not any(not broker.fenced for broker in brokers):
        raise CannotPlace("All brokers are currently fenced.")
    if replication_factor > len(brokers):
        raise CannotPlace(
            f"The target replication factor of {replication_factor} cannot be reached because only {len(brokers)} broker(s) are registered."
        )
    racks = _Racks(brokers, rng)
    return [racks.place(replication_factor) for _ in range(partition_count)]


def _shuffle(items: "list[int] | list[_Rack]", rng: Rng) -> None:
    for last in range(len(items) - 1, 0, -1):
        other = rng.below(last + 1)
        items[last], items[other] = items[other], items[last]  # type: ignore[assignment]
