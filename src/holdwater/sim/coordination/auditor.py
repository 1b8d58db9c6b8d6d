"""Somebody who is no member and asks how far groups are committed: now and then while all goes on, and when everything is over."""

from collections.abc import Callable

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.coordination.asking import GROUP, Coordinator
from holdwater.sim.coordination.groups import GroupLedger
from holdwater.sim.coordination.member import OFFSETS_VERSION, RETRY_US, offset_fetch
from holdwater.sim.coordination.plan import JOBS
from holdwater.sim.workloads.client import Client
from holdwater.sim.workloads.history import History
from holdwater.wire.messages import OffsetFetchResponse

_INTERVAL_US = 700_000


class Auditor(Client):
    """See the module. What it is told is judged as what members fetch is."""

    def __init__(self, cluster: SimCluster, rng: Rng, history: History, partition_count: int) -> None:
        super().__init__(cluster, "auditor", JOBS, rng, history, metadata_max_age_us=0)
        self.over = False
        self._watch = cluster.watch
        self._indexes = list(range(partition_count))
        self._coordinators: dict[str, Coordinator] = {}

    def probe(self, ledger: GroupLedger) -> None:
        """Ask about a group again and again."""

        def later(offsets: dict[int, int] | None = None) -> None:
            self.scheduler.after(self.rng.uniform_ms(_INTERVAL_US // 2, 2 * _INTERVAL_US), again)

        def again() -> None:
            if not self.stopped and not self.over:
                self._ask(ledger, later, later)

        later()

    def ask_until_answered(self, ledger: GroupLedger, done: Callable[[dict[int, int]], None]) -> None:
        """``done`` learns the stable committed offsets by partition, -1 for none."""

        def again() -> None:
            self.scheduler.after(RETRY_US, lambda: self.ask_until_answered(ledger, done))

        self._ask(ledger, done, again)

    def _ask(self, ledger: GroupLedger, done: Callable[[dict[int, int]], None], failed: Callable[[], None]) -> None:
        coordinator = self._coordinators.setdefault(ledger.name, Coordinator(self, GROUP, ledger.name))
        asked_us = self.scheduler.now_us

        def answered(response: OffsetFetchResponse | None) -> None:
            group = response.groups[0] if response is not None else None
            if group is None or group.error_code:
                coordinator.forget()
                failed()
                return
            is_sure = coordinator.is_in_office(self._watch.newest)
            parts = [each for topic in group.topics for each in topic.partitions]
            for each in parts:
                if each.error_code:
                    self.history.error(f"audit {ErrorCode(each.error_code).name}")
                else:
                    asked_of = (asked_us, self.scheduler.now_us)
                    ledger.fetched(each.partition_index, each.committed_offset, each.metadata or "", *asked_of, is_sure=is_sure)
            if any(each.error_code for each in parts):
                failed()
            else:
                done({each.partition_index: each.committed_offset for each in parts})

        coordinator.ask(offset_fetch(ledger.name, self._indexes), OFFSETS_VERSION, OffsetFetchResponse, answered)
