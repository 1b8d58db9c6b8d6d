"""A producer without idempotence, with any ``acks``: what is sent twice may be there twice.

With one batch in flight for each partition its order holds for first appearances; with more it does not. ``acks=0`` is sent once and never
heard of again.
"""

from holdwater.sim.workloads.batches import Batch, Lane
from holdwater.sim.workloads.plan import NONE
from holdwater.sim.workloads.producer import Producer


class PlainProducer(Producer):
    """See the module."""

    def connection_lost(self) -> None:
        """With ``acks=0`` a leader that refuses has no other way to say so than to close the connection."""
        if self.plan.acks == NONE:
            self.refresh_metadata()

    def _is_ready(self, now_us: int) -> bool:
        for lane in self._lanes.values():
            for batch in [batch for batch in lane.batches if batch.deadline_us <= now_us and not batch.under_way]:
                self._drop(lane, batch)
        return True

    def _next(self, lane: Lane, now_us: int) -> Batch | None:
        return lane.next_of_any(now_us, self.plan.in_flight_max)
