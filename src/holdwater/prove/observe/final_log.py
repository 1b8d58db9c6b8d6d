"""The end of a run: the ends of all partitions noted twice, then every partition read raw from its leader, batch by batch.

The log is the truth. It is read as it lies there: producer id, producer epoch, sequence, leader epoch, control batches, batch boundaries.
So what is damaged there is kept as damaged, and reading goes on behind it.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import BatchHeader, CorruptRecords
from holdwater.prove.errors import RunFailed
from holdwater.prove.history.columns import LOG_BATCHES, LOG_RECORDS, ColumnWriter
from holdwater.prove.history.payload import FOREIGN, read_stamp
from holdwater.rpc import Connection, RpcError
from holdwater.rpc.calls import (
    EARLIEST,
    Fetched,
    Node,
    TopicState,
    describe_topic,
    epoch_end_offsets,
    fetch,
    list_offsets,
)
from holdwater.wire.records import batches, check_crc, read_records

NOTED_APART_S = 1.0
_TIMEOUT_S = 10.0
_CONTROL = 0x20
_AGAIN_S = 0.1
"""Before a leader that did not answer, or refused, is looked for and asked again."""
_ONE_BATCH_BYTES = 1024 * 1024
_TORN = "the batch does not end within the answer, of which the first must be whole"
DAMAGE_LIMIT_OFFSETS = 10_000
"""How far behind a damaged header the next batch is looked for: as many records as librdkafka puts into one (batch.num.messages)."""


class Leaders:
    """Connections to the leaders of one topic, found by asking every known broker. Use as a context manager."""

    def __init__(self, nodes: Iterable[Node], topic: str) -> None:
        self.topic = topic
        self._nodes = {node.id: node for node in nodes}
        self._connections: dict[int, Connection] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections.values():
            connection.close()

    def of(self, broker: int) -> Connection:
        """A connection to one broker. Raises ``RpcError``."""
        if broker not in self._nodes:
            raise RpcError(f"broker {broker} leads a partition, but no address of it is known")
        if broker not in self._connections:
            node = self._nodes[broker]
            self._connections[broker] = Connection(node.host, node.port, timeout_s=_TIMEOUT_S)
        return self._connections[broker]

    def forget(self, broker: int) -> None:
        """Drop a connection that failed."""
        connection = self._connections.pop(broker, None)
        if connection is not None:
            connection.close()

    def describe(self) -> TopicState:
        """The topic as the first broker that answers says; the caller has waited until all agree."""
        last: RpcError = RpcError(f"no broker knows the topic {self.topic}")
        for broker in self._nodes:
            try:
                described = describe_topic(self.of(broker), self.topic)
            except RpcError as error:
                self.forget(broker)
                last = error
                continue
            if described is not None:
                return described
        raise last

    def offsets(self, described: TopicState, timestamp: int = -1) -> dict[int, int]:
        """Offsets of all partitions from their leaders."""
        by_leader: dict[int, dict[int, int]] = {}
        for one in described.partitions:
            by_leader.setdefault(one.leader, {})[one.partition] = -1
        found: dict[int, int] = {}
        for leader, wanted in by_leader.items():
            found |= list_offsets(self.of(leader), self.topic, wanted, timestamp)
        return found


def note_ends(leaders: Leaders, limit_s: float, event: Callable[..., object]) -> dict[int, int]:
    """End offsets of all partitions, equal in two looks one second apart. Raises ``RunFailed`` when they don't come to rest."""
    deadline = time.monotonic() + limit_s
    before: dict[int, int] | None = None
    problem = "they still moved"
    while time.monotonic() < deadline:
        try:
            described = leaders.describe()
            ends = leaders.offsets(described)
        except RpcError as error:
            before, problem = None, str(error)
            time.sleep(0.2)
            continue
        if len(ends) == len(described.partitions) and ends == before:
            event("noted-ends", ends=ends)
            return ends
        before = ends
        time.sleep(NOTED_APART_S)
    reason = f"the ends of the partitions could not be noted within {limit_s:g} s: {problem}"
    raise RunFailed(reason, "see that every partition has a leader, and nobody else writes to the topic")


@dataclass(slots=True)
class _PartitionRead:
    partition: int
    topic_id: bytes
    leader: int
    end: int
    start: int
    position: int = 0
    epochs: set[int] = field(default_factory=set[int])
    epoch: int = 0
    last_visible: int = -1
    doubted: int = -1
    """Where a batch could not be read once: it is asked for again before it counts as damaged."""


class FinalLog(NamedTuple):
    """What there was at the end: each partition as ``final.json`` holds it, where its readable records end (last offset + 1), the topic's id."""

    partitions: dict[int, dict[str, Any]]
    readable: dict[int, int]
    topic_id: str


class FinalLogReader:
    """Reads partitions raw into the column files ``log_batches`` and ``log_records``. One use."""

    def __init__(self, leaders: Leaders, run_id: int, folder: Path, event: Callable[..., object]) -> None:
        self._leaders = leaders
        self._run_id = run_id
        self._event = event
        self._batches = ColumnWriter(folder, LOG_BATCHES)
        self._records = ColumnWriter(folder, LOG_RECORDS)

    def read(self, ends: Mapping[int, int], epochs_seen: Mapping[int, set[int]], limit_s: float) -> FinalLog:
        """All partitions. ``epochs_seen``: leader epochs that were seen while it happened; where each ended is asked of the leader."""
        deadline = time.monotonic() + limit_s
        described = self._leaders.describe()
        starts = self._leaders.offsets(described, EARLIEST)
        partitions: dict[int, dict[str, Any]] = {}
        readable: dict[int, int] = {}
        for state in described.partitions:
            start = starts.get(state.partition, 0)
            one = _PartitionRead(state.partition, described.topic_id, state.leader, ends.get(state.partition, start), start, start)
            self._read_partition(one, deadline)
            partitions[one.partition] = {
                "start_offset": one.start,
                "end_offset": one.end,
                "read_to": one.position,
                "epoch_ends": self._epoch_ends(one, epochs_seen.get(one.partition, set()) | one.epochs),
            }
            readable[one.partition] = one.last_visible + 1
        self._batches.close()
        self._records.close()
        return FinalLog(partitions, readable, described.id_text)

    def _read_partition(self, one: _PartitionRead, deadline: float) -> None:
        """Until the noted end, or the deadline; a short read is no error here: the judge sees how far it got."""
        while one.position < one.end and time.monotonic() < deadline:
            answer = self._fetch(one, one.position)
            if answer is None or answer.error_code != ErrorCode.NONE:
                time.sleep(_AGAIN_S)
                self._find_leader(one)
                continue
            before = one.position
            why = self._keep(one, answer.records)
            if one.position > before or not answer.records:
                continue
            if one.doubted != before:
                one.doubted = before
            elif not self._keep_damaged(one, why, deadline):
                return

    def _fetch(self, one: _PartitionRead, offset: int, **limits: int) -> Fetched | None:
        """``None`` when there was no answer."""
        try:
            return fetch(self._leaders.of(one.leader), self._leaders.topic, one.topic_id, one.partition, offset, **limits)
        except RpcError:
            self._leaders.forget(one.leader)
            return None

    def _find_leader(self, one: _PartitionRead) -> None:
        try:
            states = {state.partition: state.leader for state in self._leaders.describe().partitions}
        except RpcError:
            return
        if states.get(one.partition, -1) >= 0:
            one.leader = states[one.partition]

    def _keep(self, one: _PartitionRead, data: bytes) -> str:
        """Keep the batches of an answer up to one that cannot be read; returns what is wrong with that one."""
        why = _TORN
        try:
            for number, (position, header, _) in enumerate(batches(data)):
                last = header.base_offset + header.last_offset_delta
                if number == 0 and last < one.position:
                    why = f"the batch says offsets {header.base_offset} to {last}, asked was for {one.position}"
                    continue  # an answer may begin with the batch before
                if number == 1 and why != _TORN and header.base_offset > one.position:
                    return why  # what was asked for would be missing, so the first was it
                sound = _is_sound(data, position, header)
                if one.position < one.end and (header.base_offset >= one.end or (last >= one.end and not sound)):
                    return f"the batch says offsets {header.base_offset} to {last}, the log ends at {one.end}"
                if one.position >= one.end and header.base_offset != one.position:
                    return ""  # somebody wrote behind the noted end: kept as far as it makes sense
                self._keep_batch(one, data, position, header, last, sound=sound)
                one.position = max(one.position, last + 1)
        except CorruptRecords as corrupt:
            return str(corrupt)
        return why

    def _keep_batch(self, one: _PartitionRead, data: bytes, position: int, header: BatchHeader, last: int, *, sound: bool) -> None:
        row = self._batches.rows
        self._batches.append(
            one.partition,
            header.base_offset,
            last,
            header.partition_leader_epoch,
            header.producer_id,
            header.producer_epoch,
            header.base_sequence,
            header.record_count,
            header.attributes & 0xFFFF,
            header.max_timestamp,
            int(sound),
        )
        one.epochs.add(header.partition_leader_epoch)
        one.epoch = header.partition_leader_epoch
        if header.attributes & _CONTROL:
            return
        try:
            records = read_records(data, position, header)
        except CorruptRecords:
            self._keep_unreadable(one.partition, header.base_offset, row)
            return
        for record in records:
            stamp = read_stamp(self._run_id, one.partition, record.key, record.value)
            self._records.append(one.partition, record.offset, row, stamp.writer, stamp.sequence, stamp.flags)
            one.last_visible = record.offset

    def _keep_unreadable(self, partition: int, offset: int, row: int) -> None:
        """One record that nobody can read, so that it shows up as foreign instead of being left out."""
        self._records.append(partition, offset, row, 0, 0, FOREIGN)

    def _keep_damaged(self, one: _PartitionRead, why: str, deadline: float) -> bool:
        """Keep what lies at the position as a batch of one record that nobody can read; whether reading goes on behind it."""
        following = self._next_batch(one, deadline)
        self._event("damaged-batch", partition=one.partition, offset=one.position, why=why, next_offset=following)
        last = one.position if following is None else following - 1
        row = self._batches.rows
        # In the leader epoch of the batch before: its own is not known, and must not look as if it had fallen.
        self._batches.append(one.partition, one.position, last, one.epoch, -1, -1, -1, 1, 0, -1, 0)
        self._keep_unreadable(one.partition, one.position, row)
        if following is None:
            return False
        one.position = following
        return True

    def _next_batch(self, one: _PartitionRead, deadline: float) -> int | None:
        """The base offset of the first batch behind the position that can be read; the noted end when the damaged one is the last.

        A header that cannot be read does not say where its batch ends, so every offset is tried. ``None``: not found within the limits.
        """
        furthest = one.position + DAMAGE_LIMIT_OFFSETS
        is_last = one.end <= furthest
        for offset in range(one.position + 1, min(one.end, furthest)):
            if time.monotonic() > deadline:
                return None
            answer = self._fetch(one, offset, max_bytes=_ONE_BATCH_BYTES, max_wait_ms=0)
            if answer is None or answer.error_code != ErrorCode.NONE or not answer.records:
                is_last = False
                time.sleep(_AGAIN_S)
                self._find_leader(one)
                continue
            following = _first_base(answer.records)
            if following is not None and one.position < following < one.end:
                return following
        return one.end if is_last else None

    def _epoch_ends(self, one: _PartitionRead, epochs: set[int]) -> dict[int, int]:
        found: dict[int, int] = {}
        for epoch in sorted(epochs):
            try:
                answer = epoch_end_offsets(self._leaders.of(one.leader), self._leaders.topic, {one.partition: epoch})
            except RpcError:
                return found
            if one.partition in answer:
                found[epoch] = answer[one.partition][1]
        return found


def _is_sound(data: bytes, position: int, header: BatchHeader) -> bool:
    try:
        check_crc(data, position, header)
    except CorruptRecords:
        return False
    return True


def _first_base(data: bytes) -> int | None:
    """The base offset of the batch that an answer begins with; ``None`` when it cannot be read."""
    try:
        return next((header.base_offset for _, header, _ in batches(data)), None)
    except CorruptRecords:
        return None
