"""The quorum's requests and responses as Kafka lays them out: each speaks of one topic, one partition, ``__cluster_metadata-0``.

Builders take what the message says and return it; readers return the one partition's part, or ``None`` when the message is about anything
else (the sender is answered INVALID_REQUEST, or its response counts as none).
"""

from typing import NamedTuple, TypeAlias, TypeVar

from holdwater.core.quorum.effects import Response
from holdwater.core.quorum.voters import Endpoint, ReplicaKey
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import METADATA_TOPIC, METADATA_TOPIC_ID, NO_EPOCH, NO_NODE, NO_OFFSET, ZERO_UUID
from holdwater.kernel.ports import EpochEnd, SnapshotId
from holdwater.wire.messages import (
    BeginQuorumEpochRequest,
    BeginQuorumEpochResponse,
    EndQuorumEpochRequest,
    EndQuorumEpochResponse,
    FetchRequest,
    FetchResponse,
    FetchSnapshotRequest,
    FetchSnapshotResponse,
    VoteRequest,
    VoteResponse,
)

VOTE_VERSION = 2
BEGIN_QUORUM_EPOCH_VERSION = 1
END_QUORUM_EPOCH_VERSION = 1
FETCH_VERSION = 18
FETCH_SNAPSHOT_VERSION = 1

HIGH_WATERMARK_UNSUPPORTED = 2**63 - 1
"""Fetch before v18 says nothing of the follower's high watermark (KIP-1166)."""

T = TypeVar("T")
P = TypeVar("P")


class LeaderView(NamedTuple):
    """Who leads, as told to a peer or by one: leader id (-1 unknown), quorum epoch, the leader's endpoint if known."""

    leader_id: int
    epoch: int
    endpoint: Endpoint | None


class Answered(NamedTuple):
    """What every response of the quorum says, apart from its own matter."""

    error: int
    view: LeaderView


def _single(topics: list[T]) -> T | None:
    return topics[0] if len(topics) == 1 else None


# -- requests we send ------------------------------------------------------------------------------------------------------------------


def vote_request(
    cluster_id: str, sender: ReplicaKey, receiver: ReplicaKey, epoch: int, last_epoch: int, end_offset: int, *, pre_vote: bool
) -> VoteRequest:
    """A vote, or with ``pre_vote`` the question whether it would be granted (the sender's present epoch, KIP-996)."""
    partition = VoteRequest.PartitionData(
        partition_index=0,
        replica_epoch=epoch,
        replica_id=sender.id,
        replica_directory_id=sender.directory_id,
        voter_directory_id=receiver.directory_id,
        last_offset_epoch=last_epoch,
        last_offset=end_offset,
        pre_vote=pre_vote,
    )
    topic = VoteRequest.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])
    return VoteRequest(cluster_id=cluster_id, voter_id=receiver.id, topics=[topic])


def begin_quorum_epoch_request(
    cluster_id: str, leader_id: int, epoch: int, receiver: ReplicaKey, endpoints: tuple[Endpoint, ...]
) -> BeginQuorumEpochRequest:
    """The new leader presents itself to a voter."""
    partition = BeginQuorumEpochRequest.PartitionData(
        partition_index=0, voter_directory_id=receiver.directory_id, leader_id=leader_id, leader_epoch=epoch
    )
    return BeginQuorumEpochRequest(
        cluster_id=cluster_id,
        voter_id=receiver.id,
        topics=[BeginQuorumEpochRequest.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])],
        leader_endpoints=[BeginQuorumEpochRequest.LeaderEndpoint(name=e.name, host=e.host, port=e.port) for e in endpoints],
    )


def end_quorum_epoch_request(
    cluster_id: str, leader_id: int, epoch: int, successors: list[ReplicaKey], endpoints: tuple[Endpoint, ...]
) -> EndQuorumEpochRequest:
    """The leader resigns and names whom it would like to follow it, best first."""
    partition = EndQuorumEpochRequest.PartitionData(
        partition_index=0,
        leader_id=leader_id,
        leader_epoch=epoch,
        preferred_successors=[key.id for key in successors],
        preferred_candidates=[
            EndQuorumEpochRequest.ReplicaInfo(candidate_id=key.id, candidate_directory_id=key.directory_id) for key in successors
        ],
    )
    return EndQuorumEpochRequest(
        cluster_id=cluster_id,
        topics=[EndQuorumEpochRequest.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])],
        leader_endpoints=[EndQuorumEpochRequest.LeaderEndpoint(name=e.name, host=e.host, port=e.port) for e in endpoints],
    )


def fetch_request(
    cluster_id: str,
    replica: ReplicaKey,
    epoch: int,
    offset: int,
    last_epoch: int,
    log_start_offset: int,
    high_watermark: int,
    max_wait_ms: int,
    max_bytes: int,
) -> FetchRequest:
    """A follower's or observer's fetch at its log end; from a voter it says that everything below is synced."""
    partition = FetchRequest.FetchPartition(
        partition=0,
        current_leader_epoch=epoch,
        fetch_offset=offset,
        last_fetched_epoch=last_epoch,
        log_start_offset=log_start_offset,
        partition_max_bytes=max_bytes,
        replica_directory_id=replica.directory_id,
        high_watermark=high_watermark,
    )
    return FetchRequest(
        cluster_id=cluster_id,
        replica_state=FetchRequest.ReplicaState(replica_id=replica.id),
        max_wait_ms=max_wait_ms,
        max_bytes=max_bytes,
        topics=[FetchRequest.FetchTopic(topic=METADATA_TOPIC, topic_id=METADATA_TOPIC_ID, partitions=[partition])],
    )


def fetch_snapshot_request(
    cluster_id: str, replica: ReplicaKey, epoch: int, snapshot_id: SnapshotId, position: int, max_bytes: int
) -> FetchSnapshotRequest:
    """The next slice of a snapshot."""
    partition = FetchSnapshotRequest.PartitionSnapshot(
        partition=0,
        current_leader_epoch=epoch,
        snapshot_id=FetchSnapshotRequest.SnapshotId(end_offset=snapshot_id.end_offset, epoch=snapshot_id.epoch),
        position=position,
        replica_directory_id=replica.directory_id,
    )
    topic = FetchSnapshotRequest.TopicSnapshot(name=METADATA_TOPIC, partitions=[partition])
    return FetchSnapshotRequest(cluster_id=cluster_id, replica_id=replica.id, max_bytes=max_bytes, topics=[topic])


# -- requests we get -------------------------------------------------------------------------------------------------------------------


def read_vote_request(request: VoteRequest) -> VoteRequest.PartitionData | None:
    """The one partition asked about."""
    topic = _single(request.topics)
    if topic is None or topic.topic_name != METADATA_TOPIC:
        return None
    return _partition_zero(topic.partitions)


def read_begin_request(request: BeginQuorumEpochRequest) -> BeginQuorumEpochRequest.PartitionData | None:
    """The one partition asked about."""
    topic = _single(request.topics)
    if topic is None or topic.topic_name != METADATA_TOPIC:
        return None
    return _partition_zero(topic.partitions)


def read_end_request(request: EndQuorumEpochRequest) -> EndQuorumEpochRequest.PartitionData | None:
    """The one partition asked about."""
    topic = _single(request.topics)
    if topic is None or topic.topic_name != METADATA_TOPIC:
        return None
    return _partition_zero(topic.partitions)


def read_fetch_request(request: FetchRequest) -> FetchRequest.FetchPartition | None:
    """The one partition asked for, by topic id (v13 and newer) or by name."""
    topic = _single(request.topics)
    if topic is None or (topic.topic_id != METADATA_TOPIC_ID and (topic.topic_id != ZERO_UUID or topic.topic != METADATA_TOPIC)):
        return None
    partition = _single(topic.partitions)
    return partition if partition is not None and partition.partition == 0 else None


def read_fetch_snapshot_request(request: FetchSnapshotRequest) -> FetchSnapshotRequest.PartitionSnapshot | None:
    """The one partition asked for."""
    topic = _single(request.topics)
    if topic is None or topic.name != METADATA_TOPIC:
        return None
    partition = _single(topic.partitions)
    return partition if partition is not None and partition.partition == 0 else None


_Indexed: TypeAlias = (
    VoteRequest.PartitionData
    | BeginQuorumEpochRequest.PartitionData
    | EndQuorumEpochRequest.PartitionData
    | VoteResponse.PartitionData
    | BeginQuorumEpochResponse.PartitionData
    | EndQuorumEpochResponse.PartitionData
)
I = TypeVar("I", bound=_Indexed)  # noqa: E741


def _partition_zero(partitions: list[I]) -> I | None:
    partition = _single(partitions)
    return partition if partition is not None and partition.partition_index == 0 else None


# -- responses we give -----------------------------------------------------------------------------------------------------------------


def vote_response(view: LeaderView, error: int, *, granted: bool) -> VoteResponse:
    """The answer to a vote or pre-vote."""
    partition = VoteResponse.PartitionData(
        partition_index=0, error_code=error, leader_id=view.leader_id, leader_epoch=view.epoch, vote_granted=granted
    )
    return VoteResponse(
        topics=[VoteResponse.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])],
        node_endpoints=[VoteResponse.NodeEndpoint(node_id=i, host=h, port=p) for i, h, p in _node_endpoints(view)],
    )


def begin_quorum_epoch_response(view: LeaderView, error: int) -> BeginQuorumEpochResponse:
    """The answer to a leader that presents itself."""
    partition = BeginQuorumEpochResponse.PartitionData(
        partition_index=0, error_code=error, leader_id=view.leader_id, leader_epoch=view.epoch
    )
    return BeginQuorumEpochResponse(
        topics=[BeginQuorumEpochResponse.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])],
        node_endpoints=[BeginQuorumEpochResponse.NodeEndpoint(node_id=i, host=h, port=p) for i, h, p in _node_endpoints(view)],
    )


def end_quorum_epoch_response(view: LeaderView, error: int) -> EndQuorumEpochResponse:
    """The answer to a leader that resigns."""
    partition = EndQuorumEpochResponse.PartitionData(partition_index=0, error_code=error, leader_id=view.leader_id, leader_epoch=view.epoch)
    return EndQuorumEpochResponse(
        topics=[EndQuorumEpochResponse.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])],
        node_endpoints=[EndQuorumEpochResponse.NodeEndpoint(node_id=i, host=h, port=p) for i, h, p in _node_endpoints(view)],
    )


def fetch_response(
    view: LeaderView,
    error: int,
    *,
    high_watermark: int = NO_OFFSET,
    log_start_offset: int = NO_OFFSET,
    records: bytes = b"",
    diverging: EpochEnd | None = None,
    snapshot_id: SnapshotId | None = None,
) -> FetchResponse:
    """The answer to a fetch of the metadata partition."""
    partition = FetchResponse.PartitionData(
        partition_index=0,
        error_code=error,
        high_watermark=high_watermark,
        log_start_offset=log_start_offset,
        current_leader=FetchResponse.LeaderIdAndEpoch(leader_id=view.leader_id, leader_epoch=view.epoch),
        records=records,
    )
    if diverging is not None:
        partition.diverging_epoch = FetchResponse.EpochEndOffset(epoch=diverging.leader_epoch, end_offset=diverging.end_offset)
    if snapshot_id is not None:
        partition.snapshot_id = FetchResponse.SnapshotId(end_offset=snapshot_id.end_offset, epoch=snapshot_id.epoch)
    return FetchResponse(
        responses=[FetchResponse.FetchableTopicResponse(topic=METADATA_TOPIC, topic_id=METADATA_TOPIC_ID, partitions=[partition])],
        node_endpoints=[FetchResponse.NodeEndpoint(node_id=i, host=h, port=p) for i, h, p in _node_endpoints(view)],
    )


def fetch_snapshot_response(
    view: LeaderView, error: int, *, snapshot_id: SnapshotId | None = None, size: int = 0, position: int = 0, content: bytes = b""
) -> FetchSnapshotResponse:
    """The answer to a request for a slice of a snapshot."""
    end_offset, epoch = snapshot_id if snapshot_id is not None else (0, 0)
    partition = FetchSnapshotResponse.PartitionSnapshot(
        index=0,
        error_code=error,
        snapshot_id=FetchSnapshotResponse.SnapshotId(end_offset=end_offset, epoch=epoch),
        current_leader=FetchSnapshotResponse.LeaderIdAndEpoch(leader_id=view.leader_id, leader_epoch=view.epoch),
        size=size,
        position=position,
        unaligned_records=content,
    )
    return FetchSnapshotResponse(
        topics=[FetchSnapshotResponse.TopicSnapshot(name=METADATA_TOPIC, partitions=[partition])],
        node_endpoints=[FetchSnapshotResponse.NodeEndpoint(node_id=i, host=h, port=p) for i, h, p in _node_endpoints(view)],
    )


def _node_endpoints(view: LeaderView) -> list[tuple[int, str, int]]:
    if view.leader_id == NO_NODE or view.endpoint is None:
        return []
    return [(view.leader_id, view.endpoint.host, view.endpoint.port)]


# -- responses we get ------------------------------------------------------------------------------------------------------------------


def read_vote_response(response: VoteResponse) -> VoteResponse.PartitionData | None:
    """The one partition answered for."""
    topic = _single(response.topics)
    if topic is None or topic.topic_name != METADATA_TOPIC:
        return None
    return _partition_zero(topic.partitions)


def read_begin_response(response: BeginQuorumEpochResponse) -> BeginQuorumEpochResponse.PartitionData | None:
    """The one partition answered for."""
    topic = _single(response.topics)
    if topic is None or topic.topic_name != METADATA_TOPIC:
        return None
    return _partition_zero(topic.partitions)


def read_end_response(response: EndQuorumEpochResponse) -> EndQuorumEpochResponse.PartitionData | None:
    """The one partition answered for."""
    topic = _single(response.topics)
    if topic is None or topic.topic_name != METADATA_TOPIC:
        return None
    return _partition_zero(topic.partitions)


def read_fetch_response(response: FetchResponse) -> FetchResponse.PartitionData | None:
    """The one partition answered for."""
    topic = _single(response.responses)
    if topic is None or (topic.topic_id != METADATA_TOPIC_ID and topic.topic != METADATA_TOPIC):
        return None
    partition = _single(topic.partitions)
    return partition if partition is not None and partition.partition_index == 0 else None


def read_fetch_snapshot_response(response: FetchSnapshotResponse) -> FetchSnapshotResponse.PartitionSnapshot | None:
    """The one partition answered for."""
    topic = _single(response.topics)
    if topic is None or topic.name != METADATA_TOPIC:
        return None
    partition = _single(topic.partitions)
    return partition if partition is not None and partition.index == 0 else None


def answered(response: Response, listener_name: str) -> Answered | None:
    """Error and leader of any of the five responses; ``None`` when it is not about the metadata partition.

    A top-level error comes back with leader and epoch unknown (-1).
    """
    if response.error_code != ErrorCode.NONE:
        return Answered(response.error_code, LeaderView(NO_NODE, NO_EPOCH, None))
    if isinstance(response, FetchResponse):
        fetched = read_fetch_response(response)
        if fetched is None:
            return None
        leader, error = fetched.current_leader, fetched.error_code
        leader_id, epoch = (leader.leader_id, leader.leader_epoch) if leader is not None else (NO_NODE, NO_EPOCH)
    elif isinstance(response, FetchSnapshotResponse):
        slice_ = read_fetch_snapshot_response(response)
        if slice_ is None:
            return None
        leader, error = slice_.current_leader, slice_.error_code
        # Absent means all defaults, which are zeros here.
        leader_id, epoch = (leader.leader_id, leader.leader_epoch) if leader is not None else (0, 0)
    else:
        partition = _voting_partition(response)
        if partition is None:
            return None
        leader_id, epoch, error = partition.leader_id, partition.leader_epoch, partition.error_code
    endpoint = next(
        (Endpoint(listener_name, node.host, node.port) for node in response.node_endpoints if node.node_id == leader_id and leader_id >= 0),
        None,
    )
    return Answered(error, LeaderView(leader_id if leader_id >= 0 else NO_NODE, epoch, endpoint))


def _voting_partition(
    response: VoteResponse | BeginQuorumEpochResponse | EndQuorumEpochResponse,
) -> VoteResponse.PartitionData | BeginQuorumEpochResponse.PartitionData | EndQuorumEpochResponse.PartitionData | None:
    if isinstance(response, VoteResponse):
        return read_vote_response(response)
    if isinstance(response, BeginQuorumEpochResponse):
        return read_begin_response(response)
    return read_end_response(response)
