"""How long and how often: the full run's figures, and the short ones of ``--quick``."""

from typing import NamedTuple


class Sizes(NamedTuple):
    """Durations in seconds, and numbers of rounds."""

    cold_starts: int
    kafka_cold_starts: int
    memory_rounds: int
    memory_wait_s: float
    rounds: int
    run_s: float
    read_s: float
    warm_up_s: float
    kills: int
    kafka_kills: int


FULL = Sizes(
    cold_starts=10,
    kafka_cold_starts=4,
    memory_rounds=3,
    memory_wait_s=30,
    rounds=3,
    run_s=20,
    read_s=10,
    warm_up_s=30,
    kills=10,
    kafka_kills=10,
)
QUICK = Sizes(
    cold_starts=3, kafka_cold_starts=1, memory_rounds=1, memory_wait_s=10, rounds=2, run_s=4, read_s=3, warm_up_s=6, kills=3, kafka_kills=2
)
PARTITIONS = 6
REPLICAS = 3
