"""Joining a classic group: ids, the initial delay, votes, limits, who leads."""

import pytest
from tests.support.classic_groups import DELAY_MS, REBALANCE_MS, SESSION_MS, Bench, Member, subscription

from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.state import ClassicState
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import GroupMetadataKey


def group_of(bench: Bench, group_id: str = "g") -> ClassicGroup:
    group = bench.shard.groups[group_id]
    assert isinstance(group, ClassicGroup)
    return group


def test_first_join_makes_the_group_stores_it_and_gives_out_an_id() -> None:
    bench = Bench()
    bench.host.hold()
    first = bench.join()
    assert (len(first), len(bench.host.log)) == (0, 1), "the record comes first"
    bench.host.release()
    assert first.error is ErrorCode.MEMBER_ID_REQUIRED
    assert first.only.member_id.startswith("client-")
    assert len(first.only.member_id) == len("client-") + 36
    entry = bench.host.log[0]
    assert entry.key == GroupMetadataKey(group="g")
    assert (entry.value.generation, entry.value.protocol_type, entry.value.protocol, entry.value.leader) == (0, "", None, None)
    assert group_of(bench).is_empty


@pytest.mark.parametrize("version", range(10))
def test_every_version_of_join_comes_to_a_generation(version: int) -> None:
    bench = Bench()
    member = Member("g")
    member.joins = bench.join(version=version)
    if version >= 4:
        assert member.joins.error is ErrorCode.MEMBER_ID_REQUIRED
        member.member_id = member.joins.only.member_id
        bench.rejoin(member, version=version)
    assert not member.joins
    bench.host.advance(DELAY_MS)
    joined = member.joined
    assert (joined.error_code, joined.generation_id, joined.protocol_name, joined.leader) == (0, 1, "range", member.member_id)
    assert [(one.member_id, one.metadata) for one in joined.members] == [(member.member_id, subscription("t"))]
    assert joined.protocol_type == ("consumer" if version >= 7 else None)


def test_version_0_has_one_timeout_for_both() -> None:
    bench = Bench()
    bench.join(version=0, rebalance_ms=-1, session_ms=7_000)
    assert group_of(bench).rebalance_timeout_ms == 7_000


def test_members_come_after_the_only_one_has_left_during_the_initial_delay() -> None:
    bench = Bench()
    bench.leave(bench.member())
    late = bench.member()
    assert not late.joins, "it waits for the generation; it is not refused"
    bench.host.advance(2 * DELAY_MS)
    assert late.joined.error_code == 0


def test_initial_delay_is_prolonged_while_members_come_up_to_the_rebalance_timeout() -> None:
    bench = Bench()
    members = [bench.member(rebalance_ms=8_000, session_ms=30_000)]
    while bench.host.mono_ms < 7_500:
        bench.host.advance(2_500)
        assert not members[0].joins, f"answered after {bench.host.mono_ms} ms"
        members.append(bench.member(rebalance_ms=8_000, session_ms=30_000))
    bench.host.advance(499)
    assert not members[0].joins
    bench.host.advance(1)  # 3000 + 3000 + 2000
    assert {member.joined.generation_id for member in members} == {1}
    assert [len(member.joined.members) for member in members] == [4, 0, 0, 0]


def test_initial_delay_ends_on_time_when_nobody_else_comes() -> None:
    bench = Bench()
    member = bench.member()
    bench.host.advance(DELAY_MS - 1)
    assert not member.joins
    bench.host.advance(1)
    assert member.joined.generation_id == 1


def test_later_rebalance_ends_as_soon_as_all_have_joined() -> None:
    bench = Bench()
    first, second = bench.stable(2)
    third = bench.member()
    assert group_of(bench).state is ClassicState.PREPARING_REBALANCE
    assert bench.heartbeat(first) is ErrorCode.REBALANCE_IN_PROGRESS
    bench.rejoin(first)
    assert not first.joins
    assert not third.joins
    bench.rejoin(second)
    assert {one.joined.generation_id for one in (first, second, third)} == {2}
    assert {one.joined.leader for one in (first, second, third)} == {first.member_id}


def test_rebalance_goes_on_without_members_that_do_not_come() -> None:
    bench = Bench()
    first, second = bench.stable(2, session_ms=300_000)
    bench.rejoin(second, protocols={"range": subscription("t", "u")}, session_ms=300_000)
    bench.host.advance(REBALANCE_MS - 1)
    assert not second.joins
    bench.host.advance(1)
    assert (second.joined.generation_id, second.joined.leader) == (2, second.member_id)
    assert bench.heartbeat(first) is ErrorCode.UNKNOWN_MEMBER_ID


def test_pending_id_keeps_a_rebalance_waiting_until_its_session_ends() -> None:
    bench = Bench()
    (first,) = bench.stable()
    pending = bench.join()
    assert pending.error is ErrorCode.MEMBER_ID_REQUIRED
    bench.rejoin(first)
    assert not first.joins
    bench.host.advance(SESSION_MS)
    assert first.joined.generation_id == 2
    assert bench.join(member_id=pending.only.member_id).error is ErrorCode.UNKNOWN_MEMBER_ID


def test_protocol_with_most_votes_among_the_common_ones_wins() -> None:
    bench = Bench()
    likes = [{"a": b"1", "b": b"2"}, {"b": b"3", "a": b"4", "c": b""}, {"b": b"5", "a": b"6"}]
    members = [bench.member(protocols=given) for given in likes]
    bench.host.advance(2 * DELAY_MS)
    assert {member.joined.protocol_name for member in members} == {"b"}
    assert [one.metadata for one in members[0].joined.members] == [b"2", b"3", b"5"]


@pytest.mark.parametrize(
    ("protocol_type", "protocols"), [("consumer", {"sticky": b""}), ("connect", {"range": b""}), ("consumer", {}), ("", {"range": b""})]
)
def test_member_that_has_nothing_in_common_is_refused(protocol_type: str, protocols: dict[str, bytes]) -> None:
    bench = Bench()
    bench.stable()
    assert bench.join(protocol_type=protocol_type, protocols=protocols).error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert group_of(bench).state is ClassicState.STABLE


@pytest.mark.parametrize(("protocol_type", "protocols"), [("", {"range": b""}), ("consumer", {})])
def test_first_member_must_name_type_and_protocol(protocol_type: str, protocols: dict[str, bytes]) -> None:
    assert Bench().join(protocol_type=protocol_type, protocols=protocols).error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL


def test_group_max_size_counts_members_and_leaves_out_the_last_to_come() -> None:
    bench = Bench(group_max_size="2")
    first, second = bench.stable(2)
    assert bench.join().error is ErrorCode.GROUP_MAX_SIZE_REACHED
    assert bench.join().only.member_id == ""
    group = group_of(bench)
    assert group.state is ClassicState.STABLE
    bench.rejoin(first, protocols={"range": subscription("t", "u")})
    assert bench.rejoin(second).error is ErrorCode.NONE
    assert first.joined.generation_id == 2


def test_group_max_size_during_a_rebalance_counts_who_has_joined() -> None:
    bench = Bench(group_max_size="2")
    bench.stable(2, session_ms=300_000)
    group = group_of(bench)
    bench.rejoin(Member("g", group.leader or ""), session_ms=300_000)
    newcomer = bench.member(session_ms=300_000)
    late = next(member_id for member_id in group.members if group.members[member_id].parked_join is None)
    assert bench.join(member_id=late).error is ErrorCode.GROUP_MAX_SIZE_REACHED
    assert late not in group.members
    bench.host.advance(REBALANCE_MS)
    assert newcomer.joined.generation_id == 2


def test_follower_that_missed_its_answer_gets_the_current_generation() -> None:
    bench = Bench()
    first, second = bench.stable(2)
    assert bench.rejoin(second).error is ErrorCode.NONE
    assert (second.joined.generation_id, second.joined.members) == (1, [])
    assert group_of(bench).state is ClassicState.STABLE
    assert bench.sync(second).only.assignment == b"a1"
    assert bench.heartbeat(first) is ErrorCode.NONE


def test_any_member_that_missed_its_answer_before_the_sync_gets_it_again() -> None:
    bench = Bench()
    first, second = bench.member(), bench.member()
    bench.host.advance(2 * DELAY_MS)
    for member, seen in ((first, 2), (second, 0)):
        assert member.joined.generation_id == 1
        assert bench.rejoin(member).error is ErrorCode.NONE
        assert (member.joined.generation_id, len(member.joined.members)) == (1, seen)


def test_changed_metadata_begins_a_rebalance_also_before_the_sync() -> None:
    bench = Bench()
    first, second = bench.member(), bench.member()
    bench.host.advance(2 * DELAY_MS)
    bench.sync(second)
    assert not second.syncs
    assert first.joined.generation_id == 1
    bench.rejoin(first, protocols={"range": subscription("u")})
    assert second.syncs.error is ErrorCode.REBALANCE_IN_PROGRESS
    bench.rejoin(second)
    assert (first.joined.generation_id, second.joined.generation_id) == (2, 2)


def test_leader_that_joins_again_begins_a_rebalance() -> None:
    bench = Bench()
    first, second = bench.stable(2)
    bench.rejoin(first)
    assert group_of(bench).state is ClassicState.PREPARING_REBALANCE
    assert bench.rejoin(second).error is ErrorCode.NONE
    assert first.joined.leader == first.member_id


def test_join_that_is_sent_again_takes_the_place_of_the_parked_one() -> None:
    bench = Bench()
    member = bench.member()
    parked = member.joins
    bench.rejoin(member)
    assert parked.error is ErrorCode.REBALANCE_IN_PROGRESS
    bench.host.advance(DELAY_MS)
    assert member.joined.generation_id == 1
    assert group_of(bench).joined_count == 0


def test_first_join_expires_after_five_minutes() -> None:
    bench = Bench(group_initial_rebalance_delay_ms="400000", group_max_session_timeout_ms="900000")
    answers = bench.join(version=3, rebalance_ms=900_000, session_ms=900_000)
    bench.host.advance(5 * 60_000 - 1)
    assert not answers
    bench.host.advance(1)
    assert answers.error is ErrorCode.UNKNOWN_MEMBER_ID


@pytest.mark.parametrize("version", [3, 5])
@pytest.mark.parametrize(
    ("append", "told"),
    [
        (ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.COORDINATOR_NOT_AVAILABLE),
        (ErrorCode.NOT_COORDINATOR, ErrorCode.NOT_COORDINATOR),
        (ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.UNKNOWN_SERVER_ERROR),
    ],
)
def test_group_that_cannot_be_stored_is_not_there(version: int, append: ErrorCode, told: ErrorCode) -> None:
    bench = Bench()
    timers = bench.host.pending_timers()
    bench.host.fail_next(append)
    assert bench.join(version=version).error is told
    assert (bench.shard.groups, bench.host.log, bench.host.pending_timers()) == ({}, [], timers)


def test_group_of_a_hundred() -> None:
    bench = Bench()
    members = bench.stable(100)
    assert group_of(bench).state is ClassicState.STABLE
    value = bench.host.log[-1].value
    assert [(one.member_id, one.assignment) for one in value.members] == [
        (member.member_id, b"a%d" % n) for n, member in enumerate(members)
    ]
    bench.leave(*members[:50])
    for member in members[50:]:
        bench.rejoin(member)
    bench.settle(members[50:])
    assert (group_of(bench).generation, len(group_of(bench).members)) == (2, 50)
