"""One group with members of both protocols, and clients of the classic one that behave as Kafka's do: eager, or cooperative."""

from dataclasses import dataclass, field
from typing import Any

from tests.support.classic_groups import DELAY_MS, Answers, Member
from tests.support.classic_groups import Bench as ClassicBench
from tests.support.consumer_groups import CALLER, Consumer

from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.consumer.group import ConsumerGroup
from holdwater.core.groups.shard import GroupShard
from holdwater.core.groups.subscriptions import assignment_bytes, assignment_of, subscription_of
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.codec.compiled import encode
from holdwater.wire.messages import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    ConsumerProtocolSubscription,
    JoinGroupResponse,
    SyncGroupResponse,
)

GROUP = "workers"
SUBSCRIPTION_VERSION = 3
TopicPartition = ConsumerProtocolSubscription.TopicPartition


class MixedBench(ClassicBench):
    """A group shard; clients of both protocols talk to it."""

    def __init__(self, *, topics: dict[str, int] | None = None, **texts: str) -> None:
        super().__init__(**texts)
        for name, count in (topics or {}).items():
            self.host.topics.put(name, count)

    @property
    def group(self) -> ClassicGroup | ConsumerGroup:
        """The group as it is now."""
        group = self.shard.groups[GROUP]
        assert isinstance(group, ClassicGroup | ConsumerGroup)
        return group

    @property
    def classic(self) -> ClassicGroup:
        """The group, which must be a classic one."""
        assert isinstance(self.group, ClassicGroup)
        return self.group

    @property
    def consumer(self) -> ConsumerGroup:
        """The group, which must be a consumer group."""
        assert isinstance(self.group, ConsumerGroup)
        return self.group

    def send(self, **fields: Any) -> list[ConsumerGroupHeartbeatResponse]:
        """One heartbeat of the new protocol; the answer may come later."""
        answers: list[ConsumerGroupHeartbeatResponse] = []
        request = ConsumerGroupHeartbeatRequest(group_id=GROUP, **fields)
        self.host.run(self.shard.consumer_heartbeat(request, CALLER, answers.append))
        return answers

    def answered(self, **fields: Any) -> ConsumerGroupHeartbeatResponse:
        """One that is answered at once."""
        (response,) = self.send(**fields)
        return response

    def wait(self, ms: int = 0) -> None:
        """Let time pass, and do what is due."""
        self.host.advance(ms)

    def reload(self) -> None:
        """Another broker becomes the coordinator and reads the log."""
        self.shard.unloaded(ErrorCode.NOT_COORDINATOR)
        self.shard = GroupShard(self.host)
        self.host.load(self.shard)


@dataclass(eq=False)
class ClassicConsumer:
    """A client. ``uses`` are the partitions, by topic name, that its application may use now."""

    bench: MixedBench
    topics: list[str]
    cooperative: bool = False
    instance_id: str | None = None
    session_ms: int = 10_000
    rebalance_ms: int = 60_000
    user_data: bytes | None = None
    uses: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    joins: Answers | None = None
    syncs: Answers | None = None
    member: Member = field(default_factory=lambda: Member(GROUP))
    errors: list[ErrorCode] = field(default_factory=list[ErrorCode])
    stopped: bool = False

    @property
    def protocol(self) -> str:
        """The assignor it uses."""
        return "cooperative-sticky" if self.cooperative else "range"

    @property
    def is_settled(self) -> bool:
        """Whether it waits for nothing."""
        return self.joins is None and self.syncs is None and self.member.generation >= 0

    def beat(self) -> None:
        """Go on with what is under way; else a heartbeat, and what follows from it."""
        if self.stopped:
            return
        if self.joins is not None:
            if self.joins:
                self._joined()
        elif self.syncs is not None:
            if self.syncs:
                self._synced()
        elif self.member.generation < 0:
            self._join()
        else:
            self._react(self.bench.heartbeat(self.member))

    def settle(self) -> None:
        """Beat until nothing is under way, or it has to wait for others."""
        for _ in range(10):
            self.beat()
            waits = (self.joins is not None and not self.joins) or (self.syncs is not None and not self.syncs)
            if waits or (self.is_settled and self.bench.heartbeat(self.member) == ErrorCode.NONE):
                return

    def leave(self) -> None:
        """Leave for good."""
        self.uses.clear()
        if self.member.member_id:
            self.bench.leave(self.member)
        self.stopped = True

    def crash(self) -> None:
        """Fall silent; its partitions are free once the group says so."""
        self.uses.clear()
        self.stopped = True

    # Errors

    def _react(self, error: ErrorCode) -> None:
        if error == ErrorCode.NONE:
            return
        self.errors.append(error)
        self.joins = self.syncs = None
        if error in (ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION):
            self.uses.clear()
            self.member.generation = -1
            if error == ErrorCode.UNKNOWN_MEMBER_ID:
                self.member.member_id = ""
        if error == ErrorCode.FENCED_INSTANCE_ID:
            self.uses.clear()
            self.stopped = True
            return
        self._join()

    # Join

    def _metadata(self) -> bytes:
        owned = [TopicPartition(name, sorted(number for topic, number in self.uses if topic == name)) for name in self.topics]
        subscription = ConsumerProtocolSubscription(self.topics, self.user_data, [one for one in owned if one.partitions])
        return SUBSCRIPTION_VERSION.to_bytes(2, "big") + encode(subscription, SUBSCRIPTION_VERSION)

    def _join(self) -> None:
        if not self.cooperative:
            self.uses.clear()
        self.joins = self.bench.join(
            GROUP,
            self.member.member_id,
            protocols={self.protocol: self._metadata()},
            instance_id=self.instance_id,
            session_ms=self.session_ms,
            rebalance_ms=self.rebalance_ms,
        )
        if self.joins:
            self._joined()

    def _joined(self) -> None:
        assert self.joins is not None
        response: JoinGroupResponse = self.joins.only
        self.joins = None
        if response.error_code == ErrorCode.MEMBER_ID_REQUIRED:
            self.member.member_id = response.member_id
            self._join()
        elif response.error_code != ErrorCode.NONE:
            self._react(ErrorCode(response.error_code))
        else:
            self.member.instance_id = self.instance_id
            self.member.member_id, self.member.generation = response.member_id, response.generation_id
            self._sync(self._assign(response) if response.leader == response.member_id else {})

    def _assign(self, response: JoinGroupResponse) -> dict[Member, bytes]:
        """What a group's leader does: partitions in turn; with cooperative rebalancing none that another member has not given up."""
        subscriptions = {one.member_id: subscription_of(one.metadata) for one in response.members}
        has = {
            (topic.topic, number): member_id
            for member_id, subscription in subscriptions.items()
            for topic in subscription.owned_partitions
            for number in topic.partitions
        }
        shares: dict[str, dict[str, list[int]]] = {member_id: {} for member_id in subscriptions}
        names = sorted({name for subscription in subscriptions.values() for name in subscription.topics})
        for name in names:
            takers = [member_id for member_id, subscription in sorted(subscriptions.items()) if name in subscription.topics]
            for number in range(self.bench.host.topics.partition_count(name)):
                taker = takers[number % len(takers)]
                if not self.cooperative or has.get((name, number), taker) == taker:
                    shares[taker].setdefault(name, []).append(number)
        return {
            Member(GROUP, member_id): assignment_bytes(share.items(), SUBSCRIPTION_VERSION.to_bytes(2, "big"))
            for member_id, share in shares.items()
        }

    # Sync

    def _sync(self, assignments: dict[Member, bytes]) -> None:
        self.member.joins = Answers()
        self.syncs = self.bench.sync(self.member, assignments)
        if self.syncs:
            self._synced()

    def _synced(self) -> None:
        assert self.syncs is not None
        response: SyncGroupResponse = self.syncs.only
        self.syncs = None
        if response.error_code != ErrorCode.NONE:
            self._react(ErrorCode(response.error_code))
            return
        given = {(topic.topic, number) for topic in assignment_of(response.assignment).assigned_partitions for number in topic.partitions}
        gives_up = self.uses - given
        self.uses = given
        if gives_up and self.cooperative:
            self._join()


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


def mixed(**options: Any) -> tuple[MixedBench, ClassicConsumer, Consumer]:
    """A group with one member of each protocol, at rest."""
    bench = MixedBench(topics=TOPICS)
    (old,) = classic_members(bench, 1, **options)
    new = newcomer(bench)
    settle(bench, old, new)
    return bench, old, new
