"""Finalised features: what a new cluster starts with, what a joining broker must support, how an operator changes them (KIP-584, 778, 1022).

A feature is finalised at one level for the whole cluster; a level above what some registered node supports is refused. This
implementation reads and writes metadata.version 4.4-IV2 alone, so it never changes that one.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from holdwater.core.metadata.context import ControllerContext
from holdwater.core.metadata.image import BROKER_RESOURCE, CLUSTER_DEFAULT
from holdwater.core.metadata.records import (
    ELR_VERSION,
    GROUP_VERSION,
    KRAFT_VERSION,
    LATEST_METADATA_VERSION,
    METADATA_VERSION,
    SHARE_VERSION,
    STREAMS_VERSION,
    TRANSACTION_VERSION,
    MetadataRecord,
    Versioned,
    versioned,
)
from holdwater.core.metadata.registrations import VersionRange
from holdwater.core.metadata.result import Refusal, Refused, Result
from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    BeginTransactionRecord,
    ConfigRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)

SUPPORTED_FEATURES: Mapping[str, VersionRange] = {
    ELR_VERSION: VersionRange(0, 1),
    GROUP_VERSION: VersionRange(0, 1),
    KRAFT_VERSION: VersionRange(0, 1),
    METADATA_VERSION: VersionRange(LATEST_METADATA_VERSION, LATEST_METADATA_VERSION),
    SHARE_VERSION: VersionRange(0, 0),
    STREAMS_VERSION: VersionRange(0, 0),
    TRANSACTION_VERSION: VersionRange(0, 2),
}
"""What this implementation registers, and its controller agrees to finalise."""

BOOTSTRAP_FEATURES: Mapping[str, int] = {
    METADATA_VERSION: LATEST_METADATA_VERSION,
    ELR_VERSION: 1,
    GROUP_VERSION: 1,
    TRANSACTION_VERSION: 2,
}
"""Levels of a new cluster: Kafka 4.4's own, but share and streams groups at level 0, as we do not have them."""

_UPGRADE, _SAFE_DOWNGRADE, _UNSAFE_DOWNGRADE = 1, 2, 3


def bootstrap_records(config: BrokerConfig) -> list[Versioned]:
    """The first records of a new cluster, as ``kafka-storage format`` and the first active controller write them.

    With eligible leader replicas the cluster has a min.insync.replicas of its own from the start (KIP-966): the value in the file.
    """
    records: list[MetadataRecord] = [FeatureLevelRecord(name=name, feature_level=level) for name, level in BOOTSTRAP_FEATURES.items()]
    records.append(_cluster_min_isr(config))
    return [versioned(record) for record in records]


def in_transaction(records: list[Versioned]) -> list[Versioned]:
    """Bootstrap records as one metadata transaction (KIP-868)."""
    return [versioned(BeginTransactionRecord(name="Bootstrap records")), *records, versioned(EndTransactionRecord())]


def _cluster_min_isr(config: BrokerConfig) -> ConfigRecord:
    return ConfigRecord(
        resource_type=CLUSTER_DEFAULT.kind, resource_name="", name="min.insync.replicas", value=str(config.int("min.insync.replicas"))
    )


class _FeatureFields(Protocol):
    name: str
    min_supported_version: int
    max_supported_version: int


def check_registration_features(finalized: Mapping[str, int], supported: Iterable[_FeatureFields]) -> Refused:
    """Refuse a broker that does not support a level that is finalised. A feature it does not name it supports at level 0."""
    ranges = {feature.name: VersionRange(feature.min_supported_version, feature.max_supported_version) for feature in supported}
    if METADATA_VERSION not in ranges:
        return Refusal(ErrorCode.INVALID_REGISTRATION, "Request features do not contain 'metadata.version'")
    for name in dict.fromkeys([*ranges, *finalized]):
        level = finalized.get(name, 0)
        found = ranges.get(name, VersionRange(0, 0))
        if name != KRAFT_VERSION and level not in found:
            message = (
                f"Unable to register because the broker does not support finalized version {level} of {name}."
                f" The broker wants a version between {found.low} and {found.high}, inclusive."
            )
            return Refusal(ErrorCode.UNSUPPORTED_VERSION, message)
    return None


class FeatureControl:
    """UpdateFeatures."""

    __slots__ = ("_context",)

    def __init__(self, context: ControllerContext) -> None:
        self._context = context

    def update(self, request: UpdateFeaturesRequest, version: int) -> Result[UpdateFeaturesResponse]:
        """Change finalised levels, all of them or none. ``version`` is the request's: version 0 says whether a downgrade is allowed."""
        context = self._context
        records: list[MetadataRecord] = []
        for update in request.feature_updates:
            allowed = update.upgrade_type if version > 0 else (_SAFE_DOWNGRADE if update.allow_downgrade else _UPGRADE)
            refused = self._check(update.feature, update.max_version_level, allowed)
            if refused is not None:
                return context.result([], _response(request, refused, version))
            records.extend(self._records(update.feature, update.max_version_level))
        return context.result([] if request.validate_only else records, _response(request, None, version), atomic=True)

    def _check(self, name: str, level: int, kind: int) -> Refused:
        def invalid(message: str) -> Refusal:
            return Refusal(ErrorCode.INVALID_UPDATE_VERSION, f"Invalid update version {level} for feature {name}. {message}")

        if kind not in {_UPGRADE, _SAFE_DOWNGRADE, _UNSAFE_DOWNGRADE}:
            return invalid("The controller does not support the given upgrade type.")
        if level < 0:
            return invalid("A feature version cannot be less than 0.")
        if name == KRAFT_VERSION:
            return invalid("This controller does not change kraft.version through this request.")
        reason = self._why_unsupported(name, level)
        if reason is not None:
            return invalid(reason)
        current = self._context.state.metadata.features.get(name, 0)
        if level < current and kind == _UPGRADE:
            return invalid(
                "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade."
            )
        if level > current and kind != _UPGRADE:
            return invalid("Can't downgrade to a newer version.")
        return None

    def _why_unsupported(self, name: str, level: int) -> str | None:
        metadata = self._context.state.metadata
        local = SUPPORTED_FEATURES.get(name)
        if local is None:
            return f"Local controller {self._context.node_id} does not support this feature."
        nothing = VersionRange(0, 0)
        nodes = [
            (f"Local controller {self._context.node_id}", local),
            *((f"Broker {broker.broker_id}", dict(broker.features).get(name, nothing)) for broker in metadata.brokers.values()),
            *((f"Controller {node.controller_id}", dict(node.features).get(name, nothing)) for node in metadata.controllers.values()),
        ]
        for node, found in nodes:
            if level not in found:
                return f"{node} only supports versions {found.low}-{found.high}"
        for voter in self._context.voters:
            if voter != self._context.node_id and voter not in metadata.controllers:
                return f"controller {voter} has not registered, and may not support this feature"
        return None

    def _records(self, name: str, level: int) -> list[MetadataRecord]:
        """The level, and with eligible leader replicas newly on, the configuration they rest on (KIP-966)."""
        context = self._context
        records: list[MetadataRecord] = []
        metadata = context.state.metadata
        if metadata.features.get(name, 0) == level:
            return records
        if name == ELR_VERSION and level > 0:
            if "min.insync.replicas" not in metadata.cluster_config():
                records.append(_cluster_min_isr(context.config))
            records.extend(
                ConfigRecord(resource_type=BROKER_RESOURCE, resource_name=resource.name, name="min.insync.replicas", value=None)
                for resource, texts in metadata.configs.items()
                if resource.kind == BROKER_RESOURCE and resource.name and "min.insync.replicas" in texts
            )
        records.append(FeatureLevelRecord(name=name, feature_level=level))
        return records


def _response(request: UpdateFeaturesRequest, refused: Refused, version: int) -> UpdateFeaturesResponse:
    """Before version 2 every feature has a result of its own, and shares the one outcome."""
    error, message = (ErrorCode.NONE, None) if refused is None else refused
    response = UpdateFeaturesResponse(error_code=error, error_message=message)
    if version < 2:
        response.results = [
            UpdateFeaturesResponse.UpdatableFeatureResult(feature=update.feature, error_code=error, error_message=message)
            for update in request.feature_updates
        ]
    return response
