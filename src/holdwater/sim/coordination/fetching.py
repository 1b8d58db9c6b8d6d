"""Fetches without sessions, one under way for each leader, of the partitions that somebody wants."""

from collections.abc import Callable
from typing import NamedTuple

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import CorruptRecords
from holdwater.sim.invariants.watch import Watch
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.client import Client
from holdwater.sim.workloads.reading import ReadBatch, read_batches
from holdwater.wire.messages import FetchRequest, FetchResponse

UNCOMMITTED, COMMITTED = 0, 1
"""Isolation levels."""
_VERSION = 17
_MAX_WAIT_MS = 800
_BYTES_MAX = 1 << 16
_TIMEOUT_US = 10_000_000
_REST_US = 100_000
_RETRIED = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.FENCED_LEADER_EPOCH,
        ErrorCode.UNKNOWN_LEADER_EPOCH,
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.OFFSET_NOT_AVAILABLE,
        ErrorCode.CORRUPT_MESSAGE,
    }
)


class Asked(NamedTuple):
    """What a fetch says of one partition."""

    offset: int
    leader_epoch: int


class Answer(NamedTuple):
    """What a leader said of one partition."""

    partition: int
    asked_offset: int
    batches: list[ReadBatch]
    data: FetchResponse.PartitionData


class Fetching:
    """``wanted`` says which partitions are to be fetched, and from where; ``take`` is given what came, and looks whether it still wants it."""

    def __init__(
        self,
        client: Client,
        watch: Watch,
        isolation: int,
        rest_us: int,
        wanted: Callable[[], dict[int, int]],
        take: Callable[[Answer], None],
    ) -> None:
        self._client = client
        self._watch = watch
        self._isolation = isolation
        self.rest_us = rest_us
        """How long it waits after an answer with records."""
        self._wanted = wanted
        self._take = take
        self._busy: dict[int, bool] = {}
        self.damaged_count = 0

    def go_on(self) -> None:
        """Fetch from every leader that is not being asked."""
        client = self._client
        if client.stopped:
            return
        by_leader: dict[int, dict[int, int]] = {}
        for index, offset in self._wanted().items():
            known = client.partitions.get(index)
            if known is None or known.leader_id < 0:
                client.refresh_metadata()
            else:
                by_leader.setdefault(known.leader_id, {})[index] = offset
        for leader_id, offsets in by_leader.items():
            if not self._busy.get(leader_id):
                self._fetch(leader_id, offsets)

    def _fetch(self, leader_id: int, offsets: dict[int, int]) -> None:
        client = self._client
        connection = client.connection(leader_id)
        self._busy[leader_id] = True
        if connection is None:
            client.refresh_metadata()
            client.scheduler.after(_REST_US, self._rested, leader_id)
            return
        asked = {index: Asked(offset, client.partitions[index].leader_epoch) for index, offset in offsets.items()}
        struct = FetchRequest.FetchPartition
        parts = [
            struct(
                partition=index,
                current_leader_epoch=at.leader_epoch,
                fetch_offset=at.offset,
                last_fetched_epoch=-1,
                partition_max_bytes=_BYTES_MAX,
            )
            for index, at in asked.items()
        ]
        request = FetchRequest(
            max_wait_ms=_MAX_WAIT_MS,
            min_bytes=1,
            max_bytes=_BYTES_MAX,
            isolation_level=self._isolation,
            session_epoch=-1,
            topics=[FetchRequest.FetchTopic(topic=client.topic, topic_id=client.topic_id, partitions=parts)],
        )
        connection.request(request, _VERSION, FetchResponse, _TIMEOUT_US, lambda response: self._answered(leader_id, asked, response))

    def _answered(self, leader_id: int, asked: dict[int, Asked], response: FetchResponse | None) -> None:
        client = self._client
        if client.stopped:
            return
        rest_us = self.rest_us
        if response is None or response.error_code:
            client.refresh_metadata()
            rest_us = _REST_US
        else:
            for topic in response.responses:
                for data in topic.partitions:
                    if data.partition_index in asked and not self._look(asked[data.partition_index], data):
                        rest_us = _REST_US
        client.scheduler.after(rest_us, self._rested, leader_id)

    def _look(self, asked: Asked, data: FetchResponse.PartitionData) -> bool:
        client, offset = self._client, asked.offset
        at = f"{client.topic}-{data.partition_index}@{offset}"
        if data.error_code:
            name = ErrorCode(data.error_code).name
            client.history.error(f"fetch {name}")
            if data.error_code not in _RETRIED and not (data.error_code == ErrorCode.OFFSET_OUT_OF_RANGE and self._is_deposed(data, asked)):
                raise SafetyViolation("R5", f"{client.name}: {at} answered {name}")
            client.refresh_metadata()
            return False
        if not 0 <= data.last_stable_offset <= data.high_watermark:
            raise SafetyViolation(
                "P6", f"{client.name}: {at} has last stable offset {data.last_stable_offset}, high watermark {data.high_watermark}"
            )
        try:
            found = read_batches(data.records or b"", offset, is_boundary=True)
        except CorruptRecords as problem:
            self.damaged_count += 1
            client.history.count("read-damaged")
            client.trace.line(client.name, f"{at}: {problem}")
            return False
        limit = data.last_stable_offset if self._isolation == COMMITTED else data.high_watermark
        if found and found[-1].end_offset > limit:
            raise SafetyViolation("R7", f"{client.name} was given {at} up to {found[-1].end_offset}, may have up to {limit}")
        self._take(Answer(data.partition_index, offset, found, data))
        return True

    def _is_deposed(self, data: FetchResponse.PartitionData, asked: Asked) -> bool:
        """Whether who answered leads no more and may not know it. A client that has read nothing yet knows no better leader epoch, and may
        come with an offset that was committed since.
        """
        newest = self._watch.newest.partition(self._client.topic_id, data.partition_index)
        return newest is None or newest.leader_epoch > asked.leader_epoch

    def _rested(self, leader_id: int) -> None:
        self._busy[leader_id] = False
        self.go_on()
