"""Make a failure happen under a real client, and say what was lost, duplicated, reordered or refused.

Without --bootstrap-server a cluster of our own is started for the run. With it, the scenario runs on that cluster; commands say how a
broker of it is ended and started:

  holdwater prove leader-election
  holdwater prove leader-election -b localhost:9092 --kill-command 'docker kill kafka-{id}' --start-command 'docker start kafka-{id}'

Exit codes: 0 held, 1 broken, 2 usage, 3 invalid (no verdict).
"""

import argparse
import json
import secrets
import shlex
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from holdwater.cli.numbers import natural, number, positive, seconds, whole

_PRODUCER_ONLY = (
    "acks", "request.required.acks", "enable.idempotence", "linger.ms", "queue.buffering.", "batch.", "compression.", "message.timeout.ms",
    "delivery.timeout.ms", "retries", "message.send.max.retries", "request.timeout.ms", "sticky.partitioning", "partitioner", "transaction",
    "enable.gapless.guarantee", "delivery.report",
)  # fmt: skip
_CONSUMER_ONLY = (
    "group.", "session.timeout.ms", "heartbeat.interval.ms", "max.poll.interval.ms", "enable.auto.", "auto.commit", "auto.offset.reset", "fetch.",
    "isolation.level", "queued.", "partition.assignment", "check.crcs", "enable.partition.eof", "max.partition.fetch.bytes",
)  # fmt: skip


_QUIET = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
_NOT_REPEATED = ("--evidence", "--junit")
_EVIDENCE = Path("holdwater-evidence")
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
    group.add_argument("--stop-command", metavar="CMD", help="asks broker {id} to stop (SIGTERM)")
    group.add_argument("--pid-file-pattern", metavar="PATH", help="pid file of broker {id}, for signals instead of commands")
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
    from holdwater.cli.main import is_no_room
    from holdwater.prove.errors import RunFailed, UsageError

    try:
        return _run(arguments)
    except UsageError as error:
        _complain(error, error.next_step)
        return 2
    except RunFailed as failure:
        _complain(failure, failure.next_step)
        return 3
    except KeyboardInterrupt:
        print("holdwater prove: interrupted", file=sys.stderr)
        return 3
    except Exception as fault:  # whatever it is: Python's own exit code, 1, would say that data were lost
        if isinstance(fault, OSError) and (isinstance(fault, BrokenPipeError) or is_no_room(fault)):
            raise  # whoever reads is gone, or there is no room: said for all commands alike
        traceback.print_exc()
        _complain(RunFailed("a fault of holdwater itself, so there is no verdict", ""), "please report it, with the lines above")
        return 3


def _complain(error: Exception, next_step: str) -> None:
    print(f"holdwater prove: {error}", file=sys.stderr)
    if next_step:
        print(f"next: {next_step}", file=sys.stderr)


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
    from holdwater.prove.errors import UsageError
    from holdwater.prove.judge_folder import judge_folder
    from holdwater.prove.report.document import document
    from holdwater.prove.sums import is_sealed

    _refuse_what_judging_ignores(arguments)
    if arguments.junit:
        if is_sealed(arguments.judge, arguments.junit):
            raise UsageError(f"{arguments.junit} is part of the evidence", "name another file with --junit")
        _check_junit(arguments.junit)
    judgement = judge_folder(arguments.judge)
    return _show([document(judgement)], [judgement.evidence_hash], arguments)


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


def _check_junit(path: Path, evidence: Path | None = None) -> None:
    """Raises ``UsageError`` when the file could not be written at the end. Its folder may be one that the ``evidence`` brings with it."""
    from holdwater.prove.errors import UsageError

    brought = evidence is not None and path.parent.resolve() in (evidence.resolve(), *evidence.resolve().parents)
    if brought and not path.parent.exists():
        return
    try:
        before = path.exists() or path.is_symlink()
        if before and not path.is_file() and not path.is_dir():
            return  # a pipe or a device: to open it now could wait for its reader, or end it
        path.open("a").close()
        if not before:
            path.unlink()
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", "name another file with --junit") from error


def _perform_all(arguments: argparse.Namespace) -> int:
    from holdwater.prove.scenarios import CATALOGUE

    scenarios = [_build(name, arguments, CATALOGUE) for name in arguments.scenario]
    seed = arguments.seed if arguments.seed is not None else secrets.randbits(32)
    _check_clients(scenarios)
    commands = _commands(arguments, scenarios)
    if arguments.junit:
        _check_junit(arguments.junit, arguments.evidence or _EVIDENCE)
    _InterruptOnce()
    outcomes: list[Any] = []
    for scenario in scenarios:
        outcomes.append(_perform_one(scenario, seed, arguments, commands))
        if outcomes[-1].interrupted:
            break
    return _show([outcome.report for outcome in outcomes], [outcome.evidence_hash for outcome in outcomes], arguments)


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


def _build(name: str, arguments: argparse.Namespace, catalogue: Any) -> Any:
    from difflib import get_close_matches

    from holdwater.kernel.identifiers import is_legal_topic_name
    from holdwater.prove.errors import UsageError
    from holdwater.prove.history.payload import MIN_VALUE_BYTES
    from holdwater.prove.scenarios.options import Options

    if name not in catalogue:
        near = get_close_matches(name, catalogue, n=1)
        raise UsageError(
            f"there is no scenario '{name}'" + (f"; did you mean {near[0]}?" if near else ""), "holdwater prove --list shows them"
        )
    if arguments.topic and not is_legal_topic_name(arguments.topic):
        from holdwater.prove.verifiable.failures import TOPIC_NAMES

        raise UsageError(f"'{arguments.topic}' is no topic name", TOPIC_NAMES)
    if arguments.min_controller_kills > arguments.kills:
        raise UsageError(f"{arguments.min_controller_kills} controller kills do not fit into {arguments.kills} kills", "raise --kills")
    if arguments.keys < arguments.partitions:
        raise UsageError(
            f"{arguments.keys} keys leave some of {arguments.partitions} partitions without any", "raise --keys to at least --partitions"
        )
    if arguments.value_size < MIN_VALUE_BYTES:
        raise UsageError(
            f"--value-size {arguments.value_size} has no room for what a record says of itself", f"it takes {MIN_VALUE_BYTES} or more"
        )
    if not arguments.bootstrap_server and arguments.replication_factor > arguments.brokers:
        raise UsageError(
            f"a topic of replication factor {arguments.replication_factor} needs {arguments.replication_factor} brokers, not {arguments.brokers}",
            "raise --brokers, or lower --replication-factor",
        )
    producer, consumer = _client_settings(arguments.client)
    options = Options(
        kills=arguments.kills,
        choose=arguments.kill,
        min_controller_kills=arguments.min_controller_kills,
        steady_s=arguments.steady,
        down_s=arguments.down,
        after_s=arguments.after,
        limit_s=arguments.limit,
        rate=arguments.rate,
        value_bytes=arguments.value_size,
        writers=arguments.writers,
        keys=arguments.keys,
        partitions=arguments.partitions,
        replication_factor=arguments.replication_factor,
        topic_configs=_pairs(arguments.topic_config, "--topic-config"),
        producer=producer,
        consumer=consumer,
    )
    return catalogue[name].build(options)


def _pairs(texts: list[str], flag: str) -> dict[str, str]:
    from holdwater.prove.errors import UsageError

    pairs: dict[str, str] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise UsageError(f"'{text}' is no key=value", f"write {flag} key=value")
        pairs[key.strip()] = value
    return pairs


def _client_settings(texts: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Settings for the producer and for the consumer: those that only one of them knows go to that one."""
    given = _pairs(texts, "-X")
    producer = {key: value for key, value in given.items() if not key.startswith(_CONSUMER_ONLY)}
    consumer = {key: value for key, value in given.items() if not key.startswith(_PRODUCER_ONLY)}
    return producer, consumer


def _check_clients(scenarios: list[Any]) -> None:
    """Let librdkafka itself refuse what it does not know, before anything is started."""
    from confluent_kafka import Consumer, KafkaException, Producer

    from holdwater.prove.errors import UsageError

    for scenario in scenarios:
        try:
            Producer(_QUIET | scenario.workload.producer)
            Consumer(_QUIET | {"group.id": "check"} | scenario.workload.consumer).close()
        except KafkaException as error:
            raise UsageError(f"librdkafka refuses a client setting: {error.args[0].str()}", "correct it in -X key=value") from error


def _perform_one(scenario: Any, seed: int, arguments: argparse.Namespace, commands: Any) -> Any:
    from holdwater.cli.live import progress_for
    from holdwater.prove.evidence import Evidence
    from holdwater.prove.perform import Request, perform

    stamp = time.strftime("%Y%m%dT%H%M%S")
    folder = arguments.evidence or _EVIDENCE / f"{scenario.name}-{stamp}-{seed}"
    if arguments.evidence and len(arguments.scenario) > 1:
        folder = folder / scenario.name
    evidence = Evidence(folder)
    try:
        with progress_for(scenario.title, seed, folder) as progress:
            target = _target(arguments, commands, evidence, progress)
            try:
                return perform(Request(scenario, target, evidence, seed, _argv(arguments, scenario.name), arguments.topic), progress)
            finally:
                target.close()
    except KeyboardInterrupt as interrupt:
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


def _commands(arguments: argparse.Namespace, scenarios: list[Any]) -> Any:
    """How brokers of somebody else's cluster are handled, checked before anything is started; ``None`` for a cluster of our own."""
    from holdwater.prove.errors import UsageError

    by_verb = {"start": arguments.start_command, "kill": arguments.kill_command, "terminate": arguments.stop_command}
    given = {verb: command for verb, command in by_verb.items() if command}
    if not arguments.bootstrap_server:
        if given or arguments.pid_file_pattern:
            raise UsageError("commands for brokers make sense with --bootstrap-server only", "name the cluster with -b, or leave them out")
        return None
    from holdwater.prove.perform import require_abilities
    from holdwater.prove.targets.command import Commands
    from holdwater.rpc.calls import parse_bootstrap

    try:
        parse_bootstrap(arguments.bootstrap_server)
    except ValueError as error:
        raise UsageError(f"--bootstrap-server: {error}", "write host:port, or several with commas") from error
    commands = Commands(given, arguments.pid_file_pattern or "").checked()
    for scenario in scenarios:
        require_abilities(scenario, commands.abilities())
    return commands


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


def _show(reports: list[dict[str, Any]], hashes: list[str], arguments: argparse.Namespace) -> int:
    """Write the JUnit file and print the verdicts, whether it could be written or not; returns the exit code."""
    from holdwater.prove.report import text
    from holdwater.prove.report.document import exit_code

    problem = _write_junit(reports, arguments.junit) if arguments.junit else ""
    if arguments.format == "json":
        shown = [report | {"evidence_sha256": value} if value else report for report, value in zip(reports, hashes, strict=True)]
        print(json.dumps(shown[0] if len(shown) == 1 else {"reports": shown}))
    else:
        for report, value in zip(reports, hashes, strict=True):
            print(text.render(report, value), end="")
    code = exit_code([report["verdict"] for report in reports])
    if problem:
        sys.stdout.flush()
        print(f"holdwater prove: {problem}", file=sys.stderr)
        return code or 3
    return code


def _write_junit(reports: list[dict[str, Any]], path: Path) -> str:
    """Returns what went wrong; empty when it is written."""
    from holdwater.prove.report import junit

    try:
        path.write_text(junit.render(reports), encoding="utf-8")
    except OSError as error:
        return f"cannot write {path}: {error.strerror}"
    return ""
