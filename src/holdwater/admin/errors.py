"""What ends an administrative command."""

from confluent_kafka import KafkaError

PASSING = (KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.NOT_COORDINATOR)
"""A group that moves to another coordinator, as it does when its broker died, is refused with these for a moment."""
UNANSWERED = (KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError.REQUEST_TIMED_OUT)  # pyright: ignore[reportPrivateUsage]
_REFUSED = (KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED)
_NEXT = {
    **dict.fromkeys(PASSING, "try again in a moment"),
    **dict.fromkeys(UNANSWERED, "check that every broker is up, then try again"),
    **dict.fromkeys(_REFUSED, "have that allowed, or use other credentials in -X or --command-config"),
    KafkaError.GROUP_ID_NOT_FOUND: "holdwater group list",
    KafkaError.NON_EMPTY_GROUP: "stop its consumers first",
}


class AdminError(Exception):
    """The cluster refused, or could not be reached; the message names the protocol error. ``next_step`` says what to do."""

    def __init__(self, what: str, next_step: str = "") -> None:
        super().__init__(what)
        self.next_step = next_step

    @classmethod
    def of(cls, doing: str, error: KafkaError, next_step: str = "") -> "AdminError":
        """From a protocol error, with its name, its number, and whether it may pass. What to do follows from the error unless it is given."""
        again = ", may pass if it is tried again" if error.retriable() else ""
        usual = _NEXT.get(error.code(), "try again in a moment" if error.retriable() else "see the log of the broker")
        return cls(f"{doing}: {_reason(error)} ({error.name()}, {error.code()}{again})", next_step or usual)


def _reason(error: KafkaError) -> str:
    """librdkafka's words; where it has only a request's name before an empty message of the broker's, the words for the code after it."""
    said = error.str().strip()
    return f"{said} {KafkaError(error.code()).str()}".strip() if not said or said.endswith(":") else said
