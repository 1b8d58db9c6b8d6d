"""What recovery makes of the files that an interrupted swap leaves: a table of them, and a crash in every operation of recovery itself."""

import contextlib
from collections.abc import Mapping

import pytest
from tests.support.compaction import keyed
from tests.support.logs import DIRECTORY, new_disk

from holdwater.kernel.rng import Rng
from holdwater.sim.disk import Crashed, Fault, Operation, SimDisk
from holdwater.storage import swap

NAMES = {"log": ".log", "index": ".index", "time": ".timeindex", "txn": ".txnindex"}
COVERS = b"".join(keyed(("a", "1"), base_offset=base, leader_epoch=0) for base in (0, 3, 6))
"""A cleaned log whose last batch is at offset 6."""
OLD = {f"{base:020d}{suffix}": f"old {base}{suffix}".encode() for base in (0, 4, 8) for suffix in (".log", ".index", ".timeindex")}
NEW = {".log": COVERS, ".index": b"", ".timeindex": b"new times", ".txnindex": b"new transactions"}


def at(base: int, ending: str, *suffixes: str) -> dict[str, bytes]:
    return {f"{base:020d}{suffix}{ending}": NEW[suffix] for suffix in suffixes}


def disk_with(files: Mapping[str, bytes]) -> SimDisk:
    disk = new_disk()
    for name, content in files.items():
        disk.replace_file(f"{DIRECTORY}/{name}", content, durable=False)
    disk.settle()
    return disk


def content(disk: SimDisk) -> dict[str, bytes]:
    return {name: disk.read_file(f"{DIRECTORY}/{name}") for name in disk.list_directory(DIRECTORY)}


def recover(disk: SimDisk) -> list[str]:
    return swap.recover(disk, DIRECTORY, disk.list_directory(DIRECTORY))


INDEXES = (".index", ".timeindex", ".txnindex")
SWAPPED = {**at(0, "", ".log", *INDEXES), **{name: old for name, old in OLD.items() if int(name[:20]) == 8}}
CASES: dict[str, tuple[dict[str, bytes], dict[str, bytes]]] = {
    "nothing": (OLD, OLD),
    "still being written": ({**OLD, **at(0, ".cleaned", ".log", ".index")}, OLD),
    "some indexes renamed": ({**OLD, **at(0, ".cleaned", ".log", ".txnindex"), **at(0, ".swap", ".index", ".timeindex")}, OLD),
    "all indexes renamed": ({**OLD, **at(0, ".cleaned", ".log"), **at(0, ".swap", *INDEXES)}, OLD),
    "committed": ({**OLD, **at(0, ".swap", ".log", *INDEXES)}, SWAPPED),
    "a later segment is half removed": (
        {**{name: old for name, old in OLD.items() if not name.endswith("4.log")}, **at(0, ".swap", ".log", *INDEXES)},
        SWAPPED,
    ),
    "the log has its name": (
        {**{name: old for name, old in OLD.items() if int(name[:20]) != 4}, **at(0, "", ".log"), **at(0, ".swap", *INDEXES)},
        SWAPPED,
    ),
    "one index has its name": ({**SWAPPED, **at(0, ".swap", ".timeindex", ".txnindex")}, SWAPPED),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_found_says_what_to_do(name: str) -> None:
    found, expected = CASES[name]
    disk = disk_with(found)
    names = recover(disk)
    assert content(disk) == expected
    assert names == sorted(expected)


def test_an_empty_transaction_index_is_not_kept() -> None:
    disk = disk_with({**OLD, **at(0, ".swap", ".log", ".index", ".timeindex"), f"{0:020d}.txnindex.swap": b""})
    recover(disk)
    assert f"{0:020d}.txnindex" not in content(disk)


def test_an_index_that_cannot_be_read_does_not_hide_where_the_segment_ends() -> None:
    disk = disk_with({**OLD, **at(0, ".swap", ".log", ".timeindex", ".txnindex"), f"{0:020d}.index.swap": b"\xff" * 16})
    recover(disk)
    assert not [name for name in content(disk) if name.startswith(f"{4:020d}")]


@pytest.mark.parametrize("name", CASES)
def test_a_power_loss_at_every_operation_of_recovery(name: str) -> None:
    found, expected = CASES[name]
    whole = disk_with(found)
    first = whole.operation_count + 1
    recover(whole)
    for number in range(first, whole.operation_count + 2):
        for seed in range(24):
            disk = disk_with(found)
            assert disk.operation_count + 1 == first
            stop_at(disk, number)
            with contextlib.suppress(Crashed):
                recover(disk)
            disk.disarm_all()
            disk.power_loss(Rng(1_000 * number + seed))
            recover(disk)
            assert content(disk) == expected, (number, seed)


def stop_at(disk: SimDisk, number: int) -> None:
    def on_operation(operation: Operation) -> Fault | None:
        return Fault.CRASH if operation.number == number else None

    disk.on_operation = on_operation
