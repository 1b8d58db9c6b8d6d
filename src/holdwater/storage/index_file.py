"""The bytes of one index file: entries of a fixed size, written late and in one go, since recovery can always build them again."""

from holdwater.kernel.ports import Disk


class IndexFile:
    """Appends the entries that are not on disk yet. Apache Kafka preallocates its index files with zeros; ours grow, both are read."""

    __slots__ = ("_disk", "_entry_bytes", "path", "written_count")

    def __init__(self, disk: Disk, path: str, entry_bytes: int) -> None:
        self._disk = disk
        self._entry_bytes = entry_bytes
        self.path = path
        self.written_count = 0
        """Entries on disk that belong to the index; what the file holds after them is to be cut."""

    def load(self) -> bytes:
        """Whole entries of the file without the zeros of a preallocation; nothing when there is no file."""
        try:
            content = self._disk.read_file(self.path)
        except FileNotFoundError:
            content = b""
        # The last entry may itself end in zero bytes: round up to its end.
        used = -(-len(content.rstrip(b"\0")) // self._entry_bytes) * self._entry_bytes
        if used > len(content):
            used -= self._entry_bytes
        self.written_count = used // self._entry_bytes
        return content[:used]

    def exists(self) -> bool:
        """Whether there is a file."""
        return self._disk.exists(self.path)

    def write(self, entries: bytes) -> None:
        """Bring the file to the first ``written_count`` entries and ``entries`` after them."""
        file = self._disk.open(self.path)
        try:
            kept = self.written_count * self._entry_bytes
            if file.size != kept:
                file.truncate(kept)
            if entries:
                file.append(entries)
        finally:
            file.close()
        self.written_count += len(entries) // self._entry_bytes

    def remove(self) -> None:
        """Delete the file."""
        self._disk.remove_file(self.path)
        self.written_count = 0
