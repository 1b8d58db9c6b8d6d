"""The judgement over a history: hand-written ones that are wrong in one way each."""

from collections.abc import Callable

import pytest

from holdwater.sim.history import History, Sent
from holdwater.sim.verdicts import SafetyViolation

Final = dict[int, list[tuple[int, bytes]]]


def history(*outcomes: int | None) -> History:
    """Records r0, r1 ... of producer p to partition 0: the offset at which each was acknowledged, ``None`` for unknown."""
    made = History()
    for number, offset in enumerate(outcomes):
        sent = Sent("p", number, 0, f"r{number}".encode(), number)
        made.send(sent)
        if offset is None:
            made.give_up(sent, 100)
        else:
            made.acknowledge(sent, offset, 100)
    return made


def log(*values: str) -> Final:
    return {0: [(offset, value.encode()) for offset, value in enumerate(values)]}


@pytest.mark.parametrize(
    ("outcomes", "final"),
    [
        ((0, 1, 2), log("r0", "r1", "r2")),
        ((0, None, 1), log("r0", "r2")),
        ((0, None, 2), log("r0", "r1", "r2")),
        ((0, None, 1), log("r0", "r2", "r1")),
        ((-1, 1), log("r0", "r1")),
    ],
)
def test_histories_that_hold(outcomes: tuple[int | None, ...], final: Final) -> None:
    history(*outcomes).judge(final)


@pytest.mark.parametrize(
    ("outcomes", "final", "code"),
    [
        pytest.param((0, 1), log("r0"), "R4", id="an acknowledged record is lost"),
        pytest.param((0, 1), log("r0", "r1", "r0"), "P1", id="a record is there twice"),
        pytest.param((0, None), log("r0", "r1", "r1"), "P1", id="an unknown one is there twice"),
        pytest.param((1, 0), log("r1", "r0"), "P10", id="two are swapped"),
        pytest.param((0, 2), log("r0", "r1"), "P2", id="it is not where the acknowledgement said"),
        pytest.param((0,), log("r0", "x"), "H", id="something nobody sent"),
        pytest.param((0,), {1: [(0, b"r0")]}, "P2", id="it is in another partition"),
    ],
)
def test_histories_that_do_not(outcomes: tuple[int | None, ...], final: Final, code: str) -> None:
    with pytest.raises(SafetyViolation) as caught:
        history(*outcomes).judge(final)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("step", "code"),
    [
        pytest.param(lambda made: made.read("c", 0, 0, b"r1"), "R2", id="another record was read there before"),
        pytest.param(lambda made: made.read("c", 0, 1, b"x"), "H", id="a record that nobody sent"),
        pytest.param(lambda made: made.read("c", 1, 0, b"r0"), "H", id="a record of another partition"),
        pytest.param(lambda made: made.acknowledge(made.sent[b"r1"], 0, 1), "P2", id="one offset for two records"),
        pytest.param(lambda made: made.took_producer_id("q", 1, 0), "P8", id="one producer id for two producers"),
        pytest.param(lambda made: made.took_producer_id("p", 1, 0), "P8", id="one producer id twice"),
    ],
)
def test_steps_that_are_wrong_at_once(step: Callable[[History], None], code: str) -> None:
    made = history(0, None)
    made.read("c", 0, 0, b"r0")
    made.took_producer_id("p", 1, 0)
    with pytest.raises(SafetyViolation) as caught:
        step(made)
    assert caught.value.code == code


def test_what_was_read_must_stay() -> None:
    made = history(0, None)
    made.read("c", 0, 1, b"r1")
    with pytest.raises(SafetyViolation, match="R2"):
        made.judge(log("r0"))
