"""What transactional producers sent and were told: the truth that P3 to P8 are judged by, and how each transaction may have ended."""

from collections.abc import Callable

from holdwater.sim.coordination.groups import NEVER_US, PATIENCE, Commit, GroupLedger
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.history import History

COMMITTED, ABORTED, UNKNOWN = "committed", "aborted", "unknown"
"""What is known of a transaction that is over: of an aborted one, that it was never asked to commit, or was told to be aborted."""


class Transaction:
    """One transaction as its producer knows it."""

    __slots__ = (
        "acknowledged",
        "began_us",
        "commit_asked_us",
        "commits",
        "group",
        "hands",
        "is_asked_to_commit",
        "name",
        "outcome",
        "owner",
        "producer_epoch",
        "producer_id",
        "values",
    )

    def __init__(self, name: str, owner: str, producer_id: int, producer_epoch: int) -> None:
        self.name = name
        self.owner = owner
        """Transactional id."""
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.values: dict[int, list[bytes]] = {}
        """What it writes, by partition."""
        self.acknowledged: dict[int, int] = {}
        """Base offset by partition, of what was acknowledged."""
        self.group: GroupLedger | None = None
        self.commits: dict[int, Commit] = {}
        """Offsets that are committed with it."""
        self.is_asked_to_commit = False
        self.began_us = 0
        self.commit_asked_us = NEVER_US
        self.outcome: str | None = None
        self.hands: dict[int, tuple[int, int]] = {}
        """Which jobs it does: from and up to, by partition."""


class TransactionLedger:
    """See the module."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.transactions: list[Transaction] = []
        self.by_value: dict[bytes, Transaction] = {}
        self._owner_of_id: dict[int, str] = {}
        self.clocks_are_right: Callable[[], bool] = lambda: True
        """Whether no broker's wall clock was wrong so far: a coordinator that begins anew takes the age of a transaction by it."""
        self._active_us: dict[str, int] = {}
        """When InitProducerId was last sent or answered, by transactional id."""
        self._unanswered: dict[str, int] = {}
        """How many of those were not answered, and may be carried out at any time."""
        self._epochs: dict[int, list[tuple[int, int]]] = {}
        """(when, producer epoch) of what InitProducerId gave out, by producer id."""

    # --- producer ids and epochs

    def asks_to_initialise(self, owner: str, now_us: int) -> None:
        """InitProducerId is about to be sent."""
        self._active_us[owner] = now_us
        self._unanswered[owner] = self._unanswered.get(owner, 0) + 1

    def initialisation_answered(self, owner: str, now_us: int) -> None:
        """InitProducerId was answered, be it with an error."""
        self._active_us[owner] = now_us
        self._unanswered[owner] -= 1

    def fenced(self, transaction: Transaction, timeout_ms: int, now_us: int) -> None:
        """A producer was told that it is fenced. P5: somebody asked for a later producer epoch, or the transaction took too long."""
        owner, age_us = transaction.owner, now_us - transaction.began_us
        if self.given_before(transaction.producer_id, now_us) > transaction.producer_epoch:
            return
        is_left_alone = not self._unanswered[owner] and self._active_us[owner] < transaction.began_us and self.clocks_are_right()
        if is_left_alone and age_us < PATIENCE * timeout_ms * 1000:
            raise SafetyViolation("P5", f"{transaction.name} is {age_us // 1000} ms old, and its producer was fenced by nobody")

    def initialised(self, owner: str, producer_id: int, producer_epoch: int, asked_us: int, now_us: int) -> None:
        """InitProducerId was answered. P8: the id belongs to one transactional id. P3: the epoch is higher than any that was told before."""
        self._owned(owner, producer_id)
        self._history.took_transactional_id(owner, producer_id)
        before = self.given_before(producer_id, asked_us)
        if producer_epoch <= before:
            raise SafetyViolation("P3", f"{owner}: producer id {producer_id} begins with producer epoch {producer_epoch} after {before}")
        self._epochs.setdefault(producer_id, []).append((now_us, producer_epoch))

    def bumped(self, transaction: Transaction, producer_id: int, producer_epoch: int) -> None:
        """EndTxn told what the producer goes on with (KIP-890). P3: the epoch is higher, or the id is another."""
        self._owned(transaction.owner, producer_id)
        if producer_id == transaction.producer_id and producer_epoch <= transaction.producer_epoch:
            raise SafetyViolation(
                "P3", f"{transaction.name} had producer epoch {transaction.producer_epoch}, and is told to go on with {producer_epoch}"
            )

    def _owned(self, owner: str, producer_id: int) -> None:
        other = self._owner_of_id.setdefault(producer_id, owner)
        if other != owner:
            raise SafetyViolation("P8", f"producer id {producer_id} went to {other} and to {owner}")

    def given_before(self, producer_id: int, moment_us: int) -> int:
        """The highest producer epoch that InitProducerId had told before a moment; -1 for none."""
        return max((epoch for told_us, epoch in self._epochs.get(producer_id, ()) if told_us < moment_us), default=-1)

    # --- transactions

    def begin(self, name: str, owner: str, producer_id: int, producer_epoch: int, now_us: int) -> Transaction:
        """A producer begins a transaction."""
        transaction = Transaction(name, owner, producer_id, producer_epoch)
        transaction.began_us = now_us
        self.transactions.append(transaction)
        return transaction

    def writes(self, transaction: Transaction, index: int, values: list[bytes]) -> None:
        """What it is about to write."""
        transaction.values.setdefault(index, []).extend(values)
        for value in values:
            self.by_value[value] = transaction

    def asks_to_commit(self, transaction: Transaction, now_us: int) -> None:
        """It is about to be asked to commit, for the first time or again."""
        if not transaction.is_asked_to_commit:
            transaction.is_asked_to_commit = True
            transaction.commit_asked_us = now_us
            for commit in transaction.commits.values():
                commit.sent_us = now_us

    def ended(self, transaction: Transaction, outcome: str, now_us: int) -> None:
        """It is over, for its producer.

        P5: one that was told to be committed was asked to, by who was not fenced before it asked.
        """
        if transaction.outcome is not None:
            return
        transaction.outcome = outcome
        self._history.count(f"transaction-{outcome}")
        if outcome == COMMITTED:
            self._history.admin_count += 1
            fence = self.given_before(transaction.producer_id, transaction.commit_asked_us)
            if fence > transaction.producer_epoch:
                raise SafetyViolation(
                    "P5",
                    f"{transaction.name} with producer epoch {transaction.producer_epoch} is committed, and {fence} was given out before",
                )
        for commit in transaction.commits.values():
            assert transaction.group is not None
            if outcome == COMMITTED:
                transaction.group.accepted(commit, now_us, is_transactional=True)
            elif outcome == ABORTED:
                transaction.group.refused(commit, "P7")
