"""The six roles, what each one remembers, which may follow which, and whom each one votes for.

Kafka's words (KIP-595, KIP-996):

- *Unattached*: no leader known; waits for one or for its election timer. May have voted in its quorum epoch.
- *Prospective*: asks for pre-votes, which bind nobody and change no quorum epoch.
- *Candidate*: has raised the quorum epoch, voted for itself, asks for votes.
- *Leader*: won its quorum epoch.
- *Follower*: fetches from the leader of its quorum epoch.
- *Resigned*: was leader of its quorum epoch and is so no more; it can neither vote nor write in it again.

``TRANSITIONS`` is the whole table; a pair that is not in it is a bug and stops the node. Observers only move between Unattached and Follower.

=============  ============================================================================================================
from           to
=============  ============================================================================================================
Unattached     Unattached (higher quorum epoch, or it voted), Prospective (election timer), Follower (leader of an equal or
               higher quorum epoch)
Prospective    Unattached (higher quorum epoch, it voted, or it lost and knows no leader), Candidate (won), Follower (leader
               heard of, or it lost and goes back to the one it knows)
Candidate      Unattached (higher quorum epoch), Prospective (lost, or timed out), Leader (won), Follower (leader of an equal
               or higher quorum epoch)
Leader         Unattached (higher quorum epoch), Follower (leader of a higher quorum epoch), Resigned (stopping, or no
               majority fetches)
Follower       Unattached (higher quorum epoch), Prospective (fetch timer, or the leader is gone), Follower (leader of a
               higher quorum epoch)
Resigned       Unattached (higher quorum epoch, or election timer: its own plus one), Follower (leader of a higher quorum
               epoch)
=============  ============================================================================================================
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from holdwater.core.quorum.voters import Endpoint, ReplicaKey, VoterSet
from holdwater.kernel.identifiers import NO_NODE, NO_OFFSET, ZERO_UUID
from holdwater.kernel.ports import SnapshotId

NO_DEADLINE = 2**63 - 1


class Answer(Enum):
    """What one voter said to a request for its vote."""

    NONE = "none"
    GRANTED = "granted"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    """The last request to it failed; it is asked again, but an election does not wait for it."""


class Tally:
    """The answers of one election, by voter id; the one who stands has granted itself."""

    __slots__ = ("_answers", "_majority")

    def __init__(self, voters: VoterSet, own_id: int) -> None:
        self._answers = {voter.id: Answer.NONE for voter in voters.voters}
        self._answers[own_id] = Answer.GRANTED
        self._majority = voters.majority

    def record(self, voter_id: int, answer: Answer) -> None:
        """Note an answer. A vote that was granted or rejected stays so; ids that do not vote are ignored."""
        if self._answers.get(voter_id) in {Answer.NONE, Answer.UNREACHABLE}:
            self._answers[voter_id] = answer

    def unanswered(self) -> list[int]:
        """Voters that have neither granted nor rejected, in the order of their ids."""
        return [voter_id for voter_id, answer in self._answers.items() if answer in {Answer.NONE, Answer.UNREACHABLE}]

    def granted(self) -> list[int]:
        """Voters that granted, in the order of their ids."""
        return [voter_id for voter_id, answer in self._answers.items() if answer is Answer.GRANTED]

    @property
    def is_won(self) -> bool:
        """A majority granted."""
        return len(self.granted()) >= self._majority

    @property
    def is_contested(self) -> bool:
        """Somebody rejected."""
        return Answer.REJECTED in self._answers.values()

    @property
    def is_lost(self) -> bool:
        """Somebody rejected, and those who granted or may still do so within a round trip are no majority."""
        answers = list(self._answers.values())
        hopeful = answers.count(Answer.GRANTED) + answers.count(Answer.NONE)
        return self.is_contested and hopeful < self._majority


@dataclass(slots=True)
class Unattached:
    """No leader to follow. ``leader_id`` may be known while its endpoint is not: then it votes for nobody else in this quorum epoch."""

    epoch: int
    voted: ReplicaKey | None
    election_deadline_ms: int
    leader_id: int = NO_NODE


@dataclass(slots=True)
class Prospective:
    """Asks for pre-votes in its present quorum epoch; ``leader_id`` is the leader it lost, if it had one."""

    epoch: int
    voted: ReplicaKey | None
    election_deadline_ms: int
    tally: Tally
    leader_id: int = NO_NODE
    leader_endpoint: Endpoint | None = None


@dataclass(slots=True)
class Candidate:
    """Asks for votes. ``backing_off``: the election is lost and ``election_deadline_ms`` is when it goes back to pre-vote."""

    epoch: int
    voted: ReplicaKey
    election_deadline_ms: int
    tally: Tally
    backing_off: bool = False
    leader_id: int = NO_NODE


@dataclass(slots=True)
class Progress:
    """What the leader knows of one other replica."""

    key: ReplicaKey
    end_offset: int = NO_OFFSET
    """Offset of its last fetch: a voter has synced everything below it. -1: it has not fetched in this quorum epoch."""
    last_fetch_mono_ms: int = -1
    last_fetch_wall_ms: int = -1
    last_caught_up_wall_ms: int = -1
    leader_end_offset_at_fetch: int = -1
    acknowledged: bool = False
    """It knows who leads: it fetched, or it answered BeginQuorumEpoch."""
    begin_sent_mono_ms: int = -1

    def fetched(self, offset: int, leader_end_offset: int, mono_ms: int, wall_ms: int) -> None:
        """Note a fetch at ``offset``. Caught up: it reached the end the log had now, or at its fetch before (KIP-836)."""
        if offset >= leader_end_offset:
            self.last_caught_up_wall_ms = max(self.last_caught_up_wall_ms, wall_ms)
        elif 0 < self.leader_end_offset_at_fetch <= offset:
            self.last_caught_up_wall_ms = max(self.last_caught_up_wall_ms, self.last_fetch_wall_ms)
        self.leader_end_offset_at_fetch = leader_end_offset
        self.end_offset = offset
        self.last_fetch_mono_ms = mono_ms
        self.last_fetch_wall_ms = wall_ms
        self.acknowledged = True


@dataclass(slots=True)
class Leader:
    """Won its quorum epoch.

    ``high_watermark_known`` turns true when a record of this quorum epoch is committed; before that the leader does not know how far its
    predecessors had committed (Raft section 5.4.2), and says so with -1.
    """

    epoch: int
    voted: ReplicaKey
    leader_id: int
    epoch_start_offset: int
    check_quorum_deadline_ms: int
    voters: dict[int, Progress] = field(default_factory=dict[int, Progress])
    """The other voters, by id in rising order."""
    observers: dict[ReplicaKey, Progress] = field(default_factory=dict[ReplicaKey, Progress])
    fetched_voters: list[int] = field(default_factory=list[int])
    """Voters that fetched since the check-quorum timer was set."""
    high_watermark_known: bool = False


@dataclass(slots=True)
class Download:
    """A snapshot on its way from the leader."""

    snapshot_id: SnapshotId
    content: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class Follower:
    """Follows the leader of its quorum epoch.

    ``heard``: a fetch from this leader succeeded, and nothing since said that it is gone. Only while this is false are pre-votes granted.
    ``suspicion_deadline_ms``: evidence says that the leader is gone; unless a fetch succeeds before, pre-vote starts then.
    """

    epoch: int
    voted: ReplicaKey | None
    leader_id: int
    leader_endpoint: Endpoint
    fetch_deadline_ms: int
    heard: bool = False
    suspicion_deadline_ms: int = NO_DEADLINE
    download: Download | None = None

    @property
    def suspicious(self) -> bool:
        """Whether the leader is believed gone."""
        return self.suspicion_deadline_ms != NO_DEADLINE


@dataclass(slots=True)
class Resigned:
    """Led this quorum epoch and no longer does; tells the others (``unacknowledged``), the best successor first."""

    epoch: int
    voted: ReplicaKey | None
    election_deadline_ms: int
    successors: list[ReplicaKey] = field(default_factory=list[ReplicaKey])
    unacknowledged: list[int] = field(default_factory=list[int])
    leader_id: int = NO_NODE


Role: TypeAlias = Unattached | Prospective | Candidate | Leader | Follower | Resigned

TRANSITIONS: dict[type[Role], tuple[type[Role], ...]] = {
    Unattached: (Unattached, Prospective, Follower),
    Prospective: (Unattached, Candidate, Follower),
    Candidate: (Unattached, Prospective, Leader, Follower),
    Leader: (Unattached, Follower, Resigned),
    Follower: (Unattached, Prospective, Follower),
    Resigned: (Unattached, Follower),
}
WITHIN_ONE_EPOCH: dict[type[Role], tuple[type[Role], ...]] = {
    Unattached: (Unattached, Prospective, Follower),
    Prospective: (Unattached, Follower),
    Candidate: (Prospective, Leader, Follower),
    Leader: (Resigned,),
    Follower: (Prospective,),
    Resigned: (),
}
"""The transitions that keep the quorum epoch; all others in the table raise it."""


def grants_vote(role: Role, candidate: ReplicaKey, *, log_is_up_to_date: bool, pre_vote: bool) -> bool:
    """Whether a member in ``role`` grants a vote in its own quorum epoch (a higher one has made it Unattached before).

    A pre-vote says "I would vote for you": the log must be as good, and there must be no live leader. A follower believes in its leader
    from its first successful fetch until evidence to the contrary: the connection closed, the leader said that it resigned, or the fetch
    timer ran out (then it is Prospective itself). KIP-996 knows only the timer; a closed connection is evidence that both sides of a dead
    leader get within a round trip, and a voter that still hears the leader refuses, so that one voter's broken link elects nobody.
    """
    if pre_vote:
        if isinstance(role, Leader) or (isinstance(role, Follower) and role.heard):
            return False
        return log_is_up_to_date
    if not isinstance(role, Unattached | Prospective):
        return False
    if role.voted is not None:
        return role.voted.id == candidate.id and role.voted.directory_id in {ZERO_UUID, candidate.directory_id}
    return role.leader_id == NO_NODE and log_is_up_to_date
