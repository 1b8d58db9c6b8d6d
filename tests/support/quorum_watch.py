"""What must hold over all members of a quorum at once, checked after every step of one (M1 to M4 in docs/invariants.md)."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from holdwater.core.quorum import Quorum
from holdwater.wire.messages import VoteRequest

if TYPE_CHECKING:
    from tests.support.quorum_cluster import Cluster, Machine


class Watch:
    """What must hold over all members, always (M1 to M4 in docs/invariants.md)."""

    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster
        self.leaders: dict[int, int] = {}
        self.votes: dict[tuple[int, bytes, int], tuple[int, bytes]] = {}
        self.committed: dict[int, tuple[int, bytes]] = {}
        """Base offset of each committed batch: its epoch and bytes."""
        self._checked: dict[tuple[int, int], int] = {}

    def spoke(self, node_id: int, request: Any) -> None:
        """M2: a candidate's own vote is durable before it asks for others'."""
        machine = self._cluster.machines[node_id]
        vote = machine.votes.load()
        assert vote is not None
        if isinstance(request, VoteRequest):
            partition = request.topics[0].partitions[0]
            assert vote.epoch >= partition.replica_epoch, "M2: spoke of an epoch that is not durable"
            if not partition.pre_vote and vote.epoch == partition.replica_epoch:
                assert vote.voted_id == node_id, "M2: a candidate that has not voted for itself durably"
                self._voted(node_id, machine.config.directory_id, vote.epoch, (node_id, machine.config.directory_id))

    def answered(self, node_id: int, request: Any, response: Any) -> None:
        """M2: a granted vote is durable before it is told, and there is one in an epoch."""
        if not isinstance(request, VoteRequest) or not response.topics:
            return
        asked = request.topics[0].partitions[0]
        answer = response.topics[0].partitions[0]
        machine = self._cluster.machines[node_id]
        vote = machine.votes.load()
        assert vote is not None
        assert vote.epoch >= answer.leader_epoch, "M2: answered with an epoch that is not durable"
        if answer.vote_granted and not asked.pre_vote:
            candidate = (asked.replica_id, asked.replica_directory_id)
            if vote.epoch == asked.replica_epoch:
                assert (vote.voted_id, vote.voted_directory_id) == candidate, "M2: granted a vote that is not durable"
            self._voted(node_id, machine.config.directory_id, asked.replica_epoch, candidate)

    def _voted(self, node_id: int, directory: bytes, epoch: int, candidate: tuple[int, bytes]) -> None:
        earlier = self.votes.setdefault((node_id, directory, epoch), candidate)
        assert earlier == candidate, f"M2: node {node_id} voted for {earlier[0]} and {candidate[0]} in epoch {epoch}"

    def check(self, node_id: int) -> None:
        """M1, M3 and M4 after a step of one member."""
        machine = self._cluster.machines[node_id]
        quorum = machine.quorum
        if quorum is None:
            return
        if quorum.is_leader:
            first = self.leaders.setdefault(quorum.epoch, node_id)
            assert first == node_id, f"M1: {first} and {node_id} lead epoch {quorum.epoch}"
        vote = machine.votes.load()
        assert vote is not None
        assert vote.epoch == quorum.epoch, "M2: the epoch in force is not durable"
        self._check_committed(node_id, machine, quorum)

    def _check_committed(self, node_id: int, machine: "Machine", quorum: Quorum) -> None:
        high_watermark = quorum.high_watermark
        assert high_watermark <= machine.log.log_end_offset
        key = (node_id, machine.incarnation)
        begin = self._checked.get(key, machine.log.log_start_offset)
        if begin >= high_watermark:
            return
        self._checked[key] = high_watermark
        for batch in machine.log.batches:
            if begin <= batch.base_offset < high_watermark:
                first = self.committed.setdefault(batch.base_offset, (batch.epoch, batch.data))
                assert first == (batch.epoch, batch.data), f"M3: node {node_id} committed something else at {batch.base_offset}"
        if quorum.is_leader:
            self._check_majority(high_watermark)

    def _check_majority(self, high_watermark: int) -> None:
        """M4: a majority of voters could lose power now and still have everything below the high watermark."""
        holders = 0
        for voter_id in self._cluster.voter_ids:
            machine = self._cluster.machines[voter_id]
            snapshot = machine.snapshots.latest()
            durable = machine.log.durable_batches()
            end = max([b.last_offset + 1 for b in durable] + [snapshot.end_offset if snapshot else 0])
            same = all(
                self.committed.get(b.base_offset, (b.epoch, b.data)) == (b.epoch, b.data) for b in durable if b.base_offset < high_watermark
            )
            holders += end >= high_watermark and same
        assert holders > len(self._cluster.voter_ids) // 2, f"M4: high watermark {high_watermark} on {holders} synced voters"

    def check_logs(self) -> None:
        """Every running member's committed log is the one committed log, without gaps; for the end of a test."""
        for node_id in self._cluster.running():
            machine = self._cluster.machines[node_id]
            for before, after in pairwise(machine.log.batches):
                assert after.base_offset == before.last_offset + 1
            for batch in machine.log.batches:
                if batch.base_offset in self.committed and batch.last_offset < self._cluster.quorum(node_id).high_watermark:
                    assert self.committed[batch.base_offset] == (batch.epoch, batch.data)
