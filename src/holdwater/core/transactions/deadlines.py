"""The deadlines of a shard, so that all of them can be cancelled when the shard is unloaded."""

from collections.abc import Callable

from holdwater.core.coordinator import Cancellable, Decision, ShardHost


class Deadlines:
    """What a shard has asked its host to call later. ``after(0, work)`` is how a callback, which cannot decide, becomes a decision."""

    def __init__(self, host: ShardHost) -> None:
        self._host = host
        self._set: dict[int, Cancellable] = {}
        self._count = 0

    def after(self, delay_ms: int, work: Callable[[], Decision]) -> None:
        """Carry out what ``work`` decides in so many milliseconds."""
        number = self._count = self._count + 1

        def due() -> Decision:
            self._set.pop(number, None)
            return work()

        self._set[number] = self._host.at(self._host.mono_ms + delay_ms, due)

    def cancel_all(self) -> None:
        """None of them will come."""
        deadlines, self._set = self._set, {}
        for deadline in deadlines.values():
            deadline.cancel()
