"""What the quorum asks its host to do, in order, as values. The host acts on them after each event and before the next."""

from typing import NamedTuple, TypeAlias

from holdwater.kernel.ports import SnapshotId
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

Request: TypeAlias = VoteRequest | BeginQuorumEpochRequest | EndQuorumEpochRequest | FetchRequest | FetchSnapshotRequest
Response: TypeAlias = VoteResponse | BeginQuorumEpochResponse | EndQuorumEpochResponse | FetchResponse | FetchSnapshotResponse


class SendRequest(NamedTuple):
    """Send ``request`` to a peer and hand its answer to ``on_response`` (or its lack to ``on_failure``), together with this value.

    ``peer`` is a node id, or -2, -3, ... for the bootstrap servers in their order. ``version`` is the one to use when the peer knows it, else
    the peer's highest. ``number`` tells this request from every other to the same peer: an answer to an older one is ignored.
    """

    peer: int
    host: str
    port: int
    number: int
    version: int
    request: Request


class Reply(NamedTuple):
    """Answer the fetch that was parked under ``tag``."""

    tag: object
    response: FetchResponse


class LeadershipChanged(NamedTuple):
    """The leader or its epoch changed; ``leader_id`` is -1 while no leader is known.

    On the leader itself ``epoch_start_offset`` is the offset of its first record: it may act on its state machine once everything up to
    there is applied. Elsewhere it is -1.
    """

    leader_id: int
    leader_epoch: int
    is_self: bool
    epoch_start_offset: int


class HighWatermarkAdvanced(NamedTuple):
    """Every record below ``high_watermark`` is committed and may be read and applied."""

    high_watermark: int


class SnapshotLoaded(NamedTuple):
    """The log was replaced by a downloaded snapshot: the state machine starts again from it."""

    snapshot_id: SnapshotId


Effect: TypeAlias = SendRequest | Reply | LeadershipChanged | HighWatermarkAdvanced | SnapshotLoaded
