"""Start a cluster on this machine and keep it running until Ctrl-C.

Every node is a process of its own, broker and controller in one. With --data the cluster keeps its records and is the same when it is
started again; without, it lives in a temporary directory that goes with it. From another terminal, `holdwater cluster kill|stop|pause|
resume|start ID` acts on one broker.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from holdwater.cluster.control import announced
from holdwater.cluster.format import format_cluster
from holdwater.cluster.plan import ClusterError, ClusterPlan, load_plan, make_plan
from holdwater.cluster.supervisor import Supervisor
from holdwater.kernel.configs.broker import BrokerConfig, InvalidConfig
from holdwater.kernel.configs.keys import broker_keys, nearest

_LOOPBACK = ("127.", "localhost", "::1")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of ``holdwater up``."""
    parser.add_argument("--brokers", type=int, default=3, metavar="N", help="number of brokers (default 3)")
    parser.add_argument(
        "--port",
        type=int,
        default=9092,
        metavar="PORT",
        help="port of the first broker, the others follow; 0 takes free ones (default 9092)",
    )
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--insecure-listen", action="store_true", help="allow an address that other machines reach; there is no encryption")
    parser.add_argument("--data", metavar="DIR", help="keep the cluster in DIR (default: a temporary directory)")
    parser.add_argument("--racks", default="", metavar="A,B,C", help="racks, dealt out to the brokers in turn")
    parser.add_argument(
        "-c", "--config", action="append", default=[], metavar="KEY=VALUE", help="a broker setting, by Kafka's key; repeatable"
    )
    parser.add_argument("--ready-file", metavar="FILE", help="write bootstrap, brokers and their pids to FILE as JSON when ready")


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 after an orderly stop, 1 when the cluster did not start, 2 for wrong usage."""
    try:
        settings = _settings(arguments.config)
        _check(arguments)
        directory, temporary = _directory(arguments.data)
    except ClusterError as problem:
        return _refuse(str(problem), 2)
    try:
        plan = _plan(arguments, directory, settings)
        supervisor = Supervisor(plan, directory, _say)
        with announced(directory):
            code = supervisor.run(lambda: _ready(supervisor), lambda: _write_ready_file(supervisor, arguments.ready_file))
        for line in supervisor.problems:
            _refuse(line, code)
        return code
    except ClusterError as problem:
        return _refuse(str(problem), 1)
    except OSError as problem:
        return _refuse(f"{problem.filename or directory}: {problem.strerror or problem}; make room or choose another --data directory", 1)
    finally:
        if arguments.ready_file:
            Path(arguments.ready_file).unlink(missing_ok=True)
        if temporary:
            shutil.rmtree(directory, ignore_errors=True)


def _refuse(why: str, code: int) -> int:
    print(f"holdwater up: {why}", file=sys.stderr)
    return code


def _say(line: str) -> None:
    print(line, flush=True)


def _settings(given: list[str]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise ClusterError(f"-c takes KEY=VALUE, not '{each}'")
        if key.strip() not in broker_keys() and "." in key and not key.startswith("listener.name."):
            near = nearest(key.strip(), broker_keys())
            raise ClusterError(f"{key.strip()} is no broker setting{f'; did you mean {near}?' if near else ''}")
        settings[key.strip()] = value.strip()
    return settings


def _check(arguments: argparse.Namespace) -> None:
    if not 1 <= arguments.brokers <= 32:
        raise ClusterError(f"--brokers takes 1 to 32, not {arguments.brokers}")
    if arguments.port != 0 and not 1024 <= arguments.port <= 65_000:
        raise ClusterError(f"--port takes 0 or 1024 to 65000, not {arguments.port}")
    if not arguments.host.startswith(_LOOPBACK) and not arguments.insecure_listen:
        raise ClusterError(
            f"{arguments.host} may be reached from other machines, without encryption or passwords; say --insecure-listen if you mean it"
        )


def _directory(data: str | None) -> tuple[Path, bool]:
    if data is None:
        return Path(tempfile.mkdtemp(prefix="holdwater-")), True
    directory = Path(data).absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ClusterError(f"can't create {directory}: {problem.strerror}") from problem
    return directory, False


def _plan(arguments: argparse.Namespace, directory: Path, settings: dict[str, str]) -> ClusterPlan:
    plan = load_plan(directory)
    if plan is None:
        racks = [rack for rack in arguments.racks.split(",") if rack]
        plan = make_plan(brokers=arguments.brokers, host=arguments.host, port=arguments.port, racks=racks, settings=settings)
        _check_settings(plan, directory)
        try:
            format_cluster(plan, directory)
        except ClusterError as problem:
            raise ClusterError(f"{problem} ({directory} holds no {'cluster.json'}, so it is no cluster of holdwater's)") from problem
        plan.save(directory)
        return plan
    if settings:
        plan = ClusterPlan(plan.cluster_id, plan.host, plan.nodes, plan.settings | settings)
        _check_settings(plan, directory)
        plan.save(directory)
    return plan


def _check_settings(plan: ClusterPlan, directory: Path) -> None:
    try:
        config = BrokerConfig(plan.properties(plan.nodes[0], directory))
    except InvalidConfig as problem:
        raise ClusterError(" ".join(problem.problems)) from problem
    for warning in config.warnings:
        print(f"holdwater up: {warning}", file=sys.stderr)


def _write_ready_file(supervisor: Supervisor, ready_file: str | None) -> None:
    """Whole or not at all, and again whenever a broker's pid changes."""
    if ready_file:
        temporary = f"{ready_file}.part"
        Path(temporary).write_text(json.dumps(supervisor.status(), indent=2) + "\n", encoding="utf-8")
        os.replace(temporary, ready_file)


def _ready(supervisor: Supervisor) -> None:
    status = supervisor.status()
    print(f"Kafka-compatible cluster {status['cluster_id']} is ready.\n")
    print(f"  bootstrap.servers  {status['bootstrap']}")
    for broker in status["brokers"]:
        print(f"  broker {broker['id']}           {supervisor.plan.host}:{broker['port']}  pid {broker['pid']}")
    print(f"  data and logs      {status['data']}\n")
    print(f"Connect any Kafka client, for instance: kcat -b {status['bootstrap'].split(',')[0]} -L")
    print(f"Make something fail from another terminal: holdwater cluster kill {status['brokers'][0]['id']}")
    print("Ctrl-C stops everything.", flush=True)
