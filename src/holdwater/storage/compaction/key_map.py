"""The newest offset of each key of a log's new part: what compaction decides by.

Invariants: every record below ``end_offset`` (from where the map was begun) is in it; what comes after is not judged, and stays. Keys of 16
bytes and more are known by a digest of 16 bytes, shorter ones as they are, so that the two never meet.
"""

from hashlib import blake2b

ENTRY_BYTES = 200
"""About what one key takes: key, offset, and its place in a dict that is half full."""
_DIGEST_BYTES = 16


class OffsetMap:
    """Bounded by the number of keys; one batch too many fits, so that there is always progress."""

    __slots__ = ("_offsets", "end_offset", "limit_count")

    def __init__(self, start_offset: int, limit_count: int) -> None:
        self.end_offset = start_offset
        self.limit_count = limit_count
        self._offsets: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._offsets)

    def put(self, key: bytes, offset: int, *, force: bool) -> bool:
        """Note a record; offsets rise. False, and nothing is noted, when there is no place for another key, unless ``force``."""
        known = _digest(key)
        offsets = self._offsets
        if len(offsets) >= self.limit_count and not force and known not in offsets:
            return False
        offsets[known] = offset
        return True

    def newest(self, key: bytes) -> int:
        """Offset of the newest record with that key, -1 when there is none."""
        return self._offsets.get(_digest(key), -1)


def limit_count(buffer_bytes: int) -> int:
    """Keys for which ``log.cleaner.dedupe.buffer.size`` is enough."""
    return max(buffer_bytes // ENTRY_BYTES, 1)


def _digest(key: bytes) -> bytes:
    return key if len(key) < _DIGEST_BYTES else blake2b(key, digest_size=_DIGEST_BYTES).digest()
