"""Fetch (key 1), versions 4 to 18: consumers, followers, and the metadata log on the controllers' listener.

Left out: fetching from a follower (KIP-392) and remote storage. A fetch waits until ``min_bytes`` are there, something went wrong with one of
its partitions, or ``max_wait_ms`` has passed.
"""

from typing import TYPE_CHECKING

from holdwater.broker.apis import BROKER, CONTROLLER, Api
from holdwater.broker.connection import Call
from holdwater.broker.fetch_context import READ_COMMITTED, FetchContext, FetchItem, ItemResult, ParkedFetch, look
from holdwater.core.replica import LeaderReplica
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import METADATA_TOPIC, METADATA_TOPIC_ID, ZERO_UUID
from holdwater.wire.messages import FetchRequest, FetchResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

FINAL_EPOCH = -1
INITIAL_EPOCH = 0
BY_ID_VERSION = 13
_FOLLOWER = "follower"

_Topic = FetchResponse.FetchableTopicResponse
_Partition = FetchResponse.PartitionData


def handle(broker: "Broker", call: Call, request: FetchRequest) -> None:
    """Answer, or park the fetch. The metadata log is for the controllers' listener: a voter's fetch commits records, and clients are no voters."""
    if broker.is_controller_listener(call.listener):
        if _is_metadata_fetch(call, request):
            broker.metadata.handle_fetch(call, request)
        else:
            call.reply(FetchResponse(error_code=ErrorCode.INVALID_REQUEST))
        return
    replica_id, replica_epoch = _replica(call, request)
    if replica_id >= 0:
        _note_follower(broker, call, replica_id)
    context, error = _context(broker, request, replica_id)
    if context is None:
        call.reply(FetchResponse(error_code=error, session_id=0))
        return
    if context.parked is not None:  # its client gave that request up, or it would not ask again
        _finish(broker, context)
    request.max_bytes = 1 if broker.buggify("fetch of one batch") else min(request.max_bytes, broker.fetch_max_bytes)
    _take_in(broker, call, request, context, replica_epoch)
    full = context.session_id == 0 or request.session_epoch == INITIAL_EPOCH
    results, size, urgent = _look_at_all(context, request, full=full)
    if size >= request.min_bytes or urgent or request.max_wait_ms <= 0 or not context.items:
        _answer(broker, call, request, context, results)
        return
    timer = broker.timers.at(broker.mono_ms + request.max_wait_ms, lambda: _finish(broker, context))
    context.parked = ParkedFetch(call, request, request.min_bytes, timer)
    call.connection.on_close[context] = lambda: _abandon(context)


def _abandon(context: FetchContext) -> None:
    """Nobody waits for the answer any more: how long a client wanted to wait must not decide how long it is remembered."""
    if _unpark(context) is not None and context.session_id == 0:
        context.close()


def _unpark(context: FetchContext) -> ParkedFetch | None:
    """The fetch that was parked, if one was; it waits no more."""
    parked, context.parked = context.parked, None
    if parked is not None:
        parked.timer.cancel()
        parked.call.connection.on_close.pop(context, None)
    return parked


def _note_follower(broker: "Broker", call: Call, replica_id: int) -> None:
    """A broker speaks; when this connection closes, it may be gone."""
    if _FOLLOWER not in call.connection.on_close:
        call.connection.on_close[_FOLLOWER] = lambda: broker.suspects.lost(replica_id)
    if broker.suspects.any():
        broker.suspects.seen(replica_id)


def _replica(call: Call, request: FetchRequest) -> tuple[int, int]:
    """Id and broker epoch of the follower that asks, -1 and -1 for a consumer (KIP-903)."""
    if call.version < 15:
        return request.replica_id, -1
    state = request.replica_state
    return (-1, -1) if state is None else (state.replica_id, state.replica_epoch)


def retry(broker: "Broker", context: FetchContext) -> None:
    """Something that a parked fetch looks at has changed: answer it if there is enough to say."""
    parked = context.parked
    if parked is None:
        return
    results, size, urgent = _look_at_all(context, parked.request, full=False)
    if size >= parked.min_bytes or urgent:
        _unpark(context)
        if context.session_id == 0:
            results = _with_the_unchanged(context, parked.request, results)
        _answer(broker, parked.call, parked.request, context, results)


def _is_metadata_fetch(call: Call, request: FetchRequest) -> bool:
    if len(request.topics) != 1:
        return False
    topic = request.topics[0]
    return topic.topic_id == METADATA_TOPIC_ID if call.version >= BY_ID_VERSION else topic.topic == METADATA_TOPIC


def _finish(broker: "Broker", context: FetchContext) -> None:
    """The wait is over, whatever there is to say."""
    parked = _unpark(context)
    if parked is None:
        return
    results, _, _ = _look_at_all(context, parked.request, full=context.session_id == 0)
    _answer(broker, parked.call, parked.request, context, results)


def _context(broker: "Broker", request: FetchRequest, replica_id: int) -> tuple[FetchContext | None, int]:
    """The session that the request speaks of, or a context of its own (KIP-227)."""
    sessions = broker.fetch_sessions
    if request.session_epoch == FINAL_EPOCH:
        if request.session_id != 0:
            sessions.remove(request.session_id)
        return FetchContext(0, replica_id), 0
    if request.session_epoch == INITIAL_EPOCH:
        if request.session_id != 0:
            sessions.remove(request.session_id)
        return sessions.create(replica_id, broker.mono_ms) or FetchContext(0, replica_id), 0
    if broker.buggify("fetch session lost"):
        sessions.remove(request.session_id)
    context = sessions.find(request.session_id, broker.mono_ms)
    if context is None or context.replica_id != replica_id:
        return None, ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    if context.session_epoch != request.session_epoch:
        return None, ErrorCode.INVALID_FETCH_SESSION_EPOCH
    context.session_epoch = 1 if context.session_epoch == 0x7FFFFFFF else context.session_epoch + 1
    return context, 0


def _take_in(broker: "Broker", call: Call, request: FetchRequest, context: FetchContext, replica_epoch: int) -> None:
    """Bring the context's items up to date with what the request names; a follower's offsets are its acknowledgements."""
    by_id = call.version >= BY_ID_VERSION
    items = context.items
    replica_id = context.replica_id
    for topic in request.forgotten_topics_data:
        for index in topic.partitions:
            context.forget((topic.topic_id if by_id else topic.topic, index))
    for item in context.dirty:  # the client need not name again what was not here when it last asked
        if item.partition is None or item.partition.deleted:
            _bind(broker, item, by_id=by_id)
    for topic in request.topics:
        name: str | bytes = topic.topic_id if by_id else topic.topic
        for asked in topic.partitions:
            key = (name, asked.partition)
            item = items.get(key)
            if item is None:
                item = items[key] = FetchItem(context, topic.topic, topic.topic_id, asked.partition)
            if item.partition is None or item.partition.deleted:
                _bind(broker, item, by_id=by_id)
            if asked.current_leader_epoch != item.leader_epoch:  # a follower passes over what is answered to a role that it no longer has
                item.told_high_watermark = item.told_log_start = -2
            item.fetch_offset = asked.fetch_offset
            item.max_bytes = asked.partition_max_bytes
            item.leader_epoch = asked.current_leader_epoch
            item.last_fetched_epoch = asked.last_fetched_epoch
            context.dirty[item] = None
            partition = item.partition
            if replica_id >= 0 and partition is not None:
                replica = partition.replica
                if isinstance(replica, LeaderReplica) and asked.current_leader_epoch in {-1, replica.leader_epoch}:
                    broker.replicas.follower_fetched(
                        partition, replica, replica_id, asked.fetch_offset, asked.log_start_offset, replica_epoch, asked.last_fetched_epoch
                    )


def _bind(broker: "Broker", item: FetchItem, *, by_id: bool) -> None:
    replicas = broker.replicas
    partition = replicas.by_id(item.topic_id, item.index) if by_id else replicas.by_name(item.topic, item.index)
    item.bind(partition, 0 if partition is not None else replicas.why_missing(item.topic, item.topic_id, item.index))


def _look_at_all(context: FetchContext, request: FetchRequest, *, full: bool) -> tuple[list[ItemResult], int, bool]:
    """Look at what may have news (``full``: at everything). Returns the results worth telling, the bytes, whether some can't wait."""
    dirty = context.dirty
    results: list[ItemResult] = []
    size = 0
    urgent = False
    budget = request.max_bytes
    isolation = request.isolation_level
    served: list[FetchItem] = []
    for item in list(context.items.values() if full else dirty):
        result = look(item, isolation, budget - size, at_least_one=size == 0)
        if result.records:
            size += len(result.records)
            served.append(item)
            results.append(result)
        elif result.error_code or result.diverging is not None:
            urgent = True
            results.append(result)
        else:
            if not result.held_back:
                dirty.pop(item, None)
            if full or result.high_watermark != item.told_high_watermark or result.log_start_offset != item.told_log_start:
                results.append(result)
                dirty[item] = None  # told only when an answer leaves
    for item in served:  # those that got something go behind those that did not
        dirty.pop(item, None)
        dirty[item] = None
    return results, size, urgent


def _with_the_unchanged(context: FetchContext, request: FetchRequest, results: list[ItemResult]) -> list[ItemResult]:
    """An answer without a session names every partition."""
    told = {id(result.item): result for result in results}
    return [told.get(id(item)) or look(item, request.isolation_level, 0, at_least_one=False) for item in context.items.values()]


def _answer(broker: "Broker", call: Call, request: FetchRequest, context: FetchContext, results: list[ItemResult]) -> None:
    topics: dict[str | bytes, FetchResponse.FetchableTopicResponse] = {}
    by_id = call.version >= BY_ID_VERSION
    hints: list[FetchResponse.NodeEndpoint] = []
    session = context.session_id != 0
    for result in results:
        if result.disk_failure is not None:
            broker.disk_failed(result.disk_failure)
        item = result.item
        name: str | bytes = item.topic_id if by_id else item.topic
        topic = topics.get(name)
        if topic is None:
            topic = topics[name] = _Topic(topic=item.topic, topic_id=item.topic_id, partitions=[])
        data = _partition_data(result, request.isolation_level)
        if result.error_code in {ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH} and call.version >= 16:
            _hint(broker, call, item, data, hints)
        topic.partitions.append(data)
        if session:
            heard = result.diverging is None and not result.error_code  # else a follower takes in nothing else of the answer
            item.told_high_watermark = result.high_watermark if heard else -2
            item.told_log_start = result.log_start_offset if heard else -2
            if not result.records and not result.held_back and not result.error_code and result.diverging is None:
                context.dirty.pop(item, None)
    if not session:
        context.close()
    call.reply_segments(FetchResponse(session_id=context.session_id, responses=list(topics.values()), node_endpoints=hints))


def _partition_data(result: ItemResult, isolation: int) -> FetchResponse.PartitionData:
    data = _Partition(
        partition_index=result.item.index,
        error_code=result.error_code,
        high_watermark=result.high_watermark,
        last_stable_offset=result.last_stable_offset,
        log_start_offset=result.log_start_offset,
        aborted_transactions=None,
        records=result.records,
    )
    if isolation == READ_COMMITTED:
        data.aborted_transactions = [
            FetchResponse.AbortedTransaction(producer_id=entry.producer_id, first_offset=entry.first_offset)
            for entry in result.aborted or ()
        ]
    if result.diverging is not None:
        data.diverging_epoch = FetchResponse.EpochEndOffset(epoch=result.diverging.leader_epoch, end_offset=result.diverging.end_offset)
    return data


def _hint(
    broker: "Broker", call: Call, item: FetchItem, data: FetchResponse.PartitionData, hints: list[FetchResponse.NodeEndpoint]
) -> None:
    """Name the leader, so that the client need not ask for metadata first (KIP-951)."""
    topic_id = item.topic_id if item.topic_id != ZERO_UUID else broker.image.topic_ids.get(item.topic, ZERO_UUID)
    state = broker.image.partition(topic_id, item.index)
    endpoint = broker.endpoint_for(state.leader, call.listener) if state is not None else None
    if state is None or endpoint is None:
        return
    data.current_leader = FetchResponse.LeaderIdAndEpoch(leader_id=state.leader, leader_epoch=state.leader_epoch)
    if all(hint.node_id != state.leader for hint in hints):
        hints.append(
            FetchResponse.NodeEndpoint(node_id=state.leader, host=endpoint.host, port=endpoint.port, rack=broker.rack_of(state.leader))
        )


API = Api(FetchRequest, FetchResponse, handle, "Read on Topic; ClusterAction on Cluster for followers", (BROKER, CONTROLLER))
