"""What clients may send, and what may stand in a coordinator's log, without a broker stopping or anybody else being hurt."""

import pytest
from tests.support.simulated_requests import Client
from tests.unit.broker.coordinators.test_hosting import GROUP, commit, commit_request, committed, find, started

from holdwater.broker.coordinators.kinds import GROUPS, TRANSACTIONS, Kind, partition_for
from holdwater.core.replica import LeaderReplica
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import CorruptRecords
from holdwater.wire.coordinator_records import encode_key, encode_value
from holdwater.wire.messages import (
    CreatePartitionsRequest,
    DescribeGroupsRequest,
    GroupMetadataKey,
    GroupMetadataValue,
    HeartbeatRequest,
    JoinGroupRequest,
    ListGroupsRequest,
    ListTransactionsRequest,
    OffsetFetchRequest,
    SyncGroupRequest,
    TransactionLogKey,
    TransactionLogValue,
)
from holdwater.wire.records import Record, build_batch, parse_header

LONG = 32_767


def join_request(member_id: str = "", instance_id: str | None = None) -> JoinGroupRequest:
    protocol = JoinGroupRequest.JoinGroupRequestProtocol(name="range", metadata=b"")
    return JoinGroupRequest(
        group_id=GROUP,
        member_id=member_id,
        group_instance_id=instance_id,
        session_timeout_ms=30_000,
        rebalance_timeout_ms=5_000,
        protocol_type="consumer",
        protocols=[protocol],
    )


def test_a_retention_beyond_all_time_is_all_time() -> None:
    client = started(1)
    find(client)
    request = commit_request(7)
    request.retention_time_ms = 2**63 - 1
    assert client.ask(1, request, 4).topics[0].partitions[0].error_code == 0
    assert committed(client, 1) == 7


def test_an_instance_id_of_any_length_hurts_nobody() -> None:
    client = started(1, group_initial_rebalance_delay_ms="0")
    find(client)
    first = client.ask(1, join_request(), 9).member_id
    one, long = client.send(1, join_request(first), 9), client.send(1, join_request(instance_id="i" * LONG), 9)
    client.cluster.until("both have joined", lambda: one.answer is not None and long.answer is not None, 10_000)
    assert (one.answer.error_code, long.answer.error_code) == (0, 0)
    assert len(long.answer.member_id) <= LONG
    sync = SyncGroupRequest(
        group_id=GROUP,
        generation_id=one.answer.generation_id,
        member_id=one.answer.leader,
        group_instance_id="i" * LONG if one.answer.leader == long.answer.member_id else None,
        protocol_type="consumer",
        protocol_name="range",
    )
    code = client.ask(1, sync, 5).error_code
    assert code in (0, ErrorCode.UNKNOWN_SERVER_ERROR, ErrorCode.REBALANCE_IN_PROGRESS, ErrorCode.UNKNOWN_MEMBER_ID)
    assert commit(client, 1, 3, group="another") == 0


def test_an_error_has_a_place_in_the_oldest_answer() -> None:
    client = started()
    node = find(client)
    other = next(each for each in (1, 2, 3) if each != node)
    request = OffsetFetchRequest(group_id=GROUP, topics=[OffsetFetchRequest.OffsetFetchRequestTopic(name="t", partition_indexes=[0, 1])])
    answer = client.ask(other, request, 1)
    assert [each.error_code for each in answer.topics[0].partitions] == [ErrorCode.NOT_COORDINATOR] * 2


def test_a_group_that_is_named_often_is_answered_once() -> None:
    client = started(1)
    find(client)
    assert commit(client, 1, 7) == 0
    group = OffsetFetchRequest.OffsetFetchRequestGroup(group_id=GROUP, member_epoch=-1, topics=None)
    assert len(client.ask(1, OffsetFetchRequest(groups=[group] * 300), 9).groups) == 1
    assert len(client.ask(1, DescribeGroupsRequest(groups=[GROUP] * 300)).groups) == 1


@pytest.mark.parametrize("pattern", ["(a+)+", "(a|aa)+$", "(.*a){12}"])
def test_a_pattern_that_a_backtracking_matcher_would_never_end_with(pattern: str) -> None:
    client = started(1)
    append(client, TRANSACTIONS, encode_key(TransactionLogKey(transactional_id="a" * 200 + "!")), transaction(0))
    answer = client.ask(1, ListTransactionsRequest(transactional_id_pattern=pattern))
    assert answer.error_code in (0, ErrorCode.INVALID_REGULAR_EXPRESSION)
    assert answer.transaction_states == []


@pytest.mark.parametrize("topic", ["__consumer_offsets", "__transaction_state"])
def test_the_partitions_of_a_coordinator_topic_stay_as_many_as_they_are(topic: str) -> None:
    client = started(1)
    find(client, key_type=0 if topic == "__consumer_offsets" else 1)
    more = CreatePartitionsRequest.CreatePartitionsTopic(name=topic, count=5)
    answer = client.ask(1, CreatePartitionsRequest(topics=[more], timeout_ms=5_000)).results[0]
    assert answer.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
    assert "cannot change" in answer.error_message


# What stands in the log


def append(client: Client, kind: Kind, key: bytes, value: bytes | None, *, restart: bool = True) -> None:
    """Write a record that no coordinator would write into the log of a coordinator's partition, and load that anew."""
    find(client, key_type=0 if kind is GROUPS else 1, key=GROUP)
    broker = client.cluster.nodes[1].broker
    assert broker is not None
    partition = broker.replicas.by_name(kind.topic, partition_for(GROUP, 2))
    assert partition is not None
    replica = partition.replica
    assert isinstance(replica, LeaderReplica)
    data = build_batch([Record(0, broker.wall_ms, key, value)])
    assert replica.append(data, parse_header(data), -1, broker.wall_ms).error_code == 0
    broker.replicas.leader_appended(partition, replica)
    if restart:
        client.cluster.nodes[1].kill()
        client.cluster.start()
        client.cluster.until("it is back", client.cluster.all_unfenced, 10_000)
        client.cluster.run(1_000)


def transaction(status: int) -> bytes:
    value = TransactionLogValue(producer_id=1, producer_epoch=0, transaction_timeout_ms=1_000, transaction_status=status)
    return encode_value(value, 1)


def twice() -> bytes:
    member = GroupMetadataValue.MemberMetadata(member_id="m", client_id="c", client_host="/h", subscription=b"", assignment=b"")
    value = GroupMetadataValue(protocol_type="consumer", generation=1, protocol="range", leader="m", members=[member, member])
    return encode_value(value, 3)


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        (GROUPS, encode_key(GroupMetadataKey(group="other")), twice()),
        (GROUPS, b"\x7f\xff", b"?"),
        (GROUPS, b"", b""),
        (TRANSACTIONS, encode_key(TransactionLogKey(transactional_id=GROUP)), transaction(99)),
        (TRANSACTIONS, encode_key(TransactionLogKey(transactional_id=GROUP)), b"\x00\x63"),
    ],
)
def test_a_record_that_makes_no_sense_is_passed_over(kind: Kind, key: bytes, value: bytes) -> None:
    client = started(1)
    append(client, kind, key, value)
    if kind is GROUPS:
        assert commit(client, 1, 5) == 0
    else:
        assert client.ask(1, ListTransactionsRequest()).transaction_states == []


class _Unreadable:
    """A log that reading has found damaged."""

    def __init__(self, log: object) -> None:
        self._log = log

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    def read(self, *_: object, **__: object) -> bytes:
        raise CorruptRecords("a flipped bit")


def test_a_coordinator_that_cannot_be_loaded_says_that_it_is_none() -> None:
    client = started(3)
    node = find(client)
    assert commit(client, node, 5) == 0
    client.cluster.nodes[node].kill()
    heirs = [each.node_id for each in client.cluster.running()]
    for heir in heirs:
        broker = client.cluster.nodes[heir].broker
        assert broker is not None
        partition = broker.replicas.by_name("__consumer_offsets", partition_for(GROUP, 2))
        assert partition is not None
        partition.log = _Unreadable(partition.log)  # pyright: ignore[reportAttributeAccessIssue]
    client.cluster.run(5_000)
    beat = HeartbeatRequest(group_id=GROUP, generation_id=1, member_id="m")
    for heir in heirs:
        assert commit(client, heir, 6) == ErrorCode.NOT_COORDINATOR
        assert client.ask(heir, beat).error_code == ErrorCode.NOT_COORDINATOR
        assert client.ask(heir, ListGroupsRequest()).error_code == 0
