"""Data replication of one partition: what a leader and a follower know, and what they may do with their log.

``LeaderReplica`` appends, follows its followers' progress, moves the high watermark and proposes changes of the in-sync replicas.
``FollowerReplica`` appends what the leader sent and cuts its log where the leader's and its own history part.
Both work over ``kernel.ports.Log``; neither sends anything, reads a clock, or knows of requests.
"""

from holdwater.core.replica.follower import FollowerReplica
from holdwater.core.replica.leader import AcknowledgementWait, FollowerProgress, IsrProposal, LeaderReplica

__all__ = ["AcknowledgementWait", "FollowerProgress", "FollowerReplica", "IsrProposal", "LeaderReplica"]
