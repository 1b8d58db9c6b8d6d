"""What steps wait for, on samples made by hand."""

import pytest
from tests.support.story import view

from holdwater.prove.conditions import World, isr_full, leaders_elsewhere, writes_resumed
from holdwater.prove.history.model import PartitionView, Sample


def sample(broker: int, *views: PartitionView, at: int = 10, reachable: bool = True) -> Sample:
    return Sample(at, broker, reachable, -1, -1, views)


def world(*samples: Sample, **changes: object) -> World:
    return World((1, 2, 3), {one.broker: one for one in samples}, [0, 0], since_ns=10, **changes)  # type: ignore[arg-type]


def everywhere(*views: PartitionView) -> list[Sample]:
    return [sample(broker, *views) for broker in (1, 2, 3)]


class TestIsrFull:
    def test_when_every_broker_sees_it(self) -> None:
        assert isr_full(world(*everywhere(view(), view(1, leader=2))))

    @pytest.mark.parametrize("odd", [view(leader=-1), view(isr=(1, 2)), view(isr=(2, 3), leader=1)])
    def test_not_while_one_broker_sees_it_otherwise(self, odd: PartitionView) -> None:
        samples = everywhere(view())
        samples[2] = sample(3, odd)
        assert not isr_full(world(*samples))

    def test_not_while_one_says_nothing(self) -> None:
        assert not isr_full(world(*everywhere(view())[:2]))
        assert not isr_full(world(*everywhere(view())[:2], sample(3, reachable=False)))
        assert not isr_full(world(*everywhere()))

    def test_not_by_what_was_said_before(self) -> None:
        assert not isr_full(world(*everywhere(view())[:2], sample(3, view(), at=9)))


class TestLeadersElsewhere:
    def test_when_every_live_broker_sees_a_new_leader(self) -> None:
        after = view(leader=2, epoch=5)
        assert leaders_elsewhere(world(sample(2, after), sample(3, after), down=frozenset({1}), victim=1, led={0: 4}))

    @pytest.mark.parametrize(
        "odd", [view(leader=1, epoch=5), view(leader=-1, epoch=5), view(leader=2, epoch=4), view(1, leader=2, epoch=5)]
    )
    def test_not_while_one_sees_it_otherwise(self, odd: PartitionView) -> None:
        samples = (sample(2, view(leader=2, epoch=5)), sample(3, odd))
        assert not leaders_elsewhere(world(*samples, down=frozenset({1}), victim=1, led={0: 4}))

    def test_partitions_that_it_did_not_lead_do_not_matter(self) -> None:
        after = (view(leader=2, epoch=5), view(1, leader=3, epoch=0))
        assert leaders_elsewhere(world(sample(2, *after), sample(3, *after), down=frozenset({1}), victim=1, led={0: 4}))

    def test_a_broker_that_led_nothing(self) -> None:
        assert leaders_elsewhere(world(sample(2, view()), sample(3, view()), down=frozenset({1}), victim=1, led={}))


def test_writes_go_on_when_every_partition_has_a_new_acknowledgement() -> None:
    before = world(acknowledged_before=[5, 5])
    for now, expected in (([6, 6], True), ([6, 5], False), ([5, 5], False)):
        before.acknowledged = now
        assert writes_resumed(before) is expected
