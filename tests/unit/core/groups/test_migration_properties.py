"""Whatever clients of both protocols do in one group, no partition has two users (C2), and when they are left in peace each has one."""

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.support.consumer_groups import Consumer
from tests.support.mixed_groups import GROUP, ClassicConsumer, MixedBench

from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.consumer.group import ConsumerGroup
from holdwater.kernel.errors import ErrorCode

PLACES = st.integers(0, 5)
CLIENTS_MAX = 5


class MixedGroup(RuleBasedStateMachine):
    """Clients come, go, fall silent, and are slow; coordinators change; what they write is refused now and then."""

    @initialize(cooperative=st.booleans())
    def begin(self, cooperative: bool) -> None:
        self.bench = MixedBench(topics={"t": 3, "u": 2})
        self.cooperative = cooperative
        self.clients: list[ClassicConsumer | Consumer] = []
        self.came = 0

    def _topics(self, both: bool) -> list[str]:
        return ["t", "u"] if both else ["t"]

    @precondition(lambda self: len(self.clients) < CLIENTS_MAX)
    @rule(both=st.booleans())
    def classic_comes(self, both: bool) -> None:
        client = ClassicConsumer(self.bench, self._topics(both), cooperative=self.cooperative)
        self.clients.append(client)
        client.beat()

    @precondition(lambda self: len(self.clients) < CLIENTS_MAX)
    @rule(both=st.booleans())
    def new_comes(self, both: bool) -> None:
        self.came += 1
        client = Consumer(self.bench, f"new-{self.came}", self._topics(both))  # pyright: ignore[reportArgumentType]
        self.clients.append(client)
        client.beat()

    @rule(place=PLACES)
    def leaves(self, place: int) -> None:
        if place < len(self.clients):
            self.clients.pop(place).leave()

    @rule(place=PLACES)
    def falls_silent(self, place: int) -> None:
        if place < len(self.clients):
            self.clients.pop(place)

    @rule(place=PLACES, count=st.integers(1, 4))
    def beats(self, place: int, count: int) -> None:
        for _ in range(count):
            if place < len(self.clients):
                self.clients[place].beat()

    @rule(ms=st.sampled_from([100, 1_000, 3_000, 11_000, 46_000]))
    def time_passes(self, ms: int) -> None:
        self.bench.wait(ms)

    @rule()
    def coordinator_moves(self) -> None:
        self.bench.reload()

    @rule(count=st.integers(3, 5))
    def topic_grows(self, count: int) -> None:
        if count > self.bench.host.topics.partition_count("t"):
            self.bench.host.topics.put("t", count)
            self.bench.shard.topics_changed()

    @rule()
    def an_append_is_refused(self) -> None:
        self.bench.host.fail_next(ErrorCode.NOT_ENOUGH_REPLICAS)

    @invariant()
    def no_partition_has_two_users(self) -> None:
        users: dict[tuple[str, int], ClassicConsumer | Consumer] = {}
        for client in self.clients:
            if self._is_member(client):
                for topic, number in sorted(client.uses, key=str):
                    name = topic if isinstance(topic, str) else self.bench.host.topics.name(topic)
                    assert name is not None
                    assert users.setdefault((name, number), client) is client, (name, number)

    def _is_member(self, client: ClassicConsumer | Consumer) -> bool:
        """One that was removed may not know it yet; what it still does is fenced elsewhere."""
        group = self.bench.shard.groups.get(GROUP)
        member_id = client.member_id if isinstance(client, Consumer) else client.member.member_id
        return isinstance(group, ClassicGroup | ConsumerGroup) and member_id in (
            group.members if isinstance(group, ClassicGroup) else group.state.members
        )

    def teardown(self) -> None:
        self.bench.host._failure = None
        for _ in range(70):
            for client in self.clients:
                client.settle()
                self.no_partition_has_two_users()
            self.bench.wait(1_000)
            self.clients = [client for client in self.clients if not client.stopped]
        if not self.clients:
            return
        wanted = {
            (name, number)
            for name in sorted({name for client in self.clients for name in client.topics})
            for number in range(self.bench.host.topics.partition_count(name))
        }
        used = [
            (topic if isinstance(topic, str) else self.bench.host.topics.name(topic), number)
            for client in self.clients
            for topic, number in client.uses
        ]
        assert len(used) == len(wanted)
        assert set(used) == wanted
        has_new = any(isinstance(client, Consumer) for client in self.clients)
        assert isinstance(self.bench.group, ConsumerGroup) or not has_new


TestMixedGroup = MixedGroup.TestCase
