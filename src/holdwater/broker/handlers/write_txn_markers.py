"""WriteTxnMarkers (key 27), versions 1 and 2: a transaction coordinator ends transactions on the partitions that this broker leads (KIP-98, KIP-890).

A marker is a control batch, acknowledged once the in-sync replicas have it. On a partition of ``__consumer_offsets`` the group coordinator is
told as well, so that the offsets of the transaction count, or never will; while it is still loading, the marker is refused, and comes again.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.broker.coordinators import GROUPS, HostedShard
from holdwater.broker.partitions import HostedPartition
from holdwater.broker.timers import Timer
from holdwater.core.replica import LeaderReplica
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import ZERO_UUID
from holdwater.kernel.ports import DiskFailure
from holdwater.wire.messages import WriteTxnMarkersRequest, WriteTxnMarkersResponse
from holdwater.wire.records import end_transaction_batch, parse_header

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

WAIT_MAX_MS = 5_000
"""How long a request waits for followers: what comes behind it on the coordinator's connection waits as well."""
Reply = Callable[[WriteTxnMarkersResponse], None]
Marker = WriteTxnMarkersRequest.WritableTxnMarker
_Result = WriteTxnMarkersResponse.WritableTxnMarkerResult
_Topic = WriteTxnMarkersResponse.WritableTxnMarkerTopicResult
_Partition = WriteTxnMarkersResponse.WritableTxnMarkerPartitionResult


class _Whole:
    """A request whose markers wait for the high watermarks of their partitions."""

    __slots__ = ("missing", "reply", "response", "timer")

    def __init__(self, reply: Reply, response: WriteTxnMarkersResponse) -> None:
        self.reply = reply
        self.response = response
        self.missing: dict[_Wait, None] = {}
        self.timer: Timer | None = None

    def timed_out(self) -> None:
        """What is still missing may be committed later: the coordinator sends it again."""
        self.timer = None
        for wait in self.missing:
            wait.answer.error_code = ErrorCode.REQUEST_TIMED_OUT
        self.missing = {}
        self.reply(self.response)


class _Wait:
    """One partition of a ``_Whole`` (``AcknowledgementWait``)."""

    __slots__ = ("answer", "whole")

    def __init__(self, whole: _Whole, answer: WriteTxnMarkersResponse.WritableTxnMarkerPartitionResult) -> None:
        self.whole = whole
        self.answer = answer

    def acknowledged(self, error_code: int) -> None:
        """The leader is done with it."""
        whole = self.whole
        if self not in whole.missing:
            return
        self.answer.error_code = error_code
        del whole.missing[self]
        if not whole.missing:
            if whole.timer is not None:
                whole.timer.cancel()
            whole.reply(whole.response)


def handle(broker: "Broker", call: Call, request: WriteTxnMarkersRequest) -> None:
    """See the module."""
    write(broker, request, call.reply)


def write(broker: "Broker", request: WriteTxnMarkersRequest, reply: Reply) -> None:
    """Append every marker that can be appended, then wait for the followers."""
    response = WriteTxnMarkersResponse(markers=[])
    whole = _Whole(reply, response)
    waits: list[tuple[HostedPartition, LeaderReplica, int, _Wait]] = []
    for marker in request.markers:
        topics: list[WriteTxnMarkersResponse.WritableTxnMarkerTopicResult] = []
        for topic in marker.topics:
            answers: list[WriteTxnMarkersResponse.WritableTxnMarkerPartitionResult] = []
            for index in topic.partition_indexes:
                answer = _Partition(partition_index=index, error_code=0)
                answers.append(answer)
                found = _append(broker, marker, topic.name, index, answer)
                if found is not None:
                    waits.append((*found, _Wait(whole, answer)))
            topics.append(_Topic(name=topic.name, partitions=answers))
        response.markers.append(_Result(producer_id=marker.producer_id, topics=topics))
    if not waits:
        reply(response)
        return
    whole.missing = dict.fromkeys(wait for *_, wait in waits)
    whole.timer = broker.timers.at(broker.mono_ms + min(broker.config.int("request.timeout.ms"), WAIT_MAX_MS), whole.timed_out)
    for partition, replica, end, wait in waits:
        if partition.replica is replica:
            replica.wait_for(end, wait)
        else:  # a later append has taken the directory offline
            wait.acknowledged(ErrorCode.KAFKA_STORAGE_ERROR)


def _append(
    broker: "Broker", marker: Marker, topic: str, index: int, answer: WriteTxnMarkersResponse.WritableTxnMarkerPartitionResult
) -> tuple[HostedPartition, LeaderReplica, int] | None:
    """Append one marker; the replica and the offset to wait for, ``None`` when there is nothing to wait for."""
    partition = broker.replicas.by_name(topic, index)
    if partition is None:
        answer.error_code = broker.replicas.why_missing(topic, ZERO_UUID, index)
        return None
    replica = partition.replica
    if not isinstance(replica, LeaderReplica):
        answer.error_code = partition.leadership_error()
        return None
    hosted: HostedShard | None = None
    if topic == GROUPS.topic:
        found = broker.coordinators.at(GROUPS, index)
        if not isinstance(found, HostedShard):
            answer.error_code = ErrorCode.NOT_LEADER_OR_FOLLOWER  # a word that every transaction coordinator tries again after
            return None
        hosted = found
    data = end_transaction_batch(
        committed=marker.transaction_result,
        producer_id=marker.producer_id,
        producer_epoch=marker.producer_epoch,
        coordinator_epoch=marker.coordinator_epoch,
        timestamp_ms=broker.wall_ms,
    )
    try:
        result = replica.append_marker(data, parse_header(data), marker.transaction_version, broker.wall_ms)
    except DiskFailure as failure:
        broker.disk_failed(failure)
        answer.error_code = ErrorCode.KAFKA_STORAGE_ERROR
        return None
    if result.error_code:
        answer.error_code = result.error_code
        return None
    partition.verified.pop(marker.producer_id, None)
    if hosted is not None:
        hosted.marker_appended(marker.producer_id, marker.producer_epoch, marker.transaction_result)
    broker.replicas.leader_appended(partition, replica)
    end = result.last_offset + 1
    return None if replica.high_watermark >= end else (partition, replica, end)


API = Api(WriteTxnMarkersRequest, WriteTxnMarkersResponse, handle, "Alter or ClusterAction on Cluster")
