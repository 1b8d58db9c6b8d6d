"""What a judge function answers: how many, where, and the first and the worst of them with their evidence."""

import heapq
from dataclasses import dataclass, field
from typing import Any, NamedTuple

FIRST_KEPT = 32
WORST_KEPT = 8
RANGES_KEPT = 256


class Range(NamedTuple):
    """A run of neighbouring offsets of one partition, ends included, with the number of findings in it."""

    partition: int
    first_offset: int
    last_offset: int
    findings: int

    def __str__(self) -> str:
        if self.first_offset == self.last_offset:
            return f"p{self.partition} {self.first_offset}"
        return f"p{self.partition} {self.first_offset}..{self.last_offset}"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why, as far as the evidence goes. ``confidence`` is ``certain``, ``likely`` or ``unknown``; ``remedy`` names the setting or is empty."""

    rule: str
    text: str
    confidence: str
    remedy: str = ""


@dataclass(slots=True)
class Finding:
    """All anomalies of one class. ``count`` is exact; ``ranges`` and ``examples`` are bounded."""

    kind: str
    count: int = 0
    ranges: list[Range] = field(default_factory=list[Range])
    ranges_left_out: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    worst: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    by: dict[str, int] = field(default_factory=dict[str, int])
    """Counts by a word that splits the class, where there is one."""
    cause: Cause | None = None


class Collector:
    """Builds one ``Finding``. Findings of one partition that come in order of offset grow one range as long as they are neighbours."""

    def __init__(self, kind: str) -> None:
        self._finding = Finding(kind)
        self._worst: list[tuple[float, int, dict[str, Any]]] = []

    def add(self, partition: int, offset: int, *, weight: float = 0, by: str = "", **evidence: Any) -> None:
        """Count one. ``weight`` orders the worst; ``by`` is the word it is also counted under; ``evidence`` must be plain JSON values."""
        finding = self._finding
        finding.count += 1
        if by:
            finding.by[by] = finding.by.get(by, 0) + 1
        self._extend_ranges(partition, offset)
        if len(finding.examples) >= FIRST_KEPT and weight <= 0:
            return
        example = {"partition": partition, "offset": offset, **({"by": by} if by else {}), **evidence}
        if len(finding.examples) < FIRST_KEPT:
            finding.examples.append(example)
        if weight > 0:
            # Ties keep the earlier one: its number is the larger of the two negated counts.
            entry = (weight, -finding.count, example)
            if len(self._worst) < WORST_KEPT:
                heapq.heappush(self._worst, entry)
            else:
                heapq.heappushpop(self._worst, entry)

    def _extend_ranges(self, partition: int, offset: int) -> None:
        ranges = self._finding.ranges
        if ranges:
            last = ranges[-1]
            if last.partition == partition and last.last_offset <= offset <= last.last_offset + 1:
                ranges[-1] = Range(partition, last.first_offset, offset, last.findings + 1)
                return
        if len(ranges) < RANGES_KEPT:
            ranges.append(Range(partition, offset, offset, 1))
        else:
            self._finding.ranges_left_out += 1

    def finding(self) -> Finding:
        """What was collected."""
        self._finding.worst = [entry[2] for entry in sorted(self._worst, key=lambda entry: entry[:2], reverse=True)]
        return self._finding
