"""The requests that the tools make, as functions: plain arguments in, named tuples out, ``RpcError`` when there is no answer."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import METADATA_TOPIC, uuid_to_text
from holdwater.rpc.connection import Connection
from holdwater.rpc.errors import BrokerError, RpcError
from holdwater.wire import messages

LATEST = -1
EARLIEST = -2
_CONSUMER = -1
_TOPIC, _BROKER = 2, 4
_FETCH_MAX_BYTES = 8 * 1024 * 1024


class Node(NamedTuple):
    """A broker and the address that it tells clients."""

    id: int
    host: str
    port: int


class ClusterView(NamedTuple):
    """What one broker says of the cluster."""

    cluster_id: str
    nodes: tuple[Node, ...]
    topics: frozenset[str]


class PartitionState(NamedTuple):
    """What one broker says of one partition; ``elr`` is empty when the request does not tell it."""

    partition: int
    leader: int
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    elr: tuple[int, ...]


class TopicState(NamedTuple):
    """What one broker says of one topic, partitions in order."""

    topic_id: bytes
    partitions: tuple[PartitionState, ...]

    @property
    def id_text(self) -> str:
        """Kafka's text form of the topic id; empty where the broker's version of the request has none."""
        return uuid_to_text(self.topic_id) if any(self.topic_id) else ""


class QuorumState(NamedTuple):
    """The metadata quorum: active controller, quorum epoch, high watermark of the metadata log, and the voters."""

    leader: int
    epoch: int
    high_watermark: int
    voters: tuple[int, ...]


class Fetched(NamedTuple):
    """One answer to a raw Fetch of one partition."""

    error_code: int
    high_watermark: int
    log_start_offset: int
    records: bytes


def describe_cluster(connection: Connection) -> ClusterView:
    """Brokers and topics by Metadata."""
    answer = connection.call(messages.MetadataRequest(topics=None, allow_auto_topic_creation=False), messages.MetadataResponse)
    nodes = tuple(sorted(Node(broker.node_id, broker.host, broker.port) for broker in answer.brokers))
    return ClusterView(answer.cluster_id or "", nodes, frozenset(topic.name or "" for topic in answer.topics))


def describe_topic(connection: Connection, topic: str) -> TopicState | None:
    """The topic's partitions by DescribeTopicPartitions, or by Metadata on brokers without it; ``None`` for an unknown topic."""
    if connection.supports(messages.DescribeTopicPartitionsRequest):
        return _by_topic_partitions(connection, topic)
    return _by_metadata(connection, topic)


def _by_topic_partitions(connection: Connection, topic: str) -> TopicState | None:
    partitions: list[PartitionState] = []
    request = messages.DescribeTopicPartitionsRequest(topics=[messages.DescribeTopicPartitionsRequest.TopicRequest(name=topic)])
    while True:
        answer = connection.call(request, messages.DescribeTopicPartitionsResponse)
        described = answer.topics[0] if answer.topics else None
        if described is None or described.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
            return None
        _require(described.error_code, f"describe topic {topic}")
        partitions += [
            PartitionState(
                one.partition_index,
                one.leader_id,
                one.leader_epoch,
                tuple(one.replica_nodes),
                tuple(one.isr_nodes),
                tuple(one.eligible_leader_replicas or ()),
            )
            for one in described.partitions
        ]
        cursor = answer.next_cursor
        if cursor is None or cursor.topic_name != topic:
            return TopicState(described.topic_id, tuple(sorted(partitions)))
        request.cursor = messages.DescribeTopicPartitionsRequest.Cursor(topic_name=topic, partition_index=cursor.partition_index)


def _by_metadata(connection: Connection, topic: str) -> TopicState | None:
    request = messages.MetadataRequest(topics=[messages.MetadataRequest.MetadataRequestTopic(name=topic)], allow_auto_topic_creation=False)
    answer = connection.call(request, messages.MetadataResponse)
    described = answer.topics[0] if answer.topics else None
    if described is None or described.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
        return None
    _require(described.error_code, f"describe topic {topic}")
    partitions = [
        PartitionState(one.partition_index, one.leader_id, one.leader_epoch, tuple(one.replica_nodes), tuple(one.isr_nodes), ())
        for one in described.partitions
    ]
    return TopicState(described.topic_id, tuple(sorted(partitions)))


def describe_quorum(connection: Connection) -> QuorumState:
    """The metadata quorum by DescribeQuorum, which any broker passes on to the active controller."""
    topic = messages.DescribeQuorumRequest.TopicData(
        topic_name=METADATA_TOPIC, partitions=[messages.DescribeQuorumRequest.PartitionData(partition_index=0)]
    )
    answer = connection.call(messages.DescribeQuorumRequest(topics=[topic]), messages.DescribeQuorumResponse)
    _require(answer.error_code, "describe the metadata quorum", answer.error_message)
    if not answer.topics or not answer.topics[0].partitions:
        raise RpcError(f"{connection.address} described no metadata quorum")
    one = answer.topics[0].partitions[0]
    _require(one.error_code, "describe the metadata quorum", one.error_message)
    return QuorumState(one.leader_id, one.leader_epoch, one.high_watermark, tuple(voter.replica_id for voter in one.current_voters))


def list_offsets(
    connection: Connection, topic: str, leader_epochs: Mapping[int, int], timestamp: int = LATEST, *, committed: bool = False
) -> dict[int, int]:
    """Offset by partition for those that this broker leads at the given leader epoch (-1: at any); the others are left out.

    ``LATEST`` is the high watermark, or with ``committed`` the last stable offset. Naming the leader epoch makes the broker refuse when it
    leads in another one, so an answer always belongs to the epoch that was asked for.
    """
    struct = messages.ListOffsetsRequest
    wanted = struct.ListOffsetsTopic(
        name=topic,
        partitions=[
            struct.ListOffsetsPartition(partition_index=partition, current_leader_epoch=epoch, timestamp=timestamp)
            for partition, epoch in leader_epochs.items()
        ],
    )
    request = struct(replica_id=_CONSUMER, isolation_level=int(committed), topics=[wanted], timeout_ms=int(connection.timeout_s * 1000))
    answer = connection.call(request, messages.ListOffsetsResponse)
    found = [one for described in answer.topics for one in described.partitions]
    return {one.partition_index: one.offset for one in found if one.error_code == ErrorCode.NONE}


def epoch_end_offsets(connection: Connection, topic: str, leader_epochs: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    """For each partition and leader epoch: the largest leader epoch not above it that the leader knows, and where that ended (KIP-320)."""
    struct = messages.OffsetForLeaderEpochRequest
    wanted = struct.OffsetForLeaderTopic(
        topic=topic,
        partitions=[
            struct.OffsetForLeaderPartition(partition=partition, current_leader_epoch=-1, leader_epoch=epoch)
            for partition, epoch in leader_epochs.items()
        ],
    )
    answer = connection.call(struct(replica_id=_CONSUMER, topics=[wanted]), messages.OffsetForLeaderEpochResponse)
    found = [one for described in answer.topics for one in described.partitions]
    return {one.partition: (one.leader_epoch, one.end_offset) for one in found if one.error_code == ErrorCode.NONE}


def describe_broker_configs(connection: Connection, broker: int) -> dict[str, str]:
    """A broker's settings in force; sensitive ones are left out. Only the broker itself knows all of them."""
    return _describe_configs(connection, _BROKER, str(broker))


def describe_topic_configs(connection: Connection, topic: str) -> dict[str, str]:
    """A topic's settings in force."""
    return _describe_configs(connection, _TOPIC, topic)


def _describe_configs(connection: Connection, kind: int, name: str) -> dict[str, str]:
    resource = messages.DescribeConfigsRequest.DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=None)
    answer = connection.call(messages.DescribeConfigsRequest(resources=[resource]), messages.DescribeConfigsResponse)
    if not answer.results:
        raise RpcError(f"{connection.address} described no settings of {name}")
    result = answer.results[0]
    _require(result.error_code, f"describe the settings of {name}", result.error_message)
    return {one.name: one.value for one in result.configs if one.value is not None and not one.is_sensitive}


def fetch(
    connection: Connection,
    topic: str,
    topic_id: bytes,
    partition: int,
    offset: int,
    *,
    max_bytes: int = _FETCH_MAX_BYTES,
    max_wait_ms: int = 500,
) -> Fetched:
    """Raw record batches of one partition from its leader, read_uncommitted, without a fetch session.

    The first batch may begin before ``offset``, and the last may be torn; ``wire.records.batches`` hands out the whole ones.
    """
    struct = messages.FetchRequest
    part = struct.FetchPartition(partition=partition, current_leader_epoch=-1, fetch_offset=offset, partition_max_bytes=max_bytes)
    request = struct(
        replica_id=_CONSUMER,
        max_wait_ms=max_wait_ms,
        min_bytes=1,
        max_bytes=max_bytes,
        session_id=0,
        session_epoch=-1,
        topics=[struct.FetchTopic(topic=topic, topic_id=topic_id, partitions=[part])],
    )
    answer = connection.call(request, messages.FetchResponse, timeout_s=connection.timeout_s + max_wait_ms / 1000)
    _require(answer.error_code, f"fetch {topic}-{partition}")
    found = [one for described in answer.responses for one in described.partitions if one.partition_index == partition]
    if not found:
        raise RpcError(f"{connection.address} answered a fetch of {topic}-{partition} without it")
    return Fetched(found[0].error_code, found[0].high_watermark, found[0].log_start_offset, bytes(found[0].records or b""))


def _require(code: int, what: str, message: str | None = None) -> None:
    if code != ErrorCode.NONE:
        raise BrokerError(what, code, message)


def connect_to_any(addresses: Iterable[tuple[str, int]], *, timeout_s: float = 5.0) -> Connection:
    """The first address that answers. Raises the last ``RpcError`` when none does."""
    last: RpcError = RpcError("no address was given")
    for host, port in addresses:
        try:
            return Connection(host, port, timeout_s=timeout_s)
        except RpcError as error:
            last = error
    raise last


def parse_bootstrap(text: str) -> list[tuple[str, int]]:
    """``host:port,host:port`` (IPv6 in brackets) as pairs. Raises ``ValueError`` naming the part that is wrong."""
    addresses: list[tuple[str, int]] = []
    for part in (part.strip() for part in text.split(",")):
        host, separator, port = part.rpartition(":")
        if not separator or not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"'{part}' is no host:port")
        addresses.append((host.strip("[]"), int(port)))
    return addresses
