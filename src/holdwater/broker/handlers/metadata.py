"""Metadata (key 3), versions 0 to 13: brokers, topics and partitions as a client's listener sees them.

Any broker may be named as the controller, since each forwards admin requests; this one names itself. Unknown topics are created when both
the request and ``auto.create.topics.enable`` say so.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.broker.coordinators.kinds import BY_TOPIC
from holdwater.broker.handlers.operations import ALL_ON_CLUSTER, ALL_ON_TOPIC, NOT_ASKED
from holdwater.broker.suspects import HOLD_MS
from holdwater.core.metadata.image import TopicState
from holdwater.core.metadata.partition import PartitionState
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import ZERO_UUID, is_legal_topic_name
from holdwater.wire.codec import encode
from holdwater.wire.messages import CreateTopicsRequest, CreateTopicsResponse, MetadataRequest, MetadataResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

INTERNAL_TOPICS = frozenset({"__consumer_offsets", "__transaction_state", "__share_group_state"})
_CACHED_ANSWERS_MAX = 64
_Topic = MetadataResponse.MetadataResponseTopic


def handle(broker: "Broker", call: Call, request: MetadataRequest) -> None:
    """Answer from the image; held for a moment when the answer would send the client to a broker that has just been lost."""
    if broker.suspects.any() and _names_suspect(broker, request):
        deadline_ms = broker.mono_ms + HOLD_MS

        def answer_when_known() -> bool:
            if broker.mono_ms < deadline_ms and _names_suspect(broker, request):
                return False
            if not call.connection.closed:
                _answer(broker, call, request)
            return True

        if broker.suspects.hold(answer_when_known):
            return
    _answer(broker, call, request)


def _names_suspect(broker: "Broker", request: MetadataRequest) -> bool:
    """Whether a partition of the answer is led by a broker whose connections have just closed."""
    image = broker.image
    if request.topics is None:
        topics = list(image.topics.values())
    else:
        named = (image.topics.get(asked.topic_id) if asked.name is None else image.topic(asked.name) for asked in request.topics)
        topics = [topic for topic in named if topic is not None]
    leaders = {state.leader: None for topic in topics for state in topic.partitions.values()}
    return any(broker.suspects.is_suspect(leader) for leader in leaders)


def _answer(broker: "Broker", call: Call, request: MetadataRequest) -> None:
    """Answers about all topics are encoded once per image."""
    everything = request.topics is None or (call.version == 0 and not request.topics)
    cacheable = everything and not request.include_topic_authorized_operations and not request.include_cluster_authorized_operations
    key = (call.version, call.listener)
    if cacheable:
        cached = broker.metadata_cache.get(key)
        if cached is not None:
            call.reply_bytes(cached)
            return
    topics = list(_all_topics(broker, call)) if everything else list(_asked_topics(broker, call, request))
    if request.include_topic_authorized_operations:
        for topic in topics:
            topic.topic_authorized_operations = ALL_ON_TOPIC
    response = MetadataResponse(
        brokers=[
            MetadataResponse.MetadataResponseBroker(node_id=b.broker_id, host=at.host, port=at.port, rack=b.rack)
            for b in broker.image.brokers.values()
            if not b.fenced and (at := b.endpoint(call.listener)) is not None
        ],
        cluster_id=broker.cluster_id,
        controller_id=broker.node_id,
        topics=topics,
        cluster_authorized_operations=ALL_ON_CLUSTER if request.include_cluster_authorized_operations else NOT_ASKED,
    )
    if cacheable and len(broker.metadata_cache) < _CACHED_ANSWERS_MAX:
        body = broker.metadata_cache[key] = encode(response, call.version)
        call.reply_bytes(body)
    else:
        call.reply(response)


def _all_topics(broker: "Broker", call: Call) -> Iterator[MetadataResponse.MetadataResponseTopic]:
    for topic in broker.image.topics.values():
        yield _known(broker, call, topic)


def _asked_topics(broker: "Broker", call: Call, request: MetadataRequest) -> Iterator[MetadataResponse.MetadataResponseTopic]:
    """Each topic that the request names, once. A request that names one by its id means ids throughout, as Kafka reads it."""
    asked = request.topics or ()
    ids = dict.fromkeys(each.topic_id for each in asked if each.topic_id != ZERO_UUID)
    if ids:
        for topic_id in ids:
            yield _by_id(broker, call, topic_id)
    else:
        for name in dict.fromkeys(each.name for each in asked):
            yield _by_id(broker, call, ZERO_UUID) if name is None else _by_name(broker, call, request, name)


def _by_id(broker: "Broker", call: Call, topic_id: bytes) -> MetadataResponse.MetadataResponseTopic:
    topic = broker.image.topics.get(topic_id)
    if topic is None:
        return _Topic(error_code=ErrorCode.UNKNOWN_TOPIC_ID, name=None if call.version >= 12 else "", topic_id=topic_id)
    return _known(broker, call, topic)


def _by_name(broker: "Broker", call: Call, request: MetadataRequest, name: str) -> MetadataResponse.MetadataResponseTopic:
    topic = broker.image.topic(name)
    if topic is not None:
        return _known(broker, call, topic)
    if not is_legal_topic_name(name):
        return _Topic(error_code=ErrorCode.INVALID_TOPIC_EXCEPTION, name=name)
    if request.allow_auto_topic_creation and broker.config.bool("auto.create.topics.enable"):
        _create(broker, name)
    return _Topic(error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name=name, is_internal=name in INTERNAL_TOPICS)


def _create(broker: "Broker", name: str) -> None:
    """Ask the controller for a topic with default settings, unless that is under way; the client asks again."""
    creating = broker.topics_being_created
    kind = BY_TOPIC.get(name)
    if kind is not None:
        broker.coordinators.internal_topics.create(kind)
        return
    if name in creating or len(creating) >= 1000:
        return
    creating[name] = None
    topic = CreateTopicsRequest.CreatableTopic(name=name, num_partitions=-1, replication_factor=-1)

    def created(response: CreateTopicsResponse | None) -> None:
        creating.pop(name, None)
        if response is not None and response.topics and response.topics[0].error_code not in {0, ErrorCode.TOPIC_ALREADY_EXISTS}:
            broker.note(f"topic {name} was not created: {ErrorCode.describe(response.topics[0].error_code)}")

    broker.controller.request(CreateTopicsRequest(topics=[topic], timeout_ms=30_000), 7, CreateTopicsResponse, created)


def _known(broker: "Broker", call: Call, topic: TopicState) -> MetadataResponse.MetadataResponseTopic:
    return _Topic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=topic.name in INTERNAL_TOPICS,
        partitions=[_partition(broker, call, number, state) for number, state in sorted(topic.partitions.items())],
    )


def _partition(broker: "Broker", call: Call, number: int, state: PartitionState) -> MetadataResponse.MetadataResponsePartition:
    reachable = broker.endpoint_for(state.leader, call.listener) is not None
    return MetadataResponse.MetadataResponsePartition(
        error_code=0 if reachable else ErrorCode.LEADER_NOT_AVAILABLE,
        partition_index=number,
        leader_id=state.leader if reachable else -1,
        leader_epoch=state.leader_epoch,
        replica_nodes=list(state.replicas),
        isr_nodes=list(state.isr),
        offline_replicas=offline_replicas(broker, call, state),
    )


def offline_replicas(broker: "Broker", call: Call, state: PartitionState) -> list[int]:
    """Replicas whose broker is fenced, unknown on this listener, or has lost the directory."""
    offline: list[int] = []
    for replica in state.replicas:
        registration = broker.image.brokers.get(replica)
        if (
            registration is None
            or registration.fenced
            or registration.endpoint(call.listener) is None
            or not registration.has_online_directory(state.directory(replica))
        ):
            offline.append(replica)
    return offline


API = Api(MetadataRequest, MetadataResponse, handle, "Describe on Topic; Create on Cluster or Topic to create")
