"""This broker's way to the active controller, wherever it is: registration, heartbeats, ISR changes, producer ids, forwarded requests.

On the node that is the active controller itself the request takes the short way, without a socket. The channel's connection is a broker's
*session* with the controller: when it closes, the controller shortens the broker's lease, and the next heartbeat restores it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdwater.broker.controller_requests import local_handler

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker


class ControllerChannel:
    """See the module."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self.leader_id = -1

    def leader_changed(self, leader_id: int) -> None:
        """The quorum's leader is the active controller."""
        if leader_id != self.leader_id:
            self.leader_id = leader_id
            self._broker.lifecycle.controller_changed()

    def request(self, request: Any, version: int, response_class: Any, on_reply: Callable[[Any], None], timeout_ms: int = 0) -> None:
        """Ask the active controller; ``on_reply`` gets the response, or ``None`` when it is not known, not reached, or not it any more."""
        broker = self._broker
        if self.leader_id == broker.node_id:
            handle = local_handler(request, version, broker.mono_ms)
            broker.controller_host.submit(handle, lambda response: broker.soon(lambda: on_reply(response)))
            return
        endpoint = broker.metadata.quorum.leader_endpoint
        if self.leader_id < 0 or endpoint is None:
            broker.soon(lambda: on_reply(None))
            return
        link = broker.links.to(self.leader_id, "controller", endpoint.host, endpoint.port)
        limit_ms = timeout_ms or broker.config.int("controller.quorum.request.timeout.ms")
        link.request(request, version, response_class, limit_ms, on_reply)
