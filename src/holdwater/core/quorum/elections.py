"""Elections: votes and pre-votes given and asked for, and the timers that start them (KIP-595, KIP-996; quick start, quick failover).

Invariants: a vote is durable before the response that grants it is returned; pre-votes change nothing durable; a member that is no voter, or
is stopping, never stands, though it may grant (the candidate's voter set decides who counts).
"""

from holdwater.core.quorum.leading import Leading
from holdwater.core.quorum.roles import NO_DEADLINE, Answer, Candidate, Follower, Prospective, Resigned, Tally, Unattached, grants_vote
from holdwater.core.quorum.rpc import VOTE_VERSION, Answered, read_vote_request, read_vote_response, vote_request, vote_response
from holdwater.core.quorum.state import Member
from holdwater.core.quorum.voters import ReplicaKey
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import NO_NODE, ZERO_UUID
from holdwater.wire.messages import VoteRequest, VoteResponse


class Elections:
    """The voting half of a member."""

    def __init__(self, member: Member, leading: Leading) -> None:
        self._member = member
        self._leading = leading

    # -- votes given -------------------------------------------------------------------------------------------------------------------

    def handle_vote(self, request: VoteRequest, mono_ms: int) -> VoteResponse:
        """Answer a vote or pre-vote. What is granted is durable when this returns."""
        member = self._member
        if request.cluster_id is not None and request.cluster_id != member.config.cluster_id:
            return VoteResponse(error_code=ErrorCode.INCONSISTENT_CLUSTER_ID)
        asked = read_vote_request(request)
        if asked is None:
            return VoteResponse(error_code=ErrorCode.INVALID_REQUEST)
        error = self._refusal(asked)
        if error == ErrorCode.NONE and asked.replica_epoch > member.epoch:
            member.become_unattached(asked.replica_epoch, mono_ms)
        if error == ErrorCode.NONE and not self._is_meant_for_us(request.voter_id, asked.voter_directory_id):
            error = ErrorCode.INVALID_VOTER_KEY
        granted = False
        if error == ErrorCode.NONE:
            candidate = ReplicaKey(asked.replica_id, asked.replica_directory_id)
            if isinstance(member.role, Follower) and mono_ms >= member.role.fetch_deadline_ms:
                member.role.heard = False  # the timer ran out, and ``tick`` has not been called yet
            up_to_date = member.log.is_up_to_date(asked.last_offset_epoch, asked.last_offset)
            granted = grants_vote(member.role, candidate, log_is_up_to_date=up_to_date, pre_vote=asked.pre_vote)
            if granted and not asked.pre_vote and member.role.voted is None:
                member.become_unattached(member.epoch, mono_ms, voted=candidate)
        return vote_response(member.leader_view(), error, granted=granted)

    def _refusal(self, asked: VoteRequest.PartitionData) -> ErrorCode:
        # A candidate has raised its quorum epoch above that of every record it has; a pre-vote asks in the present one.
        last_epoch_limit = asked.replica_epoch if asked.pre_vote else asked.replica_epoch - 1
        if asked.last_offset < 0 or asked.last_offset_epoch < 0 or asked.last_offset_epoch > last_epoch_limit:
            return ErrorCode.INVALID_REQUEST
        if asked.replica_epoch < self._member.epoch:
            return ErrorCode.FENCED_LEADER_EPOCH
        if asked.replica_id < 0 or asked.replica_id == self._member.config.node_id:
            return ErrorCode.INVALID_REQUEST
        return ErrorCode.NONE

    def _is_meant_for_us(self, voter_id: int, directory_id: bytes) -> bool:
        """Whether the receiver that the request names is this member, with the disk it has now (v0 names nobody)."""
        own = self._member.config.key
        return voter_id in {NO_NODE, own.id} and directory_id in {ZERO_UUID, own.directory_id}

    # -- votes asked for ---------------------------------------------------------------------------------------------------------------

    def start_if_alone(self, mono_ms: int, wall_ms: int) -> None:
        """The only voter needs nobody's vote and waits for no timer."""
        role = self._member.role
        if self._member.is_only_voter and isinstance(role, Unattached | Resigned | Follower) and not self._member.is_stopping:
            if isinstance(role, Resigned):
                self._member.become_unattached(role.epoch + 1, mono_ms)
            self._stand(mono_ms, wall_ms)

    def tick(self, mono_ms: int, wall_ms: int) -> None:
        """Act on election timers that ran out."""
        member = self._member
        role = member.role
        if mono_ms < self.deadline_ms():
            return
        if isinstance(role, Unattached | Follower):
            self._stand(mono_ms, wall_ms)
        elif isinstance(role, Prospective):
            self._lose_pre_vote(role, mono_ms)
        elif isinstance(role, Candidate):
            member.lost_election_count += 0 if role.backing_off else 1
            self._stand(mono_ms, wall_ms)
        elif isinstance(role, Resigned):
            # One higher, so that nobody is told any more that this member leads the quorum epoch it gave up.
            member.become_unattached(role.epoch + 1, mono_ms)

    def deadline_ms(self) -> int:
        """When the election timer of the present role runs out."""
        member = self._member
        role = member.role
        if member.is_stopping or not member.is_voter:
            return NO_DEADLINE
        if isinstance(role, Follower):
            return min(role.fetch_deadline_ms, role.suspicion_deadline_ms)
        if isinstance(role, Unattached | Prospective | Candidate | Resigned):
            return role.election_deadline_ms
        return NO_DEADLINE

    def pump(self, mono_ms: int) -> None:
        """Ask the voters that have not answered and can be asked now."""
        member = self._member
        role = member.role
        if not isinstance(role, Prospective | Candidate) or role.tally.is_lost:
            return
        for voter_id in role.tally.unanswered():
            voter = member.voters.get(voter_id)
            endpoint = member.endpoint_of(voter_id)
            if voter is None or endpoint is None or not member.peers.is_ready(voter_id, mono_ms):
                continue
            request = vote_request(
                member.config.cluster_id,
                member.config.key,
                voter.key,
                role.epoch,
                member.log.last_epoch,
                member.log.end_offset,
                pre_vote=isinstance(role, Prospective),
            )
            member.send(voter_id, endpoint, VOTE_VERSION, request, mono_ms)

    def send_deadline_ms(self) -> int:
        """When the next voter can be asked."""
        role = self._member.role
        if not isinstance(role, Prospective | Candidate) or role.tally.is_lost:
            return NO_DEADLINE
        return self._member.next_peer_deadline_ms([v for v in role.tally.unanswered() if self._member.endpoint_of(v) is not None])

    def on_response(self, voter_id: int, answer: Answered, response: VoteResponse, mono_ms: int, wall_ms: int) -> bool:
        """Count an answer to this election. Returns whether it was one; an error is none, and the voter is asked again later."""
        role = self._member.role
        if not isinstance(role, Prospective | Candidate):
            return True
        if answer.error == ErrorCode.UNSUPPORTED_VERSION and isinstance(role, Prospective):
            # A voter that does not know pre-vote: do without, as before KIP-996.
            self._run(mono_ms, wall_ms)
            return True
        partition = read_vote_response(response)
        granted = answer.error == ErrorCode.NONE and partition is not None and partition.vote_granted
        counts = answer.error in {ErrorCode.NONE, ErrorCode.INVALID_VOTER_KEY}
        role.tally.record(voter_id, Answer.GRANTED if granted else Answer.REJECTED if counts else Answer.UNREACHABLE)
        self._judge(role.tally, mono_ms, wall_ms)
        return counts

    def on_failure(self, voter_id: int, mono_ms: int, wall_ms: int) -> None:
        """A voter could not be asked."""
        role = self._member.role
        if isinstance(role, Prospective | Candidate):
            role.tally.record(voter_id, Answer.UNREACHABLE)
            self._judge(role.tally, mono_ms, wall_ms)

    def _stand(self, mono_ms: int, wall_ms: int) -> None:
        self._member.become_prospective(mono_ms)
        self._judge_role(mono_ms, wall_ms)

    def _run(self, mono_ms: int, wall_ms: int) -> None:
        self._member.become_candidate(mono_ms)
        self._judge_role(mono_ms, wall_ms)

    def _judge_role(self, mono_ms: int, wall_ms: int) -> None:
        role = self._member.role
        if isinstance(role, Prospective | Candidate):
            self._judge(role.tally, mono_ms, wall_ms)

    def _judge(self, tally: Tally, mono_ms: int, wall_ms: int) -> None:
        """Move on when the election is decided either way."""
        member = self._member
        role = member.role
        if isinstance(role, Candidate) and not role.backing_off and tally.is_lost:
            member.lost_election_count += 1
            role.backing_off = True
            role.election_deadline_ms = mono_ms + member.suspicion_ms()
        elif isinstance(role, Candidate) and tally.is_won:
            self._leading.start(tally.granted(), mono_ms, wall_ms)
        elif isinstance(role, Prospective) and tally.is_won:
            self._run(mono_ms, wall_ms)
        elif isinstance(role, Prospective) and tally.is_lost:
            self._lose_pre_vote(role, mono_ms)
        elif isinstance(role, Prospective | Candidate) and tally.is_contested:
            # Those who are silent now probably stay so: a rival stands, or the network is split.
            role.election_deadline_ms = min(role.election_deadline_ms, mono_ms + member.patience_ms())

    def _lose_pre_vote(self, role: Prospective, mono_ms: int) -> None:
        """Back to the leader that was lost, if it is known: it may be the others who are right. Else wait."""
        member = self._member
        member.lost_election_count += 1
        if role.leader_id != NO_NODE and role.leader_endpoint is not None:
            member.become_follower(role.epoch, role.leader_id, role.leader_endpoint, mono_ms)
        else:
            member.become_unattached(role.epoch, mono_ms)
