"""A transaction coordinator on a stage: requests by a word, answers as text, ports that a test can hold.

stage = Stage()
producer = stage.init("a")            # (producer id, producer epoch)
stage.add("a", producer, "t-0")       # "NONE"
stage.end("a", producer, commit=True) # "NONE 1000/1"
stage.written()                       # the log as lines
"""

from collections.abc import Callable, Sequence
from typing import Any

from tests.support.coordinator import FakeHost

from holdwater.core.coordinator import Caller, CoordinatorRecord, Decision
from holdwater.core.transactions import Marker, ProducerClaim, TransactionShard
from holdwater.core.transactions.records import transaction_of
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import TopicPartition
from holdwater.wire.messages import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
    ListTransactionsRequest,
    TransactionLogKey,
    TransactionLogValue,
)

TIMEOUT_MS = 60_000
CLASSIC, BUMPING = 4, 5
"""Versions of EndTxn that the two generations of producers send."""


class FakePorts:
    """The broker's part: producer ids from 1000 on, markers that are written at once or when a test says so."""

    def __init__(self, version: int = 2) -> None:
        self.version = version
        self.next_id = 1000
        self.ids_held = False
        self.ids_left = True
        self.markers_held = False
        self.unknown_topics: list[str] = []
        self.sent: list[Marker] = []
        self.on_the_way: list[tuple[Marker, Callable[[Marker], None]]] = []
        self._waiting: list[Callable[[int | None], None]] = []
        self.watch: Callable[[Marker], None] = self.sent.append

    def transaction_version(self) -> int:
        return self.version

    def take_producer_id(self, on_id: Callable[[int | None], None]) -> None:
        if self.ids_held:
            self._waiting.append(on_id)
        else:
            on_id(self._take())

    def release_ids(self) -> None:
        self.ids_held = False
        waiting, self._waiting = self._waiting, []
        for on_id in waiting:
            on_id(self._take())

    def _take(self) -> int | None:
        if not self.ids_left:
            return None
        self.next_id += 1
        return self.next_id - 1

    def write_markers(self, markers: Sequence[Marker], on_done: Callable[[Marker], None]) -> None:
        for marker in markers:
            self.watch(marker)
            self.on_the_way.append((marker, on_done))
        if not self.markers_held:
            self.write_all()

    def write_one(self, index: int = 0) -> None:
        if self.on_the_way:
            marker, on_done = self.on_the_way.pop(index % len(self.on_the_way))
            on_done(marker)

    def write_all(self) -> None:
        while self.on_the_way:
            self.write_one()

    def partition_exists(self, partition: TopicPartition) -> bool:
        return partition.topic not in self.unknown_topics

    def group_partition(self, group_id: str) -> int:
        return sum(group_id.encode()) % 50


class Stage:
    """See the module."""

    def __init__(self, transaction_version: int = 2, **texts: str) -> None:
        self.host = FakeHost(texts={key.replace("_", "."): value for key, value in texts.items()}, table="transaction")
        self.ports = FakePorts(transaction_version)
        self.shard = self.fresh_shard()
        self.host.shard = self.shard
        self.shard.loaded()
        self.host.advance(0)

    def fresh_shard(self) -> TransactionShard:
        return TransactionShard(self.host, self.ports)

    # Requests; each returns where its answer will be

    def asks(self, work: Callable[..., Decision], request: Any, version: int) -> list[Any]:
        answers: list[Any] = []
        self.host.run(work(request, Caller(version), answers.append))
        self.host.advance(0)
        return answers

    def asks_init(
        self, transactional_id: str | None, claim: tuple[int, int] = (-1, -1), timeout_ms: int = TIMEOUT_MS, version: int = 5, **more: Any
    ) -> list[Any]:
        request = InitProducerIdRequest(
            transactional_id=transactional_id,
            transaction_timeout_ms=timeout_ms,
            producer_id=claim[0],
            producer_epoch=claim[1],
            **more,
        )
        return self.asks(self.shard.init_producer_id, request, version)

    def asks_add(
        self, transactional_id: str, claim: tuple[int, int], *names: str, version: int = 4, verify_only: bool = False
    ) -> list[Any]:
        topics = topics_of(names)
        if version < 4:
            request = AddPartitionsToTxnRequest(
                v3_and_below_transactional_id=transactional_id,
                v3_and_below_producer_id=claim[0],
                v3_and_below_producer_epoch=claim[1],
                v3_and_below_topics=topics,
            )
        else:
            one = transaction_asked(transactional_id, claim, *names, verify_only=verify_only)
            request = AddPartitionsToTxnRequest(transactions=[one])
        return self.asks(self.shard.add_partitions, request, version)

    def asks_offsets(self, transactional_id: str, claim: tuple[int, int], group_id: str, version: int = 3) -> list[Any]:
        request = AddOffsetsToTxnRequest(
            transactional_id=transactional_id, producer_id=claim[0], producer_epoch=claim[1], group_id=group_id
        )
        return self.asks(self.shard.add_offsets, request, version)

    def asks_end(self, transactional_id: str, claim: tuple[int, int], commit: bool, version: int = BUMPING) -> list[Any]:
        request = EndTxnRequest(transactional_id=transactional_id, producer_id=claim[0], producer_epoch=claim[1], committed=commit)
        return self.asks(self.shard.end, request, version)

    # The same, answered at once, as text

    def init(self, transactional_id: str | None, claim: tuple[int, int] = (-1, -1), **more: Any) -> ProducerClaim:
        (answer,) = self.asks_init(transactional_id, claim, **more)
        assert answer.error_code == ErrorCode.NONE, text_of(answer)
        return ProducerClaim(answer.producer_id, answer.producer_epoch)

    def tries_init(self, transactional_id: str | None, claim: tuple[int, int] = (-1, -1), **more: Any) -> str:
        (answer,) = self.asks_init(transactional_id, claim, **more)
        return text_of(answer)

    def add(self, transactional_id: str, claim: tuple[int, int], *names: str, **more: Any) -> str:
        (answer,) = self.asks_add(transactional_id, claim, *names, **more)
        return text_of(answer)

    def verify(self, transactional_id: str, claim: tuple[int, int], *names: str) -> str:
        return self.add(transactional_id, claim, *names, verify_only=True)

    def offsets(self, transactional_id: str, claim: tuple[int, int], group_id: str, **more: Any) -> str:
        (answer,) = self.asks_offsets(transactional_id, claim, group_id, **more)
        return text_of(answer)

    def end(self, transactional_id: str, claim: tuple[int, int], commit: bool, **more: Any) -> str:
        (answer,) = self.asks_end(transactional_id, claim, commit, **more)
        return text_of(answer)

    def describe(self, *transactional_ids: str) -> list[Any]:
        answers: list[Any] = []
        self.host.run(self.shard.describe(list(transactional_ids), answers.append))
        return answers[0].transaction_states

    def listed(self, **filters: Any) -> tuple[str, list[str], list[str]]:
        """The error, the unknown states, and the ids."""
        answers: list[Any] = []
        self.host.run(self.shard.list(ListTransactionsRequest(**filters), answers.append))
        (answer,) = answers
        return (
            ErrorCode(answer.error_code).name,
            answer.unknown_state_filters,
            [state.transactional_id for state in answer.transaction_states],
        )

    # What there is

    def status(self, transactional_id: str) -> str:
        state = self.shard.committed_state().get(transactional_id)
        return "-" if state is None else f"{state.status.text} {state.producer_id}/{state.producer_epoch}"

    def written(self, since: int = 0) -> list[str]:
        """The log, one line for each record."""
        return [line_of(entry.key, entry.value) for entry in self.host.log[since:]]

    def moves(self, kept: int | None = None, shard: TransactionShard | None = None, held: bool = False) -> None:
        """The coordinator moves: to a broker whose log has only so many records, and whose high watermark may stand still at first."""
        self.shard.unloaded(ErrorCode.NOT_COORDINATOR)
        self.host.lose(ErrorCode.NOT_COORDINATOR)
        assert self.host.pending_timers() == 0
        del self.host.log[len(self.host.log) if kept is None else kept :]
        if held:
            self.host.hold()
        self.shard = shard or self.fresh_shard()
        self.host.load(self.shard)
        self.host.advance(0)

    def begins_with(self, *records: CoordinatorRecord) -> None:
        """The log has these, and the coordinator has loaded them."""
        self.shard.unloaded(ErrorCode.NOT_COORDINATOR)
        self.host.run(Decision(records))
        self.moves()


def topics_of(names: Sequence[str]) -> list[AddPartitionsToTxnRequest.AddPartitionsToTxnTopic]:
    topics: dict[str, list[int]] = {}
    for name in names:
        topic, _, partition = name.rpartition("-")
        topics.setdefault(topic, []).append(int(partition))
    return [AddPartitionsToTxnRequest.AddPartitionsToTxnTopic(name=topic, partitions=numbers) for topic, numbers in topics.items()]


def transaction_asked(
    transactional_id: str, claim: tuple[int, int], *names: str, verify_only: bool = False
) -> AddPartitionsToTxnRequest.AddPartitionsToTxnTransaction:
    return AddPartitionsToTxnRequest.AddPartitionsToTxnTransaction(
        transactional_id=transactional_id,
        producer_id=claim[0],
        producer_epoch=claim[1],
        verify_only=verify_only,
        topics=topics_of(names),
    )


def text_of(answer: Any) -> str:
    """An answer in words: the error, or the distinct errors of its partitions, then the producer it speaks of."""
    if hasattr(answer, "results_by_transaction"):
        topics = answer.results_by_topic_v3_and_below or [
            topic for result in answer.results_by_transaction for topic in result.topic_results
        ]
        codes = dict.fromkeys(result.partition_error_code for topic in topics for result in topic.results_by_partition)
        return " ".join(ErrorCode(code).name for code in codes)
    name = ErrorCode(answer.error_code).name
    if getattr(answer, "producer_id", -1) != -1:
        return f"{name} {answer.producer_id}/{answer.producer_epoch}"
    return name


def line_of(key: Any, value: Any) -> str:
    assert isinstance(key, TransactionLogKey)
    if value is None:
        return f"{key.transactional_id} forgotten"
    assert isinstance(value, TransactionLogValue)
    state = transaction_of(value)
    partitions = "".join(f" {partition}" for partition in state.partitions)
    next_id = "" if state.next_producer_id == -1 else f" then {state.next_producer_id}"
    return f"{key.transactional_id} {state.status.text} {state.producer_id}/{state.producer_epoch}{next_id}{partitions}"


def marker_line(marker: Marker) -> str:
    outcome = "commit" if marker.committed else "abort"
    return f"{marker.partition} {outcome} {marker.producer_id}/{marker.producer_epoch} v{marker.transaction_version}"
