"""Brokers come, stay, stop and go: registration, heartbeats, leases, controlled shutdown, fencing (KIP-631, 841, 858, 919, 966, 1066).

A broker is registered fenced, and unfenced by a heartbeat that shows that it has applied its registration. From then on its lease lives
on heartbeats. A controlled shutdown moves its leaderships first and is granted when it leads nothing and the other brokers know. A broker
that registers again without proof of a clean stop (its previous broker epoch) leaves ISR and ELR of its partitions.
"""

from collections.abc import Iterable
from enum import Enum

from holdwater.core.metadata.context import ControllerContext
from holdwater.core.metadata.election import isr_without
from holdwater.core.metadata.features import check_registration_features
from holdwater.core.metadata.leases import Lease
from holdwater.core.metadata.partition import is_reserved_directory
from holdwater.core.metadata.records import MetadataRecord
from holdwater.core.metadata.registrations import BrokerRegistration
from holdwater.core.metadata.result import Refusal, Refused, Result
from holdwater.core.metadata.state import PartitionKey
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import NO_NODE, uuid_to_text
from holdwater.wire.messages import (
    BrokerHeartbeatRequest,
    BrokerHeartbeatResponse,
    BrokerRegistrationChangeRecord,
    BrokerRegistrationRequest,
    BrokerRegistrationResponse,
    ControllerRegistrationRequest,
    ControllerRegistrationResponse,
    RegisterBrokerRecord,
    RegisterControllerRecord,
    UnregisterBrokerRecord,
    UnregisterBrokerRequest,
    UnregisterBrokerResponse,
    UnregisterControllerRecord,
    UnregisterControllerRequest,
    UnregisterControllerResponse,
)

_FENCE = 1
_UNFENCE = -1


class Standing(Enum):
    """Where a heartbeat leaves a broker."""

    FENCED = "fenced"
    UNFENCED = "unfenced"
    SHUTTING_DOWN = "shutting down"
    """It leads partitions still, or others do not know yet that it does not."""
    SHUT_DOWN = "shut down"
    """It is told to stop, and fenced."""


class BrokerControl:
    """Operations on broker and controller registrations."""

    __slots__ = ("_cluster_id", "_context")

    def __init__(self, context: ControllerContext, cluster_id: str) -> None:
        self._context = context
        self._cluster_id = cluster_id

    # Registration

    def register(self, request: BrokerRegistrationRequest, mono_ms: int) -> Result[BrokerRegistrationResponse]:
        """BrokerRegistration: the broker epoch of a new incarnation is the offset at which its records begin."""
        context = self._context
        refused = self._check_registration(request, mono_ms)
        if refused is not None:
            return context.result([], BrokerRegistrationResponse(error_code=refused.error))
        existing = context.state.metadata.brokers.get(request.broker_id)
        records: list[MetadataRecord] = []
        if existing is not None and existing.incarnation_id == request.incarnation_id:
            record = _registration_record(request, existing.broker_epoch)
            record.fenced = existing.fenced
            record.in_controlled_shutdown = existing.in_controlled_shutdown
            record.cordoned_log_dirs = None if existing.cordoned is None else list(existing.cordoned)
            lost = [directory for directory in existing.directories if directory not in request.log_dirs]
            records.extend(self._records_without(request.broker_id, self._replicas_in(request.broker_id, lost), unclean=True))
        else:
            stopped_cleanly = existing is not None and request.previous_broker_epoch == existing.broker_epoch
            records.extend(self._records_for_stop(request.broker_id, clean=stopped_cleanly))
            record = _registration_record(request, context.state.next_offset)
        records.append(record)
        new = existing is None or existing.incarnation_id != request.incarnation_id
        context.leases.register(request.broker_id, fenced=record.fenced, new_incarnation=new, mono_ms=mono_ms)
        return context.result(records, BrokerRegistrationResponse(broker_epoch=record.broker_epoch), atomic=True)

    def _check_registration(self, request: BrokerRegistrationRequest, mono_ms: int) -> Refused:
        context = self._context
        if request.cluster_id != self._cluster_id:
            return Refusal(
                ErrorCode.INCONSISTENT_CLUSTER_ID, f"Expected cluster ID {self._cluster_id}, but got cluster ID {request.cluster_id}"
            )
        existing = context.state.metadata.brokers.get(request.broker_id)
        is_other = existing is not None and existing.incarnation_id != request.incarnation_id
        if is_other and context.leases.is_valid(request.broker_id, mono_ms):
            context.leases.claim(request.broker_id, mono_ms)
            return Refusal(ErrorCode.DUPLICATE_BROKER_REGISTRATION, "Another broker is registered with that broker id.")
        if request.is_migrating_zk_broker:
            return Refusal(ErrorCode.BROKER_ID_NOT_REGISTERED, "Controller does not support registering ZK brokers.")
        return self._check_directories(request) or check_registration_features(context.state.metadata.features, request.features)

    def _check_directories(self, request: BrokerRegistrationRequest) -> Refused:
        def invalid(message: str) -> Refusal:
            return Refusal(ErrorCode.INVALID_REGISTRATION, message)

        if not request.log_dirs:
            return invalid("No directories specified in request")
        if any(is_reserved_directory(directory) for directory in request.log_dirs):
            return invalid("Reserved directory ID in request")
        if len(dict.fromkeys(request.log_dirs)) != len(request.log_dirs):
            return invalid("Duplicate directory ID in request")
        for broker in self._context.state.metadata.brokers.values():
            for directory in request.log_dirs:
                if broker.broker_id != request.broker_id and directory in broker.directories:
                    return invalid(f"Broker {broker.broker_id} is already registered with directory {uuid_to_text(directory)}")
        return None

    def register_controller(self, request: ControllerRegistrationRequest) -> Result[ControllerRegistrationResponse]:
        """ControllerRegistration (KIP-919)."""
        record = RegisterControllerRecord
        registration = record(
            controller_id=request.controller_id,
            incarnation_id=request.incarnation_id,
            end_points=[
                record.ControllerEndpoint(listener.name, listener.host, listener.port, listener.security_protocol)
                for listener in request.listeners
            ],
            features=[
                record.ControllerFeature(feature.name, feature.min_supported_version, feature.max_supported_version)
                for feature in sorted(request.features, key=lambda feature: feature.name)
            ],
        )
        return self._context.result([registration], ControllerRegistrationResponse(error_message=None), atomic=True)

    def unregister(self, request: UnregisterBrokerRequest) -> Result[UnregisterBrokerResponse]:
        """UnregisterBroker: the broker leaves ISR and ELR everywhere, then its registration goes."""
        context = self._context
        broker = context.state.metadata.brokers.get(request.broker_id)
        if broker is None:
            message = f"Broker ID {request.broker_id} is not currently registered"
            return context.result([], UnregisterBrokerResponse(error_code=ErrorCode.BROKER_ID_NOT_REGISTERED, error_message=message))
        records = self._records_for_stop(broker.broker_id, clean=False)
        records.append(UnregisterBrokerRecord(broker_id=broker.broker_id, broker_epoch=broker.broker_epoch))
        context.leases.remove(broker.broker_id)
        return context.result(records, UnregisterBrokerResponse(error_message=None))

    def unregister_controller(self, request: UnregisterControllerRequest) -> Result[UnregisterControllerResponse]:
        """UnregisterController: a controller that is not a voter any more is forgotten."""
        context = self._context

        def refuse(error: ErrorCode, message: str) -> Result[UnregisterControllerResponse]:
            return context.result([], UnregisterControllerResponse(error_code=error, error_message=message))

        if request.controller_id not in context.state.metadata.controllers:
            return refuse(ErrorCode.CONTROLLER_ID_NOT_REGISTERED, f"Controller ID {request.controller_id} is not currently registered")
        if request.controller_id in context.voters:
            return refuse(ErrorCode.INVALID_REQUEST, f"Controller ID {request.controller_id} is a voter of the metadata quorum")
        return context.result(
            [UnregisterControllerRecord(controller_id=request.controller_id)], UnregisterControllerResponse(error_message=None)
        )

    # Heartbeats

    def heartbeat(self, request: BrokerHeartbeatRequest, mono_ms: int) -> Result[BrokerHeartbeatResponse]:
        """BrokerHeartbeat: renew the lease, and move the broker between fenced, unfenced and shutting down as it wants and may."""
        context = self._context
        refused = context.check_broker_epoch(request.broker_id, request.broker_epoch)
        if refused is not None:
            return context.result([], BrokerHeartbeatResponse(error_code=refused.error))
        broker = context.state.metadata.brokers[request.broker_id]
        lease = context.leases.get(request.broker_id)
        is_caught_up = request.current_metadata_offset >= context.state.registration_offset(request.broker_id)
        lost = [directory for directory in broker.directories if directory in request.offline_log_dirs]
        may_unfence = is_caught_up and not lost and not broker.in_controlled_shutdown
        standing = self._next_standing(request, broker, lease, may_unfence=may_unfence)
        all_lost = bool(lost) and len(lost) == len(broker.directories)
        if all_lost:
            # A registration change cannot say that no directory is left (an empty list means no change): the broker is fenced.
            standing = Standing.FENCED if standing is Standing.UNFENCED else standing
            records = [] if broker.fenced else self._records_to_fence(broker.broker_id, clean=False)
        else:
            records = self._records_for_standing(broker, lease, standing)
        if lost and not all_lost:
            records.extend(self._records_for_offline(broker, lost, has_left=standing is not Standing.UNFENCED))
        records.extend(self._records_for_cordoned(broker, request.cordoned_log_dirs))
        is_fenced = standing in {Standing.FENCED, Standing.SHUT_DOWN}
        context.leases.touch(request.broker_id, fenced=is_fenced, metadata_offset=request.current_metadata_offset, mono_ms=mono_ms)
        if standing is Standing.SHUTTING_DOWN:
            context.leases.start_shutdown(request.broker_id, context.state.next_offset + len(records) - 1)
        elif standing is Standing.SHUT_DOWN:
            context.leases.end(request.broker_id)
        response = BrokerHeartbeatResponse(is_caught_up=is_caught_up, is_fenced=is_fenced, should_shut_down=standing is Standing.SHUT_DOWN)
        return context.result(records, response)

    def _next_standing(self, request: BrokerHeartbeatRequest, broker: BrokerRegistration, lease: Lease, *, may_unfence: bool) -> Standing:
        leads = self._context.state.leads(broker.broker_id)
        if lease.shutting_down:
            others_know = lease.shutdown_offset <= self._context.leases.lowest_active_offset()
            return Standing.SHUT_DOWN if others_know and not leads else Standing.SHUTTING_DOWN
        if broker.fenced:
            if request.want_shut_down:
                return Standing.SHUT_DOWN
            return Standing.UNFENCED if may_unfence and not request.want_fence else Standing.FENCED
        if request.want_shut_down:
            return Standing.SHUTTING_DOWN if leads and not request.want_fence else Standing.SHUT_DOWN
        return Standing.FENCED if request.want_fence else Standing.UNFENCED

    def _records_for_standing(self, broker: BrokerRegistration, lease: Lease, standing: Standing) -> list[MetadataRecord]:
        if standing in {Standing.FENCED, Standing.SHUT_DOWN}:
            return [] if broker.fenced else self._records_to_fence(broker.broker_id, clean=True)
        if standing is Standing.UNFENCED:
            return self._records_to_unfence(broker) if broker.fenced else []
        if lease.shutting_down:
            return []
        records: list[MetadataRecord] = []
        if not broker.in_controlled_shutdown:
            records.append(
                BrokerRegistrationChangeRecord(broker_id=broker.broker_id, broker_epoch=broker.broker_epoch, in_controlled_shutdown=1)
            )
        return [*records, *self._records_without(broker.broker_id, self._in_isr(broker.broker_id))]

    def _records_for_offline(self, broker: BrokerRegistration, lost: list[bytes], *, has_left: bool) -> list[MetadataRecord]:
        """Directories that went offline: their replicas leave ISR and ELR, unless the broker has left every ISR in this same heartbeat."""
        keys = [] if has_left else self._replicas_in(broker.broker_id, lost)
        online = [directory for directory in broker.directories if directory not in lost]
        change = BrokerRegistrationChangeRecord(broker_id=broker.broker_id, broker_epoch=broker.broker_epoch, log_dirs=online)
        return [*self._records_without(broker.broker_id, keys, unclean=True), change]

    def _records_for_cordoned(self, broker: BrokerRegistration, cordoned: list[bytes] | None) -> list[MetadataRecord]:
        if cordoned is None or (broker.cordoned is not None and sorted(cordoned) == sorted(broker.cordoned)):
            return []
        return [BrokerRegistrationChangeRecord(broker_id=broker.broker_id, broker_epoch=broker.broker_epoch, cordoned_log_dirs=cordoned)]

    # What follows for partitions

    def fence(self, broker_id: int) -> list[MetadataRecord]:
        """A lease has run out: the broker leaves every ISR, its leaderships move, and it is fenced."""
        records = self._records_to_fence(broker_id, clean=True)
        self._context.leases.end(broker_id)
        return records

    def _records_to_fence(self, broker_id: int, *, clean: bool) -> list[MetadataRecord]:
        broker = self._context.state.metadata.brokers[broker_id]
        fence = BrokerRegistrationChangeRecord(broker_id=broker_id, broker_epoch=broker.broker_epoch, fenced=_FENCE)
        return [*self._records_for_stop(broker_id, clean=clean), fence]

    def _records_to_unfence(self, broker: BrokerRegistration) -> list[MetadataRecord]:
        """The broker is unfenced, and leads what has no leader and may be led by it."""
        records: list[MetadataRecord] = [
            BrokerRegistrationChangeRecord(broker_id=broker.broker_id, broker_epoch=broker.broker_epoch, fenced=_UNFENCE)
        ]
        metadata = self._context.state.metadata

        def is_active(broker_id: int) -> bool:
            return broker_id == broker.broker_id or metadata.is_active_broker(broker_id)

        for key in self._context.state.partitions_without_leader():
            change = self._context.change(key, election=self._context.election_for(key[0]), is_active=is_active).record()
            if change is not None:
                records.append(change)
        return records

    def _records_for_stop(self, broker_id: int, *, clean: bool) -> list[MetadataRecord]:
        """A broker has stopped. Cleanly: it leaves the ISR as if fenced. Else it leaves the ELR as well, as its log may lack its end."""
        if clean or not self._context.state.metadata.elr_enabled:
            return self._records_without(broker_id, self._in_isr(broker_id))
        keys = [*self._in_isr(broker_id), *self._context.state.indexes.elr_of.get(broker_id, ())]
        return self._records_without(broker_id, keys, unclean=True)

    def _records_without(self, broker_id: int, keys: Iterable[PartitionKey], *, unclean: bool = False) -> list[MetadataRecord]:
        """Take the broker out of the ISR of some partitions; with ``unclean`` out of their ELR too. Leaders follow."""
        context = self._context
        metadata = context.state.metadata

        def is_active(candidate: int) -> bool:
            return candidate != broker_id and metadata.is_active_broker(candidate)

        records: list[MetadataRecord] = []
        for key in keys:
            change = context.change(key, election=context.election_for(key[0]), is_active=is_active)
            change.isr = isr_without(metadata.topics[key[0]].partitions[key[1]], broker_id)
            change.unclean_shutdown = broker_id if unclean else NO_NODE
            record = change.record()
            if record is not None:
                records.append(record)
        return records

    def records_for_lost_directory(self, broker_id: int, keys: list[PartitionKey]) -> list[MetadataRecord]:
        """Replicas turned out to be on an offline directory: the broker leaves their ISR and ELR."""
        return self._records_without(broker_id, keys, unclean=True)

    def _in_isr(self, broker_id: int) -> list[PartitionKey]:
        return list(self._context.state.indexes.isr_of.get(broker_id, ()))

    def _replicas_in(self, broker_id: int, directories: list[bytes]) -> list[PartitionKey]:
        """Partitions whose replica on the broker is in the ISR or eligible, and lies in one of the directories."""
        topics = self._context.state.metadata.topics
        there = [*self._in_isr(broker_id), *self._context.state.indexes.elr_of.get(broker_id, ())]
        return [key for key in there if topics[key[0]].partitions[key[1]].directory(broker_id) in directories]


def _registration_record(request: BrokerRegistrationRequest, broker_epoch: int) -> RegisterBrokerRecord:
    record = RegisterBrokerRecord
    return record(
        broker_id=request.broker_id,
        incarnation_id=request.incarnation_id,
        broker_epoch=broker_epoch,
        end_points=[
            record.BrokerEndpoint(listener.name, listener.host, listener.port, listener.security_protocol) for listener in request.listeners
        ],
        features=[
            record.BrokerFeature(feature.name, feature.min_supported_version, feature.max_supported_version)
            for feature in sorted(request.features, key=lambda feature: feature.name)
        ],
        rack=request.rack,
        log_dirs=list(request.log_dirs),
    )
