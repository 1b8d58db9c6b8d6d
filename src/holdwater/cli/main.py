"""``holdwater COMMAND ...``: finds the command's module and hands over.

A command is a module with ``add_arguments(parser)`` and ``run(arguments) -> exit code``. Only the module of the command that was asked for
is imported, so that ``holdwater up`` does not pay for the tools, nor they for the cluster.
"""

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple, TextIO

EXIT_HELD, EXIT_BROKEN, EXIT_USAGE, EXIT_INVALID = 0, 1, 2, 3
EXIT_INTERRUPTED = 130
"""What a shell expects of a command that Ctrl-C has ended (128 + SIGINT). A command that says more of it has an exit code of its own."""


class Command(NamedTuple):
    """Where a command lives, and its line in the help."""

    module: str
    summary: str


COMMANDS: dict[str, Command] = {
    "up": Command("holdwater.cli.up", "a cluster on this machine"),
    "broker": Command("holdwater.cli.broker", "one broker in the foreground, from a server.properties"),
    "cluster": Command("holdwater.cli.cluster", "kill, stop, pause, resume or start a broker of a running cluster"),
    "prove": Command("holdwater.cli.prove", "make a failure happen under a real client, and say what was lost"),
    "group": Command("holdwater.cli.group", "groups of any Kafka: list, describe, show or move offsets, delete"),
    "simulate": Command("holdwater.cli.simulate", "play whole clusters in virtual time, each from a seed, and judge what came of them"),
    "verifiable-producer": Command("holdwater.cli.verifiable_producer", "Kafka's VerifiableProducer: its flags, its JSON lines"),
    "verifiable-consumer": Command("holdwater.cli.verifiable_consumer", "Kafka's VerifiableConsumer: its flags, its JSON lines"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (0 held, 1 broken or findings, 2 usage, 3 invalid or its output cannot be written, 130 interrupted)."""
    _stand_in_for_closed_streams()
    try:
        try:
            return _run(list(sys.argv[1:] if argv is None else argv))
        finally:
            print(end="", flush=True)  # a reader that is gone must be noticed here, not when Python ends
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever reads has read enough
        write_no_more()
        return EXIT_INVALID
    except OSError as failure:
        if not is_no_room(failure):
            raise
        write_no_more()
        say_unwritten("holdwater", failure)
        return EXIT_INVALID


def _stand_in_for_closed_streams() -> None:
    """A shell's ``>&-`` leaves Python without a stream: what is said goes nowhere then, and no file that is opened later gets its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number is this one
    if sys.stdout is None:
        sys.stdout = _nowhere()
    if sys.stderr is None:
        sys.stderr = _nowhere()


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")


def is_no_room(failure: OSError) -> bool:
    """Whether there is no room for what a command says: files that it opens by name are its own to speak of."""
    return failure.filename is None and failure.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def write_no_more() -> None:
    """What is still to be written would fail again when Python ends."""
    _to_nowhere(sys.stdout)
    try:
        sys.stderr.flush()
    except OSError:
        _to_nowhere(sys.stderr)


def _to_nowhere(stream: TextIO) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say_unwritten(who: str, failure: OSError) -> None:
    """That the output could not be written, on standard error, which may lead to the same place. Never raises."""
    next_step = "\nnext: make room where the output goes" if is_no_room(failure) else ""
    try:
        print(f"{who}: cannot write: {failure.strerror}{next_step}", file=sys.stderr, flush=True)
    except OSError:
        _to_nowhere(sys.stderr)


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help(), end="")
        return EXIT_HELD if arguments else EXIT_USAGE
    if arguments[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"holdwater {version('holdwater')}")
        return EXIT_HELD
    command = COMMANDS.get(arguments[0])
    if command is None:
        print(_unknown(arguments[0]), file=sys.stderr)
        return EXIT_USAGE
    module = importlib.import_module(command.module)
    parser = argparse.ArgumentParser(
        prog=f"holdwater {arguments[0]}", description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(arguments[1:])))


def _help() -> str:
    width = max(len(name) for name in COMMANDS)
    lines = [f"  {name:<{width}}  {command.summary}\n" for name, command in COMMANDS.items()]
    return (
        "usage: holdwater COMMAND ...\n\n"
        "Does your pipeline hold water? A Kafka-compatible cluster, and tools that prove what is lost when things fail.\n\n"
        f"{''.join(lines)}\n"
        "holdwater COMMAND --help says more of one; holdwater --version prints the version.\n"
    )


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"holdwater: there is no command '{name}'{meant}\nholdwater --help lists them"


if __name__ == "__main__":
    sys.exit(main())
