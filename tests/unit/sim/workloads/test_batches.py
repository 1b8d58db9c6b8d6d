"""Which batch may leave next, and below which offset everything of a producer is settled."""

from holdwater.sim.workloads.batches import Batch, Lane
from holdwater.sim.workloads.history import Sent


def lane(count: int, *, is_known: bool = True) -> Lane:
    made = Lane()
    made.is_known = is_known
    for number in range(count):
        made.add(Sent("p", number, "orders", 0, 0), 1, 0)
    return made


def send(made: Lane, *, in_order: bool = True, in_flight_max: int = 5) -> list[int]:
    """Send whatever may leave; returns the numbers of those batches."""
    sent: list[int] = []
    choose = made.next_in_order if in_order else made.next_of_any
    while (batch := choose(0, in_flight_max)) is not None:
        batch.attempts += 1
        batch.under_way = True
        sent.append(batch.number)
    return sent


def refuse(batch: Batch) -> None:
    batch.under_way = False


def test_records_join_the_last_batch_until_it_is_full_or_sent() -> None:
    made = Lane()
    for number in range(3):
        made.add(Sent("p", number, "orders", 0, 0), 2, 9)
    assert [len(batch.records) for batch in made.batches] == [2, 1]
    made.batches[-1].attempts = 1
    made.add(Sent("p", 3, "orders", 0, 0), 2, 9)
    assert [len(batch.records) for batch in made.batches] == [2, 1, 1]
    assert made.batches[-1].deadline_us == 9


def test_five_are_in_flight_once_leaders_know_the_producer() -> None:
    assert send(lane(7)) == [1, 2, 3, 4, 5]
    assert send(lane(7, is_known=False)) == [1]
    assert send(lane(7), in_flight_max=1) == [1]


def test_a_retried_batch_waits_until_it_is_the_oldest() -> None:
    made = lane(3)
    send(made)
    first, second, _ = made.batches
    refuse(second)
    assert send(made) == []
    made.acknowledged(first, 10)
    assert send(made) == [2]


def test_none_is_sent_that_is_five_behind_the_oldest() -> None:
    made = lane(7)
    send(made)
    made.acknowledged(made.batches[1], 11)
    assert send(made) == []
    made.acknowledged(made.batches[0], 10)
    assert send(made) == [6, 7]


def test_a_plain_producer_sends_any_while_few_enough_are_under_way() -> None:
    made = lane(7)
    assert send(made, in_order=False) == [1, 2, 3, 4, 5]
    refuse(made.batches[2])
    assert send(made, in_order=False) == [3]
    one = lane(2)
    assert send(one, in_order=False, in_flight_max=1) == [1]
    made.retry_us = 5
    refuse(made.batches[0])
    assert made.next_of_any(4, 5) is None


def test_everything_below_an_offset_is_settled_when_what_is_older_is_acknowledged() -> None:
    made = lane(4)
    first, second, third, fourth = send_all(made)
    made.acknowledged(second, 20)
    assert made.settled_end == 0
    made.acknowledged(first, 10)
    assert made.settled_end == 10
    made.acknowledged(fourth, 40)
    assert made.settled_end == 10
    made.acknowledged(third, 30)
    assert made.settled_end == 40


def test_a_batch_that_may_be_written_ends_all_certainty() -> None:
    made = lane(3)
    first, second, third = send_all(made)
    made.acknowledged(first, 10)
    second.maybe_written = True
    made.dropped(second)
    made.acknowledged(third, 30)
    assert made.settled_end == 10


def send_all(made: Lane) -> list[Batch]:
    send(made)
    return list(made.batches)
