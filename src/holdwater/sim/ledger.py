"""What is committed, by everybody's account: the batches of each partition below the highest high watermark that any replica ever had.

The first replica whose high watermark passes a batch writes it down; every other one must agree, byte for byte, for ever (R2).
"""

from holdwater.kernel.ports import BatchHeader, Log
from holdwater.sim.verdicts import SafetyViolation
from holdwater.wire.records import batches

_READ_BYTES = 1 << 20


class Entry:
    """One committed batch."""

    __slots__ = ("data", "header")

    def __init__(self, header: BatchHeader, data: bytes) -> None:
        self.header = header
        self.data = data


class CommittedLog:
    """The committed batches of one partition, by base offset."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries: dict[int, Entry] = {}
        self.end = 0
        """Offset after the last entry."""
        self.sequences: dict[tuple[int, int], int] = {}
        """Last sequence of each (producer id, producer epoch)."""
        self._gaps: list[tuple[int, int]] = []
        """Ranges below ``end`` that nobody has shown; who still has them may."""

    def take_in(self, who: str, log: Log, start: int, high_watermark: int) -> None:
        """A replica holds ``[start, high_watermark)`` to be committed: note what is new, compare what is known. Raises ``SafetyViolation``."""
        if high_watermark > log.log_end_offset:
            raise SafetyViolation(
                "R2", f"{who}: the high watermark of {self.name} is {high_watermark}, its log ends at {log.log_end_offset}"
            )
        offset = max(start, log.log_start_offset)
        if self.end < offset == log.log_start_offset:
            self._gaps.append((self.end, offset))  # it went into a snapshot, or was deleted, before anybody looked
            self.end = offset
        while offset < high_watermark:
            data = log.read(offset, _READ_BYTES, high_watermark, at_least_one=True)
            if not data:
                raise SafetyViolation("R2", f"{who} can't read {self.name} at {offset}, below its high watermark {high_watermark}")
            for position, header, end in batches(data):
                self._take(who, header, data[position:end])
                offset = header.base_offset + header.last_offset_delta + 1

    def _take(self, who: str, header: BatchHeader, data: bytes) -> None:
        known = self.entries.get(header.base_offset)
        if known is not None:
            if known.data != data:
                raise SafetyViolation(
                    "R2",
                    f"{self.name} at {header.base_offset}: {who} has {_short(header)}, committed was {_short(known.header)}",
                )
            return
        if any(start <= header.base_offset < end for start, end in self._gaps):
            self.entries[header.base_offset] = Entry(header, data)
            return
        if header.base_offset != self.end:
            raise SafetyViolation("R10", f"{self.name}: {who} has a batch at {header.base_offset}, committed were batches up to {self.end}")
        self._check_sequence(header)
        self.entries[header.base_offset] = Entry(header, data)
        self.end = header.base_offset + header.last_offset_delta + 1

    def _check_sequence(self, header: BatchHeader) -> None:
        """P1: per (producer id, producer epoch, partition) stored sequences are consecutive."""
        if header.producer_id < 0 or header.base_sequence < 0:
            return
        key = (header.producer_id, header.producer_epoch)
        last = self.sequences.get(key)
        expected = 0 if last is None else (last + 1) & 0x7FFFFFFF
        if header.base_sequence != expected and (last is not None or not self._gaps):
            raise SafetyViolation("P1", f"{self.name} at {header.base_offset}: {_short(header)}, expected was sequence {expected}")
        self.sequences[key] = (header.base_sequence + header.last_offset_delta) & 0x7FFFFFFF


def _short(header: BatchHeader) -> str:
    return (
        f"{header.record_count} records in leader epoch {header.partition_leader_epoch} "
        f"(producer {header.producer_id}, sequence {header.base_sequence}, CRC {header.crc:08x})"
    )
