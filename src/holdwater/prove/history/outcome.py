"""Which of three outcomes an answer of librdkafka stands for: written, not written, or *unknown*.

A write is *not written* only when produce() itself refused it, so that it was never queued, or when it was refused on the only attempt
there was. Everything else that is no acknowledgement is unknown: an earlier attempt may be in the log, since librdkafka does not tell its
message status to Python. Coming from the local queue proves nothing either: a batch that a broker has appended and then answered with
NOT_ENOUGH_REPLICAS_AFTER_APPEND waits there for its next attempt, and is reported from there as purged, or as of an unknown partition.
"""

from holdwater.prove.history.model import State

NEVER_QUEUED = frozenset(
    {
        -184,  # _QUEUE_FULL: the local queue refused it
        -186,  # _INVALID_ARG
        -162,  # _KEY_SERIALIZATION
        -161,  # _VALUE_SERIALIZATION
    }
)
"""librdkafka's local errors that only produce() gives, before anything is queued."""

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


def state_of(error: int, *, acks: str, retries: int, by_client: bool = False) -> State:
    """The outcome of a write by librdkafka's error number (0: delivered). ``retries``: how many the client was allowed.

    ``by_client``: the error came from the call of produce(), not with a delivery report.
    """
    if by_client:
        return State.FAIL
    if error == 0:
        return State.SENT if acks == "0" else State.OK
    if error in NEVER_QUEUED or (error in REFUSED and retries == 0):
        return State.FAIL
    return State.UNKNOWN
