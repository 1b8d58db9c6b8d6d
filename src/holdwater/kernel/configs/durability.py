"""The three levels of durability, as a topic's configuration gives them (docs/decisions/0005-durability.md).

- ``page-cache``, Kafka's default: the operating system writes when it likes. A crash of processes loses nothing, a power loss what was unsynced.
- ``interval``: a log is synced while it is written, by count (``flush.messages``) or by the clock (``flush.ms``). No acknowledgement waits for it.
- ``fsync`` (``holdwater.durable.acks``): nothing is acknowledged or committed before it is synced, on the leader and on every in-sync replica.
"""

from collections.abc import Mapping
from typing import NamedTuple

INTERVAL = "interval"
FSYNC = "fsync"

_NEVER = 2**63 - 1
"""Kafka's default of ``flush.messages`` and ``flush.ms``."""


class Durability(NamedTuple):
    """When the log of a topic at level ``interval`` or ``fsync`` is synced. Level ``page-cache`` needs no rule and has none."""

    level: str
    messages: int
    """Sync once so many records are unsynced; at level ``fsync`` any."""
    ms: int | None
    """Sync once the oldest unsynced record has waited so long; ``None``: the clock does not matter."""

    @property
    def is_fsync(self) -> bool:
        """Whether acknowledgements wait for the disk."""
        return self.level == FSYNC


def durability_of(texts: Mapping[str, str]) -> Durability | None:
    """The rule that a topic's effective configuration asks for; ``None`` at level ``page-cache``."""
    if texts["holdwater.durable.acks"].strip().lower() == "true":
        return Durability(FSYNC, 1, None)
    messages, ms = int(texts["flush.messages"]), int(texts["flush.ms"])
    if messages == _NEVER and ms == _NEVER:
        return None
    return Durability(INTERVAL, messages, ms if ms < _NEVER else None)
