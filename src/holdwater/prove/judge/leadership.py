"""Who led a partition when, and who was in sync, by what the brokers said of it."""

from bisect import bisect_right
from dataclasses import dataclass, field

from holdwater.prove.history.model import History, PartitionView


@dataclass(slots=True)
class Leadership:
    """Who led a partition when, as the leaders themselves showed it: changes in order of time."""

    times: list[int] = field(default_factory=list[int])
    views: list[PartitionView] = field(default_factory=list[PartitionView])

    def at(self, time_ns: int) -> PartitionView | None:
        """The last view at or before a time."""
        index = bisect_right(self.times, time_ns) - 1
        return self.views[index] if index >= 0 else None

    def from_epoch(self, leader_epoch: int) -> PartitionView | None:
        """The first view of a leader epoch, or of a later one, that names its leader: some epochs have none."""
        return next((view for view in self.views if view.leader_epoch >= leader_epoch and view.leader >= 0), None)


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
