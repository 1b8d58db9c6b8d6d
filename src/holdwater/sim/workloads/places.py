"""How far a consumer has read, and what is agreed with each broker about it."""

from typing import NamedTuple


class Wanted(NamedTuple):
    """What a fetch says of one partition."""

    offset: int
    leader_epoch: int
    last_epoch: int
    """Leader epoch of the last record that was read, -1 before the first."""


class Place:
    """How far one partition is read."""

    __slots__ = ("checked_epoch", "highest_latest", "is_boundary", "leader_epoch", "offset", "seeking", "unconfirmed")

    def __init__(self) -> None:
        self.offset = 0
        self.is_boundary = True
        """Whether a batch begins at the offset, so that the answer must begin with it."""
        self.leader_epoch = -1
        """Of the last record that was read, -1 for none."""
        self.seeking = False
        """Whether it looks for the earliest offset."""
        self.unconfirmed = b""
        self.highest_latest = 0
        """The highest offset that ever was the latest one, so that none may be lower any more."""
        self.checked_epoch = -1
        """The leader epoch in which the leader was asked last whether it has everything that was read."""

    def advance(self, offset: int, leader_epoch: int) -> None:
        """A batch was read."""
        self.offset = offset
        self.is_boundary = True
        self.leader_epoch = leader_epoch

    def seek(self, offset: int) -> None:
        """The log begins at ``offset``: go on there, inside a batch perhaps, unless that was read already."""
        if offset > self.offset:
            self.offset = offset
            self.is_boundary = False
            self.leader_epoch = -1
            self.unconfirmed = b""

    def confirm(self, first_batch: bytes) -> bool:
        """Whether the batch that holds the offset was read twice alike.

        Where a log begins inside a batch nothing tells whether the base offset is right, which no checksum covers.
        """
        is_confirmed = self.unconfirmed == first_batch
        self.unconfirmed = first_batch
        return is_confirmed


class Session:
    """What is agreed with one broker: one fetch at a time, in a session or each for itself."""

    __slots__ = ("busy", "epoch", "id", "known", "number", "resume_us", "waking")

    def __init__(self) -> None:
        self.busy = False
        self.id = 0
        self.epoch = 0
        self.known: dict[int, Wanted | None] = {}
        """Partitions as the broker knows them; ``None`` for one that is to be named again. Who leaves it out must be told to forget it, or a
        partition whose leader has moved would be answered with an error at once, again and again."""
        self.number = 0
        """Counts how often it began anew: an answer from before says nothing of it."""
        self.resume_us = 0
        self.waking = False

    def reset(self) -> None:
        """Begin anew."""
        self.id = 0
        self.epoch = 0
        self.known = {}
        self.number += 1

    def name_again(self, index: int) -> None:
        """Name a partition in the next fetch, though nothing has changed."""
        if index in self.known:
            self.known[index] = None

    def answered(self, session_id: int) -> None:
        """The broker goes on with this session, or, with 0, does not keep one."""
        self.id = session_id
        self.epoch = self.epoch + 1 if session_id else 0
        if not session_id:
            self.known = {}
