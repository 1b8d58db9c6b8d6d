"""Virtual time."""

import pytest

from holdwater.kernel.invariant import InvariantViolation
from holdwater.sim.clock import NodeClock, Scheduler, Storm


def test_events_run_by_time_and_then_in_the_order_in_which_they_were_scheduled() -> None:
    scheduler = Scheduler()
    told: list[tuple[int, str]] = []
    for at_us, name in ((30, "c"), (10, "a"), (10, "b")):
        scheduler.at(at_us, lambda name=name: told.append((scheduler.now_us, name)))
    scheduler.run(20)
    assert told == [(10, "a"), (10, "b")]
    assert scheduler.now_us == 20
    scheduler.run(100)
    assert told[-1] == (30, "c")


def test_time_stops_at_the_event_that_was_waited_for() -> None:
    scheduler = Scheduler()
    told: list[int] = []
    for at_us in (1, 2, 3):
        scheduler.at(at_us, told.append, at_us)
    assert scheduler.run(10, lambda: told == [1, 2])
    assert scheduler.now_us == 2
    assert not scheduler.run(10, lambda: len(told) == 9)
    assert scheduler.now_us == 10


def test_the_past_is_closed() -> None:
    scheduler = Scheduler()
    scheduler.run(10)
    with pytest.raises(InvariantViolation):
        scheduler.at(9, lambda: None)


def test_events_that_call_each_other_without_time_passing_are_noticed() -> None:
    scheduler = Scheduler()

    def again() -> None:
        scheduler.after(0, again)

    again()
    with pytest.raises(Storm):
        scheduler.run(1_000_000)


@pytest.mark.parametrize("drift_ppm", [-50_000, -10_000, -1, 0, 37, 10_000, 50_000])
def test_a_node_is_woken_at_the_first_moment_at_which_its_clock_shows_the_time(drift_ppm: int) -> None:
    clock = NodeClock(1_234, drift_ppm)
    for mono_ms in (1_235, 1_300, 99_999, 5_000_001):
        moment_us = clock.moment_us(mono_ms)
        assert clock.mono_ms(moment_us) >= mono_ms
        assert clock.mono_ms(moment_us - 1) < mono_ms


def test_a_wall_clock_may_be_wrong() -> None:
    right, wrong = NodeClock(0), NodeClock(0, wall_offset_ms=-500)
    assert right.wall_ms(1_000_000) - wrong.wall_ms(1_000_000) == 500


def test_a_wall_clock_jumps_stands_still_and_is_put_right_while_the_monotonic_one_goes_on() -> None:
    clock, right = NodeClock(5, 50_000, wall_offset_ms=300), NodeClock(5, 50_000, wall_offset_ms=300)
    day_ms = 24 * 60 * 60 * 1000
    clock.set_wall(day_ms)
    clock.set_wall(-day_ms)
    assert clock.wall_ms(1_000_000) == right.wall_ms(1_000_000) - 300 - day_ms
    clock.freeze_wall(1_000_000)
    assert clock.wall_ms(9_000_000) == clock.wall_ms(1_000_000)
    assert clock.mono_ms(9_000_000) == right.mono_ms(9_000_000)
    clock.put_right()
    assert clock.wall_ms(9_000_000) == right.wall_ms(9_000_000)
