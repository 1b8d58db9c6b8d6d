"""Virtual time: one heap of events for the whole laboratory, and the clocks that each node reads, which need not agree.

Virtual time is in microseconds and moves from event to event. Events of one moment run in the order in which they were scheduled.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from holdwater.kernel.invariant import invariant

WALL_START_MS = 1_700_000_000_000
STORM_COUNT = 6_000
"""Events within one virtual second after which something is going in circles; some hundred are usual, two thousand when all is caught up on."""


class Storm(Exception):  # noqa: N818 - named for what it is
    """Events follow each other and little time passes."""


class Scheduler:
    """See the module."""

    def __init__(self) -> None:
        self.now_us = 0
        self.event_count = 0
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0
        self._second = -1
        self._count_in_second = 0

    def at(self, at_us: int, action: Callable[..., None], *arguments: Any) -> None:
        """Run ``action(*arguments)`` at a moment that has not passed."""
        invariant(at_us >= self.now_us, f"an event for {at_us}, which was {self.now_us - at_us} us ago")
        self._number += 1
        heappush(self._heap, (at_us, self._number, action, arguments))

    def after(self, delay_us: int, action: Callable[..., None], *arguments: Any) -> None:
        """Run ``action(*arguments)`` in ``delay_us``."""
        self.at(self.now_us + delay_us, action, *arguments)

    def run(self, until_us: int, done: Callable[[], bool] | None = None) -> bool:
        """Let time pass to ``until_us``, or until ``done()`` after some event; returns whether it was done."""
        heap = self._heap
        while heap and heap[0][0] <= until_us:
            at_us, _, action, arguments = heappop(heap)
            self.now_us = at_us
            self.event_count += 1
            self._notice_storm(at_us // 1_000_000)
            action(*arguments)
            if done is not None and done():
                return True
        self.now_us = until_us
        return False

    def _notice_storm(self, second: int) -> None:
        if second != self._second:
            self._second = second
            self._count_in_second = 0
        self._count_in_second += 1
        if self._count_in_second > STORM_COUNT:
            raise Storm(f"{STORM_COUNT} events in second {second} (L6)")


class NodeClock:
    """The clocks of one machine: monotonic since some start of its own, and wall time. ``drift_ppm`` makes both run fast or slow.

    The monotonic clock never steps. The wall clock may be set wrong, or stand still, until it is put right again.
    """

    def __init__(self, start_mono_ms: int, drift_ppm: int = 0, wall_offset_ms: int = 0) -> None:
        self._start_mono_ms = start_mono_ms
        self._rate = 1_000_000 + drift_ppm
        self._usual_offset_ms = wall_offset_ms
        self._frozen_wall_ms: int | None = None
        self.wall_offset_ms = wall_offset_ms
        """What wall time is wrong by, besides the drift."""

    def mono_ms(self, now_us: int) -> int:
        """The monotonic clock at a moment."""
        return self._start_mono_ms + now_us * self._rate // 1_000_000_000

    def wall_ms(self, now_us: int) -> int:
        """The wall clock at a moment."""
        if self._frozen_wall_ms is not None:
            return self._frozen_wall_ms
        return WALL_START_MS + self.wall_offset_ms + now_us * self._rate // 1_000_000_000

    def moment_us(self, mono_ms: int) -> int:
        """The first moment at which the monotonic clock shows at least ``mono_ms``."""
        return -((self._start_mono_ms - mono_ms) * 1_000_000_000 // self._rate)

    def set_wall(self, wrong_by_ms: int) -> None:
        """Let wall time be wrong by so much, forward or back, from now on; jumps do not add up. One that stands still goes on."""
        self._frozen_wall_ms = None
        self.wall_offset_ms = wrong_by_ms

    def freeze_wall(self, now_us: int) -> None:
        """Let wall time stand still from now on."""
        self._frozen_wall_ms = self.wall_ms(now_us)

    def put_right(self) -> None:
        """Let wall time be what it was before anything was done to it: a frozen clock steps forward, a wrong one either way."""
        self.set_wall(self._usual_offset_ms)
