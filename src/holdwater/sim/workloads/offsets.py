"""What a consumer asks about offsets, and what the answers must be.

- The latest offset never goes back for one consumer, and is not below what it has read (KIP-207; OFFSET_NOT_AVAILABLE is an answer).
- The earliest one is not above what somebody asked to delete.
- The first record at or after a time is the first of those that were read.
- A new leader has everything that was read: the leader epoch of the last record that was read ends at or behind it (KIP-320).

Answers are by topic name, so this is for topics that stay.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdwater.kernel.errors import ErrorCode
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.client import REQUEST_TIMEOUT_US, Partition
from holdwater.sim.workloads.history import Key
from holdwater.wire.messages import (
    ListOffsetsRequest,
    ListOffsetsResponse,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
)

if TYPE_CHECKING:
    from holdwater.sim.workloads.consumer import Consumer

LATEST, EARLIEST = -1, -2
_LIST_VERSION = 10
_EPOCH_VERSION = 4
_INTERVAL_US = 3_000_000
_RETRY_US = 200_000
_CONSUMER = -1
_RETRIED = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.FENCED_LEADER_EPOCH,
        ErrorCode.UNKNOWN_LEADER_EPOCH,
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.OFFSET_NOT_AVAILABLE,
    }
)


class OffsetQuestions:
    """See the module. ``EARLIEST`` is asked until there is an answer, everything else once."""

    def __init__(self, consumer: "Consumer") -> None:
        self._consumer = consumer

    def begin(self) -> None:
        """Ask something now and then."""
        self._consumer.scheduler.after(_INTERVAL_US, self._ask_something)

    def _ask_something(self) -> None:
        consumer = self._consumer
        rng = consumer.rng
        if consumer.stopped:
            return
        consumer.scheduler.after(rng.uniform_ms(_INTERVAL_US // 2, _INTERVAL_US * 3 // 2), self._ask_something)
        if not consumer.partitions:
            return
        index = rng.below(len(consumer.partitions))
        reads = consumer.history.reads.get((consumer.topic_id, index))
        timestamp = (LATEST, LATEST, EARLIEST, 0)[rng.below(4)]
        if timestamp == 0 and reads is not None:
            timestamp = reads.at[reads.offsets[rng.below(len(reads.offsets))]].timestamp_ms
        if timestamp:
            self.ask(index, timestamp)

    # --- ListOffsets

    def ask(self, index: int, timestamp: int) -> None:
        """Ask the leader of a partition for an offset."""
        consumer = self._consumer
        known = consumer.partitions.get(index)
        connection = consumer.connection(known.leader_id) if known is not None else None
        if consumer.stopped:
            return
        if known is None or connection is None:
            self._ask_later(index, timestamp)
            return
        key = (consumer.topic_id, index)
        place = consumer.place(key)
        position, floor = place.offset, max(place.offset, place.highest_latest)
        asked = ListOffsetsRequest.ListOffsetsPartition(partition_index=index, current_leader_epoch=known.leader_epoch, timestamp=timestamp)
        topic = ListOffsetsRequest.ListOffsetsTopic(name=consumer.topic, partitions=[asked])
        request = ListOffsetsRequest(replica_id=_CONSUMER, topics=[topic], timeout_ms=5_000)

        def answered(response: ListOffsetsResponse | None) -> None:
            answer = response.topics[0].partitions[0] if response is not None else None
            if answer is None or not self._is_good("offsets", key, answer.error_code):
                self._ask_later(index, timestamp)
            elif timestamp == LATEST:
                self._judge_latest(key, floor, answer.offset)
            elif timestamp == EARLIEST:
                self._judge_earliest(key, answer.offset)
            else:
                self._judge_time(key, timestamp, position, answer)

        connection.request(request, _LIST_VERSION, ListOffsetsResponse, REQUEST_TIMEOUT_US, answered)

    def _ask_later(self, index: int, timestamp: int) -> None:
        consumer = self._consumer
        consumer.refresh_metadata()
        if timestamp == EARLIEST and consumer.place((consumer.topic_id, index)).seeking:
            consumer.scheduler.after(_RETRY_US, self.ask, index, timestamp)

    def _is_good(self, api: str, key: Key, error_code: int) -> bool:
        """Whether there is an answer. Raises ``SafetyViolation`` for an error that may not be."""
        consumer = self._consumer
        if not error_code or consumer.stopped:
            return not error_code
        name = ErrorCode(error_code).name
        consumer.history.error(f"{api} {name}")
        if error_code not in _RETRIED:
            raise SafetyViolation("R5", f"{consumer.name}: {api} of {consumer.history.name((key, -1))} answered {name}")
        return False

    def _judge_latest(self, key: Key, floor: int, offset: int) -> None:
        consumer = self._consumer
        consumer.history.count("offset-latest")
        if offset < floor:
            at = consumer.history.name((key, offset))
            raise SafetyViolation("R5", f"{consumer.name}: the latest offset is {at}, below {floor}, which was there before")
        place = consumer.place(key)
        place.highest_latest = max(place.highest_latest, offset)

    def _judge_earliest(self, key: Key, offset: int) -> None:
        consumer = self._consumer
        consumer.history.count("offset-earliest")
        if offset > consumer.history.deletion_asked(key):
            at = consumer.history.name((key, offset))
            raise SafetyViolation("R14", f"{consumer.name}: the earliest offset is {at}, nobody asked to delete what is below it")
        place = consumer.place(key)
        if place.seeking:
            place.seeking = False
            if offset > place.offset:
                consumer.history.count("reset-to-earliest")
            place.seek(offset)
            consumer.metadata_arrived()

    def _judge_time(self, key: Key, timestamp: int, position: int, answer: ListOffsetsResponse.ListOffsetsPartitionResponse) -> None:
        """``position``: what this consumer had read when it asked; a leader of old that it asked may lack what others have read since."""
        history = self._consumer.history
        history.count("offset-by-time")
        reads = history.reads[key]
        sure = [
            offset
            for offset, found in reads.at.items()
            if found.timestamp_ms >= timestamp and history.deletion_asked(key) <= offset < position
        ]
        what = f"{self._consumer.name}: the first record of {history.name((key, -1))} at or after {timestamp} is said to be {answer.offset}"
        if answer.offset < 0 or (sure and answer.offset > min(sure)):
            if sure:
                raise SafetyViolation("H", f"{what}, {min(sure)} was read")
            return
        read = reads.at.get(answer.offset)
        if answer.timestamp < timestamp or (read is not None and read.timestamp_ms != answer.timestamp):
            raise SafetyViolation("H", f"{what}, with timestamp {answer.timestamp}; there was read {read}")

    # --- OffsetForLeaderEpoch

    def leaders_known(self) -> None:
        """Ask each new leader whether it has everything that was read."""
        consumer = self._consumer
        for index, known in consumer.partitions.items():
            place = consumer.place((consumer.topic_id, index))
            connection = consumer.connection(known.leader_id)
            if known.leader_epoch > place.checked_epoch and place.leader_epoch >= 0 and connection is not None:
                place.checked_epoch = known.leader_epoch
                self._ask_where_epoch_ends(index, known, place.leader_epoch, place.offset, connection.request)

    def _ask_where_epoch_ends(self, index: int, known: Partition, leader_epoch: int, offset: int, send: Callable[..., None]) -> None:
        consumer = self._consumer
        key = (consumer.topic_id, index)
        asked = OffsetForLeaderEpochRequest.OffsetForLeaderPartition(
            partition=index, current_leader_epoch=known.leader_epoch, leader_epoch=leader_epoch
        )
        topic = OffsetForLeaderEpochRequest.OffsetForLeaderTopic(topic=consumer.topic, partitions=[asked])

        def answered(response: Any) -> None:
            answer = response.topics[0].partitions[0] if response is not None else None
            if answer is None or not self._is_good("epochs", key, answer.error_code):
                place = consumer.place(key)
                place.checked_epoch = min(place.checked_epoch, known.leader_epoch - 1)  # with the next metadata again
                return
            consumer.history.count("offset-of-epoch")
            if answer.end_offset < offset or answer.leader_epoch != leader_epoch:
                raise SafetyViolation(
                    "R5",
                    f"{consumer.name} has read up to {consumer.history.name((key, offset))} in leader epoch {leader_epoch}; the leader "
                    f"of leader epoch {known.leader_epoch} says that {answer.leader_epoch} ends at {answer.end_offset}",
                )

        request = OffsetForLeaderEpochRequest(replica_id=_CONSUMER, topics=[topic])
        send(request, _EPOCH_VERSION, OffsetForLeaderEpochResponse, REQUEST_TIMEOUT_US, answered)
