"""Random Kafka messages: any class in any version, every field type, tagged fields, nulls, unknown tags."""

from collections.abc import Iterator
from random import Random
from typing import Any

from holdwater.wire import messages
from holdwater.wire.codec.classes import Message
from holdwater.wire.codec.layout import Field, MessageLayout, message_names

_RANGES = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
}
_TEXTS = ("", "a", "orders-1", "é-ñ-日本", "x" * 127, "y" * 300)


def message_versions() -> Iterator[tuple[type[Message], int]]:
    """Every message class with every version."""
    for name in message_names():
        message_class: type[Message] = getattr(messages, name)
        for version in range(message_class.MIN_VERSION, message_class.MAX_VERSION + 1):
            yield message_class, version


class MessageMaker:
    """Makes messages from one seed. ``modest`` numbers are small and not negative, as typed oracles want them (error codes, durations)."""

    def __init__(self, seed: int, *, modest: bool = False, unknown_tags: bool = True) -> None:
        self.random = Random(seed)
        self._modest = modest
        self._unknown_tags = unknown_tags

    def message(self, message_class: type[Message], version: int) -> Any:
        """A message with random values in the fields of the version, defaults in the others."""
        layout = message_class.LAYOUT
        return self._struct(message_class, layout.fields, message_class, layout, version)

    def _struct(self, made: type[Any], fields: tuple[Field, ...], message_class: type[Message], layout: MessageLayout, version: int) -> Any:
        values: dict[str, Any] = {}
        for field in fields:
            if not field.versions.covers(version) or (field.tag >= 0 and self.random.random() < 0.4):
                continue
            value = self._value(field, message_class, layout, version)
            if field.is_optional_struct and value == type(value)():
                continue  # a tagged struct of defaults is not written and comes back as None
            values[field.attribute] = value
        if self._unknown_tags and layout.flexible.covers(version) and self.random.random() < 0.1:
            known = {field.tag for field in fields}
            tags = {self.random.choice((0, 1, 2, 5, 40, 127, 128, 20000, 2**31 - 1)) for _ in range(2)} - known
            values["unknown_tags"] = {tag: self.random.randbytes(self.random.choice((0, 1, 200))) for tag in sorted(tags)} or None
        return made(**values)

    def _value(self, field: Field, message_class: type[Message], layout: MessageLayout, version: int) -> Any:
        if field.nullable.covers(version) and self.random.random() < 0.2:
            return None
        if not field.is_array:
            return self._element(field, message_class, layout, version)
        length = self.random.choice((0, 1, 1, 2, 2, 3) if field.is_struct else (0, 1, 2, 3, 15, 16, 40))
        return [self._element(field, message_class, layout, version) for _ in range(length)]

    def _element(self, field: Field, message_class: type[Message], layout: MessageLayout, version: int) -> Any:
        kind = field.element
        if field.is_struct:
            return self._struct(getattr(message_class, kind), layout.structs[kind], message_class, layout, version)
        if kind in _RANGES:
            return self._number(kind)
        if kind == "bool":
            return self.random.random() < 0.5
        if kind == "float64":
            return self.random.uniform(-1e9, 1e9)
        if kind == "uuid":
            return self.random.randbytes(16)
        if kind == "string":
            return self.random.choice(_TEXTS)
        return self.random.randbytes(self.random.choice((0, 3, 130, 2500 if kind == "records" else 30)))

    def _number(self, kind: str) -> int:
        low, high = _RANGES[kind]
        if self._modest:
            return self.random.randint(0, 30 if kind in ("int8", "int16") else 1000)
        return self.random.choice((0, 1, low, high, self.random.randint(low, high)))


class Mutator:
    """Damages frames where it hurts: lengths, counts, tags, ends."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def damage(self, raw: bytes, other: bytes) -> bytes:
        """One damaged copy of ``raw``; ``other`` is spliced in sometimes."""
        choose = self._random
        data = bytearray(raw)
        kind = choose.randrange(7)
        if kind == 0:
            return bytes(data[: choose.randrange(len(data) + 1)])
        if kind == 1:
            return bytes(data) + choose.randbytes(choose.randrange(1, 5))
        position = choose.randrange(len(data) + 1)
        if kind == 2:
            return bytes(data[:position]) + other[choose.randrange(len(other) + 1) :]
        if kind == 3:
            return bytes(data[:position]) + choose.randbytes(choose.randrange(40))
        if kind == 4:  # a length or count that claims the world, in each of the forms
            claim = choose.choice(
                (b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\xff\xfe", b"\x7f\xff")
            )
            return bytes(data[:position]) + claim + bytes(data[position + choose.choice((0, 1, len(claim))) :])
        for _ in range(choose.choice((1, 1, 2, 5))):
            if data:
                data[choose.randrange(len(data))] = choose.choice((0, 1, 2, 127, 128, 129, 192, 254, 255, choose.randrange(256)))
        return bytes(data)
