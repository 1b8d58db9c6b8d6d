"""Reads that give back other bits than were written: what they did is over with them."""

import contextlib

import pytest
from tests.support.logs import append, batch, new_disk, new_log, reopen

from holdwater.kernel.ports import CorruptRecords
from holdwater.sim.disk import Fault, Operation, SimDisk
from holdwater.storage.log import PartitionLog
from holdwater.wire.records import parse_header

COUNT = 12
SMALL = {"segment_bytes": 600, "index_interval_bytes": 100}


def stored() -> tuple[SimDisk, PartitionLog]:
    """Batches of one record in some segments, read through indexes as after a clean stop."""
    disk = new_disk()
    log = new_log(disk, **SMALL)
    for number in range(COUNT):
        append(log, batch(f"value {number}"))
    log.close()
    return disk, reopen(disk, clean=True, recovery_point=COUNT, **SMALL)


def read_flipped(disk: SimDisk, log: PartitionLog, offset: int, max_bytes: int, turn: int, byte: int, mask: int) -> None:
    """Read once, and let one byte of what the file gives back the ``turn``-th time be another."""
    left = turn

    def on_operation(operation: Operation) -> Fault | None:
        nonlocal left
        if operation.name != "read" or not operation.path.endswith(".log"):
            return None
        left -= 1
        return Fault.BIT_FLIP if left < 0 else None

    def flip(path: str, position: int, data: bytes) -> bytes:
        disk.disarm(on_operation)
        return data[:byte] + bytes([data[byte] ^ mask]) + data[byte + 1 :] if byte < len(data) else data

    disk.flip = flip
    disk.arm(on_operation)
    with contextlib.suppress(CorruptRecords):
        log.read(offset, max_bytes, COUNT, at_least_one=True)
    disk.disarm_all()


@pytest.mark.parametrize("max_bytes", [50, 400])
@pytest.mark.parametrize("byte", [0, 7, 8, 9, 10, 11, 16, 23, 24, 25, 26])
def test_the_next_read_is_right(max_bytes: int, byte: int) -> None:
    """Where a read ended is where the next one begins; a wrong length would lead it astray, for ever if nobody else reads."""
    for offset in (0, 3, 7):
        for turn in range(3):
            for mask in (1, 4):
                for after in range(offset, offset + 5):
                    disk, log = stored()
                    read_flipped(disk, log, offset, max_bytes, turn, byte, mask)
                    header = parse_header(log.read(after, max_bytes, COUNT, at_least_one=True))
                    assert header.base_offset == after
