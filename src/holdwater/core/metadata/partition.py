"""One partition as the metadata log describes it, and what a change record makes of it (KIP-455, KIP-704, KIP-858, KIP-966)."""

from typing import NamedTuple

from holdwater.kernel.identifiers import NO_NODE
from holdwater.wire.messages import PartitionChangeRecord, PartitionRecord

RECOVERED = 0
RECOVERING = 1
NO_CHANGE = -1
NO_LEADER_CHANGE = -2

MIGRATING_DIRECTORY = bytes(16)
UNASSIGNED_DIRECTORY = bytes(15) + b"\x01"
LOST_DIRECTORY = bytes(15) + b"\x02"
"""Directory ids that stand for no directory (KIP-858): from before directories had ids, not yet chosen, offline."""


def is_reserved_directory(directory: bytes) -> bool:
    """Whether the id is one of those that stand for no directory (Kafka keeps a hundred of them)."""
    return directory[:8] == bytes(8) and int.from_bytes(directory[8:], "big", signed=True) < 100


def is_online_directory(directory: bytes, online: tuple[bytes, ...]) -> bool:
    """Whether a replica in ``directory`` can be used, given its broker's online directories (none known: all of them are)."""
    if directory in {UNASSIGNED_DIRECTORY, MIGRATING_DIRECTORY}:
        return True
    return directory != LOST_DIRECTORY and (not online or directory in online)


class PartitionState(NamedTuple):
    """A partition's registration. Never changed in place.

    The leader is in the ISR, or there is none (-1); ISR and ELR are disjoint parts of the replicas. The partition epoch rises with
    every change, the leader epoch with every change that names a leader.
    """

    replicas: tuple[int, ...]
    directories: tuple[bytes, ...]
    isr: tuple[int, ...]
    removing: tuple[int, ...]
    adding: tuple[int, ...]
    leader: int
    leader_recovery_state: int
    leader_epoch: int
    partition_epoch: int
    elr: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()

    @property
    def has_leader(self) -> bool:
        """Whether somebody leads."""
        return self.leader != NO_NODE

    @property
    def preferred_leader(self) -> int:
        """The first replica."""
        return self.replicas[0] if self.replicas else NO_NODE

    @property
    def is_reassigning(self) -> bool:
        """Whether replicas are being added or removed."""
        return bool(self.removing or self.adding)

    def directory(self, broker_id: int) -> bytes:
        """Directory of one replica; ``UNASSIGNED_DIRECTORY`` for a broker that has none."""
        if broker_id in self.replicas:
            return self.directories[self.replicas.index(broker_id)]
        return UNASSIGNED_DIRECTORY

    def changed_by(self, record: PartitionChangeRecord) -> "PartitionState":
        """This partition after a change record: a leader that is named, even the same one, raises the leader epoch."""
        replicas = self.replicas if record.replicas is None else tuple(record.replicas)
        directories = self.directories if record.directories is None else tuple(record.directories)
        leads = record.leader != NO_LEADER_CHANGE
        return PartitionState(
            replicas,
            _directories(directories, len(replicas)),
            self.isr if record.isr is None else tuple(record.isr),
            self.removing if record.removing_replicas is None else tuple(record.removing_replicas),
            self.adding if record.adding_replicas is None else tuple(record.adding_replicas),
            record.leader if leads else self.leader,
            self.leader_recovery_state if record.leader_recovery_state == NO_CHANGE else record.leader_recovery_state,
            self.leader_epoch + 1 if leads else self.leader_epoch,
            self.partition_epoch + 1,
            self.elr if record.eligible_leader_replicas is None else tuple(record.eligible_leader_replicas),
            self.last_known_elr if record.last_known_elr is None else tuple(record.last_known_elr),
        )

    def without_elr(self) -> "PartitionState":
        """This partition after a ClearElrRecord; itself when there is nothing to clear."""
        if not self.elr and not self.last_known_elr:
            return self
        return self._replace(elr=(), last_known_elr=(), partition_epoch=self.partition_epoch + 1)

    def to_record(self, topic_id: bytes, partition: int) -> PartitionRecord:
        """The record that describes this partition in full."""
        return PartitionRecord(
            partition_id=partition,
            topic_id=topic_id,
            replicas=list(self.replicas),
            isr=list(self.isr),
            removing_replicas=list(self.removing),
            adding_replicas=list(self.adding),
            leader=self.leader,
            leader_recovery_state=self.leader_recovery_state,
            leader_epoch=self.leader_epoch,
            partition_epoch=self.partition_epoch,
            directories=list(self.directories),
            eligible_leader_replicas=list(self.elr) or None,
            last_known_elr=list(self.last_known_elr) or None,
        )


def partition_from_record(record: PartitionRecord) -> PartitionState:
    """The partition that a PartitionRecord describes."""
    return PartitionState(
        tuple(record.replicas),
        _directories(tuple(record.directories), len(record.replicas)),
        tuple(record.isr),
        tuple(record.removing_replicas),
        tuple(record.adding_replicas),
        record.leader,
        record.leader_recovery_state,
        record.leader_epoch,
        record.partition_epoch,
        tuple(record.eligible_leader_replicas or ()),
        tuple(record.last_known_elr or ()),
    )


def _directories(directories: tuple[bytes, ...], count: int) -> tuple[bytes, ...]:
    """One directory per replica: records from before KIP-858 name none."""
    return directories if len(directories) == count else (MIGRATING_DIRECTORY,) * count
