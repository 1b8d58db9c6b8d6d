"""Pure functions from a recorded history to findings: one function per anomaly, each with its formal definition and its evidence.

``anomalies(history)`` runs them all. ``pauses`` measures when nothing was acknowledged or delivered, ``bounds`` what to expect from the
target's settings, ``causes`` and ``pause_causes`` explain as far as the evidence goes, ``checks`` puts expected beside actual, ``validity``
says when a run has no verdict, and ``verdict`` draws the sum. Nothing in this folder reads a clock, a file or a socket.

The definitions follow Jepsen's Kafka workload where they can; where they differ, the docstring says so.
"""

from holdwater.prove.history.model import History
from holdwater.prove.judge.content import altered, misplaced, phantom, refused_but_written
from holdwater.prove.judge.findings import Finding
from holdwater.prove.judge.logs import high_watermark_back, log_order, sequence_gap
from holdwater.prove.judge.reads import inconsistent_read, read_backwards, read_skip, reads_unlike_the_log, unseen, vanished_read
from holdwater.prove.judge.writes import (
    Occurrences,
    ack_elsewhere,
    acks_unlike_the_log,
    duplicate_by_client,
    duplicate_by_cluster,
    lost_write,
    reorder,
    shared_offset,
)

__all__ = ["anomalies"]


def anomalies(history: History, occurrences: Occurrences | None = None) -> dict[str, Finding]:
    """Every class of anomaly by its name, those with a count of 0 included. ``occurrences`` saves counting them again."""
    occurrences = occurrences or Occurrences.of(history)
    reads, acks = reads_unlike_the_log(history), acks_unlike_the_log(history)
    found = [
        lost_write(history, occurrences),
        duplicate_by_cluster(history, occurrences),
        duplicate_by_client(history, occurrences),
        reorder(history),
        vanished_read(history, reads),
        inconsistent_read(history, reads),
        read_skip(history),
        read_backwards(history),
        unseen(history, occurrences),
        altered(history),
        misplaced(history),
        phantom(history),
        refused_but_written(history, occurrences),
        shared_offset(history, acks),
        ack_elsewhere(history, occurrences, acks),
        sequence_gap(history),
        log_order(history),
        high_watermark_back(history),
    ]
    return {finding.kind: finding for finding in found}
