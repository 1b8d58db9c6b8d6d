"""Many outcomes become one document, and the document a text."""

import json
from typing import Any

import pytest
from tests.support.campaigns import FORTY, GUILTY, fault, outcome

from holdwater.sim.coverage import JUDGED_FROM_SEEDS
from holdwater.sim.report import render
from holdwater.sim.run import CRASH, HELD, LIVENESS, SAFETY, Outcome, Plan
from holdwater.sim.shrink import Shrunk, way
from holdwater.sim.summary import BROKEN, Failure, Summary, first_of_each_way, replay_command

FLOORS = {"fault kill": 100, "error NOT_LEADER_OR_FOLLOWER": 1}


def summary_of(*outcomes: Outcome, plan: Plan | None = None) -> Summary:
    summary = Summary(plan if plan is not None else Plan(), FLOORS)
    for one in outcomes:
        summary.add(one, 0.5)
    return summary


def document(summary: Summary, *, interrupted: bool = False) -> dict[str, Any]:
    made = summary.document(
        commit="82c30cc", wall_s=2.0, jobs=2, interrupted=interrupted, replay=lambda seed: replay_command(seed, summary.plan)
    )
    made["replayed"] = None
    assert json.loads(json.dumps(made)) == made, "it is plain data"
    return made


def many(count: int, **given: Any) -> list[Outcome]:
    return [outcome(seed, **given) for seed in range(1, count + 1)]


MET = {"counters": {"fault kill": 6, "error NOT_LEADER_OR_FOLLOWER": 1}}


class TestVerdict:
    def test_all_held(self) -> None:
        assert summary_of(outcome(1), outcome(2)).verdict(interrupted=False) == "held"

    def test_one_failed(self) -> None:
        for verdict in (SAFETY, LIVENESS, CRASH):
            assert summary_of(outcome(1), outcome(2, verdict)).verdict(interrupted=False) == "broken"
            assert summary_of(outcome(1), outcome(2, verdict)).verdict(interrupted=True) == "broken"

    def test_nothing_judged(self) -> None:
        assert summary_of().verdict(interrupted=False) == "invalid"
        assert summary_of(outcome(1)).verdict(interrupted=True) == "invalid"

    def test_a_floor_that_is_not_met_fails_a_run_that_is_long_enough(self) -> None:
        poor = {"counters": {"fault kill": 6}}
        assert summary_of(*many(JUDGED_FROM_SEEDS, **MET)).verdict(interrupted=False) == "held"
        assert summary_of(*many(JUDGED_FROM_SEEDS, **poor)).verdict(interrupted=False) == "broken"
        assert summary_of(*many(JUDGED_FROM_SEEDS - 1, **poor)).verdict(interrupted=False) == "held"
        other = Plan(fault_ms=1)
        assert summary_of(*many(JUDGED_FROM_SEEDS, **poor), plan=other).verdict(interrupted=False) == "held"

    def test_a_seed_that_does_too_little_fails_a_run_that_is_long_enough(self) -> None:
        enough = many(JUDGED_FROM_SEEDS, **MET)
        assert summary_of(*enough, outcome(999, operations=3)).verdict(interrupted=False) == "broken"
        assert summary_of(outcome(999, operations=3)).verdict(interrupted=False) == "held"


class TestDocument:
    def test_outcomes_by_kind_and_totals(self) -> None:
        made = document(summary_of(outcome(3), outcome(1, operations=700), outcome(2, SAFETY), outcome(4, LIVENESS)))
        assert made["verdict"] == "broken"
        assert made["outcomes"] == {"held": 2, "crash": 0, "safety": 1, "liveness": 1}
        totals = made["totals"]
        assert (totals["seeds"], totals["first_seed"], totals["last_seed"]) == (4, 1, 4)
        assert (totals["virtual_s"], totals["wall_s"], totals["virtual_per_wall_s_of_one_job"]) == (260.0, 2.0, 130.0)
        assert (totals["operations"], totals["acknowledged"], totals["unknown"], totals["faults"]) == (2_500, 2_200, 4, 28)
        assert totals["per_seed_that_held"]["operations"] == {"min": 600, "median": 650, "max": 700}
        assert totals["per_seed_that_held"]["faults"] == {"min": 7, "median": 7, "max": 7}

    def test_counters_by_family(self) -> None:
        made = document(summary_of(outcome(1), outcome(2, counters={"fault kill": 1, "role follower -> leader": 2})))
        assert made["counters"] == {"error": {"no answer": 2}, "fault": {"kill": 5, "pause": 3}, "role": {"follower -> leader": 2}}

    def test_a_failure_has_all_that_is_needed_to_see_it_again(self) -> None:
        failure = document(summary_of(outcome(5), outcome(17, SAFETY, schedule=GUILTY)))["failures"][0]
        assert (failure["seed"], failure["verdict"], failure["code"], failure["commit"]) == (17, "safety", "R5", "82c30cc")
        assert failure["why"] == "the high watermark went back"
        assert failure["replay"] == "holdwater simulate --seed 17 --no-shrink"
        assert failure["story"] == ["12 n1 leads", "13 n2 truncates"]
        assert failure["schedule"][0]["at_ms"] == GUILTY[0].at_ms

    def test_failures_are_in_the_order_of_seeds_however_they_came(self) -> None:
        made = document(summary_of(outcome(9, CRASH), outcome(2, CRASH), outcome(5, CRASH)))
        assert [failure["seed"] for failure in made["failures"]] == [2, 5, 9]

    def test_floors(self) -> None:
        made = document(summary_of(outcome(1), outcome(2, operations=3)))
        assert made["floors"]["judged"] is False
        assert [unmet["counter"] for unmet in made["floors"]["unmet"]] == list(FLOORS)
        assert made["floors"]["seeds_below_minimum"] == [{"seed": 2, "missing": "3 of 500 operations"}]


def test_seeds_that_all_have_groups_or_transactions_are_not_asked_for_what_other_seeds_do() -> None:
    for coordination in (False, True):
        made = Summary(Plan(coordination=coordination)).document(commit="x", wall_s=1.0, jobs=1, interrupted=False, replay=lambda seed: "")
        asked = [each["counter"] for each in made["floors"]["unmet"]]
        assert "workload group-joined" in asked
        assert ("workload topic-recreated" in asked) is not coordination


@pytest.mark.parametrize(
    ("plan", "judged"),
    [(Plan(), True), (Plan(coordination=True), True), (Plan(fault_ms=30_000), False), (Plan(bugs=("dedupe-off",)), False)],
)
def test_floors_are_judged_of_seeds_as_they_are_drawn_with_and_without_groups(plan: Plan, judged: bool) -> None:
    summary = Summary(plan)
    for seed in range(JUDGED_FROM_SEEDS):
        summary.add(outcome(seed), 1.0)
    assert summary.floors_count is judged
    assert summary.verdict(interrupted=False) == (BROKEN if judged else HELD)


def test_the_command_says_what_is_not_standard() -> None:
    assert replay_command(7, Plan()) == "holdwater simulate --seed 7 --no-shrink"
    plan = Plan(fault_ms=12_500, mean_gap_ms=500, bugs=("a", "b"), coordination=True)
    assert (
        replay_command(7, plan)
        == "holdwater simulate --seed 7 --no-shrink --fault-seconds 12.5 --fault-gap 0.5 --coordination --bug a --bug b"
    )


def test_the_first_few_of_each_way_are_chosen() -> None:
    failures = [Failure(outcome(seed, SAFETY, code=code)) for seed, code in enumerate(("R4", "R4", "R5", "R4", "R5", "R9"))]
    assert [failure.outcome.seed for failure in first_of_each_way(failures, way, 2)] == [0, 1, 2, 4, 5]


class TestText:
    def test_held(self) -> None:
        text = render(document(summary_of(outcome(1), outcome(2))))
        assert text.startswith("HELD: 2 seeds (1 to 2), commit 82c30cc\n  held 2   crash 0   safety 0   liveness 0\n")
        assert "130 virtual seconds in 2.0 s with 2 jobs, 130 : 1 per job" in text
        assert "1,200 operations, 1,100 acknowledged, 2 unknown, 14 faults" in text
        assert "of a seed that held, least / median: 65 / 65 virtual seconds, 600 / 600 operations, 7 / 7 faults" in text
        assert "fault  kill 8, pause 6" in text
        assert "Never met so far (floors of coverage are judged from 200 seeds on)\n  error NOT_LEADER_OR_FOLLOWER\n" in text
        assert max(map(len, text.splitlines())) <= 120

    def test_a_failure(self) -> None:
        summary = summary_of(outcome(5), outcome(17, SAFETY, schedule=FORTY))
        failure = summary.failures[0]
        failure.case, failure.tries = "some where/seed-17.json", 31
        failure.smallest = Shrunk(Plan(schedule=(fault(1_250, victim=-1), fault(2_000, "pause", victim=-2))), failure.outcome, "")
        text = render(document(summary))
        assert text.startswith("BROKEN: 2 seeds")
        for line in (
            "Seed 17: safety R5, after 65.000 virtual seconds",
            "  the high watermark went back",
            "         0.000 s  n2 truncates",
            "  smallest schedule that fails: 2 of 40 faults within 60 s (31 tries)",
            "       1.250 s  kill: the leader of partition 0, for 800 ms (amount 0, other 2)",
            "       2.000 s  pause: the active controller, for 800 ms (amount 0, other 2)",
            "  commit    82c30cc",
            "  repeat    holdwater simulate --seed 17 --no-shrink",
            "  smallest  holdwater simulate --replay 'some where/seed-17.json'",
        ):
            assert line in text.splitlines()

    def test_a_failure_that_was_not_shrunk_shows_its_whole_schedule_up_to_a_bound(self) -> None:
        text = render(document(summary_of(outcome(17, SAFETY, schedule=FORTY))))
        assert "  its schedule, 40 faults\n" in text
        assert "    and 10 more\n" in text

    def test_many_failures_are_named_and_the_first_told(self) -> None:
        text = render(document(summary_of(*(outcome(seed, SAFETY) for seed in range(1, 14)))))
        assert text.count("repeat ") == 10
        assert "Also failed\n  11 R5, 12 R5, 13 R5\n" in text

    def test_unmet_floors_that_fail_the_run(self) -> None:
        text = render(document(summary_of(*many(200, counters={"fault kill": 6}))))
        assert text.startswith("BROKEN: 200 seeds (1 to 200)")
        assert "that were not met, so that this run has failed\n  error NOT_LEADER_OR_FOLLOWER 0 of 1\n" in text

    def test_seeds_that_did_too_little_fail_the_run(self) -> None:
        thin = [outcome(seed, **MET | {"operations": 3}) for seed in range(201, 209)]
        text = " ".join(render(document(summary_of(*many(200, **MET), *thin))).split())
        assert "this run has failed seed 201 had 3 of 500 operations; seed 202" in text
        assert "; 3 more seeds had too little" in text

    def test_floors_are_not_spoken_of_with_another_plan(self) -> None:
        assert "floors" not in render(document(summary_of(*many(200), plan=Plan(fault_ms=1)))).lower()

    def test_every_floor_met(self) -> None:
        assert "Every floor of coverage was met." in render(document(summary_of(*many(200, **MET))))

    def test_nothing_judged(self) -> None:
        assert render(document(summary_of(), interrupted=True)).startswith("INVALID: 0 seeds, interrupted, commit 82c30cc\n")

    def test_planted_bugs_are_named(self) -> None:
        text = render(document(summary_of(outcome(1), plan=Plan(bugs=("no-epoch-check",)))))
        assert "1 seed (1), planted: no-epoch-check, commit" in text
