"""Who votes: replica keys, the voter set, and its history by log offset (KIP-853).

A voter is an id *and* the directory id of the disk that holds its log: a node that comes back with an empty disk has a new directory id, is
an observer, and is never counted for what the lost disk had promised. With static voters (``kraft.version`` 0) the directory id is unknown,
written ``ZERO_UUID``, and the id alone decides.

The voter set is control records in the log, in force from the moment they are *appended*, committed or not, as Raft demands; truncation
takes it back. So the history keeps every set by the offset of its record.
"""

from collections.abc import Iterable
from typing import NamedTuple

from holdwater.kernel.identifiers import ZERO_UUID
from holdwater.wire.messages import VotersRecord

KRAFT_VERSION_STATIC = 0
KRAFT_VERSION_RECONFIGURABLE = 1
NO_VOTERS_OFFSET = -1
"""Where the voters of the bootstrap snapshot 0-0 stand: before the first offset of the log."""


class Endpoint(NamedTuple):
    """Where a voter listens: listener name, host, port."""

    name: str
    host: str
    port: int


class ReplicaKey(NamedTuple):
    """A replica of the metadata log: node id and directory id (``ZERO_UUID`` when unknown)."""

    id: int
    directory_id: bytes


class Voter(NamedTuple):
    """A member of the voter set, with its endpoints and the kraft versions it supports."""

    id: int
    directory_id: bytes
    endpoints: tuple[Endpoint, ...] = ()
    min_kraft_version: int = 0
    max_kraft_version: int = 1

    @property
    def key(self) -> ReplicaKey:
        """Id and directory id."""
        return ReplicaKey(self.id, self.directory_id)

    def matches(self, key: ReplicaKey) -> bool:
        """Whether ``key`` names this voter; a static voter (no directory id) is named by its id alone."""
        return self.id == key.id and (self.directory_id == ZERO_UUID or self.directory_id == key.directory_id)

    def endpoint(self, listener_name: str) -> Endpoint | None:
        """Its endpoint on the listener of that name."""
        return next((endpoint for endpoint in self.endpoints if endpoint.name == listener_name), None)


class VoterSet:
    """An immutable set of voters in the order of their ids, which are distinct."""

    __slots__ = ("_by_id", "voters")

    def __init__(self, voters: Iterable[Voter] = ()) -> None:
        self.voters: tuple[Voter, ...] = tuple(sorted(voters))
        self._by_id = {voter.id: voter for voter in self.voters}
        if len(self._by_id) != len(self.voters):
            raise ValueError(f"two voters share an id: {[voter.id for voter in self.voters]}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VoterSet) and self.voters == other.voters

    def __hash__(self) -> int:
        return hash(self.voters)

    def __len__(self) -> int:
        return len(self.voters)

    def __repr__(self) -> str:
        return f"VoterSet({', '.join(str(voter.id) for voter in self.voters)})"

    @property
    def majority(self) -> int:
        """Voters needed to elect or to commit: more than half."""
        return len(self.voters) // 2 + 1

    def get(self, voter_id: int) -> Voter | None:
        """The voter with that id."""
        return self._by_id.get(voter_id)

    def has(self, key: ReplicaKey) -> bool:
        """Whether ``key`` is one of the voters."""
        voter = self._by_id.get(key.id)
        return voter is not None and voter.matches(key)

    def replaced(self, voter: Voter) -> "VoterSet":
        """The set with the voter of the same id replaced."""
        return VoterSet(voter if old.id == voter.id else old for old in self.voters)

    def to_record(self) -> VotersRecord:
        """The control record that states this set."""
        return VotersRecord(
            version=0,
            voters=[
                VotersRecord.Voter(
                    voter_id=voter.id,
                    voter_directory_id=voter.directory_id,
                    endpoints=[VotersRecord.Endpoint(name=e.name, host=e.host, port=e.port) for e in voter.endpoints],
                    kraft_version_feature=VotersRecord.KRaftVersionFeature(
                        min_supported_version=voter.min_kraft_version, max_supported_version=voter.max_kraft_version
                    ),
                )
                for voter in self.voters
            ],
        )

    @staticmethod
    def from_record(record: VotersRecord) -> "VoterSet":
        """The set that a control record states. Raises ``ValueError`` when two voters share an id."""
        return VoterSet(
            Voter(
                voter.voter_id,
                voter.voter_directory_id,
                tuple(Endpoint(e.name, e.host, e.port) for e in voter.endpoints),
                voter.kraft_version_feature.min_supported_version,
                voter.kraft_version_feature.max_supported_version,
            )
            for voter in record.voters
        )


class VoterHistory:
    """Voter sets and kraft versions by the offset of their record; the last one is in force.

    Offsets rise strictly. The static set counts while the log has stated none.
    """

    def __init__(self, static_voters: Iterable[Voter]) -> None:
        self._static = VoterSet(static_voters)
        self._sets: list[tuple[int, VoterSet]] = []
        self._versions: list[tuple[int, int]] = []

    @property
    def current(self) -> VoterSet:
        """The set in force."""
        return self._sets[-1][1] if self._sets else self._static

    @property
    def current_offset(self) -> int | None:
        """Offset of the record that states the set in force; -1 for the bootstrap snapshot's, ``None`` for the static set."""
        return self._sets[-1][0] if self._sets else None

    @property
    def kraft_version(self) -> int:
        """The kraft version in force; 0 while the log has stated none."""
        return self._versions[-1][1] if self._versions else KRAFT_VERSION_STATIC

    def add_voters(self, offset: int, voters: VoterSet) -> None:
        """Note that the record at ``offset`` states ``voters``."""
        self._sets = [entry for entry in self._sets if entry[0] < offset]
        self._sets.append((offset, voters))

    def add_version(self, offset: int, version: int) -> None:
        """Note that the record at ``offset`` states the kraft version."""
        self._versions = [entry for entry in self._versions if entry[0] < offset]
        self._versions.append((offset, version))

    def voters_at(self, end_offset: int) -> VoterSet:
        """The set stated below ``end_offset``."""
        return next((voters for offset, voters in reversed(self._sets) if offset < end_offset), self._static)

    def version_at(self, end_offset: int) -> int:
        """The kraft version stated below ``end_offset``."""
        return next((version for offset, version in reversed(self._versions) if offset < end_offset), KRAFT_VERSION_STATIC)

    def truncate_to(self, end_offset: int) -> None:
        """Forget what was stated at or above ``end_offset``: the log lost it."""
        self._sets = [entry for entry in self._sets if entry[0] < end_offset]
        self._versions = [entry for entry in self._versions if entry[0] < end_offset]

    def clear(self) -> None:
        """Forget everything but the static set: a snapshot replaces the log."""
        self._sets = []
        self._versions = []
