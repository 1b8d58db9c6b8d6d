"""Groups of a cluster, any Kafka: list them, describe one, show or move its committed offsets, delete it.

  holdwater group list -b HOST:PORT
  holdwater group describe GROUP... -b HOST:PORT                  state, members, offsets and lag
  holdwater group offsets GROUP -b HOST:PORT                      committed offsets, lag and members alone
  holdwater group offsets GROUP --to earliest -b HOST:PORT        where that would move them; --execute moves them
  holdwater group delete GROUP... -b HOST:PORT                    empty groups, with their offsets

Printed as a table on a terminal, as JSON lines into a pipe. The state "rebalancing" of a group of type consumer (KIP-848) is what Kafka calls
Assigning or Reconciling; librdkafka does not tell which. A group that fails does not hide the others: errors are on standard error, and in
JSON its line has "error" and "next".

Exit codes: 0 done; 1 there is no such group, or the cluster refused, or it did not answer, or only a part of it did (what the others said is
printed all the same); 2 usage; 3 its output cannot be written.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdwater.admin import Groups
    from holdwater.admin.groups import Target

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
    describe = commands.add_parser("describe", parents=[shared], help="state, members, offsets and lag")
    describe.add_argument("groups", nargs="+", metavar="GROUP")
    offsets = commands.add_parser("offsets", parents=[shared], help="show or move committed offsets")
    offsets.add_argument("groups", nargs=1, metavar="GROUP")
    offsets.add_argument(
        "--to", metavar="WHERE", help="earliest, latest, current, @MILLISECONDS, an offset, +N or -N: where they would be moved"
    )
    offsets.add_argument("--topic", action="append", default=[], help="only this topic, and all its partitions; repeatable, with --to")
    offsets.add_argument("--execute", action="store_true", help="move them, instead of printing what would be done")
    delete = commands.add_parser("delete", parents=[shared], help="delete empty groups with their offsets")
    delete.add_argument("groups", nargs="+", metavar="GROUP")


def run(arguments: argparse.Namespace) -> int:
    """Returns the exit code; prints errors with what to do next."""
    from holdwater.admin import AdminError
    from holdwater.prove.errors import UsageError

    try:
        return _act(arguments)
    except (AdminError, UsageError) as error:
        _complain(str(error), error.next_step)
        return 1 if isinstance(error, AdminError) else 2


def _act(arguments: argparse.Namespace) -> int:
    """The command line is judged as a whole before a broker is asked anything."""
    from holdwater.admin import AdminError, Groups
    from holdwater.prove.errors import UsageError

    _check_names(arguments)
    target = _target(arguments) if arguments.what == "offsets" else None
    try:
        groups = Groups(_config(arguments))
    except AdminError as refused:  # nothing was sent yet: librdkafka does not take a setting
        raise UsageError(str(refused), refused.next_step) from None
    if target is not None:
        return _move(groups, arguments, target)
    return _COMMANDS[arguments.what](groups, arguments)


def _check_names(arguments: argparse.Namespace) -> None:
    from holdwater.prove.errors import UsageError

    groups = getattr(arguments, "groups", [])
    if "" in groups:
        raise UsageError("GROUP is empty", "name a group; holdwater group list shows them")
    if not arguments.bootstrap_server:
        raise UsageError("-b is empty", "name a broker: -b HOST:PORT")
    _check_address(arguments.bootstrap_server)
    for text in (arguments.bootstrap_server, *groups, *getattr(arguments, "topic", []), *arguments.client):
        if any("\ud800" <= letter <= "\udfff" for letter in text):  # Python's stand-in for bytes of the command line that are no UTF-8
            raise UsageError(f"{text!a} is no UTF-8", "write it in UTF-8")


def _check_address(text: str) -> None:
    """librdkafka takes any number for a port, and what is left of it after division by 65,536."""
    from holdwater.prove.errors import UsageError

    for part in text.split(","):
        host, separator, port = part.strip().rpartition("://")[2].rpartition(":")
        is_address = ":" in host and not host.endswith("]")  # of IPv6, without brackets, and so without a port
        if separator and not is_address and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65_536):
            raise UsageError(f"-b {part}: {port} is no port", "name a broker: -b HOST:PORT")


def _target(arguments: argparse.Namespace) -> "Target | None":
    """Where offsets are to be moved; ``None`` when they are to be shown."""
    from holdwater.admin.groups import Target
    from holdwater.prove.errors import UsageError

    if arguments.to is None:
        if arguments.execute or arguments.topic:
            raise UsageError("--execute and --topic move offsets, and --to does not say where", "add --to, or leave them out")
        return None
    try:
        return Target(arguments.to)
    except ValueError:
        raise UsageError(f"--to {arguments.to}: no such place", "one of earliest, latest, current, @MILLISECONDS, OFFSET, +N, -N") from None


def _complain(what: str, next_step: str) -> None:
    print(f"holdwater group: {what}", file=sys.stderr)
    if next_step:
        print(f"next: {next_step}", file=sys.stderr)


def _complain_of(rows: Sequence[Row]) -> int:
    """Says what is wrong with rows that have an error; returns the exit code."""
    wrong = [row for row in rows if "error" in row]
    for row in wrong:
        _complain(row["error"], row["next"])
    return 1 if wrong else 0


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
    rows, problem = groups.list_all()
    _print(rows, _LIST, arguments)
    if problem is not None:
        _complain(str(problem), problem.next_step)
    return 0 if problem is None else 1


def _describe(groups: "Groups", arguments: argparse.Namespace) -> int:
    described = groups.describe(arguments.groups)
    if _is_json(arguments):
        _print(described, (), arguments)
    else:
        found = [_description(group) for group in described if "error" not in group]
        print("\n\n".join(found), end="\n" if found else "")
    return _complain_of([*described, *(row for group in described for row in group.get("offsets", ()))])


def _description(group: Row) -> str:
    at = group["coordinator"]
    where = "" if at is None else f", coordinator {at['id']} ({at['host']}:{at['port']})"
    assignor = f", assignor {group['assignor']}" if group["assignor"] else ""
    lines = [f"{group['group']}: {group['state']}, {group['type']}{where}{assignor}"]
    for member in group["members"]:
        held = ", ".join(f"{each['topic']}-{each['partition']}" for each in member["assignment"]) or "nothing"
        instance = f" (instance {member['instance']})" if member["instance"] else ""
        lines.append(f"  member {member['member']}{instance}, client {member['client']} at {member['host']}: {held}")
    if group["offsets"]:
        lines.append(table(group["offsets"], _OFFSETS, indent="  "))
    return "\n".join(lines)


def _offsets(groups: "Groups", arguments: argparse.Namespace) -> int:
    rows = groups.offsets(arguments.groups[0])
    _print(rows, _OFFSETS, arguments)
    return _complain_of(rows)


def _move(groups: "Groups", arguments: argparse.Namespace, target: "Target") -> int:
    (group_id,) = arguments.groups
    planned = groups.plan(group_id, arguments.topic, target)
    for row in planned:
        if row["asked"] != row["target"]:
            what = "beyond the end" if row["asked"] > row["target"] else "before the start"
            place = f"{row['topic']}-{row['partition']}"
            print(f"warning: offset {row['asked']} is {what} of {place}; {row['target']} is taken instead", file=sys.stderr)
    if arguments.execute:
        groups.move(group_id, planned)
    _print(planned, _PLAN, arguments)
    if not arguments.execute:
        print("nothing was moved: --execute does it", file=sys.stderr)
    return 0


def _delete(groups: "Groups", arguments: argparse.Namespace) -> int:
    rows = groups.delete(arguments.groups)
    if _is_json(arguments):
        _print(rows, (), arguments)
    else:
        for row in rows:
            if row["deleted"]:
                print(f"group {row['group']} is deleted")
    return _complain_of(rows)


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
