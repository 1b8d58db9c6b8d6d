"""The segments of one log, in order, and reading across them.

Invariants: at least one segment; base offsets strictly rise; the last one is active. Of the others only the last one read, and those with a
sync under way, keep files open.
"""

from bisect import bisect_right

from holdwater.kernel.invariant import invariant
from holdwater.kernel.ports import CorruptRecords
from holdwater.storage.segment import Segment


class SegmentChain:
    """``active`` is the segment that is appended to."""

    __slots__ = ("_bases", "_held", "_removed", "_warm", "active", "removed_count", "segments")

    def __init__(self, segments: list[Segment]) -> None:
        self.segments = segments
        self._bases = [segment.base_offset for segment in segments]
        self.active = segments[-1]
        self.removed_count = 0
        """How many segments were removed; those that compaction has replaced are not counted."""
        self._held = 0
        """While it is not 0, no file is closed: someone syncs them."""
        self._removed: list[Segment] = []
        """Removed meanwhile, still to be closed."""
        self._warm: Segment | None = None

    @property
    def first_offset(self) -> int:
        """Base offset of the first segment."""
        return self._bases[0]

    def add(self, segment: Segment) -> None:
        """Make a new segment the active one; the one before the previous gives its table back."""
        if len(self.segments) > 1:
            self.segments[-2].drop_table()
        self.segments.append(segment)
        self._bases.append(segment.base_offset)
        self.active = segment

    def replace_all(self, segment: Segment) -> None:
        """Remove every segment, the last first so that a crash leaves a prefix, and go on with another."""
        while self.segments:
            self._remove(len(self.segments) - 1)
        self.segments.append(segment)
        self._bases.append(segment.base_offset)
        self.active = segment
        segment.file  # noqa: B018 - creates the file

    def remove_from(self, offset: int) -> None:
        """Remove the segments that start at or above ``offset``, the last first, but never the first segment."""
        while len(self.segments) > 1 and self._bases[-1] >= offset:
            self._remove(len(self.segments) - 1)
        self.active = self.segments[-1]

    def with_ends(self, log_end_offset: int) -> list[tuple[Segment, int]]:
        """Each segment with the offset at which it ends: where the next one starts."""
        return list(zip(self.segments, [*self._bases[1:], log_end_offset], strict=True))

    def has_below(self, offset: int) -> bool:
        """Whether ``remove_below`` would remove any."""
        return len(self.segments) > 1 and self._bases[1] <= offset

    def remove_below(self, offset: int) -> bool:
        """Remove the segments that end at or below ``offset``, the first first; whether there were any."""
        before = len(self.segments)
        while len(self.segments) > 1 and self._bases[1] <= offset:
            self._remove(0)
        return len(self.segments) < before

    def _remove(self, index: int) -> None:
        segment = self.segments.pop(index)
        del self._bases[index]
        self.removed_count += 1
        if segment is self._warm:
            self._warm = None
        if self._held:
            self._removed.append(segment)
            segment.remove(close=False)
        else:
            segment.remove()

    def replace(self, old: list[Segment], new: Segment) -> None:
        """Put ``new``, which starts where they start, in the place of adjacent inactive segments. Their files are the caller's."""
        invariant(not self._held, "no segment is replaced while it is synced")
        first = self.segments.index(old[0])
        invariant(
            self.segments[first : first + len(old)] == old and self.active not in old, "what is replaced is one run of inactive segments"
        )
        for segment in old:
            segment.close()
        self.segments[first : first + len(old)] = [new]
        self._bases[first : first + len(old)] = [new.base_offset]
        if self._warm in old:
            self._warm = None

    @property
    def is_held(self) -> bool:
        """Whether a sync of its files is under way."""
        return self._held > 0

    def since(self, offset: int) -> list[Segment]:
        """The segment that would hold ``offset``, and those after it."""
        return self.segments[max(bisect_right(self._bases, offset) - 1, 0) :]

    def read(self, offset: int, max_bytes: int, upper_offset: int, end_offset: int, at_least_one: bool, gaps: bool) -> bytes:
        """``kernel.ports.Log.read`` for any offset. ``end_offset`` ends the log; ``gaps``: offsets may be missing (compaction).

        Raises ``CorruptRecords`` when a segment does not hold what it should.
        """
        index = max(bisect_right(self._bases, offset) - 1, 0)
        while index < len(self.segments):
            segment = self.segments[index]
            segment_end = self._bases[index + 1] if index + 1 < len(self._bases) else end_offset
            self._warm_up(segment)
            found = segment.range_in_table(offset, max_bytes, upper_offset, segment_end, at_least_one) if offset < segment_end else None
            if found is not None:
                start, limit = found
                return segment.file.read(start, limit - start) if limit > start else b""
            data = segment.scan_read(offset, max_bytes, upper_offset, at_least_one)
            if data is not None:
                return data
            if offset < segment_end and not gaps:
                raise CorruptRecords(f"{segment.path('.log')} holds no record at offset {offset}, though it should up to {segment_end}")
            index += 1
        return b""

    def _warm_up(self, segment: Segment) -> None:
        if segment is self.active or segment is self._warm:
            return
        previous, self._warm = self._warm, segment
        if previous is not None:
            self.cool(previous)

    def cool(self, segment: Segment) -> None:
        """Release an inactive segment unless it is the one read last."""
        if segment is not self.active and segment is not self._warm and not self._held:
            segment.release()

    def hold_open(self) -> None:
        """Close no file until ``let_close``."""
        self._held += 1

    def let_close(self) -> None:
        """Close what was removed since."""
        self._held -= 1
        if not self._held:
            for segment in self._removed:
                segment.close()
            self._removed.clear()
