"""The producer snapshot files of one partition: one for each segment but the first, at its base offset, and one at the end after a clean stop."""

from holdwater.kernel.ports import CorruptRecords, Disk
from holdwater.storage.names import PRODUCER_SNAPSHOT_SUFFIX, parse_segment_file, segment_file
from holdwater.storage.producer_snapshot import decode_snapshot, encode_snapshot
from holdwater.storage.producers import Producers


class ProducerFiles:
    """Knows the snapshots by offset; a damaged one is removed, since older ones and the log hold the same."""

    __slots__ = ("_directory", "_disk", "_offsets")

    def __init__(self, disk: Disk, directory: str, names: list[str] | None = None) -> None:
        """``names``: what the directory holds, for a log that is being opened."""
        self._disk = disk
        self._directory = directory
        parsed = [parse_segment_file(name) for name in names or []]
        self._offsets = sorted(entry[0] for entry in parsed if entry is not None and entry[1] == PRODUCER_SNAPSHOT_SUFFIX)

    def write(self, producers: Producers) -> str | None:
        """Store the state under its end offset, unsynced; returns the file. At offset 0 there is nothing to store."""
        offset = producers.end_offset
        if offset <= 0:
            return None
        path = self._path(offset)
        self._disk.replace_file(path, encode_snapshot(producers), durable=False)
        if offset not in self._offsets:
            self._offsets.append(offset)
            self._offsets.sort()
        return path

    def load(self, log_start_offset: int, end_offset: int) -> Producers:
        """The state of the newest readable snapshot at or below ``end_offset``, or an empty one at the log start."""
        for offset in reversed(list(self._offsets)):
            if log_start_offset <= offset <= end_offset:
                try:
                    return decode_snapshot(self._disk.read_file(self._path(offset)), offset)
                except (CorruptRecords, FileNotFoundError):
                    self._remove(offset)
        return Producers(log_start_offset)

    def remove_above(self, offset: int) -> None:
        """Remove the snapshots of states beyond ``offset``."""
        for stale in [one for one in self._offsets if one > offset]:
            self._remove(stale)

    def remove_below(self, offset: int) -> None:
        """Remove the snapshots that stand for nothing that is still in the log."""
        for stale in [one for one in self._offsets if one < offset]:
            self._remove(stale)

    def remove_at(self, offset: int) -> None:
        """Remove the snapshot of the state at ``offset``, if there is one."""
        if offset in self._offsets:
            self._remove(offset)

    def remove_all(self) -> None:
        """Remove every snapshot."""
        for stale in list(self._offsets):
            self._remove(stale)

    def _remove(self, offset: int) -> None:
        self._disk.remove_file(self._path(offset))
        self._offsets.remove(offset)

    def _path(self, offset: int) -> str:
        return f"{self._directory}/{segment_file(offset, PRODUCER_SNAPSHOT_SUFFIX)}"
