"""Takes out of a response what the version of its request cannot say, where Kafka's definitions do not let the codec drop it.

The quorum and the controller answer in the newest version, which is the one that nodes of this cluster speak among themselves; other tools may
ask in an older one.
"""

from typing import Any

from holdwater.wire import messages as m

_ENDPOINTS_SINCE: dict[type, int] = {
    m.FetchResponse: 16,
    m.VoteResponse: 1,
    m.BeginQuorumEpochResponse: 1,
    m.EndQuorumEpochResponse: 1,
    m.FetchSnapshotResponse: 1,
}
"""First version that has node endpoints (KIP-853)."""
_FETCH_LEADER_SINCE = 12
_QUORUM_NODES_SINCE = 2


def as_of_version(response: Any, version: int) -> Any:
    """``response`` itself, without what ``version`` cannot say."""
    for kind, since in _ENDPOINTS_SINCE.items():
        if version < since and isinstance(response, kind):
            response.node_endpoints = []
    if isinstance(response, m.FetchResponse) and version < _FETCH_LEADER_SINCE:
        for topic in response.responses:
            for partition in topic.partitions:
                partition.diverging_epoch = partition.current_leader = partition.snapshot_id = None
    elif isinstance(response, m.DescribeQuorumResponse) and version < _QUORUM_NODES_SINCE:
        response.nodes = []
        for topic in response.topics:
            for partition in topic.partitions:
                for replica in (*partition.current_voters, *partition.observers):
                    replica.replica_directory_id = bytes(16)
    return response
