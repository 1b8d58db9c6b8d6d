"""Which of three outcomes an answer of librdkafka stands for: written, not written, or *unknown*.

A write is *not written* only when it provably never left the client, or was refused on the only attempt there was. Everything else that
is no acknowledgement is unknown: an earlier attempt may be in the log, since librdkafka does not tell its message status to Python.
"""

from holdwater.prove.history.model import State

NEVER_SENT = frozenset(
    {
        -152,  # _PURGE_QUEUE: taken back from the local queue
        -184,  # _QUEUE_FULL: the local queue refused it
        -186,  # _INVALID_ARG
        -188,  # _UNKNOWN_TOPIC: no partition to send to was ever known
        -190,  # _UNKNOWN_PARTITION: the same
        -162,  # _KEY_SERIALIZATION
        -161,  # _VALUE_SERIALIZATION
    }
)
"""librdkafka's local errors that come before anything is sent."""

REFUSED = frozenset(
    {
        10,  # MESSAGE_TOO_LARGE
        17,  # INVALID_TOPIC_EXCEPTION
        18,  # RECORD_LIST_TOO_LARGE
        19,  # NOT_ENOUGH_REPLICAS: before the append
        29,  # TOPIC_AUTHORIZATION_FAILED
        31,  # CLUSTER_AUTHORIZATION_FAILED
        87,  # INVALID_RECORD
    }
)
"""Broker errors that come before the append: definite for the attempt that got them, so only when there was one attempt."""


def state_of(error: int, *, acks: str, retries: int) -> State:
    """The outcome of a write by librdkafka's error number (0: delivered). ``retries``: how many the client was allowed."""
    if error == 0:
        return State.SENT if acks == "0" else State.OK
    if error in NEVER_SENT or (error in REFUSED and retries == 0):
        return State.FAIL
    return State.UNKNOWN
