"""When a run has no verdict. Each reason says what was wrong with the run, and what it takes from the findings.

A reason that ``hides`` means that the judge did not see everything (a log not read to its end), so that an absence proves nothing, while a
lost write is a lost write. One that ``voids`` takes presence its ground as well (a topic that was made anew, or whose records may go by
right). The others leave findings standing.
"""

from typing import TYPE_CHECKING, NamedTuple

from holdwater.prove.history.model import History, PartitionLog, State
from holdwater.prove.judge.bounds import failover
from holdwater.prove.judge.content import foreign
from holdwater.prove.judge.figures import ok_before_and_after
from holdwater.prove.judge.reads import moved_reads
from holdwater.prove.judge.rounds import Round
from holdwater.prove.settings import KEPT_FOR_EVER, Settings

if TYPE_CHECKING:
    from holdwater.prove.judge.verdict import Judged

CLOCK_STEP_MS = 50
LOOP_STALL_MS = 500
_FOLLOWS = "it follows from what is said above"


class Flaw(NamedTuple):
    """Why a run is invalid, and what to do about it."""

    rule: str
    reason: str
    next_step: str
    hides: bool = False
    voids: bool = False


def flaws(judged: "Judged") -> list[Flaw]:
    """Everything that makes the run invalid; empty for a valid one."""
    history, found, plan = judged.history, judged.rounds, judged.plan
    course = _of_the_course(history, found, plan.rounds)
    others = [*_of_the_topic(history, judged.settings), *_of_others(history), *_of_the_clock(history)]
    faults = [*_of_the_faults(found, judged.settings), *_of_lone_leaders(history, found)]
    rest = [*_of_the_amount(judged), *_of_the_final_read(history), *_of_the_end(history, found)]
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
        Flaw("interrupted", f"the run was interrupted {history.seconds(event.time_ns)} s after its start", "run it again", hides=True)
        for event in history.events_of("interrupted")
    ]
    if len(found) < planned_rounds and not flawed and not told and all(one.whole_ns for one in found):
        flawed.append(Flaw("rounds", f"{len(found)} of {planned_rounds} rounds took place", "see timeline.jsonl in the evidence"))
    if planned_rounds and not flawed and not any(sample.partitions for sample in history.samples):
        reason = "no broker was seen to say who leads and who is in sync, so nothing is known of leader epochs and high watermarks"
        flawed.append(Flaw("samples", reason, "see samples.jsonl in the evidence"))
    return flawed


def _of_the_topic(history: History, settings: Settings) -> list[Flaw]:
    """What makes the log another one than that of the run, or lets records go from it by right."""
    flawed: list[Flaw] = []
    ids = [history.topic_id, *(sample.topic_id for sample in history.samples), history.final_topic_id]
    if len({one for one in ids if one}) > 1:
        reason = "the topic was deleted during the run, and made anew"
        flawed.append(Flaw("topic", reason, "keep others away from the cluster during a run", voids=True))
    if "compact" in settings.topic.get("cleanup.policy", ""):
        flawed.append(Flaw("retention", "the topic is compacted: records go from it by right", "cleanup.policy=delete", voids=True))
    written = set(history.sends.partition)
    cut = sorted(partition for partition, log in history.log.items() if log.start_offset > 0 and partition in written)
    if cut and any(settings.topic.get(key) != value for key, value in KEPT_FOR_EVER.items() if key != "cleanup.policy"):
        reason = f"the logs of partitions {cut} no longer begin at offset 0, and the topic's settings let records go by time or size"
        flawed.append(Flaw("retention", reason, "retention.ms=-1 and retention.bytes=-1", voids=True))
    strange = foreign(history)
    if strange:
        reason = (
            f"{len(strange)} batches of somebody else are in the topic, the first at offset {strange[0][1]} of partition {strange[0][0]}"
        )
        flawed.append(Flaw("others", reason, "let nobody else write to the topic of a run"))
    return flawed


def _of_the_faults(found: list[Round], settings: Settings) -> list[Flaw]:
    flawed: list[Flaw] = []
    if found and not any(one.led or one.controller for one in found):
        reason = f"the brokers that were hit ({', '.join(str(one.broker) for one in found)}) led no partition, so nothing had to be elected"
        flawed.append(Flaw("fault", reason, "--kill leader, or more rounds"))
    for one in found:
        soon_ms = (one.led_elsewhere_ns - one.start_ns) / 1e6
        if one.led and one.gone_ns and one.led_elsewhere_ns and one.fault == "kill" and soon_ms < _least_ms(settings, one):
            reason = (
                f"round {one.number}: broker {one.broker} was replaced as the leader {soon_ms:.0f} ms after the kill, and a broker that ends "
                f"without warning is missed after {_least_ms(settings, one):.0f} ms at the earliest: it handed its partitions over"
            )
            flawed.append(Flaw("fault", reason, "the command must end the broker without warning (SIGKILL)"))
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


def _of_lone_leaders(history: History, found: list[Round]) -> list[Flaw]:
    """Where nobody else has a replica there is nothing to elect, and a pause lasts as long as the broker is away."""
    lone = sorted({view.partition for sample in history.samples for view in sample.partitions if len(view.replicas) == 1})
    flawed: list[Flaw] = []
    for one in found:
        alone = [partition for partition in one.led if partition in lone]
        if alone:
            reason = f"round {one.number}: nobody but broker {one.broker} has a replica of partitions {alone}, so nobody could lead them"
            flawed.append(Flaw("fault", reason, "--replication-factor 3"))
    return flawed


def _least_ms(settings: Settings, one: Round) -> float:
    """Half of the least time in which a dead broker is missed, by what the target told (a late heartbeat may take from it); 0 for not known."""
    bound = failover(settings, controller=one.controller)
    told = "broker.heartbeat.interval.ms" in settings.broker and "broker.session.timeout.ms" not in bound.assumed
    return bound.lower_ms / 2 if told else 0.0


def _of_others(history: History) -> list[Flaw]:
    """What happened to the target, or to our own processes, without us."""
    flawed: list[Flaw] = []
    for event in history.events_of("unexpected"):
        detail = event.detail
        flawed.append(Flaw("others", str(detail["what"]), str(detail.get("next", "keep others away from the cluster during a run"))))
    return flawed


def _of_the_amount(judged: "Judged") -> list[Flaw]:
    history, found, plan = judged.history, judged.rounds, judged.plan
    before, after = ok_before_and_after(history, found)
    flawed: list[Flaw] = []
    if before < plan.ok_before:
        reason = f"{before} writes were acknowledged before the first fault; {plan.ok_before} are needed to say anything"
        flawed.append(Flaw("amount", reason, "a longer --steady or a higher --rate"))
    # Where writes wait to the end nothing can be acknowledged: that is what the run has found.
    if plan.rounds and after < plan.ok_after and not any(pause.open for pause in judged.write_pauses):
        reason = f"{after} writes were acknowledged after the last fault; {plan.ok_after} are needed to say anything"
        flawed.append(Flaw("amount", reason, "a longer --after or a higher --rate"))
    for one in found:
        idle = _not_written_to(history, one)
        if idle:
            reason = (
                f"round {one.number}: broker {one.broker} led partitions {idle}, which were not written to both before and after the fault"
            )
            flawed.append(Flaw("amount", reason, "a higher --rate, or more --keys or fewer --partitions"))
    return flawed


def _not_written_to(history: History, one: Round) -> list[int]:
    """Partitions that the broker led, without an acknowledgement before the fault or without a write after it."""
    sends, before, after = history.sends, set[int](), set[int]()
    for state, partition, invoke_ns, done_ns in zip(sends.state, sends.partition, sends.invoke_ns, sends.done_ns, strict=True):
        if invoke_ns > one.start_ns:
            after.add(partition)
        elif state == State.OK and done_ns <= one.start_ns:
            before.add(partition)
    return sorted(set(one.led) - (before & after))


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
        flawed.append(Flaw("final-read", f"partitions {unread} were not read at the end", "see timeline.jsonl in the evidence", hides=True))
    for partition in sorted(partitions & history.log.keys()):
        log = history.log[partition]
        if not log.complete:
            reason = f"the final read of partition {partition} ended at {log.read_to}, before the noted end {log.end_offset}"
            flawed.append(Flaw("final-read", reason, "see timeline.jsonl in the evidence", hides=True))
        elif history.final_positions and history.final_positions.get(partition, 0) < _after_last(log):
            position = history.final_positions.get(partition, 0)
            reason = f"the consumer stopped at {position} of partition {partition}, before its last record {log.offsets[-1]}"
            next_step = "a longer --limit; or the consumer is stuck, see errors.jsonl in the evidence"
            flawed.append(Flaw("not-finished", reason, next_step, hides=True))
    return flawed


def _of_the_end(history: History, found: list[Round]) -> list[Flaw]:
    """What was not at rest when the log was read, though every round had ended well."""
    flawed: list[Flaw] = []
    late = moved_reads(history)
    if late:
        _, partition, offset, _, _ = late[0]
        reason = f"the log still moved after its end had been noted: a write without an answer was read at offset {offset} of partition {partition}"
        flawed.append(Flaw("moved", reason, "run it again"))
    for event in history.events_of("condition"):
        if event.detail.get("name") == "whole-at-end" and not event.detail.get("ok") and all(one.whole_ns for one in found):
            reason = f"the cluster was not whole when the log was read: an ISR was not full within {event.detail.get('limit_s', 0):g} s"
            flawed.append(Flaw("end", reason, "see the brokers' logs, and samples.jsonl in the evidence"))
    return flawed


def _after_last(log: PartitionLog) -> int:
    return log.offsets[-1] + 1 if log.offsets else 0
