"""How a run of seeds shows itself while it goes, always on standard error: a bar in a terminal, lines anywhere else.

With ``--format json`` the lines are JSON objects, one for each seed as it ends.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from holdwater.sim.run import Outcome
from holdwater.sim.summary import Summary

_PLAIN_EVERY_S = 5.0
_BAR_EVERY_S = 0.1


class Show(Protocol):
    """Receives what happens, in order, from the main thread."""

    def played(self, outcome: Outcome, summary: Summary) -> None:
        """A seed has ended, and is in the summary."""
        ...

    def note(self, text: str) -> None:
        """Something that a reader wants to know."""
        ...

    def tick(self, summary: Summary, doing: str = "") -> None:
        """Several times a second. ``doing`` is what is under way, when that is not playing the seeds."""
        ...


class Aim:
    """How many seeds, or how much time, the run is to have; ``None`` for no bound."""

    def __init__(self, seeds: int | None, seconds: float | None) -> None:
        self.seeds = seeds
        self.seconds = seconds
        self._begin_s = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Wall time so far."""
        return time.monotonic() - self._begin_s

    def share(self, done: int) -> float:
        """How much of the run is done, from 0 to 1."""
        by_seeds = done / self.seeds if self.seeds else 0.0
        by_time = self.elapsed_s / self.seconds if self.seconds else 0.0
        return min(max(by_seeds, by_time), 1.0)


def figures(summary: Summary, aim: Aim) -> str:
    """One line: how far it is, and what was found."""
    done = f"{summary.seed_count:,} of {aim.seeds:,} seeds" if aim.seeds else f"{summary.seed_count:,} seeds"
    failed = summary.seed_count - summary.counts["held"]
    return f"{done}, {failed:,} failed, {summary.virtual_ms / 3_600_000:,.1f} virtual hours, {summary.ratio:,.0f} : 1"


def line_of(outcome: Outcome) -> str:
    """A seed that failed, in a line."""
    why = outcome.why.removeprefix(f"{outcome.code}: ")
    return f"seed {outcome.seed}: {outcome.verdict} {outcome.code}".rstrip() + f": {why}"


class Plain:
    """Lines with the time of the run in front; figures every few seconds."""

    def __init__(self, out: TextIO, aim: Aim) -> None:
        self._out = out
        self._aim = aim
        self._figured_s = 0.0

    def _line(self, text: str) -> None:
        print(f"{self._aim.elapsed_s:6.1f} s  {text}", file=self._out, flush=True)

    def played(self, outcome: Outcome, summary: Summary) -> None:
        """A line when it failed."""
        if not outcome.held:
            self._line(line_of(outcome))

    def note(self, text: str) -> None:
        """A line."""
        self._line(text)

    def tick(self, summary: Summary, doing: str = "") -> None:
        """A line now and then."""
        if self._aim.elapsed_s - self._figured_s >= _PLAIN_EVERY_S:
            self._figured_s = self._aim.elapsed_s
            self._line(doing or figures(summary, self._aim))


class Objects:
    """One JSON object a line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def _object(self, **content: Any) -> None:
        print(json.dumps(content), file=self._out, flush=True)

    def played(self, outcome: Outcome, summary: Summary) -> None:
        """What became of it."""
        self._object(
            seed=outcome.seed,
            verdict=outcome.verdict,
            code=outcome.code,
            why=outcome.why,
            digest=outcome.digest,
            virtual_ms=outcome.virtual_ms,
            operations=outcome.operations,
        )

    def note(self, text: str) -> None:
        """As it is."""
        self._object(note=text)

    def tick(self, summary: Summary, doing: str = "") -> None:
        """Nothing."""


class Bar:
    """One live line with a bar; failures and notes scroll by above it.

    It is drawn from the main thread: a thread of its own would hold locks while processes are forked.
    """

    def __init__(self, console: Any, bar: Any, aim: Aim) -> None:
        self._console = console
        self._bar = bar
        self._aim = aim
        self._task = bar.add_task("", total=1.0)
        self._drawn_s = 0.0

    def played(self, outcome: Outcome, summary: Summary) -> None:
        """A line above when it failed."""
        if not outcome.held:
            from rich.text import Text

            self._console.print(Text.assemble((f"seed {outcome.seed}: ", "bold"), (line_of(outcome).partition(": ")[2], "red")))

    def note(self, text: str) -> None:
        """A line above."""
        from rich.text import Text

        self._console.print(Text(text))

    def tick(self, summary: Summary, doing: str = "") -> None:
        """Draw, not too often."""
        if self._aim.elapsed_s - self._drawn_s >= _BAR_EVERY_S:
            self._drawn_s = self._aim.elapsed_s
            self.draw(summary, doing)

    def draw(self, summary: Summary, doing: str = "") -> None:
        """How it stands."""
        text = doing or figures(summary, self._aim)
        self._bar.update(self._task, completed=self._aim.share(summary.seed_count), description=text)
        self._bar.refresh()


class Silent:
    """Shows only what went wrong beside the run."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def played(self, outcome: Outcome, summary: Summary) -> None:
        """Nothing: the story is shown."""

    def note(self, text: str) -> None:
        """A line."""
        print(text, file=self._out, flush=True)

    def tick(self, summary: Summary, doing: str = "") -> None:
        """Nothing."""


@contextmanager
def show_for(aim: Aim, format_name: str, *, story: bool) -> Iterator[Show]:
    """The right one for this standard error; ``story`` says that the run tells its story instead."""
    if sys.stderr.isatty() and not story:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True, no_color="NO_COLOR" in os.environ, highlight=False)
        columns = (BarColumn(bar_width=30), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        with Progress(
            *columns, console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        ) as progress:
            yield Bar(console, progress, aim)
    elif format_name == "json" and not sys.stderr.isatty():
        yield Objects(sys.stderr)
    elif story:
        yield Silent(sys.stderr)
    else:
        yield Plain(sys.stderr, aim)
