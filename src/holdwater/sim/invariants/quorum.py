"""What must hold of the members of the metadata quorum."""

from typing import TYPE_CHECKING, NamedTuple

from holdwater.core.quorum import ReplicaKey
from holdwater.kernel.ports import Vote
from holdwater.sim.node import SimNode
from holdwater.sim.verdicts import SafetyViolation
from holdwater.storage.votes import QuorumStateFile

if TYPE_CHECKING:
    from holdwater.sim.invariants.watch import Watch


class QuorumSeen(NamedTuple):
    """A quorum member after an event."""

    role: str
    epoch: int
    voted: ReplicaKey | None
    is_leader: bool
    high_watermark: int
    synced_end: int
    is_voter: bool


class QuorumInvariant:
    """Looks at one quorum member that has changed. Raises ``SafetyViolation``."""

    def check(self, watch: "Watch", node: SimNode, before: QuorumSeen | None, now: QuorumSeen) -> None:
        """See the class."""
        raise NotImplementedError


class OneQuorumLeader(QuorumInvariant):
    """M1: for every quorum epoch at most one member ever leads."""

    def __init__(self) -> None:
        self._leaders: dict[int, int] = {}

    def check(self, watch: "Watch", node: SimNode, before: QuorumSeen | None, now: QuorumSeen) -> None:
        """See the class."""
        if now.is_leader:
            first = self._leaders.setdefault(now.epoch, node.node_id)
            if first != node.node_id:
                raise SafetyViolation("M1", f"n{first} and {node} lead the metadata quorum in epoch {now.epoch}")


class VoteIsDurable(QuorumInvariant):
    """M2: when an event ends, whose messages leave with it, the quorum epoch and the vote of a voter are on the platter as it knows them.

    For every (directory, quorum epoch) there is at most one vote, for ever.
    """

    def __init__(self) -> None:
        self._votes: dict[tuple[bytes, int], ReplicaKey] = {}

    def check(self, watch: "Watch", node: SimNode, before: QuorumSeen | None, now: QuorumSeen) -> None:
        """See the class."""
        if not now.is_voter or (before is not None and (before.epoch, before.voted) == (now.epoch, now.voted)):
            return
        stored = _stored_vote(node)
        voted = None if stored is None or stored.voted_id < 0 else ReplicaKey(stored.voted_id, stored.voted_directory_id)
        if stored is None or stored.epoch != now.epoch or voted != now.voted:
            raise SafetyViolation("M2", f"{node} is in quorum epoch {now.epoch} with a vote for {now.voted}; on its platter is {stored}")
        if voted is not None:
            assert node.opened is not None
            first = self._votes.setdefault((node.opened.directory_id, now.epoch), voted)
            if first != voted:
                raise SafetyViolation("M2", f"{node} voted for {first} and for {voted} in quorum epoch {now.epoch}")


class _Platter:
    """What a power loss would leave of a node's files: as much of the ``Disk`` port as reading a vote needs."""

    def __init__(self, node: SimNode) -> None:
        self._disk = node.disk

    def read_file(self, path: str) -> bytes:
        """The synced content. Raises ``FileNotFoundError``."""
        return self._disk.platter(path)


def _stored_vote(node: SimNode) -> Vote | None:
    assert node.opened is not None
    return QuorumStateFile(_Platter(node), node.opened.directories.metadata_log_path).load()  # type: ignore[arg-type]  # reads one file


class CommittedOnSyncedMajority(QuorumInvariant):
    """M4: when the quorum leader moves HW to h, a majority of the voters has synced everything below h."""

    def check(self, watch: "Watch", node: SimNode, before: QuorumSeen | None, now: QuorumSeen) -> None:
        """See the class."""
        if not now.is_leader or before is None or not before.is_leader or now.high_watermark <= before.high_watermark:
            return
        voters = [seen for seen in watch.quorum_seen.values() if seen.is_voter]
        holders = [seen for seen in voters if seen.synced_end >= now.high_watermark]
        if 2 * len(holders) <= len(watch.nodes):
            raise SafetyViolation("M4", f"{node}: metadata high watermark {now.high_watermark} synced on {len(holders)} voters")


class MetadataAgreement(QuorumInvariant):
    """M3: R2 for the metadata log; and HW never falls in one process."""

    def check(self, watch: "Watch", node: SimNode, before: QuorumSeen | None, now: QuorumSeen) -> None:
        """See the class."""
        start = before.high_watermark if before is not None else 0
        if now.high_watermark < start:
            raise SafetyViolation("M3", f"{node}: metadata high watermark fell from {start} to {now.high_watermark}")
        if now.high_watermark > start:
            watch.metadata_ledger.take_in(str(node), watch.quorum_log(node), start, now.high_watermark)


class QuorumEpochNeverFalls(QuorumInvariant):
    """M2 (first half): the quorum epoch of one directory never falls, whatever happens to its process."""

    def __init__(self) -> None:
        self._highest: dict[bytes, int] = {}

    def check(self, watch: "Watch", node: SimNode, before: QuorumSeen | None, now: QuorumSeen) -> None:
        """See the class."""
        assert node.opened is not None
        directory = node.opened.directory_id
        if now.is_voter and now.epoch < self._highest.get(directory, -1):
            raise SafetyViolation("M2", f"{node} fell from quorum epoch {self._highest[directory]} to {now.epoch}")
        self._highest[directory] = max(now.epoch, self._highest.get(directory, -1))


QUORUM_INVARIANTS: tuple[type[QuorumInvariant], ...] = (
    OneQuorumLeader,
    VoteIsDurable,
    QuorumEpochNeverFalls,
    CommittedOnSyncedMajority,
    MetadataAgreement,
)
