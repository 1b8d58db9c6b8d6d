"""One call of ``holdwater simulate``: the seeds are played, those that fail are shrunk and saved, and the summary is printed."""

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, Self

from holdwater.cli.commit import commit
from holdwater.cli.main import is_no_room, write_no_more
from holdwater.cli.simulate_live import Aim, Show, show_for
from holdwater.prove.errors import UsageError
from holdwater.prove.evidence import write_whole
from holdwater.sim.campaign import Attempts, NoProcess, Play, Played, Workers, campaign
from holdwater.sim.casefile import Case, case_of, to_text
from holdwater.sim.report import render
from holdwater.sim.run import Outcome, Plan
from holdwater.sim.shrink import shrink, way
from holdwater.sim.summary import Failure, Summary, first_of_each_way, replay_command

SHRUNK_OF_ONE_WAY = 3
"""Of the seeds that fail in one way so many get their smallest schedule; the others are saved as they are."""
SAVED = 100
"""Cases that one run saves at most."""
_EXIT_CODES = {"held": 0, "broken": 1, "invalid": 3}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asked for."""

    plan: Plan
    first_seed: int
    seeds: int | None
    """So many; ``None`` for as many as fit into ``seconds``."""
    seconds: float | None
    one: int | None
    """The seed, where only one is played, with its story."""
    case: Case | None
    """The saved case that is played again."""
    case_path: str
    fail_fast: bool
    jobs: int
    shrink_seconds: float
    """Longest search for one smallest schedule; 0 for none."""
    folder: Path | None
    """For saved cases; ``None`` for one of the run's own."""
    format_name: str


class GoOn(Protocol):
    """Asked several times a second, with what is under way when that is not playing the seeds; no means to end at once."""

    def __call__(self, doing: str = "") -> bool: ...


class Interruption:
    """Ctrl-C or SIGTERM, however often, says only that it happened: the run ends its processes and prints what it has."""

    def __init__(self) -> None:
        self.happened = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.happened = True


def _try(folder: Path) -> None:
    """Whether a failing seed could be saved, long before there is one. Raises ``UsageError``."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".tried").touch()
        (folder / ".tried").unlink()
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}", "name another folder with --evidence") from error
    finally:
        for each in missing:
            with suppress(OSError):
                each.rmdir()


class Run:
    """See the module. Raises ``UsageError`` when the folder for saved cases is in use, or cannot be written."""

    def __init__(self, wanted: Wanted, play: Play) -> None:
        self._wanted = wanted
        self._play = play
        first = wanted.one if wanted.one is not None else wanted.first_seed
        self._folder = wanted.folder or Path("holdwater-evidence") / f"simulate-{time.strftime('%Y%m%dT%H%M%S')}-{first}"
        if self._folder.exists() and (not self._folder.is_dir() or any(self._folder.iterdir())):
            raise UsageError(f"{self._folder} is not an empty folder", "name another one with --evidence")
        if wanted.case is None:  # else nothing is saved
            _try(self._folder)
        self._commit = commit()
        self._summary = Summary(wanted.plan)
        self._last: Outcome | None = None
        self._cut_short = False
        """Whether the run ended before all was played that was asked for."""

    def run(self) -> int:
        """Returns the exit code."""
        wanted = self._wanted
        aim = Aim(wanted.seeds if wanted.one is None else 1, wanted.seconds)
        with Interruption() as interruption, show_for(aim, wanted.format_name, story=wanted.one is not None) as show:

            def go_on(doing: str = "") -> bool:
                show.tick(self._summary, doing)
                return not interruption.happened

            try:
                self._play_all(aim, show, go_on)
            except NoProcess as problem:
                show.note(str(problem))
                self._cut_short = True
            wall_s = aim.elapsed_s
            self._cut_short |= interruption.happened
            if wanted.case is None and self._summary.failures:
                self._keep(show, go_on)
        document = self._summary.document(
            commit=self._commit, wall_s=wall_s, jobs=wanted.jobs, interrupted=self._cut_short, replay=self._command
        )
        document["replayed"] = self._compared()
        print(json.dumps(document) if wanted.format_name == "json" else render(document), end="\n" if wanted.format_name == "json" else "")
        return _EXIT_CODES[document["verdict"]]

    def _play_all(self, aim: Aim, show: Show, go_on: GoOn) -> None:
        def on_played(played: Played) -> None:
            self._last = played.outcome
            self._summary.add(played.outcome, played.wall_s)
            show.played(played.outcome, self._summary)

        tell = None
        if self._wanted.one is not None:
            tell = _tell_object if self._wanted.format_name == "json" else _tell
        with Workers(self._play, self._wanted.jobs, tell=tell) as workers:
            campaign(workers, self._seeds(aim), self._wanted.plan, on_played, go_on)

    def _seeds(self, aim: Aim) -> Iterator[int]:
        wanted = self._wanted
        if wanted.one is not None:
            yield wanted.one
            return
        for seed in count(wanted.first_seed) if wanted.seeds is None else range(wanted.first_seed, wanted.first_seed + wanted.seeds):
            if wanted.seconds is not None and aim.elapsed_s >= wanted.seconds:
                return
            if wanted.fail_fast and self._summary.failures:
                return
            yield seed

    def _command(self, seed: int) -> str:
        """Plays a seed of this run again, and tells its story."""
        if self._wanted.case is not None:
            return f"holdwater simulate --replay {shlex.quote(self._wanted.case_path)}"
        return replay_command(seed, self._wanted.plan)

    # --- what is kept of seeds that failed

    def _keep(self, show: Show, go_on: GoOn) -> None:
        """Save the failing seeds; the first few that fail in one way with their smallest schedule."""
        failures = self._summary.failures[:SAVED]
        for failure in failures:  # first of all, so that an interrupted search has not cost them
            self._save(failure, failure.outcome, self._wanted.plan, show)
        if not self._wanted.shrink_seconds:
            return
        for failure in first_of_each_way(failures, way, SHRUNK_OF_ONE_WAY):
            if not go_on():
                return
            if failure.outcome.digest:  # else its process told nothing, not even its schedule
                self._shrink(failure, show, go_on)

    def _shrink(self, failure: Failure, show: Show, go_on: GoOn) -> None:
        seed, before = failure.outcome.seed, len(failure.outcome.schedule)

        def doing() -> str:
            return f"seed {seed}: {len(attempts.smallest.schedule)} of {before} faults are left, {attempts.count} tries"

        show.note(f"seed {seed}: looking for the smallest schedule, it has {before} faults")
        with Workers(self._play, self._wanted.jobs) as workers:
            attempts = Attempts(workers, failure.outcome, limit_s=self._wanted.shrink_seconds, go_on=lambda: go_on(doing()))
            failure.smallest = shrink(failure.outcome, self._wanted.plan, attempts)
        failure.tries = attempts.count
        show.note(f"seed {seed}: {len(failure.smallest.plan.schedule or ())} of {before} faults are left after {attempts.count} tries")
        self._save(failure, failure.smallest.outcome, failure.smallest.plan, show)

    def _save(self, failure: Failure, outcome: Outcome, plan: Plan, show: Show) -> None:
        path = self._folder / f"seed-{outcome.seed}.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, to_text(case_of(outcome, plan, self._commit, len(failure.outcome.schedule))))
        except OSError as error:
            show.note(f"cannot save {path}: {error.strerror}")
        else:
            failure.case = str(path)

    # --- the end

    def _compared(self) -> dict[str, Any] | None:
        """A saved case beside what it does now."""
        case, now = self._wanted.case, self._last
        if case is None or now is None:
            return None
        return {
            "case": self._wanted.case_path,
            "commit": case.commit,
            "verdict": case.verdict,
            "code": case.code,
            "digest": case.digest,
            "same_way": way(now) == way(case),
            "same_digest": now.digest == case.digest,
            "now": {"verdict": now.verdict, "code": now.code, "digest": now.digest},
        }


def _tell(line: str) -> None:
    """A line of the story. In the seed's own process."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os._exit(1)  # nobody listens; the broker, which would be blamed, knows nothing of it
    except OSError as failure:
        if not is_no_room(failure):
            raise
        write_no_more()  # in this process; the summary cannot be written either, and that is said once


def _tell_object(line: str) -> None:
    if not sys.stderr.isatty():
        print(json.dumps({"story": line}), file=sys.stderr, flush=True)
