"""One sync of a log, taken apart so that the waiting may happen off the loop."""

from holdwater.kernel.ports import Disk, File
from holdwater.storage.epochs import LeaderEpochs
from holdwater.storage.segment import Segment, sync_path


class Unsynced:
    """What of a log a power loss could still take, besides the records above its synced end offset."""

    __slots__ = ("directory_changed", "directory_new", "paths", "segments")

    def __init__(self, segments: list[Segment]) -> None:
        self.segments = segments
        """Inactive ones that were not synced since they were rolled."""
        self.directory_changed = True
        """Whether files were made, removed or replaced."""
        self.directory_new = True
        """Whether the log's own directory may be missing from its parent."""
        self.paths: list[str] = []
        """Small files written since."""

    def settle(self) -> None:
        """Note that all of it is durable."""
        self.segments = []
        self.directory_changed = self.directory_new = False

    def keep(self, remaining: list[Segment], active: Segment) -> None:
        """Follow a cut or a removal of segments."""
        self.segments = [one for one in self.segments if one in remaining and one is not active]
        self.directory_changed = True

    def fill(self, job: "SyncJob", active: Segment, epochs: LeaderEpochs, *, has_records: bool) -> None:
        """Hand everything over to a sync that begins. ``has_records``: some lie above the synced end offset."""
        job.epochs = epochs if epochs.begin_sync() else None
        job.paths, self.paths = self.paths, []
        job.rolled = list(self.segments)
        job.directory_changed = self.directory_changed or job.epochs is not None or bool(job.paths)
        job.directory_new = self.directory_new
        if has_records or job.directory_changed:
            job.files = [segment.file for segment in [*job.rolled, active]]
        self.directory_changed = self.directory_new = False


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
