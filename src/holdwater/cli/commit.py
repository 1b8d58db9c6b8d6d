"""Which program this is: what git says of the source that runs, or the version of the package."""

import subprocess
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def commit(package: Path = _PACKAGE) -> str:
    """``git describe`` where the package runs from its own repository, else ``holdwater`` and the version."""
    from holdwater import __version__

    top = _git(package, "rev-parse", "--show-toplevel")
    if top and (Path(top) / "src" / "holdwater").resolve() == package.resolve():  # not somebody's repository that has a venv in it
        found = _git(package, "describe", "--always", "--dirty", "--tags")
        if found:
            return found
    return f"holdwater {__version__}"


def _git(folder: Path, *arguments: str) -> str:
    """What git answers about a folder; empty when it has no answer."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
