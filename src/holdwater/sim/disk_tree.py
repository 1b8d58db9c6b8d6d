"""What a simulated disk keeps: the bytes of a file, in the page cache and on the platter, and the paths of a file system."""

from holdwater.kernel.rng import Rng

PAGE_BYTES = 4096


class StoredFile:
    """A file's bytes. The first ``stable`` bytes are the same in the page cache and on the platter, where ``platter_tail`` follows them."""

    __slots__ = ("content", "lost_sync", "platter_tail", "stable")

    def __init__(self, content: bytes = b"") -> None:
        self.content = bytearray(content)
        self.stable = 0
        self.platter_tail = b""
        self.lost_sync = False

    def truncate(self, length: int) -> None:
        """Cut, or fill up with zeros; the platter learns of it with the next sync."""
        if length < self.stable:
            self.platter_tail = bytes(self.content[length : self.stable]) + self.platter_tail
            self.stable = length
        del self.content[length:]
        self.content.extend(bytes(length - len(self.content)))

    def sync(self) -> None:
        """Bring the platter up to date, unless a sync has failed before."""
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


Entries = dict[str, StoredFile | None]
"""Files by path; a directory is ``None``."""


def move(entries: Entries, source: str, target: str) -> None:
    """Rename, over what may be at the target."""
    drop(entries, target)
    for path in [entry for entry in entries if entry == source or entry.startswith(source + "/")]:
        entries[target + path[len(source) :]] = entries.pop(path)


def drop(entries: Entries, path: str) -> None:
    """Remove a file, or a directory with what is in it."""
    for entry in [entry for entry in entries if entry == path or entry.startswith(path + "/")]:
        del entries[entry]


def clean(path: str) -> str:
    """An absolute path without what means nothing."""
    return "/" + "/".join(part for part in path.split("/") if part and part != ".")


def parent_of(path: str) -> str:
    """The directory that a path lies in."""
    return path.rsplit("/", 1)[0] or "/"


def name_of(path: str) -> str:
    """The last part of a path."""
    return path.rsplit("/", 1)[1]


def rooted(path: str, entries: Entries) -> bool:
    """Whether every directory above the path survived."""
    while path != "/":
        path = parent_of(path)
        if path not in entries:
            return False
    return True
