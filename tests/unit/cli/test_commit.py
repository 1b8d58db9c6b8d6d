"""Which program made a report."""

import subprocess
from pathlib import Path

import pytest

from holdwater import __version__
from holdwater.cli import commit as module
from holdwater.cli.commit import commit


def test_in_its_own_repository_it_is_what_git_says() -> None:
    top = Path(module.__file__).parents[3]
    if not (top / ".git").exists():
        pytest.skip("not run from a repository")
    said = subprocess.run(["git", "-C", str(top), "describe", "--always", "--dirty", "--tags"], capture_output=True, text=True)
    assert commit() == said.stdout.strip()


def test_elsewhere_it_is_the_version(tmp_path: Path) -> None:
    """Installed into a venv that lies in somebody's repository, whose commits say nothing of this program."""
    package = tmp_path / "venv" / "holdwater"
    package.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    assert commit(package) == f"holdwater {__version__}"
