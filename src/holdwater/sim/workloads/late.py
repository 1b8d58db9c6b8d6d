"""Requests that come again, much later, from nowhere (F11): what producers have sent before, on connections that they do not know.

Of an idempotent producer such a request is a duplicate, or out of order, or it is the first one that arrives: its records are there once at
most, and where the first answer said (P2). To a topic that is deleted it must fail (M7): once the broker that is asked knows of the deletion, by
its own metadata, nothing may be written to or read from that topic id.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.batches import Batch
from holdwater.sim.workloads.client import REQUEST_TIMEOUT_US, Client
from holdwater.sim.workloads.history import ANY_INCARNATION, History
from holdwater.sim.workloads.plan import BY_ID
from holdwater.sim.workloads.producer import FINAL, RETRIED
from holdwater.wire.messages import FetchRequest, FetchResponse, ProduceRequest, ProduceResponse

KEPT_COUNT = 40
_TIMEOUT_MS = 5_000
_ALSO_POSSIBLE = frozenset(
    {ErrorCode.DUPLICATE_SEQUENCE_NUMBER, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode.INVALID_PRODUCER_EPOCH} | FINAL | RETRIED
)


class Remembered:
    """A batch that was sent; ``offset`` -1: nobody knows where it is, or whether it is."""

    __slots__ = ("batch", "frame", "offset", "topic_id")

    def __init__(self, batch: Batch, topic_id: bytes, offset: int) -> None:
        self.batch = batch
        self.frame = batch.frame
        self.topic_id = topic_id
        self.offset = offset


class LateSender(Client):
    """See the module. It remembers what the producers of one topic have sent."""

    def __init__(self, cluster: SimCluster, name: str, topic: str, rng: Rng, history: History, interval_us: int) -> None:
        super().__init__(cluster, name, topic, rng, history)
        self.over = False
        self._cluster = cluster
        self._interval_us = interval_us
        self._memory: deque[Remembered] = deque(maxlen=KEPT_COUNT)
        self._pending_count = 0

    @property
    def is_resting(self) -> bool:
        """Whether it waits for no answer."""
        return not self._pending_count

    def remember(self, batch: Batch, topic_id: bytes, base_offset: int) -> None:
        """A producer is done with a batch (``Producer.on_leave``)."""
        if topic_id != ANY_INCARNATION:
            self._memory.append(Remembered(batch, topic_id, base_offset))

    def start(self) -> None:
        """Begin."""
        self.refresh_metadata()
        self.scheduler.after(self._interval_us, self._send_one)

    def _send_one(self) -> None:
        if self.stopped or self.over:
            return
        self.scheduler.after(self.rng.uniform_ms(self._interval_us // 2, self._interval_us * 3 // 2), self._send_one)
        if not self._memory or not self._addresses:
            return
        chosen = self._memory[self.rng.below(len(self._memory))]
        known = self.partitions.get(chosen.batch.index)
        is_old = chosen.topic_id != self.topic_id
        node_id = known.leader_id if known is not None and not is_old else -1
        if node_id not in self._addresses:
            ids = sorted(self._addresses)
            node_id = ids[self.rng.below(len(ids))]
        connection = self.connection(node_id)
        if connection is None or connection.is_resting:
            self.refresh_metadata()
            return
        self._pending_count += 1
        lacks = self._lacks(node_id, chosen.topic_id)
        if is_old and self.rng.chance(0.5):
            self.history.count("late-fetch")
            connection.request(_fetch(chosen), BY_ID, FetchResponse, REQUEST_TIMEOUT_US, self._then(chosen, lacks, _fetch_answer))
            return
        self.history.count("zombie-request")
        for sent in chosen.batch.records:
            sent.attempts += 1
        connection.request(_produce(chosen), BY_ID, ProduceResponse, REQUEST_TIMEOUT_US, self._then(chosen, lacks, _produce_answer))

    def _lacks(self, node_id: int, topic_id: bytes) -> Callable[[], bool]:
        """Whether a broker knows that a topic is no more: now, and from now on in this process. One that starts may not have heard of it yet."""
        node = self._cluster.nodes[node_id]
        incarnation = node.incarnation
        deleted_by = self._cluster.watch.deleted.get(topic_id)
        lacked = node.broker is not None and deleted_by is not None and node.broker.image.last_offset >= deleted_by
        return lambda: lacked and node.incarnation == incarnation

    def _then(self, chosen: Remembered, lacks: Callable[[], bool], read: Callable[[Any], tuple[int, int]]) -> Callable[[Any], None]:
        def answered(response: Any) -> None:
            self._pending_count -= 1
            if not self.stopped and response is not None:
                self._judge(chosen, lacks(), *read(response))

        return answered

    def _judge(self, chosen: Remembered, is_gone: bool, error_code: int, base_offset: int) -> None:
        batch = chosen.batch
        what = f"{self.topic}-{batch.index} ({chosen.topic_id.hex()[:8]})"
        if error_code:
            name = ErrorCode(error_code).name
            self.history.error(f"late {name}")
            if is_gone:
                self.history.count("deleted-topic-refused")
            if error_code in {ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.UNKNOWN_TOPIC_ID}:
                self.refresh_metadata()
            elif error_code not in _ALSO_POSSIBLE:
                raise SafetyViolation("P", f"{self.name}: {what} answered {name} to a late request")
            return
        if is_gone:
            raise SafetyViolation("M7", f"{self.name}: {what} is deleted, the broker knows it, and serves it")
        if base_offset < 0 or not batch.records[0].promise.idempotent:
            return
        self.trace.line(self.name, f"{what} sequence {batch.sequence}: is at {base_offset}")
        self.history.count("zombie-answered-with-offset")
        if chosen.offset < 0:
            chosen.offset = base_offset
        elif chosen.offset != base_offset:
            raise SafetyViolation("P2", f"{self.name}: {what} has at {base_offset} what it acknowledged at {chosen.offset} before")


def _produce(chosen: Remembered) -> ProduceRequest:
    data = ProduceRequest.PartitionProduceData(index=chosen.batch.index, records=chosen.frame)
    topic = ProduceRequest.TopicProduceData(topic_id=chosen.topic_id, partition_data=[data])
    return ProduceRequest(acks=-1, timeout_ms=_TIMEOUT_MS, topic_data=[topic])


def _produce_answer(response: ProduceResponse) -> tuple[int, int]:
    answer = response.responses[0].partition_responses[0]
    return answer.error_code, answer.base_offset


def _fetch(chosen: Remembered) -> FetchRequest:
    asked = FetchRequest.FetchPartition(
        partition=chosen.batch.index, current_leader_epoch=-1, fetch_offset=0, last_fetched_epoch=-1, partition_max_bytes=1000
    )
    topic = FetchRequest.FetchTopic(topic_id=chosen.topic_id, partitions=[asked])
    return FetchRequest(max_wait_ms=0, min_bytes=0, max_bytes=1000, topics=[topic])


def _fetch_answer(response: FetchResponse) -> tuple[int, int]:
    if response.error_code:
        return response.error_code, -1
    return response.responses[0].partitions[0].error_code, -1
