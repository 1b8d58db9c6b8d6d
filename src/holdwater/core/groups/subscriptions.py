"""What a consumer tells of its subscription inside the classic protocol, where the broker sees only bytes (the embedded consumer protocol)."""

from struct import Struct as Packer

from holdwater.wire.codec.compiled import ElementBudget, prefix_decoder
from holdwater.wire.codec.errors import ProtocolError
from holdwater.wire.messages import ConsumerProtocolSubscription

CONSUMER_PROTOCOL_TYPE = "consumer"
"""The protocol type of Kafka's consumers. Others (Connect, Streams of old) share out something else than topics."""

_VERSION = Packer(">h")


def subscribed_topics(metadata: bytes) -> list[str] | None:
    """The topics that a member's metadata names, ``None`` for bytes that are no subscription.

    Read as version 0, which every later version begins with, so that the broker needs to know none of those.
    """
    if len(metadata) < _VERSION.size or _VERSION.unpack_from(metadata)[0] < 0:
        return None
    try:
        subscription, _ = prefix_decoder(ConsumerProtocolSubscription, 0)(metadata, _VERSION.size, len(metadata), ElementBudget.CLIENT)
    except ProtocolError:
        return None
    return subscription.topics
