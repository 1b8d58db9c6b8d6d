"""The ready file of a cluster: it appears when the cluster is ready, tells where it is, and goes when the cluster ends."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from holdwater.cluster.control import read_ready_file, send
from holdwater.cluster.plan import ClusterError


class ReadyFile:
    """One cluster's own. ``path`` is ``None`` for a cluster without one."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None

    def claim(self) -> None:
        """Remove what an ended cluster has left, which would say that this one is ready, and see that it can be written.

        Raises ``ClusterError`` when its cluster runs, or when it can't be.
        """
        if self._path is None:
            return
        if not self._path.name or self._path.is_dir():
            raise ClusterError(f"the ready file {self._path} is a folder; name a file with --ready-file")
        self._remove_old()
        part = self._part()
        try:
            part.write_text("")
            part.unlink()
        except OSError as problem:
            raise self._unwritable(problem) from problem

    def _remove_old(self) -> None:
        assert self._path is not None
        try:
            found = read_ready_file(self._path)
        except ClusterError:
            return  # there is none, or it is something else
        if _runs(found):
            raise ClusterError(
                f"{self._path} is the ready file of the cluster that runs in {found['data']}; name another with --ready-file"
            )
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def write(self, status: dict[str, Any]) -> None:
        """Whole or not at all. Raises ``ClusterError``."""
        if self._path is None:
            return
        part = self._part()
        try:
            part.write_text(json.dumps(status, indent=2) + "\n", encoding="utf-8")
            os.replace(part, self._path)
        except OSError as problem:
            raise self._unwritable(problem) from problem

    def _part(self) -> Path:
        assert self._path is not None
        return self._path.with_name(f"{self._path.name}.{os.getpid()}.part")

    def _unwritable(self, problem: OSError) -> ClusterError:
        return ClusterError(f"can't write the ready file {self._path}: {problem.strerror or problem}; name another with --ready-file")

    def remove(self) -> None:
        """Unless it is another cluster's by now."""
        if self._path is None:
            return
        with contextlib.suppress(ClusterError, OSError):
            if read_ready_file(self._path).get("pid") == os.getpid():
                self._path.unlink(missing_ok=True)


def _runs(found: dict[str, Any]) -> bool:
    """Whether the cluster that has written this is still there."""
    try:
        return send(Path(found["data"]), "status").get("pid") == found.get("pid")
    except ClusterError:
        return False
