"""Finds which value of a message could not be encoded, once encoding it has failed. Never on the way of a good message."""

from typing import Any

from holdwater.wire.codec.classes import Message
from holdwater.wire.codec.layout import Field, MessageLayout

_RANGES = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
}


def explain(message: Message, version: int, cause: Exception) -> str:
    """One sentence: the message, its version, and the first value found wrong (or the cause when none is)."""
    layout = type(message).LAYOUT
    found = _first_fault(message, layout.fields, layout, version) or f"{type(cause).__name__}: {cause}"
    return f"{layout.name} v{version}: {found}"


def _first_fault(value: Any, fields: tuple[Field, ...], layout: MessageLayout, version: int) -> str | None:
    for field in fields:
        if not field.versions.covers(version):
            continue
        inner = getattr(value, field.attribute, _MISSING)
        fault = _field_fault(inner, field, layout, version)
        if fault:
            return f"{field.attribute}{fault}"
    return None


def _field_fault(value: Any, field: Field, layout: MessageLayout, version: int) -> str | None:
    if value is None:
        allowed = field.nullable.covers(version) or field.is_optional_struct
        return None if allowed else " is None, which this version cannot say"
    if not field.is_array:
        return _element_fault(value, field, layout, version)
    if not isinstance(value, (list, tuple)):
        return f" is {type(value).__name__}, not a list"
    for index, item in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        fault = _element_fault(item, field, layout, version)
        if fault:
            return f"[{index}]{fault}"
    return None


def _element_fault(value: Any, field: Field, layout: MessageLayout, version: int) -> str | None:
    kind = field.element
    if field.is_struct:
        fault = _first_fault(value, layout.structs[kind], layout, version)
        return f".{fault}" if fault else None
    if kind in _RANGES:
        low, high = _RANGES[kind]
        return None if isinstance(value, int) and low <= value <= high else f" = {value!r} is no {kind}"
    if kind == "uuid":
        return None if isinstance(value, bytes) and len(value) == 16 else f" = {value!r} is no uuid of 16 bytes"
    if kind == "string":
        return _text_fault(value)
    if kind in ("bytes", "records"):
        return None if isinstance(value, (bytes, bytearray, memoryview)) else f" is {type(value).__name__}, not bytes"
    return None


def _text_fault(value: Any) -> str | None:
    if not isinstance(value, str):
        return f" is {type(value).__name__}, not str"
    try:
        encoded = value.encode()
    except UnicodeEncodeError:
        return " holds characters that UTF-8 cannot"
    return f" is {len(encoded)} bytes long, more than a string may have" if len(encoded) > 32767 else None


class _Missing:
    def __repr__(self) -> str:
        return "<no such attribute>"


_MISSING = _Missing()
