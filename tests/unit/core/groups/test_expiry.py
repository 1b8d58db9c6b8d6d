"""Offsets and groups that nobody needs any more are removed, and no others."""

import pytest
from tests.support.classic_groups import DELAY_MS, SESSION_MS, Bench, subscription

from holdwater.core.groups.offsets.expiry import DeletedTopic
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import GroupMetadataKey, OffsetCommitKey

T0, U0 = ("t", 0), ("u", 0)
MINUTE_MS = 60_000


def bench_with(retention_minutes: int = 10, check_minutes: int = 1) -> Bench:
    return Bench(offsets_retention_minutes=str(retention_minutes), offsets_retention_check_interval_ms=str(check_minutes * MINUTE_MS))


def test_offsets_of_a_simple_group_expire_by_their_commit_and_the_group_goes_with_the_last() -> None:
    bench = bench_with()
    bench.commit({T0: 1})
    bench.host.advance(5 * MINUTE_MS)
    bench.commit({U0: 2})
    bench.host.advance(5 * MINUTE_MS - 1)
    assert bench.committed() == {T0: 1, U0: 2}
    bench.host.advance(1)
    assert bench.committed() == {U0: 2}
    bench.host.advance(5 * MINUTE_MS)
    assert bench.shard.groups == {}
    assert [(entry.key, entry.value) for entry in bench.host.log[-2:]] == [
        (OffsetCommitKey(group="g", topic="u", partition=0), None),
        (GroupMetadataKey(group="g"), None),
    ]


def test_offsets_of_an_empty_group_expire_by_when_it_became_empty() -> None:
    bench = bench_with()
    (member,) = bench.stable(session_ms=1_000_000)
    bench.commit({T0: 1}, member=member)
    bench.host.advance(9 * MINUTE_MS)
    bench.leave(member)
    bench.host.advance(9 * MINUTE_MS)
    assert bench.committed() == {T0: 1}
    bench.host.advance(2 * MINUTE_MS)
    assert (bench.committed(), bench.shard.groups) == ({}, {})


def test_stable_group_keeps_what_it_reads_and_nothing_else() -> None:
    bench = bench_with()
    (member,) = bench.stable(session_ms=1_800_000, protocols={"range": subscription("t")})
    bench.commit({T0: 1, U0: 2}, member=member)
    bench.host.advance(20 * MINUTE_MS)
    assert bench.committed() == {T0: 1}
    assert "g" in bench.shard.groups


@pytest.mark.parametrize("protocol_type", ["connect", "consumer"])
def test_group_whose_subscriptions_cannot_be_read_keeps_everything_while_it_has_members(protocol_type: str) -> None:
    bench = bench_with()
    (member,) = bench.stable(session_ms=1_800_000, protocols={"range": b"?"}, protocol_type=protocol_type)
    bench.commit({T0: 1}, member=member)
    bench.host.advance(20 * MINUTE_MS)
    assert bench.committed() == {T0: 1}


def test_group_in_a_rebalance_keeps_everything() -> None:
    bench = bench_with(retention_minutes=1)
    (member,) = bench.stable(session_ms=1_800_000, rebalance_ms=1_800_000)
    bench.commit({U0: 1}, member=member)
    bench.member(session_ms=1_800_000, rebalance_ms=1_800_000)
    bench.host.advance(10 * MINUTE_MS - DELAY_MS)
    assert bench.committed() == {U0: 1}


def test_expiry_that_the_client_set_counts_instead_of_the_retention() -> None:
    bench = bench_with(retention_minutes=1)
    bench.commit({T0: 1}, version=4, retention_time_ms=20 * MINUTE_MS)
    bench.host.advance(19 * MINUTE_MS)
    assert bench.committed() == {T0: 1}
    bench.host.advance(MINUTE_MS)
    assert bench.committed() == {}


def test_pending_offset_keeps_the_committed_one_and_the_group() -> None:
    bench = bench_with(retention_minutes=1)
    bench.commit({T0: 1})
    bench.txn_commit({T0: 2})
    bench.host.advance(10 * MINUTE_MS)
    assert bench.committed() == {T0: 1}
    bench.host.end_transaction(7, 0, False)
    bench.host.advance(MINUTE_MS)
    assert bench.shard.groups == {}


def test_group_with_only_pending_offsets_stays() -> None:
    bench = bench_with(retention_minutes=1)
    bench.txn_commit({T0: 2})
    bench.host.advance(10 * MINUTE_MS)
    assert "g" in bench.shard.groups
    bench.host.end_transaction(7, 0, True)
    assert bench.committed() == {T0: 2}


def test_empty_group_without_offsets_goes_with_the_next_check_and_ends_its_pending_ids() -> None:
    bench = bench_with()
    timers = bench.host.pending_timers()
    bench.join(session_ms=1_000_000)
    assert bench.host.pending_timers() == timers + 1
    bench.host.advance(MINUTE_MS)
    assert bench.shard.groups == {}
    assert bench.host.pending_timers() == timers


def test_group_that_came_back_is_not_removed() -> None:
    bench = bench_with()
    bench.stable()
    bench.host.advance(SESSION_MS)
    bench.member(session_ms=100_000)
    bench.host.advance(MINUTE_MS)
    assert "g" in bench.shard.groups


def test_removal_that_cannot_be_appended_is_tried_again_with_the_next_check() -> None:
    bench = bench_with(retention_minutes=1)
    bench.commit({T0: 1})
    bench.host.fail_next(ErrorCode.NOT_ENOUGH_REPLICAS)
    bench.host.advance(MINUTE_MS)
    assert bench.committed() == {T0: 1}
    bench.host.advance(MINUTE_MS)
    assert bench.committed() == {}


def _fill(bench: Bench, count: int) -> None:
    for number in range(count):
        bench.commit({("x" * 200, number): number}, group_id=f"g{number % 7}")


def test_large_removals_go_in_batches_one_after_the_other() -> None:
    bench = bench_with(retention_minutes=1)
    _fill(bench, 3_000)
    batches: list[int] = []
    bench.host.hold()
    bench.host.advance(MINUTE_MS)
    while bench.shard.groups:
        batches.append(sum(entry.value is None for entry in bench.host.log) - sum(batches))
        bench.host.release()
        bench.host.hold()
        bench.host.advance(0)
    batches.append(sum(entry.value is None for entry in bench.host.log) - sum(batches))
    assert len(batches) > 2, "the next batch waits for the commit of the one before"
    assert max(batches) < 1_500
    assert sum(batches) == 3_000 + 7
    assert bench.shard.groups == {}


def test_offsets_of_deleted_topics_are_removed_committed_and_pending() -> None:
    bench = Bench()
    old, new = b"o" * 16, b"n" * 16
    bench.host.topics.put("t", topic_id=old)
    bench.commit({T0: 1, U0: 2})
    bench.txn_commit({("t", 1): 3})
    bench.commit({T0: 4}, group_id="other")
    bench.host.topics.put("t", topic_id=new)
    bench.commit({("t", 2): 5})
    bench.host.run(bench.shard.topics_deleted([DeletedTopic("t", old), DeletedTopic("none", bytes(16))]))
    assert bench.committed() == {("t", 2): 5, U0: 2}
    assert bench.committed(group_id="other") == {}
    assert not bench.shard.offsets.has_open_transactions("g")
    bench.host.run(bench.shard.topics_deleted([DeletedTopic("t", bytes(16))]))
    assert bench.committed() == {U0: 2}


def test_offsets_of_deleted_topics_go_in_batches() -> None:
    bench = Bench()
    _fill(bench, 3_000)
    bench.host.run(bench.shard.topics_deleted([DeletedTopic("x" * 200, bytes(16))]))
    assert 0 < sum(entry.value is None for entry in bench.host.log) < 1_500
    bench.host.advance(0)
    assert sum(entry.value is None for entry in bench.host.log) == 3_000
    assert [bench.committed(group_id=f"g{number}") for number in range(7)] == [{}] * 7


def test_nothing_is_removed_after_the_shard_is_unloaded() -> None:
    bench = bench_with(retention_minutes=1)
    bench.commit({T0: 1})
    bench.shard.unloaded(ErrorCode.NOT_COORDINATOR)
    count = len(bench.host.log)
    bench.host.advance(10 * MINUTE_MS)
    assert (len(bench.host.log), bench.host.pending_timers()) == (count, 0)
    assert bench.shard.topics_deleted([DeletedTopic("t", bytes(16))]).records == ()
