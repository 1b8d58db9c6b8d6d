"""The metadata image: what the committed metadata log adds up to, as one value that is never changed (KIP-500).

Invariants (M5, M6, M8 in docs/invariants.md): an image is the fold of a prefix of the log, each record once and in order; a partition's
leader is in its ISR or there is none; ISR and ELR are disjoint parts of the replicas; snapshot and tail give the same image as the log.
``builder`` makes the next image from one and the records of a batch.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from holdwater.core.metadata.partition import PartitionState
from holdwater.core.metadata.records import ELR_VERSION, METADATA_VERSION, Versioned, versioned
from holdwater.core.metadata.registrations import BrokerRegistration, ControllerRegistration
from holdwater.wire.messages import (
    AccessControlEntryRecord,
    ClientQuotaRecord,
    ConfigRecord,
    DelegationTokenRecord,
    FeatureLevelRecord,
    ProducerIdsRecord,
    TopicRecord,
    UserScramCredentialRecord,
)

TOPIC_RESOURCE = 2
BROKER_RESOURCE = 4
BROKER_LOGGER_RESOURCE = 8
CLIENT_METRICS_RESOURCE = 16
GROUP_RESOURCE = 32
"""Kinds of resource that have a configuration, as ConfigRecord and the configuration requests number them."""


class ConfigResource(NamedTuple):
    """Something that has a configuration: a topic by name, a broker by id, or every broker (the empty name)."""

    kind: int
    name: str


CLUSTER_DEFAULT = ConfigResource(BROKER_RESOURCE, "")

QuotaEntity = tuple[tuple[str, str | None], ...]
"""Entity of a client quota: type and name (``None``: the default) of each part, sorted."""


class TopicState(NamedTuple):
    """One topic: its name, its id, its partitions by number."""

    name: str
    topic_id: bytes
    partitions: dict[int, PartitionState]


class MetadataImage:
    """Metadata at one offset. The mappings are shared between images: read them, never change them."""

    __slots__ = (
        "acls",
        "brokers",
        "configs",
        "controllers",
        "features",
        "last_epoch",
        "last_offset",
        "next_producer_id",
        "quotas",
        "scram",
        "tokens",
        "topic_ids",
        "topics",
    )

    def __init__(self) -> None:
        self.last_offset = -1
        """Offset of the last record folded in, -1 for none."""
        self.last_epoch = -1
        """Quorum epoch of that record."""
        self.features: dict[str, int] = {}
        """Finalised level by feature; a feature at level 0 is not there."""
        self.brokers: dict[int, BrokerRegistration] = {}
        self.controllers: dict[int, ControllerRegistration] = {}
        self.topics: dict[bytes, TopicState] = {}
        self.topic_ids: dict[str, bytes] = {}
        self.configs: dict[ConfigResource, dict[str, str]] = {}
        self.next_producer_id = 0
        self.acls: dict[bytes, AccessControlEntryRecord] = {}
        self.scram: dict[tuple[str, int], UserScramCredentialRecord] = {}
        self.quotas: dict[QuotaEntity, dict[str, float]] = {}
        self.tokens: dict[str, DelegationTokenRecord] = {}

    def topic(self, name: str) -> TopicState | None:
        """The topic of that name."""
        topic_id = self.topic_ids.get(name)
        return None if topic_id is None else self.topics[topic_id]

    def partition(self, topic_id: bytes, partition: int) -> PartitionState | None:
        """A partition by topic id and number."""
        topic = self.topics.get(topic_id)
        return None if topic is None else topic.partitions.get(partition)

    def partitions(self) -> Iterator[tuple[bytes, int, PartitionState]]:
        """Every partition, in the order of creation of its topic."""
        for topic_id, topic in self.topics.items():
            for number, state in topic.partitions.items():
                yield topic_id, number, state

    def config(self, resource: ConfigResource) -> Mapping[str, str]:
        """The texts configured for a resource."""
        return self.configs.get(resource, _NO_CONFIG)

    def topic_config(self, name: str) -> Mapping[str, str]:
        """The texts configured for a topic."""
        return self.config(ConfigResource(TOPIC_RESOURCE, name))

    def broker_config(self, broker_id: int) -> Mapping[str, str]:
        """The texts configured for one broker."""
        return self.config(ConfigResource(BROKER_RESOURCE, str(broker_id)))

    def cluster_config(self) -> Mapping[str, str]:
        """The texts configured for every broker."""
        return self.config(CLUSTER_DEFAULT)

    def is_active_broker(self, broker_id: int) -> bool:
        """Whether the broker is registered, unfenced, and not shutting down."""
        broker = self.brokers.get(broker_id)
        return broker is not None and broker.is_active

    @property
    def metadata_version(self) -> int:
        """Finalised metadata.version, 0 before the bootstrap records."""
        return self.features.get(METADATA_VERSION, 0)

    @property
    def elr_enabled(self) -> bool:
        """Whether eligible leader replicas are kept (KIP-966)."""
        return self.features.get(ELR_VERSION, 0) >= 1

    def to_records(self) -> Iterator[Versioned]:
        """Records that build this image from nothing, in the order of Kafka's snapshots."""
        if METADATA_VERSION in self.features:
            yield versioned(FeatureLevelRecord(name=METADATA_VERSION, feature_level=self.features[METADATA_VERSION]))
        for name in sorted(self.features):
            if name != METADATA_VERSION:
                yield versioned(FeatureLevelRecord(name=name, feature_level=self.features[name]))
        for broker in self.brokers.values():
            yield versioned(broker.to_record())
        for controller in self.controllers.values():
            yield versioned(controller.to_record())
        for topic in self.topics.values():
            yield versioned(TopicRecord(name=topic.name, topic_id=topic.topic_id))
            for number, partition in topic.partitions.items():
                yield versioned(partition.to_record(topic.topic_id, number))
        for resource, texts in self.configs.items():
            for name, text in texts.items():
                yield versioned(ConfigRecord(resource_type=resource.kind, resource_name=resource.name, name=name, value=text))
        yield from self._rest_to_records()

    def _rest_to_records(self) -> Iterator[Versioned]:
        for entity, limits in self.quotas.items():
            for key, limit in limits.items():
                parts = [ClientQuotaRecord.EntityData(entity_type=kind, entity_name=name) for kind, name in entity]
                yield versioned(ClientQuotaRecord(entity=parts, key=key, value=limit))
        if self.next_producer_id > 0:
            yield versioned(ProducerIdsRecord(broker_id=-1, broker_epoch=-1, next_producer_id=self.next_producer_id))
        for kept in (self.acls, self.scram, self.tokens):
            for record in kept.values():
                yield versioned(record)

    def content(self) -> tuple[object, ...]:
        """Everything that records decide, for comparing images whatever their offsets and the order of their mappings."""
        return (
            self.features,
            self.brokers,
            self.controllers,
            self.topics,
            self.topic_ids,
            self.configs,
            self.next_producer_id,
            self.acls,
            self.scram,
            self.quotas,
            self.tokens,
        )

    def __repr__(self) -> str:
        return f"MetadataImage(last_offset={self.last_offset}, {len(self.topics)} topics, {len(self.brokers)} brokers)"


_NO_CONFIG: Mapping[str, str] = {}
EMPTY_IMAGE = MetadataImage()
