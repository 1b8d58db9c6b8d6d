"""The partition log against a plain list, through appends, cuts, rolls, clean and unclean restarts, with every read checked."""

from itertools import pairwise
from typing import NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.support.logs import DIRECTORY, marker, new_disk, producer_facts, reopen

from holdwater.kernel.ports import EpochEnd, TimestampedOffset
from holdwater.kernel.rng import Rng
from holdwater.storage.config import LogConfig
from holdwater.storage.log import PartitionLog
from holdwater.wire.records import Record, build_batch, parse_header, place_batch

EVERYTHING = 1 << 30


class Stored(NamedTuple):
    """One batch of the model."""

    base_offset: int
    last_offset: int
    epoch: int
    data: bytes
    records: list[Record]


timestamps = st.integers(0, 60)
contents = st.lists(st.tuples(timestamps, st.binary(max_size=30)), min_size=1, max_size=4)
codecs = st.sampled_from([0, 0, 0, 1, 2, 3, 4])


class LogAgainstList(RuleBasedStateMachine):
    """``states``: every list the log may be recovered to a prefix of, if the power went now."""

    @initialize(
        segment_bytes=st.sampled_from([1, 150, 400, 1 << 20]), interval=st.sampled_from([1, 120, 4096]), seed=st.integers(0, 1 << 20)
    )
    def begin(self, segment_bytes: int, interval: int, seed: int) -> None:
        self.settings = {"segment_bytes": segment_bytes, "index_interval_bytes": interval, "message_timestamp_after_max_ms": 1 << 40}
        self.disk = new_disk()
        self.rng = Rng(seed)
        self.log = PartitionLog.create(self.disk, DIRECTORY, LogConfig(**self.settings), 0)
        self.batches: list[Stored] = []
        self.start = 0
        self.epoch = 0
        self.recovery_point = self.stored_start = 0
        self.states: list[list[Stored]] = [[]]
        self.sequences: dict[int, int] = {}
        self.watch()

    def watch(self) -> None:
        def lower(offset: int) -> None:
            self.recovery_point = min(self.recovery_point, offset)

        def keep(offset: int) -> None:
            self.stored_start = offset

        self.log.before_cut = lower
        self.log.before_removal = keep

    @property
    def end(self) -> int:
        return self.batches[-1].last_offset + 1 if self.batches else self.base

    base = 0
    """Where the log starts when it is empty."""

    def note(self, data: bytes, records: list[Record]) -> None:
        header = parse_header(data)
        head, body = place_batch(data, self.end, self.epoch)
        placed = [record._replace(offset=self.end + n) for n, record in enumerate(records)]
        self.batches = [*self.batches, Stored(self.end, self.end + header.last_offset_delta, self.epoch, head + body, placed)]
        self.states.append(self.batches)

    # Writing

    @rule(content=contents, codec=codecs, producer=st.sampled_from([None, None, 1, 2, 3]), transactional=st.booleans())
    def append_as_leader(self, content: list[tuple[int, bytes]], codec: int, producer: int | None, transactional: bool) -> None:
        records = [Record(0, timestamp, None, value) for timestamp, value in content]
        how: dict[str, int | bool] = {}
        if producer is not None:
            open_transaction = self.log.open_transaction(producer) >= 0
            how = {
                "producer_id": producer,
                "producer_epoch": 0,
                "base_sequence": self.sequences.get(producer, 0),
                "transactional": transactional or open_transaction,
            }
        data = build_batch(records, compression=codec, **how)  # pyright: ignore[reportArgumentType]
        result = self.log.append_as_leader(data, parse_header(data), self.epoch, 0)
        assert (result.error_code, result.duplicate, result.base_offset) == (0, False, self.end)
        self.note(data, records)
        if producer is not None:
            self.sequences[producer] = self.sequences.get(producer, 0) + len(records)

    @rule(producer=st.sampled_from([1, 2, 3]), committed=st.booleans())
    def end_transaction(self, producer: int, committed: bool) -> None:
        data = marker(producer, committed=committed, timestamp_ms=30)
        assert self.log.append_as_leader(data, parse_header(data), self.epoch, 0).error_code == 0
        self.note(data, [Record(0, 30, b"\0\0\0\1" if committed else b"\0\0\0\0", b"\0" * 6)])

    @rule(groups=st.lists(contents, min_size=1, max_size=4), torn=st.integers(0, 40), bump=st.booleans())
    def append_as_follower(self, groups: list[list[tuple[int, bytes]]], torn: int, bump: bool) -> None:
        self.epoch += bump
        sent = b""
        for content in groups:
            records = [Record(0, timestamp, None, value) for timestamp, value in content]
            self.note(build_batch(records), records)
            sent += self.batches[-1].data
        rest = build_batch([Record(0, 0, None, bytes(40))], base_offset=self.end, leader_epoch=self.epoch)[:torn]
        assert self.log.append_as_follower(sent + rest, 0) == self.end

    @rule()
    def lead(self) -> None:
        self.epoch += 1
        self.log.assign_epoch(self.epoch)

    # Cutting

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def truncate(self, data: st.DataObject) -> None:
        cut = data.draw(st.integers(self.start, self.end), "cut")
        self.log.truncate_to(cut)
        self.batches = [batch for batch in self.batches if batch.last_offset < cut]
        if self.end < self.start:
            self.batches = []
            self.base = self.start
        self.states.append(self.batches)
        self.resume_sequences()

    def resume_sequences(self) -> None:
        states = self.log.producers.states
        self.sequences = {producer: state.last_sequence + 1 for producer, state in states.items()}

    @rule(ahead=st.integers(0, 5))
    def start_over(self, ahead: int) -> None:
        offset = self.end + ahead
        self.log.truncate_fully_and_start_at(offset)
        self.log.sync()
        self.recovery_point = self.base = self.start = offset
        self.batches = []
        self.states = [[]]
        self.sequences = {}

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def advance_start(self, data: st.DataObject) -> None:
        self.start = data.draw(st.integers(self.start, self.end), "start")
        self.log.advance_log_start(self.start)

    # Durability

    @rule()
    def sync(self) -> None:
        self.log.sync()
        self.recovery_point = self.log.synced_end_offset
        assert self.recovery_point == self.end
        self.states = [self.batches]

    @rule()
    def stop_and_start(self) -> None:
        before = producer_facts(self.log), self.log.epoch_entries()
        self.log.close()
        self.recovery_point = self.end
        self.states = [self.batches]
        self.open(clean=True)
        assert (producer_facts(self.log), self.log.epoch_entries()) == before
        assert self.log.events == []

    @rule()
    def crash(self) -> None:
        before = producer_facts(self.log)
        self.disk.crash()
        self.open(clean=False)
        assert self.log.log_end_offset == self.end
        assert producer_facts(self.log) == before

    @rule(random=st.booleans())
    def lose_power(self, random: bool) -> None:
        self.disk.power_loss(self.rng if random else None)
        self.open(clean=False)
        end = self.log.log_end_offset
        assert end >= min(self.recovery_point, self.end)
        self.batches = self.recovered_state(self.log._chain.first_offset, end, self.read_bytes())
        if not self.batches:
            self.base = end
        self.states.append(self.batches)
        self.epoch = max(self.epoch, self.log.latest_epoch)
        self.start = max(self.start, self.log.log_start_offset)
        if self.start > end:
            self.start = self.log.log_start_offset
        self.resume_sequences()

    def recovered_state(self, first: int, end: int, data: bytes) -> list[Stored]:
        """Which of the states the log was recovered to a prefix of; segments below the log start may be gone."""
        if not data and end == self.stored_start:
            return []
        for state in reversed(self.states):
            kept = [batch for batch in state if batch.last_offset < end]
            whole = not kept or kept[-1].last_offset == end - 1
            if whole and b"".join(batch.data for batch in kept if batch.base_offset >= first) == data:
                return kept
        raise AssertionError("the recovered log is no prefix of anything that was in it")

    def open(self, *, clean: bool) -> None:
        self.log = reopen(
            self.disk,
            clean=clean,
            recovery_point=self.recovery_point,
            log_start_offset=self.stored_start,
            wall_ms=0,
            **self.settings,
        )
        self.watch()
        assert self.log.damage is None, self.log.damage
        if self.log.log_start_offset < self.start <= self.log.log_end_offset:
            self.log.advance_log_start(self.start)

    # What must hold

    def read_bytes(self) -> bytes:
        parts: list[bytes] = []
        offset = self.log._chain.first_offset
        while offset < self.log.log_end_offset:
            part = self.log.read(offset, 300, self.log.log_end_offset, at_least_one=True)
            assert part, offset
            parts.append(part)
            at = 0
            while at < len(part):
                header = parse_header(part, at)
                offset = header.base_offset + header.last_offset_delta + 1
                at += header.batch_length + 12
        return b"".join(parts)

    @invariant()
    def it_starts_and_ends_where_the_list_does(self) -> None:
        assert self.log.log_end_offset == self.end
        assert self.log.log_start_offset == self.start
        assert self.log.synced_end_offset <= self.end

    @rule(data=st.data(), max_bytes=st.integers(0, 500), at_least_one=st.booleans())
    def read(self, data: st.DataObject, max_bytes: int, at_least_one: bool) -> None:
        upper = data.draw(st.integers(self.start, self.end), "upper")
        for offset in range(self.start, self.end + 1):
            ideal: list[bytes] = []
            size = 0
            for batch in self.batches:
                if batch.last_offset < offset:
                    continue
                if batch.last_offset >= upper or (size + len(batch.data) > max_bytes and not (at_least_one and not ideal)):
                    break
                ideal.append(batch.data)
                size += len(batch.data)
            got = self.log.read(offset, max_bytes, upper, at_least_one=at_least_one)
            if offset >= upper:
                assert got == b""
                continue
            assert b"".join(ideal).startswith(got), offset
            assert bool(got) == bool(ideal), offset
            assert got in [b"".join(ideal[:n]) for n in range(len(ideal) + 1)], "whole batches only"

    @rule(data=st.data(), timestamp=timestamps)
    def search_by_time(self, data: st.DataObject, timestamp: int) -> None:
        upper = data.draw(st.integers(self.start, self.end), "upper")
        visible = [record for batch in self.batches for record in batch.records if self.start <= record.offset < upper]
        found = next((record for record in visible if record.timestamp_ms >= timestamp), None)
        expected = TimestampedOffset(found.timestamp_ms, found.offset, self.epoch_of(found.offset)) if found else None
        assert self.log.offset_for_timestamp(timestamp, upper) == expected
        if all(not batch.base_offset < self.start <= batch.last_offset for batch in self.batches):
            whole = [batch for batch in self.batches if batch.base_offset >= self.start and batch.last_offset < upper]
            newest = max((record for batch in whole for record in batch.records), key=lambda record: record.timestamp_ms, default=None)
            expected = TimestampedOffset(newest.timestamp_ms, newest.offset, self.epoch_of(newest.offset)) if newest else None
            assert self.log.max_timestamp_offset(upper) == expected

    def epoch_of(self, offset: int) -> int:
        return next(batch.epoch for batch in self.batches if batch.last_offset >= offset)

    @rule()
    def epochs_speak_of_every_record(self) -> None:
        kept = [batch for batch in self.batches if batch.last_offset >= self.start]
        for batch in kept:
            assert self.log.epoch_at(max(batch.base_offset, self.start)) == batch.epoch
        for before, after in pairwise(kept):
            if before.epoch != after.epoch:
                assert self.log.end_offset_for_epoch(before.epoch) == EpochEnd(before.epoch, after.base_offset)

    @precondition(lambda self: self.base == 0 and self.start == 0)
    @rule()
    def producers_are_what_a_full_replay_says(self) -> None:
        twin = PartitionLog.create(new_disk(), DIRECTORY, LogConfig(), 0)
        twin.append_as_follower(b"".join(batch.data for batch in self.batches), 0)
        assert producer_facts(twin) == producer_facts(self.log)
        assert twin.aborted_transactions(0, EVERYTHING) == self.log.aborted_transactions(0, EVERYTHING)
        for high_watermark in range(self.end + 1):
            assert twin.last_stable_offset(high_watermark) <= high_watermark


LogAgainstList.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestLogAgainstList = LogAgainstList.TestCase
