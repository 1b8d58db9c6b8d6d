"""One change to one partition: who is in sync, who is eligible, who leads (KIP-455, KIP-704, KIP-858, KIP-966).

``PartitionChange`` holds what is wanted; ``record()`` works out what follows from it and writes it as one PartitionChangeRecord, or
nothing when nothing differs. Leaders come from the ISR, when it is empty from the ELR. Otherwise there is no leader, with two exceptions,
both recorded as unclean (leader recovery state RECOVERING, the ISR is the new leader alone): the last known leader comes back while
nobody is left in ISR and ELR (KIP-966, as Apache Kafka does; a key of ours turns it off), and the caller asked for an unclean election.

Invariants: an ISR member that stops becomes an eligible leader replica while the ISR is smaller than the topic's min.insync.replicas;
one that stopped uncleanly never does; the last known leader is noted when the ISR becomes empty and cleared when there is a leader.
Without the ELR feature the last member stays in the ISR.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

from holdwater.core.metadata.partition import NO_LEADER_CHANGE, RECOVERING, UNASSIGNED_DIRECTORY, PartitionState
from holdwater.kernel.identifiers import NO_NODE
from holdwater.wire.messages import PartitionChangeRecord


class Election(Enum):
    """How far an election may go."""

    PREFERRED = "preferred"
    """The first replica if it can lead, else keep things as they are."""
    ONLINE = "online"
    """Keep the leader if it can lead, else anybody who can lead without loss."""
    UNCLEAN = "unclean"
    """As ONLINE, and if there is nobody, any live replica."""


class ElectionRules(NamedTuple):
    """What the cluster says about one partition's election."""

    can_lead: Callable[[int, bytes], bool]
    """Whether a broker, with its replica in that directory, is alive, not shutting down, and the directory online."""
    min_isr: int
    """The topic's min.insync.replicas, at most its replication factor."""
    elr_enabled: bool
    last_known_leader_may_return: bool
    default_directory: Callable[[int], bytes]
    """Directory for a replica that has none yet."""


class PartitionChange:
    """What is wanted of a partition. Set the fields, then ask for the ``record``."""

    __slots__ = (
        "_number",
        "_rules",
        "_state",
        "_topic_id",
        "adding",
        "directories",
        "election",
        "elr",
        "isr",
        "last_known_elr",
        "leader_recovery_state",
        "removing",
        "replicas",
        "unclean_shutdown",
    )

    def __init__(self, topic_id: bytes, number: int, state: PartitionState, rules: ElectionRules) -> None:
        self._topic_id = topic_id
        self._number = number
        self._state = state
        self._rules = rules
        self.election = Election.ONLINE
        self.replicas = list(state.replicas)
        self.isr = list(state.isr)
        self.elr = list(state.elr)
        self.last_known_elr = list(state.last_known_elr)
        self.removing = list(state.removing)
        self.adding = list(state.adding)
        self.leader_recovery_state = state.leader_recovery_state
        self.directories = dict(zip(state.replicas, state.directories, strict=True))
        self.unclean_shutdown: int = NO_NODE
        """A broker that stopped without a clean shutdown or lost the directory, and so is no eligible leader replica."""

    def record(self) -> PartitionChangeRecord | None:
        """The change record, or ``None`` when nothing differs."""
        record = PartitionChangeRecord(topic_id=self._topic_id, partition_id=self._number)
        self._complete_reassignment()
        self._work_out_elr()
        self._elect(record)
        self._bump_for_removed_replicas(record)
        self._write_isr_and_elr(record)
        self._note_last_known_leader(record)
        self._write_assignment(record)
        if self.leader_recovery_state != self._state.leader_recovery_state:
            record.leader_recovery_state = self.leader_recovery_state
        unchanged = PartitionChangeRecord(topic_id=self._topic_id, partition_id=self._number)
        return None if record == unchanged else record

    def _complete_reassignment(self) -> None:
        """End a reassignment once every replica that stays is in sync."""
        if not (self.removing or self.adding):
            return
        isr = [replica for replica in self.isr if replica not in self.removing]
        replicas = [replica for replica in self.replicas if replica not in self.removing]
        if isr and replicas and all(replica in isr for replica in replicas):
            self.isr, self.replicas, self.removing, self.adding = isr, replicas, [], []

    def _work_out_elr(self) -> None:
        if not self._rules.elr_enabled:
            return
        if len(self.isr) >= self._rules.min_isr:
            self.elr = []
            self.last_known_elr = []
            return
        self.elr = sorted(
            replica
            for replica in dict.fromkeys([*self.elr, *self._state.isr])
            if replica not in self.isr and replica != self.unclean_shutdown and replica in self.replicas
        )

    # Election

    def _elect(self, record: PartitionChangeRecord) -> None:
        leader, unclean = self._choose()
        if leader == self._state.leader:
            return
        record.leader = leader
        if leader in self.elr:
            self.isr = [leader]
            self.elr.remove(leader)
        if unclean:
            record.isr = [leader]
            if self._state.leader_recovery_state != RECOVERING:
                record.leader_recovery_state = RECOVERING
                self.leader_recovery_state = self._state.leader_recovery_state

    def _choose(self) -> tuple[int, bool]:
        """The leader, and whether choosing it was unclean."""
        order = [self._state.leader, *self.replicas]
        if self.election is Election.PREFERRED:
            order = [self.replicas[0], *order]
        for replica in order:
            if self._is_eligible(replica):
                return replica, False
        if self._last_known_leader_returns():
            return self._state.last_known_elr[0], True
        if self.election is Election.UNCLEAN:
            for replica in self.replicas:
                if self._can_lead(replica):
                    return replica, True
        return NO_NODE, False

    def _is_eligible(self, replica: int) -> bool:
        in_line = replica in self.isr or (not self.isr and replica in self.elr)
        return in_line and self._can_lead(replica)

    def _last_known_leader_returns(self) -> bool:
        allowed = self._rules.elr_enabled and self._rules.last_known_leader_may_return
        nobody_left = not self.isr and not self.elr and len(self._state.last_known_elr) == 1
        return allowed and nobody_left and self._can_lead(self._state.last_known_elr[0])

    def _can_lead(self, replica: int) -> bool:
        return self._rules.can_lead(replica, self.directories.get(replica, UNASSIGNED_DIRECTORY))

    # What the record says

    def _bump_for_removed_replicas(self, record: PartitionChangeRecord) -> None:
        """Naming the leader raises the leader epoch, so that a removed replica is fenced off."""
        if record.leader == NO_LEADER_CHANGE and any(replica not in self.replicas for replica in self._state.replicas):
            record.leader = self._state.leader

    def _write_isr_and_elr(self, record: PartitionChangeRecord) -> None:
        if record.isr is not None or not self._rules.elr_enabled:
            self.elr = []
        if tuple(self.elr) != self._state.elr:
            record.eligible_leader_replicas = self.elr
        may_be_empty = self._rules.elr_enabled
        if record.isr is None and (self.isr or may_be_empty) and tuple(self.isr) != self._state.isr:
            record.isr = self.isr

    def _note_last_known_leader(self, record: PartitionChangeRecord) -> None:
        if not self._rules.elr_enabled:
            return
        old_leader = self._state.leader
        stays_led = old_leader != NO_NODE and record.leader != NO_NODE
        if record.isr == [] and old_leader != NO_NODE and self._state.last_known_elr != (old_leader,):
            record.last_known_elr = [old_leader]
        elif (record.leader >= 0 or stays_led) and self._state.last_known_elr:
            record.last_known_elr = []

    def _write_assignment(self, record: PartitionChangeRecord) -> None:
        state = self._state
        directories = [self.directories.get(replica) or self._rules.default_directory(replica) for replica in self.replicas]
        if tuple(directories) != state.directories:
            record.directories = directories
        if tuple(self.replicas) != state.replicas:
            record.replicas = self.replicas
        if tuple(self.removing) != state.removing:
            record.removing_replicas = self.removing
        if tuple(self.adding) != state.adding:
            record.adding_replicas = self.adding


def isr_without(state: PartitionState, *brokers: int) -> list[int]:
    """The ISR without some brokers."""
    return [replica for replica in state.isr if replica not in brokers]


def is_valid_isr(replicas: Sequence[int], isr: Sequence[int]) -> bool:
    """Whether an ISR is not empty, without repetition, and part of the replicas."""
    return bool(isr) and len(dict.fromkeys(isr)) == len(isr) and all(replica in replicas for replica in isr)
