"""What is wrong with a ConsumerGroupHeartbeat by itself, and with its member epoch beside the member it is from.

Refusals are values: an error code with a sentence for the client.
"""

from typing import NamedTuple

from holdwater.core.groups.consumer.member import JOIN_EPOCH, LEAVE_EPOCH, STATIC_LEAVE_EPOCH, ConsumerMember
from holdwater.core.groups.consumer.reconcile import Owned
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse


class Refusal(NamedTuple):
    """Why a heartbeat is not obeyed."""

    error_code: ErrorCode
    message: str

    def response(self) -> ConsumerGroupHeartbeatResponse:
        """The answer that says so."""
        return ConsumerGroupHeartbeatResponse(error_code=int(self.error_code), error_message=self.message)


def request_refusal(request: ConsumerGroupHeartbeatRequest, version: int, assignors: tuple[str, ...]) -> Refusal | None:
    """What no coordinator would accept, whatever it knows of the group. From version 1 the client makes up the member id."""
    epoch = request.member_epoch
    if (version >= 1 or epoch > 0 or epoch == LEAVE_EPOCH) and _is_blank(request.member_id):
        return _invalid("MemberId must not be empty.")
    for name, text in (("GroupId", request.group_id), ("InstanceId", request.instance_id), ("RackId", request.rack_id)):
        if text is not None and _is_blank(text):
            return _invalid(f"{name} must not be empty.")
    if epoch == JOIN_EPOCH:
        refusal = _joining_refusal(request)
        if refusal is not None:
            return refusal
    elif epoch == STATIC_LEAVE_EPOCH and request.instance_id is None:
        return _invalid("InstanceId must be given with member epoch -2.")
    elif epoch < STATIC_LEAVE_EPOCH:
        return _invalid("MemberEpoch is invalid.")
    if request.server_assignor is not None and request.server_assignor not in assignors:
        known = ", ".join(assignors)
        return Refusal(ErrorCode.UNSUPPORTED_ASSIGNOR, f"ServerAssignor {request.server_assignor} is not supported; these are: {known}.")
    return None


def _joining_refusal(request: ConsumerGroupHeartbeatRequest) -> Refusal | None:
    if request.rebalance_timeout_ms == -1:
        return _invalid("RebalanceTimeoutMs must be given when joining.")
    if request.topic_partitions is None or request.topic_partitions:
        return _invalid("TopicPartitions must be an empty list when joining.")
    if request.subscribed_topic_names is None and request.subscribed_topic_regex is None:
        return _invalid("SubscribedTopicNames or SubscribedTopicRegex must be given when joining.")
    return None


def epoch_refusal(member: ConsumerMember, member_epoch: int, owned: Owned | None) -> Refusal | None:
    """Fence a member that is not where the coordinator thinks it is.

    The epoch before the current one is accepted from a member that uses nothing but what it is assigned: it has not seen the last answer.
    """
    if member_epoch in (JOIN_EPOCH, member.member_epoch):
        return None
    if member_epoch == member.previous_member_epoch and member_epoch < member.member_epoch and _uses_only_assigned(member, owned):
        return None
    which = "greater" if member_epoch > member.member_epoch else "smaller"
    return Refusal(
        ErrorCode.FENCED_MEMBER_EPOCH,
        f"The member epoch {member_epoch} is {which} than the {member.member_epoch} of the group coordinator;"
        " the member must give up all its partitions and join again.",
    )


def _uses_only_assigned(member: ConsumerMember, owned: Owned | None) -> bool:
    if owned is None:
        return False
    return all(number in member.assigned.get(topic_id, ()) for topic_id, numbers in owned.items() for number in numbers)


def unknown_member(member_id: str, group_id: str) -> Refusal:
    """A member id that the group does not have."""
    return Refusal(ErrorCode.UNKNOWN_MEMBER_ID, f"Member {member_id} is not a member of group {group_id}.")


def unknown_instance(instance_id: str) -> Refusal:
    """An instance id that the group does not have."""
    return Refusal(ErrorCode.UNKNOWN_MEMBER_ID, f"Instance id {instance_id} is unknown.")


def unreleased_instance(member_id: str, holder: ConsumerMember) -> Refusal:
    """Another member has the instance id and has not left."""
    return Refusal(
        ErrorCode.UNRELEASED_INSTANCE_ID,
        f"Static member {member_id} cannot join with instance id {holder.instance_id}, which member {holder.member_id} has.",
    )


def fenced_instance(member_id: str, holder: ConsumerMember) -> Refusal:
    """Another member has taken over the instance id."""
    return Refusal(
        ErrorCode.FENCED_INSTANCE_ID, f"Static member {member_id} with instance id {holder.instance_id} was fenced by {holder.member_id}."
    )


def group_is_full(max_size: int) -> Refusal:
    """No place for another member."""
    return Refusal(ErrorCode.GROUP_MAX_SIZE_REACHED, f"The consumer group has its {max_size} members already.")


def invalid_regex(regex: str, problem: str) -> Refusal:
    """The member subscribes with what is no regular expression."""
    return Refusal(ErrorCode.INVALID_REGULAR_EXPRESSION, f"SubscribedTopicRegex `{regex}` is not a valid regular expression: {problem}.")


def unknown_state() -> Refusal:
    """A newer Kafka has left the member in a state that this one does not know."""
    return Refusal(ErrorCode.FENCED_MEMBER_EPOCH, "The member is in an unknown state; it must give up all its partitions and join again.")


def _is_blank(text: str) -> bool:
    return not text.strip()


def _invalid(message: str) -> Refusal:
    return Refusal(ErrorCode.INVALID_REQUEST, message)
