"""What a controller operation comes to, and when its response may leave.

The caller appends ``Result.records`` (``batches`` splits them), replays each record into the controller as soon as it is appended, and
holds the response in ``PendingResponses`` until the high watermark has reached ``wait_offset``. Reads wait like writes: they have seen
records that may still be lost. When leadership is lost, or an append fails, everything pending fails and the controller is thrown away.
"""

from collections import deque
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from holdwater.core.metadata.records import MAX_RECORDS_PER_BATCH, Versioned
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.invariant import invariant

Response = TypeVar("Response")
Token = TypeVar("Token")


class Refusal(NamedTuple):
    """Why something is refused: the error a client is told, and a sentence for people."""

    error: ErrorCode
    message: str | None = None


Refused: TypeAlias = Refusal | None
"""``None``: it is fine."""


class Result(NamedTuple, Generic[Response]):
    """Records to append and the response to send once they are committed."""

    records: list[Versioned]
    response: Response
    wait_offset: int
    """The response may leave when the high watermark is at least this: the end of the log, these records included."""
    atomic: bool
    """Whether the records must become visible together, in one batch."""


def batches(result: Result[Response]) -> list[list[Versioned]]:
    """The records in batches of at most ``MAX_RECORDS_PER_BATCH``; an atomic result is one batch, and its handler kept to the limit."""
    records = result.records
    if not records:
        return []
    if result.atomic:
        invariant(len(records) <= MAX_RECORDS_PER_BATCH, f"an atomic batch may hold {MAX_RECORDS_PER_BATCH} records, not {len(records)}")
        return [records]
    return [records[start : start + MAX_RECORDS_PER_BATCH] for start in range(0, len(records), MAX_RECORDS_PER_BATCH)]


class PendingResponses(Generic[Token]):
    """Responses that wait for the high watermark, in the order of their results."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Token, object]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, token: Token, result: Result[Response]) -> None:
        """Hold a result's response. ``token`` is whatever the caller needs to send it."""
        invariant(
            not self._waiting or result.wait_offset >= self._waiting[-1][0],
            "results come in the order of the log, since each has seen what the ones before appended",
        )
        self._waiting.append((result.wait_offset, token, result.response))

    def release(self, high_watermark: int) -> list[tuple[Token, object]]:
        """The responses that may leave now, in order."""
        released: list[tuple[Token, object]] = []
        while self._waiting and self._waiting[0][0] <= high_watermark:
            _, token, response = self._waiting.popleft()
            released.append((token, response))
        return released

    def fail(self) -> list[Token]:
        """Leadership is lost: the tokens of everything pending, to be answered with NOT_CONTROLLER."""
        tokens = [token for _, token, _ in self._waiting]
        self._waiting.clear()
        return tokens
