"""One run from start to verdict: prepare the evidence, perform the scenario, stop everything, judge the folder, write the reports."""

import json
import shlex
import shutil
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from holdwater.prove.errors import RunFailed, UsageError
from holdwater.prove.evidence import REPORT_PAGE, REPORT_TEXT, RUN, VERDICT, Evidence, seal, without_secrets, write_whole
from holdwater.prove.history.payload import mix
from holdwater.prove.judge.verdict import BROKEN
from holdwater.prove.judge_folder import Judgement, judge_folder
from holdwater.prove.observe.settings_reader import read_broker_settings, read_topic_settings, unlike_wanted
from holdwater.prove.progress import Progress
from holdwater.prove.report import html, text
from holdwater.prove.report.document import document, versions
from holdwater.prove.run import Run
from holdwater.prove.scenario import Scenario
from holdwater.prove.session import Session
from holdwater.prove.settings import Settings
from holdwater.prove.target import Target


@dataclass(frozen=True, slots=True)
class Request:
    """What to run, on what, and where to keep it."""

    scenario: Scenario
    target: Target
    evidence: Evidence
    seed: int
    argv: list[str] = field(default_factory=list[str])
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run: its report, and the hash of its evidence."""

    judgement: Judgement
    report: dict[str, Any]
    evidence_hash: str
    interrupted: bool = False


class Recorded(NamedTuple):
    """How the recording ended: by the user, or because it could not go on. Neither: the scenario was performed."""

    interrupted: bool = False
    failed: bool = False


def require_abilities(scenario: Scenario, abilities: frozenset[str]) -> None:
    """Raises ``UsageError`` when the target cannot do what the scenario needs."""
    missing = scenario.needs - abilities
    if missing:
        raise UsageError(
            f"{scenario.name} must be able to {' and '.join(sorted(missing))} a broker of the target",
            "name the commands: --kill-command, --start-command (or --pid-file-pattern for signals)",
        )


def perform(request: Request, progress: Progress) -> Outcome:
    """Run, judge and report. ``UsageError`` when it could not begin; a run that broke off is reported as invalid, also after Ctrl-C."""
    scenario, target, evidence = request.scenario, request.target, request.evidence
    require_abilities(scenario, target.abilities())
    run_id = mix(request.seed, 0, time.time_ns() & 0xFFFFFFFF)
    topic = request.topic or f"holdwater-{scenario.name}-{run_id:016x}"[:60]
    session = Session(scenario, target, evidence, topic, run_id, request.seed)
    recorded, report = Recorded(), dict[str, Any]()
    try:
        recorded = _record(request, session, progress)
        outcome = report_on(evidence.folder, progress)
        report = outcome.report
    finally:
        keep = session.writes_began and (recorded.failed or not _found_nothing(report))
        cleared = not session.leaves_topic or _clear(session, progress, keep=keep)
    return replace(outcome, interrupted=recorded.interrupted or not cleared)


def _found_nothing(report: dict[str, Any]) -> bool:
    """Whether there is a verdict and nothing is broken, so that nobody will want to look at the log. An invalid run can have a finding, too."""
    return bool(report) and report["verdict"] != BROKEN and all(row["verdict"] != BROKEN for row in report["expectations"])


def _record(request: Request, session: Session, progress: Progress) -> Recorded:
    """Perform the scenario, and stop everything. Raises what broke it off before there was anything to judge, and every fault of our own."""
    scenario, target, evidence = request.scenario, request.target, request.evidence
    run = Run(scenario, target, session, request.seed, progress)
    ended: BaseException | None = None
    try:
        progress.phase("preparing: brokers, topic, settings")
        session.open()
        _write_run(request, session)
        session.start()
        run.perform()
    except RunFailed as failure:
        ended = failure
        evidence.event("failed", step="", reason=str(failure), next=failure.next_step)
        progress.note(f"the run cannot go on: {failure}")
    except KeyboardInterrupt as interrupt:
        ended = interrupt
        evidence.event("interrupted")
        progress.note("interrupted: stopping what was started")
    finally:
        run.restore()
        session.close()
        _keep_logs(target, evidence)
        evidence.close()
    if ended is not None and not (evidence.folder / RUN).exists():
        raise ended
    return Recorded(interrupted=isinstance(ended, KeyboardInterrupt), failed=isinstance(ended, RunFailed))


def _clear(session: Session, progress: Progress, *, keep: bool) -> bool:
    """Leave nothing on a cluster that is not ours, but for a log in which something is broken, or may be: somebody will want to look at it.

    Returns whether it was left to end.
    """
    if keep:
        progress.note(f"the topic {session.topic} stays on the cluster to be looked at: delete it by hand afterwards")
        return True
    try:
        why = session.remove_topic()
    except KeyboardInterrupt:
        progress.note(f"the topic {session.topic} may stay on the cluster: interrupted while it was deleted")
        return False
    if why:
        progress.note(f"the topic {session.topic} stays on the cluster, delete it by hand: {why}")
    return True


def _write_run(request: Request, session: Session) -> None:
    broker, notes = read_broker_settings(session.nodes)
    topic = read_topic_settings(session.nodes, session.topic)
    require_as_wanted(topic, request.scenario.topic.configs)
    work = request.scenario.workload
    kind = "holdwater" if request.target.kind == "holdwater" or any(key.startswith("holdwater.") for key in broker) else "kafka"
    settings = Settings(
        kind=kind,
        broker=broker,
        topic=without_secrets(topic),
        producer=without_secrets(work.producer),
        consumer=without_secrets(work.consumer),
    )
    count = f"{len(session.nodes)} broker{'s' if len(session.nodes) > 1 else ''}"
    name = f"{count} of {'holdwater' if kind == 'holdwater' else 'a Kafka cluster'} at {request.target.bootstrap()}"
    session.evidence.write_run(
        {
            "argv": request.argv,
            "repeat": shlex.join(["holdwater", *request.argv]) + ("" if "--seed" in request.argv else f" --seed {request.seed}"),
            "versions": versions(),
            "seed": request.seed,
            "run_id": session.run_id,
            "topic": session.topic,
            "topic_id": session.topic_id,
            "origin_ns": session.origin_ns,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "target": {"name": name, "kind": kind, "brokers": list(session.brokers), **request.target.describe()},
            "scenario": request.scenario.as_json(),
            "plan": request.scenario.plan().as_json(),
            "settings": settings.as_json(),
            "notes": notes,
        }
    )


def require_as_wanted(told: dict[str, str], wanted: dict[str, str]) -> None:
    """Raises ``UsageError`` when the cluster made the topic another one than was asked for."""
    for key, value in unlike_wanted(told, wanted).items():
        raise UsageError(
            f"the topic was created with {key}={wanted[key]}, and the cluster says that it has {key}={value}, so it could not be judged",
            f"let the cluster grant that setting (a policy of its own may overrule it), or give --topic-config {key} as it allows",
        )


def _keep_logs(target: Target, evidence: Evidence) -> None:
    """Copy the brokers' logs, where they are ours, into the evidence."""
    for name, path in target.logs().items():
        try:
            shutil.copyfile(path, evidence.logs / name)
        except OSError as error:
            evidence.event("log-not-kept", name=name, why=str(error))


def report_on(folder: Path, progress: Progress) -> Outcome:
    """Judge a folder, and write the report into it in every form. The hash is over all of it."""
    progress.phase("judging")
    judgement = judge_folder(folder)
    report = document(judgement)
    write_whole(folder / VERDICT, json.dumps(report, indent=1) + "\n")
    write_whole(folder / REPORT_TEXT, text.render(report))
    write_whole(folder / REPORT_PAGE, html.render(report, judgement.judged))
    return Outcome(judgement, report, seal(folder))
