"""What stays of a run on a cluster that is not ours: its topic goes, unless somebody will want to look at it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from holdwater.prove import perform as module
from holdwater.prove.errors import RunFailed, UsageError
from holdwater.prove.perform import Outcome, Recorded, Request, perform, require_as_wanted

PERFORMED = Recorded()


class Notes:
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


class Run:
    """In place of the session, the recording and the judgement."""

    leaves_topic, topic = True, "t"

    def __init__(
        self,
        *,
        verdict: str = "held",
        row: str = "held",
        ended: Recorded | BaseException = PERFORMED,
        judging: BaseException | None = None,
    ) -> None:
        self.verdict, self.row, self.ended, self.judging = verdict, row, ended, judging
        self.writes_began = True
        self.removing: BaseException | None = None
        self.removed = 0

    def record(self, *_: object) -> Recorded:
        if isinstance(self.ended, BaseException):
            raise self.ended
        return self.ended

    def report(self, *_: object) -> Outcome:
        if self.judging is not None:
            raise self.judging
        judgement: Any = None
        return Outcome(judgement, {"verdict": self.verdict, "expectations": [{"verdict": "held"}, {"verdict": self.row}]}, "")

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


@pytest.mark.parametrize(
    ("verdict", "row", "ended", "removed"),
    [
        ("held", "held", Recorded(), 1),
        ("broken", "broken", Recorded(), 0),
        ("invalid", "held", Recorded(), 1),
        ("invalid", "broken", Recorded(), 0),
        ("invalid", "skipped", Recorded(interrupted=True), 1),
        ("invalid", "broken", Recorded(interrupted=True), 0),
        ("invalid", "skipped", Recorded(failed=True), 0),
    ],
)
def test_only_the_topic_of_a_run_that_found_nothing_goes(
    verdict: str, row: str, ended: Recorded, removed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(verdict=verdict, row=row, ended=ended)
    outcome, notes = performed(run, monkeypatch)
    assert (outcome.report["verdict"], outcome.interrupted, run.removed) == (verdict, ended.interrupted, removed)
    assert notes.said == ([] if removed else ["the topic t stays on the cluster to be looked at: delete it by hand afterwards"])


@pytest.mark.parametrize("fault", [KeyError("nothing"), KeyboardInterrupt()])
def test_it_stays_while_nobody_knows_the_verdict(fault: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(judging=fault)
    with pytest.raises(type(fault)):
        performed(run, monkeypatch)
    assert run.removed == 0


@pytest.mark.parametrize("fault", [RunFailed("no broker answers", ""), KeyboardInterrupt(), KeyError("nothing")])
@pytest.mark.parametrize("writes_began", [True, False])
def test_it_goes_when_nothing_was_written(fault: BaseException, writes_began: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(ended=fault)
    run.writes_began = writes_began
    with pytest.raises(type(fault)):
        performed(run, monkeypatch)
    assert run.removed == (0 if writes_began else 1)


def test_a_topic_that_the_cluster_made_another_is_not_judged() -> None:
    wanted = {"retention.ms": "-1", "min.insync.replicas": "02", "segment.bytes": "1048576"}
    require_as_wanted({}, wanted)
    require_as_wanted({"retention.ms": "-1", "min.insync.replicas": "2", "segment.bytes": "7", "cleanup.policy": "compact"}, wanted)
    with pytest.raises(UsageError, match=r"created with retention\.ms=-1, and the cluster says that it has retention\.ms=604800000"):
        require_as_wanted({"retention.ms": "604800000"}, wanted)


def test_a_verdict_outlives_an_interruption_while_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    run.removing = KeyboardInterrupt()
    outcome, notes = performed(run, monkeypatch)
    assert (outcome.report["verdict"], outcome.interrupted) == ("held", True)
    assert notes.said == ["the topic t may stay on the cluster: interrupted while it was deleted"]
