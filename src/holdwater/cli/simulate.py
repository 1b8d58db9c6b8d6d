"""Play whole clusters in virtual time: each seed is a cluster, clients at work, faults, and the judgement of what came of it.

A number names a run for ever (on one commit): what fails once fails each time.

  holdwater simulate --seeds 1000              seeds 1 to 1000, on all cores
  holdwater simulate --minutes 10              as many as fit
  holdwater simulate --seed 17                 one of them again, with its story
  holdwater simulate --replay FILE             the smallest schedule of a seed that failed, as it was saved
  holdwater simulate --bug NAME --fail-fast    does the simulator find this bug? --bugs lists those that can be planted

Exit codes: 0 all held, 1 a seed failed or a floor of coverage was not met, 2 usage, 3 nothing judged, or not all of it.
"""

import argparse
import os
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdwater.cli.main import is_no_room
from holdwater.cli.numbers import natural, number, positive, seconds

if TYPE_CHECKING:
    from holdwater.sim.campaign import Play
    from holdwater.sim.casefile import Case
    from holdwater.sim.run import Plan

DEFAULT_SEEDS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``holdwater simulate``."""
    which = parser.add_argument_group("which seeds")
    which.add_argument("--seeds", type=positive, metavar="N", help=f"so many (default {DEFAULT_SEEDS}, without --minutes)")
    which.add_argument("--first-seed", type=_seed, default=1, metavar="N", help="the first of them (default %(default)s)")
    which.add_argument("--minutes", type=_minutes, metavar="M", help="as many as can be begun in this time")
    which.add_argument("--fail-fast", action="store_true", help="begin no more after one has failed")
    which.add_argument("--seed", type=_seed, metavar="N", help="this one, with its story in virtual time")
    which.add_argument("--replay", type=Path, metavar="FILE", help="a saved case, with its story in virtual time")
    what = parser.add_argument_group("what they are")
    what.add_argument("--fault-seconds", type=_seconds, metavar="S", help="virtual seconds with faults (default 60)")
    what.add_argument("--fault-gap", type=_seconds, metavar="S", help="virtual seconds from one fault to the next, on average (default 4)")
    what.add_argument("--coordination", action="store_true", help="groups, transactions or both in every seed (otherwise in one of three)")
    what.add_argument("--bug", action="append", default=[], metavar="NAME", help="plant a bug that the simulator is to find; repeatable")
    what.add_argument("--bugs", action="store_true", help="list the bugs that can be planted, and end")
    how = parser.add_argument_group("how, and what is kept and shown")
    how.add_argument("--jobs", type=positive, metavar="N", help="seeds played at a time (default: as many as there are cores)")
    how.add_argument("--no-shrink", action="store_true", help="do not look for the smallest schedule of a seed that fails")
    how.add_argument("--shrink-seconds", type=_seconds, default=60.0, metavar="S", help="longest search for one (default %(default)g)")
    how.add_argument("--evidence", type=Path, metavar="DIR", help="folder for saved cases (default: holdwater-evidence/simulate-TIME-SEED)")
    how.add_argument("--format", choices=("text", "json"), default="text", help="what is printed at the end (default %(default)s)")


def _seed(text: str) -> int:
    value = natural(text)
    if value >= 2**53:
        raise argparse.ArgumentTypeError("must be below 2**53")
    return value


def _minutes(text: str) -> float:
    value = number(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError("must be a number of minutes above 0")
    return value


def _seconds(text: str) -> float:
    value = seconds(text)
    if value < 0.001:
        raise argparse.ArgumentTypeError("must be 0.001 seconds or more")
    return value


def run(arguments: argparse.Namespace, play: "Play | None" = None) -> int:
    """Returns the exit code; prints errors with what to do next. ``play`` stands for ``sim.run.simulate`` when it is given."""
    from holdwater.prove.errors import UsageError

    try:
        return _list_bugs() if arguments.bugs else _run(arguments, play)
    except UsageError as error:
        print(f"holdwater simulate: {error}", file=sys.stderr)
        if error.next_step:
            print(f"next: {error.next_step}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever reads has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 3
    except OSError as error:
        if is_no_room(error):
            raise
        print(f"holdwater simulate: {error}", file=sys.stderr)
        return 3


def _list_bugs() -> int:
    from holdwater.sim.museum import BUGS

    for name, bug in BUGS.items():
        print(f"{name}  {bug.summary} ({', '.join(bug.codes)})")
    return 0


def _run(arguments: argparse.Namespace, play: "Play | None") -> int:
    _check_together(arguments)
    from holdwater.cli.simulate_run import Run, Wanted
    from holdwater.sim.run import simulate

    case = _read_case(arguments.replay) if arguments.replay is not None else None
    plan = case.plan if case is not None else _plan(arguments)
    wanted = Wanted(
        plan=plan,
        first_seed=arguments.first_seed,
        seeds=arguments.seeds or (None if arguments.minutes else DEFAULT_SEEDS),
        seconds=arguments.minutes * 60 if arguments.minutes else None,
        one=case.seed if case is not None else arguments.seed,
        case=case,
        case_path=str(arguments.replay or ""),
        fail_fast=arguments.fail_fast,
        jobs=arguments.jobs or _cores(),
        shrink_seconds=0.0 if arguments.no_shrink else arguments.shrink_seconds,
        folder=arguments.evidence,
        format_name=arguments.format,
    )
    return Run(wanted, play if play is not None else simulate).run()


def _check_together(arguments: argparse.Namespace) -> None:
    """Flags that contradict each other."""
    from holdwater.prove.errors import UsageError

    many = [("--seeds", arguments.seeds), ("--minutes", arguments.minutes), ("--fail-fast", arguments.fail_fast or None)]
    fixed = [("--seed", arguments.seed), ("--bug", arguments.bug or None), ("--coordination", arguments.coordination or None)]
    fixed += [("--fault-seconds", arguments.fault_seconds), ("--fault-gap", arguments.fault_gap)]
    for flag, value, others, why in (
        ("--seed", arguments.seed, many, "plays one seed"),
        ("--replay", arguments.replay, many + fixed, "plays what the file says"),
    ):
        beside = [other for other, given in others if given is not None]
        if value is not None and beside:
            raise UsageError(f"{flag} {why}, and {', '.join(beside)} says otherwise", f"leave out {flag}, or {' and '.join(beside)}")


def _plan(arguments: argparse.Namespace) -> "Plan":
    from holdwater.sim.run import Plan

    given: dict[str, Any] = {"bugs": tuple(arguments.bug), "coordination": arguments.coordination}
    if arguments.fault_seconds is not None:
        given["fault_ms"] = round(arguments.fault_seconds * 1000)
    if arguments.fault_gap is not None:
        given["mean_gap_ms"] = round(arguments.fault_gap * 1000)
    _check_bugs(given["bugs"])
    return Plan(**given)


def _check_bugs(names: tuple[str, ...]) -> None:
    from holdwater.prove.errors import UsageError

    if not names:
        return
    from holdwater.sim.museum import BUGS

    for name in names:
        if name not in BUGS:
            near = get_close_matches(name, BUGS, n=1)
            raise UsageError(
                f"there is no bug '{name}' in the museum" + (f"; did you mean {near[0]}?" if near else ""),
                "holdwater simulate --bugs lists them",
            )


def _read_case(path: Path) -> "Case":
    from holdwater.prove.errors import UsageError
    from holdwater.sim.casefile import CaseError, from_text

    try:
        case = from_text(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "name a file that holdwater simulate has saved") from error
    except (CaseError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot replay {path}: {error}", "name a file that this version of holdwater simulate has saved") from error
    _check_bugs(case.plan.bugs)
    return case


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
