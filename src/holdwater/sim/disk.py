"""A disk in memory that can lose power: kernel.ports.Disk with synced and unsynced state kept apart.

What the running process sees is the page cache. ``crash`` ends the process and keeps the page cache: open files go stale, nothing is lost.
``power_loss`` keeps only what was synced, file contents and directory entries alike, plus a random part of the rest when it is given
randomness: pages of 4 KiB survive singly and in any order, files keep any length between, renames and creations happen or do not.

Faults: ``on_operation`` is called before each operation and may return a fault, or let the operation take its time (``stall``). ``arm`` puts
several such hooks together. ``capacity_bytes`` makes the disk full.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from holdwater.kernel.ports import DiskFailure
from holdwater.kernel.rng import Rng
from holdwater.sim.disk_tree import Entries, StoredFile, clean, drop, move, name_of, parent_of, rooted

STALL_MAX_US = 15_000_000
"""The longest that the operations of one event may take together."""


class Crashed(Exception):  # noqa: N818 - named for what happened to the process
    """The simulated process ended inside a disk operation, or used a file that it had opened before it ended."""


class Fault(Enum):
    """What an operation may meet."""

    IO_ERROR = auto()
    """It fails and changes nothing. A file whose sync failed has lost what was unsynced, and says so to nobody later."""
    FULL = auto()
    """It fails for want of space; half of an append is written."""
    CRASH = auto()
    """The process ends before it."""
    CRASH_TORN = auto()
    """The process ends in the middle: half of an append is in the page cache."""
    BIT_FLIP = auto()
    """A read from a file returns what ``SimDisk.flip`` makes of the bytes; those on the disk stay as they are."""


class Operation(NamedTuple):
    """One call about to happen: its number since the disk was made, its name in the port, its path, the bytes it writes."""

    number: int
    name: str
    path: str
    size: int


Hook = Callable[[Operation], Fault | None]


class SimFile:
    """An open file of a ``SimDisk``."""

    __slots__ = ("_disk", "_generation", "_node", "_path")

    def __init__(self, disk: "SimDisk", path: str, node: StoredFile) -> None:
        self._disk = disk
        self._path = path
        self._node: StoredFile | None = node
        self._generation = disk.generation

    def _open(self) -> StoredFile:
        if self._generation != self._disk.generation:
            raise Crashed(f"{self._path} was opened by a process that has ended")
        if self._node is None:
            raise DiskFailure(self._path, "use", "the file is closed")
        return self._node

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self._open().content)

    def append(self, *parts: bytes | memoryview) -> None:
        """Write all parts at the end."""
        node = self._open()
        data = b"".join(parts)
        half = len(data) // 2
        fault = self._disk.begin("append", self._path, len(data))
        if fault in {Fault.FULL, Fault.CRASH_TORN}:
            node.content += data[:half]
        self._disk.end(fault, "append", self._path)
        room = self._disk.room_bytes()
        if len(data) > room:
            node.content += data[: max(room, 0)]
            raise self._disk.failure(self._path, "append to", "No space left on device", full=True)
        node.content += data

    def read(self, position: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``position``."""
        node = self._open()
        fault = self._disk.begin("read", self._path, 0)
        data = bytes(node.content[position : position + length])
        if fault is Fault.BIT_FLIP:
            return self._disk.flip(self._path, position, data)
        self._disk.end(fault, "read", self._path)
        return data

    def truncate(self, length: int) -> None:
        """Cut the file to ``length`` bytes."""
        node = self._open()
        self._disk.end(self._disk.begin("truncate", self._path, 0), "truncate", self._path)
        node.truncate(length)

    def sync(self) -> None:
        """Make everything written so far durable."""
        node = self._open()
        fault = self._disk.begin("sync", self._path, 0)
        if fault in {Fault.IO_ERROR, Fault.FULL}:
            self._disk.lose_sync(node)
        self._disk.end(fault, "sync", self._path)
        if node.lost_sync:
            raise self._disk.failure(self._path, "sync", "an earlier sync failed")
        node.sync()

    def close(self) -> None:
        """Release the handle."""
        self._node = None


class SimDisk:
    """A file system in memory. Directories are paths mapped to ``None``; the parent of every path must exist, as on a real disk."""

    def __init__(self, *, capacity_bytes: int | None = None) -> None:
        self.capacity_bytes = capacity_bytes
        self.on_operation: Hook | None = None
        self.flip: Callable[[str, int, bytes], bytes] = lambda path, position, data: data
        """What a read with ``Fault.BIT_FLIP`` returns: takes path, position in the file, and the right bytes."""
        self.stall_us = 0
        """How long the operations of the present event have taken so far; the host takes it off when it lets that time pass."""
        self.injected: list[str] = []
        """Failures that this process was told of, all of them made here: the messages."""
        self.operation_count = 0
        self.generation = 0
        self._hooks: list[Hook] = []
        self._lost_sync: list[StoredFile] = []
        self._cached: Entries = {"/": None}
        self._platter: Entries = {"/": None}
        self._renames: list[tuple[str, str]] = []  # in the page cache only

    def arm(self, hook: Hook) -> None:
        """Ask ``hook`` before each operation; the first of several that names a fault decides, and those after it are not asked."""
        self._hooks.append(hook)
        self._put_hooks_together()

    def disarm(self, hook: Hook) -> None:
        """Ask it no more; no error if it is not asked."""
        if hook in self._hooks:
            self._hooks.remove(hook)
            self._put_hooks_together()

    def disarm_all(self) -> None:
        """No faults any more."""
        self._hooks.clear()
        self.on_operation = None

    def _put_hooks_together(self) -> None:
        hooks = self._hooks
        self.on_operation = self._ask_all if len(hooks) > 1 else hooks[0] if hooks else None

    def _ask_all(self, operation: Operation) -> Fault | None:
        for hook in list(self._hooks):
            fault = hook(operation)
            if fault is not None:
                return fault
        return None

    def stall(self, duration_us: int) -> None:
        """Let the present operation take so long."""
        self.stall_us = min(self.stall_us + duration_us, STALL_MAX_US)

    def crash(self) -> None:
        """End the process: files opened so far go stale, the page cache stays.

        Of a file whose sync failed it does not: nobody writes those pages any more, so the system may drop them, and does.
        """
        self.generation += 1
        for node in self._lost_sync:
            node.lose_power(None)
        self._lost_sync.clear()
        self.injected.clear()
        self.stall_us = 0

    def wipe(self) -> None:
        """Another disk, an empty one, is put in its place; the process has ended before."""
        self.generation += 1
        self._cached = {"/": None}
        self._platter = {"/": None}
        self._renames.clear()
        self._lost_sync.clear()

    def power_loss(self, rng: Rng | None = None) -> None:
        """Lose power: without ``rng`` everything unsynced is gone, with it a random part of it survives."""
        self.generation += 1
        self._lost_sync.clear()
        entries = dict(self._platter)
        if rng is not None:
            self._keep_some(entries, rng)
        self._renames.clear()
        self._cached = {path: node for path, node in sorted(entries.items()) if rooted(path, entries)}
        for node in dict.fromkeys(self._cached.values()):
            if node is not None:
                node.lose_power(rng)
        self._platter = dict(self._cached)

    def settle(self) -> None:
        """Let time pass in which the operating system writes everything to the platter of its own accord."""
        for node in dict.fromkeys(self._cached.values()):
            if node is not None:
                node.sync()
        self._platter = dict(self._cached)
        self._renames.clear()

    def _keep_some(self, entries: Entries, rng: Rng) -> None:
        """Let a random part of the unsynced directory changes reach ``entries``; a rename happens as a whole or not at all."""
        undone: list[str] = []
        for source, target in self._renames:
            if source in entries and rng.chance(0.5):
                move(entries, source, target)
            else:
                undone += [source, target]
        for path in sorted({**self._cached, **entries}):
            if any(path == name or path.startswith(name + "/") for name in undone):
                continue
            if self._cached.get(path, path) is not entries.get(path, path) and rng.chance(0.5):
                if path in self._cached:
                    entries[path] = self._cached[path]
                else:
                    del entries[path]

    def damage(self, path: str, position: int, mask: int) -> None:
        """Flip the bits of ``mask`` in one byte, in the page cache and on the platter."""
        node = self._file(clean(path))
        node.content[position] ^= mask
        node.sync()

    def zero(self, path: str, position: int, length: int) -> None:
        """Fill a part of a file with zeros, in the page cache and on the platter."""
        node = self._file(clean(path))
        end = min(position + length, len(node.content))
        node.content[position:end] = bytes(end - position)
        node.sync()

    def cut(self, path: str, length: int) -> None:
        """Cut a file, in the page cache and on the platter, as a file system does that has lost the end of it."""
        node = self._file(clean(path))
        node.truncate(length)
        node.sync()

    def platter(self, path: str) -> bytes:
        """What a power loss would leave of a file at the least. Raises ``FileNotFoundError``."""
        node = self._platter.get(clean(path))
        if node is None:
            raise FileNotFoundError(path)
        return bytes(node.content[: node.stable]) + node.platter_tail

    def room_bytes(self) -> int:
        """Bytes that still fit."""
        if self.capacity_bytes is None:
            return 1 << 62
        return self.capacity_bytes - sum(len(node.content) for node in self._cached.values() if node is not None)

    def begin(self, name: str, path: str, size: int) -> Fault | None:
        """Count an operation and ask for its fault."""
        self.operation_count += 1
        if self.on_operation is None:
            return None
        return self.on_operation(Operation(self.operation_count, name, path, size))

    def end(self, fault: Fault | None, name: str, path: str) -> None:
        """Raise what the fault stands for."""
        if fault is None:
            return
        if fault in {Fault.CRASH, Fault.CRASH_TORN}:
            raise Crashed(f"in {name} {path}")
        if fault is Fault.FULL:
            raise self.failure(path, name, "No space left on device", full=True)
        raise self.failure(path, name, "Input/output error")

    def failure(self, path: str, name: str, reason: str, *, full: bool = False) -> DiskFailure:
        """A failure that a fault has made, noted in ``injected``."""
        failure = DiskFailure(path, name, reason, full=full)
        self.injected.append(str(failure))
        return failure

    def lose_sync(self, node: StoredFile) -> None:
        """The sync of a file failed: what was not durable yet never will be."""
        node.lost_sync = True
        self._lost_sync.append(node)

    def _operation(self, name: str, path: str, size: int = 0) -> None:
        self.end(self.begin(name, path, size), name, path)

    def _file(self, path: str) -> StoredFile:
        node = self._cached.get(path)
        if node is None:
            raise FileNotFoundError(path)
        return node

    def _require_parent(self, name: str, path: str) -> None:
        if self._cached.get(parent_of(path), path) is not None:
            raise DiskFailure(path, name, "No such file or directory")

    def make_directories(self, path: str) -> None:
        """Create the directory and its parents."""
        self._operation("make_directories", path)
        missing: list[str] = []
        at = clean(path)
        while at not in self._cached:
            missing.append(at)
            at = parent_of(at)
        for directory in [at, *missing]:
            if self._cached.setdefault(directory, None) is not None:
                raise DiskFailure(path, "create directory", "Not a directory")

    def list_directory(self, path: str) -> list[str]:
        """Names in the directory, sorted."""
        self._operation("list_directory", path)
        path = clean(path)
        if path not in self._cached:
            raise FileNotFoundError(path)
        return sorted(name_of(entry) for entry in self._cached if entry != "/" and parent_of(entry) == path)

    def exists(self, path: str) -> bool:
        """Whether a file or directory is there."""
        return clean(path) in self._cached

    def is_directory(self, path: str) -> bool:
        """Whether the path is a directory."""
        path = clean(path)
        return path in self._cached and self._cached[path] is None

    def open(self, path: str) -> SimFile:
        """Open for reading and appending, created empty when absent."""
        path = clean(path)
        self._operation("open", path)
        self._require_parent("open", path)
        if path in self._cached:
            node = self._cached[path]
            if node is None:
                raise DiskFailure(path, "open", "Is a directory")
        else:
            node = self._cached[path] = StoredFile()
        return SimFile(self, path, node)

    def read_file(self, path: str) -> bytes:
        """The whole file."""
        path = clean(path)
        self._operation("read_file", path)
        return bytes(self._file(path).content)

    def replace_file(self, path: str, content: bytes, *, durable: bool) -> None:
        """Write beside ``path`` and rename over it."""
        path = clean(path)
        self._operation("replace_file", path, len(content))
        self._require_parent("replace", path)
        if len(content) > self.room_bytes():
            raise self.failure(path, "replace", "No space left on device", full=True)
        node = self._cached[path] = StoredFile(content)
        if durable:
            node.sync()
            self._platter[path] = node

    def rename(self, source: str, target: str) -> None:
        """Atomic rename. Raises ``FileNotFoundError`` when the source is gone."""
        source, target = clean(source), clean(target)
        self._operation("rename", source)
        if source not in self._cached:
            raise FileNotFoundError(source)
        self._require_parent("rename", target)
        move(self._cached, source, target)
        self._renames.append((source, target))

    def remove_file(self, path: str) -> None:
        """Remove a file; no error if it is gone."""
        path = clean(path)
        self._operation("remove_file", path)
        if self.is_directory(path):
            raise DiskFailure(path, "remove", "Is a directory")
        self._cached.pop(path, None)

    def remove_tree(self, path: str) -> None:
        """Remove a directory with what is in it; no error if it is gone."""
        path = clean(path)
        self._operation("remove_tree", path)
        drop(self._cached, path)

    def sync_directory(self, path: str) -> None:
        """Make creations, renames and removals in the directory durable."""
        path = clean(path)
        self._operation("sync_directory", path)
        for source, target in self._renames:
            if path in {parent_of(source), parent_of(target)} and source in self._platter:
                move(self._platter, source, target)
        self._renames = [pair for pair in self._renames if path not in {parent_of(pair[0]), parent_of(pair[1])}]
        for entry in [entry for entry in self._platter if entry != "/" and parent_of(entry) == path and entry not in self._cached]:
            drop(self._platter, entry)
        for entry, node in self._cached.items():
            if entry != "/" and parent_of(entry) == path:
                self._platter[entry] = node
