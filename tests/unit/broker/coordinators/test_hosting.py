"""Coordinators on whole brokers in virtual time: found, loaded, moved, and never answering what may still be lost."""

import pytest
from tests.support.logs import batch
from tests.support.simulated_requests import Client

from holdwater.broker.coordinators.hosted import SLICE_BYTES
from holdwater.broker.coordinators.kinds import GROUPS, TRANSACTIONS, partition_for
from holdwater.kernel.errors import ErrorCode
from holdwater.sim.cluster import Settings, SimCluster
from holdwater.wire.messages import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupHeartbeatRequest,
    CreateTopicsRequest,
    DeleteTopicsRequest,
    FindCoordinatorRequest,
    MetadataRequest,
    OffsetCommitRequest,
    OffsetFetchRequest,
    ProduceRequest,
)

GROUP = "my-group"
SMALL = {"offsets.topic.num.partitions": "2", "transaction.state.log.num.partitions": "2", "metadata.max.idle.interval.ms": "0"}


def started(brokers: int = 3, **broker: str) -> Client:
    replicas = {"offsets.topic.replication.factor": str(brokers), "transaction.state.log.replication.factor": str(brokers)}
    cluster = SimCluster(1, Settings(brokers=brokers, broker={**SMALL, **replicas, **{k.replace("_", "."): v for k, v in broker.items()}}))
    cluster.start()
    cluster.until("every broker is unfenced", cluster.all_unfenced, 10_000)
    client = Client(cluster)
    topic = CreateTopicsRequest.CreatableTopic(name="t", num_partitions=2, replication_factor=brokers)
    assert client.ask(1, CreateTopicsRequest(topics=[topic], timeout_ms=5_000)).topics[0].error_code == 0
    cluster.until("it is led", lambda: cluster.leader_of("t", 1) is not None, 5_000)
    return client


def find(client: Client, node: int = 1, key_type: int = 0, key: str = GROUP) -> int:
    found = client.ask(node, FindCoordinatorRequest(key_type=key_type, coordinator_keys=[key])).coordinators[0]
    assert found.error_code == 0, found
    client.cluster.run(100)  # until that broker knows it too
    return found.node_id


def commit_request(offset: int, metadata: str = "", group: str = GROUP) -> OffsetCommitRequest:
    partition = OffsetCommitRequest.OffsetCommitRequestPartition(
        partition_index=0, committed_offset=offset, committed_leader_epoch=-1, committed_metadata=metadata
    )
    topic = OffsetCommitRequest.OffsetCommitRequestTopic(name="t", partitions=[partition])
    return OffsetCommitRequest(group_id=group, generation_id_or_member_epoch=-1, member_id="", topics=[topic])


def commit(client: Client, node: int, offset: int, **how: str) -> int:
    return client.ask(node, commit_request(offset, **how), 9).topics[0].partitions[0].error_code


def fetch_request() -> OffsetFetchRequest:
    return OffsetFetchRequest(groups=[OffsetFetchRequest.OffsetFetchRequestGroup(group_id=GROUP, member_epoch=-1, topics=None)])


def committed(client: Client, node: int) -> int:
    """The committed offset; minus the error where there is one."""
    group = client.ask(node, fetch_request(), 9).groups[0]
    if group.error_code:
        return -group.error_code
    return group.topics[0].partitions[0].committed_offset if group.topics else -1


def eventually(client: Client, offset: int) -> int:
    """The node that tells this offset, once there is one."""
    for _ in range(100):
        found = [node.node_id for node in client.cluster.running() if committed(client, node.node_id) == offset]
        if found:
            return found[0]
        client.cluster.run(100)
    raise AssertionError(f"nobody tells {offset}")


@pytest.mark.parametrize("kind", [GROUPS, TRANSACTIONS])
def test_the_first_question_makes_the_topic_and_is_answered_when_it_is_led(kind: object) -> None:
    client = started()
    key_type = 0 if kind is GROUPS else 1
    began_ms = client.cluster.now_ms
    node = find(client, 2, key_type)
    assert client.cluster.now_ms - began_ms < 1_000
    assert {find(client, each, key_type) for each in (1, 2, 3)} == {node}
    image = client.cluster.nodes[1].broker.image  # pyright: ignore[reportOptionalMemberAccess]
    topic = image.topic(kind.topic)  # pyright: ignore[reportAttributeAccessIssue]
    assert len(topic.partitions) == 2
    assert image.topic_config(topic.name)["cleanup.policy"] == "compact"


def test_where_the_topic_cannot_be_made_the_question_is_answered_all_the_same() -> None:
    client = started(1, offsets_topic_replication_factor="3")
    began_ms = client.cluster.now_ms
    found = client.ask(1, FindCoordinatorRequest(key_type=0, coordinator_keys=[GROUP])).coordinators[0]
    assert found.error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert 900 <= client.cluster.now_ms - began_ms <= 1_500


@pytest.mark.parametrize(("key_type", "key"), [(2, "a:b:0"), (9, "x"), (1, "")])
def test_what_has_no_coordinator_here_is_refused(key_type: int, key: str) -> None:
    client = started(1)
    found = client.ask(1, FindCoordinatorRequest(key_type=key_type, coordinator_keys=[key])).coordinators[0]
    assert (found.error_code, found.node_id) == (ErrorCode.INVALID_REQUEST, -1)


def test_a_commit_is_told_by_every_later_coordinator() -> None:
    client = started()
    node = find(client)
    assert commit(client, node, 7) == 0
    assert committed(client, node) == 7
    others = [each for each in (1, 2, 3) if each != node]
    assert {committed(client, each) for each in others} == {-ErrorCode.NOT_COORDINATOR}
    client.cluster.nodes[node].kill()
    heir = eventually(client, 7)
    assert heir in others
    assert commit(client, heir, 9) == 0
    client.cluster.nodes[node].start()
    client.cluster.until("it is back", client.cluster.all_unfenced, 20_000)
    for each in (1, 2, 3):
        client.cluster.nodes[each].kill()
    client.cluster.start()
    assert eventually(client, 9) in (1, 2, 3)


def test_what_is_not_replicated_is_not_acknowledged_and_not_told() -> None:
    client = started(replica_lag_time_max_ms="60000", broker_session_timeout_ms="60000")
    node = find(client)
    assert commit(client, node, 1) == 0
    others = [each for each in (1, 2, 3) if each != node]
    for other in others:
        client.cluster.nodes[other].pause()
    asked = client.send(node, commit_request(5), 9)
    told = client.send(node, fetch_request(), 9)
    client.cluster.run(4_000)
    assert asked.answer is None
    assert told.answer is None, "what it would tell may still be lost"
    client.cluster.run(2_000)
    assert asked.answer.topics[0].partitions[0].error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert told.answer.groups[0].error_code != 0
    for other in others:
        client.cluster.nodes[other].resume()
    eventually(client, 5)


def test_too_few_replicas_refuse_a_commit_before_it_is_written() -> None:
    client = started(min_insync_replicas="3", replica_lag_time_max_ms="1000", broker_session_timeout_ms="60000")
    node = find(client)
    controller = client.cluster.active_controller()
    other = next(each for each in (1, 2, 3) if each not in (node, controller))
    client.cluster.nodes[other].pause()
    client.cluster.run(3_000)
    began_ms = client.cluster.now_ms
    assert commit(client, node, 5) == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert client.cluster.now_ms - began_ms < 1_000, "at once, nothing was written"
    assert leader_end(client, node) == 0
    client.cluster.nodes[other].resume()
    client.cluster.run(3_000)
    assert commit(client, find(client), 6) == 0


def leader_end(client: Client, node: int) -> int:
    partition = client.cluster.nodes[node].broker.replicas.by_name("__consumer_offsets", partition_for(GROUP, 2))  # pyright: ignore[reportOptionalMemberAccess]
    assert partition is not None
    return partition.log.log_end_offset


def test_a_large_log_is_loaded_in_slices_and_requests_are_told_to_wait() -> None:
    client = started(1)
    find(client)
    count = 2 * SLICE_BYTES // 3_000
    for number in range(count):
        assert commit(client, 1, number, metadata="x" * 3_000) == 0
    node = client.cluster.nodes[1]
    node.kill()
    node.start()
    seen: dict[int, None] = {}
    for _ in range(20_000):
        if node.broker is not None and node.state == "RUNNING":
            asked = client.send(1, fetch_request(), 9)
            if asked.answer is not None:
                group = asked.answer.groups[0]
                seen[group.error_code] = None
                if not group.error_code:
                    assert group.topics[0].partitions[0].committed_offset == count - 1
                    break
        client.cluster.scheduler.run(client.cluster.scheduler.now_us + 100)
    assert ErrorCode.COORDINATOR_LOAD_IN_PROGRESS in seen
    assert 0 in seen


def test_offsets_of_a_deleted_topic_are_forgotten() -> None:
    client = started()
    node = find(client)
    assert commit(client, node, 3) == 0
    state = DeleteTopicsRequest.DeleteTopicState(name="t")
    client.ask(1, DeleteTopicsRequest(topics=[state], timeout_ms=5_000))
    client.cluster.until("they are gone", lambda: committed(client, node) == -1, 5_000)


@pytest.mark.parametrize(
    ("topic", "partition", "error"),
    [("t", 1, 0), ("t", 2, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION), ("nowhere", 0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)],
)
def test_only_partitions_that_there_are_are_committed(topic: str, partition: int, error: int) -> None:
    client = started(1)
    find(client)
    request = commit_request(4)
    request.topics[0].name = topic
    request.topics[0].partitions[0].partition_index = partition
    request.topics.append(commit_request(5).topics[0])
    answer = client.ask(1, request, 9)
    assert [(each.name, each.partitions[0].error_code) for each in answer.topics] == [(topic, error), ("t", 0)]


def test_only_coordinators_write_to_their_topics() -> None:
    client = started(1)
    find(client)
    topic_id = client.cluster.nodes[1].broker.image.topic_ids["__consumer_offsets"]  # pyright: ignore[reportOptionalMemberAccess]
    data = ProduceRequest.PartitionProduceData(index=0, records=batch("x"))
    request = ProduceRequest(acks=1, timeout_ms=100, topic_data=[ProduceRequest.TopicProduceData(topic_id=topic_id, partition_data=[data])])
    answer = client.ask(1, request).responses[0].partition_responses[0]
    assert answer.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION


def test_a_question_for_the_topic_itself_makes_it_as_coordinators_need_it() -> None:
    client = started()
    asked = MetadataRequest.MetadataRequestTopic(name="__consumer_offsets")
    client.ask(2, MetadataRequest(topics=[asked], allow_auto_topic_creation=True))
    client.cluster.run(500)
    image = client.cluster.nodes[1].broker.image  # pyright: ignore[reportOptionalMemberAccess]
    assert image.topic_config("__consumer_offsets")["cleanup.policy"] == "compact"
    assert len(image.topic("__consumer_offsets").partitions) == 2  # pyright: ignore[reportOptionalMemberAccess]


def test_a_broker_that_has_just_begun_does_not_say_that_it_lacks_the_consumer_protocol() -> None:
    """Clients would give up for good."""
    client = started()
    find(client)
    node = client.cluster.nodes[2]
    node.kill()
    node.start()
    client.cluster.until("it runs", lambda: node.broker is not None, 10_000)
    request = ConsumerGroupHeartbeatRequest(
        group_id=GROUP, member_id="m", rebalance_timeout_ms=1_000, subscribed_topic_names=["t"], topic_partitions=[]
    )
    assert not node.broker.image.features  # pyright: ignore[reportOptionalMemberAccess]
    assert client.ask(2, request).error_code == ErrorCode.NOT_COORDINATOR
    described = client.ask(2, ConsumerGroupDescribeRequest(group_ids=[GROUP])).groups[0]
    assert described.error_code == ErrorCode.NOT_COORDINATOR
