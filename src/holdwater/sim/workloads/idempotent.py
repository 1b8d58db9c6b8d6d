"""An idempotent producer with ``acks=all``, as the Java client is one: batches per partition with sequences, up to five under way, retried
with the same sequence until they are answered, in order.

When a batch fails for good (its delivery timeout, an error that is not retried, its topic is no more), the sequences behind it no longer
fit. The Java client then raises the producer epoch and numbers what is under way anew, which may write it twice if it had been written. This
one sends nothing new until all that is under way is answered, gives up what may have been written, and goes on under a new producer id.
"""

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.batches import Batch, Lane
from holdwater.sim.workloads.client import REQUEST_TIMEOUT_US
from holdwater.sim.workloads.history import History
from holdwater.sim.workloads.plan import ProducerPlan
from holdwater.sim.workloads.producer import RETRY_BACKOFF_US, Producer
from holdwater.wire.messages import InitProducerIdRequest, InitProducerIdResponse
from holdwater.wire.records import build_batch

INIT_VERSION = 5


class IdempotentProducer(Producer):
    """See the module."""

    def __init__(self, cluster: SimCluster, name: str, plan: ProducerPlan, rng: Rng, history: History) -> None:
        super().__init__(cluster, name, plan, rng, history)
        self._producer_id = -1
        self._producer_epoch = -1
        self._resetting = False

    def start(self) -> None:
        """Begin."""
        super().start()
        self._ask_for_id()

    def topic_replaced(self) -> None:
        """The sequences were those of the old topic."""
        super().topic_replaced()
        self._resetting = True

    def _is_ready(self, now_us: int) -> bool:
        if self._producer_id < 0:
            return False
        if not self._resetting:
            oldest = [lane.batches[0] for lane in self._lanes.values() if lane.batches]
            self._resetting = any(batch.deadline_us <= now_us and not batch.under_way for batch in oldest)
        if self._resetting:
            self._reset_if_idle(now_us)
        return not self._resetting and self._producer_id >= 0

    def _next(self, lane: Lane, now_us: int) -> Batch | None:
        return lane.next_in_order(now_us, self.plan.in_flight_max)

    def _prepare(self, batch: Batch, leader_id: int) -> None:
        lane = self._lanes[batch.index]
        if batch.sequence < 0:
            batch.sequence = lane.next_sequence
            lane.next_sequence += len(batch.records)
        super()._prepare(batch, leader_id)
        batch.must_fit_epoch = self._epoch_led_by(leader_id, batch.index) if lane.batches[0] is batch else -1

    def _frame(self, batch: Batch) -> bytes:
        return build_batch(
            [sent.record() for sent in batch.records],
            producer_id=self._producer_id,
            producer_epoch=self._producer_epoch,
            base_sequence=batch.sequence,
        )

    def _failed(self, batch: Batch) -> None:
        super()._failed(batch)
        self._resetting = True

    def _unexpected(self, leader_id: int, batch: Batch, error_code: int) -> None:
        if error_code != ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER:
            super()._unexpected(leader_id, batch, error_code)
        elif batch.must_fit_epoch >= 0 and batch.must_fit_epoch == self._epoch_led_by(leader_id, batch.index):
            raise SafetyViolation(
                "P1",
                f"{self.name}: {self.topic}-{batch.index} refuses sequence {batch.sequence}, and everything before it was acknowledged",
            )

    def _leave(self, batch: Batch, base_offset: int) -> None:
        if base_offset >= 0 or batch.sequence == 0 or self._lanes[batch.index].is_known:  # else a leader would take any sequence (KIP-360)
            super()._leave(batch, base_offset)

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

    def _reset_if_idle(self, now_us: int) -> None:
        """Once nothing is under way: give up what may be written and what is late, and go on under a new producer id."""
        if any(batch.under_way for lane in self._lanes.values() for batch in lane.batches):
            return
        self.trace.line(self.name, f"a new producer id after {self._producer_id}")
        self.history.count("producer-reset")
        for lane in self._lanes.values():
            for batch in list(lane.batches):
                if batch.maybe_written or batch.deadline_us <= now_us:
                    self._drop(lane, batch)
                else:
                    batch.start_over()
            lane.next_sequence = 0
            lane.is_known = False
        self._resetting = False
        self._producer_id = -1
        self.scheduler.after(RETRY_BACKOFF_US, self._ask_for_id)
