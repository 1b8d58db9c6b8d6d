"""KRaft: the quorum that keeps the metadata log (KIP-595, 630, 853, 996, 1166). Start reading in ``quorum``, then ``roles``."""

from holdwater.core.quorum.checkpoint import build_bootstrap_checkpoint, build_checkpoint, checkpoint_records, is_control, read_checkpoint
from holdwater.core.quorum.config import QuorumConfig
from holdwater.core.quorum.effects import (
    Effect,
    HighWatermarkAdvanced,
    LeadershipChanged,
    Reply,
    Request,
    Response,
    SendRequest,
    SnapshotLoaded,
)
from holdwater.core.quorum.log_view import BOOTSTRAP_SNAPSHOT
from holdwater.core.quorum.quorum import NotLeader, Quorum
from holdwater.core.quorum.voters import Endpoint, ReplicaKey, Voter, VoterSet

__all__ = [
    "BOOTSTRAP_SNAPSHOT",
    "Effect",
    "Endpoint",
    "HighWatermarkAdvanced",
    "LeadershipChanged",
    "NotLeader",
    "Quorum",
    "QuorumConfig",
    "ReplicaKey",
    "Reply",
    "Request",
    "Response",
    "SendRequest",
    "SnapshotLoaded",
    "Voter",
    "VoterSet",
    "build_bootstrap_checkpoint",
    "build_checkpoint",
    "checkpoint_records",
    "is_control",
    "read_checkpoint",
]
