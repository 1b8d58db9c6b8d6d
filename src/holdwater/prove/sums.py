"""Whether a sealed evidence folder is what was sealed: every file with its sum, and nothing judged that has none."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from holdwater.prove.evidence import RUN, SUMS
from holdwater.prove.history.damage import EvidenceDamaged
from holdwater.prove.history.parts import recorded

_LOGS = "logs/"
"""Not judged, and not checked: what a start command left running in the foreground writes on."""
_LINE = re.compile(r"([0-9a-f]{64})  ([^\x00-\x1f]+)")


def check_sums(folder: Path) -> str:
    """The hash of ``SHA256SUMS`` when the folder agrees with it; empty when it was never sealed. Raises ``EvidenceDamaged``."""
    data = _read(folder)
    if data is None:
        return ""
    sums = list(_entries(data))
    problems = [problem for name, value in sums if not name.startswith(_LOGS) and (problem := _problem(folder, name, value))]
    named = {name for name, _ in sums}
    judged = (path.relative_to(folder).as_posix() for path in (folder / RUN, *recorded(folder)))
    # Otherwise a line that was taken out would hide what was done to its file.
    problems += [f"{name} is not named in {SUMS}" for name in judged if name not in named]
    if problems:
        raise EvidenceDamaged(problems)
    return hashlib.sha256(data).hexdigest()


def is_sealed(folder: Path, path: Path) -> bool:
    """Whether the path is ``SHA256SUMS`` of the folder, or a file that it names. Raises ``EvidenceDamaged`` for a malformed one."""
    data = _read(folder)
    sealed = [] if data is None else [SUMS, *(name for name, _ in _entries(data))]
    return path.resolve() in {(folder / name).resolve() for name in sealed}


def _read(folder: Path) -> bytes | None:
    path = folder / SUMS
    try:
        return path.read_bytes()
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and not path.is_symlink():
            return None  # a link to nothing is not one: somebody put it there
        raise EvidenceDamaged([f"{SUMS} cannot be read: {error.strerror}"]) from error


def _entries(data: bytes) -> Iterator[tuple[str, str]]:
    """Name and sum of each line. Raises ``EvidenceDamaged``."""
    text = data.decode(errors="replace")
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        found = _LINE.fullmatch(line)
        name = PurePosixPath(found[2] if found else "")
        if found is None or not name.parts:
            raise EvidenceDamaged([f"{SUMS}, line {number}, is no checksum with the name of a file"])
        if name.is_absolute() or ".." in name.parts:
            raise EvidenceDamaged([f"{SUMS} names {name}, which is not in the folder"])
        yield name.as_posix(), found[1]


def _problem(folder: Path, name: str, value: str) -> str:
    """What is wrong with one file; empty when it is what it was."""
    path = folder / name
    try:
        if not path.is_file():
            return f"{name} is missing"
        with path.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == value
    except OSError as error:
        return f"{name} cannot be read: {error.strerror}"
    return "" if same else f"{name} is not the file that was written"
