"""A group moves between the protocols while it has members (KIP-848): upgrade, both side by side, downgrade."""

from typing import Any

import pytest
from tests.support.classic_groups import DELAY_MS, Answers
from tests.support.consumer_groups import Consumer
from tests.support.mixed_groups import GROUP, ClassicConsumer, MixedBench

from holdwater.core.groups.classic_group import ClassicGroup
from holdwater.core.groups.classic_state import ClassicState
from holdwater.core.groups.consumer_group import ConsumerGroup
from holdwater.core.groups.consumer_member import MemberState
from holdwater.core.groups.shard import GroupShard
from holdwater.core.groups.subscriptions import assignment_bytes
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import ConsumerGroupHeartbeatResponse, GroupMetadataKey

TOPICS = {"t": 6}
Client = ClassicConsumer | Consumer


def used_by(bench: MixedBench, *clients: Client) -> dict[tuple[str, int], list[int]]:
    """Which clients, by place in the list, use each partition."""
    used: dict[tuple[str, int], list[int]] = {}
    for place, client in enumerate(clients):
        for topic, number in client.uses:
            name = topic if isinstance(topic, str) else bench.host.topics.name(topic)
            assert name is not None
            used.setdefault((name, number), []).append(place)
    return used


def settle(bench: MixedBench, *clients: Client) -> None:
    """Beat and wait until every partition has exactly one user; never may one have two."""
    for _ in range(20):
        for client in clients:
            client.settle()
            doubles = {place: users for place, users in used_by(bench, *clients).items() if len(users) > 1}
            assert not doubles
        bench.wait(1_000)
    everything = {(name, number) for name, count in bench.host.topics.counts.items() for number in range(count)}
    assert used_by(bench, *clients).keys() == everything
    assert bench.group.state_name == "Stable"


def classic_members(bench: MixedBench, count: int = 2, **options: Any) -> list[ClassicConsumer]:
    """A stable classic group."""
    members = [ClassicConsumer(bench, ["t"], **options) for _ in range(count)]
    for member in members:
        member.beat()
    bench.wait(2 * DELAY_MS)
    settle(bench, *members)
    assert isinstance(bench.group, ClassicGroup)
    return members


def newcomer(bench: MixedBench, member_id: str = "new", **options: Any) -> Consumer:
    """A client of the new protocol."""
    return Consumer(bench, member_id, ["t"], **options)  # pyright: ignore[reportArgumentType] - all it needs of a bench is there


def join_new(bench: MixedBench, **fields: Any) -> ConsumerGroupHeartbeatResponse:
    """A member of the new protocol comes."""
    wanted: dict[str, Any] = {"member_id": "new", "member_epoch": 0, "topic_partitions": [], "subscribed_topic_names": ["t"]}
    return bench.answered(rebalance_timeout_ms=60_000, **{**wanted, **fields})


@pytest.mark.parametrize("cooperative", [False, True], ids=["eager", "cooperative"])
class TestThereAndBack:
    """The whole way, for both ways in which classic consumers rebalance."""

    def test_a_member_of_the_new_protocol_takes_the_group_with_it(self, cooperative: bool) -> None:
        bench = MixedBench(topics=TOPICS)
        first, second = classic_members(bench, cooperative=cooperative)
        generation = bench.classic.generation
        third = newcomer(bench)
        third.settle()
        assert bench.consumer.state.group_epoch > generation
        assert {member.speaks_classic for name, member in bench.consumer.state.members.items() if name != "new"} == {True}
        settle(bench, first, second, third)
        assert [len(client.uses) for client in (first, second, third)] == [2, 2, 2]
        assert first.errors == [ErrorCode.REBALANCE_IN_PROGRESS] * len(first.errors), "nobody lost its place in the group"

    def test_the_last_of_them_to_go_leaves_a_classic_group(self, cooperative: bool) -> None:
        bench = MixedBench(topics=TOPICS)
        first, second = classic_members(bench, cooperative=cooperative)
        third = newcomer(bench)
        settle(bench, first, second, third)
        epoch = bench.consumer.state.group_epoch
        third.leave()
        assert (bench.classic.generation, bench.classic.state) == (epoch, ClassicState.PREPARING_REBALANCE)
        settle(bench, first, second)
        assert bench.classic.generation > epoch
        assert ErrorCode.ILLEGAL_GENERATION not in first.errors + second.errors

    def test_all_members_in_turn_there_and_back(self, cooperative: bool) -> None:
        bench = MixedBench(topics=TOPICS)
        old: list[Client] = [*classic_members(bench, 3, cooperative=cooperative)]
        new: list[Client] = []
        for number in range(3):
            old.pop().leave()
            new.append(newcomer(bench, f"new-{number}"))
            settle(bench, *old, *new)
        assert not any(member.speaks_classic for member in bench.consumer.state.members.values())
        while new:
            new.pop().leave()
            old.append(ClassicConsumer(bench, ["t"], cooperative=cooperative))
            settle(bench, *new, *old)
        assert isinstance(bench.group, ClassicGroup)
        assert [len(client.uses) for client in old] == [2, 2, 2]

    def test_an_expired_session_brings_it_back_too(self, cooperative: bool) -> None:
        bench = MixedBench(topics=TOPICS)
        members = classic_members(bench, cooperative=cooperative, session_ms=60_000)
        settle(bench, *members, newcomer(bench))
        for _ in range(10):
            bench.wait(5_000)
            for member in members:
                member.beat()
        assert isinstance(bench.group, ClassicGroup)
        settle(bench, *members)

    @pytest.mark.parametrize("is_compacted", [False, True])
    def test_another_coordinator_goes_on_from_the_log(self, cooperative: bool, is_compacted: bool) -> None:
        bench = MixedBench(topics=TOPICS)
        members = classic_members(bench, cooperative=cooperative)
        third = newcomer(bench)
        settle(bench, *members, third)
        if is_compacted:
            bench.host.log[:] = bench.host.compacted()
        bench.reload()
        assert len(bench.consumer.state.members) == 3
        settle(bench, *members, third)
        third.leave()
        if is_compacted:
            bench.host.log[:] = bench.host.compacted()
        bench.reload()
        assert isinstance(bench.group, ClassicGroup)
        settle(bench, *members)


# Upgrade


def test_the_log_ends_the_classic_group_before_it_begins_the_other() -> None:
    bench = MixedBench(topics=TOPICS)
    classic_members(bench)
    before = len(bench.host.log)
    join_new(bench)
    kinds = [(type(entry.key).__name__, entry.value is None) for entry in bench.host.log[before:]]
    assert kinds[0] == ("GroupMetadataKey", True)
    assert [name for name, is_end in kinds if is_end] == ["GroupMetadataKey"]
    # Two members as they were, the group and its target as they were; then one more of each for what has changed.
    assert [name for name, _ in kinds].count("ConsumerGroupMemberMetadataKey") == 3
    assert [name for name, _ in kinds].count("ConsumerGroupMetadataKey") == 2


@pytest.mark.parametrize("policy", ["disabled", "DOWNGRADE"])
def test_a_policy_forbids_it(policy: str) -> None:
    bench = MixedBench(topics=TOPICS, group_consumer_migration_policy=policy)
    members = classic_members(bench)
    response = join_new(bench)
    assert response.error_code == ErrorCode.GROUP_ID_NOT_FOUND
    assert response.error_message == f"Cannot upgrade classic group {GROUP} to consumer group because online upgrade is disabled."
    settle(bench, *members)


def test_others_than_consumers_stay_what_they_are() -> None:
    bench = MixedBench(topics=TOPICS)
    bench.stable(2, GROUP, protocol_type="connect")
    assert "does not use the consumer embedded protocol" in (join_new(bench).error_message or "")


def test_an_assignment_that_cannot_be_read_keeps_it_from_it() -> None:
    bench = MixedBench(topics=TOPICS)
    bench.stable(1, GROUP)  # its leader gives out the bytes a0
    assert "the embedded consumer protocol is malformed" in (join_new(bench).error_message or "")
    assert isinstance(bench.group, ClassicGroup)


def test_what_an_assignor_has_written_for_itself_keeps_it_from_it() -> None:
    bench = MixedBench(topics=TOPICS)
    member = bench.member(GROUP)
    bench.host.advance(DELAY_MS)
    plain = assignment_bytes([("t", [0, 1])], b"\x00\x01")
    bench.sync(member, {member: plain[:-4] + (3).to_bytes(4, "big") + b"own"})
    assert "an unsupported custom assignor is in use" in (join_new(bench).error_message or "")


def test_a_group_that_would_be_too_large_stays_classic() -> None:
    bench = MixedBench(topics=TOPICS, group_consumer_max_size="1")
    classic_members(bench)
    assert "exceeds the consumer group maximum size" in (join_new(bench).error_message or "")


def test_only_a_join_takes_the_group_with_it() -> None:
    bench = MixedBench(topics=TOPICS)
    classic_members(bench)
    response = bench.answered(member_id="new", member_epoch=3)
    assert (response.error_code, response.error_message) == (ErrorCode.GROUP_ID_NOT_FOUND, f"Group {GROUP} is not a consumer group.")


def test_who_waits_for_the_classic_group_is_told_to_join_again() -> None:
    bench = MixedBench(topics=TOPICS)
    first, second = classic_members(bench)
    first._join()
    second._join()
    waits = first if first.syncs is not None and not first.syncs else second
    late = ClassicConsumer(bench, ["t"])
    late.beat()
    parked = [
        answers for client in (first, second, late) for answers in (client.joins, client.syncs) if answers is not None and not answers
    ]
    assert waits in (first, second)
    assert parked
    bench.host.hold()
    bench.send(member_id="new", member_epoch=0, topic_partitions=[], subscribed_topic_names=["t"], rebalance_timeout_ms=60_000)
    assert not any(parked), "not before the group has changed for good"
    bench.host.release()
    assert {answers.error for answers in parked} == {ErrorCode.REBALANCE_IN_PROGRESS}
    settle(bench, first, second, late, newcomer(bench))


def test_when_it_cannot_be_stored_nothing_has_happened() -> None:
    bench = MixedBench(topics=TOPICS)
    members = classic_members(bench)
    bench.host.fail_next(ErrorCode.NOT_ENOUGH_REPLICAS)
    assert join_new(bench).error_code == ErrorCode.NOT_ENOUGH_REPLICAS
    assert isinstance(bench.group, ClassicGroup)
    settle(bench, *members)
    settle(bench, *members, newcomer(bench))
    assert isinstance(bench.group, ConsumerGroup)


def test_a_partition_given_to_two_members_goes_to_one() -> None:
    bench = MixedBench(topics=TOPICS)
    both = [bench.member(GROUP) for _ in range(2)]
    bench.host.advance(2 * DELAY_MS)
    leader = both[0] if both[0].joined.leader == both[0].member_id else both[1]
    other = both[1] if leader is both[0] else both[0]
    bench.sync(other)
    wrong = assignment_bytes([("t", [0, 1, 7]), ("gone", [0])], b"\x00\x01")
    bench.sync(leader, {leader: wrong, other: wrong})
    assert join_new(bench).error_code == 0
    has = sorted(
        sorted(number for numbers in member.assigned.values() for number in numbers)
        for name, member in bench.consumer.state.members.items()
        if name != "new"
    )
    assert has == [[], [0, 1]]


def test_a_member_id_that_was_given_out_before_is_good_after_it() -> None:
    bench = MixedBench(topics=TOPICS)
    members = classic_members(bench)
    given: Answers = bench.join(GROUP)
    join_new(bench)
    late = ClassicConsumer(bench, ["t"])
    late.member.member_id = given.only.member_id
    late.beat()
    assert late.member.member_id == given.only.member_id
    assert late.member.member_id in bench.consumer.state.members
    settle(bench, *members, late, newcomer(bench))


def test_a_static_member_that_asks_for_the_same_does_not_keep_others_from_their_share() -> None:
    bench = MixedBench(topics=TOPICS)
    moves = ClassicConsumer(bench, ["t"], instance_id="i")
    moves.beat()
    (leaves,) = classic_members(bench, 1)
    settle(bench, moves, leaves)
    leaves.leave()
    moved = newcomer(bench, instance_id="i")
    settle(bench, moved)


def test_what_a_cooperative_member_has_not_given_up_is_not_free() -> None:
    bench = MixedBench(topics=TOPICS)
    (old,) = classic_members(bench, 1, cooperative=True)
    second = ClassicConsumer(bench, ["t"], cooperative=True)
    second.beat()
    assert bench.heartbeat(old.member) is ErrorCode.REBALANCE_IN_PROGRESS
    joins = bench.join(GROUP, old.member.member_id, protocols={old.protocol: old._metadata()})
    old.member.generation = joins.only.generation_id
    second.beat()
    leader = old if joins.only.leader == old.member.member_id else second
    assert leader is old
    bench.sync(second.member) if second.joins is not None and second.joins else None
    shares = old._assign(joins.only)
    old.member.joins = Answers()
    assert bench.sync(old.member, shares).error is ErrorCode.NONE
    assert len(old.uses) == 6, "it was told to give up three, and has not done so yet"
    new = newcomer(bench)
    new.settle()
    assert not new.uses
    doubles = [users for users in used_by(bench, old, second, new).values() if len(users) > 1]
    assert not doubles


def test_metadata_that_cannot_be_read_for_one_of_its_protocols_harms_nobody() -> None:
    bench = MixedBench(topics=TOPICS)
    odd = bench.member(GROUP, protocols={"other": b"", "range": b"\x00\x01" + b"\x00\x00\x00\x01\x00\x01t" + b"\xff" * 4 + b"\x00" * 4})
    plain = bench.member(GROUP)
    bench.host.advance(2 * DELAY_MS)
    leader, follower = (odd, plain) if odd.joined.leader == odd.member_id else (plain, odd)
    bench.sync(follower)
    bench.sync(leader, {odd: assignment_bytes([("t", [0])], b""), plain: assignment_bytes([("t", [1])], b"\x00\x01")})
    assert join_new(bench).error_code == 0
    bench.heartbeat(odd)
    assert bench.answered(member_id="new", member_epoch=-1).error_code == 0
    assert isinstance(bench.group, ClassicGroup)


# Side by side


def mixed(**options: Any) -> tuple[MixedBench, ClassicConsumer, Consumer]:
    """A group with one member of each protocol, at rest."""
    bench = MixedBench(topics=TOPICS)
    (old,) = classic_members(bench, 1, **options)
    new = newcomer(bench)
    settle(bench, old, new)
    return bench, old, new


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
