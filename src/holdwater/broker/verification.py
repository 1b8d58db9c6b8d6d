"""Before a transaction's first record on a partition: is that transaction open, as its coordinator knows it (KIP-890)?

A leader that took transactional records without asking could be left with a transaction that nobody ever ends, when they come late. Clients of
transaction version 2 do not add partitions themselves: for them the question adds the partition as well. Answers are not kept: a partition
whose log holds the open transaction is not asked about again.

Invariant: requests of one transactional id are carried on in the order in which they came. What the coordinator has said counts for a
partition only until a marker of that producer, or a change of role, has come between.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from holdwater.broker.coordinators import TRANSACTIONS
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import AddPartitionsToTxnRequest, AddPartitionsToTxnResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

VERSION = 5
QUEUED_MAX = 10_000
"""Requests that wait for an answer at a time."""
_TIMEOUT_MS = 30_000
_AGAIN = (
    ErrorCode.NETWORK_EXCEPTION,
    ErrorCode.CONCURRENT_TRANSACTIONS,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
)
"""Told to clients as NOT_ENOUGH_REPLICAS, which every client tries again after."""

Place = tuple[str, int]
"""Topic and partition."""
Refused = dict[Place, int]
"""Why partitions may not be appended to, by place."""


class Question(NamedTuple):
    """What has to be known before an append."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    places: list[Place]
    adds: bool
    """Whether the partitions are added to the transaction, not only looked up."""
    knows_abortable: bool
    """Whether the client knows TRANSACTION_ABORTABLE (KIP-890)."""


class _Job(NamedTuple):
    look: Callable[[], Question | None]
    done: Callable[[Refused], None]


class Verifications:
    """See the module."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._queues: dict[str, deque[_Job]] = {}
        self._queued_count = 0
        self._retry_ms = broker.config.int("add.partitions.to.txn.retry.backoff.ms")
        self._retry_max_ms = broker.config.int("add.partitions.to.txn.retry.backoff.max.ms")
        self.enabled = broker.config.bool("transaction.partition.verification.enable")

    def ask(self, transactional_id: str, look: Callable[[], Question | None], done: Callable[[Refused], None]) -> bool:
        """Call ``done`` with what the coordinator refuses, after those that came before; false when too many wait.

        ``look`` says what to ask when it is this request's turn; ``None``: nothing.
        """
        queue = self._queues.get(transactional_id)
        if queue is not None:
            if self._queued_count >= QUEUED_MAX:
                return False
            self._queued_count += 1
            queue.append(_Job(look, done))
            return True
        question = look()
        if question is None:
            done({})
            return True
        self._queues[transactional_id] = deque()
        self._send(question, _Job(look, done), self._broker.mono_ms)
        return True

    def _next(self, transactional_id: str) -> None:
        """The question under way is answered: carry on with those that came after it."""
        queue = self._queues[transactional_id]
        while queue:
            job = queue.popleft()
            self._queued_count -= 1
            if self._look_and_send(job, self._broker.mono_ms):
                return
        del self._queues[transactional_id]

    def _look_and_send(self, job: _Job, began_ms: int) -> bool:
        """Whether there is something to ask; otherwise it is done."""
        question = job.look()
        if question is None:
            job.done({})
            return False
        self._send(question, job, began_ms)
        return True

    def _again(self, transactional_id: str, job: _Job, began_ms: int) -> None:
        """Look anew too: a marker of the transaction before this one may have come meanwhile, and has taken away what was expected."""
        if not self._look_and_send(job, began_ms):
            self._next(transactional_id)

    def _send(self, question: Question, job: _Job, began_ms: int) -> None:
        topics: dict[str, list[int]] = {}
        for topic, index in question.places:
            topics.setdefault(topic, []).append(index)
        transaction = AddPartitionsToTxnRequest.AddPartitionsToTxnTransaction(
            transactional_id=question.transactional_id,
            producer_id=question.producer_id,
            producer_epoch=question.producer_epoch,
            verify_only=not question.adds,
            topics=[AddPartitionsToTxnRequest.AddPartitionsToTxnTopic(name=name, partitions=indexes) for name, indexes in topics.items()],
        )

        def answered(response: AddPartitionsToTxnResponse | None) -> None:
            refused = _refused(question, response)
            concurrent = ErrorCode.CONCURRENT_TRANSACTIONS in refused.values()
            broker = self._broker
            if concurrent and question.adds and broker.mono_ms + self._retry_ms <= began_ms + self._retry_max_ms:
                broker.timers.at(broker.mono_ms + self._retry_ms, lambda: self._again(question.transactional_id, job, began_ms))
                return
            job.done({place: _as_told(code, question) for place, code in refused.items()})
            self._next(question.transactional_id)

        request = AddPartitionsToTxnRequest(transactions=[transaction])
        self.to_coordinator(question.transactional_id, request, answered)

    def to_coordinator(
        self, transactional_id: str, request: AddPartitionsToTxnRequest, on_reply: Callable[[AddPartitionsToTxnResponse | None], None]
    ) -> None:
        """Ask the transaction coordinator, wherever it is; ``on_reply`` is called later, with ``None`` when it can't be reached."""
        from holdwater.broker.handlers.add_partitions_to_txn import answer_here

        broker = self._broker
        state = broker.coordinators.state_of(TRANSACTIONS, transactional_id)
        if state is not None and state.leader == broker.node_id:
            answer_here(broker, request, VERSION, lambda response: broker.soon(lambda: on_reply(response)))
            return
        endpoint = None if state is None else broker.inter_broker_endpoint(state.leader)
        if state is None or endpoint is None:
            broker.soon(lambda: on_reply(None))
            return
        link = broker.links.to(state.leader, "transactions", endpoint.host, endpoint.port)
        link.request(request, VERSION, AddPartitionsToTxnResponse, _TIMEOUT_MS, on_reply)


def _refused(question: Question, response: AddPartitionsToTxnResponse | None) -> Refused:
    """What of a question is refused. A place that is not in the answer is."""
    if response is None:
        return dict.fromkeys(question.places, int(ErrorCode.NETWORK_EXCEPTION))
    if response.error_code:
        return dict.fromkeys(question.places, response.error_code)
    codes = {
        (topic.name, partition.partition_index): partition.partition_error_code
        for result in response.results_by_transaction
        if result.transactional_id == question.transactional_id
        for topic in result.topic_results
        for partition in topic.results_by_partition
    }
    return {place: code for place in question.places if (code := codes.get(place, int(ErrorCode.NETWORK_EXCEPTION)))}


def _as_told(error_code: int, question: Question) -> int:
    """A refusal as the client is told it (Kafka's AddPartitionsToTxnManager and ReplicaManager)."""
    if error_code == ErrorCode.CONCURRENT_TRANSACTIONS and question.adds:
        return error_code  # which those clients know
    if error_code in _AGAIN:
        return ErrorCode.NOT_ENOUGH_REPLICAS
    if error_code == ErrorCode.PRODUCER_FENCED:
        return ErrorCode.INVALID_PRODUCER_EPOCH
    if error_code == ErrorCode.TRANSACTION_ABORTABLE and not question.knows_abortable:
        return ErrorCode.INVALID_TXN_STATE
    return error_code
