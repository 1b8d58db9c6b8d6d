"""The assembled broker: one node of a cluster, with the roles that its configuration gives it.

The host (``node`` on sockets, ``sim`` on simulated ones) calls one method per event and hands in both clocks: ``mono_ms`` for deadlines and
leases, ``wall_ms`` for what is stored. After the events of one wake of its loop it calls ``flush``, which lets parked fetches see what has
changed and syncs what is due, and sleeps until ``next_deadline``. What leaves goes through the ``Transport``. Nothing here blocks but the disk.

Parts: ``metadata`` (quorum member and image), ``controller_host`` (the active controller, when it is here), ``controller`` (the way to it),
``lifecycle`` (registration, heartbeats, stop), ``replicas`` with ``fetchers`` and ``isr``, ``handlers`` (one file per API or family of them).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from holdwater.broker.apis import BROKER, CONTROLLER, Api
from holdwater.broker.assignments import Assignments
from holdwater.broker.connection import Call, Connection
from holdwater.broker.controller_channel import ControllerChannel
from holdwater.broker.controller_host import ControllerHost
from holdwater.broker.coordinators.makers import make_coordinators
from holdwater.broker.fetch_context import SessionCache
from holdwater.broker.fetcher import Fetchers
from holdwater.broker.handlers.api_versions import refuse_version
from holdwater.broker.handlers.fetch import retry
from holdwater.broker.handlers.table import TABLE
from holdwater.broker.housekeeping import Housekeeping
from holdwater.broker.isr import IsrChanges
from holdwater.broker.lifecycle import Lifecycle
from holdwater.broker.links import Links
from holdwater.broker.log_store import LogStore
from holdwater.broker.metadata_host import MetadataHost
from holdwater.broker.producer_ids import ProducerIds
from holdwater.broker.replica_manager import ReplicaManager
from holdwater.broker.suspects import Suspects
from holdwater.broker.timers import Timers
from holdwater.broker.transport import Transport
from holdwater.broker.verification import Verifications
from holdwater.core.metadata.changes import ImageChanges, changes_between
from holdwater.core.metadata.image import EMPTY_IMAGE, MetadataImage
from holdwater.core.metadata.registrations import Endpoint
from holdwater.core.quorum import Quorum
from holdwater.kernel.buggify import Buggify, never
from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.kernel.configs.listeners import Listener
from holdwater.kernel.configs.topics import effective_all
from holdwater.kernel.identifiers import TopicPartition
from holdwater.kernel.ports import DiskFailure, Log, SnapshotStore
from holdwater.kernel.rng import Rng
from holdwater.wire.codec import ProtocolError, prefix_decoder
from holdwater.wire.codec.frames import decode_request_header
from holdwater.wire.messages import RequestHeader

API_VERSIONS_KEY = 18
CLIENT_BUDGET = 20_000
"""Structs and elements that one client's frame may hold."""
CONTROLLER_BUDGET = 2_000_000
"""The same for the controllers' listener, where only nodes of the cluster speak."""
LINGER_MS = 1500
"""How long a stopping active controller waits for brokers that are stopping too."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What this node has on disk, opened and recovered."""

    quorum_log: Log
    snapshots: SnapshotStore
    logs: LogStore
    directory_ids: tuple[bytes, ...]
    """Ids of the online log directories."""
    previous_broker_epoch: int
    """Broker epoch of the last clean stop, -1 when the last stop was not clean."""
    fail_directory: Callable[[DiskFailure], "FailedDirectory | None"]
    """Takes the directory of a failed operation offline; ``None`` when the failure is in none of them."""


@dataclass(frozen=True, slots=True)
class FailedDirectory:
    """A log directory that went offline."""

    path: str
    directory_id: bytes
    partitions: list[TopicPartition]
    is_last: bool
    """Whether no directory is left, or it held the metadata log."""


class Broker:
    """See the module."""

    def __init__(
        self,
        config: BrokerConfig,
        cluster_id: str,
        advertised: tuple[Listener, ...],
        stored: Stored,
        make_quorum: Callable[[Rng, int, int], Quorum],
        transport: Transport,
        rng: Rng,
        note: Callable[[str], None],
        mono_ms: int,
        wall_ms: int,
    ) -> None:
        self.config = config
        self.node_id = config.node_id
        self.cluster_id = cluster_id
        self.advertised = advertised
        """Listeners as clients are told them, with the ports that are really bound."""
        self.transport = transport
        self.rng = rng
        self.note = note
        """Takes one line for the log."""
        self.mono_ms = mono_ms
        self.wall_ms = wall_ms
        self.buggify: Buggify = never
        self.stop_requested: str | None = None
        """Why this node must stop, once something says so; the host looks after each event."""
        self.directory_ids = stored.directory_ids
        self.offline_directory_ids: tuple[bytes, ...] = ()
        self.offline_directory_paths: tuple[str, ...] = ()
        self._fail_directory = stored.fail_directory
        self.static_texts = {key.name: text for key, text in config.items() if text is not None}
        self._controller_listeners = frozenset(config.listener_plan.controller_names)
        self._inter_broker_listener = config.listener_plan.inter_broker_name
        self.timers = Timers()
        self.links = Links(transport, self.timers, lambda: self.mono_ms, f"broker-{self.node_id}")
        self.fetchers = Fetchers(self)
        self.isr = IsrChanges(self)
        self.replicas = ReplicaManager(self, stored.logs, self.fetchers, self.isr)
        self.fetch_sessions = SessionCache(config.int("max.incremental.fetch.session.cache.slots"), lambda: rng.below(2**31 - 1) + 1)
        self.fetch_max_bytes = config.int("fetch.max.bytes")
        self.producer_ids = ProducerIds(self)
        self.coordinators = make_coordinators(self)
        self.verifications = Verifications(self)
        self.housekeeping = Housekeeping(self)
        self.suspects = Suspects(self)
        self.assignments = Assignments(self)
        self.controller_host = ControllerHost(self)
        self.controller = ControllerChannel(self)
        self.lifecycle = Lifecycle(self, rng.uuid(), stored.previous_broker_epoch)
        self.metadata = MetadataHost(self, make_quorum(rng.fork(), mono_ms, wall_ms), stored.quorum_log, stored.snapshots)
        self.connections: dict[int, Connection] = {}
        self.topics_being_created: dict[str, None] = {}
        self.metadata_cache: dict[tuple[int, str], bytes] = {}
        """Encoded answers to "all topics", by version and listener, for the present image."""
        self._first_image = True
        self._takes_part = False

    @property
    def image(self) -> MetadataImage:
        """The committed metadata as this node knows them."""
        return self.metadata.image

    def start(self) -> None:
        """Begin: the quorum first, then registration and the broker's regular work."""
        self.metadata.start()
        if self.config.is_broker:
            self.lifecycle.start()
            self._every(self.replicas.lag_ms // 2, self.replicas.shrink_lagging)
            self._every(self.config.int("replica.high.watermark.checkpoint.interval.ms"), self.replicas.checkpoint_high_watermarks)
            self._every(self.config.int("log.flush.offset.checkpoint.interval.ms"), self.replicas.checkpoint_recovery_points)
            self._every(self.config.int("log.flush.start.offset.checkpoint.interval.ms"), self.replicas.checkpoint_log_starts)
            self._every(self.config.int("producer.id.expiration.check.interval.ms"), self.replicas.expire_producers)
            self.housekeeping.start()

    def _every(self, interval_ms: int, work: Callable[[], None]) -> None:
        interval_ms = max(interval_ms, 1)

        def run() -> None:
            work()
            self.timers.at(self.mono_ms + interval_ms, run)

        self.timers.at(self.mono_ms + interval_ms, run)

    # --- events

    def clocks(self, mono_ms: int, wall_ms: int) -> None:
        """The time of the events that follow. Monotonic time that steps back is ignored."""
        if mono_ms > self.mono_ms:
            self.mono_ms = mono_ms
        self.wall_ms = wall_ms

    def connection_opened(self, connection_id: int, listener: str, address: str) -> None:
        """Somebody connected."""
        self.connections[connection_id] = Connection(connection_id, listener, address, self.transport, self.note)

    def connection_closed(self, connection_id: int) -> None:
        """An accepted connection is gone."""
        connection = self.connections.pop(connection_id, None)
        if connection is not None:
            connection.closed = True
            callbacks, connection.on_close = connection.on_close, {}
            for callback in callbacks.values():
                callback()

    def frame(self, connection_id: int, data: bytes) -> None:
        """A request came in, without its length. A malformed one closes its connection, and only that."""
        connection = self.connections.get(connection_id)
        if connection is None or connection.closed:
            return
        try:
            call, api, start = self._header(connection, data)
            if api is None:
                return
            budget = CONTROLLER_BUDGET if connection.listener in self._controller_listeners else CLIENT_BUDGET
            # Bytes after the request are passed over, as Kafka does: librdkafka 2.16 leaves three behind when it asks for all topics.
            request, _ = prefix_decoder(api.request_class, call.version)(data, start, len(data), budget)
        except ProtocolError as problem:
            self.note(f"closing the connection from {connection.address} on {connection.listener}: {problem}")
            connection.close()
            return
        if api.forwarded:
            call.frame = data
        api.handle(self, call, request)

    def _header(self, connection: Connection, data: bytes) -> tuple[Call, Api | None, int]:
        header, start = decode_request_header(data)
        key, version = header.request_api_key, header.request_api_version
        api = TABLE.get(key)
        kind = CONTROLLER if connection.listener in self._controller_listeners else BROKER
        if api is None or kind not in api.listeners:
            raise ProtocolError(f"API key {key} is not served on a {kind} listener")
        low, high = api.versions
        call = Call(connection, key, version, header.correlation_id, header.client_id)
        if low <= version <= high:
            return call, api, start
        if key != API_VERSIONS_KEY:
            raise ProtocolError(f"version {version} of API key {key} is not served ({low} to {high} are)")
        refuse_version(call)
        return call, None, start

    def parse_forwarded(self, data: bytes) -> tuple[RequestHeader, Api, Any]:
        """Header, API and message of a request that came in an envelope. Raises ``ProtocolError``."""
        header, start = decode_request_header(data)
        key, version = header.request_api_key, header.request_api_version
        api = TABLE.get(key)
        if api is None or not api.versions[0] <= version <= api.versions[1]:
            raise ProtocolError(f"version {version} of API key {key} is not served")
        request, _ = prefix_decoder(api.request_class, version)(data, start, len(data), CLIENT_BUDGET)
        return header, api, request

    def link_up(self, link_id: int) -> None:
        """A link is connected."""
        link = self.links.find(link_id)
        if link is not None:
            link.up()

    def link_down(self, link_id: int) -> None:
        """A link was lost, or could not be connected."""
        link = self.links.find(link_id)
        if link is not None:
            link.down()

    def link_frame(self, link_id: int, data: bytes) -> None:
        """A response came in on a link."""
        link = self.links.find(link_id)
        if link is not None:
            link.frame(data)

    def tick(self) -> None:
        """Do what is due."""
        self.timers.run(self.mono_ms)

    def flush(self) -> None:
        """The events of this wake are worked off: answer the parked fetches that something has changed for, and sync the logs that are due.

        Followers get what was appended before this broker waits for its own disk.
        """
        self._answer_woken()
        if self.replicas.syncs.noted:
            self.replicas.syncs.settle()
            self._answer_woken()

    def _answer_woken(self) -> None:
        wake = self.replicas.wake
        while wake:
            contexts = list(wake)
            wake.clear()
            for context in contexts:
                retry(self, context)

    def next_deadline(self) -> int:
        """When ``tick`` has something to do."""
        return self.timers.next_due()

    def soon(self, work: Callable[[], None]) -> None:
        """Do ``work`` after the present event, not inside it."""
        self.timers.at(self.mono_ms, work)

    # --- what the parts tell each other

    def metadata_changed(self, old: MetadataImage, image: MetadataImage, changes: ImageChanges) -> None:
        """The committed metadata have changed."""
        self.metadata_cache.clear()
        if self.config.is_broker:
            self._react(image, changes)
            self.lifecycle.image_changed(image)
            self.suspects.look_again()
            if self._first_image and self.lifecycle.state == "RUNNING":
                self._first_image = False
                self.replicas.delete_strays(image)

    def _react(self, image: MetadataImage, changes: ImageChanges) -> None:
        """Take part only in metadata that know of this process: older ones may name it the leader of what it has since lost or missed."""
        if not self._takes_part:
            if not self.lifecycle.is_registered_in(image):
                return
            self.lifecycle.take_epoch(image)
            self._takes_part = True
            changes = changes_between(EMPTY_IMAGE, image)
        self.replicas.react(image, changes)
        self.coordinators.metadata_changed(changes)
        if changes.partitions:
            self.assignments.image_changed()

    def disk_failed(self, failure: DiskFailure) -> None:
        """A disk operation failed: its directory goes offline; without the last one, or the metadata log, this node stops."""
        failed = self._fail_directory(failure)
        if failed is None:
            self.note(f"disk failure: {failure}")
            return
        self.note(f"log directory {failed.path} is offline: {failure}")
        if failed.is_last:
            self.stop_requested = f"log directory {failed.path} failed: {failure}"
            return
        self.offline_directory_ids = (*self.offline_directory_ids, failed.directory_id)
        self.offline_directory_paths = (*self.offline_directory_paths, failed.path)
        self.replicas.fail_partitions(failed.path, str(failure), failed.partitions)

    def takes_connections(self, listener: str) -> bool:
        """Whether the host may let others connect to the listener of that name; once it may, that stays so.

        Controllers need each other from the start. Clients and other brokers do not get in before this process was unfenced, as with Kafka
        (``BrokerServer.startup``): until then the metadata may be old or none, and would tell them of leaders and topics that are no more.
        """
        return self.lifecycle.was_unfenced or self.is_controller_listener(listener)

    def is_controller_listener(self, listener: str) -> bool:
        """Whether the listener of that name is for controllers."""
        return listener in self._controller_listeners

    def endpoint_for(self, broker_id: int, listener: str) -> Endpoint | None:
        """Where a client that came in by ``listener`` reaches a broker; ``None`` for one that is unknown or fenced."""
        broker = self.image.brokers.get(broker_id)
        return None if broker is None or broker.fenced else broker.endpoint(listener)

    def inter_broker_endpoint(self, broker_id: int) -> Endpoint | None:
        """Where this broker reaches another."""
        broker = self.image.brokers.get(broker_id)
        return None if broker is None else broker.endpoint(self._inter_broker_listener)

    def rack_of(self, broker_id: int) -> str | None:
        """The rack of a registered broker."""
        broker = self.image.brokers.get(broker_id)
        return None if broker is None else broker.rack

    def topic_texts(self, image: MetadataImage, topic: str) -> dict[str, str]:
        """Every topic key with the text that holds for a topic on this broker."""
        found = effective_all(image.topic_config(topic), self.replicas.layers(image))
        return {entry.key.name: entry.text for entry in found if entry.text is not None}

    # --- stopping

    def stop(self, on_stopped: Callable[[], None]) -> None:
        """Stop in order: leaders move away, the quorum is told, then ``on_stopped``. The host closes the logs after that.

        The active controller stays a moment longer while other brokers are stopping too: without it they could not stop in order.
        """

        def leaders_moved() -> None:
            deadline_ms = self.mono_ms + LINGER_MS

            def leave_when_others_have() -> None:
                if self.controller_host.is_active and self.mono_ms < deadline_ms and self._others_are_stopping():
                    self.timers.at(self.mono_ms + 10, leave_when_others_have)
                else:
                    leave()

            leave_when_others_have()

        def leave() -> None:
            self.suspects.stop()
            self.coordinators.stop()
            self.replicas.stop_leading()
            self.metadata.quorum.resign(self.mono_ms)
            self.metadata.pump()
            self.soon(on_stopped)

        if self.config.is_broker:
            self.lifecycle.stop(leaders_moved)
        else:
            leaders_moved()

    def _others_are_stopping(self) -> bool:
        brokers = self.image.brokers.values()
        return any(each.in_controlled_shutdown and not each.fenced and each.broker_id != self.node_id for each in brokers)
