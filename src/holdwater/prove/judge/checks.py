"""Expected beside actual: each promise of a scenario, checked against what happened.

An expectation is data (``Expect``); ``CHECKS`` has the function for each kind of check. What rests on something that is not known (a
setting that the target did not tell, a user's patience that is shorter than what settings allow for) is no verdict: its ``flaw`` says why.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from holdwater.prove.judge.bounds import Bound, failover
from holdwater.prove.judge.pauses import Charged, charged_to, charged_to_none
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


class _Measured(NamedTuple):
    """A pause with the bound that it is held to, and the round that it falls into."""

    charged: Charged
    bound: Bound
    round: Round

    @property
    def share(self) -> float:
        """How near it comes to its bound; one that never ended is beyond any."""
        return float("inf") if self.charged.pause.open else self.charged.length_ms / self.bound.value_ms


def _pause_at_most(judged: "Judged", expect: Expect) -> Result:
    """Pauses on partitions of a broker that was hit, each against the bound of its round."""
    reading = expect.about == "read"
    pauses = judged.read_pauses if reading else judged.write_pauses
    bounds = [failover(judged.settings, controller=one.controller, reading=reading) for one in judged.rounds]
    rounds = zip(judged.rounds, bounds, strict=True)
    found = [_Measured(charged, bound, one) for one, bound in rounds for charged in charged_to(pauses, judged.rounds, one)]
    return _worst(judged, expect, found, bounds)


def _pause_elsewhere(judged: "Judged", expect: Expect) -> Result:
    """Pauses from the first fault on where no fault was: clients must get over it as soon there, by the same bounds."""
    reading = expect.about == "read"
    pauses = judged.read_pauses if reading else judged.write_pauses
    bounds = [failover(judged.settings, controller=one.controller, reading=reading) for one in judged.rounds]
    found: list[_Measured] = []
    for charged in charged_to_none(pauses, judged.rounds):
        near = round_of(judged.rounds, charged.since_ns, charged.pause.end_ns) or judged.rounds[-1]
        found.append(_Measured(charged, bounds[near.number - 1], near))
    return _worst(judged, expect, found, bounds)


def _worst(judged: "Judged", expect: Expect, found: list[_Measured], bounds: list[Bound]) -> Result:
    """The one that comes nearest to its bound, or passes it by most. One that never ended is broken, whatever its bound rests on."""
    if not bounds:
        return Result(expect.name, "at most", 0, None, "ms", SKIPPED, reason="no fault took place")
    if not found:
        reason = f"no pause of {PAUSE_SHOWN_MS} ms or more"
        return Result(expect.name, "at most", bounds[0].value_ms, 0.0, "ms", HELD, bounds[0], reason)
    worst = max(found, key=lambda one: one.share)
    (pause, since_ns), bound = worst.charged, worst.bound
    reason = f"round {worst.round.number}, partition {pause.partition}: {judged.cause_of(pause).text}"
    if since_ns > pause.start_ns:
        reason = f"{reason} It had begun {(since_ns - pause.start_ns) / 1e6:,.0f} ms before, which does not count."
    if pause.open:
        reason = f"{reason} It had not ended when the run ended."
    length_ms = worst.charged.length_ms
    made = Result(expect.name, "at most", bound.value_ms, length_ms, "ms", BROKEN if worst.share > 1 else HELD, bound, reason)
    if worst.share > 1 and not pause.open and bound.assumed:
        made.verdict, made.flaw = INVALID, _unsure(judged, f"the {expect.name} ({length_ms:,.0f} ms) is past", bound)
    return made


def _unsure(judged: "Judged", what: str, bound: Bound) -> Flaw:
    """What lies beyond a bound that rests on what nobody has told says nothing."""
    reason = f"{what} a bound that rests on Kafka's defaults for {', '.join(bound.assumed)}"
    if "process.roles" in judged.settings.broker and all(key in judged.settings.broker for key in bound.assumed):
        return Flaw(
            "bound", f"{reason}: the controllers go by their own, and the brokers are no controllers", "compare with the controllers' files"
        )
    return Flaw("bound", f"{reason}: the target does not tell them", "let the client (-X) describe the brokers' configurations")


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
        limit_s = _limit_s(missing[0], expect.about)
        within = f" within {limit_s:g} s" if limit_s else ""
        made.reason = f"round {missing[0].number}: not seen for broker {missing[0].broker}{within}"
        made.flaw = _impatience(judged, missing[0], expect.about)
    if made.flaw:
        made.verdict = INVALID
    return made


def _limit_s(one: Round, about: str) -> float:
    return one.led_limit_s if about == "new-leader" else one.whole_limit_s


def _impatience(judged: "Judged", one: Round, about: str) -> Flaw | None:
    """A wait that was given up sooner than the settings allow for says nothing of the cluster."""
    limit_s, least_s = _limit_s(one, about), RETURN_S
    if about == "new-leader":
        bound = failover(judged.settings, controller=one.controller)
        if bound.assumed:
            return _unsure(judged, f"round {one.number}: new leaders were not seen within", bound)
        least_s = bound.value_ms / 1000
    if not 0 < limit_s < least_s:
        return None
    what = "new leaders were" if about == "new-leader" else "full ISRs were"
    reason = f"round {one.number}: {what} waited for {limit_s:g} s, and may take {least_s:g} s"
    return Flaw("limit", reason, f"--limit {least_s:.0f} or more")


CHECKS: "dict[str, Callable[[Judged, Expect], Result]]" = {
    "never": never,
    "pause-at-most": _pause_at_most,
    "pause-elsewhere-at-most": _pause_elsewhere,
    "every-round": _every_round,
}
