"""Vote (52), BeginQuorumEpoch (53), EndQuorumEpoch (54), FetchSnapshot (59): the quorum's own requests, all answered by its member at once.

They are one idea, a hand-over to ``core.quorum``, and so one file. Fetch of the metadata log goes through ``fetch``, DescribeQuorum through
``describe_quorum``.
"""

from typing import TYPE_CHECKING

from holdwater.broker.apis import CONTROLLER, Api
from holdwater.broker.connection import Call
from holdwater.broker.older_versions import as_of_version
from holdwater.wire.messages import (
    BeginQuorumEpochRequest,
    BeginQuorumEpochResponse,
    EndQuorumEpochRequest,
    EndQuorumEpochResponse,
    FetchSnapshotRequest,
    FetchSnapshotResponse,
    VoteRequest,
    VoteResponse,
)

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker


def vote(broker: "Broker", call: Call, request: VoteRequest) -> None:
    """A candidate asks for a vote, or whether it would get one."""
    call.reply(as_of_version(broker.metadata.quorum.handle_vote(request, broker.mono_ms), call.version))
    broker.metadata.pump()


def begin_quorum_epoch(broker: "Broker", call: Call, request: BeginQuorumEpochRequest) -> None:
    """A leader presents itself."""
    call.reply(as_of_version(broker.metadata.quorum.handle_begin_quorum_epoch(request, broker.mono_ms), call.version))
    broker.metadata.pump()


def end_quorum_epoch(broker: "Broker", call: Call, request: EndQuorumEpochRequest) -> None:
    """A leader resigns."""
    call.reply(as_of_version(broker.metadata.quorum.handle_end_quorum_epoch(request, broker.mono_ms), call.version))
    broker.metadata.pump()


def fetch_snapshot(broker: "Broker", call: Call, request: FetchSnapshotRequest) -> None:
    """A slice of a metadata snapshot."""
    call.reply_segments(as_of_version(broker.metadata.quorum.handle_fetch_snapshot(request, broker.mono_ms), call.version))
    broker.metadata.pump()


_ACCESS = "ClusterAction on Cluster"
VOTE = Api(VoteRequest, VoteResponse, vote, _ACCESS, (CONTROLLER,))
BEGIN_QUORUM_EPOCH = Api(BeginQuorumEpochRequest, BeginQuorumEpochResponse, begin_quorum_epoch, _ACCESS, (CONTROLLER,))
END_QUORUM_EPOCH = Api(EndQuorumEpochRequest, EndQuorumEpochResponse, end_quorum_epoch, _ACCESS, (CONTROLLER,))
FETCH_SNAPSHOT = Api(FetchSnapshotRequest, FetchSnapshotResponse, fetch_snapshot, _ACCESS, (CONTROLLER,))
