"""What can go wrong with one request. All are ``RpcError``; the text names the broker and what was asked."""

from holdwater.kernel.errors import ErrorCode


class RpcError(Exception):
    """A request that got no usable answer."""


class ConnectionFailed(RpcError):  # noqa: N818 - named for what happened
    """The broker could not be reached, or it closed the connection."""


class RequestTimedOut(RpcError):  # noqa: N818 - named for what happened
    """No answer within the limit. The connection is closed: a late answer must not meet the next request."""


class UnsupportedRequest(RpcError):  # noqa: N818 - named for what happened
    """The broker and this program have no version of the request in common."""


class BrokerError(RpcError):
    """The broker answered with a Kafka error; ``code`` is its number."""

    def __init__(self, what: str, code: int, message: str | None = None) -> None:
        super().__init__(f"{what}: {ErrorCode.describe(code)}" + (f": {message}" if message else ""))
        self.code = code
