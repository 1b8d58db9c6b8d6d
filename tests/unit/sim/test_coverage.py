"""Floors: what was never met fails a run."""

from tests.support.campaigns import outcome

from holdwater.core.quorum.roles import TRANSITIONS
from holdwater.kernel.buggify import POINTS
from holdwater.sim.coverage import FLOORS, Unmet, below_minimum, fault_count, unmet
from holdwater.sim.faults import KINDS


def test_a_floor_is_met_or_not() -> None:
    floors = {"fault kill": 3, "error A": 1, "role x -> y": 2}
    assert unmet({"fault kill": 3, "error A": 9, "role x -> y": 2, "more": 1}, floors) == []
    assert unmet({"fault kill": 2, "role x -> y": 5}, floors) == [Unmet("fault kill", 3, 2), Unmet("error A", 1, 0)]


def test_every_kind_of_fault_and_every_point_of_buggify_is_on_the_list() -> None:
    assert [kind for kind in KINDS if f"fault {kind}" not in FLOORS] == []
    assert [point for point in POINTS if f"buggify {point}" not in FLOORS] == []


def test_transitions_on_the_list_are_in_the_table_of_the_quorum() -> None:
    table = {f"quorum {old.__name__.lower()} -> {new.__name__.lower()}" for old, targets in TRANSITIONS.items() for new in targets}
    assert {name for name in FLOORS if name.startswith("quorum ")} <= table


def test_every_floor_asks_for_something() -> None:
    assert [name for name, floor in FLOORS.items() if floor < 1] == []
    assert len(unmet({})) == len(FLOORS)


def test_a_seed_has_its_minimum() -> None:
    assert below_minimum(outcome(1)) == ""
    assert below_minimum(outcome(1, virtual_ms=59_999)) == "59,999 of 60,000 virtual ms"
    assert below_minimum(outcome(1, operations=499, counters={"fault kill": 4, "error x": 9})) == "499 of 500 operations, 4 of 5 faults"


def test_faults_are_counted_whatever_their_kind() -> None:
    assert fault_count(outcome(1, counters={"fault kill": 4, "fault pause": 3, "faulty": 7, "error fault": 1})) == 7
