"""Brokers whose connections have just closed: evidence that they are gone, some hundred milliseconds before the metadata say so (quick failover).

A client that loses its leader asks for metadata at once. Answered at once, it would be sent back to the dead broker, and then wait for its own
reconnect backoff, a second or more. So an answer that names a suspect as a leader is held until the metadata change, the broker is heard
again, or ``HOLD_MS`` have passed. A suspect that lives clears itself within milliseconds: its fetcher connects again.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

HOLD_MS = 1000
_HELD_MAX = 1000
"""Answers held at a time; further ones are given at once."""


class Suspects:
    """See the module."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._since_ms: dict[int, int] = {}
        self._held: dict[int, Callable[[], bool]] = {}
        self._number = 0
        self._stopped = False

    def stop(self) -> None:
        """This broker stops: its own closing connections say nothing about others."""
        self._stopped = True

    def lost(self, broker_id: int) -> None:
        """A connection to or from a broker closed."""
        if self._stopped or broker_id not in self._broker.image.brokers:
            return  # any client may claim any id
        self._since_ms[broker_id] = self._broker.mono_ms
        self._broker.timers.at(self._broker.mono_ms + HOLD_MS, lambda: self._forget(broker_id))

    def _forget(self, broker_id: int) -> None:
        if broker_id in self._since_ms and not self.is_suspect(broker_id):
            del self._since_ms[broker_id]

    def seen(self, broker_id: int) -> None:
        """The broker spoke on a connection."""
        if broker_id in self._since_ms:
            del self._since_ms[broker_id]
            self.look_again()

    def is_suspect(self, broker_id: int) -> bool:
        """Whether the broker's connections closed less than ``HOLD_MS`` ago and it was not heard since."""
        since_ms = self._since_ms.get(broker_id)
        return since_ms is not None and self._broker.mono_ms - since_ms < HOLD_MS

    def any(self) -> bool:
        """Whether anybody was suspected at all; cheap, for the common case."""
        return bool(self._since_ms)

    def hold(self, answer: Callable[[], bool]) -> bool:
        """Call ``answer`` again when something has changed, until it returns true; false when too many are held already."""
        if len(self._held) >= _HELD_MAX:
            return False
        self._number += 1
        number = self._number
        self._held[number] = answer

        def time_is_up() -> None:
            held = self._held.get(number)
            if held is not None and held():
                self._held.pop(number, None)

        self._broker.timers.at(self._broker.mono_ms + HOLD_MS, time_is_up)
        return True

    def look_again(self) -> None:
        """Leaders changed, or a suspect was heard: give the answers that need wait no longer."""
        image = self._broker.image
        for broker_id in list(self._since_ms):
            registration = image.brokers.get(broker_id)
            if registration is None or registration.fenced:
                del self._since_ms[broker_id]  # the metadata say so themselves
        for number, answer in list(self._held.items()):
            if answer():
                self._held.pop(number, None)
