"""Groups of a cluster, any Kafka: list them, describe one, show or move its committed offsets, delete it.

  holdwater group list -b HOST:PORT
  holdwater group describe GROUP... -b HOST:PORT                  state, members, offsets and lag
  holdwater group offsets GROUP -b HOST:PORT                      committed offsets and lag alone
  holdwater group offsets GROUP --to earliest -b HOST:PORT        where that would move them; --execute moves them
  holdwater group delete GROUP... -b HOST:PORT                    empty groups, with their offsets

Printed as a table on a terminal, as JSON lines into a pipe. Exit codes: 0 done, 1 the cluster refused, 2 usage.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdwater.admin import Groups

Row = dict[str, Any]
_LIST = ("group", "state", "type")
_OFFSETS = ("topic", "partition", "committed", "end", "lag", "member")
_PLAN = ("topic", "partition", "committed", "target")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One subcommand for each thing that is done to groups."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("-b", "--bootstrap-server", required=True, metavar="HOST:PORT,...", help="brokers to connect to")
    shared.add_argument("-X", dest="client", action="append", default=[], metavar="KEY=VALUE", help="librdkafka setting; repeatable")
    shared.add_argument("--command-config", type=Path, metavar="FILE", help="client properties; -X overrides them")
    shared.add_argument("--format", choices=("text", "json"), help="default: text on a terminal, json (one object a line) into a pipe")
    commands = parser.add_subparsers(dest="what", required=True, metavar="list | describe | offsets | delete")
    commands.add_parser("list", parents=[shared], help="all groups, with state and type")
    for name, summary in (("describe", "state, members, offsets and lag"), ("delete", "delete empty groups with their offsets")):
        one = commands.add_parser(name, parents=[shared], help=summary)
        one.add_argument("groups", nargs="+", metavar="GROUP")
    offsets = commands.add_parser("offsets", parents=[shared], help="show or move committed offsets")
    offsets.add_argument("groups", nargs=1, metavar="GROUP")
    offsets.add_argument(
        "--to", metavar="WHERE", help="earliest, latest, current, @MILLISECONDS, an offset, +N or -N: where they would be moved"
    )
    offsets.add_argument("--topic", action="append", default=[], help="only this topic, and all its partitions; repeatable, with --to")
    offsets.add_argument("--execute", action="store_true", help="move them, instead of printing what would be done")


def run(arguments: argparse.Namespace) -> int:
    """Returns the exit code; prints errors with what to do next."""
    from holdwater.admin import AdminError, Groups
    from holdwater.prove.errors import UsageError

    try:
        return _COMMANDS[arguments.what](Groups(_config(arguments)), arguments)
    except (AdminError, UsageError) as error:
        print(f"holdwater group: {error}", file=sys.stderr)
        if error.next_step:
            print(f"next: {error.next_step}", file=sys.stderr)
        return 1 if isinstance(error, AdminError) else 2


def _config(arguments: argparse.Namespace) -> dict[str, Any]:
    from holdwater.prove.errors import UsageError
    from holdwater.prove.verifiable.lines import read_properties

    config: dict[str, Any] = read_properties(arguments.command_config) if arguments.command_config else {}
    for text in arguments.client:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise UsageError(f"-X {text}: no key=value", "write -X key=value")
        config[key] = value
    return {**config, "bootstrap.servers": arguments.bootstrap_server}


def _list(groups: "Groups", arguments: argparse.Namespace) -> int:
    _print(groups.list_all(), _LIST, arguments)
    return 0


def _describe(groups: "Groups", arguments: argparse.Namespace) -> int:
    described = groups.describe(arguments.groups)
    if _is_json(arguments):
        _print(described, (), arguments)
        return 0
    for number, group in enumerate(described):
        at = group["coordinator"]
        where = "" if at is None else f", coordinator {at['id']} ({at['host']}:{at['port']})"
        assignor = f", assignor {group['assignor']}" if group["assignor"] else ""
        print(f"{'' if number == 0 else chr(10)}{group['group']}: {group['state']}, {group['type']}{where}{assignor}")
        for member in group["members"]:
            held = ", ".join(f"{each['topic']}-{each['partition']}" for each in member["assignment"]) or "nothing"
            instance = f" (instance {member['instance']})" if member["instance"] else ""
            print(f"  member {member['member']}{instance}, client {member['client']} at {member['host']}: {held}")
        if group["offsets"]:
            print(table(group["offsets"], _OFFSETS, indent="  "))
    return 0


def _offsets(groups: "Groups", arguments: argparse.Namespace) -> int:
    from holdwater.admin.groups import Target
    from holdwater.prove.errors import UsageError

    (group_id,) = arguments.groups
    if arguments.to is None:
        if arguments.execute or arguments.topic:
            raise UsageError("--execute and --topic move offsets, and --to does not say where", "add --to, or leave them out")
        _print(groups.offsets(group_id), _OFFSETS[:-1], arguments)
        return 0
    try:
        target = Target(arguments.to)
    except ValueError:
        raise UsageError(f"--to {arguments.to}: no such place", "one of earliest, latest, current, @MILLISECONDS, OFFSET, +N, -N") from None
    planned = groups.plan(group_id, arguments.topic, target)
    if arguments.execute and planned:
        groups.move(group_id, planned)
    _print(planned, _PLAN, arguments)
    if not arguments.execute:
        print("nothing was moved: --execute does it", file=sys.stderr)
    return 0


def _delete(groups: "Groups", arguments: argparse.Namespace) -> int:
    rows = groups.delete(arguments.groups)
    if _is_json(arguments):
        _print(rows, (), arguments)
    for row in rows:
        if "error" in row:
            print(f"holdwater group: {row['error']}", file=sys.stderr)
        elif not _is_json(arguments):
            print(f"group {row['group']} is deleted")
    return 0 if all(row["deleted"] for row in rows) else 1


_COMMANDS = {"list": _list, "describe": _describe, "offsets": _offsets, "delete": _delete}


def _is_json(arguments: argparse.Namespace) -> bool:
    return arguments.format == "json" or (arguments.format is None and not sys.stdout.isatty())


def _print(rows: Sequence[Row], columns: Sequence[str], arguments: argparse.Namespace) -> None:
    if _is_json(arguments):
        for row in rows:
            print(json.dumps(row))
    else:
        print(table(rows, columns) if rows else "none")


def table(rows: Sequence[Row], columns: Sequence[str], indent: str = "") -> str:
    """Rows under their column names; numbers to the right, ``-`` for nothing."""
    cells = [[_cell(row[name]) for name in columns] for row in rows]
    widths = [max(len(name), *(len(row[at]) for row in cells)) for at, name in enumerate(columns)]
    numeric = [all(isinstance(row[name], int) or row[name] is None for row in rows) for name in columns]
    lines = [list(columns), *cells]
    return "\n".join(
        (
            indent
            + "  ".join(text.rjust(width) if right else text.ljust(width) for text, width, right in zip(line, widths, numeric, strict=True))
        ).rstrip()
        for line in lines
    )


def _cell(value: Any) -> str:
    return "-" if value is None or value == "" else str(value)
