"""DescribeQuorum (KIP-595, KIP-836, KIP-853): what the leader knows of every replica."""

from holdwater.core.quorum.roles import Leader, Progress
from holdwater.core.quorum.state import Member
from holdwater.core.quorum.voters import ReplicaKey
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import METADATA_TOPIC, NO_EPOCH, NO_NODE, NO_OFFSET
from holdwater.wire.messages import DescribeQuorumRequest, DescribeQuorumResponse


def describe_quorum(member: Member, request: DescribeQuorumRequest, mono_ms: int, wall_ms: int) -> DescribeQuorumResponse:
    """The answer of this member: the leader's knowledge, or NOT_LEADER_OR_FOLLOWER for the partition."""
    topics = request.topics
    if len(topics) != 1 or topics[0].topic_name != METADATA_TOPIC or [p.partition_index for p in topics[0].partitions] != [0]:
        return _refused(request, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    leader = member.role
    if not isinstance(leader, Leader):
        return _refused(request, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    _forget_silent_observers(member, leader, mono_ms)
    voters = [
        _own_state(member, wall_ms) if voter.id == member.config.node_id else _state(voter.key, leader.voters[voter.id])
        for voter in member.voters.voters
    ]
    observers = [_state(key, leader.observers[key]) for key in sorted(leader.observers)]
    partition = DescribeQuorumResponse.PartitionData(
        partition_index=0,
        leader_id=leader.leader_id,
        leader_epoch=leader.epoch,
        high_watermark=member.high_watermark if leader.high_watermark_known else NO_OFFSET,
        current_voters=voters,
        observers=observers,
    )
    nodes = [
        DescribeQuorumResponse.Node(
            node_id=voter.id,
            listeners=[DescribeQuorumResponse.Listener(name=e.name, host=e.host, port=e.port) for e in voter.endpoints],
        )
        for voter in member.voters.voters
    ]
    return DescribeQuorumResponse(topics=[DescribeQuorumResponse.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])], nodes=nodes)


def _refused(request: DescribeQuorumRequest, error: ErrorCode) -> DescribeQuorumResponse:
    return DescribeQuorumResponse(
        topics=[
            DescribeQuorumResponse.TopicData(
                topic_name=topic.topic_name,
                partitions=[
                    DescribeQuorumResponse.PartitionData(
                        partition_index=partition.partition_index,
                        error_code=error,
                        leader_id=NO_NODE,
                        leader_epoch=NO_EPOCH,
                        high_watermark=NO_OFFSET,
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


def _forget_silent_observers(member: Member, leader: Leader, mono_ms: int) -> None:
    limit_ms = mono_ms - member.config.observer_session_timeout_ms
    leader.observers = {key: progress for key, progress in leader.observers.items() if progress.last_fetch_mono_ms > limit_ms}


def _state(key: ReplicaKey, progress: Progress) -> DescribeQuorumResponse.ReplicaState:
    return DescribeQuorumResponse.ReplicaState(
        replica_id=key.id,
        replica_directory_id=key.directory_id,
        log_end_offset=progress.end_offset,
        last_fetch_timestamp=progress.last_fetch_wall_ms,
        last_caught_up_timestamp=progress.last_caught_up_wall_ms,
    )


def _own_state(member: Member, wall_ms: int) -> DescribeQuorumResponse.ReplicaState:
    """The leader's own row: it is always caught up, now."""
    return DescribeQuorumResponse.ReplicaState(
        replica_id=member.config.node_id,
        replica_directory_id=member.config.directory_id,
        log_end_offset=member.log.end_offset,
        last_fetch_timestamp=wall_ms,
        last_caught_up_timestamp=wall_ms,
    )
