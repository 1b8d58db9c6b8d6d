"""A classic member that was removed, and does not know it, joins again under its member id: the same on our cluster and on Apache Kafka.

A classic group knows no such member, and so its client begins anew. A group that became a consumer group meanwhile takes it in with what it says
that it has, and nothing tells the client that others have worked there since: its position may be one of before.
"""

from uuid import uuid4

from tests.support.classic_groups import SESSION_MS, subscription
from tests.support.cluster import Brokers, eventually

from holdwater.core.groups.subscriptions import assignment_bytes, assignment_of
from holdwater.kernel.errors import ErrorCode
from holdwater.wire import messages as m

NOT_NOW = {ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.NOT_COORDINATOR}


class RawGroup:
    """A group of the topic of its name, request by request."""

    def __init__(self, brokers: Brokers, name: str) -> None:
        self.brokers, self.name = brokers, name

    def ask(self, request, response, highest: int):
        """The answer of the coordinator, which may have to load first."""
        with self.brokers.connect(self.brokers.coordinator(self.name)) as connection:
            return eventually(
                lambda: connection.call(request, response, timeout_s=30, highest=highest), lambda seen: seen.error_code not in NOT_NOW
            )

    def join(self, member_id: str, owned: list[int]) -> m.JoinGroupResponse:
        """A classic member that says it has these partitions."""
        metadata = subscription(self.name, owned={self.name: owned} if owned else None)
        request = m.JoinGroupRequest(
            group_id=self.name,
            session_timeout_ms=SESSION_MS,
            rebalance_timeout_ms=SESSION_MS,
            member_id=member_id,
            protocol_type="consumer",
            protocols=[m.JoinGroupRequest.JoinGroupRequestProtocol("range", metadata)],
        )
        return self.ask(request, m.JoinGroupResponse, 9)

    def sync(self, joined: m.JoinGroupResponse, shares: dict[str, list[int]]) -> m.SyncGroupResponse:
        """Bring the assignments, or none, and fetch the member's own."""
        struct = m.SyncGroupRequest.SyncGroupRequestAssignment
        request = m.SyncGroupRequest(
            group_id=self.name,
            generation_id=joined.generation_id,
            member_id=joined.member_id,
            protocol_type="consumer",
            protocol_name="range",
            assignments=[struct(each, assignment_bytes([(self.name, has)], subscription(self.name))) for each, has in shares.items()],
        )
        return self.ask(request, m.SyncGroupResponse, 5)

    def classic_member(self) -> str:
        """The member id of a classic member that has all partitions."""
        named = self.join("", [])
        assert named.error_code == ErrorCode.MEMBER_ID_REQUIRED
        joined = self.join(named.member_id, [])
        assert (joined.error_code, joined.leader) == (ErrorCode.NONE, named.member_id)
        synced = self.sync(joined, {named.member_id: list(range(6))})
        assert partitions(synced) == list(range(6))
        return named.member_id

    def remove(self, member_id: str) -> None:
        """What the coordinator does of itself with one that it has not heard for too long."""
        request = m.LeaveGroupRequest(group_id=self.name, members=[m.LeaveGroupRequest.MemberIdentity(member_id=member_id)])
        answer = self.ask(request, m.LeaveGroupResponse, 5)
        assert (answer.error_code, answer.members[0].error_code) == (ErrorCode.NONE, ErrorCode.NONE)

    def heartbeat(
        self, member_id: str, epoch: int, told: m.ConsumerGroupHeartbeatResponse | None = None
    ) -> m.ConsumerGroupHeartbeatResponse:
        """A member of KIP-848 joins, or lives and has what it was told that it may have."""
        request = m.ConsumerGroupHeartbeatRequest(group_id=self.name, member_id=member_id, member_epoch=epoch)
        if epoch == 0:
            request.rebalance_timeout_ms, request.subscribed_topic_names, request.topic_partitions = SESSION_MS, [self.name], []
        if told is not None:
            struct = m.ConsumerGroupHeartbeatRequest.TopicPartitions
            request.topic_partitions = [struct(each.topic_id, each.partitions) for each in told.assignment.topic_partitions]
        return self.ask(request, m.ConsumerGroupHeartbeatResponse, 1)


def partitions(synced: m.SyncGroupResponse) -> list[int]:
    """What the member is assigned."""
    assert synced.error_code == ErrorCode.NONE
    return [index for topic in assignment_of(synced.assignment).assigned_partitions for index in topic.partitions]


def owned(told: m.ConsumerGroupHeartbeatResponse) -> list[int]:
    """What the heartbeat's answer says that the member may have."""
    assert told.error_code == ErrorCode.NONE
    return [index for topic in told.assignment.topic_partitions for index in topic.partitions]


def test_a_classic_group_does_not_know_it(kafka: Brokers, shared: str) -> None:
    group = RawGroup(kafka, shared)
    removed = group.classic_member()
    group.remove(removed)
    group.classic_member()
    assert group.join(removed, [2]).error_code == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_consumer_group_takes_it_in_with_what_it_says_that_it_has(kafka: Brokers, shared: str) -> None:
    group = RawGroup(kafka, shared)
    removed = group.classic_member()
    group.remove(removed)
    worker = group.heartbeat(str(uuid4()), 0)
    assert owned(worker) == list(range(6))
    again = group.join(removed, [5])
    assert (again.error_code, again.member_id) == (ErrorCode.NONE, removed)
    assert partitions(group.sync(again, {})) == []
    told = eventually(lambda: group.heartbeat(worker.member_id, worker.member_epoch), lambda seen: seen.assignment is not None)
    assert owned(told) == [0, 1, 2]
    given_up = eventually(
        lambda: group.heartbeat(worker.member_id, worker.member_epoch, told), lambda seen: seen.member_epoch > worker.member_epoch
    )
    assert given_up.error_code == ErrorCode.NONE
    again = group.join(removed, [5])
    assert (again.error_code, again.member_id) == (ErrorCode.NONE, removed)
    assert partitions(group.sync(again, {})) == [3, 4, 5]
