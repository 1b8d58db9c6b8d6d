"""Answers that a handler has decided on and that leave when it is done, never from within it: an answer may bring the client's next request."""

from collections.abc import Callable
from typing import Any

from holdwater.core.coordinator import CoordinatorRecord, Decision
from holdwater.kernel.invariant import invariant

Reply = Callable[[Any], None]


class Once:
    """A reply that remembers whether it was used; it may be used once."""

    __slots__ = ("_reply", "answered")

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self.answered = False

    def __call__(self, response: Any) -> None:
        """Answer."""
        invariant(not self.answered, "a request must be answered once")
        self.answered = True
        self._reply(response)


class Answers:
    """Collects answers to parked requests while one event is handled; ``decide`` hands them over together with the event's records."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[tuple[Reply, Any]] = []

    def add(self, reply: Reply, response: Any) -> None:
        """Answer at the end of the event."""
        self._waiting.append((reply, response))

    def take(self) -> Callable[[], None]:
        """What was collected, as one call; the collection is empty afterwards."""
        taken, self._waiting = self._waiting, []

        def send() -> None:
            for reply, response in taken:
                reply(response)

        return send

    def tell(self, reply: Reply, response: Any, refused: Callable[[int], Any]) -> Decision:
        """Answer with what was loaded perhaps, and is lost if it does not get committed. ``refused`` makes the answer of an error then."""
        return self.decide(stored=lambda: reply(response), failed=lambda error_code: reply(refused(error_code)), waits=True)

    def decide(
        self,
        records: tuple[CoordinatorRecord, ...] = (),
        stored: Callable[[], None] | None = None,
        failed: Callable[[int], None] | None = None,
        *,
        waits: bool = False,
    ) -> Decision:
        """The event's decision, which waits for the commit of ``records``, or with ``waits`` of what was appended before. The answers collected
        so far do not depend on the records: they leave even when these cannot be appended.

        The records are not replayed: they tell of a classic group, whose object is ahead of them.
        """
        send = self.take()

        def go_on() -> None:
            send()
            if stored is not None:
                stored()

        def give_up(error_code: int) -> None:
            send()
            if failed is not None:
                failed(error_code)

        return Decision(records, go_on, give_up, replays=False, waits=waits or bool(records))
