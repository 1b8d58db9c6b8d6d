"""What is committed, by everybody's account."""

import pytest
from tests.support.logs import append, batch, new_log

from holdwater.sim.ledger import CommittedLog
from holdwater.sim.verdicts import SafetyViolation
from holdwater.storage.log import PartitionLog


def log(*sequences: tuple[int, str], epoch: int = 0) -> PartitionLog:
    """One-record batches of producer 7."""
    made = new_log()
    for sequence, value in sequences:
        append(made, batch(value, producer_id=7, producer_epoch=0, base_sequence=sequence), epoch=epoch)
    return made


def test_replicas_that_agree() -> None:
    ledger = CommittedLog("t-0")
    whole = log((0, "a"), (1, "b"), (2, "c"))
    ledger.take_in("n1", whole, 0, 2)
    ledger.take_in("n2", log((0, "a"), (1, "b")), 0, 1)
    ledger.take_in("n1", whole, 2, 3)
    ledger.take_in("n3", whole, 0, 3)
    assert ledger.end == 3


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(log((0, "a"), (1, "x")), id="another record"),
        pytest.param(log((0, "a"), (1, "b"), epoch=1), id="the same record in another leader epoch"),
    ],
)
def test_replicas_that_do_not(other: PartitionLog) -> None:
    ledger = CommittedLog("t-0")
    ledger.take_in("n1", log((0, "a"), (1, "b")), 0, 2)
    with pytest.raises(SafetyViolation, match="R2"):
        ledger.take_in("n2", other, 0, 2)


def test_a_high_watermark_above_the_log_can_not_be_read() -> None:
    with pytest.raises(SafetyViolation, match="R2"):
        CommittedLog("t-0").take_in("n1", log((0, "a")), 0, 2)


def test_what_a_log_start_hides_is_a_gap_that_others_may_fill() -> None:
    ledger = CommittedLog("t-0")
    late = log((0, "a"), (1, "b"), (2, "c"))
    late.advance_log_start(2)
    ledger.take_in("n1", late, 0, 3)
    assert ledger.end == 3
    ledger.take_in("n2", log((0, "a"), (1, "b"), (2, "c")), 0, 3)
    with pytest.raises(SafetyViolation, match="R2"):
        ledger.take_in("n3", log((0, "a"), (1, "x"), (2, "c")), 0, 3)


def test_batches_of_a_producer_follow_each_other() -> None:
    ledger = CommittedLog("t-0")
    twice = new_log()
    for sequence in (0, 1):
        append(twice, batch("a", producer_id=7, producer_epoch=0, base_sequence=sequence))
    append(twice, batch("a", producer_id=8, producer_epoch=0, base_sequence=0))
    ledger.take_in("n1", twice, 0, 3)
    assert ledger.sequences == {(7, 0): 1, (8, 0): 0}
    ledger.sequences[7, 0] = 0
    append(twice, batch("c", producer_id=7, producer_epoch=0, base_sequence=2))
    with pytest.raises(SafetyViolation, match="P1"):
        ledger.take_in("n1", twice, 3, 4)
