"""What transactional producers were told, by hand, and logs that fit or do not."""

from collections.abc import Callable

import pytest

from holdwater.sim.coordination.groups import GroupLedger
from holdwater.sim.coordination.judgement import (
    Effects,
    check_epochs,
    judge_effects_of_jobs,
    judge_reader,
    judge_transactions,
    read_effects,
)
from holdwater.sim.coordination.transactions import ABORTED, COMMITTED, UNKNOWN, Transaction, TransactionLedger
from holdwater.sim.ledger import CommittedLog
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.history import History
from holdwater.wire.records import Record, batches, build_batch, end_transaction_batch


def found(story: Callable[[], object]) -> str:
    """The code of what is wrong with a story, empty when nothing is."""
    try:
        story()
    except SafetyViolation as problem:
        return problem.code
    return ""


class TestProducerIds:
    def test_an_id_belongs_to_one_transactional_id(self) -> None:
        made = TransactionLedger(History())
        made.initialised("a", 7, 0, 0, 10)
        assert found(lambda: made.initialised("a", 7, 1, 20, 30)) == ""
        assert found(lambda: made.initialised("b", 7, 2, 40, 50)) == "P8"

    def test_an_id_is_not_an_idempotent_producers_as_well(self) -> None:
        history = History()
        history.took_producer_id("p1", 7, 0)
        assert found(lambda: TransactionLedger(history).initialised("a", 7, 0, 0, 10)) == "P8"

    def test_a_producer_epoch_is_higher_than_any_that_was_told_before_it_was_asked_for(self) -> None:
        made = TransactionLedger(History())
        made.initialised("a", 7, 3, 0, 10)
        assert found(lambda: made.initialised("a", 7, 2, 5, 20)) == ""
        assert found(lambda: made.initialised("a", 7, 3, 30, 40)) == "P3"

    def test_the_end_of_a_transaction_raises_the_epoch_or_changes_the_id(self) -> None:
        made = TransactionLedger(History())
        one = made.begin("a#1", "a", 7, 3, 0)
        assert found(lambda: made.bumped(one, 7, 4)) == ""
        assert found(lambda: made.bumped(one, 8, 0)) == ""
        assert found(lambda: made.bumped(one, 7, 3)) == "P3"


class TestFencing:
    def make(self) -> tuple[TransactionLedger, Transaction]:
        made = TransactionLedger(History())
        made.asks_to_initialise("a", 0)
        made.initialisation_answered("a", 10)
        made.initialised("a", 7, 0, 0, 10)
        return made, made.begin("a#1", "a", 7, 0, 100)

    def test_by_nobody(self) -> None:
        made, one = self.make()
        assert found(lambda: made.fenced(one, 5_000, 3_000_000)) == "P5"

    def test_by_the_timeout(self) -> None:
        made, one = self.make()
        assert found(lambda: made.fenced(one, 5_000, 5_100_000)) == ""

    def test_by_a_clock(self) -> None:
        made, one = self.make()
        made.clocks_are_right = lambda: False
        assert found(lambda: made.fenced(one, 5_000, 3_000_000)) == ""

    @pytest.mark.parametrize("is_answered", [False, True])
    def test_by_another_producer(self, is_answered: bool) -> None:
        made, one = self.make()
        made.asks_to_initialise("a", 200)
        if is_answered:
            made.initialisation_answered("a", 300)
        assert found(lambda: made.fenced(one, 5_000, 3_000_000)) == ""

    def test_a_fenced_producer_does_not_commit(self) -> None:
        made, one = self.make()
        made.initialised("a", 7, 1, 150, 200)
        made.asks_to_commit(one, 300)
        assert found(lambda: made.ended(one, COMMITTED, 400)) == "P5"

    def test_unless_it_asked_before(self) -> None:
        made, one = self.make()
        made.asks_to_commit(one, 190)
        made.initialised("a", 7, 1, 150, 200)
        assert found(lambda: made.ended(one, COMMITTED, 400)) == ""


# --- logs


Item = tuple[str, int, int, bytes]


def log(*items: Item) -> CommittedLog:
    """``("data", producer id, producer epoch, value)``, ``("commit" or "abort", producer id, producer epoch, b"")``, "plain" for no transaction."""
    made = CommittedLog("effects-0")
    for offset, (kind, producer_id, producer_epoch, value) in enumerate(items):
        if kind in {"data", "plain"}:
            data = build_batch(
                [Record(0, 0, b"k", value, [])],
                base_offset=offset,
                producer_id=producer_id,
                producer_epoch=producer_epoch,
                transactional=kind == "data",
            )
        else:
            marker = end_transaction_batch(
                committed=kind == "commit", producer_id=producer_id, producer_epoch=producer_epoch, coordinator_epoch=0, timestamp_ms=0
            )
            data = offset.to_bytes(8, "big") + marker[8:]
        for _, header, _ in batches(data):
            made.take("n1", header, data)
    return made


def two(ledger: TransactionLedger) -> tuple[Transaction, Transaction]:
    """Transactions of producers 1 and 2, each of two records in partition 0."""
    pair = ledger.begin("a#1", "a", 1, 0, 0), ledger.begin("b#1", "b", 2, 0, 0)
    ledger.writes(pair[0], 0, [b"a1", b"a2"])
    ledger.writes(pair[1], 0, [b"b1", b"b2"])
    return pair


A1, A2, B1, B2 = ("data", 1, 0, b"a1"), ("data", 1, 0, b"a2"), ("data", 2, 0, b"b1"), ("data", 2, 0, b"b2")


def test_records_count_by_their_markers() -> None:
    ledger = TransactionLedger(History())
    two(ledger)
    effects = read_effects(ledger, 0, log(A1, B1, A2, ("commit", 1, 0, b""), B2, ("abort", 2, 0, b"")))
    assert effects == Effects([(0, b"a1"), (1, b"b1"), (2, b"a2"), (4, b"b2")], [(0, b"a1"), (2, b"a2")])


@pytest.mark.parametrize(
    ("items", "code"),
    [
        pytest.param([A1, A2], "P6", id="open in the end"),
        pytest.param([("data", 1, 0, b"x")], "H", id="never sent"),
        pytest.param([("plain", 1, 0, b"a1")], "P5", id="in no transaction"),
        pytest.param([A1, ("data", 1, 0, b"b1"), ("commit", 1, 0, b"")], "P5", id="one marker for two"),
    ],
)
def test_logs_that_are_wrong(items: list[Item], code: str) -> None:
    ledger = TransactionLedger(History())
    two(ledger)
    assert found(lambda: read_effects(ledger, 0, log(*items))) == code


def test_producer_epochs_do_not_fall_in_a_log() -> None:
    assert found(lambda: check_epochs("effects-0", log(A1, ("commit", 1, 1, b""), B1, ("data", 1, 1, b"")))) == ""
    assert found(lambda: check_epochs("effects-0", log(A1, ("commit", 1, 1, b""), ("data", 1, 0, b"")))) == "P3"


BOTH = [(0, b"a1"), (1, b"a2")]


@pytest.mark.parametrize(
    ("asked", "outcome", "committed", "code"),
    [
        pytest.param(True, COMMITTED, BOTH, "", id="committed"),
        pytest.param(False, ABORTED, [], "", id="aborted"),
        pytest.param(True, UNKNOWN, BOTH, "", id="unknown and committed"),
        pytest.param(True, UNKNOWN, [], "", id="unknown and aborted"),
        pytest.param(True, UNKNOWN, BOTH[:1], "P4", id="torn"),
        pytest.param(True, COMMITTED, BOTH[:1], "P4", id="told to be committed, and torn"),
        pytest.param(True, COMMITTED, [], "P4", id="told to be committed, and lost"),
        pytest.param(False, ABORTED, BOTH, "P5", id="never asked to commit"),
        pytest.param(True, ABORTED, BOTH, "P5", id="told to be aborted"),
        pytest.param(True, None, BOTH, "P6", id="no outcome"),
        pytest.param(True, COMMITTED, [*BOTH, (2, b"a1")], "P1", id="twice"),
    ],
)
def test_a_transaction_has_one_outcome(asked: bool, outcome: str | None, committed: list[tuple[int, bytes]], code: str) -> None:
    ledger = TransactionLedger(History())
    one = ledger.begin("a#1", "a", 1, 0, 0)
    ledger.writes(one, 0, [b"a1", b"a2"])
    if asked:
        ledger.asks_to_commit(one, 10)
    if outcome is not None:
        ledger.ended(one, outcome, 20)
    assert found(lambda: judge_transactions(ledger, {0: Effects(committed, committed)})) == code


@pytest.mark.parametrize(("is_committed", "code"), [(True, ""), (False, "P7")])
def test_offsets_that_were_seen_are_of_a_committed_transaction(is_committed: bool, code: str) -> None:
    ledger, group = TransactionLedger(History()), GroupLedger("g", History(), has_leases=False)
    one = ledger.begin("a#1", "a", 1, 0, 0)
    one.group = group
    ledger.writes(one, 0, [b"a1"])
    one.commits[0] = commit = group.commit(0, 5, "m", 1, 0)
    group.handed(0, 0, 5)
    ledger.asks_to_commit(one, 10)
    group.fetched(0, 5, commit.name, 15, 18)
    ledger.ended(one, UNKNOWN, 20)
    there = [(0, b"a1")] if is_committed else []
    assert found(lambda: judge_transactions(ledger, {0: Effects(there, there)})) == code


@pytest.mark.parametrize(
    ("jobs", "end", "code"),
    [
        pytest.param([0, 1, 2], 3, "", id="each once"),
        pytest.param([0, 2], 3, "C7", id="one without an effect"),
        pytest.param([0, 1, 1, 2], 3, "C7", id="one with two"),
        pytest.param([0, 1, 2, 3], 3, "C7", id="one behind the committed offset"),
        pytest.param([], -1, "", id="nothing is committed"),
    ],
)
def test_each_job_has_one_effect(jobs: list[int], end: int, code: str) -> None:
    values = [f"0@{offset}/g-m1-p#{number}".encode() for number, offset in enumerate(jobs)]
    others = [b"0@9/h-m1-p#1", b"writer-1#1/0/0"]
    assert found(lambda: judge_effects_of_jobs("g", [*values, *others], {0: end})) == code


@pytest.mark.parametrize(
    ("is_committed_only", "seen", "code"),
    [
        pytest.param(True, [(0, b"a1")], "", id="what is committed"),
        pytest.param(True, [(0, b"a1"), (1, b"b1")], "P4", id="what is aborted as well"),
        pytest.param(True, [], "P4", id="not everything"),
        pytest.param(False, [(0, b"a1"), (1, b"b1")], "", id="everything"),
        pytest.param(False, [(0, b"a1")], "P4", id="not everything at read_uncommitted"),
    ],
)
def test_a_reader_sees_what_it_shall_see(is_committed_only: bool, seen: list[tuple[int, bytes]], code: str) -> None:
    effects = {0: Effects([(0, b"a1"), (1, b"b1")], [(0, b"a1")])}
    assert found(lambda: judge_reader("r", is_committed_only, {0: seen}, effects)) == code
