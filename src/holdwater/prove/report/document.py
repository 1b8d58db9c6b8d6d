"""The report as plain data: every other form of it is made from this. Its names are stable, and ``schema`` says which set of them it is."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from holdwater.prove.judge.bounds import Bound
from holdwater.prove.judge.causes import Cause
from holdwater.prove.judge.findings import Finding
from holdwater.prove.judge.pauses import Pause
from holdwater.prove.judge.verdict import BROKEN, HELD, INVALID, SKIPPED, Judged, Result
from holdwater.prove.judge_folder import Judgement

SCHEMA = 1
PAUSES_SHOWN = 5
_SHOWN_KINDS = (
    "phase",
    "kill",
    "terminate",
    "pause",
    "start",
    "resume",
    "probe",
    "condition",
    "back",
    "unexpected",
    "failed",
    "interrupted",
)


def versions() -> dict[str, str]:
    """What made the run: package, Python, librdkafka, platform."""
    from confluent_kafka import libversion

    try:
        own = version("holdwater")
    except PackageNotFoundError:
        own = "unknown"
    return {"holdwater": own, "python": platform.python_version(), "librdkafka": libversion()[0], "platform": platform.platform()}


def document(judgement: Judgement) -> dict[str, Any]:
    """The whole report, without the hash of the evidence (it is part of the evidence itself)."""
    run, judged = judgement.run, judgement.judged
    return {
        "schema": SCHEMA,
        "scenario": run["scenario"]["name"],
        "title": run["scenario"]["title"],
        "target": run["target"],
        "seed": run["seed"],
        "verdict": judged.verdict,
        "summary": summary(judged),
        "expectations": [_expectation(result) for result in judged.results],
        "invalid": [{"rule": flaw.rule, "reason": flaw.reason, "next": flaw.next_step} for flaw in judged.flaws],
        "figures": judged.figures,
        "findings": [_finding(finding) for finding in judged.findings.values() if finding.count],
        "windows": _windows(judged),
        "timeline": _timeline(judged),
        "settings": {**run["settings"], "notes": run.get("notes", [])},
        "not_tested": not_tested(judged),
        "versions": run["versions"],
        "evidence": str(judgement.folder),
        "repeat": run["repeat"],
    }


def summary(judged: Judged) -> str:
    """One line: what was acknowledged, what is in the log, and what is not known."""
    counts, logs = judged.counts, judged.history.log
    lost = judged.findings["lost-write"].count
    whole = bool(logs) and all(log.complete for log in logs.values()) and set(judged.history.sends.partition) <= logs.keys()
    parts = [f"{counts.ok:,} acknowledged, {counts.ok - lost:,} of them in the log" if whole else f"{counts.ok:,} acknowledged"]
    if counts.unknown:
        inside, outside = counts.unknown_in_log, counts.unknown - counts.unknown_in_log
        parts.append(f"{counts.unknown:,} unknown" + (f" ({inside:,} in the log, {outside:,} not)" if whole else ""))
    if counts.fail:
        parts.append(f"{counts.fail:,} refused")
    if counts.fire_and_forget:
        parts.append(f"{counts.fire_and_forget:,} sent with acks=0, which says nothing")
    parts.append(f"{counts.read:,} read")
    if not whole:
        parts.append("the log was not read to its end")
    return "; ".join(parts)


def _expectation(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "relation": result.relation,
        "expected": result.expected,
        "actual": result.actual,
        "unit": result.unit,
        "verdict": result.verdict,
        "bound": _bound(result.bound) if result.bound else None,
        "reason": result.reason,
    }


def _bound(bound: Bound) -> dict[str, Any]:
    return {
        "value": bound.value_ms,
        "unit": "ms",
        "formula": bound.formula,
        "from": bound.inputs,
        "assumed": list(bound.assumed),
        "lower": bound.lower_ms,
    }


def _cause(cause: Cause | None) -> dict[str, str] | None:
    if cause is None:
        return None
    return {"rule": cause.rule, "text": cause.text, "confidence": cause.confidence, "remedy": cause.remedy}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "class": finding.kind,
        "count": finding.count,
        "by": finding.by,
        "ranges": [str(one) for one in finding.ranges],
        "ranges_left_out": finding.ranges_left_out,
        "examples": finding.examples,
        "worst": finding.worst,
        "cause": _cause(finding.cause),
    }


def _windows(judged: Judged) -> list[dict[str, Any]]:
    """The longest pauses of both sides."""
    windows: list[dict[str, Any]] = []
    for side, pauses in (("write", judged.write_pauses), ("read", judged.read_pauses)):
        longest_first = sorted(pauses, key=lambda one: (not one.open, one.start_ns - one.end_ns))
        windows += [_window(judged, side, pause) for pause in longest_first[:PAUSES_SHOWN]]
    return windows


def _window(judged: Judged, side: str, pause: Pause) -> dict[str, Any]:
    return {
        "side": side,
        "partition": pause.partition,
        "from_s": judged.history.seconds(pause.start_ns),
        "ms": pause.length_ms,
        "waiting": pause.waiting,
        "open": pause.open,
        "cause": _cause(judged.cause_of(pause)),
    }


def _timeline(judged: Judged) -> list[dict[str, Any]]:
    """Faults, conditions and changes of leaders and ISRs in one list, in order of time."""
    history = judged.history
    lines = [
        {"at_s": history.seconds(event.time_ns), "kind": event.kind, **event.detail}
        for event in history.events
        if event.kind in _SHOWN_KINDS
    ]
    for partition, story in judged.stories.items():
        for time_ns, view in list(zip(story.times, story.views, strict=True))[1:]:
            lines.append(
                {
                    "at_s": history.seconds(time_ns),
                    "kind": "partition",
                    "partition": partition,
                    "leader": view.leader,
                    "leader_epoch": view.leader_epoch,
                    "isr": list(view.isr),
                    "elr": list(view.elr),
                }
            )
    lines += _controllers(judged)
    return sorted(lines, key=lambda line: line["at_s"])


def _controllers(judged: Judged) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    epoch = -1
    for sample in judged.history.samples:
        if sample.quorum_epoch > epoch and sample.controller >= 0:
            if epoch >= 0:
                at_s = judged.history.seconds(sample.time_ns)
                lines.append({"at_s": at_s, "kind": "controller", "controller": sample.controller, "quorum_epoch": sample.quorum_epoch})
            epoch = sample.quorum_epoch
    return lines


def not_tested(judged: Judged) -> list[str]:
    """What this run says nothing about."""
    notes = [
        "Power loss: a killed process keeps what is in the page cache of its machine.",
        "Followers: the log was read from each partition's leader, and not compared with its replicas.",
    ]
    if judged.counts.unknown:
        notes.append(f"{judged.counts.unknown:,} writes got no answer; each may be in the log or not, and neither is an anomaly.")
    if judged.counts.fire_and_forget:
        notes.append("Writes with acks=0 are reported as sent whatever became of them.")
    notes.append(
        "Leaders, ISRs and high watermarks were looked at five times a second per broker; shorter changes may be missing in the timeline."
    )
    skipped = [result.name for result in judged.results if result.verdict == SKIPPED]
    if skipped:
        notes.append(f"Skipped: {', '.join(skipped)}.")
    return notes


EXIT_CODES = {HELD: 0, BROKEN: 1, INVALID: 3, SKIPPED: 3}
"""Nothing but skipped parts is no verdict, as an invalid run is none."""


def exit_code(verdicts: list[str], *, complete: bool = True) -> int:
    """Of several scenarios: broken beats invalid beats held. One that has no verdict (not ``complete``) counts as invalid."""
    codes = [EXIT_CODES[verdict] for verdict in verdicts] + ([] if complete else [EXIT_CODES[INVALID]])
    return 1 if 1 in codes else max(codes, default=3)
