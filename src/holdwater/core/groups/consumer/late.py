"""The target assignment that had to wait: heartbeats came while the last one was younger than the assignment interval.

It is worked out when the interval is over, not with the next heartbeat after that, which may be a whole heartbeat interval later: the first member
that heartbeats then gives up what it must, and whoever comes after it finds that free.
"""

from holdwater.core.coordinator import NOTHING, Cancellable, Decision, ShardHost
from holdwater.core.groups.consumer.settings import SettingsOfGroup
from holdwater.core.groups.consumer.state import ConsumerState
from holdwater.core.groups.consumer.target import assignor_of_group, new_targets, target_records


class LateAssignment:
    """See the module."""

    def __init__(self, group_id: str, host: ShardHost, state: ConsumerState, settings: SettingsOfGroup) -> None:
        self._group_id = group_id
        self._host = host
        self._state = state
        self._settings = settings
        self._scheduled: Cancellable | None = None

    def may_assign(self) -> bool:
        """Whether the interval has passed. A wall clock that was set back since must not keep the group waiting."""
        last_wall_ms = self._state.assignment_wall_ms
        return last_wall_ms == 0 or not 0 <= self._host.wall_ms - last_wall_ms < self._settings.now().assignment_interval_ms

    def want(self) -> None:
        """Somebody would have a target, and it is too early."""
        if self._scheduled is None:
            wait_ms = self._settings.now().assignment_interval_ms - (self._host.wall_ms - self._state.assignment_wall_ms)
            self._scheduled = self._host.at(self._host.mono_ms + max(wait_ms, 0), self._assign)

    def cancel(self) -> None:
        """This broker is the coordinator no more."""
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None

    def _assign(self) -> Decision:
        self._scheduled = None
        state = self._state
        if state.assignment_epoch >= state.group_epoch or not state.members:
            return NOTHING
        assignor = assignor_of_group(state, None, self._settings.now().assignors)
        targets, so_far = new_targets(state, None, assignor, self._host.topics)
        return Decision(tuple(target_records(self._group_id, targets, so_far, state.group_epoch, self._host.wall_ms)))
