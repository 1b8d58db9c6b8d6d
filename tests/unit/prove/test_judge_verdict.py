"""Pauses, bounds, causes, validity and the verdict, on hand-written histories."""

import pytest
from tests.support.story import ORIGIN, SECOND, Story, a_killed_leader, view

from holdwater.prove.history.model import History, State
from holdwater.prove.judge.bounds import failover
from holdwater.prove.judge.pauses import read_pauses, write_pauses
from holdwater.prove.judge.verdict import Expect, Judged, Plan, judge
from holdwater.prove.settings import Settings

EXPECTATIONS = (
    Expect("lost", "never", "lost-write"),
    Expect("duplicated by the client", "never", "duplicate-by-client"),
    Expect("write pause", "pause-at-most", "write"),
    Expect("read pause", "pause-at-most", "read"),
    Expect("new leader", "every-round", "new-leader"),
    Expect("whole again", "every-round", "isr-full"),
)
KAFKA = Settings(
    kind="kafka",
    broker={"broker.session.timeout.ms": "9000", "broker.heartbeat.interval.ms": "2000"},
    producer={"enable.idempotence": "true", "acks": "all"},
)


def verdict_of(story: Story, settings: Settings = KAFKA, **plan: int) -> Judged:
    wanted = {"rounds": 1, "ok_before": 50, "ok_after": 5} | plan
    return judge(story.history(), settings, Plan("leader-election", EXPECTATIONS, **wanted))


def result(judged: Judged, name: str) -> tuple[str, float | int | None]:
    one = next(one for one in judged.results if one.name == name)
    return one.verdict, one.actual


class TestPauses:
    def test_from_the_last_acknowledgement_to_the_next(self) -> None:
        (pause,) = write_pauses(a_killed_leader().history(), at_least_ms=500)
        # The last acknowledgement before came at 9.010 s; the write that waited was handed over at 10 s: waiting began there.
        assert (pause.start_ns, pause.length_ms, pause.open) == (ORIGIN + 10 * SECOND, 2000.0, False)

    def test_never_before_the_last_acknowledgement(self) -> None:
        story = Story().send(1, at_s=0).send(1, at_s=1)
        story.sends[0][0].done_ns = ORIGIN + 5 * SECOND  # waits from the start, and past the other's acknowledgement
        (pause, later) = write_pauses(story.history(), at_least_ms=200)
        assert (pause.start_ns, pause.end_ns) == (ORIGIN, ORIGIN + SECOND + 1_000_000)
        assert (later.start_ns, later.end_ns) == (ORIGIN + SECOND + 1_000_000, ORIGIN + 5 * SECOND)

    def test_when_nobody_waits_there_is_no_pause(self) -> None:
        story = Story().send(1, at_s=0).send(1, at_s=30)
        assert write_pauses(story.history(), at_least_ms=100) == []

    def test_a_partition_that_never_answers_again_is_an_open_pause(self) -> None:
        story = Story().send(1, at_s=0).unknown(1, at_s=1).event("phase", 9, name="final")
        (pause,) = write_pauses(story.history(), at_least_ms=100)
        assert (pause.open, pause.length_ms) == (True, 8000.0)

    def test_an_error_does_not_end_a_pause(self) -> None:
        story = Story().send(1, at_s=0).send(1, at_s=1, state=State.UNKNOWN, error=-192).send(1, at_s=6)
        (pause,) = write_pauses(story.history(), at_least_ms=100)
        assert (pause.start_ns, pause.end_ns) == (ORIGIN + SECOND, ORIGIN + 6 * SECOND + 1_000_000)

    def test_partitions_pause_apart(self) -> None:
        story = Story().send(1, at_s=0)
        for tenth in range(40):
            story.send(1, partition=1, at_s=tenth / 10)
        story.send(1, at_s=1)
        story.sends[0][-1].done_ns = ORIGIN + 4 * SECOND
        assert [(pause.partition, pause.length_ms) for pause in write_pauses(story.history(), at_least_ms=200)] == [(0, 3000.0)]

    def test_how_many_waited(self) -> None:
        story = Story().send(1).send(5, at_s=1)
        for one in story.sends[0][1:]:
            one.done_ns = ORIGIN + 3 * SECOND
        (pause,) = write_pauses(story.history(), at_least_ms=200)
        assert pause.waiting == 5

    def test_reads_pause_while_a_record_is_there(self) -> None:
        story = Story().send(1, at_s=0).send(1, at_s=1).log([0, 1]).read(0, 0, at_s=0.1).read(1, 1, at_s=5)
        (pause,) = read_pauses(story.history(), at_least_ms=200)
        # Acknowledged at 1.001 s, delivered at 5 s.
        assert (pause.start_ns, pause.length_ms) == (ORIGIN + SECOND + 1_000_000, 3999.0)

    def test_the_first_of_two_readers_counts(self) -> None:
        story = Story().send(1).log([0]).read(0, 0, at_s=0.1).read(0, 0, at_s=9, session=1)
        assert read_pauses(story.history(), at_least_ms=200) == []


class TestBounds:
    def test_of_kafka(self) -> None:
        bound = failover(KAFKA, controller=False)
        assert bound.value_ms == 9000 + 1000 + 1000 + 10000
        assert bound.formula == "broker.session.timeout.ms + 1000 (election and spread) + retry.backoff.max.ms + reconnect.backoff.max.ms"
        assert bound.lower_ms == 7000
        assert bound.assumed == ()

    def test_of_kafka_when_the_controller_goes_too(self) -> None:
        bound = failover(KAFKA, controller=True)
        assert bound.value_ms == 9000 + 2000 + 2 * 1000 + 1000 + 1000 + 10000
        assert bound.assumed == ("controller.quorum.fetch.timeout.ms", "controller.quorum.election.timeout.ms")

    def test_follows_the_clients_settings(self) -> None:
        settings = Settings(broker=KAFKA.broker, producer={"reconnect.backoff.max.ms": "500"}, consumer={"fetch.wait.max.ms": "100"})
        assert failover(settings, controller=False).value_ms == 9000 + 1000 + 1000 + 500
        assert failover(settings, controller=False, reading=True).value_ms == 9000 + 1000 + 1000 + 10000 + 100 + 500

    def test_of_holdwater_is_far_shorter(self) -> None:
        quick = Settings(kind="holdwater", broker=KAFKA.broker | {"holdwater.quick.failover.ms": "500"})
        bound = failover(quick, controller=False)
        assert (bound.value_ms, bound.assumed) == (500 + 1000 + 1000 + 10000, ())
        assert bound.formula.startswith("holdwater.quick.failover.ms + 1000 (election and spread)")
        bound = failover(quick, controller=True)
        assert bound.value_ms == 500 + 150 + 1000 + 1000 + 1000 + 10000
        assert bound.assumed == ("controller.quorum.election.timeout.ms",)


class TestVerdict:
    def test_held(self) -> None:
        judged = verdict_of(a_killed_leader())
        assert judged.verdict == "held"
        assert result(judged, "lost") == ("held", 0)
        assert result(judged, "write pause") == ("held", 2000.0)
        assert result(judged, "whole again") == ("held", 1)
        assert judged.flaws == []

    def test_broken_by_a_lost_write(self) -> None:
        story = a_killed_leader()
        story.send(1, at_s=20)
        judged = verdict_of(story)
        assert (judged.verdict, result(judged, "lost")) == ("broken", ("broken", 1))

    def test_broken_by_a_pause_past_its_bound(self) -> None:
        judged = verdict_of(a_killed_leader(pause_s=21.5))
        assert (judged.verdict, result(judged, "write pause")) == ("broken", ("broken", 21500.0))

    def test_the_active_controller_has_a_longer_bound(self) -> None:
        assert verdict_of(a_killed_leader(pause_s=21.5, controller=True)).verdict == "held"

    def test_a_pause_elsewhere_is_not_this_rounds(self) -> None:
        story = a_killed_leader()
        story.event("noise", 0)
        story.events = [e._replace(detail={**e.detail, "led": [4], "replicated": [5]}) if e.kind == "kill" else e for e in story.events]
        assert result(verdict_of(story), "write pause") == ("held", 0.0)

    def test_a_pause_belongs_to_the_round_that_it_shares_most_time_with(self) -> None:
        story = a_killed_leader()
        story.event("kill", 20, broker=2, controller=False, led=[0], replicated=[])
        story.event("probe", 20.1, what="kill", ok=True, broker=2)
        story.send(1, at_s=19.9)  # handed over before the second kill, answered long after it
        story.sends[0][-1].done_ns = ORIGIN + 23 * SECOND
        story.log([111]).read(111, 111, at_s=24)
        story.positions = {0: 112}
        judged = verdict_of(story, rounds=2)
        assert [one["write_pause_ms"] for one in judged.figures["rounds"]] == [2000.0, 3100.0]

    def test_broken_when_the_isr_is_not_full_again(self) -> None:
        story = a_killed_leader()
        story.events = [e._replace(detail={**e.detail, "ok": False}) if e.detail.get("name") == "isr-full" else e for e in story.events]
        judged = verdict_of(story)
        assert (judged.verdict, result(judged, "whole again")) == ("broken", ("broken", 0))

    def test_broken_when_no_new_leader_came(self) -> None:
        story = a_killed_leader()
        story.events = [e for e in story.events if e.detail.get("name") != "leaders-elsewhere"]
        judged = verdict_of(story)
        assert (judged.verdict, result(judged, "new leader")) == ("broken", ("broken", 0))

    def test_an_open_pause_is_broken_however_short(self) -> None:
        story = a_killed_leader()
        story.unknown(1, at_s=39.0)  # 1 s to the end of the record; the pause of the kill was 2 s
        assert result(verdict_of(story), "write pause") == ("broken", 1000.0)


class TestInvalid:
    def reasons(self, judged: Judged) -> list[str]:
        assert judged.verdict == "invalid"
        return [flaw.rule for flaw in judged.flaws]

    def test_a_fault_that_did_not_act(self) -> None:
        story = a_killed_leader()
        story.events = [e for e in story.events if e.kind != "probe"]
        judged = verdict_of(story)
        assert self.reasons(judged) == ["fault"]
        assert {judged.cause_of(pause).rule for pause in judged.write_pauses} == {"none"}, "no pause comes of it"

    @pytest.mark.parametrize("own", [False, True])
    def test_a_broker_that_does_not_come_back(self, own: bool) -> None:
        """By somebody's command: nothing is known of its replicas. One of our own: a finding."""
        story = a_killed_leader()
        changes = {"start": {"own": own}, "condition": {"ok": False}}
        story.events = [
            e._replace(detail={**e.detail, **changes.get(e.kind, {})}) if e.detail.get("name") != "leaders-elsewhere" else e
            for e in story.events
            if e.kind != "back"
        ]
        judged = verdict_of(story)
        if own:
            assert (judged.verdict, judged.flaws) == ("broken", [])
        else:
            assert self.reasons(judged) == ["return"]
            assert judged.flaws[0].reason == "round 1: broker 1 did not answer any more after it was started"

    def test_what_follows_from_a_failure_is_not_explained_by_itself(self) -> None:
        story = a_killed_leader().event(
            "failed", 10.05, step="kill", reason="the command 'false 1' ended with exit code 1", next="try it by hand"
        )
        story.events = [e for e in story.events if e.kind != "probe"]
        judged = verdict_of(story, ok_after=1000)
        assert self.reasons(judged) == ["step", "fault", "amount"]
        steps = [flaw.next_step for flaw in judged.flaws]
        assert (steps[0], steps[2]) == ("try it by hand", "it follows from what is said above")
        assert "check the command that should end the broker" in steps[1]

    def test_brokers_that_nobody_has_looked_at(self) -> None:
        story = a_killed_leader()
        story.samples.clear()
        assert self.reasons(verdict_of(story)) == ["samples"]

    def test_too_few_acknowledgements(self) -> None:
        assert self.reasons(verdict_of(a_killed_leader(), ok_before=1000)) == ["amount"]
        assert self.reasons(verdict_of(a_killed_leader(), ok_after=1000)) == ["amount"]

    def test_a_failed_step(self) -> None:
        assert self.reasons(verdict_of(a_killed_leader().event("failed", 3, step="steady", reason="not reached"))) == ["step"]

    def test_fewer_rounds_than_planned(self) -> None:
        assert self.reasons(verdict_of(a_killed_leader(), rounds=2)) == ["rounds"]

    def test_others_interfered(self) -> None:
        assert self.reasons(verdict_of(a_killed_leader().event("unexpected", 3, what="broker 2 was away"))) == ["others"]

    def test_a_clock_step_and_a_stall_of_our_own(self) -> None:
        story = a_killed_leader().event("clock", 40, step_ms=-51.0).event("stall", 40, where="producer", ms=501.0)
        assert self.reasons(verdict_of(story)) == ["clock", "stall"]
        story = a_killed_leader().event("clock", 40, step_ms=-50.0).event("stall", 40, where="producer", ms=500.0)
        assert verdict_of(story).verdict == "held"

    def test_a_log_that_was_not_read_to_its_end_hides_losses(self) -> None:
        story = a_killed_leader()
        story.logs[0].end_offset += 1
        judged = verdict_of(story)
        assert self.reasons(judged) == ["final-read"]
        assert result(judged, "lost") == ("invalid", 0)

    def test_a_partition_that_was_not_read_at_all(self) -> None:
        story = a_killed_leader()
        story.send(1, partition=9, at_s=20)
        assert self.reasons(verdict_of(story)) == ["final-read"]

    def test_a_consumer_that_was_not_finished(self) -> None:
        story = a_killed_leader()
        story.positions = {0: 110}
        assert self.reasons(verdict_of(story)) == ["not-finished"]

    def test_a_lost_write_in_an_invalid_run_is_a_lost_write(self) -> None:
        story = a_killed_leader().event("unexpected", 3, what="broker 2 was away")
        story.send(1, at_s=20)
        judged = verdict_of(story)
        assert (judged.verdict, [flaw.rule for flaw in judged.flaws]) == ("broken", ["others"])

    def test_a_long_pause_in_an_invalid_run_is_not_judged(self) -> None:
        story = a_killed_leader(pause_s=21.5).event("stall", 40, where="producer", ms=9000.0)
        assert self.reasons(verdict_of(story)) == ["stall"]

    def test_interrupted(self) -> None:
        story = a_killed_leader().event("interrupted", 12)
        assert "interrupted" in self.reasons(verdict_of(story))


class TestCauses:
    def cut(
        self, *, acks: str = "1", isr: tuple[int, ...] = (1, 2, 3), elr: tuple[int, ...] = (), asked: bool = False
    ) -> tuple[str, str, str]:
        """Broker 1 acknowledges two records at leader epoch 0; broker 2 takes over at leader epoch 1 from offset 1 on."""
        story = Story().send(3, at_s=1).unknown(1, at_s=2).log([0]).log([3], epoch=1, base_sequence=3).read_all()
        story.sample(0.5, 1, view(leader=1, epoch=0, isr=isr, elr=elr)).sample(1.8, 3, view(leader=2, epoch=1, isr=(2, 3)))
        story.logs[0].epoch_ends = {0: 1}
        if asked:
            story.event("elect-unclean", 1.5)
        settings = Settings(producer={"acks": acks})
        judged = judge(story.history(), settings, Plan("x", (), 0, 0, 0))
        cause = judged.findings["lost-write"].cause
        assert cause is not None
        return cause.rule, cause.confidence, cause.text

    def test_cut_with_acks_1(self) -> None:
        rule, confidence, text = self.cut()
        assert (rule, confidence) == ("cut, acks=1", "certain")
        assert "2 records acknowledged by broker 1 at leader epoch 0 with acks=1 (p0 1..2)" in text
        assert "broker 2 took over at leader epoch 1, whose log ends the old one at 1" in text

    def test_a_cut_tells_its_first_range_and_counts_the_rest(self) -> None:
        story = Story().send(3, at_s=1).send(2, partition=1, at_s=1).unknown(1, at_s=2)
        story.log([0]).log([5], epoch=1, base_sequence=3).log([3], partition=1).read_all()
        story.sample(0.5, 1, view()).sample(1.8, 3, view(leader=2, epoch=1))
        findings = judge(story.history(), Settings(producer={"acks": "1"}), Plan("x", (), 0, 0, 0)).findings
        assert findings["lost-write"].cause is not None
        assert findings["lost-write"].cause.text.startswith("2 records acknowledged by broker 1")
        assert "1 more are in other ranges" in findings["lost-write"].cause.text

    def test_offsets_given_twice_follow_from_a_loss(self) -> None:
        story = Story().send(2).send(1, writer=1, offset=1).log([0]).log([0], writer=1, epoch=1)
        findings = judge(story.history(), Settings(producer={"acks": "1"}), Plan("x", (), 0, 0, 0)).findings
        assert findings["shared-offset"].cause is not None
        assert findings["shared-offset"].cause.rule == "follows-from-loss"

    def test_reading_on_after_a_cut_follows_from_what_vanished(self) -> None:
        story = Story().send(3).log([0]).log([2], epoch=1).read(0, 0).read(1, 1).read(1, 2)
        assert self.rules(story) == {"inconsistent-read": "follows-from-loss", "read-backwards": "follows-from-loss"}

    def test_reading_backwards_in_another_partition_does_not_follow_from_it(self) -> None:
        story = Story().send(3).log([0]).log([2], epoch=1).read(0, 0).read(1, 1).read(1, 2)
        story.send(1, partition=1).log([3], partition=1).read(0, 3, partition=1).read(0, 3, partition=1)
        assert self.rules(story) == {"inconsistent-read": "follows-from-loss", "read-backwards": "none"}

    def rules(self, story: Story) -> dict[str, str]:
        findings = judge(story.history(), Settings(), Plan("x", (), 0, 0, 0)).findings
        causes = {kind: findings[kind].cause for kind in ("inconsistent-read", "read-backwards")}
        return {kind: cause.rule for kind, cause in causes.items() if cause is not None}

    def test_cut_by_an_unclean_election_that_was_asked_for(self) -> None:
        assert self.cut(acks="all", asked=True)[:2] == ("cut, unclean election", "certain")

    def test_cut_by_a_leader_from_outside_the_isr(self) -> None:
        assert self.cut(acks="all", isr=(1, 3))[:2] == ("cut, unclean election", "likely")

    def test_a_leader_from_the_elr_is_clean(self) -> None:
        assert self.cut(acks="all", isr=(1,), elr=(2,))[:2] == ("cluster-fault", "likely")

    def test_acks_all_and_a_clean_election_is_the_clusters_fault(self) -> None:
        assert self.cut(acks="all")[:2] == ("cluster-fault", "likely")

    def test_lost_without_a_change_of_leader(self) -> None:
        story = Story().send(2, at_s=1).log([0]).read_all().sample(0.5, 1, view())
        judged = judge(story.history(), KAFKA, Plan("x", (), 0, 0, 0))
        assert judged.findings["lost-write"].cause is not None
        assert judged.findings["lost-write"].cause.rule == "cluster-fault"

    def test_a_reorder_by_the_broker_or_by_the_client(self) -> None:
        def rule(story: Story, settings: Settings = KAFKA) -> str:
            cause = judge(story.history(), settings, Plan("x", (), 0, 0, 0)).findings["reorder"].cause
            assert cause is not None
            return cause.rule

        assert rule(Story().unknown(2).log([1], base_sequence=1).log([0], base_sequence=0)) == "broker-reorder"
        assert rule(Story().unknown(2).log([1]).log([0])) == "client-reorder"
        assert rule(Story().unknown(2).log([1], producer_id=-1).log([0], producer_id=-1)) == "retry-behind-next"

    def test_a_pause_names_the_fault_and_the_role(self) -> None:
        judged = verdict_of(
            a_killed_leader(controller=True).sample(0, 2, view(1, 2)).sample(0, 2, view()).sample(11, 2, view(leader=2, epoch=1))
        )
        (pause,) = judged.write_pauses
        cause = judged.cause_of(pause)
        assert (cause.rule, cause.confidence) == ("fault", "certain")
        assert cause.text.startswith("Broker 1, which was also the active controller, led the partition and was killed")
        assert "1000 ms after the fault" in cause.text

    @pytest.mark.parametrize(("partition", "rule"), [(1, "fault"), (7, "other-partition")])
    def test_a_pause_on_another_partition(self, partition: int, rule: str) -> None:
        judged = verdict_of(a_killed_leader())
        assert judged.cause_of(judged.write_pauses[0]._replace(partition=partition)).rule == rule

    def test_a_pause_while_the_broker_returns(self) -> None:
        judged = verdict_of(a_killed_leader())
        later = judged.write_pauses[0]._replace(start_ns=ORIGIN + 15 * SECOND, end_ns=ORIGIN + 15 * SECOND + 1)
        cause = judged.cause_of(later)
        assert cause.rule == "return"
        assert "started again 1000 ms before the pause began" in cause.text

    def test_a_pause_without_a_fault(self) -> None:
        def rule(story: Story) -> str:
            judged = judge(story.history(), KAFKA, Plan("x", (), 0, 0, 0))
            return judged.cause_of(judged.write_pauses[0]).rule

        def stalled() -> Story:
            story = Story().send(2)
            story.sends[0][1].done_ns = ORIGIN + 5 * SECOND
            return story

        def starting() -> Story:
            story = Story().send(1).send(1, at_s=1)
            story.sends[0][0].done_ns = ORIGIN + SECOND // 2
            return story

        assert rule(stalled()) == "none"
        assert rule(starting()) == "start"
        assert rule(stalled().sample(1, 3, reachable=False)) == "silent-broker"
        assert rule(stalled().sample(0, 1, view()).sample(2, 1, view(epoch=1, leader=2))) == "leader-change"

    def test_the_first_record_of_a_consumer_that_starts(self) -> None:
        judged = judge(Story().send(2).log([0, 1]).read(0, 0, at_s=1).read(1, 1, at_s=3).history(), KAFKA, Plan("x", (), 0, 0, 0))
        assert [judged.cause_of(pause).rule for pause in judged.read_pauses] == ["start", "none"]


def test_counts_of_the_unknown() -> None:
    judged = judge(Story().send(1).unknown(3).log([0, 2]).history(), KAFKA, Plan("x", (), 0, 0, 0))
    assert (judged.counts.ok, judged.counts.unknown, judged.counts.unknown_in_log) == (1, 3, 1)


def test_judging_twice_gives_the_same(a_history: History) -> None:
    plan = Plan("leader-election", EXPECTATIONS, 1, 50, 5)
    assert judge(a_history, KAFKA, plan).figures == judge(a_history, KAFKA, plan).figures


@pytest.fixture
def a_history() -> History:
    return a_killed_leader().history()
