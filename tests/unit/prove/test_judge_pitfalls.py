"""Histories in which a verdict is easily wrong: what looks held and is not, what looks broken and is not, and causes that are not known."""

import pytest
from tests.support.story import ORIGIN, SECOND, Story, a_killed_leader, view

from holdwater.prove.history.model import Event, State
from holdwater.prove.judge.bounds import failover
from holdwater.prove.judge.verdict import Expect, Judged, Plan, judge
from holdwater.prove.scenarios.leader_election import EXPECTATIONS
from holdwater.prove.settings import Settings

KAFKA = Settings(
    kind="kafka",
    broker={"broker.session.timeout.ms": "9000", "broker.heartbeat.interval.ms": "2000"},
    topic={"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1", "min.insync.replicas": "2"},
    producer={"enable.idempotence": "true", "acks": "all"},
)


def settings(**changed: dict[str, str]) -> Settings:
    made = Settings.from_json(KAFKA.as_json())
    for name, values in changed.items():
        setattr(made, name, getattr(made, name) | values)
    return made


def judged_of(story: Story, given: Settings = KAFKA, expectations: tuple[Expect, ...] = EXPECTATIONS, **plan: int) -> Judged:
    return judge(story.history(), given, Plan("leader-election", expectations, **({"rounds": 1, "ok_before": 50, "ok_after": 5} | plan)))


def rows(judged: Judged) -> dict[str, str]:
    return {one.name: one.verdict for one in judged.results}


def actual(judged: Judged, name: str) -> float | int | None:
    return next(one.actual for one in judged.results if one.name == name)


def reason(judged: Judged, name: str) -> str:
    return next(one.reason for one in judged.results if one.name == name)


def rules(judged: Judged) -> list[str]:
    return [flaw.rule for flaw in judged.flaws]


def changed(story: Story, kind: str, **detail: object) -> Story:
    story.events = [event._replace(detail={**event.detail, **detail}) if event.kind == kind else event for event in story.events]
    return story


def condition(story: Story, name: str, **detail: object) -> Story:
    def change(event: Event) -> Event:
        return event._replace(detail={**event.detail, **detail}) if event.detail.get("name") == name else event

    story.events = [change(event) for event in story.events]
    return story


def test_the_story_that_all_others_vary_is_held() -> None:
    judged = judged_of(a_killed_leader())
    assert (judged.verdict, rules(judged)) == ("held", [])
    assert set(rows(judged).values()) <= {"held", "skipped"}


class TestWaiting:
    @pytest.mark.parametrize(("state", "error"), [(State.UNKNOWN, -152), (State.UNKNOWN, 19), (State.FAIL, -150)])
    def test_writes_that_failed_waited_too(self, state: State, error: int) -> None:
        """Whether a write that never got through is known not to be written says nothing about how long it was waited for."""
        story = a_killed_leader()
        for second in range(12, 40):
            story.send(1, partition=1, at_s=second, state=state, error=error)
        story.log([0], partition=1, writer=1, producer_id=77).send(1, writer=1, partition=1, at_s=1).read_all(session=1)
        judged = judged_of(story)
        assert rows(judged)["longest write pause"] == "broken"
        assert judged.verdict == "broken"

    def test_a_full_local_queue_is_no_pause_of_the_partition(self) -> None:
        story = a_killed_leader()
        story.send(1, writer=1, partition=7, at_s=1).log([0], writer=1, partition=7).read_all(session=1)
        for second in range(12, 37):
            story.send(1, writer=1, partition=7, at_s=second, state=State.FAIL, error=-184)
        assert judged_of(story).verdict == "held"

    def test_the_next_fault_does_not_hide_how_long_it_has_been(self) -> None:
        """Partition 0 stands still from 20 s to 60 s; the second fault is what sets it going again."""
        story = a_killed_leader()
        story.event("kill", 39.5, broker=2, controller=False, led=[0], replicated=[]).event("probe", 39.6, what="kill", ok=True, broker=2)
        story.event("condition", 45, name="leaders-elsewhere", ok=True, limit_s=60).event("start", 46, broker=2)
        story.event("condition", 47, name="isr-full", ok=True, limit_s=60).event("end", 80)
        story.send(10, at_s=20)
        for one in story.sends[0][-10:]:
            one.done_ns = ORIGIN + 60 * SECOND
        story.send(10, at_s=61).log(list(range(111, 131))).read_all(session=1)
        judged = judged_of(story, rounds=2)
        assert (judged.verdict, actual(judged, "longest write pause")) == ("broken", 40000.0)

    def test_each_pause_elsewhere_has_the_bound_of_its_round(self) -> None:
        story = changed(a_killed_leader(), "kill", controller=True)
        story.event("kill", 60, broker=2, controller=False, led=[0], replicated=[]).event("probe", 60.1, what="kill", ok=True, broker=2)
        story.event("condition", 66, name="leaders-elsewhere", ok=True, limit_s=60).event("start", 67, broker=2)
        story.event("condition", 68, name="isr-full", ok=True, limit_s=60).event("end", 100)
        story.send(20, writer=1, partition=7, at_s=1).send(1, writer=1, partition=7, at_s=12).send(1, writer=1, partition=7, at_s=61)
        story.sends[1][-2].done_ns = ORIGIN + int(36.5 * SECOND)
        story.sends[1][-1].done_ns = ORIGIN + 85 * SECOND
        story.send(10, at_s=69).log(list(range(111, 121))).log(list(range(22)), writer=1, partition=7).read_all(session=1)
        judged = judged_of(story, rounds=2)
        assert (judged.verdict, actual(judged, "longest write pause elsewhere")) == ("broken", 24000.0)

    def test_a_partition_far_from_the_fault_that_never_comes_back(self) -> None:
        story = a_killed_leader()
        story.send(20, writer=1, partition=7, at_s=1).log(list(range(20)), writer=1, partition=7).read_all(session=1)
        story.unknown(5, writer=1, partition=7, at_s=12)
        judged = judged_of(story)
        assert rows(judged)["longest write pause"] == "held"
        assert rows(judged)["longest write pause elsewhere"] == "broken"
        assert judged.verdict == "broken"

    def test_a_pause_on_another_partition_has_the_same_bound(self) -> None:
        story = a_killed_leader()
        story.send(20, writer=1, partition=7, at_s=1).send(1, writer=1, partition=7, at_s=12)
        story.sends[1][-1].done_ns = ORIGIN + 25 * SECOND
        story.log(list(range(21)), writer=1, partition=7).read_all(session=1)
        judged = judged_of(story)
        assert (judged.verdict, actual(judged, "longest write pause elsewhere")) == ("held", 13000.0)

    def test_a_pause_outlives_its_round(self) -> None:
        """Round 1 takes partition 1 away; it comes back long after round 2, whose broker has nothing to do with it, began."""
        story = a_killed_leader()
        story.event("kill", 25, broker=4, controller=False, led=[0], replicated=[]).event("probe", 25.1, what="kill", ok=True, broker=4)
        story.event("condition", 29, name="leaders-elsewhere", ok=True, limit_s=60).event("start", 30, broker=4)
        story.event("condition", 31, name="isr-full", ok=True, limit_s=60).event("end", 80)
        story.send(2, writer=1, partition=1, at_s=10.2).send(10, at_s=26)
        for one in story.sends[1]:
            one.done_ns = ORIGIN + 70 * SECOND
        story.log([0, 1], writer=1, partition=1).log(list(range(111, 121))).read_all(session=1)
        judged = judged_of(story, rounds=2)
        assert (rows(judged)["longest write pause"], judged.verdict) == ("broken", "broken")

    def test_what_was_before_the_fault_is_not_its_doing(self) -> None:
        story = a_killed_leader()
        waiting = next(one for one in story.sends[0] if one.done_ns == ORIGIN + 12 * SECOND)
        waiting.invoke_ns = ORIGIN + SECOND // 2
        for one in story.sends[0]:
            if one.invoke_ns >= ORIGIN + SECOND and one is not waiting:
                one.invoke_ns = max(one.invoke_ns, ORIGIN + 12 * SECOND)
                one.done_ns = max(one.done_ns, ORIGIN + 22 * SECOND)
        waiting.done_ns = ORIGIN + 22 * SECOND
        judged = judged_of(story, ok_before=5)
        assert (rows(judged)["longest write pause"], actual(judged, "longest write pause")) == ("held", 12000.0)
        (pause,) = [one for one in judged.write_pauses if one.length_ms > 20_000]
        assert judged.cause_of(pause).confidence == "likely"

    @pytest.mark.parametrize("where", ["before", "after"])
    def test_a_partition_that_was_led_and_not_written_to(self, where: str) -> None:
        story = changed(a_killed_leader(), "kill", led=[0, 5])
        if where == "after":
            story.send(5, writer=1, partition=5, at_s=1).log(list(range(5)), writer=1, partition=5).read_all(session=1)
        judged = judged_of(story)
        assert (judged.verdict, rules(judged)) == ("invalid", ["amount"])
        assert "partitions [5]" in judged.flaws[0].reason


class TestBoundsThatAreNotSure:
    def test_of_brokers_that_tell_nothing(self) -> None:
        judged = judged_of(a_killed_leader(pause_s=21.5), Settings("kafka", topic=KAFKA.topic, producer=KAFKA.producer))
        assert (judged.verdict, rules(judged), rows(judged)["longest write pause"]) == ("invalid", ["bound"], "invalid")
        assert "broker.session.timeout.ms" in judged.flaws[0].reason

    def test_a_session_timeout_counts_at_the_controllers(self) -> None:
        judged = judged_of(a_killed_leader(pause_s=21.5), settings(broker={"process.roles": "broker"}))
        assert (judged.verdict, rules(judged)) == ("invalid", ["bound"])

    def test_lingering_is_the_clients_own_delay(self) -> None:
        judged = judged_of(a_killed_leader(pause_s=21.5), settings(producer={"linger.ms": "30000"}))
        assert judged.verdict == "held"
        assert judged.results[4].bound is not None
        assert judged.results[4].bound.formula.endswith("+ linger.ms")
        assert judged_of(a_killed_leader(pause_s=21.5), settings(producer={"queue.buffering.max.ms": "999.5"})).verdict == "held"

    def test_readers_wait_for_what_lingers(self) -> None:
        assert failover(settings(producer={"linger.ms": "25000"}), controller=False, reading=True).inputs["linger.ms"] == 25000

    def test_new_leaders_that_are_waited_for_by_a_bound_that_is_not_sure(self) -> None:
        story = condition(a_killed_leader(), "leaders-elsewhere", ok=False, limit_s=120)
        judged = judged_of(story, settings(broker={"process.roles": "broker"}))
        assert (judged.verdict, rules(judged), rows(judged)["new leader elected"]) == ("invalid", ["bound"], "invalid")
        assert "no controllers" in judged.flaws[0].reason

    def test_one_that_is_not_sure_takes_nothing_from_the_others(self) -> None:
        story = a_killed_leader()
        story.send(20, writer=1, partition=7, at_s=1).send(1, writer=1, partition=7, at_s=12)
        story.sends[1][-1].done_ns = ORIGIN + 37 * SECOND
        story.log(list(range(21)), writer=1, partition=7).read_all(session=1).unknown(1, at_s=38)
        judged = judged_of(story, settings(broker={"process.roles": "broker"}))
        assert rows(judged)["longest write pause elsewhere"] == "invalid"
        assert (judged.verdict, rows(judged)["longest write pause"]) == ("broken", "broken")

    @pytest.mark.parametrize(("limit_s", "verdict"), [(5, "invalid"), (60, "broken")])
    def test_a_users_patience_is_no_promise(self, limit_s: float, verdict: str) -> None:
        judged = judged_of(condition(a_killed_leader(), "isr-full", ok=False, limit_s=limit_s))
        assert judged.verdict == verdict
        assert rows(judged)["killed broker back in every ISR"] == verdict

    def test_nor_where_new_leaders_are_waited_for(self) -> None:
        judged = judged_of(condition(a_killed_leader(), "leaders-elsewhere", ok=False, limit_s=5))
        assert (judged.verdict, rules(judged), rows(judged)["new leader elected"]) == ("invalid", ["limit"], "invalid")


class TestFaultsThatWereNone:
    def test_a_broker_that_led_nothing(self) -> None:
        judged = judged_of(changed(a_killed_leader(), "kill", led=[], replicated=[0, 1]))
        assert (judged.verdict, rules(judged), rows(judged)["new leader elected"]) == ("invalid", ["fault"], "skipped")

    def test_a_leader_that_nobody_can_follow(self) -> None:
        story = a_killed_leader(pause_s=25).sample(1, 1, view()._replace(replicas=(1,), isr=(1,)))
        judged = judged_of(story)
        assert (judged.verdict, rules(judged), rows(judged)["longest write pause"]) == ("invalid", ["fault"], "invalid")
        assert "nobody but broker 1 has a replica of partitions [0]" in judged.flaws[0].reason

    def test_one_round_of_two_that_led_nothing(self) -> None:
        story = a_killed_leader()
        story.event("kill", 25, broker=4, controller=False, led=[], replicated=[0]).event("probe", 25.1, what="kill", ok=True, broker=4)
        story.event("condition", 25.4, name="leaders-elsewhere", ok=True, limit_s=60)  # of nothing, all is true at once
        story.event("start", 30, broker=4).event("condition", 31, name="isr-full", ok=True, limit_s=60).event("end", 50)
        story.send(10, at_s=26).log(list(range(111, 121))).read_all(session=1)
        judged = judged_of(story, rounds=2)
        assert (judged.verdict, actual(judged, "new leader elected")) == ("held", 1)

    def test_new_leaders_sooner_than_a_dead_broker_is_missed(self) -> None:
        def story() -> Story:
            made = a_killed_leader()
            made.events = [
                e._replace(time_ns=ORIGIN + 10_300_000_000) if e.detail.get("name") == "leaders-elsewhere" else e for e in made.events
            ]
            return made

        judged = judged_of(story())
        assert (judged.verdict, rules(judged)) == ("invalid", ["fault"])
        assert "300 ms" in judged.flaws[0].reason
        assert judged_of(story(), Settings("holdwater", topic=KAFKA.topic, producer=KAFKA.producer)).verdict == "held", "which is quick"

    def test_what_could_not_be_seen_did_not_hold(self) -> None:
        story = a_killed_leader()
        for log in story.logs.values():
            log.batches = [batch._replace(producer_id=-1, base_sequence=-1) for batch in log.batches]
        judged = judged_of(story, settings(producer={"enable.idempotence": "false"}))
        skipped = {"high watermark falls", "gaps in producer sequences", "stored twice by the cluster"}
        assert {name for name, verdict in rows(judged).items() if verdict == "skipped"} == skipped
        assert "no high watermark was seen" in reason(judged, "high watermark falls")
        assert judged.verdict == "held"


class TestTheEnd:
    def test_a_cluster_that_is_not_whole(self) -> None:
        judged = judged_of(a_killed_leader().event("condition", 41, name="whole-at-end", ok=False, limit_s=60))
        assert (judged.verdict, rules(judged)) == ("invalid", ["end"])

    def test_a_broker_that_never_came_back_is_said_once(self) -> None:
        story = condition(a_killed_leader(), "isr-full", ok=False)
        assert judged_of(story.event("condition", 41, name="whole-at-end", ok=False, limit_s=60)).verdict == "broken"

    def test_a_loss_that_is_proven_stays_one(self) -> None:
        story = a_killed_leader()
        story.send(1, at_s=20).send(1, writer=1, partition=1, at_s=20).log([0], writer=1, partition=1).read_all(session=1)
        story.logs[1].end_offset += 1
        judged = judged_of(story)
        assert (judged.verdict, rules(judged), rows(judged)["acknowledged writes lost"]) == ("broken", ["final-read"], "broken")

    def test_also_when_the_run_is_interrupted(self) -> None:
        story = a_killed_leader().event("interrupted", 42)
        story.send(1, at_s=20)
        assert judged_of(story).verdict == "broken"
        assert judged_of(a_killed_leader().event("interrupted", 42)).verdict == "invalid"

    def test_a_consumer_that_stopped_early_has_seen_nothing(self) -> None:
        story = a_killed_leader()
        story.positions = {0: 50}
        judged = judged_of(story)
        assert (judged.verdict, rows(judged)["acknowledged, never delivered"], rows(judged)["skipped by the consumer"]) == ("invalid",) * 3

    @pytest.mark.parametrize("acknowledged", [False, True])
    def test_a_write_that_comes_when_the_ends_are_noted(self, acknowledged: bool) -> None:
        story = a_killed_leader().event("noted-ends", 45, ends={0: 111})
        story.send(1, at_s=20, state=State.OK if acknowledged else State.UNKNOWN).read(111, 111, at_s=46)
        judged = judged_of(story)
        assert judged.findings["vanished-read"].count == int(acknowledged)
        assert judged.verdict == ("broken" if acknowledged else "invalid")
        assert rules(judged) == ([] if acknowledged else ["moved"])


class TestTheTopic:
    def lost_below_the_start(self) -> Story:
        story = a_killed_leader()
        log = story.logs[0]
        log.start_offset = 20
        log.batches = [log.batches[0]._replace(base_offset=20, records=91)]
        del log.offsets[:20], log.batch_of[:20], log.flags[:20]
        story.content[0] = story.content[0][20:]
        return story

    def test_records_that_may_go_are_not_lost(self) -> None:
        judged = judged_of(self.lost_below_the_start(), settings(topic={"retention.ms": "10000"}))
        assert (judged.verdict, rules(judged)) == ("invalid", ["retention"])
        assert rows(judged)["acknowledged writes lost"] == "invalid"

    def test_records_that_may_not_go_are_lost(self) -> None:
        judged = judged_of(self.lost_below_the_start())
        assert (judged.verdict, rules(judged), judged.findings["lost-write"].count) == ("broken", [], 20)
        cause = judged.findings["lost-write"].cause
        assert cause is not None
        assert "log start moved to 20" in cause.text

    def test_a_compacted_topic_proves_nothing(self) -> None:
        assert rules(judged_of(a_killed_leader(), settings(topic={"cleanup.policy": "compact,delete"}))) == ["retention"]

    def test_a_topic_that_was_made_anew(self) -> None:
        story = a_killed_leader()
        story.send(1, at_s=20)
        history = story.history()
        history.topic_id = "first"
        history.final_topic_id = "second"
        judged = judge(history, KAFKA, Plan("x", EXPECTATIONS, 1, 50, 5))
        assert (judged.verdict, rules(judged)) == ("invalid", ["topic"])
        assert rows(judged)["acknowledged writes lost"] == "invalid"

    def test_somebody_elses_records(self) -> None:
        story = a_killed_leader().log([-1, -1], producer_id=4242)
        story.positions[0] = 113
        judged = judged_of(story)
        assert (judged.verdict, rules(judged), judged.findings["phantom"].count) == ("invalid", ["others"], 0)

    @pytest.mark.parametrize("damage", ["unsound", "among ours"])
    def test_records_that_nobody_can_read_are_damage(self, damage: str) -> None:
        story = a_killed_leader()
        story.log([-1], sound=damage != "unsound", producer_id=4242) if damage == "unsound" else story.unknown(1, at_s=20).log([111, -1])
        judged = judged_of(story)
        assert (judged.verdict, judged.findings["phantom"].count) == ("broken", 1)


class TestCausesThatAreNotKnown:
    def cause(self, story: Story, *, acks: str = "all", finding: str = "lost-write") -> tuple[str, str]:
        judged = judged_of(story, settings(producer={"acks": acks}), rounds=0, ok_before=0, ok_after=0)
        cause = judged.findings[finding].cause
        assert cause is not None
        return cause.rule, cause.confidence

    def cut(self) -> Story:
        """Broker 1 acknowledges two records at leader epoch 0 that another one's log does not have."""
        story = Story().send(3, at_s=1).unknown(1, at_s=2).log([0]).log([3], epoch=2, base_sequence=3).read_all()
        story.logs[0].epoch_ends = {0: 1}
        return story

    def test_nobody_has_seen_the_new_leader(self) -> None:
        assert self.cause(self.cut().sample(0.5, 1, view())) == ("cut", "unknown")

    def test_an_epoch_without_a_leader_comes_between(self) -> None:
        story = self.cut().sample(0.5, 1, view(isr=(1,))).sample(1.5, 3, view(leader=-1, epoch=1, isr=(1,)))
        assert self.cause(story.sample(1.8, 3, view(leader=2, epoch=2, isr=(2,)))) == ("cut, unclean election", "likely")

    def test_nothing_was_written_after_it(self) -> None:
        story = (
            Story().send(3, at_s=1).log([0]).read_all().sample(0.5, 1, view(isr=(1,))).sample(1.5, 3, view(leader=-1, epoch=1, isr=(1,)))
        )
        story.logs[0].epoch_ends = {0: 1}
        assert self.cause(story.sample(1.8, 3, view(leader=2, epoch=2, isr=(2,)))) == ("cut, unclean election", "likely")

    def test_a_stale_broker_disagrees(self) -> None:
        story = self.cut().sample(0.5, 1, view(isr=(1,))).sample(0.6, 3, view()).sample(1.8, 3, view(leader=2, epoch=2))
        assert self.cause(story) == ("cut", "unknown")

    def test_all_say_that_it_was_in_sync(self) -> None:
        story = self.cut().sample(0.5, 1, view()).sample(0.6, 3, view()).sample(1.8, 3, view(leader=2, epoch=2))
        assert self.cause(story) == ("cluster-fault", "likely")

    @pytest.mark.parametrize("how", ["read", "below the high watermark"])
    def test_acks_1_does_not_excuse_what_was_committed(self, how: str) -> None:
        story = self.cut().sample(0.5, 1, view(hw=3 if how != "read" else -1)).sample(1.8, 3, view(leader=2, epoch=2))
        if how == "read":
            story.read(1, 1, at_s=1.4)
        assert self.cause(story, acks="1") == ("cluster-fault", "likely")

    def test_a_producer_session_that_the_cluster_forgot_looks_like_a_client_that_sent_again(self) -> None:
        story = Story().send(2).log([0, 1]).log([1], producer_id=2000).read_all()
        assert self.cause(story, finding="duplicate-by-client") == ("client-resend", "likely")

    def test_sequences_go_round(self) -> None:
        story = Story().unknown(2).log([1], base_sequence=0).log([0], base_sequence=2**31 - 1)
        assert self.cause(story, finding="reorder") == ("broker-reorder", "certain")


class TestSettingsThatChangeIt:
    def remedy(self, given: Settings, pause_s: float = 60.0, error: int = 0) -> tuple[str, str]:
        story = a_killed_leader(pause_s=pause_s)
        if error:
            story.send(5, at_s=14, state=State.UNKNOWN, error=error)
        judged = judged_of(story, given)
        cause = judged.cause_of(max(judged.write_pauses, key=lambda pause: pause.length_ms))
        return cause.rule, cause.remedy

    def test_of_a_session(self) -> None:
        assert self.remedy(KAFKA) == ("fault", "broker.session.timeout.ms")
        assert self.remedy(Settings("holdwater", topic=KAFKA.topic, producer=KAFKA.producer)) == ("fault", "holdwater.quick.failover.ms")

    def test_of_replicas_that_cannot_be_enough(self) -> None:
        assert self.remedy(settings(topic={"min.insync.replicas": "3"}))[1] == "min.insync.replicas=2, or a higher replication factor"

    def test_of_a_client_that_gave_up(self) -> None:
        assert self.remedy(KAFKA, error=-150)[0] == "client-fatal"


def test_the_longest_pause_is_the_longest() -> None:
    story = a_killed_leader(pause_s=15).unknown(1, at_s=38.0)
    assert judged_of(story).figures["longest_write_pause_ms"] == 15000.0
