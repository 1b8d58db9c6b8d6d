"""The smallest schedule of faults that still fails: delta debugging over the faults of a seed that failed.

A smaller plan counts when it fails in the same way as the seed did: with the same verdict and code, for a crash with the same exception.
What is found is minimal in this sense: without any one of its faults it holds, or fails in another way (A. Zeller, R. Hildebrandt,
"Simplifying and Isolating Failure-Inducing Input", ddmin). After that durations get shorter and the end of the faults earlier.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple, Protocol, TypeAlias

from holdwater.sim.faults import Fault
from holdwater.sim.run import CRASH, HELD, Outcome, Plan

_STEPS = 8
NOT_AGAIN = "played again it did not fail in this way: the run is not deterministic"
OTHER_TRACE = "played again it failed in this way, but with another trace: the run is not deterministic"

First: TypeAlias = Callable[[Sequence[Plan]], tuple[int, Outcome] | None]
"""The position of the first plan that fails in the same way, and its outcome; ``None`` when none does. May raise ``Spent``."""


class Spent(Exception):  # noqa: N818 - named for what happened
    """No more tries; the message says why."""


class Shrunk(NamedTuple):
    """The smallest plan found, what it does, and what a reader must know about it, if anything."""

    plan: Plan
    outcome: Outcome
    remark: str


class Ending(Protocol):
    """How a run ended: an ``Outcome``, or what a file says of one."""

    @property
    def verdict(self) -> str: ...

    @property
    def code(self) -> str: ...

    @property
    def why(self) -> str: ...


def way(outcome: Ending) -> tuple[str, str]:
    """The way in which a run ended: verdict, and code or, for a crash, the exception's name."""
    return outcome.verdict, outcome.why.partition(":")[0] if outcome.verdict == CRASH and not outcome.code else outcome.code


def same_way(outcome: Ending, failing: Ending) -> bool:
    """Whether a run failed in the way of another."""
    return outcome.verdict != HELD and way(outcome) == way(failing)


def shrink(failing: Outcome, plan: Plan, first: First) -> Shrunk:
    """Make the plan of a failing run smaller, as far as ``first`` lets."""
    work = _Shrinking(failing, replace(plan, schedule=failing.schedule), first)
    try:
        if work.take([work.plan]) is None:
            return Shrunk(work.plan, failing, NOT_AGAIN)
        if work.outcome.digest != failing.digest:
            return Shrunk(work.plan, work.outcome, OTHER_TRACE)
        work.end_with_the_failure()
        work.fewer_faults()
        work.shorter_durations()
        work.earlier_end()
    except Spent as spent:
        return Shrunk(work.plan, work.outcome, f"{spent}: there may be a smaller one")
    return Shrunk(work.plan, work.outcome, "")


class _Shrinking:
    """The smallest plan so far."""

    def __init__(self, failing: Outcome, plan: Plan, first: First) -> None:
        self.plan = plan
        self.outcome = failing
        self._first = first
        self._passed: dict[Plan, None] = {}
        """Plans that did not fail in this way."""

    @property
    def schedule(self) -> tuple[Fault, ...]:
        return self.plan.schedule or ()

    def take(self, plans: Sequence[Plan]) -> int | None:
        """Take the first plan that fails in the same way; its position, or ``None`` when none does."""
        new = [index for index, plan in enumerate(plans) if plan not in self._passed]
        found = self._first([plans[index] for index in new]) if new else None
        tried = new if found is None else new[: found[0]]
        self._passed |= dict.fromkeys(plans[index] for index in tried)
        if found is None:
            return None
        index = new[found[0]]
        self.plan, self.outcome = plans[index], found[1]
        return index

    def end_with_the_failure(self) -> None:
        """What comes later than the failure has no part in it."""
        end_ms = self.outcome.virtual_ms
        if end_ms < self.plan.fault_ms:
            schedule = tuple(fault for fault in self.schedule if fault.at_ms <= end_ms)
            self.take([replace(self.plan, fault_ms=end_ms, schedule=schedule)])

    def fewer_faults(self) -> None:
        """ddmin: leave out a half, a quarter, an eighth, in the end one fault, and go on behind what could be left out."""
        if self.schedule and self.take([self._with(())]) is not None:
            return
        part_count, begin = 2, 0
        while len(self.schedule) > 1:
            parts = _parts(self.schedule, part_count)
            order = [(begin + step) % len(parts) for step in range(len(parts))]
            found = self.take([self._with(_without(parts, left_out)) for left_out in order])
            if found is not None:
                part_count, begin = max(part_count - 1, 2), order[found]
            elif part_count < len(self.schedule):
                part_count, begin = min(part_count * 2, len(self.schedule)), 0
            else:
                return

    def shorter_durations(self) -> None:
        """Of each fault: none, or a part of it."""
        for index, fault in enumerate(self.schedule):
            shorter = dict.fromkeys(fault.duration_ms * step // _STEPS for step in range(_STEPS))
            self.take([self._with_duration(index, duration_ms) for duration_ms in shorter if duration_ms < fault.duration_ms])

    def earlier_end(self) -> None:
        """The faults end soon after the last of them."""
        last_ms = max((fault.at_ms + 1 for fault in self.schedule), default=0)
        rest_ms = self.plan.fault_ms - last_ms
        ends = dict.fromkeys(last_ms + rest_ms * step // _STEPS for step in range(_STEPS))
        self.take([replace(self.plan, fault_ms=end_ms) for end_ms in ends if end_ms < self.plan.fault_ms])

    def _with(self, schedule: tuple[Fault, ...]) -> Plan:
        return replace(self.plan, schedule=schedule)

    def _with_duration(self, index: int, duration_ms: int) -> Plan:
        shorter = self.schedule[index]._replace(duration_ms=duration_ms)
        return self._with((*self.schedule[:index], shorter, *self.schedule[index + 1 :]))


def _parts(schedule: tuple[Fault, ...], count: int) -> list[tuple[Fault, ...]]:
    """Cut into ``count`` parts of nearly equal length, none of them empty."""
    count = min(count, len(schedule))
    cuts = [len(schedule) * number // count for number in range(count + 1)]
    return [schedule[begin:end] for begin, end in pairwise(cuts)]


def _without(parts: list[tuple[Fault, ...]], left_out: int) -> tuple[Fault, ...]:
    return tuple(fault for index, part in enumerate(parts) if index != left_out for fault in part)
