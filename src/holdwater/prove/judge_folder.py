"""The verdict from an evidence folder alone: pure over its content, on any machine, without the cluster."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdwater.prove.evidence import read_run
from holdwater.prove.history.load import load_history
from holdwater.prove.judge.verdict import Judged, Plan, judge
from holdwater.prove.settings import Settings


@dataclass(frozen=True, slots=True)
class Judgement:
    """A judged folder: what the run was, and what came of it."""

    folder: Path
    run: dict[str, Any]
    judged: Judged


def judge_folder(folder: Path) -> Judgement:
    """Load and judge. Raises ``UsageError`` for what is no evidence folder."""
    run = read_run(folder)
    settings = Settings.from_json(run["settings"])
    history = load_history(folder, settings, run["origin_ns"])
    return Judgement(folder, run, judge(history, settings, Plan.from_json(run["plan"])))
