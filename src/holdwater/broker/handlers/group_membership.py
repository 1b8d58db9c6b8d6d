"""Membership of groups: JoinGroup (11), Heartbeat (12), LeaveGroup (13), SyncGroup (14), ConsumerGroupHeartbeat (68).

The group's coordinator decides (``core.groups``); here its shard is found, and refused where this broker is not the coordinator.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.broker.coordinators.finding import caller_of, consumer_protocol_is_on, group_shard
from holdwater.core.coordinator import Caller, Decision
from holdwater.core.groups import GroupShard
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    JoinGroupRequest,
    JoinGroupResponse,
    LeaveGroupRequest,
    LeaveGroupResponse,
    SyncGroupRequest,
    SyncGroupResponse,
)

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

Ask = Callable[[GroupShard, Any, Caller, Callable[[Any], None]], Decision]


def _through(broker: "Broker", call: Call, request: Any, ask: Ask, refuse: Callable[[int], Any]) -> None:
    """Hand a request to the shard of its group, which also knows what older versions of it mean."""
    found = group_shard(broker, request.group_id)
    if isinstance(found, int):
        call.reply(refuse(found))
        return
    hosted, shard = found
    hosted.carry_out(ask(shard, request, caller_of(call), call.reply))


def join(broker: "Broker", call: Call, request: JoinGroupRequest) -> None:
    """JoinGroup, versions 0 to 9."""

    def refuse(error_code: int) -> JoinGroupResponse:
        member_id = request.member_id
        return JoinGroupResponse(error_code=error_code, generation_id=-1, protocol_name="", member_id=member_id, leader="", members=[])

    _through(broker, call, request, GroupShard.join, refuse)


def sync(broker: "Broker", call: Call, request: SyncGroupRequest) -> None:
    """SyncGroup, versions 0 to 5."""
    _through(broker, call, request, GroupShard.sync, lambda code: SyncGroupResponse(error_code=code, assignment=b""))


def heartbeat(broker: "Broker", call: Call, request: HeartbeatRequest) -> None:
    """Heartbeat, versions 0 to 4. While the coordinator is loading, whoever asks is believed to be a member, as in Kafka."""

    def refuse(error_code: int) -> HeartbeatResponse:
        return HeartbeatResponse(error_code=0 if error_code == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS else error_code)

    _through(broker, call, request, GroupShard.heartbeat, refuse)


def leave(broker: "Broker", call: Call, request: LeaveGroupRequest) -> None:
    """LeaveGroup, versions 0 to 5."""
    _through(broker, call, request, GroupShard.leave, lambda code: LeaveGroupResponse(error_code=code, members=[]))


def consumer_heartbeat(broker: "Broker", call: Call, request: ConsumerGroupHeartbeatRequest) -> None:
    """ConsumerGroupHeartbeat, versions 0 and 1 (KIP-848)."""
    if not isinstance(group_shard(broker, request.group_id), int) and not consumer_protocol_is_on(broker):
        call.reply(ConsumerGroupHeartbeatResponse(error_code=ErrorCode.UNSUPPORTED_VERSION))
        return
    _through(broker, call, request, GroupShard.consumer_heartbeat, lambda code: ConsumerGroupHeartbeatResponse(error_code=code))


JOIN = Api(JoinGroupRequest, JoinGroupResponse, join, "Read on Group")
SYNC = Api(SyncGroupRequest, SyncGroupResponse, sync, "Read on Group")
HEARTBEAT = Api(HeartbeatRequest, HeartbeatResponse, heartbeat, "Read on Group")
LEAVE = Api(LeaveGroupRequest, LeaveGroupResponse, leave, "Read on Group")
CONSUMER_HEARTBEAT = Api(
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, consumer_heartbeat, "Read on Group; Describe on Topic"
)
