"""Reads a regular expression in RE2's syntax into a tree, for matching whole topic names.

Kafka compiles ``SubscribedTopicRegex`` with RE2/J, which has no backreferences and no look-around, so that matching takes linear time. This reads
the same syntax; topic names are ASCII, so a class of characters is a mask of 128 bits, and what is outside can never match. Refused here and taken
there: ``\\p{...}`` of classes that are not listed with the others, and an operator of repetition after nothing but flags, as in ``a(?i)*``.
"""

from holdwater.core.coordinator.regex_classes import ALL, PERL, POSIX, UNICODE, both_cases, mask_of
from holdwater.core.coordinator.regex_tree import Chars, Choice, InvalidRegex, Node, Place, Repeat, Sequence, Where

REPEAT_MAX = 1000
"""RE2's limit for the numbers in ``x{n,m}``."""
NESTING_MAX = 100
"""Groups within groups."""


_ESCAPES = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_PLACES = {"A": Where.START, "z": Where.END, "b": Where.BOUNDARY, "B": Where.NO_BOUNDARY}


def parse(text: str) -> Node:
    """The tree of an expression. Raises ``InvalidRegex``."""
    reader = _Reader(text)
    node = reader.choice(0)
    if reader.at < len(text):
        raise InvalidRegex("unexpected )")
    return node


class _Reader:
    """A cursor over the text, with the flags that hold where it stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0
        self._names: list[str] = []
        self._ignores_case: bool = False
        self._dot_has_newline: bool = False
        self._outer_flags: tuple[bool, bool] = (False, False)

    def _peek(self, ahead: str) -> bool:
        return self._text.startswith(ahead, self.at)

    def _take(self, ahead: str) -> bool:
        found = self._peek(ahead)
        if found:
            self.at += len(ahead)
        return found

    def _next(self, missing: str) -> str:
        if self.at >= len(self._text):
            raise InvalidRegex(missing)
        self.at += 1
        return self._text[self.at - 1]

    def choice(self, depth: int) -> Node:
        """Alternatives up to the end of the group. Flags set within it end with it."""
        if depth > NESTING_MAX:
            raise InvalidRegex("expression nests too deeply")
        flags = self._ignores_case, self._dot_has_newline
        parts = [self._sequence(depth)]
        while self._take("|"):
            parts.append(self._sequence(depth))
        self._ignores_case, self._dot_has_newline = flags
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        while self.at < len(self._text) and not self._peek("|") and not self._peek(")"):
            if self._take("\\Q"):
                parts.extend(self._quoted())
                continue
            node = self._atom(depth)
            if node is not None:
                parts.append(self._repeated(node))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _quoted(self) -> list[Node]:
        end = self._text.find("\\E", self.at)
        end = len(self._text) if end < 0 else end
        quoted = self._text[self.at : end]
        self.at = end + 2
        nodes: list[Node] = [Chars(self._one(ord(character))) for character in quoted]
        if nodes:
            nodes[-1] = self._repeated(nodes[-1])
        return nodes

    def _repeated(self, node: Node) -> Node:
        counts = self._counts()
        if counts is None:
            return node
        self._take("?")
        if self._counts() is not None:
            raise InvalidRegex("invalid nested repetition operator")
        return Repeat(node, *counts)

    def _counts(self) -> tuple[int, int | None] | None:
        for sign, counts in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(sign):
                return counts
        end = self._text.find("}", self.at) if self._peek("{") else -1
        low, comma, high = self._text[self.at + 1 : max(end, self.at + 1)].partition(",")
        if end < 0 or not _is_number(low) or (high and not _is_number(high)):
            return None
        self.at = end + 1
        least = int(low)
        most = least if not comma else int(high) if high else None
        if max(least, most or 0) > REPEAT_MAX or (most is not None and most < least):
            raise InvalidRegex("invalid repeat count")
        return least, most

    def _atom(self, depth: int) -> Node | None:
        """``None`` for flags, which are nothing themselves."""
        character = self._next("missing argument")
        if character == "(":
            return self._group(depth)
        if character == "[":
            return Chars(self._class())
        if character == "{":
            self.at -= 1
            if self._counts() is None:
                self.at += 1
            else:
                character = "*"
        if character in "*+?":
            raise InvalidRegex(f"missing argument to repetition operator: {character}")
        if character == ".":
            return Chars(ALL if self._dot_has_newline else ALL & ~mask_of("\n"))
        if character == "^":
            return Place(Where.START)
        if character == "$":
            return Place(Where.END)
        if character != "\\":
            return Chars(self._one(ord(character)))
        if self.at < len(self._text) and self._text[self.at] in _PLACES:
            return Place(_PLACES[self._next("trailing \\")])
        return Chars(self._escape())

    def _group(self, depth: int) -> Node | None:
        if self._take("?") and not self._take_name():
            if not self._flags():
                return None
            node = self._flagged_group(depth)
        else:
            node = self.choice(depth + 1)
        if not self._take(")"):
            raise InvalidRegex("missing closing )")
        return node

    def _flagged_group(self, depth: int) -> Node:
        flags = self._outer_flags
        node = self.choice(depth + 1)
        self._ignores_case, self._dot_has_newline = flags
        return node

    def _take_name(self) -> bool:
        if not (self._take("P<") or (self._peek("<") and not self._peek("<=") and not self._peek("<!") and self._take("<"))):
            return False
        end = self._text.find(">", self.at)
        name = self._text[self.at : end]
        if end < 0 or not name or not name.isascii() or not name.replace("_", "a").isalnum():
            raise InvalidRegex("invalid named capture")
        if name in self._names:
            raise InvalidRegex("duplicate capture group name")
        self._names.append(name)
        self.at = end + 1
        return True

    def _flags(self) -> bool:
        """Read the flags after ``(?``; whether a group of their own follows."""
        self._outer_flags = self._ignores_case, self._dot_has_newline
        value = True
        seen = False
        while True:
            letter = self._next("missing closing )")
            if letter == "-" and value:
                value, seen = False, False
            elif letter == "i":
                self._ignores_case, seen = value, True
            elif letter == "s":
                self._dot_has_newline, seen = value, True
            elif letter in "mU":
                seen = True
            elif letter in ":)" and (seen or value):
                return letter == ":"
            else:
                raise InvalidRegex("invalid or unsupported Perl syntax")

    def _escape(self) -> int:
        letter = self._next("trailing backslash at end of expression")
        if letter.lower() in PERL:
            return self._folded(PERL[letter.lower()], negated=letter.isupper())
        if letter in "pP":
            return self._unicode_class(letter == "P")
        return self._one(self._escaped_code(letter))

    def _escaped_code(self, letter: str) -> int:
        if letter in _ESCAPES:
            return ord(_ESCAPES[letter])
        if letter == "x":
            return self._hexadecimal()
        if letter == "0" or (letter in "1234567" and self._text[self.at : self.at + 1] in tuple("01234567")):
            digits = letter
            while len(digits) < 3 and self._text[self.at : self.at + 1] in tuple("01234567"):
                digits += self._next("")
            return int(digits, 8)
        if letter.isascii() and not letter.isalnum():
            return ord(letter)
        raise InvalidRegex(f"invalid escape sequence: \\{letter}")

    def _hexadecimal(self) -> int:
        if self._take("{"):
            end = self._text.find("}", self.at)
            digits = self._text[self.at : max(end, self.at)]
            self.at = end + 1
        else:
            digits = self._text[self.at : self.at + 2]
            self.at += 2
            digits = digits if len(digits) == 2 else ""
        if not digits or len(digits) > 6 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
            raise InvalidRegex("invalid escape sequence: \\x")
        return int(digits, 16)

    def _unicode_class(self, negated: bool) -> int:
        name = self._next("invalid character class range: \\p")
        if name == "{":
            end = self._text.find("}", self.at)
            name = self._text[self.at : max(end, self.at)]
            self.at = end + 1
        if name.startswith("^"):
            negated, name = not negated, name[1:]
        if name not in UNICODE:
            raise InvalidRegex(f"invalid character class range: \\p{{{name}}}")
        return self._folded(UNICODE[name], negated=negated)

    def _class(self) -> int:
        """What stands between brackets; a ``]`` that comes first is itself."""
        negated = self._take("^")
        mask = 0
        first = True
        while first or not self._take("]"):
            first = False
            mask |= self._class_item()
        return ALL & ~mask if negated else mask

    def _class_item(self) -> int:
        if self._peek("[:"):
            end = self._text.find(":]", self.at)
            if end >= 0:
                return self._posix_class(end)
        start = self._class_character()
        if isinstance(start, Chars):
            return start.mask
        if not self._peek("-") or self._peek("-]"):
            return self._one(start)
        self.at += 1
        end_code = self._class_character()
        if isinstance(end_code, Chars) or end_code < start:
            raise InvalidRegex("invalid character class range")
        mask = 0
        for code in range(start, min(end_code, 127) + 1):
            mask |= self._one(code)
        return mask

    def _posix_class(self, end: int) -> int:
        name = self._text[self.at + 2 : end]
        found = POSIX.get(name.removeprefix("^"))
        if found is None:
            raise InvalidRegex(f"invalid character class range: [:{name}:]")
        self.at = end + 2
        return self._folded(found, negated=name.startswith("^"))

    def _class_character(self) -> int | Chars:
        """The code of a character, or a class within the class."""
        character = self._next("missing closing ]")
        if character != "\\":
            return ord(character)
        letter = self._text[self.at : self.at + 1]
        if letter.lower() in PERL or letter in tuple("pP"):
            return Chars(self._escape())
        return self._escaped_code(self._next("trailing backslash at end of expression"))

    def _one(self, code: int) -> int:
        return self._folded(1 << code, negated=False) if code < 128 else 0

    def _folded(self, mask: int, *, negated: bool) -> int:
        mask = both_cases(mask) if self._ignores_case else mask
        return ALL & ~mask if negated else mask


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and (text == "0" or not text.startswith("0"))
