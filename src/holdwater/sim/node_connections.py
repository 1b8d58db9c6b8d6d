"""A node's ends of its connections: they hand what comes in to the node."""

from typing import TYPE_CHECKING

from holdwater.broker.broker import Broker
from holdwater.sim.network import End

if TYPE_CHECKING:
    from holdwater.sim.node import SimNode


class Accepted:
    """A connection that somebody opened to a node."""

    __slots__ = ("id", "node")

    def __init__(self, node: "SimNode", connection_id: int) -> None:
        self.node = node
        self.id = connection_id

    def opened(self) -> None:
        """Never: only whoever connects is told."""

    def received(self, frames: list[bytes]) -> None:
        """Requests."""
        self.node.frames(self.id, frames)

    def closed(self) -> None:
        """The other end is gone."""
        self.node.connection_lost(self.id)


class Link:
    """A connection that a node opened."""

    __slots__ = ("end", "id", "node")

    def __init__(self, node: "SimNode", link_id: int) -> None:
        self.node = node
        self.id = link_id
        self.end: End | None = None

    def opened(self) -> None:
        """It stands."""
        self.node.link_event(self.id, self.end, Broker.link_up)

    def received(self, frames: list[bytes]) -> None:
        """Responses."""
        for frame in frames:
            self.node.link_event(self.id, self.end, lambda broker, link_id, frame=frame: broker.link_frame(link_id, frame))

    def closed(self) -> None:
        """It is gone."""
        self.node.link_lost(self.id, self.end)
