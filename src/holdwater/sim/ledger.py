"""What was written and what is committed, by everybody's account.

``CommittedLog``: the batches of a partition below the highest high watermark that any replica ever had. The first replica whose high watermark
passes a batch writes it down; every other one must agree, byte for byte, for ever (R2). ``WrittenLog``: every batch that any replica ever
held, committed or not; a leader epoch and an offset name one batch (R1).
"""

from holdwater.kernel.ports import BatchHeader, CorruptRecords, Log
from holdwater.sim.verdicts import SafetyViolation
from holdwater.wire.records import batches, check_crc

READ_BYTES = 1 << 20


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
        if offset == log.log_start_offset:
            self.may_begin_at(offset)
        while offset < high_watermark:
            data = log.read(offset, READ_BYTES, high_watermark, at_least_one=True)
            if not data:
                raise SafetyViolation("R2", f"{who} can't read {self.name} at {offset}, below its high watermark {high_watermark}")
            for position, header, end in batches(data):
                self.take(who, header, data[position:end])
                offset = header.base_offset + header.last_offset_delta + 1

    def may_begin_at(self, log_start_offset: int) -> None:
        """A replica's log starts here: what nobody has shown below it went into a snapshot, or was deleted, before anybody looked."""
        if self.end < log_start_offset:
            self._gaps.append((self.end, log_start_offset))
            self.end = log_start_offset

    def take(self, who: str, header: BatchHeader, data: bytes) -> None:
        """A replica holds one batch to be committed. Raises ``SafetyViolation``."""
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
            self.end = max(self.end, header.base_offset + header.last_offset_delta + 1)
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


class WrittenLog:
    """Every batch that any replica of one partition ever held, by leader epoch and base offset.

    R1 (log matching): log_r[o].epoch = log_s[o].epoch => log_r[o] = log_s[o], for all replicas and all times, since one broker appends in a
    leader epoch (R9) and never cuts its log in it. R13: what is written has a right checksum.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._batches: dict[tuple[int, int], tuple[str, bytes]] = {}

    def take(self, who: str, header: BatchHeader, data: bytes) -> None:
        """A replica holds a batch. Raises ``SafetyViolation``."""
        key = (header.partition_leader_epoch, header.base_offset)
        first = self._batches.get(key)
        if first is None:
            try:
                check_crc(data, 0, header)
            except CorruptRecords as problem:
                raise SafetyViolation("R13", f"{who} wrote {self.name} at {header.base_offset} with damage: {problem}") from None
            self._batches[key] = (who, data)
        elif first[1] != data:
            raise SafetyViolation(
                "R1", f"{self.name} at {header.base_offset} in leader epoch {key[0]}: {who} has another batch than {first[0]} had"
            )


def _short(header: BatchHeader) -> str:
    return (
        f"{header.record_count} records in leader epoch {header.partition_leader_epoch} "
        f"(producer {header.producer_id}, sequence {header.base_sequence}, CRC {header.crc:08x})"
    )
