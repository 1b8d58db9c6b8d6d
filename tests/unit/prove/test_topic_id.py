"""The id of the run's topic, kept from its beginning to its end: a topic that somebody made anew has another one."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.support.evidence import write_evidence
from tests.support.story import a_killed_leader, view

from holdwater.prove.evidence import Evidence
from holdwater.prove.history.load import sample_row
from holdwater.prove.history.model import Sample
from holdwater.prove.judge_folder import judge_folder
from holdwater.prove.observe import sampler as module
from holdwater.prove.observe.sampler import Sampler
from holdwater.prove.settings import Settings
from holdwater.rpc.calls import Node, TopicState

BEFORE, AFTER = "BwcHBwcHBwcHBwcHBwcHBw", "CAgICAgICAgICAgICAgICA"


def change(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_from_the_evidence_to_the_judge(tmp_path: Path) -> None:
    history = a_killed_leader().history()
    history.samples = [*history.samples, Sample(history.samples[-1].time_ns + 1, 1, True, -1, -1, (view(),), AFTER)]
    folder = write_evidence(tmp_path / "e", history, Settings())
    change(folder / "run.json", topic_id=BEFORE)
    change(folder / "final.json", topic_id=AFTER)
    loaded = judge_folder(folder).judged.history
    assert (loaded.topic_id, loaded.samples[-1].topic_id, loaded.final_topic_id) == (BEFORE, AFTER, AFTER)


def test_evidence_of_before_there_were_ids(tmp_path: Path) -> None:
    folder = write_evidence(tmp_path / "e", a_killed_leader().history(), Settings())
    for name in ("run.json", "final.json"):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({key: value for key, value in content.items() if key != "topic_id"}))
    rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    lines = [json.dumps({key: value for key, value in row.items() if key != "topic_id"}) + "\n" for row in rows]
    (folder / "samples.jsonl").write_text("".join(lines))
    loaded = judge_folder(folder).judged.history
    assert (loaded.topic_id, {sample.topic_id for sample in loaded.samples}, loaded.final_topic_id) == ("", {""}, "")


def test_it_is_written(tmp_path: Path) -> None:
    evidence = Evidence(tmp_path / "e")
    evidence.sample(Sample(1, 2, True, -1, -1, (), BEFORE))
    evidence.write_final({}, {}, AFTER)
    evidence.close()
    assert json.loads((tmp_path / "e" / "samples.jsonl").read_text())["topic_id"] == BEFORE
    assert json.loads((tmp_path / "e" / "final.json").read_text())["topic_id"] == AFTER
    assert sample_row(Sample(1, 2, False, -1, -1, ()))["topic_id"] == ""


@pytest.mark.parametrize(("described", "topic_id"), [(TopicState(b"\x07" * 16, ()), BEFORE), (TopicState(bytes(16), ()), ""), (None, "")])
def test_every_sample_has_it(described: TopicState | None, topic_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "describe_topic", lambda *_: described)
    node, connection = Node(1, "h", 1), object()
    one: Any = Sampler([], "t", lambda _: None, threading.Condition())
    assert one._ask(connection, node, -1, -1).topic_id == topic_id
