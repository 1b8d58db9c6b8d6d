"""Settings of a topic that make rare paths common. They change what is refused and how logs lie on disk, never what is promised."""

from collections.abc import Callable

from holdwater.kernel.rng import Rng

_SETTINGS: tuple[tuple[str, Callable[[Rng], str]], ...] = (
    ("segment.ms", lambda rng: str(rng.uniform_ms(200, 5_000))),
    ("segment.bytes", lambda rng: str(1 << 20)),
    ("segment.index.bytes", lambda rng: str(rng.uniform_ms(24, 240))),
    ("index.interval.bytes", lambda rng: str(rng.below(500))),
    ("max.message.bytes", lambda rng: str(rng.uniform_ms(200, 1_200))),
    ("message.timestamp.type", lambda rng: "LogAppendTime"),
    ("message.timestamp.after.max.ms", lambda rng: str(rng.uniform_ms(100, 2_000))),
    ("message.timestamp.before.max.ms", lambda rng: str(rng.uniform_ms(1_000, 20_000))),
    ("flush.messages", lambda rng: str(rng.uniform_ms(1, 50))),
    ("flush.ms", lambda rng: str(rng.uniform_ms(1, 1_000))),
)


def draw_setting(rng: Rng) -> tuple[str, str]:
    """A key of a topic, and a text for it."""
    key, draw = _SETTINGS[rng.below(len(_SETTINGS))]
    return key, draw(rng)
