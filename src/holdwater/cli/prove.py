"""Make a failure happen under a real client, and say what was lost, duplicated, reordered or refused.

Without --bootstrap-server a cluster of our own is started for the run. With it, the scenario runs on that cluster; commands say how a
broker of it is ended and started. The run's topic is removed from it at the end, unless something was found broken:

  holdwater prove leader-election
  holdwater prove leader-election -b localhost:9092 --kill-command 'docker kill kafka-{id}' --start-command 'docker start kafka-{id}'

Exit codes: 0 held, 1 broken, 2 usage, 3 invalid (no verdict).
"""

import argparse
import secrets
import shlex
import signal
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from holdwater.cli.main import write_no_more
from holdwater.cli.numbers import natural, number, positive, seconds, whole

_NOT_REPEATED = ("--evidence", "--junit")
_FOR_JUDGE = frozenset({"judge", "format", "junit"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``holdwater prove``."""
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help="what to run; --list shows them")
    parser.add_argument("--list", action="store_true", help="list the scenarios and end")
    parser.add_argument("--judge", metavar="DIR", type=Path, help="judge an evidence folder again, from its content alone")
    _add_target(parser.add_argument_group("the cluster"))
    _add_scenario(parser.add_argument_group("the scenario"))
    _add_output(parser.add_argument_group("what is kept and shown"))


def _add_target(group: Any) -> None:
    group.add_argument("-b", "--bootstrap-server", metavar="HOST:PORT,...", help="an existing cluster instead of one of our own")
    group.add_argument("--start-command", metavar="CMD", help="starts broker {id} again, on its old data")
    group.add_argument("--kill-command", metavar="CMD", help="ends broker {id} without warning (SIGKILL)")
    group.add_argument("--stop-command", metavar="CMD", help="asks broker {id} to stop (SIGTERM); leader-election never does")
    group.add_argument(
        "--pid-file-pattern",
        metavar="PATH",
        help="pid file of broker {id}, for signals instead of --kill-command; starting takes --start-command",
    )
    group.add_argument("--brokers", type=positive, default=3, metavar="N", help="brokers of our own cluster (default %(default)s)")
    group.add_argument(
        "-c", "--config", action="append", default=[], metavar="KEY=VALUE", help="broker setting of our own cluster; repeatable"
    )


def _add_scenario(group: Any) -> None:
    group.add_argument(
        "--kills", type=positive, default=1, metavar="N", help="rounds; the next begins when every ISR is full (default %(default)s)"
    )
    group.add_argument(
        "--kill",
        choices=("leader", "random", "controller"),
        default="leader",
        help="whom: a partition leader, any broker, the active controller (default %(default)s)",
    )
    group.add_argument(
        "--min-controller-kills", type=natural, default=0, metavar="N", help="of the rounds, at least so many hit the active controller"
    )
    group.add_argument(
        "--steady", type=seconds, default=5.0, metavar="S", help="seconds of load before the first kill (default %(default)g)"
    )
    group.add_argument(
        "--down", type=seconds, default=2.0, metavar="S", help="seconds that a broker stays down after writes go on (default %(default)g)"
    )
    group.add_argument("--after", type=seconds, default=3.0, metavar="S", help="seconds of load after the last round (default %(default)g)")
    group.add_argument("--limit", type=seconds, default=120.0, metavar="S", help="longest wait for any one condition (default %(default)g)")
    group.add_argument(
        "--rate", type=_rate, default=2000.0, metavar="N", help="records per second of all writers together (default %(default)g)"
    )
    group.add_argument("--value-size", type=positive, default=128, metavar="BYTES", help="of one record, at least 32 (default %(default)s)")
    group.add_argument("--writers", type=positive, default=1, metavar="N", help="producers (default %(default)s)")
    group.add_argument("--keys", type=positive, default=24, metavar="N", help="keys of each writer (default %(default)s)")
    group.add_argument("--partitions", type=positive, default=6, metavar="N", help="of the run's topic (default %(default)s)")
    group.add_argument("--replication-factor", type=positive, default=3, metavar="N", help="of the run's topic (default %(default)s)")
    group.add_argument("--topic", default="", metavar="NAME", help="a topic that does not exist yet (default: a name of the run's own)")
    group.add_argument("--topic-config", action="append", default=[], metavar="KEY=VALUE", help="setting of the run's topic; repeatable")
    group.add_argument(
        "-X", dest="client", action="append", default=[], metavar="KEY=VALUE", help="librdkafka setting of the clients; repeatable"
    )
    group.add_argument("--seed", type=whole, metavar="N", help="fixes keys, values and random choices (default: drawn, and printed)")


def _add_output(group: Any) -> None:
    group.add_argument(
        "--evidence", type=Path, metavar="DIR", help="folder for the evidence (default: holdwater-evidence/SCENARIO-TIME-SEED)"
    )
    group.add_argument("--format", choices=("text", "json"), default="text", help="what is printed at the end (default %(default)s)")
    group.add_argument("--junit", type=Path, metavar="FILE", help="write the verdict as JUnit XML too")


def _rate(text: str) -> float:
    value = number(text)
    if not 0 < value <= 50_000:
        raise argparse.ArgumentTypeError("must be above 0 and at most 50,000: beyond that the workload measures itself")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Returns the exit code; prints errors with what to do next."""
    try:
        return _run(arguments)
    except (Exception, KeyboardInterrupt) as ended:  # noqa: BLE001 - said, and told by the exit code
        return _no_verdict(ended)


def _no_verdict(ended: BaseException) -> int:
    """Say what ended a run without a verdict; returns the exit code. Raises what is said for all commands alike."""
    from holdwater.cli.main import is_no_room
    from holdwater.prove.errors import RunFailed, UsageError

    if isinstance(ended, UsageError | RunFailed):
        _complain(ended, ended.next_step)
        return 2 if isinstance(ended, UsageError) else 3
    if isinstance(ended, KeyboardInterrupt):
        print("holdwater prove: interrupted", file=sys.stderr)
        return 3
    if isinstance(ended, OSError) and (isinstance(ended, BrokenPipeError) or is_no_room(ended)):
        raise ended  # whoever reads is gone, or there is no room
    # Whatever else it is: Python's own exit code, 1, would say that data were lost.
    traceback.print_exception(ended)
    _complain(RunFailed("a fault of holdwater itself, so there is no verdict", ""), "please report it, with the lines above")
    return 3


def _complain(error: Exception, next_step: str) -> None:
    from holdwater.prove.report.characters import printable

    print(f"holdwater prove: {printable(str(error))}", file=sys.stderr)
    if next_step:
        print(f"next: {printable(next_step)}", file=sys.stderr)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.list:
        return _list()
    if arguments.judge is not None:
        return _judge_again(arguments)
    if not arguments.scenario:
        from holdwater.prove.errors import UsageError

        raise UsageError("no scenario was named", "holdwater prove --list shows them")
    return _perform_all(arguments)


def _list() -> int:
    from holdwater.prove.scenarios import CATALOGUE

    for name, entry in CATALOGUE.items():
        print(f"{name}  {entry.summary}")
    return 0


def _judge_again(arguments: argparse.Namespace) -> int:
    from holdwater.cli.prove_shown import check_junit, show
    from holdwater.prove.errors import UsageError
    from holdwater.prove.judge_folder import judge_folder
    from holdwater.prove.report.document import document
    from holdwater.prove.sums import is_sealed

    _refuse_what_judging_ignores(arguments)
    if arguments.junit:
        if is_sealed(arguments.judge, arguments.junit):
            raise UsageError(f"{arguments.junit} is part of the evidence", "name another file with --junit")
        check_junit(arguments.junit)
    judgement = judge_folder(arguments.judge)
    unsealed = f"holdwater prove: {arguments.judge} has no SHA256SUMS, so nothing says whether it is what was recorded"
    return show([document(judgement)], [judgement.evidence_hash], arguments, notes=[] if judgement.evidence_hash else [unsealed])


def _refuse_what_judging_ignores(arguments: argparse.Namespace) -> None:
    """Evidence is judged as it is: what would change a run cannot change it. Raises ``UsageError``."""
    from holdwater.prove.errors import UsageError

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    defaults = vars(parser.parse_args([]))
    given = [name for name, value in vars(arguments).items() if name not in _FOR_JUDGE and value != defaults[name]]
    flags = ["-X" if name == "client" else f"--{name.replace('_', '-')}" for name in given if name != "scenario"]
    if given:
        raise UsageError(
            f"--judge has no use for {', '.join([*arguments.scenario, *flags])}", "leave it out: the evidence says what was run, and how"
        )


def _perform_all(arguments: argparse.Namespace) -> int:
    from holdwater.cli.prove_request import build, check_clients, check_together, commands_of
    from holdwater.cli.prove_shown import check_junit_beside

    check_together(arguments)
    scenarios = [build(name, arguments) for name in arguments.scenario]
    seed = arguments.seed if arguments.seed is not None else secrets.randbits(32)
    check_clients(scenarios)
    commands = commands_of(arguments, scenarios)
    if arguments.junit:
        check_junit_beside(arguments.junit, arguments.evidence, scenarios)
    _InterruptOnce()
    return _perform_in_turn(scenarios, seed, arguments, commands)


def _perform_in_turn(scenarios: list[Any], seed: int, arguments: argparse.Namespace, commands: Any) -> int:
    """One scenario after another, and all their verdicts at the end: a later one that breaks off takes none from the earlier ones."""
    from holdwater.cli.prove_shown import show

    outcomes: list[Any] = []
    ended: BaseException | None = None
    for scenario in scenarios:
        try:
            outcomes.append(_perform_one(scenario, seed, arguments, commands))
        except (Exception, KeyboardInterrupt) as error:
            if not outcomes:
                raise
            ended = error
            break
        if outcomes[-1].interrupted:
            break
    without = [scenario.name for scenario in scenarios[len(outcomes) :]]
    have = "has" if len(without) == 1 else "have"
    cut = [f"holdwater prove: interrupted; {', '.join(without)} {have} no verdict"] if without and ended is None else []
    code = show([outcome.report for outcome in outcomes], [outcome.evidence_hash for outcome in outcomes], arguments, without, notes=cut)
    if ended is None:
        return code
    try:
        print(f"holdwater prove: {without[0]} has no verdict", file=sys.stderr)
        sys.stdout.flush()
        return _worse(code, _no_verdict(ended))
    except OSError:  # nothing can be said any more
        write_no_more()
        return _worse(code, 3)


def _worse(verdicts: int, ended: int) -> int:
    """The exit code of both: data that were lost stay lost, whatever came later."""
    return verdicts if verdicts == 1 else max(verdicts, ended)


class _InterruptOnce:
    """Ctrl-C or SIGTERM ends the run once: what was started is stopped and judged, however often somebody presses the keys again."""

    def __init__(self) -> None:
        self._done = False
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, self._handle)

    def _handle(self, number: int, frame: Any) -> None:
        if not self._done:
            self._done = True
            raise KeyboardInterrupt


def _perform_one(scenario: Any, seed: int, arguments: argparse.Namespace, commands: Any) -> Any:
    from holdwater.cli.live import progress_for
    from holdwater.cli.prove_shown import EVIDENCE, folder_of
    from holdwater.prove.evidence import Evidence
    from holdwater.prove.perform import Request, perform

    stamp = time.strftime("%Y%m%dT%H%M%S")
    given = arguments.evidence
    folder = folder_of(given, scenario.name, len(arguments.scenario)) if given else EVIDENCE / f"{scenario.name}-{stamp}-{seed}"
    evidence = Evidence(folder)
    outcome: Any = None
    try:
        with progress_for(scenario.title, seed, folder) as progress:
            target = _target(arguments, commands, evidence, progress)
            try:
                outcome = perform(Request(scenario, target, evidence, seed, _argv(arguments, scenario.name), arguments.topic), progress)
            finally:
                target.close()
        return outcome
    except KeyboardInterrupt as interrupt:
        if outcome is not None:  # it has its verdict; what was left to do was to clear up
            return replace(outcome, interrupted=True)
        raise _interrupted(folder) from interrupt
    finally:
        evidence.close()


def _interrupted(folder: Path) -> BaseException:
    """What to say after Ctrl-C that the run itself did not deal with: when nothing but the verdict is missing, it can still be had."""
    from holdwater.prove.errors import RunFailed
    from holdwater.prove.judge_folder import was_recorded

    if not was_recorded(folder):
        return KeyboardInterrupt()
    again = shlex.join(["holdwater", "prove", "--judge", str(folder)])
    return RunFailed(f"interrupted; the evidence in {folder} is complete", f"{again} judges it")


def _argv(arguments: argparse.Namespace, scenario: str) -> list[str]:
    """The command line of this one scenario, for the repeat line: without the other scenarios, and without where the output went."""
    others = set(arguments.scenario) - {scenario}
    given: list[str] = []
    skip = False
    for argument in sys.argv[1:]:
        if skip or argument in _NOT_REPEATED:
            skip = not skip
        elif argument not in others and not argument.startswith(tuple(f"{flag}=" for flag in _NOT_REPEATED)):
            given.append(argument)
    return given if given[:1] == ["prove"] else ["prove", scenario]


def _target(arguments: argparse.Namespace, commands: Any, evidence: Any, progress: Any) -> Any:
    if commands is not None:
        from holdwater.prove.targets.command import CommandTarget

        return CommandTarget(arguments.bootstrap_server, commands, log_folder=evidence.logs)
    from holdwater.prove.targets.own import OwnCluster

    progress.phase(f"starting {arguments.brokers} broker{'s' if arguments.brokers > 1 else ''}")
    start = time.monotonic()
    target = OwnCluster(arguments.brokers, arguments.config, log=evidence.logs / "up.log")
    try:
        target.open()
    except BaseException:
        target.close()
        raise
    progress.note(f"ready after {time.monotonic() - start:.2f} s: {target.bootstrap()}")
    return target
