"""Randomness as an argument: everything is derived from one stream of floats, so that a seed gives the same run on any Python."""

from random import Random


class Rng:
    """A seeded source of randomness. Every draw consumes exactly one ``Random.random()``, whose stream Python keeps stable."""

    __slots__ = ("_next",)

    def __init__(self, seed: int) -> None:
        self._next = Random(seed).random

    def uniform_ms(self, low_ms: int, high_ms: int) -> int:
        """An integer from ``low_ms`` to ``high_ms``, both included."""
        return low_ms + int(self._next() * (high_ms - low_ms + 1))

    def below(self, bound: int) -> int:
        """An integer from 0 to ``bound - 1``."""
        return int(self._next() * bound)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self._next() < probability

    def uuid(self) -> bytes:
        """16 random bytes shaped as a version 4 UUID (RFC 9562), never Kafka's reserved zero and one."""
        raw = bytearray(int(self._next() * 256) for _ in range(16))
        raw[6] = (raw[6] & 0x0F) | 0x40
        raw[8] = (raw[8] & 0x3F) | 0x80
        return bytes(raw)

    def fork(self) -> "Rng":
        """An independent generator seeded from this one."""
        return Rng(int(self._next() * 2**52))
