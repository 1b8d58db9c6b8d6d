"""The follower's and observer's side: fetching from the leader, truncation, snapshots, and noticing that the leader is gone.

Invariants:

- nothing unsynced is below the offset of a fetch, for the fetch is the acknowledgement (M4): ``_fetch_request`` alone sees to it;
- it truncates only where the leader of its present quorum epoch says that their logs part, never below the high watermark;
- only a fetch that succeeded shows that the leader lives.
"""

from holdwater.core.quorum.checkpoint import read_checkpoint
from holdwater.core.quorum.effects import SnapshotLoaded
from holdwater.core.quorum.roles import NO_DEADLINE, Download, Follower, Prospective, Unattached
from holdwater.core.quorum.rpc import (
    FETCH_SNAPSHOT_VERSION,
    FETCH_VERSION,
    Answered,
    LeaderView,
    begin_quorum_epoch_response,
    end_quorum_epoch_response,
    fetch_request,
    fetch_snapshot_request,
    read_begin_request,
    read_end_request,
    read_fetch_response,
    read_fetch_snapshot_response,
)
from holdwater.core.quorum.state import FIRST_BOOTSTRAP_PEER, Member
from holdwater.core.quorum.voters import Endpoint
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import NO_NODE, ZERO_UUID
from holdwater.kernel.invariant import invariant
from holdwater.kernel.ports import CorruptRecords, EpochEnd, SnapshotId
from holdwater.wire.messages import (
    BeginQuorumEpochRequest,
    BeginQuorumEpochResponse,
    EndQuorumEpochRequest,
    EndQuorumEpochResponse,
    FetchRequest,
    FetchResponse,
    FetchSnapshotResponse,
)


class Following:
    """What a member does while it does not lead."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._next_to_ask = member.rng.below(1024)

    # -- the leader speaks -------------------------------------------------------------------------------------------------------------

    def handle_begin_quorum_epoch(self, request: BeginQuorumEpochRequest, mono_ms: int) -> BeginQuorumEpochResponse:
        """A leader presents itself: follow it if its quorum epoch is not below ours."""
        member = self._member
        if request.cluster_id is not None and request.cluster_id != member.config.cluster_id:
            return BeginQuorumEpochResponse(error_code=ErrorCode.INCONSISTENT_CLUSTER_ID)
        asked = read_begin_request(request)
        if asked is None:
            return BeginQuorumEpochResponse(error_code=ErrorCode.INVALID_REQUEST)
        error = self._refusal(asked.leader_id, asked.leader_epoch)
        if error == ErrorCode.NONE:
            endpoints = [Endpoint(e.name, e.host, e.port) for e in request.leader_endpoints]
            self._hear_leader(asked.leader_id, asked.leader_epoch, endpoints, mono_ms)
            own = member.config.key
            if request.voter_id not in {NO_NODE, own.id} or asked.voter_directory_id not in {ZERO_UUID, own.directory_id}:
                error = ErrorCode.INVALID_VOTER_KEY
        return begin_quorum_epoch_response(member.leader_view(), error)

    def handle_end_quorum_epoch(self, request: EndQuorumEpochRequest, mono_ms: int) -> EndQuorumEpochResponse:
        """The leader resigns: stand for election, at once if it would like this member best, a little later for each one it likes better."""
        member = self._member
        if request.cluster_id is not None and request.cluster_id != member.config.cluster_id:
            return EndQuorumEpochResponse(error_code=ErrorCode.INCONSISTENT_CLUSTER_ID)
        asked = read_end_request(request)
        if asked is None:
            return EndQuorumEpochResponse(error_code=ErrorCode.INVALID_REQUEST)
        error = self._refusal(asked.leader_id, asked.leader_epoch)
        if error == ErrorCode.NONE:
            endpoints = [Endpoint(e.name, e.host, e.port) for e in request.leader_endpoints]
            self._hear_leader(asked.leader_id, asked.leader_epoch, endpoints, mono_ms)
            role = member.role
            if isinstance(role, Follower) and role.leader_id == asked.leader_id:
                ids = [candidate.candidate_id for candidate in asked.preferred_candidates] or asked.preferred_successors
                place = ids.index(member.config.node_id) if member.config.node_id in ids else len(ids)
                role.heard = False
                role.suspicion_deadline_ms = mono_ms + (0 if place == 0 else member.suspicion_ms() * place)
        return end_quorum_epoch_response(member.leader_view(), error)

    def _refusal(self, leader_id: int, epoch: int) -> ErrorCode:
        if epoch < self._member.epoch:
            return ErrorCode.FENCED_LEADER_EPOCH
        if leader_id < 0 or leader_id == self._member.config.node_id:
            return ErrorCode.INVALID_REQUEST
        return ErrorCode.NONE

    def _hear_leader(self, leader_id: int, epoch: int, endpoints: list[Endpoint], mono_ms: int) -> None:
        member = self._member
        endpoint = next((e for e in endpoints if e.name == member.config.listener_name), None)
        endpoint = endpoint or member.endpoint_of(leader_id)
        member.learn(LeaderView(leader_id, epoch, endpoint), mono_ms)
        role = member.role
        if isinstance(role, Prospective) and role.leader_id == leader_id and endpoint is not None:
            # It looked for votes because this leader seemed gone, and here it is.
            member.become_follower(epoch, leader_id, endpoint, mono_ms)

    # -- the leader is silent ----------------------------------------------------------------------------------------------------------

    def suspect_leader(self, mono_ms: int) -> None:
        """There is evidence that the leader is gone: pre-vote starts soon, unless a fetch succeeds before."""
        role = self._member.role
        if isinstance(role, Follower):
            role.heard = False
            if not role.suspicious:
                role.suspicion_deadline_ms = mono_ms + self._member.suspicion_ms()

    # -- fetching ----------------------------------------------------------------------------------------------------------------------

    def pump(self, mono_ms: int) -> None:
        """Fetch from the leader; an observer without one, or whose leader does not answer, asks the next controller it knows."""
        member = self._member
        role = member.role
        if isinstance(role, Follower) and member.peers.is_ready(role.leader_id, mono_ms):
            self._fetch_from_leader(role, mono_ms)
        if self._is_searching(mono_ms):
            self._ask_any(mono_ms)

    def deadline_ms(self, mono_ms: int) -> int:
        """When ``pump`` has something to do."""
        member = self._member
        role = member.role
        deadline = NO_DEADLINE
        if isinstance(role, Follower):
            deadline = member.peers.ready_or_deadline_ms(role.leader_id)
            if not member.is_voter:
                deadline = min(deadline, role.fetch_deadline_ms if mono_ms < role.fetch_deadline_ms else NO_DEADLINE)
        if self._is_searching(mono_ms):
            # One question at a time: the next is asked when the last is answered, or its time is over.
            deadline = min(deadline, self._search_deadline_ms())
        return deadline

    def _is_searching(self, mono_ms: int) -> bool:
        member = self._member
        role = member.role
        if member.is_voter:
            return False
        if isinstance(role, Follower):
            return mono_ms >= role.fetch_deadline_ms or member.peers.is_failing(role.leader_id)
        return isinstance(role, Unattached)

    def _contacts(self) -> list[tuple[int, Endpoint | tuple[str, int]]]:
        """Controllers to ask for the leader: the voters, and bootstrap servers that are none of them; never itself or a leader that fails."""
        member = self._member
        role = member.role
        leader_id = role.leader_id if isinstance(role, Follower) else NO_NODE
        contacts: list[tuple[int, Endpoint | tuple[str, int]]] = []
        known = [(e.host, e.port) for e in member.config.endpoints]
        for voter in member.voters.voters:
            endpoint = voter.endpoint(member.config.listener_name)
            if endpoint is not None:
                known.append((endpoint.host, endpoint.port))
                if voter.id not in {member.config.node_id, leader_id}:
                    contacts.append((voter.id, endpoint))
        servers = enumerate(member.config.bootstrap_servers)
        contacts += [(FIRST_BOOTSTRAP_PEER - number, server) for number, server in servers if server not in known]
        return contacts

    def _ask_any(self, mono_ms: int) -> None:
        member = self._member
        contacts = self._contacts()
        if any(member.peers.outstanding(peer) is not None for peer, _ in contacts):
            return
        for step in range(len(contacts)):
            peer, endpoint = contacts[(self._next_to_ask + step) % len(contacts)]
            if member.peers.is_ready(peer, mono_ms):
                self._next_to_ask += step + 1
                member.send(peer, endpoint, FETCH_VERSION, self._fetch_request(0), mono_ms)
                return

    def _search_deadline_ms(self) -> int:
        member = self._member
        peers = [peer for peer, _ in self._contacts()]
        asked = [peer for peer in peers if member.peers.outstanding(peer) is not None]
        return member.next_peer_deadline_ms(asked or peers)

    def _fetch_from_leader(self, role: Follower, mono_ms: int) -> None:
        member = self._member
        download = role.download
        if download is None:
            # A suspected leader is asked to answer at once, so that a mere reconnect does not look like its death.
            wait_ms = 0 if role.suspicious else member.config.fetch_max_wait_ms
            member.send(role.leader_id, role.leader_endpoint, FETCH_VERSION, self._fetch_request(wait_ms), mono_ms)
            return
        request = fetch_snapshot_request(
            member.config.cluster_id,
            member.config.key,
            role.epoch,
            download.snapshot_id,
            len(download.content),
            member.config.snapshot_slice_bytes,
        )
        member.send(role.leader_id, role.leader_endpoint, FETCH_SNAPSHOT_VERSION, request, mono_ms)

    def _fetch_request(self, max_wait_ms: int) -> FetchRequest:
        member = self._member
        log = member.log
        if log.synced_end_offset < log.end_offset:
            # The fetch promises everything below its offset. Observers sync too: one that becomes a voter must not have promised less.
            log.log.sync()
        return fetch_request(
            member.config.cluster_id,
            member.config.key,
            member.epoch,
            log.end_offset,
            log.last_epoch,
            log.start_offset,
            member.high_watermark,
            max_wait_ms,
            member.config.fetch_max_bytes,
        )

    # -- answers -----------------------------------------------------------------------------------------------------------------------

    def on_fetch_response(
        self, peer: int, answer: Answered, request: FetchRequest, response: FetchResponse, mono_ms: int, wall_ms: int
    ) -> bool:
        """Take over records, a truncation, or the order to load a snapshot, from the leader of the present quorum epoch.

        Returns whether there was any use in it; if not, the peer is let alone for a while.
        """
        member = self._member
        role = member.role
        if not isinstance(role, Follower) or answer.view.epoch != role.epoch:
            return False
        if request.topics[0].partitions[0].fetch_offset != member.log.end_offset:
            return True  # an observer may have asked two; the log has moved since
        if answer.error != ErrorCode.NONE:
            if answer.error == ErrorCode.NOT_LEADER_OR_FOLLOWER and peer == role.leader_id:
                self.suspect_leader(mono_ms)  # it says itself that it leads no more
            return False
        partition = read_fetch_response(response)
        assert partition is not None
        diverging, snapshot_id = partition.diverging_epoch, partition.snapshot_id
        if diverging is not None and diverging.epoch >= 0:
            member.truncate_to(member.log.truncation_offset(EpochEnd(diverging.epoch, diverging.end_offset)))
        elif snapshot_id is not None and snapshot_id.end_offset >= 0 and snapshot_id.epoch >= 0:
            role.download = Download(SnapshotId(snapshot_id.end_offset, snapshot_id.epoch))
        elif not self._take_records(partition.records or b"", wall_ms):
            return False
        elif partition.high_watermark >= 0:
            member.advance_high_watermark(min(partition.high_watermark, member.log.end_offset))
        self._note_alive(role, mono_ms)
        return True

    def _take_records(self, records: bytes, wall_ms: int) -> bool:
        """Append. False when the bytes are damaged; what was whole before the damage stays."""
        if not records:
            return True
        member = self._member
        start = member.log.end_offset
        try:
            member.log.log.append_as_follower(records, wall_ms)
            undamaged = True
        except CorruptRecords:
            undamaged = False
        member.note_voters_in_log(start)
        return undamaged

    def _note_alive(self, role: Follower, mono_ms: int) -> None:
        """The leader answered as leader."""
        member = self._member
        role.heard = True
        role.suspicion_deadline_ms = NO_DEADLINE
        role.fetch_deadline_ms = mono_ms + member.fetch_timeout_ms()
        member.has_heard_a_leader = True
        member.lost_election_count = 0

    def on_snapshot_response(self, answer: Answered, response: FetchSnapshotResponse, mono_ms: int) -> bool:
        """Take over a slice; with the last one the snapshot replaces the log. Returns whether there was any use in it."""
        member = self._member
        role = member.role
        if not isinstance(role, Follower) or role.download is None or answer.view.epoch != role.epoch:
            return False
        download = role.download
        partition = read_fetch_snapshot_response(response)
        if answer.error != ErrorCode.NONE or partition is None:
            if answer.error in {ErrorCode.SNAPSHOT_NOT_FOUND, ErrorCode.POSITION_OUT_OF_RANGE}:
                role.download = None  # the leader has dropped it: the next fetch names a newer one
            return False
        content = partition.unaligned_records or b""
        got = SnapshotId(partition.snapshot_id.end_offset, partition.snapshot_id.epoch)
        fits = got == download.snapshot_id and partition.position == len(download.content) and content
        if not fits or len(download.content) + len(content) > partition.size:
            role.download = None
            return False
        invariant(
            partition.size <= member.config.snapshot_max_bytes,
            f"snapshot {got} has {partition.size} bytes, more than snapshot_max_bytes {member.config.snapshot_max_bytes}",
        )
        download.content += content
        self._note_alive(role, mono_ms)
        return len(download.content) < partition.size or self._finish_download(role, download)

    def _finish_download(self, role: Follower, download: Download) -> bool:
        """Install a whole snapshot; false when it is damaged, and then it is downloaded again."""
        member = self._member
        role.download = None
        content = bytes(download.content)
        snapshot_id = download.snapshot_id
        try:
            read_checkpoint(content)
        except CorruptRecords:
            return False
        invariant(
            snapshot_id.end_offset >= member.high_watermark,
            f"the leader's snapshot {snapshot_id} ends below the high watermark {member.high_watermark}",
        )
        member.log.restart_at(snapshot_id, content)
        member.load_checkpoint_voters(content, snapshot_id.end_offset)
        member.effects.append(SnapshotLoaded(snapshot_id))
        member.advance_high_watermark(snapshot_id.end_offset)
        return True
