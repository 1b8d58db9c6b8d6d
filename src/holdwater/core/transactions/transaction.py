"""What is known of one transactional id, the states it goes through, and every change it can make.

``LEGAL_BEFORE`` is the whole table of states; a pair that is not in it is a bug and stops the node.

===============  ======================================  ==================================================================
to               from                                    why
===============  ======================================  ==================================================================
Empty            (new), Empty, CompleteCommit,           InitProducerId: a new producer epoch, or a new producer id at
                 CompleteAbort                           epoch 0 when the epochs are used up
Ongoing          Empty, Ongoing, CompleteCommit,         partitions, or the offsets of a group, are added
                 CompleteAbort
PrepareCommit    Ongoing                                 EndTxn, to commit
PrepareAbort     Ongoing, Empty, CompleteCommit,         EndTxn, to abort; the timeout; InitProducerId on an open
                 CompleteAbort                           transaction. Not from Ongoing only where the producer's epoch is
                                                         bumped for each transaction: it may abort without having written
CompleteCommit   PrepareCommit                           every marker is written
CompleteAbort    PrepareAbort                            every marker is written
===============  ======================================  ==================================================================

A transactional id that has expired is taken out of the log and of memory (Kafka's Dead). Kafka's PrepareEpochFence is the moment between the
decision to fence a producer and the PrepareAbort that says so in the log; here it is one step. Neither is ever stored.

Two generations of producers share the table. *Classic* ones (transaction versions 0 and 1) keep their producer epoch until the next
InitProducerId. *Bumping* ones (version 2, KIP-890) get a new producer epoch with the end of every transaction, so that a late EndTxn cannot
mean the wrong one. Which generation a request belongs to follows from its API version.

A producer epoch of ``LAST_GIVEN_EPOCH`` is the highest that a client is ever told: one more is left for fencing it.
"""

from enum import IntEnum
from typing import NamedTuple

from holdwater.kernel.identifiers import TopicPartition
from holdwater.kernel.invariant import invariant

NO_PRODUCER_ID = -1
NO_PRODUCER_EPOCH = -1
NO_TIMESTAMP = -1
HIGHEST_EPOCH = 2**15 - 1
LAST_GIVEN_EPOCH = HIGHEST_EPOCH - 1
NO_TIMEOUT_MS = 2**31 - 1
"""The timeout of a transaction that somebody else's two-phase commit decides about."""
CLASSIC_VERSION = 0
BUMPING_VERSION = 2


class Status(IntEnum):
    """The states, with their numbers in the log."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5
    DEAD = 6
    PREPARE_EPOCH_FENCE = 7

    @property
    def text(self) -> str:
        """The name that clients see: ``PrepareCommit``."""
        return "".join(word.capitalize() for word in self.name.split("_"))


AT_REST = (Status.EMPTY, Status.COMPLETE_COMMIT, Status.COMPLETE_ABORT)
PREPARED = (Status.PREPARE_COMMIT, Status.PREPARE_ABORT)
COMPLETE = (Status.COMPLETE_COMMIT, Status.COMPLETE_ABORT)
LEGAL_BEFORE: dict[Status, tuple[Status, ...]] = {
    Status.EMPTY: AT_REST,
    Status.ONGOING: (Status.ONGOING, *AT_REST),
    Status.PREPARE_COMMIT: (Status.ONGOING,),
    Status.PREPARE_ABORT: (Status.ONGOING, *AT_REST),
    Status.COMPLETE_COMMIT: (Status.PREPARE_COMMIT,),
    Status.COMPLETE_ABORT: (Status.PREPARE_ABORT,),
}


class Transaction(NamedTuple):
    """The state of one transactional id: who may write under it, and what its transaction has touched."""

    producer_id: int
    producer_epoch: int
    timeout_ms: int
    status: Status
    update_ms: int
    """Wall clock of the last change; what expiry counts from."""
    start_ms: int = NO_TIMESTAMP
    """Wall clock when the first partition was added; kept after the end."""
    previous_producer_id: int = NO_PRODUCER_ID
    """The producer id before the last change: who retries with it was not told of a new one."""
    next_producer_id: int = NO_PRODUCER_ID
    """Set between Prepare and Complete when the end of the transaction uses up the producer epochs: the id that the producer goes on with."""
    last_producer_epoch: int = NO_PRODUCER_EPOCH
    """The producer epoch that the current one was given in exchange for, for retries of that exchange. Not in the log."""
    partitions: tuple[TopicPartition, ...] = ()
    """Sorted; empty once the transaction is complete."""
    client_version: int = CLASSIC_VERSION
    """The transaction version of the request that made the last change."""

    @property
    def epoch_exhausted(self) -> bool:
        """Whether no further producer epoch of this producer id may be told to a client."""
        return self.producer_epoch >= LAST_GIVEN_EPOCH

    @property
    def bumps(self) -> bool:
        """Whether the last change was asked for by a producer whose epoch is bumped for every transaction."""
        return self.client_version >= BUMPING_VERSION


class ProducerClaim(NamedTuple):
    """The producer id and producer epoch that a client says it has."""

    producer_id: int
    producer_epoch: int


def created(producer_id: int, timeout_ms: int, wall_ms: int) -> Transaction:
    """A transactional id that nobody has used: not stored like this, its producer has no epoch yet."""
    return Transaction(producer_id, NO_PRODUCER_EPOCH, timeout_ms, Status.EMPTY, wall_ms)


def initialised(before: Transaction, claim: ProducerClaim | None, timeout_ms: int, wall_ms: int) -> Transaction | None:
    """After InitProducerId, with the same producer id. ``None``: the claim is that of an older producer, which is fenced."""
    fresh = before.producer_epoch == NO_PRODUCER_EPOCH
    if claim is not None and not fresh and claim.producer_epoch != before.producer_epoch:
        if claim.producer_epoch != before.last_producer_epoch:
            return None
        epoch, last_epoch = before.producer_epoch, before.last_producer_epoch  # its answer was lost: the same one again
    else:
        invariant(not before.epoch_exhausted, f"producer epoch {before.producer_epoch} of {before.producer_id} cannot be bumped")
        epoch = before.producer_epoch + 1
        last_epoch = NO_PRODUCER_EPOCH if claim is None else before.producer_epoch
    return _emptied(before, timeout_ms, wall_ms)._replace(producer_epoch=epoch, last_producer_epoch=last_epoch)


def rotated(before: Transaction, claim: ProducerClaim | None, producer_id: int, timeout_ms: int, wall_ms: int) -> Transaction:
    """After InitProducerId when the producer epochs are used up: another producer id, at epoch 0."""
    _check_unused(before, producer_id)
    last_epoch = NO_PRODUCER_EPOCH if claim is None else before.producer_epoch
    return _emptied(before, timeout_ms, wall_ms)._replace(producer_id=producer_id, producer_epoch=0, last_producer_epoch=last_epoch)


def extended(before: Transaction, partitions: tuple[TopicPartition, ...], client_version: int, wall_ms: int) -> Transaction:
    """With more partitions, in an open transaction or in the first moment of one."""
    return before._replace(
        status=Status.ONGOING,
        partitions=tuple(sorted({*before.partitions, *partitions})),
        start_ms=before.start_ms if before.status is Status.ONGOING else wall_ms,
        update_ms=wall_ms,
        previous_producer_id=before.producer_id,
        client_version=client_version,
    )


def ended(before: Transaction, committed: bool, client_version: int, next_producer_id: int, wall_ms: int) -> Transaction:
    """The decision to commit or abort, before its markers are written. ``next_producer_id`` is -1 unless the producer epochs are used up."""
    _check_unused(before, next_producer_id)
    epoch, last_epoch = before.producer_epoch, before.last_producer_epoch
    if client_version >= BUMPING_VERSION:
        epoch, last_epoch = min(epoch + 1, HIGHEST_EPOCH), epoch
    return before._replace(
        status=Status.PREPARE_COMMIT if committed else Status.PREPARE_ABORT,
        producer_epoch=epoch,
        last_producer_epoch=last_epoch,
        start_ms=before.start_ms if before.status is Status.ONGOING else wall_ms,
        update_ms=wall_ms,
        previous_producer_id=before.producer_id,
        next_producer_id=next_producer_id,
        client_version=client_version,
    )


def fenced(before: Transaction, server_version: int, next_producer_id: int, wall_ms: int) -> Transaction:
    """The decision to abort against the producer's will: its producer epoch is taken from it, whatever its generation."""
    if server_version >= BUMPING_VERSION:
        return ended(before, False, server_version, next_producer_id, wall_ms)
    bumped = before._replace(producer_epoch=min(before.producer_epoch + 1, HIGHEST_EPOCH), last_producer_epoch=NO_PRODUCER_EPOCH)
    return ended(bumped, False, CLASSIC_VERSION, NO_PRODUCER_ID, wall_ms)


def completed(before: Transaction, wall_ms: int) -> Transaction:
    """All markers are written. This is when a used up producer id gives way to the next one."""
    after = before._replace(
        status=Status.COMPLETE_COMMIT if before.status is Status.PREPARE_COMMIT else Status.COMPLETE_ABORT,
        update_ms=wall_ms,
        previous_producer_id=before.producer_id,
        next_producer_id=NO_PRODUCER_ID,
        partitions=(),
    )
    if before.bumps and before.next_producer_id != NO_PRODUCER_ID:
        return after._replace(producer_id=before.next_producer_id, producer_epoch=0)
    return after


def check_step(before: Transaction | None, after: Transaction) -> None:
    """Every change passes here once, when it is committed (P3, P4, P5)."""
    if before is None:
        invariant(after.status is Status.EMPTY and after.producer_epoch == 0, f"a new transactional id starts as {after}")
        return
    step = f"{before} to {after}"
    invariant(before.status in LEGAL_BEFORE[after.status], f"no such change: {step}")
    invariant(after.producer_epoch >= 0, f"a stored producer epoch is never negative: {step}")
    if after.producer_id != before.producer_id:
        invariant(after.producer_epoch == 0 and after.status is not Status.ONGOING, f"another producer id begins at epoch 0: {step}")
        invariant(before.epoch_exhausted, f"a producer id is used up before the next one is taken: {step}")
    else:
        invariant(
            before.producer_epoch <= after.producer_epoch <= before.producer_epoch + 1, f"a producer epoch grows one by one (P3): {step}"
        )
    if after.status in PREPARED and after.bumps:
        bumped = before.producer_epoch < after.producer_epoch or after.producer_epoch == HIGHEST_EPOCH
        invariant(bumped, f"one outcome for each producer epoch (P4): {step}")
    if after.status in PREPARED and before.status is Status.ONGOING:
        invariant(after.partitions == before.partitions, f"the outcome is that of the open transaction (P5): {step}")
    if after.status is Status.ONGOING:
        same_producer = after.producer_epoch == before.producer_epoch
        invariant(same_producer and {*before.partitions} <= {*after.partitions}, f"an open transaction only grows: {step}")


def _emptied(before: Transaction, timeout_ms: int, wall_ms: int) -> Transaction:
    return before._replace(
        status=Status.EMPTY,
        partitions=(),
        timeout_ms=timeout_ms,
        start_ms=NO_TIMESTAMP,
        update_ms=wall_ms,
        previous_producer_id=before.producer_id,
    )


def _check_unused(before: Transaction, producer_id: int) -> None:
    if producer_id == NO_PRODUCER_ID:
        return
    used = (before.producer_id, before.previous_producer_id, before.next_producer_id)
    invariant(producer_id not in used, f"producer id {producer_id} is used again (P8)")
