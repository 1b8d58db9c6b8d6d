"""Whether the columns of a folder agree with each other, and with what ``final.json`` says of them.

Columns of equal length are not yet whole: a power loss can cut all of them alike, and a file of another folder can stand in their place.
What their writers took for granted is therefore looked for here: rows that are gone would be taken for lost writes, or hide them.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from holdwater.prove.history.columns import ANSWERS, LOG_BATCHES, LOG_RECORDS, SENDS, file_name
from holdwater.prove.history.damage import EvidenceDamaged
from holdwater.prove.history.model import PartitionLog
from holdwater.prove.history.parts import LOG
from holdwater.prove.history.payload import FOREIGN

Columns = Mapping[str, "array[int]"]
_CONTROL = 0x20
_BATCHES, _RECORDS = f"{LOG}/{LOG_BATCHES.name}.*", f"{LOG}/{LOG_RECORDS.name}.*"


def check_sends(folder: str, writer: int, sends: Columns) -> None:
    """The rows are the writer's own, one for each sequence number from 0 on. Raises ``EvidenceDamaged``."""
    problems = list(_other_writers(f"{folder}/{file_name(SENDS, 'writer')}", writer, sends))
    if sends["sequence"] != array("I", range(len(sends["sequence"]))):
        problems.append(f"{folder}/{file_name(SENDS, 'sequence')} does not count from 0 on without a gap")
    _raise(problems)


def check_answers(folder: str, writer: int, answers: Columns, sends: int | None) -> None:
    """The rows are the writer's own, and answer one of its ``sends``; a client that was ended by force may have kept an answer only (``None``).

    Raises ``EvidenceDamaged``.
    """
    problems = list(_other_writers(f"{folder}/{file_name(ANSWERS, 'writer')}", writer, answers))
    if sends is not None and max(answers["sequence"], default=-1) >= sends:
        problems.append(f"{folder}/{file_name(ANSWERS, 'sequence')} has an answer to a write that is not in {SENDS.name}")
    _raise(problems)


def _other_writers(file: str, writer: int, rows: Columns) -> Iterator[str]:
    if rows["writer"].count(writer) != len(rows["writer"]):
        yield f"{file} names another writer than {writer}"


def check_ends(logs: Iterable[PartitionLog]) -> None:
    """The batches of each partition reach as far as it was read: its reader went by the highest end. Raises ``EvidenceDamaged``.

    What a damaged batch says of its end is not believed, so nothing is asked of a partition that ends with one.
    """
    problems: list[str] = []
    for log in logs:
        end = max((batch.last_offset + 1 for batch in log.batches if batch.sound), default=0)
        end = max(end, log.start_offset)
        damaged = any(batch.last_offset >= end for batch in log.batches if not batch.sound)
        if end != log.read_to and not damaged:
            problems.append(f"{_BATCHES} ends at {end} in partition {log.partition}, which was read to {log.read_to}")
    _raise(problems)


def check_records(batches: Columns, records: Columns) -> None:
    """Each sound batch has as many records as it says, in its partition; control batches have none here. Raises ``EvidenceDamaged``.

    A batch that its reader could not read has one foreign record in its place.
    """
    found = Counter(records["batch"])
    problems: list[str] = []
    for row, count in enumerate(batches["records"]):
        held = found.pop(row, 0)
        expected = 0 if batches["attributes"][row] & _CONTROL else count
        if held != expected and batches["sound"][row] and not _stands_in(records, row, held):
            batch = f"batch {batches['base_offset'][row]}..{batches['last_offset'][row]} of partition {batches['partition'][row]}"
            problems.append(f"{_RECORDS} holds {held} records of {batch}, which has {expected}")
    if found:
        problems.append(f"{_RECORDS} has a record of a batch that is not in {LOG_BATCHES.name}")
    _raise(problems)


def _stands_in(records: Columns, batch: int, held: int) -> bool:
    return held == 1 and bool(records["flags"][records["batch"].index(batch)] & FOREIGN)


def check_place(partition: int, batches: range, records: "array[int]") -> None:
    """The records of a partition point to its own ``batches``, by row. Raises ``EvidenceDamaged``."""
    if min(records) < batches.start or max(records) >= batches.stop:
        raise EvidenceDamaged([f"{_RECORDS} has a record of partition {partition} in a batch of another"])


def _raise(problems: list[str]) -> None:
    if problems:
        raise EvidenceDamaged(problems)
