"""The requests of a transaction: how they are made, their versions in both generations of the protocol, and what their errors mean."""

from collections.abc import Mapping
from typing import NamedTuple

from holdwater.kernel.errors import ErrorCode
from holdwater.sim.coordination.asking import LATER
from holdwater.sim.coordination.groups import GroupLedger
from holdwater.sim.coordination.plan import EFFECTS, JOBS
from holdwater.sim.coordination.transactions import Transaction
from holdwater.sim.workloads.producer import RETRIED
from holdwater.wire.messages import AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, ProduceRequest, TxnOffsetCommitRequest
from holdwater.wire.records import Record, build_batch

WRITE_VERSIONS = (11, 12)
"""Of Produce: classic, and of transaction version 2. Both name topics by name."""
OFFSETS_VERSIONS = (4, 5)
END_VERSIONS = (4, 5)
ADD_VERSION, ADD_OFFSETS_VERSION = 3, 3
INIT_VERSION = 5
_TIMEOUT_MS = 5_000
RETRIED_ERRORS = frozenset({*RETRIED, *LATER, ErrorCode.UNSTABLE_OFFSET_COMMIT, ErrorCode.CORRUPT_MESSAGE})
FENCED = frozenset({ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_PRODUCER_EPOCH})
FATAL_ERRORS = frozenset(
    {
        *FENCED,
        ErrorCode.INVALID_TXN_STATE,
        ErrorCode.INVALID_PRODUCER_ID_MAPPING,
        ErrorCode.TRANSACTION_ABORTABLE,
        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
        ErrorCode.UNKNOWN_PRODUCER_ID,
        ErrorCode.OPERATION_NOT_ATTEMPTED,
        ErrorCode.ILLEGAL_GENERATION,
        ErrorCode.UNKNOWN_MEMBER_ID,
        ErrorCode.FENCED_INSTANCE_ID,
        ErrorCode.STALE_MEMBER_EPOCH,
        ErrorCode.REBALANCE_IN_PROGRESS,
        ErrorCode.FENCED_MEMBER_EPOCH,
        ErrorCode.INVALID_TIMESTAMP,  # the broker's clock is wrong
    }
)


OF_COORDINATOR = ("AddPartitionsToTxn", "AddOffsetsToTxn", "EndTxn")
"""Requests to the transaction coordinator itself. Others ask it on the way, and perhaps one that was replaced."""


class Work(NamedTuple):
    """What one transaction is to do."""

    values: Mapping[int, list[bytes]]
    """Records by partition."""
    commits: bool = True
    hold_us: int = 0
    """How long it stays open before it is ended."""
    is_left_open: bool = False
    """Whether the producer is gone for good before it ends it."""
    offsets: Mapping[int, int] = {}
    """Committed offsets of jobs, and with them who the member of the group is."""
    group: GroupLedger | None = None
    member_id: str = ""
    generation: int = -1
    instance_id: str | None = None


def batch(transaction: Transaction, sequence: int, values: list[bytes], at_ms: int) -> bytes:
    """Records of a transaction for one partition."""
    return build_batch(
        [Record(0, at_ms, b"k", value, []) for value in values],
        producer_id=transaction.producer_id,
        producer_epoch=transaction.producer_epoch,
        base_sequence=sequence,
        transactional=True,
    )


def add_partitions(transaction: Transaction) -> AddPartitionsToTxnRequest:
    """The partitions that it is to write to."""
    topic = AddPartitionsToTxnRequest.AddPartitionsToTxnTopic(name=EFFECTS, partitions=list(transaction.values))
    return AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=transaction.owner,
        v3_and_below_producer_id=transaction.producer_id,
        v3_and_below_producer_epoch=transaction.producer_epoch,
        v3_and_below_topics=[topic],
    )


def add_offsets(transaction: Transaction, group: str) -> AddOffsetsToTxnRequest:
    """The group whose offsets it is to commit."""
    return AddOffsetsToTxnRequest(
        transactional_id=transaction.owner,
        producer_id=transaction.producer_id,
        producer_epoch=transaction.producer_epoch,
        group_id=group,
    )


def commit_offsets(transaction: Transaction, work: Work) -> TxnOffsetCommitRequest:
    """The offsets that it commits."""
    assert work.group is not None
    struct = TxnOffsetCommitRequest.TxnOffsetCommitRequestPartition
    partitions = [
        struct(partition_index=index, committed_offset=commit.offset, committed_leader_epoch=-1, committed_metadata=commit.name)
        for index, commit in transaction.commits.items()
    ]
    return TxnOffsetCommitRequest(
        transactional_id=transaction.owner,
        group_id=work.group.name,
        producer_id=transaction.producer_id,
        producer_epoch=transaction.producer_epoch,
        generation_id_or_member_epoch=work.generation,
        member_id=work.member_id,
        group_instance_id=work.instance_id,
        topics=[TxnOffsetCommitRequest.TxnOffsetCommitRequestTopic(name=JOBS, partitions=partitions)],
    )


def end(transaction: Transaction, committed: bool) -> EndTxnRequest:
    """Its outcome."""
    return EndTxnRequest(
        transactional_id=transaction.owner,
        producer_id=transaction.producer_id,
        producer_epoch=transaction.producer_epoch,
        committed=committed,
    )


def produce(transactional_id: str, batches: Mapping[int, bytes]) -> ProduceRequest:
    """The request for some batches."""
    struct = ProduceRequest.PartitionProduceData
    topic = ProduceRequest.TopicProduceData(
        name=EFFECTS, partition_data=[struct(index=index, records=data) for index, data in batches.items()]
    )
    return ProduceRequest(transactional_id=transactional_id, acks=-1, timeout_ms=_TIMEOUT_MS, topic_data=[topic])
