"""Matches regular expressions with whole names of topics or transactional ids, in time linear in the length of a name and bounded in all.

The tree becomes a nondeterministic automaton; its sets of states are worked out as names ask for them, and kept. So no expression can make the
broker stand still, as a backtracking matcher would let it. Two limits are ours: an expression of more than ``STATES_MAX`` states is invalid, and one
look-up that takes more than ``WORK_MAX`` visits of states is given up with an error.
"""

from collections.abc import Iterable
from typing import NamedTuple

from holdwater.core.coordinator.regex_classes import WORD
from holdwater.core.coordinator.regex_syntax import parse
from holdwater.core.coordinator.regex_tree import Chars, Choice, InvalidRegex, Node, Place, Repeat, Sequence, Where

STATES_MAX = 2000
WORK_MAX = 300_000
_KEPT_MAX = 20_000
"""Transitions that are kept; then all are forgotten."""
_END = -1


class _Consume(NamedTuple):
    """Go on with a character of the mask."""

    mask: int
    then: int


class _Fork(NamedTuple):
    """Go on at once, any of these ways."""

    ways: tuple[int, ...]


class _Assert(NamedTuple):
    """Go on at once, at such a place."""

    where: Where
    then: int


class _Match(NamedTuple):
    """Done, if the name ends here."""


_State = _Consume | _Fork | _Assert | _Match


class NameRegex:
    """One expression. Raises ``InvalidRegex`` when it is none."""

    def __init__(self, text: str) -> None:
        self._states: list[_State] = [_Match()]
        self._start = (self._build(parse(text), 0),)
        self._kept: dict[tuple[tuple[int, ...], int, int], tuple[int, ...]] = {}
        self._work = 0

    def matching(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those names that it matches from beginning to end. Raises ``InvalidRegex`` when that is too much work."""
        self._work = 0
        return tuple(name for name in names if self.matches(name))

    def matches(self, name: str) -> bool:
        """Whether it matches the whole name."""
        current = self._start
        before = _END
        for character in name:
            code = ord(character)
            current = self._step(current, before, code)
            if not current:
                return False
            before = code
        return bool(self._step(current, before, _END))

    def _step(self, current: tuple[int, ...], before: int, code: int) -> tuple[int, ...]:
        """The states after a character, or, at the end, the final state if it was reached."""
        key = (current, _kind(before), code)
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            found = self._kept[key] = self._worked_out(current, before, code)
        return found

    def _worked_out(self, current: tuple[int, ...], before: int, code: int) -> tuple[int, ...]:
        seen = set(current)
        ahead = list(current)
        reached: dict[int, None] = {}
        while ahead:
            number = ahead.pop()
            ways: tuple[int, ...] = ()
            match self._states[number]:
                case _Consume(mask, then):
                    if code != _END and code < 128 and mask >> code & 1:
                        reached[then] = None
                case _Fork(ways):
                    pass
                case _Assert(where, then):
                    ways = (then,) if _holds(where, before, code) else ()
                case _Match():
                    if code == _END:
                        reached[number] = None
            fresh = [way for way in ways if way not in seen]
            seen.update(fresh)
            ahead.extend(fresh)
        self._work += len(seen)
        if self._work > WORK_MAX:
            raise InvalidRegex("expression takes too much work to match")
        return tuple(sorted(reached))

    def _add(self, state: _State) -> int:
        if len(self._states) >= STATES_MAX:
            raise InvalidRegex("expression is too large")
        self._states.append(state)
        return len(self._states) - 1

    def _build(self, node: Node, then: int) -> int:
        """The state with which the node begins, when ``then`` comes after it."""
        match node:
            case Chars(mask):
                return self._add(_Consume(mask, then))
            case Place(where):
                return self._add(_Assert(where, then))
            case Sequence(parts):
                for part in reversed(parts):
                    then = self._build(part, then)
                return then
            case Choice(parts):
                return self._add(_Fork(tuple([self._build(part, then) for part in parts])))
            case Repeat(inner, low, high):
                return self._build_repeat(inner, low, high, then)

    def _build_repeat(self, node: Node, low: int, high: int | None, then: int) -> int:
        if high is None:
            loop = self._add(_Fork(()))
            self._states[loop] = _Fork((self._build(node, loop), then))
            then = loop
        else:
            for _ in range(high - low):
                then = self._add(_Fork((self._build(node, then), then)))
        for _ in range(low):
            then = self._build(node, then)
        return then


def _is_word(code: int) -> bool:
    return 0 <= code < 128 and bool(WORD >> code & 1)


def _kind(before: int) -> int:
    """All that an assertion can see of the character before: none, a word's, another."""
    return _END if before == _END else int(_is_word(before))


def _holds(where: Where, before: int, after: int) -> bool:
    if where is Where.START:
        return before == _END
    if where is Where.END:
        return after == _END
    return (_is_word(before) != _is_word(after)) == (where is Where.BOUNDARY)
