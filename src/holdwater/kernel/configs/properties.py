"""Java's ``.properties`` syntax (java.util.Properties.load): comments, three separators, continuation lines, escapes."""

_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_BLANK = " \t\f"


class InvalidProperties(ValueError):  # noqa: N818 - reads as a sentence: the properties are invalid
    """Text that is not in ``.properties`` syntax; the message says which line."""


def parse_properties(text: str) -> dict[str, str]:
    """Keys and values in the order of the file; of a key given twice the last value counts. Raises ``InvalidProperties``."""
    result: dict[str, str] = {}
    for number, line in _logical_lines(text):
        name, value = _split(line)
        result[_unescape(name, number)] = _unescape(value, number)
    return result


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines with continuations joined, without comments and blank lines, each with the number of its first natural line."""
    lines: list[tuple[int, str]] = []
    pending: str | None = None
    start = 0
    for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        line = raw.lstrip(_BLANK)
        if pending is None:
            if not line or line[0] in "#!":
                continue
            start = number
        else:
            line = pending + line
        trailing = len(line) - len(line.rstrip("\\"))
        if trailing % 2 == 1:
            pending = line[:-1]
        else:
            lines.append((start, line))
            pending = None
    if pending:
        lines.append((start, pending))
    return lines


def _split(line: str) -> tuple[str, str]:
    """Name and value, still escaped: the name ends at the first unescaped ``=``, ``:`` or blank."""
    end = 0
    while end < len(line) and line[end] not in "=:" + _BLANK:
        end += 2 if line[end] == "\\" else 1
    name, rest = line[:end], line[end:].lstrip(_BLANK)
    if rest and rest[0] in "=:":
        rest = rest[1:].lstrip(_BLANK)
    return name, rest


def _unescape(text: str, number: int) -> str:
    if "\\" not in text:
        return text
    out: list[str] = []
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character != "\\" or position == len(text):
            out.append("" if character == "\\" else character)
            continue
        escaped = text[position]
        position += 1
        if escaped == "u":
            digits = text[position : position + 4]
            if len(digits) != 4 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
                raise InvalidProperties(f"line {number}: \\u needs four hexadecimal digits")
            out.append(chr(int(digits, 16)))
            position += 4
        else:
            out.append(_ESCAPES.get(escaped, escaped))
    return "".join(out)
