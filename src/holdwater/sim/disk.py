"""A disk in memory that can lose power: kernel.ports.Disk with synced and unsynced state kept apart.

What the running process sees is the page cache. ``crash`` ends the process and keeps the page cache: open files go stale, nothing is lost.
``power_loss`` keeps only what was synced, file contents and directory entries alike, plus a random part of the rest when it is given
randomness: pages of 4 KiB survive singly and in any order, files keep any length between, renames and creations happen or do not.

Faults: ``on_operation`` is called before each operation and may return a fault. ``capacity_bytes`` makes the disk full.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from holdwater.kernel.ports import DiskFailure
from holdwater.kernel.rng import Rng

PAGE_BYTES = 4096


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


class Operation(NamedTuple):
    """One call about to happen: its number since the disk was made, its name in the port, its path, the bytes it writes."""

    number: int
    name: str
    path: str
    size: int


class _Node:
    """A file's bytes. The first ``stable`` bytes are the same in the page cache and on the platter, where ``platter_tail`` follows them."""

    __slots__ = ("content", "lost_sync", "platter_tail", "stable")

    def __init__(self, content: bytes = b"") -> None:
        self.content = bytearray(content)
        self.stable = 0
        self.platter_tail = b""
        self.lost_sync = False

    def truncate(self, length: int) -> None:
        if length < self.stable:
            self.platter_tail = bytes(self.content[length : self.stable]) + self.platter_tail
            self.stable = length
        del self.content[length:]
        self.content.extend(bytes(length - len(self.content)))

    def sync(self) -> None:
        if not self.lost_sync:
            self.stable = len(self.content)
            self.platter_tail = b""

    def lose_power(self, rng: Rng | None) -> None:
        """Leave what a power loss leaves; ``rng`` decides which unsynced pages made it to the platter."""
        platter = bytes(self.content[: self.stable]) + self.platter_tail
        if rng is None or platter == self.content or self.lost_sync:
            survived = bytearray(platter)
        else:
            short, long = sorted((len(platter), len(self.content)))
            survived = bytearray(platter[: rng.uniform_ms(short, long)].ljust(rng.uniform_ms(short, long), b"\0"))
            for start in range(self.stable - self.stable % PAGE_BYTES, len(survived), PAGE_BYTES):
                page = self.content[start : min(start + PAGE_BYTES, len(survived))]
                if rng.chance(0.5):
                    survived[start : start + len(page)] = page
        self.content = survived
        self.stable = len(survived)
        self.platter_tail = b""
        self.lost_sync = False


class SimFile:
    """An open file of a ``SimDisk``."""

    __slots__ = ("_disk", "_generation", "_node", "_path")

    def __init__(self, disk: "SimDisk", path: str, node: _Node) -> None:
        self._disk = disk
        self._path = path
        self._node: _Node | None = node
        self._generation = disk.generation

    def _open(self) -> _Node:
        if self._generation != self._disk.generation:
            raise Crashed(f"{self._path} was opened by a process that has ended")
        if self._node is None:
            raise DiskFailure(self._path, "use", "the file is closed")
        return self._node

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self._open().content)

    def append(self, *parts: bytes) -> None:
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
            raise DiskFailure(self._path, "append to", "No space left on device", full=True)
        node.content += data

    def read(self, position: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``position``."""
        node = self._open()
        self._disk.end(self._disk.begin("read", self._path, 0), "read", self._path)
        return bytes(node.content[position : position + length])

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
            node.lost_sync = True
        self._disk.end(fault, "sync", self._path)
        if node.lost_sync:
            raise DiskFailure(self._path, "sync", "an earlier sync failed")
        node.sync()

    def close(self) -> None:
        """Release the handle."""
        self._node = None


class SimDisk:
    """A file system in memory. Directories are paths mapped to ``None``; the parent of every path must exist, as on a real disk."""

    def __init__(self, *, capacity_bytes: int | None = None) -> None:
        self.capacity_bytes = capacity_bytes
        self.on_operation: Callable[[Operation], Fault | None] | None = None
        self.operation_count = 0
        self.generation = 0
        self._cached: dict[str, _Node | None] = {"/": None}
        self._platter: dict[str, _Node | None] = {"/": None}
        self._renames: list[tuple[str, str]] = []  # in the page cache only

    def crash(self) -> None:
        """End the process: files opened so far go stale, the page cache stays."""
        self.generation += 1

    def power_loss(self, rng: Rng | None = None) -> None:
        """Lose power: without ``rng`` everything unsynced is gone, with it a random part of it survives."""
        self.generation += 1
        entries = dict(self._platter)
        if rng is not None:
            self._keep_some(entries, rng)
        self._renames.clear()
        self._cached = {path: node for path, node in sorted(entries.items()) if _rooted(path, entries)}
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

    def _keep_some(self, entries: dict[str, _Node | None], rng: Rng) -> None:
        """Let a random part of the unsynced directory changes reach ``entries``; a rename happens as a whole or not at all."""
        undone: list[str] = []
        for source, target in self._renames:
            if source in entries and rng.chance(0.5):
                _move(entries, source, target)
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
        node = self._file(path)
        node.content[position] ^= mask
        node.sync()

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
            raise DiskFailure(path, name, "No space left on device", full=True)
        raise DiskFailure(path, name, "Input/output error")

    def _operation(self, name: str, path: str, size: int = 0) -> None:
        self.end(self.begin(name, path, size), name, path)

    def _file(self, path: str) -> _Node:
        node = self._cached.get(path)
        if node is None:
            raise FileNotFoundError(path)
        return node

    def _require_parent(self, name: str, path: str) -> None:
        parent = _parent(path)
        if self._cached.get(parent, path) is not None:
            raise DiskFailure(path, name, "No such file or directory")

    def make_directories(self, path: str) -> None:
        """Create the directory and its parents."""
        self._operation("make_directories", path)
        missing: list[str] = []
        at = _clean(path)
        while at not in self._cached:
            missing.append(at)
            at = _parent(at)
        for directory in [at, *missing]:
            if self._cached.setdefault(directory, None) is not None:
                raise DiskFailure(path, "create directory", "Not a directory")

    def list_directory(self, path: str) -> list[str]:
        """Names in the directory, sorted."""
        self._operation("list_directory", path)
        path = _clean(path)
        if path not in self._cached:
            raise FileNotFoundError(path)
        return sorted(_name(entry) for entry in self._cached if entry != "/" and _parent(entry) == path)

    def exists(self, path: str) -> bool:
        """Whether a file or directory is there."""
        return _clean(path) in self._cached

    def is_directory(self, path: str) -> bool:
        """Whether the path is a directory."""
        path = _clean(path)
        return path in self._cached and self._cached[path] is None

    def open(self, path: str) -> SimFile:
        """Open for reading and appending, created empty when absent."""
        path = _clean(path)
        self._operation("open", path)
        self._require_parent("open", path)
        if path in self._cached:
            node = self._cached[path]
            if node is None:
                raise DiskFailure(path, "open", "Is a directory")
        else:
            node = self._cached[path] = _Node()
        return SimFile(self, path, node)

    def read_file(self, path: str) -> bytes:
        """The whole file."""
        path = _clean(path)
        self._operation("read_file", path)
        return bytes(self._file(path).content)

    def replace_file(self, path: str, content: bytes, *, durable: bool) -> None:
        """Write beside ``path`` and rename over it."""
        path = _clean(path)
        self._operation("replace_file", path, len(content))
        self._require_parent("replace", path)
        if len(content) > self.room_bytes():
            raise DiskFailure(path, "replace", "No space left on device", full=True)
        node = self._cached[path] = _Node(content)
        if durable:
            node.sync()
            self._platter[path] = node

    def rename(self, source: str, target: str) -> None:
        """Atomic rename. Raises ``FileNotFoundError`` when the source is gone."""
        source, target = _clean(source), _clean(target)
        self._operation("rename", source)
        if source not in self._cached:
            raise FileNotFoundError(source)
        self._require_parent("rename", target)
        _move(self._cached, source, target)
        self._renames.append((source, target))

    def remove_file(self, path: str) -> None:
        """Remove a file; no error if it is gone."""
        path = _clean(path)
        self._operation("remove_file", path)
        if self.is_directory(path):
            raise DiskFailure(path, "remove", "Is a directory")
        self._cached.pop(path, None)

    def remove_tree(self, path: str) -> None:
        """Remove a directory with what is in it; no error if it is gone."""
        path = _clean(path)
        self._operation("remove_tree", path)
        _drop(self._cached, path)

    def sync_directory(self, path: str) -> None:
        """Make creations, renames and removals in the directory durable."""
        path = _clean(path)
        self._operation("sync_directory", path)
        for source, target in self._renames:
            if path in {_parent(source), _parent(target)} and source in self._platter:
                _move(self._platter, source, target)
        self._renames = [pair for pair in self._renames if path not in {_parent(pair[0]), _parent(pair[1])}]
        for entry in [entry for entry in self._platter if entry != "/" and _parent(entry) == path and entry not in self._cached]:
            _drop(self._platter, entry)
        for entry, node in self._cached.items():
            if entry != "/" and _parent(entry) == path:
                self._platter[entry] = node


def _move(entries: dict[str, _Node | None], source: str, target: str) -> None:
    """Rename, over what may be at the target."""
    _drop(entries, target)
    for path in [entry for entry in entries if entry == source or entry.startswith(source + "/")]:
        entries[target + path[len(source) :]] = entries.pop(path)


def _drop(entries: dict[str, _Node | None], path: str) -> None:
    for entry in [entry for entry in entries if entry == path or entry.startswith(path + "/")]:
        del entries[entry]


def _clean(path: str) -> str:
    return "/" + "/".join(part for part in path.split("/") if part and part != ".")


def _parent(path: str) -> str:
    return path.rsplit("/", 1)[0] or "/"


def _name(path: str) -> str:
    return path.rsplit("/", 1)[1]


def _rooted(path: str, entries: dict[str, _Node | None]) -> bool:
    """Whether every directory above the path survived."""
    while path != "/":
        path = _parent(path)
        if path not in entries:
            return False
    return True
