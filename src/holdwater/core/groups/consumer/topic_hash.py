"""The hash of a group's subscribed topics: equal as long as no topic, partition count or rack of a replica has changed.

It has Kafka's layout: strings as UTF-16 with their length after them, numbers in little-endian order.
"""

from collections.abc import Mapping, Sequence
from struct import pack

from holdwater.core.groups.consumer.xxh3 import xxh3

_LAYOUT = 0


def topic_hash(topic_id: bytes, name: str, racks: Sequence[Sequence[str]]) -> int:
    """The hash of one topic; ``racks`` are those of each partition's replicas, sorted."""
    high, low = int.from_bytes(topic_id[:8], "big"), int.from_bytes(topic_id[8:], "big")
    parts = [pack("<BQQ", _LAYOUT, high, low), _string(name), pack("<i", len(racks))]
    for number, racks_of_partition in enumerate(racks):
        parts.append(pack("<i", number))
        parts.extend(pack("<i", len(rack)) + _string(rack) for rack in racks_of_partition)
    return xxh3(b"".join(parts))


def group_hash(topic_hashes: Mapping[str, int]) -> int:
    """The hash of a group's topics, as the signed number of its record; 0 without topics."""
    if not topic_hashes:
        return 0
    value = xxh3(b"".join(pack("<Q", topic_hashes[name]) for name in sorted(topic_hashes)))
    return value - (1 << 64) if value >> 63 else value


def _string(text: str) -> bytes:
    return text.encode("utf-16-le") + pack("<i", len(text))
