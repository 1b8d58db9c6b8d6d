"""Administration of groups: DescribeGroups (15), ListGroups (16), DeleteGroups (42), ConsumerGroupDescribe (69).

A request may name groups of several coordinators: each group is answered by its own, or refused where this broker is not it.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.broker.coordinators import GROUPS, HostedShard
from holdwater.broker.coordinators.finding import as_groups, caller_of, consumer_protocol_is_on, group_shard
from holdwater.broker.coordinators.hosted import ACTIVE
from holdwater.broker.handlers.operations import ALL_ON_GROUP, NOT_ASKED
from holdwater.core.groups import GroupShard
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    DeleteGroupsRequest,
    DeleteGroupsResponse,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
    ListGroupsRequest,
    ListGroupsResponse,
)

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_MOVED = (0, ErrorCode.NOT_COORDINATOR)
"""What a shard's part of a list may say: one that has moved meanwhile is listed elsewhere."""
Many = Callable[[Sequence[Any]], None]


def _gather(group_ids: list[str], broker: "Broker", refuse: Callable[[str, int], Any], ask: Callable[..., None], done: Many) -> None:
    """Answer for each group once, asked of its own shard; ``done`` gets the answers in the order of ``group_ids``."""
    answers: dict[str, Any] = {}
    by_shard: dict[int, tuple[HostedShard, GroupShard, list[str]]] = {}
    names = list(dict.fromkeys(group_ids))
    for group_id in names:
        found = group_shard(broker, group_id)
        if isinstance(found, int):
            answers[group_id] = refuse(group_id, found)
        else:
            hosted, shard = found
            by_shard.setdefault(hosted.index, (hosted, shard, []))[2].append(group_id)

    def finish() -> None:
        if len(answers) == len(names):
            done([answers[group_id] for group_id in names])

    def take(of_shard: Sequence[Any]) -> None:
        for each in of_shard:
            answers[each.group_id] = each
        finish()

    if not by_shard:
        finish()
    for hosted, shard, asked in by_shard.values():
        ask(hosted, shard, asked, take)


def describe(broker: "Broker", call: Call, request: DescribeGroupsRequest) -> None:
    """DescribeGroups, versions 0 to 6."""

    def refuse(group_id: str, error_code: int) -> DescribeGroupsResponse.DescribedGroup:
        return DescribeGroupsResponse.DescribedGroup(error_code=error_code, group_id=group_id, members=[], authorized_operations=NOT_ASKED)

    def ask(hosted: HostedShard, shard: GroupShard, group_ids: list[str], take: Many) -> None:
        hosted.carry_out(shard.describe(group_ids, caller_of(call), take))

    def done(groups: Sequence[DescribeGroupsResponse.DescribedGroup]) -> None:
        for group in groups:
            if request.include_authorized_operations and not group.error_code:
                group.authorized_operations = ALL_ON_GROUP
        call.reply(DescribeGroupsResponse(groups=list(groups)))

    _gather(request.groups, broker, refuse, ask, done)


def consumer_describe(broker: "Broker", call: Call, request: ConsumerGroupDescribeRequest) -> None:
    """ConsumerGroupDescribe, versions 0 and 1 (KIP-848)."""

    def refuse(group_id: str, error_code: int) -> ConsumerGroupDescribeResponse.DescribedGroup:
        return ConsumerGroupDescribeResponse.DescribedGroup(
            error_code=error_code, error_message=None, group_id=group_id, members=[], authorized_operations=NOT_ASKED
        )

    def ask(hosted: HostedShard, shard: GroupShard, group_ids: list[str], take: Many) -> None:
        if not consumer_protocol_is_on(broker):
            take([refuse(group_id, ErrorCode.UNSUPPORTED_VERSION) for group_id in group_ids])
            return
        hosted.carry_out(shard.consumer_describe(group_ids, caller_of(call), take))

    def done(groups: Sequence[ConsumerGroupDescribeResponse.DescribedGroup]) -> None:
        for group in groups:
            if request.include_authorized_operations and not group.error_code:
                group.authorized_operations = ALL_ON_GROUP
        call.reply(ConsumerGroupDescribeResponse(groups=list(groups)))

    _gather(request.group_ids, broker, refuse, ask, done)


def delete(broker: "Broker", call: Call, request: DeleteGroupsRequest) -> None:
    """DeleteGroups, versions 0 to 3."""

    def refuse(group_id: str, error_code: int) -> DeleteGroupsResponse.DeletableGroupResult:
        return DeleteGroupsResponse.DeletableGroupResult(group_id=group_id, error_code=error_code)

    def ask(hosted: HostedShard, shard: GroupShard, group_ids: list[str], take: Many) -> None:
        hosted.carry_out(shard.delete(group_ids, caller_of(call), take))

    _gather(request.groups_names, broker, refuse, ask, lambda results: call.reply(DeleteGroupsResponse(results=list(results))))


def list_groups(broker: "Broker", call: Call, request: ListGroupsRequest) -> None:
    """ListGroups, versions 0 to 5: the groups that this broker coordinates."""
    shards = broker.coordinators.all(GROUPS)
    if any(hosted.state != ACTIVE for hosted in shards):
        call.reply(ListGroupsResponse(error_code=ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, groups=[]))
        return
    listed: dict[int, ListGroupsResponse] = {}

    def take(index: int) -> Callable[[ListGroupsResponse], None]:
        def of_shard(response: ListGroupsResponse) -> None:
            listed[index] = response
            if len(listed) == len(shards):
                failed = next((each for each in listed.values() if each.error_code not in _MOVED), None)
                groups = [group for hosted in shards for group in listed[hosted.index].groups]
                call.reply(failed or ListGroupsResponse(groups=groups))

        return of_shard

    if not shards:
        call.reply(ListGroupsResponse(groups=[]))
    for hosted in shards:
        _, shard = as_groups(hosted)
        hosted.carry_out(shard.list(request, caller_of(call), take(hosted.index)))


DESCRIBE = Api(DescribeGroupsRequest, DescribeGroupsResponse, describe, "Describe on Group")
LIST = Api(ListGroupsRequest, ListGroupsResponse, list_groups, "Describe on Cluster or Group")
DELETE = Api(DeleteGroupsRequest, DeleteGroupsResponse, delete, "Delete on Group")
CONSUMER_DESCRIBE = Api(
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, consumer_describe, "Describe on Group; Describe on Topic"
)
