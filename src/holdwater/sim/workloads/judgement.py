"""The judgement over a history when everything is over: what producers were promised, compared with the final logs.

Topics that were deleted are not judged for what is lost, only by what was read of them (``History.read``). Records below the final log start
offset were deleted by request, and are not lost.
"""

from collections.abc import Mapping
from typing import NamedTuple

from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.history import ACKNOWLEDGED, REFUSED, History, Key, Sent
from holdwater.sim.workloads.plan import ALL, LEADER
from holdwater.wire.records import Record


class FinalRecord(NamedTuple):
    """A record of a final log; ``stamped``: its batch says LogAppendTime."""

    record: Record
    stamped: bool = False


class FinalLog(NamedTuple):
    """The committed records of one partition from its log start offset on, and the leader epoch it ended in."""

    records: list[FinalRecord]
    start: int = 0
    leader_epoch: int = 0


Place = tuple[Key, int]


def judge(history: History, final: Mapping[Key, FinalLog]) -> None:
    """Raises ``SafetyViolation`` with the first thing that is wrong."""
    places: dict[bytes, list[Place]] = {}
    for key, log in final.items():
        if log.start > history.deletion_asked(key):
            asked = history.deletion_asked(key)
            raise SafetyViolation("R14", f"{history.name((key, log.start))} is the log start offset, asked for was {asked}")
        for found in log.records:
            _judge_found(history, key, log, found, places)
    _judge_acknowledged(history, final, places)
    _judge_reads(history, final)


def _judge_found(history: History, key: Key, log: FinalLog, found: FinalRecord, places: dict[bytes, list[Place]]) -> None:
    """H, P1: what is there was sent there, is what was sent, and is there at most as often as promised."""
    record = found.record
    if record.offset < log.start:
        return  # its batch holds the log start offset
    sent = history.check("the log has", key, record, stamped=found.stamped)
    there = places.setdefault(sent.value, [])
    there.append((key, record.offset))
    if sent.outcome == REFUSED:
        raise SafetyViolation("P", f"{sent.value!r} was refused, and is at {history.name(there[0])}")
    most = 1 if sent.promise.idempotent else sent.attempts
    if len(there) > most:
        raise SafetyViolation("P1", f"{sent.value!r} may be there {most} times, and is at {', '.join(map(history.name, there))}")


def _judge_acknowledged(history: History, final: Mapping[Key, FinalLog], places: dict[bytes, list[Place]]) -> None:
    """R4, P2, P10: what was acknowledged is there, where the acknowledgement said, and behind what was acknowledged before it."""
    last: dict[tuple[str, Key], tuple[int, Sent]] = {}
    for sent in history.sent.values():
        log = final.get(sent.key)
        if sent.outcome != ACKNOWLEDGED or log is None:
            continue
        there = [offset for key, offset in places.get(sent.value, ()) if key == sent.key]
        if _may_be_lost(sent, log):
            if not there:
                history.count("lost-with-acks-1")
            continue
        if len(there) > 1:
            history.count("duplicate-of-plain-producer")
        offset = sent.offset if sent.offset >= 0 or not there else there[0]
        if offset >= log.start and not there:
            raise SafetyViolation(
                "R4", f"{sent.value!r} was acknowledged at {history.name((sent.key, sent.offset))} at {sent.answered_us} us, and is lost"
            )
        if offset >= log.start and offset not in there:
            raise SafetyViolation("P2", f"{sent.value!r} was acknowledged at {history.name((sent.key, offset))}, and is at {there}")
        if not sent.promise.ordered or (log.start > 0 and sent.attempts > 1 and not sent.promise.idempotent):
            continue  # the latter may have been there before, in what is deleted
        first = min([offset, *there])
        before = last.get((sent.producer, sent.key))
        if before is not None and before[0] >= first:
            raise SafetyViolation("P10", f"{sent.value!r} at {[offset, *there]} is not behind {before[1].value!r}, which was sent first")
        last[sent.producer, sent.key] = (first, sent)


def _may_be_lost(sent: Sent, log: FinalLog) -> bool:
    """With ``acks=1`` a record goes with its leader: it must be there only if nobody else has led since the leader that acknowledged it."""
    if sent.promise.acks == ALL:
        return False
    return sent.promise.acks != LEADER or sent.leader_epoch < 0 or sent.leader_epoch != log.leader_epoch


def _judge_reads(history: History, final: Mapping[Key, FinalLog]) -> None:
    """R2: what was read is there, at that offset, for ever. P: it was not refused."""
    for key, reads in history.reads.items():
        log = final.get(key)
        at = {found.record.offset: found.record for found in log.records} if log is not None else {}
        for offset, seen in reads.at.items():
            name = history.name((key, offset))
            if history.sent[seen.value].outcome == REFUSED:
                raise SafetyViolation("P", f"{seen.value!r} was refused, and was read at {name}")
            if log is None or offset < log.start:
                continue
            record = at.get(offset)
            if record is None or record.value != seen.value or record.timestamp_ms != seen.timestamp_ms:
                raise SafetyViolation("R2", f"{seen} was read at {name}, in the end there is {record}")
