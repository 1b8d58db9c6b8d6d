"""What a regular expression says, as a tree. Characters are ASCII, so a class of them is a mask of 128 bits."""

from enum import Enum
from typing import NamedTuple


class InvalidRegex(ValueError):  # noqa: N818 - reads as a sentence: the expression is invalid
    """Not a regular expression, or one that is too large."""


class Where(Enum):
    """What an assertion says of the place between two characters."""

    START = "start"
    END = "end"
    BOUNDARY = "boundary"
    NO_BOUNDARY = "no boundary"


class Chars(NamedTuple):
    """One character of a mask: bit n for the character with code n."""

    mask: int


class Place(NamedTuple):
    """No character, but a place."""

    where: Where


class Sequence(NamedTuple):
    """One after the other; nothing at all when empty."""

    parts: "tuple[Node, ...]"


class Choice(NamedTuple):
    """Any one of them."""

    parts: "tuple[Node, ...]"


class Repeat(NamedTuple):
    """``low`` to ``high`` times, without end when ``high`` is ``None``. Lazy or not is the same for a whole match."""

    node: "Node"
    low: int
    high: int | None


Node = Chars | Place | Sequence | Choice | Repeat
