"""Random sound histories with random anomalies planted in them: the judge finds each one, and invents none."""

from collections import Counter
from collections.abc import Callable
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from tests.support.story import Story

from holdwater.prove.history.model import State
from holdwater.prove.history.payload import ALTERED
from holdwater.prove.judge import anomalies


class Planter:
    """A sound story over some writers and partitions, and ways to spoil it that say what the judge must find."""

    def __init__(self, seed: int, writers: int, partitions: int) -> None:
        self.random = Random(seed)
        self.story = Story()
        self.writers = writers
        self.partitions = partitions
        self.expected: Counter[str] = Counter()
        self.unread: set[tuple[int, int]] = set()
        self.extra_reads: list[Callable[[], object]] = []
        self.vanished_at: Counter[tuple[int, int]] = Counter()

    def place(self) -> tuple[int, int]:
        return self.random.randrange(self.writers), self.random.randrange(self.partitions)

    def end(self, partition: int) -> int:
        log = self.story.logs.get(partition)
        return log.read_to if log else 0

    def next_sequence(self, writer: int) -> int:
        return len(self.story.sends.get(writer, []))

    def sound(self, count: int | None = None, *, state: State = State.OK) -> tuple[int, int, int, int]:
        """One batch of new records, acknowledged where they are. Answers writer, partition, first sequence and first offset."""
        writer, partition = self.place()
        count = count or self.random.randint(1, 6)
        first, offset = self.next_sequence(writer), self.end(partition)
        where = {"writer": writer, "partition": partition}
        self.story.send(count, state=state, offset=offset if state is State.OK else None, **where)
        self.story.log(list(range(first, first + count)), **where)
        return writer, partition, first, offset

    # Harmless things.
    def gap(self) -> None:
        _, partition = self.place()
        self.story.gap(self.random.randint(1, 3), partition=partition)

    def unknown_in_the_log(self) -> None:
        self.sound(state=State.UNKNOWN)

    def unknown_not_in_the_log(self) -> None:
        writer, partition = self.place()
        self.story.send(1, writer=writer, partition=partition, state=State.UNKNOWN)

    def refused(self) -> None:
        writer, partition = self.place()
        self.story.send(1, writer=writer, partition=partition, state=State.FAIL, error=-184)

    # Anomalies.
    def lost(self) -> None:
        writer, partition = self.place()
        # Told an offset far beyond anything that the story writes, so that it stands alone.
        self.story.send(1, writer=writer, partition=partition, offset=1_000_000 + self.next_sequence(writer) * self.writers + writer)
        self.expected["lost-write"] += 1
        self.story.logs.setdefault(partition, type(next(iter(self.story.logs.values())))(partition))

    def duplicate_by_cluster(self) -> None:
        writer, partition, first, _ = self.sound(3)
        sequence = self.story._next_sequence[1000 + writer, 0, partition] - 1
        self.story.log([first + 2], writer=writer, partition=partition, base_sequence=sequence)
        self.expected["duplicate-by-cluster"] += 1

    def duplicate_by_client(self) -> None:
        writer, partition, first, _ = self.sound(3)
        self.story.log([first + 1, first + 2], writer=writer, partition=partition)
        self.expected["duplicate-by-client"] += 2

    def swap(self) -> None:
        writer, partition = self.place()
        first = self.next_sequence(writer)
        self.story.send(2, writer=writer, partition=partition, state=State.UNKNOWN)
        self.story.log([first + 1, first], writer=writer, partition=partition)
        self.expected["reorder"] += 1

    def hole(self) -> None:
        writer, partition, _, _ = self.sound()
        sequence = self.story._next_sequence[1000 + writer, 0, partition] + 1
        first = self.next_sequence(writer)
        self.story.send(1, writer=writer, partition=partition, state=State.UNKNOWN)
        self.story.log([first], writer=writer, partition=partition, base_sequence=sequence)
        self.expected["sequence-gap"] += 1

    def altered(self) -> None:
        writer, partition = self.place()
        first = self.next_sequence(writer)
        self.story.send(1, writer=writer, partition=partition, state=State.UNKNOWN)
        self.unread.add((partition, self.end(partition)))
        self.story.log([first], writer=writer, partition=partition, flags=ALTERED)
        self.expected["altered"] += 1

    def vanished(self) -> None:
        writer, partition, _, _ = self.sound()
        sequence = self.next_sequence(writer)
        self.story.send(1, writer=writer, partition=partition, state=State.UNKNOWN)
        session = 10 + len(self.extra_reads)
        first = self.story.logs[partition].offsets[0]
        if first > self.end(partition) - 1:
            return
        # Another consumer, whose only record has another id than the log has at the first readable offset.
        self.extra_reads.append(lambda: self.story.read(first, sequence, writer=writer, partition=partition, session=session))
        self.vanished_at[partition, first] += 1
        self.expected["vanished-read"] += 1

    def unseen(self) -> None:
        _, partition, _, offset = self.sound(1)
        self.unread.add((partition, offset))
        self.expected["unseen"] += 1

    def finish(self) -> None:
        """The consumer reads everything but what it must miss; what it jumps over is a skip when it reads on after it."""
        for partition in sorted(self.story.logs):
            log = self.story.logs[partition]
            jumped = False
            for offset, (writer, sequence, flags) in zip(log.offsets, self.story.content.get(partition, []), strict=True):
                if (partition, offset) in self.unread:
                    jumped = True
                    continue
                if jumped:
                    self.expected["read-skip"] += 1
                    jumped = False
                self.story.read(offset, sequence, writer=writer, partition=partition, flags=flags)
            self.story.positions[partition] = log.read_to
        for read in self.extra_reads:
            read()
        for where, readers in self.vanished_at.items():
            # Each differs from the first that read there, which is the consumer unless it missed that record.
            self.expected["inconsistent-read"] += readers - (where in self.unread)


HARMLESS = ("sound", "gap", "unknown_in_the_log", "unknown_not_in_the_log", "refused")
ANOMALIES = ("lost", "duplicate_by_cluster", "duplicate_by_client", "swap", "hole", "altered", "unseen", "vanished")


@given(
    seed=st.integers(0, 2**32),
    writers=st.integers(1, 3),
    partitions=st.integers(1, 3),
    steps=st.lists(st.sampled_from(HARMLESS + ANOMALIES), max_size=25),
)
def test_every_planted_anomaly_is_found_and_none_invented(seed: int, writers: int, partitions: int, steps: list[str]) -> None:
    planter = Planter(seed, writers, partitions)
    for _ in range(partitions):
        planter.sound()
    for step in steps:
        getattr(planter, step)()
    planter.finish()
    found = {kind: finding.count for kind, finding in anomalies(planter.story.history()).items() if finding.count}
    assert found == {kind: count for kind, count in planter.expected.items() if count}
