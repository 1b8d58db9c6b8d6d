"""The smallest schedule: what matters is kept, what does not goes, and nothing is claimed that was not seen."""

from collections.abc import Sequence

import pytest
from tests.support.campaigns import FORTY, GUILTY, fault, outcome, two_of_forty

from holdwater.sim.campaign import Play
from holdwater.sim.run import CRASH, LIVENESS, SAFETY, Outcome, Plan
from holdwater.sim.shrink import NOT_AGAIN, OTHER_TRACE, First, Shrunk, Spent, same_way, shrink


def one_after_another(play: Play, failing: Outcome, played: list[Plan], tries: int = 1_000) -> First:
    def first(plans: Sequence[Plan]) -> tuple[int, Outcome] | None:
        for number, plan in enumerate(plans):
            if len(played) == tries:
                raise Spent(f"stopped after {tries} tries")
            played.append(plan)
            found = play(failing.seed, plan)
            if same_way(found, failing):
                return number, found
        return None

    return first


def smallest(play: Play, tries: int = 1_000) -> tuple[Shrunk, list[Plan]]:
    played: list[Plan] = []
    failing = play(1, Plan())
    return shrink(failing, Plan(), one_after_another(play, failing, played, tries)), played


def test_two_faults_of_forty_are_left_shorter_and_with_an_earlier_end() -> None:
    found, played = smallest(two_of_forty)
    assert found.plan.schedule == (GUILTY[0]._replace(duration_ms=300), GUILTY[1]._replace(duration_ms=0))
    assert found.plan.fault_ms == 33_375, "an eighth of the way from the last fault to the failure"
    assert found.outcome == two_of_forty(1, found.plan)
    assert found.remark == ""
    assert len(played) < 150


def test_no_plan_is_played_twice() -> None:
    _, played = smallest(two_of_forty)
    assert len(set(played)) == len(played)


def test_every_fault_that_is_left_is_needed() -> None:
    needed = {FORTY[number] for number in (0, 3, 4, 19, 38, 39)}

    def play(seed: int, plan: Plan | None = None, *, tell: object = None) -> Outcome:
        schedule = FORTY if plan is None or plan.schedule is None else plan.schedule
        at = {each.at_ms for each in schedule}
        return outcome(seed, SAFETY if {each.at_ms for each in needed} <= at else "held", schedule=schedule)

    found, _ = smallest(play)
    assert {each.at_ms for each in found.plan.schedule or ()} == {each.at_ms for each in needed}


def test_faults_may_not_matter_at_all() -> None:
    def play(seed: int, plan: Plan | None = None, *, tell: object = None) -> Outcome:
        schedule = FORTY if plan is None or plan.schedule is None else plan.schedule
        return outcome(seed, CRASH, schedule=schedule, virtual_ms=100)

    found, played = smallest(play)
    assert found.plan.schedule == ()
    assert found.plan.fault_ms == 0
    assert len(played) < 8


def test_what_comes_after_the_failure_goes_at_once() -> None:
    def play(seed: int, plan: Plan | None = None, *, tell: object = None) -> Outcome:
        schedule = FORTY if plan is None or plan.schedule is None else plan.schedule
        return outcome(seed, SAFETY if FORTY[2] in schedule else "held", schedule=schedule, virtual_ms=3_500)

    _, played = smallest(play)
    assert played[0].schedule == FORTY
    assert played[1].schedule == FORTY[:3]
    assert played[1].fault_ms == 3_500


def test_a_smaller_plan_that_fails_in_another_way_does_not_count() -> None:
    def play(seed: int, plan: Plan | None = None, *, tell: object = None) -> Outcome:
        schedule = FORTY if plan is None or plan.schedule is None else plan.schedule
        if all(each in schedule for each in GUILTY):
            return outcome(seed, SAFETY, code="R4", schedule=schedule)
        return outcome(seed, SAFETY, code="R9", schedule=schedule) if len(schedule) == 1 else outcome(seed, LIVENESS, schedule=schedule)

    found, _ = smallest(play)
    assert [each.at_ms for each in found.plan.schedule or ()] == [each.at_ms for each in GUILTY]
    assert found.outcome.code == "R4"


def test_when_the_tries_are_used_up_the_best_so_far_is_kept_and_said_to_be_that() -> None:
    found, played = smallest(two_of_forty, tries=12)
    assert len(played) == 12
    assert set(GUILTY) <= set(found.plan.schedule or ())
    assert len(found.plan.schedule or ()) < 40
    assert found.remark == "stopped after 12 tries: there may be a smaller one"


def test_a_failure_that_does_not_come_again_is_named() -> None:
    def play(seed: int, plan: Plan | None = None, *, tell: object = None) -> Outcome:
        return outcome(seed, SAFETY if plan is not None and plan.schedule is None else "held", schedule=FORTY)

    found, played = smallest(play)
    assert found == Shrunk(Plan(schedule=FORTY), play(1, Plan()), NOT_AGAIN)
    assert len(played) == 1


def test_a_failure_that_comes_again_with_another_trace_is_named() -> None:
    def play(seed: int, plan: Plan | None = None, *, tell: object = None) -> Outcome:
        return outcome(seed, SAFETY, digest="a" if plan is not None and plan.schedule is None else "b", schedule=FORTY)

    found, _ = smallest(play)
    assert found.remark == OTHER_TRACE
    assert found.plan.schedule == FORTY


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (outcome(1, SAFETY), outcome(2, SAFETY, why="elsewhere"), True),
        (outcome(1, SAFETY, code="R4"), outcome(1, SAFETY, code="R5"), False),
        (outcome(1, SAFETY), outcome(1, LIVENESS, code="R5"), False),
        (outcome(1, LIVENESS), outcome(1, LIVENESS, why="something else did not happen"), True),
        (outcome(1, CRASH, why="KeyError: 1"), outcome(1, CRASH, why="KeyError: 2"), True),
        (outcome(1, CRASH, why="KeyError: 1"), outcome(1, CRASH, why="TypeError: 1"), False),
        (outcome(1), outcome(1), False),
    ],
)
def test_which_failures_are_the_same(one: Outcome, other: Outcome, same: bool) -> None:
    assert same_way(one, other) is same


def test_faults_of_one_moment_are_kept_apart() -> None:
    twins = (fault(5, "kill"), fault(5, "pause"), fault(5, "stop"))

    def play(seed: int, plan: Plan | None = None, *, tell: object = None) -> Outcome:
        schedule = twins if plan is None or plan.schedule is None else plan.schedule
        return outcome(seed, SAFETY if any(each.kind == "pause" for each in schedule) else "held", schedule=schedule)

    found, _ = smallest(play)
    assert [each.kind for each in found.plan.schedule or ()] == ["pause"]
