"""One self-contained page: no network, no script, light and dark. Opens from a folder as well as from a CI server."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from holdwater.prove.judge.verdict import Judged
from holdwater.prove.report import charts
from holdwater.prove.report.characters import printable
from holdwater.prove.report.page_style import STYLE
from holdwater.prove.report.text import actual_text, bound_text, expected_text, number, reasons

_ROWS_SHOWN = 24
"""Partitions drawn; more would only be lines too thin to read."""


def render(report: dict[str, Any], judged: Judged) -> str:
    """The page."""
    report = printable(report)
    title = f"{report['verdict']}: {report['scenario']}"
    sections = [
        _head(report),
        _expectations(report),
        _pictures(judged),
        _rounds(report),
        _findings(report),
        _windows(report),
        _settings(report),
    ]
    body = "\n".join([*sections, _foot(report)])
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{escape(title)} - holdwater</title>\n<style>{STYLE}</style>\n</head>\n'
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _head(report: dict[str, Any]) -> str:
    flaws = "".join(f"<li>{escape(flaw['reason'])}<br><small>next: {escape(flaw['next'])}</small></li>" for flaw in report["invalid"])
    invalid = f'<ul class="flaws">{flaws}</ul>' if flaws else ""
    target = report["target"]
    return (
        f'<header><p class="crumb">holdwater prove {escape(report["scenario"])}</p>'
        f'<h1><span class="badge {report["verdict"]}">{report["verdict"]}</span> {escape(report["title"])}</h1>'
        f"<p>In this run, on {escape(str(target['name']))}: {escape(report['summary'])}.</p>{invalid}</header>"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], style: str = "", *, right: Sequence[str] = ()) -> str:
    """Cells are HTML already; a first cell names its row. ``right`` are the columns of figures, by their heads."""
    sides = [" class=figure" if one in right else "" for one in head]
    heads = "".join(f'<th scope="col"{side}>{escape(one)}</th>' for one, side in zip(head, sides, strict=True))
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td{side}>{cell}</td>" for cell, side in zip(row[1:], sides[1:], strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table class="{style}"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def _expectations(report: dict[str, Any]) -> str:
    rows = "".join(_expectation(one, why) for one, why in zip(report["expectations"], reasons(report["expectations"]), strict=True))
    sides = {"expectation": "", "expected": " class=figure", "actual": " class=figure", "verdict": ""}
    heads = "".join(f'<th scope="col"{side}>{name}</th>' for name, side in sides.items())
    table = f'<table class="numbers"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<section><h2>Expected and actual</h2><div class="scroll">{table}</div></section>'


def _expectation(one: dict[str, Any], reason: str) -> str:
    """One row, and below it one over the whole width with the bound and the reason, where there is something to say."""
    details: list[str] = []
    if one["bound"]:
        details.append(f"bound: {bound_text(one['bound'])}")
    if reason:
        details.append(reason)
    badge = f'<span class="badge small {one["verdict"]}">{one["verdict"]}</span>'
    cells = f"<td class=figure>{escape(expected_text(one))}</td><td class=figure>{escape(actual_text(one))}</td><td>{badge}</td>"
    row = f'<tr{" class=open" if details else ""}><th scope="row">{escape(one["name"])}</th>{cells}</tr>'
    more = "".join(f"<div>{escape(detail)}</div>" for detail in details)
    return row + (f'<tr><td class="detail" colspan="4">{more}</td></tr>' if more else "")


def _pictures(judged: Judged) -> str:
    if not judged.stories and not len(judged.history.sends):
        return ""
    axis = charts.axis_of(judged.history)
    everything = sorted(judged.stories) or sorted(set(judged.history.sends.partition))
    partitions = everything[:_ROWS_SHOWN]
    left_out = len(everything) - len(partitions)
    brokers = sorted({view.leader for story in judged.stories.values() for view in story.views if view.leader >= 0})
    return "".join(
        (
            "<section><h2>Timeline</h2>",
            '<p class="legend"><span class="entry"><span class="key fault-key"></span>fault</span> ',
            '<span class="entry"><span class="key start-key"></span>started again</span> ',
            "All pictures share one time axis; point at a bar for its values.</p>",
            f"<p><small>The first {len(partitions)} partitions are drawn, {left_out} are not.</small></p>" if left_out else "",
            _figure(
                "Throughput, per second",
                charts.throughput(judged, axis),
                _keys((("sent", "sent"), ("acknowledged", "acknowledged"), ("read", "read"))),
            ),
            _figure(
                "Pauses of 200 ms and more: a write waited and none was acknowledged"
                + ("" if judged.write_pauses or judged.read_pauses else " (there were none)"),
                charts.refused(judged, axis, partitions),
                _keys((("pause-write", "no acknowledgement"), ("pause-read", "no delivery"))),
            ),
            _figure(
                "Leader",
                charts.leaders(judged, axis, partitions),
                _keys([(f"broker b{b % 8}", f"broker {b}") for b in brokers] + [("nobody", "none")]),
            ),
            _figure(
                "In-sync replicas",
                charts.isr_sizes(judged, axis, partitions),
                _keys((("isr missing0", "full"), ("isr missing1", "one missing"), ("isr missing2", "two missing"))),
            ),
            _figure(
                "High watermark",
                charts.high_watermarks(judged, axis, partitions),
                _keys([(f"line h{n % 8}", f"p{p}") for n, p in enumerate(partitions)]),
            ),
            "</section>",
        )
    )


def _figure(caption: str, picture: str, legend: str) -> str:
    return f'<figure><figcaption>{escape(caption)}<span class="legend">{legend}</span></figcaption><div class="scroll">{picture}</div></figure>'


def _keys(entries: Iterable[tuple[str, str]]) -> str:
    swatch = '<svg class="swatch" viewBox="0 0 12 12"><rect class="{}" width="12" height="12" rx="2"/></svg>'
    return " ".join(f'<span class="entry">{swatch.format(style)}{escape(text)}</span>' for style, text in entries)


def _rounds(report: dict[str, Any]) -> str:
    rows = [
        [
            f"{one['round']}",
            f"{one['at_s']:.1f} s",
            f"{one['fault']} broker {one['broker']}" + (" <b>(active controller)</b>" if one["active_controller"] else ""),
            escape(", ".join(f"p{partition}" for partition in one["partitions_led"]) or "none"),
            *(number(one[key]) for key in ("write_pause_ms", "read_pause_ms", "leaders_elsewhere_after_ms", "whole_after_start_ms")),
        ]
        for one in report["figures"]["rounds"]
    ]
    if not rows:
        return ""
    head = ("round", "at", "fault", "it led", "write pause ms", "read pause ms", "new leaders after ms", "whole ms after start")
    return f"<section><h2>Rounds</h2>{_table(head, rows, 'numbers', right=('at', *head[4:]))}</section>"


def _findings(report: dict[str, Any]) -> str:
    parts: list[str] = []
    for finding in report["findings"]:
        cause = finding["cause"] or {"text": "", "confidence": "", "remedy": ""}
        remedy = f"<p>What would change this: <code>{escape(cause['remedy'])}</code></p>" if cause["remedy"] else ""
        shown = finding["worst"] or finding["examples"]
        keys = sorted({key for example in shown for key in example}, key=lambda key: (key not in ("id", "partition", "offset"), key))
        rows = [[escape(str(example.get(key, ""))) for key in keys] for example in shown[:8]]
        ranges = ", ".join(finding["ranges"][:12]) + (" ..." if len(finding["ranges"]) > 12 else "")
        parts.append(
            f"<h3>{escape(finding['class'])}: {finding['count']:,}</h3><p>{escape(ranges)}</p>"
            f"<p><b>{escape(cause['confidence'])}</b>: {escape(cause['text'])}</p>{remedy}{_table(keys, rows)}"
        )
    return f"<section><h2>Findings</h2>{''.join(parts)}</section>" if parts else ""


def _windows(report: dict[str, Any]) -> str:
    rows = [
        [
            f"{window['side']}s of p{window['partition']}",
            f"{window['from_s']:.2f} s",
            number(window["ms"]) + (" (not ended)" if window["open"] else ""),
            f"{window['waiting']:,}",
            f'<span class="prose">{escape(window["cause"]["text"])}</span>',
        ]
        for window in report["windows"]
    ]
    if not rows:
        return ""
    table = _table(("what", "from", "ms", "waited", "why"), rows, "numbers", right=("from", "ms", "waited"))
    return f"<section><h2>Longest pauses</h2>{table}</section>"


def _settings(report: dict[str, Any]) -> str:
    settings = report["settings"]
    parts: list[str] = []
    for name in ("producer", "consumer", "topic", "broker"):
        rows = [[escape(key), escape(str(value))] for key, value in sorted(settings[name].items())]
        if rows:
            parts.append(f"<details><summary>{name} ({len(rows)})</summary>{_table(('setting', 'value'), rows)}</details>")
    notes = "".join(f"<li>{escape(note)}</li>" for note in [*report["not_tested"], *settings["notes"]])
    return f"<section><h2>Settings in force</h2>{''.join(parts)}</section><section><h2>Not tested, and notes</h2><ul>{notes}</ul></section>"


def _foot(report: dict[str, Any]) -> str:
    versions = ", ".join(f"{key} {value}" for key, value in report["versions"].items())
    return (
        f"<footer><p>seed <code>{report['seed']}</code>; {escape(versions)}</p><p>repeat: <code>{escape(report['repeat'])}</code></p>"
        f"<p>evidence: <code>{escape(report['evidence'])}</code>; "
        "<code>holdwater prove --judge</code> computes this verdict again from it.</p></footer>"
    )
