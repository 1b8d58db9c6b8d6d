"""Deadlines run in order, once, and those that are cancelled do not pile up."""

from holdwater.broker.timers import NEVER, Timers


def test_in_the_order_of_time_and_then_of_setting() -> None:
    ran: list[str] = []
    timers = Timers()
    timers.at(20, lambda: ran.append("late"))
    timers.at(10, lambda: ran.append("first"))
    timers.at(10, lambda: ran.append("second"))
    timers.run(9)
    assert ran == []
    assert timers.next_due() == 10
    timers.run(20)
    timers.run(20)
    assert ran == ["first", "second", "late"]
    assert timers.next_due() == NEVER


def test_what_is_set_while_running_waits_for_the_next_run() -> None:
    ran: list[int] = []
    timers = Timers()
    timers.at(1, lambda: timers.at(1, lambda: ran.append(1)) and None)
    timers.run(1)
    assert ran == []
    timers.run(1)
    assert ran == [1]


def test_a_cancelled_one_does_not_run_even_when_its_neighbour_cancels_it() -> None:
    ran: list[int] = []
    timers = Timers()

    def cancel_the_other() -> None:
        ran.append(0)
        later.cancel()

    timers.at(1, cancel_the_other)
    later = timers.at(1, lambda: ran.append(1))
    timers.run(1)
    assert ran == [0]


def test_cancelled_ones_are_swept() -> None:
    timers = Timers()
    for _ in range(70_000):
        timers.at(10**9, lambda: None).cancel()
    assert len(timers._heap) < 66_000
    assert timers.next_due() == NEVER
