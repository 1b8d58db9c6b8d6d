"""Measure holdwater beside Apache Kafka: both in the same run, in turn, with the same client; prints medians, spread and ratios.

Only one cluster is loaded at a time. The other does not run, or, in the warm rounds, is paused with SIGSTOP. A full run takes somewhat over an
hour and writes docs/performance.md; take it on a machine that does nothing else. Ctrl-C stops everything.
"""

import argparse
import json
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from tests.support.apache_kafka import missing

from benchmarks import machine, report
from benchmarks.clusters import HOLDWATER, KAFKA, ClusterFailed, remove_tree
from benchmarks.driving import DriverFailed
from benchmarks.options import FULL, QUICK, Sizes
from benchmarks.parts import PARTS
from benchmarks.processes import Load, LoadWatch
from benchmarks.session import Session

_DOCS = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
_MODES = ("fresh", "warm")
_FAILURES = (ClusterFailed, DriverFailed, OSError, RuntimeError, TimeoutError)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, 1 when something could not be measured, 2 for wrong usage, 130 after Ctrl-C."""
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = _parser().parse_args(given)
    results = _earlier(arguments)
    if arguments.report:
        print(report.text(results))
        _write_docs(arguments, results, complete=report.is_complete(results["runs"]))
        return 0
    problem = missing() if KAFKA in arguments.systems else None
    if problem is not None:
        print(f"benchmarks: {problem}; measure one side with --systems holdwater", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    sizes = _sizes(arguments)
    code = _measure(arguments, sizes, given, results)
    print(report.text(results))
    complete = code == 0 and not arguments.quick and report.is_complete(results["runs"])
    _write_docs(arguments, results, complete=complete)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=_names(tuple(PARTS)), default=tuple(PARTS), metavar="PART,...", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--modes", type=_names(_MODES), default=_MODES, metavar="MODE,...", help="fresh, warm (default both)")
    parser.add_argument(
        "--systems", type=_names((HOLDWATER, KAFKA)), default=(HOLDWATER, KAFKA), metavar="NAME,...", help="holdwater, kafka"
    )
    parser.add_argument("--quick", action="store_true", help="short runs, to see that it works; the figures mean little")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each load")
    parser.add_argument("--seconds", type=float, metavar="S", help="length of each load")
    parser.add_argument("--kills", type=int, metavar="N", help="brokers to kill on each side")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every measurement in FILE")
    parser.add_argument("--merge", action="store_true", help="keep the parts in --json FILE that are not measured this time")
    parser.add_argument("--report", action="store_true", help="measure nothing: print the tables, and write the page, from --json FILE")
    parser.add_argument(
        "--docs", type=Path, metavar="FILE", help="write the page to FILE (default docs/performance.md, after a full run only)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the clusters keep their data (default: the temporary directory)")
    return parser


def _names(allowed: tuple[str, ...]) -> Any:
    def parse(text: str) -> tuple[str, ...]:
        wanted = [name.strip() for name in text.split(",")]
        unknown = [name for name in wanted if name not in allowed]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(allowed)}")
        return tuple(name for name in allowed if name in wanted)

    return parse


def _sizes(arguments: argparse.Namespace) -> Sizes:
    sizes = QUICK if arguments.quick else FULL
    if arguments.rounds:
        sizes = sizes._replace(rounds=arguments.rounds)
    if arguments.seconds:
        sizes = sizes._replace(run_s=arguments.seconds)
    if arguments.kills:
        sizes = sizes._replace(kills=arguments.kills, kafka_kills=arguments.kills)
    return sizes


def _earlier(arguments: argparse.Namespace) -> dict[str, Any]:
    if (arguments.merge or arguments.report) and arguments.json is not None and arguments.json.exists():
        return json.loads(arguments.json.read_text())
    if arguments.merge or arguments.report:
        raise SystemExit("benchmarks: --merge and --report need the --json FILE of an earlier run")
    return {"runs": []}


def _measure(arguments: argparse.Namespace, sizes: Sizes, given: list[str], results: dict[str, Any]) -> int:
    folder = Path(tempfile.mkdtemp(prefix="holdwater-bench-", dir=arguments.data))
    code = 0
    try:
        with Session(folder, sizes, arguments.systems, arguments.modes) as session:
            results["command"] = shlex.join(["python", "-m", "benchmarks", *given])
            results["machine"] = machine.describe(folder)
            results["versions"] = machine.versions(session.driver.versions)
            results["sizes"] = sizes._asdict()
            session.say(results["machine"]["summary"])
            session.say(results["versions"]["summary"])
            _warn_unless_idle(session)
            for name in arguments.only:
                code = max(code, _part(session, name, arguments, results))
    except KeyboardInterrupt:
        print("benchmarks: interrupted; everything is stopped", file=sys.stderr)
        code = 130
    finally:
        remove_tree(folder)
    return code


def _part(session: Session, name: str, arguments: argparse.Namespace, results: dict[str, Any]) -> int:
    """Measure one part; one that fails does not take the others with it."""
    before = len(session.runs)
    code = 0
    try:
        PARTS[name](session)
        session.end_warm()
    except _FAILURES as problem:
        session.say(f"{name}: could not be measured: {problem}")
        session.start_over()
        code = 1
    found = session.runs[before:]
    measured = {(run["part"], run.get("mode", ""), run["system"]) for run in found}
    kept = [run for run in results["runs"] if (run["part"], run.get("mode", ""), run["system"]) not in measured]
    results["runs"] = kept + found
    if arguments.json is not None:
        temporary = arguments.json.with_suffix(".part")
        temporary.write_text(json.dumps(results, indent=1) + "\n")
        os.replace(temporary, arguments.json)
    return code


def _warn_unless_idle(session: Session) -> None:
    watch = LoadWatch()
    time.sleep(2)
    load: Load = watch.read()
    used = load.other_cores + load.steal_cores
    session.say(f"before the start: load average {load.load_average:.2f}, other processes use {used:.2f} cores")
    if not load.idle:
        session.say("WARNING: this machine is not idle; figures from it compare little with others")


def _write_docs(arguments: argparse.Namespace, results: dict[str, Any], *, complete: bool) -> None:
    target = arguments.docs or (_DOCS if complete else None)
    if target is not None and results["runs"]:
        target.write_text(report.markdown(results), encoding="utf-8")
        print(f"\nwritten: {target}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Once: what is stopped then must not be interrupted again."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt
