"""A follower's fetcher: which answers count, and when it asks again."""

from types import SimpleNamespace
from typing import Any, cast

from tests.support.logs import batch, new_log

from holdwater.broker.broker import Broker
from holdwater.broker.fetcher import Fetchers
from holdwater.broker.partitions import HostedPartition
from holdwater.broker.timers import Timers
from holdwater.core.replica import FollowerReplica
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import TopicPartition
from holdwater.wire.messages import FetchResponse

TOPIC_ID = bytes(15) + b"\x07"
LEADER = 2


class FakeLink:
    """Keeps what is asked of the leader."""

    on_down: Any = SimpleNamespace()

    def __init__(self) -> None:
        self.asked: list[tuple[Any, Any]] = []

    def request(self, request: Any, version: int, response_class: Any, timeout_ms: int, on_reply: Any) -> None:
        del version, response_class, timeout_ms
        self.asked.append((request, on_reply))


class World:
    """One follower of one partition."""

    def __init__(self) -> None:
        self.link = FakeLink()
        texts = {"replica.fetch.wait.max.ms": 500, "replica.fetch.backoff.ms": 1000}
        self.broker = SimpleNamespace(
            mono_ms=1000,
            wall_ms=1000,
            node_id=1,
            timers=Timers(),
            config=SimpleNamespace(int=lambda key: texts.get(key, 1 << 20)),  # pyright: ignore[reportUnknownLambdaType]
            inter_broker_endpoint=lambda _: SimpleNamespace(host="h", port=1),  # pyright: ignore[reportUnknownLambdaType]
            links=SimpleNamespace(to=lambda *_: self.link),  # pyright: ignore[reportUnknownLambdaType]
            lifecycle=SimpleNamespace(broker_epoch=7),
        )
        self.fetchers = Fetchers(cast(Broker, self.broker))
        self.partition = HostedPartition(TopicPartition("t", 0), TOPIC_ID, new_log(), {})

    def follow(self, leader_epoch: int) -> None:
        """Begin to follow in a leader epoch."""
        self.fetchers.unfollow(self.partition)
        self.partition.replica = FollowerReplica(
            log=self.partition.log, leader_id=LEADER, leader_epoch=leader_epoch, partition_epoch=leader_epoch, high_watermark=0
        )
        self.fetchers.follow(self.partition, LEADER)
        self.broker.timers.run(self.broker.mono_ms)

    def answer(self, *, error: int = 0, records: bytes = b"") -> None:
        """Answer the last fetch."""
        data = FetchResponse.PartitionData(partition_index=0, error_code=error, high_watermark=0, log_start_offset=0, records=records)
        topic = FetchResponse.FetchableTopicResponse(topic_id=TOPIC_ID, partitions=[data])
        self.link.asked[-1][1](FetchResponse(session_id=5, responses=[topic]))


def test_an_answer_to_a_fetch_of_an_earlier_role_is_not_appended() -> None:
    world = World()
    world.follow(1)
    world.follow(3)
    world.answer(records=batch("of epoch 1", leader_epoch=1))
    assert world.partition.log.log_end_offset == 0
    asked = world.link.asked[-1][0].topics[0].partitions[0]
    assert (asked.current_leader_epoch, asked.fetch_offset) == (3, 0)


def test_a_refusal_of_an_earlier_role_does_not_delay_the_present_one() -> None:
    world = World()
    world.follow(1)
    world.follow(2)
    world.answer(error=ErrorCode.FENCED_LEADER_EPOCH)
    assert [request.topics[0].partitions[0].current_leader_epoch for request, _ in world.link.asked] == [1, 2]


def test_a_fetch_waits_no_longer_than_until_a_refused_partition_may_be_asked_for_again() -> None:
    world = World()
    other = HostedPartition(TopicPartition("t", 1), TOPIC_ID, new_log(), {})
    other.replica = FollowerReplica(log=other.log, leader_id=LEADER, leader_epoch=1, partition_epoch=1, high_watermark=0)
    world.fetchers.follow(other, LEADER)
    world.follow(1)
    world.answer(error=ErrorCode.NOT_LEADER_OR_FOLLOWER)
    assert [request.max_wait_ms for request, _ in world.link.asked] == [500, 100]
