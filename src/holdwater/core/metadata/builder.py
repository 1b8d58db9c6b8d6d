"""``ImageBuilder``: from an image and records to the next image.

It copies only the topics that a record touched, and the top-level mapping of what kind they are. It can be read like an image at any
time, which is how the active controller sees records that are appended and not yet committed.

Records between BeginTransactionRecord and EndTransactionRecord become visible together, or with AbortTransactionRecord not at all
(KIP-868). ``ZkMigrationStateRecord`` is accepted and says nothing any more.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from holdwater.core.metadata.changes import ImageChanges, Touched, changes_between
from holdwater.core.metadata.image import TOPIC_RESOURCE, ConfigResource, MetadataImage, TopicState
from holdwater.core.metadata.partition import PartitionState, partition_from_record
from holdwater.core.metadata.records import MetadataRecord
from holdwater.core.metadata.registrations import BrokerRegistration, broker_from_record, controller_from_record
from holdwater.kernel.identifiers import uuid_to_text
from holdwater.kernel.invariant import invariant
from holdwater.wire.messages import (
    AbortTransactionRecord,
    AccessControlEntryRecord,
    BeginTransactionRecord,
    BrokerRegistrationChangeRecord,
    ClearElrRecord,
    ClientQuotaRecord,
    ConfigRecord,
    DelegationTokenRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
    FenceBrokerRecord,
    NoOpRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RegisterControllerRecord,
    RemoveAccessControlEntryRecord,
    RemoveDelegationTokenRecord,
    RemoveTopicRecord,
    RemoveUserScramCredentialRecord,
    TopicRecord,
    UnfenceBrokerRecord,
    UnregisterBrokerRecord,
    UnregisterControllerRecord,
    UserScramCredentialRecord,
    ZkMigrationStateRecord,
)

_NO_CONFIG: Mapping[str, str] = {}
_SECTIONS = ("features", "brokers", "controllers", "topics", "topic_ids", "configs", "acls", "scram", "quotas", "tokens")


class ImageBuilder(MetadataImage):
    """An image that takes records. ``apply`` per record, ``build`` per committed batch."""

    __slots__ = ("_base", "_own_sections", "_own_topics", "_touched", "_transaction_base")

    def __init__(self, image: MetadataImage) -> None:
        super().__init__()
        self._transaction_base: MetadataImage | None = None
        self._start_from(image)

    @property
    def in_transaction(self) -> bool:
        """Whether a metadata transaction is open (KIP-868)."""
        return self._transaction_base is not None

    def apply(self, offset: int, record: MetadataRecord) -> None:
        """Fold in the record at ``offset``. A record that contradicts the image, or of an unknown kind, stops the node."""
        apply = self._APPLY.get(type(record))
        invariant(apply is not None, f"{type(record).__name__} is no record of the metadata log")
        assert apply is not None
        apply(self, record)
        self.last_offset = offset

    def build(self, last_epoch: int) -> tuple[MetadataImage, ImageChanges]:
        """The image so far and what changed since the last ``build``. Inside a transaction: the image before it, and no changes."""
        if self._transaction_base is not None:
            return self._base, ImageChanges()
        self.last_epoch = last_epoch
        old = self._base
        image = self._freeze()
        changes = changes_between(old, image, self._touched)
        self._start_from(image)
        return image, changes

    def _start_from(self, image: MetadataImage) -> None:
        for name in MetadataImage.__slots__:
            setattr(self, name, getattr(image, name))
        self._base = image
        self._own_sections: dict[str, bool] = {}
        self._own_topics: dict[bytes, bool] = {}
        self._touched = Touched()

    def _freeze(self) -> MetadataImage:
        image = MetadataImage()
        for name in MetadataImage.__slots__:
            setattr(image, name, getattr(self, name))
        return image

    def _own(self, section: str) -> dict[Any, Any]:
        """A top-level mapping of our own: copied on the first change after a build."""
        if section not in self._own_sections:
            setattr(self, section, dict(getattr(self, section)))
            self._own_sections[section] = True
        return getattr(self, section)

    def _own_partitions(self, topic_id: bytes) -> dict[int, PartitionState]:
        topic = self.topics.get(topic_id)
        invariant(topic is not None, f"a record names the topic id {uuid_to_text(topic_id)}, which is not there")
        assert topic is not None
        if topic_id not in self._own_topics:
            topic = topic._replace(partitions=dict(topic.partitions))
            self._own("topics")[topic_id] = topic
            self._own_topics[topic_id] = True
        self._touched.topics[topic_id] = True
        return topic.partitions

    def _config_of(self, resource: ConfigResource) -> dict[str, str]:
        """A copy of a resource's texts, put in place; a configuration is small, so each change copies it."""
        texts = dict(self.configs.get(resource, _NO_CONFIG))
        self._own("configs")[resource] = texts
        self._touched.configs[resource] = True
        return texts

    # Brokers and controllers

    def _register_broker(self, record: RegisterBrokerRecord) -> None:
        self._put_broker(broker_from_record(record))

    def _put_broker(self, broker: BrokerRegistration) -> None:
        self._own("brokers")[broker.broker_id] = broker
        self._touched.brokers[broker.broker_id] = True

    def _broker(self, broker_id: int, broker_epoch: int) -> BrokerRegistration:
        broker = self.brokers.get(broker_id)
        invariant(
            broker is not None and broker.broker_epoch == broker_epoch,
            f"a record is about broker {broker_id} with broker epoch {broker_epoch}, but registered is {broker}",
        )
        assert broker is not None
        return broker

    def _unregister_broker(self, record: UnregisterBrokerRecord) -> None:
        self._broker(record.broker_id, record.broker_epoch)
        del self._own("brokers")[record.broker_id]
        self._touched.brokers[record.broker_id] = True

    def _fence_broker(self, record: FenceBrokerRecord) -> None:
        self._put_broker(self._broker(record.id, record.epoch)._replace(fenced=True))

    def _unfence_broker(self, record: UnfenceBrokerRecord) -> None:
        self._put_broker(self._broker(record.id, record.epoch)._replace(fenced=False))

    def _change_broker(self, record: BrokerRegistrationChangeRecord) -> None:
        self._put_broker(self._broker(record.broker_id, record.broker_epoch).changed_by(record))

    def _register_controller(self, record: RegisterControllerRecord) -> None:
        self._own("controllers")[record.controller_id] = controller_from_record(record)
        self._touched.controllers = True

    def _unregister_controller(self, record: UnregisterControllerRecord) -> None:
        self._own("controllers").pop(record.controller_id, None)
        self._touched.controllers = True

    # Topics and partitions

    def _create_topic(self, record: TopicRecord) -> None:
        invariant(record.name not in self.topic_ids, f"a record creates the topic {record.name}, which is there already")
        invariant(record.topic_id not in self.topics, f"a record creates a topic with an id in use, {uuid_to_text(record.topic_id)}")
        self._own("topics")[record.topic_id] = TopicState(record.name, record.topic_id, {})
        self._own_topics[record.topic_id] = True
        self._own("topic_ids")[record.name] = record.topic_id
        self._touched.topics[record.topic_id] = True

    def _remove_topic(self, record: RemoveTopicRecord) -> None:
        topic = self.topics.get(record.topic_id)
        invariant(topic is not None, f"a record removes the topic id {uuid_to_text(record.topic_id)}, which is not there")
        assert topic is not None
        del self._own("topics")[record.topic_id]
        del self._own("topic_ids")[topic.name]
        self._touched.topics[record.topic_id] = True
        resource = ConfigResource(TOPIC_RESOURCE, topic.name)
        if resource in self.configs:
            del self._own("configs")[resource]
            self._touched.configs[resource] = True

    def _put_partition(self, record: PartitionRecord) -> None:
        self._own_partitions(record.topic_id)[record.partition_id] = partition_from_record(record)

    def _change_partition(self, record: PartitionChangeRecord) -> None:
        partitions = self._own_partitions(record.topic_id)
        partition = partitions.get(record.partition_id)
        invariant(partition is not None, f"a record changes partition {record.partition_id}, which is not there: {record!r}")
        assert partition is not None
        changed = partition.changed_by(record)
        invariant(not changed.has_leader or changed.leader in changed.isr, f"the leader must be in the ISR: {changed}")
        partitions[record.partition_id] = changed

    def _clear_elr(self, record: ClearElrRecord) -> None:
        names = [record.topic_name] if record.topic_name else list(self.topic_ids)
        for name in names:
            topic_id = self.topic_ids.get(name)
            if topic_id is None:
                continue
            for number, partition in self.topics[topic_id].partitions.items():
                if partition.elr or partition.last_known_elr:
                    self._own_partitions(topic_id)[number] = partition.without_elr()

    # Everything else

    def _set_config(self, record: ConfigRecord) -> None:
        resource = ConfigResource(record.resource_type, record.resource_name)
        texts = self._config_of(resource)
        if record.value is None:
            texts.pop(record.name, None)
        else:
            texts[record.name] = record.value
        if not texts:
            del self._own("configs")[resource]

    def _set_feature(self, record: FeatureLevelRecord) -> None:
        if record.feature_level == 0:
            self._own("features").pop(record.name, None)
        else:
            self._own("features")[record.name] = record.feature_level
        self._touched.features = True

    def _set_producer_ids(self, record: ProducerIdsRecord) -> None:
        invariant(
            record.next_producer_id > self.next_producer_id,
            f"producer ids only rise: {record.next_producer_id} after {self.next_producer_id}",
        )
        self.next_producer_id = record.next_producer_id
        self._touched.producer_ids = True

    def _add_acl(self, record: AccessControlEntryRecord) -> None:
        self._own("acls")[record.id] = record
        self._touched.security = True

    def _remove_acl(self, record: RemoveAccessControlEntryRecord) -> None:
        self._own("acls").pop(record.id, None)
        self._touched.security = True

    def _set_scram(self, record: UserScramCredentialRecord) -> None:
        self._own("scram")[record.name, record.mechanism] = record
        self._touched.security = True

    def _remove_scram(self, record: RemoveUserScramCredentialRecord) -> None:
        self._own("scram").pop((record.name, record.mechanism), None)
        self._touched.security = True

    def _set_token(self, record: DelegationTokenRecord) -> None:
        self._own("tokens")[record.token_id] = record
        self._touched.security = True

    def _remove_token(self, record: RemoveDelegationTokenRecord) -> None:
        self._own("tokens").pop(record.token_id, None)
        self._touched.security = True

    def _set_quota(self, record: ClientQuotaRecord) -> None:
        entity = tuple(sorted(((part.entity_type, part.entity_name) for part in record.entity), key=lambda part: part[0]))
        limits = dict(self.quotas.get(entity, {}))
        if record.remove:
            limits.pop(record.key, None)
        else:
            limits[record.key] = record.value
        self._own("quotas")[entity] = limits
        if not limits:
            del self._own("quotas")[entity]
        self._touched.quotas = True

    # Transactions (KIP-868)

    def _begin(self, record: BeginTransactionRecord) -> None:
        invariant(self._transaction_base is None, f"a metadata transaction begins inside another one: {record!r}")
        self._transaction_base = self._freeze()
        self._own_sections = {}
        self._own_topics = {}

    def _end(self, record: EndTransactionRecord) -> None:
        invariant(self._transaction_base is not None, f"a metadata transaction ends that never began: {record!r}")
        self._transaction_base = None

    def _abort(self, record: AbortTransactionRecord) -> None:
        before = self._transaction_base
        invariant(before is not None, f"a metadata transaction is aborted that never began: {record!r}")
        assert before is not None
        for name in _SECTIONS:
            setattr(self, name, getattr(before, name))
        self.next_producer_id = before.next_producer_id
        self._own_sections = {}
        self._own_topics = {}
        self._transaction_base = None

    def _nothing(self, record: NoOpRecord | ZkMigrationStateRecord) -> None:
        """A record that changes nothing."""

    _APPLY: ClassVar[dict[type, "Callable[[ImageBuilder, Any], None]"]] = {
        AbortTransactionRecord: _abort,
        AccessControlEntryRecord: _add_acl,
        BeginTransactionRecord: _begin,
        BrokerRegistrationChangeRecord: _change_broker,
        ClearElrRecord: _clear_elr,
        ClientQuotaRecord: _set_quota,
        ConfigRecord: _set_config,
        DelegationTokenRecord: _set_token,
        EndTransactionRecord: _end,
        FeatureLevelRecord: _set_feature,
        FenceBrokerRecord: _fence_broker,
        NoOpRecord: _nothing,
        PartitionChangeRecord: _change_partition,
        PartitionRecord: _put_partition,
        ProducerIdsRecord: _set_producer_ids,
        RegisterBrokerRecord: _register_broker,
        RegisterControllerRecord: _register_controller,
        RemoveAccessControlEntryRecord: _remove_acl,
        RemoveDelegationTokenRecord: _remove_token,
        RemoveTopicRecord: _remove_topic,
        RemoveUserScramCredentialRecord: _remove_scram,
        TopicRecord: _create_topic,
        UnfenceBrokerRecord: _unfence_broker,
        UnregisterBrokerRecord: _unregister_broker,
        UnregisterControllerRecord: _unregister_controller,
        UserScramCredentialRecord: _set_scram,
        ZkMigrationStateRecord: _nothing,
    }
