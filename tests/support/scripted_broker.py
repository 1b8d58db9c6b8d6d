"""A broker of the laboratory that answers what a test tells it to, to see what clients make of it."""

from collections.abc import Callable
from typing import Any

from holdwater.sim.cluster import PORT, SimCluster
from holdwater.sim.network import End
from holdwater.wire.codec.frames import decode_request, encode_response
from holdwater.wire.messages import FetchRequest, FetchResponse, MetadataRequest, MetadataResponse

TOPIC_ID = b"\x11" * 16
MACHINE = "n1"


class ScriptedBroker:
    """Listens instead of node 1 of a cluster that is not started.

    ``topics`` are the ids that metadata name, by topic; each topic has one partition, led by this one in ``leader_epoch``. Every other request
    goes to the function that ``answers`` has for its class; what it returns is the response, and ``None`` closes the connection. A fetch
    that finds nothing waits as long as it may. ``requests`` keeps them all.
    """

    def __init__(self, cluster: SimCluster, **topics: bytes) -> None:
        self.topics = topics
        self.leader_epoch = 4
        self.answers: dict[type, Callable[[Any], Any]] = {}
        self.requests: list[Any] = []
        self._network = cluster.network
        self._scheduler = cluster.scheduler
        self._free_us: dict[End, int] = {}
        cluster.network.listen(MACHINE, PORT, self._accept)

    def asked(self, kind: type) -> list[Any]:
        """The requests of one class so far."""
        return [request for request in self.requests if isinstance(request, kind)]

    def _accept(self, end: End) -> "_Accepted":
        return _Accepted(self, end)

    def take(self, end: End, frame: bytes) -> None:
        """One request."""
        header, request = decode_request(frame)
        self.requests.append(request)
        answer = self._metadata(request) if isinstance(request, MetadataRequest) else self.answers[type(request)](request)
        if answer is None:
            self._network.close(end)
            return
        data = encode_response(answer, header.request_api_version, header.correlation_id)
        wait_ms = request.max_wait_ms if isinstance(request, FetchRequest) and _is_empty(answer) else 0
        self._free_us[end] = max(self._scheduler.now_us + 1000 * wait_ms, self._free_us.get(end, 0))  # in order, as brokers do
        self._scheduler.at(self._free_us[end], self._network.send, end, data)

    def _metadata(self, request: MetadataRequest) -> MetadataResponse:
        assert request.topics
        name = request.topics[0].name
        assert name is not None
        topic = MetadataResponse.MetadataResponseTopic(name=name)
        if name in self.topics:
            led = MetadataResponse.MetadataResponsePartition(partition_index=0, leader_id=1, leader_epoch=self.leader_epoch)
            topic.topic_id, topic.partitions = self.topics[name], [led]
        else:
            topic.error_code = 3
        return MetadataResponse(brokers=[MetadataResponse.MetadataResponseBroker(node_id=1, host=MACHINE, port=PORT)], topics=[topic])


def _is_empty(answer: FetchResponse) -> bool:
    return not answer.error_code and not any(data.records or data.error_code for topic in answer.responses for data in topic.partitions)


class _Accepted:
    def __init__(self, broker: ScriptedBroker, end: End) -> None:
        self._broker = broker
        self._end = end

    def opened(self) -> None:
        """Never: only whoever connects is told."""

    def received(self, frames: list[bytes]) -> None:
        """Requests."""
        for frame in frames:
            self._broker.take(self._end, frame)

    def closed(self) -> None:
        """The client is gone."""
