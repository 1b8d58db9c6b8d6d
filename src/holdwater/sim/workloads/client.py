"""A client's machine: connections to brokers, and what it knows of one topic, as a real client library keeps them.

A connection that is lost, or on which an answer takes too long, is closed, and everybody who waits on it is told. Metadata are asked for
anew when an answer says that they are old, not more often than a backoff allows that grows while there is nothing to learn, and every
``metadata_max_age_us``. A topic that is deleted and created again has another id: the client then knows the partitions of that one only.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from holdwater.kernel.rng import Rng
from holdwater.sim.clock import Scheduler
from holdwater.sim.cluster import PORT, SimCluster
from holdwater.sim.network import End
from holdwater.sim.trace import Trace
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.history import History
from holdwater.wire.codec import decoder
from holdwater.wire.codec.frames import encode_request, response_header_version
from holdwater.wire.messages import MetadataRequest, MetadataResponse

BUDGET = 1_000_000
METADATA_VERSION = 12
METADATA_BACKOFF_US = 50_000
METADATA_BACKOFF_MAX_US = 400_000
METADATA_MAX_AGE_US = 5_000_000
METADATA_TIMEOUT_US = 5_000_000
RECONNECT_BACKOFF_US = 50_000
REQUEST_TIMEOUT_US = 30_000_000
NO_TOPIC = bytes(16)


class Pending:
    """A request under way; ``on_reply`` gets the response, or ``None`` when there will be none. Without it there is no answer to wait for."""

    __slots__ = ("correlation_id", "frame", "key", "on_reply", "response_class", "version")

    def __init__(
        self, correlation_id: int, key: int, version: int, response_class: Any, on_reply: Callable[[Any], None] | None, frame: bytes
    ) -> None:
        self.correlation_id = correlation_id
        self.key = key
        self.version = version
        self.response_class = response_class
        self.on_reply = on_reply
        self.frame = frame


class ClientConnection:
    """One connection to one address. It connects when there is something to send, and again after it was lost."""

    def __init__(self, client: "Client", host: str, port: int) -> None:
        self._client = client
        self._host = host
        self._port = port
        self._end: End | None = None
        self._is_up = False
        self._pending: deque[Pending] = deque()
        self._correlation_id = 0
        self._retry_us = 0

    @property
    def is_resting(self) -> bool:
        """Whether it was lost just now, and is not tried again yet."""
        return self._end is None and self._client.scheduler.now_us < self._retry_us

    def request(self, message: Any, version: int, response_class: Any, timeout_us: int, on_reply: Callable[[Any], None]) -> None:
        """Send a request; ``on_reply`` is called exactly once, later."""
        scheduler = self._client.scheduler
        if self.is_resting:
            scheduler.at(self._retry_us, on_reply, None)
            return
        pending = self._pend(message, version, response_class, on_reply)
        scheduler.after(timeout_us, self._timed_out, pending)

    def send_only(self, message: Any, version: int) -> None:
        """Send a request that is not answered (Produce with ``acks=0``); lost with the connection."""
        if not self.is_resting:
            self._pend(message, version, None, None)

    def _pend(self, message: Any, version: int, response_class: Any, on_reply: Callable[[Any], None] | None) -> Pending:
        self._correlation_id += 1
        frame = encode_request(message, version, self._correlation_id, self._client.name)
        pending = Pending(self._correlation_id, message.API_KEY, version, response_class, on_reply, frame)
        if self._is_up and self._end is not None:
            self._client.network.send(self._end, frame)
        if not self._is_up or on_reply is not None:
            self._pending.append(pending)
        if self._end is None:
            self._end = self._client.network.connect(self._client.name, self._host, self._port, self)
        return pending

    def opened(self) -> None:
        """It stands."""
        self._is_up = True
        assert self._end is not None
        for pending in self._pending:
            self._client.network.send(self._end, pending.frame)
        self._pending = deque(pending for pending in self._pending if pending.on_reply is not None)

    def received(self, frames: list[bytes]) -> None:
        """Responses came in."""
        for data in frames:
            if not self._pending:
                return  # an earlier one made the client close the connection
            pending = self._pending.popleft()
            if int.from_bytes(data[:4], "big") != pending.correlation_id:
                raise SafetyViolation("protocol", f"{self._host} answered another request than the oldest of {self._client.name}")
            start = 5 if response_header_version(pending.key, pending.version) else 4
            assert pending.on_reply is not None
            pending.on_reply(decoder(pending.response_class, pending.version)(data, start, len(data), BUDGET))

    def closed(self) -> None:
        """It is gone, or was never made."""
        self._end = None
        self._is_up = False
        self._retry_us = self._client.scheduler.now_us + RECONNECT_BACKOFF_US
        pending, self._pending = self._pending, deque()
        for entry in pending:
            if entry.on_reply is not None:
                entry.on_reply(None)
        self._client.connection_lost()

    def close(self) -> None:
        """Give the connection up from this side; whoever waits is told."""
        if self._end is not None:
            self._client.network.close(self._end)
        self.closed()

    def _timed_out(self, pending: Pending) -> None:
        if pending in self._pending:
            self._client.trace.line(self._client.name, f"no answer from {self._host} in time")
            self.close()


class Partition(NamedTuple):
    """Who leads a partition, as the client knows it; -1 while nobody does."""

    leader_id: int
    leader_epoch: int


class Client:
    """See the module. ``metadata_max_age_us`` 0: metadata are asked for on demand only."""

    def __init__(
        self, cluster: SimCluster, name: str, topic: str, rng: Rng, history: History, *, metadata_max_age_us: int = METADATA_MAX_AGE_US
    ) -> None:
        self.name = name
        self.topic = topic
        self.rng = rng
        self.history = history
        self.scheduler: Scheduler = cluster.scheduler
        self.network = cluster.network
        self.trace: Trace = cluster.trace
        self.topic_id = NO_TOPIC
        self.partitions: dict[int, Partition] = {}
        self.stopped = False
        self._max_age_us = metadata_max_age_us
        self._bootstrap = [(node.machine, PORT) for node in cluster.nodes.values()]
        self._addresses: dict[int, tuple[str, int]] = {}
        self._connections: dict[tuple[str, int], ClientConnection] = {}
        self._refreshing = False
        self._refreshed_us = -METADATA_BACKOFF_US
        self._refresh_wanted = False
        self._backoff_us = METADATA_BACKOFF_US
        self._age_is_watched = False

    # --- connections

    def connection(self, node_id: int) -> ClientConnection | None:
        """The connection to a broker whose address is known."""
        address = self._addresses.get(node_id)
        return self.connection_to(address) if address is not None else None

    def any_connection(self) -> ClientConnection:
        """The connection to some broker, one that is not resting if there is one."""
        known = list(dict.fromkeys([*self._addresses.values(), *self._bootstrap]))
        first = self.rng.below(len(known))
        order = [self.connection_to(known[(first + step) % len(known)]) for step in range(len(known))]
        return next((each for each in order if not each.is_resting), order[0])

    def connection_to(self, address: tuple[str, int]) -> ClientConnection:
        """The connection to an address."""
        found = self._connections.get(address)
        if found is None:
            found = self._connections[address] = ClientConnection(self, *address)
        return found

    def connection_lost(self) -> None:
        """A connection is gone; those who waited on it have been told."""

    def stop(self) -> None:
        """Do nothing more."""
        self.stopped = True
        for connection in self._connections.values():
            connection.close()

    # --- metadata

    def refresh_metadata(self) -> None:
        """What is known may be old: ask again, soon."""
        if self._refreshing or self._refresh_wanted or self.stopped:
            return
        self._refresh_wanted = True
        self.scheduler.at(max(self.scheduler.now_us, self._refreshed_us + self._backoff_us), self._refresh)

    def _refresh(self) -> None:
        self._refresh_wanted = False
        if self.stopped:
            return
        self._refreshing = True
        asked = MetadataRequest.MetadataRequestTopic(name=self.topic)
        request = MetadataRequest(topics=[asked], allow_auto_topic_creation=False)
        self.any_connection().request(request, METADATA_VERSION, MetadataResponse, METADATA_TIMEOUT_US, self._refreshed)

    def _refreshed(self, response: MetadataResponse | None) -> None:
        self._refreshing = False
        self._refreshed_us = self.scheduler.now_us
        if self.stopped:
            return
        if response is None or not response.brokers:
            self._ask_again()
            return
        self._addresses = {broker.node_id: (broker.host, broker.port) for broker in response.brokers}
        topic = response.topics[0]
        if topic.error_code:  # deleted, or not heard of yet
            self.partitions = {index: Partition(-1, known.leader_epoch) for index, known in self.partitions.items()}
            self._ask_again()
        else:
            self._take_topic(topic)

    def _take_topic(self, topic: MetadataResponse.MetadataResponseTopic) -> None:
        replaced = self.topic_id not in {NO_TOPIC, topic.topic_id}
        if self.topic_id != topic.topic_id:
            self.topic_id = topic.topic_id
            self.partitions = {}
            self.history.learn(topic.topic_id, self.topic)
        for found in sorted(topic.partitions, key=lambda each: each.partition_index):
            known = self.partitions.get(found.partition_index)
            if known is None or found.leader_epoch >= known.leader_epoch:
                self.partitions[found.partition_index] = Partition(found.leader_id, found.leader_epoch)
        if any(known.leader_id < 0 for known in self.partitions.values()):
            self._ask_again()
        else:
            self._backoff_us = METADATA_BACKOFF_US
        if self._max_age_us and not self._age_is_watched:
            self._age_is_watched = True
            self.scheduler.after(self._max_age_us, self._look_at_age)
        if replaced:
            self.trace.line(self.name, f"{self.topic} is another topic now")
            self.topic_replaced()
        self.metadata_arrived()

    def _ask_again(self) -> None:
        self._backoff_us = min(2 * self._backoff_us, METADATA_BACKOFF_MAX_US)
        self.refresh_metadata()

    def _look_at_age(self) -> None:
        if not self.stopped:
            if self._refreshed_us + self._max_age_us <= self.scheduler.now_us:
                self.refresh_metadata()
            self.scheduler.at(max(self._refreshed_us, self.scheduler.now_us) + self._max_age_us, self._look_at_age)

    def topic_replaced(self) -> None:
        """The topic was deleted and created again: ``topic_id`` and ``partitions`` are those of the new one."""

    def metadata_arrived(self) -> None:
        """New metadata are known."""
