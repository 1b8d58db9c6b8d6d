"""The leader-epoch cache: which leader epoch began at which offset (KIP-101), kept in ``leader-epoch-checkpoint``.

Invariants: epochs and start offsets both strictly rise. The first entry starts where the log starts, once that was raised.
The file follows every change at once; it is synced with the log (``sync``), before the recovery point passes what it speaks of.
"""

from bisect import bisect_left, bisect_right

from holdwater.kernel.invariant import invariant
from holdwater.kernel.ports import Disk, EpochEnd
from holdwater.storage.checkpoints import DamagedFile, format_pairs, parse_pairs
from holdwater.storage.names import LEADER_EPOCH_FILE
from holdwater.storage.segment import sync_path


class LeaderEpochs:
    """Entries of (leader epoch, start offset) in memory and in the file."""

    __slots__ = ("_deferred", "_disk", "_epochs", "_path", "_starts", "_unsynced", "is_behind")

    def __init__(self, disk: Disk, directory: str) -> None:
        self._disk = disk
        self._path = f"{directory}/{LEADER_EPOCH_FILE}"
        self._epochs: list[int] = []
        self._starts: list[int] = []
        self._unsynced = False
        self._deferred = False
        self.is_behind = False
        """Whether the file says something else: changes were deferred, and not stored since."""

    def load(self) -> bool:
        """Read the file. Returns whether it could be trusted: a damaged one, or none, leaves the cache empty."""
        try:
            pairs = parse_pairs(self._disk.read_file(self._path).decode("utf-8", "replace"), self._path)
        except (FileNotFoundError, DamagedFile):
            return False
        if not all(epoch.isdigit() for epoch, _ in pairs):
            return False
        epochs = [int(epoch) for epoch, _ in pairs]
        starts = [start for _, start in pairs]
        if epochs != sorted(set(epochs)) or starts != sorted(set(starts)):
            return False
        self._epochs, self._starts = epochs, starts
        return True

    def copy(self) -> "LeaderEpochs":
        """What the cache says now, to ask later; never to be changed."""
        copied = LeaderEpochs(self._disk, "")
        copied._epochs, copied._starts = list(self._epochs), list(self._starts)
        return copied

    @property
    def latest(self) -> int:
        """Largest leader epoch, or -1."""
        return self._epochs[-1] if self._epochs else -1

    @property
    def first_start(self) -> int:
        """Where the smallest leader epoch starts, or -1."""
        return self._starts[0] if self._starts else -1

    def entries(self) -> list[tuple[int, int]]:
        """All (leader epoch, start offset)."""
        return list(zip(self._epochs, self._starts, strict=True))

    def assign(self, epoch: int, start_offset: int) -> None:
        """Note that ``epoch`` starts at ``start_offset``. Entries that contradict it, later or with a later start, go (no data can be theirs)."""
        invariant(epoch >= 0 and start_offset >= 0, f"leader epoch {epoch} cannot start at offset {start_offset}")
        epochs, starts = self._epochs, self._starts
        if epochs and epochs[-1] == epoch and starts[-1] <= start_offset:
            return
        keep = min(bisect_left(epochs, epoch), bisect_left(starts, start_offset))
        self._replace([*epochs[:keep], epoch], [*starts[:keep], start_offset])

    def drop_from(self, offset: int) -> None:
        """Forget epochs that start at or above ``offset`` (the log was cut there). A file that was left behind is written anew too."""
        keep = bisect_left(self._starts, offset)
        if keep < len(self._starts) or self.is_behind:
            self._replace(self._epochs[:keep], self._starts[:keep])

    def start_at(self, offset: int) -> None:
        """Forget epochs that end at or below ``offset``, the new log start; the one that holds it starts there now."""
        keep = bisect_right(self._starts, offset) - 1
        if keep > 0 or (keep == 0 and self._starts[0] != offset):
            self._replace(self._epochs[keep:], [offset, *self._starts[keep + 1 :]])

    def defer(self) -> None:
        """Leave the file alone until ``store``: half of what recovery finds must not be taken for all of it after another crash."""
        self._deferred = True

    def store(self) -> None:
        """End ``defer`` and write the file."""
        self._deferred = False
        self._replace(self._epochs, self._starts)

    def keep_file(self) -> None:
        """End ``defer`` and leave the file as it was until the next change, or the next cut."""
        self._deferred = False

    def clear(self) -> None:
        """Forget everything, durably: recovery takes the first entry for a log start, and the log may start lower from now on."""
        if self._disk.exists(self._path):
            self._write([], [], durable=True)
        self._epochs, self._starts = [], []
        self._unsynced = self.is_behind = False

    def end_offset_for(self, epoch: int, log_end_offset: int) -> EpochEnd | None:
        """The largest known epoch not above ``epoch`` and where it ends."""
        index = bisect_right(self._epochs, epoch) - 1
        if index < 0:
            return None
        end = self._starts[index + 1] if index + 1 < len(self._starts) else log_end_offset
        return EpochEnd(self._epochs[index], end)

    def epoch_at(self, offset: int) -> int:
        """Epoch of the record at ``offset``, or -1 before the first entry."""
        index = bisect_right(self._starts, offset) - 1
        return self._epochs[index] if index >= 0 else -1

    def begin_sync(self) -> bool:
        """Whether the file changed since the last sync; ``sync`` is then owed."""
        unsynced, self._unsynced = self._unsynced, False
        return unsynced

    def sync(self) -> None:
        """Make the file's content durable; its directory entry is the caller's. Touches nothing in memory, so it may run off the loop."""
        sync_path(self._disk, self._path)

    def _replace(self, epochs: list[int], starts: list[int]) -> None:
        """Take new entries, the file first: after a failed write the cache says what the file says."""
        if not self._deferred:
            self._write(epochs, starts, durable=False)
        self.is_behind = self._deferred
        self._epochs, self._starts = epochs, starts
        self._unsynced = True

    def _write(self, epochs: list[int], starts: list[int], *, durable: bool) -> None:
        content = format_pairs([(str(epoch), start) for epoch, start in zip(epochs, starts, strict=True)])
        self._disk.replace_file(self._path, content.encode("ascii"), durable=durable)
