"""A run that failed, kept as a JSON file that plays it again: seed, plan with the schedule of faults, and what became of it.

A person may edit such a file, to see what a run does without this fault or with that one earlier; everything that is read is checked.
"""

import json
from dataclasses import dataclass, fields
from typing import Any, cast

from holdwater.sim.faults import KINDS, Fault
from holdwater.sim.run import Outcome, Plan

FORMAT = "holdwater simulation case"
VERSION = 1
_LARGEST = 2**53


class CaseError(Exception):
    """The text is no case that this program can play; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """``plan.schedule`` is ``None`` where the seed draws it; the rest is what became of it then."""

    seed: int
    plan: Plan
    verdict: str
    code: str
    why: str
    digest: str
    virtual_ms: int
    commit: str
    """The program that wrote it."""
    fault_count_before: int = 0
    """Before the schedule was made smaller."""
    story: tuple[str, ...] = ()
    """The last lines."""


def case_of(outcome: Outcome, plan: Plan, commit: str, fault_count_before: int) -> Case:
    """The case that plays a run again."""
    return Case(
        seed=outcome.seed,
        plan=plan,
        verdict=outcome.verdict,
        code=outcome.code,
        why=outcome.why,
        digest=outcome.digest,
        virtual_ms=outcome.virtual_ms,
        commit=commit,
        fault_count_before=fault_count_before,
        story=tuple(outcome.story),
    )


def to_text(case: Case) -> str:
    """The file's content."""
    schedule = None if case.plan.schedule is None else [fault._asdict() for fault in case.plan.schedule]
    content = {
        "format": FORMAT,
        "version": VERSION,
        "seed": case.seed,
        "plan": plan_document(case.plan),
        "schedule": schedule,
        "outcome": {name: getattr(case, name) for name in ("verdict", "code", "why", "digest", "virtual_ms")},
        "commit": case.commit,
        "fault_count_before": case.fault_count_before,
        "story": case.story,
    }
    return json.dumps(content, indent=1) + "\n"


def plan_document(plan: Plan) -> dict[str, Any]:
    """A plan without its schedule, as JSON says it."""
    values = {field.name: getattr(plan, field.name) for field in fields(Plan) if field.name != "schedule"}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def from_text(text: str) -> Case:
    """The case in a file. Raises ``CaseError``."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CaseError(f"it is damaged, or no JSON: {str(error)[:100]}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CaseError("it is no saved case of holdwater simulate")
    if content.get("version") != VERSION:
        raise CaseError(f"it has version {str(content.get('version'))[:20]} of the format, this program reads version {VERSION}")
    outcome = _typed(content, "outcome", dict)
    return Case(
        seed=_number(content, "seed"),
        plan=_plan(_typed(content, "plan", dict), content),
        verdict=_typed(outcome, "verdict", str),
        code=_typed(outcome, "code", str),
        why=_typed(outcome, "why", str),
        digest=_typed(outcome, "digest", str),
        virtual_ms=_number(outcome, "virtual_ms"),
        commit=_typed(content, "commit", str),
        fault_count_before=_number(content, "fault_count_before"),
        story=_strings(content, "story"),
    )


def _plan(given: dict[str, Any], content: dict[str, Any]) -> Plan:
    standard = Plan()
    known = [field.name for field in fields(Plan) if field.name != "schedule"]
    if sorted(given) != sorted(known):
        raise CaseError(f"its plan has other parts ({', '.join(given)[:100]}) than this program knows ({', '.join(known)})")
    values: dict[str, Any] = {}
    for name in known:
        kind = type(getattr(standard, name))
        if kind is tuple:
            values[name] = _strings(given, name)
        elif kind is int:
            values[name] = _number(given, name, least=1 if name == "mean_gap_ms" else 0)
        else:
            values[name] = _typed(given, name, kind)
    return Plan(**values, schedule=_schedule(content))


def _schedule(content: dict[str, Any]) -> tuple[Fault, ...] | None:
    if content.get("schedule", 0) is None:
        return None
    return tuple(_fault(each, index) for index, each in enumerate(_typed(content, "schedule", list)))


def _fault(given: object, index: int) -> Fault:
    if not isinstance(given, dict) or sorted(given) != sorted(Fault._fields):
        raise CaseError(f"fault {index} of its schedule does not have exactly {', '.join(Fault._fields)}")
    if given["kind"] not in KINDS:
        raise CaseError(f"fault {index} of its schedule is of a kind that this program does not know: {str(given['kind'])[:40]}")
    numbers = {name: _number(given, name, least=-2 if name == "victim" else 0) for name in Fault._fields if name != "kind"}
    return Fault(kind=given["kind"], **numbers)


def _typed(content: dict[str, Any], name: str, kind: type) -> Any:
    value = content.get(name)
    if type(value) is not kind:
        raise CaseError(f"it is damaged: '{name}' is missing or of the wrong type")
    return value


def _number(content: dict[str, Any], name: str, least: int = 0) -> int:
    value = _typed(content, name, int)
    if not least <= value <= _LARGEST:
        raise CaseError(f"it is damaged: '{name}' is {value}, not from {least} to {_LARGEST}")
    return value


def _strings(content: dict[str, Any], name: str) -> tuple[str, ...]:
    values = cast("list[Any]", _typed(content, name, list))
    if not all(isinstance(value, str) for value in values):
        raise CaseError(f"it is damaged: '{name}' is missing or of the wrong type")
    return tuple(values)
