"""The report in all its forms, made from evidence folders of hand-written histories."""

import errno
import json
import os
import stat
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from tests.support.evidence import write_evidence
from tests.support.json_schema import problems
from tests.support.story import Story, a_killed_leader, view

from holdwater.prove.errors import UsageError
from holdwater.prove.evidence import Evidence, read_run, seal, without_secrets
from holdwater.prove.history.columns import SENDS, ColumnWriter
from holdwater.prove.judge_folder import Judgement, judge_folder
from holdwater.prove.report import html, junit, schema_file, text
from holdwater.prove.report.document import document, exit_code
from holdwater.prove.settings import Settings

KAFKA = Settings(broker={"broker.session.timeout.ms": "9000"}, producer={"enable.idempotence": "true"})


def held() -> Story:
    story = a_killed_leader()
    for broker in (1, 2, 3):
        story.sample(0.1, broker, view(hw=0 if broker == 1 else -1), controller=2)
        story.sample(11, broker, view(leader=2, epoch=1, isr=(2, 3), hw=100 if broker == 2 else -1), controller=2)
        story.sample(16, broker, view(leader=2, epoch=1, hw=111 if broker == 2 else -1), controller=2)
    return story


def broken() -> Story:
    story = held().send(2, at_s=20)
    return story.log([5], base_sequence=5).read(111, 5)


def invalid() -> Story:
    return held().event("unexpected", 3, what="broker 2 was <away> & out", next="look & see")


def judged(story: Story, folder: Path) -> Judgement:
    return judge_folder(write_evidence(folder, story.history(), KAFKA))


def report_of(story: Story, folder: Path) -> dict[str, Any]:
    return document(judged(story, folder))


class TestDocument:
    @pytest.mark.parametrize("story", [held, broken, invalid, Story])
    def test_fits_its_schema(self, story: Any, tmp_path: Path) -> None:
        report = json.loads(json.dumps(report_of(story(), tmp_path)))
        assert problems(report, json.loads(schema_file().read_text())) == []

    def test_a_folder_gives_the_verdict_that_memory_gives(self, tmp_path: Path) -> None:
        assert report_of(held(), tmp_path / "h")["verdict"] == "held"
        report = report_of(broken(), tmp_path / "b")
        assert report["verdict"] == "broken"
        assert {finding["class"]: finding["count"] for finding in report["findings"]} == {"lost-write": 2, "duplicate-by-cluster": 1}
        assert report_of(invalid(), tmp_path / "i")["verdict"] == "invalid"

    def test_the_summary_counts_what_is_in_the_log(self, tmp_path: Path) -> None:
        assert report_of(broken(), tmp_path / "b")["summary"].startswith("113 acknowledged, 111 of them in the log; 112 read")
        story = held()
        story.logs[0].end_offset += 1
        assert report_of(story, tmp_path / "c")["summary"].endswith("the log was not read to its end")

    def test_the_timeline_tells_faults_and_leaders_in_order(self, tmp_path: Path) -> None:
        timeline = report_of(held(), tmp_path)["timeline"]
        assert [line["at_s"] for line in timeline] == sorted(line["at_s"] for line in timeline)
        kinds = [line["kind"] for line in timeline]
        assert kinds.index("kill") < kinds.index("partition") < kinds.index("start")

    def test_exit_codes(self) -> None:
        assert [exit_code([verdict]) for verdict in ("held", "broken", "invalid", "skipped")] == [0, 1, 3, 3]
        assert exit_code(["held", "invalid", "broken"]) == 1
        assert exit_code(["held", "invalid"]) == 3


class TestText:
    def test_says_verdict_expectations_and_how_to_repeat(self, tmp_path: Path) -> None:
        said = text.render(report_of(held(), tmp_path), "ab" * 32)
        assert said.startswith("HELD in this run: leader-election on 3 brokers of a Kafka cluster")
        assert "acknowledged writes lost" in said
        assert "<= 21,000 ms  2,000 ms  held" in said
        assert "broker.session.timeout.ms=9000" in said
        assert "repeat    holdwater prove leader-election --seed 7" in said
        assert "abababab" in said

    def test_says_what_was_found_and_why(self, tmp_path: Path) -> None:
        said = text.render(report_of(broken(), tmp_path))
        assert "lost-write: 2 (p0 111..112)" in said
        assert "duplicate-by-cluster: 1 (p0 111)" in said
        assert "A fault of the cluster." in said.replace("\n", " ")

    def test_says_why_a_run_is_invalid_and_what_to_do(self, tmp_path: Path) -> None:
        said = text.render(report_of(invalid(), tmp_path))
        assert "invalid: broker 2 was <away> & out" in said
        assert "next: look & see" in said

    def test_stays_within_its_width(self, tmp_path: Path) -> None:
        report = report_of(broken(), tmp_path)
        report["evidence"] = report["repeat"] = "-"
        assert max(len(line) for line in text.render(report).splitlines()) <= text.WIDTH


class TestJUnit:
    def suite(self, story: Story, folder: Path) -> ET.Element:
        suite = ET.fromstring(junit.render([report_of(story, folder)])).find("testsuite")
        assert suite is not None
        return suite

    def test_a_case_for_each_expectation(self, tmp_path: Path) -> None:
        suite = self.suite(held(), tmp_path)
        assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("0", "0", "0")
        expected = len(report_of(held(), tmp_path / "again")["expectations"])
        assert suite.get("tests") == str(len(suite.findall("testcase"))) == str(expected)
        assert {one.get("name"): one.get("value") for one in suite.iter("property")}["seed"] == "7"

    def test_broken_is_a_failure_and_invalid_an_error(self, tmp_path: Path) -> None:
        suite = self.suite(broken(), tmp_path / "b")
        assert [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None] == [
            "acknowledged writes lost",
            "stored twice by the cluster",
        ]
        errors = [case for case in self.suite(invalid(), tmp_path / "i").iter("testcase") if case.find("error") is not None]
        assert [case.get("name") for case in errors] == ["valid run: others"]

    @pytest.mark.parametrize(("verdict", "tag"), [("broken", "failure"), ("invalid", "error"), ("skipped", "skipped"), ("held", None)])
    def test_what_a_row_says_stands_in_its_case(self, verdict: str, tag: str | None, tmp_path: Path) -> None:
        report = report_of(held(), tmp_path)
        report["expectations"] = [report["expectations"][0] | {"verdict": verdict, "actual": None, "reason": "no high watermark was seen"}]
        suite = ET.fromstring(junit.render([report])).find("testsuite")
        assert suite is not None
        case = suite.find("testcase")
        assert case is not None
        message = "expected 0, actual -" + ("" if tag == "failure" else ": no high watermark was seen")
        shown = [(child.tag, child.get("message"), child.text) for child in case]
        assert shown == ([(tag, message, "no high watermark was seen")] if tag else [])

    def test_a_flawed_run_fails_by_nothing_that_its_flaw_may_have_brought_about(self, tmp_path: Path) -> None:
        story = a_killed_leader(pause_s=40).event("unexpected", 3, what="broker 2 was away", next="look")
        suite = self.suite(story, tmp_path)
        assert suite.get("failures") == "0"
        assert int(str(suite.get("errors"))) >= 1


RAW = "\x1b[31mNo such container\x1b[0m\r\x00\x07\x7f\x9b\ufffe\udc80 <&> caf\u00e9 \U0001f980"
SHOWN = "\\x1b[31mNo such container\\x1b[0m\\x0d\\x00\\x07\\x7f\\x9b\\ufffe\\udc80 <&> caf\u00e9 \U0001f980"


class TestCharacters:
    """What a command printed on standard error stands in a reason: it must not make a file unreadable, nor reach a terminal raw."""

    def story(self) -> Story:
        return held().event("failed", 12, step="", reason=RAW, next=RAW)

    def report(self, folder: Path) -> dict[str, Any]:
        report = report_of(self.story(), folder)
        first = report["expectations"][0] | {"name": RAW, "verdict": "broken", "reason": RAW}
        return report | {"expectations": [first], "repeat": RAW, "evidence": RAW, "not_tested": [RAW]}

    def test_junit_is_well_formed_and_says_it(self, tmp_path: Path) -> None:
        content = junit.render([self.report(tmp_path)], [RAW])
        root = ET.fromstring(content.encode())
        assert {failure.text for failure in root.iter("failure")} == {SHOWN}
        assert SHOWN in {case.get("name") for case in root.iter("testcase")}
        assert {suite.get("name") for suite in root.iter("testsuite")} >= {SHOWN}
        assert {one.get("value") for one in root.iter("property") if one.get("name") == "repeat"} == {SHOWN}
        assert f"invalid: {SHOWN}" in str(root.findtext("testsuite/system-out"))

    def test_no_terminal_is_told_anything(self, tmp_path: Path) -> None:
        said = text.render(self.report(tmp_path))
        assert f"invalid: {SHOWN}" in said
        assert not [character for character in said if not character.isprintable() and character != "\n"]

    def test_the_page_can_be_written(self, tmp_path: Path) -> None:
        judgement = judged(self.story(), tmp_path)
        content = html.render(self.report(tmp_path / "again"), judgement.judged)
        content.encode()
        assert escape(SHOWN) in content
        assert not [character for character in content if not character.isprintable() and character != "\n"]

    def test_the_document_keeps_it_as_it_was(self, tmp_path: Path) -> None:
        assert RAW in [flaw["reason"] for flaw in report_of(self.story(), tmp_path)["invalid"]]


class TestReasons:
    """Why a row is skipped or invalid stands below it; what is said of many rows, once."""

    def report(self, folder: Path) -> dict[str, Any]:
        report = report_of(held(), folder)
        row = report["expectations"][0] | {"bound": None, "actual": None}
        rows = [
            row | {"name": "one", "verdict": "skipped", "reason": "no high watermark was seen"},
            row | {"name": "two", "verdict": "invalid", "reason": "the judge did not see everything"},
            row | {"name": "three", "verdict": "invalid", "reason": "the judge did not see everything"},
            row | {"name": "four", "verdict": "invalid", "reason": "round 1: the run was flawed"},
            row | {"name": "five", "verdict": "held", "reason": "nothing to tell"},
            row | {"name": "six", "verdict": "broken", "reason": "the same cause"},
            row | {"name": "seven", "verdict": "broken", "reason": "the same cause"},
        ]
        return report | {"expectations": rows}

    def test_in_the_text(self, tmp_path: Path) -> None:
        said = [line.split() for line in text.render(self.report(tmp_path)).splitlines()]
        begin = said.index(["expectation", "expected", "actual", "verdict"])
        assert [" ".join(words) for words in said[begin + 1 : begin + 13]] == [
            "one 0 - skipped",
            "no high watermark was seen",
            "two 0 - invalid",
            "the judge did not see everything",
            "three 0 - invalid",
            "four 0 - invalid",
            "round 1: the run was flawed",
            "five 0 - held",
            "six 0 - broken",
            "the same cause",
            "seven 0 - broken",
            "the same cause",
        ]

    def test_on_the_page(self, tmp_path: Path) -> None:
        content = html.render(self.report(tmp_path / "r"), judged(held(), tmp_path / "j").judged)
        assert [content.count(f"<div>{reason}</div>") for reason in self.once()] == [1, 1, 1, 0, 2]

    def once(self) -> list[str]:
        return [
            "no high watermark was seen",
            "the judge did not see everything",
            "round 1: the run was flawed",
            "nothing to tell",
            "the same cause",
        ]


class Page(HTMLParser):
    """Checks that what is opened is closed, and collects what is there."""

    VOID = frozenset({"meta", "br", "line", "rect", "polyline", "link", "img", "input", "hr"})

    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID or tag in ("line", "rect", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


class TestPage:
    def page(self, story: Story, folder: Path) -> tuple[str, Page]:
        judgement = judged(story, folder)
        content = html.render(document(judgement), judgement.judged)
        return content, Page(content)

    @pytest.mark.parametrize("story", [held, broken, invalid, Story])
    def test_is_whole_and_needs_nothing_else(self, story: Any, tmp_path: Path) -> None:
        content, page = self.page(story(), tmp_path)
        assert not [tag for tag, _ in page.tags if tag in ("script", "link", "img", "iframe")]
        assert "http" not in content.replace("http-equiv", "")
        assert not any(name in attributes for _, attributes in page.tags for name in ("src", "href", "onclick"))

    def test_has_the_five_pictures(self, tmp_path: Path) -> None:
        _, page = self.page(held(), tmp_path)
        labels = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg" and "aria-label" in attributes]
        assert [str(label).split()[0] for label in labels] == ["Writes", "Times", "Leader", "Number", "High"]

    def test_the_pictures_show_the_kill_and_what_it_did(self, tmp_path: Path) -> None:
        content, page = self.page(held(), tmp_path)
        said = "|".join(page.text)
        assert "p0: nothing acknowledged for 2,000 ms, from 10.00 s" in said
        assert "p0: broker 2 at leader epoch 1, from 11.00 s" in said
        assert "p0: ISR [2, 3], from 11.00 s" in said
        assert "kill 1 at 10.00 s" in said
        assert content.count("<polyline") == 4

    def test_figures_stand_to_the_right_and_legends_apart(self, tmp_path: Path) -> None:
        content, page = self.page(held(), tmp_path)
        assert '<th scope="col" class=figure>actual</th>' in content
        assert "<td class=figure>2,000 ms</td>" in content
        assert '<th scope="col" class=figure>write pause ms</th>' in content
        assert '<th scope="col">it led</th>' in content
        assert "fault started again All pictures" in " ".join("".join(page.text).split())

    def test_a_run_without_pauses_says_so(self, tmp_path: Path) -> None:
        content, _ = self.page(held(), tmp_path / "pauses")
        assert "there were none" not in content
        content, _ = self.page(Story().send(1, at_s=1), tmp_path / "none")
        assert "none was acknowledged (there were none)" in content

    def test_nothing_gets_through_unescaped(self, tmp_path: Path) -> None:
        content, _ = self.page(invalid(), tmp_path)
        assert "broker 2 was &lt;away&gt; &amp; out" in content
        assert "<away>" not in content


class TestEvidence:
    def test_sums_cover_every_file(self, tmp_path: Path) -> None:
        write_evidence(tmp_path, held().history(), KAFKA)
        first = seal(tmp_path)
        listed = {line.split("  ")[1] for line in (tmp_path / "SHA256SUMS").read_text().splitlines()}
        assert listed == {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} - {"SHA256SUMS"}
        assert seal(tmp_path) == first
        (tmp_path / "timeline.jsonl").write_text("")
        assert seal(tmp_path) != first

    def test_a_folder_that_is_not_empty_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "mine").write_text("x")
        with pytest.raises(UsageError, match="is not empty"):
            Evidence(tmp_path)

    def test_secrets_are_not_kept(self) -> None:
        hidden = without_secrets({"sasl.password": "a", "ssl.key.pem": "b", "client.id": "c", "sasl.oauthbearer.client.secret": "d"})
        assert hidden == {
            "sasl.password": "(hidden)",
            "ssl.key.pem": "(hidden)",
            "client.id": "c",
            "sasl.oauthbearer.client.secret": "(hidden)",
        }

    def test_events_of_a_closed_folder_are_dropped(self, tmp_path: Path) -> None:
        evidence = Evidence(tmp_path / "e")
        evidence.event("phase", name="a")
        evidence.close()
        evidence.event("phase", name="b")
        assert len((tmp_path / "e" / "timeline.jsonl").read_text().splitlines()) == 1

    def test_what_final_json_speaks_of_is_on_the_disk_before_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        evidence = Evidence(tmp_path / "e")
        with ColumnWriter(evidence.history / "producer-0", SENDS) as sends:
            sends.append(0, 0, 0, 7)
        synced: list[tuple[Path, bool]] = []
        final = evidence.folder / "final.json"
        monkeypatch.setattr(os, "fsync", lambda number: synced.append((Path(os.readlink(f"/proc/self/fd/{number}")), final.exists())))
        evidence.write_final({}, {0: 1}, rows={"producer-0": {"sends": 1}})
        evidence.close()
        before = {path for path, is_there in synced if not is_there}
        assert {*(evidence.history / "producer-0").iterdir(), evidence.history / "producer-0", evidence.history} < before
        assert evidence.folder in {path for path, is_there in synced if is_there}
        assert {evidence.folder / "timeline.jsonl", evidence.folder / "samples.jsonl"} < {path for path, _ in synced}
        assert json.loads(final.read_text()) == {
            "partitions": {},
            "positions": {"0": 1},
            "topic_id": "",
            "rows": {"producer-0": {"sends": 1}},
        }

    def test_a_file_system_that_syncs_no_folders(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fsync(number: int) -> None:
            if stat.S_ISDIR(os.fstat(number).st_mode):
                raise OSError(errno.EINVAL, "Invalid argument")

        monkeypatch.setattr(os, "fsync", fsync)
        evidence = Evidence(tmp_path / "e")
        evidence.write_final({}, {})
        evidence.close()
        assert "rows" not in json.loads((tmp_path / "e" / "final.json").read_text())

    @pytest.mark.parametrize(
        ("content", "why"), [(None, "is no evidence folder"), ("{", "cannot read"), ('{"schema": 99}', "has schema 99")]
    )
    def test_what_is_no_evidence_folder(self, content: str | None, why: str, tmp_path: Path) -> None:
        if content is not None:
            (tmp_path / "run.json").write_text(content)
        with pytest.raises(UsageError, match=why):
            read_run(tmp_path)
