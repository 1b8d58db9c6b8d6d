"""What administrators ask of groups: DescribeGroups, ListGroups, DeleteGroups, ConsumerGroupDescribe."""

from collections.abc import Callable, Sequence

from holdwater.core.coordinator import Caller, CoordinatorRecord, Decision
from holdwater.core.groups.append_errors import for_clients
from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.state import ClassicState
from holdwater.core.groups.modern import Group, Groups
from holdwater.core.groups.offsets.access import check_delete
from holdwater.core.groups.offsets.committed import Offsets
from holdwater.core.groups.offsets.expiry import tombstones_of_group
from holdwater.core.groups.subscriptions import CONSUMER_PROTOCOL_TYPE
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    ConsumerGroupDescribeResponse,
    DeleteGroupsResponse,
    DescribeGroupsResponse,
    ListGroupsRequest,
    ListGroupsResponse,
)

_DESCRIBE_KNOWS_GROUP_ID_NOT_FOUND_FROM = 6
_MODERN_TYPE = "consumer"

Described = DescribeGroupsResponse.DescribedGroup
DescribedConsumer = ConsumerGroupDescribeResponse.DescribedGroup
Deleted = DeleteGroupsResponse.DeletableGroupResult
DescribeReply = Callable[[list[Described]], None]
ConsumerDescribeReply = Callable[[list[DescribedConsumer]], None]
ListReply = Callable[[ListGroupsResponse], None]
DeleteReply = Callable[[list[Deleted]], None]


class GroupAdmin:
    """The handlers. Their answers wait until what they tell is committed."""

    def __init__(self, groups: Groups, offsets: Offsets) -> None:
        self._groups = groups
        self._offsets = offsets

    def describe(self, group_ids: Sequence[str], caller: Caller, reply: DescribeReply) -> Decision:
        """DescribeGroups: only classic groups; everything else is said to be dead."""
        told = [self._describe_one(group_id, caller.version) for group_id in group_ids]

        def failed(error_code: int) -> None:
            reply([Described(group_id=group_id, error_code=for_clients(error_code)) for group_id in group_ids])

        return Decision(committed=lambda: reply(told), failed=failed)

    def _describe_one(self, group_id: str, version: int) -> Described:
        if not group_id:
            return Described(group_id=group_id, error_code=ErrorCode.INVALID_GROUP_ID)
        group = self._groups.get(group_id)
        if not isinstance(group, ClassicGroup):
            dead = Described(group_id=group_id, group_state=ClassicState.DEAD.value)
            if version >= _DESCRIBE_KNOWS_GROUP_ID_NOT_FOUND_FROM:
                dead.error_code = ErrorCode.GROUP_ID_NOT_FOUND
                dead.error_message = f"Group {group_id} not found." if group is None else f"Group {group_id} is not a classic group."
            return dead
        protocol = group.protocol_name if group.state is ClassicState.STABLE else None
        return Described(
            group_id=group_id,
            group_state=group.state_name,
            protocol_type=group.protocol_type or "",
            protocol_data=protocol or "",
            members=[member.described(protocol) for member in group.members.values()],
        )

    def describe_consumers(self, group_ids: Sequence[str], reply: ConsumerDescribeReply) -> Decision:
        """ConsumerGroupDescribe."""
        told = [self._describe_consumer(group_id) for group_id in group_ids]

        def failed(error_code: int) -> None:
            reply([DescribedConsumer(group_id=group_id, error_code=for_clients(error_code)) for group_id in group_ids])

        return Decision(committed=lambda: reply(told), failed=failed)

    def _describe_consumer(self, group_id: str) -> DescribedConsumer:
        if not group_id:
            return DescribedConsumer(group_id=group_id, error_code=ErrorCode.INVALID_GROUP_ID)
        group = self._groups.get(group_id)
        if group is not None and not isinstance(group, ClassicGroup):
            return group.describe()
        why = f"Group {group_id} not found." if group is None else f"Group {group_id} is not a consumer group."
        return DescribedConsumer(group_id=group_id, error_code=ErrorCode.GROUP_ID_NOT_FOUND, error_message=why)

    def list_groups(self, request: ListGroupsRequest, reply: ListReply) -> Decision:
        """ListGroups; filters are compared without regard to case, and an empty one lets everything through."""
        states = [state.strip().lower() for state in request.states_filter]
        types = [kind.strip().lower() for kind in request.types_filter]
        listed = [_listed(group_id, group) for group_id, group in sorted(self._groups.items(), key=lambda item: item[0])]
        response = ListGroupsResponse(
            groups=[
                one
                for one in listed
                if (not states or one.group_state.lower() in states) and (not types or one.group_type.lower() in types)
            ]
        )

        def failed(error_code: int) -> None:
            reply(ListGroupsResponse(error_code=for_clients(error_code)))

        return Decision(committed=lambda: reply(response), failed=failed)

    def delete(self, group_ids: Sequence[str], reply: DeleteReply) -> Decision:
        """DeleteGroups: each group that has no members, with its offsets, in one batch."""
        told: list[Deleted] = []
        records: list[CoordinatorRecord] = []
        for group_id in group_ids:
            group = self._groups.get(group_id)
            error = check_delete(group)
            told.append(Deleted(group_id=group_id, error_code=error))
        for group_id in dict.fromkeys(one.group_id for one in told if one.error_code == ErrorCode.NONE):
            records.extend(tombstones_of_group(group_id, self._groups[group_id], self._offsets))

        def failed(error_code: int) -> None:
            reply([Deleted(group_id=group_id, error_code=for_clients(error_code)) for group_id in group_ids])

        return Decision(tuple(records), lambda: reply(told), failed)


def _listed(group_id: str, group: Group) -> ListGroupsResponse.ListedGroup:
    if isinstance(group, ClassicGroup):
        return ListGroupsResponse.ListedGroup(
            group_id=group_id, protocol_type=group.protocol_type or "", group_state=group.state_name, group_type=group.group_type
        )
    return ListGroupsResponse.ListedGroup(
        group_id=group_id, protocol_type=CONSUMER_PROTOCOL_TYPE, group_state=group.state_name, group_type=_MODERN_TYPE
    )
