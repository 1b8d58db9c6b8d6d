"""What a new coordinator tells the members that it takes over.

Another broker may have led in between whose log lacked what was stored last, and have answered members by what it knew: seed 339846.
"""

from tests.support.consumer_groups import Bench, Consumer, settled

from holdwater.kernel.errors import ErrorCode


def one_has_it_all() -> tuple[Bench, Consumer, Consumer]:
    """Both members have joined, and ``a`` is to give one of its partitions to ``b``."""
    bench = Bench(topics={"orders": 2}, group_consumer_assignment_interval_ms="0")
    a, b = Consumer(bench, "a", ["orders"]), Consumer(bench, "b", ["orders"])
    a.settle()
    b.settle()
    return bench, a, b


def test_it_tells_who_must_give_up() -> None:
    bench, a, b = one_has_it_all()
    a.beat(lose_answer=True)
    a.sends_all = False
    bench.reload()
    told = a.beat()
    assert bench.names(told.assignment) == {"orders": [0]}
    a.settle()
    settled(bench, a, b)
    assert a.errors == []


def test_it_tells_who_was_given_more() -> None:
    bench, a, b = one_has_it_all()
    a.settle()
    b.beat(lose_answer=True)
    b.sends_all = False
    bench.reload()
    assert bench.names(b.beat().assignment) == {"orders": [1]}


def test_it_tells_once() -> None:
    bench = Bench(topics={"orders": 2}, group_consumer_assignment_interval_ms="0")
    a = Consumer(bench, "a", ["orders"])
    a.settle()
    assert a.beat().assignment is None
    bench.reload()
    assert bench.names(a.beat().assignment) == {"orders": [0, 1]}
    assert a.beat().assignment is None


def test_it_tells_again_after_an_answer_that_failed() -> None:
    """Not every client says everything after an error: franz-go repeats what it asked."""
    bench, a, _ = one_has_it_all()
    a.beat(lose_answer=True)
    bench.reload()
    for _ in range(2):
        bench.host.hold()
        assert bench.send(member_id="a", member_epoch=a.epoch) is None
        bench.host.lose(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        assert bench.answers[-1].error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert bench.names(bench.answered(member_id="a", member_epoch=a.epoch).assignment) == {"orders": [0]}
