"""From the outcome in the log to the end of a transaction: its markers are written, then that it is complete.

The id is busy from the outcome to the end: nothing can begin in a transaction whose markers are on their way. What is loaded with an
outcome and without an end takes the same path again; a partition takes a marker that it has already for a second one, which changes nothing.
"""

from collections.abc import Callable

from holdwater.core.coordinator import NOTHING, Decision, ShardHost
from holdwater.core.transactions.ledger import Change, Entry, Ledger
from holdwater.core.transactions.ports import Marker, TransactionPorts
from holdwater.core.transactions.transaction import PREPARED, Status, completed
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import TopicPartition
from holdwater.kernel.invariant import invariant

COMPLETE_RETRY_MS = 100
"""How long after an append that was refused the end of a transaction is appended again."""


class Completion:
    """Brings every transaction that has an outcome to its end."""

    def __init__(self, host: ShardHost, ports: TransactionPorts) -> None:
        self._host = host
        self._ports = ports

    def begin(self, ledger: Ledger, entry: Entry) -> None:
        """Make the id busy and have the markers written."""
        self.send(ledger, self.hold(ledger, entry))

    def hold(self, ledger: Ledger, entry: Entry) -> Change:
        """Make the id busy: its outcome is known, and may not be committed yet."""

        def done(error: ErrorCode) -> None:
            abandoned = error is not ErrorCode.NONE and entry.pending is None
            if abandoned and ledger.entries.get(entry.transactional_id) is entry:
                self._host.note(
                    f"The end of the transaction of {entry.transactional_id} could not be appended, will be again: {error.name}"
                )
                self._append_later(ledger, self.hold(ledger, entry), COMPLETE_RETRY_MS)

        return ledger.claim(entry, done)

    def send(self, ledger: Ledger, change: Change) -> None:
        """Have the markers written, and the end appended after the last of them."""
        entry, transaction = change.entry, change.entry.current
        assert transaction is not None
        invariant(transaction.status in PREPARED, f"{entry.transactional_id} has no outcome: {transaction}")
        missing = entry.missing = dict.fromkeys(transaction.partitions)
        if not missing:
            self._append_later(ledger, change, 0)
            return
        self._ports.write_markers(_markers(entry), self._on_marker(ledger, change, missing))

    def _on_marker(self, ledger: Ledger, change: Change, missing: dict[TopicPartition, None]) -> Callable[[Marker], None]:
        def on_done(marker: Marker) -> None:
            known = marker.partition in missing
            missing.pop(marker.partition, None)
            if known and not missing and ledger.is_under_way(change):
                self._append_later(ledger, change, 0)

        return on_done

    def _append_later(self, ledger: Ledger, change: Change, delay_ms: int) -> None:
        def append() -> Decision:
            transaction = change.entry.current
            if not ledger.is_under_way(change) or transaction is None:
                return NOTHING
            change.target = completed(transaction, self._host.wall_ms)
            return ledger.append([change])

        ledger.deadlines.after(delay_ms, append)


def _markers(entry: Entry) -> list[Marker]:
    transaction = entry.current
    assert transaction is not None
    committed = transaction.status is Status.PREPARE_COMMIT
    return [
        Marker(
            entry.transactional_id, transaction.producer_id, transaction.producer_epoch, committed, partition, transaction.client_version
        )
        for partition in transaction.partitions
    ]
