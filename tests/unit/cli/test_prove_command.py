"""``holdwater`` and ``holdwater prove`` from the command line: what is refused, with which exit code, and what to do next."""

import errno
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock
from xml.etree import ElementTree as ET

import pytest
from tests.support.evidence import write_evidence
from tests.support.story import Story, a_killed_leader

from holdwater.cli import main as command
from holdwater.cli import prove, prove_shown
from holdwater.cli.main import COMMANDS, main
from holdwater.prove.errors import RunFailed, UsageError
from holdwater.prove.evidence import seal
from holdwater.prove.judge_folder import judge_folder
from holdwater.prove.perform import Outcome, Request
from holdwater.prove.report.document import document
from holdwater.prove.settings import Settings

KAFKA = Settings(broker={"broker.session.timeout.ms": "9000"})


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    try:
        ended = main(arguments)
    except SystemExit as leaving:  # argparse leaves by itself
        ended = leaving.code
    assert ended == code
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    return said.err


class TestMain:
    def test_help_lists_every_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--help"]) == 0
        said = capsys.readouterr().out
        assert all(name in said for name in COMMANDS)

    def test_no_command_is_wrong_usage(self) -> None:
        assert main([]) == 2

    def test_an_unknown_command_names_its_nearest(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "did you mean prove?" in refused(capsys, "proove")

    def test_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--version"]) == 0
        assert capsys.readouterr().out.startswith("holdwater ")

    @pytest.mark.parametrize("name", sorted(COMMANDS))
    def test_every_command_has_help(self, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as leaving:
            main([name, "--help"])
        assert leaving.value.code == 0
        assert f"usage: holdwater {name}" in capsys.readouterr().out

    def test_a_command_pays_only_for_itself(self) -> None:
        script = (
            "import sys; from holdwater.cli.main import main; import importlib; importlib.import_module('holdwater.cli.up')\n"
            "print([n for n in sys.modules if n.split('.')[0] in ('confluent_kafka', 'rich') or n.startswith('holdwater.prove')])"
        )
        said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        assert said.strip() == "[]"

    def test_the_table_is_where_the_modules_are(self) -> None:
        folder = Path(command.__file__).parent
        assert [name for name, one in COMMANDS.items() if not (folder / f"{one.module.rpartition('.')[2]}.py").exists()] == []


class TestRefused:
    def test_no_scenario(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "next: holdwater prove --list" in refused(capsys, "prove")

    def test_an_unknown_scenario_names_its_nearest(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "did you mean leader-election?" in refused(capsys, "prove", "leader-elections")

    def test_a_topic_name_that_no_kafka_takes(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "'bad topic!' is no topic name" in refused(capsys, "prove", "leader-election", "--topic", "bad topic!")

    @pytest.mark.parametrize("fault", [KeyError("nothing"), OSError(errno.EMFILE, "Too many open files"), FileNotFoundError(2, "No", "x")])
    def test_a_fault_of_our_own_is_no_verdict(
        self, fault: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(prove, "_perform_all", Mock(side_effect=fault))
        assert main(["prove", "leader-election"]) == 3
        assert "a fault of holdwater itself, so there is no verdict" in capsys.readouterr().err

    def test_what_a_command_printed_reaches_no_terminal_raw(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failed = RunFailed("the command ended: \x1b[31mno\x1b[0m", "try \x07 by hand")
        monkeypatch.setattr(prove, "_perform_all", Mock(side_effect=failed))
        assert main(["prove", "leader-election"]) == 3
        assert capsys.readouterr().err == "holdwater prove: the command ended: \\x1b[31mno\\x1b[0m\nnext: try \\x07 by hand\n"

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            (("--kills", "0"), "must be 1 or more"),
            (("--kills", "x"), "'x' is no whole number"),
            (("--brokers", "1"), "a topic of replication factor 3 needs 3 brokers, not 1"),
            (("--replication-factor", "5"), "a topic of replication factor 5 needs 5 brokers, not 3"),
            (("--value-size", "31"), "it takes 32 or more"),
            (("--rate", "0"), "must be above 0"),
            (("--rate", "60000"), "measures itself"),
            (("--steady", "-1"), "0 or more"),
            (("--steady", "nan"), "'nan' is no number"),
            (("--min-controller-kills", "-1"), "0 or more"),
            (("--kill", "nobody"), "invalid choice"),
            (("--min-controller-kills", "2"), "2 controller kills do not fit into 1 kills"),
            (("--keys", "5"), "5 keys leave some of 6 partitions without any"),
            (("-X", "nonsense"), "'nonsense' is no key=value"),
            (("-X", "=1"), "'=1' is no key=value"),
            (("-X", "no.such.setting=1"), 'librdkafka refuses a client setting: No such configuration property: "no.such.setting"'),
            (("-X", "acks=7777777"), "librdkafka refuses a client setting"),
            (("--topic-config", "x"), "'x' is no key=value"),
            (("-c", "x"), "-c takes KEY=VALUE, not 'x'"),
            (("-c", "num.partition=3"), "num.partition is no broker setting; did you mean num.partitions?"),
            (("-c", "num.partitions=3", "-b", "h:1"), "--config sets up a cluster of our own"),
            (("--kill-command", "kill {id}"), "make sense with --bootstrap-server only"),
            (("-b", "localhost"), "'localhost' is no host:port"),
            (("-b", "localhost:1", "--kill-command", "kill it"), "has no {id} in it"),
            (("-b", "localhost:1", "--pid-file-pattern", "/run/kafka.pid"), "has no {id} in it"),
            (("-b", "localhost:1"), "must be able to kill and start a broker"),
        ],
    )
    def test_wrong_usage(self, arguments: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        said = refused(capsys, "prove", "leader-election", "--evidence", str(tmp_path / "evidence"), *arguments)
        assert why in said
        assert not (tmp_path / "evidence").exists()

    def test_one_folder_for_a_scenario_that_is_named_twice(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        said = refused(capsys, "prove", "leader-election", "leader-election", "--evidence", str(tmp_path / "evidence"))
        assert "--evidence has one folder for each scenario, and one is named twice\nnext: leave out --evidence" in said

    def test_nobody_at_the_address(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        commands = ("--kill-command", "true {id}", "--start-command", "true {id}", "--evidence", str(tmp_path / "evidence"))
        said = refused(capsys, "prove", "leader-election", "-b", "127.0.0.1:1", *commands)
        assert "no broker answers at 127.0.0.1:1" in said
        assert "next: check --bootstrap-server" in said

    def test_an_evidence_folder_that_is_in_use(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        (tmp_path / "x").write_text("")
        assert "is not empty" in refused(capsys, "prove", "leader-election", "--evidence", str(tmp_path))

    def test_judging_what_is_no_evidence(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert "is no evidence folder" in refused(capsys, "prove", "--judge", str(tmp_path))


def sealed(folder: Path) -> str:
    """A held run's evidence; returns its hash."""
    return seal(write_evidence(folder, a_killed_leader().history(), KAFKA))


def parts_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestJudgeAgain:
    def test_held(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        write_evidence(tmp_path / "e", a_killed_leader().history(), KAFKA)
        assert main(["prove", "--judge", str(tmp_path / "e"), "--junit", str(tmp_path / "junit.xml")]) == 0
        said = capsys.readouterr()
        assert said.out.startswith("HELD in this run")
        assert "has no SHA256SUMS, so nothing says whether it is what was recorded" in said.err
        assert "<testsuites" in (tmp_path / "junit.xml").read_text()

    def test_broken(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        write_evidence(tmp_path / "e", a_killed_leader().send(1, at_s=20).history(), KAFKA)
        assert main(["prove", "--judge", str(tmp_path / "e"), "--format", "json"]) == 1
        assert json.loads(capsys.readouterr().out)["verdict"] == "broken"

    def test_invalid(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        write_evidence(tmp_path / "e", Story().history(), KAFKA)
        assert main(["prove", "--judge", str(tmp_path / "e")]) == 3
        assert capsys.readouterr().out.startswith("INVALID in this run")

    def test_shows_the_hash_of_the_evidence_and_leaves_it_as_it_was(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        value = sealed(tmp_path / "e")
        before = parts_of(tmp_path)
        assert main(["prove", "--judge", str(tmp_path / "e")]) == 0
        said = capsys.readouterr()
        assert f"evidence  {tmp_path / 'e'}  (sha256 of SHA256SUMS: {value[:16]}...)" in said.out
        assert said.err == ""
        assert main(["prove", "--judge", str(tmp_path / "e"), "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["evidence_sha256"] == value
        assert parts_of(tmp_path) == before

    def test_evidence_that_was_altered_has_no_verdict(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        sealed(tmp_path / "e")
        (tmp_path / "e" / "history" / "log" / "log_records.offset.i64").unlink()
        (tmp_path / "e" / "samples.jsonl").write_text("{}\n")
        said = refused(capsys, "prove", "--judge", str(tmp_path / "e"), code=3)
        assert "evidence is incomplete or altered: history/log/log_records.offset.i64 is missing; samples.jsonl is not" in said
        assert "next: judge an untouched copy of the folder, or run the scenario again" in said

    @pytest.mark.parametrize(
        ("flags", "named"),
        [
            (("leader-election", "-X", "acks=1"), "leader-election, -X"),
            (("--bootstrap-server", "localhost:9092"), "--bootstrap-server"),
            (("-c", "a=b", "--topic-config", "c=d"), "--config, --topic-config"),
            (("--kills", "2", "--seed", "7", "--evidence", "x"), "--kills, --seed, --evidence"),
        ],
    )
    def test_what_it_cannot_use_is_refused(
        self, flags: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        sealed(tmp_path / "e")
        said = refused(capsys, "prove", *flags, "--judge", str(tmp_path / "e"))
        assert f"--judge has no use for {named}\nnext: " in said


class Finished:
    """In place of a run: its outcome is there at once, and what it was asked for can be seen."""

    def __init__(self, folder: Path) -> None:
        judgement = judge_folder(write_evidence(folder, a_killed_leader().history(), KAFKA))
        self.outcome = Outcome(judgement, document(judgement), "")
        self.runs = 0
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(self, *_: object) -> Outcome:
        self.runs += 1
        self.meanwhile()
        return self.outcome


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Finished:
    run = Finished(tmp_path / "finished")
    monkeypatch.setattr(prove, "_perform_one", run)
    monkeypatch.setattr(prove, "_InterruptOnce", lambda: None)
    return run


class TestJunit:
    def test_is_written_and_tried_before(self, finished: Finished, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        there_before: list[bool] = []
        finished.meanwhile = lambda: there_before.append((tmp_path / "junit.xml").exists())
        assert main(["prove", "leader-election", "--junit", str(tmp_path / "junit.xml")]) == 0
        assert there_before == [False], "trying leaves nothing behind"
        assert (tmp_path / "junit.xml").read_text().startswith('<?xml version="1.0" encoding="UTF-8"?>')

    def test_an_older_one_stays_until_the_end(self, finished: Finished, tmp_path: Path) -> None:
        (tmp_path / "junit.xml").write_text("older")
        seen: list[str] = []
        finished.meanwhile = lambda: seen.append((tmp_path / "junit.xml").read_text())
        assert main(["prove", "leader-election", "--junit", str(tmp_path / "junit.xml")]) == 0
        assert seen == ["older"]

    @pytest.mark.parametrize(
        ("name", "why"),
        [("absent/junit.xml", "No such file or directory"), ("folder", "Is a directory"), ("file/junit.xml", "Not a directory")],
    )
    @pytest.mark.parametrize("what", [("leader-election",), ("--judge", "finished")])
    def test_what_cannot_be_written_is_wrong_usage(
        self, what: tuple[str, ...], name: str, why: str, finished: Finished, capsys: pytest.CaptureFixture[str], tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        monkeypatch.chdir(tmp_path)
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").write_text("")
        said = refused(capsys, "prove", *what, "--junit", str(tmp_path / name))
        assert f"cannot write {tmp_path / name}: {why}\nnext: name another file with --junit" in said
        assert finished.runs == 0

    @pytest.mark.parametrize("folder", ["evidence", "evidence/deeper"])
    def test_the_folder_of_the_evidence_need_not_be_there_yet(self, folder: str, finished: Finished, tmp_path: Path) -> None:
        finished.meanwhile = lambda: (tmp_path / folder).mkdir(parents=True)
        flags = ("--evidence", str(tmp_path / folder), "--junit", str(tmp_path / "evidence" / "junit.xml"))
        assert main(["prove", "leader-election", *flags]) == 0
        assert (tmp_path / "evidence" / "junit.xml").exists()

    def test_the_verdict_is_shown_even_if_it_cannot_be_written_at_the_end(
        self, finished: Finished, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        (tmp_path / "out").mkdir()
        finished.meanwhile = (tmp_path / "out").rmdir
        assert main(["prove", "leader-election", "--junit", str(tmp_path / "out" / "junit.xml")]) == 3
        said = capsys.readouterr()
        assert said.out.startswith("HELD in this run")
        assert said.err == f"holdwater prove: cannot write {tmp_path / 'out' / 'junit.xml'}: No such file or directory\n"

    def test_it_does_not_overwrite_the_evidence_that_is_judged(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        sealed(tmp_path / "e")
        before = parts_of(tmp_path)
        for name in ("final.json", "SHA256SUMS", "../e/history/log/../../run.json"):
            said = refused(capsys, "prove", "--judge", str(tmp_path / "e"), "--junit", str(tmp_path / "e" / name))
            assert "is part of the evidence\nnext: name another file with --junit" in said
        assert parts_of(tmp_path) == before
        assert main(["prove", "--judge", str(tmp_path / "e"), "--junit", str(tmp_path / "e" / "junit.xml")]) == 0

    @pytest.mark.parametrize(
        "name", ["run.json", "report.html", "SHA256SUMS", "logs/junit.xml", "history/a/b.xml", "../evidence/verdict.json", "", ".."]
    )
    def test_it_does_not_take_the_place_of_evidence_that_is_still_to_come(
        self, name: str, finished: Finished, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        flags = ("--evidence", str(tmp_path / "evidence"), "--junit", str(tmp_path / "evidence" / name))
        assert "is part of the evidence\nnext: name another file with --junit" in refused(capsys, "prove", "leader-election", *flags)
        assert finished.runs == 0


class TestInterrupted:
    """Ctrl-C, which ``perform`` lets through when nothing more is recorded, or before anything is."""

    @pytest.fixture(autouse=True)
    def nothing_started(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(prove, "_InterruptOnce", lambda: None)
        monkeypatch.setattr(prove, "_target", lambda *_: SimpleNamespace(close=lambda: None))

    def ended(self, monkeypatch: pytest.MonkeyPatch, folder: Path, *, recorded: bool) -> None:
        def perform(request: Request, _: object) -> Outcome:
            if recorded:
                request.evidence.event("clock", step_ms=0)
                request.evidence.write_run({})
            raise KeyboardInterrupt

        monkeypatch.setattr("holdwater.prove.perform.perform", perform)
        assert main(["prove", "leader-election", "--evidence", str(folder)]) == 3

    def test_while_judging(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        folder = tmp_path / "my evidence"
        self.ended(monkeypatch, folder, recorded=True)
        said = capsys.readouterr().err
        assert f"holdwater prove: interrupted; the evidence in {folder} is complete\n" in said
        assert f"next: holdwater prove --judge '{folder}' judges it\n" in said

    @pytest.mark.parametrize(("verdict", "code"), [("held", 0), ("broken", 1)])
    def test_while_the_cluster_is_stopped(
        self, verdict: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        judgement = judge_folder(write_evidence(tmp_path / "judged", a_killed_leader().history(), KAFKA))
        outcome = Outcome(judgement, document(judgement) | {"verdict": verdict}, "")
        monkeypatch.setattr("holdwater.prove.perform.perform", lambda *_: outcome)
        monkeypatch.setattr(prove, "_target", lambda *_: SimpleNamespace(close=Mock(side_effect=KeyboardInterrupt)))
        assert main(["prove", "leader-election", "--evidence", str(tmp_path / "evidence")]) == code
        assert capsys.readouterr().out.startswith(f"{verdict.upper()} in this run")

    def test_before(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        self.ended(monkeypatch, tmp_path / "evidence", recorded=False)
        assert capsys.readouterr().err.endswith("holdwater prove: interrupted\n")


class TestAfterAVerdict:
    """A later scenario breaks off: what the earlier ones said stays, and the exit code knows of both."""

    TWICE = ("prove", "leader-election", "leader-election")

    @pytest.fixture(autouse=True)
    def breaks_off(self, finished: Finished, fault: BaseException) -> None:
        def fail_the_second() -> None:
            if finished.runs == 2:
                raise fault

        finished.meanwhile = fail_the_second

    @pytest.mark.parametrize(
        ("fault", "said_last", "code"),
        [
            (UsageError("the topic exists already", "name another"), "holdwater prove: the topic exists already\nnext: name another\n", 3),
            (RunFailed("no broker answers", "start one"), "holdwater prove: no broker answers\nnext: start one\n", 3),
            (KeyboardInterrupt(), "holdwater prove: interrupted\n", 3),
            (KeyError("nothing"), "next: please report it, with the lines above\n", 3),
        ],
    )
    def test_it_is_shown(self, said_last: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(self.TWICE) == code
        said = capsys.readouterr()
        assert said.out.startswith("HELD in this run")
        assert said.err.endswith(said_last)

    @pytest.mark.parametrize(
        ("fault", "said"),
        [
            (RunFailed("no broker answers", "start one"), "no broker answers"),
            (OSError(errno.ENOSPC, "No space left on device"), ""),
            (BrokenPipeError(), ""),
        ],
    )
    def test_broken_stays_broken(
        self, said: str, finished: Finished, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(prove, "write_no_more", lambda: None)
        finished.outcome.report["verdict"] = "broken"
        assert main(self.TWICE) == 1
        assert said in capsys.readouterr().err

    @pytest.mark.parametrize("fault", [RunFailed("no broker answers", "start one")])
    def test_no_page_is_green(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert main([*self.TWICE, "leader-election", "--format", "json", "--junit", str(tmp_path / "junit.xml")]) == 3
        shown = json.loads(capsys.readouterr().out)
        assert [report["verdict"] for report in shown["reports"]] == ["held"]
        assert shown["without_verdict"] == ["leader-election"] * 2
        suites = ET.parse(tmp_path / "junit.xml").findall("testsuite")
        assert [suite.get("errors") for suite in suites] == ["0", "1", "1"]
        assert [suite.get("name") for suite in suites[1:]] == ["leader-election"] * 2


class TestInterruptedBetween:
    """Ctrl-C while the first scenario's topic was deleted: it has its verdict, and the others are not begun."""

    @pytest.mark.parametrize(("verdict", "code"), [("held", 3), ("invalid", 3), ("broken", 1)])
    def test_what_has_no_verdict_is_not_green(
        self, verdict: str, code: int, finished: Finished, capsys: pytest.CaptureFixture[str]
    ) -> None:
        finished.outcome.report["verdict"] = verdict
        finished.outcome = replace(finished.outcome, interrupted=True)
        assert main(["prove", "leader-election", "leader-election", "--format", "json"]) == code
        said = capsys.readouterr()
        assert json.loads(said.out)["without_verdict"] == ["leader-election"]
        assert said.err == "holdwater prove: interrupted; leader-election has no verdict\n"
        assert finished.runs == 1

    def test_all_that_are_left_are_named(self, finished: Finished, capsys: pytest.CaptureFixture[str]) -> None:
        finished.outcome = replace(finished.outcome, interrupted=True)
        assert main(["prove", *["leader-election"] * 3]) == 3
        assert capsys.readouterr().err == "holdwater prove: interrupted; leader-election, leader-election have no verdict\n"

    def test_the_last_one(self, finished: Finished, capsys: pytest.CaptureFixture[str]) -> None:
        finished.outcome = replace(finished.outcome, interrupted=True)
        assert main(["prove", "leader-election"]) == 0
        assert capsys.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
class TestNothingCanBeWritten:
    """Standard output is closed or full: what was found stays found."""

    BROKEN, HELD = a_killed_leader().send(1, at_s=20), a_killed_leader()

    def ended(self, story: Story, folder: Path, output: str, *more: str) -> tuple[int, str]:
        """Exit code and standard error of a judgement whose standard output goes where the shell sends it."""
        seal(write_evidence(folder / "e", story.history(), KAFKA))
        judged = shlex.join([sys.executable, "-m", "holdwater.cli.main", "prove", "--judge", str(folder / "e"), *more])
        code = shlex.quote(str(folder / "code"))
        shell = f"{{ {judged} {output}; echo $? >&3; }} 3>{code}"
        if output == "| true":
            shell = f"{{ sleep 0.2; {judged}; echo $? >&3; }} 3>{code} | true"
        said = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False).stderr
        return int((folder / "code").read_text()), said

    @pytest.mark.parametrize(
        ("output", "said"),
        [
            (">/dev/full", "holdwater prove: cannot write: No space left on device\nnext: make room where the output goes\n"),
            ("| true", "holdwater prove: cannot write: Broken pipe\n"),
            (">&-", ""),
        ],
    )
    @pytest.mark.parametrize("more", [(), ("--format", "json")])
    def test_broken(self, output: str, said: str, more: tuple[str, ...], tmp_path: Path) -> None:
        assert self.ended(self.BROKEN, tmp_path, output, *more) == (1, said)

    @pytest.mark.parametrize(
        ("output", "code", "said"),
        [
            (">/dev/full", 3, "holdwater: cannot write: No space left on device\nnext: make room where the output goes\n"),
            ("| true", 3, ""),
            (">&-", 0, ""),
        ],
    )
    def test_held(self, output: str, code: int, said: str, tmp_path: Path) -> None:
        assert self.ended(self.HELD, tmp_path, output) == (code, said)

    def test_nor_can_errors(self, tmp_path: Path) -> None:
        assert self.ended(self.BROKEN, tmp_path / "broken", ">/dev/full 2>&1")[0] == 1
        assert self.ended(self.HELD, tmp_path / "held", ">/dev/full 2>&1")[0] == 3

    @pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(errno.EAGAIN, "Resource temporarily unavailable")])
    def test_whatever_keeps_it_from_being_told(
        self, failure: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        seal(write_evidence(tmp_path / "e", self.BROKEN.history(), KAFKA))
        monkeypatch.setattr(prove_shown, "write_no_more", lambda: None)
        monkeypatch.setattr(prove_shown, "_print", Mock(side_effect=failure))
        assert main(["prove", "--judge", str(tmp_path / "e")]) == 1
        assert "Traceback" not in capsys.readouterr().err

    def test_a_terminal_of_another_age(self, tmp_path: Path) -> None:
        write_evidence(tmp_path / "caf\u00e9", self.BROKEN.history(), KAFKA)
        judge = [sys.executable, "-m", "holdwater.cli.main", "prove", "--judge", str(tmp_path / "caf\u00e9")]
        environment = os.environ | {"PYTHONIOENCODING": "ascii"}
        ended = subprocess.run(judge, capture_output=True, text=True, check=False, env=environment)
        assert (ended.returncode, "caf\\xe9\n" in ended.stdout) == (1, True)

    def test_what_is_said_before_the_verdict_takes_it_not_away(self, tmp_path: Path) -> None:
        write_evidence(tmp_path / "e", self.BROKEN.history(), KAFKA)
        judge = [sys.executable, "-m", "holdwater.cli.main", "prove", "--judge", str(tmp_path / "e")]
        with Path("/dev/full").open("w") as full:
            ended = subprocess.run(judge, stdout=subprocess.PIPE, stderr=full, text=True, check=False)
        assert (ended.returncode, ended.stdout[:6]) == (1, "BROKEN")


def test_the_list_has_the_scenarios(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "--list"]) == 0
    assert capsys.readouterr().out.startswith("leader-election  kill -9")


def test_settings_go_to_the_client_that_knows_them() -> None:
    from holdwater.cli.prove_request import client_settings

    producer, consumer = client_settings(["acks=1", "fetch.wait.max.ms=7", "socket.timeout.ms=9", "linger.ms=3", "group.id=g"])
    assert producer == {"acks": "1", "socket.timeout.ms": "9", "linger.ms": "3"}
    assert consumer == {"fetch.wait.max.ms": "7", "socket.timeout.ms": "9", "group.id": "g"}
