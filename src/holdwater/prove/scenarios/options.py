"""What a user may change about a scenario."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Options:
    """Times in seconds. ``None`` leaves the choice to the scenario."""

    kills: int = 1
    choose: str = "leader"
    min_controller_kills: int = 0
    steady_s: float = 5.0
    down_s: float = 2.0
    after_s: float = 3.0
    limit_s: float = 120.0
    rate: float = 2000
    value_bytes: int = 128
    writers: int = 1
    keys: int = 24
    partitions: int = 6
    replication_factor: int = 3
    topic_configs: dict[str, str] = field(default_factory=dict[str, str])
    producer: dict[str, str] = field(default_factory=dict[str, str])
    consumer: dict[str, str] = field(default_factory=dict[str, str])
