"""DescribeGroups, ListGroups, DeleteGroups, and what becomes of groups of the other protocol."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.support.classic_groups import DELAY_MS, Answers, Bench, Member, subscription

from holdwater.core.coordinator import Caller
from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    ConsumerGroupDescribeResponse,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    ConsumerGroupMetadataKey,
    DeleteGroupsResponse,
    DescribeGroupsResponse,
    GroupMetadataKey,
    ListGroupsRequest,
    ListGroupsResponse,
    OffsetCommitKey,
)


def describe(bench: Bench, *group_ids: str, version: int = 6) -> list[DescribeGroupsResponse.DescribedGroup]:
    answers = Answers()
    bench.host.run(bench.shard.describe(group_ids, Caller(version), answers.append))
    return answers.only


def listed(bench: Bench, states: list[str] | None = None, types: list[str] | None = None) -> list[tuple[str, str, str, str]]:
    request = ListGroupsRequest(states_filter=states or [], types_filter=types or [])
    response = bench.ask(bench.shard.list, request, 5, ListGroupsResponse).only
    return [(one.group_id, one.protocol_type, one.group_state, one.group_type) for one in response.groups]


def delete(bench: Bench, *group_ids: str) -> list[tuple[str, int]]:
    answers = Answers()
    bench.host.run(bench.shard.delete(group_ids, Caller(2), answers.append))
    results: list[DeleteGroupsResponse.DeletableGroupResult] = answers.only
    return [(one.group_id, one.error_code) for one in results]


def consumer_heartbeat(bench: Bench, group_id: str = "g", member_epoch: int = 0, member_id: str = "m") -> Answers:
    request = ConsumerGroupHeartbeatRequest(group_id=group_id, member_id=member_id, member_epoch=member_epoch)
    if member_epoch == 0:
        request.rebalance_timeout_ms, request.subscribed_topic_names, request.topic_partitions = 60_000, ["t"], []
    return bench.ask(bench.shard.consumer_heartbeat, request, 1, ConsumerGroupHeartbeatResponse)


# Describe


def test_description_of_a_stable_group_tells_metadata_and_assignment() -> None:
    bench = Bench()
    first, second = bench.stable(2)
    (group,) = describe(bench, "g")
    assert (group.error_code, group.group_state, group.protocol_type, group.protocol_data) == (0, "Stable", "consumer", "range")
    assert [(one.member_id, one.member_metadata, one.member_assignment) for one in group.members] == [
        (first.member_id, subscription("t"), b"a0"),
        (second.member_id, subscription("t"), b"a1"),
    ]
    assert {(one.client_id, one.client_host) for one in group.members} == {("client", "/127.0.0.1")}


def test_description_of_a_group_in_a_rebalance_tells_only_its_members() -> None:
    bench = Bench()
    member = bench.member()
    for state in ("PreparingRebalance", "CompletingRebalance"):
        (group,) = describe(bench, "g")
        assert (group.group_state, group.protocol_data) == (state, "")
        assert [(one.member_id, one.member_metadata, one.member_assignment) for one in group.members] == [(member.member_id, b"", b"")]
        bench.host.advance(DELAY_MS)


@pytest.mark.parametrize(("version", "told"), [(5, ErrorCode.NONE), (6, ErrorCode.GROUP_ID_NOT_FOUND)])
def test_description_of_what_is_no_classic_group(version: int, told: ErrorCode) -> None:
    bench = Bench()
    consumer_heartbeat(bench, "new")
    groups = describe(bench, "none", "new", version=version)
    assert [(group.group_id, group.group_state, group.error_code) for group in groups] == [("none", "Dead", told), ("new", "Dead", told)]
    assert [group.error_message is not None for group in groups] == [version >= 6] * 2


def test_description_of_no_group_id() -> None:
    assert describe(Bench(), "")[0].error_code == ErrorCode.INVALID_GROUP_ID


# List


def test_list_with_filters() -> None:
    bench = Bench()
    bench.stable(group_id="stable")
    bench.commit({("t", 0): 1}, group_id="simple")
    bench.member("joining", session_ms=100_000)
    consumer_heartbeat(bench, "new")
    new_state = bench.shard.groups["new"].state_name
    everything = [
        ("joining", "consumer", "PreparingRebalance", "classic"),
        ("new", "consumer", new_state, "consumer"),
        ("simple", "", "Empty", "classic"),
        ("stable", "consumer", "Stable", "classic"),
    ]
    assert listed(bench) == everything
    assert listed(bench, types=["Classic "]) == [one for one in everything if one[3] == "classic"]
    assert listed(bench, types=["consumer"]) == [everything[1]]
    assert listed(bench, states=["EMPTY", " preparingrebalance"]) == [everything[0], everything[2]]
    assert listed(bench, states=["stable"], types=["share"]) == []


@pytest.mark.parametrize("ask", ["describe", "consumer_describe", "list", "delete"])
def test_what_was_lost_before_it_was_told(ask: str) -> None:
    bench = Bench()
    bench.host.hold()
    bench.commit({("t", 0): 1})
    answers = Answers()
    handlers: dict[str, Callable[..., Any]] = {
        "describe": bench.shard.describe,
        "consumer_describe": bench.shard.consumer_describe,
        "delete": bench.shard.delete,
    }
    if ask == "list":
        bench.host.run(bench.shard.list(ListGroupsRequest(), Caller(5), lambda response: answers.append([response])))
    else:
        bench.host.run(handlers[ask](["g"], Caller(6), answers.append))
    assert not answers
    bench.host.lose(ErrorCode.NOT_ENOUGH_REPLICAS)
    assert [one.error_code for one in answers.only] == [ErrorCode.COORDINATOR_NOT_AVAILABLE]


# Delete


def test_deletion_of_a_group_removes_its_offsets_committed_and_pending() -> None:
    bench = Bench()
    bench.commit({("t", 0): 1, ("u", 0): 2})
    bench.txn_commit({("t", 0): 3, ("t", 1): 4})
    bench.commit({("t", 0): 5}, group_id="other")
    count = len(bench.host.log)
    assert delete(bench, "g", "none", "g") == [("g", 0), ("none", ErrorCode.GROUP_ID_NOT_FOUND), ("g", 0)]
    keys = [(entry.key.topic, entry.key.partition) for entry in bench.host.log[count:] if isinstance(entry.key, OffsetCommitKey)]
    assert sorted(keys) == [("t", 0), ("t", 1), ("u", 0)]
    assert bench.host.log[-1].key == GroupMetadataKey(group="g")
    bench.host.end_transaction(7, 0, True)
    assert bench.committed() == {}
    assert list(bench.shard.groups) == ["other"]


def test_group_with_members_is_not_deleted() -> None:
    bench = Bench()
    bench.stable()
    bench.member("joining")
    consumer_heartbeat(bench, "new")
    assert delete(bench, "g", "joining", "new") == [(name, ErrorCode.NON_EMPTY_GROUP) for name in ("g", "joining", "new")]


def test_deleted_group_begins_anew() -> None:
    bench = Bench()
    (member,) = bench.stable()
    bench.leave(member)
    assert delete(bench, "g") == [("g", 0)]
    assert bench.heartbeat(member) is ErrorCode.UNKNOWN_MEMBER_ID
    (again,) = bench.stable()
    assert again.generation == 1


# The other protocol


def test_empty_classic_group_gives_way_to_a_consumer_group() -> None:
    bench = Bench()
    (member,) = bench.stable()
    bench.commit({("t", 0): 1}, member=member)
    bench.leave(member)
    count = len(bench.host.log)
    assert consumer_heartbeat(bench).error is ErrorCode.NONE
    assert bench.host.log[count].key == GroupMetadataKey(group="g")
    assert bench.host.log[count].value is None
    assert not isinstance(bench.shard.groups["g"], ClassicGroup)
    assert bench.committed() == {("t", 0): 1}


def test_consumer_group_that_cannot_be_stored_leaves_the_classic_one() -> None:
    bench = Bench()
    bench.commit({("t", 0): 1})
    before = bench.shard.groups["g"]
    bench.host.fail_next(ErrorCode.NOT_COORDINATOR)
    assert consumer_heartbeat(bench).error is ErrorCode.NOT_COORDINATOR
    assert bench.shard.groups == {"g": before}
    assert consumer_heartbeat(bench).error is ErrorCode.NONE


@pytest.mark.parametrize("prepare", ["nothing", "members", "empty"])
def test_heartbeats_to_what_is_no_consumer_group(prepare: str) -> None:
    bench = Bench()
    if prepare == "members":
        bench.stable()
        assert consumer_heartbeat(bench, member_epoch=0).error is ErrorCode.GROUP_ID_NOT_FOUND
    if prepare == "empty":
        bench.commit({("t", 0): 1})
    assert consumer_heartbeat(bench, member_epoch=3).error is ErrorCode.GROUP_ID_NOT_FOUND
    assert consumer_heartbeat(bench, member_epoch=-1).error is ErrorCode.GROUP_ID_NOT_FOUND


def test_what_a_classic_member_says_to_a_consumer_group_it_is_not_in() -> None:
    bench = Bench()
    consumer_heartbeat(bench)
    member = Member("g", "m", generation=1)
    assert bench.heartbeat(member) is ErrorCode.UNKNOWN_MEMBER_ID
    assert bench.sync(member).error is ErrorCode.UNKNOWN_MEMBER_ID
    assert [one.error_code for one in bench.leave(Member("g", "nobody")).only.members] == [ErrorCode.UNKNOWN_MEMBER_ID]


@pytest.mark.parametrize("version", [2, 5])
def test_leave_group_removes_members_of_a_consumer_group(version: int) -> None:
    bench = Bench()
    consumer_heartbeat(bench)
    response = bench.leave(Member("g", "m"), version=version).only
    assert [response.error_code, *(one.error_code for one in response.members)] == [ErrorCode.NONE] * (1 if version == 2 else 2)
    assert bench.shard.groups["g"].is_empty


@pytest.mark.parametrize("fails", [False, True])
def test_empty_consumer_group_gives_way_to_a_classic_one(fails: bool) -> None:
    bench = Bench()
    consumer_heartbeat(bench)
    consumer_heartbeat(bench, member_epoch=-1)
    before = bench.shard.groups["g"]
    assert before.is_empty
    assert bench.join(member_id="m").error is ErrorCode.UNKNOWN_MEMBER_ID
    if fails:
        bench.host.fail_next(ErrorCode.NOT_COORDINATOR)
        assert bench.join().error is ErrorCode.NOT_COORDINATOR
        assert bench.shard.groups == {"g": before}
        assert consumer_heartbeat(bench).error is ErrorCode.NONE
        return
    count = len(bench.host.log)
    bench.stable()
    keys = [entry.key for entry in bench.host.log[count:] if entry.value is None]
    assert ConsumerGroupMetadataKey(group_id="g") in keys
    other = Bench()
    other.host.log = bench.host.log
    other.host.load(other.shard)
    assert isinstance(other.shard.groups["g"], ClassicGroup)


def test_description_of_consumer_groups() -> None:
    bench = Bench()
    consumer_heartbeat(bench, "new")
    bench.stable()
    answers = Answers()
    bench.host.run(bench.shard.consumer_describe(["new", "g", "none", ""], Caller(1), answers.append))
    groups: list[ConsumerGroupDescribeResponse.DescribedGroup] = answers.only
    missing = ErrorCode.GROUP_ID_NOT_FOUND
    assert [group.error_code for group in groups] == [0, missing, missing, ErrorCode.INVALID_GROUP_ID]
    assert [member.member_id for member in groups[0].members] == ["m"]


def test_consumer_group_commits_by_its_member_epoch_and_fetches_by_it() -> None:
    bench = Bench()
    bench.host.topics.put("t", 1)
    joined = consumer_heartbeat(bench).only
    member = Member("g", "m", generation=joined.member_epoch)
    assert bench.commit({("t", 0): 1}, member=member).only.topics[0].partitions[0].error_code == 0
    assert bench.committed(member_id="m", member_epoch=joined.member_epoch) == {("t", 0): 1}
    assert bench.fetch(("t", 0), member_id="m", member_epoch=joined.member_epoch + 1).error is ErrorCode.STALE_MEMBER_EPOCH
    member.generation += 1
    stale = ErrorCode.STALE_MEMBER_EPOCH
    assert bench.commit({("t", 0): 2}, member=member).only.topics[0].partitions[0].error_code == stale
    for version, told in ((5, ErrorCode.ILLEGAL_GENERATION), (6, stale)):
        assert bench.txn_commit({("t", 0): 3}, member=member, version=version).only.topics[0].partitions[0].error_code == told
