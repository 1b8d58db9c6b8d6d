"""One sync of a log, taken apart so that the waiting may happen off the loop."""

from holdwater.kernel.ports import Disk, File
from holdwater.storage.epochs import LeaderEpochs
from holdwater.storage.segment import Segment, sync_path


class SyncJob:
    """What one sync has to make durable, collected by ``PartitionLog.begin_sync``.

    ``run`` touches files only, nothing of the log in memory, so another thread may call it; ``finish_sync`` follows on the loop.
    """

    __slots__ = ("cut_count", "directory_changed", "directory_new", "disk", "end_offset", "epochs", "files", "path", "paths", "rolled")

    def __init__(self, disk: Disk, path: str, end_offset: int, cut_count: int) -> None:
        self.disk = disk
        self.path = path
        self.end_offset = end_offset
        """What is durable afterwards, if the log was not cut meanwhile (``cut_count``)."""
        self.cut_count = cut_count
        self.files: list[File] = []
        self.rolled: list[Segment] = []
        self.paths: list[str] = []
        self.epochs: LeaderEpochs | None = None
        self.directory_changed = False
        self.directory_new = False

    def run(self) -> None:
        """Sync the files, then the directory entries. Raises ``DiskFailure``; the log directory is then to go offline."""
        for file in self.files:
            file.sync()
        for segment in self.rolled:
            segment.sync_indexes()
        for path in self.paths:
            sync_path(self.disk, path)
        if self.epochs is not None:
            self.epochs.sync()
        if self.directory_changed:
            self.disk.sync_directory(self.path)
        if self.directory_new:
            self.disk.sync_directory(self.path.rpartition("/")[0] or "/")
