"""Compaction of one log: what stays, what goes, and how a log is read afterwards."""

from collections.abc import Callable

import pytest
from tests.support.compaction import (
    committed,
    compact,
    headers,
    keyed,
    look,
    newest,
    pairs,
    producer_state,
    put,
    read_everywhere,
    run,
    stored,
    transact,
)
from tests.support.logs import DIRECTORY, append, batch, marker, new_disk, new_log, raw, reopen

from holdwater.kernel.ports import CorruptRecords
from holdwater.storage.compaction.cleaning import Cleaning
from holdwater.storage.log import PartitionLog
from holdwater.storage.segment import MAX_RELATIVE_OFFSET
from holdwater.wire.records import DELETE_HORIZON_FLAG, LOG_APPEND_TIME_FLAG, Compression, Record, build_batch

SMALL = {"segment_bytes": 200, "index_interval_bytes": 60, "compact": True}
"""Two batches of one record each fill a segment."""


def close_segment(log: PartitionLog, *, epoch: int = 0) -> None:
    """Fill up, so that all before lies in inactive segments."""
    for _ in range(4):
        put(log, ("filler", "x" * 20), epoch=epoch)


def without_filler(records: list[Record]) -> list[tuple[int, str, str | None]]:
    return [one for one in pairs(records) if one[1] != "filler"]


def test_the_newest_record_of_each_key_stays_where_it_was() -> None:
    log = new_log(**SMALL)
    for n in range(6):
        put(log, ("a", f"a{n}"), ("b", f"b{n}"))
    close_segment(log)
    end = log.log_end_offset
    assert compact(log) == log.chain.active.base_offset
    assert without_filler(stored(log)) == [(10, "a", "a5"), (11, "b", "b5")]
    assert (log.log_start_offset, log.log_end_offset) == (0, end)
    read_everywhere(log)


def test_a_batch_that_loses_nothing_stays_byte_for_byte() -> None:
    log = new_log(**SMALL)
    put(log, ("a", "1"))
    kept = raw(log)
    put(log, ("b", "1"), ("b", "2"))
    close_segment(log)
    compact(log)
    assert raw(log).startswith(kept)


@pytest.mark.parametrize("codec", list(Compression))
def test_what_is_written_anew_keeps_its_compression_times_and_headers(codec: Compression) -> None:
    log = new_log(**SMALL)
    records = [
        Record(0, 1_000, b"gone", b"x"),
        Record(0, 1_007, b"a", b"1", [("h", b"x"), ("n", None)]),
        Record(0, 1_003, b"gone", b"y"),
    ]
    append(log, build_batch(records, compression=codec, producer_id=4, producer_epoch=2, base_sequence=9), epoch=3)
    put(log, ("gone", "z"), epoch=3)
    close_segment(log, epoch=3)
    compact(log)
    header, found = headers(log)[0]
    assert found == [Record(1, 1_007, b"a", b"1", [("h", b"x"), ("n", None)])]
    assert header[6:] == (2, 1_007, 1_007, 4, 2, 9, 1)
    assert (header.base_offset, header.partition_leader_epoch, header.attributes) == (0, 3, codec)


def test_the_time_of_the_append_stays() -> None:
    log = new_log(**SMALL, message_timestamp_type="LogAppendTime")
    append(log, keyed(("a", "1"), ("b", "1")), wall_ms=7_000)
    append(log, keyed(("b", "2")), wall_ms=8_000)
    close_segment(log)
    compact(log)
    header, found = headers(log)[0]
    assert header.attributes == LOG_APPEND_TIME_FLAG
    assert found == [Record(0, 7_000, b"a", b"1")]


def test_records_without_a_key_go() -> None:
    log = new_log(**SMALL)
    append(log, batch("no key"))
    put(log, ("a", "1"))
    close_segment(log)
    compact(log)
    assert without_filler(stored(log)) == [(1, "a", "1")]


def test_long_keys_are_told_apart() -> None:
    log = new_log(**SMALL)
    keys = ["k" * length for length in (1, 15, 16, 17, 40)] + ["k" * 39 + "x"]
    for key in [*keys, *keys]:
        put(log, (key, "v"))
    close_segment(log)
    compact(log)
    assert [key for _, key, _ in without_filler(stored(log))] == keys


class TestTombstones:
    def test_a_deletion_stays_for_delete_retention_ms_after_it_was_first_compacted(self) -> None:
        log = new_log(**SMALL, delete_retention_ms=100)
        put(log, ("a", "1"))
        put(log, ("a", None), ("b", "1"), timestamp_ms=1_234)
        close_segment(log)
        end = compact(log, wall_ms=5_000)
        header, found = headers(log)[0]
        assert without_filler(stored(log)) == [(1, "a", None), (2, "b", "1")]
        assert header.attributes == DELETE_HORIZON_FLAG
        assert (header.base_timestamp, header.max_timestamp) == (5_100, 1_234)
        assert [one.timestamp_ms for one in found] == [1_234, 1_234]
        close_segment(log)
        end = compact(log, end, wall_ms=5_099)
        assert headers(log)[0] == (header, found)
        close_segment(log)
        compact(log, end, wall_ms=5_100)
        header, found = headers(log)[0]
        assert found == [Record(2, 1_234, b"b", b"1")]
        assert (header.attributes, header.base_timestamp) == (DELETE_HORIZON_FLAG, 5_100), "what was set is kept"

    def test_a_deletion_that_is_not_in_the_map_stays(self) -> None:
        log = new_log(**SMALL, delete_retention_ms=0)
        for n in range(6):
            put(log, (f"k{n}", None))
        close_segment(log)
        end = compact(log, keys=2, wall_ms=5_000)
        assert end == 2
        assert [offset for offset, _, _ in without_filler(stored(log))] == list(range(6))
        compact(log, end, wall_ms=5_001)
        assert [offset for offset, _, _ in without_filler(stored(log))] == [2, 3, 4, 5], "the first two had their horizon"


class TestTransactions:
    def test_aborted_records_go_and_their_marker_follows_one_round_and_a_horizon_later(self) -> None:
        log = new_log(**SMALL, delete_retention_ms=100)
        transact(log, 5, 0, ("a", "aborted"))
        append(log, marker(5, committed=False))
        transact(log, 5, 1, ("a", "committed"))
        append(log, marker(5, committed=True))
        close_segment(log)
        kinds: list[list[tuple[int, int]]] = []
        end: int | None = None
        for wall_ms in (5_000, 6_000, 6_099, 6_100):
            end = compact(log, end, wall_ms=wall_ms)
            kinds.append([(header.base_offset, header.record_count) for header, _ in headers(log) if header.base_offset < 4])
            close_segment(log)
        both = [(1, 1), (2, 1), (3, 1)]
        assert kinds == [both, both, both, [(2, 1), (3, 1)]]
        assert without_filler(committed(log)) == [(2, "a", "committed")]

    def test_an_aborted_record_takes_no_older_one_with_it(self) -> None:
        log = new_log(**SMALL)
        put(log, ("a", "1"))
        transact(log, 5, 0, ("a", "aborted"))
        append(log, marker(5, committed=False))
        close_segment(log)
        compact(log)
        assert without_filler(committed(log)) == [(0, "a", "1")]

    def test_the_index_of_aborted_transactions_follows(self) -> None:
        log = new_log(**SMALL)
        transact(log, 5, 0, ("a", "1"))
        transact(log, 6, 0, ("a", "2"))
        append(log, marker(5, committed=False))
        append(log, marker(6, committed=False))
        put(log, ("a", "3"))
        close_segment(log)
        end = compact(log)
        assert [(one.producer_id, one.first_offset) for one in log.aborted_transactions(0, 100)] == [(5, 0), (6, 1)]
        close_segment(log)
        log.producers.states.clear()  # expired: nothing of theirs has to stay any more
        end = compact(log, end)
        assert log.aborted_transactions(0, 100) == [(5, 0), (6, 1)], "this round has still seen the emptied batches"
        close_segment(log)
        compact(log, end)
        assert log.aborted_transactions(0, 100) == []
        assert without_filler(committed(log)) == [(4, "a", "3")]

    def test_a_committed_marker_stays_as_long_as_a_record_of_its_transaction(self) -> None:
        log = new_log(**SMALL, delete_retention_ms=0)
        transact(log, 5, 0, ("a", "1"))
        transact(log, 5, 1, ("b", "1"))
        append(log, marker(5, committed=True))
        close_segment(log)
        end = compact(log, wall_ms=5_000)
        put(log, ("b", "2"))
        log.producers.states.clear()
        for wall_ms in (5_001, 5_002, 5_003):
            close_segment(log)
            end = compact(log, end, wall_ms=wall_ms)
        assert [(header.base_offset, header.record_count) for header, _ in headers(log)][:2] == [(0, 1), (2, 1)]
        put(log, ("a", "2"))
        for wall_ms in (5_004, 5_005, 5_006):
            close_segment(log)
            end = compact(log, end, wall_ms=wall_ms)
        assert headers(log)[0][0].base_offset > 2

    def test_nothing_at_or_above_the_last_stable_offset_is_touched(self) -> None:
        log = new_log(**SMALL)
        put(log, ("a", "1"))
        put(log, ("a", "2"))
        transact(log, 5, 0, ("a", "open"))
        close_segment(log)
        assert log.chain.segments[1].base_offset == 2
        assert look(log).end_offset == 2
        assert compact(log) == 2
        assert without_filler(stored(log)) == [(1, "a", "2"), (2, "a", "open")]

    def test_a_group_of_segments_may_lie_between_a_transaction_and_its_marker(self) -> None:
        log = new_log(**SMALL)
        transact(log, 5, 0, ("a", "aborted"))
        for n in range(8):
            put(log, (f"k{n}", "x" * 50))
        append(log, marker(5, committed=False))
        close_segment(log)
        compact(log)
        assert log.segment_count > 5
        assert [key for _, key, _ in without_filler(committed(log))] == [f"k{n}" for n in range(8)]
        assert log.aborted_transactions(0, 100) == [(5, 0)]


class TestProducers:
    def test_the_last_batch_of_each_known_producer_stays_empty(self) -> None:
        log = new_log(**SMALL)
        for sequence in range(3):
            put(log, ("a", str(sequence)), producer_id=7, producer_epoch=1, base_sequence=sequence)
        put(log, ("a", "last"))
        close_segment(log)
        before = producer_state(log)
        compact(log)
        assert [(header.base_offset, header.record_count) for header, _ in headers(log)][:2] == [(2, 0), (3, 1)]
        assert producer_state(rescanned(log)) == before
        log.producers.states.clear()
        close_segment(log)
        compact(log, 4)
        assert headers(log)[0][0].base_offset == 3

    def test_an_emptied_batch_of_a_transaction_leaves_none_open(self) -> None:
        log = new_log(**SMALL, delete_retention_ms=0)
        transact(log, 5, 0, ("a", "1"))
        append(log, marker(5, committed=False))
        close_segment(log)
        before = producer_state(log)
        end: int | None = None
        for wall_ms in range(5_000, 5_004):
            end = compact(log, end, wall_ms=wall_ms)
            close_segment(log)
        again = rescanned(log)
        assert producer_state(again) == before
        assert again.last_stable_offset(again.log_end_offset) == again.log_end_offset

    def test_the_marker_that_raised_a_producer_epoch_goes_on_fencing(self) -> None:
        log = new_log(**SMALL, delete_retention_ms=0)
        transact(log, 5, 0, ("a", "1"))
        append(log, marker(5, committed=False, epoch=1), transaction_version=2)
        close_segment(log)
        end: int | None = None
        for wall_ms in range(5_000, 5_004):
            end = compact(log, end, wall_ms=wall_ms)
            close_segment(log)
        assert next((header.base_offset, header.record_count) for header, _ in headers(log)) == (1, 0)
        assert producer_state(rescanned(log)) == producer_state(log) == {5: (1, -1, -1)}


def rescanned(log: PartitionLog) -> PartitionLog:
    """The log as a scan of all its batches gives it."""
    log.sync()
    for segment in log.chain.segments[1:]:
        log.disk.remove_file(f"{DIRECTORY}/{segment.base_offset:020d}.snapshot")
    return reopen(log.disk, compacted_to=log.log_end_offset, **SMALL)  # pyright: ignore[reportArgumentType]


class TestRounds:
    def test_a_full_map_ends_the_round_and_the_next_one_goes_on(self) -> None:
        log = new_log(**SMALL)
        for n in range(40):
            put(log, (f"k{n % 10}", str(n)))
        close_segment(log)
        whole = log.chain.active.base_offset
        expected = newest(stored(log))
        ends: list[int | None] = [0]
        while ends[-1] is not None and ends[-1] < whole and len(ends) < 50:
            ends.append(compact(log, ends[-1], keys=4))
            assert newest(stored(log)) == expected
        assert ends == [0, *sorted(one for one in ends[1:] if one is not None)]
        assert len(ends) > 5
        assert len(without_filler(stored(log))) == 10

    def test_a_gap_at_the_end_of_what_is_new_is_passed(self) -> None:
        far = 100 + MAX_RELATIVE_OFFSET
        log = new_log(**SMALL)
        for base_offset in (0, 1, far):
            log.append_as_follower(keyed((f"k{base_offset}", "x" * 20), base_offset=base_offset, leader_epoch=0), 1_000)
        assert [segment.base_offset for segment in log.chain.segments] == [0, 100]
        assert compact(log) == 100

    def test_one_batch_with_more_keys_than_the_map_holds_fits_nevertheless(self) -> None:
        log = new_log(**SMALL)
        put(log, *[(f"k{n}", "1") for n in range(9)])
        put(log, *[(f"l{n}", "2") for n in range(9)])
        close_segment(log)
        assert compact(log, keys=2) == 9
        assert compact(log, 9, keys=2) == 18

    def test_the_last_batch_of_the_round_stays_empty_so_that_its_end_can_be_reached(self) -> None:
        log = new_log(**SMALL)
        put(log, ("a", "1"))
        append(log, batch("no key"))
        close_segment(log)
        at = log.chain.segments[1].base_offset
        assert at == 2
        assert compact(log, high_watermark=at) == at
        assert [(header.base_offset, header.record_count) for header, _ in headers(log)][:2] == [(0, 1), (1, 0)]

    def test_small_segments_are_put_together_again(self) -> None:
        log = new_log(**SMALL)
        for n in range(40):
            put(log, ("a", str(n)))
        close_segment(log)
        before = log.segment_count
        compact(log)
        assert log.segment_count == before, "together they were too large"
        close_segment(log)
        compact(log, log.chain.active.base_offset)
        assert log.segment_count < before // 2
        read_everywhere(log)
        log.sync()
        files = [int(name[:20]) for name in log.disk.list_directory(DIRECTORY) if name.endswith(".log")]
        assert files == [one.base_offset for one in log.chain.segments]
        assert files[0] == 0

    def test_slices_are_small(self) -> None:
        log = new_log(**SMALL)
        for n in range(50):
            put(log, (f"k{n % 7}", "x" * 40))
        found = look(log)
        steps = Cleaning(log, found, map_limit_count=100, wall_ms=5_000, slice_bytes=500).steps()
        assert max(steps) < 900
        assert len(without_filler(stored(log))) < 50

    @pytest.mark.parametrize("between", [lambda log: log.advance_log_start(4), lambda log: log.truncate_fully_and_start_at(100)])
    def test_a_round_that_is_overtaken_leaves_nothing_behind(self, between: Callable[[PartitionLog], None]) -> None:
        for pauses in range(1, 60):
            log = new_log(**SMALL)
            for n in range(12):
                put(log, (f"k{n % 3}", "x" * 30))
            steps = Cleaning(log, look(log), map_limit_count=100, wall_ms=5_000, slice_bytes=100).steps()
            if len([None for _, _ in zip(range(pauses), steps, strict=False)]) < pauses:
                assert pauses > 20
                return
            between(log)
            records = stored(log)
            assert list(steps) == []
            assert stored(log) == records
            assert not [name for name in log.disk.list_directory(DIRECTORY) if name.endswith((".cleaned", ".swap"))]
        raise AssertionError("the round never ended")

    def test_appends_and_reads_go_on_between_slices(self) -> None:
        log = new_log(**SMALL)
        for n in range(20):
            put(log, (f"k{n % 3}", str(n)))
        steps = Cleaning(log, look(log), map_limit_count=100, wall_ms=5_000, slice_bytes=100).steps()
        for n, _ in enumerate(steps):
            put(log, (f"k{n % 3}", f"later {n}"))
            read_everywhere(log)
        assert {key: value for key, (_, value) in newest(stored(log)).items()} == {
            key: value for key, (_, value) in newest(stored(rescanned(log))).items()
        }


class TestDamage:
    @pytest.mark.parametrize(
        ("at", "mask"),
        [(-2, 1), (7, 4), (15, 1), (12, 0x80), (11, 1), (58, 1)],
        ids=["value", "offset", "epoch", "negative epoch", "length", "count"],
    )
    def test_a_damaged_batch_is_never_written_anew(self, at: int, mask: int) -> None:
        disk = new_disk()
        log = new_log(disk, **SMALL)
        for n in range(4):
            put(log, ("a", str(n)), epoch=1)
        close_segment(log, epoch=1)
        if at < 0:
            at += log.chain.segments[0].size // 2
        disk.damage(f"{DIRECTORY}/{0:020d}.log", at, mask)
        before = {name: disk.read_file(f"{DIRECTORY}/{name}") for name in disk.list_directory(DIRECTORY) if name.endswith(".log")}
        with pytest.raises(CorruptRecords):
            compact(log)
        after = {name: disk.read_file(f"{DIRECTORY}/{name}") for name in disk.list_directory(DIRECTORY) if name.endswith(".log")}
        assert after == before
        assert not [name for name in disk.list_directory(DIRECTORY) if name.endswith((".cleaned", ".swap"))]


class TestReading:
    def test_times_are_found_over_gaps(self) -> None:
        log = new_log(**SMALL)
        for n in range(12):
            put(log, (f"k{n % 2}", str(n)), timestamp_ms=1_000 + n)
        close_segment(log)
        compact(log)
        assert log.offset_for_timestamp(1_003, 100) == (1_010, 10, 0)
        assert log.offset_for_timestamp(1_011, 100) == (1_011, 11, 0)
        assert log.max_timestamp_offset(log.log_end_offset) == (1_011, 11, 0)

    def test_an_emptied_batch_has_no_time(self) -> None:
        log = new_log(**SMALL)
        put(log, ("a", "1"), timestamp_ms=9_000, producer_id=7, producer_epoch=0, base_sequence=0)
        put(log, ("a", "2"))
        close_segment(log)
        compact(log)
        assert headers(log)[0][0].max_timestamp == 9_000
        found = log.max_timestamp_offset(log.log_end_offset)
        assert found is not None
        assert (found.timestamp_ms, found.offset) == (1_000, 1)
        assert log.offset_for_timestamp(8_000, 100) is None

    def test_a_follower_takes_the_gaps_over_and_tells_first(self) -> None:
        leader = new_log(**SMALL)
        for n in range(20):
            put(leader, (f"k{n % 3}" if n % 7 else f"once {n}", str(n)))
        compact(leader)
        follower = new_log(**SMALL)
        told: list[int] = []
        follower.before_gap = lambda: told.append(follower.log_end_offset)
        while follower.log_end_offset < leader.log_end_offset:
            data = leader.read(follower.log_end_offset, 1, leader.log_end_offset, at_least_one=True)
            assert data
            follower.append_as_follower(data, 1_000)
        assert raw(follower) == raw(leader)
        assert told == [1, 8]
        assert follower.epoch_entries() == leader.epoch_entries()
        read_everywhere(follower)
        in_one = new_log(compact=True)
        in_one.append_as_follower(raw(leader), 1_000)
        assert in_one.segment_count == 1
        read_everywhere(in_one)
        follower.configure(new_log(segment_bytes=200).config)
        read_everywhere(follower)  # the gaps are still there when the topic is no longer compacted

    @pytest.mark.parametrize("following", [None, 3, 2, 0], ids=["nothing", "the same", "below", "far below"])
    def test_a_log_that_was_never_compacted_takes_none(self, following: int | None) -> None:
        log = new_log()
        data = keyed(("a", "1"), base_offset=3, leader_epoch=0)
        if following is not None:
            data += keyed(("a", "2"), base_offset=following, leader_epoch=0)
        with pytest.raises(CorruptRecords):
            log.append_as_follower(data, 1_000)
        assert log.log_end_offset == 0

    def test_unless_the_batch_behind_it_bears_it_out(self) -> None:
        """As when a topic was compacted once, and its replica is new."""
        log = new_log()
        told: list[int] = []
        log.before_gap = lambda: told.append(log.log_end_offset)
        data = [keyed(("a", "1"), base_offset=base, leader_epoch=0) for base in (3, 4, 9)]
        log.append_as_follower(data[0] + data[1], 1_000)
        log.append_as_follower(data[2], 1_000)
        assert told == [0, 5]
        assert log.may_have_gaps
        assert raw(log) == b"".join(data)
        read_everywhere(log)


def test_a_round_of_a_log_that_is_gone_touches_nothing() -> None:
    log = new_log(**SMALL)
    for n in range(12):
        put(log, (f"k{n % 3}", "x" * 30))
    cleaning = Cleaning(log, look(log), map_limit_count=100, wall_ms=5_000, slice_bytes=100)
    steps = cleaning.steps()
    before: list[str] = []
    while not any(name.endswith(".cleaned") for name in before):
        next(steps)
        before = log.disk.list_directory(DIRECTORY)
    cleaning.abandon()
    assert log.disk.list_directory(DIRECTORY) == before
    assert run(Cleaning(log, look(log), map_limit_count=100, wall_ms=5_000)) is not None
