"""What ends an administrative command."""

from confluent_kafka import KafkaError


class AdminError(Exception):
    """The cluster refused, or could not be reached; the message names the protocol error. ``next_step`` says what to do."""

    def __init__(self, what: str, next_step: str = "") -> None:
        super().__init__(what)
        self.next_step = next_step

    @classmethod
    def of(cls, doing: str, error: KafkaError, next_step: str = "") -> "AdminError":
        """From a protocol error, with its name, its number, and whether it may pass."""
        again = ", may pass if it is tried again" if error.retriable() else ""
        return cls(f"{doing}: {error.str()} ({error.name()}, {error.code()}{again})", next_step)
