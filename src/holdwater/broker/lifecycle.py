"""A broker's life in the cluster (KIP-631): register, catch up, be unfenced, send heartbeats, stop in order.

``STARTING -> REGISTERED -> RUNNING -> STOPPING -> STOPPED``; a new active controller is told at once that this broker lives.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from holdwater.broker.timers import Timer
from holdwater.core.metadata.features import SUPPORTED_FEATURES
from holdwater.core.metadata.image import MetadataImage
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    BrokerHeartbeatRequest,
    BrokerHeartbeatResponse,
    BrokerRegistrationRequest,
    BrokerRegistrationResponse,
)

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

REGISTRATION_VERSION = 4
HEARTBEAT_VERSION = 1
_RETRY_MS = 20
_LATE_MS = 500
_CATCH_UP_MS = 20
_STOPPING_HEARTBEAT_MS = 50
_STOPPING_PATIENCE_MS = 2500
"""How long a stopping broker looks for an active controller: longer than an election takes, too short to keep a person waiting who stops
the whole cluster, where the last broker finds no quorum any more."""


class Lifecycle:
    """See the module."""

    def __init__(self, broker: "Broker", incarnation_id: bytes, previous_broker_epoch: int) -> None:
        self._broker = broker
        self._incarnation_id = incarnation_id
        self._previous_broker_epoch = previous_broker_epoch
        self.broker_epoch = -1
        self.state = "STARTING"
        self.was_unfenced = False
        """Whether this process was unfenced once."""
        self.refused: str | None = None
        """Why the controller will never take this broker, once it has said so."""
        self._interval_ms = broker.config.int("broker.heartbeat.interval.ms")
        self._timer: Timer | None = None
        self._under_way = False
        self._again = False
        self._stopping_others: list[int] = []
        self._on_stopped: Callable[[], None] | None = None
        self._patience_ends_ms = 0

    def start(self) -> None:
        """Register as soon as there is an active controller."""
        self._soon(0)

    def controller_changed(self) -> None:
        """Another active controller: it may not know this broker yet, and starts its lease anew."""
        if self.state != "STOPPED" and self._broker.config.is_broker:
            self._soon(0)

    def is_registered_in(self, image: MetadataImage) -> bool:
        """Whether the committed metadata know of this process, and so of how the one before it ended."""
        broker = image.brokers.get(self._broker.node_id)
        return broker is not None and broker.incarnation_id == self._incarnation_id

    def take_epoch(self, image: MetadataImage) -> None:
        """Take the broker epoch from metadata in which this process is registered.

        They may be here before the registration is answered, and a follower that fetches without its broker epoch can join no ISR.
        """
        self.broker_epoch = max(self.broker_epoch, image.brokers[self._broker.node_id].broker_epoch)

    def image_changed(self, image: MetadataImage) -> None:
        """Being unfenced is what the committed metadata say, not an answer."""
        broker = image.brokers.get(self._broker.node_id)
        if self.state == "REGISTERED" and broker is not None and broker.broker_epoch == self.broker_epoch:
            if broker.fenced:
                self._soon(0)  # caught up with the own registration
            else:
                self.state = "RUNNING"
                self.was_unfenced = True
                self._broker.note("running: unfenced")
        elif self.state == "RUNNING" and broker is not None and broker.fenced and broker.broker_epoch == self.broker_epoch:
            self.state = "REGISTERED"  # fenced: ask to be taken back
            self._broker.note("fenced by the controller")
            self._soon(0)
        stopping = [other.broker_id for other in image.brokers.values() if other.in_controlled_shutdown and not other.fenced]
        if stopping != self._stopping_others:
            self._stopping_others = stopping
            if stopping and self.state == "RUNNING":
                self._soon(0)  # who stops may go once every running broker has reported the offset at which it leads nothing

    def stop(self, on_stopped: Callable[[], None]) -> None:
        """Ask the controller to move leaders away, and call back when it has, or can't be asked."""
        self._on_stopped = on_stopped
        if self.state in {"STARTING", "STOPPED"} or not self._broker.config.bool("controlled.shutdown.enable"):
            self._stopped()
            return
        self.state = "STOPPING"
        self._patience_ends_ms = self._broker.mono_ms + _STOPPING_PATIENCE_MS
        self._give_up_in_time()
        self._soon(0)

    def _give_up_in_time(self) -> None:
        """Stop without a controller's consent once none has answered for a while."""
        if self.state != "STOPPING":
            return
        if self._broker.mono_ms >= self._patience_ends_ms:
            self._broker.note("no active controller answers: stopping without one")
            self._stopped()
        else:
            self._broker.timers.at(self._patience_ends_ms, self._give_up_in_time)

    def _stopped(self) -> None:
        self.state = "STOPPED"
        if self._timer is not None:
            self._timer.cancel()
        callback, self._on_stopped = self._on_stopped, None
        if callback is not None:
            callback()

    def _soon(self, delay_ms: int) -> None:
        due = self._broker.mono_ms + delay_ms
        timer = self._timer
        if timer is not None and timer.callback is not None:
            if timer.due_ms <= due:
                return
            timer.cancel()
        self._timer = self._broker.timers.at(due, self._speak)

    def _speak(self) -> None:
        if self._under_way:
            self._again = True
            return
        if self._broker.controller.leader_id < 0:
            if self.state == "STOPPING":
                self._soon(_STOPPING_HEARTBEAT_MS)
            return  # told when there is one
        if self.state == "STARTING":
            self._register()
        elif self.state != "STOPPED":
            self._heartbeat()

    def _register(self) -> None:
        broker = self._broker
        request_class = BrokerRegistrationRequest
        request = request_class(
            broker_id=broker.node_id,
            cluster_id=broker.cluster_id,
            incarnation_id=self._incarnation_id,
            listeners=[
                request_class.Listener(name=at.name, host=at.host, port=at.port, security_protocol=at.protocol_number)
                for at in broker.advertised
            ],
            features=[
                request_class.Feature(name=name, min_supported_version=low, max_supported_version=high)
                for name, (low, high) in SUPPORTED_FEATURES.items()
            ],
            rack=broker.config.optional_string("broker.rack"),
            is_migrating_zk_broker=False,
            log_dirs=list(broker.directory_ids),
            previous_broker_epoch=self._previous_broker_epoch,
        )
        self._under_way = True
        broker.controller.request(request, REGISTRATION_VERSION, BrokerRegistrationResponse, self._registered)

    def _registered(self, response: BrokerRegistrationResponse | None) -> None:
        self._under_way = False
        if response is not None and response.error_code == 0:
            self.broker_epoch = response.broker_epoch
            self.state = "REGISTERED"
            self._broker.note(f"registered with broker epoch {self.broker_epoch}")
            self._soon(0)
            return
        if response is not None and response.error_code in _FINAL:
            self.refused = ErrorCode.describe(response.error_code)
            self._broker.note(f"the controller refuses this broker: {self.refused}")
            self._broker.stop_requested = f"the controller refuses broker {self._broker.node_id}: {self.refused}"
            return
        self._soon(_RETRY_MS if response is None else 200)

    def _heartbeat(self) -> None:
        broker = self._broker
        if broker.buggify("heartbeat late"):
            self._soon(_LATE_MS)
            return
        request = BrokerHeartbeatRequest(
            broker_id=broker.node_id,
            broker_epoch=self.broker_epoch,
            current_metadata_offset=broker.metadata.image.last_offset,
            want_fence=False,
            want_shut_down=self.state == "STOPPING",
            offline_log_dirs=list(broker.offline_directory_ids),
        )
        self._under_way = True
        broker.controller.request(request, HEARTBEAT_VERSION, BrokerHeartbeatResponse, self._answered)

    def _answered(self, response: BrokerHeartbeatResponse | None) -> None:
        self._under_way = False
        if response is None or response.error_code:
            if response is not None and response.error_code == ErrorCode.STALE_BROKER_EPOCH and self.state != "STOPPING":
                self.state = "STARTING"  # registered anew from elsewhere, or forgotten
            self._soon(_RETRY_MS)
            return
        if self.state == "STOPPING":
            self._patience_ends_ms = self._broker.mono_ms + _STOPPING_PATIENCE_MS
            if response.should_shut_down:
                self._stopped()
            else:
                self._soon(_STOPPING_HEARTBEAT_MS)
            return
        waiting = self.state == "REGISTERED"
        if self._again or (waiting and response.is_caught_up and response.is_fenced):
            self._again = False
            self._soon(_CATCH_UP_MS)
        else:
            self._soon(_CATCH_UP_MS if waiting else self._interval_ms)


_FINAL = frozenset({ErrorCode.INCONSISTENT_CLUSTER_ID, ErrorCode.UNSUPPORTED_VERSION, ErrorCode.INVALID_REGISTRATION})
"""Answers to a registration that no retry changes. A duplicate broker id may become free when the other's lease runs out."""
