"""Keys and values of the coordinators' logs: a record type of two bytes before the key, a version of two bytes before the value.

The three coordinators number their record types apart, so a key is read with the name of its table: ``group`` (__consumer_offsets),
``transaction`` (__transaction_state) or ``share`` (__share_group_state). A value has the type of its key.
"""

from functools import lru_cache
from struct import Struct as Packer
from typing import cast

import holdwater.wire.messages as messages
from holdwater.wire.codec.classes import Message
from holdwater.wire.codec.compiled import ElementBudget, decoder, encoder
from holdwater.wire.codec.errors import EncodeError, ProtocolError
from holdwater.wire.schema import entries

_PREFIX = Packer(">h")
_PREFIX_BYTES = 2


@lru_cache(maxsize=16)
def record_names(table: str, kind: str) -> dict[int, str]:
    """Names of the message classes by record type; ``kind`` is ``coordinator-key`` or ``coordinator-value``."""
    heads = (entry.partition("\n")[0].split(" ") for entry in entries(table))
    return {int(words[2]): words[0] for words in heads if words[1] == kind}


def encode_key(key: Message) -> bytes:
    """The key of a coordinator record. Raises ``EncodeError``."""
    return _encode(key, "coordinator-key", key.API_KEY, key.MAX_VERSION)


def encode_value(value: Message, version: int) -> bytes:
    """The value of a coordinator record. Raises ``EncodeError``."""
    return _encode(value, "coordinator-value", version, version)


def decode_key(table: str, data: bytes, budget: int = ElementBudget.CLIENT) -> Message:
    """The key in a coordinator record. Raises ``ProtocolError``, also for a record type that Kafka does not have."""
    message_class = _message_class(table, "coordinator-key", _prefix(data))
    return decoder(message_class, message_class.MAX_VERSION)(data, _PREFIX_BYTES, len(data), budget)


def decode_value(table: str, record_type: int, data: bytes, budget: int = ElementBudget.CLIENT) -> Message:
    """The value in a coordinator record whose key has the type. Raises ``ProtocolError``, also for a version that Kafka does not have."""
    message_class = _message_class(table, "coordinator-value", record_type)
    return decoder(message_class, _prefix(data))(data, _PREFIX_BYTES, len(data), budget)


def _encode(message: Message, kind: str, prefix: int, version: int) -> bytes:
    if kind != message.KIND:
        raise EncodeError(f"{type(message).__name__} is no {kind}")
    write = encoder(type(message), version)
    out = bytearray(_PREFIX.pack(prefix))
    write(message, out)
    return bytes(out)


def _prefix(data: bytes) -> int:
    if len(data) < _PREFIX_BYTES:
        raise ProtocolError("coordinator record cut short")
    return _PREFIX.unpack_from(data)[0]


def _message_class(table: str, kind: str, record_type: int) -> type[Message]:
    name = record_names(table, kind).get(record_type)
    if name is None:
        raise ProtocolError(f"no {kind} of the {table} coordinator has the type {record_type}")
    return cast(type[Message], getattr(messages, name))
