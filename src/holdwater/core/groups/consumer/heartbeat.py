"""What one heartbeat of a member changes: the records, in the order in which they build on each other, and the answer."""

from typing import NamedTuple

from holdwater.core.coordinator import Caller, CoordinatorRecord
from holdwater.core.groups.consumer.checks import (
    Refusal,
    epoch_refusal,
    fenced_instance,
    group_is_full,
    unknown_instance,
    unknown_member,
    unreleased_instance,
)
from holdwater.core.groups.consumer.member import JOIN_EPOCH, STATIC_LEAVE_EPOCH, ConsumerMember
from holdwater.core.groups.consumer.reconcile import Owned
from holdwater.core.groups.consumer.steps import MemberSteps
from holdwater.core.groups.consumer.target import Change
from holdwater.wire.messages import ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse


class Plan(NamedTuple):
    """What a heartbeat comes to."""

    records: list[CoordinatorRecord]
    response: ConsumerGroupHeartbeatResponse


class HeartbeatPlanner:
    """See the module. ``tells_all``: whether the answer names what the member has though nothing of it changed."""

    def __init__(self, steps: MemberSteps, *, tells_all: bool = False) -> None:
        self._steps = steps
        self._tells_all = tells_all
        self._group_id = steps.group_id
        self._state = steps.state
        self._host = steps.host

    def plan(self, request: ConsumerGroupHeartbeatRequest, caller: Caller, member_id: str, topics_may_have_changed: bool) -> Plan | Refusal:
        """Decide. ``member_id`` is that of the request, or the one made up for it."""
        max_size = self._steps.settings.max_size
        if self._state.is_full_for(member_id, request.instance_id, max_size):
            return group_is_full(max_size)
        owned = _owned(request)
        before = self._find(request, member_id, owned)
        if isinstance(before, Refusal):
            return before
        asked = _asked_for(before.member, request, caller)
        taken = self._steps.take_in(before, asked, owned, topics_may_have_changed=topics_may_have_changed)
        return taken if isinstance(taken, Refusal) else Plan(taken.records, self._response(request, before.member, taken.member))

    # Who it is

    def _find(self, request: ConsumerGroupHeartbeatRequest, member_id: str, owned: Owned | None) -> Change | Refusal:
        """The member as it is before the request, and what the state has of it."""
        if request.instance_id is not None:
            return self._find_static(request, request.instance_id, member_id, owned)
        known = self._state.members.get(member_id)
        if known is None:
            if request.member_epoch != JOIN_EPOCH:
                return unknown_member(member_id, self._group_id)
            self._host.note(f"group {self._group_id}: member {member_id} joins")
            return Change(ConsumerMember(member_id), None)
        return epoch_refusal(known, request.member_epoch, owned) or Change(known, known)

    def _find_static(
        self, request: ConsumerGroupHeartbeatRequest, instance_id: str, member_id: str, owned: Owned | None
    ) -> Change | Refusal:
        holder = self._state.static_member(instance_id)
        if request.member_epoch != JOIN_EPOCH:
            if holder is None:
                return unknown_instance(instance_id)
            if holder.member_id != member_id:
                return fenced_instance(member_id, holder)
            return epoch_refusal(holder, request.member_epoch, owned) or Change(holder, holder)
        if holder is None:
            known = self._state.members.get(member_id)
            self._host.note(f"group {self._group_id}: member {member_id} joins with instance id {instance_id}")
            return Change(known or ConsumerMember(member_id), known)
        if not holder.speaks_classic and holder.member_epoch != STATIC_LEAVE_EPOCH:
            return unreleased_instance(member_id, holder)
        self._host.note(f"group {self._group_id}: member {member_id} takes the place of {holder.member_id} with instance id {instance_id}")
        return Change(holder._replace(member_id=member_id, member_epoch=JOIN_EPOCH, previous_member_epoch=0), holder)

    def _response(
        self, request: ConsumerGroupHeartbeatRequest, before: ConsumerMember, after: ConsumerMember
    ) -> ConsumerGroupHeartbeatResponse:
        response = ConsumerGroupHeartbeatResponse(
            member_id=after.member_id, member_epoch=after.member_epoch, heartbeat_interval_ms=self._steps.settings.heartbeat_interval_ms
        )
        tells_all = self._tells_all or request.member_epoch == JOIN_EPOCH or _is_full_request(request)
        if tells_all or before.assigned != after.assigned:
            response.assignment = _assignment(after)
        return response


def _is_full_request(request: ConsumerGroupHeartbeatRequest) -> bool:
    """A member sends everything when it joins and after it has missed an answer."""
    has_subscription = request.subscribed_topic_names is not None or request.subscribed_topic_regex is not None
    return request.rebalance_timeout_ms != -1 and has_subscription and request.topic_partitions is not None


def _owned(request: ConsumerGroupHeartbeatRequest) -> Owned | None:
    if request.topic_partitions is None:
        return None
    owned: Owned = {}
    for topic in request.topic_partitions:
        if topic.partitions:
            owned[topic.topic_id] = (*owned.get(topic.topic_id, ()), *topic.partitions)
    return owned


def _asked_for(member: ConsumerMember, request: ConsumerGroupHeartbeatRequest, caller: Caller) -> ConsumerMember:
    """The member with what the request gives; what it leaves out stays."""
    names, regex = request.subscribed_topic_names, request.subscribed_topic_regex
    return member._replace(
        instance_id=member.instance_id if request.instance_id is None else request.instance_id,
        rack_id=member.rack_id if request.rack_id is None else request.rack_id,
        rebalance_timeout_ms=member.rebalance_timeout_ms if request.rebalance_timeout_ms == -1 else request.rebalance_timeout_ms,
        server_assignor=member.server_assignor if request.server_assignor is None else request.server_assignor,
        subscribed_topic_names=member.subscribed_topic_names if names is None else tuple(sorted(dict.fromkeys(names))),
        subscribed_topic_regex=member.subscribed_topic_regex if regex is None else regex,
        client_id=caller.client_id,
        client_host=caller.client_host,
        classic_metadata=None,
    )


def _assignment(member: ConsumerMember) -> ConsumerGroupHeartbeatResponse.Assignment:
    listed = [
        ConsumerGroupHeartbeatResponse.TopicPartitions(topic_id, sorted(member.assigned[topic_id])) for topic_id in sorted(member.assigned)
    ]
    return ConsumerGroupHeartbeatResponse.Assignment(listed)
