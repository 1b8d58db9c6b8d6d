"""Anomalies of reads: what consumers were handed against the final log and against each other."""

from holdwater.prove.history.model import NO_RECORD, History, PartitionLog, State
from holdwater.prove.judge.findings import Collector, Finding
from holdwater.prove.judge.writes import Occurrences

Row = tuple[int, int, int, int, int]
"""(session, partition, offset, id, time) of one read."""


def reads_unlike_the_log(history: History) -> list[Row]:
    """Reads whose id is not what the final log holds there, in order of partition, offset and time.

    Past the end of a log that was read in full there is nothing, so a read from there is unlike it as well, but for what may have been
    appended only then (``moved_reads``). Logs that were not read to their end, and offsets below the start of a log, are not judged.
    """
    unlike: list[Row] = []
    moved = set(moved_reads(history))
    tables = {partition: (log.start_offset, log.table(), log) for partition, log in history.log.items() if log.complete}
    for row in history.reads.rows():
        _, partition, offset, identifier, _ = row
        if partition not in tables:
            continue
        start, table, log = tables[partition]
        index = offset - start
        if index < 0 or (not isinstance(table, dict) and index < len(table) and table[index] == identifier):
            continue
        if log.id_at(offset) != identifier and row not in moved:
            unlike.append(row)
    unlike.sort(key=lambda row: (row[1], row[2], row[4]))
    return unlike


def moved_reads(history: History) -> list[Row]:
    """Reads past the noted end of a log, after it was noted, of writes without an acknowledgement: those may have come only then."""
    noted = history.events_of("noted-ends")
    if not noted:
        return []
    noted_ns, state = noted[0].time_ns, history.sends.state
    return [
        row
        for row in history.reads.rows()
        if row[4] > noted_ns
        and row[1] in history.log
        and row[2] >= history.log[row[1]].end_offset
        and row[3] >= 0
        and state[row[3]] != State.OK
    ]


def vanished_read(history: History, unlike: list[Row]) -> Finding:
    """R2, R7. A consumer got an id at an offset where the final log holds another record or none: it read what was never committed.

    Holds for writes without an acknowledgement too, so it sees more than ``lost_write``. ``unlike`` is ``reads_unlike_the_log``.
    """
    collector = Collector("vanished-read")
    for session, partition, offset, identifier, time_ns in unlike:
        log = history.log[partition]
        covering = log.batch_at(offset)
        collector.add(
            partition,
            offset,
            session=session,
            id=history.sends.name(identifier),
            read_s=history.seconds(time_ns),
            in_its_place=history.sends.name(log.id_at(offset)),
            leader_epoch_in_its_place=covering.leader_epoch if covering else None,
        )
    return collector.finding()


def inconsistent_read(history: History, unlike: list[Row]) -> Finding:
    """R2. Two reads of one partition and offset that got different ids. Always severe: the same value at an offset, for every reader, ever."""
    collector = Collector("inconsistent-read")
    suspects = _suspect_offsets(history, unlike)
    seen: dict[tuple[int, int], tuple[int, int, int]] = {}
    for session, partition, offset, identifier, time_ns in history.reads.rows() if suspects else ():
        if (partition, offset) not in suspects:
            continue
        first = seen.setdefault((partition, offset), (identifier, session, time_ns))
        if first[0] != identifier:
            collector.add(
                partition,
                offset,
                session=session,
                id=history.sends.name(identifier),
                read_s=history.seconds(time_ns),
                first_session=first[1],
                first_id=history.sends.name(first[0]),
                first_read_s=history.seconds(first[2]),
            )
    return collector.finding()


def _suspect_offsets(history: History, unlike: list[Row]) -> set[tuple[int, int]]:
    """Offsets where reads can differ at all: where one is unlike the log, and every offset of a log that was not read in full."""
    suspects = {(row[1], row[2]) for row in unlike}
    incomplete = set(history.reads.partition) - {partition for partition, log in history.log.items() if log.complete}
    if incomplete:
        suspects |= {(row[1], row[2]) for row in history.reads.rows() if row[1] in incomplete}
    return suspects


def read_skip(history: History) -> Finding:
    """Two consecutive records of one session in one partition with a readable record of the final log between them.

    Compared by the records that exist, never by ``offset + 1``: control records and removed data leave gaps. Consumers of a run start at
    the beginning of the topic and keep their assignment, so no skip is excused by a rebalance or a reset.
    """
    collector = Collector("read-skip")
    position: dict[tuple[int, int], int] = {}
    for session, partition, offset, identifier, time_ns in history.reads.rows():
        before = position.get((session, partition))
        position[session, partition] = offset
        if before is None:
            before = _first_visible(history.log.get(partition)) - 1
        if offset <= before + 1 or partition not in history.log:
            continue
        skipped = _first_record_between(history.log[partition], before, offset)
        if skipped is not None:
            collector.add(
                partition,
                skipped,
                weight=offset - before - 1,
                session=session,
                skipped=history.sends.name(history.log[partition].id_at(skipped)),
                after_offset=before,
                next_offset=offset,
                next_id=history.sends.name(identifier),
                read_s=history.seconds(time_ns),
            )
    return collector.finding()


def _first_visible(log: PartitionLog | None) -> int:
    return log.offsets[0] if log is not None and log.offsets else 0


def _first_record_between(log: PartitionLog, low: int, high: int) -> int | None:
    for offset in range(max(low + 1, log.start_offset), min(high, log.read_to)):
        if log.id_at(offset) != NO_RECORD:
            return offset
    return None


def read_backwards(history: History) -> Finding:
    """A record of one session whose offset is not greater than the one before it in the same partition (Jepsen's nonmonotonic poll)."""
    collector = Collector("read-backwards")
    position: dict[tuple[int, int], int] = {}
    for session, partition, offset, identifier, time_ns in history.reads.rows():
        before = position.get((session, partition), -1)
        if offset <= before:
            collector.add(
                partition,
                offset,
                weight=before - offset + 1,
                session=session,
                id=history.sends.name(identifier),
                after_offset=before,
                read_s=history.seconds(time_ns),
            )
        position[session, partition] = offset
    return collector.finding()


def unseen(history: History, occurrences: Occurrences) -> Finding:
    """L5. Acknowledged and in the log below where the consumers ended, yet handed to none of them.

    What lies at or past the final position of a consumer was not finished, which is no anomaly: ``validity`` reports it.
    """
    collector = Collector("unseen")
    if not history.final_positions:
        return collector.finding()
    sends, was_read = history.sends, bytearray(len(history.sends))
    for identifier in history.reads.ids:
        if identifier >= 0:
            was_read[identifier] = 1
    for partition in sorted(history.log):
        end = history.final_positions.get(partition, 0)
        log = history.log[partition]
        for offset, identifier in zip(log.offsets, log.ids, strict=True):
            if identifier < 0 or was_read[identifier] or offset >= end or sends.state[identifier] != State.OK:
                continue
            was_read[identifier] = 1  # a duplicate of it is not a second unseen record
            collector.add(
                partition,
                offset,
                id=sends.name(identifier),
                acknowledged_s=history.seconds(sends.done_ns[identifier]),
                times_in_log=occurrences.seen[identifier],
                final_position=end,
            )
    return collector.finding()
