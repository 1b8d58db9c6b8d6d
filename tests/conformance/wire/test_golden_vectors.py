"""Every message of Kafka in every version against what Kafka's own classes encode (README.md describes the vectors)."""

import base64
import json
import lzma
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from holdwater.kernel.identifiers import uuid_to_text
from holdwater.wire import messages
from holdwater.wire.codec import decode, encode, encode_segments
from holdwater.wire.codec.classes import Message, Struct
from holdwater.wire.codec.frames import API_TABLE, request_header_version, response_header_version
from holdwater.wire.codec.layout import Field, message_layout, message_names
from holdwater.wire.coordinator_records import decode_key, decode_value, encode_key, encode_value
from holdwater.wire.metadata_records import decode_record, encode_record

MESSAGES = 278
MESSAGE_VERSIONS = 744

Line = dict[str, Any]


@lru_cache(maxsize=1)
def _lines() -> tuple[list[Line], list[Line]]:
    text = lzma.decompress((Path(__file__).parent / "vectors.jsonl.xz").read_bytes()).decode()
    lines: list[Line] = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if "api" in line], [line for line in lines if "message" in line]


@lru_cache(maxsize=1)
def _by_message() -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {name: [] for name in message_names()}
    for line in _lines()[1]:
        found[_our_name(line["message"])].append(line)
    return found


def _our_name(java_class: str) -> str:
    """Kafka's class for a request or response adds ``Data`` to the message's name."""
    return java_class if hasattr(messages, java_class) else java_class.removesuffix("Data")


def test_every_message_and_version_has_its_vectors() -> None:
    found = Counter((_our_name(line["message"]), line["version"]) for line in _lines()[1] if line["variant"] == "set")
    expected = {
        (name, version)
        for name in message_names()
        for version in range(getattr(messages, name).MIN_VERSION, getattr(messages, name).MAX_VERSION + 1)
    }
    assert set(found) == expected
    assert len(message_names()) == MESSAGES
    assert len(found) == found.total() == MESSAGE_VERSIONS


@pytest.mark.parametrize("name", message_names())
def test_bytes_and_values_are_kafkas(name: str) -> None:
    message_class = getattr(messages, name)
    vectors = _by_message()[name]
    assert vectors
    for line in vectors:
        version, where = line["version"], f"{name} v{line['version']} {line['variant']}"
        raw = bytes.fromhex(line["bytes"])
        message = decode(message_class, version, raw)
        assert _differences(message, message_class.LAYOUT.fields, line["json"], message_class) == [], where
        assert "records" not in line or _records_in(message) == line["records"], where
        assert encode(message, version) == raw, where
        assert b"".join(encode_segments(message, version)) == raw, where
        if "frame" in line:
            _check_frame(message, version, bytes.fromhex(line["frame"]), where)


def _check_frame(message: Message, version: int, frame: bytes, where: str) -> None:
    """The message as it stands in a log, with what Kafka puts before it."""
    table = message.LAYOUT.table
    if message.KIND == "metadata":
        assert encode_record(message, version) == frame, where
        assert decode_record(frame) == message, where
    elif message.KIND == "coordinator-key":
        assert encode_key(message) == frame, where
        assert decode_key(table, frame) == message, where
    else:
        assert encode_value(message, version) == frame, where
        assert decode_value(table, message.API_KEY, frame) == message, where


def test_every_log_record_has_its_framing() -> None:
    framed = {_our_name(line["message"]) for line in _lines()[1] if "frame" in line}
    assert framed == {name for name in message_names() if message_layout(name).table in ("metadata", "group", "transaction", "share")}


@pytest.mark.parametrize("name", message_names())
def test_a_new_object_has_kafkas_defaults(name: str) -> None:
    message_class = getattr(messages, name)
    for line in _by_message()[name]:
        if line["variant"] == "default":
            assert encode(message_class(), line["version"]).hex() == line["bytes"], f"{name} v{line['version']}"


def test_api_table_and_header_versions_are_kafkas() -> None:
    versions: dict[int, list[int]] = {}
    for line in _lines()[0]:
        key, version = line["api"], line["version"]
        versions.setdefault(key, []).append(version)
        assert request_header_version(key, version) == line["request_header"], line
        assert response_header_version(key, version) == line["response_header"], line
        assert API_TABLE[key].latest_version_unstable or not line["unstable"], line
    assert versions == {key: list(range(api.min_version, api.max_version + 1)) for key, api in API_TABLE.items()}


def _differences(value: Struct, fields: tuple[Field, ...], expected: Line, message_class: type[Message]) -> list[str]:
    """Where a decoded struct differs from Kafka's JSON of it; what the JSON leaves out must hold its default."""
    found: list[str] = []
    blank = type(value)()
    by_name = {name.lower(): item for name, item in expected.items()}
    for field in fields:
        ours = getattr(value, field.attribute)
        if field.element == "records" and f"{field.name}SizeInBytes".lower() in by_name:
            ours, size = ours or b"", by_name.pop(f"{field.name}SizeInBytes".lower())
            found += [] if len(ours) == size else [f"{field.attribute}: {len(ours)} bytes, not {size}"]
        elif (key := field.name.lower()) in by_name:
            found += _value_differences(ours, field, by_name.pop(key), message_class)
        elif ours != getattr(blank, field.attribute):
            found.append(f"{field.attribute} = {ours!r}, which Kafka's JSON leaves out")
    return found + [f"{name} is not a field of ours" for name in by_name]


def _records_in(value: Any) -> list[str]:
    """The contents of every records field, in hex and in order."""
    if isinstance(value, list):
        return [found for item in value for found in _records_in(item)]
    if not isinstance(value, Struct):
        return []
    return [
        found
        for name in value.__slots__
        for item in [getattr(value, name)]
        for found in ([item.hex()] if name in ("records", "unaligned_records") and item is not None else _records_in(item))
    ]


def _value_differences(ours: Any, field: Field, expected: Any, message_class: type[Message]) -> list[str]:
    if ours is None or expected is None:
        return [] if ours is expected else [f"{field.attribute}: {ours!r} is not {expected!r}"]
    if not field.is_array:
        return _element_differences(ours, field, expected, message_class)
    if len(ours) != len(expected):
        return [f"{field.attribute}: {len(ours)} elements, not {len(expected)}"]
    pairs = zip(ours, expected, strict=True)
    return [difference for our, their in pairs for difference in _element_differences(our, field, their, message_class)]


def _element_differences(ours: Any, field: Field, expected: Any, message_class: type[Message]) -> list[str]:
    if field.is_struct:
        return _differences(ours, message_class.LAYOUT.structs[field.element], expected, message_class)
    if field.element == "bytes":
        expected = base64.b64decode(expected)
    if field.element == "uuid":
        ours = uuid_to_text(ours)
    same = ours == expected and isinstance(ours, bool) == isinstance(expected, bool)
    return [] if same else [f"{field.attribute}: {ours!r} is not {expected!r}"]
