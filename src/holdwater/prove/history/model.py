"""The recorded history in memory: dense columns, no object per record.

A record's *id* is a number: ``bases[writer] + sequence``, dense over all writers, so every per-record table is an array. Ids below zero are
no record of this run: ``FOREIGN_ID`` (not readable as one of ours) and ``PHANTOM_ID`` (ours by its stamp, but never sent).
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

FOREIGN_ID = -1
PHANTOM_ID = -2
NO_RECORD = -3
"""What ``PartitionLog.id_at`` answers for an offset that holds no record (a gap, a control record, outside the log)."""


class State(IntEnum):
    """What is known of a write. A write without an answer is *unknown*: it may be in the log or not."""

    UNKNOWN = 0
    OK = 1
    """Acknowledged (acks 1 or all)."""
    FAIL = 2
    """Definitely not written: produce() refused it, or it was refused on the only attempt."""
    SENT = 3
    """acks=0: reported as delivered, which says nothing."""


@dataclass(slots=True)
class Sends:
    """Every write, by id. ``done_ns`` 0 and ``error`` 0 with state UNKNOWN: no answer at all."""

    bases: list[int] = field(default_factory=list[int])
    counts: list[int] = field(default_factory=list[int])
    partition: "array[int]" = field(default_factory=lambda: array("H"))
    invoke_ns: "array[int]" = field(default_factory=lambda: array("q"))
    done_ns: "array[int]" = field(default_factory=lambda: array("q"))
    offset: "array[int]" = field(default_factory=lambda: array("q"))
    error: "array[int]" = field(default_factory=lambda: array("i"))
    state: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return len(self.state)

    def id_of(self, writer: int, sequence: int) -> int:
        """The id of a stamp, or ``PHANTOM_ID`` when this run never sent it."""
        if writer < len(self.counts) and sequence < self.counts[writer]:
            return self.bases[writer] + sequence
        return PHANTOM_ID

    def writer_of(self, identifier: int) -> int:
        """The writer of an id."""
        return bisect_right(self.bases, identifier) - 1

    def name(self, identifier: int) -> str:
        """``w0#17`` for an id; says so when it is no record of this run."""
        if identifier < 0:
            return {FOREIGN_ID: "a record of somebody else", PHANTOM_ID: "a record never sent"}.get(identifier, "nothing")
        writer = self.writer_of(identifier)
        return f"w{writer}#{identifier - self.bases[writer]}"


class Batch(NamedTuple):
    """One batch of the final log, without its records."""

    base_offset: int
    last_offset: int
    leader_epoch: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    records: int
    attributes: int
    max_timestamp_ms: int
    sound: int

    @property
    def control(self) -> bool:
        """Holds a transaction marker or other control record, which no reader gets."""
        return bool(self.attributes & 0x20)

    @property
    def idempotent(self) -> bool:
        """Written by a producer with an id, so that its sequence numbers mean something."""
        return self.producer_id >= 0 and not self.control


@dataclass(slots=True)
class PartitionLog:
    """The final log of one partition as its leader handed it out, from ``start_offset`` to ``read_to``.

    ``end_offset`` is the end that was noted twice before reading; the log was read in full when ``read_to >= end_offset``.
    ``epoch_ends`` says where each leader epoch that was asked for ended (OffsetForLeaderEpoch).
    """

    partition: int
    start_offset: int = 0
    end_offset: int = 0
    read_to: int = 0
    batches: list[Batch] = field(default_factory=list[Batch])
    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    ids: "array[int]" = field(default_factory=lambda: array("q"))
    batch_of: "array[int]" = field(default_factory=lambda: array("I"))
    flags: bytearray = field(default_factory=bytearray)
    epoch_ends: dict[int, int] = field(default_factory=dict[int, int])
    _table: "array[int] | dict[int, int] | None" = None

    @property
    def complete(self) -> bool:
        """Whether the final read reached the noted end."""
        return self.read_to >= self.end_offset

    def id_at(self, offset: int) -> int:
        """The id of the record at an offset, or ``NO_RECORD``."""
        table = self.table()
        if isinstance(table, dict):
            return table.get(offset, NO_RECORD)
        index = offset - self.start_offset
        return table[index] if 0 <= index < len(table) else NO_RECORD

    def table(self) -> "array[int] | dict[int, int]":
        """Ids by ``offset - start_offset``, or by offset in a dictionary when most offsets hold nothing. Built once."""
        if self._table is None:
            self._table = dict(zip(self.offsets, self.ids, strict=True)) if self._sparse() else self._dense_table()
        return self._table

    def _sparse(self) -> bool:
        """Whether a table by offset would be mostly holes (compaction, or offsets that make no sense)."""
        if self.read_to - self.start_offset > 1_000_000 + 16 * len(self.offsets):
            return True
        return bool(self.offsets) and not (self.start_offset <= min(self.offsets) and max(self.offsets) < self.read_to)

    def _dense_table(self) -> "array[int]":
        table = array("q", [NO_RECORD]) * max(0, self.read_to - self.start_offset)
        start = self.start_offset
        for offset, identifier in zip(self.offsets, self.ids, strict=True):
            table[offset - start] = identifier
        return table

    def batch_at(self, offset: int) -> Batch | None:
        """The batch that covers an offset."""
        low, high = 0, len(self.batches)
        while low < high:
            middle = (low + high) // 2
            if self.batches[middle].last_offset < offset:
                low = middle + 1
            else:
                high = middle
        if low < len(self.batches) and self.batches[low].base_offset <= offset:
            return self.batches[low]
        return None


@dataclass(slots=True)
class Reads:
    """Every record that a consumer was handed, in the order of its polls. A session is one consumer with one set of positions."""

    session: "array[int]" = field(default_factory=lambda: array("H"))
    partition: "array[int]" = field(default_factory=lambda: array("H"))
    offset: "array[int]" = field(default_factory=lambda: array("q"))
    ids: "array[int]" = field(default_factory=lambda: array("q"))
    leader_epoch: "array[int]" = field(default_factory=lambda: array("i"))
    flags: bytearray = field(default_factory=bytearray)
    time_ns: "array[int]" = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.offset)

    def rows(self) -> Iterator[tuple[int, int, int, int, int]]:
        """(session, partition, offset, id, time) of every read, in order."""
        return zip(self.session, self.partition, self.offset, self.ids, self.time_ns, strict=True)


class PartitionView(NamedTuple):
    """One partition as one broker described it. ``high_watermark`` -1: that broker doesn't lead it, or did not answer for it."""

    partition: int
    leader: int
    leader_epoch: int
    isr: tuple[int, ...]
    elr: tuple[int, ...]
    replicas: tuple[int, ...]
    high_watermark: int


class Sample(NamedTuple):
    """What one broker said at one time; ``reachable`` False: it did not answer. ``controller`` -1: not asked or not known.

    ``topic_id`` is Kafka's text form; empty: not told.
    """

    time_ns: int
    broker: int
    reachable: bool
    controller: int
    quorum_epoch: int
    partitions: tuple[PartitionView, ...]
    topic_id: str = ""


class Event(NamedTuple):
    """Something that happened: ``kind`` is a word (``kill``, ``start``, ``phase``, ``exit``...), ``detail`` its values."""

    time_ns: int
    kind: str
    detail: dict[str, Any]


@dataclass(slots=True)
class History:
    """Everything the judge works from: no process, no cluster, no clock."""

    sends: Sends = field(default_factory=Sends)
    reads: Reads = field(default_factory=Reads)
    log: dict[int, PartitionLog] = field(default_factory=dict[int, PartitionLog])
    samples: list[Sample] = field(default_factory=list[Sample])
    events: list[Event] = field(default_factory=list[Event])
    origin_ns: int = 0
    """Monotonic time that reports count seconds from."""
    final_positions: dict[int, int] = field(default_factory=dict[int, int])
    """Where the consumer stood when it was stopped, by partition (the least of all sessions); empty: there was no consumer."""
    topic_id: str = ""
    """The topic's id when it had been created (Kafka's text form); empty: not told. A topic that was made anew has another."""
    final_topic_id: str = ""
    """The same as it was when the final log was read."""

    def seconds(self, time_ns: int) -> float:
        """Seconds since the start of the run, to the millisecond."""
        return round((time_ns - self.origin_ns) / 1e9, 3)

    def events_of(self, *kinds: str) -> list[Event]:
        """The events of the given kinds, in order of time."""
        return [event for event in self.events if event.kind in kinds]
