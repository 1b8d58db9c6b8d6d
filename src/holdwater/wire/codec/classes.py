"""Builds one class per message, and one per struct in it, from the layout: slots, defaults, a positional constructor.

A class serves all versions of its message; which fields reach the wire is decided by the version given to the codec.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, cast, dataclass_transform

from holdwater.wire.codec.layout import Field, MessageLayout, message_layout

UNKNOWN_TAGS = "unknown_tags"
"""Slot for tagged fields of a newer protocol, tag to raw bytes; they are written back as they came. ``None`` when there are none."""


@dataclass_transform()
class Struct:
    """A value with the fields of one Kafka struct. Compared by value, not hashable."""

    __slots__: tuple[str, ...] = ()
    __hash__: ClassVar[None]  # pyright: ignore[reportIncompatibleMethodOverride]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __repr__(self) -> str:
        values = ((name, getattr(self, name)) for name in self.__slots__)
        shown = ", ".join(f"{name}={value!r}" for name, value in values if name != UNKNOWN_TAGS or value)
        return f"{type(self).__qualname__}({shown})"


class Message(Struct):
    """A struct that is a message of its own."""

    __slots__ = ()

    API_KEY: ClassVar[int]
    """API key, record key, or -1."""
    KIND: ClassVar[str]
    """request, response, header, data, metadata, coordinator-key or coordinator-value."""
    MIN_VERSION: ClassVar[int]
    MAX_VERSION: ClassVar[int]
    FLEXIBLE_FROM: ClassVar[int]
    """First version with compact lengths and tagged fields; 32767 when there is none."""
    LISTENERS: ClassVar[tuple[str, ...]]
    """Requests: where Kafka serves them (broker, controller)."""
    LATEST_VERSION_UNSTABLE: ClassVar[bool]
    """Whether Kafka serves the last version only when unstable versions are switched on."""
    LAYOUT: ClassVar[MessageLayout]


class _Fresh:
    """Default of an argument whose value is made anew for every object: an empty list, a struct."""

    def __repr__(self) -> str:
        return "<fresh>"


FRESH = _Fresh()


def build_message_class(name: str) -> type[Message]:
    """The class of one message with its struct classes as attributes. Raises ``KeyError`` for an unknown name."""
    layout = message_layout(name)
    classes: dict[str, type[Struct]] = {}
    for struct in _innermost_first(layout):
        classes[struct] = _build(Struct, f"{name}.{struct}", layout.structs[struct], layout, classes)
    attributes = {
        "API_KEY": layout.key,
        "KIND": layout.kind,
        "MIN_VERSION": layout.versions.low,
        "MAX_VERSION": layout.versions.high,
        "FLEXIBLE_FROM": layout.flexible_from,
        "LISTENERS": layout.listeners,
        "LATEST_VERSION_UNSTABLE": layout.unstable,
        "LAYOUT": layout,
        **classes,
    }
    return cast(type[Message], _build(Message, name, layout.fields, layout, classes, attributes))


def _innermost_first(layout: MessageLayout) -> Iterable[str]:
    """Struct names so that a struct comes after those it holds; Kafka's structs never hold themselves."""
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        for field in layout.structs[name]:
            if field.is_struct and field.element not in ordered:
                visit(field.element)
        ordered[name] = None

    for name in layout.structs:
        if name not in ordered:
            visit(name)
    return ordered


def _build(
    base: type[Struct],
    qualified_name: str,
    fields: tuple[Field, ...],
    layout: MessageLayout,
    classes: dict[str, type[Struct]],
    attributes: dict[str, Any] | None = None,
) -> type[Struct]:
    slots = [field.attribute for field in fields]
    if layout.can_be_flexible:
        slots.append(UNKNOWN_TAGS)
    body = {
        "__slots__": tuple(slots),
        "__match_args__": tuple(slots),
        "__module__": "holdwater.wire.messages",
        "__qualname__": qualified_name,
        "__init__": _constructor(qualified_name, fields, layout, classes),
        **(attributes or {}),
    }
    return cast(type[Struct], type(qualified_name.rpartition(".")[2], (base,), body))


def _constructor(
    qualified_name: str, fields: tuple[Field, ...], layout: MessageLayout, classes: dict[str, type[Struct]]
) -> Callable[..., None]:
    """An ``__init__`` compiled for the fields: as fast as one written by hand."""
    scope: dict[str, Any] = {"FRESH": FRESH}
    arguments = ["self"]
    lines: list[str] = []
    for field in fields:
        name, kind = field.attribute, field.kind_of_default
        value = name
        if kind == "none":
            default = "None"
        elif kind == "value":
            default = repr(field.default_value)
        else:
            default = "FRESH"
            value = f"{name} if {name} is not FRESH else {'[]' if kind == 'list' else 'class_' + name + '()'}"
            if kind == "struct":
                scope["class_" + name] = classes[field.element]
        arguments.append(f"{name}={default}")
        lines.append(f"    self.{name} = {value}")
    if layout.can_be_flexible:
        arguments.append(f"{UNKNOWN_TAGS}=None")
        lines.append(f"    self.{UNKNOWN_TAGS} = {UNKNOWN_TAGS}")
    source = f"def __init__({', '.join(arguments)}):\n" + ("\n".join(lines) or "    pass")
    exec(compile(source, f"<constructor of {qualified_name}>", "exec"), scope)
    constructor = scope["__init__"]
    constructor.__qualname__ = f"{qualified_name}.__init__"
    return constructor
