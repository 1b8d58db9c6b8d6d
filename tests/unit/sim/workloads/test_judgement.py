"""The judgement over a history: hand-written ones, most of them wrong in one way."""

import pytest

from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.history import EXACTLY_ONCE, History, Key, Promise, Sent
from holdwater.sim.workloads.judgement import FinalLog, FinalRecord, judge
from holdwater.sim.workloads.plan import ALL, LEADER, NONE

TOPIC_ID, OLD_ID = b"t" * 16, b"o" * 16
AT: Key = (TOPIC_ID, 0)
LAST_EPOCH = 3

ONE_IN_FLIGHT = Promise(ALL, idempotent=False, ordered=True)
FIVE_IN_FLIGHT = Promise(ALL, idempotent=False, ordered=False)
ONE_ACK = Promise(LEADER, idempotent=False, ordered=True)
NO_ACK = Promise(NONE, idempotent=False, ordered=True)


def history(*outcomes: int | str | None, promise: Promise = EXACTLY_ONCE, leader_epoch: int = LAST_EPOCH, attempts: int = 2) -> History:
    """Records p-0, p-1 ...: the offset at which each was acknowledged, ``None`` for unknown, "refused"."""
    made = History()
    made.learn(OLD_ID, "orders")
    made.learn(TOPIC_ID, "orders")
    for number, outcome in enumerate(outcomes):
        sent = Sent("p", number, "orders", 0, 1_000 * number, promise, TOPIC_ID)
        sent.attempts = attempts
        sent.leader_epoch = leader_epoch
        made.send(sent)
        if isinstance(outcome, int):
            made.acknowledge(sent, outcome, 100)
        elif outcome is None:
            made.give_up(sent, 100)
        else:
            made.refuse(sent, 100)
    return made


def log(made: History, *numbers: int, start: int = 0, key: Key = AT) -> dict[Key, FinalLog]:
    """A final log that has those records, from its start on."""
    records = [made.sent[f"p-{number}".encode()].record()._replace(offset=offset) for offset, number in enumerate(numbers, start)]
    return {AT: FinalLog([], 0, LAST_EPOCH), key: FinalLog([FinalRecord(record) for record in records], start, LAST_EPOCH)}


@pytest.mark.parametrize(
    ("outcomes", "numbers", "promise"),
    [
        pytest.param((0, 1, 2), (0, 1, 2), EXACTLY_ONCE, id="everything is there"),
        pytest.param((0, None, 1), (0, 2), EXACTLY_ONCE, id="an unknown one is not"),
        pytest.param((0, None, 2), (0, 1, 2), EXACTLY_ONCE, id="an unknown one is"),
        pytest.param((0, None, 1), (0, 2, 1), EXACTLY_ONCE, id="an unknown one came late"),
        pytest.param((-1, 1), (0, 1), EXACTLY_ONCE, id="an acknowledgement did not say where"),
        pytest.param((0, "refused", 1), (0, 2), EXACTLY_ONCE, id="a refused one is not there"),
        pytest.param((2, 3), (0, 1, 0, 1), ONE_IN_FLIGHT, id="a plain batch was sent twice"),
        pytest.param((0, 2), (0, 0, 1), ONE_IN_FLIGHT, id="a plain record was sent twice"),
        pytest.param((1, 0), (1, 0), FIVE_IN_FLIGHT, id="with five in flight the order is open"),
        pytest.param((None, None), (1,), NO_ACK, id="acks=0"),
        pytest.param((0, 1), (0, 1), ONE_ACK, id="acks=1"),
    ],
)
def test_histories_that_hold(outcomes: tuple[int | str | None, ...], numbers: tuple[int, ...], promise: Promise) -> None:
    made = history(*outcomes, promise=promise)
    judge(made, log(made, *numbers))


@pytest.mark.parametrize(
    ("outcomes", "numbers", "promise", "code"),
    [
        pytest.param((0, 1), (0,), EXACTLY_ONCE, "R4", id="an acknowledged record is lost"),
        pytest.param((0, 1), (0, 1, 0), EXACTLY_ONCE, "P1", id="a record is there twice"),
        pytest.param((0, None), (0, 1, 1), EXACTLY_ONCE, "P1", id="an unknown one is there twice"),
        pytest.param((1, 0), (1, 0), EXACTLY_ONCE, "P10", id="two are swapped"),
        pytest.param((0, 2), (0, 1), EXACTLY_ONCE, "P2", id="it is not where the acknowledgement said"),
        pytest.param((0, "refused"), (0, 1), EXACTLY_ONCE, "P", id="a refused one is there"),
        pytest.param((0, 1), (0,), ONE_IN_FLIGHT, "R4", id="a plain record is lost"),
        pytest.param((0,), (0, 0, 0), ONE_IN_FLIGHT, "P1", id="a plain record is there more often than it was sent"),
        pytest.param((1, 0), (1, 0), ONE_IN_FLIGHT, "P10", id="plain records are swapped"),
        pytest.param((1, 2), (1, 0, 1), ONE_IN_FLIGHT, "P10", id="the first of two plain records appears behind the second"),
        pytest.param((1, 0), (0, 1), FIVE_IN_FLIGHT, "P2", id="plain records changed places"),
        pytest.param((0, 1), (0,), ONE_ACK, "R4", id="acks=1, lost though nobody else has led"),
        pytest.param((1, 0), (0, 1), ONE_ACK, "P2", id="acks=1, changed places though nobody else has led"),
        pytest.param((None,), (0, 0, 0), NO_ACK, "P1", id="acks=0, there more often than it was sent"),
    ],
)
def test_histories_that_do_not(outcomes: tuple[int | str | None, ...], numbers: tuple[int, ...], promise: Promise, code: str) -> None:
    made = history(*outcomes, promise=promise)
    with pytest.raises(SafetyViolation) as caught:
        judge(made, log(made, *numbers))
    assert caught.value.code == code


@pytest.mark.parametrize("leader_epoch", [LAST_EPOCH - 1, -1])
def test_what_one_leader_acknowledged_goes_with_it(leader_epoch: int) -> None:
    made = history(0, 1, 2, promise=ONE_ACK, leader_epoch=leader_epoch)
    judge(made, log(made, 2, 0))
    assert made.counters == {"lost-with-acks-1": 1}


def test_duplicates_are_counted() -> None:
    made = history(1, promise=ONE_IN_FLIGHT)
    judge(made, log(made, 0, 0))
    assert made.counters == {"duplicate-of-plain-producer": 1}


def test_a_record_of_an_older_incarnation_is_found() -> None:
    made = history(0)
    made.sent[b"p-0"].topic_id = OLD_ID
    with pytest.raises(SafetyViolation, match=r"H: the log has .* which was sent to orders-0 \(6f6f6f6f\)"):
        judge(made, log(made, 0))


def test_deleted_topics_are_not_judged_for_what_is_lost() -> None:
    made = history(0, 1)
    made.read("c", AT, made.sent[b"p-0"].record())
    judge(made, {(OLD_ID, 0): FinalLog([])})


def test_an_altered_record_is_found() -> None:
    made = history(0)
    final = log(made, 0)
    record = final[AT].records[0].record
    for altered in (record._replace(key=None), record._replace(headers=[("of", b"")]), record._replace(timestamp_ms=5)):
        with pytest.raises(SafetyViolation, match=r"H: .* altered"):
            judge(made, {AT: FinalLog([FinalRecord(altered)], 0, LAST_EPOCH)})


class TestDeletedRecords:
    """The log starts at 2, as somebody asked."""

    def made(self, *outcomes: int | None, asked: int = 2, promise: Promise = EXACTLY_ONCE) -> History:
        made = history(*outcomes, promise=promise)
        made.ask_deletion(AT, asked)
        return made

    def test_what_lies_below_the_log_start_is_not_lost(self) -> None:
        made = self.made(0, 1, 2)
        made.read("c", AT, made.sent[b"p-0"].record())
        judge(made, log(made, 2, start=2))

    def test_what_lies_above_it_is(self) -> None:
        made = self.made(0, 1, 2)
        with pytest.raises(SafetyViolation, match="R4"):
            judge(made, log(made, start=2))

    def test_the_log_start_rises_to_what_was_asked_for_and_no_further(self) -> None:
        made = self.made(0, 1, 2, asked=1)
        with pytest.raises(SafetyViolation, match="R14"):
            judge(made, log(made, 2, start=2))

    def test_a_batch_that_holds_the_log_start_comes_whole(self) -> None:
        made = self.made(0, 1, 2)
        final = log(made, 0, 1, 2)
        judge(made, {AT: final[AT]._replace(start=2)})

    def test_the_first_appearance_of_a_plain_record_may_be_deleted(self) -> None:
        made = self.made(1, 3, promise=ONE_IN_FLIGHT)
        judge(made, log(made, 0, 1, 0, start=2))


@pytest.mark.parametrize(
    ("offset", "number", "code"),
    [
        pytest.param(1, 1, "R2", id="it is not there any more"),
        pytest.param(0, 1, "R2", id="another one is there"),
        pytest.param(0, 2, "P", id="it was refused"),
    ],
)
def test_what_was_read_must_stay(offset: int, number: int, code: str) -> None:
    made = history(0, None, "refused")
    made.read("c", AT, made.sent[f"p-{number}".encode()].record()._replace(offset=offset))
    with pytest.raises(SafetyViolation) as caught:
        judge(made, log(made, 0))
    assert caught.value.code == code
