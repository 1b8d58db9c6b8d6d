"""Every story in this folder comes out as it is written."""

from pathlib import Path

import pytest
from tests.support.quorum_story import REWRITE, run_story

STORIES = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story(path: Path) -> None:
    told = run_story(path)
    if REWRITE:
        path.write_text(told)
    assert told == path.read_text()


def test_there_are_stories() -> None:
    assert len(STORIES) >= 10
