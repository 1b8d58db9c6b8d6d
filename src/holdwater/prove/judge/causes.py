"""Why: rules over the evidence, each answer with a word of confidence (``certain``, ``likely``, ``unknown``).

The rules look at the leader epoch of each batch in the final log, at where older leader epochs ended (OffsetForLeaderEpoch), at what the
brokers said of leader, ISR and ELR while it happened, at the faults of this run, and at the clients' settings. What these do not show is
not claimed.
"""

from bisect import bisect_right
from dataclasses import dataclass, field

from holdwater.prove.history.model import NO_RECORD, Batch, History, PartitionView, State
from holdwater.prove.judge.findings import Cause, Finding
from holdwater.prove.judge.pauses import Pause
from holdwater.prove.judge.rounds import Round, round_of
from holdwater.prove.settings import Settings


@dataclass(slots=True)
class Leadership:
    """Who led a partition when, as the leaders themselves showed it: changes in order of time."""

    times: list[int] = field(default_factory=list[int])
    views: list[PartitionView] = field(default_factory=list[PartitionView])

    def at(self, time_ns: int) -> PartitionView | None:
        """The last view at or before a time."""
        index = bisect_right(self.times, time_ns) - 1
        return self.views[index] if index >= 0 else None

    def before_epoch(self, leader_epoch: int) -> PartitionView | None:
        """The last view with a lower leader epoch."""
        older = [view for view in self.views if view.leader_epoch < leader_epoch]
        return older[-1] if older else None

    def of_epoch(self, leader_epoch: int) -> PartitionView | None:
        """The first view of a leader epoch that names its leader."""
        return next((view for view in self.views if view.leader_epoch == leader_epoch and view.leader >= 0), None)


def leadership(history: History) -> dict[int, Leadership]:
    """The views of each partition, by leader epoch; what an observer says later about an older leader epoch is left out."""
    found: dict[int, Leadership] = {}
    for sample in history.samples:
        for view in sample.partitions:
            story = found.setdefault(view.partition, Leadership())
            last = story.views[-1] if story.views else None
            if last is not None and view.leader_epoch < last.leader_epoch:
                continue
            if last is None or (view.leader, view.leader_epoch, view.isr, view.elr) != (last.leader, last.leader_epoch, last.isr, last.elr):
                story.times.append(sample.time_ns)
                story.views.append(view)
    return found


_FOLLOWS = {
    "shared-offset": ("lost-write", "Follows from the lost writes: after the cut their offsets were given to others."),
    "inconsistent-read": (
        "vanished-read",
        "Follows from the reads that vanished: after the cut their offsets were given to others, which were read too.",
    ),
    "read-backwards": (
        "vanished-read",
        "Follows from the reads that vanished: after the cut the consumer was set back to what is left of the log.",
    ),
}
"""What a cut of the log brings with it in the same partition: which class it follows from, and how."""


def _same_partitions(finding: Finding, of: Finding) -> bool:
    """Whether every partition with the one has the other, too, as far as is told."""
    return not finding.ranges_left_out and {place.partition for place in finding.ranges} <= {place.partition for place in of.ranges}


def explain(history: History, findings: dict[str, Finding], settings: Settings) -> None:
    """Give every finding that has something in it a cause."""
    stories = leadership(history)
    for finding in findings.values():
        if not finding.count:
            continue
        if finding.kind in ("lost-write", "vanished-read"):
            finding.cause = _of_lost(history, finding, settings, stories)
        elif finding.kind == "duplicate-by-cluster":
            finding.cause = _of_duplicate_by_cluster(history, finding)
        elif finding.kind == "duplicate-by-client":
            finding.cause = _of_duplicate_by_client(finding)
        elif finding.kind in _FOLLOWS and _same_partitions(finding, findings[_FOLLOWS[finding.kind][0]]):
            finding.cause = Cause("follows-from-loss", _FOLLOWS[finding.kind][1], "likely")
        elif finding.kind == "reorder":
            finding.cause = _of_reorder(history, finding, settings)
        else:
            finding.cause = Cause("none", "No rule explains this class; the examples are the evidence.", "unknown")


def _of_lost(history: History, finding: Finding, settings: Settings, stories: dict[int, Leadership]) -> Cause:
    """Rules 1 and 2: cut at a change of leader, or gone without one."""
    example = finding.examples[0]
    partition, offset = example["partition"], example["offset"]
    log = history.log.get(partition)
    verb = "acknowledged" if finding.kind == "lost-write" else "handed to a consumer"
    acks = settings.client("acks")
    if acks == "0":
        return Cause("acks-0", f"{finding.count} records were sent with acks=0: nobody promised them.", "certain", "acks=all")
    if log is None:
        return Cause("none", "The final log of the partition was not read.", "unknown")
    story = stories.get(partition, Leadership())
    time_ns = history.origin_ns + int(example.get("acknowledged_s", example.get("read_s", 0)) * 1e9)
    old = story.at(time_ns)
    covering = log.batch_at(offset)
    cut_at = log.epoch_ends.get(old.leader_epoch) if old else None
    newer = covering if covering and old and covering.leader_epoch > old.leader_epoch else None
    if old is None or not (newer or (log.id_at(offset) == NO_RECORD and cut_at is not None and cut_at <= offset)):
        return _of_lost_in_one_epoch(finding, verb, acks, covering)
    new_epoch = newer.leader_epoch if newer else _next_epoch(history, partition, old.leader_epoch)
    return _of_cut(history, finding, settings, story, _Cut(old, new_epoch, cut_at, verb))


def _of_lost_in_one_epoch(finding: Finding, verb: str, acks: str, covering: Batch | None) -> Cause:
    if acks == "1" and covering is None:
        text = f"{finding.count} records {verb} with acks=1 are past the end of the log, with no newer leader in their place."
        return Cause("acks-1", text, "likely", "acks=all")
    text = (
        f"{finding.count} records {verb} are not in the log, and no change of leader was seen that explains it: "
        "a fault of the cluster. Keep the evidence and the brokers' logs."
    )
    return Cause("cluster-fault", text, "likely")


@dataclass(frozen=True, slots=True)
class _Cut:
    old: PartitionView
    new_epoch: int
    end: int | None
    verb: str


def _next_epoch(history: History, partition: int, leader_epoch: int) -> int:
    later = [batch.leader_epoch for batch in history.log[partition].batches if batch.leader_epoch > leader_epoch]
    seen = [view.leader_epoch for sample in history.samples for view in sample.partitions if view.partition == partition]
    return min([epoch for epoch in later + seen if epoch > leader_epoch], default=leader_epoch)


def _of_cut(history: History, finding: Finding, settings: Settings, story: Leadership, cut: _Cut) -> Cause:
    first = finding.ranges[0]
    before, after = story.before_epoch(cut.new_epoch), story.of_epoch(cut.new_epoch)
    acks = settings.client("acks")
    ends = f" at {cut.end}" if cut.end is not None else ""
    newcomer = f"broker {after.leader}" if after else "another broker"
    others = finding.count - first.findings
    what = (
        f"{first.findings} records {cut.verb} by broker {cut.old.leader} at leader epoch {cut.old.leader_epoch} with acks={acks} "
        f"({first}) are not in the log: {newcomer} took over at leader epoch {cut.new_epoch}, whose log ends the old one{ends}."
    )
    if others:
        what += f" {others} more are in other ranges."
    if finding.kind == "lost-write" and acks == "1":
        return Cause("cut, acks=1", f"{what} acks=1 does not wait for the others.", "certain", "acks=all")
    if history.events_of("elect-unclean"):
        return Cause("cut, unclean election", f"{what} The unclean election was asked for.", "certain", "no unclean election")
    if after and before and after.leader not in (*before.isr, *before.elr):
        outside = f"{what} Broker {after.leader} was neither in sync ({list(before.isr)}) nor eligible ({list(before.elr)}): unclean."
        return Cause("cut, unclean election", outside, "likely", "unclean.leader.election.enable=false; min.insync.replicas=2")
    text = f"{what} The new leader was in sync, so this must not happen: a fault of the cluster. Keep all logs."
    return Cause("cluster-fault", text, "certain" if after and before else "likely")


def _of_duplicate_by_cluster(history: History, finding: Finding) -> Cause:
    example = finding.examples[0]
    log = history.log[example["partition"]]
    first, again = log.batch_at(example["first_offset"]), log.batch_at(example["offset"])
    where = ""
    if first and again and first.leader_epoch != again.leader_epoch:
        where = f", across a change of leader (leader epochs {first.leader_epoch} and {again.leader_epoch})"
    slot = example["again"]
    text = (
        f"{finding.count} records are stored twice under the same producer id {slot['producer_id']}, producer epoch "
        f"{slot['producer_epoch']} and sequence (first: {slot['sequence']}, offsets {example['first_offset']} and {example['offset']}){where}: "
        "the broker should have known the retry. A fault of the cluster."
    )
    return Cause("broker-duplicate", text, "certain")


def _of_duplicate_by_client(finding: Finding) -> Cause:
    kinds = ", ".join(
        f"{count} by a {kind}" if kind != "not idempotent" else f"{count} not idempotent" for kind, count in finding.by.items()
    )
    if set(finding.by) == {"not idempotent"}:
        text = f"{finding.count} records are stored twice by retries of a producer without idempotence: brokers cannot tell a retry."
        return Cause("client-retry", text, "certain", "enable.idempotence=true")
    text = (
        f"{finding.count} records are stored twice ({kinds}): the client sent them again as new ones, which no broker can recognise. "
        "librdkafka is known to do so around changes of leader (librdkafka issue 4953)."
    )
    return Cause("client-resend", text, "certain")


def _of_reorder(history: History, finding: Finding, settings: Settings) -> Cause:
    """Rule 5: a batch that was retried after the next one, told by the sequence numbers in the log."""
    example = finding.examples[0]
    log = history.log[example["partition"]]
    late, ahead = log.batch_at(example["offset"]), log.batch_at(example["after_offset"])
    in_flight = settings.client("max.in.flight.requests.per.connection")
    if late is None or ahead is None or not (late.idempotent and ahead.idempotent):
        text = f"{finding.count} records come after later ones: without idempotence a retried batch goes behind the next of {in_flight} in flight."
        remedy = "enable.idempotence=true, or max.in.flight.requests.per.connection=1"
        return Cause("retry-behind-next", text, "likely", remedy)
    session, other = (late.producer_id, late.producer_epoch), (ahead.producer_id, ahead.producer_epoch)
    if session == other and late.base_sequence < ahead.base_sequence:
        text = f"{finding.count} records come after later ones of the same producer session with higher sequences: the broker took them out of order."
        return Cause("broker-reorder", text, "certain")
    text = f"{finding.count} records come after later ones, and their sequence numbers agree with the log: the client numbered them in that order."
    return Cause("client-reorder", text, "certain")


def of_pause(history: History, pause: Pause, found: list[Round], stories: dict[int, Leadership]) -> Cause:
    """Rule 6: the fault, the return of a broker, the change of leader or the silent broker that overlaps the pause, and its setting."""
    one = round_of(found, pause.start_ns, pause.end_ns)
    if one is not None and one.gone_ns and pause.start_ns <= (one.whole_ns or one.end_ns):
        if one.touches(pause.partition):
            return _of_pause_in_round(pause, one, stories.get(pause.partition, Leadership()))
        text = f"It falls into round {one.number}, but broker {one.broker} neither led nor replicated the partition."
        return Cause("other-partition", text, "likely")
    story = stories.get(pause.partition, Leadership())
    if any(pause.start_ns <= time <= pause.end_ns for time in story.times[1:]):
        return Cause("leader-change", "Leader or ISR of the partition changed in it, with no fault of this run near.", "likely")
    silent = sorted({s.broker for s in history.samples if not s.reachable and pause.start_ns <= s.time_ns <= pause.end_ns})
    if silent:
        return Cause(
            "silent-broker", f"Broker {', '.join(map(str, silent))} did not answer in it, with no fault of this run near.", "likely"
        )
    if pause.end_ns in _firsts(history, pause.partition):
        return Cause("start", "The clients had just started: it ends with the partition's first records.", "likely")
    return Cause("none", "No fault, change of leader or silent broker overlaps it.", "unknown")


def _firsts(history: History, partition: int) -> tuple[int, int]:
    """When a record of the partition was first acknowledged, and when one was first delivered; 0 for never."""
    sends, reads, ok = history.sends, history.reads, int(State.OK)
    done = zip(sends.partition, sends.state, sends.done_ns, strict=True)
    delivered = zip(reads.partition, reads.time_ns, strict=True)
    return (
        min((done_ns for of, state, done_ns in done if of == partition and state == ok), default=0),
        min((time_ns for of, time_ns in delivered if of == partition), default=0),
    )


_NEAR_FAULT_NS = 1_000_000_000


def _of_pause_in_round(pause: Pause, one: Round, story: Leadership) -> Cause:
    role = "led" if pause.partition in one.led else "replicated"
    if one.started_ns and pause.start_ns >= one.started_ns:
        ago = (pause.start_ns - one.started_ns) / 1e6
        text = f"Broker {one.broker}, which replicates the partition, was started again {ago:.0f} ms before the pause began, and was catching up."
        return Cause("return", text, "likely")
    who = f"Broker {one.broker}" + (", which was also the active controller," if one.controller else "")
    verb = {"kill": "killed", "terminate": "stopped", "pause": "paused"}[one.fault]
    text = f"{who} {role} the partition and was {verb} {_distance(one.start_ns, pause.start_ns)} the pause began"
    changed = [time for time in story.times if one.start_ns <= time <= pause.end_ns]
    if changed:
        text += f"; a change of leader or ISR was seen {(changed[0] - one.start_ns) / 1e6:.0f} ms after the fault"
    certain = pause.start_ns <= one.start_ns + _NEAR_FAULT_NS
    return Cause("fault", f"{text}.", "certain" if certain else "likely", "broker.session.timeout.ms")


def _distance(fault_ns: int, pause_ns: int) -> str:
    difference = (pause_ns - fault_ns) / 1e6
    return f"{difference:.0f} ms before" if difference >= 0 else f"{-difference:.0f} ms after"
