"""The two kinds of coordinator, and which partition of a kind's topic a key belongs to."""

from typing import NamedTuple

_INT_MIN = -(2**31)


class Kind(NamedTuple):
    """One kind of coordinator. ``table``: where the types of its records are (``wire.coordinator_records``)."""

    name: str
    topic: str
    table: str
    partition_count_key: str
    replication_factor_key: str
    segment_bytes_key: str


GROUPS = Kind(
    "group",
    "__consumer_offsets",
    "group",
    "offsets.topic.num.partitions",
    "offsets.topic.replication.factor",
    "offsets.topic.segment.bytes",
)
TRANSACTIONS = Kind(
    "transaction",
    "__transaction_state",
    "transaction",
    "transaction.state.log.num.partitions",
    "transaction.state.log.replication.factor",
    "transaction.state.log.segment.bytes",
)
KINDS = (GROUPS, TRANSACTIONS)
BY_TOPIC = {kind.topic: kind for kind in KINDS}


def partition_for(key: str, partition_count: int) -> int:
    """The partition that a group id or transactional id belongs to: Java's ``String.hashCode``, made positive as Kafka does."""
    hashed = 0
    encoded = key.encode("utf-16-be", "surrogatepass")
    for at in range(0, len(encoded), 2):
        hashed = (hashed * 31 + (encoded[at] << 8 | encoded[at + 1])) & 0xFFFFFFFF
    signed = hashed - 2**32 if hashed >= 2**31 else hashed
    return 0 if signed == _INT_MIN else abs(signed) % partition_count
