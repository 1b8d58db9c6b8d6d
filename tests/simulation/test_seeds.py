"""Seeds: clusters, clients and faults drawn at random. Two hundred with every change, thousands in the long run.

Each of the two hundred is played twice, and must give one trace (``tests/support/seeds.py``). They run in one process, so that all of them
together can be held against the floors of coverage; asked for by itself, the test of the floors plays what has not been played yet.

``regressions.txt`` names the seeds that once failed, with one line of what each taught; they run with every change, too.
"""

from collections import Counter
from pathlib import Path

import pytest
from tests.support.seeds import COORDINATED, play, problems, regressions, told

from holdwater.sim.campaign import Played, Workers, campaign
from holdwater.sim.coverage import JUDGED_FROM_SEEDS, below_minimum, unmet
from holdwater.sim.run import Plan, simulate

SEEDS = range(1, 1 + JUDGED_FROM_SEEDS)
CHUNK = 20
MORE = range(10_001, 12_001)
MORE_CHUNK = 100


@pytest.mark.xdist_group("seeds")
@pytest.mark.parametrize("first", SEEDS[::CHUNK])
def test_seeds_hold_and_give_one_trace(first: int) -> None:
    found = problems(range(first, first + CHUNK))
    assert not found, "\n\n".join(found)


@pytest.mark.xdist_group("seeds")
def test_seeds_that_once_failed_hold_and_give_one_trace() -> None:
    found = problems(each.seed for each in regressions() if not each.coordination)
    found += problems((each.seed for each in regressions() if each.coordination), COORDINATED)
    assert not found, "\n\n".join(found)


@pytest.mark.xdist_group("seeds")
def test_together_they_meet_every_floor_of_coverage() -> None:
    met: Counter[str] = Counter()
    for seed in SEEDS:
        met.update(play(seed).counters)
    assert unmet(met) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("first", MORE[::MORE_CHUNK])
def test_many_more_seeds_hold(first: int) -> None:
    played: list[Played] = []
    with Workers(simulate, 1) as workers:
        campaign(workers, range(first, first + MORE_CHUNK), Plan(), played.append)
    assert len(played) == MORE_CHUNK
    found = [told(each.outcome) for each in played if not each.outcome.held]
    assert not found, "\n\n".join(found)
    assert [(each.outcome.seed, below_minimum(each.outcome)) for each in played if below_minimum(each.outcome)] == []


@pytest.mark.parametrize("line", ["x a lesson", "17", "17 ", "17 --coordination ", "5 a lesson\n5 the same seed again"])
def test_a_regression_without_its_lesson_is_refused(line: str, tmp_path: Path) -> None:
    path = tmp_path / "regressions.txt"
    path.write_text(f"# a comment\n\n3 one\n{line}\n")
    with pytest.raises(ValueError, match="not a new seed and what it taught"):
        regressions(path)
