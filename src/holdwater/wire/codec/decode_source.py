"""Writes decode functions.

What holds in every function written here: nothing is allocated from a declared length (a length is compared with the bytes left first, an
array's count with the bytes that so many elements take at least), every array element, embedded struct and tag is paid from the element
budget before it is made, and the only exception that leaves is ``ProtocolError``. Single bytes may be read past ``end`` while still inside
``data``; the position only grows, so the check at the end of the message refuses that.
"""

from collections.abc import Callable
from struct import error as struct_error
from struct import unpack
from typing import Any

from holdwater.wire.codec.classes import UNKNOWN_TAGS, Message
from holdwater.wire.codec.errors import ProtocolError
from holdwater.wire.codec.layout import FIXED_FORMATS, FIXED_SIZES, Field
from holdwater.wire.codec.source import SMALL_ARRAY, Fields, Source, run_format, split_runs
from holdwater.wire.codec.varint import long_length, long_string_length, long_varint, read_varint


def compile_decoder(message_class: type[Message], version: int) -> Callable[[bytes, int, int, int], Any]:
    """``decode(data, position, end, budget) -> message``; the message ends exactly at ``end``."""
    return _DecodeSource(message_class, version).compile_function(exact=True)


def compile_prefix_decoder(message_class: type[Message], version: int) -> Callable[[bytes, int, int, int], tuple[Any, int]]:
    """``decode(data, position, end, budget) -> (message, position after it)``, for headers."""
    return _DecodeSource(message_class, version).compile_function(exact=False)


class _DecodeSource(Source):
    def __init__(self, message_class: type[Message], version: int) -> None:
        super().__init__(message_class, version)
        self._tag_readers: list[tuple[str, Fields, str]] = []
        self.scope.update(
            ProtocolError=ProtocolError,
            malformed=(struct_error, IndexError, UnicodeDecodeError),
            describe=_describe,
            long_length=long_length,
            long_string_length=long_string_length,
            long_varint=long_varint,
            read_unknown_tags=read_unknown_tags,
            unpack=unpack,
            class_message=message_class,
        )

    def compile_function(self, *, exact: bool):
        self.line("def decode(data, p, end, budget):")
        self.indent = 1
        self.line("try:")
        self.indent = 2
        self._struct("x", "class_message", self.layout.fields, self.layout.name)
        self.line(f"if p {'!=' if exact else '>'} end:")
        self.line(f"    raise ProtocolError({self.where!r} + (': bytes left over' if p < end else ': cut short'))")
        self.line("return x" if exact else "return x, p")
        self.indent = 1
        self.line("except malformed as cause:")
        self.line(f"    raise ProtocolError({self.where!r} + describe(cause)) from None")
        self.indent = 0
        for name, fields, owner in self._tag_readers:  # grows while tagged structs add their own
            self._tag_reader(name, fields, owner)
        return self.compile("decode")

    def _refuse(self, field: str, why: str) -> str:
        return f"raise ProtocolError({f'{self.where}: {field}: {why}'!r})"

    def _struct(self, target: str, class_name: str, fields: Fields, owner: str) -> None:
        """Lines that read a struct into ``target``: body, object, tags."""
        values: dict[str, str] = {}
        for run in split_runs(self.present(fields)):
            if run[0].is_fixed:
                self._fixed_run(run, values)
            else:
                values[run[0].attribute] = self._value(run[0])
        arguments = [values.get(field.attribute) or self.default(field) for field in fields]
        while arguments and fields[len(arguments) - 1].attribute not in values and self._has_plain_default(fields[len(arguments) - 1]):
            arguments.pop()
        self.line(f"{target} = {class_name}({', '.join(arguments)})")
        if not self.flexible:
            return
        self.line("if data[p]:")
        if self.tagged(fields):
            name = self._name_tag_reader(fields, owner)
            self.line(f"    p, budget = {name}({target}, data, p, end, budget)")
        else:
            self.line(f"    p, budget = read_unknown_tags({target}, data, p, end, budget, {self.where!r})")
        self.line("else:")
        self.line("    p += 1")

    @staticmethod
    def _has_plain_default(field: Field) -> bool:
        return field.kind_of_default in ("none", "value")

    def _name_tag_reader(self, fields: Fields, owner: str) -> str:
        for name, _, known_owner in self._tag_readers:
            if known_owner == owner:
                return name
        name = self.fresh("read_tags_")
        self._tag_readers.append((name, fields, owner))
        return name

    def _fixed_run(self, run: Fields, values: dict[str, str]) -> None:
        fields_format, size = run_format(run)
        names = [self.fresh("v") for _ in run]
        self.line(f"{', '.join(names)}, = {self.packer(fields_format)}.unpack_from(data, p)")
        self.line(f"p += {size}")
        values.update({field.attribute: name for field, name in zip(run, names, strict=True)})

    def _value(self, field: Field) -> str:
        """Lines that read a field of variable size; returns the variable that holds it."""
        target = self.fresh("v")
        if field.is_array:
            self._array(field, target)
        elif field.is_struct:
            self._single_struct(field, target)
        elif field.is_fixed:
            self.line(f"{target}, = {self.packer(FIXED_FORMATS[field.element])}.unpack_from(data, p)")
            self.line(f"p += {FIXED_SIZES[field.element]}")
        else:
            self._blob(field, target, nullable=self.is_nullable(field))
        return target

    def _length(self, field: Field, letter: str, slow: str) -> None:
        """Lines that put a length into ``n``, -1 for null."""
        if self.is_compact(field):
            self.line("n = data[p] - 1")
            self.line("p += 1")
            self.line("if n >= 127:")
            self.line(f"    n, p = {slow}(data, p, n)")
        else:
            self.line(f"n, = {self.packer(letter)}.unpack_from(data, p)")
            self.line(f"p += {2 if letter == 'h' else 4}")

    def _null(self, field: Field, target: str, *, nullable: bool) -> None:
        """Lines for ``n < 0``."""
        self.line("if n < 0:")
        if not nullable:
            self.line("    " + self._refuse(field.name, "null, or a negative length"))
            return
        if not self.is_compact(field):
            self.line("    if n != -1:")
            self.line("        " + self._refuse(field.name, "negative length"))
        self.line(f"    {target} = None")

    def _blob(self, field: Field, target: str, *, nullable: bool) -> None:
        is_text = field.element == "string"
        self._length(field, "h" if is_text else "i", "long_string_length" if is_text else "long_length")
        read = "data[p:e].decode()" if is_text else "data[p:e]"
        if nullable:
            self._null(field, target, nullable=True)
            self.line("else:")
            self.indent += 1
        self.line("e = p + n")
        self.line("if e > end:" if nullable else "if not p <= e <= end:")
        self.line("    " + self._refuse(field.name, "longer than the message" if nullable else "null, or longer than the message"))
        self.line(f"{target} = {read}")
        self.line("p = e")
        self.indent -= nullable

    def _single_struct(self, field: Field, target: str) -> None:
        fields, class_name = self.layout.structs[field.element], self.class_of(field.element)
        if not self.is_nullable(field):
            self._struct(target, class_name, fields, field.element)
            return
        self.line("n = data[p]")
        self.line("p += 1")
        self.line(f"if n == {self.null_struct(field)}:")
        self.line(f"    {target} = None")
        self.line("elif n != 1:")
        self.line("    " + self._refuse(field.name, "neither null nor present"))
        self.line("else:")
        self.indent += 1
        self._struct(target, class_name, fields, field.element)
        self.indent -= 1

    def _array(self, field: Field, target: str) -> None:
        nullable, smallest, objects = self.is_nullable(field), self.smallest_element(field), self.objects(field)
        self._length(field, "i", "long_length")
        self._null(field, target, nullable=nullable)
        if nullable:
            self.line("else:")
            self.indent += 1
        self.line(f"if n{'' if smallest <= 1 else f' * {smallest}'} > end - p:")
        self.line("    " + self._refuse(field.name, "more elements than bytes"))
        self.line(f"budget -= n{'' if objects == 1 else f' * {objects}'}")
        self.line("if budget < 0:")
        self.line("    " + self._refuse(field.name, "too many elements in one message"))
        if field.element in FIXED_SIZES and field.element != "uuid":
            self._number_array(field, target)
        else:
            self._element_loop(field, target)
        self.indent -= nullable

    def _number_array(self, field: Field, target: str) -> None:
        letter, packers = FIXED_FORMATS[field.element], self.array_packers(field.element)
        self.line(f"if n < {SMALL_ARRAY}:")
        self.line(f"    {target} = [*{packers}[n].unpack_from(data, p)]")
        self.line("else:")
        self.line(f"    {target} = [*unpack(f'>{{n}}{letter}', data[p : p + n * {FIXED_SIZES[field.element]}])]")
        self.line(f"p += n * {FIXED_SIZES[field.element]}")

    def _element_loop(self, field: Field, target: str) -> None:
        self.line(f"{target} = []")
        self.line("for _ in range(n):")
        self.indent += 1
        item = self.fresh("x")
        if field.is_struct:
            self._struct(item, self.class_of(field.element), self.layout.structs[field.element], field.element)
        elif field.element == "uuid":
            self.line(f"{item} = data[p : p + 16]")
            self.line("p += 16")
        else:
            self._blob(field, item, nullable=False)
        self.line(f"{target}.append({item})")
        self.indent -= 1

    def _tag_reader(self, name: str, fields: Fields, owner: str) -> None:
        """A function that reads the tagged fields of one struct into the object."""
        self.line(f"def {name}(x, data, p, frame_end, budget):")
        self.indent = 1
        self._varint("count")
        self.line("budget -= count")
        self.line("if count * 2 > frame_end - p or budget < 0:")
        self.line("    " + self._refuse(owner, "too many tagged fields"))
        self.line("last = -1")
        self.line("unknown = None")
        self.line("for _ in range(count):")
        self.indent = 2
        self._varint("tag")
        self._varint("size")
        self.line("end = p + size")
        self.line("if tag <= last or end > frame_end:")
        self.line("    " + self._refuse(owner, "tagged field out of order, doubled or longer than the message"))
        self.line("last = tag")
        for index, field in enumerate(self.tagged(fields)):
            self.line(f"{'elif' if index else 'if'} tag == {field.tag}:")
            self.indent = 3
            self.line(f"x.{field.attribute} = {self._value(field)}")
            self.indent = 2
        self.line("else:")
        self.line("    if unknown is None:")
        self.line(f"        unknown = x.{UNKNOWN_TAGS} = {{}}")
        self.line("    unknown[tag] = data[p:end]")
        self.line("    p = end")
        self.line("if p != end:")
        self.line("    " + self._refuse(owner, "tagged field that does not fill its size"))
        self.indent = 1
        self.line("return p, budget")
        self.indent = 0

    def _varint(self, target: str) -> None:
        self.line(f"{target} = data[p]")
        self.line("p += 1")
        self.line(f"if {target} >= 128:")
        self.line(f"    {target}, p = long_varint(data, p, {target})")


def _describe(cause: Exception) -> str:
    return ": text that is not UTF-8" if isinstance(cause, UnicodeDecodeError) else ": cut short"


def read_unknown_tags(x: Message, data: bytes, p: int, end: int, budget: int, where: str) -> tuple[int, int]:
    """Read the tagged fields of a struct that knows none, keeping them as they are."""
    count, p = read_varint(data, p)
    budget -= count
    if count * 2 > end - p or budget < 0:
        raise ProtocolError(f"{where}: too many tagged fields")
    last = -1
    unknown: dict[int, bytes] = {}
    for _ in range(count):
        tag, p = read_varint(data, p)
        size, p = read_varint(data, p)
        if tag <= last or p + size > end:
            raise ProtocolError(f"{where}: tagged field out of order, doubled or longer than the message")
        last = tag
        unknown[tag] = data[p : p + size]
        p += size
    setattr(x, UNKNOWN_TAGS, unknown or None)
    return p, budget
