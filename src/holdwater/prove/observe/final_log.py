"""The end of a run: the ends of all partitions noted twice, then every partition read raw from its leader, batch by batch.

The log is the truth. It is read as it lies there: producer id, producer epoch, sequence, leader epoch, control batches, batch boundaries.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import BatchHeader, CorruptRecords
from holdwater.prove.errors import RunFailed
from holdwater.prove.history.columns import LOG_BATCHES, LOG_RECORDS, ColumnWriter
from holdwater.prove.history.payload import FOREIGN, read_stamp
from holdwater.rpc import Connection, RpcError
from holdwater.rpc.calls import (
    EARLIEST,
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
        last: RpcError = RpcError("no broker is known")
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
    last_visible: int = -1


class FinalLogReader:
    """Reads partitions raw into the column files ``log_batches`` and ``log_records``. One use."""

    def __init__(self, leaders: Leaders, run_id: int, folder: Path) -> None:
        self._leaders = leaders
        self._run_id = run_id
        self._batches = ColumnWriter(folder, LOG_BATCHES)
        self._records = ColumnWriter(folder, LOG_RECORDS)

    def read(
        self, ends: Mapping[int, int], epochs_seen: Mapping[int, set[int]], limit_s: float
    ) -> tuple[dict[int, dict[str, Any]], dict[int, int]]:
        """What ``final.json`` holds of each partition, and where the readable records of each end (last offset + 1).

        ``epochs_seen``: leader epochs that were seen while it happened; where each ended is asked of the leader.
        """
        deadline = time.monotonic() + limit_s
        described = self._leaders.describe()
        starts = self._leaders.offsets(described, EARLIEST)
        partitions: dict[int, dict[str, Any]] = {}
        readable: dict[int, int] = {}
        for state in described.partitions:
            start = starts.get(state.partition, 0)
            one = _PartitionRead(state.partition, described.topic_id, state.leader, ends[state.partition], start, start)
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
        return partitions, readable

    def _read_partition(self, one: _PartitionRead, deadline: float) -> None:
        """Until the noted end, or the deadline; a short read is no error here: the judge sees how far it got."""
        while one.position < one.end and time.monotonic() < deadline:
            try:
                answer = fetch(self._leaders.of(one.leader), self._leaders.topic, one.topic_id, one.partition, one.position)
            except RpcError:
                self._leaders.forget(one.leader)
                time.sleep(0.1)
                self._find_leader(one)
                continue
            if answer.error_code != ErrorCode.NONE:
                time.sleep(0.1)
                self._find_leader(one)
                continue
            self._keep(one, answer.records)

    def _find_leader(self, one: _PartitionRead) -> None:
        try:
            states = {state.partition: state.leader for state in self._leaders.describe().partitions}
        except RpcError:
            return
        if states.get(one.partition, -1) >= 0:
            one.leader = states[one.partition]

    def _keep(self, one: _PartitionRead, data: bytes) -> None:
        for number, (position, header, _) in enumerate(batches(data)):
            last = header.base_offset + header.last_offset_delta
            if number == 0 and last < one.position:
                continue  # an answer may begin with the batch before
            self._keep_batch(one, data, position, header, last)
            one.position = max(one.position, last + 1)

    def _keep_batch(self, one: _PartitionRead, data: bytes, position: int, header: BatchHeader, last: int) -> None:
        sound = True
        try:
            check_crc(data, position, header)
        except CorruptRecords:
            sound = False
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
        if header.attributes & _CONTROL:
            return
        try:
            records = read_records(data, position, header)
        except CorruptRecords:
            # Kept as one record that nobody can read, so that it shows up as foreign instead of being left out.
            self._records.append(one.partition, header.base_offset, row, 0, 0, FOREIGN)
            return
        for record in records:
            stamp = read_stamp(self._run_id, one.partition, record.key, record.value)
            self._records.append(one.partition, record.offset, row, stamp.writer, stamp.sequence, stamp.flags)
            one.last_visible = record.offset

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
