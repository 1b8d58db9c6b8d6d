"""What the group coordinator and the transaction coordinator share: the shape of a decision, and what a shard may ask of its host.

A *shard* is the state of one partition of ``__consumer_offsets`` or ``__transaction_state``. The broker that leads the partition hosts it.
"""

from holdwater.core.coordinator.decision import NOTHING, CoordinatorRecord, Decision, answer
from holdwater.core.coordinator.ports import Caller, Cancellable, Shard, ShardHost, TopicsView

__all__ = ["NOTHING", "Caller", "Cancellable", "CoordinatorRecord", "Decision", "Shard", "ShardHost", "TopicsView", "answer"]
