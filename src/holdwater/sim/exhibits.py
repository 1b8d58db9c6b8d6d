"""The planted bugs of the museum, by what they break. Each says which invariants find it; ``liveness`` and ``crash`` stand for those verdicts.

Many are traces of bugs that Kafka once had and wrote a proposal (KIP) about.
"""

from holdwater.sim.exhibit import Change, PlantedBug
from holdwater.sim.exhibits_coordination import COORDINATION_EXHIBITS

_LEADER = "core.replica.leader"
_FETCH_LOOK = "broker.fetch_context"
_MANAGER = "broker.replica_manager"

_HIGH_WATERMARK = (
    PlantedBug(
        "high-watermark-one-early",
        "the high watermark passes one record more than every in-sync replica has",
        ("R1", "R2", "R4", "R6", "R7", "R10", "crash"),
        (
            Change(
                _LEADER,
                "LeaderReplica.advance_high_watermark",
                "self.high_watermark = new\n",
                "self.high_watermark = min(new + 1, self.log.log_end_offset)\n",
            ),
        ),
    ),
    PlantedBug(
        "min-isr-ignored",
        "the high watermark moves while too few replicas are in sync (before KIP-966)",
        ("R4", "R6", "R11"),
        (
            Change(
                _LEADER,
                "LeaderReplica.advance_high_watermark",
                "if len(self.isr) < min(self.min_isr, len(self.replicas)):",
                "if not self.isr:",
            ),
        ),
    ),
    PlantedBug(
        "read-past-the-high-watermark",
        "consumers are given what is not committed",
        ("R7", "R2", "R5", "H"),
        (Change(_FETCH_LOOK, "look", "if isolation == READ_COMMITTED else high_watermark", "if isolation == READ_COMMITTED else end"),),
    ),
    PlantedBug(
        "acknowledged-before-the-commit",
        "acks=all is answered as soon as the leader has the records",
        ("R4", "P2"),
        (Change("broker.handlers.produce", "_append_all", "replica.high_watermark < end:", "replica.high_watermark < 0:"),),
    ),
    PlantedBug(
        "duplicate-acknowledged-at-once",
        "a retry is acknowledged because its original is in the log, though that is not committed",
        ("R4", "P1", "P2", "H"),
        (
            Change(
                "broker.handlers.produce",
                "_append",
                "    return result.last_offset + 1\n",
                "    return 0 if result.duplicate else result.last_offset + 1\n",
            ),
        ),
    ),
)

_IN_SYNC_REPLICAS = (
    PlantedBug(
        "shrink-counts-before-the-commit",
        "a leader counts the smaller ISR before the controller has committed it",
        ("R6", "R4"),
        (
            Change(
                _LEADER,
                "LeaderReplica.propose_shrink",
                "return self._propose(tuple(broker for broker in self.isr if broker not in late))",
                "self.isr = self.maximal_isr = tuple(broker for broker in self.isr if broker not in late)\n"
                "    return self._propose(self.isr)",
            ),
        ),
    ),
    PlantedBug(
        "joins-without-catching-up",
        "a follower joins the ISR whatever it has",
        ("R6", "R4"),
        (
            Change(
                _LEADER,
                "LeaderReplica.propose_expansion",
                "if progress.log_end_offset < self.high_watermark or progress.log_end_offset < self.epoch_start_offset:",
                "if progress.log_end_offset < 0:",
            ),
        ),
    ),
    PlantedBug(
        "joining-replica-does-not-count",
        "the high watermark runs away from a replica whose joining is under way",
        ("R6", "R4"),
        (
            Change(
                _LEADER,
                "LeaderReplica.propose_expansion",
                "self.maximal_isr = (*self.isr, broker_id)\n    return self._propose(self.maximal_isr)",
                "return self._propose((*self.isr, broker_id))",
            ),
            Change(
                _LEADER,
                "LeaderReplica.advance_high_watermark",
                "(broker in maximal or (mono_ms - progress.last_caught_up_ms <= lag_ms and self._eligible(progress)))",
                "broker in maximal",
            ),
        ),
    ),
    PlantedBug(
        "stale-isr-accepted",
        "the controller takes an ISR that was proposed on an older partition epoch, whoever is in it",
        ("R4", "R6", "R11", "M6", "M9"),
        (
            Change(
                "core.metadata.partitions",
                "PartitionControl._check_proposal",
                "if proposal.partition_epoch < partition.partition_epoch:",
                "if False:",
            ),
            Change(
                "core.metadata.partitions",
                "PartitionControl._check_proposal",
                "if all(self._may_join(partition, *member) for member in isr) else",
                "if True else",
            ),
        ),
    ),
    PlantedBug(
        "fenced-broker-joins",
        "the controller lets a broker into an ISR that is fenced, or that restarted since (before KIP-841 and KIP-903)",
        ("M9", "R4", "R6"),
        (
            Change(
                "core.metadata.partitions",
                "PartitionControl._may_join",
                "if broker is None or not broker.is_active or broker_epoch not in {_NO_BROKER_EPOCH, broker.broker_epoch}:",
                "if broker is None:",
            ),
            Change(_LEADER, "LeaderReplica._eligible", "return epoch is not None and epoch == progress.broker_epoch", "return True"),
        ),
    ),
    PlantedBug(
        "never-joins-again",
        "no follower ever comes back into the ISR",
        ("liveness",),
        (Change(_LEADER, "LeaderReplica.propose_expansion", "if not self._eligible(progress):", "if True:"),),
    ),
)

_ELECTION = (
    PlantedBug(
        "last-replica-standing",
        "a broker that did not stop cleanly keeps its place in ISR and ELR (before KIP-966)",
        ("R11", "R4"),
        (
            Change(
                "core.metadata.brokers",
                "BrokerControl.register",
                "stopped_cleanly = existing is not None and request.previous_broker_epoch == existing.broker_epoch",
                "stopped_cleanly = True",
            ),
        ),
    ),
    PlantedBug(
        "leader-epoch-not-raised",
        "a new leader keeps the leader epoch of the one before",
        ("M6", "R9", "R1", "crash"),
        (
            Change(
                "core.metadata.partition",
                "PartitionState.changed_by",
                "self.leader_epoch + 1 if leads else self.leader_epoch,",
                "self.leader_epoch,",
            ),
        ),
    ),
    PlantedBug(
        "fenced-leader-goes-on",
        "a broker that the metadata name follower leads on in its old leader epoch",
        ("R9", "R4", "R6", "liveness", "P2", "crash"),
        (
            Change(
                _MANAGER,
                "ReplicaManager._follow",
                "high_watermark = self._take_role(partition)",
                "if replica is not None and replica.is_leader and replica.leader_epoch % 3:\n"
                "        return\n"
                "    high_watermark = self._take_role(partition)",
            ),
        ),
    ),
)

_TRUNCATION = (
    PlantedBug(
        "truncation-by-high-watermark",
        "a replica that becomes a follower cuts its log at its own high watermark (before KIP-101)",
        ("R4", "R6", "R3"),
        (
            Change(
                _MANAGER,
                "ReplicaManager._follow",
                "partition.role_changed()",
                "partition.log.truncate_to(max(high_watermark, partition.log.log_start_offset))\n    partition.role_changed()",
            ),
        ),
    ),
    PlantedBug(
        "no-divergence-check",
        "a leader answers a fetch without asking whether the follower's history is its own (before KIP-101)",
        ("R1", "R2", "R4", "crash", "liveness"),
        (
            Change(_FETCH_LOOK, "look", "if item.last_fetched_epoch >= 0:", "if False:"),
            Change(_MANAGER, "ReplicaManager.follower_fetched", "if last_fetched_epoch >= 0:", "if False:"),
        ),
    ),
    PlantedBug(
        "counted-before-it-is-cut",
        "a leader counts what a follower has before it is told to cut it",
        ("R6", "R4", "R2"),
        (Change(_MANAGER, "ReplicaManager.follower_fetched", "if last_fetched_epoch >= 0:", "if False:"),),
    ),
    PlantedBug(
        "cut-where-the-leader-ends",
        "a follower that does not know the leader's epoch cuts where the leader ends it, not where its own history of it ends (before KIP-279)",
        ("R1", "R2", "R4", "liveness", "crash"),
        (
            Change(
                "core.replica.follower",
                "FollowerReplica.truncate_after_divergence",
                "target = own.end_offset\n",
                "target = max(end_offset, own.end_offset)\n",
            ),
        ),
    ),
    PlantedBug(
        "leader-epoch-not-checked",
        "fetches and acknowledgements of another leader epoch are taken (before KIP-320)",
        ("R6", "R4", "R8", "R2", "R1", "liveness", "crash"),
        (
            Change(
                _FETCH_LOOK,
                "look",
                "if item.leader_epoch >= 0 and item.leader_epoch != replica.leader_epoch:",
                "if False:",
            ),
            Change(
                "broker.handlers.fetch",
                "_take_in",
                "asked.current_leader_epoch in {-1, replica.leader_epoch}",
                "asked.current_leader_epoch >= -1",
            ),
            Change(_MANAGER, "ReplicaManager.follower_fetched", "if last_fetched_epoch >= 0:", "if False:"),
            Change(_FETCH_LOOK, "look", "if item.last_fetched_epoch >= 0:", "if False:"),
        ),
    ),
)

_PRODUCERS = (
    PlantedBug(
        "dedupe-off",
        "a leader appends whatever sequence comes",
        ("P1", "P2"),
        (
            Change("storage.producers", "Producers.check_data", "if first != NO_SEQUENCE and epoch == state.producer_epoch:", "if False:"),
            Change(
                "storage.producers", "Producers.check_data", "if first != NO_SEQUENCE and not _follows(state, epoch, first):", "if False:"
            ),
        ),
    ),
    PlantedBug(
        "sequences-forgotten-with-the-leader",
        "a new leader knows no producers, as a topic that was briefly missing (KAFKA-3410's kin)",
        ("P1", "P2", "P9"),
        (
            Change(
                "storage.log",
                "PartitionLog.assign_epoch",
                "self._epochs.assign(leader_epoch, self._end)",
                "self._producers.states.clear()\n    self._epochs.assign(leader_epoch, self._end)",
            ),
        ),
    ),
    PlantedBug(
        "recovery-forgets-producers",
        "recovery takes the producers' snapshot for the whole truth and leaves out the batches behind it",
        ("P9", "P1"),
        (Change("storage.recovery", "_Loading._take_in", "replay(", "(lambda *_: None)("),),
    ),
    PlantedBug(
        "epoch-file-stays-behind",
        "a damaged log that is cut keeps the leader-epoch file that a power loss has left, older or newer than its batches",
        ("crash", "R8"),
        (Change("storage.epochs", "LeaderEpochs.drop_from", " or self.is_behind", ""),),
    ),
)

_QUORUM = (
    PlantedBug(
        "vote-not-durable",
        "a vote is answered before it is synced",
        ("M2", "M1"),
        (Change("storage.votes", "QuorumStateFile.save", "durable=True", "durable=False"),),
    ),
    PlantedBug(
        "two-votes-in-one-epoch",
        "a voter grants its vote again in the same quorum epoch",
        ("M1", "M2", "crash"),
        (
            Change(
                "core.quorum.roles",
                "grants_vote",
                "return role.voted.id == candidate.id and role.voted.directory_id in {ZERO_UUID, candidate.directory_id}",
                "return True",
            ),
        ),
    ),
    PlantedBug(
        "votes-for-a-shorter-log",
        "a voter does not ask whether the candidate has everything",
        ("M3", "M4", "M5", "crash", "liveness"),
        (
            Change(
                "core.quorum.elections",
                "Elections.handle_vote",
                "up_to_date = member.log.is_up_to_date(asked.last_offset_epoch, asked.last_offset)",
                "up_to_date = True",
            ),
        ),
    ),
    PlantedBug(
        "leader-counts-unsynced-metadata",
        "the quorum leader counts its own records and does not sync them",
        ("M4",),
        (
            Change(
                "core.quorum.leading", "Leading._advance", "ends.append(member.log.synced_end_offset)", "ends.append(member.log.end_offset)"
            ),
            Change("core.quorum.leading", "Leading.sync", "member.log.log.sync()", "pass"),
        ),
    ),
    PlantedBug(
        "follower-promises-unsynced-metadata",
        "a voter fetches on before what it has is synced",
        ("M4",),
        (Change("core.quorum.following", "Following._fetch_request", "log.log.sync()", "pass"),),
    ),
    PlantedBug(
        "snapshot-on-top",
        "a node that loads a snapshot keeps what it had before",
        ("M5", "crash"),
        (
            Change(
                "broker.metadata_host",
                "MetadataHost._load_snapshot",
                "self._builder = ImageBuilder(EMPTY_IMAGE)",
                "self._builder = ImageBuilder(self.image)",
            ),
        ),
    ),
)

_DURABILITY = (
    PlantedBug(
        "acknowledged-before-fsync",
        "at level fsync the leader counts what it has not synced",
        ("R6", "R4"),
        (
            Change(
                _LEADER,
                "LeaderReplica.advance_high_watermark",
                "self.log.synced_end_offset if self.counts_synced else self.log.log_end_offset",
                "self.log.log_end_offset",
            ),
        ),
    ),
    PlantedBug(
        "follower-acknowledges-before-fsync",
        "at level fsync a follower fetches on before it has synced",
        ("R6", "R4"),
        (
            Change(
                "broker.durability",
                "LogSyncs.before_fetch",
                "if durability is not None and",
                "if False and durability is not None and",
            ),
        ),
    ),
)

_TOPICS = (
    PlantedBug(
        "old-incarnation-served",
        "a broker keeps the log of a deleted topic for the next one of that name",
        ("M7", "H", "R1", "R2", "P1", "R14", "R10", "crash"),
        (
            Change(
                _MANAGER,
                "ReplicaManager._delete",
                "self.logs.delete(partition.topic_partition)",
                "pass",
            ),
            Change(_MANAGER, "ReplicaManager._host", "elif stored is not None and stored[0] != topic_id:", "elif False:"),
        ),
    ),
)

EXHIBITS: tuple[PlantedBug, ...] = (
    *_HIGH_WATERMARK,
    *_IN_SYNC_REPLICAS,
    *_ELECTION,
    *_TRUNCATION,
    *_PRODUCERS,
    *_QUORUM,
    *_DURABILITY,
    *_TOPICS,
    *COORDINATION_EXHIBITS,
)
