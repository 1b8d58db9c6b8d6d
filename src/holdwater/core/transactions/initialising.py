"""InitProducerId: who may write under a transactional id from now on.

Every answer has a producer epoch (or a producer id) that nobody had, except to who shows that the last answer was theirs and got lost
(KIP-360). An open transaction is aborted first, and its producer fenced; the client is told to ask again.
"""

from collections.abc import Callable

from holdwater.core.coordinator import NOTHING, Caller, Decision, ShardHost, answer
from holdwater.core.transactions.ending import Ending
from holdwater.core.transactions.ledger import Entry, Ledger
from holdwater.core.transactions.numbering import Numbering
from holdwater.core.transactions.transaction import (
    LAST_GIVEN_EPOCH,
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    NO_TIMEOUT_MS,
    ProducerClaim,
    Status,
    Transaction,
    created,
    initialised,
    rotated,
)
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import InitProducerIdRequest, InitProducerIdResponse

PRODUCER_FENCED_SINCE = 4
"""The first request version that knows PRODUCER_FENCED."""

Reply = Callable[[InitProducerIdResponse], None]


class Initialising:
    """Decides InitProducerId."""

    def __init__(self, host: ShardHost, ledger: Ledger, numbering: Numbering, ending: Ending) -> None:
        self._host = host
        self._ledger = ledger
        self._numbering = numbering
        self._ending = ending

    def decide(self, request: InitProducerIdRequest, caller: Caller, reply: Reply) -> Decision:
        """See the module."""
        error = self._refusal(request)
        if error is not ErrorCode.NONE:
            return answer(reply, _response(error, caller))
        if request.transactional_id is None:
            return self._numbering.give(lambda number: reply(_given(number)))
        timeout_ms = NO_TIMEOUT_MS if request.enable2_pc else request.transaction_timeout_ms
        claim = None if request.producer_id == NO_PRODUCER_ID else ProducerClaim(request.producer_id, request.producer_epoch)
        entry = self._ledger.entries.get(request.transactional_id)
        if entry is None:
            return self._first(request.transactional_id, claim, timeout_ms, caller, reply)
        return self._again(entry, claim, timeout_ms, caller, reply)

    def _refusal(self, request: InitProducerIdRequest) -> ErrorCode:
        config = self._host.config
        if (request.producer_id == NO_PRODUCER_ID) != (request.producer_epoch == NO_PRODUCER_EPOCH):
            return ErrorCode.INVALID_REQUEST
        if request.transactional_id is None:
            return ErrorCode.NONE
        if not request.transactional_id:
            return ErrorCode.INVALID_REQUEST
        if request.enable2_pc and not config.bool("transaction.two.phase.commit.enable"):
            return ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        if request.keep_prepared_txn:
            return ErrorCode.UNSUPPORTED_VERSION
        if not request.enable2_pc and not 0 < request.transaction_timeout_ms <= config.int("transaction.max.timeout.ms"):
            return ErrorCode.INVALID_TRANSACTION_TIMEOUT
        return ErrorCode.NONE

    def _first(self, transactional_id: str, claim: ProducerClaim | None, timeout_ms: int, caller: Caller, reply: Reply) -> Decision:
        def make(producer_id: int) -> Transaction | None:
            wall_ms = self._host.wall_ms
            return initialised(created(producer_id, timeout_ms, wall_ms), claim, timeout_ms, wall_ms)

        change = self._ledger.claim_new(transactional_id, lambda error: reply(_response(error, caller, change.target)))
        return self._numbering.append_with_new_id(change, make)

    def _again(self, entry: Entry, claim: ProducerClaim | None, timeout_ms: int, caller: Caller, reply: Reply) -> Decision:
        before = entry.current
        if entry.pending is not None or before is None:
            return self._refuse(ErrorCode.CONCURRENT_TRANSACTIONS, caller, reply)
        if not _may_claim(before, claim):
            return self._refuse(ErrorCode.PRODUCER_FENCED, caller, reply)
        if before.status is Status.ONGOING:
            return self._fence(entry, caller, reply)
        if before.epoch_exhausted and (claim is None or claim.producer_epoch == before.producer_epoch):
            change = self._ledger.claim(entry, lambda error: reply(_response(error, caller, change.target)))
            return self._numbering.append_with_new_id(change, lambda number: rotated(before, claim, number, timeout_ms, self._host.wall_ms))
        after = initialised(before, claim, timeout_ms, self._host.wall_ms)
        if after is None:
            return self._refuse(ErrorCode.PRODUCER_FENCED, caller, reply)
        change = self._ledger.claim(entry, lambda error: reply(_response(error, caller, change.target)))
        change.target = after
        return self._ledger.append([change])

    def _refuse(self, error: ErrorCode, caller: Caller, reply: Reply) -> Decision:
        return self._ledger.tell(error, lambda told: reply(_response(told, caller)))

    def _fence(self, entry: Entry, caller: Caller, reply: Reply) -> Decision:
        def done(error: ErrorCode) -> None:
            reply(_response(ErrorCode.CONCURRENT_TRANSACTIONS if error is ErrorCode.NONE else error, caller))

        change = self._ending.fence(entry, done)
        return NOTHING if change is None else self._ledger.append([change])


def _may_claim(before: Transaction, claim: ProducerClaim | None) -> bool:
    """Whether a client that names this producer id may be the one that has the transactional id."""
    if claim is None or claim.producer_id == before.producer_id:
        return True
    return claim.producer_id == before.previous_producer_id and claim.producer_epoch >= LAST_GIVEN_EPOCH


def _given(producer_id: int | None) -> InitProducerIdResponse:
    if producer_id is None:
        return InitProducerIdResponse(error_code=ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, producer_epoch=NO_PRODUCER_EPOCH)
    return InitProducerIdResponse(producer_id=producer_id, producer_epoch=0)


def _response(error: ErrorCode, caller: Caller, after: Transaction | None = None) -> InitProducerIdResponse:
    if error is ErrorCode.NONE and after is not None:
        return InitProducerIdResponse(producer_id=after.producer_id, producer_epoch=after.producer_epoch)
    if error is ErrorCode.PRODUCER_FENCED and caller.version < PRODUCER_FENCED_SINCE:
        error = ErrorCode.INVALID_PRODUCER_EPOCH
    return InitProducerIdResponse(error_code=error, producer_epoch=NO_PRODUCER_EPOCH)
