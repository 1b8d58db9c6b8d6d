"""Writes encode functions.

A field that the version lacks must hold its default unless Kafka calls it ignorable; anything else raises ``EncodeError``, as Kafka's own
serialisation does. The check is inline, one truth test per such field of the struct, which costs about 15 ns and only in the versions that
lack fields. Tagged fields are written only when they differ from their default, known and unknown ones merged in the order of their tags.
"""

from collections.abc import Callable
from struct import error as struct_error
from struct import pack
from typing import Any

from holdwater.wire.codec.classes import UNKNOWN_TAGS, Message, Struct
from holdwater.wire.codec.errors import EncodeError
from holdwater.wire.codec.explain import explain
from holdwater.wire.codec.layout import FIXED_FORMATS, FIXED_SIZES, Field, message_layout
from holdwater.wire.codec.source import SMALL_ARRAY, Fields, Source, run_format, split_runs
from holdwater.wire.codec.varint import put_string_length, put_varint

SEGMENT_BYTES = 2048
"""Records of at least this size are not copied by a segment encoder; below it a copy is cheaper than one more segment."""


def compile_encoder(message_class: type[Message], version: int) -> Callable[[Any, bytearray], None]:
    """``encode(message, out)`` appends the message to ``out``; after an ``EncodeError`` a part of it may be there."""
    return _EncodeSource(message_class, version, segments=False).compile_function()


def compile_segment_encoder(message_class: type[Message], version: int) -> Callable[[Any, bytearray, list[bytes]], None]:
    """``encode(message, out, parts)``: large ``records`` go to ``parts`` uncopied, after what ``out`` held; the rest is left in ``out``."""
    return _EncodeSource(message_class, version, segments=True).compile_function()


class _EncodeSource(Source):
    def __init__(self, message_class: type[Message], version: int, *, segments: bool) -> None:
        super().__init__(message_class, version)
        self._segments = segments
        self._out = "out"
        self._tag_writers: list[tuple[str, Fields, str]] = []
        self.scope.update(
            EncodeError=EncodeError,
            unwritable=(AttributeError, TypeError, UnicodeEncodeError, struct_error),
            explain=explain,
            refuse=refuse,
            put_varint=put_varint,
            put_string_length=put_string_length,
            write_tags=write_tags,
            pack=pack,
        )

    def compile_function(self) -> Any:
        self.line(f"def encode(x, out{', parts' if self._segments else ''}):")
        self.indent = 1
        self.line("try:")
        self.indent = 2
        self._struct("x", self.layout.fields, self.layout.name)
        self.line("pass")
        self.indent = 1
        self.line("except unwritable as cause:")
        self.line(f"    raise EncodeError(explain(x, {self.version}, cause)) from cause")
        self.indent = 0
        for name, fields, owner in self._tag_writers:  # grows while tagged structs add their own
            self._tag_writer(name, fields, owner)
        return self.compile("encode")

    def _struct(self, x: str, fields: Fields, owner: str) -> None:
        lost = [self._differs(f"{x}.{field.attribute}", field) for field in self.absent(fields) if not field.ignorable]
        if lost:
            self.line(f"if {' or '.join(lost)}:")
            self.line(f"    refuse({x}, {owner!r}, {self.version}, {self.layout.name!r})")
        for run in split_runs(self.present(fields)):
            if run[0].is_fixed:
                self._fixed_run(run, x)
            else:
                self._value(run[0], f"{x}.{run[0].attribute}")
        if self.flexible:
            self._tags(x, fields, owner)

    def _tags(self, x: str, fields: Fields, owner: str) -> None:
        known = self.tagged(fields)
        written = [self._differs(f"{x}.{field.attribute}", field) for field in known] + [f"{x}.{UNKNOWN_TAGS}"]
        self.line(f"if {' or '.join(written)}:")
        if known:
            self.line(f"    {self._name_tag_writer(fields, owner)}({x}, {self._out})")
        else:
            self.line(f"    write_tags({self._out}, [], {x}.{UNKNOWN_TAGS}, ())")
        self.line("else:")
        self.line(f"    {self._out}.append(0)")

    def _name_tag_writer(self, fields: Fields, owner: str) -> str:
        for name, _, known_owner in self._tag_writers:
            if known_owner == owner:
                return name
        name = self.fresh("write_tags_")
        self._tag_writers.append((name, fields, owner))
        return name

    def _tag_writer(self, name: str, fields: Fields, owner: str) -> None:
        """A function that writes the tagged fields of one struct."""
        known = self.tagged(fields)
        self.line(f"def {name}(x, out):")
        self.indent, self._out = 1, "body"
        self.line("known = []")
        for field in known:
            self.line(f"if {self._differs(f'x.{field.attribute}', field)}:")
            self.indent = 2
            self.line("body = bytearray()")
            self._value(field, f"x.{field.attribute}")
            self.line(f"known.append(({field.tag}, body))")
            self.indent = 1
        self.line(f"write_tags(out, known, x.{UNKNOWN_TAGS}, {tuple(field.tag for field in known)!r})")
        self.indent, self._out = 0, "out"

    def _differs(self, value: str, field: Field) -> str:
        """An expression: the value is not the field's default."""
        kind = field.kind_of_default
        if kind == "none":
            if field.is_optional_struct:
                return f"({value} is not None and {value} != {self.class_of(field.element)}())"
            return f"{value} is not None"
        if kind == "struct":
            return f"{value} != {self.class_of(field.element)}()"
        if kind == "list":
            return f"({value} is None or {value})" if field.may_be_none else value
        if field.default_value or field.may_be_none:
            return f"{value} != {field.default_value!r}"
        return value

    def _fixed_run(self, run: Fields, x: str) -> None:
        for field in run:
            if field.element == "uuid":
                self._check_uuid(f"{x}.{field.attribute}")
        values = ", ".join(f"{x}.{field.attribute}" for field in run)
        self.line(f"{self._out} += {self.packer(run_format(run)[0])}.pack({values})")

    def _check_uuid(self, value: str) -> None:
        """``struct`` would pad or cut in silence."""
        self.line(f"if len({value}) != 16:")
        self.line("    raise TypeError('a uuid is 16 bytes')")

    def _value(self, field: Field, value: str) -> None:
        """Lines that write a field that stands alone."""
        if field.is_array:
            self._array(field, value)
        elif field.is_struct:
            self._single_struct(field, value)
        elif field.is_fixed:
            if field.element == "uuid":
                self._check_uuid(value)
            self.line(f"{self._out} += {self.packer(FIXED_FORMATS[field.element])}.pack({value})")
        else:
            self._blob(field, value, nullable=self.is_nullable(field))

    def _length(self, field: Field, value: str, letter: str, slow: str) -> None:
        if self.is_compact(field):
            self.line(f"n = len({value}) + 1")
            self.line("if n < 128:")
            self.line(f"    {self._out}.append(n)")
            self.line("else:")
            self.line(f"    {slow}({self._out}, n)")
        else:
            self.line(f"{self._out} += {self.packer(letter)}.pack(len({value}))")

    def _null(self, field: Field, value: str, size: int) -> None:
        self.line(f"if {value} is None:")
        self.line(f"    {self._out}.append(0)" if self.is_compact(field) else f"    {self._out} += {bytes([255] * size)!r}")
        self.line("else:")

    def _blob(self, field: Field, value: str, *, nullable: bool) -> None:
        is_text = field.element == "string"
        local = self.fresh("s")
        self.line(f"{local} = {value}")
        if nullable:
            self._null(field, local, 2 if is_text else 4)
            self.indent += 1
        if is_text:
            self.line(f"{local} = {local}.encode()")
        self._length(field, local, "h" if is_text else "i", "put_string_length" if is_text else "put_varint")
        if self._segments and field.element == "records":
            self.line(f"if len({local}) >= {SEGMENT_BYTES}:")
            self.line("    parts.append(bytes(out))")
            self.line(f"    parts.append({local})")
            self.line("    out.clear()")
            self.line("else:")
            self.line(f"    out += {local}")
        else:
            self.line(f"{self._out} += {local}")
        self.indent -= nullable

    def _single_struct(self, field: Field, value: str) -> None:
        local = self.fresh("y")
        nullable = self.is_nullable(field)
        self.line(f"{local} = {value}")
        if nullable:
            self.line(f"if {local} is None:")
            self.line(f"    {self._out}.append({self.null_struct(field)})")
            self.line("else:")
            self.indent += 1
            self.line(f"{self._out}.append(1)")
        self._struct(local, self.layout.structs[field.element], field.element)
        self.indent -= nullable

    def _array(self, field: Field, value: str) -> None:
        local = self.fresh("a")
        nullable = self.is_nullable(field)
        self.line(f"{local} = {value}")
        if nullable:
            self._null(field, local, 4)
            self.indent += 1
        self._length(field, local, "i", "put_varint")
        if field.element in FIXED_SIZES and field.element != "uuid":
            self._number_array(field, local)
        else:
            self._element_loop(field, local)
        self.indent -= nullable

    def _number_array(self, field: Field, local: str) -> None:
        letter, packers = FIXED_FORMATS[field.element], self.array_packers(field.element)
        self.line(f"n = len({local})")
        self.line(f"if n < {SMALL_ARRAY}:")
        self.line(f"    {self._out} += {packers}[n].pack(*{local})")
        self.line("else:")
        self.line(f"    {self._out} += pack(f'>{{n}}{letter}', *{local})")

    def _element_loop(self, field: Field, local: str) -> None:
        item = self.fresh("y")
        self.line(f"for {item} in {local}:")
        self.indent += 1
        if field.is_struct:
            self._struct(item, self.layout.structs[field.element], field.element)
            self.line("pass")
        elif field.element == "uuid":
            self._check_uuid(item)
            self.line(f"{self._out} += {item}")
        else:
            self._blob(field, item, nullable=False)
        self.indent -= 1


def write_tags(out: bytearray, known: list[tuple[int, bytes]], unknown: dict[int, bytes] | None, known_tags: tuple[int, ...]) -> None:
    """Append the tagged fields of one struct: ``known`` ones (already by tag) and ``unknown`` ones, merged by tag."""
    fields = known
    if unknown:
        for tag in unknown:
            if tag in known_tags:
                raise EncodeError(f"tag {tag} is a field of this version and cannot be an unknown tag too")
        fields = sorted([*known, *unknown.items()])
    put_varint(out, len(fields))
    for tag, body in fields:
        put_varint(out, tag)
        put_varint(out, len(body))
        out += body


def refuse(value: Struct, owner: str, version: int, message: str) -> None:
    """Raise ``EncodeError`` for the fields of ``value`` that ``version`` lacks, that are not ignorable and that hold something."""
    layout = message_layout(message)
    fields = layout.fields if owner == message else layout.structs[owner]
    blank = type(value)()
    held = [
        f"{field.name} = {getattr(value, field.attribute)!r}"
        for field in fields
        if not field.versions.covers(version) and not field.ignorable and getattr(value, field.attribute) != getattr(blank, field.attribute)
    ]
    raise EncodeError(f"{message} v{version}{'' if owner == message else ': ' + owner} has no {', '.join(held)}")
