"""The quorum's storage as it really is, over a simulated disk: a partition log, snapshot files and the quorum-state file in a log directory.

It offers what ``quorum_storage`` offers, so that the same cluster and the same disorder run on it.
"""

from typing import Any

from tests.support.quorum_storage import Stored

from holdwater.core.quorum import BOOTSTRAP_SNAPSHOT, QuorumConfig
from holdwater.kernel.rng import Rng
from holdwater.sim.disk import SimDisk
from holdwater.storage.config import LogConfig
from holdwater.storage.directories import LogDirectories, format_directory
from holdwater.storage.properties import MetaProperties
from holdwater.wire.records import batches

PATH = "/data"
LOG_CONFIG = LogConfig(segment_bytes=4096, max_message_bytes=8 * 1024 * 1024)


class DiskLog:
    """The open ``PartitionLog``, and what tests ask of a log besides; after a crash, what there was."""

    def __init__(self, log: Any) -> None:
        self.opened = log
        self._left: list[Stored] | None = None
        self._durable: list[Stored] = []
        self._bounds = (0, 0)

    def __getattr__(self, name: str) -> Any:
        if self._left is not None and name in {"log_start_offset", "log_end_offset"}:
            return self._bounds[name == "log_end_offset"]
        return getattr(self.opened, name)

    @property
    def batches(self) -> list[Stored]:
        if self._left is not None:
            return self._left
        log = self.opened
        stored: list[Stored] = []
        offset = log.log_start_offset
        while offset < log.log_end_offset:
            data = log.read(offset, 1 << 20, log.log_end_offset, at_least_one=True)
            for position, header, end in batches(data):
                last = header.base_offset + header.last_offset_delta
                stored.append(Stored(header.base_offset, last, header.partition_leader_epoch, data[position:end]))
                offset = last + 1
        return stored

    def durable_batches(self) -> list[Stored]:
        if self._left is not None:
            return self._durable
        end = self.opened.synced_end_offset
        return [batch for batch in self.batches if batch.last_offset < end]

    def freeze(self) -> None:
        """The process is about to end."""
        if self._left is None:
            bounds = (self.opened.log_start_offset, self.opened.log_end_offset)
            left, durable = self.batches, self.durable_batches()
            self._left, self._durable, self._bounds = left, durable, bounds


class DiskStorage:
    """One node's disk."""

    def __init__(self, config: QuorumConfig, bootstrap: bytes | None) -> None:
        self._config = config
        self.disk = SimDisk()
        format_directory(self.disk, PATH, MetaProperties(config.cluster_id, config.node_id, config.directory_id))
        self.open()
        if bootstrap is not None:
            self.snapshots.write(BOOTSTRAP_SNAPSHOT, bootstrap)
        self.crash()

    def open(self) -> None:
        """Recover what is there, as a starting process does."""
        directories = LogDirectories(self.disk, [PATH], cluster_id=self._config.cluster_id, node_id=self._config.node_id)
        directories.open()
        self.log: Any = DiskLog(directories.open_metadata_log(LOG_CONFIG, 0))
        self.snapshots: Any = directories.snapshot_store()
        self.votes: Any = directories.vote_store()

    def crash(self) -> None:
        """The process ends, the page cache stays."""
        self.log.freeze()
        self.disk.crash()

    def power_loss(self, rng: Rng) -> None:
        """What was not synced is gone, or a random part of it."""
        self.log.freeze()
        self.disk.power_loss(rng if rng.chance(0.8) else None)
