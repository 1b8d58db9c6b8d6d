"""Numbers on the command line: what is taken, and what is said, in words, of what is not."""

import argparse
from collections.abc import Callable

import pytest

from holdwater.cli.numbers import natural, number, positive, seconds, whole


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [(whole, "-3", -3), (positive, "1", 1), (natural, "0", 0), (number, "-1", -1.0), (number, "2.5", 2.5), (seconds, "0", 0.0)],
)
def test_taken(read: Callable[[str], float], text: str, value: float) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text", "why"),
    [
        (whole, "abc", "'abc' is no whole number"),
        (whole, "2.5", "'2.5' is no whole number"),
        (whole, "1_0", "'1_0' is no whole number"),
        (whole, "٣", "'٣' is no whole number"),
        (number, "1_0", "'1_0' is no number"),
        (number, "٣", "'٣' is no number"),
        (positive, "x", "'x' is no whole number"),
        (positive, "0", "must be 1 or more"),
        (natural, "-1", "must be 0 or more"),
        (number, "fast", "'fast' is no number"),
        (number, "nan", "'nan' is no number"),
        (number, "inf", "'inf' is no number"),
        (seconds, "-1", "must be a number of seconds, 0 or more"),
        (seconds, "1e7", "must be a number of seconds, 0 or more"),
    ],
)
def test_refused(read: Callable[[str], float], text: str, why: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"^{why}$"):
        read(text)
