"""Expected beside actual: each promise of a scenario, checked against what happened.

An expectation is data (``Expect``); ``CHECKS`` has the function for each kind of check. What rests on something that is not known (a
setting that the target did not tell, a user's patience that is shorter than what settings allow for) is no verdict: its ``flaw`` says why.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdwater.prove.judge.bounds import Bound, failover
from holdwater.prove.judge.pauses import Pause, longest_elsewhere, longest_in
from holdwater.prove.judge.rounds import Round, round_of
from holdwater.prove.judge.validity import Flaw

if TYPE_CHECKING:
    from holdwater.prove.judge.verdict import Judged

HELD, BROKEN, INVALID, SKIPPED = "held", "broken", "invalid", "skipped"
PAUSE_SHOWN_MS = 200
"""Shorter pauses are not listed; stock batching and polling alone make some tens of milliseconds."""
RETURN_S = 60.0
"""A broker of a test's size starts and catches up in seconds, and no setting bounds it: who waits less long cannot call it missing."""


@dataclass(frozen=True, slots=True)
class Expect:
    """One promise of a scenario. ``check`` names a function in ``CHECKS``; ``about`` is its argument (a finding, a side, a condition)."""

    name: str
    check: str
    about: str

    def as_json(self) -> dict[str, str]:
        """For ``run.json``."""
        return {"name": self.name, "check": self.check, "about": self.about}


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
    flaw: Flaw | None = None
    """Why it cannot be judged, when that leaves the run without a verdict."""


def never(judged: "Judged", expect: Expect) -> Result:
    """The finding must not occur at all. What is there counts when the judge did not see everything; that nothing is there does not."""
    finding = judged.findings[expect.about]
    unseen = _UNSEEN.get(expect.about)
    if not finding.count and unseen is not None and (why := unseen(judged)):
        return Result(expect.name, "equal", 0, None, "records", SKIPPED, reason=why)
    verdict = BROKEN if finding.count else HELD
    reason = finding.cause.text if finding.cause else ""
    if verdict == HELD and any(flaw.hides or flaw.voids for flaw in judged.flaws):
        verdict, reason = INVALID, "the judge did not see everything"
    elif verdict == BROKEN and (void := next((flaw for flaw in judged.flaws if flaw.voids), None)):
        verdict, reason = INVALID, void.reason
    return Result(expect.name, "equal", 0, finding.count, "records", verdict, reason=reason)


def _without_high_watermarks(judged: "Judged") -> str:
    seen = any(view.high_watermark >= 0 for sample in judged.history.samples for view in sample.partitions)
    return "" if seen else "no high watermark was seen"


def _without_producer_ids(judged: "Judged") -> str:
    numbered = any(batch.idempotent for log in judged.history.log.values() for batch in log.batches)
    return "" if numbered else "the log has no batch of an idempotent producer, and so no sequence numbers"


_UNSEEN: "dict[str, Callable[[Judged], str]]" = {
    "high-watermark-back": _without_high_watermarks,
    "sequence-gap": _without_producer_ids,
    "duplicate-by-cluster": _without_producer_ids,
}
"""Findings that need something to look at, and what says that it was not there."""


def _pause_at_most(judged: "Judged", expect: Expect) -> Result:
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
        weight = float("inf") if pause and pause.open else (pause.length_ms if pause else 0.0) / bound.value_ms
        if weight > share:
            share = weight
            shown = _beside(judged, expect, pause, bound, one)
    return shown or Result(expect.name, "at most", 0, None, "ms", SKIPPED, reason="no fault took place")


def _pause_elsewhere(judged: "Judged", expect: Expect) -> Result:
    """The longest pause from the first fault on where no fault was: clients must get over it as soon there, by the same bound."""
    if not judged.rounds:
        return Result(expect.name, "at most", 0, None, "ms", SKIPPED, reason="no fault took place")
    reading = expect.about == "read"
    pause = longest_elsewhere(judged.read_pauses if reading else judged.write_pauses, judged.rounds)
    near = round_of(judged.rounds, pause.start_ns, pause.end_ns) if pause else None
    bound = failover(judged.settings, controller=near is not None and near.controller, reading=reading)
    return _beside(judged, expect, pause, bound, near)


def _beside(judged: "Judged", expect: Expect, pause: Pause | None, bound: Bound, one: Round | None) -> Result:
    """A pause beside its bound. One that never ended is broken, whatever its bound rests on."""
    if pause is None:
        reason = f"no pause of {PAUSE_SHOWN_MS} ms or more"
        return Result(expect.name, "at most", bound.value_ms, 0.0, "ms", HELD, bound, reason)
    where = f"round {one.number}, partition {pause.partition}" if one else f"partition {pause.partition}"
    reason = f"{where}: {judged.cause_of(pause).text}"
    if pause.open:
        reason = f"{reason} It had not ended when the run ended."
    too_long = pause.open or pause.length_ms > bound.value_ms
    made = Result(expect.name, "at most", bound.value_ms, pause.length_ms, "ms", BROKEN if too_long else HELD, bound, reason)
    if too_long and not pause.open and bound.assumed:
        why = (
            f"the {expect.name} ({pause.length_ms:,.0f} ms) is past a bound that rests on Kafka's defaults for {', '.join(bound.assumed)}: "
        )
        why += "the target does not tell them as they count at its active controller"
        next_step = "let the user of --command-config describe the brokers' configurations"
        made.verdict, made.flaw = INVALID, Flaw("bound", why, next_step)
    return made


def _every_round(judged: "Judged", expect: Expect) -> Result:
    """Something that must come about in every round: ``new-leader`` or ``isr-full``. Counts the rounds where it did."""
    if not judged.rounds:
        return Result(expect.name, "equal", 0, None, "rounds", SKIPPED, reason="no fault took place")
    if expect.about == "new-leader":
        asked = [one for one in judged.rounds if one.led]
        missing = [one for one in asked if not one.led_elsewhere_ns]
    else:
        asked = judged.rounds
        missing = [one for one in asked if not one.whole_ns]
    if not asked:
        return Result(expect.name, "equal", 0, None, "rounds", SKIPPED, reason="the brokers that were hit led no partition")
    made = Result(expect.name, "equal", len(asked), len(asked) - len(missing), "rounds", BROKEN if missing else HELD)
    if missing:
        made.reason = _what_is_missing(judged, missing[0], expect.about)
        made.flaw = _impatience(judged, missing[0], expect.about)
    if made.flaw:
        made.verdict = INVALID
    return made


def _limit_s(one: Round, about: str) -> float:
    return one.led_limit_s if about == "new-leader" else one.whole_limit_s


def _what_is_missing(judged: "Judged", one: Round, about: str) -> str:
    within = f" within {_limit_s(one, about):g} s" if _limit_s(one, about) else ""
    alone = about == "new-leader" and _led_alone(judged, one)
    who = ", and nobody else has a replica: give --replication-factor 3" if alone else ""
    return f"round {one.number}: not seen for broker {one.broker}{within}{who}"


def _impatience(judged: "Judged", one: Round, about: str) -> Flaw | None:
    """A wait that was given up sooner than the settings allow for says nothing of the cluster."""
    limit_s = _limit_s(one, about)
    least_s = RETURN_S
    if about == "new-leader":
        least_s = failover(judged.settings, controller=one.controller).value_ms / 1000
    if not 0 < limit_s < least_s:
        return None
    what = "new leaders were" if about == "new-leader" else "full ISRs were"
    reason = f"round {one.number}: {what} waited for {limit_s:g} s, and may take {least_s:g} s"
    return Flaw("limit", reason, f"--limit {least_s:.0f} or more")


def _led_alone(judged: "Judged", one: Round) -> bool:
    views = (view for sample in judged.history.samples for view in sample.partitions)
    return any(view.partition in one.led and len(view.replicas) == 1 for view in views)


CHECKS: "dict[str, Callable[[Judged, Expect], Result]]" = {
    "never": never,
    "pause-at-most": _pause_at_most,
    "pause-elsewhere-at-most": _pause_elsewhere,
    "every-round": _every_round,
}
