"""Start a cluster on this machine and keep it running until Ctrl-C.

Every node is a process of its own, broker and controller in one. With --data the cluster keeps its records and is the same when it is
started again; without, it lives in a temporary directory that goes with it. From another terminal, `holdwater cluster kill|stop|pause|
resume|start ID` acts on one broker.

Where Kafka's defaults are for one broker, those here are for a cluster: topics have up to three replicas, and min.insync.replicas is 2 from
three brokers on; -c changes it.

Exit codes: 0 stopped as asked; 1 it could not start; 2 usage.
"""

import argparse
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from holdwater.cli.main import write_no_more
from holdwater.cli.numbers import whole
from holdwater.cluster.control import announced
from holdwater.cluster.format import format_cluster, require_empty
from holdwater.cluster.plan import PLAN_FILE, ClusterError, ClusterPlan, dealt, load_plan, make_plan
from holdwater.cluster.ready_file import ReadyFile
from holdwater.cluster.supervisor import Supervisor
from holdwater.kernel.configs.broker import BrokerConfig, InvalidConfig
from holdwater.kernel.configs.keys import broker_keys, nearest

_LOOPBACK = ("127.", "localhost", "::1")
_BROKERS, _PORT, _HOST = 3, 9092, "127.0.0.1"


class WrongUsage(ClusterError):  # noqa: N818 - named for what happened
    """The flags can't be followed (exit code 2)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of ``holdwater up``."""
    parser.add_argument("--brokers", type=whole, metavar="N", help=f"number of brokers (default {_BROKERS})")
    parser.add_argument(
        "--port",
        type=whole,
        metavar="PORT",
        help=f"port of the first broker, the others follow, their controllers listen 100 above; 0 takes free ones (default {_PORT})",
    )
    parser.add_argument("--host", metavar="ADDRESS", help=f"address to listen on (default {_HOST})")
    parser.add_argument("--insecure-listen", action="store_true", help="allow an address that other machines reach; there is no encryption")
    parser.add_argument("--data", metavar="DIR", help="keep the cluster in DIR (default: a temporary directory)")
    parser.add_argument("--racks", metavar="A,B,C", help="racks, dealt out to the brokers in turn")
    parser.add_argument(
        "-c",
        "--config",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a broker setting, by Kafka's key; repeatable; kept with --data",
    )
    parser.add_argument("--ready-file", metavar="FILE", help="write bootstrap, brokers and their pids to FILE as JSON when ready")


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 after an orderly stop, 1 when the cluster did not start, 2 for wrong usage."""
    try:
        settings = settings_of(arguments.config)
        _check(arguments)
        if arguments.data is not None:
            return _run(arguments, _made(Path(arguments.data).absolute(), ReadyFile(arguments.ready_file)), settings)
        ReadyFile(arguments.ready_file).claim()
        with tempfile.TemporaryDirectory(prefix="holdwater-", ignore_cleanup_errors=True) as directory:
            return _run(arguments, Path(directory), settings)
    except WrongUsage as problem:
        return _refuse(str(problem), 2)
    except ClusterError as problem:
        return _refuse(str(problem), 1)


def _run(arguments: argparse.Namespace, directory: Path, settings: dict[str, str]) -> int:
    """The cluster's life; returns its exit code. Raises ``ClusterError``."""
    ready_file = ReadyFile(arguments.ready_file)
    try:
        plan = _plan(arguments, directory, settings)
        supervisor = Supervisor(plan, directory, _tell)
        with announced(directory):
            code = supervisor.run(lambda: _ready(supervisor), lambda: ready_file.write(supervisor.status()))
        for line in supervisor.problems:
            _refuse(line, code)
        return code
    except _NothingSaid as problem:
        raise problem.why from None
    except OSError as problem:
        where = problem.filename or directory
        raise ClusterError(f"{where}: {problem.strerror or problem}; make room or choose another --data directory") from problem
    finally:
        ready_file.remove()


def _refuse(why: str, code: int) -> int:
    print(f"holdwater up: {why}", file=sys.stderr)
    return code


class _NothingSaid(Exception):  # noqa: N818 - named for what it is
    """A line could not be written: that is no matter of the data directory."""

    def __init__(self, why: OSError) -> None:
        super().__init__(str(why))
        self.why = why


def _say(line: str) -> None:
    try:
        print(f"{line}\n", end="", flush=True)  # in one piece: its reader may leave after the first
    except OSError as problem:
        raise _NothingSaid(problem) from problem


def _tell(line: str) -> None:
    """For what happens later: a reader that has read enough, or a full disk, must not end the cluster with its first broker that is killed."""
    try:
        print(line, flush=True)
    except OSError:
        write_no_more()


def settings_of(given: list[str]) -> dict[str, str]:
    """Broker settings from ``KEY=VALUE``. Raises ``WrongUsage``."""
    settings: dict[str, str] = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise WrongUsage(f"-c takes KEY=VALUE, not '{each}'")
        if key.strip() not in broker_keys() and "." in key and not key.startswith("listener.name."):
            near = nearest(key.strip(), broker_keys())
            raise WrongUsage(f"{key.strip()} is no broker setting{f'; did you mean {near}?' if near else ''}")
        settings[key.strip()] = value.strip()
    return settings


def _check(arguments: argparse.Namespace) -> None:
    if arguments.brokers is not None and not 1 <= arguments.brokers <= 32:
        raise WrongUsage(f"--brokers takes 1 to 32, not {arguments.brokers}")
    if arguments.port and not 1024 <= arguments.port <= 65_000:
        raise WrongUsage(f"--port takes 0 or 1024 to 65000, not {arguments.port}")
    if arguments.host is not None and not arguments.host.startswith(_LOOPBACK) and not arguments.insecure_listen:
        raise WrongUsage(
            f"{arguments.host} may be reached from other machines, without encryption or passwords; say --insecure-listen if you mean it"
        )


def _made(directory: Path, ready_file: ReadyFile) -> Path:
    """The directory, in which the ready file may be; it does not stay when that can't be had."""
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise WrongUsage(f"can't create {directory}: {problem.strerror}") from problem
    try:
        ready_file.claim()
    except ClusterError:
        for each in missing:
            with suppress(OSError):
                each.rmdir()
        raise
    return directory


def _plan(arguments: argparse.Namespace, directory: Path, settings: dict[str, str]) -> ClusterPlan:
    plan = load_plan(directory)
    if plan is None:
        return _new_plan(arguments, directory, settings)
    _check_same(arguments, plan, directory)
    if settings:
        plan = ClusterPlan(plan.cluster_id, plan.host, plan.nodes, plan.settings | settings)
        _check_settings(plan, directory)
        plan.save(directory)
    return plan


def _new_plan(arguments: argparse.Namespace, directory: Path, settings: dict[str, str]) -> ClusterPlan:
    require_empty(directory)
    plan = make_plan(
        brokers=_BROKERS if arguments.brokers is None else arguments.brokers,
        host=_HOST if arguments.host is None else arguments.host,
        port=_PORT if arguments.port is None else arguments.port,
        racks=_racks(arguments),
        settings=settings,
    )
    _check_settings(plan, directory)
    try:
        format_cluster(plan, directory)
        plan.save(directory)
    except KeyboardInterrupt:  # a half-made cluster would be refused the next time
        for node in plan.nodes:
            shutil.rmtree(directory / f"broker-{node.node_id}", ignore_errors=True)
        (directory / PLAN_FILE).unlink(missing_ok=True)
        raise
    return plan


def _racks(arguments: argparse.Namespace) -> list[str]:
    return [rack for rack in (arguments.racks or "").split(",") if rack]


def _check_same(arguments: argparse.Namespace, plan: ClusterPlan, directory: Path) -> None:
    """A cluster stays as it was made: flags that say otherwise are refused. Port 0 fits any."""
    racks = [node.rack for node in plan.nodes]
    asked = {"--brokers": arguments.brokers, "--port": arguments.port or None, "--host": arguments.host, "--racks": arguments.racks}
    made = {
        "--brokers": len(plan.nodes),
        "--port": plan.nodes[0].port,
        "--host": plan.host,
        "--racks": ",".join(rack for rack in racks if rack),
    }
    if arguments.racks is not None and dealt(_racks(arguments), len(racks)) == racks:
        asked["--racks"] = made["--racks"]
    others = [flag for flag, value in asked.items() if value is not None and value != made[flag]]
    if others:
        was, now = (", ".join(f"{flag} {values[flag]}" if values[flag] else f"no {flag}" for flag in others) for values in (made, asked))
        raise WrongUsage(
            f"the cluster in {directory} was made with {was}, not with {now}; leave that out, or name another directory with --data"
        )


def _check_settings(plan: ClusterPlan, directory: Path) -> None:
    try:
        config = BrokerConfig(plan.properties(plan.nodes[0], directory))
    except InvalidConfig as problem:
        raise WrongUsage(" ".join(problem.problems)) from problem
    for warning in config.warnings:
        print(f"holdwater up: {warning}", file=sys.stderr)


def _ready(supervisor: Supervisor) -> None:
    status = supervisor.status()
    brokers = [f"  broker {each['id']}           {supervisor.plan.host}:{each['port']}  pid {each['pid']}" for each in status["brokers"]]
    lines = [
        f"Kafka-compatible cluster {status['cluster_id']} is ready.\n",
        f"  bootstrap.servers  {status['bootstrap']}",
        *brokers,
        f"  data and logs      {status['data']}\n",
        f"Connect any Kafka client, for instance: kcat -b {status['bootstrap'].split(',')[0]} -L",
        f"Make something fail from another terminal: holdwater cluster kill {status['brokers'][0]['id']}",
        "Ctrl-C stops everything.",
    ]
    _say("\n".join(lines))
