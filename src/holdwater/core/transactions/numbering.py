"""Changes that need a producer id which nobody had before (P8). The broker gives it later; the transactional id is busy meanwhile."""

from collections.abc import Callable

from holdwater.core.coordinator import NOTHING, Decision
from holdwater.core.transactions.ledger import Change, Ledger
from holdwater.core.transactions.ports import TransactionPorts
from holdwater.core.transactions.transaction import Transaction
from holdwater.kernel.errors import ErrorCode


class Numbering:
    """Takes producer ids from the broker."""

    def __init__(self, ledger: Ledger, ports: TransactionPorts) -> None:
        self._ledger = ledger
        self._ports = ports

    def give(self, on_id: Callable[[int | None], None]) -> Decision:
        """For a producer without a transactional id: there is nothing to write."""
        self._ports.take_producer_id(on_id)
        return NOTHING

    def append_with_new_id(self, change: Change, make: Callable[[int], Transaction | None]) -> Decision:
        """Append what ``make`` makes of a new producer id, as soon as there is one."""

        def resume(producer_id: int | None) -> Decision:
            if not self._ledger.is_under_way(change):
                return NOTHING
            if producer_id is None:
                return Decision(committed=lambda: self._give_up(change), waits=False)
            change.target = make(producer_id)
            return self._ledger.append([change])

        def on_id(producer_id: int | None) -> None:
            if self._ledger.is_under_way(change):
                self._ledger.deadlines.after(0, lambda: resume(producer_id))

        self._ports.take_producer_id(on_id)
        return NOTHING

    def _give_up(self, change: Change) -> None:
        if self._ledger.is_under_way(change):
            self._ledger.abandon(change, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
