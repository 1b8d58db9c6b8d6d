"""The transactions of one shard, and the one change that each may have under way.

The committed state of a transactional id is the only one that anybody is told of or decides by. A *change* is claimed by a handler, gets
its target, is appended, and becomes the committed state when the high watermark has passed its record. Until then the id is *busy*, and
most requests for it are told to come back.

- A change that the log refused leaves nothing behind.
- A change that was appended, but not replicated in time, is in doubt: its client is told so, and the id stays busy until the log has
  decided, because what is in the log may still be committed.
- What is loaded may not be committed yet either (``confirmed`` is False): answers wait for the high watermark.
- ``done`` of a change is called once, whatever happens.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from holdwater.core.coordinator import NOTHING, Decision, ShardHost
from holdwater.core.transactions.deadlines import Deadlines
from holdwater.core.transactions.records import as_stored, record_of, transaction_of, value_version
from holdwater.core.transactions.transaction import NO_TIMEOUT_MS, Status, Transaction, check_step
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import TopicPartition
from holdwater.kernel.invariant import invariant
from holdwater.wire.messages import TransactionLogValue

IN_DOUBT_RETRY_MS = 500
"""How long after an unsuccessful wait for the high watermark the next one begins."""
NEVER_MS = 2**63 - 1

_CLIENT_ERRORS = {
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.REQUEST_TIMED_OUT: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_LEADER_OR_FOLLOWER: ErrorCode.NOT_COORDINATOR,
    ErrorCode.KAFKA_STORAGE_ERROR: ErrorCode.NOT_COORDINATOR,
    ErrorCode.MESSAGE_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
    ErrorCode.RECORD_LIST_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
}
"""What a client hears of a failed append; other errors are passed on."""


def client_error(error_code: int) -> ErrorCode:
    """What a client hears when the log could not take, or could not commit, what it asked for."""
    error = ErrorCode(error_code)
    return _CLIENT_ERRORS.get(error, error)


class Entry:
    """One transactional id."""

    __slots__ = ("current", "due_ms", "missing", "pending", "transactional_id")

    def __init__(self, transactional_id: str) -> None:
        self.transactional_id = transactional_id
        self.current: Transaction | None = None
        """Committed, or loaded. ``None`` only while its first change is under way."""
        self.pending: Change | None = None
        self.missing: dict[TopicPartition, None] | None = None
        """Partitions whose marker is not known to be written, while markers are on their way."""
        self.due_ms = NEVER_MS
        """Monotonic time after which an open transaction has taken too long."""


class Change:
    """One change of one transactional id, from the claim to the end."""

    __slots__ = ("_done", "appended", "entry", "expires", "target", "value_version")

    def __init__(self, entry: Entry, done: Callable[[ErrorCode], None]) -> None:
        self.entry = entry
        self.target: Transaction | None = None
        """What the transaction becomes. ``None``: not known yet, or nothing, when it expires."""
        self.expires = False
        self.appended = False
        """Whether its record is in the log."""
        self.value_version = 0
        """Of its record, once that is on its way to the log: the level of the feature may change before it is there."""
        self._done: Callable[[ErrorCode], None] | None = done

    def finish(self, error: ErrorCode) -> None:
        """Tell whoever waits, unless they know."""
        done, self._done = self._done, None
        if done is not None:
            done(error)


class Told(NamedTuple):
    """An answer that the committed state gives."""

    error: ErrorCode
    done: Callable[[ErrorCode], None]


class Ledger:
    """See the module. ``prepared`` is called whenever a transaction has come to its outcome, and its markers are to be written."""

    def __init__(self, host: ShardHost, transaction_version: Callable[[], int], prepared: Callable[[Entry], None]) -> None:
        self.entries: dict[str, Entry] = {}
        self.confirmed = False
        self.deadlines = Deadlines(host)
        self._host = host
        self._transaction_version = transaction_version
        self._prepared = prepared
        self._live = False

    # Changes

    def claim(self, entry: Entry, done: Callable[[ErrorCode], None]) -> Change:
        """Begin a change; the id is busy from now on."""
        invariant(entry.pending is None, f"{entry.transactional_id} has two changes under way")
        change = Change(entry, done)
        entry.pending = change
        return change

    def claim_new(self, transactional_id: str, done: Callable[[ErrorCode], None]) -> Change:
        """Begin the first change of an id that is not known."""
        entry = self.entries[transactional_id] = Entry(transactional_id)
        return self.claim(entry, done)

    def is_under_way(self, change: Change) -> bool:
        """Whether it has not ended in the meantime, nor this broker's time as the coordinator."""
        return change.entry.pending is change and self.entries.get(change.entry.transactional_id) is change.entry

    def append(self, changes: Sequence[Change], told: Sequence[Told] = ()) -> Decision:
        """Append changes that have their target, all or none, and give answers that need no change."""
        if not changes and not told:
            return NOTHING
        version, waits = value_version(self._transaction_version()), not self.confirmed
        for change in changes:
            change.value_version = version
        records = tuple(record_of(change.entry.transactional_id, change.target, version) for change in changes)

        def committed() -> None:
            for change in changes:
                self._settle(change)
            for error, done in told:
                done(error)

        def failed(error_code: int) -> None:
            error = client_error(error_code)
            for change in changes:
                self._fail(change, error)
            for known, done in told:
                done(error if waits else known)

        return Decision(records, committed, failed, waits=waits or bool(changes))

    def tell(self, error: ErrorCode, done: Callable[[ErrorCode], None]) -> Decision:
        """Answer with what the committed state says, without a change."""
        return self.append((), (Told(error, done),))

    def abandon(self, change: Change, error: ErrorCode) -> None:
        """End a change that is not in the log."""
        self._release(change.entry)
        change.finish(error)

    def _settle(self, change: Change) -> None:
        if not self.is_under_way(change):
            change.finish(ErrorCode.NOT_COORDINATOR)
            return
        invariant(change.appended, f"{change.entry.transactional_id} has a committed change that was not replayed")
        entry, target = change.entry, change.target
        if target is not None:
            check_step(entry.current, target)
            entry.current = target
            entry.due_ms = self._due_ms(target)
            entry.pending = entry.missing = None
        else:
            invariant(change.expires, f"{entry.transactional_id} has a committed change without a target")
            del self.entries[entry.transactional_id]
        change.finish(ErrorCode.NONE)
        if target is not None and target.status in (Status.PREPARE_COMMIT, Status.PREPARE_ABORT):
            self._prepared(entry)

    def _fail(self, change: Change, error: ErrorCode) -> None:
        if not self.is_under_way(change):
            change.finish(error)
        elif not change.appended:
            self.abandon(change, error)
        else:
            change.finish(error)
            if error is not ErrorCode.NOT_COORDINATOR:
                self._host.note(
                    f"The change of transactional id {change.entry.transactional_id} is in the log, but not committed: {error.name}"
                )
                self._await_commit(change)

    def _await_commit(self, change: Change) -> None:
        def retry(error_code: int) -> None:
            self._await_commit(change)

        def look() -> Decision:
            if not self.is_under_way(change):
                return NOTHING
            return Decision(committed=lambda: self._settle(change), failed=retry, waits=True)

        if self.is_under_way(change):
            self.deadlines.after(IN_DOUBT_RETRY_MS, look)

    def _release(self, entry: Entry) -> None:
        entry.pending = None
        if entry.current is None:
            del self.entries[entry.transactional_id]

    def _due_ms(self, transaction: Transaction) -> int:
        if transaction.status is not Status.ONGOING or transaction.timeout_ms == NO_TIMEOUT_MS:
            return NEVER_MS
        age_ms = min(max(self._host.wall_ms - transaction.start_ms, 0), transaction.timeout_ms)  # a clock that jumped delays nothing
        return self._host.mono_ms + transaction.timeout_ms - age_ms

    # Loading and unloading

    def replay(self, transactional_id: str, value: TransactionLogValue | None) -> None:
        """Take in a record: loaded ones count at once, live ones when they are committed. Raises ``ProtocolError`` for one that makes no sense."""
        if self._live:
            self._replay_live(transactional_id, value)
        elif value is None:
            self.entries.pop(transactional_id, None)
        else:
            read = transaction_of(value)
            self.entries.setdefault(transactional_id, Entry(transactional_id)).current = read

    def _replay_live(self, transactional_id: str, value: TransactionLogValue | None) -> None:
        entry = self.entries.get(transactional_id)
        change = None if entry is None else entry.pending
        invariant(change is not None and not change.appended, f"{transactional_id} has a record that nobody decided on")
        assert change is not None
        wanted = None if change.target is None else as_stored(change.target, change.value_version)
        read = None if value is None else transaction_of(value)
        invariant(read == wanted, f"{transactional_id} was decided to be {wanted} and is written as {read}")
        change.appended = True

    def loaded(self) -> None:
        """Everything is replayed: from here on, changes are made by handlers."""
        self._live = True
        for entry in self.entries.values():
            assert entry.current is not None
            entry.due_ms = self._due_ms(entry.current)

    def confirm(self, then: Callable[[], None]) -> None:
        """Call ``then`` when what was loaded is committed."""

        def confirmed() -> None:
            if self._live and not self.confirmed:
                self.confirmed = True
                then()

        def retry(error_code: int) -> None:
            if self._live:
                self.deadlines.after(IN_DOUBT_RETRY_MS, look)

        def look() -> Decision:
            return Decision(committed=confirmed, failed=retry, waits=True)

        self.deadlines.after(0, look)

    def unload(self, error: ErrorCode) -> None:
        """Tell whoever waits, and forget everything."""
        entries, self.entries = self.entries, {}
        self._live = self.confirmed = False
        self.deadlines.cancel_all()
        for entry in entries.values():
            if entry.pending is not None:
                entry.pending.finish(error)
