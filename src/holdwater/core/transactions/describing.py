"""DescribeTransactions and ListTransactions, for the transactional ids of one shard."""

from collections.abc import Callable

from holdwater.core.coordinator import Decision, ShardHost
from holdwater.core.coordinator.regex_names import NameRegex
from holdwater.core.coordinator.regex_tree import InvalidRegex
from holdwater.core.transactions.ledger import Entry, Ledger
from holdwater.core.transactions.transaction import Status, Transaction
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import TopicPartition
from holdwater.wire.messages import DescribeTransactionsResponse, ListTransactionsRequest, ListTransactionsResponse

Described = DescribeTransactionsResponse.TransactionState
_STATUS_NAMES = frozenset(status.text for status in Status)


class Describing:
    """Answers both, from what is committed."""

    def __init__(self, host: ShardHost, ledger: Ledger) -> None:
        self._host = host
        self._ledger = ledger

    def describe(self, transactional_ids: list[str], reply: Callable[[DescribeTransactionsResponse], None]) -> Decision:
        """Each id, in the order asked for."""
        states = [self._described(transactional_id) for transactional_id in transactional_ids]

        def done(error: ErrorCode) -> None:
            failed = [Described(transactional_id=transactional_id, error_code=error) for transactional_id in transactional_ids]
            reply(DescribeTransactionsResponse(transaction_states=states if error is ErrorCode.NONE else failed))

        return self._ledger.tell(ErrorCode.NONE, done)

    def list(self, request: ListTransactionsRequest, reply: Callable[[ListTransactionsResponse], None]) -> Decision:
        """The ids that all the given filters let through."""
        response = self._listed(request)

        def done(error: ErrorCode) -> None:
            reply(response if error is ErrorCode.NONE else ListTransactionsResponse(error_code=error))

        return self._ledger.tell(ErrorCode.NONE, done)

    def _described(self, transactional_id: str) -> Described:
        if not transactional_id:
            return Described(transactional_id=transactional_id, error_code=ErrorCode.INVALID_REQUEST)
        entry = self._ledger.entries.get(transactional_id)
        if entry is None or entry.current is None:
            return Described(transactional_id=transactional_id, error_code=ErrorCode.TRANSACTIONAL_ID_NOT_FOUND)
        now = entry.current
        return Described(
            transactional_id=transactional_id,
            transaction_state=now.status.text,
            transaction_timeout_ms=now.timeout_ms,
            transaction_start_time_ms=now.start_ms,
            producer_id=now.producer_id,
            producer_epoch=now.producer_epoch,
            topics=_by_topic(now.partitions if entry.missing is None else tuple(entry.missing)),
        )

    def _listed(self, request: ListTransactionsRequest) -> ListTransactionsResponse:
        unknown = [name for name in request.state_filters if name not in _STATUS_NAMES]
        chosen = [
            (entry, now) for entry in self._ledger.entries.values() if (now := entry.current) is not None and self._passes(now, request)
        ]
        if request.transactional_id_pattern:
            try:
                named = NameRegex(request.transactional_id_pattern).matching([entry.transactional_id for entry, _ in chosen])
            except InvalidRegex:
                return ListTransactionsResponse(error_code=ErrorCode.INVALID_REGULAR_EXPRESSION, unknown_state_filters=unknown)
            found = dict.fromkeys(named)
            chosen = [(entry, now) for entry, now in chosen if entry.transactional_id in found]
        return ListTransactionsResponse(unknown_state_filters=unknown, transaction_states=[_listed(entry, now) for entry, now in chosen])

    def _passes(self, now: Transaction, request: ListTransactionsRequest) -> bool:
        if request.producer_id_filters and now.producer_id not in request.producer_id_filters:
            return False
        if request.state_filters and now.status.text not in request.state_filters:
            return False
        return request.duration_filter < 0 or self._host.wall_ms - now.start_ms > request.duration_filter


def _listed(entry: Entry, now: Transaction) -> ListTransactionsResponse.TransactionState:
    return ListTransactionsResponse.TransactionState(
        transactional_id=entry.transactional_id, producer_id=now.producer_id, transaction_state=now.status.text
    )


def _by_topic(partitions: tuple[TopicPartition, ...]) -> list[DescribeTransactionsResponse.TopicData]:
    topics: dict[str, list[int]] = {}
    for topic, partition in partitions:
        topics.setdefault(topic, []).append(partition)
    return [DescribeTransactionsResponse.TopicData(topic=topic, partitions=numbers) for topic, numbers in topics.items()]
