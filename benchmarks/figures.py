"""Arithmetic on measurements: median and spread, ratios round by round, gaps between acknowledgements."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class Spread(NamedTuple):
    """What several measurements of one thing say."""

    median: float
    low: float
    high: float
    count: int


def spread(values: Iterable[float]) -> Spread | None:
    """``None`` for no values."""
    found = sorted(values)
    return Spread(statistics.median(found), found[0], found[-1], len(found)) if found else None


def ratios(ours: Iterable[dict[str, Any]], theirs: Iterable[dict[str, Any]], metric: str) -> Spread | None:
    """Ours through theirs: round by round where both sides have the same rounds, otherwise of the medians alone."""
    mine = {run["round"]: run[metric] for run in ours}
    other = {run["round"]: run[metric] for run in theirs}
    if mine.keys() == other.keys():
        return spread(mine[turn] / other[turn] for turn in mine if other[turn])
    one, two = spread(mine.values()), spread(other.values())
    return spread([one.median / two.median]) if one is not None and two is not None and two.median else None


def longest_gap(acknowledged: Sequence[Sequence[float]], since: float, until: float) -> float:
    """The longest time without an acknowledgement on any partition, of the gaps that reach into ``since`` to ``until``.

    A gap counts as a whole, from the acknowledgement before it to the one after it; one that is still open ends at ``until``. A partition
    without any acknowledgement counts from ``since``.
    """
    longest = 0.0
    for times in acknowledged:
        previous = since
        for moment in times:
            if moment > since and previous < until:
                longest = max(longest, moment - previous)
            previous = moment
        if previous < until:
            longest = max(longest, until - previous)
    return longest
