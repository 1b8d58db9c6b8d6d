"""What every producer does: gather records into batches, a lane for each partition, and send them to whoever leads, again and again.

``idempotent`` and ``plain`` say when a batch may leave and what an error means. A batch is given up when its delivery timeout has run out, or
when its topic is no more; then it is unknown whether it was written, unless every attempt was answered with an error that says it was not.
"""

from collections.abc import Callable

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.batches import Batch, Lane
from holdwater.sim.workloads.client import REQUEST_TIMEOUT_US, Client
from holdwater.sim.workloads.history import ANY_INCARNATION, History, Promise, Sent
from holdwater.sim.workloads.plan import BY_ID, CHURN, NONE, ProducerPlan
from holdwater.wire.messages import ProduceRequest, ProduceResponse
from holdwater.wire.records import build_batch

RETRY_BACKOFF_US = 100_000
SEND_DELAY_US = 1_000
TIMEOUT_MS = 10_000
WAITING_MAX = 600
"""Records without an outcome beyond which a producer takes no more."""

UNWRITTEN = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.LEADER_NOT_AVAILABLE,
        ErrorCode.NOT_ENOUGH_REPLICAS,
        ErrorCode.MESSAGE_TOO_LARGE,
        ErrorCode.INVALID_TIMESTAMP,
        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
    }
)
"""Errors that come before anything is written."""
FINAL = frozenset({ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.INVALID_TIMESTAMP})
"""Errors that end a batch: it would be refused again."""
RETRIED = frozenset(
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


class Producer(Client):
    """See the module. ``on_leave`` is told of each batch that is or may be written when it has its outcome: batch, topic id, base offset or -1."""

    def __init__(self, cluster: SimCluster, name: str, plan: ProducerPlan, rng: Rng, history: History) -> None:
        super().__init__(cluster, name, plan.topic, rng, history)
        self.plan = plan
        self.producing = True
        self.promise = Promise(plan.acks, plan.idempotent, plan.idempotent or plan.in_flight_max == 1)
        self.on_leave: Callable[[Batch, bytes, int], None] = lambda batch, topic_id, base_offset: None
        self._watch = cluster.watch
        self._names_incarnation = plan.version >= BY_ID or plan.topic != CHURN
        self._lanes: dict[int, Lane] = {}
        self._number = 0
        self._draining = False

    def start(self) -> None:
        """Begin."""
        self.refresh_metadata()
        self.scheduler.after(self.plan.interval_us, self._produce)

    @property
    def waiting_count(self) -> int:
        """Records without an outcome."""
        return sum(len(batch.records) for lane in self._lanes.values() for batch in lane.batches)

    def settled_end(self, index: int) -> int:
        """See ``Lane.settled_end``."""
        lane = self._lanes.get(index)
        return lane.settled_end if lane is not None else 0

    def metadata_arrived(self) -> None:
        """Somebody may lead now."""
        self._drain_soon()

    def topic_replaced(self) -> None:
        """What may have been written to the old topic stays there; the rest, and what comes, goes to the new one.

        A producer that names topics by name, as older ones do, does not notice.
        """
        for index, lane in self._lanes.items():
            for batch in list(lane.batches):
                batch.maybe_written |= batch.under_way
                if (batch.maybe_written and self.plan.version >= BY_ID) or index not in self.partitions:
                    self._drop(lane, batch)
                elif not batch.maybe_written:
                    batch.start_over()

    # --- records and batches

    def _produce(self) -> None:
        if self.stopped or not self.producing:
            return
        plan = self.plan
        self.scheduler.after(self.rng.uniform_ms(plan.interval_us // 2, plan.interval_us * 3 // 2), self._produce)
        if not self.partitions or self.waiting_count >= WAITING_MAX:
            return
        index = self.rng.below(len(self.partitions))
        lane = self._lanes.setdefault(index, Lane())
        now = self.scheduler.now_us
        for _ in range(1 + self.rng.below(plan.burst_max)):
            self._number += 1
            sent = Sent(self.name, self._number, self.topic, index, now, self.promise)
            self.history.send(sent)
            lane.add(sent, plan.batch_max, now + plan.delivery_timeout_us)
        self._drain_soon()

    def _drain_soon(self, delay_us: int = SEND_DELAY_US) -> None:
        if delay_us > SEND_DELAY_US:
            self.scheduler.after(delay_us, self._drain_soon)
        elif not self._draining:
            self._draining = True
            self.scheduler.after(delay_us, self._drain)

    def _drain(self) -> None:
        """Send what may be sent, one request to each leader."""
        self._draining = False
        now = self.scheduler.now_us
        if self.stopped or not self._is_ready(now):
            return
        by_leader: dict[int, list[Batch]] = {}
        for index, lane in self._lanes.items():
            batch = self._next(lane, now)
            if batch is None:
                continue
            known = self.partitions.get(index)
            if known is None or known.leader_id < 0:
                self.refresh_metadata()
                continue
            by_leader.setdefault(known.leader_id, []).append(batch)
        for leader_id, batches in by_leader.items():
            self._send(leader_id, batches)

    def _is_ready(self, now_us: int) -> bool:
        """Whether anything may be sent at all; the place to look for batches whose time is up."""
        raise NotImplementedError

    def _next(self, lane: Lane, now_us: int) -> Batch | None:
        """The batch of a lane that may leave now."""
        raise NotImplementedError

    def _send(self, leader_id: int, batches: list[Batch]) -> None:
        connection = self.connection(leader_id)
        if connection is None or connection.is_resting:
            self.refresh_metadata()
            self._drain_soon(RETRY_BACKOFF_US)
            return
        for batch in batches:
            self._prepare(batch, leader_id)
        version = self.plan.version
        struct = ProduceRequest.PartitionProduceData
        topic = ProduceRequest.TopicProduceData(
            name=self.topic,
            topic_id=self.topic_id,
            partition_data=[struct(index=batch.index, records=batch.frame) for batch in batches],
        )
        request = ProduceRequest(acks=self.plan.acks, timeout_ms=TIMEOUT_MS, topic_data=[topic])
        if self.plan.acks == NONE:
            connection.send_only(request, version)
            for batch in batches:
                self._drop(self._lanes[batch.index], batch)
        else:
            connection.request(
                request, version, ProduceResponse, REQUEST_TIMEOUT_US, lambda response: self._answered(leader_id, batches, response)
            )
        self._drain_soon()  # more may be waiting behind these

    def _prepare(self, batch: Batch, leader_id: int) -> None:
        """A batch is about to be sent to somebody."""
        if not batch.frame:
            batch.frame = self._frame(batch)
        batch.attempts += 1
        batch.under_way = True
        batch.leader_epoch = self._true_leader_epoch(leader_id, batch.index)
        for sent in batch.records:
            sent.attempts += 1
            sent.topic_id = self.topic_id if self._names_incarnation else ANY_INCARNATION

    def _frame(self, batch: Batch) -> bytes:
        return build_batch([sent.record() for sent in batch.records])

    def _epoch_led_by(self, leader_id: int, index: int) -> int:
        """The leader epoch in which a broker truly leads, by the newest committed metadata; -1 when it does not."""
        state = self._watch.newest.partition(self.topic_id, index)
        return state.leader_epoch if state is not None and state.leader == leader_id else -1

    def _true_leader_epoch(self, leader_id: int, index: int) -> int:
        """The same, -1 also when the broker does not know it yet."""
        epoch = self._epoch_led_by(leader_id, index)
        replica = self._watch.replica_on(leader_id, self.topic_id, index)
        return epoch if replica is not None and replica.is_leader and replica.leader_epoch == epoch else -1

    # --- answers

    def _answered(self, leader_id: int, batches: list[Batch], response: ProduceResponse | None) -> None:
        for batch in batches:
            batch.under_way = False
        if self.stopped:
            return
        batches = [batch for batch in batches if not batch.settled]
        if response is None:
            self.history.error("no answer")
            for batch in batches:
                batch.maybe_written = True
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
            elif not self._refused(leader_id, batch, answer.error_code):
                retried.append(batch)
        if retried:
            self._retry(retried)
        self._drain_soon()

    def _acknowledged(self, batch: Batch, base_offset: int) -> None:
        batch.settled = True
        count = len(batch.records)
        self._lanes[batch.index].acknowledged(batch, base_offset + count if base_offset >= 0 else -1)
        self.trace.line(self.name, f"acknowledged {self.topic}-{batch.index}@{base_offset} x{count}")
        for step, sent in enumerate(batch.records):
            sent.leader_epoch = batch.leader_epoch
            self.history.acknowledge(sent, base_offset + step if base_offset >= 0 else -1, self.scheduler.now_us)
        self._leave(batch, base_offset)

    def _refused(self, leader_id: int, batch: Batch, error_code: int) -> bool:
        """Take note of an error; returns whether it ends the batch."""
        name = ErrorCode(error_code).name
        self.history.error(name)
        self.trace.line(self.name, f"{self.topic}-{batch.index}: {name}")
        if error_code not in UNWRITTEN:
            batch.maybe_written = True
        if error_code in FINAL:
            self._failed(batch)
            return True
        if error_code not in RETRIED:
            self._unexpected(leader_id, batch, error_code)
        return False

    def _failed(self, batch: Batch) -> None:
        """An error ends a batch."""
        self._drop(self._lanes[batch.index], batch)

    def _unexpected(self, leader_id: int, batch: Batch, error_code: int) -> None:
        """An error that not every producer may get. Raises ``SafetyViolation`` when this one may not."""
        raise SafetyViolation("P", f"{self.name}: {self.topic}-{batch.index} answered {ErrorCode(error_code).name}")

    def _drop(self, lane: Lane, batch: Batch) -> None:
        """No acknowledgement will come any more."""
        batch.maybe_written |= batch.under_way
        batch.settled = True
        lane.dropped(batch)
        for sent in batch.records:
            if batch.maybe_written:
                self.history.give_up(sent, self.scheduler.now_us)
            else:
                self.history.refuse(sent, self.scheduler.now_us)
        if batch.maybe_written:
            self._leave(batch, -1)

    def _leave(self, batch: Batch, base_offset: int) -> None:
        self.on_leave(batch, batch.records[0].topic_id, base_offset)

    def _retry(self, batches: list[Batch]) -> None:
        now = self.scheduler.now_us
        for batch in batches:
            self._lanes[batch.index].retry_us = now + RETRY_BACKOFF_US
        self.refresh_metadata()
        self._drain_soon(RETRY_BACKOFF_US)
