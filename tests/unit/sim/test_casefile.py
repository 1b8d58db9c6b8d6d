"""A saved case plays what was saved, and anything else is refused in one line."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.campaigns import FORTY, fault, outcome

from holdwater.sim.casefile import CaseError, case_of, from_text, to_text
from holdwater.sim.faults import CONTROLLER, KINDS, LEADER
from holdwater.sim.run import SAFETY, Plan

PLAN = Plan(fault_ms=5_000, mean_gap_ms=700, schedule=FORTY[:3], bugs=("no-epoch-check",), coordination=True)
TEXT = to_text(case_of(outcome(17, SAFETY), PLAN, "82c30cc", 40))


def test_what_was_saved_is_read() -> None:
    assert from_text(TEXT) == case_of(outcome(17, SAFETY), PLAN, "82c30cc", 40)
    assert from_text(TEXT).plan == PLAN


def test_a_schedule_that_the_seed_draws_stays_one_that_the_seed_draws() -> None:
    text = to_text(case_of(outcome(3, SAFETY), Plan(), "x", 4))
    assert from_text(text).plan == Plan()


def test_every_kind_and_victim_comes_back() -> None:
    schedule = tuple(fault(number, kind, victim=(LEADER, CONTROLLER, 3)[number % 3]) for number, kind in enumerate(KINDS))
    plan = Plan(schedule=schedule)
    assert from_text(to_text(case_of(outcome(3, SAFETY), plan, "x", 4))).plan == plan


def edit(change: Callable[[dict[str, Any]], object]) -> str:
    content = json.loads(TEXT)
    change(content)
    return json.dumps(content)


def put(*path: str | int, value: Any) -> str:
    def change(content: Any) -> None:
        for part in path[:-1]:
            content = content[part]
        content[path[-1]] = value

    return edit(change)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "damaged"),
        (TEXT[: len(TEXT) // 2], "damaged"),
        ("[" * 100_000, "damaged"),
        ("[]", "no saved case"),
        ("17", "no saved case"),
        ("{}", "no saved case"),
        (put("format", value="holdwater evidence"), "no saved case"),
        (put("version", value=2), "version 2 of the format, this program reads version 1"),
        (put("version", value=None), "version None"),
        (put("seed", value="17"), "'seed' is missing or of the wrong type"),
        (put("seed", value=-1), "'seed' is -1"),
        (put("seed", value=True), "'seed' is missing or of the wrong type"),
        (edit(lambda content: content.pop("seed")), "'seed' is missing"),
        (edit(lambda content: content.pop("schedule")), "'schedule' is missing"),
        (put("plan", "fault_ms", value=1.5), "'fault_ms' is missing or of the wrong type"),
        (put("plan", "mean_gap_ms", value=0), "'mean_gap_ms' is 0"),
        (put("plan", "bugs", value=["x", 1]), "'bugs' is missing or of the wrong type"),
        (put("plan", "new", value=1), "other parts"),
        (edit(lambda content: content["plan"].pop("fault_ms")), "other parts"),
        (put("schedule", 1, value=None), "fault 1 of its schedule"),
        (put("schedule", 1, "kind", value="earthquake"), "a kind that this program does not know: earthquake"),
        (put("schedule", 1, "kind", value=["kill"]), "a kind that this program does not know"),
        (put("schedule", 0, "at_ms", value=-5), "'at_ms' is -5"),
        (put("schedule", 0, "amount", value="9"), "'amount' is missing or of the wrong type"),
        (edit(lambda content: content["schedule"][2].pop("other")), "fault 2 of its schedule"),
        (put("outcome", "digest", value=None), "'digest' is missing"),
        (put("story", value="long ago"), "'story' is missing or of the wrong type"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_line(text: str, why: str) -> None:
    with pytest.raises(CaseError) as refused:
        from_text(text)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 250
