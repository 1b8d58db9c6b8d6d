"""A seed gives the same trace everywhere: under any PYTHONHASHSEED, alone or after another seed in the same process."""

import os
import subprocess
import sys

import pytest

from holdwater.sim.run import Plan, simulate

PLAN = Plan(fault_ms=15_000)
PROGRAM = """
import sys
from holdwater.sim.run import Plan, simulate
for seed in sys.argv[1:]:
    print(simulate(int(seed), Plan(fault_ms=15_000)).digest)
"""


def digests(hash_seed: str, *seeds: int) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, seeds)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.parametrize("seed", [5, 23])
def test_a_seed_gives_one_trace(seed: int) -> None:
    here = simulate(seed, PLAN)
    assert digests("1", seed) == [here.digest]
    assert digests("2", 7, seed)[-1] == here.digest
    assert simulate(seed, PLAN).digest == here.digest


def test_another_seed_gives_another_trace() -> None:
    assert simulate(5, PLAN).digest != simulate(6, PLAN).digest


def test_a_schedule_can_be_played_again() -> None:
    first = simulate(5, PLAN)
    again = simulate(5, Plan(fault_ms=15_000, schedule=first.schedule))
    assert again.digest == first.digest
    without = simulate(5, Plan(fault_ms=15_000, schedule=()))
    assert without.held
    assert not without.faults
