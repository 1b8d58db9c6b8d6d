"""Coverage by counting: what a run of many seeds must have met, or it proves less than it seems to.

Names are those of ``Outcome.counters``. A floor that is not met means that a fault no longer acts, that a state is no longer reached, or
that a rare path has become rarer than anybody meant: the run fails, and either the laboratory is mended or the floor is lowered on purpose.
"""

from collections.abc import Mapping
from typing import NamedTuple

from holdwater.core.quorum.roles import TRANSITIONS
from holdwater.kernel.buggify import POINTS
from holdwater.sim.faults import KINDS
from holdwater.sim.run import LEAST_FAULTS, LEAST_OPERATIONS, WHOLE_SEED_MS, Outcome

JUDGED_FROM_SEEDS = 200
SEED_VIRTUAL_MS = WHOLE_SEED_MS
SEED_OPERATIONS = LEAST_OPERATIONS
SEED_FAULTS = LEAST_FAULTS
"""What a seed that held must have been through at least."""

_RARE_TRANSITIONS: tuple[str, ...] = ()
"""Of the quorum's table, those that three brokers do not come to within some hundred seeds."""


def _transitions() -> list[str]:
    """The quorum's table, by the names of the counters."""
    pairs = [(old.__name__.lower(), new.__name__.lower()) for old, targets in TRANSITIONS.items() for new in targets]
    return [name for name in (f"quorum {old} -> {new}" for old, new in pairs) if name not in _RARE_TRANSITIONS]


COORDINATION_FLOORS: dict[str, int] = {
    "coordinator of groups begins": 50,
    "coordinator of transactions begins": 50,
    "workload group-generation": 30,
    "workload group-joined": 60,
    "workload member-epoch": 100,
    "workload joined-consumer-group": 15,
    "workload back-in-classic-group": 5,
    "workload gave-up-and-joined-again": 8,
    "workload member-crashed": 20,
    "workload member-crashed-and-is-missed": 10,
    "workload member-stood-still": 20,
    "workload member-left": 10,
    "workload member-fenced": 3,
    "workload transaction-classic": 150,
    "workload transaction-of-version-2": 150,
    "workload transaction-committed": 200,
    "workload transaction-aborted": 100,
    "workload transaction-unknown": 8,
    "workload transaction-with-offsets": 80,
    "workload transaction-held-too-long": 10,
    "workload transaction-left-open": 2,
    "workload producer-crashed": 2,
    "workload producer-fenced": 20,
    "workload transactional-id-initialised": 60,
    "workload aborted-batch-left-out": 100,
    "workload jobs-done-again": 15,
    "workload echo": 200,
    "workload echo-of-commit-accepted": 20,
    "workload echo-of-produce": 40,
    "error find COORDINATOR_NOT_AVAILABLE": 15,
    "error JoinGroup MEMBER_ID_REQUIRED": 20,
    "error JoinGroup UNKNOWN_MEMBER_ID": 3,
    "error JoinGroup NOT_COORDINATOR": 3,
    "error SyncGroup REBALANCE_IN_PROGRESS": 2,
    "error SyncGroup COORDINATOR_NOT_AVAILABLE": 5,
    "error Heartbeat REBALANCE_IN_PROGRESS": 30,
    "error Heartbeat UNKNOWN_MEMBER_ID": 2,
    "error Heartbeat NOT_COORDINATOR": 15,
    "error ConsumerGroupHeartbeat UNKNOWN_MEMBER_ID": 2,
    "error ConsumerGroupHeartbeat UNRELEASED_INSTANCE_ID": 50,
    "error ConsumerGroupHeartbeat COORDINATOR_LOAD_IN_PROGRESS": 1,
    "error ConsumerGroupHeartbeat COORDINATOR_NOT_AVAILABLE": 10,
    "error ConsumerGroupHeartbeat NOT_COORDINATOR": 50,
    "error OffsetCommit NOT_COORDINATOR": 5,
    "error OffsetCommit COORDINATOR_NOT_AVAILABLE": 5,
    "error OffsetFetch UNSTABLE_OFFSET_COMMIT": 2,
    "error audit UNSTABLE_OFFSET_COMMIT": 50,
    "error AddPartitionsToTxn CONCURRENT_TRANSACTIONS": 100,
    "error AddPartitionsToTxn NOT_COORDINATOR": 10,
    "error AddPartitionsToTxn PRODUCER_FENCED": 8,
    "error EndTxn CONCURRENT_TRANSACTIONS": 40,
    "error EndTxn PRODUCER_FENCED": 5,
    "error EndTxn INVALID_TXN_STATE": 3,
    "error EndTxn NOT_COORDINATOR": 20,
    "error InitProducerId CONCURRENT_TRANSACTIONS": 100,
    "error InitProducerId NOT_COORDINATOR": 15,
    "error Produce INVALID_PRODUCER_EPOCH": 5,
    "error Produce NOT_ENOUGH_REPLICAS": 30,
    "error Produce NOT_LEADER_OR_FOLLOWER": 50,
    "error TxnOffsetCommit NOT_COORDINATOR": 8,
    "error echo ILLEGAL_GENERATION": 8,
    "error echo UNKNOWN_MEMBER_ID": 50,
    "error echo STALE_MEMBER_EPOCH": 3,
    "error echo INVALID_PRODUCER_EPOCH": 30,
    "error echo PRODUCER_FENCED": 20,
}
"""What seeds with groups or transactions must meet."""

FLOORS: dict[str, int] = {
    **{f"fault {kind}": 5 for kind in KINDS},
    **dict.fromkeys(_transitions(), 1),
    **{f"buggify {point}": 5 for point in POINTS},
    "role none -> leader": 50,
    "role follower -> leader": 50,
    "role leader -> follower": 50,
    "role follower -> follower": 50,
    "election": 100,
    "election none left": 5,
    "election from the eligible leader replicas": 5,
    "election of the last known leader": 5,
    "broker fenced": 100,
    "broker unfenced": 100,
    "isr shrunk": 100,
    "isr grown": 100,
    "log cut": 50,
    **COORDINATION_FLOORS,
    "error no answer": 100,
    "error NOT_LEADER_OR_FOLLOWER": 100,
    "error NOT_ENOUGH_REPLICAS": 10,
    "error REQUEST_TIMED_OUT": 10,
    "error UNKNOWN_TOPIC_ID": 10,
    "error UNKNOWN_TOPIC_OR_PARTITION": 10,
    "error OUT_OF_ORDER_SEQUENCE_NUMBER": 1,
    "error KAFKA_STORAGE_ERROR": 1,
    "error INVALID_TIMESTAMP": 10,
    "error MESSAGE_TOO_LARGE": 1,  # some 28 in 200 seeds, nearly all of them in a few
    "error fetch NOT_LEADER_OR_FOLLOWER": 100,
    "error fetch OFFSET_OUT_OF_RANGE": 5,
    "error fetch UNKNOWN_TOPIC_ID": 10,
    "error fetch FETCH_SESSION_ID_NOT_FOUND": 5,
    "error fetch FENCED_LEADER_EPOCH": 50,
    "error fetch KAFKA_STORAGE_ERROR": 10,
    "error fetch UNKNOWN_TOPIC_OR_PARTITION": 1,  # a broker that has just started and knows nothing yet is not asked
    "error epochs NOT_LEADER_OR_FOLLOWER": 20,
    "error offsets NOT_LEADER_OR_FOLLOWER": 10,
    "error late NOT_LEADER_OR_FOLLOWER": 20,
    "error late OUT_OF_ORDER_SEQUENCE_NUMBER": 20,
    "error late UNKNOWN_TOPIC_ID": 20,
    "error admin TOPIC_ALREADY_EXISTS": 10,
    "error admin NOT_LEADER_OR_FOLLOWER": 10,
    "workload topic-created": 5,
    "workload topic-deleted": 50,
    "workload topic-recreated": 50,
    "workload partitions-grown": 5,
    "workload config-changed": 50,
    "workload records-deleted": 50,
    "workload producer-reset": 20,
    "workload zombie-request": 20,
    "workload late-fetch": 20,
    "workload deleted-topic-refused": 50,
    "workload zombie-answered-with-offset": 50,
    "workload read-damaged": 2,
    "workload lost-with-acks-1": 10,
    "workload reset-to-earliest": 5,
    "workload offset-earliest": 50,
    "workload offset-latest": 50,
    "workload offset-by-time": 50,
    "workload offset-of-epoch": 50,
    "setting holdwater.durable.acks": 20,
    "setting log.flush.interval.ms": 5,
    "setting log.flush.interval.messages": 5,
    "setting brokers": 5,
    "setting log_dir_count": 20,
    "setting log.roll.ms": 20,
    "setting replica.lag.time.max.ms": 20,
    "setting replica.fetch.max.bytes": 20,
    "setting broker.session.timeout.ms": 20,
    "setting max.incremental.fetch.session.cache.slots": 20,
    "setting metadata.log.max.record.bytes.between.snapshots": 20,
    "setting metadata.log.segment.ms": 10,
    "setting replica.high.watermark.checkpoint.interval.ms": 20,
    "setting replica.fetch.wait.max.ms": 10,
    "setting holdwater.quick.failover.ms": 5,
    "setting log.flush.offset.checkpoint.interval.ms": 20,
    "setting log.flush.start.offset.checkpoint.interval.ms": 20,
    "setting log.index.interval.bytes": 20,
}
"""At least so often in ``JUDGED_FROM_SEEDS`` seeds. The kinds of fault, the quorum's transitions and the points of ``buggify`` are whole by
themselves: a new one is on the list as soon as it is in its own table."""

_OF_OTHER_SEEDS = (
    "error UNKNOWN_TOPIC_ID",
    "error UNKNOWN_TOPIC_OR_PARTITION",
    "error admin TOPIC_ALREADY_EXISTS",
    "error fetch UNKNOWN_TOPIC_OR_PARTITION",
    "error fetch UNKNOWN_TOPIC_ID",
    "error late UNKNOWN_TOPIC_ID",
    "workload deleted-topic-refused",
    "workload late-fetch",
    "workload lost-with-acks-1",
    "workload topic-created",
    "workload topic-deleted",
    "workload topic-recreated",
)
COORDINATED_FLOORS: dict[str, int] = {name: floor for name, floor in FLOORS.items() if name not in _OF_OTHER_SEEDS}
"""The same when every seed has groups or transactions: such seeds do less besides, and no topic is deleted and made again in them."""


class Unmet(NamedTuple):
    """A floor, and how often it was met."""

    counter: str
    floor: int
    met: int


def unmet(counters: Mapping[str, int], floors: Mapping[str, int] = FLOORS) -> list[Unmet]:
    """The floors above what was met, in their order."""
    return [Unmet(name, floor, counters.get(name, 0)) for name, floor in floors.items() if counters.get(name, 0) < floor]


def fault_count(outcome: Outcome) -> int:
    """Faults that really befell a run's cluster."""
    return sum(count for name, count in outcome.counters.items() if name.startswith("fault "))


def below_minimum(outcome: Outcome) -> str:
    """What a seed that held has too little of; empty when it has enough."""
    given = (
        (outcome.virtual_ms, SEED_VIRTUAL_MS, "virtual ms"),
        (outcome.operations, SEED_OPERATIONS, "operations"),
        (fault_count(outcome), SEED_FAULTS, "faults"),
    )
    return ", ".join(f"{value:,} of {least:,} {what}" for value, least, what in given if value < least)
