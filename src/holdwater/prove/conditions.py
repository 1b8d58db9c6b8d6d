"""What steps wait for: predicates over the latest samples and the clients' latest figures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from holdwater.prove.history.model import PartitionView, Sample


@dataclass(slots=True)
class World:
    """What is known right now. ``since_ns``: when the wait began; an older sample proves nothing about what came after it."""

    brokers: tuple[int, ...]
    latest: Mapping[int, Sample]
    acknowledged: list[int]
    down: frozenset[int] = frozenset()
    since_ns: int = 0
    acknowledged_before: list[int] = field(default_factory=list[int])
    victim: int = -1
    led: Mapping[int, int] = field(default_factory=dict[int, int])
    """Partitions that the victim led when the fault came, with their leader epochs then."""

    def fresh(self, brokers: tuple[int, ...]) -> list[Sample] | None:
        """One sample of each broker, all taken since the wait began and reachable; ``None`` while one is missing."""
        samples = [self.latest.get(broker) for broker in brokers]
        found = [sample for sample in samples if sample is not None and sample.reachable and sample.time_ns >= self.since_ns]
        return found if len(found) == len(brokers) else None

    @property
    def live(self) -> tuple[int, ...]:
        """Brokers that no fault of ours holds down."""
        return tuple(broker for broker in self.brokers if broker not in self.down)


def isr_full(world: World) -> bool:
    """Every broker that is not held down sees a leader and a full ISR for every partition; so none may be held down."""
    samples = world.fresh(world.brokers)
    return samples is not None and all(sample.partitions and all(_whole(view) for view in sample.partitions) for sample in samples)


def _whole(view: PartitionView) -> bool:
    return view.leader >= 0 and set(view.isr) == set(view.replicas) and view.leader in view.isr


def leaders_elsewhere(world: World) -> bool:
    """Every live broker sees a new leader, at a higher leader epoch, for all partitions that the victim led."""
    samples = world.fresh(world.live)
    if not samples:  # a broker that is alone has nobody to follow it
        return False
    for sample in samples:
        views = {view.partition: view for view in sample.partitions}
        for partition, epoch in world.led.items():
            view = views.get(partition)
            if view is None or view.leader in (-1, world.victim) or view.leader_epoch <= epoch:
                return False
    return True


def writes_resumed(world: World) -> bool:
    """Every partition has had an acknowledgement since the wait began."""
    return all(now > before for now, before in zip(world.acknowledged, world.acknowledged_before, strict=True))


CONDITIONS: dict[str, Callable[[World], bool]] = {
    "isr-full": isr_full,
    "whole-at-end": isr_full,
    "leaders-elsewhere": leaders_elsewhere,
    "writes-resumed": writes_resumed,
}
