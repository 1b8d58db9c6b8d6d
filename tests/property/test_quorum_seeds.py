"""Whole quorums under crashes, power losses and netsplits, by seed: M1 to M4 after every step, and convergence once there is peace."""

import os
import subprocess
import sys

import pytest
from tests.support.quorum_chaos import chaos
from tests.support.quorum_disk import DiskStorage

SEED_COUNT = 220
DISK_SEED_COUNT = 60
PER_CASE = 20
TRACE_PROGRAM = """
import hashlib
from tests.support.quorum_chaos import chaos
for seed in (3, 11, 12, 27):
    print(seed, hashlib.sha256("\\n".join(chaos(seed).trace).encode()).hexdigest())
"""


@pytest.mark.parametrize("first", range(0, SEED_COUNT, PER_CASE))
def test_seeds(first: int) -> None:
    for seed in range(first, first + PER_CASE):
        try:
            chaos(seed)
        except BaseException as error:
            error.add_note(f"seed {seed}: python -c 'from tests.support.quorum_chaos import chaos; chaos({seed})'")
            raise


@pytest.mark.parametrize("first", range(0, DISK_SEED_COUNT, PER_CASE))
def test_seeds_on_storage_as_it_is(first: int) -> None:
    """The same disorder on real log directories over a simulated disk that tears and reorders what was not synced."""
    for seed in range(first, first + PER_CASE):
        try:
            chaos(seed, make_storage=DiskStorage)
        except BaseException as error:
            error.add_note(f"seed {seed}, on DiskStorage")
            raise


def test_a_seed_gives_the_same_trace_under_any_hash_seed_and_after_others() -> None:
    traces: list[str] = []
    for hash_seed in ("0", "12345"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run([sys.executable, "-c", TRACE_PROGRAM], env=environment, capture_output=True, text=True, check=True)
        traces.append(run.stdout)
    assert traces[0] == traces[1]
    chaos(5)
    again = chaos(27).trace
    assert again == chaos(27).trace
