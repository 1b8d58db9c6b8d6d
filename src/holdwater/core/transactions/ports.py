"""What the broker must do for a transaction coordinator that is not an append."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from holdwater.kernel.identifiers import TopicPartition


class Marker(NamedTuple):
    """The outcome of one transaction, for one partition that it has touched.

    The broker adds the coordinator's leader epoch, and sends the markers that go to one leader in one WriteTxnMarkers request.
    """

    transactional_id: str
    producer_id: int
    producer_epoch: int
    committed: bool
    partition: TopicPartition
    transaction_version: int
    """Of the producer: from 2 on, a partition takes a marker only with a producer epoch above that of the records."""


class TransactionPorts(Protocol):
    """See the module. A shard may be called back at once or later, but never after another shard of its partition was loaded."""

    def transaction_version(self) -> int:
        """The finalized level of the feature now; it decides the version of the records and how a producer is fenced."""
        ...

    def take_producer_id(self, on_id: Callable[[int | None], None]) -> None:
        """A producer id that nobody had before. ``None``: there are none at the moment, the client shall ask again."""
        ...

    def write_markers(self, markers: Sequence[Marker], on_done: Callable[[Marker], None]) -> None:
        """Write markers, and try again until each is written, its partition is gone, or this broker is the coordinator no more.

        ``on_done`` is called for each in the first two cases, once or oftener, and never in the third.
        """
        ...

    def partition_exists(self, partition: TopicPartition) -> bool:
        """Whether the committed metadata has it."""
        ...

    def group_partition(self, group_id: str) -> int:
        """The partition of __consumer_offsets that a group's offsets are in."""
        ...
