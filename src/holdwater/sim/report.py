"""The summary of a run of seeds to read in a terminal or a log: plain text, no colours, made from the document alone."""

import textwrap
from typing import Any

from holdwater.sim.faults import CONTROLLER, LEADER

WIDTH = 118
FAILURES_SHOWN = 10
STORY_SHOWN = 12
_FAULTS_SHOWN = 30
_THIN_SHOWN = 5
_EACH = (("virtual_s", "virtual seconds"), ("operations", "operations"), ("faults", "faults"))


def render(document: dict[str, Any]) -> str:
    """The whole summary, ending with a newline."""
    return "\n".join(
        part for part in (_head(document), _failures(document), _counters(document), _floors(document), _replayed(document)) if part
    )


def _head(document: dict[str, Any]) -> str:
    totals, counts = document["totals"], document["outcomes"]
    seeds = f"{totals['seeds']:,} seeds" if totals["seeds"] != 1 else "1 seed"
    if totals["seeds"]:
        first, last = totals["first_seed"], totals["last_seed"]
        seeds += f" ({first} to {last})" if first != last else f" ({first})"
    cut = ", interrupted" if document["interrupted"] else ""
    bugs = f", planted: {', '.join(document['plan']['bugs'])}" if document["plan"]["bugs"] else ""
    lines = [
        f"{document['verdict'].upper()}: {seeds}{cut}{bugs}, commit {document['commit']}",
        "  " + "   ".join(f"{name} {count:,}" for name, count in counts.items()),
    ]
    if totals["seeds"]:
        lines += _total_lines(totals)
    return "\n".join(lines) + "\n"


def _total_lines(totals: dict[str, Any]) -> list[str]:
    jobs = f"{totals['jobs']} jobs" if totals["jobs"] != 1 else "1 job"
    ratio = f"{totals['virtual_per_wall_s_of_one_job']:,.0f} : 1 per job"
    done = ", ".join(f"{totals[name]:,} {name}" for name in ("operations", "acknowledged", "unknown", "faults"))
    lines = [f"  {totals['virtual_s']:,.0f} virtual seconds in {totals['wall_s']:,.1f} s with {jobs}, {ratio}", f"  {done}"]
    each = totals["per_seed_that_held"]
    if each["faults"]:
        parts = [f"{each[name]['min']:,.0f} / {each[name]['median']:,.0f} {what}" for name, what in _EACH]
        lines.append(f"  of a seed that held, least / median: {', '.join(parts)}")
        whole = each["recovered_ms"]
        lines.append(f"  whole again after the faults, median / longest: {whole['median']:,.0f} / {whole['max']:,.0f} ms")
    return lines


def _failures(document: dict[str, Any]) -> str:
    failures = document["failures"]
    parts = [failure_text(failure) for failure in failures[:FAILURES_SHOWN]]
    if len(failures) > FAILURES_SHOWN:
        rest = [f"{failure['seed']} {failure['code'] or failure['verdict']}" for failure in failures[FAILURES_SHOWN:]]
        parts.append("\n".join(["Also failed", *_wrapped(", ".join(rest), 2)]) + "\n")
    return "\n".join(parts)


def failure_text(failure: dict[str, Any]) -> str:
    """One seed that failed, and how to see it again."""
    code = f" {failure['code']}" if failure["code"] else ""
    lines = [f"Seed {failure['seed']}: {failure['verdict']}{code}, after {failure['virtual_ms'] / 1000:,.3f} virtual seconds"]
    lines += _wrapped(failure["why"].removeprefix(f"{failure['code']}: "), 2)
    if failure["story"]:
        lines += ["  the last of its story", *(f"    {_story_line(line)}" for line in failure["story"][-STORY_SHOWN:])]
    smallest = failure["smallest"]
    schedule = smallest["schedule"] if smallest else failure["schedule"]
    if smallest:
        before = len(failure["schedule"])
        lines.append(
            f"  smallest schedule that fails: {len(schedule)} of {before} faults within {smallest['fault_ms'] / 1000:g} s "
            f"({smallest['tries']} tries)"
        )
    elif schedule:
        lines.append(f"  its schedule, {len(schedule)} faults")
    lines += [f"    {fault_text(fault)}" for fault in schedule[:_FAULTS_SHOWN]]
    if len(schedule) > _FAULTS_SHOWN:
        lines.append(f"    and {len(schedule) - _FAULTS_SHOWN} more")
    if smallest and smallest["remark"]:
        lines += _wrapped(f"note: {smallest['remark']}", 2)
    lines += [f"  commit    {failure['commit']}", f"  repeat    {failure['replay']}"]
    if failure["replay_case"]:
        lines.append(f"  {'smallest' if smallest else 'saved   '}  {failure['replay_case']}")
    return "\n".join(lines) + "\n"


def _story_line(line: str) -> str:
    """A line of a trace, with its time in virtual seconds."""
    at_us, _, what = line.partition(" ")
    return f"{int(at_us) / 1e6:10.3f} s  {what}" if at_us.isdecimal() else line


def fault_text(fault: dict[str, Any]) -> str:
    """One fault of a schedule, as a line."""
    victims = {LEADER: "the leader of partition 0", CONTROLLER: "the active controller"}
    victim = victims.get(fault["victim"], f"n{fault['victim']}")
    return (
        f"{fault['at_ms'] / 1000:8.3f} s  {fault['kind']}: {victim}, for {fault['duration_ms']:,} ms "
        f"(amount {fault['amount']}, other {fault['other']})"
    )


def _counters(document: dict[str, Any]) -> str:
    lines: list[str] = []
    families = document["counters"]
    width = max((len(name) for name in families), default=0)
    for family, counters in families.items():
        text = ", ".join(f"{name} {count:,}" for name, count in counters.items())
        lines += textwrap.wrap(
            f"{family:<{width}}  {text}",
            WIDTH,
            initial_indent="  ",
            subsequent_indent=" " * (width + 4),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(["What was met", *lines]) + "\n" if lines else ""


def _floors(document: dict[str, Any]) -> str:
    floors = document["floors"]
    if document["totals"]["seeds"] < 2 or not floors["standard"]:
        return ""
    if not floors["judged"]:
        never = [each["counter"] for each in floors["unmet"] if not each["met"]]
        title = f"Never met so far (floors of coverage are judged from {floors['judged_from_seeds']:,} seeds on)"
        return "\n".join([title, *_wrapped(", ".join(never), 2)]) + "\n" if never else ""
    unmet = [f"{each['counter']} {each['met']:,} of {each['floor']:,}" for each in floors["unmet"]]
    below = floors["seeds_below_minimum"]
    thin = [f"seed {each['seed']} had {each['missing']}" for each in below[:_THIN_SHOWN]]
    if len(below) > _THIN_SHOWN:
        thin.append(f"{len(below) - _THIN_SHOWN:,} more seeds had too little")
    if not unmet and not thin:
        return "Every floor of coverage was met.\n"
    return "\n".join(["Floors of coverage that were not met, so that this run has failed", *_wrapped("; ".join(unmet + thin), 2)]) + "\n"


def _replayed(document: dict[str, Any]) -> str:
    """A saved case beside what it did this time."""
    then = document["replayed"]
    if then is None:
        return ""
    now = then["now"]
    if then["same_way"] and then["same_digest"]:
        return f"The same as when it was saved (commit {then['commit']}): {_short(then)}\n"
    lines = [
        "The same failure as when it was saved, but another trace" if then["same_way"] else "Not as when it was saved",
        f"  then  {_short(then)}, commit {then['commit']}",
        f"  now   {_short(now)}, commit {document['commit']}",
    ]
    return "\n".join(lines) + "\n"


def _short(outcome: dict[str, Any]) -> str:
    return f"{outcome['verdict']} {outcome['code']}".rstrip() + f", digest {outcome['digest']}"


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
