"""What a client is told when what it asked for could not be appended."""

from holdwater.kernel.errors import ErrorCode

_TOLD: dict[int, ErrorCode] = {
    ErrorCode.NETWORK_EXCEPTION: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.REQUEST_TIMED_OUT: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_LEADER_OR_FOLLOWER: ErrorCode.NOT_COORDINATOR,
    ErrorCode.KAFKA_STORAGE_ERROR: ErrorCode.NOT_COORDINATOR,
    ErrorCode.MESSAGE_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
    ErrorCode.RECORD_LIST_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
    ErrorCode.INVALID_FETCH_SIZE: ErrorCode.UNKNOWN_SERVER_ERROR,
}
"""Errors of a log in the words of a coordinator. The first comes from the verification of a transaction; the client is to try again as it is."""


def for_clients(error_code: int) -> int:
    """The error as clients of a coordinator know it."""
    return _TOLD.get(error_code, error_code)


def for_offset_fetch(error_code: int) -> int:
    """Consumers before 3.9 handle no COORDINATOR_NOT_AVAILABLE in an OffsetFetch response: they look for the coordinator again instead."""
    told = for_clients(error_code)
    return ErrorCode.NOT_COORDINATOR if told == ErrorCode.COORDINATOR_NOT_AVAILABLE else told
