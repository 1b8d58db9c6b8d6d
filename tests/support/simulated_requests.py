"""Raw requests to the brokers of a simulated cluster; an answer is there as soon as virtual time has brought it."""

from types import SimpleNamespace
from typing import Any, cast

from holdwater.broker.connection import Call, Connection
from holdwater.broker.handlers.table import TABLE
from holdwater.sim.cluster import SimCluster
from holdwater.wire.codec import decode
from holdwater.wire.codec.frames import decode_response_header


class Asked:
    """A request under way: ``answer`` is ``None`` until it is answered."""

    def __init__(self, api_key: int, version: int, response_class: type[Any]) -> None:
        self._kind = (api_key, version, response_class)
        self.answer: Any = None

    def take(self, data: bytes) -> None:
        api_key, version, response_class = self._kind
        _, start = decode_response_header(data[4:], api_key, version)
        self.answer = decode(response_class, version, data[4:], start)


class Client:
    """Asks any broker; each request comes by a connection of its own."""

    def __init__(self, cluster: SimCluster) -> None:
        self.cluster = cluster
        self._numbers = 10**6

    def send(self, node_id: int, request: Any, version: int | None = None) -> Asked:
        """Hand a request to a broker; its handler runs at once."""
        node = self.cluster.nodes[node_id]
        broker = node.broker
        assert broker is not None, f"n{node_id} does not run"
        api = TABLE[request.API_KEY]
        version = api.versions[1] if version is None else version
        asked = Asked(request.API_KEY, version, api.response_class)
        self._numbers += 1
        transport = SimpleNamespace(write=lambda _, parts: asked.take(b"".join(parts)), close=lambda _: None)  # pyright: ignore[reportUnknownLambdaType]
        connection = Connection(self._numbers, "PLAINTEXT", "10.0.0.1", cast(Any, transport), broker.note)
        call = Call(connection, request.API_KEY, version, 1, "test")
        node._enter(api.handle, broker, call, request)  # pyright: ignore[reportPrivateUsage] - as the simulated network does
        return asked

    def ask(self, node_id: int, request: Any, version: int | None = None, *, within_ms: int = 10_000) -> Any:
        """A request, and its answer."""
        asked = self.send(node_id, request, version)
        self.cluster.until(f"{type(request).__name__} is answered", lambda: asked.answer is not None, within_ms)
        return asked.answer
