"""What a workload has done and seen, by partition of one incarnation of a topic: every send, its outcome, every read.

What is wrong the moment it is seen is raised here; ``judgement`` judges the whole at the end. A write without an answer is *unknown*: its
record may be there, or not. A *refused* one was certainly not written.
"""

from typing import NamedTuple
from zlib import crc32

from holdwater.sim.clock import WALL_START_MS
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.plan import ALL
from holdwater.wire.records import Record

ACKNOWLEDGED = "acknowledged"
REFUSED = "refused"
UNKNOWN = "unknown"

Key = tuple[bytes, int]
"""A partition: topic id and number."""
ANY_INCARNATION = b""
"""Instead of a topic id: sent by name to a topic that may be another one by the time it arrives."""


class Promise(NamedTuple):
    """What a producer was promised of its records."""

    acks: int = ALL
    idempotent: bool = True
    """At most once; else as often as it was sent."""
    ordered: bool = True
    """Acknowledged records of one partition are in the order in which they were sent."""


EXACTLY_ONCE = Promise()


class Sent:
    """One record, named by its value, which is unique. Key, header and timestamp follow from it, so that an alteration shows."""

    __slots__ = (
        "answered_us",
        "attempts",
        "index",
        "leader_epoch",
        "number",
        "offset",
        "outcome",
        "producer",
        "promise",
        "sent_us",
        "topic",
        "topic_id",
        "value",
    )

    def __init__(
        self, producer: str, number: int, topic: str, index: int, sent_us: int, promise: Promise = EXACTLY_ONCE, topic_id: bytes = b""
    ) -> None:
        self.producer = producer
        self.number = number
        self.topic = topic
        self.topic_id = topic_id
        """The incarnation it was last sent to, or ``ANY_INCARNATION``."""
        self.index = index
        """Partition."""
        self.value = f"{producer}-{number}".encode()
        self.sent_us = sent_us
        self.promise = promise
        self.attempts = 0
        """How often it was sent."""
        self.outcome: str | None = None
        self.offset = -1
        """Of an acknowledged record; -1 when the acknowledgement did not say."""
        self.leader_epoch = -1
        """Of a record acknowledged with ``acks=1``: the leader epoch of the true leader that did, -1 when it may have been one of old."""
        self.answered_us = -1

    @property
    def key(self) -> Key:
        """Where it was sent to."""
        return (self.topic_id, self.index)

    @property
    def timestamp_ms(self) -> int:
        """By the producer's clock, which is right."""
        return WALL_START_MS + self.sent_us // 1000

    def record(self) -> Record:
        """The record as it travels."""
        return Record(0, self.timestamp_ms, b"k" + self.value, self.value, [("of", _mark(self.value))])


def alteration(sent: Sent, record: Record, *, stamped: bool) -> str | None:
    """What of a record is not as it was sent. ``stamped``: brokers put their own time on it."""
    if record.key != b"k" + sent.value:
        return f"its key is {record.key!r}"
    if list(record.headers) != [("of", _mark(sent.value))]:
        return f"its headers are {record.headers!r}"
    if not stamped and record.timestamp_ms != sent.timestamp_ms:
        return f"its timestamp is {record.timestamp_ms}, it was {sent.timestamp_ms}"
    return None


def _mark(value: bytes) -> bytes:
    return crc32(value).to_bytes(4, "big")


class Found(NamedTuple):
    """What was read at an offset."""

    value: bytes
    timestamp_ms: int


class Reads:
    """What was read of one partition, by whoever read it first. Values and timestamps at an offset never change."""

    __slots__ = ("at", "offsets")

    def __init__(self) -> None:
        self.at: dict[int, Found] = {}
        self.offsets: list[int] = []
        """In the order in which they were first read."""


class History:
    """See the module."""

    def __init__(self) -> None:
        self.sent: dict[bytes, Sent] = {}
        self.acknowledged_count = 0
        self.unknown_count = 0
        self.refused_count = 0
        self.read_count = 0
        self.admin_count = 0
        """Admin requests that were carried out."""
        self.errors: dict[str, int] = {}
        """How often a client met each error, by name."""
        self.counters: dict[str, int] = {}
        """What else was met."""
        self.reads: dict[Key, Reads] = {}
        self.topics: dict[bytes, str] = {}
        """Every incarnation that a client has heard of: its name by its id."""
        self.stamped: dict[str, None] = {}
        """Topics on which brokers may put their own time (LogAppendTime)."""
        self.acknowledged_end: dict[Key, int] = {}
        """Behind the last record that was acknowledged with ``acks=all``."""
        self._deletion_asked: dict[Key, int] = {}
        self._acknowledged_at: dict[tuple[Key, int], bytes] = {}
        self._read_place: dict[bytes, tuple[Key, int]] = {}
        self._log_starts: dict[tuple[str, Key, int], int] = {}
        self._producer_ids: dict[tuple[int, int], str] = {}
        self._ids_of: dict[tuple[str, int], None] = {}
        self._made: dict[bytes, None] = {}

    @property
    def operation_count(self) -> int:
        """What clients got done."""
        return self.acknowledged_count + self.read_count + self.admin_count

    def error(self, name: str) -> None:
        """A client met an error."""
        self.errors[name] = self.errors.get(name, 0) + 1

    def count(self, name: str) -> None:
        """Something was met."""
        self.counters[name] = self.counters.get(name, 0) + 1

    # --- topics

    def learn(self, topic_id: bytes, name: str) -> None:
        """Metadata named a topic and its id. Raises ``SafetyViolation`` when the id is another topic's (M7)."""
        other = self.topics.setdefault(topic_id, name)
        if other != name:
            raise SafetyViolation("M7", f"topic id {topic_id.hex()} is that of {other} and of {name}")

    def made(self, topic_id: bytes, name: str) -> None:
        """A topic was created, so the answer says. Raises ``SafetyViolation`` when there was one of that id before (M7)."""
        self.learn(topic_id, name)
        if topic_id in self._made:
            raise SafetyViolation("M7", f"topic id {topic_id.hex()} was given out twice, to {name} now")
        self._made[topic_id] = None

    def ask_deletion(self, key: Key, offset: int) -> None:
        """Somebody is about to ask that records below an offset be deleted."""
        self._deletion_asked[key] = max(offset, self.deletion_asked(key))

    def deletion_asked(self, key: Key) -> int:
        """The highest log start offset that anybody has asked for."""
        return self._deletion_asked.get(key, 0)

    # --- writes

    def send(self, sent: Sent) -> None:
        """A record is handed to a producer."""
        self.sent[sent.value] = sent

    def acknowledge(self, sent: Sent, offset: int, now_us: int) -> None:
        """A record is acknowledged. Raises ``SafetyViolation`` when its offset was given to another one (P2).

        With ``acks=1`` an offset may be given out again, by the next leader.
        """
        sent.outcome = ACKNOWLEDGED
        sent.offset = offset
        sent.answered_us = now_us
        self.acknowledged_count += 1
        if offset < 0 or sent.promise.acks != ALL or sent.topic_id == ANY_INCARNATION:
            return
        key = sent.key
        self.acknowledged_end[key] = max(offset + 1, self.acknowledged_end.get(key, 0))
        other = self._acknowledged_at.setdefault((key, offset), sent.value)
        if other != sent.value:
            raise SafetyViolation(
                "P2", f"offset {offset} of {sent.topic}-{sent.index} was acknowledged for {other!r} and for {sent.value!r}"
            )

    def give_up(self, sent: Sent, now_us: int) -> None:
        """Nobody knows whether the record was written."""
        sent.outcome = UNKNOWN
        sent.answered_us = now_us
        self.unknown_count += 1

    def refuse(self, sent: Sent, now_us: int) -> None:
        """The record was certainly not written."""
        sent.outcome = REFUSED
        sent.answered_us = now_us
        self.refused_count += 1

    def took_producer_id(self, producer: str, producer_id: int, producer_epoch: int) -> None:
        """P8: a (producer id, producer epoch) is given out once."""
        other = self._producer_ids.setdefault((producer_id, producer_epoch), producer)
        if other != producer or (producer, producer_id) in self._ids_of:
            raise SafetyViolation("P8", f"producer id {producer_id} went to {other} and to {producer}")
        self._ids_of[producer, producer_id] = None

    def took_transactional_id(self, owner: str, producer_id: int) -> None:
        """P8: the producer id of a transactional id is nobody else's, whatever its producer epoch."""
        other = self._producer_ids.setdefault((producer_id, 0), owner)
        if other != owner:
            raise SafetyViolation("P8", f"producer id {producer_id} went to {other} and to the transactional id {owner}")

    # --- reads

    def read(self, reader: str, key: Key, record: Record, *, stamped: bool = False) -> None:
        """A consumer was handed a record; ``stamped``: its batch says LogAppendTime.

        Raises ``SafetyViolation`` when another was seen there (R2), it was never sent there or is altered (H), or was read elsewhere (P1).
        """
        self.read_count += 1
        value = record.value or b""
        found = Found(value, record.timestamp_ms)
        reads = self.reads.get(key)
        if reads is None:
            reads = self.reads[key] = Reads()
        other = reads.at.get(record.offset)
        if other is None:
            sent = self.check(f"{reader} read", key, record, stamped=stamped)
            reads.at[record.offset] = found
            reads.offsets.append(record.offset)
            place = self._read_place.setdefault(value, (key, record.offset))
            if sent.promise.idempotent and place != (key, record.offset):
                raise SafetyViolation(
                    "P1", f"{reader} read {value!r} at {self.name((key, record.offset))}, it was read at {self.name(place)}"
                )
        elif other != found:
            at = self.name((key, record.offset))
            raise SafetyViolation("R2", f"{reader} read {found} at {at}, {other} was read there before")

    def check(self, what: str, key: Key, record: Record, *, stamped: bool) -> Sent:
        """H: a record that is somewhere was sent there, and is what was sent."""
        value = record.value or b""
        sent = self.sent.get(value)
        at = self.name((key, record.offset))
        if sent is None:
            raise SafetyViolation("H", f"{what} {value!r} at {at}, which was never sent")
        same_topic = sent.topic_id == key[0] or (sent.topic_id == ANY_INCARNATION and self.topics.get(key[0]) == sent.topic)
        if sent.index != key[1] or not same_topic:
            raise SafetyViolation("H", f"{what} {value!r} at {at}, which was sent to {sent.topic}-{sent.index} ({sent.topic_id.hex()[:8]})")
        if stamped and sent.topic not in self.stamped:
            raise SafetyViolation("H", f"{what} {value!r} at {at} with a time of the broker, which nobody asked for")
        altered = alteration(sent, record, stamped=stamped)
        if altered is not None:
            raise SafetyViolation("H", f"{what} {value!r} at {at} altered: {altered}")
        return sent

    def answered(self, reader: str, key: Key, leader_epoch: int, position: int, log_start_offset: int) -> None:
        """A leader served a fetch at ``position`` and told its log start offset.

        R14: it serves nothing below that, it never lowers it in its leader epoch, and it raises it only to what was asked for.
        """
        at = f"{self.name((key, position))} in leader epoch {leader_epoch}"
        if position < log_start_offset:
            raise SafetyViolation("R14", f"{reader} was served {at}, below the log start offset {log_start_offset}")
        if log_start_offset > self.deletion_asked(key):
            raise SafetyViolation("R14", f"{reader} at {at}: log start offset {log_start_offset}, asked for was {self.deletion_asked(key)}")
        before = self._log_starts.get((reader, key, leader_epoch), 0)
        if log_start_offset < before:
            raise SafetyViolation("R14", f"{reader} at {at}: log start offset {log_start_offset}, it was {before}")
        self._log_starts[reader, key, leader_epoch] = log_start_offset

    def name(self, place: tuple[Key, int]) -> str:
        """A partition and an offset in words."""
        (topic_id, index), offset = place
        return f"{self.topics.get(topic_id, topic_id.hex()[:8])}-{index}@{offset}"
