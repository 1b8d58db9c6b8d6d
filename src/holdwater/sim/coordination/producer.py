"""A transactional producer, a step at a time: add partitions, write, add and send offsets, end. Each step is retried until it is answered.

Two generations of the protocol: the classic one (AddPartitionsToTxn, AddOffsetsToTxn, EndTxn up to version 4), and transaction version 2
(KIP-890: Produce and TxnOffsetCommit add what they write to; EndTxn 5 gives out the next producer epoch). After any error that is not to be
retried the producer takes itself for dead: another incarnation begins with InitProducerId, which ends what the one before has left open.

A classic producer that went on while a request of its transaction stayed unanswered may have that request carried out in its next transaction,
since both have the same producer epoch (the weakness that KIP-890 mends). Such a producer initialises itself anew before it goes on.
"""

from collections.abc import Callable
from typing import Any

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.rng import Rng
from holdwater.sim.clock import WALL_START_MS
from holdwater.sim.cluster import SimCluster
from holdwater.sim.coordination.asking import GONE, GROUP, TRANSACTION, Coordinator
from holdwater.sim.coordination.plan import EFFECTS
from holdwater.sim.coordination.requests import (
    ADD_OFFSETS_VERSION,
    ADD_VERSION,
    END_VERSIONS,
    FATAL_ERRORS,
    FENCED,
    INIT_VERSION,
    OF_COORDINATOR,
    OFFSETS_VERSIONS,
    RETRIED_ERRORS,
    WRITE_VERSIONS,
    Work,
    add_offsets,
    add_partitions,
    batch,
    commit_offsets,
    end,
    produce,
)
from holdwater.sim.coordination.transactions import ABORTED, COMMITTED, UNKNOWN, Transaction, TransactionLedger
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.client import Client
from holdwater.sim.workloads.history import History
from holdwater.wire.messages import (
    AddOffsetsToTxnResponse,
    AddPartitionsToTxnResponse,
    EndTxnResponse,
    InitProducerIdRequest,
    InitProducerIdResponse,
    ProduceResponse,
    TxnOffsetCommitResponse,
)

RETRY_US = 100_000
_WRITE_TIMEOUT_US = 5_000_000
_ASK_TIMEOUT_US = 2_000_000
_DEADLINE_US = 20_000_000
"""How long the steps before the last one may take."""


class TransactionalProducer(Client):
    """See the module."""

    def __init__(
        self,
        cluster: SimCluster,
        name: str,
        transactional_id: str,
        rng: Rng,
        history: History,
        ledger: TransactionLedger,
        *,
        bumps: bool,
        timeout_ms: int,
        group: str = "",
    ) -> None:
        super().__init__(cluster, name, EFFECTS, rng, history)
        self._watch = cluster.watch
        self.transactional_id = transactional_id
        self.bumps = bumps
        self.timeout_ms = timeout_ms
        self.transaction: Transaction | None = None
        self.is_initialised = False
        self.fenced_rest_us = 0
        """How long it takes to begin anew after it was fenced."""
        self.on_ready: Callable[[], None] = lambda: None
        self.on_send: Callable[[Coordinator | None, Any, int, Any, Transaction], None] = lambda where, message, version, kind, of: None
        """Told of each request of a transaction, so that it can be repeated later; ``None``: to the leader of the partition that it names."""
        self.coordinator = Coordinator(self, TRANSACTION, transactional_id)
        self._group = Coordinator(self, GROUP, group)
        self._ledger = ledger
        self._producer_id = -1
        self._producer_epoch = -1
        self._sequences: dict[int, int] = {}
        self._number = 0
        self._work = Work({})
        self._done: Callable[[str], None] = lambda outcome: None
        self._unwritten: dict[int, bytes] = {}
        self._writing: dict[int, None] = {}
        self._is_writing = False
        self._deadline_us = 0
        self._initialising = False
        self._is_in_doubt = False
        """Whether a request of this producer epoch, to a coordinator, may come yet, and do in the next transaction what was meant for this one."""

    def start(self) -> None:
        """Begin."""
        self.refresh_metadata()
        self._initialise()

    @property
    def is_ready(self) -> bool:
        """Whether a transaction may begin."""
        return self.is_initialised and self.transaction is None and bool(self.partitions) and not self.stopped

    @property
    def count(self) -> int:
        """Transactions so far."""
        return self._number

    # --- incarnations

    def restart(self, delay_us: int = RETRY_US) -> None:
        """Forget everything: the next incarnation begins after a while. What is open is left open."""
        self._over(UNKNOWN if self.transaction is not None and self.transaction.is_asked_to_commit else ABORTED)
        self.is_initialised = False
        if not self._initialising:
            self._initialising = True
            self.scheduler.after(delay_us, self._initialise)

    def _initialise(self) -> None:
        if self.stopped:
            return
        self._initialising = True
        asked_us = self.scheduler.now_us
        request = InitProducerIdRequest(
            transactional_id=self.transactional_id, transaction_timeout_ms=self.timeout_ms, producer_id=-1, producer_epoch=-1
        )

        self._ledger.asks_to_initialise(self.transactional_id, asked_us)

        def answered(response: InitProducerIdResponse | None) -> None:
            if response is not None:
                self._ledger.initialisation_answered(self.transactional_id, self.scheduler.now_us)
            if response is None or response.error_code:
                if response is not None:
                    self._note("InitProducerId", response.error_code)
                self.scheduler.after(RETRY_US, self._initialise)
                return
            self._initialising = False
            self.is_initialised = True
            self._producer_id, self._producer_epoch = response.producer_id, response.producer_epoch
            self._sequences.clear()
            self._is_in_doubt = False
            self.trace.line(self.name, f"is producer {self._producer_id} in producer epoch {self._producer_epoch}")
            self._ledger.initialised(self.transactional_id, self._producer_id, self._producer_epoch, asked_us, self.scheduler.now_us)
            self.history.count("transactional-id-initialised")
            self.on_ready()

        self.coordinator.ask(request, INIT_VERSION, InitProducerIdResponse, answered, _ASK_TIMEOUT_US)

    def _note(self, api: str, error_code: int) -> bool:
        """Count an error; returns whether the request is to be sent again. Raises ``SafetyViolation`` for one that is not expected."""
        name = ErrorCode(error_code).name
        self.history.error(f"{api} {name}")
        self.trace.line(self.name, f"{api}: {name}")
        if error_code in GONE:
            (self._group if api == "TxnOffsetCommit" else self.coordinator).forget()
        if error_code in RETRIED_ERRORS:
            return True
        if error_code not in FATAL_ERRORS:
            raise SafetyViolation("protocol", f"{self.name}: {api} answered {name}")
        return False

    # --- one transaction

    def run(self, work: Work, done: Callable[[str], None]) -> None:
        """Begin a transaction; ``done`` learns its outcome."""
        self._number += 1
        name = f"{self.name}#{self._number}"
        transaction = self._ledger.begin(name, self.transactional_id, self._producer_id, self._producer_epoch, self.scheduler.now_us)
        self.transaction, self._work, self._done = transaction, work, done
        self._deadline_us = self.scheduler.now_us + _DEADLINE_US
        self.history.count("transaction-of-version-2" if self.bumps else "transaction-classic")
        self._unwritten, self._writing, self._is_writing = {}, {}, True
        for index, values in work.values.items():
            self._ledger.writes(transaction, index, values)
            sequence = self._sequences.get(index, 0)
            self._sequences[index] = sequence + len(values)
            at_ms = WALL_START_MS + self.scheduler.now_us // 1000
            self._unwritten[index] = batch(transaction, sequence, values, at_ms)
        if work.group is not None:
            transaction.group = work.group
        if self.bumps:
            self._write(transaction)
        else:
            self._add_partitions(transaction)

    def _is_over(self, transaction: Transaction) -> bool:
        return self.stopped or self.transaction is not transaction

    def _failed(self, transaction: Transaction, api: str, error_code: int | None, again: Callable[[Transaction], None]) -> None:
        """A step was not carried out, or its answer is lost: again, or never again."""
        if error_code is None:
            self.history.error("no answer")
            self._is_in_doubt |= not self.bumps and api != "Produce"
        elif not self._note(api, error_code):
            asked_itself = api in OF_COORDINATOR and self.coordinator.is_in_office(self._watch.newest)
            if error_code in FENCED and asked_itself:
                self._ledger.fenced(transaction, self.timeout_ms, self.scheduler.now_us)
            self._die(error_code)
            return
        if self.scheduler.now_us > self._deadline_us and not transaction.is_asked_to_commit:
            self.history.count("transaction-too-slow")
            self._die(0)
            return
        self.scheduler.after(RETRY_US, again, transaction)

    def _die(self, error_code: int) -> None:
        rest_us = self.fenced_rest_us if error_code in FENCED else 0
        if error_code in FENCED:
            self.history.count("producer-fenced")
        self.restart(RETRY_US + rest_us)

    def _over(self, outcome: str) -> None:
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            self.trace.line(self.name, f"{transaction.name} is {outcome}")
            self._ledger.ended(transaction, outcome, self.scheduler.now_us)
            self._done(outcome)

    def _ask(
        self, transaction: Transaction, where: Coordinator, message: Any, version: int, response_class: Any, answered: Callable[[Any], None]
    ) -> None:
        def unless_over(response: Any) -> None:
            if not self._is_over(transaction):
                answered(response)

        self.on_send(where, message, version, response_class, transaction)
        where.ask(message, version, response_class, unless_over, _ASK_TIMEOUT_US)

    def _add_partitions(self, transaction: Transaction) -> None:
        if self._is_over(transaction):
            return

        def answered(response: AddPartitionsToTxnResponse | None) -> None:
            codes = (
                [each.partition_error_code for topic in response.results_by_topic_v3_and_below for each in topic.results_by_partition]
                if response is not None
                else []
            )
            worst = next((code for code in codes if code), 0)
            if response is None or worst:
                self._failed(transaction, "AddPartitionsToTxn", worst or None, self._add_partitions)
            else:
                self._write(transaction)

        self._ask(transaction, self.coordinator, add_partitions(transaction), ADD_VERSION, AddPartitionsToTxnResponse, answered)

    # --- records

    def _write(self, transaction: Transaction) -> None:
        """Send what is not written yet, to whoever leads."""
        if self._is_over(transaction) or not self._is_writing:
            return
        if not self._unwritten:
            self._is_writing = False
            self._after_writes(transaction)
            return
        by_leader: dict[int, list[int]] = {}
        for index in self._unwritten:
            known = self.partitions.get(index)
            if index not in self._writing:
                by_leader.setdefault(known.leader_id if known is not None else -1, []).append(index)
        for leader_id, indexes in by_leader.items():
            connection = self.connection(leader_id)
            if connection is None or connection.is_resting:
                self.refresh_metadata()
                if not self._writing:
                    self._failed(transaction, "Produce", None, self._write)
                    return
                continue
            request = produce(self.transactional_id, {index: self._unwritten[index] for index in indexes})
            self._writing |= dict.fromkeys(indexes)
            version = WRITE_VERSIONS[self.bumps]
            self.on_send(None, request, version, ProduceResponse, transaction)
            connection.request(
                request,
                version,
                ProduceResponse,
                _WRITE_TIMEOUT_US,
                lambda response, indexes=indexes, writing=self._writing: self._written(transaction, indexes, writing, response),
            )

    def _written(self, transaction: Transaction, indexes: list[int], writing: dict[int, None], response: ProduceResponse | None) -> None:
        for index in indexes:
            writing.pop(index, None)
        if self._is_over(transaction):
            return
        if response is None:
            self.refresh_metadata()
            self._failed(transaction, "Produce", None, self._write)
            return
        worst = 0
        for topic in response.responses:
            for each in topic.partition_responses:
                if not each.error_code or each.error_code == ErrorCode.DUPLICATE_SEQUENCE_NUMBER:
                    self._unwritten.pop(each.index, None)
                    transaction.acknowledged[each.index] = each.base_offset
                elif worst in RETRIED_ERRORS or not worst:
                    worst = each.error_code
        if worst:
            self.refresh_metadata()
            self._failed(transaction, "Produce", worst, self._write)
        elif not self._writing:
            self._write(transaction)

    def _after_writes(self, transaction: Transaction) -> None:
        if not self._work.offsets:
            self._hold(transaction)
        elif self.bumps:
            self._send_offsets(transaction)
        else:
            self._add_offsets(transaction)

    # --- offsets

    def _add_offsets(self, transaction: Transaction) -> None:
        if self._is_over(transaction):
            return
        assert self._work.group is not None
        request = add_offsets(transaction, self._work.group.name)

        def answered(response: AddOffsetsToTxnResponse | None) -> None:
            if response is None or response.error_code:
                code = response.error_code if response is not None else None
                self._failed(transaction, "AddOffsetsToTxn", code, self._add_offsets)
            else:
                self._send_offsets(transaction)

        self._ask(transaction, self.coordinator, request, ADD_OFFSETS_VERSION, AddOffsetsToTxnResponse, answered)

    def _send_offsets(self, transaction: Transaction) -> None:
        if self._is_over(transaction):
            return
        work = self._work
        assert work.group is not None
        now = self.scheduler.now_us
        if not transaction.commits:
            for index, offset in work.offsets.items():
                commit = work.group.commit(index, offset, work.member_id, work.generation, now)
                commit.sent_us = transaction.commit_asked_us
                transaction.commits[index] = commit
        for commit in transaction.commits.values():
            commit.asked_us = now
        request = commit_offsets(transaction, work)
        group = work.group

        def answered(response: TxnOffsetCommitResponse | None) -> None:
            codes = [each.error_code for topic in response.topics for each in topic.partitions] if response is not None else []
            worst = next((code for code in codes if code), 0)
            if response is None or worst:
                self._failed(transaction, "TxnOffsetCommit", worst or None, self._send_offsets)
                return
            for commit in transaction.commits.values():
                group.check_right(commit, commit.asked_us)
            self.history.count("transaction-with-offsets")
            self._hold(transaction)

        self._ask(transaction, self._group, request, OFFSETS_VERSIONS[self.bumps], TxnOffsetCommitResponse, answered)

    # --- the end

    def _hold(self, transaction: Transaction) -> None:
        if self._work.is_left_open:
            self.history.count("transaction-left-open")
            self._over(ABORTED)
            self.stop()
        else:
            self.scheduler.after(self._work.hold_us, self._end, transaction)

    def _end(self, transaction: Transaction) -> None:
        if self._is_over(transaction):
            return
        commits = self._work.commits
        if commits:
            self._ledger.asks_to_commit(transaction, self.scheduler.now_us)

        def answered(response: EndTxnResponse | None) -> None:
            if response is None or response.error_code:
                self._failed(transaction, "EndTxn", response.error_code if response is not None else None, self._end)
                return
            if self.bumps:
                self._ledger.bumped(transaction, response.producer_id, response.producer_epoch)
                self._producer_id, self._producer_epoch = response.producer_id, response.producer_epoch
                self._sequences.clear()
            if self._is_in_doubt:
                self.history.count("producer-in-doubt")
                self.is_initialised = False
            self._over(COMMITTED if commits else ABORTED)
            if self._is_in_doubt:
                self.restart()
            else:
                self.on_ready()

        self._ask(transaction, self.coordinator, end(transaction, commits), END_VERSIONS[self.bumps], EndTxnResponse, answered)
