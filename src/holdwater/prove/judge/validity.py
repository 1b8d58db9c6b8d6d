"""When a run has no verdict. Each reason says what was wrong with the run; ``blinds`` tells those that also take findings their ground.

A reason that blinds means that the judge did not see everything (a log not read to its end, a consumer that was not finished, a topic that
had data), so an absence proves nothing. The others leave findings standing: a lost write in an invalid run is a lost write.
"""

from typing import NamedTuple

from holdwater.prove.history.model import History, PartitionLog
from holdwater.prove.judge.figures import ok_before_and_after
from holdwater.prove.judge.rounds import Round

CLOCK_STEP_MS = 50
LOOP_STALL_MS = 500
_FOLLOWS = "it follows from what is said above"


class Flaw(NamedTuple):
    """Why a run is invalid, and what to do about it."""

    rule: str
    reason: str
    next_step: str
    blinds: bool = False


def flaws(history: History, found: list[Round], *, planned_rounds: int, ok_before: int, ok_after: int) -> list[Flaw]:
    """Everything that makes the run invalid; empty for a valid one. ``ok_before`` and ``ok_after`` are the acknowledgements asked for."""
    course = _of_the_course(history, found, planned_rounds)
    others = [*_of_others(history), *_of_the_clock(history)]
    faults = _of_the_faults(found)
    rest = [
        *_of_the_amount(history, found, planned_rounds, ok_before, ok_after),
        *_of_the_final_read(history),
    ]
    if course:
        rest = [flaw._replace(next_step=_FOLLOWS) for flaw in rest]
    return [*course, *others, *faults, *rest]


def _of_the_course(history: History, found: list[Round], planned_rounds: int) -> list[Flaw]:
    flawed: list[Flaw] = []
    told = {str(event.detail["what"]) for event in history.events_of("unexpected")}
    for event in history.events_of("failed"):
        detail = event.detail
        if detail["reason"] in told:
            continue
        step = f"step '{detail['step']}' " if detail.get("step") else ""
        flawed.append(Flaw("step", f"{step}{detail['reason']}", str(detail.get("next", "see timeline.jsonl in the evidence"))))
    flawed += [
        Flaw("interrupted", f"the run was interrupted {history.seconds(event.time_ns)} s after its start", "run it again", True)
        for event in history.events_of("interrupted")
    ]
    if len(found) < planned_rounds and not flawed and not told and all(one.whole_ns for one in found):
        flawed.append(Flaw("rounds", f"{len(found)} of {planned_rounds} rounds took place", "see timeline.jsonl in the evidence"))
    if planned_rounds and not flawed and not any(sample.partitions for sample in history.samples):
        reason = "no broker was seen to say who leads and who is in sync, so nothing is known of leader epochs and high watermarks"
        flawed.append(Flaw("samples", reason, "see samples.jsonl in the evidence"))
    for event in history.events_of("topic-had-data"):
        reason = f"the topic had data before the run: {event.detail['ends']}"
        flawed.append(Flaw("topic", reason, "name a topic that does not exist yet", True))
    return flawed


def _of_the_faults(found: list[Round]) -> list[Flaw]:
    flawed: list[Flaw] = []
    for one in found:
        if not one.gone_ns:
            reason = f"round {one.number}: broker {one.broker} still answered after the {one.fault}"
            flawed.append(Flaw("fault", reason, "check the command that should end the broker, and that nothing restarts it"))
        elif one.started_ns and one.whole_limit_s and not (one.started_own or one.back_ns or one.whole_ns):
            # It was waited for. On a cluster of our own a broker that cannot start again is what the run is to find.
            verb = "resumed" if one.fault == "pause" else "started"
            reason = f"round {one.number}: broker {one.broker} did not answer any more after it was {verb}"
            flawed.append(
                Flaw("return", reason, "try the command that should start or resume the broker by hand, and see the broker's log")
            )
    return flawed


def _of_others(history: History) -> list[Flaw]:
    """What happened to the target, or to our own processes, without us."""
    flawed: list[Flaw] = []
    for event in history.events_of("unexpected"):
        detail = event.detail
        flawed.append(Flaw("others", str(detail["what"]), str(detail.get("next", "keep others away from the cluster during a run"))))
    return flawed


def _of_the_amount(history: History, found: list[Round], planned_rounds: int, ok_before: int, ok_after: int) -> list[Flaw]:
    before, after = ok_before_and_after(history, found)
    flawed: list[Flaw] = []
    if before < ok_before:
        reason = f"{before} writes were acknowledged before the first fault; {ok_before} are needed to say anything"
        flawed.append(Flaw("amount", reason, "a longer --steady or a higher --rate"))
    if planned_rounds and after < ok_after:
        reason = f"{after} writes were acknowledged after the last fault; {ok_after} are needed to say anything"
        flawed.append(Flaw("amount", reason, "a longer --after or a higher --rate"))
    return flawed


def _of_the_clock(history: History) -> list[Flaw]:
    flawed: list[Flaw] = []
    for event in history.events_of("clock"):
        step = event.detail["step_ms"]
        if abs(step) > CLOCK_STEP_MS:
            reason = f"the wall clock moved by {step:.0f} ms against the monotonic clock (limit {CLOCK_STEP_MS} ms)"
            flawed.append(Flaw("clock", reason, "run it while nothing sets the clock"))
    stalls = [event.detail for event in history.events_of("stall") if event.detail["ms"] > LOOP_STALL_MS]
    if stalls:
        worst = max(stalls, key=lambda stall: stall["ms"])
        reason = f"our own {worst['where']} stood still for {worst['ms']:.0f} ms (limit {LOOP_STALL_MS} ms), so its times cannot be trusted"
        flawed.append(Flaw("stall", reason, "run it on a machine with less load, or with a lower --rate"))
    return flawed


def _of_the_final_read(history: History) -> list[Flaw]:
    flawed: list[Flaw] = []
    partitions = set(history.sends.partition) if len(history.sends) else set[int]()
    unread = sorted(partitions - history.log.keys())
    if unread:
        flawed.append(Flaw("final-read", f"partitions {unread} were not read at the end", "see timeline.jsonl in the evidence", True))
    for partition in sorted(partitions & history.log.keys()):
        log = history.log[partition]
        if not log.complete:
            reason = f"the final read of partition {partition} ended at {log.read_to}, before the noted end {log.end_offset}"
            flawed.append(Flaw("final-read", reason, "see timeline.jsonl in the evidence", True))
        elif history.final_positions and history.final_positions.get(partition, 0) < _after_last(log):
            position = history.final_positions.get(partition, 0)
            reason = f"the consumer stopped at {position} of partition {partition}, before its last record {log.offsets[-1]}"
            flawed.append(Flaw("not-finished", reason, "a longer --limit; or the consumer is stuck, see errors.jsonl in the evidence"))
    return flawed


def _after_last(log: PartitionLog) -> int:
    return log.offsets[-1] + 1 if log.offsets else 0
