"""Numbers on the command line. Each raises ``argparse.ArgumentTypeError`` with what is wrong in words; argparse names the flag before it.

Python's own readers take ``1_0`` and the digits of other scripts, too; these don't.
"""

import argparse
import math
import re


def whole(text: str) -> int:
    """Any whole number."""
    if re.fullmatch(r"[+-]?[0-9]{1,100}", text) is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number")
    return int(text)


def positive(text: str) -> int:
    """A whole number from 1 on."""
    value = whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def natural(text: str) -> int:
    """A whole number from 0 on."""
    value = whole(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def number(text: str) -> float:
    """Any finite number."""
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"'{text}' is no number")
    return value


def seconds(text: str) -> float:
    """Seconds from 0 on."""
    value = number(text)
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError("must be a number of seconds, 0 or more")
    return value
