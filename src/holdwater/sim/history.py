"""What a workload has done and seen: every send, its outcome, every read; and the judgement over all of it at the end.

A write without an answer is *unknown*: its record may be there once, or not.
"""

from holdwater.sim.verdicts import SafetyViolation

ACKNOWLEDGED = "acknowledged"
UNKNOWN = "unknown"


class Sent:
    """One record, named by its value, which is unique."""

    __slots__ = ("answered_us", "index", "number", "offset", "outcome", "producer", "sent_us", "value")

    def __init__(self, producer: str, number: int, index: int, value: bytes, sent_us: int) -> None:
        self.producer = producer
        self.number = number
        self.index = index
        """Partition."""
        self.value = value
        self.sent_us = sent_us
        self.outcome: str | None = None
        self.offset = -1
        """Of an acknowledged record; -1 when the acknowledgement did not say."""
        self.answered_us = -1


class History:
    """See the module. Offsets and values are those of one topic."""

    def __init__(self) -> None:
        self.sent: dict[bytes, Sent] = {}
        self.acknowledged_count = 0
        self.unknown_count = 0
        self.read_count = 0
        self.errors: dict[str, int] = {}
        """How often a client met each error, by name."""
        self._acknowledged_at: dict[tuple[int, int], bytes] = {}
        self._read_at: dict[tuple[int, int], bytes] = {}
        self._producer_ids: dict[tuple[int, int], str] = {}
        self._ids_of: dict[tuple[str, int], None] = {}

    def send(self, sent: Sent) -> None:
        """A record is handed to a producer."""
        self.sent[sent.value] = sent

    def acknowledge(self, sent: Sent, offset: int, now_us: int) -> None:
        """A record is acknowledged. Raises ``SafetyViolation`` when its offset was given to another one (P2)."""
        sent.outcome = ACKNOWLEDGED
        sent.offset = offset
        sent.answered_us = now_us
        self.acknowledged_count += 1
        if offset >= 0:
            other = self._acknowledged_at.setdefault((sent.index, offset), sent.value)
            if other != sent.value:
                raise SafetyViolation(
                    "P2", f"offset {offset} of partition {sent.index} was acknowledged for {other!r} and for {sent.value!r}"
                )

    def give_up(self, sent: Sent, now_us: int) -> None:
        """Nobody knows whether the record was written."""
        sent.outcome = UNKNOWN
        sent.answered_us = now_us
        self.unknown_count += 1

    def read(self, reader: str, index: int, offset: int, value: bytes) -> None:
        """A consumer was handed a record. Raises ``SafetyViolation`` when another was seen there (R2), or it was never sent."""
        self.read_count += 1
        other = self._read_at.setdefault((index, offset), value)
        if other != value:
            raise SafetyViolation("R2", f"{reader} read {value!r} at offset {offset} of partition {index}, {other!r} was read there before")
        sent = self.sent.get(value)
        if sent is None or sent.index != index:
            raise SafetyViolation("H", f"{reader} read {value!r} in partition {index}, which was never sent there")

    def took_producer_id(self, producer: str, producer_id: int, producer_epoch: int) -> None:
        """P8: a (producer id, producer epoch) is given out once."""
        other = self._producer_ids.setdefault((producer_id, producer_epoch), producer)
        if other != producer or (producer, producer_id) in self._ids_of:
            raise SafetyViolation("P8", f"producer id {producer_id} went to {other} and to {producer}")
        self._ids_of[producer, producer_id] = None

    def error(self, name: str) -> None:
        """A client met an error."""
        self.errors[name] = self.errors.get(name, 0) + 1

    def judge(self, final: dict[int, list[tuple[int, bytes]]]) -> None:
        """Compare with the final logs, (offset, value) by partition. Raises ``SafetyViolation`` with the first thing that is wrong."""
        places: dict[bytes, tuple[int, int]] = {}
        for index, records in final.items():
            for offset, value in records:
                if value in places:
                    raise SafetyViolation("P1", f"{value!r} is in the log twice: at {places[value]} and {(index, offset)}")
                places[value] = (index, offset)
                if value not in self.sent:
                    raise SafetyViolation("H", f"{value!r} in the log was never sent")
        self._judge_acknowledged(places)
        for (index, offset), value in self._read_at.items():
            if places.get(value) != (index, offset):
                raise SafetyViolation("R2", f"{value!r} was read at {(index, offset)}, in the end it is at {places.get(value)}")

    def _judge_acknowledged(self, places: dict[bytes, tuple[int, int]]) -> None:
        last: dict[tuple[str, int], tuple[int, Sent]] = {}
        for sent in self.sent.values():
            if sent.outcome != ACKNOWLEDGED:
                continue
            place = places.get(sent.value)
            if place is None:
                raise SafetyViolation(
                    "R4",
                    f"{sent.value!r} was acknowledged at offset {sent.offset} of partition {sent.index} (after {sent.answered_us} us), and is lost",
                )
            if place[0] != sent.index or (sent.offset >= 0 and place[1] != sent.offset):
                raise SafetyViolation("P2", f"{sent.value!r} was acknowledged at {(sent.index, sent.offset)} and is at {place}")
            before = last.get((sent.producer, sent.index))
            if before is not None and before[0] >= place[1]:
                raise SafetyViolation("P10", f"{sent.value!r} is before {before[1].value!r}, which was sent first")
            last[sent.producer, sent.index] = (place[1], sent)
