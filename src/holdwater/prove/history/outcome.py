"""Which of three outcomes an answer of librdkafka stands for: written, not written, or *unknown*.

A write is *not written* only when produce() itself refused it, so that it was never queued. Everything else that is no acknowledgement is
unknown: an earlier attempt may be in the log, since librdkafka does not tell its message status to Python. Coming from the local queue
proves nothing: a batch that a broker has appended and then answered with NOT_ENOUGH_REPLICAS_AFTER_APPEND waits there for its next attempt,
and is reported from there as purged, or as of an unknown partition. Nor does ``retries=0``: errors that only ask for new metadata
(NOT_LEADER_OR_FOLLOWER) are tried again without being counted, and a leader that resigns answers so of what it has appended.
"""

from holdwater.prove.history.model import State


def state_of(error: int, *, acks: str, by_client: bool = False) -> State:
    """The outcome of a write by librdkafka's error number (0: delivered).

    ``by_client``: the error came from the call of produce(), not with a delivery report.
    """
    if by_client:
        return State.FAIL
    if error == 0:
        return State.SENT if acks == "0" else State.OK
    return State.UNKNOWN
