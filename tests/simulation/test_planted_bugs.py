"""Each planted bug is found: by one known seed with every change, and by a search from a fresh start in the long run.

``planted.txt`` names for each bug a seed that finds it. ``python -m tests.support.planted`` searches anew and prints such a file.
"""

from pathlib import Path

import pytest
from tests.support.planted import SEARCHED_SEEDS, finds, known_seeds, search

from holdwater.sim import museum

KNOWN = Path(__file__).parent / "planted.txt"


@pytest.mark.parametrize("name", museum.NAMES)
def test_a_known_seed_finds_it(name: str) -> None:
    seed = known_seeds(KNOWN).get(name)
    assert seed is not None, f"no seed is known that finds {name}: python -m tests.support.planted {name}"
    outcome = finds(name, seed)
    assert outcome is not None, f"seed {seed} does not find {name} any more: python -m tests.support.planted {name}"


@pytest.mark.slow
@pytest.mark.parametrize("name", museum.NAMES)
def test_a_search_from_a_fresh_start_finds_it(name: str) -> None:
    found = search(name)
    assert found is not None, f"{SEARCHED_SEEDS} seeds did not find {name}"
