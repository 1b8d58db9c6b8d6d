"""An idempotent producer with ``acks=all``, as the Java client is one: batches per partition with sequences, up to five under way, retried
with the same sequence until they are answered, in order.

A batch whose delivery timeout runs out has an unknown outcome. Then nothing new is sent until all that is under way is answered, every batch
that was ever sent is given up as unknown, and the rest goes on under a new producer id.
"""

from collections import deque

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.rng import Rng
from holdwater.sim.client import REQUEST_TIMEOUT_US, Client
from holdwater.sim.cluster import SimCluster
from holdwater.sim.history import History, Sent
from holdwater.sim.verdicts import SafetyViolation
from holdwater.wire.messages import InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProduceResponse
from holdwater.wire.records import Record, build_batch

PRODUCE_VERSION = 13
INIT_VERSION = 5
IN_FLIGHT_MAX = 5
RETRY_BACKOFF_US = 100_000
DELIVERY_TIMEOUT_US = 120_000_000

_RETRIED = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.LEADER_NOT_AVAILABLE,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.REQUEST_TIMED_OUT,
        ErrorCode.NOT_ENOUGH_REPLICAS,
        ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        ErrorCode.KAFKA_STORAGE_ERROR,
    }
)


class Batch:
    """Records that travel together. ``sequence`` is -1 until the first attempt; ``number`` counts the batches of a partition."""

    __slots__ = ("attempts", "deadline_us", "frame", "index", "must_fit_epoch", "number", "records", "sequence", "under_way")

    def __init__(self, index: int, number: int, deadline_us: int) -> None:
        self.index = index
        self.number = number
        self.records: list[Sent] = []
        self.sequence = -1
        self.attempts = 0
        self.under_way = False
        self.must_fit_epoch = -1
        """Leader epoch of the true leader that it was last sent to after everything before it was acknowledged: that leader has it all, and
        must take this. -1 when it was sent too early, or to one that only believes that it leads."""
        self.deadline_us = deadline_us
        self.frame = b""


class Lane:
    """One partition's unanswered batches, oldest first."""

    __slots__ = ("batch_count", "batches", "next_sequence", "retry_us")

    def __init__(self) -> None:
        self.batches: deque[Batch] = deque()
        self.batch_count = 0
        self.next_sequence = 0
        self.retry_us = 0

    def sendable(self, now_us: int) -> Batch | None:
        """The next batch that may leave.

        A retried one only when nothing older is unanswered, a new one behind no retried one that waits. None is sent that is five or more
        after the oldest unanswered one, though some between may be acknowledged: a leader recognises the last five batches, no more.
        """
        if now_us < self.retry_us:
            return None
        for place, batch in enumerate(self.batches):
            if not batch.under_way:
                waits = (batch.attempts and place > 0) or batch.number >= self.batches[0].number + IN_FLIGHT_MAX
                return None if waits else batch
        return None


class Producer(Client):
    """See the module. ``interval_us`` apart a record is sent to a partition drawn at random; ``batch_max`` of them at most travel together."""

    def __init__(
        self, cluster: SimCluster, name: str, topic: str, rng: Rng, history: History, *, interval_us: int, batch_max: int = 3
    ) -> None:
        super().__init__(cluster, name, topic, rng)
        self.history = history
        self._watch = cluster.watch
        self.interval_us = interval_us
        self.batch_max = batch_max
        self.timeout_ms = 10_000
        self.producing = True
        self._lanes: dict[int, Lane] = {}
        self._number = 0
        self._producer_id = -1
        self._producer_epoch = -1
        self._resetting = False
        self._draining = False

    def start(self) -> None:
        """Begin."""
        self.refresh_metadata()
        self._ask_for_id()
        self.scheduler.after(self.interval_us, self._produce)

    @property
    def waiting_count(self) -> int:
        """Records without an outcome."""
        return sum(len(batch.records) for lane in self._lanes.values() for batch in lane.batches)

    def metadata_arrived(self) -> None:
        """Somebody may lead now."""
        self._drain_soon()

    # --- records and batches

    def _produce(self) -> None:
        if self.stopped or not self.producing:
            return
        self.scheduler.after(self.rng.uniform_ms(self.interval_us // 2, self.interval_us * 3 // 2), self._produce)
        if not self.partitions:
            return
        index = self.rng.below(len(self.partitions))
        self._number += 1
        sent = Sent(self.name, self._number, index, f"{self.name}-{self._number}".encode(), self.scheduler.now_us)
        self.history.send(sent)
        lane = self._lanes.setdefault(index, Lane())
        last = lane.batches[-1] if lane.batches else None
        if last is None or last.attempts or len(last.records) >= self.batch_max:
            lane.batch_count += 1
            last = Batch(index, lane.batch_count, self.scheduler.now_us + DELIVERY_TIMEOUT_US)
            lane.batches.append(last)
        last.records.append(sent)
        self._drain_soon()

    def _drain_soon(self, delay_us: int = 1_000) -> None:
        if delay_us > 1_000:
            self.scheduler.after(delay_us, self._drain_soon)
        elif not self._draining:
            self._draining = True
            self.scheduler.after(delay_us, self._drain)

    def _drain(self) -> None:
        """Send what may be sent, one request to each leader."""
        self._draining = False
        now = self.scheduler.now_us
        if self.stopped or self._producer_id < 0:
            return
        if not self._resetting:
            self._look_for_expired(now)
        if self._resetting:
            self._reset_if_idle()
            return
        by_leader: dict[int, list[Batch]] = {}
        for index, lane in self._lanes.items():
            batch = lane.sendable(now)
            known = self.partitions[index]
            if batch is None:
                continue
            if known.leader_id < 0:
                self.refresh_metadata()
                continue
            by_leader.setdefault(known.leader_id, []).append(batch)
        for leader_id, batches in by_leader.items():
            self._send(leader_id, batches)

    def _send(self, leader_id: int, batches: list[Batch]) -> None:
        connection = self.connection(leader_id)
        if connection is None or connection.is_resting:
            self.refresh_metadata()
            self._drain_soon(RETRY_BACKOFF_US)
            return
        for batch in batches:
            self._prepare(batch, leader_id)
        struct = ProduceRequest.PartitionProduceData
        topic = ProduceRequest.TopicProduceData(
            topic_id=self.topic_id, partition_data=[struct(index=batch.index, records=batch.frame) for batch in batches]
        )
        request = ProduceRequest(acks=-1, timeout_ms=self.timeout_ms, topic_data=[topic])
        connection.request(
            request, PRODUCE_VERSION, ProduceResponse, REQUEST_TIMEOUT_US, lambda response: self._answered(leader_id, batches, response)
        )
        self._drain_soon()  # more may be waiting behind these

    def _prepare(self, batch: Batch, leader_id: int) -> None:
        if batch.sequence < 0:
            lane = self._lanes[batch.index]
            batch.sequence = lane.next_sequence
            lane.next_sequence += len(batch.records)
            wall_ms = 1_700_000_000_000 + self.scheduler.now_us // 1000
            batch.frame = build_batch(
                [Record(0, wall_ms, sent.producer.encode(), sent.value) for sent in batch.records],
                producer_id=self._producer_id,
                producer_epoch=self._producer_epoch,
                base_sequence=batch.sequence,
            )
        batch.attempts += 1
        batch.under_way = True
        first = self._lanes[batch.index].batches[0] is batch
        batch.must_fit_epoch = self._epoch_led_by(leader_id, batch.index) if first else -1

    # --- answers

    def _answered(self, leader_id: int, batches: list[Batch], response: ProduceResponse | None) -> None:
        for batch in batches:
            batch.under_way = False
        if self.stopped:
            return
        if response is None:
            self.history.error("no answer")
            self._retry(batches)
            return
        answers = {answer.index: answer for topic in response.responses for answer in topic.partition_responses}
        retried: list[Batch] = []
        for batch in batches:
            answer = answers.get(batch.index)
            if answer is None:
                raise SafetyViolation("protocol", f"{self.name}: a produce response without partition {batch.index}")
            if answer.error_code == 0 or answer.error_code == ErrorCode.DUPLICATE_SEQUENCE_NUMBER:
                self._acknowledged(batch, answer.base_offset)
            else:
                self._refused(leader_id, batch, answer.error_code)
                retried.append(batch)
        if retried:
            self._retry(retried)
        self._drain_soon()

    def _acknowledged(self, batch: Batch, base_offset: int) -> None:
        lane = self._lanes[batch.index]
        lane.batches.remove(batch)
        self.trace.line(self.name, f"acknowledged {batch.index}@{base_offset} x{len(batch.records)}")
        for step, sent in enumerate(batch.records):
            self.history.acknowledge(sent, base_offset + step if base_offset >= 0 else -1, self.scheduler.now_us)

    def _refused(self, leader_id: int, batch: Batch, error_code: int) -> None:
        name = ErrorCode(error_code).name
        self.history.error(name)
        self.trace.line(self.name, f"partition {batch.index} sequence {batch.sequence}: {name}")
        if error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER:
            if batch.must_fit_epoch >= 0 and batch.must_fit_epoch == self._epoch_led_by(leader_id, batch.index):
                raise SafetyViolation(
                    "P1",
                    f"{self.name}: partition {batch.index} refuses sequence {batch.sequence}, and everything before it was acknowledged",
                )
        elif error_code not in _RETRIED:
            raise SafetyViolation("P", f"{self.name}: partition {batch.index} answered {name} to an idempotent producer")

    def _epoch_led_by(self, leader_id: int, index: int) -> int:
        """The leader epoch in which a broker truly leads, by the newest committed metadata; -1 when it does not."""
        state = self._watch.newest.partition(self.topic_id, index)
        return state.leader_epoch if state is not None and state.leader == leader_id else -1

    def _retry(self, batches: list[Batch]) -> None:
        now = self.scheduler.now_us
        for batch in batches:
            self._lanes[batch.index].retry_us = now + RETRY_BACKOFF_US
        self.refresh_metadata()
        self._drain_soon(RETRY_BACKOFF_US)

    # --- producer ids

    def _ask_for_id(self) -> None:
        if self.stopped:
            return
        request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000, producer_id=-1, producer_epoch=-1)
        self.any_connection().request(request, INIT_VERSION, InitProducerIdResponse, REQUEST_TIMEOUT_US, self._id_came)

    def _id_came(self, response: InitProducerIdResponse | None) -> None:
        if response is None or response.error_code:
            self.scheduler.after(RETRY_BACKOFF_US, self._ask_for_id)
            return
        self._producer_id, self._producer_epoch = response.producer_id, response.producer_epoch
        self.history.took_producer_id(self.name, self._producer_id, self._producer_epoch)
        self._drain_soon()

    def _look_for_expired(self, now_us: int) -> None:
        for lane in self._lanes.values():
            if lane.batches and lane.batches[0].deadline_us <= now_us and not lane.batches[0].under_way:
                self._resetting = True

    def _reset_if_idle(self) -> None:
        """Once nothing is under way: give up what was ever sent, and go on under a new producer id."""
        if any(batch.under_way for lane in self._lanes.values() for batch in lane.batches):
            return
        self.trace.line(self.name, "delivery timeout: new producer id")
        for lane in self._lanes.values():
            kept = deque(batch for batch in lane.batches if not batch.attempts and batch.deadline_us > self.scheduler.now_us)
            for batch in lane.batches:
                if batch not in kept:
                    for sent in batch.records:
                        self.history.give_up(sent, self.scheduler.now_us)
            lane.batches = kept
            lane.next_sequence = 0
        self._resetting = False
        self._producer_id = -1
        self._ask_for_id()
