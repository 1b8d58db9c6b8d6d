"""Stand-ins for ``sim.run.simulate``, and outcomes made by hand."""

from collections.abc import Callable
from typing import Any
from zlib import crc32

from holdwater.sim.faults import Fault
from holdwater.sim.run import CRASH, HELD, SAFETY, Outcome, Plan

Tell = Callable[[str], None] | None


def fault(at_ms: int, kind: str = "kill", duration_ms: int = 800, **other: int) -> Fault:
    return Fault(at_ms, kind, other.get("victim", 1), duration_ms, other.get("amount", 0), other.get("other", 2))


def outcome(seed: int = 1, verdict: str = HELD, **given: Any) -> Outcome:
    """One that has everything that a seed must have, but for what is given."""
    whole: dict[str, Any] = {
        "code": "R5" if verdict == SAFETY else "",
        "why": "" if verdict == HELD else "IndexError: none left [here]" if verdict == CRASH else "the high watermark went back",
        "digest": f"{seed:032x}",
        "virtual_ms": 65_000,
        "events": 9_000,
        "recovered_ms": 900,
        "operations": 600,
        "acknowledged": 550,
        "unknown": 1,
        "schedule": (),
        "settings": {},
        "counters": {"fault kill": 4, "fault pause": 3, "error no answer": 2},
        "story": [] if verdict == HELD else ["12 n1 leads", "13 n2 truncates"],
    }
    return Outcome(seed=seed, verdict=verdict, **(whole | given))


def held(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
    """Every seed holds; its story has two lines."""
    if tell is not None:
        tell("0.001 s  n1 leads")
        tell("0.002 s  n2 follows")
    return outcome(seed, counters={"fault kill": 7})


FORTY = tuple(fault(1_000 * number, ("kill", "pause", "stop")[number % 3], amount=number) for number in range(1, 41))
GUILTY = (FORTY[7], FORTY[30])


def two_of_forty(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
    """Fails while both of ``GUILTY`` are played, the first of them for at least 300 ms, and until 32 seconds have passed."""
    plan = plan if plan is not None else Plan()
    schedule = FORTY if plan.schedule is None else plan.schedule
    kept = {each.at_ms: each for each in schedule if each.at_ms < plan.fault_ms}
    first, second = kept.get(GUILTY[0].at_ms), kept.get(GUILTY[1].at_ms)
    if first is not None and second is not None and first.duration_ms >= 300 and plan.fault_ms >= 32_000:
        return outcome(seed, SAFETY, schedule=schedule, digest=f"{crc32(repr((plan.fault_ms, schedule)).encode()):032x}", virtual_ms=50_000)
    return outcome(seed, schedule=schedule)
