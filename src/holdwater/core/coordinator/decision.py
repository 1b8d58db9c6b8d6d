"""What a coordinator's handler decides: records to append, and what happens once they are committed, or cannot be.

The host appends the records as one batch (all of them, or none), replays them into the shard at once, and calls ``committed`` when the high
watermark has passed them and everything that the handler has seen: a decision without records waits like one with records, because what it has
read may still be lost. When the append is refused, or the partition is lost before the commit, ``failed`` is called instead, with the reason.
Exactly one of the two is called, once; never inside the handler.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from holdwater.wire.codec.classes import Message


class CoordinatorRecord(NamedTuple):
    """One record of a coordinator's log; ``value`` is ``None`` for a tombstone."""

    key: Message
    value: Message | None
    value_version: int = 0


def _nothing() -> None:
    """Nobody waits for the commit."""


def _ignore(error_code: int) -> None:
    """Nobody waits for the failure."""


class Decision(NamedTuple):
    """See the module."""

    records: tuple[CoordinatorRecord, ...] = ()
    committed: Callable[[], None] = _nothing
    failed: Callable[[int], None] = _ignore
    """Takes the ``ErrorCode``: NOT_COORDINATOR when the partition has moved, COORDINATOR_NOT_AVAILABLE when the replicas could not be reached
    in time or are too few, MESSAGE_TOO_LARGE when the batch was, INVALID_PRODUCER_EPOCH and its like for a transactional batch. After the
    first two the records may be in the log and replayed all the same: they may be committed later, or never."""
    replays: bool = True
    """Whether the host replays the records into this shard. False only where the live object is ahead of its records (a classic group)."""
    producer_id: int = -1
    """Of the transaction that the records belong to, -1: of none."""
    producer_epoch: int = -1
    waits: bool = True
    """False: ``committed`` is called without a wait for the high watermark, right after the handler (a refusal that has read nothing,
    a heartbeat that has only read what is in memory)."""


NOTHING = Decision(waits=False)
"""Nothing to append, and nobody to answer now."""


def answer(reply: Callable[[Any], None], response: Any, *, waits: bool = False) -> Decision:
    """Answer without records. ``waits``: the answer tells of state that may not be committed yet; its failure is the caller's to handle."""
    return Decision(committed=lambda: reply(response), waits=waits)
