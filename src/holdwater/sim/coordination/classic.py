"""A member of a classic group, eager: it gives up everything before it joins again, and whoever leads the group shares the partitions out."""

from struct import pack, unpack_from

from holdwater.kernel.errors import ErrorCode
from holdwater.sim.coordination.asking import LATER
from holdwater.sim.coordination.member import NOT_A_MEMBER, RETRY_US, Member
from holdwater.sim.coordination.plan import JOBS
from holdwater.wire.codec import decode, encode
from holdwater.wire.messages import (
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
    HeartbeatRequest,
    HeartbeatResponse,
    JoinGroupRequest,
    JoinGroupResponse,
    LeaveGroupRequest,
    LeaveGroupResponse,
    SyncGroupRequest,
    SyncGroupResponse,
)

_JOIN_VERSION, _SYNC_VERSION, _HEARTBEAT_VERSION, _LEAVE_VERSION = 9, 5, 4, 5
_PROTOCOL_VERSION = 1
_SLACK_US = 4_000_000
_ERRORS = frozenset({*NOT_A_MEMBER, *LATER, ErrorCode.REBALANCE_IN_PROGRESS, ErrorCode.MEMBER_ID_REQUIRED, ErrorCode.REQUEST_TIMED_OUT})


class ClassicMember(Member):
    """See the module."""

    _joining = False
    _heart_beats = False

    def identity_for_offsets(self) -> tuple[str | None, int]:
        """A classic member need not tell."""
        return None, -1

    # --- joining

    def join(self) -> None:
        """Give up everything, and join; what was done is committed first, most of the time."""
        if self._joining or self.is_dead:
            return
        self._joining = True
        self.is_stable = False
        if self.rng.chance(0.7):
            self.commit(self._join_now)
        else:
            self._join_now()

    def _join_now(self) -> None:
        if self.is_dead:
            return
        self.lose_everything()
        if not self.partitions:
            self.after(RETRY_US, self._join_now)
            return
        plan = self.plan
        request = JoinGroupRequest(
            group_id=plan.name,
            session_timeout_ms=plan.session_timeout_ms,
            rebalance_timeout_ms=plan.rebalance_timeout_ms,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            protocol_type="consumer",
            protocols=[JoinGroupRequest.JoinGroupRequestProtocol(name="range", metadata=_subscription())],
        )
        asked_us = self.scheduler.now_us
        timeout_us = plan.rebalance_timeout_ms * 1000 + _SLACK_US
        self.ask_group(request, _JOIN_VERSION, JoinGroupResponse, lambda response: self._joined(asked_us, response), timeout_us)

    def _joined(self, asked_us: int, response: JoinGroupResponse | None) -> None:
        if response is None:
            self.history.error("no answer")
            self.after(RETRY_US, self._join_now)
            return
        if response.error_code:
            self.note("JoinGroup", response.error_code, _ERRORS)
            if response.error_code == ErrorCode.MEMBER_ID_REQUIRED:
                self.member_id = response.member_id
                self._join_now()
            else:
                self._not_a_member(response.error_code)
                self.after(RETRY_US, self._join_now)
            return
        self.history.count("group-joined")
        self.member_id, self.generation = response.member_id, response.generation_id
        if self.is_sure:
            self.ledger.joined(self.member_id, self.generation, asked_us)
        shares = self._share_out(response) if response.leader == self.member_id and not response.skip_assignment else []
        request = SyncGroupRequest(
            group_id=self.plan.name,
            generation_id=self.generation,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            protocol_type="consumer",
            protocol_name=response.protocol_name,
            assignments=shares,
        )
        timeout_us = self.plan.rebalance_timeout_ms * 1000 + _SLACK_US
        self.ask_group(request, _SYNC_VERSION, SyncGroupResponse, self._synced, timeout_us)
        self._beat()

    def _share_out(self, response: JoinGroupResponse) -> list[SyncGroupRequest.SyncGroupRequestAssignment]:
        """Partition n goes to member n, by member id, round and round."""
        members = sorted(each.member_id for each in response.members)
        struct = SyncGroupRequest.SyncGroupRequestAssignment
        shares: dict[str, list[int]] = {member_id: [] for member_id in members}
        for index in sorted(self.partitions):
            shares[members[(index + self.generation) % len(members)]].append(index)
        return [struct(member_id=member_id, assignment=_assignment(indexes)) for member_id, indexes in shares.items()]

    def _synced(self, response: SyncGroupResponse | None) -> None:
        if response is None or response.error_code:
            if response is None:
                self.history.error("no answer")
            else:
                self.note("SyncGroup", response.error_code, _ERRORS)
                self._not_a_member(response.error_code)
            self.after(RETRY_US, self._join_now)
            return
        self._joining = False
        indexes = _assigned(response.assignment)
        self.trace.line(self.name, f"owns {indexes} in generation {self.generation} of {self.plan.name}")
        self.ledger.synced(self.instance_id or self.member_id, self.generation, indexes, self.scheduler.now_us)
        self.is_stable = True
        self.assign(indexes)

    def _not_a_member(self, error_code: int) -> None:
        """Lose everything, forget the member id that is none, and end when another process has the instance id."""
        if error_code in NOT_A_MEMBER:
            self.lose_everything()
        if error_code == ErrorCode.UNKNOWN_MEMBER_ID:
            self.member_id = ""
            self.generation = -1
        elif error_code == ErrorCode.FENCED_INSTANCE_ID:
            self.history.count("member-fenced")
            self.die()

    # --- heartbeats

    def _beat(self) -> None:
        if not self._heart_beats:
            self._heart_beats = True
            self.every(self.plan.session_timeout_ms * 1000 // 4, self._heartbeat)

    def _heartbeat(self) -> None:
        if not self.member_id or self._joining or self.is_dead:
            return
        request = HeartbeatRequest(
            group_id=self.plan.name, generation_id=self.generation, member_id=self.member_id, group_instance_id=self.instance_id
        )
        generation = self.generation
        self.on_heartbeat(request, _HEARTBEAT_VERSION, HeartbeatResponse)
        self.ask_group(request, _HEARTBEAT_VERSION, HeartbeatResponse, lambda response: self._heard(generation, response))

    def _heard(self, generation: int, response: HeartbeatResponse | None) -> None:
        if response is None or not response.error_code or generation != self.generation or self.is_dead:
            return
        self.note("Heartbeat", response.error_code, _ERRORS)
        if response.error_code in NOT_A_MEMBER or response.error_code == ErrorCode.REBALANCE_IN_PROGRESS:
            self._not_a_member(response.error_code)
            self.join()

    def commit_refused(self, error_code: int) -> None:
        """It is not what it believed to be."""
        if error_code in NOT_A_MEMBER and not self._joining:
            self._not_a_member(error_code)
            self.join()

    # --- leaving

    def leave(self) -> None:
        """Say so, and say nothing more."""
        self.is_dead = True
        self.lose_everything()
        member_id = self.member_id
        if not member_id:
            self.stop()
            return
        identity = LeaveGroupRequest.MemberIdentity(member_id=member_id, group_instance_id=self.instance_id, reason="enough")
        request = LeaveGroupRequest(group_id=self.plan.name, members=[identity])

        def left(response: LeaveGroupResponse | None) -> None:
            if response is not None and not response.error_code and not response.members[0].error_code:
                self.history.count("member-left")
                self.ledger.left(member_id, self.scheduler.now_us)
            self.stop()

        self.ask_group(request, _LEAVE_VERSION, LeaveGroupResponse, left)


def _subscription() -> bytes:
    return pack(">h", _PROTOCOL_VERSION) + encode(ConsumerProtocolSubscription(topics=[JOBS], user_data=None), _PROTOCOL_VERSION)


def _assignment(indexes: list[int]) -> bytes:
    topic = ConsumerProtocolAssignment.TopicPartition(topic=JOBS, partitions=indexes)
    message = ConsumerProtocolAssignment(assigned_partitions=[topic] if indexes else [], user_data=None)
    return pack(">h", _PROTOCOL_VERSION) + encode(message, _PROTOCOL_VERSION)


def _assigned(assignment: bytes) -> list[int]:
    if not assignment:
        return []
    version = unpack_from(">h", assignment)[0]
    message = decode(ConsumerProtocolAssignment, version, assignment[2:])
    return [index for topic in message.assigned_partitions for index in topic.partitions]
