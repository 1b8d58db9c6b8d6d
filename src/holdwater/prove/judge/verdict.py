"""The verdict over all that a scenario promises. It is ``invalid`` when the run has flaws, except that a never-allowed finding on sound
ground makes it ``broken`` all the same: data that were lost stay lost.
"""

from dataclasses import dataclass, field
from typing import Any

from holdwater.prove.history.model import History
from holdwater.prove.judge import anomalies
from holdwater.prove.judge.causes import explain
from holdwater.prove.judge.checks import BROKEN, CHECKS, HELD, INVALID, PAUSE_SHOWN_MS, SKIPPED, Expect, Result, never
from holdwater.prove.judge.figures import Counts, counts, latency_ms, ok_before_and_after, per_second, round_figures
from holdwater.prove.judge.findings import Cause, Finding
from holdwater.prove.judge.leadership import Leadership, leadership
from holdwater.prove.judge.pause_causes import of_pause
from holdwater.prove.judge.pauses import Pause, read_pauses, write_pauses
from holdwater.prove.judge.rounds import Round, rounds
from holdwater.prove.judge.validity import Flaw, flaws
from holdwater.prove.judge.writes import Occurrences
from holdwater.prove.settings import Settings

__all__ = ["BROKEN", "HELD", "INVALID", "SKIPPED", "Expect", "Judged", "Plan", "Result", "judge"]

_TIMES = ("clock", "stall")
"""Flaws that make every time untrustworthy."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the judge must know of the scenario beside the history."""

    scenario: str
    expectations: tuple[Expect, ...]
    rounds: int
    ok_before: int
    ok_after: int

    def as_json(self) -> dict[str, Any]:
        """For ``run.json``."""
        return {
            "scenario": self.scenario,
            "expectations": [one.as_json() for one in self.expectations],
            "rounds": self.rounds,
            "ok_before": self.ok_before,
            "ok_after": self.ok_after,
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Plan":
        """The inverse of ``as_json``."""
        return Plan(**{**data, "expectations": tuple(Expect(**one) for one in data["expectations"])})


@dataclass(slots=True)
class Judged:
    """Everything that was computed from one history; what reports are made of."""

    history: History
    settings: Settings
    plan: Plan
    occurrences: Occurrences
    findings: dict[str, Finding]
    rounds: list[Round]
    write_pauses: list[Pause]
    read_pauses: list[Pause]
    stories: dict[int, Leadership]
    counts: Counts
    flaws: list[Flaw] = field(default_factory=list[Flaw])
    results: list[Result] = field(default_factory=list[Result])
    verdict: str = INVALID
    figures: dict[str, Any] = field(default_factory=dict[str, Any])

    def cause_of(self, pause: Pause) -> Cause:
        """Why a pause was, as far as the evidence goes."""
        return of_pause(self.history, pause, self.rounds, self.stories, self.settings)


def judge(history: History, settings: Settings, plan: Plan) -> Judged:
    """The verdict over a history. Pure: equal arguments give an equal answer on any machine."""
    occurrences = Occurrences.of(history)
    judged = Judged(
        history=history,
        settings=settings,
        plan=plan,
        occurrences=occurrences,
        findings=anomalies(history, occurrences),
        rounds=rounds(history),
        write_pauses=write_pauses(history, at_least_ms=PAUSE_SHOWN_MS),
        read_pauses=read_pauses(history, at_least_ms=PAUSE_SHOWN_MS),
        stories=leadership(history),
        counts=counts(history, occurrences),
    )
    explain(history, judged.findings, settings)
    judged.flaws = flaws(judged)
    judged.results = _results(judged)
    judged.verdict = _verdict(judged)
    judged.figures = _figures(judged)
    return judged


def _results(judged: Judged) -> list[Result]:
    """One for each expectation. What must never be is judged last: only then is it known what the judge could not see.

    A flaw of the run leaves no ground to what was broken; one that a check has found takes it from that check alone.
    """
    made = {one.name: CHECKS[one.check](judged, one) for one in judged.plan.expectations if one.check != "never"}
    no_times = any(flaw.rule in _TIMES for flaw in judged.flaws)
    for result in made.values() if judged.flaws else ():
        if result.verdict == BROKEN or (result.verdict == HELD and result.unit == "ms" and no_times):
            result.verdict = INVALID
    of_checks = {result.flaw.rule: result.flaw for result in reversed(made.values()) if result.flaw}  # the first of each kind is enough
    judged.flaws += of_checks.values()
    return [made[one.name] if one.check != "never" else never(judged, one) for one in judged.plan.expectations]


def _verdict(judged: Judged) -> str:
    if any(result.verdict == BROKEN for result in judged.results):
        return BROKEN
    if judged.flaws:
        return INVALID
    return HELD if any(result.verdict == HELD for result in judged.results) else SKIPPED


def _figures(judged: Judged) -> dict[str, Any]:
    history, found = judged.history, judged.rounds
    first_fault = found[0].start_ns if found else 2**63 - 1
    before, after = ok_before_and_after(history, found)
    return {
        **judged.counts.as_json(),
        "ok_before_first_fault": before,
        "ok_after_last_fault": after,
        "longest_write_pause_ms": max((pause.length_ms for pause in judged.write_pauses), default=0.0),
        "longest_read_pause_ms": max((pause.length_ms for pause in judged.read_pauses), default=0.0),
        "ack_latency_before_fault_ms": latency_ms(history, first_fault),
        "kills_of_active_controller": sum(one.controller for one in found),
        "rounds": [round_figures(history, found, one, judged.write_pauses, judged.read_pauses) for one in found],
        "per_second": per_second(history),
    }
