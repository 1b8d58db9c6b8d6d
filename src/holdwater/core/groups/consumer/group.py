"""A consumer group of the new protocol (KIP-848): members heartbeat, and everything is worked out here, from what their records say.

A heartbeat does up to three things: it takes in what the member asks for, and raises the group epoch when that changes what there is to assign;
it works out a new target assignment when the group epoch is ahead of it; it brings the member one step nearer to its target. What changes is a
record, and only ``replay`` takes it in; deadlines follow from there. Each answer that tells of state waits until that state is committed.

- C1: group epoch and member epoch never fall while a member is in the group, also over a change of the coordinator.
- C2: a partition has at most one owner that may still use it: it is assigned when it was given up, or its owner was fenced.
- C3: an offset is committed only with a member epoch in which the member owned the partition.

A heartbeat that brings nothing new to a settled group is recognised first, and costs no look at any other member.
"""

from collections.abc import Callable, Sequence
from functools import partial

from holdwater.core.coordinator import NOTHING, Caller, CoordinatorRecord, Decision, ShardHost, answer
from holdwater.core.groups.append_errors import for_clients
from holdwater.core.groups.classic.member import JoinReply, SyncReply
from holdwater.core.groups.classic.sync import HeartbeatReply
from holdwater.core.groups.consumer.checks import Refusal, fenced_instance, request_refusal, unknown_instance, unknown_member
from holdwater.core.groups.consumer.classic import ClassicMembers
from holdwater.core.groups.consumer.commits import commit_covers, commit_error, fetch_error
from holdwater.core.groups.consumer.describe import described, state_name
from holdwater.core.groups.consumer.heartbeat import HeartbeatPlanner
from holdwater.core.groups.consumer.late import LateAssignment
from holdwater.core.groups.consumer.member import STATIC_LEAVE_EPOCH, ConsumerMember
from holdwater.core.groups.consumer.records import current_assignment_record, first_records
from holdwater.core.groups.consumer.regexes import RegexRefresh
from holdwater.core.groups.consumer.removal import group_tombstones, member_to_remove, removal_records
from holdwater.core.groups.consumer.settings import ConsumerSettings, SettingsOfGroup
from holdwater.core.groups.consumer.state import ConsumerState
from holdwater.core.groups.consumer.steps import MemberSteps, SeenTopics
from holdwater.core.groups.consumer.subscriptions import MetadataHash
from holdwater.core.groups.consumer.timers import MemberTimers
from holdwater.core.groups.downgrade import Downgrades
from holdwater.core.groups.upgrade import NEW, Beginning
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import uuid_to_text
from holdwater.kernel.invariant import invariant
from holdwater.wire.codec.classes import Message
from holdwater.wire.messages import (
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupDescribeResponse,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue,
    HeartbeatRequest,
    JoinGroupRequest,
    LeaveGroupRequest,
    LeaveGroupResponse,
    SyncGroupRequest,
)

Reply = Callable[[ConsumerGroupHeartbeatResponse], None]
LeaveReply = Callable[[LeaveGroupResponse], None]
Identity = LeaveGroupRequest.MemberIdentity
Left = LeaveGroupResponse.MemberResponse


class ConsumerGroup:
    """See the module. The shard routes records and requests of one group id here."""

    def __init__(self, group_id: str, host: ShardHost) -> None:
        self.group_id = group_id
        self.state = ConsumerState()
        """For reading only; ``replay`` changes it."""
        self._host = host
        self._settings = SettingsOfGroup(group_id, host)
        self._hash = MetadataHash(host.topics)
        self._timers = MemberTimers(host, self._fence, lambda: self._settings.now().session_timeout_ms)
        self._regexes = RegexRefresh(group_id, host, self.state, self._hash)
        self._late = LateAssignment(group_id, host, self.state, self._settings)
        self._seen = SeenTopics()
        self._downgrades = Downgrades(group_id, self.state, host)
        self._classic = ClassicMembers(
            self.state, host, self._settings, self._timers, self._seen, self._downgrades, lambda: self._steps(assigns_at_once=True)
        )
        self._foretold: list[CoordinatorRecord] = []
        """Records to come, the last one first, that the state has taken in already: those with which a classic group becomes this one."""
        self._unsure: set[str] = set()
        """Members that may not know what they have, as this coordinator took them over and has not answered them yet, or the last answer failed.
        Another may have answered them, as a leader whose log lacked what this one has; or their client tries again and no more. Their next
        heartbeat then says nothing, and only a new answer can tell them.
        """
        self._is_active = False

    # What the shard tells

    def replay(self, key: Message, value: Message | None) -> None:
        """Take in one record of this group."""
        if self._foretold:
            invariant(self._foretold.pop().key == key, f"consumer group {self.group_id} must begin with what was foretold")
        else:
            if self._is_active:
                self._check_live(key, value)
            self.state.replay(key, value)
        if not self._is_active:
            return
        if isinstance(key, ConsumerGroupCurrentMemberAssignmentKey) and value is not None:
            self._timers.follow(self.state.members[key.member_id])
        elif isinstance(key, ConsumerGroupMemberMetadataKey) and value is None:
            self._timers.forget(key.member_id)
            self._unsure.discard(key.member_id)

    def loaded(self) -> None:
        """This broker is the coordinator from now on: every member has its whole session timeout again."""
        self._is_active = True
        self._seen.may_have_changed = True
        self._unsure.update(self.state.members)
        for member in self.state.members.values():
            self._timers.follow(member)

    def unloaded(self, error_code: int) -> None:
        """This broker is the coordinator no more. Nobody is parked here: answers that wait are with the host, which fails them."""
        self._is_active = False
        self._timers.clear()
        self._regexes.cancel()
        self._late.cancel()

    def topics_changed(self) -> None:
        """The next heartbeat looks whether it is a topic of this group."""
        self._seen.may_have_changed = True

    def begin_with(self, beginning: Beginning) -> tuple[CoordinatorRecord, ...]:
        """Take in the members of a classic group, before their records are appended. Once, and first of all.

        One that follows a group without members counts on: a member id may come again, but never with a member epoch that it had before.
        """
        if beginning == NEW:
            return ()
        records = first_records(self.group_id, beginning.group_epoch, beginning.members)
        for record in records:
            self.state.replay(record.key, record.value)
        self._foretold = list(reversed(records))
        return records

    # What others ask

    @property
    def group_epoch(self) -> int:
        """Its group epoch."""
        return self.state.group_epoch

    @property
    def is_empty(self) -> bool:
        """Whether it has no members."""
        return not self.state.members

    @property
    def state_name(self) -> str:
        """Empty, Assigning, Reconciling, Stable or Dead."""
        return state_name(self.state)

    def is_subscribed_to(self, topic: str) -> bool:
        """Whether a member subscribes to the topic, by name or by an expression that has matched it."""
        return topic in self.state.name_counts or any(topic in found.topics for found in self.state.resolved.values())

    def describe(self) -> ConsumerGroupDescribeResponse.DescribedGroup:
        """The group and its members."""
        return described(self.group_id, self.state, self._host.topics, self._settings.now().assignors[0])

    def tombstones(self) -> tuple[CoordinatorRecord, ...]:
        """What ends the group."""
        return group_tombstones(self.group_id, self.state)

    def validate_commit(self, member_id: str, member_epoch: int, instance_id: str | None, version: int, is_transactional: bool) -> int:
        """Whether the member epoch may commit any partition: an ``ErrorCode``. ``version`` is that of OffsetCommit.

        STALE_MEMBER_EPOCH is for an epoch that is not the current one; ``commit_covers`` says for which partitions an older one will do.
        """
        return int(commit_error(self.state, member_id, member_epoch, instance_id, version, is_transactional))

    def commit_covers(self, member_id: str, member_epoch: int, topic: str, partition: int) -> bool:
        """Whether a member epoch that is not the current one may still commit the partition (KIP-1251): the member has owned it ever since."""
        topic_id = self._host.topics.topic_id(topic)
        return topic_id is not None and commit_covers(self.state, member_id, member_epoch, topic_id, partition)

    def validate_fetch(self, member_id: str | None, member_epoch: int) -> int:
        """Whether the member may fetch offsets: an ``ErrorCode``."""
        return int(fetch_error(self.state, member_id, member_epoch))

    # Heartbeats

    def heartbeat(self, request: ConsumerGroupHeartbeatRequest, caller: Caller, reply: Reply) -> Decision:
        """Join, stay, or leave (member epochs 0, above, and below)."""
        self._is_active = True
        settings = self._settings.now()
        member = self.state.members.get(request.member_id)
        if member is not None and self._brings_nothing_new(request, caller, member, settings):
            self._timers.touch(member.member_id, settings.session_timeout_ms)
            response = ConsumerGroupHeartbeatResponse(
                member_id=member.member_id, member_epoch=member.member_epoch, heartbeat_interval_ms=settings.heartbeat_interval_ms
            )
            return self._decision(reply, response, [])
        refusal = request_refusal(request, caller.version, settings.assignors)
        if refusal is not None:
            return answer(reply, refusal.response())
        if request.member_epoch < 0:
            return self._leave(request, reply)
        return self._take_in(request, caller, reply, settings)

    def _brings_nothing_new(
        self, request: ConsumerGroupHeartbeatRequest, caller: Caller, member: ConsumerMember, settings: ConsumerSettings
    ) -> bool:
        state = self.state
        return (
            request.member_epoch == member.member_epoch == state.assignment_epoch == state.group_epoch
            and member.is_reconciled_to(state.assignment_epoch)
            and request.topic_partitions is None
            and request.subscribed_topic_names is None
            and request.subscribed_topic_regex is None
            and request.rebalance_timeout_ms == -1
            and request.server_assignor is None
            and request.rack_id is None
            and (request.instance_id is None or request.instance_id == member.instance_id)
            and caller.client_id == member.client_id
            and caller.client_host == member.client_host
            and not member.speaks_classic
            and member.member_id not in self._unsure
            and not self._seen.may_have_changed
            and not self._regexes.is_due(settings)
        )

    def _take_in(self, request: ConsumerGroupHeartbeatRequest, caller: Caller, reply: Reply, settings: ConsumerSettings) -> Decision:
        member_id = request.member_id or self._new_member_id()
        planner = HeartbeatPlanner(self._steps(), tells_all=member_id in self._unsure)
        plan = planner.plan(request, caller, member_id, self._seen.may_have_changed)
        if isinstance(plan, Refusal):
            return answer(reply, plan.response())
        self._seen.may_have_changed = False
        self._unsure.discard(member_id)
        self._timers.touch(member_id, settings.session_timeout_ms)
        return self._decision(reply, plan.response, plan.records)

    def _steps(self, *, assigns_at_once: bool = False) -> MemberSteps:
        settings = self._settings.now()
        return MemberSteps(self.group_id, self.state, self._host, settings, self._hash, self._regexes, self._late, assigns_at_once)

    def _new_member_id(self) -> str:
        """One that tools can take as an argument: it does not begin with a dash."""
        member_id = "-"
        while member_id.startswith("-"):
            member_id = uuid_to_text(self._host.rng.uuid())
        return member_id

    def _leave(self, request: ConsumerGroupHeartbeatRequest, reply: Reply) -> Decision:
        member = self._leaving_member(request)
        if isinstance(member, Refusal):
            return answer(reply, member.response())
        response = ConsumerGroupHeartbeatResponse(member_id=member.member_id, member_epoch=request.member_epoch)
        if request.member_epoch != STATIC_LEAVE_EPOCH or request.instance_id is None:
            self._host.note(f"group {self.group_id}: member {member.member_id} leaves")
            return self._decision(reply, response, self._removal([member]))
        kept = {topic_id: dict.fromkeys(numbers, 0) for topic_id, numbers in member.assigned.items()}
        away = member._replace(member_epoch=STATIC_LEAVE_EPOCH, assigned=kept, pending_revocation={})
        return self._decision(reply, response, [current_assignment_record(self.group_id, away)])

    # Members that speak the classic protocol

    def join(self, request: JoinGroupRequest, caller: Caller, reply: JoinReply) -> Decision:
        """JoinGroup."""
        return self._classic.join(request, caller, reply)

    def sync(self, request: SyncGroupRequest, reply: SyncReply) -> Decision:
        """SyncGroup."""
        return self._classic.sync(request, reply)

    def classic_heartbeat(self, request: HeartbeatRequest, reply: HeartbeatReply) -> Decision:
        """Heartbeat."""
        return self._classic.heartbeat(request, reply)

    # Members that go

    def remove(self, identities: Sequence[Identity], reply: LeaveReply) -> Decision:
        """LeaveGroup, of members that speak the classic protocol or by an administrator: they go at once, with one rise of the group epoch."""
        left: list[Left] = []
        gone: dict[str, ConsumerMember] = {}
        for one in identities:
            member = member_to_remove(self.state, one)
            error_code = member if isinstance(member, ErrorCode) else ErrorCode.NONE
            if isinstance(member, ConsumerMember):
                self._host.note(
                    f"group {self.group_id}: member {member.member_id} is removed by request: {one.reason or 'no reason given'}"
                )
                gone[member.member_id] = member
            left.append(Left(member_id=one.member_id, group_instance_id=one.group_instance_id, error_code=error_code))
        response = LeaveGroupResponse(members=left)
        if not gone:
            return answer(reply, response)
        records = self._removal(list(gone.values()))

        def failed(error_code: int) -> None:
            self._downgrades.failed(error_code)
            reply(LeaveGroupResponse(error_code=for_clients(error_code)))

        return Decision(records, partial(reply, response), failed)

    def _leaving_member(self, request: ConsumerGroupHeartbeatRequest) -> ConsumerMember | Refusal:
        if request.instance_id is None:
            return self.state.members.get(request.member_id) or unknown_member(request.member_id, self.group_id)
        member = self.state.static_member(request.instance_id)
        if member is None:
            return unknown_instance(request.instance_id)
        return member if member.member_id == request.member_id else fenced_instance(request.member_id, member)

    def _fence(self, member_id: str, why: str, again: Callable[[], None]) -> Decision:
        member = self.state.members.get(member_id)
        if member is None or not self._is_active:
            return NOTHING
        self._host.note(f"group {self.group_id}: member {member_id} is fenced: {why}")

        def failed(error_code: int) -> None:
            self._downgrades.failed(error_code)
            again()

        return Decision(self._removal([member]), failed=failed)

    def _removal(self, members: list[ConsumerMember]) -> tuple[CoordinatorRecord, ...]:
        """The members go. When all that are left speak the classic protocol, the group is a classic one from then on."""
        downgrade = self._downgrades.without([member.member_id for member in members])
        return downgrade or tuple(removal_records(self.group_id, self.state, members, self._hash))

    def _decision(self, reply: Reply, response: ConsumerGroupHeartbeatResponse, records: Sequence[CoordinatorRecord]) -> Decision:
        return Decision(tuple(records), partial(reply, response), partial(self._failed, reply, response.member_id))

    def _failed(self, reply: Reply, member_id: str | None, error_code: int) -> None:
        """Whatever was seen of the topics may not be in the log; what is in the log the member was not told."""
        self._seen.may_have_changed = True
        if member_id in self.state.members:
            self._unsure.add(member_id)
        self._downgrades.failed(error_code)
        if error_code == ErrorCode.MESSAGE_TOO_LARGE:
            error_code = int(ErrorCode.UNKNOWN_SERVER_ERROR)
        reply(ConsumerGroupHeartbeatResponse(error_code=error_code))

    def _check_live(self, key: Message, value: Message | None) -> None:
        """C1 and C2, for records that this coordinator has decided on; a log that is loaded may be compacted, so it proves neither."""
        if isinstance(value, ConsumerGroupMetadataValue) and isinstance(key, ConsumerGroupMetadataKey):
            invariant(value.epoch > self.state.group_epoch, f"group epoch {value.epoch} after {self.state.group_epoch} of {self.group_id}")
        elif isinstance(value, ConsumerGroupCurrentMemberAssignmentValue) and isinstance(key, ConsumerGroupCurrentMemberAssignmentKey):
            self._check_assignment(key.member_id, value)

    def _check_assignment(self, member_id: str, value: ConsumerGroupCurrentMemberAssignmentValue) -> None:
        old = self.state.members.get(member_id)
        if old is not None and value.member_epoch != STATIC_LEAVE_EPOCH:
            invariant(value.member_epoch >= old.member_epoch, f"member epoch {value.member_epoch} after {old.member_epoch} of {member_id}")
        for topic in value.assigned_partitions + value.partitions_pending_revocation:
            for number in topic.partitions:
                owner = self.state.owner(topic.topic_id, number)
                invariant(owner in (None, member_id), f"partition {number} of {topic.topic_id.hex()} for {member_id} is owned by {owner}")
