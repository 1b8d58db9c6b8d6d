"""What a run of seeds shows while it goes: lines or objects anywhere, one bar in a terminal, colours only where they are wanted."""

import io
import json

import pytest
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from tests.support.campaigns import outcome

from holdwater.cli.simulate_live import Aim, Bar, Objects, Plain, figures, line_of, show_for
from holdwater.sim.run import SAFETY, Plan
from holdwater.sim.summary import Summary


def summary_of_two() -> Summary:
    summary = Summary(Plan())
    summary.add(outcome(1), 0.5)
    summary.add(outcome(2, SAFETY), 0.5)
    return summary


def test_figures() -> None:
    assert figures(summary_of_two(), Aim(1_500, None)) == "2 of 1,500 seeds, 1 failed, 0.0 virtual hours, 130 : 1"
    assert figures(summary_of_two(), Aim(None, 60)).startswith("2 seeds, 1 failed")


def test_how_much_is_done() -> None:
    assert Aim(4, None).share(1) == 0.25
    assert Aim(None, None).share(1) == 0.0
    assert 0 <= Aim(None, 1_000).share(5) < 0.01
    assert Aim(2, 1_000).share(9) == 1.0


def test_plain_lines_say_what_failed_at_once_and_figures_now_and_then() -> None:
    out = io.StringIO()
    plain, summary = Plain(out, Aim(10, None)), summary_of_two()
    plain.played(outcome(1), summary)
    plain.played(outcome(2, SAFETY), summary)
    for _ in range(3):
        plain.tick(summary)
    plain.note("seed 2: looking")
    assert out.getvalue() == "   0.0 s  seed 2: safety R5: the high watermark went back\n   0.0 s  seed 2: looking\n"


def test_objects_have_a_line_for_each_seed() -> None:
    out = io.StringIO()
    objects, summary = Objects(out), summary_of_two()
    objects.played(outcome(1), summary)
    objects.played(outcome(2, SAFETY), summary)
    objects.note("x")
    objects.tick(summary)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line.get("seed"), line.get("verdict")) for line in lines] == [(1, "held"), (2, "safety"), (None, None)]
    assert lines[0]["digest"] == outcome(1).digest


@pytest.mark.parametrize(("no_color", "coloured"), [(True, False), (False, True)])
def test_a_terminal_has_a_bar_and_failures_above_it(no_color: bool, coloured: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, no_color=no_color, color_system="standard")
    columns = (BarColumn(bar_width=10), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, auto_refresh=False) as progress:
        bar, summary = Bar(console, progress, Aim(4, None)), summary_of_two()
        bar.played(outcome(2, SAFETY, why="[red] is no colour"), summary)
        bar.draw(summary)
    said = out.getvalue()
    assert "2 of 4 seeds, 1 failed" in said
    assert "[red] is no colour" in said
    assert ("\x1b[31m" in said) is coloured


def test_where_there_is_no_terminal_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    for format_name in ("text", "json"):
        with show_for(Aim(2, None), format_name, story=False) as show:
            show.played(outcome(2, SAFETY), summary_of_two())
    said = capsys.readouterr()
    assert said.out == ""
    assert "\x1b" not in said.err
    assert said.err.splitlines()[0].endswith(line_of(outcome(2, SAFETY)))
    assert json.loads(said.err.splitlines()[1])["seed"] == 2
