"""Which level of durability a topic's configuration asks for."""

import pytest

from holdwater.kernel.configs.durability import FSYNC, INTERVAL, Durability, durability_of
from holdwater.kernel.configs.topics import Layers, effective_all


@pytest.mark.parametrize(
    ("own", "static", "expected"),
    [
        ({}, {}, None),
        ({"flush.messages": "10"}, {}, Durability(INTERVAL, 10, None)),
        ({"flush.ms": "100"}, {}, Durability(INTERVAL, 2**63 - 1, 100)),
        ({"flush.ms": "0", "flush.messages": "1"}, {}, Durability(INTERVAL, 1, 0)),
        ({}, {"log.flush.interval.ms": "7"}, Durability(INTERVAL, 2**63 - 1, 7)),
        ({}, {"log.flush.scheduler.interval.ms": "8"}, Durability(INTERVAL, 2**63 - 1, 8)),
        ({}, {"log.flush.scheduler.interval.ms": "8", "log.flush.interval.ms": "7"}, Durability(INTERVAL, 2**63 - 1, 7)),
        ({}, {"log.flush.interval.messages": "9"}, Durability(INTERVAL, 9, None)),
        ({"holdwater.durable.acks": "true"}, {}, Durability(FSYNC, 1, None)),
        ({"holdwater.durable.acks": " True ", "flush.ms": "100", "flush.messages": "10"}, {}, Durability(FSYNC, 1, None)),
        ({}, {"holdwater.durable.acks": "true"}, Durability(FSYNC, 1, None)),
        ({"holdwater.durable.acks": "false"}, {"holdwater.durable.acks": "true"}, None),
        ({"holdwater.durable.acks": "perhaps"}, {"holdwater.durable.acks": "true"}, Durability(FSYNC, 1, None)),
    ],
)
def test_level(own: dict[str, str], static: dict[str, str], expected: Durability | None) -> None:
    found = effective_all(own, Layers({}, {}, static))
    assert durability_of({each.key.name: each.text for each in found if each.text is not None}) == expected
