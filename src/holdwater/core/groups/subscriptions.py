"""What consumers tell each other inside the classic protocol, where the broker sees only bytes (the embedded consumer protocol).

Both messages begin with their version. One that is higher than those known here is read as the highest known: later ones only add fields.
"""

from collections.abc import Iterable
from struct import Struct as Packer
from typing import TypeVar

from holdwater.wire.codec import encode
from holdwater.wire.codec.classes import Message
from holdwater.wire.codec.compiled import ElementBudget, prefix_decoder
from holdwater.wire.codec.errors import ProtocolError
from holdwater.wire.messages import ConsumerProtocolAssignment, ConsumerProtocolSubscription

CONSUMER_PROTOCOL_TYPE = "consumer"
"""The protocol type of Kafka's consumers. Others (Connect, Streams of old) share out something else than topics."""

_VERSION = Packer(">h")
_HIGHEST_VERSION = 3
M = TypeVar("M", bound=Message)


def subscribed_topics(metadata: bytes) -> list[str] | None:
    """The topics that a member's metadata names, ``None`` for bytes that are no subscription.

    Read as version 0, which every later version begins with.
    """
    try:
        return _read(ConsumerProtocolSubscription, metadata, 0).topics
    except ProtocolError:
        return None


def subscription_of(metadata: bytes) -> ConsumerProtocolSubscription:
    """A member's whole subscription. Raises ``ProtocolError``."""
    return _read(ConsumerProtocolSubscription, metadata, _HIGHEST_VERSION)


def assignment_of(assignment: bytes) -> ConsumerProtocolAssignment:
    """What the group's leader has given a member; no bytes are no partitions. Raises ``ProtocolError``."""
    return _read(ConsumerProtocolAssignment, assignment, _HIGHEST_VERSION) if assignment else ConsumerProtocolAssignment()


def assignment_bytes(partitions: Iterable[tuple[str, Iterable[int]]], metadata: bytes) -> bytes:
    """An assignment, by topic name, in the version in which the member has written its metadata, 0 if that has none."""
    version = min(_VERSION.unpack_from(metadata)[0], _HIGHEST_VERSION) if len(metadata) >= _VERSION.size else 0
    listed = [ConsumerProtocolAssignment.TopicPartition(name, sorted(numbers)) for name, numbers in sorted(partitions, key=_name)]
    return _VERSION.pack(max(version, 0)) + encode(ConsumerProtocolAssignment(listed), max(version, 0))


def _read(message_class: type[M], data: bytes, most: int) -> M:
    version = min(_version_of(data), most)
    return prefix_decoder(message_class, version)(data, _VERSION.size, len(data), ElementBudget.CLIENT)[0]


def _version_of(data: bytes) -> int:
    version = _VERSION.unpack_from(data)[0] if len(data) >= _VERSION.size else -1
    if version < 0:
        raise ProtocolError("neither a subscription nor an assignment of consumers")
    return version


def _name(item: tuple[str, Iterable[int]]) -> str:
    return item[0]
