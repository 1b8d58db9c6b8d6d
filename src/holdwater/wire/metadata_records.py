"""Values of the metadata log: frame version 1, record key and record version as unsigned varints, then the record (Kafka's MetadataRecordSerde)."""

from typing import NamedTuple, cast

import holdwater.wire.messages as messages
from holdwater.wire.codec.classes import Message
from holdwater.wire.codec.compiled import ElementBudget, decoder, encoder
from holdwater.wire.codec.errors import EncodeError, ProtocolError
from holdwater.wire.codec.varint import put_varint, read_varint
from holdwater.wire.schema import entries

FRAME_VERSION = 1


class RecordHead(NamedTuple):
    """What stands before a record: its key, its version, and where its body begins."""

    key: int
    version: int
    position: int


def _read_names() -> dict[int, str]:
    heads = (entry.partition("\n")[0].split(" ") for entry in entries("metadata"))
    return {int(words[2]): words[0] for words in heads}


RECORD_NAMES: dict[int, str] = _read_names()
"""Name of the metadata record class by its key."""

_classes: dict[int, type[Message]] = {}


def record_class(key: int) -> type[Message]:
    """The class of a metadata record. Raises ``ProtocolError`` for a key that Kafka does not have."""
    found = _classes.get(key)
    if found is None:
        if key not in RECORD_NAMES:
            raise ProtocolError(f"no metadata record has the key {key}")
        found = _classes[key] = cast(type[Message], getattr(messages, RECORD_NAMES[key]))
    return found


def encode_record(record: Message, version: int) -> bytes:
    """The value of a metadata log record. Raises ``EncodeError``, also for a message that is no metadata record."""
    if type(record).__name__ != RECORD_NAMES.get(record.API_KEY):
        raise EncodeError(f"{type(record).__name__} is no metadata record")
    out = bytearray((FRAME_VERSION,))
    put_varint(out, record.API_KEY)
    put_varint(out, version)
    encoder(type(record), version)(record, out)
    return bytes(out)


def read_head(data: bytes) -> RecordHead:
    """Key and version of a metadata log record's value. Raises ``ProtocolError``."""
    frame_version, position = read_varint(data, 0)
    if frame_version != FRAME_VERSION:
        raise ProtocolError(f"metadata record frame version {frame_version}, not {FRAME_VERSION}")
    key, position = read_varint(data, position)
    version, position = read_varint(data, position)
    return RecordHead(key, version, position)


def decode_record(data: bytes, budget: int = ElementBudget.CLIENT) -> Message:
    """The metadata record in a record's value, which it must fill. Raises ``ProtocolError``, also for unknown keys and versions."""
    key, version, position = read_head(data)
    return decoder(record_class(key), version)(data, position, len(data), budget)
