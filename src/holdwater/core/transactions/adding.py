"""AddPartitionsToTxn and AddOffsetsToTxn: what a transaction touches, so that its outcome can be told everywhere.

Request versions up to 3 come from classic producers, one transaction each. From version 4 on they come from brokers, many transactions in one,
for bumping producers whose first records for a partition have arrived (KIP-890); with ``verify_only`` a broker asks on behalf of a classic
producer whether the partition is in the transaction already. The broker that hosts several shards splits a request by transactional id.
"""

from collections.abc import Callable, Sequence

from holdwater.core.coordinator import Caller, Decision, ShardHost, answer
from holdwater.core.transactions.ledger import Change, Ledger, Told
from holdwater.core.transactions.ports import TransactionPorts
from holdwater.core.transactions.transaction import BUMPING_VERSION, CLASSIC_VERSION, PREPARED, ProducerClaim, Status, Transaction, extended
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import TopicPartition
from holdwater.wire.messages import (
    AddOffsetsToTxnRequest,
    AddOffsetsToTxnResponse,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
)

OFFSETS_TOPIC = "__consumer_offsets"
BATCHED_SINCE = 4
"""The first version of AddPartitionsToTxn that brokers send."""
PRODUCER_FENCED_SINCE = 2
"""The first version of either request that knows PRODUCER_FENCED."""
CHANGES_PER_BATCH = 64
"""Transactions that share one append; a request with more is worked off in several."""

Asked = AddPartitionsToTxnRequest.AddPartitionsToTxnTransaction
Result = AddPartitionsToTxnResponse.AddPartitionsToTxnResult


class Adding:
    """Decides both requests."""

    def __init__(self, host: ShardHost, ledger: Ledger, ports: TransactionPorts) -> None:
        self._host = host
        self._ledger = ledger
        self._ports = ports

    def offsets(self, request: AddOffsetsToTxnRequest, caller: Caller, reply: Callable[[AddOffsetsToTxnResponse], None]) -> Decision:
        """AddOffsetsToTxn: the group's partition of __consumer_offsets becomes one of the transaction's."""

        def done(error: ErrorCode) -> None:
            reply(AddOffsetsToTxnResponse(error_code=_understood(error, caller)))

        if not request.transactional_id:
            return self._ledger.tell(ErrorCode.INVALID_REQUEST, done)
        partition = TopicPartition(OFFSETS_TOPIC, self._ports.group_partition(request.group_id))
        claim = ProducerClaim(request.producer_id, request.producer_epoch)
        step = self._add(request.transactional_id, claim, (partition,), CLASSIC_VERSION, done)
        return self._ledger.append([step]) if isinstance(step, Change) else self._ledger.append([], [step])

    def partitions(
        self, request: AddPartitionsToTxnRequest, caller: Caller, reply: Callable[[AddPartitionsToTxnResponse], None]
    ) -> Decision:
        """AddPartitionsToTxn: one answer for all of its transactions, when each has its result."""
        asked = request.transactions if caller.version >= BATCHED_SINCE else [_as_batched(request)]
        if not asked:
            return answer(reply, AddPartitionsToTxnResponse())
        return self._some(asked, caller, _Results(asked, caller, reply))

    def _some(self, asked: Sequence[Asked], caller: Caller, results: "_Results") -> Decision:
        later = asked[CHANGES_PER_BATCH:]
        if later:
            self._ledger.deadlines.after(0, lambda: self._some(later, caller, results))
        changes: list[Change] = []
        told: list[Told] = []
        for each in asked[:CHANGES_PER_BATCH]:
            step = self._one(each, caller, results)
            if isinstance(step, Change):
                changes.append(step)
            else:
                told.append(step)
        return self._ledger.append(changes, told)

    def _one(self, asked: Asked, caller: Caller, results: "_Results") -> Change | Told:
        claim = ProducerClaim(asked.producer_id, asked.producer_epoch)
        partitions = _partitions(asked)
        if not all(self._ports.partition_exists(partition) for partition in partitions):
            return _settled(_result(asked, self._existence), results)
        if asked.transactional_id and asked.verify_only:
            return self._verify(asked, claim, results)

        def done(error: ErrorCode) -> None:
            results.take(_uniform(asked, _understood(error, caller)))

        if not asked.transactional_id:
            return Told(ErrorCode.INVALID_REQUEST, done)
        version = BUMPING_VERSION if caller.version >= BATCHED_SINCE else CLASSIC_VERSION
        return self._add(asked.transactional_id, claim, partitions, version, done)

    def _add(
        self,
        transactional_id: str,
        claim: ProducerClaim,
        partitions: tuple[TopicPartition, ...],
        version: int,
        done: Callable[[ErrorCode], None],
    ) -> Change | Told:
        entry = self._ledger.entries.get(transactional_id)
        if entry is None:
            return Told(ErrorCode.INVALID_PRODUCER_ID_MAPPING, done)
        now = entry.current
        if entry.pending is not None or now is None:
            return Told(ErrorCode.CONCURRENT_TRANSACTIONS, done)
        error = _claim_error(now, claim)
        if error is not ErrorCode.NONE:
            return Told(error, done)
        if now.status is Status.ONGOING and {*partitions} <= {*now.partitions}:
            return Told(ErrorCode.NONE, done)
        change = self._ledger.claim(entry, done)
        change.target = extended(now, partitions, version, self._host.wall_ms)
        return change

    def _verify(self, asked: Asked, claim: ProducerClaim, results: "_Results") -> Told:
        entry = self._ledger.entries.get(asked.transactional_id)
        now = None if entry is None else entry.current
        error = ErrorCode.INVALID_PRODUCER_ID_MAPPING if now is None else _claim_error(now, claim)
        added = set[TopicPartition]() if now is None else {*now.partitions}

        def membership(partition: TopicPartition) -> ErrorCode:
            return ErrorCode.NONE if partition in added else ErrorCode.TRANSACTION_ABORTABLE

        def done(told: ErrorCode) -> None:
            results.take(_result(asked, membership) if told is ErrorCode.NONE else _uniform(asked, told))

        return Told(error, done)

    def _existence(self, partition: TopicPartition) -> ErrorCode:
        """One unknown partition keeps all of them out."""
        exists = self._ports.partition_exists(partition)
        return ErrorCode.OPERATION_NOT_ATTEMPTED if exists else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


class _Results:
    """The results of one request, in its order; answers when the last has come."""

    def __init__(self, asked: Sequence[Asked], caller: Caller, reply: Callable[[AddPartitionsToTxnResponse], None]) -> None:
        self._results: list[Result] = []
        self._order = [each.transactional_id for each in asked]
        self._caller = caller
        self._reply = reply

    def take(self, result: Result) -> None:
        """One result."""
        self._results.append(result)
        if len(self._results) < len(self._order):
            return
        if self._caller.version < BATCHED_SINCE:
            self._reply(AddPartitionsToTxnResponse(results_by_topic_v3_and_below=result.topic_results))
            return
        place: dict[str, int] = {}
        for index, transactional_id in enumerate(self._order):
            place.setdefault(transactional_id, index)
        self._results.sort(key=lambda each: place[each.transactional_id])
        self._reply(AddPartitionsToTxnResponse(results_by_transaction=self._results))


def _settled(result: Result, results: _Results) -> Told:
    def done(error: ErrorCode) -> None:
        results.take(result)

    return Told(ErrorCode.NONE, done)


def _claim_error(now: Transaction, claim: ProducerClaim) -> ErrorCode:
    if claim.producer_id != now.producer_id:
        return ErrorCode.INVALID_PRODUCER_ID_MAPPING
    if claim.producer_epoch != now.producer_epoch:
        return ErrorCode.PRODUCER_FENCED
    return ErrorCode.CONCURRENT_TRANSACTIONS if now.status in PREPARED else ErrorCode.NONE


def _understood(error: ErrorCode, caller: Caller) -> ErrorCode:
    if error is ErrorCode.PRODUCER_FENCED and caller.version < PRODUCER_FENCED_SINCE:
        return ErrorCode.INVALID_PRODUCER_EPOCH
    return error


def _as_batched(request: AddPartitionsToTxnRequest) -> Asked:
    return Asked(
        transactional_id=request.v3_and_below_transactional_id,
        producer_id=request.v3_and_below_producer_id,
        producer_epoch=request.v3_and_below_producer_epoch,
        verify_only=False,
        topics=request.v3_and_below_topics,
    )


def _partitions(asked: Asked) -> tuple[TopicPartition, ...]:
    return tuple(TopicPartition(topic.name, partition) for topic in asked.topics for partition in topic.partitions)


def _uniform(asked: Asked, error: ErrorCode) -> Result:
    return _result(asked, lambda _: error)


def _result(asked: Asked, error_of: Callable[[TopicPartition], ErrorCode]) -> Result:
    def one(topic: str, partition: int) -> AddPartitionsToTxnResponse.AddPartitionsToTxnPartitionResult:
        error = error_of(TopicPartition(topic, partition))
        return AddPartitionsToTxnResponse.AddPartitionsToTxnPartitionResult(partition_index=partition, partition_error_code=error)

    topics = [
        AddPartitionsToTxnResponse.AddPartitionsToTxnTopicResult(
            name=topic.name, results_by_partition=[one(topic.name, partition) for partition in topic.partitions]
        )
        for topic in asked.topics
    ]
    return Result(transactional_id=asked.transactional_id, topic_results=topics)
