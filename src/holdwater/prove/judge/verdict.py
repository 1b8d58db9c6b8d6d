"""Expected beside actual: what a scenario promises, checked one by one, and the verdict over all of it.

An expectation is data (``Expect``); ``CHECKS`` has the function for each kind of check. The verdict is ``invalid`` when the run has flaws,
except that a never-allowed finding on sound ground makes it ``broken`` all the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from holdwater.prove.history.model import History
from holdwater.prove.judge import anomalies
from holdwater.prove.judge.bounds import Bound, failover
from holdwater.prove.judge.causes import Leadership, explain, leadership, of_pause
from holdwater.prove.judge.figures import Counts, counts, latency_ms, ok_before_and_after, per_second, round_figures
from holdwater.prove.judge.findings import Cause, Finding
from holdwater.prove.judge.pauses import Pause, longest, longest_in, read_pauses, write_pauses
from holdwater.prove.judge.rounds import Round, rounds
from holdwater.prove.judge.validity import Flaw, flaws
from holdwater.prove.judge.writes import Occurrences
from holdwater.prove.settings import Settings

HELD, BROKEN, INVALID, SKIPPED = "held", "broken", "invalid", "skipped"
PAUSE_SHOWN_MS = 200
"""Shorter pauses are not listed; stock batching and polling alone make some tens of milliseconds."""


@dataclass(frozen=True, slots=True)
class Expect:
    """One promise of a scenario. ``check`` names a function in ``CHECKS``; ``about`` is its argument (a finding, a side, a condition)."""

    name: str
    check: str
    about: str

    def as_json(self) -> dict[str, str]:
        """For ``run.json``."""
        return {"name": self.name, "check": self.check, "about": self.about}


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
class Result:
    """An expectation beside what happened. ``relation`` is ``equal`` or ``at most``."""

    name: str
    relation: str
    expected: int | float
    actual: int | float | None
    unit: str
    verdict: str
    bound: Bound | None = None
    reason: str = ""


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
        return of_pause(self.history, pause, self.rounds, self.stories)


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
    judged.flaws = flaws(history, judged.rounds, planned_rounds=plan.rounds, ok_before=plan.ok_before, ok_after=plan.ok_after)
    judged.results = [CHECKS[one.check](judged, one) for one in plan.expectations]
    judged.verdict = _verdict(judged)
    judged.figures = _figures(judged)
    return judged


def _verdict(judged: Judged) -> str:
    broken = [result for result in judged.results if result.verdict == BROKEN]
    if judged.flaws:
        blind = any(flaw.blinds for flaw in judged.flaws)
        never_allowed = {one.name for one in judged.plan.expectations if one.check == "never"}
        return BROKEN if not blind and any(result.name in never_allowed for result in broken) else INVALID
    if broken:
        return BROKEN
    return HELD if any(result.verdict == HELD for result in judged.results) else SKIPPED


def _never(judged: Judged, expect: Expect) -> Result:
    """The finding must not occur at all."""
    finding = judged.findings[expect.about]
    verdict = BROKEN if finding.count else HELD
    if verdict == HELD and any(flaw.blinds for flaw in judged.flaws):
        return Result(expect.name, "equal", 0, 0, "records", INVALID, reason="the judge did not see everything")
    reason = finding.cause.text if finding.cause else ""
    return Result(expect.name, "equal", 0, finding.count, "records", verdict, reason=reason)


def _pause_at_most(judged: Judged, expect: Expect) -> Result:
    """The longest pause on partitions of a broker that was hit, over all rounds, against the bound of its round.

    With several rounds the one that comes nearest to its bound, or passes it by most, is shown.
    """
    reading = expect.about == "read"
    pauses = judged.read_pauses if reading else judged.write_pauses
    shown: Result | None = None
    share = -1.0
    for one in judged.rounds:
        bound = failover(judged.settings, controller=one.controller, reading=reading)
        pause = longest_in(pauses, judged.rounds, one)
        length = pause.length_ms if pause else 0.0
        weight = float("inf") if pause and pause.open else length / bound.value_ms
        if weight > share:
            share = weight
            reason = f"round {one.number}, partition {pause.partition}: {judged.cause_of(pause).text}" if pause else ""
            if pause and pause.open:
                reason = f"{reason} It had not ended when the run ended."
            verdict = BROKEN if length > bound.value_ms or (pause and pause.open) else HELD
            shown = Result(expect.name, "at most", bound.value_ms, length, "ms", verdict, bound, reason)
    if shown is None:
        return Result(expect.name, "at most", 0, None, "ms", SKIPPED, reason="no fault took place")
    if judged.plan.rounds and shown.actual == 0:
        shown.reason = f"no pause of {PAUSE_SHOWN_MS} ms or more"
    return shown


def _every_round(judged: Judged, expect: Expect) -> Result:
    """Something that must come about in every round: ``new-leader`` or ``isr-full``. Counts the rounds where it did."""
    if expect.about == "new-leader":
        done = [one for one in judged.rounds if not one.led or one.led_elsewhere_ns]
    else:
        done = [one for one in judged.rounds if one.whole_ns]
    missing = [one for one in judged.rounds if one not in done]
    verdict = BROKEN if missing else HELD
    if not judged.rounds:
        return Result(expect.name, "equal", 0, None, "rounds", SKIPPED, reason="no fault took place")
    reason = ""
    if missing:
        limit = f" within {missing[0].whole_limit_s:g} s" if missing[0].whole_limit_s else ""
        alone = ", and nobody else has a replica: give --replication-factor 2 or more" if _led_alone(judged, missing[0]) else ""
        reason = f"round {missing[0].number}: not seen for broker {missing[0].broker}{limit}{alone if expect.about == 'new-leader' else ''}"
    return Result(expect.name, "equal", len(judged.rounds), len(done), "rounds", verdict, reason=reason)


def _led_alone(judged: Judged, one: Round) -> bool:
    views = (view for sample in judged.history.samples for view in sample.partitions)
    return any(view.partition in one.led and len(view.replicas) == 1 for view in views)


CHECKS: dict[str, Callable[[Judged, Expect], Result]] = {
    "never": _never,
    "pause-at-most": _pause_at_most,
    "every-round": _every_round,
}


def _figures(judged: Judged) -> dict[str, Any]:
    history, found = judged.history, judged.rounds
    first_fault = found[0].start_ns if found else 2**63 - 1
    before, after = ok_before_and_after(history, found)
    write_pause, read_pause = longest(judged.write_pauses), longest(judged.read_pauses)
    return {
        **judged.counts.as_json(),
        "ok_before_first_fault": before,
        "ok_after_last_fault": after,
        "longest_write_pause_ms": write_pause.length_ms if write_pause else 0.0,
        "longest_read_pause_ms": read_pause.length_ms if read_pause else 0.0,
        "ack_latency_before_fault_ms": latency_ms(history, first_fault),
        "kills_of_active_controller": sum(one.controller for one in found),
        "rounds": [round_figures(history, found, one, judged.write_pauses, judged.read_pauses) for one in found],
        "per_second": per_second(history),
    }
