"""Frames: a size of four bytes, a header, a body; and the table of APIs that says which header and which body.

A request header is v2 when the request's version is flexible and v1 otherwise; a response header v1 and v0 likewise, except that an
ApiVersions response always has v0, since the client does not know yet what the broker speaks (KIP-511). Request header v0 belonged to
ControlledShutdown v0 alone and left Kafka with it in 4.0.
"""

from struct import Struct as Packer
from typing import Any, NamedTuple, cast

import holdwater.wire.messages as messages
from holdwater.wire.codec.classes import Message
from holdwater.wire.codec.compiled import ElementBudget, decoder, encoder, prefix_decoder, segment_encoder
from holdwater.wire.codec.errors import ProtocolError
from holdwater.wire.codec.layout import NO_VERSION, parse_versions
from holdwater.wire.messages import RequestHeader, ResponseHeader
from holdwater.wire.schema import entries

API_VERSIONS_KEY = 18
FRAME_SIZE_BYTES = 4
SMALLEST_REQUEST_BYTES = 8

_SIZE = Packer(">i")
_KEY_AND_VERSION = Packer(">hh")


class Api(NamedTuple):
    """One API of Kafka: its versions, the first flexible one (32767 if none), and the listeners that serve it."""

    key: int
    name: str
    min_version: int
    max_version: int
    flexible_from: int
    listeners: tuple[str, ...]
    latest_version_unstable: bool

    def has_version(self, version: int) -> bool:
        """Whether Kafka has the version."""
        return self.min_version <= version <= self.max_version


def _read_api_table() -> dict[int, Api]:
    apis: list[Api] = []
    for entry in entries("rpc"):
        words = entry.partition("\n")[0].split(" ")
        if words[1] != "request":
            continue
        low, high = parse_versions(words[3])
        flexible = NO_VERSION if words[4] == "none" else parse_versions(words[4]).low
        listeners = tuple(words[5].split(",")) if len(words) > 5 and words[5] != "unstable" else ()
        apis.append(Api(int(words[2]), words[0].removesuffix("Request"), low, high, flexible, listeners, words[-1] == "unstable"))
    return {api.key: api for api in sorted(apis)}


API_TABLE: dict[int, Api] = _read_api_table()
"""Every API of the imported Kafka release by its key, in the order of the keys."""

_REQUEST_CLASSES: dict[int, type[Message]] = {}
_RESPONSE_CLASSES: dict[int, type[Message]] = {}


def request_class(api_key: int) -> type[Message]:
    """The request class of an API. Raises ``ProtocolError`` for a key that Kafka does not have."""
    found = _REQUEST_CLASSES.get(api_key)
    if found is None:
        found = _REQUEST_CLASSES[api_key] = cast(type[Message], getattr(messages, _api(api_key).name + "Request"))
    return found


def response_class(api_key: int) -> type[Message]:
    """The response class of an API. Raises ``ProtocolError`` for a key that Kafka does not have."""
    found = _RESPONSE_CLASSES.get(api_key)
    if found is None:
        found = _RESPONSE_CLASSES[api_key] = cast(type[Message], getattr(messages, _api(api_key).name + "Response"))
    return found


def request_header_version(api_key: int, version: int) -> int:
    """1 or 2; also for versions above the highest, as a broker must read the header before it can say so."""
    return 2 if version >= _api(api_key).flexible_from else 1


def response_header_version(api_key: int, version: int) -> int:
    """0 or 1."""
    return 1 if version >= _api(api_key).flexible_from and api_key != API_VERSIONS_KEY else 0


def _api(api_key: int) -> Api:
    api = API_TABLE.get(api_key)
    if api is None:
        raise ProtocolError(f"no API has the key {api_key}")
    return api


def frame_size(data: bytes | bytearray | memoryview, position: int, limit_bytes: int) -> int:
    """The size that the four bytes at ``position`` announce. Raises ``ProtocolError`` when it is negative or above the limit."""
    size: int = _SIZE.unpack_from(data, position)[0]
    if not 0 <= size <= limit_bytes:
        raise ProtocolError(f"frame of {size} bytes; this listener takes up to {limit_bytes}")
    return size


def decode_request_header(data: bytes, position: int = 0) -> tuple[RequestHeader, int]:
    """The header of a request frame (without its size), and the position of the body. Raises ``ProtocolError``, also for unknown keys."""
    if len(data) - position < SMALLEST_REQUEST_BYTES:
        raise ProtocolError("request header cut short")
    api_key, version = _KEY_AND_VERSION.unpack_from(data, position)
    read = prefix_decoder(RequestHeader, request_header_version(api_key, version))
    return read(data, position, len(data), ElementBudget.BEFORE_AUTHENTICATION)


def decode_request(data: bytes, budget: int = ElementBudget.CLIENT) -> tuple[RequestHeader, Message]:
    """A whole request frame (without its size). Raises ``ProtocolError``, also for unknown keys and versions."""
    header, position = decode_request_header(data)
    body = decoder(request_class(header.request_api_key), header.request_api_version)
    return header, body(data, position, len(data), budget)


def encode_request(message: Message, version: int, correlation_id: int, client_id: str | None) -> bytes:
    """A request frame with its size. Raises ``EncodeError``."""
    out = bytearray(FRAME_SIZE_BYTES)
    header = RequestHeader(message.API_KEY, version, correlation_id, client_id)
    encoder(RequestHeader, request_header_version(message.API_KEY, version))(header, out)
    encoder(type(message), version)(message, out)
    _SIZE.pack_into(out, 0, len(out) - FRAME_SIZE_BYTES)
    return bytes(out)


def decode_response_header(data: bytes, api_key: int, version: int, position: int = 0) -> tuple[ResponseHeader, int]:
    """The header of the response to a request of that key and version, and the position of the body. Raises ``ProtocolError``."""
    read = prefix_decoder(ResponseHeader, response_header_version(api_key, version))
    return read(data, position, len(data), ElementBudget.BEFORE_AUTHENTICATION)


def decode_response(data: bytes, api_key: int, version: int, budget: int = ElementBudget.CLIENT) -> tuple[int, Message]:
    """Correlation id and body of a whole response frame (without its size). Raises ``ProtocolError``."""
    header, position = decode_response_header(data, api_key, version)
    body = decoder(response_class(api_key), version)
    return header.correlation_id, body(data, position, len(data), budget)


def encode_response(message: Message, version: int, correlation_id: int) -> bytes:
    """A response frame with its size. Raises ``EncodeError``."""
    out = _response_head(message.API_KEY, version, correlation_id)
    encoder(type(message), version)(message, out)
    _SIZE.pack_into(out, 0, len(out) - FRAME_SIZE_BYTES)
    return bytes(out)


def encode_response_segments(message: Message, version: int, correlation_id: int) -> list[bytes]:
    """A response frame as buffers for one gathering write, large ``records`` uncopied. Raises ``EncodeError``."""
    out = _response_head(message.API_KEY, version, correlation_id)
    parts: list[bytes] = []
    segment_encoder(type(message), version)(message, out, parts)
    if not parts:
        _SIZE.pack_into(out, 0, len(out) - FRAME_SIZE_BYTES)
        return [bytes(out)]
    if out:
        parts.append(bytes(out))
    size = sum(map(len, parts)) - FRAME_SIZE_BYTES
    parts[0] = _SIZE.pack(size) + parts[0][FRAME_SIZE_BYTES:]
    return parts


def _response_head(api_key: int, version: int, correlation_id: int) -> bytearray:
    """Room for the size, then the header; a header without tagged fields is the correlation id, and in v1 a zero after it."""
    out: Any = bytearray(FRAME_SIZE_BYTES)
    out += _SIZE.pack(correlation_id)
    if response_header_version(api_key, version):
        out.append(0)
    return out
