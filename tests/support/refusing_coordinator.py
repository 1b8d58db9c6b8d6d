"""A cluster whose group coordinator refuses the first requests for committed offsets, or to leave, as one that has just moved away does.

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


_LEAVES_CODE = """
import sys

from holdwater.broker.handlers import group_membership

is_asked = True
find_group = group_membership.group_shard


def hold(broker, group_id):
    global is_asked
    frame = sys._getframe(1)
    leaves = frame.f_code is group_membership._through.__code__ and getattr(frame.f_locals["request"], "member_epoch", 0) == -2
    if leaves and is_asked:
        is_asked = False
        print("refused to let go of", group_id, file=sys.stderr, flush=True)
        return {error_code}
    return find_group(broker, group_id)


group_membership.group_shard = hold
"""


def refuse_offsets(folder: Path, monkeypatch: pytest.MonkeyPatch, error_code: int, count: int = 1, *, leaves: bool = False) -> None:
    """Clusters that are started from now on do so, in each broker's process; with ``leaves`` the first static member that leaves is refused, too."""
    folder.mkdir()
    code = _CODE.format(count=count, error_code=error_code) + (_LEAVES_CODE.format(error_code=error_code) if leaves else "")
    (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))
