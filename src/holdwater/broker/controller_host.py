"""The active controller on this node, while this node leads the metadata quorum.

A request is handled, its records are appended and replayed, and its response waits until they are committed. When leadership is lost the
controller is thrown away, and everything that waits is answered NOT_CONTROLLER.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdwater.broker.timers import NEVER, Timer
from holdwater.core.metadata.controller import Controller
from holdwater.core.metadata.result import PendingResponses, Result, batches
from holdwater.core.quorum import LeadershipChanged, NotLeader
from holdwater.kernel.invariant import invariant
from holdwater.wire.metadata_records import encode_record

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

Reply = Callable[[Any], None]
"""Takes the response, or ``None`` for "not the controller, try again"."""


class ControllerHost:
    """See the module."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self.controller: Controller | None = None
        """``None`` unless this node is the active controller and knows everything that was committed before its quorum epoch."""
        self._pending: PendingResponses[Reply] = PendingResponses()
        self._leadership: LeadershipChanged | None = None
        self._last_leader_id = -1
        self._timer: Timer | None = None

    @property
    def is_active(self) -> bool:
        """Whether this node is the active controller."""
        return self.controller is not None

    def leadership_changed(self, change: LeadershipChanged) -> None:
        """The quorum has another leader, or none."""
        if change.is_self:
            self._leadership = change
            self._activate_if_ready()
        else:
            self._leadership = None
            self._deactivate()
            if change.leader_id >= 0:
                self._last_leader_id = change.leader_id

    def high_watermark_advanced(self, high_watermark: int) -> None:
        """Records are committed: responses that waited for them may leave."""
        self._activate_if_ready()
        for reply, response in self._pending.release(high_watermark):
            reply(response)

    def _activate_if_ready(self) -> None:
        change = self._leadership
        if change is None or self.controller is not None or self._broker.metadata.next_offset <= change.epoch_start_offset:
            return
        broker = self._broker
        # A registration of this node that is not this process's is of one that has surely ended.
        lost = self._last_leader_id if broker.lifecycle.is_registered_in(broker.metadata.image) else broker.node_id
        self.controller = Controller(
            broker.config,
            broker.metadata.image,
            cluster_id=broker.cluster_id,
            quorum_epoch=change.leader_epoch,
            next_offset=broker.metadata.next_offset,
            mono_ms=broker.mono_ms,
            rng=broker.rng.fork(),
            voters=tuple(voter.id for voter in broker.metadata.quorum.voters.voters),
            lost_node_id=lost,
            open_transaction=broker.metadata.in_transaction,
        )
        broker.note(f"active controller in quorum epoch {change.leader_epoch}")
        self._append(self.controller.activate())
        self._arm()

    def _deactivate(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.controller is not None:
            self._broker.note("no longer the active controller")
        self.controller = None
        for reply in self._pending.fail():
            reply(None)

    # --- requests

    def submit(self, handle: Callable[[Controller], Result[Any]], reply: Reply) -> None:
        """Handle a request; ``reply`` is called once, when its records are committed."""
        controller = self.controller
        if controller is None:
            reply(None)
            return
        result = handle(controller)
        if not self._append(result):
            reply(None)
            return
        self._pending.add(reply, result)
        self._arm()
        self.high_watermark_advanced(self._broker.metadata.quorum.high_watermark)

    def _append(self, result: Result[Any]) -> bool:
        """Append a result's records and replay them; false when this node leads no more."""
        controller = self.controller
        assert controller is not None
        broker = self._broker
        quorum = broker.metadata.quorum
        for batch in batches(result):
            values = [encode_record(message, version) for message, version in batch]
            try:
                last = quorum.append(values, broker.mono_ms, broker.wall_ms, leader_epoch=controller.quorum_epoch)
            except NotLeader:
                self._leadership = None
                self._deactivate()
                return False
            first = last - len(batch) + 1
            invariant(
                first == controller.next_offset, f"the metadata log went on at {first}, the controller expected {controller.next_offset}"
            )
            for offset, (message, _) in enumerate(batch, first):
                controller.replay(offset, message, broker.mono_ms)
        broker.metadata.pump_soon()
        return True

    def broker_disconnected(self, broker_id: int) -> None:
        """The connection on which a broker sent its heartbeats closed."""
        if self.controller is not None and self.controller.on_broker_disconnected(broker_id, self._broker.mono_ms):
            self._arm()

    # --- time

    def _arm(self) -> None:
        controller = self.controller
        if controller is None:
            return
        due = controller.next_deadline()
        timer = self._timer
        if timer is not None and timer.callback is not None:
            if timer.due_ms == due:
                return
            timer.cancel()
        self._timer = None if due >= NEVER else self._broker.timers.at(due, self._tick)

    def _tick(self) -> None:
        while self.controller is not None:
            result = self.controller.tick(self._broker.mono_ms)
            if result is None:
                break
            self._append(result)
        if self.controller is not None and self._broker.buggify("controller resigns"):
            self._broker.metadata.quorum.give_up_leadership(self._broker.mono_ms)
            self._broker.metadata.pump_soon()
        self._arm()
