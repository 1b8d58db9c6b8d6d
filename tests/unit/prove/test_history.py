"""Records of a workload, column files, outcomes, and the way from an evidence folder to a history."""

import json
from pathlib import Path

import pytest
from tests.support.story import view

from holdwater.prove.history.columns import ANSWERS, LOG_BATCHES, LOG_RECORDS, READS, SENDS, ColumnWriter, read_columns
from holdwater.prove.history.load import load_history, sample_row
from holdwater.prove.history.model import FOREIGN_ID, NO_RECORD, PHANTOM_ID, Sample, State
from holdwater.prove.history.outcome import state_of
from holdwater.prove.history.payload import ALTERED, FOREIGN, HEADER, MISPLACED, Stationery, read_stamp
from holdwater.prove.settings import Settings

RUN = 0x1234_5678_9ABC_DEF0


def stationery(writer: int = 3, **changes: int) -> Stationery:
    return Stationery(RUN, 7, writer, **({"keys": 24, "partitions": 6, "value_bytes": 120} | changes))


class TestPayload:
    def test_says_what_it_is(self) -> None:
        partition, key, value = stationery().record(41, 123_456)
        assert len(value) == 120
        assert read_stamp(RUN, partition, key, value) == (3, 41, partition, 123_456, 0)

    def test_follows_from_seed_writer_and_sequence(self) -> None:
        assert stationery().record(5, 9) == stationery().record(5, 9)
        keys = {tuple(stationery(writer=writer).record(sequence, 0)[1] for sequence in range(20)) for writer in range(4)}
        assert len(keys) == 4

    def test_a_key_has_one_partition_and_every_partition_has_keys(self) -> None:
        places = {(key, partition) for partition, key, _ in (stationery().record(sequence, 0) for sequence in range(2000))}
        assert len(places) == 24
        assert {partition for _, partition in places} == set(range(6))

    @pytest.mark.parametrize("byte", [4, 12, 14, 16, 20, 28, 31, 32, 119])
    def test_any_changed_byte_is_noticed(self, byte: int) -> None:
        partition, key, value = stationery().record(41, 123_456)
        changed = bytearray(value)
        changed[byte] ^= 1
        assert read_stamp(RUN, partition, key, bytes(changed)).flags & (ALTERED | FOREIGN)

    def test_a_changed_key_is_noticed(self) -> None:
        partition, key, value = stationery().record(41, 123_456)
        assert read_stamp(RUN, partition, key + b"x", value).flags == ALTERED
        assert read_stamp(RUN, partition, None, value).flags == ALTERED

    def test_another_partition(self) -> None:
        partition, key, value = stationery().record(41, 123_456)
        assert read_stamp(RUN, partition + 1, key, value).flags == MISPLACED

    @pytest.mark.parametrize("value", [None, b"", b"x" * 200, b"hwr1"])
    def test_a_record_of_somebody_else(self, value: bytes | None) -> None:
        assert read_stamp(RUN, 0, b"k", value).flags == FOREIGN

    def test_a_record_of_another_run(self) -> None:
        partition, key, value = stationery().record(41, 123_456)
        assert read_stamp(RUN + 1, partition, key, value).flags == FOREIGN

    def test_small_values_are_header_only(self) -> None:
        assert len(stationery(value_bytes=10).record(0, 0)[2]) == HEADER.size


class TestColumns:
    def test_round_trip_over_several_folders(self, tmp_path: Path) -> None:
        for folder, rows in (("a", [(0, 0, 5, 10), (0, 1, 2, -(2**40))]), ("b", [(1, 2**32 - 1, 65535, 2**62)])):
            with ColumnWriter(tmp_path / folder, SENDS) as writer:
                for row in rows:
                    writer.append(*row)
        columns = read_columns([tmp_path / "a", tmp_path / "b", tmp_path / "absent"], SENDS)
        assert {name: list(column) for name, column in columns.items()} == {
            "writer": [0, 0, 1],
            "sequence": [0, 1, 2**32 - 1],
            "partition": [5, 2, 65535],
            "invoke_ns": [10, -(2**40), 2**62],
        }

    def test_a_torn_row_and_all_after_it_are_left_out(self, tmp_path: Path) -> None:
        with ColumnWriter(tmp_path, SENDS) as writer:
            for row in range(5):
                writer.append(0, row, 0, row)
        file = tmp_path / "sends.invoke_ns.i64"
        file.write_bytes(file.read_bytes()[:-9])
        assert list(read_columns([tmp_path], SENDS)["sequence"]) == [0, 1, 2]

    def test_rows_reach_the_file_when_there_are_enough(self, tmp_path: Path) -> None:
        writer = ColumnWriter(tmp_path, SENDS, flush_rows=2)
        for row in range(5):
            writer.append(0, row, 0, row)
        assert list(read_columns([tmp_path], SENDS)["sequence"]) == [0, 1, 2, 3]
        writer.close()


@pytest.mark.parametrize(
    ("error", "acks", "state"),
    [
        (0, "all", State.OK),
        (0, "1", State.OK),
        (0, "0", State.SENT),
        (-192, "all", State.UNKNOWN),  # _MSG_TIMED_OUT
        (-195, "all", State.UNKNOWN),  # _TRANSPORT
        (-151, "all", State.UNKNOWN),  # _PURGE_INFLIGHT
        (-152, "all", State.UNKNOWN),  # _PURGE_QUEUE: from the queue, where a batch waits for its next attempt, too
        (7, "all", State.UNKNOWN),  # REQUEST_TIMED_OUT
        (20, "all", State.UNKNOWN),  # NOT_ENOUGH_REPLICAS_AFTER_APPEND
        (19, "all", State.UNKNOWN),  # NOT_ENOUGH_REPLICAS, but an earlier attempt may be in
        (10, "all", State.UNKNOWN),  # MESSAGE_TOO_LARGE
        (-150, "all", State.UNKNOWN),  # _FATAL
        (-144, "all", State.UNKNOWN),  # _FENCED
    ],
)
def test_an_answer_stands_for_one_of_three_outcomes(error: int, acks: str, state: State) -> None:
    assert state_of(error, acks=acks) is state
    assert state_of(error, acks=acks, by_client=True) is State.FAIL


def record(folder: Path) -> None:
    """An evidence folder of two writers, one consumer, and two partitions."""
    history = folder / "history"
    with ColumnWriter(history / "producer-0", SENDS) as sends, ColumnWriter(history / "producer-0", ANSWERS) as answers:
        for row in [(0, 0, 1, 100), (0, 1, 1, 120), (0, 2, 0, 130)]:
            sends.append(*row)
        for row in [(0, 0, 3, 0, 160), (0, 1, -1, -192, 900)]:
            answers.append(*row)
    with ColumnWriter(history / "producer-1", SENDS) as sends, ColumnWriter(history / "producer-1", ANSWERS) as answers:
        sends.append(1, 0, 0, 110)
        answers.append(1, 0, 7, 0, 150)
    with ColumnWriter(history / "consumer-0", READS) as reads:
        reads.append(0, 0, 7, 1, 0, 4, 0, 500)
        reads.append(0, 1, 3, 0, 0, 4, MISPLACED, 510)
        reads.append(0, 1, 4, 0, 0, 4, FOREIGN, 520)
        reads.append(0, 1, 5, 9, 77, 4, 0, 530)
    with ColumnWriter(history / "log", LOG_BATCHES) as batches, ColumnWriter(history / "log", LOG_RECORDS) as records:
        batches.append(0, 7, 7, 4, 1000, 0, 0, 1, 0, 99, 1)
        batches.append(1, 3, 4, 4, 1001, 0, 0, 2, 0, 99, 1)
        batches.append(1, 6, 6, 5, 1001, 0, 2, 1, 0x20, 99, 0)
        records.append(0, 7, 0, 1, 0, 0)
        records.append(1, 3, 1, 0, 0, 0)
        records.append(1, 4, 1, 0, 0, FOREIGN)
    partitions = {
        "0": {"start_offset": 7, "end_offset": 8, "read_to": 8, "epoch_ends": {"4": 8}},
        "1": {"start_offset": 0, "end_offset": 7, "read_to": 7, "epoch_ends": {}},
    }
    (folder / "final.json").write_text(json.dumps({"partitions": partitions, "positions": {"0": 8, "1": 7}}))
    sample = Sample(5, 2, True, 1, 9, (view(hw=3),))
    (folder / "samples.jsonl").write_text(json.dumps(sample_row(sample)) + "\n")
    (folder / "timeline.jsonl").write_text(
        '{"t": 20, "kind": "start", "broker": 1}\n{"t": 10, "kind": "kill", "broker": 1}\n{"t": 30, "kind": "clock", "step_ms": 0}\n'
    )


class TestLoad:
    def test_everything_that_was_recorded(self, tmp_path: Path) -> None:
        record(tmp_path)
        history = load_history(tmp_path, Settings(producer={"acks": "all"}), origin_ns=100, writers=2)
        sends = history.sends
        assert (sends.bases, sends.counts) == ([0, 3], [3, 1])
        assert [State(one) for one in sends.state] == [State.OK, State.UNKNOWN, State.UNKNOWN, State.OK]
        assert list(sends.partition) == [1, 1, 0, 0]
        assert list(sends.invoke_ns) == [100, 120, 130, 110]
        assert list(sends.done_ns) == [160, 900, 0, 150]
        assert list(sends.offset) == [3, -1, -1, 7]
        assert list(sends.error) == [0, -192, 0, 0]
        assert list(history.reads.ids) == [3, 0, FOREIGN_ID, PHANTOM_ID]
        assert list(history.reads.flags) == [0, MISPLACED, FOREIGN, 0]
        assert (history.log[0].ids.tolist(), history.log[1].ids.tolist()) == ([3], [0, FOREIGN_ID])
        assert history.log[1].batch_of.tolist() == [0, 0]
        assert [batch.control for batch in history.log[1].batches] == [False, True]
        assert (history.log[0].epoch_ends, history.log[1].start_offset) == ({4: 8}, 0)
        assert history.final_positions == {0: 8, 1: 7}
        assert history.samples == [Sample(5, 2, True, 1, 9, (view(hw=3),))]
        assert [(event.time_ns, event.kind, event.detail) for event in history.events] == [
            (10, "kill", {"broker": 1}),
            (20, "start", {"broker": 1}),
            (30, "clock", {"step_ms": 0}),
        ]

    def test_a_folder_of_a_run_that_broke_off_at_once(self, tmp_path: Path) -> None:
        (tmp_path / "samples.jsonl").write_text("")
        (tmp_path / "timeline.jsonl").write_text('{"t": 20, "kind": "interrupted"}\n')
        history = load_history(tmp_path, Settings(), origin_ns=0)
        assert (len(history.sends), len(history.reads), history.log, history.final_positions) == (0, 0, {}, {})
        assert [event.kind for event in history.events] == ["interrupted"]

    def test_acks_0_is_reported_as_sent(self, tmp_path: Path) -> None:
        record(tmp_path)
        sends = load_history(tmp_path, Settings(producer={"acks": "0"}), origin_ns=0, writers=2).sends
        assert [State(one) for one in sends.state] == [State.SENT, State.UNKNOWN, State.UNKNOWN, State.SENT]

    def test_the_first_answer_stands(self, tmp_path: Path) -> None:
        record(tmp_path)
        with ColumnWriter(tmp_path / "history" / "producer-0", ANSWERS) as answers:
            answers.append(0, 0, 99, -192, 170)
        sends = load_history(tmp_path, Settings(), origin_ns=0, writers=2).sends
        assert (sends.state[0], sends.offset[0], sends.done_ns[0]) == (State.OK, 3, 160)

    def test_where_nothing_lies_there_is_no_record(self, tmp_path: Path) -> None:
        record(tmp_path)
        log = load_history(tmp_path, Settings(), origin_ns=0, writers=2).log[1]
        assert [log.id_at(offset) for offset in (-1, 0, 3, 4, 5, 6, 7)] == [
            NO_RECORD,
            NO_RECORD,
            0,
            FOREIGN_ID,
            NO_RECORD,
            NO_RECORD,
            NO_RECORD,
        ]
        assert log.batch_at(2) is None
        assert log.batch_at(4) is log.batches[0]
        assert log.batch_at(6) is log.batches[1]
        assert log.batch_at(7) is None

    def test_offsets_that_make_no_sense_cost_no_memory(self, tmp_path: Path) -> None:
        record(tmp_path)
        log = load_history(tmp_path, Settings(), origin_ns=0, writers=2).log[1]
        log.offsets[1] = log.read_to = 2**60
        assert (log.id_at(2**60), log.id_at(4)) == (FOREIGN_ID, NO_RECORD)
