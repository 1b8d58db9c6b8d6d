"""Every planted bug still has its place in the source, and is gone when the run is over."""

import pytest

from holdwater.core.replica import LeaderReplica
from holdwater.sim import museum
from holdwater.sim.exhibits import EXHIBITS, Change, PlantedBug


def test_there_are_at_least_twenty_and_their_names_differ() -> None:
    assert len(museum.BUGS) == len(EXHIBITS) >= 20


@pytest.mark.parametrize("name", museum.NAMES)
def test_a_bug_is_there_while_it_is_planted_and_only_then(name: str) -> None:
    functions = [museum._find(change.module, change.function) for change in museum.BUGS[name].changes]
    codes = [function.__code__ for function in functions]
    with museum.planted([name]):
        assert all(function.__code__ is not code for function, code in zip(functions, codes, strict=True))
    assert [function.__code__ for function in functions] == codes


def test_what_a_bug_changes_is_gone_after_an_exception_too() -> None:
    code = LeaderReplica.advance_high_watermark.__code__
    with pytest.raises(RuntimeError), museum.planted(["min-isr-ignored"]):
        raise RuntimeError
    assert LeaderReplica.advance_high_watermark.__code__ is code


def test_a_bug_that_there_is_none_of_is_named() -> None:
    with pytest.raises(museum.NotPlanted, match="no planted bug 'x'"), museum.planted(["x"]):
        pass


def test_a_bug_whose_place_has_changed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = PlantedBug("lost", "", (), (Change("core.replica.leader", "LeaderReplica.stop", "what was never there", ""),))
    monkeypatch.setitem(museum.BUGS, "lost", lost)
    with pytest.raises(museum.NotPlanted, match="0 times"), museum.planted(["lost"]):
        pass
