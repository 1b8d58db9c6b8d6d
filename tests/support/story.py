"""Hand-written histories for the judge: a story of sends, batches in the final log and reads, told in a few words each.

    story = Story()
    story.send(3)                       # w0#0..2 to partition 0, acknowledged at offsets 0..2
    story.log([0, 1, 2])                # one batch with these sequences of writer 0
    story.read_all()
    history = story.history()

One second of the story is ``SECOND`` nanoseconds; a send takes a millisecond to be acknowledged.
"""

from dataclasses import dataclass, field

from holdwater.prove.history.model import (
    FOREIGN_ID,
    PHANTOM_ID,
    Batch,
    Event,
    History,
    PartitionLog,
    PartitionView,
    Sample,
    State,
)

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
ORIGIN = 5 * SECOND


@dataclass
class _Send:
    writer: int
    partition: int
    invoke_ns: int
    done_ns: int = 0
    offset: int = -1
    error: int = 0
    state: State = State.UNKNOWN


@dataclass
class Story:
    """Collects what happened; ``history()`` makes the columns. Sequences are per writer, offsets are given by the order of ``log``."""

    producer_id: int = 1000
    sends: dict[int, list[_Send]] = field(default_factory=dict)
    logs: dict[int, PartitionLog] = field(default_factory=dict)
    content: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    reads: list[tuple[int, int, int, tuple[int, int] | int, int, int]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    positions: dict[int, int] = field(default_factory=dict)
    _next_sequence: dict[tuple[int, int, int], int] = field(default_factory=dict)
    _next_ack: dict[int, int] = field(default_factory=dict)

    def send(
        self,
        count: int = 1,
        *,
        writer: int = 0,
        partition: int = 0,
        at_s: float = 0.0,
        state: State = State.OK,
        offset: int | None = None,
        error: int = 0,
    ) -> "Story":
        """Some sends in a row, a millisecond apart; acknowledged ones get rising offsets unless ``offset`` says where they start."""
        sends = self.sends.setdefault(writer, [])
        for index in range(count):
            invoke = ORIGIN + int(at_s * SECOND) + index * MILLISECOND
            one = _Send(writer, partition, invoke, state=state, error=error)
            if state in (State.OK, State.SENT):
                one.done_ns = invoke + MILLISECOND
            if state is State.OK:
                at = self._next_ack.get(partition, 0) if offset is None else offset + index
                one.offset = at
                self._next_ack[partition] = at + 1
            elif error:
                one.done_ns = invoke + SECOND
            sends.append(one)
        return self

    def unknown(self, count: int = 1, *, writer: int = 0, partition: int = 0, at_s: float = 0.0) -> "Story":
        """Sends without an answer."""
        return self.send(count, writer=writer, partition=partition, at_s=at_s, state=State.UNKNOWN)

    def log(
        self,
        sequences: list[int],
        *,
        partition: int = 0,
        writer: int = 0,
        epoch: int = 0,
        producer_id: int | None = None,
        producer_epoch: int = 0,
        base_sequence: int | None = None,
        offset: int | None = None,
        flags: int = 0,
        sound: bool = True,
        attributes: int = 0,
    ) -> "Story":
        """Append one batch with these records of a writer; its sequence numbers go on where the writer's last batch ended.

        A sequence of -1 is a foreign record; one beyond what was sent becomes a phantom.
        """
        log = self.logs.setdefault(partition, PartitionLog(partition))
        base = log.read_to if offset is None else offset
        pid = self.producer_id + writer if producer_id is None else producer_id
        session = (pid, producer_epoch, partition)
        first = self._next_sequence.get(session, 0) if base_sequence is None else base_sequence
        count = len(sequences)
        self._next_sequence[session] = max(self._next_sequence.get(session, 0), first + count)
        numbered = first if pid >= 0 else -1
        log.batches.append(Batch(base, base + count - 1, epoch, pid, producer_epoch, numbered, count, attributes, 0, int(sound)))
        for index, sequence in enumerate(sequences):
            log.offsets.append(base + index)
            log.batch_of.append(len(log.batches) - 1)
            log.flags.append(flags)
            self.content.setdefault(partition, []).append((writer, sequence, flags))
        log.read_to = log.end_offset = max(log.read_to, base + count)
        return self

    def gap(self, offsets: int, *, partition: int = 0) -> "Story":
        """Offsets that hold nothing: a control record, or what compaction removed."""
        log = self.logs.setdefault(partition, PartitionLog(partition))
        log.read_to = log.end_offset = log.read_to + offsets
        return self

    def read(
        self, offset: int, sequence: int, *, writer: int = 0, partition: int = 0, session: int = 0, at_s: float = 0.0, flags: int = 0
    ) -> "Story":
        """One record handed to a consumer."""
        time_ns = ORIGIN + int(at_s * SECOND) if at_s else ORIGIN + (len(self.reads) + 2) * MILLISECOND
        self.reads.append((session, partition, offset, (writer, sequence), time_ns, flags))
        return self

    def read_all(self, *, session: int = 0) -> "Story":
        """A consumer gets exactly what the final log holds."""
        for partition in sorted(self.logs):
            log = self.logs[partition]
            for offset, (writer, sequence, flags) in zip(log.offsets, self.content.get(partition, []), strict=True):
                self.read(offset, sequence, writer=writer, partition=partition, session=session, flags=flags)
            self.positions[partition] = log.read_to
        return self

    def event(self, kind: str, at_s: float, **detail: object) -> "Story":
        """A line of the timeline."""
        self.events.append(Event(ORIGIN + int(at_s * SECOND), kind, detail))
        return self

    def sample(self, at_s: float, broker: int, *views: PartitionView, reachable: bool = True, controller: int = -1) -> "Story":
        """What one broker said."""
        self.samples.append(Sample(ORIGIN + int(at_s * SECOND), broker, reachable, controller, -1, views))
        return self

    def history(self) -> History:
        """The columns."""
        history = History(
            samples=self.samples,
            events=sorted(self.events, key=lambda event: event.time_ns),
            origin_ns=ORIGIN,
            final_positions=self.positions,
        )
        sends = history.sends
        for writer in range(max(self.sends, default=-1) + 1):
            sends.bases.append(len(sends))
            sends.counts.append(len(self.sends.get(writer, [])))
            for one in self.sends.get(writer, []):
                sends.partition.append(one.partition)
                sends.invoke_ns.append(one.invoke_ns)
                sends.done_ns.append(one.done_ns)
                sends.offset.append(one.offset)
                sends.error.append(one.error)
                sends.state.append(one.state)

        def identifier(writer: int, sequence: int) -> int:
            return FOREIGN_ID if sequence < 0 else sends.id_of(writer, sequence)

        for partition, log in self.logs.items():
            log.ids.extend(identifier(writer, sequence) for writer, sequence, _ in self.content.get(partition, []))
        history.log = self.logs
        for session, partition, offset, who, time_ns, flags in self.reads:
            reads = history.reads
            reads.session.append(session)
            reads.partition.append(partition)
            reads.offset.append(offset)
            reads.ids.append(identifier(*who) if isinstance(who, tuple) else PHANTOM_ID)
            reads.leader_epoch.append(0)
            reads.flags.append(flags)
            reads.time_ns.append(time_ns)
        return history


def view(
    partition: int = 0, leader: int = 1, epoch: int = 0, isr: tuple[int, ...] = (1, 2, 3), hw: int = -1, elr: tuple[int, ...] = ()
) -> PartitionView:
    """A partition of three replicas as a broker describes it."""
    return PartitionView(partition, leader, epoch, isr, elr, (1, 2, 3), hw)


def a_killed_leader(*, pause_s: float = 2.0, controller: bool = False) -> Story:
    """Ten writes a second before and after one kill at 10 s; the partition is silent from 10 s on for ``pause_s``."""
    story = Story()
    for second in range(10):
        story.send(10, at_s=second)
    story.sample(0.1, 2, PartitionView(0, 1, 0, (1, 2, 3), (), (1, 2, 3), -1))
    story.event("kill", 10, broker=1, controller=controller, led=[0], replicated=[1])
    story.event("probe", 10.1, what="kill", ok=True, broker=1)
    story.event("condition", 13.8, name="leaders-elsewhere", ok=True, limit_s=60)
    # One write waits through the whole pause.
    story.send(1, at_s=10.0)
    waiting = story.sends[0][-1]
    waiting.done_ns = waiting.invoke_ns + int(pause_s * SECOND)
    story.send(10, at_s=10.0 + pause_s + 0.5)
    story.event("start", 14, broker=1)
    story.event("back", 14.5, broker=1)
    story.event("condition", 16, name="isr-full", ok=True, limit_s=60)
    story.event("phase", 40, name="final")
    return story.log(list(range(111))).read_all()
