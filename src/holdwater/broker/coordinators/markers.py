"""Transaction markers on their way to the partitions of a transaction, and to the group coordinators among them (KIP-98).

A marker goes to each partition's leader until that has committed it, however long it takes: a partition that has moved, is not led, or whose
replicas are too few, is tried again after a pause. A partition whose topic is gone needs none. A leader that has seen a later coordinator, or
a later producer epoch, ends the sending: somebody else has ended the transaction.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from holdwater.broker.coordinators.hosted import OVER, HostedShard
from holdwater.broker.coordinators.kinds import GROUPS, partition_for
from holdwater.broker.timers import Timer
from holdwater.core.metadata.records import TRANSACTION_VERSION
from holdwater.core.transactions.ports import Marker, TransactionPorts
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import TopicPartition
from holdwater.wire.messages import WriteTxnMarkersRequest, WriteTxnMarkersResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

VERSION = 2
_PAUSE_MS, _PAUSE_MAX_MS = 20, 1_000
"""Between two tries: each time twice as long, from the start again when a partition has another leader."""
_LOOK_MS = 500
"""How often a sending looks whether a partition that it waits for is led by another broker now."""
_TIMEOUT_MS = 10_000
"""Longer than the leader waits for its followers."""
_FENCED = (ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.TRANSACTION_COORDINATOR_FENCED)
_DONE = (0, ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT)


class Outcome(NamedTuple):
    """How one transaction ends, wherever it has been."""

    producer_id: int
    producer_epoch: int
    committed: bool
    coordinator_epoch: int
    transaction_version: int


class BrokerPorts(TransactionPorts):
    """What the broker does for the transaction coordinator of one partition."""

    def __init__(self, broker: "Broker", hosted: HostedShard) -> None:
        self._broker = broker
        self._hosted = hosted

    def transaction_version(self) -> int:
        """See ``TransactionPorts``."""
        return self._broker.image.features.get(TRANSACTION_VERSION, 0)

    def take_producer_id(self, on_id: Callable[[int | None], None]) -> None:
        """See ``TransactionPorts``."""
        if not self._broker.producer_ids.take(on_id):
            on_id(None)

    def write_markers(self, markers: Sequence[Marker], on_done: Callable[[Marker], None]) -> None:
        """See ``TransactionPorts``; ``on_done`` is always called later."""
        by_outcome: dict[Outcome, dict[TopicPartition, Marker]] = {}
        for each in markers:
            outcome = Outcome(each.producer_id, each.producer_epoch, each.committed, self._hosted.leader_epoch, each.transaction_version)
            by_outcome.setdefault(outcome, {})[each.partition] = each
        for outcome, at in by_outcome.items():
            _Sending(self._broker, self._hosted, outcome, at, on_done).go()

    def partition_exists(self, partition: TopicPartition) -> bool:
        """See ``TransactionPorts``."""
        topic = self._broker.image.topic(partition.topic)
        return topic is not None and partition.partition in topic.partitions

    def group_partition(self, group_id: str) -> int:
        """See ``TransactionPorts``."""
        found = self._broker.coordinators.partition_of(GROUPS, group_id)
        return partition_for(group_id, self._broker.config.int(GROUPS.partition_count_key)) if found is None else found


class _Sending:
    """One outcome and the partitions that do not have its marker yet."""

    def __init__(
        self,
        broker: "Broker",
        hosted: HostedShard,
        outcome: Outcome,
        markers: dict[TopicPartition, Marker],
        on_done: Callable[[Marker], None],
    ) -> None:
        self._broker = broker
        self._hosted = hosted
        self._outcome = outcome
        self._missing = markers
        self._asked: dict[TopicPartition, int] = {}
        """Which broker a partition's answer is awaited from."""
        self._on_done = on_done
        self._over = False
        self._timer: Timer | None = None
        self._pause_ms = _PAUSE_MS
        self._leaders: dict[TopicPartition, int] = {}
        """Who led each partition when it was asked last."""

    def go(self) -> None:
        """Send to every leader that is known, and look at the others again after a pause."""
        if self._is_over():
            return
        broker = self._broker
        by_leader: dict[int, dict[str, list[int]]] = {}
        for place in list(self._missing):
            topic = broker.image.topic(place[0])
            state = None if topic is None else topic.partitions.get(place[1])
            if state is None:
                self._has(place)
            elif state.leader >= 0 and self._asked.get(place) != state.leader:
                if self._leaders.get(place, state.leader) != state.leader:
                    self._pause_ms = _PAUSE_MS
                self._leaders[place] = state.leader
                by_leader.setdefault(state.leader, {}).setdefault(place[0], []).append(place[1])
        for leader, topics in by_leader.items():
            self._send(leader, topics)
        self._settle()

    def _send(self, leader: int, topics: dict[str, list[int]]) -> None:
        broker, outcome = self._broker, self._outcome
        places = [TopicPartition(topic, index) for topic, indexes in topics.items() for index in indexes]
        self._asked |= dict.fromkeys(places, leader)
        named = [WriteTxnMarkersRequest.WritableTxnMarkerTopic(name=name, partition_indexes=indexes) for name, indexes in topics.items()]
        written = WriteTxnMarkersRequest.WritableTxnMarker(
            producer_id=outcome.producer_id,
            producer_epoch=outcome.producer_epoch,
            transaction_result=outcome.committed,
            topics=named,
            coordinator_epoch=outcome.coordinator_epoch,
            transaction_version=outcome.transaction_version,
        )
        request = WriteTxnMarkersRequest(markers=[written])

        def answered(response: WriteTxnMarkersResponse | None) -> None:
            self._answered(leader, places, response)

        if leader == broker.node_id:
            from holdwater.broker.handlers.write_txn_markers import write

            write(broker, request, lambda response: broker.soon(lambda: answered(response)))
            return
        endpoint = broker.inter_broker_endpoint(leader)
        if endpoint is None:
            broker.soon(lambda: answered(None))
            return
        link = broker.links.to(leader, "markers", endpoint.host, endpoint.port)
        link.request(request, VERSION, WriteTxnMarkersResponse, _TIMEOUT_MS, answered)

    def _answered(self, leader: int, places: list[TopicPartition], response: WriteTxnMarkersResponse | None) -> None:
        for place in places:
            if self._asked.get(place) == leader:
                del self._asked[place]
        if self._is_over():
            return
        results = [] if response is None else [topic for result in response.markers for topic in result.topics]
        codes = {(topic.name, each.partition_index): each.error_code for topic in results for each in topic.partitions}
        for place in places:
            code = codes.get(place, int(ErrorCode.NETWORK_EXCEPTION))
            if code in _DONE:
                self._has(place)
            elif code in _FENCED:
                self._over = True
                self._broker.note(
                    f"the marker of producer {self._outcome.producer_id}, producer epoch {self._outcome.producer_epoch}, is not taken by "
                    f"{place}: {ErrorCode.describe(code)}"
                )
                return
        self._settle()

    def _settle(self) -> None:
        if not self._missing:
            self._over = True
            return
        if self._timer is not None:
            self._timer.cancel()
        pause_ms = _LOOK_MS
        if any(place not in self._asked for place in self._missing):
            pause_ms, self._pause_ms = self._pause_ms, min(2 * self._pause_ms, _PAUSE_MAX_MS)
        self._timer = self._broker.timers.at(self._broker.mono_ms + pause_ms, self.go)

    def _has(self, place: TopicPartition) -> None:
        """A partition has the marker, or needs none."""
        marker = self._missing.pop(place, None)
        if marker is not None:
            self._broker.soon(lambda: self._tell(marker))

    def _tell(self, marker: Marker) -> None:
        if self._hosted.state != OVER:
            self._on_done(marker)

    def _is_over(self) -> bool:
        return self._over or self._hosted.state == OVER
