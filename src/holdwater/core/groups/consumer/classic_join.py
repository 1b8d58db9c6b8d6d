"""What the join of a member that speaks the classic protocol changes in a consumer group: the records, and the answer.

The member epoch is its generation, and it is never the leader: the assignment is worked out here and fetched by its sync. What it says in its
subscription that it has is what a heartbeat of the new protocol lists.
"""

from typing import NamedTuple

from holdwater.core.coordinator import Caller, CoordinatorRecord, TopicsView
from holdwater.core.groups.classic.member import Protocols, protocols_of
from holdwater.core.groups.consumer.checks import Refusal
from holdwater.core.groups.consumer.member import JOIN_EPOCH, ConsumerMember
from holdwater.core.groups.consumer.reconcile import Owned
from holdwater.core.groups.consumer.state import ConsumerState
from holdwater.core.groups.consumer.steps import MemberSteps
from holdwater.core.groups.consumer.target import Change
from holdwater.core.groups.ids import ID_FIRST_FROM
from holdwater.core.groups.subscriptions import CONSUMER_PROTOCOL_TYPE, assignment_bytes, subscription_of
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.codec import ProtocolError
from holdwater.wire.messages import ConsumerGroupMemberMetadataValue, ConsumerProtocolSubscription, JoinGroupRequest, JoinGroupResponse

ClassicMetadata = ConsumerGroupMemberMetadataValue.ClassicMemberMetadata


class JoinPlan(NamedTuple):
    """What a join comes to."""

    records: list[CoordinatorRecord]
    member: ConsumerMember
    response: JoinGroupResponse


class ClassicJoin(NamedTuple):
    """A join that nothing is wrong with: who joins, as the state has it and as it is to be."""

    before: Change
    member: ConsumerMember
    owned: Owned


def read_join(
    state: ConsumerState, request: JoinGroupRequest, caller: Caller, member_id: str, max_size: int, topics: TopicsView
) -> ClassicJoin | JoinGroupResponse:
    """Check a join, or say what is wrong with it. ``member_id`` is that of the request, or the one made up for it."""
    protocols = protocols_of(request)
    if state.is_full_for(member_id, request.group_instance_id, max_size):
        return JoinGroupResponse(error_code=ErrorCode.GROUP_MAX_SIZE_REACHED)
    if request.protocol_type != CONSUMER_PROTOCOL_TYPE or not _are_supported(state, protocols):
        return JoinGroupResponse(error_code=ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    if not request.member_id and request.group_instance_id is None and caller.version >= ID_FIRST_FROM:
        return JoinGroupResponse(member_id=member_id, error_code=ErrorCode.MEMBER_ID_REQUIRED)
    before = _find(state, request, member_id)
    if isinstance(before, ErrorCode):
        return JoinGroupResponse(error_code=before)
    try:
        subscription = subscription_of(protocols[0][1])
    except ProtocolError:
        return JoinGroupResponse(error_code=ErrorCode.UNKNOWN_SERVER_ERROR)
    return ClassicJoin(before, _asked_for(before.member, request, subscription, caller), _owned(subscription, topics))


def plan_join(steps: MemberSteps, join: ClassicJoin, topics_may_have_changed: bool) -> JoinPlan | JoinGroupResponse:
    """Decide."""
    taken = steps.take_in(join.before, join.member, join.owned, topics_may_have_changed=topics_may_have_changed)
    if isinstance(taken, Refusal):
        return JoinGroupResponse(error_code=int(taken.error_code))
    member = taken.member
    return JoinPlan(taken.records, member, join_response(member.member_id, member.member_epoch, member.classic_protocols[0][0]))


def join_response(member_id: str, generation: int, protocol_name: str) -> JoinGroupResponse:
    """The member is in this generation, and does not lead it."""
    return JoinGroupResponse(
        generation_id=generation, protocol_type=CONSUMER_PROTOCOL_TYPE, protocol_name=protocol_name, member_id=member_id
    )


def classic_assignment(member: ConsumerMember, topics: TopicsView) -> bytes:
    """What the member may use, as it reads it. Topics that are gone are left out."""
    names = ((topics.name(topic_id), numbers) for topic_id, numbers in member.assigned.items())
    return assignment_bytes([(name, numbers) for name, numbers in names if name is not None], member.classic_protocols[0][1])


def _are_supported(state: ConsumerState, protocols: Protocols) -> bool:
    """Whether every member that speaks the classic protocol supports one of them."""
    names = [frozenset(name for name, _ in member.classic_protocols) for member in state.members.values() if member.speaks_classic]
    return any(all(name in known for known in names) for name, _ in protocols)


def _find(state: ConsumerState, request: JoinGroupRequest, member_id: str) -> Change | ErrorCode:
    """The member as it is before the request. The id of one that the group does not know was given to it, by this coordinator or an earlier one."""
    if request.group_instance_id is None:
        known = state.members.get(member_id)
        return Change(known or ConsumerMember(member_id), known)
    holder = state.static_member(request.group_instance_id)
    if request.member_id:
        if holder is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        return Change(holder, holder) if holder.member_id == request.member_id else ErrorCode.FENCED_INSTANCE_ID
    if holder is None:
        return Change(ConsumerMember(member_id), None)
    return Change(holder._replace(member_id=member_id, member_epoch=JOIN_EPOCH, previous_member_epoch=JOIN_EPOCH), holder)


def _asked_for(
    member: ConsumerMember, request: JoinGroupRequest, subscription: ConsumerProtocolSubscription, caller: Caller
) -> ConsumerMember:
    protocols = [ConsumerGroupMemberMetadataValue.ClassicProtocol(name, metadata) for name, metadata in protocols_of(request)]
    return member._replace(
        instance_id=request.group_instance_id or member.instance_id,
        rack_id=subscription.rack_id or member.rack_id,
        rebalance_timeout_ms=member.rebalance_timeout_ms if request.rebalance_timeout_ms == -1 else request.rebalance_timeout_ms,
        subscribed_topic_names=tuple(sorted(dict.fromkeys(subscription.topics))),
        subscribed_topic_regex="",
        client_id=caller.client_id,
        client_host=caller.client_host,
        classic_metadata=ClassicMetadata(request.session_timeout_ms, protocols),
    )


def _owned(subscription: ConsumerProtocolSubscription, topics: TopicsView) -> Owned:
    owned: Owned = {}
    for topic in subscription.owned_partitions:
        topic_id = topics.topic_id(topic.topic)
        if topic_id is not None and topic.partitions:
            owned[topic_id] = (*owned.get(topic_id, ()), *topic.partitions)
    return owned
