"""The metadata quorum: KRaft for one member, voter or observer, as a pure state machine.

Events go in as method calls with the time (``mono_ms`` for deadlines, ``wall_ms`` for what is stored), what is to be done comes out of
``take_effects``. The host (1) calls one method per event, (2) acts on the effects, in order, and (3) calls ``tick`` when ``next_deadline``
has come, which after ``append`` is at once: the sync that makes the leader's own records count happens there, after the followers have
been sent theirs.

The log, the snapshots and the vote are reached by synchronous calls: a disk that hangs stops the member in the middle of a method, it
answers nobody, and the others elect another leader. An error of the disk leaves the method as an exception, after which the member must
not be used again. ``synced before spoken`` therefore needs no bookkeeping: an effect is only in the list when what it promises is durable.

The parts: ``state`` holds what all roles share and every change of role, ``roles`` the roles and the table of their transitions,
``elections``, ``leading`` and ``following`` the behaviour, ``log_view`` the log with its snapshots, ``voters`` the voter set, ``peers`` the
requests under way. Changing the voter set (AddRaftVoter, RemoveRaftVoter, UpdateRaftVoter) has its place in ``leading``: append a
VotersRecord and wait for its commit; every part already follows a set that changes.

Where it differs from Apache Kafka 4.4, on purpose, and still speaks the same protocol:

- election timers are short until a leader was heard in this process, and after a closed connection (``QuorumConfig``); a voter whose own
  connection to the leader closed grants pre-votes at once, where Kafka's waits for its fetch timer;
- an election that somebody rejected does not wait for those who are silent, and fetch timers are a little random;
- a resigned leader names nobody as leader, so that nobody fetches from it;
- a follower whose log parts from the leader's below the leader's log start loads the snapshot, where Kafka truncates it to the log start.

Invariants of the whole (docs/invariants.md): at most one leader in a quorum epoch (M1); quorum epoch and vote are durable before they are
spoken, one vote in a quorum epoch (M2); committed records agree on all members (M3); what is under the high watermark is synced on a
majority of the voters (M4).
"""

from collections.abc import Sequence
from typing import TypeVar

from holdwater.core.quorum.checkpoint import build_checkpoint, data_batch
from holdwater.core.quorum.config import QuorumConfig
from holdwater.core.quorum.describe import describe_quorum
from holdwater.core.quorum.effects import Effect, Request, Response, SendRequest
from holdwater.core.quorum.elections import Elections
from holdwater.core.quorum.following import Following
from holdwater.core.quorum.leading import Leading
from holdwater.core.quorum.roles import Follower, Leader, Resigned, Role
from holdwater.core.quorum.rpc import Answered, answered
from holdwater.core.quorum.state import Member
from holdwater.core.quorum.voters import Endpoint, ReplicaKey, VoterSet
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import Log, SnapshotId, SnapshotStore, VoteStore
from holdwater.kernel.rng import Rng
from holdwater.wire.messages import (
    BeginQuorumEpochRequest,
    BeginQuorumEpochResponse,
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    EndQuorumEpochRequest,
    EndQuorumEpochResponse,
    FetchRequest,
    FetchResponse,
    FetchSnapshotRequest,
    FetchSnapshotResponse,
    VoteRequest,
    VoteResponse,
)

T = TypeVar("T")


_RESPONSE_TO: dict[type[Request], type[Response]] = {
    VoteRequest: VoteResponse,
    BeginQuorumEpochRequest: BeginQuorumEpochResponse,
    EndQuorumEpochRequest: EndQuorumEpochResponse,
    FetchRequest: FetchResponse,
    FetchSnapshotRequest: FetchSnapshotResponse,
}


class NotLeader(Exception):  # noqa: N818 - named for what the member is
    """Only the leader of the quorum epoch may append."""


class Quorum:
    """One member of the metadata quorum."""

    def __init__(
        self, config: QuorumConfig, log: Log, snapshots: SnapshotStore, votes: VoteStore, rng: Rng, mono_ms: int, wall_ms: int
    ) -> None:
        """Start from what is stored. Raises ``DiskFailure``, and ``CorruptRecords`` for a damaged snapshot or log."""
        self._member = Member(config, log, snapshots, votes, rng, mono_ms)
        self._leading = Leading(self._member)
        self._following = Following(self._member)
        self._elections = Elections(self._member, self._leading)
        self._now_ms = mono_ms
        self._elections.start_if_alone(mono_ms, wall_ms)
        self._pump(mono_ms)

    # -- what is known -----------------------------------------------------------------------------------------------------------------

    @property
    def leader_id(self) -> int:
        """The leader, or -1. It may have died since."""
        return self._member.role.leader_id

    @property
    def epoch(self) -> int:
        """The quorum epoch."""
        return self._member.epoch

    @property
    def is_leader(self) -> bool:
        """Whether this member leads."""
        return isinstance(self._member.role, Leader)

    @property
    def high_watermark(self) -> int:
        """Every record below it is committed, as far as this member knows."""
        return self._member.high_watermark

    @property
    def voters(self) -> VoterSet:
        """The voter set in force, with endpoints."""
        return self._member.voters

    @property
    def is_voter(self) -> bool:
        """Whether this member votes."""
        return self._member.is_voter

    @property
    def leader_endpoint(self) -> Endpoint | None:
        """Where the leader is reached."""
        return self._member.leader_view().endpoint

    @property
    def latest_snapshot(self) -> SnapshotId | None:
        """The newest stored snapshot: where a state machine starts that has read nothing yet."""
        return self._member.log.latest_snapshot

    @property
    def role(self) -> Role:
        """The role and what it remembers, to look at."""
        return self._member.role

    @property
    def voted(self) -> ReplicaKey | None:
        """Whom this member has voted for in its quorum epoch; on disk already (M2)."""
        return self._member.role.voted

    @property
    def role_name(self) -> str:
        """The role, for logs and metrics."""
        return type(self._member.role).__name__.lower()

    # -- requests from peers -----------------------------------------------------------------------------------------------------------

    def handle_vote(self, request: VoteRequest, mono_ms: int) -> VoteResponse:
        """Vote or pre-vote. A granted vote is durable when this returns."""
        return self._done(mono_ms, self._elections.handle_vote(request, mono_ms))

    def handle_begin_quorum_epoch(self, request: BeginQuorumEpochRequest, mono_ms: int) -> BeginQuorumEpochResponse:
        """A leader presents itself."""
        return self._done(mono_ms, self._following.handle_begin_quorum_epoch(request, mono_ms))

    def handle_end_quorum_epoch(self, request: EndQuorumEpochRequest, mono_ms: int) -> EndQuorumEpochResponse:
        """A leader resigns."""
        return self._done(mono_ms, self._following.handle_end_quorum_epoch(request, mono_ms))

    def handle_fetch(self, request: FetchRequest, tag: object, mono_ms: int, wall_ms: int) -> FetchResponse | None:
        """A fetch of the metadata partition: its answer, or ``None``, and then a ``Reply`` effect with ``tag`` answers it later."""
        return self._done(mono_ms, self._leading.handle_fetch(request, tag, mono_ms, wall_ms))

    def forget_fetch(self, tag: object) -> None:
        """The connection of a waiting fetch closed."""
        self._member.parked.forget(tag)

    def handle_fetch_snapshot(self, request: FetchSnapshotRequest, mono_ms: int) -> FetchSnapshotResponse:
        """A slice of a snapshot."""
        return self._done(mono_ms, self._leading.handle_fetch_snapshot(request, mono_ms))

    def handle_describe_quorum(self, request: DescribeQuorumRequest, mono_ms: int, wall_ms: int) -> DescribeQuorumResponse:
        """What the leader knows of the replicas."""
        return describe_quorum(self._member, request, mono_ms, wall_ms)

    # -- answers from peers ------------------------------------------------------------------------------------------------------------

    def on_response(self, sent: SendRequest, response: Response, mono_ms: int, wall_ms: int) -> None:
        """The answer to a request. Answers to requests that no longer matter are ignored.

        A host that cannot encode a request for its peer's versions gives the answer UNSUPPORTED_VERSION itself.
        """
        member = self._member
        if not member.peers.take(sent.peer, sent.number):
            return
        answer = answered(response, member.config.listener_name)
        if answer is None or not isinstance(response, _RESPONSE_TO[type(sent.request)]):
            self._no_answer(sent, mono_ms, wall_ms)
        else:
            before = member.role
            if answer.view.epoch >= member.epoch:
                member.learn(answer.view, mono_ms)
            useful = self._dispatch(sent, answer, response, mono_ms, wall_ms)
            if useful:
                member.peers.succeeded(sent.peer)
            elif member.role is before:
                member.peers.failed(sent.peer, mono_ms)
        self._pump(mono_ms)

    def _dispatch(self, sent: SendRequest, answer: Answered, response: Response, mono_ms: int, wall_ms: int) -> bool:
        """Hand an answer to the part that asked; false when it was of no use, and the peer should be let alone for a while."""
        if isinstance(response, VoteResponse):
            return self._elections.on_response(sent.peer, answer, response, mono_ms, wall_ms)
        if isinstance(response, FetchResponse):
            assert isinstance(sent.request, FetchRequest)
            return self._following.on_fetch_response(sent.peer, answer, sent.request, response, mono_ms, wall_ms)
        if isinstance(response, FetchSnapshotResponse):
            return self._following.on_snapshot_response(answer, response, mono_ms)
        return answer.error == ErrorCode.NONE and self._on_acknowledged(sent.peer)

    def on_failure(self, sent: SendRequest, mono_ms: int, wall_ms: int) -> None:
        """A request got no answer: its time ran out, or its connection closed (then call ``on_disconnected`` as well)."""
        if self._member.peers.take(sent.peer, sent.number):
            self._no_answer(sent, mono_ms, wall_ms)
            self._pump(mono_ms)

    def on_connected(self, peer: int, mono_ms: int) -> None:
        """A connection to the peer is open: what waits for it need wait no longer."""
        if self._member.peers.outstanding(peer) is None:
            self._member.peers.end_pause(peer)
        self._pump(mono_ms)

    def on_disconnected(self, peer: int, mono_ms: int, wall_ms: int) -> None:
        """The connection to the peer closed, or nobody listens there: evidence that its process is gone. Ends what was outstanding."""
        member = self._member
        member.peers.disconnected(peer, mono_ms)
        self._elections.on_failure(peer, mono_ms, wall_ms)
        if isinstance(member.role, Follower) and member.role.leader_id == peer:
            self._following.suspect_leader(mono_ms)
        self._pump(mono_ms)

    # -- the leader's host -------------------------------------------------------------------------------------------------------------

    def append(self, values: Sequence[bytes], mono_ms: int, wall_ms: int, *, leader_epoch: int | None = None) -> int:
        """Append encoded metadata records as one batch; returns the offset of the last. They are committed once the high watermark passes it.

        Raises ``NotLeader`` when this member does not lead, or not in ``leader_epoch``; ``ValueError`` for no records or too many bytes.
        """
        if not self.is_leader or leader_epoch not in {None, self.epoch}:
            raise NotLeader(f"node {self._member.config.node_id} is {self.role_name} in quorum epoch {self.epoch}")
        batch = data_batch(values, wall_ms)
        limit = self._member.config.batch_max_bytes
        if len(batch) > limit:
            raise ValueError(f"a batch of {len(values)} records has {len(batch)} bytes, at most {limit} are allowed")
        return self._done(mono_ms, self._leading.append(batch, wall_ms))

    def resign(self, mono_ms: int) -> None:
        """Begin a graceful stop: give up leadership, tell the others, and stand for no election any more."""
        self._member.is_stopping = True
        if self.is_leader:
            self._leading.resign(mono_ms)
        self._pump(mono_ms)

    def give_up_leadership(self, mono_ms: int) -> None:
        """Let another lead, and stand again when it should fail."""
        if self.is_leader:
            self._leading.resign(mono_ms)
            self._pump(mono_ms)

    # -- snapshots ---------------------------------------------------------------------------------------------------------------------

    def take_snapshot(self, end_offset: int, values: Sequence[bytes], last_contained_log_timestamp_ms: int, wall_ms: int) -> SnapshotId:
        """Store the state machine's records as of ``end_offset`` as a snapshot, with the voters of that offset; durable on return.

        Raises ``ValueError`` unless the offset is committed, the end of a batch, and above the newest snapshot's.
        """
        member = self._member
        latest = member.log.latest_snapshot
        floor = max(member.log.start_offset, latest.end_offset if latest is not None else 0)
        if not floor < end_offset <= member.high_watermark:
            raise ValueError(
                f"no snapshot at {end_offset}: it must be above {floor} and at most the high watermark {member.high_watermark}"
            )
        if not member.log.is_batch_boundary(end_offset):
            raise ValueError(f"no snapshot at {end_offset}: it is inside a batch")
        snapshot_id = SnapshotId(end_offset, member.log.epoch_before(end_offset))
        content = build_checkpoint(
            member.history.voters_at(end_offset),
            member.history.version_at(end_offset),
            values,
            wall_ms,
            last_contained_log_timestamp_ms=last_contained_log_timestamp_ms,
            leader_epoch=snapshot_id.epoch,
        )
        member.log.store_snapshot(snapshot_id, content)
        return snapshot_id

    def discard_before_snapshot(self) -> None:
        """Drop the log and the snapshots that the newest snapshot stands for; followers behind it will load it."""
        snapshot = self._member.log.replicated_snapshot
        if snapshot is not None and snapshot.end_offset > self._member.log.start_offset:
            self._member.log.discard_before(snapshot)

    # -- time --------------------------------------------------------------------------------------------------------------------------

    def tick(self, mono_ms: int, wall_ms: int) -> None:
        """Do what is due: sync the leader's log, end waits, act on timers, send again. Calling it early does no harm."""
        self._leading.tick(mono_ms)
        for sent_peer in self._member.peers.timed_out(mono_ms):
            self._member.peers.failed(sent_peer, mono_ms)
            self._elections.on_failure(sent_peer, mono_ms, wall_ms)
        self._elections.tick(mono_ms, wall_ms)
        self._pump(mono_ms)

    def next_deadline(self) -> int:
        """When ``tick`` has something to do (monotonic ms): not after now when it has already, 2^63 - 1 when it never will by itself."""
        return min(
            self._elections.deadline_ms(),
            self._elections.send_deadline_ms(),
            self._leading.deadline_ms(self._now_ms),
            self._following.deadline_ms(self._now_ms),
            self._member.peers.next_deadline_ms(),
        )

    def take_effects(self) -> list[Effect]:
        """What is to be done since the last call, in order."""
        effects = self._member.effects
        self._member.effects = []
        return effects

    # -- inside ------------------------------------------------------------------------------------------------------------------------

    def _done(self, mono_ms: int, result: T) -> T:
        self._pump(mono_ms)
        return result

    def _pump(self, mono_ms: int) -> None:
        """Send what the present role wants sent and can be sent now."""
        self._now_ms = mono_ms
        self._elections.pump(mono_ms)
        self._leading.pump(mono_ms)
        self._following.pump(mono_ms)

    def _no_answer(self, sent: SendRequest, mono_ms: int, wall_ms: int) -> None:
        self._member.peers.failed(sent.peer, mono_ms)
        if isinstance(sent.request, VoteRequest):
            self._elections.on_failure(sent.peer, mono_ms, wall_ms)

    def _on_acknowledged(self, voter_id: int) -> bool:
        """A voter answered that it knows of a leader's beginning or resignation."""
        role = self._member.role
        if isinstance(role, Leader) and voter_id in role.voters:
            role.voters[voter_id].acknowledged = True
        elif isinstance(role, Resigned) and voter_id in role.unacknowledged:
            role.unacknowledged.remove(voter_id)
        return True
