"""The codec's functions: compiled when a message and version are first used, then kept."""

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Any, TypeVar

from holdwater.wire.codec.classes import Message
from holdwater.wire.codec.decode_source import compile_decoder, compile_prefix_decoder
from holdwater.wire.codec.encode_source import compile_encoder, compile_segment_encoder
from holdwater.wire.codec.errors import EncodeError, ProtocolError

M = TypeVar("M", bound=Message)


class ElementBudget(IntEnum):
    """How many array elements, embedded structs and unknown tags one message may hold: a frame of tiny structs grows fortyfold in memory.

    Any other number may be given: between brokers it follows from the partition limit.
    """

    BEFORE_AUTHENTICATION = 1_000
    CLIENT = 20_000
    UNLIMITED = 2**62


_encoders: dict[tuple[type[Message], int], Callable[[Any, bytearray], None]] = {}
_segment_encoders: dict[tuple[type[Message], int], Callable[[Any, bytearray, list[bytes]], None]] = {}
_decoders: dict[tuple[type[Message], int], Callable[[bytes, int, int, int], Any]] = {}
_prefix_decoders: dict[tuple[type[Message], int], Callable[[bytes, int, int, int], tuple[Any, int]]] = {}


def encoder(message_class: type[M], version: int) -> Callable[[M, bytearray], None]:
    """``fn(message, out)`` appends the body to ``out``. Raises ``EncodeError`` for a version that Kafka does not have, ``fn`` for a bad value."""
    function = _encoders.get((message_class, version))
    if function is None:
        _check_version(message_class, version, EncodeError)
        function = _encoders[message_class, version] = compile_encoder(message_class, version)
    return function


def segment_encoder(message_class: type[M], version: int) -> Callable[[M, bytearray, list[bytes]], None]:
    """``fn(message, out, parts)``: moves what ``out`` holds and then each large ``records`` value, uncopied, to ``parts``; ``out`` keeps the tail."""
    function = _segment_encoders.get((message_class, version))
    if function is None:
        _check_version(message_class, version, EncodeError)
        function = _segment_encoders[message_class, version] = compile_segment_encoder(message_class, version)
    return function


def decoder(message_class: type[M], version: int) -> Callable[[bytes, int, int, int], M]:
    """``fn(data, position, end, budget) -> message``, which must fill ``position`` to ``end`` exactly.

    Both raise ``ProtocolError`` and nothing else: here for a version that Kafka does not have, there for malformed bytes.
    """
    function = _decoders.get((message_class, version))
    if function is None:
        _check_version(message_class, version, ProtocolError)
        function = _decoders[message_class, version] = compile_decoder(message_class, version)
    return function


def prefix_decoder(message_class: type[M], version: int) -> Callable[[bytes, int, int, int], tuple[M, int]]:
    """``decoder`` for a message that something follows: returns the message and the position after it."""
    function = _prefix_decoders.get((message_class, version))
    if function is None:
        _check_version(message_class, version, ProtocolError)
        function = _prefix_decoders[message_class, version] = compile_prefix_decoder(message_class, version)
    return function


_KINDS: dict[str, tuple[dict[tuple[type[Message], int], Any], Callable[[Any, int], object]]] = {
    "encoder": (_encoders, encoder),
    "segment encoder": (_segment_encoders, segment_encoder),
    "decoder": (_decoders, decoder),
    "prefix decoder": (_prefix_decoders, prefix_decoder),
}


def compiled() -> list[tuple[str, type[Message], int]]:
    """What was compiled in this process, as (kind, class, version); ``compile_as`` takes it in another process."""
    return [(kind, message_class, version) for kind, (functions, _) in _KINDS.items() for message_class, version in functions]


def compile_as(others: Iterable[tuple[str, type[Message], int]]) -> None:
    """Compile now what another process has compiled: what is forked from this one from now on needs no time for it."""
    for kind, message_class, version in others:
        _KINDS[kind][1](message_class, version)


def encode(message: Message, version: int) -> bytes:
    """The body of the message. Raises ``EncodeError``."""
    out = bytearray()
    encoder(type(message), version)(message, out)
    return bytes(out)


def encode_segments(message: Message, version: int) -> list[bytes]:
    """The body as a list of buffers for one gathering write; ``records`` of 2 KiB and more are in it as they are, not copied."""
    out = bytearray()
    parts: list[bytes] = []
    segment_encoder(type(message), version)(message, out, parts)
    if out:
        parts.append(bytes(out))
    return parts


def decode(message_class: type[M], version: int, data: bytes, position: int = 0, budget: int = ElementBudget.CLIENT) -> M:
    """The message that fills ``data`` from ``position`` to its end. Raises ``ProtocolError``."""
    return decoder(message_class, version)(data, position, len(data), budget)


def _check_version(message_class: type[Message], version: int, error: type[Exception]) -> None:
    low, high = message_class.MIN_VERSION, message_class.MAX_VERSION
    if not low <= version <= high:
        raise error(f"{message_class.__name__} has versions {low} to {high}, not {version}")
