"""What time does to transactions: the open ones that take too long are aborted, the ids that nobody uses are forgotten.

Both are looked for at intervals, as Kafka does. An open transaction is aborted within its timeout and one interval, unless its id is busy.
"""

from collections.abc import Callable

from holdwater.core.coordinator import Decision, ShardHost
from holdwater.core.transactions.adding import CHANGES_PER_BATCH
from holdwater.core.transactions.ending import Ending
from holdwater.core.transactions.ledger import Change, Entry, Ledger
from holdwater.core.transactions.transaction import AT_REST
from holdwater.kernel.errors import ErrorCode

_EXPECTED = (ErrorCode.INVALID_PRODUCER_ID_MAPPING, ErrorCode.PRODUCER_FENCED, ErrorCode.CONCURRENT_TRANSACTIONS, ErrorCode.NOT_COORDINATOR)


class Sweeping:
    """The two sweeps of a shard."""

    def __init__(self, host: ShardHost, ledger: Ledger, ending: Ending) -> None:
        self._host = host
        self._ledger = ledger
        self._ending = ending

    def start(self) -> None:
        """Sweep from now on, until the shard is unloaded."""
        config = self._host.config
        timeouts_ms = config.int("transaction.abort.timed.out.transaction.cleanup.interval.ms")
        expiry_ms = config.int("transaction.remove.expired.transaction.cleanup.interval.ms")
        self._every(timeouts_ms, self._is_overdue, self._abort)
        self._every(expiry_ms, self._is_expired, self._expire)

    def _every(self, interval_ms: int, is_due: Callable[[Entry], bool], begin: Callable[[Entry], Change | None]) -> None:
        def sweep() -> Decision:
            self._ledger.deadlines.after(interval_ms, sweep)
            return self._some([entry for entry in self._ledger.entries.values() if is_due(entry)], is_due, begin)

        self._ledger.deadlines.after(interval_ms, sweep)

    def _some(self, entries: list[Entry], is_due: Callable[[Entry], bool], begin: Callable[[Entry], Change | None]) -> Decision:
        later = entries[CHANGES_PER_BATCH:]
        if later:
            self._ledger.deadlines.after(0, lambda: self._some(later, is_due, begin))
        due = (entry for entry in entries[:CHANGES_PER_BATCH] if is_due(entry))
        return self._ledger.append([change for change in map(begin, due) if change is not None])

    def _is_overdue(self, entry: Entry) -> bool:
        return entry.pending is None and self._host.mono_ms > entry.due_ms

    def _abort(self, entry: Entry) -> Change | None:
        def done(error: ErrorCode) -> None:
            if error is ErrorCode.NONE:
                self._host.note(f"The open transaction of {entry.transactional_id} took too long and is aborted")
            elif error not in _EXPECTED:
                self._host.note(f"The open transaction of {entry.transactional_id} took too long and could not be aborted: {error.name}")

        return self._ending.fence(entry, done)

    def _is_expired(self, entry: Entry) -> bool:
        expiration_ms = self._host.config.int("transactional.id.expiration.ms")
        now = entry.current
        idle = entry.pending is None and now is not None and now.status in AT_REST
        return idle and now is not None and now.update_ms <= self._host.wall_ms - expiration_ms

    def _expire(self, entry: Entry) -> Change:
        def done(error: ErrorCode) -> None:
            if error not in (ErrorCode.NONE, ErrorCode.NOT_COORDINATOR):
                self._host.note(f"The transactional id {entry.transactional_id} has expired and could not be forgotten: {error.name}")

        change = self._ledger.claim(entry, done)
        change.expires = True
        return change
