"""The settings of a seed: real defaults, or small ones that make rare paths common. Each is on or off by itself (swarm testing)."""

from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import Settings


def draw_settings(rng: Rng) -> Settings:
    """A cluster of mostly three brokers, sometimes more."""
    texts: dict[str, str] = {}
    _draw_log_settings(rng, texts)
    _draw_replica_settings(rng, texts)
    _draw_durability(rng, texts)
    slow = rng.chance(0.3)
    return Settings(
        brokers=3 if rng.chance(0.9) else 3 + rng.uniform_ms(1, 2),
        broker=texts,
        delay_us=(100, 20_000) if slow else (50, 1_000),
        rare_delay_us=200_000 if slow else 20_000,
        wake_delay_us=rng.below(5_000),
        drift_ppm_max=(100, 10_000, 50_000)[rng.below(3)],
        gather_us=0 if rng.chance(0.5) else rng.uniform_ms(10, 500),
        log_dir_count=1 if rng.chance(0.7) else rng.uniform_ms(2, 3),
    )


def _draw_log_settings(rng: Rng, texts: dict[str, str]) -> None:
    if rng.chance(0.3):
        texts["log.roll.ms"] = str(rng.uniform_ms(500, 10_000))
    if rng.chance(0.3):
        texts["metadata.log.max.record.bytes.between.snapshots"] = str(rng.uniform_ms(2, 20) * 1024)
    if rng.chance(0.2):
        texts["metadata.log.segment.ms"] = str(rng.uniform_ms(1_000, 20_000))
    if rng.chance(0.3):
        texts["replica.high.watermark.checkpoint.interval.ms"] = str(rng.uniform_ms(100, 5_000))
    if rng.chance(0.3):
        texts["log.flush.offset.checkpoint.interval.ms"] = str(rng.uniform_ms(100, 5_000))
    if rng.chance(0.3):
        texts["log.flush.start.offset.checkpoint.interval.ms"] = str(rng.uniform_ms(100, 5_000))
    if rng.chance(0.3):
        texts["log.index.interval.bytes"] = str(rng.uniform_ms(0, 1_000))


def _draw_replica_settings(rng: Rng, texts: dict[str, str]) -> None:
    if rng.chance(0.3):
        texts["replica.lag.time.max.ms"] = str(rng.uniform_ms(1_000, 10_000))
    if rng.chance(0.3):
        texts["replica.fetch.max.bytes"] = str(rng.uniform_ms(200, 2_000))
    if rng.chance(0.2):
        texts["replica.fetch.wait.max.ms"] = str(rng.uniform_ms(10, 800))
    if rng.chance(0.3):
        texts["broker.session.timeout.ms"] = str(rng.uniform_ms(3_000, 9_000))
        texts["broker.heartbeat.interval.ms"] = "1000"
    if rng.chance(0.2):
        texts["max.incremental.fetch.session.cache.slots"] = "1"
    if rng.chance(0.4):
        texts["leader.imbalance.check.interval.seconds"] = str(rng.uniform_ms(1, 8))
    if rng.chance(0.1):
        texts["holdwater.quick.failover.ms"] = str(rng.uniform_ms(50, 5_000))


def _draw_durability(rng: Rng, texts: dict[str, str]) -> None:
    draw = rng.below(10)
    if draw < 3:
        texts["holdwater.durable.acks"] = "true"
    elif draw == 3:
        texts["log.flush.interval.ms"] = str(rng.uniform_ms(10, 2_000))
    elif draw == 4:
        texts["log.flush.interval.messages"] = str(rng.uniform_ms(1, 20))
