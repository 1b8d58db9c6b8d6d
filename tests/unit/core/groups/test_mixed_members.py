"""Members of both protocols side by side in one group, static members that change theirs, and the way back to a classic group (KIP-848)."""

from typing import Any

import pytest
from tests.support.mixed_groups import GROUP, TOPICS, ClassicConsumer, MixedBench, classic_members, mixed, newcomer, settle

from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.state import ClassicState
from holdwater.core.groups.consumer.group import ConsumerGroup
from holdwater.core.groups.consumer.member import MemberState
from holdwater.core.groups.shard import GroupShard
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import GroupMetadataKey


def test_a_sync_is_checked() -> None:
    bench, old, _ = mixed()
    assert bench.sync(old.member, member_id="who").error is ErrorCode.UNKNOWN_MEMBER_ID
    assert bench.sync(old.member, member_id="new").error is ErrorCode.UNKNOWN_MEMBER_ID
    assert bench.sync(old.member, group_instance_id="i").error is ErrorCode.UNKNOWN_MEMBER_ID
    assert bench.sync(old.member, generation_id=1).error is ErrorCode.ILLEGAL_GENERATION
    assert bench.sync(old.member, protocol_type="connect").error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert bench.sync(old.member, protocol_name="sticky").error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert bench.sync(old.member, protocol_type="consumer", protocol_name="range").error is ErrorCode.NONE


def test_a_heartbeat_is_checked() -> None:
    bench, old, _ = mixed()
    assert bench.heartbeat(old.member, member_id="new") is ErrorCode.UNKNOWN_MEMBER_ID
    assert bench.heartbeat(old.member, generation_id=1) is ErrorCode.ILLEGAL_GENERATION
    assert bench.heartbeat(old.member) is ErrorCode.NONE


def test_a_join_is_checked() -> None:
    bench, old, _ = mixed()
    assert bench.join(GROUP, protocol_type="connect").error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert bench.join(GROUP, protocols={"sticky": b"\x00\x01"}).error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert bench.join(GROUP, protocols={}).error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert bench.join(GROUP, old.member.member_id, protocols={"range": b"?"}).error is ErrorCode.UNKNOWN_SERVER_ERROR
    assert bench.join(GROUP, "who", instance_id="i").error is ErrorCode.UNKNOWN_MEMBER_ID
    full = MixedBench(topics=TOPICS, group_consumer_max_size="2")
    settle(full, *classic_members(full, 1), newcomer(full))
    assert full.join(GROUP).error is ErrorCode.GROUP_MAX_SIZE_REACHED


def test_commits_need_the_generation() -> None:
    bench, old, _ = mixed()
    assert bench.commit({("t", 0): 5}, group_id=GROUP, member=old.member, version=7).only.topics[0].partitions[0].error_code == 0
    old.member.generation -= 1
    response = bench.commit({("t", 0): 6}, group_id=GROUP, member=old.member, version=7).only
    assert response.topics[0].partitions[0].error_code == ErrorCode.ILLEGAL_GENERATION


def test_its_own_session_timeout_counts() -> None:
    bench, old, new = mixed(session_ms=20_000)
    bench.wait(18_000)
    assert bench.heartbeat(old.member) is ErrorCode.NONE
    for _ in range(4):
        new.beat()
        bench.wait(4_999)
    assert old.member.member_id in bench.consumer.state.members
    bench.wait(10)
    assert old.member.member_id not in bench.consumer.state.members


def test_who_is_told_to_join_and_does_not_goes() -> None:
    bench, old, new = mixed(rebalance_ms=7_000)
    bench.host.topics.put("t", 8)
    bench.shard.topics_changed()
    new.beat()
    for _ in range(6):
        bench.wait(1_000)
        assert bench.heartbeat(old.member) is ErrorCode.REBALANCE_IN_PROGRESS
    bench.wait(2_000)
    assert bench.heartbeat(old.member) is ErrorCode.UNKNOWN_MEMBER_ID
    assert any("has not joined within 7000 ms" in line for line in bench.host.notes)


def test_who_joins_and_does_not_sync_goes() -> None:
    bench, old, _ = mixed(rebalance_ms=7_000, session_ms=30_000)
    assert bench.join(GROUP, old.member.member_id, rebalance_ms=7_000, session_ms=30_000).error is ErrorCode.NONE
    bench.wait(6_900)
    assert old.member.member_id in bench.consumer.state.members
    bench.wait(200)
    assert old.member.member_id not in bench.consumer.state.members
    assert any("joined and not synced within 7000 ms" in line for line in bench.host.notes)


def test_a_cooperative_member_gives_up_before_another_takes() -> None:
    bench = MixedBench(topics=TOPICS)
    (old,) = classic_members(bench, 1, cooperative=True)
    new = newcomer(bench)
    new.settle()
    assert (len(old.uses), len(new.uses)) == (6, 0)
    joined = bench.join(GROUP, old.member.member_id, protocols={old.protocol: old._metadata()})
    assert joined.error is ErrorCode.NONE
    old.member.generation = joined.only.generation_id
    assert bench.consumer.state.members[old.member.member_id].state is MemberState.UNREVOKED_PARTITIONS
    new.settle()
    assert not new.uses
    assert bench.heartbeat(old.member) is ErrorCode.REBALANCE_IN_PROGRESS
    settle(bench, old, new)
    assert (len(old.uses), len(new.uses)) == (3, 3)


def test_the_new_protocol_tells_who_speaks_the_old_one() -> None:
    bench, old, _ = mixed()
    kinds = {member.member_id: member.member_type for member in bench.consumer.describe().members}
    assert kinds == {old.member.member_id: 0, "new": 1}


# Static members


def test_a_static_member_comes_back_with_the_other_protocol_and_keeps_its_partitions() -> None:
    bench = MixedBench(topics=TOPICS)
    stays, moves = classic_members(bench, instance_id=None, count=1)[0], ClassicConsumer(bench, ["t"], instance_id="i")
    moves.beat()
    settle(bench, stays, moves)
    had = set(moves.uses)
    moved = newcomer(bench, instance_id="i")
    moved.settle()
    assert {(bench.host.topics.name(topic_id), number) for topic_id, number in moved.uses} == had
    moves.settle()
    assert moves.stopped, "the one before it is fenced"
    settle(bench, stays, moved)
    back = ClassicConsumer(bench, ["t"], instance_id="i")
    back.beat()
    assert bench.classic.state is ClassicState.PREPARING_REBALANCE
    assert moved.beat().error_code == ErrorCode.GROUP_ID_NOT_FOUND
    settle(bench, stays, back)


# Downgrade


def test_a_policy_forbids_the_way_back() -> None:
    bench = MixedBench(topics=TOPICS, group_consumer_migration_policy="Upgrade")
    members = classic_members(bench)
    third = newcomer(bench)
    settle(bench, *members, third)
    third.leave()
    assert isinstance(bench.group, ConsumerGroup)
    settle(bench, *members)


def test_a_group_that_would_be_too_large_stays_a_consumer_group() -> None:
    bench = MixedBench(topics=TOPICS, group_max_size="1")
    (old,) = classic_members(bench, 1)
    new = newcomer(bench)
    second = ClassicConsumer(bench, ["t"])
    settle(bench, old, new, second)
    new.leave()
    assert isinstance(bench.group, ConsumerGroup)
    settle(bench, old, second)


def test_when_the_way_back_cannot_be_stored_the_member_is_removed_a_little_later() -> None:
    bench, old, _ = mixed(session_ms=120_000)
    bench.host.fail_next(ErrorCode.NOT_ENOUGH_REPLICAS)
    bench.wait(44_200)
    assert isinstance(bench.group, ConsumerGroup)
    bench.wait(1_000)
    assert isinstance(bench.group, ClassicGroup)
    settle(bench, old)


def test_an_empty_group_goes_neither_way() -> None:
    bench, old, new = mixed()
    old.leave()
    new.leave()
    assert bench.consumer.is_empty
    assert bench.host.log[-1].key != GroupMetadataKey(group=GROUP)
    loaded = GroupShard(bench.host)
    bench.host.load(loaded)
    assert isinstance(loaded.groups[GROUP], ConsumerGroup)


def test_an_empty_group_of_either_kind_counts_on_when_one_of_the_other_follows_it() -> None:
    """A commit that was under way meanwhile must not meet its member epoch again: member ids live longer (seeds 321004, 321366)."""
    bench = MixedBench(topics=TOPICS)
    newcomer(bench).settle()
    epoch = bench.consumer.state.group_epoch
    bench.wait(45_000)
    assert bench.consumer.is_empty
    (old,) = classic_members(bench, 1)
    assert bench.classic.generation > epoch
    generation = bench.classic.generation
    old.leave()
    bench.reload()
    joined = newcomer(bench)
    joined.settle()
    assert joined.epoch > generation
    bench.reload()
    assert bench.consumer.state.group_epoch >= joined.epoch


@pytest.mark.parametrize("subscription", [{"subscribed_topic_regex": "nothing.*"}, {"subscribed_topic_names": []}])
def test_it_counts_on_when_its_first_member_subscribes_to_nothing_yet(subscription: dict[str, Any]) -> None:
    bench = MixedBench(topics=TOPICS)
    (old,) = classic_members(bench, 1)
    generation = bench.classic.generation
    old.leave()
    joined = bench.answered(member_id="new", member_epoch=0, rebalance_timeout_ms=60_000, topic_partitions=[], **subscription)
    assert joined.member_epoch > generation
    bench.reload()
    again = bench.answered(member_id="new", member_epoch=joined.member_epoch)
    assert (again.error_code, again.member_epoch >= joined.member_epoch) == (0, True)


def test_a_classic_group_that_counts_on_does_so_when_its_coordinator_moves_before_its_first_generation_is_stored() -> None:
    bench = MixedBench(topics=TOPICS)
    newcomer(bench).settle()
    epoch = bench.consumer.state.group_epoch
    bench.wait(45_000)
    bench.join(GROUP, "", protocols={"range": b""})
    assert isinstance(bench.group, ClassicGroup)
    bench.reload()
    assert bench.classic.generation == epoch + 1  # with the member that went, the group epoch rose


def test_a_replaced_member_is_told_the_protocol_of_the_group() -> None:
    bench = MixedBench(topics=TOPICS)
    (stays,) = classic_members(bench, 1)
    moved = newcomer(bench, instance_id="i")
    settle(bench, stays, moved)
    metadata = stays._metadata()
    other = bench.join(GROUP, instance_id="i", protocols={"cooperative-sticky": metadata, "range": metadata})
    assert (other.only.protocol_name, bench.classic.protocol_name) == ("range", "range")


def test_what_a_member_has_yet_to_give_up_survives_the_way_there_and_back() -> None:
    bench = MixedBench(topics=TOPICS)
    (old,) = classic_members(bench, 1, cooperative=True)
    new = newcomer(bench)
    new.settle()
    joined = bench.join(GROUP, old.member.member_id, protocols={old.protocol: old._metadata()})
    old.member.generation = joined.only.generation_id
    new.leave()
    assert isinstance(bench.group, ClassicGroup)
    third = newcomer(bench, "third")
    third.settle()
    assert (len(old.uses), len(third.uses)) == (6, 0)
    settle(bench, old, third)


def test_a_downgrade_that_is_too_large_for_one_batch_does_not_keep_a_member_from_leaving() -> None:
    bench, old, new = mixed()
    bench.host.fail_next(ErrorCode.MESSAGE_TOO_LARGE)
    assert bench.answered(member_id="new", member_epoch=-1).error_code == ErrorCode.UNKNOWN_SERVER_ERROR
    new.leave()
    assert isinstance(bench.group, ConsumerGroup)
    settle(bench, old)
