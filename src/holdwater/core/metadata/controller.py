"""The active controller: requests and the passing of time become records of the metadata log (KIP-500, KIP-631).

Handlers decide and change nothing but leases; ``replay`` is the only method that changes hard state. The caller

1. builds a controller when its node leads the quorum and everything before that epoch is committed, from the committed image;
2. appends the records of ``activate`` and then of every result (``result.batches``), and replays each record as soon as it is appended,
   at its offset, before it calls the next handler;
3. holds each response until the high watermark reaches ``wait_offset`` (``result.PendingResponses``);
4. calls ``tick`` at ``next_deadline``, again and again until it returns ``None``;
5. throws the controller away when the quorum epoch ends or an append fails, and answers NOT_CONTROLLER to what is pending.

Deliberately absent: reassignments, ACLs, SCRAM credentials, quotas and delegation tokens as requests. Their records are kept in the image
and in snapshots; ``UNSUPPORTED`` says what their requests are answered with.
"""

from collections.abc import Callable

from holdwater.core.metadata.brokers import BrokerControl
from holdwater.core.metadata.config_changes import ConfigControl
from holdwater.core.metadata.context import ControllerContext
from holdwater.core.metadata.features import FeatureControl, bootstrap_records, in_transaction
from holdwater.core.metadata.image import MetadataImage
from holdwater.core.metadata.leases import NO_DEADLINE, Leases
from holdwater.core.metadata.partitions import MAX_ELECTIONS_AT_ONCE, PartitionControl
from holdwater.core.metadata.producer_ids import allocate_producer_ids
from holdwater.core.metadata.records import MetadataRecord, versioned
from holdwater.core.metadata.result import Result
from holdwater.core.metadata.state import ControllerState
from holdwater.core.metadata.topics import TopicControl
from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import NO_NODE
from holdwater.kernel.rng import Rng
from holdwater.wire.messages import (
    AbortTransactionRecord,
    AllocateProducerIdsRequest,
    AllocateProducerIdsResponse,
    AlterConfigsRequest,
    AlterConfigsResponse,
    AlterPartitionRequest,
    AlterPartitionResponse,
    AssignReplicasToDirsRequest,
    AssignReplicasToDirsResponse,
    BrokerHeartbeatRequest,
    BrokerHeartbeatResponse,
    BrokerRegistrationRequest,
    BrokerRegistrationResponse,
    ConfigRecord,
    ControllerRegistrationRequest,
    ControllerRegistrationResponse,
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreateTopicsRequest,
    CreateTopicsResponse,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    ElectLeadersRequest,
    ElectLeadersResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
    NoOpRecord,
    UnregisterBrokerRequest,
    UnregisterBrokerResponse,
    UnregisterControllerRequest,
    UnregisterControllerResponse,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)

UNSUPPORTED = ErrorCode.UNSUPPORTED_VERSION
"""What a caller answers to requests this controller does not take: AlterPartitionReassignments, CreateAcls, DeleteAcls,
AlterUserScramCredentials, AlterClientQuotas, and the delegation token requests."""


class Controller:
    """The active controller of one quorum epoch."""

    __slots__ = ("_brokers", "_configs", "_context", "_features", "_partitions", "_timers", "_topics", "quorum_epoch")

    def __init__(
        self,
        config: BrokerConfig,
        image: MetadataImage,
        *,
        cluster_id: str,
        quorum_epoch: int,
        next_offset: int,
        mono_ms: int,
        rng: Rng,
        voters: tuple[int, ...] = (),
        lost_node_id: int = NO_NODE,
        open_transaction: bool = False,
    ) -> None:
        """Take over from ``image``, the fold of everything below ``next_offset``.

        Every unfenced broker gets a full session lease, as nobody knows when it was heard last; ``lost_node_id``, whose loss caused
        the election, gets the short one. ``open_transaction``: the log ends inside a metadata transaction, which ``activate`` aborts.
        """
        self.quorum_epoch = quorum_epoch
        state = ControllerState(image, next_offset, open_transaction=open_transaction)
        leases = Leases(config.int("broker.session.timeout.ms"), config.int("holdwater.quick.failover.ms"))
        for broker in image.brokers.values():
            if not broker.fenced:
                leases.grant(broker.broker_id, mono_ms)
        leases.shorten(lost_node_id, mono_ms)
        self._context = ControllerContext(config, state, leases, rng, voters)
        self._brokers = BrokerControl(self._context, cluster_id)
        self._configs = ConfigControl(self._context)
        self._features = FeatureControl(self._context)
        self._partitions = PartitionControl(self._context, self._brokers)
        self._topics = TopicControl(self._context, self._configs)
        self._timers = _Timers(config, mono_ms)

    @property
    def metadata(self) -> MetadataImage:
        """The metadata with everything appended so far, committed or not. Read it, and never keep it."""
        return self._context.state.metadata

    @property
    def next_offset(self) -> int:
        """Offset that the next record is expected to get."""
        return self._context.state.next_offset

    @next_offset.setter
    def next_offset(self, offset: int) -> None:
        """Tell the controller that the log went on without it (a control record of the quorum)."""
        self._context.state.next_offset = max(offset, self._context.state.next_offset)

    def activate(self) -> Result[None]:
        """The first records of this controller: none, as a rule; those of a new cluster; the end of a transaction left open."""
        state = self._context.state
        first = [versioned(AbortTransactionRecord(reason="Controller failover"))] if state.metadata.in_transaction else []
        if state.metadata.metadata_version == 0:
            first.extend(in_transaction(bootstrap_records(self._context.config)))
        return self._context.versioned_result(first, None, atomic=True)

    def replay(self, offset: int, record: MetadataRecord, mono_ms: int) -> None:
        """Take a record that was appended at ``offset`` into the state."""
        self._context.state.replay(offset, record)
        self._timers.note_record(record, mono_ms)

    def on_broker_disconnected(self, broker_id: int, mono_ms: int) -> bool:
        """A broker's session connection closed: shorten its lease (docs/decisions/0002). Returns whether ``next_deadline`` moved."""
        return self._context.leases.shorten(broker_id, mono_ms)

    # Time

    def tick(self, mono_ms: int) -> Result[None] | None:
        """One piece of work that is due, ``None`` when none is. Brokers are fenced one at a time, so that each sees the one before."""
        context = self._context
        expired = context.leases.first_expired(mono_ms)
        if expired is not None:
            return context.result(self._brokers.fence(expired), None)
        if self._timers.take_unclean(mono_ms) and context.state.partitions_without_leader():
            records = self._partitions.elect_uncleanly()
            if records:
                self._timers.again_unclean(mono_ms, more=len(records) == MAX_ELECTIONS_AT_ONCE)
                return context.result(records, None)
        if self._timers.take_balance(mono_ms) and context.state.indexes.imbalanced:
            records = self._partitions.balance()
            if records:
                self._timers.again_balance(mono_ms, more=len(records) == MAX_ELECTIONS_AT_ONCE)
                return context.result(records, None)
        if self._timers.take_idle(mono_ms):
            return context.result([NoOpRecord()], None)
        return None

    def next_deadline(self) -> int:
        """Monotonic time at which ``tick`` has something to look at."""
        return min(self._context.leases.next_deadline_ms(), self._timers.next_deadline_ms())

    # Requests of brokers and controllers

    def handle_broker_registration(self, request: BrokerRegistrationRequest, mono_ms: int) -> Result[BrokerRegistrationResponse]:
        """A broker registers, or amends its registration."""
        return self._brokers.register(request, mono_ms)

    def handle_broker_heartbeat(self, request: BrokerHeartbeatRequest, mono_ms: int) -> Result[BrokerHeartbeatResponse]:
        """A broker is alive, and says what it wants."""
        return self._brokers.heartbeat(request, mono_ms)

    def handle_controller_registration(self, request: ControllerRegistrationRequest) -> Result[ControllerRegistrationResponse]:
        """A controller says where it is reached and what it supports."""
        return self._brokers.register_controller(request)

    def handle_unregister_broker(self, request: UnregisterBrokerRequest) -> Result[UnregisterBrokerResponse]:
        """An operator removes a broker for good."""
        return self._brokers.unregister(request)

    def handle_unregister_controller(self, request: UnregisterControllerRequest) -> Result[UnregisterControllerResponse]:
        """An operator removes a controller that is no voter any more."""
        return self._brokers.unregister_controller(request)

    def handle_allocate_producer_ids(self, request: AllocateProducerIdsRequest) -> Result[AllocateProducerIdsResponse]:
        """A broker asks for a block of producer ids."""
        return allocate_producer_ids(self._context, request)

    def handle_alter_partition(self, request: AlterPartitionRequest, version: int) -> Result[AlterPartitionResponse]:
        """A leader proposes an ISR."""
        return self._partitions.alter(request, version)

    def handle_assign_replicas_to_dirs(self, request: AssignReplicasToDirsRequest) -> Result[AssignReplicasToDirsResponse]:
        """A broker says in which directories its replicas lie."""
        return self._partitions.assign_directories(request)

    # Requests of operators

    def handle_create_topics(
        self, request: CreateTopicsRequest, may_describe: Callable[[str], bool] = lambda _: True
    ) -> Result[CreateTopicsResponse]:
        """Create topics; the caller has checked who may create which."""
        return self._topics.create(request, may_describe)

    def handle_delete_topics(self, request: DeleteTopicsRequest, version: int) -> Result[DeleteTopicsResponse]:
        """Delete topics; the caller has checked who may delete which."""
        return self._topics.delete(request, version)

    def handle_create_partitions(self, request: CreatePartitionsRequest) -> Result[CreatePartitionsResponse]:
        """Raise the number of partitions of topics."""
        return self._topics.add_partitions(request)

    def handle_elect_leaders(self, request: ElectLeadersRequest, version: int) -> Result[ElectLeadersResponse]:
        """Elect preferred leaders, or leaders at the price of records."""
        return self._partitions.elect(request, version)

    def handle_incremental_alter_configs(self, request: IncrementalAlterConfigsRequest) -> Result[IncrementalAlterConfigsResponse]:
        """Change keys of configurations."""
        return self._configs.alter_incrementally(request)

    def handle_alter_configs(self, request: AlterConfigsRequest) -> Result[AlterConfigsResponse]:
        """Replace configurations."""
        return self._configs.alter(request)

    def handle_update_features(self, request: UpdateFeaturesRequest, version: int) -> Result[UpdateFeaturesResponse]:
        """Change finalised levels of features."""
        return self._features.update(request, version)


class _Timers:
    """What the controller does by the clock alone: unclean elections, balancing, a record when nothing else was written."""

    __slots__ = ("_balance_due_ms", "_balance_ms", "_idle_due_ms", "_idle_ms", "_unclean_due_ms", "_unclean_ms")

    def __init__(self, config: BrokerConfig, mono_ms: int) -> None:
        self._unclean_ms = config.int("unclean.leader.election.interval.ms")
        self._balance_ms = config.int("leader.imbalance.check.interval.seconds") * 1000
        self._idle_ms = config.int("metadata.max.idle.interval.ms")
        self._unclean_due_ms = mono_ms
        self._balance_due_ms = mono_ms + self._balance_ms if config.bool("auto.leader.rebalance.enable") else NO_DEADLINE
        self._idle_due_ms = mono_ms + self._idle_ms if self._idle_ms > 0 else NO_DEADLINE

    def note_record(self, record: MetadataRecord, mono_ms: int) -> None:
        """Something was written; and if it may allow unclean elections, look at once."""
        if self._idle_ms > 0:
            self._idle_due_ms = mono_ms + self._idle_ms
        if isinstance(record, ConfigRecord) and record.name == "unclean.leader.election.enable":
            self._unclean_due_ms = mono_ms

    def take_unclean(self, mono_ms: int) -> bool:
        """Whether it is time to look for partitions to elect uncleanly; then the next time is set."""
        if mono_ms < self._unclean_due_ms:
            return False
        self._unclean_due_ms = mono_ms + self._unclean_ms
        return True

    def again_unclean(self, mono_ms: int, *, more: bool) -> None:
        """There may be more than fits in one go."""
        if more:
            self._unclean_due_ms = mono_ms

    def take_balance(self, mono_ms: int) -> bool:
        """Whether it is time to give partitions back to their first replicas; then the next time is set."""
        if mono_ms < self._balance_due_ms:
            return False
        self._balance_due_ms = mono_ms + self._balance_ms
        return True

    def again_balance(self, mono_ms: int, *, more: bool) -> None:
        """There may be more than fits in one go."""
        if more:
            self._balance_due_ms = mono_ms

    def take_idle(self, mono_ms: int) -> bool:
        """Whether nothing was written for metadata.max.idle.interval.ms (KIP-835)."""
        if mono_ms < self._idle_due_ms:
            return False
        self._idle_due_ms = mono_ms + self._idle_ms
        return True

    def next_deadline_ms(self) -> int:
        """When one of them is due."""
        return min(self._unclean_due_ms, self._balance_due_ms, self._idle_due_ms)
