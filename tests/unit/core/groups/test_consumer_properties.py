"""Random lives of a consumer group: whoever joins, leaves, falls silent or loses an answer, and whatever becomes of the topics.

After every step no partition has two users (C2), no epoch has fallen (C1), and a group made from the log, whole or compacted, equals the live one.
In the end, when everybody heartbeats, everybody has a fair share.
"""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.support.consumer_groups import GROUP, Bench, Consumer

from holdwater.core.groups.consumer.group import ConsumerGroup
from holdwater.core.groups.consumer.state import ConsumerState
from holdwater.kernel.errors import ErrorCode

TOPICS = ["orders", "returns", "stock"]
SUBSCRIPTIONS = st.lists(st.sampled_from(TOPICS), min_size=0, max_size=3, unique=True)
BEAT_MS = 5_000


class GroupLife(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.consumers: list[Consumer] = []
        self.born = 0
        self.group_epoch = 0
        self.member_epochs: dict[str, int] = {}

    @initialize(interval=st.sampled_from(["0", "1000"]), topics=st.lists(st.integers(1, 6), min_size=2, max_size=2))
    def begin(self, interval: str, topics: list[int]) -> None:
        self.bench = Bench(topics=dict(zip(TOPICS, topics, strict=False)), group_consumer_assignment_interval_ms=interval)

    @rule(
        topics=SUBSCRIPTIONS,
        regex=st.sampled_from([None, None, "or.*", ".*s"]),
        assignor=st.sampled_from([None, "uniform", "range"]),
        static=st.booleans(),
    )
    def join(self, topics: list[str], regex: str | None, assignor: str | None, static: bool) -> None:
        if len(self.consumers) < 6:
            self.born += 1
            instance = f"instance-{self.born % 4}" if static else None
            consumer = Consumer(self.bench, f"m{self.born}", topics, regex, instance, assignor)
            self.consumers.append(consumer)
            consumer.beat()

    @precondition(lambda self: self.consumers)
    @rule(data=st.data())
    def beat(self, data: st.DataObject) -> None:
        self.pick(data).beat()

    @precondition(lambda self: self.consumers)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        self.pick(data).settle()

    @precondition(lambda self: self.consumers)
    @rule(data=st.data())
    def lose_an_answer(self, data: st.DataObject) -> None:
        self.pick(data).beat(lose_answer=True)

    @precondition(lambda self: self.consumers)
    @rule(data=st.data(), topics=SUBSCRIPTIONS, regex=st.sampled_from(["", "or.*", ".*"]))
    def subscribe(self, data: st.DataObject, topics: list[str], regex: str) -> None:
        consumer = self.pick(data)
        consumer.subscribe(*topics)
        consumer.regex = regex
        consumer.beat()

    @precondition(lambda self: self.consumers)
    @rule(data=st.data(), for_good=st.booleans())
    def leave(self, data: st.DataObject, for_good: bool) -> None:
        consumer = self.pick(data)
        if consumer.stopped is None:
            consumer.leave(-1 if for_good or consumer.instance_id is None else -2)
        self.consumers.remove(consumer)

    @precondition(lambda self: self.consumers)
    @rule(data=st.data())
    def vanish(self, data: st.DataObject) -> None:
        """It is killed: nobody hears from it again."""
        self.consumers.remove(self.pick(data))

    @rule(name=st.sampled_from(TOPICS), more=st.integers(1, 3))
    def grow(self, name: str, more: int) -> None:
        self.bench.put_topic(name, self.bench.host.topics.partition_count(name) + more)

    @rule(name=st.sampled_from(TOPICS))
    def drop(self, name: str) -> None:
        if name in self.bench.host.topics.ids:
            self.bench.drop_topic(name)

    @rule(ms=st.sampled_from([0, 1_000, BEAT_MS, 12_000, 46_000, 61_000]))
    def time_passes(self, ms: int) -> None:
        self.bench.wait(ms)

    @rule()
    def another_coordinator(self) -> None:
        self.bench.reload()

    @precondition(lambda self: self.consumers)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        self.bench.host.fail_next(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        self.pick(data).beat()

    def pick(self, data: st.DataObject) -> Consumer:
        return self.consumers[data.draw(st.integers(0, len(self.consumers) - 1))]

    @property
    def state(self) -> ConsumerState:
        return self.bench.group.state

    @invariant()
    def no_partition_has_two_users(self) -> None:
        users: dict[tuple[bytes, int], str] = {}
        for consumer in self.consumers:
            if consumer.member_id in self.state.members and consumer.epoch > 0:
                for partition in sorted(consumer.uses):
                    assert users.setdefault(partition, consumer.member_id) == consumer.member_id
                    assert self.state.owner(*partition) == consumer.member_id

    @invariant()
    def no_epoch_has_fallen(self) -> None:
        assert self.state.group_epoch >= self.group_epoch
        assert self.state.assignment_epoch <= self.state.group_epoch
        self.group_epoch = self.state.group_epoch
        epochs = {member_id: member.member_epoch for member_id, member in self.state.members.items()}
        for member_id, epoch in epochs.items():
            assert epoch == -2 or epoch >= self.member_epochs.get(member_id, 0)
            assert epoch <= self.state.group_epoch
        self.member_epochs.update((member_id, epoch) for member_id, epoch in epochs.items() if epoch > 0)

    @invariant()
    def the_log_tells_it_all(self) -> None:
        assert self.bench.rebuilt().state == self.state
        compacted = ConsumerGroup(GROUP, self.bench.host)
        for entry in self.bench.host.compacted():
            assert entry.key is not None
            compacted.replay(entry.key, entry.value)
        assert compacted.state == self.state

    @invariant()
    def the_owners_are_those_who_own(self) -> None:
        owners: dict[Any, str] = {}
        for member in self.state.members.values():
            for partitions in (member.assigned, member.pending_revocation):
                for topic_id, numbers in partitions.items():
                    owners.update(dict.fromkeys(((topic_id, number) for number in numbers), member.member_id))
        assert owners == {(topic_id, number): who for topic_id, numbers in self.state.owners.items() for number, who in numbers.items()}

    @invariant()
    def only_members_have_targets(self) -> None:
        assert set(self.state.targets) <= set(self.state.members)
        assert set(self.state.resolved) <= set(self.state.regex_counts)

    def teardown(self) -> None:
        """Everybody heartbeats for two minutes: by then the lost are fenced, expressions looked up, and all is shared out."""
        for _ in range(2 * 60_000 // BEAT_MS):
            for consumer in self.consumers:
                consumer.settle()
                self.no_partition_has_two_users()
            self.bench.wait(BEAT_MS)
        members = sorted(consumer.member_id for consumer in self.consumers if consumer.epoch > 0)
        assert sorted(self.state.members) == members
        assert self.bench.group.state_name == ("Stable" if members else "Empty")
        subscribed = [name for name in self.bench.host.topics.names() if self.bench.group.is_subscribed_to(name)]
        wanted = {(self.bench.host.topics.ids[name], p) for name in subscribed for p in range(self.bench.host.topics.counts[name])}
        assert {partition for consumer in self.consumers for partition in consumer.uses} == wanted
        live = [consumer for consumer in self.consumers if consumer.epoch > 0]
        if (
            len({(tuple(sorted(each.topics)), each.regex or "") for each in live}) == 1
            and self.bench.group.describe().assignor_name == "uniform"
        ):
            loads = [len(each.uses) for each in live]
            assert max(loads) - min(loads) <= 1


GroupLife.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestGroupLife = GroupLife.TestCase
