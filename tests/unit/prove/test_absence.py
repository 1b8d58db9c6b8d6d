"""Brokers that come and go by our doing, and without it."""

from holdwater.prove.absence import Absences

SECOND_NS = 1_000_000_000


def test_a_broker_may_answer_until_the_fault_was_seen_to_act() -> None:
    """On a busy machine a kill may take seconds."""
    absences = Absences()
    absences.fault_begins(1, "kill")
    assert absences.answered(1, 9 * SECOND_NS) is None
    absences.is_gone(1, 10 * SECOND_NS)
    assert absences.answered(1, 9 * SECOND_NS) is None, "an old sample"
    assert absences.silent(1, 60 * SECOND_NS, refused=True) is None


def test_a_broker_that_comes_back_without_us() -> None:
    absences = Absences()
    absences.fault_begins(1, "kill")
    absences.is_gone(1, 10 * SECOND_NS)
    found = absences.answered(1, 12 * SECOND_NS)
    assert found is not None
    assert found.what == "broker 1 came back though nobody here started it"
    assert absences.down == {1: "kill"}


def test_a_second_fault_on_the_same_broker_begins_anew() -> None:
    absences = Absences()
    absences.fault_begins(1, "kill")
    absences.is_gone(1, 10 * SECOND_NS)
    absences.is_undone(1, 20 * SECOND_NS)
    assert absences.answered(1, 25 * SECOND_NS) is None
    absences.fault_begins(1, "pause")
    assert absences.answered(1, 30 * SECOND_NS) is None


def test_a_started_broker_is_back_with_its_first_answer_since() -> None:
    absences = Absences()
    absences.fault_begins(1, "kill")
    absences.is_undone(1, 20 * SECOND_NS)
    assert absences.answered(1, 19 * SECOND_NS) is None
    assert absences.down == {1: "starting"}
    assert absences.silent(1, 90 * SECOND_NS, refused=True) is None
    assert absences.answered(1, 91 * SECOND_NS) is None
    assert absences.down == {}


def test_a_broker_that_goes_without_us() -> None:
    for refused, limit_s in ((True, 1), (False, 10)):
        absences = Absences()
        assert absences.silent(2, 0, refused=refused) is None
        assert absences.silent(2, limit_s * SECOND_NS, refused=refused) is None
        found = absences.silent(2, limit_s * SECOND_NS + 1, refused=refused)
        assert found is not None
        assert found.what == f"broker 2 did not answer for {limit_s} s though nobody here stopped it"
        absences.answered(2, 20 * SECOND_NS)
        assert absences.silent(2, 21 * SECOND_NS, refused=refused) is None, "counted anew"
