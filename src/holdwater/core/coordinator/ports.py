"""What a shard may ask of its host, and what the host asks of a shard."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from holdwater.core.coordinator.decision import Decision
from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.kernel.rng import Rng
from holdwater.wire.codec.classes import Message


class Caller(NamedTuple):
    """Who asks: the version of the request, and what is known of the client."""

    version: int
    client_id: str = ""
    client_host: str = ""
    """Its address as Kafka writes it: ``/127.0.0.1``."""
    connection_id: int = -1


class Cancellable(Protocol):
    """A deadline that was set."""

    def cancel(self) -> None:
        """It will not come."""
        ...


class TopicsView(Protocol):
    """The topics of the committed metadata, as a group needs to know them."""

    @property
    def version(self) -> int:
        """Rises with each change of a topic, its partitions, or the racks of its replicas."""
        ...

    def names(self) -> Sequence[str]:
        """Every topic, sorted, without those that only brokers use."""
        ...

    def topic_id(self, name: str) -> bytes | None:
        """Its id, ``None`` for a topic that there is not."""
        ...

    def name(self, topic_id: bytes) -> str | None:
        """Its name, ``None`` for an id that there is not (any more)."""
        ...

    def partition_count(self, name: str) -> int:
        """Number of partitions, 0 for a topic that there is not."""
        ...

    def racks(self, name: str, partition: int) -> tuple[str, ...]:
        """Racks of the partition's replicas, sorted; empty when no broker has one."""
        ...


class ShardHost(Protocol):
    """The broker, as a shard sees it. Everything it calls back happens outside the shard's own handlers."""

    @property
    def mono_ms(self) -> int:
        """Monotonic milliseconds, for deadlines; the same all through one event."""
        ...

    @property
    def wall_ms(self) -> int:
        """Wall clock milliseconds, only for what is stored or compared with what was stored."""
        ...

    @property
    def rng(self) -> Rng:
        """Randomness, for ids of members."""
        ...

    @property
    def config(self) -> BrokerConfig:
        """The broker's configuration."""
        ...

    @property
    def topics(self) -> TopicsView:
        """The topics that there are."""
        ...

    def group_texts(self, group_id: str) -> dict[str, str]:
        """The configuration set for a group (resource type GROUP), by key; empty when there is none."""
        ...

    def at(self, due_ms: int, work: Callable[[], Decision]) -> Cancellable:
        """Call ``work`` when monotonic time has reached ``due_ms``, and carry out what it decides."""
        ...

    def note(self, line: str) -> None:
        """One line for the broker's log."""
        ...


class Shard(Protocol):
    """The state of one coordinator partition. Only ``replay`` and ``end_transaction`` change what is restored by loading."""

    def replay(self, offset: int, key: Message, value: Message | None, producer_id: int, producer_epoch: int) -> None:
        """Take in one record, live or while loading. ``producer_id`` is -1 unless the record belongs to a transaction."""
        ...

    def end_transaction(self, producer_id: int, producer_epoch: int, committed: bool) -> None:
        """A marker: what the producer's open transaction wrote counts now, or never."""
        ...

    def loaded(self) -> None:
        """Everything is replayed; this broker is the coordinator from now on. Deadlines may be set."""
        ...

    def unloaded(self, error_code: int) -> None:
        """This broker is the coordinator no more: answer whoever is parked with the error, cancel every deadline, forget everything."""
        ...

    def topics_changed(self) -> None:
        """``ShardHost.topics`` has another version."""
        ...
