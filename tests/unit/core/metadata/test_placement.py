"""Where replicas go."""

from collections import Counter

import pytest

from holdwater.core.metadata.placement import CannotPlace, UsableBroker, place_replicas
from holdwater.kernel.rng import Rng


def brokers(racks: str, fenced: str = "") -> list[UsableBroker]:
    """``brokers("aab", "3")``: broker 1 and 2 in rack a, broker 3 in rack b and fenced."""
    return [UsableBroker(number, None if rack == "-" else rack, str(number) in fenced) for number, rack in enumerate(racks, start=1)]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    ("racks", "fenced", "factor"), [("---", "", 3), ("----", "2", 3), ("aabbcc", "", 3), ("abc", "1", 2), ("-", "", 1), ("aab", "12", 3)]
)
def test_replicas_are_different_brokers_led_by_a_live_one(seed: int, racks: str, fenced: str, factor: int) -> None:
    usable = brokers(racks, fenced)
    placed = place_replicas(usable, 30, factor, Rng(seed))
    assert len(placed) == 30
    for replicas in placed:
        assert len(set(replicas)) == factor
        assert str(replicas[0]) not in fenced


@pytest.mark.parametrize("seed", range(20))
def test_every_rack_gets_its_share(seed: int) -> None:
    usable = brokers("aabbcc")
    rack_of = {broker.broker_id: broker.rack for broker in usable}
    for replicas in place_replicas(usable, 24, 3, Rng(seed)):
        assert len({rack_of[replica] for replica in replicas}) == 3


@pytest.mark.parametrize("seed", range(20))
def test_leaders_are_spread_evenly(seed: int) -> None:
    leaders = Counter(replicas[0] for replicas in place_replicas(brokers("---"), 30, 2, Rng(seed)))
    assert sorted(leaders.values()) == [10, 10, 10]


@pytest.mark.parametrize("seed", range(20))
def test_a_fenced_broker_is_left_out_while_there_are_others(seed: int) -> None:
    for replicas in place_replicas(brokers("----", "3"), 20, 3, Rng(seed)):
        assert 3 not in replicas


def test_fenced_brokers_never_run_out_of_turns() -> None:
    placed = place_replicas(brokers("aabbb", "345"), 500, 5, Rng(3))
    assert all(sorted(replicas) == [1, 2, 3, 4, 5] for replicas in placed)


def test_a_seed_gives_the_same_placement() -> None:
    assert place_replicas(brokers("abcabc"), 9, 3, Rng(5)) == place_replicas(brokers("abcabc"), 9, 3, Rng(5))


@pytest.mark.parametrize(
    ("usable", "factor", "sentence"),
    [
        (brokers("---"), 4, "The target replication factor of 4 cannot be reached because only 3 broker(s) are registered."),
        (brokers("--", "12"), 1, "All brokers are currently fenced."),
        ([], 1, "All brokers are currently fenced."),
        (brokers("--"), 0, "the replication factor must be positive."),
    ],
)
def test_what_cannot_be_placed(usable: list[UsableBroker], factor: int, sentence: str) -> None:
    with pytest.raises(CannotPlace) as caught:
        place_replicas(usable, 1, factor, Rng(1))
    assert sentence in str(caught.value)
