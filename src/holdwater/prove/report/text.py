"""The report to read in a terminal or a log: plain text, no colours, at most about 120 columns."""

import textwrap
from statistics import median
from typing import Any

from holdwater.prove.report.characters import printable

WIDTH = 118


def render(report: dict[str, Any], evidence_hash: str = "") -> str:
    """The whole report, ending with a newline; nothing in it is a command to a terminal."""
    report = printable(report)
    parts = [_head(report), _expectations(report), _rounds(report), _findings(report), _windows(report), _foot(report, evidence_hash)]
    return "\n".join(part for part in parts if part)


def _head(report: dict[str, Any]) -> str:
    target = report["target"]
    lines = [f"{report['verdict'].upper()} in this run: {report['scenario']} on {target['name']}", f"  {report['summary']}"]
    for flaw in report["invalid"]:
        lines += [f"  invalid: {flaw['reason']}", f"    next: {flaw['next']}"]
    return "\n".join(lines) + "\n"


def number(value: float | None) -> str:
    """With thousands separators; milliseconds without a fraction."""
    if value is None:
        return "-"
    return f"{value:,.0f}"


def expected_text(expectation: dict[str, Any]) -> str:
    """``0``, or ``<= 21,000 ms``."""
    sign = "<= " if expectation["relation"] == "at most" else ""
    unit = f" {expectation['unit']}" if expectation["unit"] == "ms" else ""
    return f"{sign}{number(expectation['expected'])}{unit}"


def actual_text(expectation: dict[str, Any]) -> str:
    """The actual value with its unit where it is a time."""
    unit = f" {expectation['unit']}" if expectation["unit"] == "ms" and expectation["actual"] is not None else ""
    return f"{number(expectation['actual'])}{unit}"


def bound_text(bound: dict[str, Any]) -> str:
    """The formula with its numbers."""
    inputs = ", ".join(f"{key}={value}" for key, value in bound["from"].items())
    assumed = f"; not told by the target, so the default: {', '.join(bound['assumed'])}" if bound["assumed"] else ""
    return f"{bound['formula']} ({inputs}{assumed})"


def reasons(expectations: list[dict[str, Any]]) -> list[str]:
    """What is to be said below each row; empty where there is nothing: it held and has no bound, or the reason stood below a row before.

    Only rows without a verdict share a reason (that the judge did not see everything); each anomaly has a cause of its own.
    """
    said: set[str] = set()
    shown: list[str] = []
    for one in expectations:
        without_verdict = one["verdict"] in ("invalid", "skipped")
        again = without_verdict and one["reason"] in said
        shown.append("" if again or (one["verdict"] == "held" and not one["bound"]) else one["reason"])
        if without_verdict:
            said.add(one["reason"])
    return shown


def _expectations(report: dict[str, Any]) -> str:
    rows = [(one["name"], expected_text(one), actual_text(one), one["verdict"]) for one in report["expectations"]]
    rows = [("expectation", "expected", "actual", "verdict"), *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines: list[str] = []
    details = [(None, ""), *zip(report["expectations"], reasons(report["expectations"]), strict=True)]
    for row, (one, reason) in zip(rows, details, strict=True):
        lines.append(f"  {row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}".rstrip())
        if one and one["bound"]:
            lines += _wrapped(f"bound: {bound_text(one['bound'])}", 6)
        lines += _wrapped(reason, 6)
    return "\n".join(lines) + "\n"


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2), break_long_words=False)


def _rounds(report: dict[str, Any]) -> str:
    rounds = report["figures"]["rounds"]
    if not rounds:
        return ""
    lines = ["What happened"]
    for one in rounds:
        controller = " (active controller)" if one["active_controller"] else ""
        led = f"leader of {one['partitions_led']}" if one["partitions_led"] else "leader of nothing"
        lines += _wrapped(
            f"{one['at_s']:.1f} s  broker {one['broker']}{controller}, {led}: {one['fault']}; longest write pause "
            f"{number(one['write_pause_ms'])} ms, read pause {number(one['read_pause_ms'])} ms; new leaders known to all after "
            f"{number(one['leaders_elsewhere_after_ms'])} ms; every ISR full {number(one['whole_after_start_ms'])} ms after its start",
            2,
        )
    if len(rounds) > 1:
        pauses = sorted(one["write_pause_ms"] for one in rounds)
        hit = report["figures"]["kills_of_active_controller"]
        lines.append(
            f"  {len(rounds)} rounds, {hit} of them hit the active controller; write pause: median {number(median(pauses))} ms, "
            f"maximum {number(pauses[-1])} ms"
        )
    latency = report["figures"]["ack_latency_before_fault_ms"]
    if latency:
        shown = ", ".join(f"{name} {value:.1f} ms" for name, value in latency.items())
        lines.append(f"  before the first fault an acknowledgement took {shown}")
    return "\n".join(lines) + "\n"


def _findings(report: dict[str, Any]) -> str:
    lines: list[str] = []
    for finding in report["findings"]:
        left = finding["ranges_left_out"]
        ranges = ", ".join(finding["ranges"][:8]) + (f" and {len(finding['ranges']) - 8 + left} more" if len(finding["ranges"]) > 8 else "")
        lines.append(f"  {finding['class']}: {finding['count']:,} ({ranges})")
        if finding["cause"]:
            lines += _wrapped(f"{finding['cause']['confidence']}: {finding['cause']['text']}", 4)
            if finding["cause"]["remedy"]:
                lines += _wrapped(f"what would change this: {finding['cause']['remedy']}", 4)
    return "\n".join(["Findings", *lines]) + "\n" if lines else ""


def _windows(report: dict[str, Any]) -> str:
    lines: list[str] = []
    for window in report["windows"]:
        open_end = ", not ended" if window["open"] else ""
        took = f"{number(window['ms'])} ms from {window['from_s']:.2f} s{open_end}"
        text = f"{window['side']}s of p{window['partition']}: {took}; {window['cause']['text']}"
        lines += _wrapped(text, 2)
    return "\n".join(["Longest pauses", *lines]) + "\n" if lines else ""


def _foot(report: dict[str, Any], evidence_hash: str) -> str:
    lines = ["Not tested", *(line for note in report["not_tested"] for line in _wrapped(note, 2))]
    lines += [line for note in report["settings"]["notes"] for line in _wrapped(f"note: {note}", 2)]
    lines += [
        "",
        f"seed      {report['seed']}",
        f"evidence  {report['evidence']}" + (f"  (sha256 of SHA256SUMS: {evidence_hash[:16]}...)" if evidence_hash else ""),
    ]
    return "\n".join([*lines, f"repeat    {report['repeat']}", ""])
