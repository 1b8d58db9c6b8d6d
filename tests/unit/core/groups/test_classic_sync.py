"""Assignments are stored before they are given out; heartbeats, sessions, members that leave or do not sync."""

from typing import Any

import pytest
from tests.support.classic_groups import DELAY_MS, SESSION_MS, Bench, Member, subscription

from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.state import ClassicState
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import LeaveGroupResponse


def group_of(bench: Bench, group_id: str = "g") -> ClassicGroup:
    group = bench.shard.groups[group_id]
    assert isinstance(group, ClassicGroup)
    return group


def joined(count: int, bench: Bench, **options: Any) -> list[Member]:
    """Members of a generation that has just begun."""
    members = [bench.member(**options) for _ in range(count)]
    bench.host.advance(DELAY_MS * (1 if count == 1 else 2))
    assert {member.joined.generation_id for member in members} == {1}
    return members


# The assignment


def test_assignment_is_appended_then_committed_then_given_out() -> None:
    bench = Bench()
    leader, follower = joined(2, bench)
    bench.sync(follower)
    bench.host.hold()
    bench.sync(leader, {leader: b"mine", follower: b"yours"})
    assert [len(member.syncs) for member in (leader, follower)] == [0, 0]
    assert group_of(bench).state is ClassicState.COMPLETING_REBALANCE
    value = bench.host.log[-1].value
    assert [(one.member_id, one.assignment) for one in value.members] == [(leader.member_id, b"mine"), (follower.member_id, b"yours")]
    assert (value.generation, value.protocol, value.leader, bench.host.log[-1].value_version) == (1, "range", leader.member_id, 3)
    assert bench.heartbeat(follower) is ErrorCode.NONE
    bench.host.release()
    assert (leader.synced.assignment, follower.synced.assignment) == (b"mine", b"yours")
    assert (leader.synced.protocol_type, leader.synced.protocol_name) == ("consumer", "range")
    assert group_of(bench).state is ClassicState.STABLE


def test_follower_may_sync_after_the_leader() -> None:
    bench = Bench()
    leader, follower = joined(2, bench)
    bench.sync(leader, {leader: b"mine", follower: b"yours"})
    assert bench.sync(follower).only.assignment == b"yours"


def test_member_that_the_leader_forgot_gets_an_empty_assignment() -> None:
    bench = Bench()
    leader, follower = joined(2, bench)
    bench.sync(follower)
    bench.sync(leader, {leader: b"mine", Member("g", "nobody"): b"lost"})
    assert (follower.syncs.error, follower.synced.assignment) == (ErrorCode.NONE, b"")
    assert [one.assignment for one in bench.host.log[-1].value.members] == [b"mine", b""]


@pytest.mark.parametrize(
    ("append", "told"),
    [
        (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.COORDINATOR_NOT_AVAILABLE),
        (ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.COORDINATOR_NOT_AVAILABLE),
        (ErrorCode.REQUEST_TIMED_OUT, ErrorCode.COORDINATOR_NOT_AVAILABLE),
        (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NOT_COORDINATOR),
        (ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_COORDINATOR),
        (ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.UNKNOWN_SERVER_ERROR),
        (ErrorCode.RECORD_LIST_TOO_LARGE, ErrorCode.UNKNOWN_SERVER_ERROR),
        (ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.COORDINATOR_NOT_AVAILABLE),
    ],
)
def test_assignment_that_cannot_be_stored_is_given_to_nobody_and_the_group_rebalances(append: ErrorCode, told: ErrorCode) -> None:
    bench = Bench()
    leader, follower = joined(2, bench)
    bench.sync(follower)
    bench.host.fail_next(append)
    bench.sync(leader, {leader: b"mine", follower: b"yours"})
    assert (leader.syncs.error, follower.syncs.error) == (told, told)
    assert (leader.synced.assignment, follower.synced.assignment) == (b"", b"")
    assert group_of(bench).state is ClassicState.PREPARING_REBALANCE
    for member in (leader, follower):
        bench.rejoin(member)
    bench.settle([leader, follower])
    assert group_of(bench).generation == 2


def test_commit_of_an_assignment_that_a_rebalance_has_overtaken_changes_nothing() -> None:
    bench = Bench()
    leader, follower = joined(2, bench)
    bench.host.hold()
    bench.sync(leader, {leader: b"mine", follower: b"yours"})
    bench.leave(follower)
    assert leader.syncs.error is ErrorCode.REBALANCE_IN_PROGRESS
    bench.rejoin(leader)
    bench.host.release()
    assert group_of(bench).state is ClassicState.COMPLETING_REBALANCE
    assert leader.joined.generation_id == 2
    assert group_of(bench).members[leader.member_id].assignment == b""


def test_failure_of_an_assignment_that_a_rebalance_has_overtaken_changes_nothing() -> None:
    bench = Bench()
    leader, follower = joined(2, bench)
    bench.host.hold()
    bench.sync(leader, {leader: b"mine", follower: b"yours"})
    bench.leave(follower)
    bench.host.lose(ErrorCode.NOT_COORDINATOR)
    assert leader.syncs.error is ErrorCode.REBALANCE_IN_PROGRESS
    assert group_of(bench).state is ClassicState.PREPARING_REBALANCE


def test_sync_that_is_sent_again_takes_the_place_of_the_parked_one() -> None:
    bench = Bench()
    leader, follower = joined(2, bench)
    first = bench.sync(follower)
    bench.sync(follower)
    assert first.error is ErrorCode.REBALANCE_IN_PROGRESS
    bench.sync(leader, {follower: b"yours"})
    assert follower.synced.assignment == b"yours"


def test_leader_that_sends_its_sync_again_does_not_change_what_is_under_way() -> None:
    bench = Bench()
    leader, follower = joined(2, bench)
    bench.host.hold()
    bench.sync(leader, {leader: b"mine", follower: b"yours"})
    count = len(bench.host.log)
    bench.sync(leader, {leader: b"all"})
    assert len(bench.host.log) == count
    bench.host.release()
    assert (leader.synced.assignment, bench.sync(follower).only.assignment) == (b"mine", b"yours")


def test_refused_sync_does_not_tell_the_assignment_of_the_generation_before() -> None:
    bench = Bench()
    leader, follower = bench.stable(2)
    for member in (leader, follower):
        bench.rejoin(member)
    assert leader.joined.generation_id == 2
    bench.sync(follower)
    bench.leave(leader)
    assert (follower.syncs.error, follower.synced.assignment) == (ErrorCode.REBALANCE_IN_PROGRESS, b"")


# Sync in time (KAFKA-13435)


def test_member_that_joins_and_does_not_sync_is_removed() -> None:
    bench = Bench()
    leader, silent = joined(2, bench, session_ms=300_000, rebalance_ms=20_000)
    bench.sync(leader, {leader: b"mine", silent: b"yours"})
    assert leader.synced.assignment == b"mine"
    bench.host.advance(20_000)
    assert group_of(bench).state is ClassicState.PREPARING_REBALANCE
    assert bench.heartbeat(silent) is ErrorCode.UNKNOWN_MEMBER_ID
    bench.rejoin(leader)
    assert (leader.joined.generation_id, len(leader.joined.members)) == (2, 1)


def test_leader_that_does_not_sync_is_removed_and_its_followers_are_called_again() -> None:
    bench = Bench()
    leader, follower = joined(2, bench, session_ms=300_000, rebalance_ms=20_000)
    bench.sync(follower)
    bench.host.advance(20_000)
    assert follower.syncs.error is ErrorCode.REBALANCE_IN_PROGRESS
    bench.rejoin(follower)
    assert follower.joined.leader == follower.member_id
    assert bench.heartbeat(leader) is ErrorCode.UNKNOWN_MEMBER_ID


def test_group_in_which_nobody_syncs_is_empty_afterwards() -> None:
    bench = Bench()
    joined(2, bench, session_ms=300_000, rebalance_ms=20_000)
    bench.host.advance(20_000)
    value = bench.host.log[-1].value
    assert (value.members, value.protocol, value.protocol_type) == ([], None, "consumer")
    assert (group_of(bench).is_empty, value.generation) == (True, 2)


def test_all_synced_in_time_means_nobody_is_removed() -> None:
    bench = Bench()
    members = bench.stable(2, session_ms=300_000, rebalance_ms=20_000)
    bench.host.advance(25_000)
    assert {bench.heartbeat(member) for member in members} == {ErrorCode.NONE}


# Sessions


def test_session_ends_unless_the_member_is_heard() -> None:
    bench = Bench()
    heard, silent = bench.stable(2)
    for _ in range(2):
        bench.host.advance(SESSION_MS - 1)
        assert bench.heartbeat(heard) is (
            ErrorCode.NONE if silent.member_id in group_of(bench).members else ErrorCode.REBALANCE_IN_PROGRESS
        )
    assert bench.heartbeat(silent) is ErrorCode.UNKNOWN_MEMBER_ID
    assert list(group_of(bench).members) == [heard.member_id]


def test_last_session_ends_and_the_empty_group_is_stored() -> None:
    bench = Bench()
    bench.stable()
    bench.host.advance(SESSION_MS)
    assert bench.host.log[-1].value.members == []
    assert bench.host.log[-1].value.generation == 2
    assert bench.host.log[-1].value.current_state_timestamp == bench.host.wall_ms


def test_parked_join_and_parked_sync_keep_a_member_alive() -> None:
    bench = Bench()
    first, second = bench.stable(2, rebalance_ms=200_000)
    bench.rejoin(first, rebalance_ms=200_000)
    for _ in range(4):
        bench.host.advance(SESSION_MS - 1)
        assert bench.heartbeat(second) is ErrorCode.REBALANCE_IN_PROGRESS
    bench.rejoin(second, rebalance_ms=200_000)
    bench.sync(second)
    for _ in range(4):
        bench.host.advance(SESSION_MS - 1)
        assert bench.heartbeat(first, generation_id=2) is ErrorCode.NONE
    bench.sync(first, {first: b"1", second: b"2"})
    assert second.synced.assignment == b"2"
    bench.host.advance(SESSION_MS - 1)
    assert bench.heartbeat(second) is ErrorCode.NONE


def test_session_goes_on_with_the_assignment_though_it_ended_while_the_sync_was_parked() -> None:
    bench = Bench()
    leader, silent = joined(2, bench)
    bench.sync(silent)
    bench.host.advance(SESSION_MS - 1)
    assert bench.heartbeat(leader) is ErrorCode.NONE
    bench.host.advance(1)
    bench.sync(leader, {silent: b"yours"})
    assert silent.synced.assignment == b"yours"
    bench.host.advance(SESSION_MS - 1)
    assert bench.heartbeat(leader) is ErrorCode.NONE
    bench.host.advance(1)
    assert list(group_of(bench).members) == [leader.member_id]


def test_commit_keeps_a_member_alive() -> None:
    bench = Bench()
    (member,) = bench.stable()
    for number in range(3):
        bench.host.advance(SESSION_MS - 1)
        assert bench.commit({("t", 0): number}, member=member).only.topics[0].partitions[0].error_code == 0
    assert bench.heartbeat(member) is ErrorCode.NONE


def test_heartbeat_is_answered_while_commits_stand_still() -> None:
    bench = Bench()
    (member,) = bench.stable()
    bench.host.hold()
    bench.commit({("t", 0): 1}, member=member)
    assert bench.heartbeat(member) is ErrorCode.NONE


# Leaving


def test_members_leave_together_and_each_has_its_answer() -> None:
    bench = Bench()
    first, second, third = bench.stable(3)
    left = bench.leave(first, Member("g", "nobody"), second).only
    assert [one.error_code for one in left.members] == [0, ErrorCode.UNKNOWN_MEMBER_ID, 0]
    assert list(group_of(bench).members) == [third.member_id]
    assert bench.heartbeat(third) is ErrorCode.REBALANCE_IN_PROGRESS
    bench.rejoin(third)
    assert third.joined.leader == third.member_id


@pytest.mark.parametrize("version", range(6))
def test_last_member_leaves_after_the_empty_group_is_stored(version: int) -> None:
    bench = Bench()
    (member,) = bench.stable()
    bench.host.hold()
    left = bench.leave(member, version=version)
    assert not left
    bench.host.release()
    assert left.error is ErrorCode.NONE
    assert [one.error_code for one in left.only.members] == ([0] if version >= 3 else [])
    assert group_of(bench).is_empty
    assert bench.host.log[-1].value.members == []


@pytest.mark.parametrize("version", [2, 5])
def test_leave_of_a_stranger_and_of_an_unknown_group(version: int) -> None:
    bench = Bench()
    bench.stable()
    for stranger in (Member("g", "nobody"), Member("none", "nobody")):
        left: LeaveGroupResponse = bench.leave(stranger, version=version).only
        errors = [left.error_code] if version < 3 else [one.error_code for one in left.members]
        assert errors == [ErrorCode.UNKNOWN_MEMBER_ID]


def test_stranger_that_leaves_disturbs_nobody() -> None:
    bench = Bench()
    (member,) = bench.stable()
    bench.leave(Member("g", "nobody"))
    assert bench.heartbeat(member) is ErrorCode.NONE


def test_member_that_is_removed_while_its_sync_is_parked_is_told() -> None:
    bench = Bench()
    _, follower = joined(2, bench)
    bench.sync(follower)
    bench.leave(follower)
    assert follower.syncs.error is ErrorCode.UNKNOWN_MEMBER_ID


def test_leave_that_cannot_be_stored_says_so() -> None:
    bench = Bench()
    (member,) = bench.stable()
    bench.host.fail_next(ErrorCode.NOT_ENOUGH_REPLICAS)
    assert bench.leave(member).error is ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert group_of(bench).is_empty


def test_leave_ends_a_parked_join_and_lets_the_rebalance_go_on() -> None:
    bench = Bench()
    first, second = bench.stable(2)
    bench.rejoin(first)
    bench.leave(second)
    assert first.joined.generation_id == 2
    bench.rejoin(first, protocols={"range": subscription("u")})
    newcomer = bench.member()
    bench.rejoin(first)
    parked = bench.rejoin(newcomer)
    assert (parked.error, newcomer.joined.generation_id) == (ErrorCode.NONE, 4)


def test_leave_answers_a_parked_join_of_the_member() -> None:
    bench = Bench()
    bench.stable(2)
    newcomer = bench.member()
    assert bench.leave(newcomer).error is ErrorCode.NONE
    assert newcomer.joins.error is ErrorCode.UNKNOWN_MEMBER_ID


def test_pending_id_may_leave() -> None:
    bench = Bench()
    pending = bench.join().only.member_id
    assert [one.error_code for one in bench.leave(Member("g", pending)).only.members] == [0]
    assert bench.join(member_id=pending).error is ErrorCode.UNKNOWN_MEMBER_ID
