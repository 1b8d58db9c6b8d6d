"""What stays of a run on a cluster that is not ours: its topic goes, unless somebody will want to look at it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from holdwater.prove import perform as module
from holdwater.prove.errors import RunFailed
from holdwater.prove.perform import Outcome, Request, perform


class Notes:
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


class Run:
    """In place of the session, the recording and the judgement."""

    leaves_topic, topic = True, "t"

    def __init__(self, *, verdict: str = "held", recording: BaseException | None = None, judging: BaseException | None = None) -> None:
        self.verdict, self.recording, self.judging = verdict, recording, judging
        self.removing: BaseException | None = None
        self.removed = 0

    def record(self, *_: object) -> bool:
        if self.recording is not None:
            raise self.recording
        return False

    def report(self, *_: object) -> Outcome:
        if self.judging is not None:
            raise self.judging
        judgement: Any = None
        return Outcome(judgement, {"verdict": self.verdict}, "")

    def remove_topic(self) -> str:
        self.removed += 1
        if self.removing is not None:
            raise self.removing
        return ""


def performed(run: Run, monkeypatch: pytest.MonkeyPatch) -> tuple[Outcome, Notes]:
    notes: Any = Notes()
    for name, stand_in in (("Session", lambda *_: run), ("_record", run.record), ("report_on", run.report)):
        monkeypatch.setattr(module, name, stand_in)
    monkeypatch.setattr(module, "require_abilities", lambda *_: None)
    scenario: Any = SimpleNamespace(name="x")
    target: Any = SimpleNamespace(abilities=frozenset)
    evidence: Any = SimpleNamespace(folder=Path())
    return perform(Request(scenario, target, evidence, 1), notes), notes


@pytest.mark.parametrize(("verdict", "removed"), [("held", 1), ("invalid", 1), ("broken", 0)])
def test_only_the_topic_of_a_broken_run_stays(verdict: str, removed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(verdict=verdict)
    outcome, notes = performed(run, monkeypatch)
    assert (outcome.report["verdict"], outcome.interrupted, run.removed) == (verdict, False, removed)
    assert notes.said == ([] if removed else ["the topic t stays on the cluster to be looked at: delete it by hand afterwards"])


@pytest.mark.parametrize("fault", [KeyError("nothing"), KeyboardInterrupt()])
def test_it_stays_while_nobody_knows_the_verdict(fault: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(judging=fault)
    with pytest.raises(type(fault)):
        performed(run, monkeypatch)
    assert run.removed == 0


def test_it_goes_when_there_is_nothing_to_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(recording=RunFailed("no broker answers", ""))
    with pytest.raises(RunFailed):
        performed(run, monkeypatch)
    assert run.removed == 1


def test_a_verdict_outlives_an_interruption_while_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    run.removing = KeyboardInterrupt()
    outcome, notes = performed(run, monkeypatch)
    assert (outcome.report["verdict"], outcome.interrupted) == ("held", True)
    assert notes.said == ["the topic t may stay on the cluster: interrupted while it was deleted"]
