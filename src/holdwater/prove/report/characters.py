"""Characters that a report must not pass on, whoever they come from: what a command or a broker has printed stands in its reasons.

A terminal would obey them (ESC), XML 1.0 has no way to write them, and half a surrogate pair cannot be written as UTF-8. They are shown as
Python would write them, so that nothing is hidden either.
"""

import re
from typing import Any, cast

_UNFIT = re.compile(r"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(value: Any) -> Any:
    """The same text, or the same lists and dictionaries of text, without the characters that neither a terminal nor XML takes."""
    if isinstance(value, str):
        return _UNFIT.sub(lambda found: _named(found[0]), value)
    if isinstance(value, dict):
        return {printable(key): printable(one) for key, one in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [printable(one) for one in cast("list[Any]", value)]
    return value


def _named(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
