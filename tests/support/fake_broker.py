"""A broker of a few lines on a real socket: answers each request with what a test says, in the right frame and header."""

import socket
import threading
from collections.abc import Callable
from struct import pack, unpack
from typing import Any, Self

from holdwater.wire import messages
from holdwater.wire.codec import decode, encode
from holdwater.wire.codec.frames import request_header_version, response_header_version

Answer = Callable[[Any, int], Any]
"""(request, version) -> a response message, raw bytes to send as they are, or ``None`` for silence."""


class FakeBroker:
    """Serves one connection after the other on a loopback port. ``answers``: request class name -> answer."""

    def __init__(self, answers: dict[str, Answer], *, versions: dict[str, tuple[int, int]] | None = None) -> None:
        self.seen: list[tuple[str, int, Any]] = []
        self._answers = answers
        self._versions = versions or {}
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # shutdown wakes the accept of the other thread, close alone does not.
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(timeout=5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        """Serve a connection to its end, before the next one."""
        with connection:
            try:
                while self._answer_one(connection):
                    pass
            except OSError:
                pass

    def _answer_one(self, connection: socket.socket) -> bool:
        head = _read(connection, 4)
        if head is None:
            return False
        frame = _read(connection, unpack(">i", head)[0])
        if frame is None:
            return False
        api_key, version, correlation_id = unpack(">hhi", frame[:8])
        name = next(name for name in [*self._answers, "ApiVersionsRequest"] if api_key == getattr(messages, name).API_KEY)
        request_class = getattr(messages, name)
        position = 10 + max(0, unpack(">h", frame[8:10])[0]) + (request_header_version(api_key, version) == 2)
        request = decode(request_class, version, frame, position) if version <= request_class.MAX_VERSION else None
        self.seen.append((name, version, request))
        answer = self._answers.get(name, self._api_versions)(request, version)
        if answer is None:
            return _read(connection, 1) is not None  # silent until the client goes
        if not isinstance(answer, bytes):
            tags = b"\0" if response_header_version(api_key, version) else b""
            answer = pack(">i", correlation_id) + tags + encode(answer, version)
        connection.sendall(pack(">i", len(answer)) + answer)
        return True

    def _api_versions(self, request: Any, version: int) -> Any:
        keys = []
        for name in self._answers:
            request_class = getattr(messages, name)
            low, high = self._versions.get(name, (request_class.MIN_VERSION, request_class.MAX_VERSION))
            keys.append(messages.ApiVersionsResponse.ApiVersion(api_key=request_class.API_KEY, min_version=low, max_version=high))
        return messages.ApiVersionsResponse(api_keys=keys)


def _read(connection: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            return None
        data += part
    return data
