"""Static members (KIP-345): they come back under their instance id, keep their assignment, and fence what they were."""

from typing import Any

import pytest
from tests.support.classic_groups import DELAY_MS, REBALANCE_MS, SESSION_MS, Bench, Member, subscription

from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.state import ClassicState
from holdwater.kernel.errors import ErrorCode


def group_of(bench: Bench) -> ClassicGroup:
    group = bench.shard.groups["g"]
    assert isinstance(group, ClassicGroup)
    return group


def static_pair(bench: Bench, **options: Any) -> tuple[Member, Member]:
    """A stable group of two static members, the leader first."""
    members = [bench.member(instance_id=name, **options) for name in ("i1", "i2")]
    bench.host.advance(2 * DELAY_MS)
    bench.settle(members)
    return members[0], members[1]


def restart(bench: Bench, instance_id: str, **options: Any) -> Member:
    return bench.member(instance_id=instance_id, **options)


def test_static_member_joins_at_once_and_its_id_begins_with_its_instance() -> None:
    bench = Bench()
    member = bench.member(instance_id="i1")
    bench.host.advance(DELAY_MS)
    assert member.joined.member_id.startswith("i1-")
    assert [one.group_instance_id for one in member.joined.members] == ["i1"]


@pytest.mark.parametrize("version", [5, 9])
def test_follower_restarts_without_a_rebalance_and_is_answered_when_that_is_stored(version: int) -> None:
    bench = Bench()
    leader, follower = static_pair(bench)
    bench.host.hold()
    again = restart(bench, "i2", version=version)
    assert not again.joins
    assert [one.assignment for one in bench.host.log[-1].value.members] == [b"a0", b"a1"]
    bench.host.release()
    joined = again.joined
    assert (joined.generation_id, joined.leader, joined.members, joined.skip_assignment) == (1, leader.member_id, [], False)
    assert bench.sync(again).only.assignment == b"a1"
    assert bench.heartbeat(leader) is ErrorCode.NONE
    assert bench.heartbeat(follower) is ErrorCode.FENCED_INSTANCE_ID
    assert bench.host.log[-1].value.members[1].member_id == again.member_id


@pytest.mark.parametrize(("version", "skips"), [(5, False), (8, False), (9, True)])
def test_leader_restarts_without_a_rebalance(version: int, skips: bool) -> None:
    bench = Bench()
    leader, follower = static_pair(bench)
    again = restart(bench, "i1", version=version)
    joined = again.joined
    assert (joined.generation_id, joined.skip_assignment, len(joined.members)) == (1, skips, 2 if skips else 0)
    assert joined.leader == (again.member_id if skips else leader.member_id), "an old client must not think that it leads"
    assert group_of(bench).leader == again.member_id
    assert bench.sync(again).only.assignment == b"a0"
    assert bench.heartbeat(follower) is ErrorCode.NONE


@pytest.mark.parametrize(
    ("append", "told"),
    [
        (ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.COORDINATOR_NOT_AVAILABLE),
        (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NOT_COORDINATOR),
        (ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.UNKNOWN_SERVER_ERROR),
    ],
)
def test_restart_that_cannot_be_stored_leaves_the_old_member(append: ErrorCode, told: ErrorCode) -> None:
    bench = Bench()
    _, follower = static_pair(bench)
    before = group_of(bench).record()
    bench.host.fail_next(append)
    again = restart(bench, "i2", protocols={"range": subscription("other")})
    assert again.joins.error is told
    assert group_of(bench).record() == before
    assert (group_of(bench).state, group_of(bench).joined_count) == (ClassicState.STABLE, 0)
    assert bench.heartbeat(follower) is ErrorCode.NONE


def test_restart_with_another_preference_that_changes_the_protocol_rebalances() -> None:
    bench = Bench()
    members = [bench.member(instance_id=name, protocols={"a": b"", "b": b""}) for name in ("i1", "i2")]
    bench.host.advance(2 * DELAY_MS)
    bench.settle(members)
    assert members[0].joined.protocol_name == "a"
    again = restart(bench, "i2", protocols={"b": b""})
    assert not again.joins
    assert bench.heartbeat(members[0]) is ErrorCode.REBALANCE_IN_PROGRESS
    bench.rejoin(members[0], protocols={"a": b"", "b": b""})
    assert (again.joined.generation_id, again.joined.protocol_name) == (2, "b")


def test_restart_before_the_sync_begins_a_rebalance() -> None:
    bench = Bench()
    members = [bench.member(instance_id=name) for name in ("i1", "i2")]
    bench.host.advance(2 * DELAY_MS)
    bench.sync(members[1])
    again = restart(bench, "i2")
    assert members[1].syncs.error is ErrorCode.FENCED_INSTANCE_ID
    assert members[0].joined.generation_id == 1
    bench.rejoin(members[0])
    assert (again.joined.generation_id, members[0].joined.generation_id) == (2, 2)


def test_restart_during_a_rebalance_takes_the_place_of_the_parked_join() -> None:
    bench = Bench()
    first, second = static_pair(bench)
    bench.rejoin(first)
    parked = first.joins
    again = restart(bench, "i1")
    assert parked.error is ErrorCode.FENCED_INSTANCE_ID
    bench.rejoin(second)
    assert again.joined.generation_id == 2
    assert {one.member_id for one in again.joined.members} <= {again.member_id, second.member_id}


def test_restart_is_answered_by_a_rebalance_that_begins_before_it_is_stored() -> None:
    bench = Bench()
    first, _ = static_pair(bench)
    bench.host.hold()
    again = restart(bench, "i2")
    bench.rejoin(first)  # the leader: both have joined, and the next generation begins
    assert (again.joined.generation_id, first.joined.generation_id) == (2, 2)
    bench.host.release()
    assert len(again.joins) == 1


def test_restart_that_is_stored_during_a_rebalance_waits_for_its_end() -> None:
    bench = Bench()
    members = [bench.member(instance_id=name) for name in ("i1", "i2", "i3")]
    bench.host.advance(2 * DELAY_MS)
    bench.settle(members)
    bench.host.hold()
    again = restart(bench, "i2")
    bench.rejoin(members[0])
    bench.host.release()
    assert not again.joins
    bench.rejoin(members[2])
    assert again.joined.generation_id == 2


def test_second_restart_fences_the_first_while_neither_is_stored() -> None:
    bench = Bench()
    static_pair(bench)
    bench.host.hold()
    once, twice = restart(bench, "i2"), restart(bench, "i2")
    bench.host.release()
    assert once.joins.error is ErrorCode.FENCED_INSTANCE_ID
    assert twice.joined.generation_id == 1
    assert group_of(bench).static_members["i2"] == twice.member_id


@pytest.mark.parametrize("operation", ["join", "sync", "heartbeat", "leave", "commit"])
def test_old_member_id_of_an_instance_is_fenced_everywhere(operation: str) -> None:
    bench = Bench()
    _, old = static_pair(bench)
    assert restart(bench, "i2").joins.error is ErrorCode.NONE
    errors = {
        "join": lambda: bench.rejoin(old).error,
        "sync": lambda: bench.sync(old).error,
        "heartbeat": lambda: bench.heartbeat(old),
        "leave": lambda: bench.leave(old).only.members[0].error_code,
        "commit": lambda: bench.commit({("t", 0): 1}, member=old).only.topics[0].partitions[0].error_code,
    }
    assert errors[operation]() == ErrorCode.FENCED_INSTANCE_ID


def test_member_that_restarts_before_it_has_synced_is_waited_for_under_its_new_id() -> None:
    bench = Bench()
    members = [bench.member(instance_id=name, session_ms=300_000) for name in ("i1", "i2")]
    bench.host.advance(2 * DELAY_MS)
    bench.sync(members[0], {members[0]: b"a0", members[1]: b"a1"})
    assert members[1].joined.generation_id == 1
    again = restart(bench, "i2", session_ms=300_000)
    assert bench.sync(again).only.error_code == ErrorCode.NONE
    bench.host.advance(REBALANCE_MS)
    assert group_of(bench).state is ClassicState.STABLE


def test_member_that_restarts_and_does_not_sync_is_removed() -> None:
    bench = Bench()
    members = [bench.member(instance_id=name, session_ms=300_000) for name in ("i1", "i2")]
    bench.host.advance(2 * DELAY_MS)
    bench.sync(members[0], {members[0]: b"a0", members[1]: b"a1"})
    assert members[1].joined.generation_id == 1
    restart(bench, "i2", session_ms=300_000)
    bench.host.advance(REBALANCE_MS)
    assert list(group_of(bench).members) == [members[0].member_id]


def test_unknown_instance_is_no_member() -> None:
    bench = Bench()
    _, second = static_pair(bench)
    second.instance_id = "i3"
    assert bench.heartbeat(second) is ErrorCode.UNKNOWN_MEMBER_ID


def test_static_member_may_miss_a_rebalance_until_its_session_ends() -> None:
    bench = Bench()
    first, second = static_pair(bench, session_ms=300_000)
    bench.rejoin(first, session_ms=300_000)
    bench.host.advance(REBALANCE_MS)
    assert first.joined.generation_id == 2
    assert {one.member_id for one in first.joined.members} == {first.member_id, second.member_id}


def test_rebalance_in_which_only_static_members_are_left_and_none_comes_waits_for_their_sessions() -> None:
    bench = Bench()
    static_pair(bench, rebalance_ms=20_000, session_ms=70_000)
    newcomer = bench.member(session_ms=70_000, rebalance_ms=20_000)
    bench.leave(newcomer)
    bench.host.advance(60_000)
    assert group_of(bench).state is ClassicState.PREPARING_REBALANCE
    bench.host.advance(40_000)
    assert group_of(bench).is_empty
    assert bench.host.log[-1].value.members == []


def test_administrator_removes_a_static_member_by_its_instance() -> None:
    bench = Bench()
    first, second = static_pair(bench)
    left = bench.leave(Member("g", "", "i2"), Member("g", "", "i3"), Member("g", "", None)).only
    unknown = ErrorCode.UNKNOWN_MEMBER_ID
    assert [(one.group_instance_id, one.error_code) for one in left.members] == [("i2", 0), ("i3", unknown), (None, unknown)]
    assert bench.heartbeat(second) is unknown
    assert bench.heartbeat(first) is ErrorCode.REBALANCE_IN_PROGRESS


def test_restarted_member_has_a_session_of_its_own_and_the_old_one_has_none() -> None:
    bench = Bench()
    leader, _ = static_pair(bench)
    bench.host.advance(SESSION_MS - 1)
    assert bench.heartbeat(leader) is ErrorCode.NONE
    again = restart(bench, "i2")
    assert again.joined.generation_id == 1
    bench.host.advance(SESSION_MS - 1)
    assert bench.heartbeat(again) is ErrorCode.NONE
