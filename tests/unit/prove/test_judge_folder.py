"""Evidence that is incomplete or altered has no verdict: whatever is gone or torn is named, and never counted as a lost write."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.support.evidence import write_evidence
from tests.support.story import Story, a_killed_leader

from holdwater.prove.errors import UsageError
from holdwater.prove.evidence import seal
from holdwater.prove.history.columns import ANSWERS, LOG_BATCHES, LOG_RECORDS, READS, SENDS, ColumnWriter, Stream
from holdwater.prove.history.damage import EvidenceDamaged
from holdwater.prove.history.model import FOREIGN_ID
from holdwater.prove.history.payload import FOREIGN
from holdwater.prove.judge_folder import judge_folder, was_recorded
from holdwater.prove.settings import Settings

KAFKA = Settings(broker={"broker.session.timeout.ms": "9000"})
OFFSETS = "history/log/log_records.offset.i64"
PARTS = ["final.json", "history/consumer-0/", "history/log/", "history/producer-0/", "run.json", "samples.jsonl", "timeline.jsonl", OFFSETS]


def unsealed(folder: Path, story: Story | None = None) -> Path:
    """What a run leaves that was killed while it was judged."""
    return write_evidence(folder, (story or a_killed_leader()).history(), KAFKA)


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    return unsealed(tmp_path / "evidence")


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def tear_in_the_middle(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    lines[1] = lines[1][:9] + "\n"
    path.write_text("".join(lines))


def broken_off(folder: Path, *events: dict[str, object]) -> Path:
    """Evidence of a run that ended early: no final log, and a timeline that says why."""
    unsealed(folder)
    remove(folder / "final.json")
    remove(folder / "history" / "log")
    (folder / "timeline.jsonl").write_text("".join(json.dumps({"t": 6_000_000_000, **event}) + "\n" for event in events))
    return folder


STARTED: dict[str, object] = {"kind": "phase", "name": "started"}
FAILED: dict[str, object] = {"kind": "failed", "step": "", "reason": "the consumer was not done within 70 s", "next": "see its log"}


class TestSums:
    def test_an_untouched_folder_is_judged_and_has_the_hash_of_its_sums(self, evidence: Path) -> None:
        sealed = seal(evidence)
        judgement = judge_folder(evidence)
        assert (judgement.judged.verdict, judgement.evidence_hash) == ("held", sealed)
        assert seal(evidence) == sealed, "judging wrote into the evidence"

    def test_what_a_start_command_still_writes_is_not_judged(self, evidence: Path) -> None:
        log = evidence / "logs" / "start-command-1.log"
        log.parent.mkdir(exist_ok=True)
        log.write_text("started\n")
        seal(evidence)
        log.write_text("started\nand runs on\n")
        assert judge_folder(evidence).judged.verdict == "held"

    def test_a_folder_that_was_not_sealed_has_no_hash(self, evidence: Path) -> None:
        assert judge_folder(evidence).evidence_hash == ""

    @pytest.mark.parametrize("name", [*PARTS, "report.html"])
    def test_what_is_gone_is_named(self, name: str, evidence: Path) -> None:
        (evidence / "report.html").write_text("<html>")
        seal(evidence)
        remove(evidence / name)
        with pytest.raises(EvidenceDamaged, match=rf"evidence is incomplete or altered: .*{name}.* is missing") as raised:
            judge_folder(evidence)
        assert raised.value.next_step

    @pytest.mark.parametrize(
        ("name", "alter"),
        [(OFFSETS, halve), ("timeline.jsonl", tear_in_the_middle), ("timeline.jsonl", lambda p: p.write_text(p.read_text()[40:]))],
    )
    def test_what_was_altered_is_named(self, name: str, alter: Callable[[Path], object], evidence: Path) -> None:
        seal(evidence)
        alter(evidence / name)
        with pytest.raises(EvidenceDamaged, match=f"{name} is not the file that was written"):
            judge_folder(evidence)

    def test_of_many_a_few_are_named(self, evidence: Path) -> None:
        seal(evidence)
        shutil.rmtree(evidence / "history")
        with pytest.raises(EvidenceDamaged, match=r"reads.flags.u8 is missing; .* and \d\d more"):
            judge_folder(evidence)

    def test_a_file_that_judging_would_take_for_evidence_must_be_named(self, evidence: Path) -> None:
        seal(evidence)
        with ColumnWriter(evidence / "history" / "consumer-1", READS) as reads:
            reads.append(1, 0, 7, 0, 0, 0, 0, 500)
        (evidence / "notes.txt").write_text("what I think of it")
        with pytest.raises(EvidenceDamaged, match=r"consumer-1/reads\.flags\.u8 is not named in SHA256SUMS") as raised:
            judge_folder(evidence)
        assert "notes" not in str(raised.value)

    @pytest.mark.parametrize("left", [1, 5])
    def test_a_list_that_is_cut_short_hides_nothing(self, left: int, evidence: Path) -> None:
        seal(evidence)
        sums = evidence / "SHA256SUMS"
        sums.write_text("".join(sums.read_text().splitlines(keepends=True)[:left]))
        with pytest.raises(EvidenceDamaged, match="is not named in SHA256SUMS"):
            judge_folder(evidence)

    @pytest.mark.parametrize(
        "line", [b"nonsense", b"abc  final.json", b"", b"\xff\xfe", b"0" * 64, b"0" * 64 + b"  ", b"0" * 64 + b"  a\0b", b"0" * 64 + b"  ."]
    )
    def test_a_malformed_line(self, line: bytes, evidence: Path) -> None:
        seal(evidence)
        sums = evidence / "SHA256SUMS"
        first, rest = sums.read_bytes().split(b"\n", 1)
        sums.write_bytes(first + b"\n" + line + b"\n" + rest)
        with pytest.raises(EvidenceDamaged, match="SHA256SUMS"):
            judge_folder(evidence)

    @pytest.mark.parametrize("name", ["../outside", "history/../../outside", "{absolute}"])
    def test_a_path_that_leaves_the_folder(self, name: str, evidence: Path) -> None:
        outside = evidence.parent / "outside"
        outside.write_text("x")
        seal(evidence)
        name = name.format(absolute=outside)
        with (evidence / "SHA256SUMS").open("a") as sums:
            sums.write(f"{hashlib.sha256(b'x').hexdigest()}  {name}\n")
        with pytest.raises(EvidenceDamaged, match=r"SHA256SUMS names .*outside, which is not in the folder"):
            judge_folder(evidence)

    def test_what_is_no_file_is_not_waited_for(self, evidence: Path) -> None:
        seal(evidence)
        (evidence / "samples.jsonl").unlink()
        os.mkfifo(evidence / "samples.jsonl")
        with pytest.raises(EvidenceDamaged, match=r"samples.jsonl is missing"):
            judge_folder(evidence)

    def test_an_empty_list_and_one_that_contradicts_itself(self, evidence: Path) -> None:
        seal(evidence)
        sums = evidence / "SHA256SUMS"
        first, rest = sums.read_text().split("\n", 1)
        sums.write_text(f"{'0' * 64}{first[64:]}\n{first}\n{rest}")
        with pytest.raises(EvidenceDamaged, match="is not the file that was written"):
            judge_folder(evidence)
        sums.write_text("")
        with pytest.raises(EvidenceDamaged, match="SHA256SUMS, line 1, is no checksum"):
            judge_folder(evidence)

    @pytest.mark.parametrize("target", ["nowhere", "run.json/nowhere", "SHA256SUMS"])
    def test_a_list_that_is_a_link_to_nothing_was_there_once(self, target: str, evidence: Path) -> None:
        (evidence / "SHA256SUMS").symlink_to(target)
        with pytest.raises(EvidenceDamaged, match="SHA256SUMS cannot be read"):
            judge_folder(evidence)

    def test_sums_that_cannot_be_read(self, evidence: Path) -> None:
        (evidence / "SHA256SUMS").mkdir()
        with pytest.raises(EvidenceDamaged, match="SHA256SUMS cannot be read: Is a directory"):
            judge_folder(evidence)


class TestWithoutSums:
    def test_all_parts_are_enough(self, evidence: Path) -> None:
        assert judge_folder(evidence).judged.verdict == "held"

    @pytest.mark.parametrize("name", [part for part in PARTS if part != "run.json"])
    def test_what_is_gone_is_named(self, name: str, evidence: Path) -> None:
        remove(evidence / name)
        with pytest.raises(EvidenceDamaged, match=f"{name} is missing"):
            judge_folder(evidence)

    def test_a_folder_without_run_json_is_no_evidence(self, evidence: Path) -> None:
        remove(evidence / "run.json")
        with pytest.raises(UsageError, match="is no evidence folder"):
            judge_folder(evidence)

    def test_every_column_is_needed(self, evidence: Path) -> None:
        for column in sorted((evidence / "history").rglob("*.*")):
            aside = column.rename(evidence / "aside")
            with pytest.raises(EvidenceDamaged, match=f"{column.parent.name}/{column.name} is missing"):
                judge_folder(evidence)
            aside.rename(column)

    def test_every_writer_is_needed(self, evidence: Path) -> None:
        run = json.loads((evidence / "run.json").read_text())
        run["scenario"]["workload"]["writers"] = 2
        (evidence / "run.json").write_text(json.dumps(run))
        with pytest.raises(EvidenceDamaged, match=r"final\.json does not hold what a run writes \(KeyError: 'producer-1'\)"):
            judge_folder(evidence)
        forget_counts(evidence)
        with pytest.raises(EvidenceDamaged, match="history/producer-1/ is missing"):
            judge_folder(evidence)

    @pytest.mark.parametrize("name", [OFFSETS, "history/producer-0/answers.done_ns.i64", "history/consumer-0/reads.flags.u8"])
    @pytest.mark.parametrize("bytes_left", [0, 1, 9, -1])
    def test_a_run_that_came_to_its_end_has_no_torn_columns(self, name: str, bytes_left: int, evidence: Path) -> None:
        column = evidence / name
        column.write_bytes(column.read_bytes()[:bytes_left])
        with pytest.raises(EvidenceDamaged, match=f"{name} is cut short"):
            judge_folder(evidence)

    @pytest.mark.parametrize("name", ["timeline.jsonl", "samples.jsonl"])
    @pytest.mark.parametrize("line", [b'{"t": 6, "ki', b"", b"[1]", b'"t"', b"{}", b'{"t": "x", "kind": "kill"}', b"\xff", b"null"])
    def test_a_malformed_line_in_the_middle(self, line: bytes, name: str, tmp_path: Path) -> None:
        story = a_killed_leader()
        story.sample(0.1, 1)
        evidence = unsealed(tmp_path / "evidence", story)
        whole = (evidence / name).read_bytes()
        (evidence / name).write_bytes(whole + line + b"\n" + whole)
        number = whole.count(b"\n") + 1
        with pytest.raises(EvidenceDamaged, match=f"{name}, line {number},"):
            judge_folder(evidence)

    @pytest.mark.parametrize("name", ["timeline.jsonl", "samples.jsonl"])
    def test_a_run_that_came_to_its_end_has_no_torn_last_line(self, name: str, evidence: Path) -> None:
        with (evidence / name).open("a") as file:
            file.write('{"t": 60000000000, "kind": "unexp')
        with pytest.raises(EvidenceDamaged, match=rf"{name} is cut short"):
            judge_folder(evidence)

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "{",
            "[]",
            "{}",
            '{"partitions": {}}',
            '{"partitions": [], "positions": {}}',
            '{"partitions": {"0": {}}, "positions": {}}',
            '{"partitions": {"0": {"start_offset": 0, "end_offset": 0, "read_to": null, "epoch_ends": {}}}, "positions": {}}',
            '{"partitions": {"x": {"start_offset": 0, "end_offset": 0, "read_to": 0, "epoch_ends": {}}}, "positions": {}}',
            '{"partitions": {"0": {"start_offset": 0, "end_offset": 0, "read_to": 0, "epoch_ends": 0}}, "positions": {}}',
        ],
    )
    def test_a_final_json_of_another_shape(self, content: str, evidence: Path) -> None:
        (evidence / "final.json").write_text(content)
        with pytest.raises(EvidenceDamaged, match=r"final\.json does not hold what a run writes"):
            judge_folder(evidence)

    def test_a_log_of_partitions_that_final_json_does_not_have(self, evidence: Path) -> None:
        (evidence / "final.json").write_text('{"partitions": {}, "positions": {}}')
        with pytest.raises(EvidenceDamaged, match="history/log does not hold what a run writes"):
            judge_folder(evidence)

    @pytest.mark.parametrize("key", ["settings", "plan", "scenario", "origin_ns", "target", "seed", "versions", "repeat"])
    def test_a_run_json_of_another_shape(self, key: str, evidence: Path) -> None:
        run = json.loads((evidence / "run.json").read_text())
        del run[key]
        (evidence / "run.json").write_text(json.dumps(run))
        with pytest.raises(EvidenceDamaged, match=r"run\.json does not hold what a run writes"):
            judge_folder(evidence)

    def test_a_run_json_that_is_a_list(self, evidence: Path) -> None:
        (evidence / "run.json").write_text("[]")
        with pytest.raises(EvidenceDamaged, match=r"run\.json does not hold what a run writes"):
            judge_folder(evidence)


def keep_rows(evidence: Path, stream: str, rows: int) -> None:
    """Cut every column of a stream to so many rows, as a power loss may leave them."""
    for column in (evidence / "history").glob(f"*/{stream}.*"):
        width = {"8": 1, "16": 2, "32": 4, "64": 8}[column.suffix[2:]]
        assert column.stat().st_size > rows * width
        column.write_bytes(column.read_bytes()[: rows * width])


def forget_counts(evidence: Path) -> None:
    """As evidence was before the rows of the clients were counted."""
    final = json.loads((evidence / "final.json").read_text())
    del final["rows"]
    (evidence / "final.json").write_text(json.dumps(final))


class TestEvenlyCut:
    """Columns that agree with each other, but hold less than what was written: never lost writes, and never a verdict without them."""

    @pytest.mark.parametrize(
        ("stream", "rows", "why"),
        [
            ("log_records", 100, r"history/log/log_records\.\* holds 100 records of batch 0\.\.110 of partition 0, which has 111"),
            ("log_records", 0, r"history/log/log_records\.\* holds 0 records of batch 0\.\.110 of partition 0, which has 111"),
            ("log_batches", 0, r"history/log/log_batches\.\* ends at 0 in partition 0, which was read to 111"),
            ("log_*", 0, r"history/log/log_batches\.\* ends at 0 in partition 0, which was read to 111"),
            ("sends", 106, r"history/producer-0/sends\.sequence\.u32 is cut short \(106 of 111 rows\)"),
            ("answers", 106, r"history/producer-0/answers\.offset\.i64 is cut short \(106 of 111 rows\)"),
            ("answers", 0, r"history/producer-0/answers\.error\.i32 is cut short \(0 of 111 rows\)"),
            ("reads", 110, r"history/consumer-0/reads\.session\.u16 is cut short \(110 of 111 rows\)"),
        ],
    )
    def test_has_no_verdict(self, stream: str, rows: int, why: str, evidence: Path) -> None:
        keep_rows(evidence, stream, rows)
        with pytest.raises(EvidenceDamaged, match=why) as raised:
            judge_folder(evidence)
        assert raised.value.next_step

    def test_the_log_of_the_last_partition(self, tmp_path: Path) -> None:
        story = a_killed_leader().send(3, partition=1, at_s=20).log([111, 112, 113], partition=1).read_all()
        evidence = unsealed(tmp_path / "evidence", story)
        keep_rows(evidence, "log_batches", 1)
        with pytest.raises(EvidenceDamaged, match=r"log_batches\.\* ends at 0 in partition 1, which was read to 3"):
            judge_folder(evidence)

    def test_more_than_was_written(self, evidence: Path) -> None:
        with ColumnWriter(evidence / "history" / "producer-0", ANSWERS) as answers:
            answers.append(0, 110, 110, 0, 170)
        with pytest.raises(EvidenceDamaged, match=r"producer-0/answers\.writer\.u16 is longer than what was written \(112 of 111 rows\)"):
            judge_folder(evidence)

    def test_evidence_from_before_the_rows_were_counted(self, evidence: Path) -> None:
        forget_counts(evidence)
        assert judge_folder(evidence).judged.verdict == "held"
        keep_rows(evidence, "log_records", 100)
        with pytest.raises(EvidenceDamaged, match=r"log_records\.\* holds 100 records"):
            judge_folder(evidence)

    @pytest.mark.parametrize(
        "rows", [[], {}, {"producer-0": {}}, {"producer-0": {"sends": 111, "answers": "all"}, "consumer-0": {"reads": 111}}]
    )
    def test_counts_of_another_shape(self, rows: object, evidence: Path) -> None:
        final = json.loads((evidence / "final.json").read_text())
        (evidence / "final.json").write_text(json.dumps(final | {"rows": rows}))
        with pytest.raises(EvidenceDamaged, match=r"final\.json does not hold what a run writes"):
            judge_folder(evidence)


class TestTheLogAgrees:
    """Batches and records of the final log, which its reader wrote one after the other."""

    @pytest.mark.parametrize(
        ("partition", "batch", "why"),
        [
            (0, 1, r"log_records\.\* has a record of a batch that is not in log_batches"),
            (0, 7, r"log_records\.\* has a record of a batch that is not in log_batches"),
            (0, 0, r"log_records\.\* holds 112 records of batch 0\.\.110 of partition 0, which has 111"),
        ],
    )
    def test_a_record_too_many(self, partition: int, batch: int, why: str, evidence: Path) -> None:
        with ColumnWriter(evidence / "history" / "log", LOG_RECORDS) as records:
            records.append(partition, 111, batch, 0, 0, 0)
        with pytest.raises(EvidenceDamaged, match=why):
            judge_folder(evidence)

    def test_a_record_of_another_partition_than_its_batch(self, tmp_path: Path) -> None:
        story = a_killed_leader().send(1, partition=1, at_s=20).log([111], partition=1).read_all()
        evidence = unsealed(tmp_path / "evidence", story)
        column = evidence / "history" / "log" / "log_records.partition.u16"
        column.write_bytes(column.read_bytes()[:-2] + bytes(2))
        with pytest.raises(EvidenceDamaged, match=r"log_records\.\* has a record of partition 0 in a batch of another"):
            judge_folder(evidence)

    def test_a_batch_that_its_reader_could_not_read_has_one_record_in_its_place(self, evidence: Path) -> None:
        self.append(evidence, LogBatch(records=5, sound=1), LogRecord(flags=FOREIGN))
        assert judge_folder(evidence).judged.history.log[0].ids[-1] == FOREIGN_ID

    def test_what_a_damaged_batch_says_of_itself_is_not_asked(self, evidence: Path) -> None:
        self.append(evidence, LogBatch(records=77, sound=0, last_offset=2**40), LogRecord())
        judge_folder(evidence)

    def test_a_log_whose_batches_go_back_is_judged(self, evidence: Path) -> None:
        """That is what the cluster did, and no damage of the evidence: the reader went by the highest offset that it had seen."""
        self.append(
            evidence, LogBatch(base_offset=40, last_offset=40, producer_id=1000, base_sequence=40), LogRecord(offset=40, sequence=40)
        )
        final = json.loads((evidence / "final.json").read_text())
        final["partitions"]["0"] |= {"end_offset": 111, "read_to": 111}
        (evidence / "final.json").write_text(json.dumps(final))
        assert judge_folder(evidence).judged.findings["log-order"].count

    def test_a_damaged_batch_hides_no_end_that_it_does_not_reach(self, evidence: Path) -> None:
        self.append(evidence, LogBatch(last_offset=50, sound=0), LogRecord())
        with pytest.raises(EvidenceDamaged, match=r"log_batches\.\* ends at 111 in partition 0, which was read to 112"):
            judge_folder(evidence)

    def test_control_batches_have_no_records_here(self, evidence: Path) -> None:
        self.append(evidence, LogBatch(records=1, attributes=0x20))
        assert judge_folder(evidence).judged.verdict == "held"

    def test_a_partition_that_holds_nothing_any_more(self, evidence: Path) -> None:
        final = json.loads((evidence / "final.json").read_text())
        final["partitions"]["1"] = {"start_offset": 0, "end_offset": 0, "read_to": 0, "epoch_ends": {}}
        (evidence / "final.json").write_text(json.dumps(final))
        assert judge_folder(evidence).judged.verdict == "held"

    def append(self, evidence: Path, batch: "LogBatch", *rows: "LogRecord") -> None:
        with (
            ColumnWriter(evidence / "history" / "log", LOG_BATCHES) as batches,
            ColumnWriter(evidence / "history" / "log", LOG_RECORDS) as log,
        ):
            batches.append(*batch)
            for row in rows:
                log.append(*row)
        final = json.loads((evidence / "final.json").read_text())
        final["partitions"]["0"] |= {"end_offset": 112, "read_to": 112}
        final["positions"]["0"] = 112
        (evidence / "final.json").write_text(json.dumps(final))


class LogBatch(NamedTuple):
    """A row of ``LOG_BATCHES``, after the one batch of 111 records of ``a_killed_leader``."""

    partition: int = 0
    base_offset: int = 111
    last_offset: int = 111
    leader_epoch: int = 0
    producer_id: int = -1
    producer_epoch: int = -1
    base_sequence: int = -1
    records: int = 1
    attributes: int = 0
    max_timestamp_ms: int = 0
    sound: int = 1


class LogRecord(NamedTuple):
    """A row of ``LOG_RECORDS`` that belongs to it."""

    partition: int = 0
    offset: int = 111
    batch: int = 1
    writer: int = 0
    sequence: int = 0
    flags: int = 0


class TestWritersAgree:
    """The rows of one writer, in the order of its sends."""

    def rewrite(self, evidence: Path, stream: Stream, *rows: tuple[int, ...]) -> None:
        for column in (evidence / "history" / "producer-0").glob(f"{stream.name}.*"):
            column.unlink()
        with ColumnWriter(evidence / "history" / "producer-0", stream) as columns:
            for row in rows:
                columns.append(*row)
        forget_counts(evidence)

    @pytest.mark.parametrize("interrupted", [False, True])
    @pytest.mark.parametrize(
        ("rows", "why"),
        [
            ([(0, 0, 0, 5), (1, 1, 0, 6)], r"history/producer-0/sends\.writer\.u16 names another writer than 0"),
            ([(0, 0, 0, 5), (0, 2, 0, 6)], r"history/producer-0/sends\.sequence\.u32 does not count from 0 on without a gap"),
            ([(0, 1, 0, 5)], r"history/producer-0/sends\.sequence\.u32 does not count"),
            ([(0, 0, 0, 5), (0, 0, 0, 6)], r"history/producer-0/sends\.sequence\.u32 does not count"),
        ],
    )
    def test_sends(self, rows: list[tuple[int, ...]], why: str, interrupted: bool, evidence: Path) -> None:
        self.rewrite(evidence, SENDS, *rows)
        if interrupted:
            remove(evidence / "final.json")
            with (evidence / "timeline.jsonl").open("a") as timeline:
                timeline.write('{"t": 60000000000, "kind": "interrupted"}\n')
        with pytest.raises(EvidenceDamaged, match=why):
            judge_folder(evidence)

    @pytest.mark.parametrize(
        ("row", "why"),
        [
            ((1, 0, 0, 0, 9), r"history/producer-0/answers\.writer\.u16 names another writer than 0"),
            ((0, 111, 0, 0, 9), r"history/producer-0/answers\.sequence\.u32 has an answer to a write that is not in sends"),
        ],
    )
    def test_answers(self, row: tuple[int, ...], why: str, evidence: Path) -> None:
        self.rewrite(evidence, ANSWERS, (0, 0, 0, 0, 9), row)
        with pytest.raises(EvidenceDamaged, match=why):
            judge_folder(evidence)

    def test_a_producer_that_was_ended_by_force_may_have_flushed_an_answer_first(self, tmp_path: Path) -> None:
        evidence = broken_off(tmp_path / "evidence", STARTED, {"kind": "interrupted"})
        keep_rows(evidence, "sends", 90)
        judged = judge_folder(evidence).judged
        assert (judged.verdict, len(judged.history.sends)) == ("invalid", 90)


class TestBrokenOff:
    @pytest.mark.parametrize("why", [{"kind": "interrupted"}, FAILED])
    def test_a_run_that_broke_off_has_no_final_log_and_is_invalid(self, why: dict[str, object], tmp_path: Path) -> None:
        judged = judge_folder(broken_off(tmp_path / "evidence", STARTED, why)).judged
        assert judged.verdict == "invalid"
        assert judged.findings["lost-write"].count == 0

    def test_a_torn_last_line_is_what_a_killed_writer_leaves(self, tmp_path: Path) -> None:
        evidence = broken_off(tmp_path / "evidence", STARTED, {"kind": "interrupted"})
        for name in ("timeline.jsonl", "samples.jsonl"):
            with (evidence / name).open("a") as file:
                file.write('{"t": 60000000000, "kind": "unexp')
        assert judge_folder(evidence).judged.verdict == "invalid"

    @pytest.mark.parametrize("tail", ["", '{"t": 60000000000, "kind": "clo'])
    def test_a_run_that_was_killed_before_it_noted_its_clocks_is_invalid(self, tail: str, evidence: Path) -> None:
        lines = (evidence / "timeline.jsonl").read_text().splitlines(keepends=True)
        (evidence / "timeline.jsonl").write_text("".join(line for line in lines if '"clock"' not in line) + tail)
        judged = judge_folder(evidence).judged
        assert (judged.verdict, judged.history.log) == ("invalid", {})
        assert judged.flaws[0].reason.startswith("the run was killed at its very end, before it had noted its clocks")
        assert judged.flaws[0].next_step == "run the scenario again"

    def test_clients_that_were_ended_by_force_leave_uneven_columns(self, tmp_path: Path) -> None:
        evidence = broken_off(tmp_path / "evidence", STARTED, {"kind": "interrupted"})
        halve(evidence / "history" / "consumer-0" / "reads.time_ns.i64")
        assert judge_folder(evidence).judged.verdict == "invalid"

    def test_clients_that_had_started_must_have_their_columns(self, tmp_path: Path) -> None:
        evidence = broken_off(tmp_path / "evidence", STARTED, {"kind": "interrupted"})
        remove(evidence / "history" / "consumer-0")
        with pytest.raises(EvidenceDamaged, match="history/consumer-0/ is missing"):
            judge_folder(evidence)

    def test_clients_that_had_not_started_need_not(self, tmp_path: Path) -> None:
        evidence = broken_off(tmp_path / "evidence", {"kind": "interrupted"})
        remove(evidence / "history")
        assert judge_folder(evidence).judged.verdict == "invalid"

    def test_a_final_log_that_was_only_begun_is_no_evidence(self, tmp_path: Path) -> None:
        evidence = unsealed(tmp_path / "evidence")
        remove(evidence / "final.json")
        (evidence / "timeline.jsonl").write_text(json.dumps({"t": 6_000_000_000, **FAILED}) + "\n")
        judged = judge_folder(evidence).judged
        assert (judged.verdict, judged.history.log) == ("invalid", {})

    def test_a_run_that_was_killed_before_its_end_has_no_verdict(self, tmp_path: Path) -> None:
        with pytest.raises(EvidenceDamaged, match=r"final\.json is missing \(a run that was killed before its end leaves none\)"):
            judge_folder(broken_off(tmp_path / "evidence", STARTED))


class TestWasRecorded:
    def test_when_the_clock_was_noted_nothing_more_comes(self, evidence: Path) -> None:
        timeline = evidence / "timeline.jsonl"
        whole = timeline.read_text()
        timeline.write_text("".join(whole.splitlines(keepends=True)[:-1]))
        assert not was_recorded(evidence)
        timeline.write_text(whole)
        assert was_recorded(evidence)
        remove(evidence / "run.json")
        assert not was_recorded(evidence)

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        assert not was_recorded(tmp_path)
