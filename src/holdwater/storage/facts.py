"""What a log tells its caller about damage and recovery."""

from typing import NamedTuple


class Damage(NamedTuple):
    """Bytes that must not be there, below what was synced or committed: the replica has to go offline, or be filled from a peer."""

    path: str
    position: int
    offset: int
    """The log is intact below it, and ends there as long as the damage stands."""
    reason: str


class LogEvent(NamedTuple):
    """Something recovery did that the operator should read: ``kind`` is one word, ``detail`` a sentence."""

    kind: str
    path: str
    offset: int
    detail: str
