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
    _is_in_consumer_group = False
    _joining_since_us = 0
    _owned_said: tuple[int, ...] = ()
    """What it said that it owns when it joined last: what it has lost since was kept for it, and is handed on when it joins again."""
    _heard_us = 0
    """After that the coordinator has begun to wait for it anew: with a heartbeat, or when all had joined a generation. Who joins or syncs again in
    a generation that it had joined is told, and the coordinator waits no longer than before, as in Kafka.
    """

    def identity_for_offsets(self) -> tuple[str | None, int]:
        """A classic member need not tell."""
        return None, -1

    # --- joining

    def join(self) -> None:
        """Give up everything, and join; what was done is committed first, most of the time."""
        if self._joining or self.is_dead:
            return
        self._joining = True
        self._joining_since_us = self.scheduler.now_us
        self.is_stable = False
        if self.rng.chance(0.7):
            self.commit(self._join_now)
        else:
            self._join_now()

    def _join_now(self) -> None:
        if self.is_dead:
            return
        if not self.plan.is_cooperative:
            self.lose_everything()
        if not self.partitions:
            self.after(RETRY_US, self._join_now)
            return
        plan = self.plan
        self._owned_said = tuple(sorted(self.tenures))
        request = JoinGroupRequest(
            group_id=plan.name,
            session_timeout_ms=plan.session_timeout_ms,
            rebalance_timeout_ms=plan.rebalance_timeout_ms,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            protocol_type="consumer",
            protocols=[JoinGroupRequest.JoinGroupRequestProtocol(name="in turn", metadata=_subscription(list(self._owned_said)))],
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
        if response.generation_id != self.generation and self.is_sure:
            self._heard_us = self._joining_since_us
        self.member_id, self.generation = response.member_id, response.generation_id
        self._count_the_way(response.leader)
        if self._is_in_consumer_group and self.plan.is_transactional:
            # As in Kafka the group takes in one that it had removed, with what it says that it has: others may have worked there meanwhile.
            self.begin_anew()
        if not self.tenures:
            self.came_empty = self.generation
        self.ledger.told(self.member_id, self.generation, self.scheduler.now_us)
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

    def _count_the_way(self, leader: str) -> None:
        """A consumer group has no leader among its members."""
        was_in_consumer_group, self._is_in_consumer_group = self._is_in_consumer_group, not leader
        if self._is_in_consumer_group and not was_in_consumer_group:
            self.history.count("joined-consumer-group")
        elif was_in_consumer_group and not self._is_in_consumer_group:
            self.history.count("back-in-classic-group")

    def _share_out(self, response: JoinGroupResponse) -> list[SyncGroupRequest.SyncGroupRequestAssignment]:
        """Partition n goes to member n, by member id, round and round; one that another member has goes to nobody for now."""
        members = sorted(each.member_id for each in response.members)
        has = {index: each.member_id for each in response.members for index in _owned(each.metadata)}
        struct = SyncGroupRequest.SyncGroupRequestAssignment
        shares: dict[str, list[int]] = {member_id: [] for member_id in members}
        for index in sorted(self.partitions):
            taker = members[(index + self.turn) % len(members)]
            if has.get(index, taker) == taker:
                shares[taker].append(index)
        return [struct(member_id=member_id, assignment=_assignment(indexes)) for member_id, indexes in shares.items()]

    @property
    def turn(self) -> int:
        """Where it begins to share out: cooperative members must agree on it until all is shared out, eager ones may begin anew each time."""
        return 0 if self.plan.is_cooperative else self.generation

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
        if self.is_dead:
            return  # it has left while it was asking
        indexes = _assigned(response.assignment)
        self.trace.line(self.name, f"owns {indexes} in generation {self.generation} of {self.plan.name}")
        self.ledger.synced(self.member_id, self.generation, indexes, self.scheduler.now_us, instance_id=self.instance_id)
        if all(index in indexes for index in (*self.tenures, *self._owned_said)):
            self._count_on(indexes)
            self.is_stable = True
            self.assign(indexes)
            return
        self.history.count("gave-up-and-joined-again")
        generation = self.generation

        def given_up() -> None:
            if self.generation == generation and not self.is_dead:
                self.lose([index for index in self.tenures if index not in indexes])
                self.ledger.gave_up(self.member_id, sorted(self.tenures))
                self._count_on(indexes)
                self.assign(indexes)
            self.join()

        self.commit(given_up)

    def _count_on(self, indexes: list[int]) -> None:
        """It has these partitions, unless it falls silent, or does not come when the group rebalances."""
        if self.ledger.has_leases:
            lease_ms = min(self.plan.session_timeout_ms, self.plan.rebalance_timeout_ms) if self.coordinator is not None else 0
            self.ledger.leased(self.member_id, indexes, self._heard_us, lease_ms, self.scheduler.now_us, by=self.coordinator)

    def lose_everything(self) -> None:
        """See ``Member``."""
        super().lose_everything()
        self.ledger.gave_up(self.member_id, [])

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
        asked_us = self.scheduler.now_us
        self.ask_group(request, _HEARTBEAT_VERSION, HeartbeatResponse, lambda response: self._heard(generation, asked_us, response))

    def _heard(self, generation: int, asked_us: int, response: HeartbeatResponse | None) -> None:
        """Nothing follows of the word of one that had not loaded the group: it takes whoever asks for a member."""
        if response is None or generation != self.generation or self.is_dead:
            return
        if not response.error_code:
            if self.coordinator is not None:
                self._heard_us = max(asked_us, self._heard_us)
            if not self._joining:
                self._count_on(sorted(self.tenures))
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
            self.stop()

        self.ask_group(request, _LEAVE_VERSION, LeaveGroupResponse, left)


def _subscription(owned: list[int]) -> bytes:
    struct = ConsumerProtocolSubscription.TopicPartition
    message = ConsumerProtocolSubscription([JOBS], owned_partitions=[struct(JOBS, owned)] if owned else [])
    return pack(">h", _PROTOCOL_VERSION) + encode(message, _PROTOCOL_VERSION)


def _owned(metadata: bytes) -> list[int]:
    message = decode(ConsumerProtocolSubscription, _PROTOCOL_VERSION, metadata[2:])
    return [index for topic in message.owned_partitions for index in topic.partitions]


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
