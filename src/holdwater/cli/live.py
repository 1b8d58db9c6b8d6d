"""How a run shows itself while it goes: a live line in a terminal, plain lines anywhere else. Always on standard error."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from holdwater.prove.progress import Progress
from holdwater.prove.report.characters import printable

_PLAIN_EVERY_S = 5.0
_MANY_WAITING = 1000


class Plain:
    """Lines with the time of the run in front; figures every few seconds."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._start = time.monotonic()
        self._figured = 0.0

    def _line(self, text: str) -> None:
        print(f"{time.monotonic() - self._start:6.1f} s  {printable(text)}", file=self._out, flush=True)

    def phase(self, text: str) -> None:
        """A line."""
        self._line(text)

    def note(self, text: str) -> None:
        """A line, set in."""
        self._line(f"  {text}")

    def figures(self, seconds: float, sent: int, acknowledged: int, read: int, partitions: str) -> None:
        """A line now and then."""
        now = time.monotonic()
        if now - self._figured >= _PLAIN_EVERY_S:
            self._figured = now
            self._line(f"  sent {sent:,}, acknowledged {acknowledged:,}, read {read:,}   {partitions}")


class Terminal:
    """Phases and notes scroll by; the figures stand in one live line below them."""

    def __init__(self, console: Any, live: Any) -> None:
        self._console = console
        self._live = live
        self._start = time.monotonic()
        self._last = (0.0, 0)
        self._rate = 0.0

    def _print(self, style: str, text: str) -> None:
        from rich.text import Text

        self._console.print(Text.assemble((self._clock(), "dim"), (printable(text), style)))

    def _clock(self) -> str:
        return f"{time.monotonic() - self._start:6.1f} s  "

    def phase(self, text: str) -> None:
        """Bold."""
        self._print("bold", text)

    def note(self, text: str) -> None:
        """Plain, set in."""
        self._print("", f"  {text}")

    def figures(self, seconds: float, sent: int, acknowledged: int, read: int, partitions: str) -> None:
        """The live line: sent, acknowledged (and how many a second), waiting, read, and leader/ISR size of each partition."""
        from rich.text import Text

        then, before = self._last
        if seconds - then >= 0.5:
            self._rate = (acknowledged - before) / (seconds - then)
            self._last = (seconds, acknowledged)
        waiting = sent - acknowledged
        line = Text.assemble(
            (self._clock(), "dim"),
            (f"{acknowledged:,} acknowledged", "green"),
            f" ({self._rate:,.0f}/s)  ",
            (f"{waiting:,} waiting", "yellow" if waiting > _MANY_WAITING else ""),
            f"  {read:,} read  ",
            (partitions, "cyan"),
            no_wrap=True,
            overflow="ellipsis",
        )
        self._live.update(line)


@contextmanager
def progress_for(title: str, seed: int, folder: Path) -> Iterator[Progress]:
    """The right one for this standard error."""
    if not sys.stderr.isatty():
        plain = Plain(sys.stderr)
        plain.phase(f"{title}; seed {seed}; evidence in {folder}")
        yield plain
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True, no_color="NO_COLOR" in os.environ, highlight=False)
    with Live(Text(""), console=console, refresh_per_second=8, transient=True) as live:
        terminal = Terminal(console, live)
        terminal.phase(f"{title}; seed {seed}; evidence in {folder}")
        yield terminal
