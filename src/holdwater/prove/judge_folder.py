"""The verdict from an evidence folder alone: pure over its content, on any machine, without the cluster."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdwater.prove.evidence import RUN, read_run
from holdwater.prove.history.damage import EvidenceDamaged, reading
from holdwater.prove.history.load import load_history, read_events
from holdwater.prove.history.parts import was_recorded_whole
from holdwater.prove.judge.verdict import Judged, Plan, judge
from holdwater.prove.settings import Settings
from holdwater.prove.sums import check_sums

_SHOWN = ("target", "seed", "versions", "repeat")


@dataclass(frozen=True, slots=True)
class Judgement:
    """A judged folder: what the run was, and what came of it. ``evidence_hash`` is empty when the folder was not sealed."""

    folder: Path
    run: dict[str, Any]
    judged: Judged
    evidence_hash: str = ""


def judge_folder(folder: Path) -> Judgement:
    """Load and judge; writes nothing. Raises ``UsageError`` for what is no evidence folder, ``EvidenceDamaged`` for one that was altered."""
    evidence_hash = check_sums(folder)
    with reading(RUN):
        run = read_run(folder)
        settings, plan, origin_ns = Settings.from_json(run["settings"]), Plan.from_json(run["plan"]), int(run["origin_ns"])
        writers = int(run["scenario"]["workload"]["writers"])
        for key in _SHOWN:  # what the report takes from it later must be there too
            run[key]
    history = load_history(folder, settings, origin_ns, writers=writers, topic_id=str(run.get("topic_id", "")))
    return Judgement(folder, run, judge(history, settings, plan), evidence_hash)


def was_recorded(folder: Path) -> bool:
    """Whether a run has recorded all that it will, so that its folder can be judged: the clocks are what it notes last. Never raises."""
    try:
        return (folder / RUN).is_file() and was_recorded_whole(read_events(folder))
    except EvidenceDamaged:
        return False
