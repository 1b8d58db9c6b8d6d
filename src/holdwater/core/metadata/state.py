"""The active controller's hard state: the metadata with everything appended so far, and indexes over it.

``replay`` is the only method that changes it, and it is called once per record, in order, when the record has been appended; loading a
committed image gives the same state. The indexes say nothing that the metadata does not: ``fresh_indexes`` rebuilds them, and tests
compare. Mappings to ``True`` stand for sets that keep an order.
"""

from collections.abc import Iterable

from holdwater.core.metadata.builder import ImageBuilder
from holdwater.core.metadata.image import MetadataImage
from holdwater.core.metadata.partition import PartitionState
from holdwater.core.metadata.records import MetadataRecord
from holdwater.kernel.identifiers import NO_NODE
from holdwater.kernel.invariant import invariant
from holdwater.wire.messages import (
    AbortTransactionRecord,
    BeginTransactionRecord,
    ClearElrRecord,
    PartitionChangeRecord,
    PartitionRecord,
    RegisterBrokerRecord,
    RemoveTopicRecord,
    TopicRecord,
    UnregisterBrokerRecord,
)

PartitionKey = tuple[bytes, int]
"""Topic id and partition number."""


class Indexes:
    """Partitions by what brokers have to do with them, and topic names by the name they collide with."""

    __slots__ = ("elr_of", "imbalanced", "isr_of", "led_by", "names")

    def __init__(self) -> None:
        self.isr_of: dict[int, dict[PartitionKey, bool]] = {}
        """Partitions with the broker in their ISR."""
        self.elr_of: dict[int, dict[PartitionKey, bool]] = {}
        """Partitions with the broker among their eligible leader replicas."""
        self.led_by: dict[int, dict[PartitionKey, bool]] = {}
        """Partitions by leader; those without one under -1."""
        self.imbalanced: dict[PartitionKey, bool] = {}
        """Partitions whose leader is not the first replica."""
        self.names: dict[str, dict[str, bool]] = {}
        """Topic names that hold ``.`` or ``_``, by the name with ``_`` for both."""

    def put(self, key: PartitionKey, old: PartitionState | None, new: PartitionState | None) -> None:
        """Replace what is known about one partition."""
        if old is not None:
            _drop(self.isr_of, old.isr, key)
            _drop(self.elr_of, old.elr, key)
            _drop(self.led_by, (old.leader,), key)
            self.imbalanced.pop(key, None)
        if new is not None:
            _add(self.isr_of, new.isr, key)
            _add(self.elr_of, new.elr, key)
            _add(self.led_by, (new.leader,), key)
            if new.leader != new.preferred_leader:
                self.imbalanced[key] = True

    def content(self) -> tuple[object, ...]:
        """Everything, for comparison."""
        return (self.isr_of, self.elr_of, self.led_by, self.imbalanced, self.names)


def _add(index: dict[int, dict[PartitionKey, bool]], brokers: Iterable[int], key: PartitionKey) -> None:
    for broker in brokers:
        index.setdefault(broker, {})[key] = True


def _drop(index: dict[int, dict[PartitionKey, bool]], brokers: Iterable[int], key: PartitionKey) -> None:
    for broker in brokers:
        index[broker].pop(key, None)
        if not index[broker]:
            del index[broker]


def collision_name(topic: str) -> str | None:
    """The name under which a topic collides with others in metrics (KAFKA-13743), ``None`` when it cannot."""
    return topic.replace(".", "_") if "." in topic or "_" in topic else None


def fresh_indexes(metadata: MetadataImage) -> Indexes:
    """The indexes of some metadata."""
    indexes = Indexes()
    for name in metadata.topic_ids:
        _name_topic(indexes, name)
    for topic_id, number, partition in metadata.partitions():
        indexes.put((topic_id, number), None, partition)
    return indexes


def _name_topic(indexes: Indexes, name: str) -> None:
    collision = collision_name(name)
    if collision is not None:
        indexes.names.setdefault(collision, {})[name] = True


class ControllerState:
    """Metadata with what is appended and not yet committed, indexes over it, and where the log ends."""

    __slots__ = ("_registered_at", "indexes", "metadata", "next_offset")

    def __init__(self, image: MetadataImage, next_offset: int, *, open_transaction: bool) -> None:
        self.metadata = ImageBuilder(image)
        """Read like an image; it holds everything replayed."""
        self.next_offset = next_offset
        """Offset that the next record gets."""
        self.indexes = fresh_indexes(image)
        self._registered_at = dict.fromkeys(image.brokers, image.last_offset)
        if open_transaction:
            self.metadata.apply(image.last_offset, BeginTransactionRecord())

    def registration_offset(self, broker_id: int) -> int:
        """An offset not below the one of the broker's registration record, and committed or appended already."""
        return self._registered_at[broker_id]

    def leads(self, broker_id: int) -> bool:
        """Whether the broker leads a partition."""
        return broker_id in self.indexes.led_by

    def partitions_without_leader(self) -> list[PartitionKey]:
        """Every partition that nobody leads."""
        return list(self.indexes.led_by.get(NO_NODE, ()))

    def replay(self, offset: int, record: MetadataRecord) -> None:
        """Take an appended record into the state."""
        invariant(offset >= self.next_offset, f"record at {offset} was already replayed; the log ends at {self.next_offset}")
        if isinstance(record, AbortTransactionRecord):
            self.metadata.apply(offset, record)
            self.indexes = fresh_indexes(self.metadata)
        else:
            keys = self._partitions_of(record)
            before = [self.metadata.partition(*key) for key in keys]
            self.metadata.apply(offset, record)
            for key, old in zip(keys, before, strict=True):
                self.indexes.put(key, old, self.metadata.partition(*key))
            self._replay_names(offset, record)
        self.next_offset = offset + 1

    def _partitions_of(self, record: MetadataRecord) -> list[PartitionKey]:
        """The partitions that a record can change."""
        metadata = self.metadata
        if isinstance(record, PartitionRecord | PartitionChangeRecord):
            return [(record.topic_id, record.partition_id)]
        if isinstance(record, RemoveTopicRecord):
            topic = metadata.topics[record.topic_id]
            _unname_topic(self.indexes, topic.name)
            return [(record.topic_id, number) for number in topic.partitions]
        if isinstance(record, ClearElrRecord):
            return [(topic_id, number) for topic_id, number, _ in metadata.partitions()]
        return []

    def _replay_names(self, offset: int, record: MetadataRecord) -> None:
        if isinstance(record, TopicRecord):
            _name_topic(self.indexes, record.name)
        elif isinstance(record, RegisterBrokerRecord):
            self._registered_at[record.broker_id] = offset
        elif isinstance(record, UnregisterBrokerRecord):
            self._registered_at.pop(record.broker_id, None)


def _unname_topic(indexes: Indexes, name: str) -> None:
    collision = collision_name(name)
    if collision is not None:
        indexes.names[collision].pop(name, None)
        if not indexes.names[collision]:
            del indexes.names[collision]
