"""What ``holdwater prove`` leaves behind and shows: where the evidence goes, the JUnit file, and the verdicts on standard output."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdwater.cli.main import EXIT_BROKEN, say_unwritten, write_no_more
from holdwater.prove.errors import UsageError
from holdwater.prove.evidence import is_of_a_run
from holdwater.prove.report import junit, text
from holdwater.prove.report.document import exit_code
from holdwater.prove.scenario import Scenario

EVIDENCE = Path("holdwater-evidence")


def check_junit_beside(path: Path, evidence: Path | None, scenarios: list[Scenario]) -> None:
    """Before a run: it may stand in the folder of the evidence, but not in place of a part of it. Raises ``UsageError``."""
    folders = [folder_of(evidence, scenario.name, len(scenarios)) for scenario in scenarios] if evidence else [EVIDENCE / "any"]
    if any(is_of_a_run(folder, path) for folder in folders):
        raise UsageError(f"{path} is part of the evidence", "name another file with --junit")
    check_junit(path, evidence or EVIDENCE)


def folder_of(evidence: Path, scenario: str, scenarios: int) -> Path:
    """Where the evidence of one scenario goes: a folder of its own when there are several."""
    return evidence / scenario if scenarios > 1 else evidence


def check_junit(path: Path, evidence: Path | None = None) -> None:
    """Raises ``UsageError`` when the file could not be written at the end. Its folder may be one that the ``evidence`` brings with it."""
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


def show(
    reports: list[dict[str, Any]],
    hashes: list[str],
    arguments: argparse.Namespace,
    without: Sequence[str] = (),
    *,
    notes: Sequence[str] = (),
) -> int:
    """Write the JUnit file and print the verdicts, whether it could be written or not; returns the exit code.

    ``without`` names the scenarios that have no verdict, ``notes`` are for standard error. Data that were lost stay lost even if nobody can
    be told; what keeps any other verdict from being told is raised.
    """
    code = exit_code([report["verdict"] for report in reports], complete=not without)
    try:
        problem = _write_junit(reports, without, arguments.junit) if arguments.junit else ""
        _print(reports, hashes, arguments, without)
        for note in [*notes, *([f"holdwater prove: {problem}"] if problem else [])]:
            print(note, file=sys.stderr)
        return code or (3 if problem else 0)
    except (OSError, KeyboardInterrupt) as failure:
        if code != EXIT_BROKEN:
            raise
        write_no_more()
        if isinstance(failure, OSError):
            say_unwritten("holdwater prove", failure)
        return code


def _print(reports: list[dict[str, Any]], hashes: list[str], arguments: argparse.Namespace, without: Sequence[str]) -> None:
    """The verdicts, to the last byte: a reader that is gone, or no room, must be noticed here."""
    if arguments.format == "json":
        shown = [report | {"evidence_sha256": value} if value else report for report, value in zip(reports, hashes, strict=True)]
        print(json.dumps({"reports": shown, "without_verdict": list(without)} if len(arguments.scenario) > 1 else shown[0]))
    else:
        for report, value in zip(reports, hashes, strict=True):
            print(_encodable(text.render(report, value)), end="")
    sys.stdout.flush()


def _encodable(shown: str) -> str:
    """What a standard output that is not UTF-8 cannot take is shown as Python would write it, rather than not at all."""
    encoding = sys.stdout.encoding or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def _write_junit(reports: list[dict[str, Any]], without: Sequence[str], path: Path) -> str:
    """Returns what went wrong; empty when it is written."""
    try:
        path.write_text(junit.render(reports, without), encoding="utf-8")
    except OSError as error:
        return f"cannot write {path}: {error.strerror}"
    return ""
