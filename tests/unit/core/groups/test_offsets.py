"""Committed offsets: who may commit, when they count, in which order, what a fetch tells."""

from typing import Any

import pytest
from tests.support.classic_groups import DELAY_MS, Answers, Bench, Member
from tests.support.coordinator import WALL_MS

from holdwater.core.groups.offsets.committed import CommittedOffset
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest, OffsetFetchResponse

T0, T1, U0 = ("t", 0), ("t", 1), ("u", 0)


def error_of(answers: Answers) -> ErrorCode:
    """The one error that every partition of a commit has."""
    errors = {partition.error_code for topic in answers.only.topics for partition in topic.partitions}
    assert len(errors) == 1
    return ErrorCode(errors.pop())


def fetched(answers: Answers) -> list[tuple[int, int, str, int]]:
    """Offset, leader epoch, metadata, error of each partition."""
    group: OffsetFetchResponse.OffsetFetchResponseGroup = answers.only
    return [
        (one.committed_offset, one.committed_leader_epoch, one.metadata or "", one.error_code)
        for topic in group.topics
        for one in topic.partitions
    ]


def delete(bench: Bench, *places: tuple[str, int], group_id: str = "g") -> OffsetDeleteResponse:
    request = OffsetDeleteRequest(group_id=group_id)
    for topic, partition in places:
        one = OffsetDeleteRequest.OffsetDeleteRequestPartition(partition_index=partition)
        request.topics.append(OffsetDeleteRequest.OffsetDeleteRequestTopic(name=topic, partitions=[one]))
    return bench.ask(bench.shard.delete_offsets, request, 0, OffsetDeleteResponse).only


# Plain commits


def test_commit_is_appended_then_committed_then_answered_and_a_fetch_waits_for_it() -> None:
    bench = Bench()
    bench.host.hold()
    committed = bench.commit({T0: 42}, metadata="note")
    seen = bench.fetch(T0)
    assert (len(committed), len(seen), len(bench.host.log)) == (0, 0, 1)
    bench.host.release()
    assert error_of(committed) is ErrorCode.NONE
    assert fetched(seen) == [(42, 4, "note", 0)]


@pytest.mark.parametrize("version", range(2, 11))
def test_every_version_of_commit(version: int) -> None:
    bench = Bench()
    topic_id = bench.host.topics.put("t")
    assert error_of(bench.commit({T0: 5}, version=version, metadata="m")) is ErrorCode.NONE
    offset = bench.shard.offsets.committed.get("g", "t", 0)
    assert offset == CommittedOffset(0, 5, 4, "m", WALL_MS, -1, topic_id)
    assert bench.host.log[0].value_version == 4


@pytest.mark.parametrize("version", [2, 3, 4])
def test_retention_that_the_client_asks_for_is_stored(version: int) -> None:
    bench = Bench()
    bench.commit({T0: 5}, version=version, retention_time_ms=60_000)
    assert bench.host.log[0].value_version == 1
    assert bench.host.log[0].value.expire_timestamp == WALL_MS + 60_000


@pytest.mark.parametrize(
    ("append", "told"),
    [
        (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NOT_COORDINATOR),
        (ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND, ErrorCode.COORDINATOR_NOT_AVAILABLE),
        (ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.UNKNOWN_SERVER_ERROR),
    ],
)
def test_commit_that_cannot_be_appended_leaves_nothing(append: ErrorCode, told: ErrorCode) -> None:
    bench = Bench()
    bench.host.fail_next(append)
    assert error_of(bench.commit({T0: 5, T1: 6})) is told
    assert (bench.shard.groups, bench.committed()) == ({}, {})


def test_fetch_that_read_what_was_lost_fails() -> None:
    bench = Bench()
    bench.host.hold()
    bench.commit({T0: 5})
    seen = bench.fetch(T0)
    bench.host.lose(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    assert (seen.error, seen.only.topics) == (ErrorCode.NOT_COORDINATOR, []), "old consumers do not know COORDINATOR_NOT_AVAILABLE here"


def test_metadata_has_a_limit_for_each_partition() -> None:
    bench = Bench(offset_metadata_max_bytes="4")
    assert error_of(bench.commit({T0: 5}, metadata="12345")) is ErrorCode.OFFSET_METADATA_TOO_LARGE
    assert error_of(bench.commit({T0: 6}, metadata="1234")) is ErrorCode.NONE
    assert error_of(bench.commit({T0: 7}, metadata="\U0001f600\U0001f600")) is ErrorCode.NONE
    assert error_of(bench.commit({T0: 8}, metadata="\U0001f600\U0001f600x")) is ErrorCode.OFFSET_METADATA_TOO_LARGE
    assert error_of(bench.txn_commit({T0: 9}, metadata="12345")) is ErrorCode.OFFSET_METADATA_TOO_LARGE
    assert bench.committed() == {T0: 7}


def test_metadata_that_is_null_is_empty() -> None:
    bench = Bench()
    bench.commit({T0: 5}, metadata=None)
    assert fetched(bench.fetch(T0)) == [(5, 4, "", 0)]


# C3: only from the current generation


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ErrorCode.NONE),
        ({"generation_id_or_member_epoch": 0}, ErrorCode.ILLEGAL_GENERATION),
        ({"generation_id_or_member_epoch": 2}, ErrorCode.ILLEGAL_GENERATION),
        ({"generation_id_or_member_epoch": -1}, ErrorCode.ILLEGAL_GENERATION),
        ({"member_id": "nobody"}, ErrorCode.UNKNOWN_MEMBER_ID),
        ({"member_id": ""}, ErrorCode.UNKNOWN_MEMBER_ID),
        ({"group_instance_id": "i1"}, ErrorCode.UNKNOWN_MEMBER_ID),
        ({"generation_id_or_member_epoch": -1, "member_id": ""}, ErrorCode.UNKNOWN_MEMBER_ID),
    ],
)
def test_commit_to_a_stable_group(change: dict[str, Any], told: ErrorCode) -> None:
    bench = Bench()
    (member,) = bench.stable()
    assert error_of(bench.commit({T0: 5}, member=member, **change)) is told
    assert bench.committed() == ({T0: 5} if told is ErrorCode.NONE else {})


@pytest.mark.parametrize(("version", "told"), [(8, ErrorCode.ILLEGAL_GENERATION), (9, ErrorCode.GROUP_ID_NOT_FOUND)])
def test_commit_with_a_generation_to_no_group(version: int, told: ErrorCode) -> None:
    bench = Bench()
    assert error_of(bench.commit({T0: 5}, version=version, generation_id_or_member_epoch=1)) is told


@pytest.mark.parametrize(("version", "told"), [(5, ErrorCode.ILLEGAL_GENERATION), (6, ErrorCode.GROUP_ID_NOT_FOUND)])
def test_transactional_commit_with_a_generation_to_no_group(version: int, told: ErrorCode) -> None:
    bench = Bench()
    member = Member("g", "m", generation=1)
    assert error_of(bench.txn_commit({T0: 5}, version=version, member=member)) is told


def test_transactional_commit_needs_a_group_id() -> None:
    assert error_of(Bench().txn_commit({T0: 5}, group_id="")) is ErrorCode.INVALID_GROUP_ID


def test_commit_in_each_phase_of_a_rebalance() -> None:
    bench = Bench()
    first, second = bench.stable(2)
    bench.rejoin(first)
    first.generation = 1
    assert error_of(bench.commit({T0: 1}, member=second)) is ErrorCode.NONE, "still the current generation"
    bench.rejoin(second)
    assert error_of(bench.commit({T0: 2}, member=Member("g", first.member_id, generation=1))) is ErrorCode.ILLEGAL_GENERATION
    assert first.joined.generation_id == 2
    assert error_of(bench.commit({T0: 3}, member=first)) is ErrorCode.REBALANCE_IN_PROGRESS
    assert error_of(bench.txn_commit({T0: 4}, member=first)) is ErrorCode.NONE, "a transaction is not held up by the rebalance"
    assert bench.committed() == {T0: 1}


def test_group_without_members_takes_commits_without_generation() -> None:
    bench = Bench()
    (member,) = bench.stable()
    bench.leave(member)
    assert error_of(bench.commit({T0: 5}, member=member)) is ErrorCode.UNKNOWN_MEMBER_ID
    assert error_of(bench.commit({T0: 6})) is ErrorCode.NONE
    assert bench.committed() == {T0: 6}


def test_transactional_commit_of_an_old_producer_names_no_member() -> None:
    bench = Bench()
    (member,) = bench.stable()
    assert error_of(bench.txn_commit({T0: 5}, version=2)) is ErrorCode.NONE
    member.generation = 7
    assert error_of(bench.txn_commit({T0: 5}, member=member)) is ErrorCode.ILLEGAL_GENERATION


# Topic ids


def test_ids_come_back_and_an_offset_is_not_that_of_a_new_topic_of_the_same_name() -> None:
    bench = Bench()
    old, new = b"o" * 16, b"n" * 16
    bench.host.topics.put("t", topic_id=old)
    bench.commit({T0: 5}, version=8)
    topics = bench.fetch(version=10).only.topics
    assert [(topic.topic_id, topic.partitions[0].committed_offset) for topic in topics] == [(old, 5)]
    bench.host.topics.put("t", topic_id=new)
    assert bench.fetch(version=10).only.topics == []
    bench.host.topics.drop("t")
    assert bench.fetch(version=10).only.topics == []
    assert bench.committed() == {T0: 5}
    for topic_id, offset in ((old, 5), (new, -1)):
        asked = OffsetFetchRequest.OffsetFetchRequestTopics(name="t", topic_id=topic_id, partition_indexes=[0])
        told = bench.fetch(version=10, topics=[asked]).only
        assert [(topic.topic_id, topic.partitions[0].committed_offset) for topic in told.topics] == [(topic_id, offset)]


# Fetches


def test_fetch_of_what_there_is_not() -> None:
    bench = Bench()
    nothing = (-1, -1, "", 0)
    assert fetched(bench.fetch(T0)) == [nothing]
    bench.commit({T0: 5})
    assert fetched(bench.fetch(T0, T1, U0)) == [(5, 4, "", 0), nothing, nothing]
    assert fetched(bench.fetch(T0, group_id="other")) == [nothing]
    assert bench.fetch(group_id="other").only.topics == []


def test_fetch_of_all_topics_is_in_order() -> None:
    bench = Bench()
    bench.commit({U0: 1, T1: 2, T0: 3})
    assert list(bench.committed().items()) == [(T0, 3), (T1, 2), (U0, 1)]


# Transactions


def test_transactional_commit_counts_from_the_marker_on() -> None:
    bench = Bench()
    bench.commit({T0: 1})
    assert error_of(bench.txn_commit({T0: 2, T1: 3})) is ErrorCode.NONE
    assert (bench.host.log[-1].producer_id, bench.host.log[-1].producer_epoch) == (7, 0)
    assert bench.committed() == {T0: 1}
    bench.host.end_transaction(7, 0, True)
    assert bench.committed() == {T0: 2, T1: 3}


def test_aborted_commit_never_counts() -> None:
    bench = Bench()
    bench.txn_commit({T0: 2})
    bench.host.end_transaction(7, 0, False)
    assert (bench.committed(), bench.committed(stable=True)) == ({}, {})
    assert fetched(bench.fetch(T0, stable=True)) == [(-1, -1, "", 0)]


def test_stable_fetch_never_tells_a_pending_offset() -> None:
    bench = Bench()
    bench.commit({T0: 1, U0: 9})
    bench.txn_commit({T0: 2, T1: 3})
    unstable = (-1, -1, "", ErrorCode.UNSTABLE_OFFSET_COMMIT)
    assert fetched(bench.fetch(T0, T1, U0, stable=True)) == [unstable, unstable, (9, 4, "", 0)]
    assert fetched(bench.fetch(T0, T1, U0)) == [(1, 4, "", 0), (-1, -1, "", 0), (9, 4, "", 0)]
    assert fetched(bench.fetch(stable=True)) == [unstable, (9, 4, "", 0)]
    bench.txn_commit({T0: 4}, producer_id=8)
    bench.host.end_transaction(7, 0, True)
    assert fetched(bench.fetch(T0, T1, stable=True)) == [unstable, (3, -1, "", 0)]
    bench.host.end_transaction(8, 0, False)
    assert fetched(bench.fetch(T0, stable=True)) == [(2, -1, "", 0)]


@pytest.mark.parametrize("writes", [("plain", "txn"), ("txn", "plain")])
def test_later_record_wins_whenever_the_transaction_ends(writes: tuple[str, str]) -> None:
    bench = Bench()
    for offset, write in enumerate(writes):
        _ = bench.commit({T0: offset}) if write == "plain" else bench.txn_commit({T0: offset})
    bench.host.end_transaction(7, 0, True)
    assert bench.committed() == {T0: 1}


def test_transactions_that_end_in_the_other_order() -> None:
    bench = Bench()
    bench.txn_commit({T0: 1}, producer_id=1)
    bench.txn_commit({T0: 2}, producer_id=2)
    bench.host.end_transaction(2, 0, True)
    bench.host.end_transaction(1, 0, True)
    assert bench.committed() == {T0: 2}


def test_marker_of_a_producer_without_offsets_is_nothing() -> None:
    bench = Bench()
    bench.host.end_transaction(3, 0, True)
    assert bench.committed() == {}


def test_transactional_commit_that_cannot_be_appended() -> None:
    bench = Bench()
    for append, told in (
        (ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.INVALID_PRODUCER_EPOCH),
        (ErrorCode.NETWORK_EXCEPTION, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS),
        (ErrorCode.TRANSACTION_ABORTABLE, ErrorCode.TRANSACTION_ABORTABLE),
    ):
        bench.host.fail_next(append)
        assert error_of(bench.txn_commit({T0: 1})) is told
    assert not bench.shard.offsets.has_open_transactions("g")


# Deletion


def test_deletion_of_offsets_that_nobody_reads() -> None:
    bench = Bench()
    (member,) = bench.stable()  # reads t
    bench.commit({T0: 1, U0: 2}, member=member)
    told = delete(bench, T0, U0, ("u", 5))
    errors = [one.error_code for topic in told.topics for one in topic.partitions]
    assert (told.error_code, errors) == (0, [ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC, 0, 0])
    assert bench.committed() == {T0: 1}
    assert sum(entry.value is None for entry in bench.host.log) == 1


def test_deletion_removes_what_is_pending() -> None:
    bench = Bench()
    bench.txn_commit({T0: 1})
    delete(bench, T0)
    assert not bench.shard.offsets.has_open_transactions("g")
    bench.host.end_transaction(7, 0, True)
    assert bench.committed() == {}


@pytest.mark.parametrize(
    ("group_id", "protocol_type", "members", "told"),
    [
        ("", "consumer", 0, ErrorCode.INVALID_GROUP_ID),
        ("g", "consumer", 0, ErrorCode.GROUP_ID_NOT_FOUND),
        ("g", "connect", 1, ErrorCode.NON_EMPTY_GROUP),
        ("g", "consumer", 1, ErrorCode.NONE),
    ],
)
def test_refusals_of_deletion(group_id: str, protocol_type: str, members: int, told: ErrorCode) -> None:
    bench = Bench()
    if members:
        bench.stable(members, protocol_type=protocol_type)
    assert delete(bench, T0, group_id=group_id).error_code == told


@pytest.mark.parametrize("protocols", [{"range": b"\x00"}, {"range": b"\x00\x01\x00\x00\x00\x05"}, {"range": b"\xff\xff\x00\x00\x00\x00"}])
def test_group_of_consumers_that_cannot_be_read_counts_as_reading_everything(protocols: dict[str, bytes]) -> None:
    bench = Bench()
    bench.member(protocols=protocols)
    bench.host.advance(DELAY_MS)
    told = delete(bench, T0)
    assert told.topics[0].partitions[0].error_code == ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC


def test_deletion_that_cannot_be_appended() -> None:
    bench = Bench()
    bench.commit({T0: 1})
    bench.host.fail_next(ErrorCode.NOT_ENOUGH_REPLICAS)
    assert delete(bench, T0).error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert bench.committed() == {T0: 1}
