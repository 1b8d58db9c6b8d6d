"""Snapshots of the metadata log: ``<end offset, 20 digits>-<epoch, 10 digits>.checkpoint`` beside it (KIP-630)."""

import re

from holdwater.kernel.ports import Disk, SnapshotId
from holdwater.storage.names import METADATA_SNAPSHOT_SUFFIX, PART_SUFFIX

_NAME = re.compile(r"(\d{20})-(\d{10})\.checkpoint", re.ASCII)


def snapshot_name(snapshot: SnapshotId) -> str:
    """File of a complete snapshot."""
    return f"{snapshot.end_offset:020d}-{snapshot.epoch:010d}{METADATA_SNAPSHOT_SUFFIX}"


class SnapshotFiles:
    """``kernel.ports.SnapshotStore`` in the directory of the metadata log."""

    def __init__(self, disk: Disk, directory: str) -> None:
        """Lists what is there, and removes what an interrupted write or removal left."""
        self._disk = disk
        self._directory = directory
        self._snapshots: list[SnapshotId] = []
        """Complete ones, rising."""
        for name in disk.list_directory(directory):
            match = _NAME.fullmatch(name)
            if match:
                self._snapshots.append(SnapshotId(int(match[1]), int(match[2])))
            elif name.endswith((METADATA_SNAPSHOT_SUFFIX + PART_SUFFIX, METADATA_SNAPSHOT_SUFFIX + ".deleted")):
                disk.remove_file(f"{directory}/{name}")
        self._snapshots.sort()

    def latest(self) -> SnapshotId | None:
        """The newest complete snapshot."""
        return self._snapshots[-1] if self._snapshots else None

    def all(self) -> list[SnapshotId]:
        """Every complete snapshot, rising."""
        return list(self._snapshots)

    def size(self, snapshot: SnapshotId) -> int:
        """Bytes of a snapshot. Raises ``FileNotFoundError``."""
        path = self._path(snapshot)
        if snapshot not in self._snapshots:
            raise FileNotFoundError(path)
        file = self._disk.open(path)
        try:
            return file.size
        finally:
            file.close()

    def read(self, snapshot: SnapshotId, position: int, max_bytes: int) -> bytes:
        """A slice of a snapshot. Raises ``FileNotFoundError``."""
        path = self._path(snapshot)
        if snapshot not in self._snapshots:
            raise FileNotFoundError(path)
        file = self._disk.open(path)
        try:
            return file.read(position, max_bytes)
        finally:
            file.close()

    def write(self, snapshot: SnapshotId, content: bytes) -> None:
        """Store a complete snapshot: written beside, synced, renamed, and the directory synced."""
        path = self._path(snapshot)
        part = path + PART_SUFFIX
        self._disk.remove_file(part)
        file = self._disk.open(part)
        try:
            file.append(content)
            file.sync()
        finally:
            file.close()
        self._disk.rename(part, path)
        self._disk.sync_directory(self._directory)
        if snapshot not in self._snapshots:
            self._snapshots.append(snapshot)
            self._snapshots.sort()

    def remove_older_than(self, snapshot: SnapshotId) -> None:
        """Remove every snapshot older than the given one."""
        for older in [one for one in self._snapshots if one < snapshot]:
            self._disk.remove_file(self._path(older))
            self._snapshots.remove(older)

    def _path(self, snapshot: SnapshotId) -> str:
        return f"{self._directory}/{snapshot_name(snapshot)}"
