"""One connection to one broker: frames out, frames in, one request at a time."""

import socket
import time
from struct import Struct
from typing import Any, Self, TypeVar

from holdwater.rpc.errors import ConnectionFailed, RequestTimedOut, RpcError, UnsupportedRequest
from holdwater.wire import messages
from holdwater.wire.codec import ProtocolError, decode, encode
from holdwater.wire.codec.classes import Message
from holdwater.wire.codec.frames import request_header_version, response_header_version

FRAME_LIMIT_BYTES = 100 * 1024 * 1024
"""Largest response that is read; Kafka's own default for requests (socket.request.max.bytes)."""
CLIENT_ID = "holdwater"

_API_VERSIONS = 18
_UNSUPPORTED_VERSION = 35
_API_VERSIONS_HIGHEST = 4
"""Version 5 (KIP-1242) names the cluster and node that one means to reach; this requester takes whoever answers."""
_LENGTH = Struct(">i")

Response = TypeVar("Response", bound=Message)


class Connection:
    """A connected, negotiated broker. Use as a context manager, or ``close`` it. Not for use from two threads.

    Raises ``ConnectionFailed`` and ``RequestTimedOut`` while connecting as well. After either the connection is of no use.
    """

    def __init__(
        self, host: str, port: int, *, timeout_s: float = 5.0, client_id: str = CLIENT_ID, frame_limit_bytes: int = FRAME_LIMIT_BYTES
    ) -> None:
        self.address = f"{host}:{port}"
        self.timeout_s = timeout_s
        self._client_id = client_id
        self._frame_limit_bytes = frame_limit_bytes
        self._correlation_id = 0
        self._socket = self._connect(host, port)
        try:
            self.versions = self._negotiate()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; more than once is fine."""
        self._socket.close()

    def supports(self, request: type[Any]) -> bool:
        """Whether a version of the request exists that both sides know."""
        return self._common_version(request) >= 0

    def call(self, request: Any, response: type[Response], *, timeout_s: float | None = None, highest: int | None = None) -> Response:
        """Send the request in the highest common version (at most ``highest``) and wait for its response.

        Raises ``UnsupportedRequest``, ``ConnectionFailed``, ``RequestTimedOut``, or ``RpcError`` for an answer that cannot be read.
        """
        version = self._common_version(type(request), highest)
        if version < 0:
            name = type(request).__name__
            raise UnsupportedRequest(f"{self.address} and this program have no version of {name} in common")
        return self._exchange(request, response, version, self.timeout_s if timeout_s is None else timeout_s)

    def _connect(self, host: str, port: int) -> socket.socket:
        try:
            connected = socket.create_connection((host, port), timeout=self.timeout_s)
        except TimeoutError as error:
            raise RequestTimedOut(f"{self.address} did not accept a connection within {self.timeout_s:g} s") from error
        except OSError as error:
            raise ConnectionFailed(f"{self.address}: {error.strerror or error}") from error
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    def _negotiate(self) -> dict[int, tuple[int, int]]:
        """The broker's version ranges by API key. A broker that does not know our version says so in version 0, with its ranges."""
        request = messages.ApiVersionsRequest(client_software_name="holdwater", client_software_version="0")
        answer = self._exchange(request, messages.ApiVersionsResponse, _API_VERSIONS_HIGHEST, self.timeout_s)
        if answer.error_code == _UNSUPPORTED_VERSION and not answer.api_keys:
            answer = self._exchange(request, messages.ApiVersionsResponse, 0, self.timeout_s)
        return {one.api_key: (one.min_version, one.max_version) for one in answer.api_keys}

    def _common_version(self, request: type[Any], highest: int | None = None) -> int:
        low, high = self.versions.get(request.API_KEY, (0, -1))
        ceiling = request.MAX_VERSION if highest is None else min(highest, request.MAX_VERSION)
        version = min(high, ceiling)
        return version if version >= max(low, request.MIN_VERSION) else -1

    def _exchange(self, request: Any, response: type[Response], version: int, timeout_s: float) -> Response:
        deadline = time.monotonic() + timeout_s
        api_key: int = request.API_KEY
        self._correlation_id += 1
        try:
            self._send(request, api_key, version, timeout_s)
            frame = self._read_frame(type(request).__name__, deadline)
        except TimeoutError as error:
            self.close()
            raise RequestTimedOut(f"{self.address} did not answer {type(request).__name__} within {timeout_s:g} s") from error
        except OSError as error:
            self.close()
            raise ConnectionFailed(f"{self.address}: {error.strerror or error}") from error
        try:
            return self._decode(frame, response, api_key, version)
        except ProtocolError as error:
            self.close()
            raise RpcError(
                f"{self.address} answered {type(request).__name__} v{version} with what is no {response.__name__}: {error}"
            ) from error

    def _send(self, request: Any, api_key: int, version: int, timeout_s: float) -> None:
        header = messages.RequestHeader(
            request_api_key=api_key, request_api_version=version, correlation_id=self._correlation_id, client_id=self._client_id
        )
        frame = encode(header, request_header_version(api_key, version)) + encode(request, version)
        self._socket.settimeout(max(timeout_s, 0.001))
        self._socket.sendall(_LENGTH.pack(len(frame)) + frame)

    def _read_frame(self, name: str, deadline: float) -> bytes:
        (length,) = _LENGTH.unpack(self._read_exactly(4, deadline))
        if not 4 <= length <= self._frame_limit_bytes:
            self.close()
            raise RpcError(f"{self.address} answered {name} with a frame of {length} bytes (limit {self._frame_limit_bytes})")
        return self._read_exactly(length, deadline)

    def _read_exactly(self, size: int, deadline: float) -> bytes:
        """Grows with what arrives, never by what a length claims."""
        data = bytearray()
        while len(data) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            part = self._socket.recv(min(size - len(data), 1 << 18))
            if not part:
                raise ConnectionResetError("the broker closed the connection")
            data += part
        return bytes(data)

    def _decode(self, frame: bytes, response: type[Response], api_key: int, version: int) -> Response:
        (correlation_id,) = _LENGTH.unpack_from(frame)
        if correlation_id != self._correlation_id:
            self.close()
            raise RpcError(f"{self.address} answered request {correlation_id}, asked was {self._correlation_id}")
        # A flexible header ends with tagged fields, of which none is defined: one zero byte.
        header_version = response_header_version(api_key, version)
        position = 4
        if header_version >= 1:
            if frame[4:5] != b"\0":
                raise ProtocolError("unexpected tagged fields in the response header")
            position = 5
        if api_key == _API_VERSIONS and frame[4:6] == _LENGTH.pack(_UNSUPPORTED_VERSION)[2:]:
            version = 0
        return decode(response, version, frame, position)
