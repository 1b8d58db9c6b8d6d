"""The raw reading at the end, from a leader that hands out what a test gives it: whatever is damaged is kept, and nothing behind it is left out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import uuid_to_text
from holdwater.prove.history.agreement import check_ends, check_records
from holdwater.prove.history.columns import LOG_BATCHES, LOG_RECORDS, read_columns
from holdwater.prove.history.model import Batch, PartitionLog
from holdwater.prove.history.payload import FOREIGN, Stationery
from holdwater.prove.observe import final_log as module
from holdwater.prove.observe.final_log import FinalLog, FinalLogReader
from holdwater.rpc import RpcError
from holdwater.rpc.calls import Fetched, PartitionState, TopicState
from holdwater.wire.records import Record, build_batch

RUN = 1
TOPIC_ID = b"\x07" * 16
STARTS, END = (0, 3, 6), 9
Damage = Callable[[list[bytearray]], None]


def batch(base: int, count: int) -> bytearray:
    stationery = Stationery(RUN, 7, 0, keys=24, partitions=1, value_bytes=128)
    written = [stationery.record(base + index, 0) for index in range(count)]
    records = [Record(base + index, 0, key, value, ()) for index, (_, key, value) in enumerate(written)]
    return bytearray(build_batch(records, base_offset=base, leader_epoch=4, producer_id=1000, producer_epoch=0, base_sequence=base))


class Leader:
    """Leads one partition with three batches of three records. It finds a batch by its place, as a broker does by its index."""

    topic = "t"

    def __init__(self, damage: Damage = lambda _: None, *, at_once: int = 3) -> None:
        self.batches = [batch(start, 3) for start in STARTS]
        damage(self.batches)
        self.at_once = at_once
        self.asked: list[int] = []
        self.refuses: dict[int, int] = {}
        self.silent_at: set[int] = set()

    def of(self, broker: int) -> None: ...

    def forget(self, broker: int) -> None: ...

    def describe(self) -> TopicState:
        return TopicState(TOPIC_ID, (PartitionState(0, 1, 4, (1,), (1,), ()),))

    def offsets(self, _: TopicState, timestamp: int = -1) -> dict[int, int]:
        return {0: 0}

    def fetch(self, *where: Any, **_: int) -> Fetched:
        offset = where[-1]
        self.asked.append(offset)
        if offset in self.silent_at:
            raise RpcError("silence")
        if offset in self.refuses:
            return Fetched(self.refuses[offset], END, 0, b"")
        first = max((index for index, start in enumerate(STARTS) if start <= offset), default=0)
        return Fetched(0, END, 0, b"".join(self.batches[first : first + self.at_once]))


class Reading:
    """What a reader made of a leader."""

    def __init__(self, leader: Leader, folder: Path, monkeypatch: pytest.MonkeyPatch, limit_s: float = 20.0) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        monkeypatch.setattr(module, "fetch", leader.fetch)
        monkeypatch.setattr(module, "epoch_end_offsets", lambda *_: {0: (4, END)})
        monkeypatch.setattr(module, "_AGAIN_S", 0.0)
        stand_in: Any = leader
        reader = FinalLogReader(stand_in, RUN, folder, lambda kind, **detail: self.events.append((kind, detail)))
        self.log: FinalLog = reader.read({0: END}, {}, limit_s)
        batches, records = read_columns([folder], LOG_BATCHES), read_columns([folder], LOG_RECORDS)
        self.batches = list(zip(batches["base_offset"], batches["last_offset"], batches["sound"], strict=True))
        self.epochs = batches["leader_epoch"].tolist()
        self.records = [
            (offset, None if flags & FOREIGN else sequence)
            for offset, sequence, flags in zip(records["offset"], records["sequence"], records["flags"], strict=True)
        ]
        self.read_to = self.log.partitions[0]["read_to"]
        # It must not look like evidence that somebody altered.
        check_records(batches, records)
        rows = [Batch(*fields) for _, *fields in zip(*(batches[name] for name, _ in LOG_BATCHES.columns), strict=True)]
        check_ends([PartitionLog(0, read_to=self.read_to, batches=rows)])


def of(*sequences: int) -> list[tuple[int, int | None]]:
    return [(one, one) for one in sequences]


def test_a_sound_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Reading(Leader(), tmp_path, monkeypatch)
    assert read.log == FinalLog(
        {0: {"start_offset": 0, "end_offset": END, "read_to": END, "epoch_ends": {4: END}}}, {0: END}, uuid_to_text(TOPIC_ID)
    )
    assert (read.batches, read.records, read.events) == ([(0, 2, 1), (3, 5, 1), (6, 8, 1)], of(*range(END)), [])


def magic(which: int) -> Damage:
    def damage(batches: list[bytearray]) -> None:
        batches[which][16] = 7

    return damage


def length(which: int, value: int) -> Damage:
    def damage(batches: list[bytearray]) -> None:
        batches[which][8:12] = value.to_bytes(4, "big")

    return damage


def base_offset(which: int, value: int) -> Damage:
    def damage(batches: list[bytearray]) -> None:
        batches[which][0:8] = value.to_bytes(8, "big")

    return damage


def last_offset_delta(which: int, value: int) -> Damage:
    def damage(batches: list[bytearray]) -> None:
        batches[which][23:27] = value.to_bytes(4, "big")

    return damage


HEADERS = [magic, lambda which: length(which, 2**30), lambda which: length(which, 3), lambda which: base_offset(which, 2**40),
           lambda which: base_offset(which, 2**63 - 1), lambda which: last_offset_delta(which, 2**30)]  # fmt: skip


@pytest.mark.parametrize("at_once", [1, 3])
@pytest.mark.parametrize("header", HEADERS)
def test_a_damaged_header_is_kept_and_what_is_behind_it_is_read(
    header: Callable[[int], Damage], at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Reading(Leader(header(1), at_once=at_once), tmp_path, monkeypatch)
    assert read.batches == [(0, 2, 1), (3, 5, 0), (6, 8, 1)]
    assert read.records == [*of(0, 1, 2), (3, None), *of(6, 7, 8)]
    assert (read.read_to, read.log.readable, read.epochs) == (END, {0: END}, [4, 4, 4])
    ((kind, detail),) = read.events
    assert (kind, detail["partition"], detail["offset"], detail["next_offset"]) == ("damaged-batch", 0, 3, 6)
    assert detail["why"]


@pytest.mark.parametrize("header", HEADERS)
def test_the_first_and_the_last_batch(header: Callable[[int], Damage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Reading(Leader(header(0)), tmp_path / "first", monkeypatch)
    assert (first.batches, first.records) == ([(0, 2, 0), (3, 5, 1), (6, 8, 1)], [(0, None), *of(*range(3, END))])
    last = Reading(Leader(header(2)), tmp_path / "last", monkeypatch)
    assert (last.batches, last.records) == ([(0, 2, 1), (3, 5, 1), (6, 8, 0)], [*of(*range(6)), (6, None)])
    assert (first.read_to, last.read_to, last.log.readable) == (END, END, {0: 6})


def test_a_batch_that_claims_to_be_an_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Reading(Leader(base_offset(1, 0), at_once=1), tmp_path / "alone", monkeypatch)
    assert (alone.batches, alone.records) == ([(0, 2, 1), (3, 5, 0), (6, 8, 1)], [*of(0, 1, 2), (3, None), *of(6, 7, 8)])
    # In an answer that goes on with it, it is kept as it says as well.
    among = Reading(Leader(base_offset(1, 0)), tmp_path / "among", monkeypatch)
    assert among.batches == [(0, 2, 1), (0, 2, 1), (6, 8, 1)]
    assert among.records == [*of(0, 1, 2), (0, 3), (1, 4), (2, 5), *of(6, 7, 8)]


def test_damaged_records_are_read_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damage(batches: list[bytearray]) -> None:
        batches[1][61:] = b"\xff" * len(batches[1][61:])

    read = Reading(Leader(damage), tmp_path, monkeypatch)
    assert (read.batches, read.records) == ([(0, 2, 1), (3, 5, 0), (6, 8, 1)], [*of(0, 1, 2), (3, None), *of(6, 7, 8)])
    assert (read.read_to, read.events) == (END, [])


@pytest.mark.parametrize("answer", ["refused", "silent"])
def test_where_nothing_can_be_read_behind_it_the_record_stays_and_the_log_is_incomplete(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader = Leader(magic(1))
    if answer == "refused":
        leader.refuses = dict.fromkeys(range(4, END), ErrorCode.CORRUPT_MESSAGE)
    else:
        leader.silent_at = set(range(4, END))
    read = Reading(leader, tmp_path, monkeypatch)
    assert (read.batches, read.records) == ([(0, 2, 1), (3, 3, 0)], [*of(0, 1, 2), (3, None)])
    assert (read.read_to, read.log.readable, read.events[0][1]["next_offset"]) == (3, {0: 3}, None)


def test_a_search_behind_it_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DAMAGE_LIMIT_OFFSETS", 3)
    read = Reading(Leader(magic(1)), tmp_path, monkeypatch)
    assert (read.read_to, read.records) == (3, [*of(0, 1, 2), (3, None)])


def test_an_answer_that_was_damaged_once_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leader = Leader(at_once=1)
    whole = leader.fetch

    def once(*where: Any, **limits: int) -> Fetched:
        answer = whole(*where, **limits)
        return answer._replace(records=answer.records[:-20]) if leader.asked == [0, 3] else answer

    monkeypatch.setattr(leader, "fetch", once)
    read = Reading(leader, tmp_path, monkeypatch)
    assert (read.records, read.read_to, read.events) == (of(*range(END)), END, [])


def test_the_deadline_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leader = Leader()
    leader.refuses = dict.fromkeys(range(END), ErrorCode.NOT_LEADER_OR_FOLLOWER)
    read = Reading(leader, tmp_path, monkeypatch, limit_s=0.05)
    assert (read.read_to, read.records) == (0, [])
