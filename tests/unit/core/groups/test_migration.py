"""A classic group becomes a consumer group while it has members, and the whole way there and back (KIP-848)."""

import pytest
from tests.support.classic_groups import DELAY_MS, Answers
from tests.support.mixed_groups import (
    GROUP,
    TOPICS,
    ClassicConsumer,
    Client,
    MixedBench,
    classic_members,
    join_new,
    newcomer,
    settle,
    used_by,
)

from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.state import ClassicState
from holdwater.core.groups.consumer.group import ConsumerGroup
from holdwater.core.groups.subscriptions import assignment_bytes
from holdwater.kernel.errors import ErrorCode


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
