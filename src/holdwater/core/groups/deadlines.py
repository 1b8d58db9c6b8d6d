"""Deadlines by name: setting one again moves it, and all of them end together with what they belong to."""

from collections.abc import Callable, Hashable

from holdwater.core.coordinator import Cancellable, Decision, ShardHost


class Deadlines:
    """At most one deadline per key."""

    __slots__ = ("_host", "_set")

    def __init__(self, host: ShardHost) -> None:
        self._host = host
        self._set: dict[Hashable, Cancellable] = {}

    def set(self, key: Hashable, after_ms: int, work: Callable[[], Decision]) -> None:
        """Do ``work`` after ``after_ms``, and not at the moment that was set before under the key."""
        self.cancel(key)

        def due() -> Decision:
            self._set.pop(key, None)
            return work()

        self._set[key] = self._host.at(self._host.mono_ms + after_ms, due)

    def has(self, key: Hashable) -> bool:
        """Whether there is a deadline under the key."""
        return key in self._set

    def cancel(self, key: Hashable) -> None:
        """There is no such deadline any more, if there was one."""
        deadline = self._set.pop(key, None)
        if deadline is not None:
            deadline.cancel()

    def cancel_all(self) -> None:
        """There are none any more."""
        for deadline in self._set.values():
            deadline.cancel()
        self._set.clear()
