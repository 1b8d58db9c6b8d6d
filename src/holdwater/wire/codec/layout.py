"""A schema entry as objects: what a message, its structs and its fields are, in which versions, and what they default to.

Facts only; how they become classes is in ``classes``, how they become bytes in ``decode_source`` and ``encode_source``.
"""

import keyword
import re
from functools import lru_cache
from typing import NamedTuple

from holdwater.wire.schema import TABLES, entries

NO_VERSION = 32767
"""``FLEXIBLE_FROM`` of a message without flexible versions: above every version."""

FIXED_FORMATS = {
    "bool": "?",
    "int8": "b",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "float64": "d",
    "uuid": "16s",
}
FIXED_SIZES = {"bool": 1, "int8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "float64": 8, "uuid": 16}
VARIABLE = ("string", "bytes", "records")


class Versions(NamedTuple):
    """A range of versions, both ends included; empty when ``high < low``."""

    low: int
    high: int

    def covers(self, version: int) -> bool:
        """Whether the version is in the range."""
        return self.low <= version <= self.high


NONE = Versions(0, -1)


def parse_versions(text: str) -> Versions:
    """``3``, ``2-5``, ``4+`` or ``none``."""
    if text == "none":
        return NONE
    if text.endswith("+"):
        return Versions(int(text[:-1]), NO_VERSION)
    low, _, high = text.partition("-")
    return Versions(int(low), int(high or low))


class Field:
    """One field of a struct. ``element`` is its type, or the type of its elements when ``is_array``."""

    __slots__ = (
        "attribute",
        "default",
        "element",
        "entity",
        "ignorable",
        "is_array",
        "map_key",
        "name",
        "never_compact",
        "nullable",
        "tag",
        "tagged",
        "versions",
    )

    def __init__(self, words: list[str]) -> None:
        self.name = words[0]
        self.attribute = attribute_name(words[0])
        self.is_array = words[1].startswith("[]")
        self.element = words[1].removeprefix("[]")
        self.versions = parse_versions(words[2])
        marks = {word[0]: word[1:] for word in words[3:]}
        self.nullable = parse_versions(marks.get("?", "none"))
        tag, _, tagged = marks.get("#", "-1:none").partition(":")
        self.tag = int(tag)
        self.tagged = parse_versions(tagged)
        self.default = marks.get("=", "")
        self.ignorable = "~" in marks
        self.map_key = "*" in marks
        self.entity = marks.get("@", "")
        self.never_compact = "!" in marks

    @property
    def is_struct(self) -> bool:
        """Whether the element is a struct of the message."""
        return self.element[0].isupper()

    @property
    def is_fixed(self) -> bool:
        """Whether every value takes the same number of bytes."""
        return not self.is_array and self.element in FIXED_SIZES

    @property
    def is_optional_struct(self) -> bool:
        """A tagged struct that the protocol does not call nullable: ``None`` stands for "not on the wire", which is its default."""
        return self.is_struct and not self.is_array and self.tag >= 0 and self.nullable == NONE

    @property
    def may_be_none(self) -> bool:
        """Whether ``None`` is a legal value in some version."""
        return self.nullable != NONE or self.is_optional_struct

    @property
    def kind_of_default(self) -> str:
        """``none``, ``list`` (a fresh empty one), ``struct`` (a fresh one) or ``value`` (see ``default_value``)."""
        if self.default == "null" or self.is_optional_struct or (self.element == "records" and self.nullable != NONE):
            return "none"
        if self.is_array:
            return "list"
        return "struct" if self.is_struct else "value"

    @property
    def default_value(self) -> object:
        """The default when it is an immutable value."""
        if self.element == "bool":
            return self.default == "true"
        if self.element == "float64":
            return float(self.default or 0)
        if self.element == "string":
            return self.default
        if self.element in ("bytes", "records"):
            return b""
        return bytes(16) if self.element == "uuid" else int(self.default or 0)


class MessageLayout:
    """One message in all its versions. ``structs`` maps every struct name to its fields; ``fields`` are the message's own."""

    __slots__ = ("fields", "flexible", "key", "kind", "listeners", "name", "structs", "table", "unstable", "versions")

    def __init__(self, table: str, entry: str) -> None:
        head, *lines = entry.split("\n")
        words = head.split()
        self.table = table
        self.name = words[0]
        self.kind = words[1]
        self.key = -1 if words[2] == "-" else int(words[2])
        self.versions = parse_versions(words[3])
        self.flexible = parse_versions(words[4])
        self.unstable = words[-1] == "unstable"
        self.listeners = tuple(words[5].split(",")) if len(words) > 5 and words[5] != "unstable" else ()
        self.structs: dict[str, tuple[Field, ...]] = {}
        self.fields = self._parse(lines)

    def _parse(self, lines: list[str]) -> tuple[Field, ...]:
        own: list[Field] = []
        open_structs = [own]
        collected: dict[str, list[Field]] = {}
        for line in lines:
            text = line.lstrip(" ")
            depth = len(line) - len(text)
            words = text.split(" ")
            del open_structs[depth:]
            if words[0].startswith("+"):
                open_structs.append(collected.setdefault(words[0][1:], []))
                continue
            field = Field(words)
            open_structs[-1].append(field)
            if field.is_struct:
                open_structs.append(collected.setdefault(field.element, []))
        self.structs = {name: tuple(fields) for name, fields in collected.items()}
        return tuple(own)

    @property
    def flexible_from(self) -> int:
        """First flexible version, ``NO_VERSION`` if there is none."""
        return self.flexible.low if self.flexible != NONE else NO_VERSION

    @property
    def can_be_flexible(self) -> bool:
        """Whether any valid version is flexible (and so can carry tagged fields)."""
        return self.flexible_from <= self.versions.high


def attribute_name(name: str) -> str:
    """Kafka's field name as a Python attribute: ``TimeoutMs`` to ``timeout_ms``, a keyword with ``_`` after it; KRaft is one word."""
    name = name.replace("KRaft", "Kraft")
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
    return name + "_" if keyword.iskeyword(name) else name


@lru_cache(maxsize=1)
def _index() -> dict[str, tuple[str, str]]:
    return {entry[: entry.index(" ")]: (table, entry) for table in TABLES for entry in entries(table)}


def message_names() -> list[str]:
    """Every message, sorted."""
    return sorted(_index())


def message_layout(name: str) -> MessageLayout:
    """The layout of one message. Raises ``KeyError``."""
    table, entry = _index()[name]
    return MessageLayout(table, entry)
