"""What a run shows while it goes: lines anywhere, one live line in a terminal, colours only where they are wanted."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live

from holdwater.cli.live import Plain, Terminal, progress_for


def test_plain_lines_have_the_time_in_front() -> None:
    out = io.StringIO()
    plain = Plain(out)
    plain.phase("preparing")
    plain.note("ready")
    for _ in range(3):
        plain.figures(1.0, 5000, 4000, 3999, "p0:1/3")
    lines = out.getvalue().splitlines()
    assert lines[:2] == ["   0.0 s  preparing", "   0.0 s    ready"]
    assert lines[2:] == ["   0.0 s    sent 5,000, acknowledged 4,000, read 3,999   p0:1/3"], "figures come every few seconds only"


@pytest.mark.parametrize(("no_color", "coloured"), [(True, False), (False, True)])
def test_a_terminal_has_one_live_line(no_color: bool, coloured: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=200, no_color=no_color, color_system="standard")
    with Live("", console=console, auto_refresh=False) as live:
        terminal = Terminal(console, live)
        terminal.phase("steady")
        terminal.figures(1.0, 5000, 4000, 3999, "p0:1/3")
        live.refresh()
    said = out.getvalue()
    assert "steady" in said
    assert "4,000 acknowledged" in said
    assert "1,000 waiting" in said
    assert ("\x1b[32m" in said) is coloured


def test_where_there_is_no_terminal_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_for("A title", 7, Path("some/where")) as progress:
        progress.phase("x")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[0].endswith("A title; seed 7; evidence in some/where")
