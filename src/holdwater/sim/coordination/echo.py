"""Requests of members and transactional producers that come again, much later, from nowhere (F11).

Heartbeats come again of classic members only: those of KIP-848 are a conversation, and who has another's answer keeps it from him.
A commit that comes again is judged as any other: it counts only if who sent it first still has the right. Requests of a transaction come again
only where the protocol promises that this is harmless: those of transaction version 2 (KIP-890), and classic ones of a producer that is fenced.
An unfenced classic producer has no such promise: its late EndTxn may end its next transaction.
"""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.coordination.asking import GROUP, TRANSACTION, Coordinator
from holdwater.sim.coordination.groups import Commit
from holdwater.sim.coordination.member import COMMIT_VERSION, Member
from holdwater.sim.coordination.plan import EFFECTS
from holdwater.sim.coordination.producer import TransactionalProducer
from holdwater.sim.coordination.transactions import Transaction, TransactionLedger
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.client import Client
from holdwater.sim.workloads.history import History
from holdwater.wire.messages import (
    AddOffsetsToTxnResponse,
    AddPartitionsToTxnResponse,
    EndTxnResponse,
    HeartbeatResponse,
    OffsetCommitRequest,
    OffsetCommitResponse,
    ProduceRequest,
    ProduceResponse,
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
)

_KEPT_COUNT = 60
_INTERVAL_US = 800_000
_TIMEOUT_US = 5_000_000

Send = Callable[[], None]


class Echo(Client):
    """See the module."""

    def __init__(self, cluster: SimCluster, rng: Rng, history: History, ledger: TransactionLedger) -> None:
        super().__init__(cluster, "echo", EFFECTS, rng, history)
        self.over = False
        self._watch = cluster.watch
        self._ledger = ledger
        self._memory: deque[Send] = deque(maxlen=_KEPT_COUNT)
        self._coordinators: dict[tuple[int, str], Coordinator] = {}
        self._pending_count = 0
        self._is_sure = False
        """Whether the answer that has just come is from the coordinator, and not from one that was replaced and does not know it."""

    @property
    def is_resting(self) -> bool:
        """Whether it waits for no answer."""
        return not self._pending_count

    def start(self) -> None:
        """Begin."""
        self.refresh_metadata()
        self._step()

    def hear_member(self, member: Member) -> None:
        """Remember what a member commits."""

        def remember(request: OffsetCommitRequest, commits: Mapping[int, Commit]) -> None:
            self._memory.append(lambda: self._commit_again(member, request, commits))

        def remember_heartbeat(request: Any, version: int, response_class: Any) -> None:
            again = partial(self._ask, GROUP, member.ledger.name, request, version, response_class, _nothing)
            self._memory.append(again)

        member.on_commit = remember
        member.on_heartbeat = remember_heartbeat

    def hear_producer(self, producer: TransactionalProducer) -> None:
        """Remember what a producer asks in its transactions."""

        def remember(where: Coordinator | None, message: Any, version: int, response_class: Any, of: Transaction) -> None:
            self._memory.append(lambda: self._repeat(producer, message, version, response_class, of))

        producer.on_send = remember

    def _step(self) -> None:
        if self.stopped or self.over:
            return
        self.scheduler.after(self.rng.uniform_ms(_INTERVAL_US // 2, 3 * _INTERVAL_US), self._step)
        if self._memory:
            self._memory[self.rng.below(len(self._memory))]()

    def _ask(self, key_type: int, key: str, message: Any, version: int, response_class: Any, on_reply: Callable[[Any], None]) -> None:
        coordinator = self._coordinators.get((key_type, key))
        if coordinator is None:
            coordinator = self._coordinators[key_type, key] = Coordinator(self, key_type, key)
        self._pending_count += 1

        def answered(response: Any) -> None:
            self._pending_count -= 1
            if response is not None:
                codes = _codes(response)
                for code in codes:
                    self.history.error(f"echo {ErrorCode(code).name}")
                if any(code in {ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE} for code in codes):
                    coordinator.forget()
                self._is_sure = coordinator.is_in_office(self._watch.newest)
                on_reply(response)

        self.history.count("echo")
        coordinator.ask(message, version, response_class, answered, _TIMEOUT_US)

    def _commit_again(self, member: Member, request: OffsetCommitRequest, commits: Mapping[int, Commit]) -> None:
        asked_us = self.scheduler.now_us
        ledger = member.ledger
        for commit in commits.values():
            ledger.repeats(commit)

        def answered(response: OffsetCommitResponse) -> None:
            for topic in response.topics:
                for each in topic.partitions:
                    if not each.error_code:
                        self.history.count("echo-of-commit-accepted")
                        ledger.check_right(commits[each.partition_index], asked_us)

        self._ask(GROUP, ledger.name, request, COMMIT_VERSION, OffsetCommitResponse, answered)

    def _repeat(self, producer: TransactionalProducer, message: Any, version: int, response_class: Any, transaction: Transaction) -> None:
        is_fenced = self._ledger.given_before(transaction.producer_id, self.scheduler.now_us) > transaction.producer_epoch
        if not producer.bumps and not is_fenced:
            return

        def answered(response: Any) -> None:
            # The one that was replaced remembers how a transaction has ended, and tells whoever asks for that end again.
            if is_fenced and self._is_sure and not isinstance(response, ProduceResponse) and 0 in _codes(response):
                raise SafetyViolation("P3", f"{self.name}: {type(message).__name__} of {transaction.name} is accepted, and that is fenced")

        if isinstance(message, ProduceRequest):
            self._produce_again(message, version, answered)
        elif isinstance(message, TxnOffsetCommitRequest):
            self._ask(GROUP, message.group_id, message, version, response_class, answered)
        else:
            self._ask(TRANSACTION, producer.transactional_id, message, version, response_class, answered)

    def _produce_again(self, message: ProduceRequest, version: int, answered: Callable[[Any], None]) -> None:
        known = self.partitions.get(message.topic_data[0].partition_data[0].index)
        connection = self.connection(known.leader_id) if known is not None else None
        if connection is None or connection.is_resting:
            self.refresh_metadata()
            return
        self._pending_count += 1

        def heard(response: ProduceResponse | None) -> None:
            self._pending_count -= 1
            if response is not None and not self.stopped:
                for code in _codes(response):
                    self.history.error(f"echo {ErrorCode(code).name}")
                    if code == ErrorCode.NOT_LEADER_OR_FOLLOWER:
                        self.refresh_metadata()
                answered(response)

        self.history.count("echo-of-produce")
        connection.request(message, version, ProduceResponse, _TIMEOUT_US, heard)


def _nothing(response: Any) -> None:
    pass


def _codes(response: Any) -> list[int]:
    """Every error code that an answer has for what was asked."""
    if isinstance(response, ProduceResponse):
        return [each.error_code for topic in response.responses for each in topic.partition_responses]
    if isinstance(response, OffsetCommitResponse | TxnOffsetCommitResponse):
        return [each.error_code for topic in response.topics for each in topic.partitions]
    if isinstance(response, AddPartitionsToTxnResponse):
        return [each.partition_error_code for topic in response.results_by_topic_v3_and_below for each in topic.results_by_partition]
    assert isinstance(response, EndTxnResponse | AddOffsetsToTxnResponse | HeartbeatResponse)
    return [response.error_code]
