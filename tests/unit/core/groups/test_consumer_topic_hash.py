"""The hash of a group's topics is Kafka's, bit for bit: a coordinator of either kind takes over without a rebalance."""

from pathlib import Path
from struct import pack

import pytest

from holdwater.core.groups.consumer.topic_hash import group_hash, topic_hash
from holdwater.core.groups.consumer.xxh3 import xxh3

LINES = [line.split() for line in (Path(__file__).parent / "kafka_topic_hashes.txt").read_text().splitlines() if not line.startswith("#")]
TOPIC_ID = bytes.fromhex("01020304050607081112131415161718")


@pytest.mark.parametrize("line", [line for line in LINES if line[0] != "G"], ids=" ".join)
def test_topic_hash(line: list[str]) -> None:
    name, partitions, racks, expected = line
    each = ("rack-a", "rack-b") if racks == "2" else ()
    assert topic_hash(TOPIC_ID, name, [each] * int(partitions)) == int(expected)


@pytest.mark.parametrize("line", [line for line in LINES if line[0] == "G"], ids=" ".join)
def test_hash_of_every_length(line: list[str]) -> None:
    numbers = [(place * 0x9E3779B97F4A7C15 + 1) % 2**64 for place in range(int(line[1]))]
    assert xxh3(b"".join(pack("<Q", number) for number in numbers)) == int(line[2])


def test_group_hash_is_a_signed_number_over_the_topics_in_order_of_their_names() -> None:
    assert group_hash({}) == 0
    hashes = {name: topic_hash(TOPIC_ID, name, [()] * 3) for name in ("b", "a", "c")}
    expected = xxh3(pack("<QQQ", hashes["a"], hashes["b"], hashes["c"]))
    assert group_hash(hashes) % 2**64 == expected
    assert all(-(2**63) <= group_hash({"t": value}) < 2**63 for value in range(20))
    assert any(group_hash({"t": value}) < 0 for value in range(20))


def test_topic_hash_sees_every_fact() -> None:
    plain = topic_hash(TOPIC_ID, "t", [("a",), ("a",)])
    others = [
        topic_hash(TOPIC_ID[::-1], "t", [("a",), ("a",)]),
        topic_hash(TOPIC_ID, "u", [("a",), ("a",)]),
        topic_hash(TOPIC_ID, "t", [("a",), ("a",), ("a",)]),
        topic_hash(TOPIC_ID, "t", [("a",), ("b",)]),
        topic_hash(TOPIC_ID, "t", [("a", "b"), ()]),
    ]
    assert plain not in others
    assert len(set(others)) == len(others)
