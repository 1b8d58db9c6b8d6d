"""Searching seeds that find a planted bug: ``python -m tests.support.planted [NAME ...]`` prints a line for each, as ``planted.txt`` has them."""

import sys
from pathlib import Path

from holdwater.sim import museum
from holdwater.sim.run import CRASH, HELD, LIVENESS, Outcome, Plan, simulate

FIRST_SEED = 100_000
SEARCHED_SEEDS = 500


def known_seeds(path: Path) -> dict[str, int]:
    """Seed by the name of the bug that it finds."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: int(seed) for seed, name, *_ in (line.split() for line in lines if line and not line.startswith("#"))}


def finds(name: str, seed: int) -> Outcome | None:
    """The outcome of a seed that finds a bug in one of the ways that the museum names, ``None`` for one that does not."""
    outcome = simulate(seed, Plan(bugs=(name,)))
    way = outcome.verdict if outcome.verdict in {LIVENESS, CRASH} else outcome.code
    return outcome if outcome.verdict != HELD and way in museum.BUGS[name].codes else None


def search(name: str) -> Outcome | None:
    """The first seed that finds a bug."""
    for seed in range(FIRST_SEED, FIRST_SEED + SEARCHED_SEEDS):
        outcome = finds(name, seed)
        if outcome is not None:
            return outcome
    return None


if __name__ == "__main__":
    for wanted in sys.argv[1:] or museum.NAMES:
        found = search(wanted)
        if found is None:
            print(f"# {wanted}: not found in {SEARCHED_SEEDS} seeds", flush=True)
        else:
            print(f"{found.seed} {wanted} {found.code or found.verdict}", flush=True)
