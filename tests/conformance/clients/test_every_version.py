"""Every version of every API that a listener advertises is answered, in that version, by a live broker.

Each request is small and valid, and names something that exists beside something that does not, so that the answers fill their fields.
Requests of the controllers' listener come from a node that does not exist, or with another cluster id, so that none of them is obeyed.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from tests.support.cluster import RunningCluster
from tests.support.requests import RawConnection, produce

from holdwater.broker.apis import BROKER, CONTROLLER
from holdwater.broker.handlers.api_versions import served_versions
from holdwater.broker.handlers.table import TABLE
from holdwater.kernel.identifiers import METADATA_TOPIC, METADATA_TOPIC_ID
from holdwater.rpc import calls
from holdwater.wire import messages as m
from holdwater.wire.codec import encode
from holdwater.wire.codec.frames import request_header_version
from holdwater.wire.records import Record, build_batch

GONE = "there-is-no-such-topic"
NOBODY = 99


class World(NamedTuple):
    """What the requests speak of."""

    cluster: RunningCluster
    topic: str
    topic_id: bytes
    leader: int


@pytest.fixture(scope="module")
def world(cluster: RunningCluster) -> World:
    name = "every-version"
    cluster.create_topic(name)
    assert produce(cluster, name, build_batch([Record(0, 1_700_000_000_000, b"k", b"v")])).error_code == 0
    with cluster.connect() as connection:
        for kind in (0, 1):
            connection.call(m.FindCoordinatorRequest(key_type=kind, coordinator_keys=[GROUP]), m.FindCoordinatorResponse)
        described = calls.describe_topic(connection, name)
    assert described is not None
    return World(cluster, name, described.topic_id, cluster.leader(name))


Requests = Callable[[World, int], list[Any]]


def _produce(world: World, version: int) -> list[Any]:
    request = m.ProduceRequest
    partition = request.PartitionProduceData(index=0, records=build_batch([Record(0, 1_700_000_000_000, b"k", b"v")]))
    missing = request.PartitionProduceData(index=7, records=build_batch([Record(0, 1, b"k", b"v")]))
    topic = request.TopicProduceData(partition_data=[partition, missing])
    if version >= 13:
        topic.topic_id = world.topic_id
    else:
        topic.name = world.topic
    return [request(acks=acks, timeout_ms=5000, topic_data=[topic]) for acks in (-1, 1)]


def _fetch(world: World, version: int) -> list[Any]:
    request = m.FetchRequest
    topics = []
    for name, topic_id in ((world.topic, world.topic_id), (GONE, b"\x01" * 16)):
        partition = request.FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1000)
        named = {"topic_id": topic_id} if version >= 13 else {"topic": name}
        topics.append(request.FetchTopic(**named, partitions=[partition]))
    return [
        request(max_wait_ms=1, min_bytes=1, max_bytes=10_000, isolation_level=isolation, session_id=0, session_epoch=epoch, topics=topics)
        for isolation in (0, 1)
        for epoch in ((0, -1) if version >= 7 else (-1,))
    ]


def _fetch_metadata(world: World, version: int) -> list[Any]:
    request = m.FetchRequest
    partition = request.FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1000)
    named = {"topic_id": METADATA_TOPIC_ID} if version >= 13 else {"topic": METADATA_TOPIC}
    return [request(max_wait_ms=1, min_bytes=1, max_bytes=1000, topics=[request.FetchTopic(**named, partitions=[partition])])]


def _list_offsets(world: World, version: int) -> list[Any]:
    request = m.ListOffsetsRequest

    def topic(name: str, timestamp: int) -> m.ListOffsetsRequest.ListOffsetsTopic:
        return request.ListOffsetsTopic(name=name, partitions=[request.ListOffsetsPartition(partition_index=0, timestamp=timestamp)])

    times = (-1, -2, -3, -4, -5, -6, 0, 1_700_000_000_000, 2_000_000_000_000)
    return [request(replica_id=-1, topics=[topic(world.topic, timestamp), topic(GONE, timestamp)]) for timestamp in times]


def _metadata(world: World, version: int) -> list[Any]:
    request = m.MetadataRequest
    asked = [[request.MetadataRequestTopic(name=world.topic), request.MetadataRequestTopic(name=GONE)], []]
    if version >= 1:
        asked.append(None)  # pyright: ignore[reportArgumentType]
    if version >= 12:
        asked.append([request.MetadataRequestTopic(name=None, topic_id=world.topic_id)])
        asked.append([request.MetadataRequestTopic(name=None, topic_id=b"\x01" * 16)])
    requests = [request(topics=topics) for topics in asked]
    for each in requests:
        if version >= 4:
            each.allow_auto_topic_creation = False
        if version >= 8:
            each.include_topic_authorized_operations = True
    return requests


def _find_coordinator(world: World, version: int) -> list[Any]:
    if version >= 4:
        return [m.FindCoordinatorRequest(key_type=0, coordinator_keys=["a", "b"])]
    return [m.FindCoordinatorRequest(key="a")]


def _api_versions(world: World, version: int) -> list[Any]:
    if version < 3:
        return [m.ApiVersionsRequest()]
    requests = [m.ApiVersionsRequest(client_software_name="test", client_software_version="1")]
    if version >= 5:
        requests.append(m.ApiVersionsRequest("test", "1", cluster_id="another", node_id=1))
    return requests


def _create_topics(world: World, version: int) -> list[Any]:
    topic = m.CreateTopicsRequest.CreatableTopic
    topics = [
        topic(name=world.topic, num_partitions=1, replication_factor=1),
        topic(name=f"made-by-version-{version}", num_partitions=1, replication_factor=1),
        topic(name="not legal", num_partitions=1, replication_factor=1),
    ]
    return [m.CreateTopicsRequest(topics=topics, timeout_ms=5000, validate_only=True)]


def _delete_topics(world: World, version: int) -> list[Any]:
    if version < 6:
        return [m.DeleteTopicsRequest(topic_names=[GONE], timeout_ms=5000)]
    state = m.DeleteTopicsRequest.DeleteTopicState
    return [m.DeleteTopicsRequest(topics=[state(name=GONE), state(name=None, topic_id=b"\x01" * 16)], timeout_ms=5000)]


def _delete_records(world: World, version: int) -> list[Any]:
    topic = m.DeleteRecordsRequest.DeleteRecordsTopic
    partition = m.DeleteRecordsRequest.DeleteRecordsPartition(partition_index=0, offset=0)
    return [m.DeleteRecordsRequest(topics=[topic(name=name, partitions=[partition]) for name in (world.topic, GONE)], timeout_ms=5000)]


def _init_producer_id(world: World, version: int) -> list[Any]:
    return [m.InitProducerIdRequest(transactional_id=text, transaction_timeout_ms=1000) for text in (None, "transactional", "")]


def _offset_for_leader_epoch(world: World, version: int) -> list[Any]:
    request = m.OffsetForLeaderEpochRequest
    partition = request.OffsetForLeaderPartition(partition=0, leader_epoch=0)
    topics = [request.OffsetForLeaderTopic(topic=name, partitions=[partition]) for name in (world.topic, GONE)]
    return [request(topics=topics)]


def _describe_configs(world: World, version: int) -> list[Any]:
    resource = m.DescribeConfigsRequest.DescribeConfigsResource
    asked = [(2, world.topic), (2, GONE), (4, "1"), (4, ""), (8, "1"), (16, "m"), (32, "g"), (77, "x")]
    request = m.DescribeConfigsRequest(
        resources=[resource(resource_type=kind, resource_name=name, configuration_keys=None) for kind, name in asked], include_synonyms=True
    )
    if version >= 3:
        request.include_documentation = True
    return [request]


def _alter_configs(world: World, version: int) -> list[Any]:
    resource = m.AlterConfigsRequest.AlterConfigsResource
    config = m.AlterConfigsRequest.AlterableConfig(name="retention.ms", value="86400000")
    resources = [resource(resource_type=2, resource_name=name, configs=[config]) for name in (world.topic, GONE)]
    return [m.AlterConfigsRequest(resources=resources, validate_only=True)]


def _incremental_alter_configs(world: World, version: int) -> list[Any]:
    resource = m.IncrementalAlterConfigsRequest.AlterConfigsResource
    config = m.IncrementalAlterConfigsRequest.AlterableConfig(name="retention.ms", config_operation=0, value="86400000")
    resources = [resource(resource_type=2, resource_name=name, configs=[config]) for name in (world.topic, GONE)]
    return [m.IncrementalAlterConfigsRequest(resources=resources, validate_only=True)]


def _describe_log_dirs(world: World, version: int) -> list[Any]:
    topic = m.DescribeLogDirsRequest.DescribableLogDirTopic(topic=world.topic, partitions=[0])
    return [m.DescribeLogDirsRequest(topics=[topic]), m.DescribeLogDirsRequest(topics=None)]


def _create_partitions(world: World, version: int) -> list[Any]:
    topic = m.CreatePartitionsRequest.CreatePartitionsTopic
    topics = [topic(name=name, count=3, assignments=None) for name in (world.topic, GONE)]
    return [m.CreatePartitionsRequest(topics=topics, timeout_ms=5000, validate_only=True)]


def _elect_leaders(world: World, version: int) -> list[Any]:
    partitions = m.ElectLeadersRequest.TopicPartitions
    asked = [[partitions(topic=name, partitions=[0]) for name in (world.topic, GONE)], None]
    return [m.ElectLeadersRequest(topic_partitions=topics, timeout_ms=5000) for topics in asked]


def _list_partition_reassignments(world: World, version: int) -> list[Any]:
    topic = m.ListPartitionReassignmentsRequest.ListPartitionReassignmentsTopics(name=world.topic, partition_indexes=[0])
    return [m.ListPartitionReassignmentsRequest(topics=topics, timeout_ms=5000) for topics in ([topic], None)]


def _describe_quorum(world: World, version: int) -> list[Any]:
    topic = m.DescribeQuorumRequest.TopicData
    partition = m.DescribeQuorumRequest.PartitionData(partition_index=0)
    return [m.DescribeQuorumRequest(topics=[topic(topic_name=name, partitions=[partition])]) for name in (METADATA_TOPIC, GONE)]


def _update_features(world: World, version: int) -> list[Any]:
    update = m.UpdateFeaturesRequest.FeatureUpdateKey
    request = m.UpdateFeaturesRequest(
        timeout_ms=5000,
        feature_updates=[update(feature="metadata.version", max_version_level=99), update(feature="no.such", max_version_level=1)],
    )
    if version >= 1:
        request.validate_only = True
    return [request]


def _describe_cluster(world: World, version: int) -> list[Any]:
    requests = [m.DescribeClusterRequest(include_cluster_authorized_operations=True)]
    if version >= 1:
        requests += [m.DescribeClusterRequest(endpoint_type=kind) for kind in (2, 7)]
    return requests


def _describe_producers(world: World, version: int) -> list[Any]:
    topic = m.DescribeProducersRequest.TopicRequest
    return [m.DescribeProducersRequest(topics=[topic(name=name, partition_indexes=[0, 5]) for name in (world.topic, GONE)])]


def _list_config_resources(world: World, version: int) -> list[Any]:
    return (
        [m.ListConfigResourcesRequest()]
        if version == 0
        else [m.ListConfigResourcesRequest(resource_types=kinds) for kinds in ([], [2], [99])]
    )


def _describe_topic_partitions(world: World, version: int) -> list[Any]:
    topic = m.DescribeTopicPartitionsRequest.TopicRequest
    asked = [topic(name=world.topic), topic(name=GONE)]
    return [
        m.DescribeTopicPartitionsRequest(topics=topics, response_partition_limit=limit) for topics in (asked, []) for limit in (1, 2000)
    ]


def _vote(world: World, version: int) -> list[Any]:
    topic = m.VoteRequest.TopicData(topic_name=METADATA_TOPIC, partitions=[m.VoteRequest.PartitionData(replica_id=NOBODY, replica_epoch=0)])
    return [m.VoteRequest(cluster_id=cluster_id, topics=[topic]) for cluster_id in ("another", world.cluster.cluster_id)]


def _begin_quorum_epoch(world: World, version: int) -> list[Any]:
    partition = m.BeginQuorumEpochRequest.PartitionData(leader_id=NOBODY, leader_epoch=0)
    topic = m.BeginQuorumEpochRequest.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])
    return [m.BeginQuorumEpochRequest(cluster_id=cluster_id, topics=[topic]) for cluster_id in ("another", world.cluster.cluster_id)]


def _end_quorum_epoch(world: World, version: int) -> list[Any]:
    partition = m.EndQuorumEpochRequest.PartitionData(leader_id=NOBODY, leader_epoch=0)
    topic = m.EndQuorumEpochRequest.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])
    return [m.EndQuorumEpochRequest(cluster_id=cluster_id, topics=[topic]) for cluster_id in ("another", world.cluster.cluster_id)]


def _fetch_snapshot(world: World, version: int) -> list[Any]:
    snapshot = m.FetchSnapshotRequest.SnapshotId(end_offset=0, epoch=0)
    partition = m.FetchSnapshotRequest.PartitionSnapshot(partition=0, current_leader_epoch=0, snapshot_id=snapshot)
    topic = m.FetchSnapshotRequest.TopicSnapshot(name=METADATA_TOPIC, partitions=[partition])
    return [m.FetchSnapshotRequest(cluster_id=cluster_id, topics=[topic]) for cluster_id in ("another", world.cluster.cluster_id)]


def _alter_partition(world: World, version: int) -> list[Any]:
    partition = m.AlterPartitionRequest.PartitionData(partition_index=0, leader_epoch=0, partition_epoch=0)
    topic = m.AlterPartitionRequest.TopicData(topic_id=world.topic_id, partitions=[partition])
    return [m.AlterPartitionRequest(broker_id=NOBODY, broker_epoch=1, topics=[topic])]


def _envelope(world: World, version: int) -> list[Any]:
    inner = _describe_quorum(world, 2)[0]
    header = m.RequestHeader(request_api_key=inner.API_KEY, request_api_version=2, correlation_id=3, client_id="inner")
    good = encode(header, request_header_version(inner.API_KEY, 2)) + encode(inner, 2)
    return [m.EnvelopeRequest(request_data=data, client_host_address=b"\x7f\0\0\x01") for data in (good, b"garbage")]


GROUP = "every-version"


def _offset_commit(world: World, version: int) -> list[Any]:
    request = m.OffsetCommitRequest
    partitions = [request.OffsetCommitRequestPartition(partition_index=index, committed_offset=1) for index in (0, 7)]
    topics = [request.OffsetCommitRequestTopic(partitions=partitions), request.OffsetCommitRequestTopic(partitions=partitions)]
    for topic, name, topic_id in zip(topics, (world.topic, GONE), (world.topic_id, b"\x01" * 16), strict=True):
        if version >= 10:
            topic.topic_id = topic_id
        else:
            topic.name = name
    return [
        request(group_id=GROUP, generation_id_or_member_epoch=epoch, member_id=member, topics=topics)
        for epoch, member in ((-1, ""), (3, "m"))
    ]


def _txn_offset_commit(world: World, version: int) -> list[Any]:
    request = m.TxnOffsetCommitRequest
    partitions = [request.TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=1)]
    topic = request.TxnOffsetCommitRequestTopic(partitions=partitions)
    if version >= 6:
        topic.topic_id = world.topic_id
    else:
        topic.name = world.topic
    return [request(transactional_id="t", group_id=GROUP, producer_id=NOBODY, producer_epoch=0, topics=[topic])]


def _offset_fetch(world: World, version: int) -> list[Any]:
    request = m.OffsetFetchRequest
    if version < 8:
        topic = request.OffsetFetchRequestTopic(name=world.topic, partition_indexes=[0, 7])
        return [request(group_id=GROUP, topics=topics) for topics in ([topic], *([None] if version >= 2 else []))]
    topics = request.OffsetFetchRequestTopics(partition_indexes=[0, 7])
    if version >= 10:
        topics.topic_id = world.topic_id
    else:
        topics.name = world.topic
    groups = [request.OffsetFetchRequestGroup(group_id=name, topics=which) for name, which in ((GROUP, [topics]), ("other", None))]
    return [request(groups=groups, require_stable=stable) for stable in (False, True)]


def _join_group(world: World, version: int) -> list[Any]:
    protocol = m.JoinGroupRequest.JoinGroupRequestProtocol(name="range", metadata=b"")
    shared: dict[str, Any] = {"group_id": "joined", "protocol_type": "consumer", "protocols": [protocol]}
    refused = [m.JoinGroupRequest(session_timeout_ms=1, **shared), m.JoinGroupRequest(session_timeout_ms=10_000, member_id="m", **shared)]
    return [*refused, *([m.JoinGroupRequest(session_timeout_ms=10_000, **shared)] if version >= 4 else [])]


def _leave_group(world: World, version: int) -> list[Any]:
    if version < 3:
        return [m.LeaveGroupRequest(group_id=GROUP, member_id="m")]
    members = [m.LeaveGroupRequest.MemberIdentity(member_id="m"), m.LeaveGroupRequest.MemberIdentity(member_id="", group_instance_id="i")]
    return [m.LeaveGroupRequest(group_id=GROUP, members=members)]


def _list_groups(world: World, version: int) -> list[Any]:
    states = ["Empty", "nonsense"] if version >= 4 else []
    return [m.ListGroupsRequest(), m.ListGroupsRequest(states_filter=states, types_filter=["classic"] if version >= 5 else [])]


def _consumer_heartbeat(world: World, version: int) -> list[Any]:
    request = m.ConsumerGroupHeartbeatRequest
    joins = request(group_id="modern", member_id="m", rebalance_timeout_ms=1_000, subscribed_topic_names=[world.topic], topic_partitions=[])
    return [joins, request(group_id="modern", member_id="x", member_epoch=7), request(group_id="", member_id="m")]


def _add_partitions_to_txn(world: World, version: int) -> list[Any]:
    request = m.AddPartitionsToTxnRequest
    topics = [request.AddPartitionsToTxnTopic(name=name, partitions=[0]) for name in (world.topic, GONE)]
    if version < 4:
        return [
            request(
                v3_and_below_transactional_id="t", v3_and_below_producer_id=NOBODY, v3_and_below_producer_epoch=0, v3_and_below_topics=which
            )
            for which in (topics, topics[:1])
        ]
    transaction = request.AddPartitionsToTxnTransaction
    asked = [
        transaction(transactional_id=name, producer_id=NOBODY, producer_epoch=0, verify_only=only, topics=topics)
        for name, only in (("t", True), ("u", False))
    ]
    return [request(transactions=asked)]


def _write_txn_markers(world: World, version: int) -> list[Any]:
    topics = [m.WriteTxnMarkersRequest.WritableTxnMarkerTopic(name=GONE, partition_indexes=[0])]
    marker = m.WriteTxnMarkersRequest.WritableTxnMarker(producer_id=NOBODY, producer_epoch=0, transaction_result=False, topics=topics)
    return [m.WriteTxnMarkersRequest(markers=[marker])]


def _offset_delete(world: World, version: int) -> list[Any]:
    partition = m.OffsetDeleteRequest.OffsetDeleteRequestPartition(partition_index=0)
    topics = [m.OffsetDeleteRequest.OffsetDeleteRequestTopic(name=name, partitions=[partition]) for name in (world.topic, GONE)]
    return [m.OffsetDeleteRequest(group_id=GROUP, topics=topics)]


def _list_transactions(world: World, version: int) -> list[Any]:
    request = m.ListTransactionsRequest(state_filters=["Ongoing", "nonsense"], producer_id_filters=[1])
    if version >= 1:
        request.duration_filter = 1
    if version >= 2:
        request.transactional_id_pattern = "t.*"
    return [request]


REQUESTS: dict[int, Requests] = {
    0: _produce,
    1: _fetch,
    2: _list_offsets,
    3: _metadata,
    8: _offset_commit,
    9: _offset_fetch,
    10: _find_coordinator,
    11: _join_group,
    12: lambda world, version: [m.HeartbeatRequest(group_id=GROUP, generation_id=1, member_id="m")],
    13: _leave_group,
    14: lambda world, version: [m.SyncGroupRequest(group_id=GROUP, generation_id=1, member_id="m")],
    15: lambda world, version: [m.DescribeGroupsRequest(groups=[GROUP, "other", GROUP])],
    16: _list_groups,
    18: _api_versions,
    19: _create_topics,
    20: _delete_topics,
    21: _delete_records,
    22: _init_producer_id,
    23: _offset_for_leader_epoch,
    24: _add_partitions_to_txn,
    25: lambda world, version: [
        m.AddOffsetsToTxnRequest(transactional_id="t", producer_id=NOBODY, producer_epoch=0, group_id=GROUP),
    ],
    26: lambda world, version: [m.EndTxnRequest(transactional_id="t", producer_id=NOBODY, producer_epoch=0, committed=True)],
    27: _write_txn_markers,
    28: _txn_offset_commit,
    32: _describe_configs,
    33: _alter_configs,
    35: _describe_log_dirs,
    37: _create_partitions,
    42: lambda world, version: [m.DeleteGroupsRequest(groups_names=["other", "another"])],
    43: _elect_leaders,
    44: _incremental_alter_configs,
    46: _list_partition_reassignments,
    47: _offset_delete,
    52: _vote,
    53: _begin_quorum_epoch,
    54: _end_quorum_epoch,
    55: _describe_quorum,
    56: _alter_partition,
    57: _update_features,
    58: _envelope,
    59: _fetch_snapshot,
    60: _describe_cluster,
    61: _describe_producers,
    62: lambda world, version: [m.BrokerRegistrationRequest(broker_id=NOBODY, cluster_id="another")],
    63: lambda world, version: [m.BrokerHeartbeatRequest(broker_id=NOBODY, broker_epoch=1)],
    64: lambda world, version: [m.UnregisterBrokerRequest(broker_id=NOBODY)],
    65: lambda world, version: [m.DescribeTransactionsRequest(transactional_ids=["t", "", "t"])],
    66: _list_transactions,
    67: lambda world, version: [m.AllocateProducerIdsRequest(broker_id=NOBODY, broker_epoch=1)],
    68: _consumer_heartbeat,
    69: lambda world, version: [m.ConsumerGroupDescribeRequest(group_ids=["modern", GROUP, "modern"])],
    70: lambda world, version: [m.ControllerRegistrationRequest(controller_id=NOBODY)],
    73: lambda world, version: [m.AssignReplicasToDirsRequest(broker_id=NOBODY, broker_epoch=1)],
    74: _list_config_resources,
    75: _describe_topic_partitions,
    94: lambda world, version: [m.UnregisterControllerRequest(controller_id=NOBODY)],
}


def _versions(kind: str) -> Iterator[Any]:
    for key, _, high in served_versions(kind):
        low, _ = TABLE[key].versions
        for version in range(low, high + 1):
            yield pytest.param(kind, key, version, id=f"{kind}-{TABLE[key].request_class.__name__}-v{version}")


@pytest.mark.parametrize(("kind", "key", "version"), [*_versions(BROKER), *_versions(CONTROLLER)])
def test_is_answered(world: World, kind: str, key: int, version: int) -> None:
    ports = world.cluster.ports if kind == BROKER else world.cluster.controller_ports
    make = _fetch_metadata if (kind, key) == (CONTROLLER, 1) else REQUESTS[key]
    for broker in sorted(ports) if kind == CONTROLLER else (world.leader, world.leader % 3 + 1):
        with RawConnection(ports[broker]) as connection:
            for request in make(world, version):
                answer = connection.call(request, version, TABLE[key].response_class)
                assert type(answer) is TABLE[key].response_class


def test_no_answer_was_one_that_its_version_cannot_say(cluster: RunningCluster) -> None:
    assert "can't be encoded" not in cluster.logs()
