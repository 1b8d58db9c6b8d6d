"""A cluster whose group coordinator refuses the first requests for committed offsets, as one that has just moved away does.

No broker of ours or of others can be made to do so at the wished moment, so the processes of the cluster are told when their Python starts.
"""

from pathlib import Path

import pytest

_CODE = """
import sys

from holdwater.broker.handlers import group_offsets

left = {count}
find = group_offsets.group_shard


def refuse(broker, group_id):
    global left
    if sys._getframe(1).f_code is group_offsets._fetch_one.__code__ and left > 0:
        left -= 1
        print("refused to tell offsets of", group_id, file=sys.stderr, flush=True)
        return {error_code}
    return find(broker, group_id)


group_offsets.group_shard = refuse
"""


def refuse_offsets(folder: Path, monkeypatch: pytest.MonkeyPatch, error_code: int, count: int = 1) -> None:
    """Clusters that are started from now on do so, in each broker's process."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_CODE.format(count=count, error_code=error_code), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))
