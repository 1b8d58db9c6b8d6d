"""The table of APIs: which versions are served on which listeners, who may use them, and the function that answers.

Each file in ``handlers/`` holds one API, or a family of them, and declares an ``Api`` for each. A request that no row fits is answered as
Kafka does: ApiVersions of an unknown version with version 0 and UNSUPPORTED_VERSION, anything else by closing the connection.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdwater.broker.connection import Call

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

BROKER = "broker"
CONTROLLER = "controller"


@dataclass(frozen=True, slots=True)
class Api:
    """One API as this broker serves it."""

    request_class: Any
    response_class: Any
    handle: "Callable[[Broker, Call, Any], None]"
    """Answers, now or later, through ``Call.reply``; exactly once."""
    authorisation: str
    """Operation and resource that the caller needs, in Kafka's words (``Write on Topic``); checked once authorisation exists."""
    listeners: tuple[str, ...] = (BROKER,)
    """On which kinds of listener it is served: ``broker``, ``controller``, or both."""
    forwarded: bool = False
    """Whether the active controller answers, so that the request's bytes are kept until it has."""
    min_version: int = -1
    """Lowest version served; -1: the lowest of Kafka 4.4."""
    max_version: int = -1
    """Highest version served; -1: the highest stable one of Kafka 4.4."""

    @property
    def key(self) -> int:
        """Kafka's API key."""
        return self.request_class.API_KEY

    @property
    def versions(self) -> tuple[int, int]:
        """Lowest and highest version served."""
        low = self.request_class.MIN_VERSION if self.min_version < 0 else self.min_version
        stable = self.request_class.MAX_VERSION - (1 if self.request_class.LATEST_VERSION_UNSTABLE else 0)
        high = stable if self.max_version < 0 else self.max_version
        return low, high
