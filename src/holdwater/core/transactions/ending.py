"""EndTxn, and the fence: how an open transaction gets its outcome.

Classic producers (request versions up to 4) keep their producer epoch, so the epoch of the request must be the current one, and a retry is
told from a new request by nothing but the state. Bumping producers (from version 5 on, KIP-890) have another producer epoch after every
transaction: a request with the current one means the open transaction, a request with the one before it is a retry, and any other is fenced.
That is why a late EndTxn of theirs ends no transaction but its own (P5).
"""

from collections.abc import Callable
from typing import NamedTuple

from holdwater.core.coordinator import Caller, Decision, ShardHost, answer
from holdwater.core.transactions.ledger import Change, Entry, Ledger
from holdwater.core.transactions.numbering import Numbering
from holdwater.core.transactions.transaction import (
    BUMPING_VERSION,
    CLASSIC_VERSION,
    COMPLETE,
    HIGHEST_EPOCH,
    LAST_GIVEN_EPOCH,
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    ProducerClaim,
    Status,
    Transaction,
    completed,
    ended,
    fenced,
)
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import EndTxnRequest, EndTxnResponse

PRODUCER_FENCED_SINCE = 2
BUMPING_SINCE = 5
"""The first request version of a producer whose epoch is bumped for every transaction."""

Reply = Callable[[EndTxnResponse], None]


class Verdict(NamedTuple):
    """What to do with an EndTxn: give the transaction its outcome, or answer with ``error``, which is NONE for a retry."""

    ends: bool
    error: ErrorCode = ErrorCode.NONE


ENDS = Verdict(True)
RETRIED = Verdict(False)


def _refused(error: ErrorCode) -> Verdict:
    return Verdict(False, error)


class Ending:
    """Decides EndTxn, and aborts against a producer's will."""

    def __init__(self, host: ShardHost, ledger: Ledger, numbering: Numbering, server_version: Callable[[], int]) -> None:
        self._host = host
        self._ledger = ledger
        self._numbering = numbering
        self._server_version = server_version

    def decide(self, request: EndTxnRequest, caller: Caller, reply: Reply) -> Decision:
        """See the module."""
        if not request.transactional_id:
            return answer(reply, _response(ErrorCode.INVALID_REQUEST, caller))
        version = BUMPING_VERSION if caller.version >= BUMPING_SINCE else CLASSIC_VERSION
        claim = ProducerClaim(request.producer_id, request.producer_epoch)
        entry = self._ledger.entries.get(request.transactional_id)
        verdict = _judge(entry, claim, request.committed, version)
        if not verdict.ends or entry is None:
            now = entry.current if entry is not None and verdict.error is ErrorCode.NONE else None
            return self._ledger.tell(verdict.error, lambda error: reply(_response(error, caller, now)))
        change = self._ledger.claim(entry, lambda error: reply(_response(error, caller, _after(change))))
        return self._end(change, request.committed, version)

    def fence(self, entry: Entry, done: Callable[[ErrorCode], None]) -> Change | None:
        """The change that aborts an open transaction and fences its producer. ``None``: it waits for a producer id and will append itself."""
        before = entry.current
        assert before is not None
        change, version = self._ledger.claim(entry, done), self._server_version()
        if version >= BUMPING_VERSION and before.epoch_exhausted:
            self._numbering.append_with_new_id(change, lambda number: fenced(before, version, number, self._host.wall_ms))
            return None
        change.target = fenced(before, version, NO_PRODUCER_ID, self._host.wall_ms)
        return change

    def _end(self, change: Change, committed: bool, version: int) -> Decision:
        before = change.entry.current
        assert before is not None
        if version >= BUMPING_VERSION and before.epoch_exhausted:
            return self._numbering.append_with_new_id(change, lambda number: ended(before, committed, version, number, self._host.wall_ms))
        change.target = ended(before, committed, version, NO_PRODUCER_ID, self._host.wall_ms)
        return self._ledger.append([change])


def _judge(entry: Entry | None, claim: ProducerClaim, committed: bool, version: int) -> Verdict:
    if entry is None:
        return _refused(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    if version >= BUMPING_VERSION:
        return _judge_bumping(entry, claim, committed)
    return _judge_classic(entry, claim, committed)


def _judge_classic(entry: Entry, claim: ProducerClaim, committed: bool) -> Verdict:
    now = entry.current
    if now is None or claim.producer_id != now.producer_id:
        return _refused(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    if claim.producer_epoch != now.producer_epoch:
        return _refused(ErrorCode.PRODUCER_FENCED)
    if entry.pending is not None:
        return _refused(ErrorCode.CONCURRENT_TRANSACTIONS)
    if now.status is Status.ONGOING:
        return ENDS
    if now.status is (Status.COMPLETE_COMMIT if committed else Status.COMPLETE_ABORT):
        return RETRIED
    return _refused(ErrorCode.INVALID_TXN_STATE)


def _judge_bumping(entry: Entry, claim: ProducerClaim, committed: bool) -> Verdict:
    now = entry.current
    if entry.pending is not None or now is None:
        return _refused(ErrorCode.CONCURRENT_TRANSACTIONS)
    retried = _is_retry(now, claim)
    if claim.producer_id != now.producer_id and not retried:
        return _refused(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    if not (retried and now.status in COMPLETE) and claim.producer_epoch != now.producer_epoch:
        return _refused(ErrorCode.PRODUCER_FENCED)
    if now.status is Status.ONGOING:
        return ENDS
    if retried:
        same_outcome = now.status is (Status.COMPLETE_COMMIT if committed else Status.COMPLETE_ABORT)
        return RETRIED if same_outcome else _refused(ErrorCode.INVALID_TXN_STATE)
    # Nothing was written in this producer epoch as far as the coordinator knows. To abort that is legal: records may be on their way.
    return _refused(ErrorCode.INVALID_TXN_STATE) if committed else ENDS


def _is_retry(now: Transaction, claim: ProducerClaim) -> bool:
    """Whether the producer asks for what it has got: its producer epoch was bumped since, or its producer id exchanged.

    The highest epoch is nobody's: a transaction that is complete with it was aborted to fence its producer, before transaction version 2.
    """
    if claim.producer_id == now.previous_producer_id and claim.producer_epoch == LAST_GIVEN_EPOCH and now.producer_epoch == 0:
        return True
    return claim.producer_id == now.producer_id and claim.producer_epoch + 1 == now.producer_epoch < HIGHEST_EPOCH


def _after(change: Change) -> Transaction | None:
    """What the producer goes on with once its transaction is complete."""
    return change.target and completed(change.target, change.target.update_ms)


def _response(error: ErrorCode, caller: Caller, now: Transaction | None = None) -> EndTxnResponse:
    if error is ErrorCode.NONE and now is not None and caller.version >= BUMPING_SINCE:
        return EndTxnResponse(producer_id=now.producer_id, producer_epoch=now.producer_epoch)
    if error is ErrorCode.PRODUCER_FENCED and caller.version < PRODUCER_FENCED_SINCE:
        error = ErrorCode.INVALID_PRODUCER_EPOCH
    return EndTxnResponse(error_code=error, producer_id=NO_PRODUCER_ID, producer_epoch=NO_PRODUCER_EPOCH)
