"""Assertions that stay on in production: ``invariant`` survives ``python -O``, and nothing below ``node`` catches what it raises."""


class InvariantViolation(AssertionError):  # noqa: N818 - it is no error of a caller: it is a bug of ours, and stops the node
    """A condition that must never be false was false. The process that meets it stops: going on wrong is worse than stopping."""


def invariant(condition: object, why: str) -> None:
    """Stop with ``InvariantViolation`` unless ``condition`` is true. ``why`` says what must hold, in words and with values."""
    if not condition:
        raise InvariantViolation(why)
