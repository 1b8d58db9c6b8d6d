"""What the two function writers share: lines of Python with indentation, names for constants, and the fields of one version.

The functions are compiled from text because that is what makes a pure-Python codec quick: one function per message and version, every loop
in place, runs of fixed-size fields read or written by one ``struct`` call, no test of the version left at run time.
"""

from struct import Struct as Packer
from typing import Any

from holdwater.wire.codec.classes import Message
from holdwater.wire.codec.layout import FIXED_FORMATS, FIXED_SIZES, Field, MessageLayout

Fields = tuple[Field, ...]

SMALL_ARRAY = 16
"""Arrays of numbers below this length have their ``struct`` format prepared."""


class Source:
    """Text of the functions for one message in one version, and the scope they run in."""

    def __init__(self, message_class: type[Message], version: int) -> None:
        self.layout: MessageLayout = message_class.LAYOUT
        self.version = version
        self.flexible = self.layout.flexible.covers(version)
        self.where = f"{self.layout.name} v{version}"
        self.scope: dict[str, Any] = {}
        self.lines: list[str] = []
        self.indent = 0
        self._serial = 0
        self.message_class = message_class

    def line(self, text: str) -> None:
        """One line at the present indentation."""
        self.lines.append("    " * self.indent + text)

    def fresh(self, prefix: str) -> str:
        """A name not used before."""
        self._serial += 1
        return f"{prefix}{self._serial}"

    def packer(self, fields_format: str) -> str:
        """Name of the prepared ``struct`` format (big endian)."""
        name = "pack_" + fields_format.replace("?", "z")
        self.scope.setdefault(name, Packer(">" + fields_format))
        return name

    def array_packers(self, element: str) -> str:
        """Name of the prepared formats for short arrays of a fixed-size element, by length."""
        letter = FIXED_FORMATS[element]
        name = "arrays_" + letter.replace("?", "z")
        if name not in self.scope:
            self.scope[name] = tuple(Packer(f">{length}{letter}") for length in range(SMALL_ARRAY))
        return name

    def class_of(self, struct: str) -> str:
        """Name of a struct's class."""
        name = "class_" + struct
        self.scope[name] = getattr(self.message_class, struct)
        return name

    def present(self, fields: Fields) -> Fields:
        """Fields that this version has in the body of the struct, in wire order."""
        return tuple(field for field in fields if field.versions.covers(self.version) and not self._is_tagged(field))

    def tagged(self, fields: Fields) -> Fields:
        """Fields that this version has as tagged fields, by tag."""
        known = (field for field in fields if field.versions.covers(self.version) and self._is_tagged(field))
        return tuple(sorted(known, key=lambda field: field.tag))

    def absent(self, fields: Fields) -> Fields:
        """Fields that this version lacks."""
        return tuple(field for field in fields if not field.versions.covers(self.version))

    def _is_tagged(self, field: Field) -> bool:
        return self.flexible and field.tag >= 0 and field.tagged.covers(self.version)

    def is_nullable(self, field: Field) -> bool:
        """Whether the field may be null in this version."""
        return field.nullable.covers(self.version)

    def null_struct(self, field: Field) -> int:
        """The byte that says a nullable struct is null: -1, but 0 (a varint) in a tagged field; 1 says present in both."""
        return 0 if self._is_tagged(field) else 255

    def is_compact(self, field: Field) -> bool:
        """Whether lengths of this field are varints in this version."""
        return self.flexible and not field.never_compact

    def default(self, field: Field) -> str:
        """The field's default as an expression that makes a fresh value."""
        kind = field.kind_of_default
        if kind == "value":
            return repr(field.default_value)
        if kind == "struct":
            return self.class_of(field.element) + "()"
        return "[]" if kind == "list" else "None"

    def smallest(self, fields: Fields) -> int:
        """Bytes that a struct takes at least in this version."""
        return sum(self._smallest_field(field) for field in self.present(fields)) + self.flexible

    def _smallest_field(self, field: Field) -> int:
        if field.is_array:
            return 1 if self.is_compact(field) else 4
        if field.is_struct:
            return 1 if self.is_nullable(field) else self.smallest(self.layout.structs[field.element])
        return self.smallest_element(field)

    def smallest_element(self, field: Field) -> int:
        """Bytes that one element of the field's type takes at least."""
        if field.is_struct:
            return self.smallest(self.layout.structs[field.element])
        if field.element in FIXED_SIZES:
            return FIXED_SIZES[field.element]
        if self.is_compact(field):
            return 1
        return 2 if field.element == "string" else 4

    def objects(self, field: Field) -> int:
        """What one element costs of the element budget: itself and the structs that it always holds."""
        if not field.is_struct:
            return 1
        inner = self.present(self.layout.structs[field.element])
        return 1 + sum(self.objects(field) for field in inner if field.is_struct and not field.is_array)

    def compile(self, name: str) -> Any:
        """Compile the lines and return one of the functions in them."""
        exec(compile("\n".join(self.lines), f"<{name} {self.where}>", "exec"), self.scope)
        return self.scope[name]


def split_runs(fields: Fields) -> list[Fields]:
    """Consecutive fixed-size fields together, every other field alone."""
    runs: list[Fields] = []
    for field in fields:
        if field.is_fixed and runs and runs[-1][-1].is_fixed:
            runs[-1] += (field,)
        else:
            runs.append((field,))
    return runs


def run_format(run: Fields) -> tuple[str, int]:
    """The ``struct`` format of a run of fixed-size fields, and its size in bytes."""
    return "".join(FIXED_FORMATS[field.element] for field in run), sum(FIXED_SIZES[field.element] for field in run)
