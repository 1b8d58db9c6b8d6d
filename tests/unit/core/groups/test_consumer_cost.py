"""What heartbeats cost: a quiet one looks at nobody else, and a large group settles within two heartbeat intervals."""

import sys
from types import FrameType

from tests.support.consumer_groups import CALLER, GROUP, Bench, Consumer

from holdwater.core.coordinator import Decision
from holdwater.wire.messages import ConsumerGroupHeartbeatRequest

BEAT_MS = 5_000
CALLS_MAX = 20


def settled_bench(members: int, **fields: str) -> tuple[Bench, list[Consumer]]:
    bench = Bench(topics={"orders": 3 * members}, **fields)
    consumers = [Consumer(bench, f"m{number:03d}", ["orders"]) for number in range(members)]
    for _ in range(3):
        for consumer in consumers:
            consumer.settle()
        bench.wait(BEAT_MS)
    assert bench.group.state_name == "Stable"
    return bench, consumers


def calls_of_a_quiet_heartbeat(bench: Bench, consumer: Consumer) -> int:
    """Calls of Python functions, constructors of messages included."""
    request = ConsumerGroupHeartbeatRequest(group_id=GROUP, member_id=consumer.member_id, member_epoch=consumer.epoch)
    calls: list[str] = []

    def count(frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            calls.append(frame.f_code.co_name)

    decisions: list[Decision] = []
    sys.setprofile(count)
    try:
        decisions.append(bench.group.heartbeat(request, CALLER, lambda response: None))
    finally:
        sys.setprofile(None)
    assert decisions[0].records == ()
    return len(calls)


def test_a_quiet_heartbeat_costs_the_same_in_a_small_group_and_in_a_large_one() -> None:
    small, large = settled_bench(3), settled_bench(100)
    cost = calls_of_a_quiet_heartbeat(small[0], small[1][0])
    assert cost == calls_of_a_quiet_heartbeat(large[0], large[1][50])
    assert cost <= CALLS_MAX


def test_a_hundred_members_on_300_partitions_settle_within_two_heartbeat_intervals() -> None:
    bench = Bench(topics={"orders": 300})
    consumers = [Consumer(bench, f"m{number:03d}", ["orders"]) for number in range(100)]
    for consumer in consumers:
        consumer.settle()
        bench.wait(10)
    for _ in range(2 * BEAT_MS // 50):
        beating = consumers[bench.host.mono_ms // 50 % 100]
        beating.settle()
        bench.wait(50)
    assert bench.group.state_name == "Stable"
    assert [len(consumer.uses) for consumer in consumers] == [3] * 100
    assert bench.group.state.group_epoch == 101


def test_one_member_more_moves_no_more_than_its_share() -> None:
    bench, consumers = settled_bench(20)
    before = {consumer.member_id: set(consumer.uses) for consumer in consumers}
    newcomer = Consumer(bench, "n", ["orders"])
    for _ in range(3):
        for consumer in (newcomer, *consumers):
            consumer.settle()
        bench.wait(BEAT_MS)
    assert len(newcomer.uses) == 60 // 21
    assert sum(len(before[consumer.member_id] - consumer.uses) for consumer in consumers) == len(newcomer.uses)
