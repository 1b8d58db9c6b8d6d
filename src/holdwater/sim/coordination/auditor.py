"""Somebody who is no member and asks, when everything is over, how far groups are committed."""

from collections.abc import Callable

from holdwater.sim.coordination.asking import GROUP, Coordinator
from holdwater.sim.coordination.groups import GroupLedger
from holdwater.sim.coordination.member import OFFSETS_VERSION, RETRY_US, offset_fetch
from holdwater.sim.workloads.client import Client
from holdwater.wire.messages import OffsetFetchResponse


class Auditor(Client):
    """See the module."""

    def ask_group(self, ledger: GroupLedger, indexes: list[int], done: Callable[[dict[int, int]], None]) -> None:
        """``done`` learns the stable committed offsets by partition, -1 for none; they are judged as those that members fetch."""
        coordinator = Coordinator(self, GROUP, ledger.name)

        def ask() -> None:
            asked_us = self.scheduler.now_us
            coordinator.ask(
                offset_fetch(ledger.name, indexes), OFFSETS_VERSION, OffsetFetchResponse, lambda response: answered(asked_us, response)
            )

        def answered(asked_us: int, response: OffsetFetchResponse | None) -> None:
            group = response.groups[0] if response is not None else None
            parts = [each for topic in group.topics for each in topic.partitions] if group is not None and not group.error_code else []
            if not parts or any(each.error_code for each in parts):
                coordinator.forget()
                self.scheduler.after(RETRY_US, ask)
                return
            for each in parts:
                ledger.fetched(each.partition_index, each.committed_offset, each.metadata or "", asked_us, self.scheduler.now_us)
            done({each.partition_index: each.committed_offset for each in parts})

        ask()
