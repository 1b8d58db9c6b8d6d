"""The leader's side: its first records, followers' fetches, the high watermark, check-quorum, and its resignation.

Invariants:

- the high watermark is the largest offset that a majority of the voters has synced: a follower's fetch at an offset says that it synced
  everything below, and the leader counts itself only up to its own synced end (M4);
- it moves only once a record of the leader's own quorum epoch is under it (Raft section 5.4.2);
- observers, and a voter's id with another directory id, count for nothing.
"""

from holdwater.core.quorum.checkpoint import Control, control_batch
from holdwater.core.quorum.effects import Reply
from holdwater.core.quorum.log_view import BOOTSTRAP_SNAPSHOT
from holdwater.core.quorum.parked import ParkedFetch
from holdwater.core.quorum.roles import NO_DEADLINE, Leader, Progress, Resigned
from holdwater.core.quorum.rpc import (
    BEGIN_QUORUM_EPOCH_VERSION,
    END_QUORUM_EPOCH_VERSION,
    begin_quorum_epoch_request,
    end_quorum_epoch_request,
    fetch_response,
    fetch_snapshot_response,
    read_fetch_request,
    read_fetch_snapshot_request,
)
from holdwater.core.quorum.state import Member
from holdwater.core.quorum.voters import NO_VOTERS_OFFSET, ReplicaKey, Voter
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import NO_OFFSET
from holdwater.kernel.ports import EpochEnd, SnapshotId
from holdwater.wire.messages import (
    FetchRequest,
    FetchResponse,
    FetchSnapshotRequest,
    FetchSnapshotResponse,
    KRaftVersionRecord,
    LeaderChangeMessage,
)
from holdwater.wire.records import parse_header


class Leading:
    """What a member does while it leads."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self.needs_sync = False
        """Records were appended since the last sync of the leader's log."""

    # -- a new quorum epoch ------------------------------------------------------------------------------------------------------------

    def start(self, granting_voters: list[int], mono_ms: int, wall_ms: int) -> None:
        """The election is won: lead, and write the first records, without which nothing of earlier quorum epochs commits."""
        member = self._member
        leader = member.become_leader(mono_ms)
        self._follow_voter_set(leader)
        member.log.log.assign_epoch(leader.epoch)
        first = control_batch(
            self._first_records(granting_voters), wall_ms, base_offset=leader.epoch_start_offset, leader_epoch=leader.epoch
        )
        if member.note_voters(first):
            self._follow_voter_set(leader)
        self.append(first, wall_ms)

    def _first_records(self, granting_voters: list[int]) -> list[Control]:
        """LeaderChange; and the voters, if so far only the bootstrap snapshot names them (it is not replicated) or our endpoints moved."""
        member = self._member
        records: list[Control] = [
            LeaderChangeMessage(
                version=0,  # as Kafka 4.4 writes it: without directory ids, whatever the kraft version
                leader_id=member.config.node_id,
                voters=[LeaderChangeMessage.Voter(voter_id=voter.id) for voter in member.voters.voters],
                granting_voters=[LeaderChangeMessage.Voter(voter_id=voter_id) for voter_id in granting_voters],
            )
        ]
        own = member.voters.get(member.config.node_id)
        if member.history.kraft_version == 0 or own is None:
            return records
        stated = Voter(*member.config.key, member.config.endpoints or own.endpoints, own.min_kraft_version, own.max_kraft_version)
        if member.history.current_offset == NO_VOTERS_OFFSET or own != stated:
            records += [
                KRaftVersionRecord(version=0, kraft_version=member.history.kraft_version),
                member.voters.replaced(stated).to_record(),
            ]
        return records

    def append(self, batch: bytes, wall_ms: int) -> int:
        """Append one batch and hand it to the waiting followers; it counts for the leader after ``sync``. Returns its last offset."""
        member = self._member
        leader = member.role
        assert isinstance(leader, Leader)
        last_offset = member.log.append_as_leader(batch, parse_header(batch), leader.epoch, wall_ms)
        self.needs_sync = True
        self._serve_parked()
        return last_offset

    def sync(self) -> None:
        """Make the log durable and count it. Several appends share one sync."""
        self.needs_sync = False
        member = self._member
        if isinstance(member.role, Leader):
            member.log.log.sync()
            self._advance(member.role)

    def _follow_voter_set(self, leader: Leader) -> None:
        """Track the voters of the set in force; one that was an observer before keeps what is known of it."""
        others = [voter for voter in self._member.voters.voters if voter.id != self._member.config.node_id]
        progress: dict[int, Progress] = {}
        for voter in others:
            known = leader.voters.get(voter.id)
            if known is None or known.key != voter.key:
                known = leader.observers.pop(voter.key, None) or Progress(voter.key)
            progress[voter.id] = known
        leader.voters = progress

    def _advance(self, leader: Leader) -> None:
        """Move the high watermark to what a majority has synced."""
        member = self._member
        ends = [progress.end_offset for progress in leader.voters.values()]
        if member.is_voter:
            ends.append(member.log.synced_end_offset)
        majority_end = sorted(ends, reverse=True)[len(member.voters) // 2]
        if majority_end <= leader.epoch_start_offset:
            return
        leader.high_watermark_known = True
        member.advance_high_watermark(majority_end)
        self._serve_parked()

    def high_watermark(self, leader: Leader) -> int:
        """What followers are told: -1 until a record of this quorum epoch is committed."""
        return self._member.high_watermark if leader.high_watermark_known else NO_OFFSET

    # -- fetches -----------------------------------------------------------------------------------------------------------------------

    def handle_fetch(self, request: FetchRequest, tag: object, mono_ms: int, wall_ms: int) -> FetchResponse | None:
        """Answer a fetch, or park it under ``tag`` (``None``): a ``Reply`` effect answers it later."""
        member = self._member
        if request.cluster_id is not None and request.cluster_id != member.config.cluster_id:
            return FetchResponse(error_code=ErrorCode.INCONSISTENT_CLUSTER_ID)
        asked = read_fetch_request(request)
        if asked is None:
            return FetchResponse(error_code=ErrorCode.INVALID_REQUEST)
        key = ReplicaKey(_replica_id(request), asked.replica_directory_id)
        invalid = request.max_wait_ms < 0 or asked.fetch_offset < 0 or asked.last_fetched_epoch < 0
        if invalid or asked.last_fetched_epoch > asked.current_leader_epoch or key.id == member.config.node_id:
            return fetch_response(member.leader_view(), ErrorCode.INVALID_REQUEST)
        error = self.leader_error(asked.current_leader_epoch)
        leader = member.role
        if error != ErrorCode.NONE or not isinstance(leader, Leader):
            return fetch_response(member.leader_view(), error)
        verdict = member.log.compare(asked.fetch_offset, asked.last_fetched_epoch)
        if verdict is None and key.id >= 0:
            self._note_fetch(leader, key, asked.fetch_offset, mono_ms, wall_ms)
        fetch = ParkedFetch(tag, key, request, asked.fetch_offset, asked.high_watermark, mono_ms + request.max_wait_ms)
        must_answer = verdict is not None or request.max_wait_ms == 0 or key.id < 0 or member.parked.is_full
        if must_answer or fetch.is_served_by(member.log.end_offset, self.high_watermark(leader)):
            return self._answer(leader, fetch, verdict)
        older = member.parked.add(fetch)
        if older is not None:
            member.effects.append(Reply(older.tag, self._answer(leader, older, None)))
        return None

    def leader_error(self, epoch: int) -> ErrorCode:
        """Why a request that names ``epoch`` is not for the leader of it; NONE if it is."""
        member = self._member
        if epoch < member.epoch:
            return ErrorCode.FENCED_LEADER_EPOCH
        if epoch > member.epoch:
            return ErrorCode.UNKNOWN_LEADER_EPOCH
        return ErrorCode.NONE if isinstance(member.role, Leader) else ErrorCode.NOT_LEADER_OR_FOLLOWER

    def _note_fetch(self, leader: Leader, key: ReplicaKey, offset: int, mono_ms: int, wall_ms: int) -> None:
        member = self._member
        voter = leader.voters.get(key.id) if member.voters.has(key) else None
        if voter is None:
            observer = leader.observers.get(key)
            if observer is None:
                if len(leader.observers) >= member.config.observer_count_max:
                    oldest = min(leader.observers.values(), key=lambda progress: progress.last_fetch_mono_ms)
                    del leader.observers[oldest.key]
                observer = leader.observers[key] = Progress(key)
            observer.fetched(offset, member.log.end_offset, mono_ms, wall_ms)
            return
        voter.fetched(offset, member.log.end_offset, mono_ms, wall_ms)
        self._note_contact(leader, key.id, mono_ms)
        self._advance(leader)

    def _note_contact(self, leader: Leader, voter_id: int, mono_ms: int) -> None:
        """A voter fetched; with a majority of them the check-quorum timer starts again."""
        if voter_id not in leader.fetched_voters:
            leader.fetched_voters.append(voter_id)
        member = self._member
        needed = member.voters.majority - (1 if member.is_voter else 0)
        if len(leader.fetched_voters) >= needed:
            leader.fetched_voters.clear()
            leader.check_quorum_deadline_ms = mono_ms + member.config.check_quorum_timeout_ms

    def _answer(self, leader: Leader, fetch: ParkedFetch, verdict: EpochEnd | SnapshotId | None) -> FetchResponse:
        member = self._member
        records = b""
        if verdict is None and fetch.fetch_offset < member.log.end_offset:
            limit = min(fetch.request.max_bytes, member.config.fetch_max_bytes)
            records = member.log.read(fetch.fetch_offset, limit)
        return fetch_response(
            member.leader_view(),
            ErrorCode.NONE,
            high_watermark=self.high_watermark(leader),
            log_start_offset=member.log.start_offset,
            records=records,
            diverging=verdict if isinstance(verdict, EpochEnd) else None,
            snapshot_id=verdict if isinstance(verdict, SnapshotId) else None,
        )

    def _serve_parked(self) -> None:
        """Answer the waiting fetches that there is news for."""
        member = self._member
        leader = member.role
        if isinstance(leader, Leader):
            for fetch in member.parked.take_served(member.log.end_offset, self.high_watermark(leader)):
                member.effects.append(Reply(fetch.tag, self._answer(leader, fetch, None)))

    def handle_fetch_snapshot(self, request: FetchSnapshotRequest, mono_ms: int) -> FetchSnapshotResponse:
        """Answer with a slice of a snapshot."""
        member = self._member
        if request.cluster_id is not None and request.cluster_id != member.config.cluster_id:
            return FetchSnapshotResponse(error_code=ErrorCode.INCONSISTENT_CLUSTER_ID)
        asked = read_fetch_snapshot_request(request)
        if asked is None:
            return FetchSnapshotResponse(error_code=ErrorCode.INVALID_REQUEST)
        view = member.leader_view()
        error = self.leader_error(asked.current_leader_epoch)
        leader = member.role
        if error != ErrorCode.NONE or not isinstance(leader, Leader):
            return fetch_snapshot_response(view, error)
        snapshot_id = SnapshotId(asked.snapshot_id.end_offset, asked.snapshot_id.epoch)
        size = member.log.snapshot_size(snapshot_id)
        if size is None or snapshot_id == BOOTSTRAP_SNAPSHOT:
            return fetch_snapshot_response(view, ErrorCode.SNAPSHOT_NOT_FOUND)
        if not 0 <= asked.position < size:
            return fetch_snapshot_response(view, ErrorCode.POSITION_OUT_OF_RANGE)
        key = ReplicaKey(request.replica_id, asked.replica_directory_id)
        if key.id in leader.voters and member.voters.has(key):
            self._note_contact(leader, key.id, mono_ms)
        limit = max(1, min(request.max_bytes, member.config.snapshot_slice_bytes))
        content = member.log.read_snapshot(snapshot_id, asked.position, limit)
        return fetch_snapshot_response(view, ErrorCode.NONE, snapshot_id=snapshot_id, size=size, position=asked.position, content=content)

    # -- time --------------------------------------------------------------------------------------------------------------------------

    def tick(self, mono_ms: int) -> None:
        """Sync, answer fetches whose wait is over, and resign without a majority."""
        member = self._member
        if self.needs_sync:
            self.sync()
        leader = member.role
        if not isinstance(leader, Leader):
            return
        for fetch in member.parked.take_expired(mono_ms):
            member.effects.append(Reply(fetch.tag, self._answer(leader, fetch, None)))
        if mono_ms >= self.check_quorum_deadline_ms(leader):
            self.resign(mono_ms)

    def check_quorum_deadline_ms(self, leader: Leader) -> int:
        """When the leader resigns unless a majority fetches before; never, when it is its own majority."""
        return NO_DEADLINE if self._member.is_only_voter else leader.check_quorum_deadline_ms

    def resign(self, mono_ms: int) -> None:
        """Stop leading; the voters with the longest logs are asked to stand first."""
        leader = self._member.role
        assert isinstance(leader, Leader)
        self.needs_sync = False
        ranked = sorted(leader.voters.values(), key=lambda progress: (-progress.end_offset, progress.key.id))
        self._member.become_resigned([progress.key for progress in ranked], mono_ms)

    def pump(self, mono_ms: int) -> None:
        """Present the new leader to the voters that do not fetch from it; tell them when it has resigned."""
        member = self._member
        role = member.role
        if isinstance(role, Leader):
            for voter_id in self._to_remind(role, mono_ms):
                endpoint = member.endpoint_of(voter_id)
                if endpoint is not None and member.peers.is_ready(voter_id, mono_ms):
                    progress = role.voters[voter_id]
                    progress.begin_sent_mono_ms = mono_ms
                    request = begin_quorum_epoch_request(
                        member.config.cluster_id, role.leader_id, role.epoch, progress.key, member.config.endpoints
                    )
                    member.send(voter_id, endpoint, BEGIN_QUORUM_EPOCH_VERSION, request, mono_ms)
        elif isinstance(role, Resigned):
            for voter_id in role.unacknowledged:
                endpoint = member.endpoint_of(voter_id)
                if endpoint is not None and member.peers.is_ready(voter_id, mono_ms):
                    request = end_quorum_epoch_request(
                        member.config.cluster_id, member.config.node_id, role.epoch, role.successors, member.config.endpoints
                    )
                    member.send(voter_id, endpoint, END_QUORUM_EPOCH_VERSION, request, mono_ms)

    def _remind_at_ms(self, progress: Progress) -> int:
        """When a voter is told (again) who leads: at once until it knows, then whenever it has not fetched for half a fetch timeout."""
        if not progress.acknowledged:
            return -1
        return max(progress.last_fetch_mono_ms, progress.begin_sent_mono_ms) + self._member.config.begin_epoch_interval_ms

    def _to_remind(self, leader: Leader, mono_ms: int) -> list[int]:
        return [voter_id for voter_id, progress in leader.voters.items() if mono_ms >= self._remind_at_ms(progress)]

    def deadline_ms(self, now_ms: int) -> int:
        """When ``tick`` or ``pump`` has something to do; ``now_ms`` when it has already."""
        member = self._member
        role = member.role
        if self.needs_sync:
            return now_ms
        if isinstance(role, Resigned):
            return member.next_peer_deadline_ms([v for v in role.unacknowledged if member.endpoint_of(v) is not None])
        if not isinstance(role, Leader):
            return NO_DEADLINE
        deadline = min(self.check_quorum_deadline_ms(role), member.parked.next_deadline_ms())
        for voter_id, progress in role.voters.items():
            if member.endpoint_of(voter_id) is not None:
                deadline = min(deadline, max(self._remind_at_ms(progress), member.peers.ready_or_deadline_ms(voter_id)))
        return deadline


def _replica_id(request: FetchRequest) -> int:
    """The fetching replica: since v15 in its state, before in a field of its own; -1 for a consumer."""
    state = request.replica_state
    return state.replica_id if state is not None and state.replica_id >= 0 else request.replica_id
