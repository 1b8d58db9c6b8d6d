"""Brokers and controllers as the metadata log registers them (KIP-631, KIP-841, KIP-858, KIP-919, KIP-1066)."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from holdwater.core.metadata.partition import MIGRATING_DIRECTORY, UNASSIGNED_DIRECTORY, is_online_directory
from holdwater.kernel.invariant import invariant
from holdwater.wire.messages import BrokerRegistrationChangeRecord, RegisterBrokerRecord, RegisterControllerRecord


class Endpoint(NamedTuple):
    """Where a node is reached: listener name, host, port, number of the security protocol."""

    name: str
    host: str
    port: int
    security_protocol: int


class VersionRange(NamedTuple):
    """Lowest and highest level of a feature that a node supports."""

    low: int
    high: int

    def __contains__(self, level: object) -> bool:
        return isinstance(level, int) and self.low <= level <= self.high


class BrokerRegistration(NamedTuple):
    """One registered broker. A new incarnation has a higher broker epoch; an amended registration of the same process keeps its own."""

    broker_id: int
    broker_epoch: int
    incarnation_id: bytes
    endpoints: tuple[Endpoint, ...]
    features: tuple[tuple[str, VersionRange], ...]
    rack: str | None
    fenced: bool
    in_controlled_shutdown: bool
    directories: tuple[bytes, ...]
    cordoned: tuple[bytes, ...] | None

    @property
    def is_active(self) -> bool:
        """Whether the broker may lead: neither fenced nor shutting down."""
        return not self.fenced and not self.in_controlled_shutdown

    def has_online_directory(self, directory: bytes) -> bool:
        """Whether a replica in that directory can be used."""
        return is_online_directory(directory, self.directories)

    @property
    def default_directory(self) -> bytes:
        """The directory of a new replica: the only one there is, else left for the broker to choose."""
        if not self.directories:
            return MIGRATING_DIRECTORY
        return self.directories[0] if len(self.directories) == 1 else UNASSIGNED_DIRECTORY

    @property
    def takes_new_replicas(self) -> bool:
        """Whether some directory is not cordoned (KIP-1066)."""
        return not self.cordoned or any(directory not in self.cordoned for directory in self.directories)

    def endpoint(self, listener: str) -> Endpoint | None:
        """The endpoint of a listener by name."""
        return next((endpoint for endpoint in self.endpoints if endpoint.name == listener), None)

    def changed_by(self, record: BrokerRegistrationChangeRecord) -> "BrokerRegistration":
        """This registration after a change record."""
        invariant(record.fenced in {-1, 0, 1}, f"fenced of {record!r} must be -1, 0 or 1")
        invariant(record.in_controlled_shutdown in {0, 1}, f"in_controlled_shutdown of {record!r} must be 0 or 1")
        return self._replace(
            fenced={-1: False, 0: self.fenced, 1: True}[record.fenced],
            in_controlled_shutdown=self.in_controlled_shutdown or record.in_controlled_shutdown == 1,
            directories=tuple(record.log_dirs) or self.directories,
            cordoned=self.cordoned if record.cordoned_log_dirs is None else tuple(record.cordoned_log_dirs),
        )

    def to_record(self) -> RegisterBrokerRecord:
        """The record that describes this registration in full."""
        record = RegisterBrokerRecord
        return record(
            broker_id=self.broker_id,
            incarnation_id=self.incarnation_id,
            broker_epoch=self.broker_epoch,
            end_points=[record.BrokerEndpoint(*endpoint) for endpoint in self.endpoints],
            features=[record.BrokerFeature(name, low, high) for name, (low, high) in self.features],
            rack=self.rack,
            fenced=self.fenced,
            in_controlled_shutdown=self.in_controlled_shutdown,
            log_dirs=list(self.directories),
            cordoned_log_dirs=None if self.cordoned is None else list(self.cordoned),
        )


class ControllerRegistration(NamedTuple):
    """One registered controller (KIP-919)."""

    controller_id: int
    incarnation_id: bytes
    zk_migration_ready: bool
    endpoints: tuple[Endpoint, ...]
    features: tuple[tuple[str, VersionRange], ...]

    def to_record(self) -> RegisterControllerRecord:
        """The record that describes this registration in full."""
        record = RegisterControllerRecord
        return record(
            controller_id=self.controller_id,
            incarnation_id=self.incarnation_id,
            zk_migration_ready=self.zk_migration_ready,
            end_points=[record.ControllerEndpoint(*endpoint) for endpoint in self.endpoints],
            features=[record.ControllerFeature(name, low, high) for name, (low, high) in self.features],
        )


class _EndpointFields(Protocol):
    name: str
    host: str
    port: int
    security_protocol: int


class _FeatureFields(Protocol):
    name: str
    min_supported_version: int
    max_supported_version: int


def endpoints_of(entries: Iterable[_EndpointFields]) -> tuple[Endpoint, ...]:
    """Endpoints of a request or a record."""
    return tuple(Endpoint(entry.name, entry.host, entry.port, entry.security_protocol) for entry in entries)


def features_of(entries: Iterable[_FeatureFields]) -> tuple[tuple[str, VersionRange], ...]:
    """Supported features of a request or a record, sorted by name."""
    return tuple(sorted((entry.name, VersionRange(entry.min_supported_version, entry.max_supported_version)) for entry in entries))


def broker_from_record(record: RegisterBrokerRecord) -> BrokerRegistration:
    """The registration that a RegisterBrokerRecord describes."""
    return BrokerRegistration(
        record.broker_id,
        record.broker_epoch,
        record.incarnation_id,
        endpoints_of(record.end_points),
        features_of(record.features),
        record.rack,
        record.fenced,
        record.in_controlled_shutdown,
        tuple(record.log_dirs),
        None if record.cordoned_log_dirs is None else tuple(record.cordoned_log_dirs),
    )


def controller_from_record(record: RegisterControllerRecord) -> ControllerRegistration:
    """The registration that a RegisterControllerRecord describes."""
    return ControllerRegistration(
        record.controller_id,
        record.incarnation_id,
        record.zk_migration_ready,
        endpoints_of(record.end_points),
        features_of(record.features),
    )
