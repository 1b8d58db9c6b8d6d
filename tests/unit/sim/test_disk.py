"""Faults of the simulated disk; what it does when all is well is in tests/unit/test_disk_contract.py."""

import pytest

from holdwater.kernel.ports import DiskFailure
from holdwater.sim.disk import STALL_MAX_US, Crashed, Fault, Operation, SimDisk, SimFile


def new_disk() -> tuple[SimDisk, SimFile]:
    """A disk, and an open file of eight bytes that are not synced."""
    disk = SimDisk()
    disk.make_directories("/d")
    file = disk.open("/d/f")
    file.append(b"01234567")
    return disk, file


def test_several_faults_may_be_armed_and_the_first_that_acts_decides() -> None:
    disk, file = new_disk()
    asked: list[str] = []

    def one(operation: Operation) -> Fault | None:
        asked.append(f"one {operation.name}")
        return Fault.FULL if operation.name == "append" else None

    def other(operation: Operation) -> Fault | None:
        asked.append(f"other {operation.name}")
        return Fault.CRASH if operation.name in {"append", "sync"} else None

    disk.arm(one)
    file.read(0, 1)
    disk.arm(other)
    with pytest.raises(DiskFailure):
        file.append(b"89")
    with pytest.raises(Crashed):
        file.sync()
    assert asked == ["one read", "one append", "one sync", "other sync"]
    disk.disarm(one)
    disk.disarm(one)
    with pytest.raises(Crashed):
        file.append(b"ab")
    disk.disarm_all()
    file.append(b"cd")
    assert disk.on_operation is None


def test_a_fault_may_disarm_itself() -> None:
    disk, file = new_disk()

    def once(operation: Operation) -> Fault | None:
        disk.disarm(once)
        return Fault.IO_ERROR

    disk.arm(once)
    disk.arm(lambda operation: None)
    with pytest.raises(DiskFailure):
        file.read(0, 1)
    assert file.read(0, 1) == b"0"


def test_an_operation_may_take_its_time_and_all_of_an_event_take_no_longer_than_a_bound() -> None:
    disk, file = new_disk()
    disk.arm(lambda operation: disk.stall(4_000_000))
    for count in range(1, 4):
        file.read(0, 1)
        assert disk.stall_us == 4_000_000 * count
    file.read(0, 1)
    assert disk.stall_us == STALL_MAX_US
    disk.crash()
    assert disk.stall_us == 0


def test_a_read_may_give_back_other_bits_and_the_next_one_is_right() -> None:
    disk, file = new_disk()
    disk.arm(lambda operation: Fault.BIT_FLIP if operation.name == "read" else None)
    disk.flip = lambda path, position, data: f"{path} {position} ".encode() + data[::-1]
    assert file.read(2, 3) == b"/d/f 2 432"
    disk.disarm_all()
    assert file.read(2, 3) == b"234"


def test_what_a_failed_sync_was_to_make_durable_goes_with_the_process() -> None:
    disk, file = new_disk()
    file.sync()
    file.append(b"lost")
    whole = disk.open("/d/g")
    whole.append(b"kept")
    disk.arm(lambda operation: Fault.IO_ERROR if operation.path == "/d/f" and operation.name == "sync" else None)
    with pytest.raises(DiskFailure):
        file.sync()
    assert file.read(0, 20) == b"01234567lost"
    disk.crash()
    disk.disarm_all()
    assert disk.read_file("/d/f") == b"01234567"
    assert disk.read_file("/d/g") == b"kept"
    file = disk.open("/d/f")
    file.append(b"new")
    file.sync()
    disk.crash()
    assert disk.read_file("/d/f") == b"01234567new"


def test_failures_that_were_made_here_are_known_until_the_process_ends() -> None:
    disk, file = new_disk()
    with pytest.raises(DiskFailure):
        disk.open("/nowhere/f")
    assert disk.injected == []
    disk.capacity_bytes = 9
    with pytest.raises(DiskFailure) as full:
        file.append(b"89")
    disk.capacity_bytes = None
    disk.arm(lambda operation: Fault.IO_ERROR)
    with pytest.raises(DiskFailure) as failed:
        file.sync()
    disk.disarm_all()
    with pytest.raises(DiskFailure) as again:
        file.sync()
    assert disk.injected == [str(full.value), str(failed.value), str(again.value)]
    disk.crash()
    assert disk.injected == []


def test_another_disk_is_empty_before_and_after_a_power_loss() -> None:
    disk, file = new_disk()
    file.sync()
    disk.settle()
    disk.wipe()
    assert not disk.exists("/d")
    with pytest.raises(Crashed):
        file.read(0, 1)
    disk.power_loss()
    assert disk.list_directory("/") == []


def test_the_end_of_a_file_may_be_lost_for_good() -> None:
    disk, file = new_disk()
    file.sync()
    disk.settle()
    disk.cut("/d/f", 3)
    disk.power_loss()
    assert disk.read_file("/d/f") == b"012"
