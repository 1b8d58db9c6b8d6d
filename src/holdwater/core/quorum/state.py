"""What every role shares: the durable vote, the log, the voters, the links to peers, and the only methods that change the role.

Invariants, asserted here:

- the quorum epoch never falls, in memory or on disk (M1, M2);
- within a quorum epoch a vote once given and a leader once known do not change (M1, M2);
- what is about to be said is saved before: ``VoteStore.save`` returns before the role that speaks of it begins (M2);
- the high watermark never falls, is never above the log end, and the log is never cut below it (M3, M4);
- a role follows another only as ``roles.TRANSITIONS`` allows, and keeps the quorum epoch only as ``roles.WITHIN_ONE_EPOCH`` allows.
"""

from holdwater.core.quorum.checkpoint import control_messages, is_control, read_checkpoint
from holdwater.core.quorum.config import QuorumConfig
from holdwater.core.quorum.effects import Effect, HighWatermarkAdvanced, LeadershipChanged, Reply, Request, SendRequest
from holdwater.core.quorum.log_view import MetadataLog
from holdwater.core.quorum.parked import ParkedFetches
from holdwater.core.quorum.peers import Peers
from holdwater.core.quorum.roles import (
    NO_DEADLINE,
    TRANSITIONS,
    WITHIN_ONE_EPOCH,
    Candidate,
    Follower,
    Leader,
    Prospective,
    Resigned,
    Role,
    Tally,
    Unattached,
)
from holdwater.core.quorum.rpc import LeaderView, fetch_response
from holdwater.core.quorum.voters import Endpoint, ReplicaKey, VoterHistory, VoterSet
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import NO_NODE, NO_OFFSET, ZERO_UUID
from holdwater.kernel.invariant import invariant
from holdwater.kernel.ports import Log, SnapshotStore, Vote, VoteStore
from holdwater.kernel.rng import Rng
from holdwater.wire.messages import KRaftVersionRecord, VotersRecord
from holdwater.wire.records import batches

FIRST_BOOTSTRAP_PEER = -2
_SCAN_BYTES = 1024 * 1024


class Member:
    """One member of the quorum: a voter or an observer."""

    def __init__(self, config: QuorumConfig, log: Log, snapshots: SnapshotStore, votes: VoteStore, rng: Rng, mono_ms: int) -> None:
        self.config = config
        self.log = MetadataLog(log, snapshots)
        self.rng = rng
        self.peers = Peers(config)
        self.parked = ParkedFetches(config.parked_fetch_count_max)
        self.history = VoterHistory(config.static_voters)
        self.effects: list[Effect] = []
        self.has_heard_a_leader = False
        """In the life of this process: ends the quick start."""
        self.lost_election_count = 0
        """In a row, since a leader was last heard; widens the pauses between elections."""
        self.is_stopping = False
        """A graceful stop has begun: never stand for election again."""
        self._votes = votes
        self._saved = votes.load()
        self._load_voters()
        self.high_watermark = self.log.latest_snapshot.end_offset if self.log.latest_snapshot is not None else 0
        """Every record below it is committed, as far as this member knows."""
        self.role: Role = self._first_role(self._saved, mono_ms)
        self._save(self.role.epoch, self.role.leader_id, self.role.voted)
        self._announced = LeadershipChanged(NO_NODE, -1, is_self=False, epoch_start_offset=NO_OFFSET)
        self._announce()

    # -- who and what ------------------------------------------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """The quorum epoch this member is in."""
        return self.role.epoch

    @property
    def voters(self) -> VoterSet:
        """The voter set in force."""
        return self.history.current

    @property
    def is_voter(self) -> bool:
        """Whether this member, with its directory id, is in the voter set."""
        return self.voters.has(self.config.key)

    @property
    def is_only_voter(self) -> bool:
        """Whether this member alone decides."""
        return self.is_voter and len(self.voters) == 1

    def leader_view(self) -> LeaderView:
        """What peers are told about the leader. A resigned one is not told: nobody should fetch from it."""
        role = self.role
        if isinstance(role, Leader):
            endpoint = next((e for e in self.config.endpoints if e.name == self.config.listener_name), None)
        elif isinstance(role, Follower | Prospective):
            endpoint = role.leader_endpoint
        else:
            endpoint = None
        return LeaderView(role.leader_id, role.epoch, endpoint)

    def endpoint_of(self, voter_id: int) -> Endpoint | None:
        """Where a voter is reached."""
        voter = self.voters.get(voter_id)
        return voter.endpoint(self.config.listener_name) if voter is not None else None

    # -- timers ------------------------------------------------------------------------------------------------------------------------

    def election_timeout_ms(self) -> int:
        """A new election timer: short until this process has heard a leader (quick start), else one to two election timeouts."""
        if not self.has_heard_a_leader:
            return self.rng.uniform_ms(0, self.config.quick_start_ms) + self._widening_ms()
        return self.nominee_timeout_ms()

    def nominee_timeout_ms(self) -> int:
        """How long an election may go on: one to two election timeouts, drawn at random so that rivals part."""
        return self.rng.uniform_ms(self.config.election_timeout_ms, 2 * self.config.election_timeout_ms - 1)

    def patience_ms(self) -> int:
        """How long an election that somebody has rejected waits for those who have not answered."""
        return self.rng.uniform_ms(self.config.election_timeout_ms // 4, self.config.election_timeout_ms // 2)

    def fetch_timeout_ms(self) -> int:
        """A new fetch timer. A little random, or two followers that one response has served stand at the same moment and split the vote."""
        return self.config.fetch_timeout_ms + self.rng.uniform_ms(0, self.config.suspicion_high_ms)

    def suspicion_ms(self) -> int:
        """How long a follower that has evidence against its leader waits for it, and how long a lost election is let rest."""
        return self.rng.uniform_ms(self.config.suspicion_low_ms, self.config.suspicion_high_ms) + self._widening_ms()

    def _widening_ms(self) -> int:
        """Each lost election doubles the range that the next pause is drawn from, up to quorum.election.backoff.max.ms."""
        if self.lost_election_count == 0:
            return 0
        width_ms = self.config.suspicion_high_ms << min(self.lost_election_count - 1, 10)
        return self.rng.uniform_ms(0, min(width_ms, self.config.election_backoff_max_ms))

    # -- changes of role ---------------------------------------------------------------------------------------------------------------

    def become_unattached(self, epoch: int, mono_ms: int, *, voted: ReplicaKey | None = None) -> None:
        """A higher quorum epoch was heard of, or a vote is given, or an election was lost and no leader is known."""
        kept = self.role.voted if epoch == self.epoch else None
        leader_id = self.role.leader_id if epoch == self.epoch else NO_NODE
        # A vote just given deserves a full timer: the candidate is about to win.
        timeout_ms = self.nominee_timeout_ms() if voted is not None else self.election_timeout_ms()
        self._enter(Unattached(epoch, voted or kept, mono_ms + timeout_ms, leader_id))

    def become_prospective(self, mono_ms: int) -> None:
        """Ask for pre-votes. The quorum epoch stays."""
        role = self.role
        endpoint = role.leader_endpoint if isinstance(role, Follower) else None
        leader_id = NO_NODE if isinstance(role, Candidate) else role.leader_id
        tally = Tally(self.voters, self.config.node_id)
        self._enter(Prospective(role.epoch, role.voted, mono_ms + self.nominee_timeout_ms(), tally, leader_id, endpoint))

    def become_candidate(self, mono_ms: int) -> None:
        """Raise the quorum epoch and vote for oneself."""
        tally = Tally(self.voters, self.config.node_id)
        self._enter(Candidate(self.epoch + 1, self.config.key, mono_ms + self.nominee_timeout_ms(), tally))

    def become_leader(self, mono_ms: int) -> Leader:
        """Lead the quorum epoch just won; the caller writes its first records."""
        deadline_ms = mono_ms + self.config.check_quorum_timeout_ms
        leader = Leader(self.epoch, self.config.key, self.config.node_id, self.log.end_offset, deadline_ms)
        self.has_heard_a_leader = True
        self.lost_election_count = 0
        self._enter(leader)
        return leader

    def become_follower(self, epoch: int, leader_id: int, endpoint: Endpoint, mono_ms: int) -> None:
        """Follow the leader of ``epoch``."""
        invariant(leader_id != self.config.node_id, f"node {leader_id} cannot follow itself in quorum epoch {epoch}")
        voted = self.role.voted if epoch == self.epoch else None
        self._enter(Follower(epoch, voted, leader_id, endpoint, mono_ms + self.fetch_timeout_ms()))

    def become_resigned(self, successors: list[ReplicaKey], mono_ms: int) -> None:
        """Stop leading; the quorum epoch is over for this member."""
        unacknowledged = [voter.id for voter in self.voters.voters if voter.id != self.config.node_id]
        self._enter(Resigned(self.epoch, self.role.voted, mono_ms + self.election_timeout_ms(), successors, unacknowledged))

    def learn(self, view: LeaderView, mono_ms: int) -> None:
        """A peer's message speaks of a leader or a quorum epoch not below ours: take over what is new in it."""
        endpoint = view.endpoint or self.endpoint_of(view.leader_id)
        if view.leader_id == self.config.node_id:
            # We lead, or led: a restarted leader resigned, and one that lost even its vote must not follow itself.
            if view.epoch > self.epoch:
                self.become_unattached(view.epoch, mono_ms)
            return
        if view.epoch > self.epoch:
            if view.leader_id == NO_NODE or endpoint is None:
                self.become_unattached(view.epoch, mono_ms)
            else:
                self.become_follower(view.epoch, view.leader_id, endpoint, mono_ms)
            return
        if view.epoch < self.epoch or view.leader_id == NO_NODE:
            return
        role = self.role
        invariant(
            not isinstance(role, Leader | Resigned), f"two leaders in quorum epoch {self.epoch}: {self.config.node_id} and {view.leader_id}"
        )
        invariant(
            role.leader_id in {NO_NODE, view.leader_id}, f"two leaders in quorum epoch {self.epoch}: {role.leader_id} and {view.leader_id}"
        )
        knows = isinstance(role, Follower) or (isinstance(role, Prospective) and role.leader_id != NO_NODE)
        if not knows and endpoint is not None:
            self.become_follower(view.epoch, view.leader_id, endpoint, mono_ms)

    def _first_role(self, vote: Vote | None, mono_ms: int) -> Role:
        """The role at start. Never one that speaks for a leader or candidate of before: what it said then may not be known now."""
        if vote is None or vote.epoch < self.log.last_epoch:
            return Unattached(self.log.last_epoch, None, mono_ms + self.election_timeout_ms())
        voted = ReplicaKey(vote.voted_id, vote.voted_directory_id) if vote.voted_id != NO_NODE else None
        if vote.leader_id == self.config.node_id:
            return Resigned(vote.epoch, voted, mono_ms + self.election_timeout_ms())
        endpoint = self.endpoint_of(vote.leader_id) if vote.leader_id != NO_NODE else None
        if endpoint is not None:
            return Follower(vote.epoch, voted, vote.leader_id, endpoint, mono_ms + self.fetch_timeout_ms())
        return Unattached(vote.epoch, voted, mono_ms + self.election_timeout_ms(), vote.leader_id)

    def _enter(self, role: Role) -> None:
        old = self.role
        legal = TRANSITIONS if role.epoch > old.epoch else WITHIN_ONE_EPOCH
        invariant(
            role.epoch >= old.epoch and type(role) in legal[type(old)],
            f"illegal transition from {type(old).__name__} in quorum epoch {old.epoch} to {type(role).__name__} in {role.epoch}",
        )
        self._save(role.epoch, role.leader_id, role.voted)
        self.role = role
        self.peers.forget_outstanding()
        if isinstance(old, Leader):
            for tag in self.parked.take_all():
                self.effects.append(Reply(tag, fetch_response(self.leader_view(), ErrorCode.NOT_LEADER_OR_FOLLOWER)))
        self._announce()

    def _save(self, epoch: int, leader_id: int, voted: ReplicaKey | None) -> None:
        """Make epoch, leader and vote durable. A resigned leader stays on record as the leader: after a restart it must resign again."""
        stored = self._saved
        if stored is not None and stored.epoch == epoch:
            leader_id = stored.leader_id if leader_id == NO_NODE else leader_id
        voted_id, voted_directory_id = voted if voted is not None else (NO_NODE, ZERO_UUID)
        vote = Vote(epoch, leader_id, voted_id, voted_directory_id)
        if vote == stored:
            return
        if stored is not None:
            invariant(epoch >= stored.epoch, f"quorum epoch falls from {stored.epoch} to {epoch}")
            if epoch == stored.epoch:
                invariant(stored.leader_id in {NO_NODE, leader_id}, f"leader of quorum epoch {epoch} changes: {stored} to {vote}")
                invariant(
                    stored.voted_id == NO_NODE or (stored.voted_id, stored.voted_directory_id) == (voted_id, voted_directory_id),
                    f"vote of quorum epoch {epoch} changes: {stored} to {vote}",
                )
        self._votes.save(vote)
        self._saved = vote

    def _announce(self) -> None:
        role = self.role
        start = role.epoch_start_offset if isinstance(role, Leader) else NO_OFFSET
        change = LeadershipChanged(role.leader_id, role.epoch, isinstance(role, Leader), start)
        if change != self._announced:
            self._announced = change
            self.effects.append(change)

    # -- log and voters ----------------------------------------------------------------------------------------------------------------

    def advance_high_watermark(self, offset: int) -> bool:
        """Records below ``offset`` are committed; returns whether that is news."""
        invariant(offset <= self.log.end_offset, f"high watermark {offset} above the log end {self.log.end_offset}")
        if offset <= self.high_watermark:
            return False
        self.high_watermark = offset
        self.effects.append(HighWatermarkAdvanced(offset))
        return True

    def truncate_to(self, offset: int) -> None:
        """Cut the log, and take back the voter sets that were stated above."""
        invariant(offset >= self.high_watermark, f"truncation to {offset}, below the high watermark {self.high_watermark}")
        self.log.log.truncate_to(offset)
        self.history.truncate_to(offset)

    def note_voters(self, data: bytes) -> bool:
        """Take voter sets and kraft versions out of whole batches; returns whether the voter set changed."""
        before = self.voters
        for position, header, _ in batches(data):
            if not is_control(header):
                continue
            for offset, message in control_messages(data, position, header):
                if isinstance(message, VotersRecord):
                    self.history.add_voters(offset, VoterSet.from_record(message))
                elif isinstance(message, KRaftVersionRecord):
                    self.history.add_version(offset, message.kraft_version)
        return self.voters != before

    def note_voters_in_log(self, offset: int) -> None:
        """Do so for the log from ``offset`` to its end."""
        while offset < self.log.end_offset:
            data = self.log.read(offset, _SCAN_BYTES)
            self.note_voters(data)
            offset = max(header.base_offset + header.last_offset_delta + 1 for _, header, _ in batches(data))

    def load_checkpoint_voters(self, content: bytes, end_offset: int) -> None:
        """Start the voters' history again from a snapshot that ends at ``end_offset``."""
        checkpoint = read_checkpoint(content)
        self.history.clear()
        if checkpoint.kraft_version is not None:
            self.history.add_version(end_offset - 1, checkpoint.kraft_version)
        if checkpoint.voters is not None:
            self.history.add_voters(end_offset - 1, checkpoint.voters)

    def _load_voters(self) -> None:
        """Read the voters from the newest snapshot and the log after it."""
        offset = self.log.start_offset
        snapshot = self.log.latest_snapshot
        if snapshot is not None:
            size = self.log.snapshot_size(snapshot)
            invariant(size is not None, f"snapshot {snapshot} is listed and cannot be read")
            self.load_checkpoint_voters(self.log.read_snapshot(snapshot, 0, size or 0), snapshot.end_offset)
            offset = max(offset, snapshot.end_offset)
        self.note_voters_in_log(offset)

    # -- requests ----------------------------------------------------------------------------------------------------------------------

    def send(self, peer: int, endpoint: Endpoint | tuple[str, int], version: int, request: Request, mono_ms: int) -> None:
        """Send a request to a peer that is ready."""
        host, port = endpoint[-2:]
        number = self.peers.sent(peer, request, mono_ms)
        self.effects.append(SendRequest(peer, str(host), int(port), number, version, request))

    def next_peer_deadline_ms(self, peers: list[int]) -> int:
        """When something can next be sent to one of ``peers``, or its request times out."""
        return min((self.peers.ready_or_deadline_ms(peer) for peer in peers), default=NO_DEADLINE)
