"""Read-process-write: for each job that a member of a group is handed, one effect is written, and the offset is committed with it.

One transaction does the jobs of all partitions that the member has at that moment. When it did not commit for sure, nothing of it counts:
the member asks for the committed offsets and goes on from there (KIP-447).
"""

from holdwater.sim.coordination.member import Job, Member, Tenure
from holdwater.sim.coordination.producer import TransactionalProducer
from holdwater.sim.coordination.requests import Work
from holdwater.sim.coordination.transactions import COMMITTED
from holdwater.sim.workloads.history import History

_JOBS_MAX = 24
_ABORT_CHANCE = 0.1
_LONG_CHANCE = 0.03
_REST_US = 500_000
"""About how long it waits between two transactions."""


def effect_of(index: int, offset: int, attempt: str) -> bytes:
    """The value that tells which job it is of."""
    return f"{index}@{offset}/{attempt}".encode()


def job_of(effect: bytes) -> tuple[int, int]:
    """Partition and offset of the job that an effect is of."""
    index, _, offset = effect.partition(b"/")[0].partition(b"@")
    return int(index), int(offset)


def _some(jobs: list[Job]) -> list[Job]:
    """Up to the end of a batch."""
    ends = [place for place, job in enumerate(jobs, 1) if job.ends_batch]
    return jobs[: max([ends[0], *(end for end in ends if end <= _JOBS_MAX)])]


class Copier:
    """See the module."""

    def __init__(self, member: Member, producer: TransactionalProducer, history: History) -> None:
        self.member = member
        self.producer = producer
        self._history = history
        self._begins_soon = False
        self._is_at_work = False
        """Whether the outcome of a transaction has yet to reach it: it may stand still when that comes."""
        member.may_begin = lambda: producer.is_initialised and producer.transaction is None and not self._is_at_work
        member.on_work = self._begin_soon
        producer.on_ready = self._begin_soon

    def _begin_soon(self) -> None:
        if not self._begins_soon:
            self._begins_soon = True
            self.member.after(self.member.rng.below(2 * _REST_US), self._begin)

    def _begin(self) -> None:
        self._begins_soon = False
        member, producer = self.member, self.producer
        if self._is_at_work:
            return
        if not producer.is_ready or member.stopped:
            if not producer.partitions and not producer.stopped:
                self._begin_soon()  # it has yet to learn where the effects go; of everything else ``on_ready`` tells
            return
        taken: dict[int, list[int]] = {}
        tenures: dict[int, Tenure] = {}
        for tenure in member.tenures.values():
            if tenure.jobs:
                jobs = _some(tenure.jobs)
                del tenure.jobs[: len(jobs)]
                member.ledger.handed(tenure.index, tenure.worked, jobs[-1].offset + 1)
                tenure.worked = jobs[-1].offset + 1
                taken[tenure.index] = [job.offset for job in jobs]
                tenures[tenure.index] = tenure
        if not taken:
            return
        rng = member.rng
        attempt = f"{producer.name}#{producer.count + 1}"
        values: dict[int, list[bytes]] = {}
        for index, offsets in taken.items():
            target = index % len(producer.partitions)
            values.setdefault(target, []).extend(effect_of(index, offset, attempt) for offset in offsets)
        work = Work(
            values,
            commits=not rng.chance(_ABORT_CHANCE),
            hold_us=rng.uniform_ms(5_000, 12_000) * 1000 if rng.chance(_LONG_CHANCE) else rng.below(200_000),
            offsets={index: offsets[-1] + 1 for index, offsets in taken.items()},
            group=member.ledger,
            member_id=member.member_id,
            generation=member.generation,
            instance_id=member.instance_id,
        )
        self._is_at_work = True
        producer.run(work, lambda outcome: member.awake(self._over, tenures, outcome))

    def _over(self, tenures: dict[int, Tenure], outcome: str) -> None:
        self._is_at_work = False
        self._begin_soon()
        for tenure in tenures.values():
            if tenure.is_over:
                continue
            if outcome == COMMITTED:
                tenure.committed = max(tenure.committed, tenure.worked)
            else:
                self._history.count("jobs-done-again")
                self.member.start_again(tenure)
