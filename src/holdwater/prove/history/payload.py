"""The key and value of a workload record: who wrote it, which one it is, where it belongs, and a checksum over all of it.

Value: ``magic, run id, writer, partition, sequence, monotonic ns, CRC-32`` (32 bytes, big endian), then padding. The checksum covers
the header before it, the key and the padding, so that a record that was altered anywhere is noticed. The key and the padding follow from
(seed, writer, sequence) and are stored nowhere else.
"""

import struct
from typing import NamedTuple
from zlib import crc32

MAGIC = b"hwr1"
HEADER = struct.Struct(">4sQHHIqI")
_BEFORE_CHECKSUM = HEADER.size - 4
MIN_VALUE_BYTES = HEADER.size

ALTERED = 1
"""Flag: the checksum is wrong."""
FOREIGN = 2
"""Flag: no record of this run (no magic, another run id, too short)."""
MISPLACED = 4
"""Flag: lies in another partition than the one it was written for."""

_MASK = 0xFFFFFFFFFFFFFFFF


class Stamp(NamedTuple):
    """What a record says of itself; ``flags`` is 0 for a sound one. A foreign record has writer and sequence 0."""

    writer: int
    sequence: int
    partition: int
    sent_ns: int
    flags: int


def mix(seed: int, writer: int, sequence: int) -> int:
    """64 well-mixed bits of the three numbers (the finaliser of splitmix64), the same on every Python."""
    z = (seed * 0x9E3779B97F4A7C15 + (writer << 40) + sequence + 1) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


class Stationery:
    """Makes the records of one writer: key, partition and value of each sequence number, all following from the seed.

    A key always goes to the same partition (``key % partitions``), so order per key follows from order per partition.
    """

    def __init__(self, run_id: int, seed: int, writer: int, *, keys: int, partitions: int, value_bytes: int) -> None:
        self._run_id = run_id
        self._seed = seed
        self._writer = writer
        self._keys = keys
        self._partitions = partitions
        self._key_bytes = [b"w%d-k%d" % (writer, key) for key in range(keys)]
        padding = max(0, value_bytes - HEADER.size)
        self._padding = bytes(mix(seed, writer, -1 - i) & 0xFF for i in range(padding))

    def key_number(self, sequence: int) -> int:
        """Which of the writer's keys the record has."""
        return mix(self._seed, self._writer, sequence) % self._keys

    def record(self, sequence: int, sent_ns: int) -> tuple[int, bytes, bytes]:
        """Partition, key and value of one record."""
        number = self.key_number(sequence)
        partition = number % self._partitions
        key = self._key_bytes[number]
        value = bytearray(HEADER.pack(MAGIC, self._run_id, self._writer, partition, sequence, sent_ns, 0))
        value += self._padding
        checksum = crc32(self._padding, crc32(key, crc32(memoryview(value)[:_BEFORE_CHECKSUM])))
        struct.pack_into(">I", value, _BEFORE_CHECKSUM, checksum)
        return partition, key, bytes(value)


_FOREIGN_STAMP = Stamp(0, 0, 0, 0, FOREIGN)


def read_stamp(run_id: int, partition: int, key: bytes | None, value: bytes | None) -> Stamp:
    """What the record found in ``partition`` says of itself. Never raises: a record that is none of ours is flagged ``FOREIGN``."""
    if value is None or len(value) < HEADER.size:
        return _FOREIGN_STAMP
    magic, run, writer, written_for, sequence, sent_ns, checksum = HEADER.unpack_from(value)
    if magic != MAGIC or run != run_id:
        return _FOREIGN_STAMP
    flags = 0
    view = memoryview(value)
    if crc32(view[HEADER.size :], crc32(key or b"", crc32(view[:_BEFORE_CHECKSUM]))) != checksum:
        flags |= ALTERED
    if written_for != partition:
        flags |= MISPLACED
    return Stamp(writer, sequence, written_for, sent_ns, flags)
