"""The port through which a broker reaches the network. ``node`` implements it on sockets, ``sim`` on a simulated network.

Connections are opened by others, links by this broker. Both carry frames: a 4-byte length and that many bytes. The implementation cuts the
incoming stream into frames (bounded by ``socket.request.max.bytes``) and hands them to ``Broker.frame`` and ``Broker.link_frame``
without the length. Nothing is delivered on a connection or link after it was closed.
"""

from typing import Protocol


class Transport(Protocol):
    """See the module. No method blocks or raises; a write to something that is gone is dropped."""

    def write(self, connection_id: int, parts: list[bytes]) -> None:
        """Send bytes on an accepted connection, in order."""
        ...

    def close(self, connection_id: int) -> None:
        """Close an accepted connection once what was written is sent."""
        ...

    def connect(self, link_id: int, host: str, port: int) -> None:
        """Open a link; ``Broker.link_up`` or ``Broker.link_down`` follows."""
        ...

    def send(self, link_id: int, data: bytes) -> None:
        """Send bytes on a link that is up, in order."""
        ...

    def disconnect(self, link_id: int) -> None:
        """Close a link, up or not; ``Broker.link_down`` does not follow."""
        ...
