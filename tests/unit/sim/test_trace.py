"""The trace and its digest."""

from holdwater.sim.trace import Trace


def of(*lines: str, compressed: bool = False) -> Trace:
    trace = Trace(lambda: 7, compressed=compressed)
    for line in lines:
        trace.line("n1", line)
    return trace


def test_equal_lines_give_equal_digests_however_often_one_asks() -> None:
    many = [str(number) for number in range(1_000)]
    asked = of(*many[:300])
    assert asked.digest == asked.digest
    for line in many[300:]:
        asked.line("n1", line)
    assert asked.digest == of(*many).digest
    assert asked.digest != of(*many[:-1]).digest
    assert of("a", "b").digest != of("ab").digest


def test_compressed_bytes_stay_out() -> None:
    one, other = of(compressed=True), of(compressed=True)
    one.delivery("n1", "n2", b"made by one library")
    other.delivery("n1", "n2", b"by another version of it")
    assert one.digest == other.digest
    one, other = of(), of()
    one.delivery("n1", "n2", b"this")
    other.delivery("n1", "n2", b"that")
    assert one.digest != other.digest


def test_the_story_leaves_deliveries_out() -> None:
    trace = of("killed", "started")
    trace.delivery("n1", "n2", b"x")
    assert trace.story(10) == ["7 n1 killed", "7 n1 started"]
    assert len(trace.story(10, deliveries=True)) == 3
