"""A seed gives the same trace everywhere: under any ``PYTHONHASHSEED``, alone or after other seeds in the same process.

``test_seeds.py`` holds every seed of the test run to that; here is shown that the gate it uses would notice, and what else must not change
a trace, or must.
"""

import pytest
from tests.support.seeds import Alone, problems

from holdwater.sim.run import Plan, simulate

PLAN = Plan(fault_ms=15_000)


class TestTheGate:
    def test_equal_traces_pass(self) -> None:
        assert problems([1, 2, 5], "tests.support.seeds:stable") == []

    def test_an_order_that_the_hash_seed_decides_is_noticed(self) -> None:
        found = problems([1, 2], "tests.support.seeds:order_of_a_set")
        assert len(found) == 2
        assert all("has two traces" in each for each in found)

    def test_what_an_earlier_run_leaves_behind_is_noticed(self) -> None:
        found = problems([1, 2, 3], "tests.support.seeds:count_of_earlier_runs")
        assert [each.partition(" has")[0] for each in found] == ["seed 2", "seed 3"], "the first of them was alone here, too"

    def test_a_failure_is_told_with_the_command_that_repeats_it(self) -> None:
        found = problems([2, 3, 4], "tests.support.seeds:stable")
        assert len(found) == 2
        assert "holdwater simulate --seed 3 --no-shrink" in found[0]
        assert "n2 truncates" in found[0]
        assert found[1] == "seed 4 held, and had only 499 of 500 operations"


@pytest.mark.parametrize("seed", [5, 23])
def test_telling_the_story_changes_nothing(seed: int) -> None:
    story: list[str] = []
    assert simulate(seed, PLAN, tell=story.append).digest == simulate(seed, PLAN).digest
    assert len(story) > 20


def test_another_seed_gives_another_trace() -> None:
    assert simulate(5, PLAN).digest != simulate(6, PLAN).digest


def test_a_schedule_can_be_played_again() -> None:
    first = simulate(5, PLAN)
    again = simulate(5, Plan(fault_ms=15_000, schedule=first.schedule))
    assert again.digest == first.digest
    without = simulate(5, Plan(fault_ms=15_000, schedule=()))
    assert without.held
    assert without.digest != first.digest
    assert not [name for name in without.counters if name.startswith("fault ")]


def test_alone_is_alone() -> None:
    """A process of its own for each seed: the count of earlier runs is none for all of them."""
    with Alone([7, 8, 9], "tests.support.seeds:count_of_earlier_runs") as alone:
        assert alone.digests() == dict.fromkeys((7, 8, 9), f"{1:032x}")
