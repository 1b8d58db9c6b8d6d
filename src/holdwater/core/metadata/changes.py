"""What differs between two metadata images, by name, so that a broker reacts with one function of the old image and the new one."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from holdwater.core.metadata.image import ConfigResource, MetadataImage, TopicState
    from holdwater.core.metadata.partition import PartitionState
    from holdwater.core.metadata.registrations import BrokerRegistration


class PartitionChange(NamedTuple):
    """A partition that is new (no ``old``), gone (no ``new``), or different."""

    topic: str
    topic_id: bytes
    partition: int
    old: "PartitionState | None"
    new: "PartitionState | None"


class BrokerChange(NamedTuple):
    """A broker that is new (no ``old``), unregistered (no ``new``), or different."""

    broker_id: int
    old: "BrokerRegistration | None"
    new: "BrokerRegistration | None"


@dataclass(slots=True)
class ImageChanges:
    """Differences from one image to a later one, in the order in which the records came (or, after a snapshot, of the images)."""

    created_topics: "list[TopicState]" = field(default_factory=list["TopicState"])
    deleted_topics: "list[TopicState]" = field(default_factory=list["TopicState"])
    """As they were before."""
    partitions: list[PartitionChange] = field(default_factory=list[PartitionChange])
    """Every partition that differs, those of created and deleted topics among them."""
    brokers: list[BrokerChange] = field(default_factory=list[BrokerChange])
    configs: "list[ConfigResource]" = field(default_factory=list["ConfigResource"])
    features: bool = False
    controllers: bool = False
    producer_ids: bool = False
    security: bool = False
    """ACLs, SCRAM credentials or delegation tokens."""
    quotas: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing differs."""
        lists = (self.created_topics, self.deleted_topics, self.partitions, self.brokers, self.configs)
        flags = (self.features, self.controllers, self.producer_ids, self.security, self.quotas)
        return not any(lists) and not any(flags)


@dataclass(slots=True)
class Touched:
    """Where to look for differences: what the records named. The mappings stand for ordered sets."""

    topics: dict[bytes, bool] = field(default_factory=dict[bytes, bool])
    brokers: dict[int, bool] = field(default_factory=dict[int, bool])
    configs: "dict[ConfigResource, bool]" = field(default_factory=dict["ConfigResource", bool])
    features: bool = False
    controllers: bool = False
    producer_ids: bool = False
    security: bool = False
    quotas: bool = False


def changes_between(old: "MetadataImage", new: "MetadataImage", touched: Touched | None = None) -> ImageChanges:
    """What differs from ``old`` to ``new``; without ``touched`` (a snapshot was loaded) everything is compared."""
    if touched is None:
        touched = Touched(
            dict.fromkeys([*old.topics, *new.topics], True),
            dict.fromkeys([*old.brokers, *new.brokers], True),
            dict.fromkeys([*old.configs, *new.configs], True),
        )
    changes = ImageChanges(
        features=old.features != new.features,
        controllers=old.controllers != new.controllers,
        producer_ids=old.next_producer_id != new.next_producer_id,
        security=(old.acls, old.scram, old.tokens) != (new.acls, new.scram, new.tokens),
        quotas=old.quotas != new.quotas,
    )
    for topic_id in touched.topics:
        _compare_topic(topic_id, old.topics.get(topic_id), new.topics.get(topic_id), changes)
    for broker_id in touched.brokers:
        before, after = old.brokers.get(broker_id), new.brokers.get(broker_id)
        if before != after:
            changes.brokers.append(BrokerChange(broker_id, before, after))
    changes.configs.extend(resource for resource in touched.configs if old.config(resource) != new.config(resource))
    return changes


def _compare_topic(topic_id: bytes, old: "TopicState | None", new: "TopicState | None", changes: ImageChanges) -> None:
    if old is new:
        return
    if old is None and new is not None:
        changes.created_topics.append(new)
    elif new is None and old is not None:
        changes.deleted_topics.append(old)
    name = new.name if new is not None else old.name if old is not None else ""
    before = old.partitions if old is not None else {}
    after = new.partitions if new is not None else {}
    for number in dict.fromkeys([*before, *after]):
        if before.get(number) != after.get(number):
            changes.partitions.append(PartitionChange(name, topic_id, number, before.get(number), after.get(number)))
