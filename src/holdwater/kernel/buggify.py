"""Points in the broker where something rare and legal may be made common (FoundationDB's BUGGIFY, Zhou et al., SIGMOD 2021).

A broker asks at such a point whether to take the rare way. In a real process the answer is always no (``never``); the laboratory answers yes
now and then, at the points that a seed has chosen. A point never does what a correct broker could not do by itself.
"""

from collections.abc import Callable

Buggify = Callable[[str], bool]
"""Takes a point's name from ``POINTS``."""

POINTS: dict[str, str] = {
    "fetch session lost": "a fetch session is forgotten, as when the cache is full",
    "fetch of one batch": "a fetch is answered with one batch, however much it asked for",
    "produce times out": "a produce that waits for followers or for the disk is answered REQUEST_TIMED_OUT after a millisecond",
    "follower rests": "a follower waits before it fetches again",
    "isr change waits": "a change of the in-sync replicas waits before it goes to the controller",
    "isr shrinks early": "a follower that has not fetched everything this moment leaves the in-sync replicas",
    "heartbeat late": "a heartbeat is sent half a second later",
    "metadata snapshot now": "a snapshot of the metadata is taken after any commit",
    "metadata in one batch": "the metadata log is read one batch at a time",
    "controller resigns": "the active controller gives up leading the metadata quorum",
    "checkpoint skipped": "high watermarks, recovery points or log start offsets are not stored this time",
}
"""Every point, and what happens at it."""


def never(point: str) -> bool:
    """The answer in a real process."""
    return False
