"""Act on one broker of a cluster that `holdwater up` runs, or show how its brokers are.

kill is SIGKILL (a crash), stop is an orderly stop, pause and resume are SIGSTOP and SIGCONT, start starts a broker that is down on its
old data. The cluster is found by --data, by --ready-file, or by itself when just one runs.

Exit codes: 0 done; 1 it could not be done, or no such cluster runs; 2 usage.
"""

import argparse
import json
import sys
from typing import Any

from holdwater.cli.numbers import whole
from holdwater.cluster.control import find, send, wait_until
from holdwater.cluster.plan import ClusterError

ACTIONS = ("status", "kill", "stop", "pause", "resume", "start")
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of ``holdwater cluster``."""
    parser.add_argument("action", choices=ACTIONS, help="what to do")
    parser.add_argument("id", nargs="?", type=whole, help="broker id")
    parser.add_argument("--data", metavar="DIR", help="the cluster's --data directory")
    parser.add_argument("--ready-file", metavar="FILE", help="the cluster's --ready-file")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print (default text)")
    parser.add_argument("--no-wait", action="store_true", help="return at once, without waiting until the broker has stopped or started")


def run(arguments: argparse.Namespace) -> int:
    """Returns 0, 1 when it could not be done, 2 for wrong usage."""
    if arguments.action != "status" and arguments.id is None:
        print(f"holdwater cluster: {arguments.action} needs a broker id", file=sys.stderr)
        return 2
    if arguments.action == "status" and isinstance(arguments.id, int):
        print("holdwater cluster: status shows all brokers and takes no id", file=sys.stderr)
        return 2
    if arguments.data is not None and arguments.ready_file is not None:
        print("holdwater cluster: give --data or --ready-file, not both", file=sys.stderr)
        return 2
    try:
        directory = find(arguments.data, arguments.ready_file)
        status = send(directory, arguments.action, arguments.id)
        if not arguments.no_wait:
            if arguments.action == "start":
                _say_what_it_waits_for(status)
                status = wait_until(directory, arguments.id, ("ready", "down"), _START_SECONDS)
            elif arguments.action in {"kill", "stop"}:
                status = wait_until(directory, arguments.id, ("down",), _STOP_SECONDS)
    except ClusterError as problem:
        print(f"holdwater cluster: {problem}", file=sys.stderr)
        return 1
    if arguments.action == "start" and not arguments.no_wait:
        state = next(broker["state"] for broker in status["brokers"] if broker["id"] == arguments.id)
        if state == "down":
            print(f"holdwater cluster: broker {arguments.id} did not start; see {directory}/broker-{arguments.id}.log", file=sys.stderr)
            return 1
    if arguments.format == "json":
        print(json.dumps(status))
    else:
        print(f"bootstrap.servers  {status['bootstrap']}")
        for broker in status["brokers"]:
            pid = f"  pid {broker['pid']}" if broker["pid"] else ""
            print(f"broker {broker['id']}           port {broker['port']}  {broker['state']}{pid}")
    return 0


def _say_what_it_waits_for(status: dict[str, Any]) -> None:
    up = sum(broker["state"] in ("ready", "starting") for broker in status["brokers"])
    if up * 2 <= len(status["brokers"]):
        text = f"{up} of {len(status['brokers'])} brokers run, and none is ready without a majority: start another"
        print(f"holdwater cluster: {text}", file=sys.stderr)
