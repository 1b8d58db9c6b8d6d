"""The judgement over groups and transactions when everything is over: what clients were told, compared with the final logs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from holdwater.kernel.ports import BatchHeader
from holdwater.sim.coordination.copier import job_of
from holdwater.sim.coordination.plan import EFFECTS, JOBS
from holdwater.sim.coordination.transactions import ABORTED, COMMITTED, Transaction, TransactionLedger
from holdwater.sim.ledger import CommittedLog
from holdwater.sim.verdicts import SafetyViolation
from holdwater.wire.records import CONTROL_FLAG, TRANSACTIONAL_FLAG, read_records, read_transaction_marker

Seen = list[tuple[int, bytes]]
"""Offsets and values, in the order of the log."""


class Effects(NamedTuple):
    """A partition of ``effects`` as its log has it."""

    everything: Seen
    committed: Seen


class _Open:
    """What a producer has written since its last marker."""

    __slots__ = ("records", "transaction")

    def __init__(self) -> None:
        self.records: Seen = []
        self.transaction: Transaction | None = None


def read_effects(ledger: TransactionLedger, index: int, log: CommittedLog) -> Effects:
    """What a log says of transactions.

    P3: in a log the producer epochs of one producer id, of records and of markers, do not fall. P5: a marker ends the records of one
    transaction; nothing is written outside of one. P6: none is open at the end.
    """
    everything: Seen = []
    committed: Seen = []
    open_by_id: dict[int, _Open] = {}
    for _, header, data in _of_producers(log):
        if header.attributes & CONTROL_FLAG:
            marker = read_transaction_marker(data, 0, header)
            ended = open_by_id.pop(header.producer_id, None)
            if marker is not None and marker.committed and ended is not None:
                committed += ended.records
            continue
        at = f"{EFFECTS}-{index}@{header.base_offset}"
        if not header.attributes & TRANSACTIONAL_FLAG:
            raise SafetyViolation("P5", f"{at} is in no transaction")
        of = open_by_id.setdefault(header.producer_id, _Open())
        for record in read_records(data, 0, header):
            value = record.value or b""
            transaction = ledger.by_value.get(value)
            if transaction is None or value not in transaction.values.get(index, ()):
                raise SafetyViolation("H", f"{at} has {value!r}, which was never sent there")
            if of.transaction not in {None, transaction}:
                assert of.transaction is not None
                raise SafetyViolation("P5", f"{at}: {transaction.name} and {of.transaction.name} are ended by one marker")
            of.transaction = transaction
            of.records.append((record.offset, value))
            everything.append((record.offset, value))
    still = [of.transaction.name for of in open_by_id.values() if of.transaction is not None]
    if still:
        raise SafetyViolation("P6", f"{EFFECTS}-{index} has open transactions in the end: {', '.join(still)}")
    return Effects(everything, sorted(committed))


def check_epochs(name: str, log: CommittedLog) -> None:
    """P3: in a log the producer epochs of one producer id, of records and of markers, do not fall."""
    highest: dict[int, int] = {}
    for offset, header, _ in _of_producers(log):
        before = highest.get(header.producer_id, -1)
        if header.producer_epoch < before:
            raise SafetyViolation(
                "P3", f"{name}@{offset} has producer epoch {header.producer_epoch} of producer {header.producer_id}, there was {before}"
            )
        highest[header.producer_id] = header.producer_epoch


def _of_producers(log: CommittedLog) -> Iterable[tuple[int, BatchHeader, bytes]]:
    for offset, entry in sorted(log.entries.items()):
        if entry.header.producer_id >= 0:
            yield offset, entry.header, entry.data


def judge_transactions(ledger: TransactionLedger, effects: Mapping[int, Effects]) -> None:
    """P4: each transaction has one outcome, the same everywhere. P5: it is the one that its producer asked for. P7: so has its offsets."""
    places: dict[bytes, list[tuple[int, int]]] = {}
    written: dict[bytes, list[tuple[int, int]]] = {}
    for index, of in effects.items():
        for offset, value in of.committed:
            places.setdefault(value, []).append((index, offset))
        for offset, value in of.everything:
            written.setdefault(value, []).append((index, offset))
    for value, there in written.items():
        if len(there) > 1:
            raise SafetyViolation("P1", f"{value!r} is there {len(there)} times: {there}")
    for transaction in ledger.transactions:
        values = [value for each in transaction.values.values() for value in each]
        count = sum(value in places for value in values)
        what = f"{transaction.name} ({transaction.outcome})"
        if count and not transaction.is_asked_to_commit:
            raise SafetyViolation("P5", f"{what} was never asked to commit, and {count} of {len(values)} records are committed")
        if count and transaction.outcome == ABORTED:
            raise SafetyViolation("P5", f"{what} is aborted, and {count} of {len(values)} records are committed")
        if count and count < len(values):
            raise SafetyViolation("P4", f"{what} is torn: {count} of {len(values)} records are committed")
        if transaction.outcome == COMMITTED and count < len(values):
            raise SafetyViolation("P4", f"{what} was told to be committed, and {count} of {len(values)} records are")
        for commit in transaction.commits.values():
            if commit.is_seen and not count:
                raise SafetyViolation("P7", f"{what} has no committed record, and its offset {JOBS}-{commit.index}@{commit.offset} counts")
        if transaction.outcome is None:
            raise SafetyViolation("P6", f"{transaction.name} has no outcome for its producer")


def judge_effects_of_jobs(group: str, values: Sequence[bytes], offsets: Mapping[int, int]) -> None:
    """Exactly once: each job below the committed offset has one committed effect of the group, no other job has one (C7)."""
    counts: dict[tuple[int, int], int] = {}
    for value in values:
        if value.decode().partition("/")[2].startswith(f"{group}-m"):
            job = job_of(value)
            counts[job] = counts.get(job, 0) + 1
    for index, end in offsets.items():
        for offset in range(max(end, 0)):
            count = counts.pop((index, offset), 0)
            if count != 1:
                raise SafetyViolation("C7", f"{group}: job {JOBS}-{index}@{offset} below the committed offset {end} has {count} effects")
    if counts:
        (index, offset), count = next(iter(sorted(counts.items())))
        raise SafetyViolation("C7", f"{group}: job {JOBS}-{index}@{offset} has {count} effects, committed is up to {offsets.get(index)}")


def judge_reader(name: str, is_committed_only: bool, seen: Mapping[int, Seen], effects: Mapping[int, Effects]) -> None:
    """P4: a reader was handed the committed records, all of them and nothing else, or, at read_uncommitted, everything."""
    for index, of in effects.items():
        expected = of.committed if is_committed_only else of.everything
        found = seen.get(index, [])
        if found != expected:
            missing = [each for each in expected if each not in found]
            extra = [each for each in found if each not in expected]
            raise SafetyViolation("P4", f"{name}: of {EFFECTS}-{index} it lacks {missing[:5]}, and has {extra[:5]} that it should not")
