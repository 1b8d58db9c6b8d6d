"""The determinism gate: seeds are played here, after others in one process, and once more alone, under another ``PYTHONHASHSEED``.

*Alone* is in a process that has played nothing else: it is forked from one that has imported the simulator, and has not used it.
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, Self

from tests.support.campaigns import Tell, outcome

from holdwater.sim.coverage import below_minimum
from holdwater.sim.report import failure_text
from holdwater.sim.run import Outcome, Plan, simulate
from holdwater.sim.summary import Failure, failure_document, replay_command

ROOT = Path(__file__).parents[2]
REGRESSIONS = ROOT / "tests" / "simulation" / "regressions.txt"
SIMULATE = "holdwater.sim.run:simulate"
COORDINATED = "tests.support.seeds:coordinated"
_PROGRAM = """
import importlib, sys
from holdwater.sim.campaign import Workers, campaign
from holdwater.sim.run import Plan
module, _, name = sys.argv[1].partition(":")
with Workers(getattr(importlib.import_module(module), name), 1) as workers:
    campaign(workers, map(int, sys.argv[2:]), Plan(), lambda played: print(played.outcome.seed, played.outcome.digest or "none", flush=True))
"""


class Regression(NamedTuple):
    """A seed that once failed, and what it taught."""

    seed: int
    lesson: str
    coordination: bool = False
    """Whether it was played with ``--coordination``."""


def regressions(path: Path = REGRESSIONS) -> list[Regression]:
    """The lines of the file: a seed, ``--coordination`` where it was played so, a lesson.

    Raises ``ValueError`` for a line that is not so, and for a seed that is there twice.
    """
    found: dict[tuple[int, bool], Regression] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        number, _, rest = line.partition(" ")
        lesson = rest.removeprefix("--coordination ").strip()
        coordination = rest.startswith("--coordination ")
        if not number.isdecimal() or not lesson or (int(number), coordination) in found:
            raise ValueError(f"{path.name}: not a new seed and what it taught: {line!r}")
        found[int(number), coordination] = Regression(int(number), lesson, coordination)
    return list(found.values())


def coordinated(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
    """``simulate`` with groups, transactions or both in every seed."""
    return simulate(seed, replace(plan or Plan(), coordination=True), tell=tell)


def play(seed: int, target: str = SIMULATE) -> Outcome:
    """The outcome of a seed, played once in this process."""
    return _play(seed, target)


@cache
def _play(seed: int, target: str) -> Outcome:
    """Play a seed in this process, once; whoever asks again gets the same outcome."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)(seed, Plan())


class Alone:
    """Plays seeds alone while the context is open; ``digests`` waits for the last of them."""

    def __init__(self, seeds: Iterable[int], target: str = SIMULATE) -> None:
        other = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, target, *map(str, seeds)],
            env={**os.environ, "PYTHONHASHSEED": other, "PYTHONPATH": os.pathsep.join(paths)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def digests(self) -> dict[int, str]:
        """By seed."""
        out, err = self._process.communicate()
        assert self._process.returncode == 0, err
        return {int(seed): digest for seed, digest in (line.split() for line in out.splitlines())}


def problems(seeds: Iterable[int], target: str = SIMULATE) -> list[str]:
    """What is wrong with seeds: those that fail, those that do too little, those whose two traces are not the same."""
    seeds = list(seeds)
    found: list[str] = []
    with Alone(seeds, target) as alone:
        outcomes = [play(seed, target) for seed in seeds]
        digests = alone.digests()
    for one in outcomes:
        if not one.held:
            found.append(told(one, Plan(coordination=target == COORDINATED)))
        elif below_minimum(one):
            found.append(f"seed {one.seed} held, and had only {below_minimum(one)}")
        other = digests.get(one.seed, "none")
        if other != one.digest:
            found.append(
                f"seed {one.seed} has two traces: {one.digest} here, after others, and {other} alone, under another PYTHONHASHSEED"
            )
    return found


def told(failing: Outcome, plan: Plan | None = None) -> str:
    """A failing seed: its story, its schedule, and the command that plays it again."""
    document = failure_document(Failure(failing), "of this tree", replay_command(failing.seed, plan or Plan())) | {"story": []}
    return "\n".join([*failing.story, failure_text(document)])


# --- runs that are not deterministic, for the gate to find


def order_of_a_set(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
    """Its trace follows the order of a set of strings, which ``PYTHONHASHSEED`` decides."""
    return outcome(seed, digest="".join({f"{letter}{seed}" for letter in "abcdefghijklmnop"}))


_played: list[int] = []


def count_of_earlier_runs(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
    """Its trace tells how many were played before it in the process."""
    _played.append(seed)
    return outcome(seed, digest=f"{len(_played):032x}")


def stable(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
    """Its trace is always the same; seed 3 fails, seed 4 does too little."""
    return outcome(seed, "safety") if seed == 3 else outcome(seed, operations=499 if seed == 4 else 500)
