"""A shard comes and goes: what a load brings back, and what an unload answers."""

from tests.support.classic_groups import DELAY_MS, REBALANCE_MS, SESSION_MS, Bench
from tests.support.coordinator import Entry

from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.shard import GroupShard
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMetadataKey,
    GroupMetadataKey,
    GroupMetadataValue,
    OffsetCommitKey,
    ShareGroupMetadataKey,
    ShareGroupMetadataValue,
)


def classic(bench: Bench, group_id: str = "g") -> ClassicGroup:
    group = bench.shard.groups[group_id]
    assert isinstance(group, ClassicGroup)
    return group


def reload(bench: Bench) -> None:
    """The same log on another broker."""
    bench.shard = GroupShard(bench.host)
    bench.host.load(bench.shard)


# Load


def test_members_of_a_loaded_group_go_on_as_if_nothing_had_happened() -> None:
    bench = Bench()
    first, second = bench.stable(2)
    bench.commit({("t", 0): 1}, member=first)
    reload(bench)
    assert {bench.heartbeat(member) for member in (first, second)} == {ErrorCode.NONE}
    assert bench.sync(second).only.assignment == b"a1"
    assert bench.committed() == {("t", 0): 1}
    assert classic(bench).is_subscribed_to("t")
    assert not classic(bench).is_subscribed_to("u")


def test_what_was_loaded_and_may_still_be_lost_is_not_told() -> None:
    """Seed 226094."""
    bench = Bench()
    first, second = bench.stable(2)
    bench.host.hold()
    reload(bench)
    sync, join = bench.sync(second), bench.rejoin(second)
    assert (list(sync), list(join)) == ([], [])
    bench.host.lose(ErrorCode.NOT_COORDINATOR)
    assert {sync.only.error_code, join.only.error_code} == {ErrorCode.NOT_COORDINATOR}
    assert bench.sync(first).only.assignment == b"a0"


def test_sessions_begin_with_the_load() -> None:
    bench = Bench()
    first, _ = bench.stable(2)
    bench.host.advance(SESSION_MS - 1)
    reload(bench)
    bench.host.advance(SESSION_MS - 1)
    assert bench.heartbeat(first) is ErrorCode.NONE
    bench.host.advance(1)
    assert list(classic(bench).members) == [first.member_id]


def test_generation_that_was_not_stored_is_not_known_after_a_load_and_the_next_one_is_not_older() -> None:
    bench = Bench()
    first, second = bench.stable(2)
    bench.rejoin(first)
    bench.rejoin(second)
    assert first.joined.generation_id == second.joined.generation_id == 2
    reload(bench)
    assert bench.heartbeat(first) is ErrorCode.ILLEGAL_GENERATION
    assert bench.commit({("t", 0): 1}, member=first).only.topics[0].partitions[0].error_code == ErrorCode.ILLEGAL_GENERATION
    bench.rejoin(first)
    bench.rejoin(second)
    assert first.joined.generation_id == 2


def test_loaded_group_that_is_too_large_rebalances() -> None:
    bench = Bench()
    members = bench.stable(3, session_ms=300_000)
    bench.host.config = Bench(group_max_size="2").host.config
    reload(bench)
    assert {bench.heartbeat(member) for member in members} == {ErrorCode.REBALANCE_IN_PROGRESS}
    assert [len(bench.rejoin(member, session_ms=300_000)) for member in members] == [0, 0, 1]
    assert members[2].joins.error is ErrorCode.GROUP_MAX_SIZE_REACHED
    bench.host.advance(REBALANCE_MS)
    assert len(classic(bench).members) == 2


def test_record_of_an_old_version_has_no_rebalance_timeout_and_no_timestamp() -> None:
    bench = Bench()
    member = GroupMetadataValue.MemberMetadata(member_id="m", session_timeout=7_000, subscription=b"?")
    value = GroupMetadataValue(protocol_type="consumer", generation=3, protocol="range", leader="m", members=[member])
    bench.shard.replay(0, GroupMetadataKey(group="g"), value, -1, -1)
    group = classic(bench)
    assert (group.rebalance_timeout_ms, group.state_since_wall_ms, group.topics) == (7_000, -1, None)


def test_tombstones_that_compaction_has_left_over_are_nothing() -> None:
    bench = Bench()
    for entry in _tombstones():
        bench.shard.replay(entry.offset, entry.key or GroupMetadataKey(), None, -1, -1)
    assert bench.shard.groups == {}


def _tombstones() -> list[Entry]:
    keys = (
        ConsumerGroupMemberMetadataKey(group_id="g", member_id="m"),
        ConsumerGroupMetadataKey(group_id="g"),
        GroupMetadataKey(group="g"),
        OffsetCommitKey(group="g", topic="t", partition=0),
        ShareGroupMetadataKey(group_id="g"),
    )
    return [Entry(number, key, None) for number, key in enumerate(keys)]


def test_records_of_share_groups_are_passed_over() -> None:
    bench = Bench()
    bench.shard.replay(0, ShareGroupMetadataKey(group_id="g"), ShareGroupMetadataValue(epoch=1), -1, -1)
    assert bench.shard.groups == {}


# Unload


def test_unload_refuses_whoever_is_parked_and_ends_every_deadline() -> None:
    bench = Bench()
    leader, syncing = bench.stable(2, group_id="syncing")
    for member in (leader, syncing):
        bench.rejoin(member)
    assert leader.joined.generation_id == 2
    bench.sync(syncing)
    bench.stable(group_id="stable", instance_id="i1")
    assert not syncing.syncs
    joining = bench.member("joining")
    pending = bench.join("joining")
    bench.commit({("t", 0): 1})
    bench.host.hold()
    restarting = bench.member("stable", instance_id="i1")
    new = bench.join("new")
    bench.shard.unloaded(ErrorCode.NOT_COORDINATOR)
    bench.host.lose(ErrorCode.NOT_COORDINATOR)
    assert pending.error is ErrorCode.MEMBER_ID_REQUIRED
    for answers in (joining.joins, syncing.syncs, restarting.joins, new):
        assert answers.error is ErrorCode.NOT_COORDINATOR
    assert (bench.shard.groups, bench.host.pending_timers(), bench.committed()) == ({}, 0, {})


def test_assignment_that_is_stored_after_the_unload_reaches_nobody_twice() -> None:
    bench = Bench()
    member = bench.member()
    bench.host.advance(DELAY_MS)
    bench.host.hold()
    bench.sync(member, {})
    bench.shard.unloaded(ErrorCode.NOT_COORDINATOR)
    bench.host.release()
    assert member.syncs.error is ErrorCode.NOT_COORDINATOR
