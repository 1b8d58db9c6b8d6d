"""Evidence that is incomplete or altered has no verdict: whatever is gone or torn is named, and never counted as a lost write."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.evidence import write_evidence
from tests.support.story import Story, a_killed_leader

from holdwater.prove.errors import UsageError
from holdwater.prove.evidence import seal
from holdwater.prove.history.columns import READS, ColumnWriter
from holdwater.prove.history.damage import EvidenceDamaged
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


STARTED = {"kind": "phase", "name": "started"}
FAILED = {"kind": "failed", "step": "", "reason": "the consumer was not done within 70 s", "next": "see its log"}


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
    def test_a_torn_last_line_is_what_a_killed_writer_leaves(self, name: str, evidence: Path) -> None:
        with (evidence / name).open("a") as file:
            file.write('{"t": 60000000000, "kind": "unexp')
        assert judge_folder(evidence).judged.verdict == "held"

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


class TestBrokenOff:
    @pytest.mark.parametrize("why", [{"kind": "interrupted"}, FAILED])
    def test_a_run_that_broke_off_has_no_final_log_and_is_invalid(self, why: dict[str, object], tmp_path: Path) -> None:
        judged = judge_folder(broken_off(tmp_path / "evidence", STARTED, why)).judged
        assert judged.verdict == "invalid"
        assert judged.findings["lost-write"].count == 0

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
        assert not was_recorded(evidence)
        with (evidence / "timeline.jsonl").open("a") as timeline:
            timeline.write('{"t": 60000000000, "kind": "clock", "step_ms": 0.1}\n')
        assert was_recorded(evidence)
        remove(evidence / "run.json")
        assert not was_recorded(evidence)

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        assert not was_recorded(tmp_path)
