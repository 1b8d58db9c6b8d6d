"""Write the type stub of ``holdwater.wire.messages`` from the tables, so that type checkers and readers see every class and field."""

from holdwater.wire.codec.layout import Field, MessageLayout

_HEAD = '''\
"""Kafka's messages as classes: one per message, all versions in it. Written by tools/import_messages.py; do not edit.

Constructors take fields by position or keyword, in this order, with the schema's defaults. Struct classes are attributes of their message.
A struct in a tagged field that the protocol does not call nullable is None while it is not on the wire (Kafka fills one with defaults).
"""

# ruff: noqa
from holdwater.wire.codec.classes import Message, Struct

def __dir__() -> list[str]: ...
'''
_TYPES = {"bool": "bool", "float64": "float", "string": "str", "bytes": "bytes", "records": "bytes", "uuid": "bytes"}


def render_stub(tables: list[str]) -> str:
    """The stub for the modules whose texts are given."""
    layouts = [layout for text in tables for layout in _layouts(text)]
    parts = [_HEAD, *(_message(layout) for layout in sorted(layouts, key=lambda layout: layout.name))]
    return "\n".join(parts)


def _layouts(module_text: str) -> list[MessageLayout]:
    table = module_text.split('TABLE = """\\\n')[1].rstrip('\n"')
    return [MessageLayout("", entry) for entry in table.split("\n\n")]


def _message(layout: MessageLayout) -> str:
    key = "" if layout.key < 0 else f", key {layout.key}"
    flexible = f", flexible from {layout.flexible_from}" if layout.can_be_flexible else ""
    low, high = layout.versions
    lines = [f"class {layout.name}(Message):", f'    """{layout.kind}{key}, versions {low} to {high}{flexible}."""', ""]
    for name, fields in layout.structs.items():
        lines.append(f"    class {name}(Struct):")
        lines += _fields(fields, layout, "        ")
        lines.append("")
    lines += _fields(layout.fields, layout, "    ")
    return "\n".join(lines) + "\n"


def _fields(fields: tuple[Field, ...], layout: MessageLayout, indent: str) -> list[str]:
    lines = [f"{indent}{field.attribute}: {_annotation(field, layout)} = ..." for field in fields]
    if layout.can_be_flexible:
        lines.append(f"{indent}unknown_tags: dict[int, bytes] | None = ...")
    return lines or [f"{indent}..."]


def _annotation(field: Field, layout: MessageLayout) -> str:
    base = f"{layout.name}.{field.element}" if field.is_struct else _TYPES.get(field.element, "int")
    if field.is_array:
        base = f"list[{base}]"
    return f"{base} | None" if field.may_be_none else base
