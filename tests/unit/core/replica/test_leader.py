"""What the leader of a partition promises: the rules of the high watermark, the ISR, and acknowledgements."""

from tests.support.logs import batch, new_log

from holdwater.core.replica import LeaderReplica
from holdwater.kernel.errors import ErrorCode
from holdwater.storage.log import PartitionLog
from holdwater.wire.records import parse_header

LAG_MS = 30_000


class Wait:
    """Remembers how its wait ended."""

    def __init__(self) -> None:
        self.ended: list[int] = []

    def acknowledged(self, error_code: int) -> None:
        self.ended.append(int(error_code))


def leader(
    *,
    isr: tuple[int, ...] = (1, 2, 3),
    min_isr: int = 2,
    log: PartitionLog | None = None,
    live: dict[int, int] | None = None,
    epoch: int = 0,
    high_watermark: int = 0,
    counts_synced: bool = False,
) -> LeaderReplica:
    return LeaderReplica(
        broker_id=1,
        log=log or new_log(),
        leader_epoch=epoch,
        partition_epoch=0,
        replicas=(1, 2, 3),
        isr=isr,
        min_isr=min_isr,
        high_watermark=high_watermark,
        live_brokers=live if live is not None else {1: 11, 2: 12, 3: 13},
        mono_ms=1000,
        counts_synced=counts_synced,
    )


def append(replica: LeaderReplica, *values: str, acks: int = -1) -> int:
    data = batch(*values)
    return replica.append(data, parse_header(data), acks, 1000).error_code


def fetched(replica: LeaderReplica, broker_id: int, offset: int, *, at: int = 1000, epoch: int | None = None) -> bool:
    replica.follower_fetched(broker_id, offset, 0, epoch if epoch is not None else 10 + broker_id, at)
    return replica.advance_high_watermark(at, LAG_MS)


class TestHighWatermark:
    def test_it_is_the_smallest_end_over_the_isr(self) -> None:
        replica = leader()
        append(replica, "a", "b")
        assert not fetched(replica, 2, 2)
        assert replica.high_watermark == 0
        assert fetched(replica, 3, 1)
        assert replica.high_watermark == 1
        assert fetched(replica, 3, 2)
        assert replica.high_watermark == 2

    def test_nothing_is_assumed_of_a_follower_that_has_not_fetched_in_this_epoch(self) -> None:
        log = new_log()
        first = leader(log=log)
        append(first, "a")
        second = leader(log=log, epoch=1)
        assert not second.advance_high_watermark(1000, LAG_MS)
        assert second.high_watermark == 0

    def test_it_stands_still_below_min_isr_whatever_the_acks(self) -> None:
        replica = leader(isr=(1,), min_isr=2)
        assert append(replica, "a", acks=1) == 0
        assert not replica.advance_high_watermark(1000, LAG_MS)
        assert replica.high_watermark == 0

    def test_min_isr_counts_at_most_the_replicas_there_are(self) -> None:
        replica = leader(min_isr=5)
        append(replica, "a")
        fetched(replica, 2, 1)
        assert fetched(replica, 3, 1)

    def test_it_waits_for_one_that_is_about_to_join(self) -> None:
        replica = leader(isr=(1, 2))
        fetched(replica, 3, 0)
        append(replica, "a")
        assert not fetched(replica, 2, 1), "3 was caught up a moment ago and may join: running ahead would keep it out"
        assert fetched(replica, 3, 1)

    def test_it_does_not_wait_for_one_that_may_not_join(self) -> None:
        replica = leader(isr=(1, 2), live={1: 11, 2: 12})
        fetched(replica, 3, 0)
        append(replica, "a")
        assert fetched(replica, 2, 1)

    def test_it_never_falls_when_a_follower_goes_back(self) -> None:
        replica = leader()
        append(replica, "a")
        fetched(replica, 2, 1)
        fetched(replica, 3, 1)
        assert not fetched(replica, 2, 0)
        assert replica.high_watermark == 1


class TestAcknowledgement:
    def test_before_the_append_too_small_an_isr_refuses_acks_all_only(self) -> None:
        replica = leader(isr=(1,))
        assert append(replica, "a") == ErrorCode.NOT_ENOUGH_REPLICAS
        assert replica.log.log_end_offset == 0
        assert append(replica, "a", acks=1) == 0

    def test_waits_end_in_the_order_of_their_offsets_and_not_before(self) -> None:
        replica = leader()
        append(replica, "a")
        append(replica, "b")
        late, early = Wait(), Wait()
        replica.wait_for(2, late)
        replica.wait_for(1, early)
        for broker in (2, 3):
            fetched(replica, broker, 1)
        replica.release_acknowledged()
        assert (early.ended, late.ended) == ([0], [])
        for broker in (2, 3):
            fetched(replica, broker, 2)
        replica.release_acknowledged()
        assert late.ended == [0]

    def test_reached_but_no_longer_carried_is_not_enough_replicas_after_append(self) -> None:
        replica = leader()
        append(replica, "a")
        wait = Wait()
        replica.wait_for(1, wait)
        for broker in (2, 3):
            fetched(replica, broker, 1)
        replica.update(1, (1, 2, 3), (1,))
        replica.release_acknowledged()
        assert wait.ended == [ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND]

    def test_who_waits_when_the_leader_stops_is_sent_elsewhere(self) -> None:
        replica = leader()
        append(replica, "a")
        wait = Wait()
        replica.wait_for(1, wait)
        replica.stop()
        replica.stop()
        assert wait.ended == [ErrorCode.NOT_LEADER_OR_FOLLOWER]


class TestLevelFsync:
    def test_the_leader_counts_itself_only_as_far_as_it_is_synced(self) -> None:
        replica = leader(counts_synced=True)
        append(replica, "a")
        replica.log.sync()
        append(replica, "b")
        fetched(replica, 2, 2)
        assert fetched(replica, 3, 2)
        assert replica.high_watermark == 1
        replica.log.sync()
        assert replica.advance_high_watermark(1000, LAG_MS)
        assert replica.high_watermark == 2

    def test_a_follower_that_lags_is_waited_for_as_ever(self) -> None:
        replica = leader(counts_synced=True)
        append(replica, "a", "b")
        replica.log.sync()
        fetched(replica, 2, 2)
        assert not replica.advance_high_watermark(1000, LAG_MS)
        assert fetched(replica, 3, 1)
        assert replica.high_watermark == 1

    def test_a_leader_that_starts_with_an_unsynced_tail_has_committed_none_of_it(self) -> None:
        log = new_log()
        append(leader(log=log), "a")
        log.sync()
        append(leader(log=log), "b")
        replica = leader(log=log, isr=(1,), min_isr=1, epoch=1, high_watermark=2, counts_synced=True)
        assert replica.high_watermark == 1
        assert replica.epoch_start_offset == 2
        log.sync()
        assert replica.advance_high_watermark(1000, LAG_MS)
        assert replica.high_watermark == 2

    def test_the_high_watermark_does_not_fall_when_the_level_becomes_fsync(self) -> None:
        replica = leader(isr=(1,), min_isr=1)
        append(replica, "a")
        assert replica.advance_high_watermark(1000, LAG_MS)
        replica.counts_synced = True
        assert not replica.advance_high_watermark(1000, LAG_MS)
        assert replica.high_watermark == 1

    def test_a_write_that_waits_for_the_disk_alone_is_answered_by_the_sync_that_covers_it(self) -> None:
        replica = leader(isr=(1,), counts_synced=True)
        append(replica, "a", acks=1)
        covered, later = Wait(), Wait()
        replica.wait_for_sync(1, covered)
        replica.log.sync()
        append(replica, "b", acks=1)
        replica.wait_for_sync(2, later)
        replica.release_synced()
        assert (covered.ended, later.ended) == ([0], [])
        replica.log.sync()
        replica.release_synced()
        assert (covered.ended, later.ended) == ([0], [0])

    def test_who_waits_for_a_disk_that_has_failed_is_told(self) -> None:
        replica = leader(counts_synced=True)
        append(replica, "a")
        committed, synced = Wait(), Wait()
        replica.wait_for(1, committed)
        replica.wait_for_sync(1, synced)
        replica.stop(ErrorCode.KAFKA_STORAGE_ERROR)
        replica.stop()
        replica.release_synced()
        assert committed.ended == synced.ended == [ErrorCode.KAFKA_STORAGE_ERROR]


class TestIsr:
    def test_one_joins_when_it_has_reached_the_high_watermark_and_the_start_of_the_epoch(self) -> None:
        log = new_log()
        append(leader(log=log, min_isr=1, isr=(1,)), "a")
        replica = leader(log=log, isr=(1, 2), epoch=1)
        fetched(replica, 3, 0)
        assert replica.propose_expansion(3) is None
        fetched(replica, 3, 1)
        proposal = replica.propose_expansion(3)
        assert proposal is not None
        assert proposal.isr == (1, 2, 3)
        assert proposal.broker_epochs[2] == 13
        assert replica.maximal_isr == (1, 2, 3)
        assert replica.isr == (1, 2)

    def test_another_incarnation_or_a_fenced_broker_does_not_join(self) -> None:
        replica = leader(isr=(1, 2))
        fetched(replica, 3, 0, epoch=99)
        assert replica.propose_expansion(3) is None
        fetched(replica, 3, 0)
        del replica.live_brokers[3]
        assert replica.propose_expansion(3) is None

    def test_one_change_at_a_time(self) -> None:
        replica = leader(isr=(1,), min_isr=1)
        fetched(replica, 2, 0)
        fetched(replica, 3, 0)
        assert replica.propose_expansion(2) is not None
        assert replica.propose_expansion(3) is None
        assert replica.propose_shrink(10**9, LAG_MS) is None

    def test_a_refused_expansion_gives_the_committed_isr_back(self) -> None:
        replica = leader(isr=(1, 2))
        fetched(replica, 3, 0)
        proposal = replica.propose_expansion(3)
        assert proposal is not None
        replica.proposal_refused(proposal)
        assert replica.maximal_isr == (1, 2)
        assert replica.propose_expansion(3) is not None

    def test_the_late_leave_and_until_then_they_count(self) -> None:
        replica = leader()
        append(replica, "a")
        fetched(replica, 2, 1, at=20_000)
        assert replica.propose_shrink(30_999, LAG_MS) is None
        proposal = replica.propose_shrink(31_001, LAG_MS)
        assert proposal is not None
        assert proposal.isr == (1, 2)
        assert not replica.advance_high_watermark(31_001, LAG_MS), "3 is in the ISR until the controller has committed that it is not"
        replica.update(1, (1, 2, 3), (1, 2))
        assert replica.advance_high_watermark(31_001, LAG_MS)

    def test_one_that_has_everything_is_never_late(self) -> None:
        replica = leader()
        append(replica, "a")
        fetched(replica, 2, 1)
        fetched(replica, 3, 1)
        assert replica.propose_shrink(10**9, LAG_MS) is None

    def test_news_that_do_not_move_the_partition_epoch_leave_a_proposal_alone(self) -> None:
        replica = leader(isr=(1, 2))
        fetched(replica, 3, 0)
        proposal = replica.propose_expansion(3)
        replica.update(0, (1, 2, 3), (1, 2))
        assert replica.proposal is proposal
        replica.update(1, (1, 2, 3), (1, 2, 3))
        assert replica.proposal is None
        assert replica.isr == (1, 2, 3)

    def test_metadata_older_than_the_controllers_answers_are_left_alone(self) -> None:
        replica = leader(isr=(1, 2))
        replica.update(2, (1, 2, 3), (1, 2, 3))
        replica.update(1, (1, 2, 3), (1,))
        assert (replica.partition_epoch, replica.isr) == (2, (1, 2, 3))

    def test_one_that_had_everything_when_last_looked_at_is_not_late_at_the_first_record_after_a_quiet_hour(self) -> None:
        replica = leader()
        fetched(replica, 2, 0)
        fetched(replica, 3, 0)
        assert replica.propose_shrink(3_600_000, LAG_MS) is None
        append(replica, "a")
        assert replica.propose_shrink(3_600_000 + LAG_MS // 2, LAG_MS) is None
        proposal = replica.propose_shrink(3_600_001 + LAG_MS, LAG_MS)
        assert proposal is not None
        assert proposal.isr == (1,)

    def test_a_late_fetch_of_an_older_incarnation_counts_for_nothing(self) -> None:
        replica = leader()
        append(replica, "a", "b")
        fetched(replica, 3, 2)
        fetched(replica, 2, 0, epoch=22)
        fetched(replica, 2, 2, epoch=12)
        assert replica.followers[2].log_end_offset == 0
        assert replica.high_watermark == 0
