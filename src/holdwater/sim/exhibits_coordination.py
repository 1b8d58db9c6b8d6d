"""The planted bugs of groups and transactions. See ``exhibits``."""

from holdwater.sim.exhibit import Change, PlantedBug

_HOSTED = "broker.coordinators.hosted"
_OFFSETS = "core.groups.offsets.committed"
_PRODUCERS = "storage.producers"

_COORDINATORS = (
    PlantedBug(
        "coordinator-answers-before-the-commit",
        "a coordinator answers when its record is in its own log, before it is replicated",
        ("C1", "C2", "C4", "C5", "C6", "C7", "P3", "P4", "P5", "P7", "P8", "liveness", "crash"),
        (Change(_HOSTED, "HostedShard.carry_out", "if replica.high_watermark >= end:", "if True:"),),
    ),
    PlantedBug(
        "coordinator-loads-too-little",
        "a coordinator that is loaded stops at the high watermark that it knows, short of the log's end",
        ("C1", "C2", "C4", "C5", "C6", "C7", "P3", "P4", "P5", "P7", "P8", "liveness", "crash"),
        (
            Change(
                _HOSTED,
                "HostedShard._load",
                "while offset < log.log_end_offset:",
                "while offset < self.replica.high_watermark:",
            ),
        ),
    ),
    PlantedBug(
        "transactional-offsets-lost-on-load",
        "a coordinator that is loaded passes over offsets that were committed in transactions (KAFKA-5830's kin)",
        ("C4", "C7", "P7", "C6"),
        (
            Change(
                _HOSTED,
                "HostedShard._replay_batch",
                "for record in read_records(data, position, header):",
                "for record in read_records(data, position, header) if not transactional else ():",
            ),
        ),
    ),
)

_GROUPS = (
    PlantedBug(
        "old-generation-commits",
        "a classic member commits in a generation that is over",
        ("C3", "C4"),
        (Change("core.groups.offsets.access", "_check_classic", "generation != group.generation:", "generation > group.generation:"),),
    ),
    PlantedBug(
        "fenced-member-commits",
        "a member that was removed from its group, and does not know it, commits",
        ("C3", "C4"),
        (
            Change(
                "core.groups.offsets.access",
                "check_commit",
                "return ErrorCode.NONE if error == ErrorCode.STALE_MEMBER_EPOCH and _covers_all(group, request) else error",
                "return ErrorCode.NONE",
            ),
        ),
    ),
    PlantedBug(
        "assigned-before-it-is-given-up",
        "a partition goes to its next member before the one before has given it up (KIP-848)",
        ("C2", "C3", "crash"),
        (
            Change(
                "core.groups.consumer.reconcile",
                "_advance",
                "if number not in has and goal.is_free(topic_id, number)",
                "if number not in has",
            ),
        ),
    ),
    PlantedBug(
        "owners-forgotten-on-revocation",
        "what a member has yet to give up counts as free at once",
        ("C2", "C3"),
        (
            Change(
                "core.groups.consumer.state",
                "ConsumerState._put",
                "self._own(new.member_id, new.pending_revocation)",
                "pass",
            ),
        ),
    ),
    PlantedBug(
        "generation-begins-anew-on-load",
        "a classic group that is loaded begins at generation 0",
        ("C1", "C2", "C3", "liveness"),
        (
            Change(
                "core.groups.classic.group",
                "ClassicGroup.restored",
                "value.generation\n    group.protocol_type",
                "0\n    group.protocol_type",
            ),
        ),
    ),
)

_MIGRATION = (
    PlantedBug(
        "owners-forgotten-on-upgrade",
        "when a classic group becomes a consumer group, what its members have counts as free",
        ("C2", "C3", "crash"),
        (Change("core.groups.upgrade", "_as_consumer", "        assigned=owned,\n", ""),),
    ),
    PlantedBug(
        "epochs-begin-anew-on-upgrade",
        "when a classic group becomes a consumer group, its epochs begin at the first one, whatever its generation was",
        ("C1",),
        (Change("core.groups.upgrade", "upgraded", "epoch = max(group.generation, FIRST_EPOCH)", "epoch = FIRST_EPOCH"),),
    ),
    PlantedBug(
        "generation-begins-anew-on-downgrade",
        "when a consumer group becomes a classic group, its generations begin anew, whatever its group epoch was",
        ("C1",),
        (Change("core.groups.downgrade", "Downgrades._begin", "group.generation = epoch", "group.generation = 0"),),
    ),
    PlantedBug(
        "classic-generation-not-checked-in-a-consumer-group",
        "a member that speaks the classic protocol commits in a consumer group whatever its generation is",
        ("C3",),
        (
            Change(
                "core.groups.consumer.commits",
                "commit_error",
                "if member_epoch == member.member_epoch:",
                "if member_epoch == member.member_epoch or member.speaks_classic:",
            ),
        ),
    ),
)

_OFFSETS_IN_TRANSACTIONS = (
    PlantedBug(
        "offsets-count-before-the-transaction-ends",
        "an offset that is committed in a transaction counts at once",
        ("C5", "P7", "C7", "C4", "C6"),
        (Change(_OFFSETS, "Offsets.replay", "elif producer_id < 0:", "elif True:"),),
    ),
    PlantedBug(
        "aborted-offsets-count",
        "the offsets of a transaction count whatever its outcome",
        ("P7", "C7", "C6"),
        (Change(_OFFSETS, "Offsets.end_transaction", "if committed:", "if True:"),),
    ),
    PlantedBug(
        "unstable-offsets-told",
        "somebody who asks for stable offsets is told what lies behind a transaction that is still open (before KIP-447)",
        ("C4", "C7", "C6"),
        (
            Change(
                "core.groups.offsets.requests",
                "OffsetRequests._partition",
                "if require_stable and self._offsets.is_pending(group_id, topic, partition):",
                "if False:",
            ),
        ),
    ),
)

_TRANSACTIONS = (
    PlantedBug(
        "late-end-accepted",
        "an EndTxn with the producer epoch of an earlier transaction ends the present one (before KIP-890)",
        ("P3", "P4", "P5", "P7", "C7", "liveness"),
        (
            Change(
                "core.transactions.ending",
                "_judge_bumping",
                "if not (retried and now.status in COMPLETE) and claim.producer_epoch != now.producer_epoch:",
                "if claim.producer_epoch > now.producer_epoch:",
            ),
        ),
    ),
    PlantedBug(
        "markers-forgotten-with-the-coordinator",
        "a coordinator that is loaded does not send the markers of outcomes that it finds",
        ("liveness", "crash", "P4", "P6"),
        (
            Change(
                "core.transactions.shard",
                "TransactionShard.loaded",
                "entry.current.status in PREPARED]",
                "entry.current.status in ()]",
            ),
        ),
    ),
    PlantedBug(
        "marker-for-some-partitions",
        "a transaction counts as complete when the first of its markers is written",
        ("P4", "P5", "P6", "P7", "C4", "C7", "liveness"),
        (
            Change(
                "core.transactions.completion",
                "_markers",
                "for partition in transaction.partitions\n",
                "for partition in transaction.partitions[:1]\n",
            ),
            Change(
                "core.transactions.completion",
                "Completion.send",
                "dict.fromkeys(transaction.partitions)",
                "dict.fromkeys(transaction.partitions[:1])",
            ),
        ),
    ),
    PlantedBug(
        "timed-out-transactions-stay",
        "nobody aborts a transaction that is open past its timeout",
        ("liveness", "P6"),
        (
            Change(
                "core.transactions.sweeping",
                "Sweeping._is_overdue",
                "return entry.pending is None and self._host.mono_ms > entry.due_ms",
                "return False",
            ),
        ),
    ),
    PlantedBug(
        "retried-end-not-recognised",
        "an EndTxn that is sent again, since its answer was lost, is taken for that of a fenced producer",
        ("P5",),
        (Change("core.transactions.ending", "_is_retry", "return claim.producer_id == now.producer_id and", "return False and"),),
    ),
    PlantedBug(
        "zombie-producer-not-fenced",
        "InitProducerId gives out the producer epoch that the producer before has",
        ("P3", "P5", "P1", "P4", "crash", "liveness"),
        (
            Change(
                "core.transactions.transaction",
                "initialised",
                "epoch = before.producer_epoch + 1",
                "epoch = before.producer_epoch",
            ),
        ),
    ),
)

_LOGS = (
    PlantedBug(
        "aborted-transactions-not-indexed",
        "a marker that aborts is taken for one that commits by those who read",
        ("P5", "P4"),
        (Change(_PRODUCERS, "Producers.apply_marker", "if marker.committed:", "if True:"),),
    ),
    PlantedBug(
        "last-stable-offset-ignores-open-transactions",
        "readers of committed records are given those of open transactions",
        ("P6", "P5", "P4"),
        (
            Change(
                "storage.log",
                "PartitionLog.last_stable_offset",
                "if not producers.open and not producers.completed:",
                "if True:",
            ),
        ),
    ),
    PlantedBug(
        "stable-before-the-marker-is-committed",
        "a transaction is stable once its marker is written, not once that is committed",
        ("P6", "P4", "P5"),
        (Change(_PRODUCERS, "Producers.first_unstable_offset", "for transaction in completed:", "for transaction in ():"),),
    ),
    PlantedBug(
        "transactions-not-verified",
        "a leader appends transactional records without asking their coordinator (before KIP-890)",
        ("liveness", "P4", "P5", "P6"),
        (
            Change(
                "broker.partitions",
                "HostedPartition.expect_transaction",
                "return True",
                "return False",
            ),
        ),
    ),
    PlantedBug(
        "old-producer-epoch-appended",
        "a leader appends what comes with a producer epoch below the highest that it knows",
        ("P3", "P5", "P1", "P4", "P6", "liveness", "crash"),
        (
            Change(
                _PRODUCERS,
                "Producers.check_data",
                "if epoch < state.producer_epoch:",
                "if False:",
            ),
            Change(  # the coordinator would refuse it, too
                "broker.partitions",
                "HostedPartition.expect_transaction",
                "if self.log.has_open_transaction(producer_id, producer_epoch):",
                "known = self.log.producers.states.get(producer_id)\n"
                "    if known is not None and known.producer_epoch > producer_epoch:\n"
                "        self.verified[producer_id] = producer_epoch\n"
                "        return False\n"
                "    if self.log.has_open_transaction(producer_id, producer_epoch):",
            ),
        ),
    ),
)

COORDINATION_EXHIBITS: tuple[PlantedBug, ...] = (
    *_COORDINATORS,
    *_GROUPS,
    *_MIGRATION,
    *_OFFSETS_IN_TRANSACTIONS,
    *_TRANSACTIONS,
    *_LOGS,
)
