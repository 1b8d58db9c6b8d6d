"""Seeds: clusters, faults and small settings drawn at random. A few with every change, many in the long run.

``regressions.txt`` names the seeds that once failed, with one line of what each taught; they run with every change.
"""

from pathlib import Path

import pytest

from holdwater.sim.run import simulate

REGRESSIONS = Path(__file__).parent / "regressions.txt"
FEW = range(1, 21)
MANY = range(1_000, 1_200)


def regressions() -> list[int]:
    lines = REGRESSIONS.read_text(encoding="utf-8").splitlines()
    return [int(line.partition(" ")[0]) for line in lines if line and not line.startswith("#")]


def hold(seed: int) -> None:
    outcome = simulate(seed)
    assert outcome.held, "\n".join([*outcome.story, str(outcome.schedule), f"seed {seed}: {outcome.verdict}: {outcome.why}"])
    assert outcome.acknowledged >= 100


@pytest.mark.parametrize("seed", FEW)
def test_a_few_seeds_hold(seed: int) -> None:
    hold(seed)


@pytest.mark.parametrize("seed", regressions())
def test_seeds_that_once_failed_hold(seed: int) -> None:
    hold(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", MANY)
def test_many_seeds_hold(seed: int) -> None:
    hold(seed)
