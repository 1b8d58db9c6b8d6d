"""What a run of many seeds came to: outcomes by kind, totals, what was met; as plain data, from which the text is made.

Its names are stable, and ``schema`` says which set of them it is.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from holdwater.sim.casefile import plan_document
from holdwater.sim.coverage import COORDINATED_FLOORS, FLOORS, JUDGED_FROM_SEEDS, Unmet, below_minimum, fault_count, unmet
from holdwater.sim.run import CRASH, HELD, LIVENESS, SAFETY, Outcome, Plan
from holdwater.sim.shrink import Shrunk

SCHEMA = 1
BROKEN, INVALID = "broken", "invalid"
STORY_LINES = 40
"""The last of the story that a report repeats; the saved case has more."""
FLAGS = {"fault_ms": "--fault-seconds", "mean_gap_ms": "--fault-gap"}
"""The parts of a plan that the command line sets, in seconds."""


@dataclass(slots=True)
class Failure:
    """A seed that failed, and the smaller schedule that fails as well, where one was looked for."""

    outcome: Outcome
    case: str = ""
    """Path of the saved case; empty when there is none."""
    smallest: Shrunk | None = None
    tries: int = 0


class Summary:
    """Adds up outcomes, in whatever order they come."""

    def __init__(self, plan: Plan, floors: dict[str, int] | None = None) -> None:
        self.plan = plan
        self.counts: dict[str, int] = dict.fromkeys((HELD, CRASH, SAFETY, LIVENESS), 0)
        self.failures: list[Failure] = []
        self.counters: dict[str, int] = {}
        self.virtual_ms = 0
        self._floors = floors if floors is not None else COORDINATED_FLOORS if plan.coordination else FLOORS
        self._wall_s = 0.0
        self._sums = {"operations": 0, "acknowledged": 0, "unknown": 0, "events": 0}
        self._each: dict[str, list[int]] = {"virtual_ms": [], "operations": [], "faults": [], "recovered_ms": []}
        """Of the seeds that held."""
        self._first_seed: int | None = None
        self._last_seed = 0
        self._thin: list[tuple[int, str]] = []
        self._fault_count = 0

    def add(self, outcome: Outcome, wall_s: float) -> None:
        """One more seed."""
        self.counts[outcome.verdict] += 1
        self._wall_s += wall_s
        self.virtual_ms += outcome.virtual_ms
        self._fault_count += fault_count(outcome)
        for name in self._sums:
            self._sums[name] += getattr(outcome, name)
        for name, count in outcome.counters.items():
            self.counters[name] = self.counters.get(name, 0) + count
        self._first_seed = outcome.seed if self._first_seed is None else min(self._first_seed, outcome.seed)
        self._last_seed = max(self._last_seed, outcome.seed)
        if not outcome.held:
            self.failures.append(Failure(outcome))
            self.failures.sort(key=lambda failure: failure.outcome.seed)
            return
        for name, values in self._each.items():
            values.append(fault_count(outcome) if name == "faults" else getattr(outcome, name))
        missing = below_minimum(outcome)
        if missing:
            self._thin.append((outcome.seed, missing))

    @property
    def seed_count(self) -> int:
        """Seeds judged."""
        return sum(self.counts.values())

    @property
    def ratio(self) -> float:
        """Virtual time per wall time of the processes that played it."""
        return self.virtual_ms / 1000 / self._wall_s if self._wall_s else 0.0

    @property
    def is_standard(self) -> bool:
        """Whether seeds are played as they are meant, with or without groups and transactions in each: only then can floors be judged."""
        return self.plan in (Plan(), Plan(coordination=True))

    @property
    def floors_count(self) -> bool:
        """Whether floors are judged: from some number of seeds on."""
        return self.is_standard and self.seed_count >= JUDGED_FROM_SEEDS

    def unmet(self) -> list[Unmet]:
        """The floors above what was met so far. They rise with the number of seeds, half as fast."""
        factor = max(1, self.seed_count // (2 * JUDGED_FROM_SEEDS))
        return unmet(self.counters, {name: floor * factor for name, floor in self._floors.items()})

    def verdict(self, *, interrupted: bool) -> str:
        """``broken`` when a seed failed or a floor that counts was not met, ``invalid`` when nothing, or not all, was judged."""
        if self.failures or (self.floors_count and (self.unmet() or self._thin)):
            return BROKEN
        return INVALID if interrupted or not self.seed_count else HELD

    def document(self, *, commit: str, wall_s: float, jobs: int, interrupted: bool, replay: Callable[[int], str]) -> dict[str, Any]:
        """Everything, as JSON can say it. ``replay`` gives the command that plays a seed again."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict(interrupted=interrupted),
            "interrupted": interrupted,
            "commit": commit,
            "plan": plan_document(self.plan),
            "outcomes": dict(self.counts),
            "failures": [failure_document(failure, commit, replay(failure.outcome.seed)) for failure in self.failures],
            "totals": self._totals(wall_s, jobs),
            "counters": by_family(self.counters),
            "floors": {
                "standard": self.is_standard,
                "judged": self.floors_count,
                "judged_from_seeds": JUDGED_FROM_SEEDS,
                "unmet": [each._asdict() for each in self.unmet()],
                "seeds_below_minimum": [{"seed": seed, "missing": missing} for seed, missing in sorted(self._thin)],
            },
        }

    def _totals(self, wall_s: float, jobs: int) -> dict[str, Any]:
        return {
            "seeds": self.seed_count,
            "first_seed": self._first_seed,
            "last_seed": self._last_seed if self.seed_count else None,
            "jobs": jobs,
            "wall_s": round(wall_s, 3),
            "virtual_s": self.virtual_ms / 1000,
            "virtual_per_wall_s_of_one_job": round(self.ratio, 1),
            **self._sums,
            "faults": self._fault_count,
            "per_seed_that_held": {
                "virtual_s": _spread([value / 1000 for value in self._each["virtual_ms"]]),
                "operations": _spread(self._each["operations"]),
                "faults": _spread(self._each["faults"]),
                "recovered_ms": _spread(self._each["recovered_ms"]),
            },
        }


def failure_document(failure: Failure, commit: str, replay: str) -> dict[str, Any]:
    """One seed that failed."""
    outcome = failure.outcome
    return {
        "seed": outcome.seed,
        "verdict": outcome.verdict,
        "code": outcome.code,
        "why": outcome.why,
        "digest": outcome.digest,
        "virtual_ms": outcome.virtual_ms,
        "commit": commit,
        "settings": outcome.settings,
        "schedule": [fault._asdict() for fault in outcome.schedule],
        "story": outcome.story[-STORY_LINES:],
        "replay": replay,
        "case": failure.case or None,
        "replay_case": f"holdwater simulate --replay {shlex.quote(failure.case)}" if failure.case else None,
        "smallest": _smallest_document(failure.smallest, failure.tries) if failure.smallest is not None else None,
    }


def _smallest_document(smallest: Shrunk, tries: int) -> dict[str, Any]:
    return {
        "fault_ms": smallest.plan.fault_ms,
        "schedule": [fault._asdict() for fault in smallest.plan.schedule or ()],
        "digest": smallest.outcome.digest,
        "tries": tries,
        "remark": smallest.remark,
    }


def replay_command(seed: int, plan: Plan) -> str:
    """The command that plays a seed again and tells its story."""
    parts = ["holdwater", "simulate", "--seed", str(seed), "--no-shrink"]
    standard = Plan()
    for name, flag in FLAGS.items():
        value_ms = getattr(plan, name)
        if value_ms != getattr(standard, name):
            parts += [flag, f"{value_ms / 1000:g}"]
    if plan.coordination:
        parts.append("--coordination")
    for bug in plan.bugs:
        parts += ["--bug", bug]
    return shlex.join(parts)


def by_family(counters: dict[str, int]) -> dict[str, dict[str, int]]:
    """Counters by the first word of their names, sorted."""
    families: dict[str, dict[str, int]] = {}
    for name in sorted(counters):
        family, _, rest = name.partition(" ")
        families.setdefault(family, {})[rest] = counters[name]
    return families


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    return {"min": min(values), "median": median(values), "max": max(values)} if values else None


def first_of_each_way(failures: Sequence[Failure], way: Callable[[Outcome], object], count: int) -> list[Failure]:
    """Of the seeds that failed in one way the first ``count``, in the order of seeds."""
    seen: dict[object, int] = {}
    chosen: list[Failure] = []
    for failure in failures:
        key = way(failure.outcome)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= count:
            chosen.append(failure)
    return chosen
