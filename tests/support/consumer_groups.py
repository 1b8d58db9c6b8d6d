"""One consumer group on a fake host, and clients that behave as Kafka's do: they give up before they take, and say what they have."""

from dataclasses import dataclass, field
from typing import Any

from tests.support.coordinator import FakeHost

from holdwater.core.coordinator import Caller
from holdwater.core.groups.consumer.group import ConsumerGroup
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.codec.classes import Message
from holdwater.wire.messages import ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse

GROUP = "workers"
REBALANCE_TIMEOUT_MS = 60_000
CALLER = Caller(1, "client", "/127.0.0.1")
Wanted = ConsumerGroupHeartbeatRequest.TopicPartitions


class OneGroup:
    """A shard with one consumer group."""

    def __init__(self, host: FakeHost) -> None:
        self.group = ConsumerGroup(GROUP, host)

    def replay(self, offset: int, key: Message, value: Message | None, producer_id: int, producer_epoch: int) -> None:
        self.group.replay(key, value)

    def end_transaction(self, producer_id: int, producer_epoch: int, committed: bool) -> None:
        raise AssertionError("a consumer group has no transactions")

    def loaded(self) -> None:
        self.group.loaded()

    def unloaded(self, error_code: int) -> None:
        self.group.unloaded(error_code)

    def topics_changed(self) -> None:
        self.group.topics_changed()


class Bench:
    """See the module. ``answers`` keeps every answer, in order."""

    def __init__(self, *, topics: dict[str, int] | None = None, **config: str) -> None:
        self.host = FakeHost({name.replace("_", "."): text for name, text in config.items()})
        for name, count in (topics or {}).items():
            self.host.topics.put(name, count)
        self.shard = OneGroup(self.host)
        self.host.shard = self.shard
        self.answers: list[ConsumerGroupHeartbeatResponse] = []

    @property
    def group(self) -> ConsumerGroup:
        return self.shard.group

    def send(self, caller: Caller = CALLER, **fields: Any) -> ConsumerGroupHeartbeatResponse | None:
        """One heartbeat; ``None`` while its answer waits for the commit."""
        count = len(self.answers)
        request = ConsumerGroupHeartbeatRequest(group_id=GROUP, **fields)
        self.host.run(self.group.heartbeat(request, caller, self.answers.append))
        return self.answers[-1] if len(self.answers) > count else None

    def answered(self, **fields: Any) -> ConsumerGroupHeartbeatResponse:
        """One heartbeat that is answered at once."""
        response = self.send(**fields)
        assert response is not None
        return response

    def join(self, member_id: str, *topics: str, **fields: Any) -> ConsumerGroupHeartbeatResponse:
        """Join with topic names."""
        fields.setdefault("subscribed_topic_names", list(topics))
        fields.setdefault("rebalance_timeout_ms", REBALANCE_TIMEOUT_MS)
        return self.answered(member_id=member_id, member_epoch=0, topic_partitions=[], **fields)

    def put_topic(self, name: str, partitions: int) -> None:
        """Create a topic, or give it more partitions."""
        self.host.topics.put(name, partitions)
        self.group.topics_changed()

    def drop_topic(self, name: str) -> None:
        """Delete a topic."""
        self.host.topics.drop(name)
        self.group.topics_changed()

    def wait(self, ms: int = 0) -> None:
        """Let time pass, and do what is due."""
        self.host.advance(ms)

    def reload(self) -> None:
        """Another broker becomes the coordinator and reads the log."""
        self.group.unloaded(ErrorCode.NOT_COORDINATOR)
        self.shard = OneGroup(self.host)
        self.host.load(self.shard)

    def rebuilt(self) -> ConsumerGroup:
        """A group made from the log alone."""
        group = ConsumerGroup(GROUP, self.host)
        for entry in self.host.log:
            assert entry.key is not None
            group.replay(entry.key, entry.value)
        return group

    def names(self, assignment: ConsumerGroupHeartbeatResponse.Assignment | None) -> dict[str, list[int]] | None:
        """An assignment by topic names."""
        if assignment is None:
            return None
        return {self.host.topics.name(each.topic_id) or "?": each.partitions for each in assignment.topic_partitions}

    def owned_names(self, member_id: str) -> dict[str, list[int]]:
        """What the state has assigned to a member, by topic names."""
        assigned = self.group.state.members[member_id].assigned
        return {self.host.topics.name(topic_id) or "?": sorted(numbers) for topic_id, numbers in sorted(assigned.items())}


@dataclass
class Consumer:
    """A client. ``uses`` are the partitions that its application may use now."""

    bench: Bench
    member_id: str
    topics: list[str]
    regex: str | None = None
    instance_id: str | None = None
    assignor: str | None = None
    epoch: int = 0
    uses: set[tuple[bytes, int]] = field(default_factory=set[tuple[bytes, int]])
    changed: bool = True
    sends_all: bool = True
    stopped: ConsumerGroupHeartbeatResponse | None = None
    """The answer after which it gave up: another has its instance id, or the group is a classic one that it was not in when it became that."""
    errors: list[int] = field(default_factory=list[int])

    def beat(self, *, lose_answer: bool = False) -> ConsumerGroupHeartbeatResponse:
        """One heartbeat; without ``lose_answer`` the client acts on the answer."""
        if self.stopped is not None:
            return self.stopped
        fields: dict[str, Any] = {"member_id": self.member_id, "member_epoch": self.epoch, "instance_id": self.instance_id}
        if self.sends_all or self.epoch == 0:
            fields.update(rebalance_timeout_ms=REBALANCE_TIMEOUT_MS, server_assignor=self.assignor)
            fields.update(subscribed_topic_names=self.topics, subscribed_topic_regex=self.regex)
        if self.sends_all or self.changed or self.epoch == 0:
            fields["topic_partitions"] = self._owned() if self.epoch else []
        response = self.bench.answered(**fields)
        if lose_answer:
            self.sends_all = True
            return response
        self._act(response)
        return response

    def settle(self) -> None:
        """Heartbeats for as long as the answers bring something to confirm."""
        self.beat()
        while self.changed:
            self.beat()

    def subscribe(self, *topics: str) -> None:
        """Another subscription, sent with the next heartbeat."""
        self.topics = list(topics)
        self.sends_all = True

    def leave(self, epoch: int = -1) -> ConsumerGroupHeartbeatResponse:
        """Leave; the application is told to stop first."""
        self.uses.clear()
        response = self.bench.answered(member_id=self.member_id, member_epoch=epoch, instance_id=self.instance_id)
        self.epoch, self.sends_all = 0, True
        return response

    def _owned(self) -> list[Wanted]:
        owned: dict[bytes, list[int]] = {}
        for topic_id, number in sorted(self.uses):
            owned.setdefault(topic_id, []).append(number)
        return [Wanted(topic_id, numbers) for topic_id, numbers in owned.items()]

    def _act(self, response: ConsumerGroupHeartbeatResponse) -> None:
        self.changed = False
        if response.error_code:
            self.errors.append(response.error_code)
            if response.error_code in (ErrorCode.FENCED_INSTANCE_ID, ErrorCode.GROUP_ID_NOT_FOUND):
                self.stopped = response
                self.uses.clear()
            if response.error_code in (ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.FENCED_INSTANCE_ID):
                self.uses.clear()
                self.epoch, self.sends_all = 0, True
            return
        self.sends_all = False
        self.epoch = response.member_epoch
        if response.assignment is not None:
            given = {(topic.topic_id, number) for topic in response.assignment.topic_partitions for number in topic.partitions}
            self.changed = given != self.uses
            self.uses = given


def settled(bench: Bench, *consumers: Consumer) -> None:
    """Heartbeats until nothing changes any more."""
    for _ in range(4):
        for consumer in consumers:
            consumer.settle()
        bench.wait(1_000)
    assert bench.group.state_name == "Stable"
