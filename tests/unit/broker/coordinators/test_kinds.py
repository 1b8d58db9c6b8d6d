"""Which partition a group or transactional id belongs to: the values are Java's."""

import pytest

from holdwater.broker.coordinators.kinds import partition_for


@pytest.mark.parametrize(
    ("key", "java_hash"),
    [
        ("", 0),
        ("abc", 96354),
        ("Aa", 2112),
        ("BB", 2112),
        ("polygenelubricants", -(2**31)),
        ("console-consumer-12345", 158_455_506),
        ("my-group", -1_906_497_762),
        ("\N{GRINNING FACE}", 1_772_899),
        ("\u00e9", 233),
    ],
)
@pytest.mark.parametrize("count", [1, 3, 50])
def test_a_key_belongs_to_the_partition_of_its_java_hash(key: str, java_hash: int, count: int) -> None:
    positive = 0 if java_hash == -(2**31) else abs(java_hash)
    assert partition_for(key, count) == positive % count
