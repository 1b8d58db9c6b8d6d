"""A producer that writes to several partitions in transactions, and sometimes leaves one open, or is gone in the middle of one.

Two of them may have one transactional id: each that begins fences the other, which goes on as a zombie until it is told.
"""

from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.coordination.plan import WriterPlan
from holdwater.sim.coordination.producer import TransactionalProducer
from holdwater.sim.coordination.requests import Work
from holdwater.sim.coordination.transactions import TransactionLedger
from holdwater.sim.workloads.history import History

_CRASH_CHANCE = 0.03
_RECORDS_MAX = 4


class Writer:
    """See the module."""

    def __init__(self, cluster: SimCluster, name: str, plan: WriterPlan, rng: Rng, history: History, ledger: TransactionLedger) -> None:
        self.plan = plan
        self.producer = TransactionalProducer(
            cluster, name, plan.name, rng.fork(), history, ledger, bumps=plan.bumps, timeout_ms=plan.timeout_ms
        )
        if plan.has_twin:
            self.producer.fenced_rest_us = rng.uniform_ms(3_000, 12_000) * 1000
        self.over = False
        self._rng = rng
        self._scheduler = cluster.scheduler
        self._history = history

    def start(self) -> None:
        """Begin."""
        self.producer.start()
        self._later()

    def finish(self) -> None:
        """Begin nothing more, but for a last transaction that nobody ever ends, perhaps."""
        self.over = True
        if self.plan.hang_chance and self.producer.is_ready:
            self.producer.run(self._work()._replace(is_left_open=True), lambda outcome: None)

    def stop(self) -> None:
        """Do nothing more."""
        self.over = True
        self.producer.stop()

    @property
    def is_resting(self) -> bool:
        """Whether it waits for nothing."""
        return self.producer.transaction is None

    def _later(self) -> None:
        interval_us = self.plan.interval_us
        self._scheduler.after(self._rng.uniform_ms(interval_us // 2, interval_us * 3 // 2), self._step)

    def _step(self) -> None:
        producer = self.producer
        if self.over or producer.stopped:
            return
        if producer.transaction is not None and self._rng.chance(_CRASH_CHANCE):
            self._history.count("producer-crashed")
            producer.restart()
        elif producer.is_ready:
            producer.run(self._work(), lambda outcome: None)
        self._later()

    def _work(self) -> Work:
        rng, producer, plan = self._rng, self.producer, self.plan
        indexes = [index for index in producer.partitions if rng.chance(0.6)] or [0]
        number = producer.count + 1
        values = {
            index: [f"{producer.name}#{number}/{index}/{each}".encode() for each in range(1 + rng.below(_RECORDS_MAX))] for index in indexes
        }
        hold_us = rng.below(300_000)
        if rng.chance(plan.hang_chance):
            self._history.count("transaction-held-too-long")
            hold_us = plan.timeout_ms * rng.uniform_ms(1_000, 2_500)
        return Work(values, commits=not rng.chance(plan.abort_chance), hold_us=hold_us)
