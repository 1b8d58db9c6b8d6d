"""Deadlines in one heap. Ties run in the order in which they were set, so that a run is the same everywhere."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush

NEVER = 2**62


class Timer:
    """One deadline; ``cancel`` is cheap and leaves the entry in the heap until it comes up."""

    __slots__ = ("callback", "due_ms")

    def __init__(self, due_ms: int, callback: Callable[[], None]) -> None:
        self.due_ms = due_ms
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """The callback will not run."""
        self.callback = None


class Timers:
    """A heap of timers. Times are monotonic milliseconds."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._number = 0

    def at(self, due_ms: int, callback: Callable[[], None]) -> Timer:
        """Run ``callback`` at the first ``run`` with ``now_ms >= due_ms``."""
        timer = Timer(due_ms, callback)
        self._number += 1
        heappush(self._heap, (due_ms, self._number, timer))
        if self._number % 65536 == 0:  # cancelled entries of long deadlines must not pile up
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapify(self._heap)
        return timer

    @property
    def pending_count(self) -> int:
        """Timers that are set. Looks at all of them."""
        return sum(timer.callback is not None for _, _, timer in self._heap)

    def next_due(self) -> int:
        """The earliest live deadline, or ``NEVER``."""
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heappop(heap)
        return heap[0][0] if heap else NEVER

    def run(self, now_ms: int) -> None:
        """Run everything due by ``now_ms``; what is set meanwhile waits for the next run."""
        heap = self._heap
        due: list[Timer] = []
        while heap and heap[0][0] <= now_ms:
            due.append(heappop(heap)[2])
        for timer in due:
            callback = timer.callback
            if callback is not None:
                timer.callback = None
                callback()
