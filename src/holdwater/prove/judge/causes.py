"""Why: rules over the evidence, each answer with a word of confidence (``certain``, ``likely``, ``unknown``).

The rules look at the leader epoch of each batch in the final log, at where older leader epochs ended (OffsetForLeaderEpoch), at what the
brokers said of leader, ISR and ELR while it happened, at the faults of this run, and at the clients' settings. What these do not show is
not claimed.
"""

from dataclasses import dataclass

from holdwater.prove.history.model import NO_RECORD, Batch, History, PartitionView
from holdwater.prove.judge.findings import Cause, Finding
from holdwater.prove.judge.leadership import Leadership, leadership
from holdwater.prove.judge.logs import before_on_the_circle
from holdwater.prove.settings import Settings

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
        return _of_lost_in_one_epoch(history, finding, verb, acks, covering)
    new_epoch = newer.leader_epoch if newer else _next_epoch(history, partition, old.leader_epoch)
    return _of_cut(history, finding, settings, story, _Cut(old, new_epoch, cut_at, verb))


def _of_lost_in_one_epoch(history: History, finding: Finding, verb: str, acks: str, covering: Batch | None) -> Cause:
    example = finding.examples[0]
    start = history.log[example["partition"]].start_offset
    if example["offset"] < start:
        text = (
            f"{finding.count} records {verb} are not in the log: of partition {example['partition']} the log start moved to {start}, and the "
            "topic's settings keep records for ever. Somebody deleted them, or it is a fault of the cluster."
        )
        return Cause("log-start", text, "likely")
    if acks == "1" and covering is None and not _committed(history, finding):
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
    views = (view for sample in history.samples for view in sample.partitions)
    seen = [view.leader_epoch for view in views if view.partition == partition and view.leader >= 0]
    return min([epoch for epoch in later + seen if epoch > leader_epoch], default=leader_epoch)


def _of_cut(history: History, finding: Finding, settings: Settings, story: Leadership, cut: _Cut) -> Cause:
    after = story.from_epoch(cut.new_epoch)
    what = _cut_in_words(finding, settings, cut, after)
    if finding.kind == "lost-write" and settings.client("acks") == "1" and not _committed(history, finding, cut.old.leader_epoch):
        return Cause("cut, acks=1", f"{what} acks=1 does not wait for the others.", "certain", "acks=all")
    if history.events_of("elect-unclean"):
        return Cause("cut, unclean election", f"{what} The unclean election was asked for.", "certain", "no unclean election")
    views = _last_views_before(history, finding.ranges[0].partition, after.leader_epoch) if after else []
    in_line = [after.leader in (*view.isr, *view.elr) for view in views] if after else []
    if after and in_line and not any(in_line):
        last = views[-1]
        outside = f"{what} Broker {after.leader} was neither in sync ({list(last.isr)}) nor eligible ({list(last.elr)}): unclean."
        return Cause("cut, unclean election", outside, "likely", "unclean.leader.election.enable=false; min.insync.replicas=2")
    if in_line and all(in_line):
        text = f"{what} The new leader was in sync by all that was seen, so this must not happen: a fault of the cluster. Keep all logs."
        return Cause("cluster-fault", text, "likely")
    return Cause("cut", f"{what} It is not known whether the new leader was in sync.", "unknown")


def _cut_in_words(finding: Finding, settings: Settings, cut: _Cut, after: PartitionView | None) -> str:
    first = finding.ranges[0]
    ends = f" at {cut.end}" if cut.end is not None else ""
    newcomer = f"broker {after.leader}" if after else "another broker"
    what = (
        f"{first.findings} records {cut.verb} by broker {cut.old.leader} at leader epoch {cut.old.leader_epoch} with "
        f"acks={settings.client('acks')} ({first}) are not in the log: {newcomer} took over at leader epoch {cut.new_epoch}, whose log ends "
        f"the old one{ends}."
    )
    others = finding.count - first.findings
    return f"{what} {others} more are in other ranges." if others else what


def _last_views_before(history: History, partition: int, leader_epoch: int) -> list[PartitionView]:
    """What each broker said last of the newest leader epoch below the given one that had a leader; brokers may be stale."""
    last: dict[int, PartitionView] = {}
    for sample in history.samples:
        for view in sample.partitions:
            if view.partition != partition or view.leader < 0 or view.leader_epoch >= leader_epoch:
                continue
            newest = max((one.leader_epoch for one in last.values()), default=-1)
            if view.leader_epoch > newest:
                last.clear()
            if view.leader_epoch >= newest:
                last.pop(sample.broker, None)
                last[sample.broker] = view
    return list(last.values())


_ANY_EPOCH = 2**31


def _committed(history: History, finding: Finding, until_epoch: int = _ANY_EPOCH) -> bool:
    """Whether an example of what was lost was handed to a consumer, or lay below a high watermark that was shown up to a leader epoch."""
    places = {(one["partition"], one["offset"]): one.get("id") for one in finding.examples}
    highest: dict[int, int] = {}
    for sample in history.samples:
        for view in sample.partitions:
            if view.leader_epoch <= until_epoch:
                highest[view.partition] = max(highest.get(view.partition, -1), view.high_watermark)
    if any(offset < highest.get(partition, -1) for partition, offset in places):
        return True
    rows = (
        (partition, offset, identifier) for _, partition, offset, identifier, _ in history.reads.rows() if (partition, offset) in places
    )
    return any(places[partition, offset] == history.sends.name(identifier) for partition, offset, identifier in rows)


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
        "librdkafka is known to do so around changes of leader (librdkafka issue 4953). A cluster that forgets a producer looks the same."
    )
    return Cause("client-resend", text, "likely" if "new producer session" in finding.by else "certain")


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
    if session == other and before_on_the_circle(late.base_sequence, ahead.base_sequence):
        text = f"{finding.count} records come after later ones of the same producer session with higher sequences: the broker took them out of order."
        return Cause("broker-reorder", text, "certain")
    text = f"{finding.count} records come after later ones, and their sequence numbers agree with the log: the client numbered them in that order."
    return Cause("client-reorder", text, "certain")
