"""A history refuses at once what is wrong by itself."""

from collections.abc import Callable

import pytest

from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.history import ANY_INCARNATION, EXACTLY_ONCE, History, Key, Promise, Sent, alteration
from holdwater.sim.workloads.plan import ALL, LEADER
from holdwater.wire.records import Record

TOPIC_ID, OLD_ID, OTHER_ID = b"t" * 16, b"o" * 16, b"x" * 16
AT: Key = (TOPIC_ID, 0)
PLAIN = Promise(ALL, idempotent=False, ordered=True)


def sent(number: int, *, promise: Promise = EXACTLY_ONCE, topic_id: bytes = TOPIC_ID) -> Sent:
    return Sent("p", number, "orders", 0, 1_000 * number, promise, topic_id)


def history(*promises: Promise) -> History:
    """Records p-0, p-1 ... to partition 0 of ``orders``, whose older incarnation had another id; there is a topic ``churn`` too."""
    made = History()
    made.learn(OLD_ID, "orders")
    made.learn(TOPIC_ID, "orders")
    made.learn(OTHER_ID, "churn")
    for number, promise in enumerate(promises):
        made.send(sent(number, promise=promise))
    return made


def found(made: History, number: int, offset: int, **changes: object) -> Record:
    return made.sent[f"p-{number}".encode()].record()._replace(offset=offset, **changes)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("step", "code"),
    [
        pytest.param(lambda h: h.read("c", AT, found(h, 1, 0)), "R2", id="another record was read there"),
        pytest.param(lambda h: h.read("c", AT, found(h, 0, 0, timestamp_ms=1)), "R2", id="it was read there with another timestamp"),
        pytest.param(lambda h: h.read("c", AT, Record(1, 0, b"k", b"who")), "H", id="nobody sent it"),
        pytest.param(lambda h: h.read("c", (TOPIC_ID, 1), found(h, 1, 0)), "H", id="it was sent to another partition"),
        pytest.param(lambda h: h.read("c", (OTHER_ID, 0), found(h, 1, 0)), "H", id="it was sent to another topic"),
        pytest.param(lambda h: h.read("c", (OLD_ID, 0), found(h, 1, 0)), "H", id="it was sent to another incarnation"),
        pytest.param(lambda h: h.read("c", AT, found(h, 1, 1, headers=[])), "H", id="its header is gone"),
        pytest.param(lambda h: h.read("c", AT, found(h, 1, 1, key=b"kp-0")), "H", id="it has another key"),
        pytest.param(lambda h: h.read("c", AT, found(h, 1, 1, timestamp_ms=1)), "H", id="it has another timestamp"),
        pytest.param(
            lambda h: h.read("c", AT, found(h, 1, 1), stamped=True), "H", id="it has the broker's time, and nobody asked for that"
        ),
        pytest.param(lambda h: h.read("c", AT, found(h, 0, 1)), "P1", id="it was read at another offset"),
        pytest.param(lambda h: h.acknowledge(h.sent[b"p-1"], 0, 1), "P2", id="one offset for two records"),
        pytest.param(lambda h: h.took_producer_id("q", 1, 0), "P8", id="one producer id for two producers"),
        pytest.param(lambda h: h.took_producer_id("p", 1, 0), "P8", id="one producer id twice"),
        pytest.param(lambda h: h.learn(TOPIC_ID, "churn"), "M7", id="one topic id for two topics"),
        pytest.param(lambda h: h.made(TOPIC_ID, "orders"), "M7", id="one topic id given out twice"),
    ],
)
def test_what_is_wrong_at_once(step: Callable[[History], None], code: str) -> None:
    made = history(EXACTLY_ONCE, EXACTLY_ONCE)
    made.read("c", AT, found(made, 0, 0))
    made.acknowledge(made.sent[b"p-0"], 0, 1)
    made.took_producer_id("p", 1, 0)
    made.made(TOPIC_ID, "orders")
    with pytest.raises(SafetyViolation) as caught:
        step(made)
    assert caught.value.code == code


def test_what_is_right() -> None:
    made = history(EXACTLY_ONCE, PLAIN, Promise(LEADER, idempotent=False))
    for reader in ("c", "d"):
        made.read(reader, AT, found(made, 0, 0))
        made.read(reader, AT, found(made, 1, 1))
        made.read(reader, AT, found(made, 1, 2))  # a plain producer's retry
    made.acknowledge(made.sent[b"p-0"], 0, 1)
    made.acknowledge(made.sent[b"p-2"], 0, 1)  # acks=1, by a leader that led no more
    assert made.read_count == 6
    assert made.operation_count == 8
    assert made.acknowledged_end == {AT: 1}


def test_a_record_sent_by_name_may_be_in_any_incarnation_of_that_topic() -> None:
    made = history()
    made.send(sent(0, topic_id=ANY_INCARNATION, promise=PLAIN))
    made.read("c", (OLD_ID, 0), found(made, 0, 0))
    made.read("c", AT, found(made, 0, 0))
    with pytest.raises(SafetyViolation, match="H"):
        made.read("c", (OTHER_ID, 0), found(made, 0, 0))


def test_brokers_may_put_their_time_on_records_of_a_topic_that_was_configured_so() -> None:
    made = history(EXACTLY_ONCE)
    made.stamped["orders"] = None
    made.read("c", AT, found(made, 0, 0, timestamp_ms=77), stamped=True)
    assert alteration(made.sent[b"p-0"], found(made, 0, 0, timestamp_ms=77), stamped=True) is None
    with pytest.raises(SafetyViolation, match="timestamp"):
        made.check("found", AT, found(made, 0, 0, timestamp_ms=77), stamped=False)


@pytest.mark.parametrize(
    ("position", "log_start", "leader_epoch"),
    [
        pytest.param(4, 5, 7, id="served below the log start"),
        pytest.param(30, 21, 7, id="a log start that nobody asked for"),
        pytest.param(30, 9, 7, id="a log start that fell in one leader epoch"),
    ],
)
def test_log_starts_that_may_not_be(position: int, log_start: int, leader_epoch: int) -> None:
    made = history()
    made.ask_deletion(AT, 20)
    made.ask_deletion(AT, 10)
    made.answered("c", AT, 7, 30, 10)
    with pytest.raises(SafetyViolation, match="R14"):
        made.answered("c", AT, leader_epoch, position, log_start)


def test_a_log_start_may_fall_with_the_next_leader_and_rise_to_what_was_asked() -> None:
    made = history()
    made.ask_deletion(AT, 20)
    made.answered("c", AT, 7, 20, 20)
    made.answered("c", AT, 8, 20, 10)
    made.answered("d", AT, 7, 20, 10)  # another reader's answer was on its way for longer
    assert made.deletion_asked(AT) == 20
